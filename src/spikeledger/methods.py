"""What a paper has to say of a ledger: a paragraph of methods, the table of prices, and the works they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from . import units
from .amounts import Amount
from .bills import BILLS
from .errors import InputError
from .hardware.cited import Cited
from .hardware.profile import HardwareProfile, Price
from .hardware.references import bibliography, latex, works

#: what the words of a profile mean, as a reader of methods wants them
_SKIPS = {
    "none": "zeros are multiplied like any other number", "spikes": "silent inputs of spiking layers cost nothing",
    "all": "no zero is computed",
}  # fmt: skip
_UPDATES = {"every_step": "every neuron is updated at every step", "on_event": "a neuron is updated only by an event"}


class Charged(Protocol):
    """What is asked of an entry of a ledger."""

    @property
    def event(self) -> str: ...
    @property
    def count(self) -> float: ...
    @property
    def each(self) -> Amount: ...
    @property
    def price(self) -> Price | None: ...


class Billed(Protocol):
    """What is asked of a ledger; `ledger.Ledger` is one, and stands above this file."""

    @property
    def profile(self) -> HardwareProfile: ...
    @property
    def bill(self) -> str: ...
    @property
    def samples(self) -> int: ...
    @property
    def timesteps(self) -> int: ...
    @property
    def left_out(self) -> Sequence[tuple[str, str]]: ...
    @property
    def entries(self) -> Sequence[Charged]: ...


@dataclass(frozen=True)
class Methods:
    """The paragraph, and what stands behind it; `str` is the paragraph as plain text."""

    paragraph: str
    table: str  # LaTeX
    bibtex: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return self.paragraph

    def to_latex(self, *, references: str = "references", more: str = "") -> str:
        """A whole document that compiles by itself; copy its parts. `references` is the BibTeX file without `.bib`."""
        return (
            "\\documentclass{article}\n\\begin{document}\n\\section*{Methods}\n"
            f"{latex(self.paragraph)} Prices are from \\cite{{{','.join(self.keys)}}}.\n\n"
            f"{self.table}\n{more}\n\\bibliographystyle{{plain}}\n\\bibliography{{{references}}}\n\\end{{document}}\n"
        )


def methods(*ledgers: Billed) -> Methods:
    """What to write about one ledger, or about several of a comparison; what they share is said once.

    Raises:
        InputError: no ledger was given.
    """
    if not ledgers:
        raise InputError("methods describe at least one ledger: price an activity first")
    devices: dict[tuple[str, str], list[Billed]] = {}
    for ledger in ledgers:
        devices.setdefault((ledger.profile.name, ledger.bill), []).append(ledger)
    said = [_counted(ledgers), *(_device(group) for group in devices.values()), _ranges()]
    rows = [row for group in devices.values() for row in _rows(group)]
    table = tabular(
        "Prices that were charged. A price that is made of others is their sum.",
        ("device", "event", "joules", "low to high", "kind", "source"),
        rows,
    )
    sources = [cited.source for group in devices.values() for cited in _charged(group).values()]
    keys = dict.fromkeys(work.key for source in sources for work in works(source))
    return Methods(" ".join(said), table, bibliography(sources), tuple(keys))


def tabular(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, words: str = "") -> str:
    """A LaTeX table; a cell that starts with a backslash is taken as it is. `words`: how wide a last column of text is."""
    body = "".join(f"{' & '.join(_cell(cell) for cell in row)} \\\\\n" for row in rows)
    columns = "l" * len(headings) if not words else "l" * (len(headings) - 1) + f"p{{{words}}}"
    head = " & ".join(latex(heading) for heading in headings)
    return (
        f"\\begin{{table}}[ht]\n\\caption{{{latex(caption)}}}\n\\footnotesize\n\\begin{{tabular}}{{{columns}}}\n"
        f"\\hline\n{head} \\\\\n\\hline\n{body}\\hline\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def _cell(text: str) -> str:
    return text if text.startswith("\\") else latex(text)


def _counted(ledgers: Sequence[Billed]) -> str:
    from importlib.metadata import version

    samples = sorted({f"{ledger.samples:,}" for ledger in ledgers})
    steps = sorted({ledger.timesteps for ledger in ledgers})
    over = f" over {' and '.join(map(str, steps))} time steps" if steps[-1] > 1 else ""
    return (
        f"Energies are estimates of SpikeLedger {version('spikeledger')}: exact counts of events for {' and '.join(samples)} "
        f"samples{over}, times prices with their ranges, divided by the number of samples."
    )


def _device(group: Sequence[Billed]) -> str:
    ledger = group[0]
    device, bits = ledger.profile, ledger.profile.precision
    said = [
        f"On '{device.name}' ({device.title}) the bill '{ledger.bill}' was charged: {_bill(ledger.bill)}",
        f"The numbers hold for {bits.arithmetic} arithmetic with weights of {bits.weight_bits}, activations of "
        f"{bits.activation_bits} and states of {bits.state_bits} bits; {_SKIPS[device.skips]}, and "
        f"{_UPDATES[device.updates]}",
    ]
    if device.reuse > 1:
        said.append(f"each fetched operand is used {device.reuse:g} times")
    said.append(_static(group))
    left_out = dict.fromkeys(f"{event} ({why})" for one in group for event, why in one.left_out)
    if left_out:
        said.append(f"Left out: {', '.join(left_out)}")
    if device.caveat:
        said.append(f"Caveat: {device.caveat}")
    return " ".join(f"{text[0].upper()}{text[1:].rstrip('.')}." for text in said)


def _bill(name: str) -> str:
    """What a bill is, in the first sentence of its own docstring."""
    words = " ".join((BILLS[name].__doc__ or name).split("\n\n")[0].split()).replace("`", "")
    return f"{words[0].lower()}{words[1:]}".rstrip(".")


def _static(group: Sequence[Billed]) -> str:
    device = group[0].profile
    drawn = [entry for one in group for entry in one.entries if entry.event == "second"]
    if drawn and device.static is not None:
        state = f"static power of {units.si(device.static.watts, 'W')} ({device.static.state}) was charged for the time"
        return f"{state} that the run takes"
    if device.all_in:
        return "its prices hold static power and routing already"
    return "no static power was charged"


def _ranges() -> str:
    return (
        "Every price has a low and a high end; a price that both networks pay is one number, and an interval is that "
        "of all values within these ends."
    )


def _charged(group: Sequence[Billed]) -> dict[str, Cited]:
    """Every number that was charged, by where it stands: an event's price, a memory level, static power."""
    found: dict[str, Cited] = {}
    for ledger in group:
        device = ledger.profile
        behind = device.behind()
        for entry in ledger.entries:
            if entry.price is not None:
                found.setdefault(f"{entry.event}: {entry.price.note}" if device.memory else entry.event, entry.price)
            elif entry.each.nominal and device.static is not None:
                found.setdefault("static power", device.static)
            for one in entry.each.unknowns:
                if one.name in behind:
                    found.setdefault(one.name, behind[one.name])
    return found


