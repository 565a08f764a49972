"""A bill as a page can work it out: `joules = sum of coefficient * count * T^p * product of unknowns`.

Every bill is linear in the counts of one sample, and depends on the number of steps by terms in `1/T`, `1` and `T`. The
coefficients are read off `price` itself, by asking it for runs that differ in one count, so nothing of a bill is
written twice; what is not of this form is found out by the same questions, and left out with its reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..activity import Activity, Layer, Tally
from ..activity.account import arrival
from ..amounts import Product
from ..bills import BY_DATAFLOW
from ..bills.dataflow import DATAFLOWS, decided, open_dataflow
from ..errors import UnpricedError
from ..hardware.profile import HardwareProfile
from ..hardware.variants import with_dataflow
from ..ledger import Ledger, price

#: what a coefficient may be multiplied by besides a count: `T` to this power
POWERS = (-1, 0, 1)
#: the numbers of steps at which a bill is asked; three, as there are three powers
_ASKED = (2, 3, 5)
_BASE, _STEP = 64, 1 << 36

#: what a count is of: a layer and an event; the empty one stands for the sample itself
Feature = tuple[str, str]
ONE: Feature = ("", "")
#: the row of how long a run takes, which is no event
_TIME = ("", "")
#: one coefficient: (layer, event, product of unknowns) -> (feature, power) -> joules
Rows = dict[tuple[str, str, Product], dict[tuple[Feature, int], float]]


@dataclass(frozen=True, eq=False)
class Slopes:
    """One profile's bill for one network, for given classes of its layers' inputs; `seconds` has the form of `joules`."""

    joules: Rows
    seconds: Rows


def slopes(activity: Activity, device: HardwareProfile) -> Slopes:
    """Read the coefficients of a bill off `price`; of one sample.

    Raises:
        UnpricedError: what `price` refuses, and a bill that is not linear in the counts.
    """

    def ask(run: Activity) -> dict[tuple[str, str, Product], float]:
        ledger = price(run, device)
        return {**_of_joules(ledger), **_of_seconds(ledger, device)}

    rows = _fitted(activity, ask)
    timed = {key: parts for key, parts in rows.items() if key[:2] == _TIME}
    return Slopes({key: parts for key, parts in rows.items() if key not in timed}, timed)


def flows(activity: Activity, device: HardwareProfile) -> dict[str, HardwareProfile]:
    """The machines that a profile leaves open, by their dataflow; under an empty name where it leaves nothing open."""
    spikes = activity.spiking or any(layer.inputs == "spikes" for layer in activity.layers_by_name.values())
    if not (spikes and device.bill in BY_DATAFLOW and not device.dataflow and open_dataflow(device)):
        return {"": device}
    return {flow: with_dataflow(device, flow) for flow in DATAFLOWS}


def choice(activity: Activity, machines: Mapping[str, HardwareProfile]) -> Rows:
    """Output-stationary less row-wise joules of what the dataflow decides: above or at 0, rows it is (`bills.settled`)."""
    still, rows = machines["output-stationary"], machines["row-wise"]

    def difference(run: Activity) -> dict[Any, float]:
        layers = [layer for layer in run.layers_by_name.values() if layer.inputs == "spikes"]
        return {("", "second", ()): decided(run, layers, still) - decided(run, layers, rows)}

    return _fitted(activity, difference)


def classes(activity: Activity) -> list[tuple[str, ...]]:
    """What the inputs of the weighted layers can be: of a spiking network what they were or silent, else all three."""
    layers = [layer for layer in activity.layers_by_name.values() if layer.weighted]
    kinds = [
        ("spikes", "silent") if activity.spiking and layer.inputs != "graded" else ("graded", "spikes", "silent")
        for layer in layers
    ]
    return list(itertools.product(*kinds))


def in_classes(activity: Activity, kinds: tuple[str, ...]) -> Activity:
    """The same run with its weighted layers' inputs of these classes, and what arrives booked as it then is."""
    weighted = [name for name, layer in activity.layers_by_name.items() if layer.weighted]
    wanted = dict(zip(weighted, kinds, strict=True))
    facts: dict[str, Layer] = {
        name: replace(layer, inputs=wanted.get(name, layer.inputs), magnitude=0.0)  # type: ignore[arg-type]
        for name, layer in activity.layers_by_name.items()
    }
    tallies: dict[tuple[str, str], Tally] = {}
    for name in activity.layers:
        for (layer, event), tally in activity.tallies.items():
            if layer == name and event not in ("mac", "synaptic_op"):
                tallies[name, event] = Tally(name, event, tally.count)
        if wanted.get(name, "silent") != "silent":  # counted even if nothing arrived in this very run
            event = arrival(wanted[name])  # type: ignore[arg-type]
            tallies[name, event] = Tally(name, event, activity.total("mac", name) + activity.total("synaptic_op", name))
    return replace(activity, layers_by_name=facts, tallies=tallies)


def total(rows: Rows, counts: Mapping[Feature, float], timesteps: int, end: str = "nominal") -> float:
    """What rows come to, at one end of every unknown: the sum that a page makes."""
    found = 0.0
    for (_, _, product), parts in rows.items():
        by = float(np.prod([getattr(one, end) for one in product])) if product else 1.0
        found += by * sum(each * counts.get(of, 0.0) * timesteps**power for (of, power), each in parts.items())
    return found


