"""The small print of the page: every price with its source, every caveat, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterator

from .. import __version__, units
from ..events import TERMS
from ..hardware.profile import HardwareProfile
from ..ledger import Ledger
from ..study.comparison import Comparison
from ..study.matches import Match
from .energy import sides
from .markup import Html, Section, h, section, table
from .wording import joules, sentence


def prices(comparison: Comparison) -> Section:
    """Every price that entered a bill, by profile, folded away until asked for."""
    parts = []
    for profile, events in _used(comparison).items():
        device = _profiles(comparison)[profile]
        parts.append(h("details", h("summary", f"{profile}: {device.title}"), *listed(device, events, profile)))
    return section(
        "prices", "Every price, and where it comes from",
        h("p", "Prices that were used, with the range that the low and high totals are made of. Measured: a meter read "
               "it; simulated: its designers computed it; claimed: printed without a method; assumed: ours."),
        *parts,
    )  # fmt: skip


def listed(device: HardwareProfile, events: set[str], name: str = "") -> list[Html]:
    """What a device is, and its prices of some events with their sources."""
    about = [h("p", sentence(text)) for text in (device.summary, device.caveat) if text]
    headings = ("event", "nominal", "low", "high", "kind")
    rows = list(_price_rows(device, events))
    return [*about, table(f"Prices of {name or device.name}", headings, rows, words=(4,), below=True)]


def caveats(comparison: Comparison) -> Section:
    """What has to be kept in mind, each once."""
    found = dict.fromkeys((book.profile.name, text) for book in _ledgers(comparison) for text in book.caveats)
    items = [h("li", h("strong", name), ": ", sentence(text)) for name, text in found] or [h("li", "None was noted.")]
    return section("caveats", "Caveats", h("ul", *items, class_="notes"))


def again(comparison: Comparison, command: str) -> Section:
    """Version, seed and what was compared, so that the same figures can be had again."""
    asked = ", ".join(repr(match.name) for match in comparison.matches)
    options = f"profiles=[{asked}], seed={comparison.seed}, rate_hz={comparison.rate_hz:g}"
    call = command or f"spikeledger.compare(ann, snn, data, {options})"
    rows = [
        ("SpikeLedger", __version__),
        ("data", f"{comparison.data}, {comparison.samples:,} test samples, {len(comparison.classes)} classes"),
        ("ANN", f"{comparison.ann.name}, {comparison.ann.parameters:,} parameters"),
        ("SNN", f"{comparison.snn.name}, {comparison.snn.parameters:,} parameters"),
        ("timesteps", str(comparison.snn.timesteps)),
        ("seed", str(comparison.seed)),
        ("counting", f"{comparison.snn.activity.producer}, pooling '{comparison.snn.activity.pooling}'"),
    ]
    return section(
        "again", "Do it again", h("pre", h("code", call)), table("What was compared", ("", ""), rows, words=(1,))
    )  # fmt: skip


def _all(comparison: Comparison) -> Iterator[Match]:
    for match in comparison.matches:
        yield match
        if match.corrected is not None:
            yield match.corrected


def _ledgers(comparison: Comparison) -> Iterator[Ledger]:
    for match in _all(comparison):
        for _, cost in sides(match):
            if cost.ledger is not None:
                yield cost.ledger
    yield from (book for book in _opposing(comparison) if not _variant(book))


def _opposing(comparison: Comparison) -> list[Ledger]:
    """What the fair opponents and the SNN beside them were charged."""
    found = comparison.opponents
    return [] if found is None else [row.ledger for row in (*found.snn, *found.rows)]


def _variant(ledger: Ledger) -> bool:
    """Whether its prices are those of another profile: scaled to fewer bits, batched, or with operands used again."""
    return "@" in ledger.profile.name


def _used(comparison: Comparison) -> dict[str, set[str]]:
    """Events that were charged, by profile; variants count as the profile that they were made from."""
    book: dict[str, set[str]] = {}
    for ledger in _ledgers(comparison):
        book.setdefault(ledger.profile.name, set()).update(entry.event for entry in ledger.entries)
    for ledger in filter(_variant, _opposing(comparison)):
        book.setdefault(_origin(ledger), set()).update(entry.event for entry in ledger.entries)
    return book


def _origin(ledger: Ledger) -> str:
    """The profile that a variant was made from."""
    return ledger.profile.name.split("@")[0]


def _profiles(comparison: Comparison) -> dict[str, HardwareProfile]:
    """By name; of what was charged in variants alone, the first one, a mere dataflow of its origin."""
    found = {ledger.profile.name: ledger.profile for ledger in _ledgers(comparison)}
    for ledger in filter(_variant, _opposing(comparison)):
        found.setdefault(_origin(ledger), ledger.profile)
    return found


def _price_rows(device: HardwareProfile, events: set[str]) -> Iterator[tuple[str, ...]]:
    for event, price in device.prices.items():
        if event in events:
            ends = [joules(value) for value in (price.joules, price.low, price.high)]
            yield event, *ends, f"{price.kind}, {price.scope.replace('_', '-')}", _source(price.source, price.note)
    for level in device.memory if events & set(TERMS["memory"]) - set(device.prices) else ():
        ends = [joules(value) for value in (level.joules, level.low, level.high)]
        yield f"{level.name}, {level.access_bits} bits", *ends, level.kind, _source(level.source, level.note)
    if device.static is not None and "second" in events:
        watts = device.static
        ends = [units.si(value, "W") for value in (watts.watts, watts.low, watts.high)]
        yield "static power", *ends, watts.kind, _source(watts.source, watts.state)
    if device.timing is not None and "second" in events:
        time = device.timing
        for text, value in (
            ("time a step", time.seconds_per_step), ("time a sample", time.seconds_per_sample),
            ("time a batch", time.seconds_per_batch), ("time a layer and batch", time.seconds_per_layer),
            ("time a dense MAC", time.seconds_per_dense_op),
        ):  # fmt: skip
            if value:
                ends = [units.si(value * factor, "s") for factor in (1.0, time.low_factor, time.high_factor)]
                yield text, *ends, time.kind, _source(time.source, time.note)


def _source(source: str, note: str) -> str:
    return f"{source} ({note})" if note else source
