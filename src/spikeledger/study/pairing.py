"""match(ann, snn, ann_device, snn_device): both networks priced, in every view, with a verdict on each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .. import units
from ..activity import Activity
from ..amounts import Amount
from ..errors import InputError, UncountedError, UnpricedError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..ledger import Ledger, price
from .breakeven import break_even
from .matches import TERM_NAMES, VIEWS, Cost, Match, View
from .verdicts import Bill, not_given, total, verdict

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


def match(
    ann: Activity,
    snn: Activity,
    ann_device: HardwareProfile,
    snn_device: HardwareProfile,
    *,
    name: str = "",
    bill: str | None = None,
    rate_hz: float = 1.0,
    allow_uncounted: bool = False,
) -> Match:
    """Price the ANN on one device and the SNN on one (which may be the same), and compare.

    Args:
        bill: which events are charged; each profile's own by default. As-published profiles keep theirs.
        rate_hz: inferences per second, for the joules of a day.
    """
    costs = [
        _cost(activity, device, kind, bill, rate_hz, allow_uncounted)
        for activity, device, kind in ((ann, ann_device, "ann"), (snn, snn_device, "snn"))
    ]
    views = {view.name: view for view in _views(*costs)}
    ledgers = [cost.ledger for cost in costs]
    published = [device for device in (ann_device, snn_device) if _published(device)]
    found = None
    if ledgers[0] is not None and ledgers[1] is not None and not published:
        found = break_even(ledgers[0], ledgers[1], ann, snn)
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
            allow_uncounted=allow_uncounted,
        )  # fmt: skip
    return Match(
        name or (ann_device.name if ann_device.name == snn_device.name else f"{ann_device.name}:{snn_device.name}"),
        costs[0], costs[1], views, found, fixed, sentence,
        tuple(dict.fromkeys(caveat for cost in costs for caveat in cost.caveats)),
    )  # fmt: skip


def pair(
    asked: Iterable[str | HardwareProfile], opponent: str | HardwareProfile | None = None
) -> list[tuple[str, HardwareProfile, HardwareProfile]]:
    """Names, ANN devices and SNN devices of what was asked for.

    A profile stands for both sides; where it cannot run ANNs, the ANN goes to `opponent`: by default the first profile
    asked for that can, else `horowitz-45nm`. `ann_profile:snn_profile` names both.
    """
    wanted: list[tuple[str, HardwareProfile, HardwareProfile | None]] = []
    for one in asked:
        if isinstance(one, str) and one.count(":") == 1:
            left, right = one.split(":")
            wanted.append((one, load_profile(right), load_profile(left)))
        else:
            device = load_profile(one)
            wanted.append((device.name, device, device if "ann" in device.runs else None))
    if not wanted:
        raise InputError("no profile was asked for: name at least one, such as 'horowitz-45nm'")
    other = load_profile(opponent) if opponent is not None else None
    if other is None:
        able = [snn for _, snn, _ in wanted if "ann" in snn.runs and not _published(snn)]
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


def corrected(device: HardwareProfile) -> tuple[HardwareProfile, str]:
    """The profile that stands beside an as-published one, and what it does instead."""
    if not _published(device):
        return device, "as it is"
    if device.name in CORRECTIONS:
        other = load_profile(CORRECTIONS[device.name])
        return other, f"exact counts on '{other.name}' with its bill '{other.bill}'"
    exact = device.model_copy(
        update={
            "name": f"corrected-{device.name.removeprefix('published-')}", "bill": "ops-only", "joules_per_kwh": 3.6e6,
            "title": f"{device.title}: same prices, exact counts",
            "caveat": "operations only: no memory, no neuron updates, no static power",
        }
    )  # fmt: skip
    return exact, "same prices, exact synaptic operations and MACs, each counted once, and 3.6e6 J a kWh"


def _published(device: HardwareProfile) -> bool:
    return device.name.startswith("published-")


def _cost(
    activity: Activity, device: HardwareProfile, kind: str, bill: str | None, rate_hz: float, allow_uncounted: bool
) -> Cost:
    if kind not in device.runs:
        return Cost(device.name, device.title, None, f"'{device.name}' runs no {kind.upper()}")
    own = None if _published(device) else bill
    try:
        ledger = price(activity, device, bill=own, allow_uncounted=allow_uncounted)
    except (UncountedError, UnpricedError) as error:
        return Cost(device.name, device.title, None, str(error))
    share = 1 / max(ledger.samples, 1)
    terms = {
        term: total(_bill(entry_ledger, share)) for term in TERM_NAMES if (entry_ledger := _only(ledger, term)).entries
    }
    joules = ledger.per_sample
    watts = device.static
    static = watts.amount * activity.chips if watts is not None and "static" in terms else None
    seconds = _seconds(ledger, activity)
    day, note = _day(joules, terms.get("static"), static, seconds, rate_hz)
    return Cost(
        device.name, device.title, ledger, "", joules, terms, seconds, static,
        units.battery_milliampere_hours(1000 * joules.nominal), day, note, ledger.caveats,
    )  # fmt: skip


def _only(ledger: Ledger, term: str) -> Ledger:
    return replace(ledger, entries=tuple(entry for entry in ledger.entries if entry.term == term))


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


def _bill(ledger: Ledger, share: float) -> Bill:
    """The ledger by price, per sample."""
    lines: dict[tuple[str, str], Amount] = {}
    for entry in ledger.entries:
        key = (ledger.profile.name, entry.event)
        cost = entry.each * (entry.count * share)
        lines[key] = lines[key] + cost if key in lines else cost
    return lines


def _views(ann: Cost, snn: Cost) -> list[View]:
    for side, cost in (("ANN", ann), ("SNN", snn)):
        if cost.ledger is None:
            reason = f"the {side} has no price: {cost.reason}"
            return [View(name, ann.joules, snn.joules, not_given(reason)) for name in VIEWS]
    assert ann.ledger is not None and snn.ledger is not None
    bills = [_bill(ledger, 1 / max(ledger.samples, 1)) for ledger in (ann.ledger, snn.ledger)]
    dynamic = [{key: cost for key, cost in bill.items() if key[1] != "second"} for bill in bills]
    missing = [cost.profile for cost in (ann, snn) if cost.static_watts is None]
    note = (
        f"no static power in the bill of {' and '.join(f'{name!r}' for name in dict.fromkeys(missing))}"
        if missing
        else ""
    )
    all_in = [cost.profile for cost in (ann, snn) if cost.ledger is not None and cost.ledger.profile.all_in]
    held = f"the prices of {all_in[0]!r} hold its static power and cannot be split" if all_in else ""
    views = [_view("static on", bills[0], bills[1], "; ".join(part for part in (note, held) if part))]
    if held:
        return [*views, *(View(name, None, None, not_given(held)) for name in ("static off", "equal static"))]
    views.append(_view("static off", dynamic[0], dynamic[1], ""))
    return [*views, _equal(ann, snn, dynamic[0], dynamic[1])]


def _view(name: str, ann: Bill, snn: Bill, note: str) -> View:
    return View(name, total(ann), total(snn), verdict(ann, snn), note)


def _equal(ann: Cost, snn: Cost, ann_bill: Bill, snn_bill: Bill) -> View:
    """Both sides pay the same watts (the SNN device's; the ANN device's if that has none) for their own seconds."""
    source = snn if snn.static_watts is not None else ann
    watts = source.static_watts
    if watts is None:
        return _view("equal static", ann_bill, snn_bill, "neither side has static power: the same as 'static off'")
    for cost in (ann, snn):
        if cost.seconds is None:
            reason = f"'{cost.profile}' does not say how long a sample takes"
            return View("equal static", None, None, not_given(reason))
    assert ann.seconds is not None and snn.seconds is not None
    key = (source.profile, "second")
    bills = [{**bill, key: watts * time} for bill, time in ((ann_bill, ann.seconds), (snn_bill, snn.seconds))]
    note = f"both sides pay the {units.si(watts.nominal, 'W')} of '{source.profile}' for their own seconds"
    return _view("equal static", bills[0], bills[1], note)
