"""place(network, chip) -> Placement: which neurons lie on which core, where it stands, what a spike crosses.

A spike is sent once to every core that holds a synapse of it, by packets that take the shortest way of the mesh, first
along the row; to its own core it needs no packet. Input arrives at the corner (0, 0).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown_name
from .device import Mesh
from .limits import Chip, load_chip
from .network import Network, grain, outward
from .packing import alone, pack
from .picture import draw_placement
from .placed import METHODS, Ints, Method, Placed, way
from .reach import chunks, reach
from .slices import Slices, cut
from .viability import check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..activity import Activity


@dataclass(frozen=True, eq=False)
class Placement(Placed):
    """Where a network lies on a chip, and a picture of it."""

    chip: Chip

    def show(self) -> Figure:
        """A picture of the mesh: neurons and arriving packets of each core, and the busiest ways between them."""
        return draw_placement(self)


def place(
    network: Network,
    chip: str | os.PathLike[str] | Chip,
    *,
    method: Method = "annealed",
    seed: int = 0,
    activity: Activity | None = None,
    rounds: int = 40,
) -> Placement:
    """Cut a network into slices that fit, and put them where its spikes cross few links; the same seed, the same place.

    Args:
        method: `annealed` packs slices, places them greedily and swaps cores by simulated annealing; `greedy` leaves
            the last out; `in_order` fills cores layer by layer, the baseline.
        activity: of an earlier run, so that traffic counts spikes; without it every neuron is taken to spike alike.
        rounds: swaps that are tried for each core.

    Raises:
        CapacityError: the network does not fit.
    """
    if method not in METHODS:
        raise unknown_name("placement method", method, METHODS)
    device = load_chip(chip)
    check(network, device).demand()
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


def _single(network: Network) -> Slices:
    borders = {name: np.array([0, each.size], np.int64) for name, each in network.populations.items()}
    spiking = [name for name, each in network.populations.items() if each.spiking]
    zero = {name: np.zeros(1, np.int64) for name in spiking}
    return Slices(borders, dict(zero), dict(zero))


def _rates(network: Network, activity: Activity | None) -> dict[str, NDArray[np.float64]]:
    rates: dict[str, NDArray[np.float64]] = {}
    for name, population in network.populations.items():
        known = activity is not None and name in activity.layers_by_name and population.spiking
        rates[name] = (
            np.asarray(activity.per_neuron(name), np.float64).ravel()
            if known and activity
            else np.ones(population.size)
        )
    return rates


def _destinations(
    network: Network, name: str, borders: Mapping[str, Ints], cores: Mapping[str, Any], count: int
) -> Any:
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


def _home(network: Network, name: str, borders: Mapping[str, Ints], cores: Mapping[str, Any]) -> NDArray[np.int64]:
    """The core of each neuron, in the order of its population's shape."""
    inner = np.repeat(cores[name], np.diff(borders[name])).astype(np.int64)
    return outward(inner, grain(network, name))


def _traffic(
    network: Network, borders: Mapping[str, Ints], cores: Mapping[str, Any], count: int, rates: Mapping[str, Any]
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
    network: Network, borders: Mapping[str, Ints], cores: Mapping[str, Any], positions: Ints
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
