"""match(ann, snn, ann_device, snn_device): both networks priced, in every view, with a verdict on each."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import add

from .. import units
from ..activity import Activity
from ..amounts import Amount
from ..errors import InputError, UncountedError, UnpricedError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..ledger import Ledger, events, price
from .breakeven import break_even
from .matches import TERM_NAMES, VIEWS, Cost, Match, Priced, View
from .verdicts import Bill, not_given, verdict

#: as-published profile -> the profile that corrects it; one that is not here keeps its prices and gets exact counts
CORRECTIONS = {
    "published-paper-002-45nm": "horowitz-45nm",
    "published-notebook-000-loihi": "loihi",
    "published-notebook-000-v100": "v100",
    "published-tutorial-003-akida": "akida",
    "published-tutorial-003-brainscales2": "brainscales-2",
    "published-tutorial-003-fpga-ice40": "ice40",
    "published-tutorial-003-loihi2": "loihi-2",
    "published-tutorial-003-spinnaker2": "spinnaker-2",
}


#: a profile's name or file, with the colon of a drive where it has one
_NAME = r"(?:[A-Za-z]:[\\/])?[^:]+"

#: one network: its activity, or the activities of parts of its samples, which add up to it
Network = Activity | Sequence[Activity]


def match(
    ann: Activity | Sequence[Network],
    snn: Activity | Sequence[Network],
    ann_device: HardwareProfile,
    snn_device: HardwareProfile,
    *,
    name: str = "",
    bill: str | None = None,
    rate_hz: float = 1.0,
    leave_out: Iterable[str] = (),
    allow_uncounted: bool = False,
    distribution: str = "log-uniform",
) -> Match:
    """Price the ANN on one device and the SNN on one (which may be the same), and compare.

    Args:
        ann: one activity, or several networks that are alike, such as one a seed; each an activity, or its parts, from
            which the standard error over inputs is taken. So is `snn`, with the same samples in the same parts.
        bill: which events are charged; each profile's own by default. As-published profiles keep theirs.
        rate_hz: inferences per second, for the joules of a day.
        leave_out: events that shall not be charged although they happened.
        distribution: how prices lie in their ranges, where a probability is needed.
    """
    sides = (_networks(ann), _networks(snn))
    wholes = [[_whole(network) for network in side] for side in sides]
    pooled = [_whole(side) for side in wholes]
    costs = [
        _cost(side, all_of_them, device, kind, bill, rate_hz, events(leave_out), allow_uncounted)
        for side, all_of_them, device, kind in zip(sides, pooled, (ann_device, snn_device), ("ann", "snn"), strict=True)
    ]
    views = {view.name: view for view in _views(costs[0], costs[1], distribution)}
    ledgers = [cost.ledger for cost in costs]
    published = any(cost.as_published for cost in costs)
    found = None
    if ledgers[0] is not None and ledgers[1] is not None and not published:
        found = break_even(ledgers[0], ledgers[1], *pooled)
    fixed, sentence = None, ""
    if published:
        better = [corrected(device) for device in (ann_device, snn_device)]
        sentence = "; ".join(
            dict.fromkeys(
                f"'{a.name}' corrected: {b}" for a, (_, b) in zip((ann_device, snn_device), better, strict=True)
            )
        )
        fixed = match(
            ann, snn, better[0][0], better[1][0], name=f"{name or snn_device.name} corrected", rate_hz=rate_hz,
            leave_out=leave_out, allow_uncounted=allow_uncounted, distribution=distribution,
        )  # fmt: skip
    return Match(
        name or (ann_device.name if ann_device.name == snn_device.name else f"{ann_device.name}:{snn_device.name}"),
        costs[0], costs[1], views, found, fixed, sentence,
        tuple(dict.fromkeys(caveat for cost in costs for caveat in cost.caveats)),
    )  # fmt: skip


def both_sides(text: str) -> tuple[str, str] | None:
    r"""The two names of `ann_profile:snn_profile`; the colon of a drive, `C:\mine.toml`, divides nothing."""
    found = None if re.fullmatch(_NAME, text) else re.fullmatch(f"({_NAME}):({_NAME})", text)
    return (found[1], found[2]) if found else None


def pair(
    asked: Iterable[str | HardwareProfile], opponent: str | HardwareProfile | None = None
) -> list[tuple[str, HardwareProfile, HardwareProfile]]:
    """Names, ANN devices and SNN devices of what was asked for.

    A profile stands for both sides; where it cannot run ANNs, the ANN goes to `opponent`: by default the first profile
    asked for that can, else `horowitz-45nm`. `ann_profile:snn_profile` names both.
    """
    wanted: list[tuple[str, HardwareProfile, HardwareProfile | None]] = []
    for one in asked:
        sides = both_sides(one) if isinstance(one, str) else None
        if isinstance(one, str) and sides is not None:
            left, right = sides
            wanted.append((one, load_profile(right), load_profile(left)))
        else:
            device = load_profile(one)
            wanted.append((device.name, device, device if "ann" in device.runs else None))
    if not wanted:
        raise InputError("no profile was asked for: name at least one, such as 'horowitz-45nm'")
    other = load_profile(opponent) if opponent is not None else None
    if other is None:
        able = [snn for _, snn, _ in wanted if "ann" in snn.runs and not snn.as_published]
        other = able[0] if able else load_profile("horowitz-45nm")
    if "ann" not in other.runs:
        raise InputError(
            f"'{other.name}' runs no ANN, so it cannot be the opponent: choose one that does, such as 'v100'"
        )
    return [(name, ann or other, snn) for name, snn, ann in wanted]


def check_rate(rate_hz: float) -> None:
    """Refuse a rate of inferences that is no number above 0."""
    if not 0 < rate_hz < float("inf"):
        raise InputError(f"a rate of {rate_hz} inferences a second was given: it must be a number above 0")


def check_points(points: float) -> None:
    """Refuse percentage points of accuracy that are no number of 0 or more."""
    if not 0 <= points < float("inf"):
        raise InputError(f"networks within {points} points were asked for: give 0 or more")


def corrected(device: HardwareProfile) -> tuple[HardwareProfile, str]:
    """The profile that stands beside an as-published one, and what it does instead."""
    if not device.as_published:
        return device, "as it is"
    if device.name in CORRECTIONS:
        other = load_profile(CORRECTIONS[device.name])
        return other, f"exact counts on '{other.name}' with its bill '{other.bill}'"
    exact = device.model_copy(
        update={
            "name": f"corrected-{device.name.removeprefix('published-')}", "bill": "ops-only", "joules_per_kwh": 3.6e6,
            "as_published": False,
            "title": f"{device.title}: same prices, exact counts",
            "caveat": "operations only: no memory, no neuron updates, no static power",
        }
    )  # fmt: skip
    return exact, "same prices, exact synaptic operations and MACs, each counted once, and 3.6e6 J a kWh"


def _networks(given: Activity | Sequence[Network]) -> list[tuple[Activity, ...]]:
    """Each network as its parts."""
    several = [given] if isinstance(given, Activity) else given
    found = [(one,) if isinstance(one, Activity) else tuple(one) for one in several]
    if not found or not all(found):
        raise InputError("a side of a comparison needs at least one network, and each network an activity")
    return found


def _whole(parts: Sequence[Activity]) -> Activity:
    """All parts, or all networks, as one activity: refused where they are not alike."""
    return reduce(add, parts)


def _cost(
    networks: Sequence[Sequence[Activity]], pooled: Activity, device: HardwareProfile, kind: str, bill: str | None,
    rate_hz: float, leave_out: tuple[str, ...], allow_uncounted: bool,
) -> Cost:  # fmt: skip
    published = device.as_published
    if kind not in device.runs:
        reason = f"'{device.name}' runs no {kind.upper()}"
        return Cost(device.name, device.title, None, reason, as_published=published)

    def priced(activity: Activity) -> Ledger:
        return price(
            activity, device, bill=None if published else bill, leave_out=leave_out, allow_uncounted=allow_uncounted
        )

    try:
        ledger = priced(pooled)
        several = tuple(_in_parts(priced(_whole(parts)), [priced(part) for part in parts]) for parts in networks)
    except (UncountedError, UnpricedError) as error:
        return Cost(device.name, device.title, None, str(error), as_published=published)
    terms = {term: part.per_sample for term in TERM_NAMES if (part := _only(ledger, term)).entries}
    joules = ledger.per_sample
    static = _watts(ledger, pooled)
    seconds = _seconds(ledger, pooled)
    day, note = _day(joules, terms.get("static"), static, seconds, rate_hz)
    return Cost(
        device.name, device.title, ledger, "", several, published, joules, terms, seconds, static,
        units.battery_milliampere_hours(1000 * joules.nominal), day, note, ledger.caveats,
    )  # fmt: skip


def _in_parts(ledger: Ledger, parts: Sequence[Ledger]) -> Priced:
    """Parts say how far inputs differ where their joules add up; a layer that saw only spikes in one of them does not."""
    whole = math.isclose(sum(part.joules for part in parts), ledger.joules, rel_tol=1e-6)
    return Priced(ledger, tuple(parts) if whole and len(parts) > 1 else ())


def _only(ledger: Ledger, term: str) -> Ledger:
    return replace(ledger, entries=tuple(entry for entry in ledger.entries if entry.term == term))


def _watts(ledger: Ledger, activity: Activity) -> Amount | None:
    """What is drawn all the time: the chips' static power, and the host's where the bill has one."""
    device = ledger.profile
    places = {entry.layer for entry in ledger.entries if entry.term == "static"}
    drawn = [device.static.amount * activity.chips] if device.static is not None and "" in places else []
    drawn += [device.host.amount] if device.host is not None and "(host)" in places else []
    return Amount.sum((1.0, watts) for watts in drawn) if drawn else None


def _seconds(ledger: Ledger, activity: Activity) -> Amount | None:
    """Seconds per sample with the range of the device's timing; a simulated chip's own seconds have none."""
    if ledger.seconds is None:
        return None
    timing = ledger.profile.timing if activity.seconds is None else None
    each = ledger.seconds / max(ledger.samples, 1)
    return timing.factor * each if timing else Amount.exactly(each)


def _day(
    joules: Amount, static: Amount | None, watts: Amount | None, seconds: Amount | None, rate_hz: float
) -> tuple[float, str]:
    # J/inference * inferences/s * s/day (+ W * s/day) = J/day
    per_day = rate_hz * units.SECONDS_PER_DAY
    if watts is None or static is None:
        day, note = joules.nominal * per_day, "no static power between inferences"
    else:
        day = (joules.nominal - static.nominal) * per_day + watts.nominal * units.SECONDS_PER_DAY
        note = "always on: static power over the whole day"
    if seconds is not None and seconds.nominal * rate_hz > 1:
        note += f"; one device cannot keep up: {units.si(seconds.nominal, 's')} a sample"
    return day, note


def _views(ann: Cost, snn: Cost, distribution: str) -> Iterator[View]:
    for side, cost in (("ANN", ann), ("SNN", snn)):
        if cost.ledger is None:
            reason = f"the {side} has no price: {cost.reason}"
            yield from (View(name, ann.joules, snn.joules, not_given(reason)) for name in VIEWS)
            return
    all_in = [cost.profile for cost in (ann, snn) if cost.ledger is not None and cost.ledger.profile.all_in]
    held = f"the prices of {all_in[0]!r} hold its static power and cannot be split" if all_in else ""
    paying = {cost.profile: cost.static_watts is not None or cost.profile in all_in for cost in (ann, snn)}
    missing = [name for name, pays in paying.items() if not pays]
    note = f"no static power in the bill of {' and '.join(f'{name!r}' for name in missing)}" if missing else ""
    # on one device both sides leave the same out; on two, whoever leaves it out would win by that
    if missing and len(paying) > 1 and not (ann.as_published or snn.as_published):
        yield View("static on", ann.joules, snn.joules, not_given(f"{note}, and to leave it out decides nothing"), held)
    else:
        notes = "; ".join(part for part in (note, held) if part)
        yield _view("static on", _bills(ann, _whole_bill), _bills(snn, _whole_bill), notes, distribution)
    if held:
        yield from (View(name, None, None, not_given(held)) for name in VIEWS[1:])
        return
    yield _view("static off", _bills(ann, _dynamic), _bills(snn, _dynamic), "", distribution)
    yield _equal(ann, snn, distribution)


def _view(name: str, ann: Sequence[Bill], snn: Sequence[Bill], note: str, distribution: str) -> View:
    return View(name, _mean(ann), _mean(snn), verdict(ann, snn, distribution=distribution), note)


def _mean(bills: Sequence[Bill]) -> Amount:
    return Amount.sum((1 / len(bills), bill.cost) for bill in bills)


def _bills(cost: Cost, amount: Callable[[Ledger], Amount]) -> list[Bill]:
    return [Bill(amount(one.ledger), tuple(map(amount, one.parts))) for one in cost.networks]


def _whole_bill(ledger: Ledger) -> Amount:
    return ledger.per_sample


def _dynamic(ledger: Ledger) -> Amount:
    return ledger.without("static").per_sample


def _equal(ann: Cost, snn: Cost, distribution: str) -> View:
    """Both sides pay the same watts (the SNN device's; the ANN device's if that has none) for their own seconds."""
    source = snn if snn.static_watts is not None else ann
    watts = source.static_watts
    if watts is None:
        note = "neither side has static power: the same as 'static off'"
        return _view("equal static", _bills(ann, _dynamic), _bills(snn, _dynamic), note, distribution)
    for cost in (ann, snn):
        if cost.seconds is None:
            reason = f"'{cost.profile}' does not say how long a sample takes"
            return View("equal static", None, None, not_given(reason))

    def paid(cost: Cost) -> list[Bill]:
        seconds = cost.seconds
        assert seconds is not None and watts is not None
        spread = seconds * (1 / seconds.nominal) if seconds.nominal else seconds

        def amount(ledger: Ledger) -> Amount:
            # W * s/sample = J/sample
            return _dynamic(ledger) + watts * spread * ((ledger.seconds or 0.0) / max(ledger.samples, 1))

        return _bills(cost, amount)

    note = f"both sides pay the {units.si(watts.nominal, 'W')} of '{source.profile}' for their own seconds"
    return _view("equal static", paid(ann), paid(snn), note, distribution)
