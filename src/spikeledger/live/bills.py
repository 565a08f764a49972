"""All bills of both networks in plain values: what a page needs to price a digit on every profile, dataflow and end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import units
from ..activity import Activity
from ..amounts import Amount, Product, Unknown
from ..bills import BY_DATAFLOW
from ..errors import SpikeLedgerError, UncountedError
from ..events import EVENTS, TERMS
from ..hardware.catalog import list_profiles, load_profile
from ..hardware.cited import Ranged
from ..hardware.profile import HardwareProfile, Timing
from ..ledger import price
from ..study.device_pairs import CORRECTIONS
from .slopes import ONE, Feature, Rows, choice, classes, flows, in_classes, slopes

#: of a number, by the field that holds its nominal value
_UNITS = {"joules": "J", "watts": "W"}


@dataclass
class _Pool:
    """Numbers that have a range, each once, and bills, each once."""

    unknowns: dict[Unknown, int] = field(default_factory=dict)
    sources: dict[str, tuple[str, str]] = field(default_factory=dict)
    bills: dict[str, int] = field(default_factory=dict)

    def product(self, product: Product) -> list[int]:
        return [self.unknowns.setdefault(one, len(self.unknowns)) for one in product]

    def bill(self, rows: Rows, layers: Sequence[str], features: Sequence[Feature]) -> int:
        plain = [
            [
                layers.index(layer), list(EVENTS).index(event) if event else -1, self.product(product),
                [[features.index(key), power, value] for (key, power), value in parts.items()],
            ]
            for (layer, event, product), parts in rows.items()
        ]  # fmt: skip
        return self.bills.setdefault(json.dumps(plain), len(self.bills))


def all_bills(
    ann: Activity,
    snn: Activity,
    *,
    profiles: Sequence[str | HardwareProfile] = (),
    catalogue: Sequence[str] | None = None,
    kinds: Mapping[str, Iterable[tuple[str, ...]]] | None = None,
) -> dict[str, Any]:
    """The bills of one sample of each network, on every profile that runs it.

    Args:
        ann: a recording of the ordinary network, of one sample or more; its counts are not used, its facts are.
        snn: the same of the spiking one.
        profiles: besides those of the catalogue.
        catalogue: names of the catalogue's profiles; all of them by default.
        kinds: of each side, the classes that its weighted layers' inputs can have; all that there are by default.
    """
    pool = _Pool()
    names = list_profiles() if catalogue is None else catalogue
    named: dict[str, HardwareProfile] = {name: load_profile(name) for name in names}
    named |= {one.name: one for one in map(load_profile, profiles)}
    sides = {
        name: _side(name, activity, named, pool, classes(activity) if kinds is None else sorted(kinds[name]))
        for name, activity in (("ann", ann), ("snn", snn))
    }
    return {
        "events": list(EVENTS), "terms": {term: list(events) for term, events in TERMS.items()},
        "unknowns": [
            [one.name, one.low, one.nominal, one.high, *pool.sources.get(one.name, ("assumed", ""))]
            for one in pool.unknowns
        ],
        "bills": [json.loads(text) for text in pool.bills], "sides": sides, "corrections": dict(CORRECTIONS),
    }  # fmt: skip


def _side(
    kind: str, activity: Activity, named: dict[str, HardwareProfile], pool: _Pool, kinds: Sequence[tuple[str, ...]]
) -> dict[str, Any]:
    if activity.uncounted:
        raise UncountedError(f"{len(activity.uncounted)} operators were not counted, so a page cannot price them")
    runs = {",".join(each): in_classes(activity, each) for each in kinds}
    features: list[Feature] = list(dict.fromkeys(key for run in runs.values() for key in (ONE, *run.tallies)))
    layers = ["", *activity.layers, "(memory)", "(host)"]
    found, refused = [], {}
    for name, device in named.items():
        if kind not in device.runs:
            refused[name] = f"{device.title} runs no {kind.upper()}"
            continue
        try:
            found.append(_profile(device, runs, layers, features, pool))
        except SpikeLedgerError as error:
            refused[name] = str(error)
    return {
        "features": [list(key) for key in features], "layers": layers, "profiles": found, "refused": refused,
        "weighted": [layer.name for layer in activity.layers_by_name.values() if layer.weighted],
    }  # fmt: skip


def _profile(
    device: HardwareProfile, runs: dict[str, Activity], layers: list[str], features: list[Feature], pool: _Pool
) -> dict[str, Any]:
    bills: dict[str, dict[str, int]] = {}
    seconds: dict[str, int] = {}
    choices: dict[str, int] = {}
    for kinds, run in runs.items():
        machines = flows(run, device)
        for flow, machine in machines.items():
            read = slopes(run, machine)
            bills.setdefault(flow, {})[kinds] = pool.bill(read.joules, layers, features)
            seconds[kinds] = pool.bill(read.seconds, layers, features)
        if len(machines) > 1:
            choices[kinds] = pool.bill(choice(run, machines), layers, features)
    for name, part in device.behind().items():
        pool.sources.setdefault(name, (part.kind, part.source))
    first = price(next(iter(runs.values())), device)
    has_time = any(entry.event == "second" and entry.layer == "" for entry in first.entries)
    watts = device.static.amount * _chips(first.entries) if device.static is not None and has_time else None
    known = device.name in list_profiles()
    return {
        "name": device.name, "title": device.title, "caveats": [one for one in (device.caveat,) if one],
        "document": document_of(device), "skips": device.skips, "fixed": _fixed(device),
        "technology": bool(device.memory) and device.bill in BY_DATAFLOW,
        "catalogued": known, "bills": bills, "seconds": seconds, "choices": choices,
        "watts": None if watts is None else _plain(watts, pool),
        "left_out": [f"{event}: {why}" for event, why in device.leaves_out.items()],
    }  # fmt: skip


def document_of(device: HardwareProfile) -> str:
    """Which document's arithmetic an as-published profile is, such as `published-paper-002`; empty of any other one."""
    if not device.as_published:
        return ""
    found = re.match(r"published-[a-z]+-\d+", device.name)
    return found[0] if found else device.name


def _fixed(device: HardwareProfile) -> list[list[str]]:
    """Numbers without a range: name, value with its unit, kind, source."""
    rows = []
    for name, part in device.behind().items():
        if isinstance(part, Ranged):
            amount, unit = part.amount, _UNITS.get(part.NOMINAL, "")
            told = units.si(amount.nominal, unit) if amount.low == amount.high and amount.nominal else ""
        else:
            assert isinstance(part, Timing)
            told = _durations(part) if part.low_factor == part.high_factor else ""
        if told:
            rows.append([name, told, part.kind, part.source])
    return rows


def _durations(timing: Timing) -> str:
    terms = {each: getattr(timing, f"seconds_per_{each}") for each in ("step", "barrier", "sample", "batch", "layer")}
    terms |= timing.seconds_per_event
    return ", ".join(f"{units.si(value, 's')} a {each.replace('_', ' ')}" for each, value in terms.items() if value)


def _chips(entries: Sequence[Any]) -> int:
    """How many chips draw static power, as the ledger says it."""
    notes = [entry.note for entry in entries if entry.event == "second" and entry.layer == ""]
    last = notes[0].rpartition("; ")[2] if notes else ""
    return int(last.removesuffix(" chips").replace(",", "")) if last.endswith(" chips") else 1


def _plain(amount: Amount, pool: _Pool) -> list[Any]:
    return [[pool.product(product), factor] for product, factor in amount.terms.items()]
