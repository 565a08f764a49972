"""place(network, device) -> Placement: which neurons lie on which core, where it stands, what a spike crosses.

A spike is sent once to every core that holds a synapse of it, by packets that take the shortest way of the mesh, first
along the row; to its own core it needs no packet. Input arrives at the corner (0, 0).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown_name
from ..hardware.cores import Mesh
from ..hardware.profile import HardwareProfile
from ..mapping.map import map as map_network
from ..mapping.mapped import Mapped, grain, outward
from ..units import plural
from .device import Device, list_devices, load_device
from .fits import fits
from .packing import alone, pack
from .reach import chunks, reach
from .slices import Slices, cut

if TYPE_CHECKING:
    from torch import nn

    from ..activity import Activity

Ints = NDArray[np.int64]
Method = Literal["annealed", "greedy", "in_order"]
METHODS: tuple[Method, ...] = ("annealed", "greedy", "in_order")


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a network lies on a chip.

    `borders` and `cores` are the slices of each population, in the machine's order, and the core of each; `positions`
    are the columns and rows of the cores' routers, int64 `[cores, 2]`; `traffic` is spikes from core to core, the last row from
    the input; `packets` and `hops` are what one spike of each neuron makes, int32 `[N]`.
    """

    network: Mapped
    chip: Device
    borders: Mapping[str, Ints]
    cores: Mapping[str, NDArray[np.int32]]
    positions: Ints
    traffic: NDArray[np.float64]
    packets: Mapping[str, NDArray[np.int32]]
    hops: Mapping[str, NDArray[np.int32]]
    method: Method = "annealed"
    seed: int = 0

    @property
    def core_count(self) -> int:
        """Cores that hold neurons."""
        return len(self.positions)

    @property
    def chips(self) -> int:
        """Chips that they stand on."""
        return len(np.unique(self.positions[:, 0] // self.chip.mesh.columns))

    @property
    def cost(self) -> float:
        """Packets times hops of the traffic that it was made for."""
        return way(self.traffic, self.positions)

    def neurons_by_core(self) -> Ints:
        """How many neurons each core holds, int64 `[cores]`."""
        held = np.zeros(self.core_count, np.int64)
        for name, population in self.network.populations.items():
            if population.spiking:
                np.add.at(held, self.cores[name], np.diff(self.borders[name]))
        return held

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.network.name!r} on {self.chip.name!r}: {plural(self.core_count, 'core')}, "
            f"{plural(self.chips, 'chip')}, packets x hops {self.cost:,.0f})"
        )