#: what a question asks a bill: the joules of each row of a run
Ask = Callable[[Activity], dict[tuple[str, str, Product], float]]
#: how much of a row one count makes, at one number of steps
Shares = dict[tuple[Any, Feature], float]


def _fitted(activity: Activity, ask: Ask) -> Rows:
    features = [ONE, *activity.tallies]
    first = _asked(activity, ask, _ASKED[0], [[key] for key in activity.tallies], {})
    owners: dict[Any, set[Feature]] = {}
    for row, key in first:
        owners.setdefault(row, set()).add(key)
    groups = _apart(list(activity.tallies), owners)
    at = {_ASKED[0]: first} | {steps: _asked(activity, ask, steps, groups, owners) for steps in _ASKED[1:]}
    rows: Rows = {}
    for row, key in dict.fromkeys(pair for found in at.values() for pair in found):
        parts = _powers([at[steps].get((row, key), 0.0) for steps in _ASKED])
        rows.setdefault(row, {}).update({(key, power): value for power, value in parts.items()})
    _checked(rows, activity, features, ask)
    return rows


def _asked(
    activity: Activity, ask: Ask, steps: int, groups: list[list[Feature]], owners: Mapping[Any, set[Feature]]
) -> Shares:
    """The slopes of all counts at so many steps; those of one group, which share no row, are asked for at once."""
    even = {key: _BASE for key in activity.tallies}
    before = ask(_counted(activity, even, steps))
    found: Shares = {}
    rest = dict(before)
    for group in groups:
        after = ask(_counted(activity, even | {key: _BASE + _STEP for key in group}, steps))
        for row in {**before, **after}:
            slope = (after.get(row, 0.0) - before.get(row, 0.0)) / _STEP
            if abs(slope) * _STEP > 1e-9 * abs(before.get(row, 0.0)):
                key = group[0] if len(group) == 1 else next((one for one in group if one in owners.get(row, ())), None)
                if key is None:
                    raise UnpricedError(f"the bill is not linear in the counts ({row[1]} of '{row[0]}' at T = {steps})")
                found[row, key] = slope
                rest[row] = rest.get(row, 0.0) - slope * _BASE
    for row, value in rest.items():
        if abs(value) > 1e-9 * abs(before.get(row, 0.0)):
            found[row, ONE] = value
    return found


def _apart(keys: list[Feature], owners: Mapping[Any, set[Feature]]) -> list[list[Feature]]:
    """Counts in groups of which no two make the same row."""
    beside: dict[Feature, set[Feature]] = {key: set() for key in keys}
    for together in owners.values():
        for key in together - {ONE}:
            beside[key] |= together
    groups: list[list[Feature]] = []
    for key in keys:
        group = next((one for one in groups if beside[key].isdisjoint(one)), None)
        if group is None:
            groups.append(group := [])
        group.append(key)
    return groups


def _powers(values: list[float]) -> dict[int, float]:
    """The coefficients of `1/T`, `1` and `T` through three values; a single one where that is all there is."""
    for power in POWERS:
        scaled = [value / steps**power for value, steps in zip(values, _ASKED, strict=True)]
        if max(scaled) - min(scaled) <= 1e-11 * max(map(abs, scaled)):
            return {power: scaled[-1]}
    table = np.array([[float(steps) ** power for power in POWERS] for steps in _ASKED])
    solved = np.linalg.solve(table, np.array(values))
    largest = max(map(abs, values))
    return {power: float(value) for power, value in zip(POWERS, solved, strict=True) if abs(value) > 1e-10 * largest}


def _checked(rows: Rows, activity: Activity, features: Iterable[Feature], ask: Callable[..., Any]) -> None:
    """Refuse a bill that is not what the rows say, at other counts and steps."""
    for seed, steps in ((3, 1), (7, 20)):
        random = np.random.default_rng(seed)
        counts = {key: int(random.integers(1_000, 100_000)) for key in activity.tallies}
        for row, value in ask(_counted(activity, counts, steps)).items():
            own = {row: rows[row]} if row in rows else {}
            nominal = float(np.prod([one.nominal for one in row[2]])) if row[2] else 1.0
            mine = total(own, {ONE: 1.0, **counts}, steps) / nominal
            if abs(mine - value) > 1e-9 * abs(value) + 1e-30:
                raise UnpricedError(f"the bill is not linear in the counts ({row[1]} of '{row[0]}' at T = {steps})")


def _counted(activity: Activity, counts: Mapping[Feature, int], steps: int) -> Activity:
    tallies = {key: Tally(key[0], key[1], counts[key]) for key in activity.tallies}
    return replace(
        activity, tallies=tallies, samples=1, timesteps=steps, fan_outs={}, rasters={}, spikes_per_step={},
        nonzero_activations={},
    )  # fmt: skip


def _of_joules(ledger: Ledger) -> dict[tuple[str, str, Product], float]:
    found: dict[tuple[str, str, Product], float] = {}
    for entry in ledger.entries:
        for product, factor in entry.each.terms.items():
            key = (entry.layer, entry.event, product)
            found[key] = found.get(key, 0.0) + entry.count * factor
    return found


def _of_seconds(ledger: Ledger, device: HardwareProfile) -> dict[tuple[str, str, Product], float]:
    found: dict[tuple[str, str, Product], float] = {}
    seconds = ledger.seconds
    if seconds is not None and device.timing is not None:
        for product, factor in device.timing.factor.terms.items():
            found[(*_TIME, product)] = seconds * factor
    return found
