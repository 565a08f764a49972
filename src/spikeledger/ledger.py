"""What it cost: `price(activity, profile) -> Ledger`. Needs no torch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import units
from .activity import Activity
from .amounts import Amount
from .arguments import checked
from .bills import BILLS, BY_DATAFLOW, DATAFLOWS, Line, settled
from .bills.chips import chips_for
from .bills.count_times_price import Entry as Entry
from .bills.lines import DENSE, with_zeros
from .bills.static_power import drawn
from .bills.unpriced import named, unpriced
from .errors import CallError, FileFormatError, InputError, SpikeLedgerError, UncountedError, of_kind, unknown_name
from .events import EVENTS, term_of
from .hardware.catalog import load_profile
from .hardware.profile import HardwareProfile, Price
from .reading import LARGEST_JSON, Kind, read_json
from .shown import Shown
from .writing import write_json

if TYPE_CHECKING:
    import pandas

    from .methods import Methods

#: version of the dictionaries that `Ledger.to_dict` gives
SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Ledger(Shown):
    """What an activity cost on one profile, by layer, event and neuron; totals carry low, nominal and high joules."""

    entries: tuple[Entry, ...]
    profile: HardwareProfile
    bill: str
    samples: int
    timesteps: int
    left_out: tuple[tuple[str, str], ...] = ()  # (event, why)
    caveats: tuple[str, ...] = ()

    @property
    def amount(self) -> Amount:
        """Estimated energy of the whole run, with the numbers that it hangs on."""
        counts: dict[int, tuple[float, Amount]] = {}  # entries of one price are one product
        for entry in self.entries:
            before = counts.get(id(entry.each), (0.0, entry.each))[0]
            counts[id(entry.each)] = (before + entry.count, entry.each)
        return Amount.sum(counts.values())

    @property
    def per_sample(self) -> Amount:
        """The same for one sample."""
        return self.amount * (1 / max(self.samples, 1))

    @property
    def joules(self) -> float:
        """Estimated energy of the whole run, nominal."""
        return sum(entry.joules for entry in self.entries)

    @property
    def joules_low(self) -> float:
        """The same with every price at its low end."""
        return sum(entry.low for entry in self.entries)

    @property
    def joules_high(self) -> float:
        """The same with every price at its high end."""
        return sum(entry.high for entry in self.entries)

    @property
    def joules_independent(self) -> tuple[float, float]:
        """Low and high if the numbers behind the prices err independently, as the root of the summed squares.

        One number is one error, in however many layers and events it is charged.
        """
        whole = self.amount
        below = [whole.nominal - whole.at({one: one.low}) for one in whole.unknowns]
        above = [whole.at({one: one.high}) - whole.nominal for one in whole.unknowns]
        return self.joules - math.hypot(*below), self.joules + math.hypot(*above)

    @property
    def joules_per_sample(self) -> float:
        """Nominal joules divided by the number of samples."""
        return self.joules / self.samples if self.samples else 0.0

    @property
    def seconds(self) -> float | None:
        """How long the run takes on this device; None if the profile does not say."""
        times = [entry.count for entry in self.entries if entry.event == "second" and entry.layer == ""]
        return sum(times) if times else None

    @property
    def kwh(self) -> float:
        """Kilowatt-hours: joules / 3.6e6; an as-published profile divides as its source does, under its own bill."""
        own = self.bill == self.profile.bill
        return self.joules / (self.profile.joules_per_kwh if own else units.JOULES_PER_KWH)

    def by_layer(self) -> dict[str, float]:
        """Nominal joules of each layer; static energy stands under an empty name."""
        return self._sums(lambda entry: entry.layer)

    def by_event(self) -> dict[str, float]:
        """Nominal joules of each event."""
        return self._sums(lambda entry: entry.event)

    def by_term(self) -> dict[str, float]:
        """Nominal joules of operations, memory, routing and static power."""
        return self._sums(lambda entry: entry.term)

    def by_neuron(self, layer: str) -> NDArray[np.float64]:
        """Nominal joules that each neuron of a layer caused there.

        The presynaptic neuron pays for synaptic operations.
        """
        if layer not in {entry.layer for entry in self.entries}:
            raise unknown_name("layer", layer, {entry.layer for entry in self.entries})
        rows = [row for entry in self.entries if entry.layer == layer and (row := entry.per_neuron) is not None]
        if not rows:
            raise InputError(f"layer '{layer}' has no event that is counted by neuron")
        size = max(row.size for row in rows)
        return np.sum([row for row in rows if row.size == size], axis=0)

    def without(self, term: str) -> Ledger:
        """The same ledger without one term, for example `without("static")`."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.term != term))

    def methods(self) -> Methods:
        """What a paper has to say of it: a paragraph, the table of prices in LaTeX, and their works in BibTeX."""
        from .methods import methods

        return methods(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with a versioned schema."""
        return {
            "schema": f"spikeledger-ledger/{SCHEMA}",
            "profile": self.profile.name,
            "title": self.profile.title,
            "bill": self.bill,
            "samples": self.samples,
            "timesteps": self.timesteps,
            "joules": self.joules,
            "joules_low": self.joules_low,
            "joules_high": self.joules_high,
            "joules_independent": list(self.joules_independent),
            "joules_per_sample": self.joules_per_sample,
            "seconds": self.seconds,
            "kwh": self.kwh,
            "by_term": self.by_term(),
            "by_event": self.by_event(),
            "by_layer": self.by_layer(),
            "entries": [
                {
                    "layer": entry.layer, "event": entry.event, "term": entry.term, "count": entry.count,
                    "joules": entry.joules, "low": entry.low, "high": entry.high, "note": entry.note,
                    "kind": entry.price.kind if entry.price else "static",
                }
                for entry in self.entries
            ],
            "left_out": [{"event": event, "reason": reason} for event, reason in self.left_out],
            "caveats": list(self.caveats),
        }  # fmt: skip

    def to_dataframe(self) -> pandas.DataFrame:
        """One row an entry."""
        import pandas

        return pandas.DataFrame(self.to_dict()["entries"])

    @checked
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write `to_dict()` as JSON, which `spikeledger show` displays."""
        return write_json(Path(path), self.to_dict())

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Ledger:
        """A ledger from what `to_dict` gave: its totals and entries, without neurons; the prices are the profile's name.

        Raises:
            FileFormatError: not such a dictionary.
        """
        if not isinstance(saved, Mapping) or saved.get("schema") != f"spikeledger-ledger/{SCHEMA}":
            raise FileFormatError("this is no saved ledger: give what Ledger.to_dict() or Ledger.save(path) made")
        try:
            entries = tuple(map(Entry.from_dict, saved["entries"]))
            left_out = tuple((str(one["event"]), str(one["reason"])) for one in saved["left_out"])
            return cls(
                entries, load_profile(str(saved["profile"])), str(saved["bill"]), int(saved["samples"]),
                int(saved["timesteps"]), left_out, tuple(map(str, saved["caveats"])),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, SpikeLedgerError):
                raise
            raise FileFormatError(f"this saved ledger is not whole ({error!r}): price the activity again") from error

    @classmethod
    @checked
    def load(cls, path: str | os.PathLike[str]) -> Ledger:
        """Read what `save` wrote; see `from_dict`."""
        return cls.from_dict(read_json(path, Kind("ledger", LARGEST_JSON)))

    def __lt__(self, other: object) -> bool:
        raise CallError(
            "two ledgers are ranges, and not in an order: compare ledger.joules_per_sample, or sl.sensitivity"
        )

    def __add__(self, other: object) -> Ledger:
        """What two runs cost together, on one device with one bill and the same steps."""
        if not isinstance(other, Ledger):
            raise CallError(f"a ledger and {of_kind(other)} cannot be added: price both on the same device first")
        mine, theirs = ((one.profile, one.bill, one.timesteps, one.left_out) for one in (self, other))
        if mine != theirs:
            raise InputError(
                f"ledgers of '{self.profile.name}', bill '{self.bill}', T = {self.timesteps} and of "
                f"'{other.profile.name}', bill '{other.bill}', T = {other.timesteps} cannot be added: price both alike"
            )
        caveats = tuple(dict.fromkeys((*self.caveats, *other.caveats)))
        return replace(
            self, entries=self.entries + other.entries, samples=self.samples + other.samples, caveats=caveats
        )

    def __radd__(self, other: object) -> Ledger:
        """So that `sum(ledgers)` adds them, from its 0 on."""
        return self if type(other) is int and other == 0 else self + other

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Layer, event, count, joules and share, as people read them, dearest first."""
        total = self.joules
        for entry in sorted(self.entries, key=lambda entry: -entry.joules):
            share = f"{100 * entry.joules / total:.1f} %" if total else ""
            count = units.si(entry.count, "s") if entry.event == "second" else f"{entry.count:,.0f}"
            yield entry.layer or "(device)", entry.event, count, units.joules(entry.joules), share

    def __repr__(self) -> str:
        return f"Ledger({self.headline()})"

    def headline(self) -> str:
        """Device, joules a sample with their range, and the bill, in one line."""
        low, nominal, high = (
            value / max(self.samples, 1) for value in (self.joules_low, self.joules, self.joules_high)
        )
        spread = f"{units.joules(low)} to {units.joules(high)}" if low != high else "no range given"
        return f"{self.profile.name}: estimated {units.joules(nominal)} a sample ({spread}), bill '{self.bill}'"

    def _sums(self, key: Any) -> dict[str, float]:
        sums: dict[str, float] = {}
        for entry in self.entries:
            sums[key(entry)] = sums.get(key(entry), 0.0) + entry.joules
        return sums


def price(
    activity: Activity,
    profile: str | os.PathLike[str] | HardwareProfile,
    *,
    bill: str | None = None,
    leave_out: Iterable[str] = (),
    elsewhere: Mapping[str, str | HardwareProfile] | None = None,
    allow_uncounted: bool = False,
) -> Ledger:
    """Price what happened on a device: `ledger = price(activity, "loihi")`.

    Args:
        profile: a name of `list_profiles()`, a TOML file, or a profile.
        elsewhere: layers that another device computes, such as a host: `{"fc1": "horowitz-45nm"}`.
        bill: which events are charged (`BILLS`); the profile's own by default.
        leave_out: events that shall not be charged although they happened; the ledger says so.
        allow_uncounted: price an activity in which something was not counted.

    Raises:
        UncountedError: something ran that nobody counted.
        UnpricedError: something happened that the profile has no price for; a total would be too low.
    """
    leave_out = events(leave_out)
    if elsewhere:
        return _with_elsewhere(
            activity, profile, elsewhere, bill=bill, leave_out=leave_out, allow_uncounted=allow_uncounted
        )
    device = asked = load_profile(profile)
    name = device.bill if bill is None else bill
    if name not in BILLS:
        raise unknown_name("bill", name, BILLS)
    chips = chips_for(activity, device)
    if activity.uncounted and not allow_uncounted:
        listed = "; ".join(str(item) for item in activity.uncounted[:3])
        more = f"; and {len(activity.uncounted) - 3} more" if len(activity.uncounted) > 3 else ""
        raise UncountedError(
            f"{len(activity.uncounted)} operators were not counted, so a total would be too low: {listed}{more}. "
            "Add a rule for them, or pass allow_uncounted=True"
        )
    if name in BY_DATAFLOW:
        device = settled(activity, device)
    excluded = _exclusions(device, leave_out)
    entries: list[Entry] = []
    missing: list[Line] = []
    dropped: dict[str, str] = {}
    paid: dict[tuple[str, str], bool] = {}
    for line in BILLS[name](activity, device):
        cause = (line.event, line.by)
        if cause not in paid:
            paid[cause] = device.pays_for(*cause)
        if line.count == 0 or paid[cause]:
            continue
        cost = line.price or device.prices.get(line.event)
        if line.event in excluded:
            dropped[line.event] = excluded[line.event]
        elif line.event == "second":
            # a host is one, however many chips stand beside it
            entries.append(drawn(line, line.watts or device.static, 1 if line.watts is not None else chips))
        elif cost is not None:
            entries.append(_entry(line, cost))
        elif not (device.all_in and term_of(line.event) in ("routing", "static")):
            missing.append(line)
    if missing:
        raise unpriced(activity, device, missing, BILLS)
    caveats = [text for text in (device.caveat, *device.implausible) if text]
    if device.host is not None and name == "full":
        caveats.append(f"without its host ({units.si(device.host.watts, 'W')}): bill 'system' adds it")
    caveats += with_zeros(activity, device, {one.layer: one.count for one in entries if one.note == DENSE})
    if name == "ops-only":
        caveats.append("operations only: no memory, no neuron updates, no routing, no static power")
    caveats += [f"not in this bill: {event} ({why})" for event, why in dropped.items()]
    if device.dataflow and name in BY_DATAFLOW:
        caveats.append(f"dataflow: {device.dataflow}" + _why(asked, device))
    if chips > activity.chips:
        caveats.append(f"the network needs at least {chips:,} chips, and {chips:,} draw static power")
    if activity.uncounted:
        caveats.append(f"{len(activity.uncounted)} operators were not counted: the total is a lower bound")
    return Ledger(
        tuple(entries), device, name, activity.samples, activity.timesteps, tuple(dropped.items()), tuple(caveats)
    )


def events(leave_out: Iterable[str]) -> tuple[str, ...]:
    """What to leave out: one event or several, as they were given: `"mac"`, `"mac,activation_read"` or a list."""
    given = [leave_out] if isinstance(leave_out, str) else list(leave_out)
    return tuple(part.strip() for one in given for part in str(one).split(",") if part.strip())


def _with_elsewhere(
    activity: Activity, profile: Any, elsewhere: Mapping[str, str | HardwareProfile], **options: Any
) -> Ledger:
    """The ledger of a device, and of what other devices do for it; seconds and static energy of each are its own."""
    layers = activity.layers_by_name
    for name in elsewhere:
        if name not in layers:
            raise unknown_name("layer", name, layers)
    own = price(activity.only([name for name in layers if name not in elsewhere]), profile, **options)
    entries, caveats = list(own.entries), list(own.caveats)
    by_device: dict[str, list[str]] = {}
    devices = {name: load_profile(given) for name, given in elsewhere.items()}
    for name, device in devices.items():
        by_device.setdefault(device.name, []).append(name)
    for names in by_device.values():
        device = devices[names[0]]
        part = price(activity.only(names), device, **{**options, "bill": options["bill"] or device.bill})
        entries += part.entries
        caveats.append(f"{named(names)} priced on '{device.name}': {units.joules(part.joules_per_sample)} a sample")
    return replace(own, entries=tuple(entries), caveats=tuple(caveats))


def _why(given: HardwareProfile, used: HardwareProfile) -> str:
    return "" if given.dataflow else f", the cheapest here of {', '.join(DATAFLOWS)}; name one as '{used.name}@...'"


def _exclusions(device: HardwareProfile, leave_out: Iterable[str]) -> dict[str, str]:
    excluded = dict(device.leaves_out)
    for event in leave_out:
        if event not in EVENTS:
            raise unknown_name("event", event, EVENTS)
        excluded[event] = "left out on request"
    return excluded


def _entry(line: Line, cost: Price) -> Entry:
    return Entry(line.layer, line.event, line.count, cost.amount, cost, line.per_neuron, line.note)