def place(
    network: nn.Module | Mapped | Placement,
    device: str | os.PathLike[str] | HardwareProfile | Device | None = None,
    *,
    inputs: Any = None,
    method: Method = "annealed",
    seed: int = 0,
    activity: Activity | None = None,
    rounds: int = 40,
) -> Placement:
    """Cut a network into slices that fit, and put them where its spikes cross few links; the same seed, the same place.

    Args:
        network: a torch module, a mapped network, or a placement, whose network is placed anew.
        device: a profile that is a chip, by name or file; only a placement has one already.
        inputs: samples of a torch module, for their shape; see `map`.
        method: `annealed` packs slices, places them greedily and swaps cores by simulated annealing; `greedy` leaves
            the last out; `in_order` fills cores layer by layer, the baseline.
        activity: of an earlier run, so that traffic counts spikes; without it every neuron is taken to spike alike.
        rounds: swaps that are tried for each core.

    Raises:
        CapacityError: the network does not fit.
    """
    if method not in METHODS:
        raise unknown_name("placement method", method, METHODS)
    if rounds < 0:
        raise InputError(f"{rounds} swaps of a core were asked for: give 0, which leaves the greedy placement, or more")
    if device is None:
        if not isinstance(network, Placement):
            raise InputError(f"on which device? Name one: {', '.join(list_devices())}")
        device = network.chip
    network, device = map_network(network, inputs), load_device(device)
    fits(network, device).demand()
    slices = _single(network) if device.mesh.cores * device.mesh.chips == 1 else cut(network, device)
    cores = alone(slices) if method == "in_order" else pack(slices, device)
    count = 1 + max(int(each.max()) for each in cores.values())
    mesh = device.mesh
    used = min(mesh.chips, -(-count // mesh.cores))
    if count > mesh.cores * used:
        raise InputError(f"{count:,} cores of one slice each are more than '{device.name}' has: use method='annealed'")
    cores |= {name: np.zeros(1, np.int32) for name in network.inputs}
    sites = _sites(mesh, used)
    rates = _rates(network, activity)
    traffic = _traffic(network, slices.borders, cores, count, rates)
    chosen = np.arange(count) if method == "in_order" else _greedy(traffic, sites)
    if method == "annealed":
        chosen = _annealed(traffic, chosen, sites, seed, rounds)
    positions = sites[chosen]
    packets, hops = _routes(network, slices.borders, cores, positions)
    return Placement(network, device, slices.borders, cores, positions, traffic, packets, hops, method, seed)


def moved(placement: Placement, positions: Ints) -> Placement:
    """The same slices with their cores at other places."""
    packets, hops = _routes(placement.network, placement.borders, placement.cores, positions)
    return replace(placement, positions=positions, packets=packets, hops=hops)


def _sites(mesh: Mesh, chips: int) -> Ints:
    """Column and row of the router of each core that there is, chip by chip, row by row, int64 `[cores, 2]`."""
    routers = np.array([(x, y) for y in range(mesh.rows) for x in range(mesh.columns)], np.int64)
    one = np.repeat(routers, mesh.cores_per_router, axis=0)[: mesh.cores]
    return np.concatenate([one + np.array([number * mesh.columns, 0]) for number in range(chips)])


def _single(network: Mapped) -> Slices:
    borders = {name: np.array([0, each.size], np.int64) for name, each in network.populations.items()}
    spiking = [name for name, each in network.populations.items() if each.spiking]
    zero = {name: np.zeros(1, np.int64) for name in spiking}
    return Slices(borders, dict(zero), dict(zero))


def _rates(network: Mapped, activity: Activity | None) -> dict[str, NDArray[np.float64]]:
    rates: dict[str, NDArray[np.float64]] = {}
    for name, population in network.populations.items():
        known = activity is not None and name in activity.layers_by_name and population.spiking
        rates[name] = (
            np.asarray(activity.per_neuron(name), np.float64).ravel()
            if known and activity
            else np.ones(population.size)
        )
    return rates


def _destinations(network: Mapped, name: str, borders: Mapping[str, Ints], cores: Mapping[str, Any], count: int) -> Any:
    """`(first, last, hit)`, a part at a time: whether each neuron sends to each core, bool `[n, cores]`."""
    size, out = network.populations[name].size, network.out_of(name)
    for first, last in chunks(size, count):
        hit = np.zeros((last - first, count), bool)
        for projection in out:
            target = projection.target
            found = reach(network, projection, borders[target], grain(network, target), first, last)
            if len(np.unique(cores[target])) == len(cores[target]):
                hit[:, cores[target]] |= found
            else:
                for number, core in enumerate(cores[target]):
                    hit[:, core] |= found[:, number]
        yield first, last, hit


def _home(network: Mapped, name: str, borders: Mapping[str, Ints], cores: Mapping[str, Any]) -> NDArray[np.int64]:
    """The core of each neuron, in the order of its population's shape."""
    inner = np.repeat(cores[name], np.diff(borders[name])).astype(np.int64)
    return outward(inner, grain(network, name))


def _traffic(
    network: Mapped, borders: Mapping[str, Ints], cores: Mapping[str, Any], count: int, rates: Mapping[str, Any]
) -> NDArray[np.float64]:
    traffic = np.zeros((count + 1, count))
    for name, population in network.populations.items():
        home = _home(network, name, borders, cores) if population.spiking else np.full(population.size, count)
        for first, last, hit in _destinations(network, name, borders, cores, count):
            rate = hit * rates[name][first:last, None]
            for core in np.unique(home[first:last]):
                traffic[core] += rate[home[first:last] == core].sum(0)
    traffic[np.arange(count), np.arange(count)] = 0
    return traffic


def _routes(
    network: Mapped, borders: Mapping[str, Ints], cores: Mapping[str, Any], positions: Ints
) -> tuple[dict[str, NDArray[np.int32]], dict[str, NDArray[np.int32]]]:
    count = len(positions)
    distance = np.abs(positions[:, None] - positions[None]).sum(-1)
    corner = positions.sum(-1)
    packets, hops = {}, {}
    for name, population in network.populations.items():
        packets[name], hops[name] = np.zeros((2, population.size), np.int32)
        home = _home(network, name, borders, cores) if population.spiking else None
        for first, last, hit in _destinations(network, name, borders, cores, count):
            if home is None:
                # from outside every core is another one, unless there is only one and no mesh
                packets[name][first:last] = hit.sum(1) if count > 1 else 0
                hops[name][first:last] = hit @ corner
                continue
            here = home[first:last]
            hit[np.arange(last - first), here] = False
            packets[name][first:last] = hit.sum(1)
            for core in np.unique(here):
                chosen = here == core
                hops[name][first:last][chosen] = hit[chosen] @ distance[core]
    return packets, hops


def _greedy(traffic: NDArray[np.float64], sites: Ints) -> Ints:
    """The site of each core: the one with most traffic to those that stand comes first, to its cheapest free site."""
    count = traffic.shape[1]
    both = traffic[:-1] + traffic[:-1].T
    taken = np.zeros(len(sites), bool)
    chosen = np.zeros(count, np.int64)
    # cost of each site for each core, from the cores that stand
    pull, price = traffic[-1].copy(), sites.sum(-1)[None] * traffic[-1][:, None]
    waiting = np.ones(count, bool)
    for _ in range(count):
        strength = np.where(waiting, pull + 1e-9 * both.sum(1), -1.0)
        core = int(np.argmax(strength))
        site = int(np.argmin(np.where(taken, np.inf, price[core] + 1e-6 * sites.sum(-1))))
        chosen[core], taken[site], waiting[core] = site, True, False
        pull += both[core]
        price = price + both[core][:, None] * np.abs(sites - sites[site]).sum(-1)[None]
    return chosen


def _annealed(traffic: NDArray[np.float64], chosen: Ints, sites: Ints, seed: int, rounds: int) -> Ints:
    """Swap two cores, or move one to a free site, if that is cheaper, or sometimes while it is hot."""
    count = len(chosen)
    if count < 2:
        return chosen
    rng = np.random.default_rng(seed)
    both = traffic[:-1] + traffic[:-1].T
    corner = traffic[-1]
    standing, now = chosen.copy(), sites[chosen]
    at = np.full(len(sites), -1)
    at[standing] = np.arange(count)
    best, best_cost = standing.copy(), way(traffic, now)
    cost = best_cost
    tries = rounds * count
    heat = 0.02 * best_cost / count
    near = rng.integers(0, count, tries), rng.integers(0, len(sites), tries), rng.random(tries)
    for k in range(tries):
        first, site = int(near[0][k]), int(near[1][k])
        second, old = int(at[site]), int(standing[first])
        if second == first:
            continue
        change = _move(both, corner, now, first, sites[site], second)
        if second >= 0:
            change += _move(both, corner, now, second, now[first], first)
        temperature = heat * (1 - k / tries) ** 2 + 1e-12
        if change < 0 or near[2][k] < np.exp(-min(change / temperature, 700.0)):
            standing[first], now[first] = site, sites[site]
            at[site], at[old] = first, second
            if second >= 0:
                standing[second], now[second] = old, sites[old]
            cost += change
            if cost < best_cost - 1e-9:
                best, best_cost = standing.copy(), cost
    return best


def _move(both: NDArray[np.float64], corner: Any, now: Ints, core: int, to: Any, without: int) -> float:
    """How much dearer the mesh becomes if a core moves; its way to the one it swaps with stays as long."""
    before, after = np.abs(now - now[core]).sum(-1), np.abs(now - to).sum(-1)
    weight = both[core]
    change = float(weight @ (after - before)) + float(corner[core]) * float(np.sum(to) - now[core].sum())
    if without >= 0:
        change -= float(weight[without]) * float(after[without] - before[without])
    return change - float(weight[core]) * float(after[core] - before[core])


def way(traffic: NDArray[np.float64], positions: Ints) -> float:
    """Packets times hops of some traffic between cores at some positions."""
    distance = np.abs(positions[:, None] - positions[None]).sum(-1)
    return float((traffic[:-1] * distance).sum() + traffic[-1] @ positions.sum(-1))