def _rows(group: Sequence[Billed]) -> Iterable[tuple[str, ...]]:
    device: HardwareProfile = group[0].profile
    seen: dict[str, Amount] = {}
    prices: dict[str, Price] = {}
    for ledger in group:
        for entry in ledger.entries:
            if entry.price is not None and entry.count:
                seen.setdefault(entry.event, entry.price.amount)
                prices.setdefault(entry.event, entry.price)
    for event, price in prices.items():
        same = all(
            entry.each == seen[event] for one in group for entry in one.entries if entry.event == event and entry.count
        )
        yield (
            device.name, event, units.joules(price.joules) if same else "by size", _span(price.amount) if same else "",
            price.kind, _cite(price.source),
        )  # fmt: skip
    if device.static is not None and any(entry.event == "second" for one in group for entry in one.entries):
        watts = device.static
        ends = f"{units.si(watts.low, 'W')} to {units.si(watts.high, 'W')}"
        yield device.name, "second", units.si(watts.watts, "W"), ends, watts.kind, _cite(watts.source)


def _span(amount: Amount) -> str:
    return f"{units.joules(amount.low)} to {units.joules(amount.high)}" if not amount.certain else "no range"


def _cite(source: str) -> str:
    return f"\\cite{{{','.join(work.key for work in works(source))}}}"
