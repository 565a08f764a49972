"""The published comparison's tables beside ours, as sheets: each is written as Markdown, as LaTeX and as HTML.

A row has what is printed, what its own arithmetic or recipe gives here, what is right, and why they differ. What was not
run, or run on a part of the data, says so in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..activity import Activity
from ..errors import SpikeLedgerError
from ..ledger import price
from ..study import paper, paper_scores
from ..study.paper_scores import Score
from ..trials import Row
from .markup import Html, table

NOT_RUN = "not run"
_WHY = "why they differ"
_EPOCHS = {"mnist": 30, "cifar-10": 30, "flowers-102": 40}
#: how each column of ours was made: its heading, recipe, reading of the dropout
_COLUMNS = (
    ("published recipe, dropout as the text says", "published", "literal"),
    ("published recipe, none behind narrow layers", "published", "wide"),
    ("corrected recipe", "corrected", "wide"),
)
_RECIPES = (
    " Published recipe: Adam at a constant rate, cross entropy on bare rates, conversion by the largest activation. Corrected "
    "recipe: a rate that rises once and falls to 0, rates sharpened before the softmax, conversion by what loses least on "
    "held-out training samples. What was not run, or not at full size, says so in its place."
)
#: bill and profile of each line of the break-even's table
_BILLS = (
    ("their arithmetic, 12 nm", "published-paper-002-12nm", None), ("operations alone, 12 nm", "cmos-12nm", "ops-only"),
    ("operations alone, 45 nm", "horowitz-45nm", "ops-only"), ("operations and memory, 45 nm", "horowitz-45nm", "memory"),
    ("all that happened, 45 nm", "horowitz-45nm", "full"),
)  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """One table: `words` are the columns of text, the others hold numbers."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: tuple[int, ...] = ()

    def markdown(self) -> str:
        """As Markdown."""
        lines = [self.head, tuple("---" for _ in self.head), *self.rows]
        told = "\n".join("| " + " | ".join(each.replace("|", "\\|") for each in line) + " |" for line in lines)
        return f"## {self.title}\n\n{told}\n" + (f"\n{self.note}\n" if self.note else "")

    def latex(self) -> str:
        """As a LaTeX table."""
        columns = "".join("p{4cm}" if k in self.words else "l" if k == 0 else "r" for k in range(len(self.head)))
        lines = [" & ".join(_tex(each) for each in line) + r" \\" for line in (self.head, *self.rows)]
        body = "\n".join([lines[0] + r" \hline", *lines[1:]])
        note = f"\n\\par {_tex(self.note)}" if self.note else ""
        return (
            f"\\begin{{table}}\n\\caption{{{_tex(self.title)}}}\n\\begin{{tabular}}{{{columns}}}\n{body}\n"
            f"\\end{{tabular}}{note}\n\\end{{table}}\n"
        )

    def html(self) -> Html:
        """As a table of the page; why the columns of a row differ stands under it."""
        remarks = self.head[-1] == _WHY
        return table(self.title, self.head[:-1] if remarks else self.head, self.rows, words=self.words, below=remarks)


@dataclass(frozen=True)
class Trials:
    """Finished trials of the comparison, and where a trial's activity lies."""

    rows: tuple[Row, ...]
    activity: Callable[[Row], Activity | None] = lambda row: None

    def find(self, data: str, size: str, kind: str, steps: int, recipe: str, reading: str = "wide") -> list[Row]:
        """The rows of one network, one a seed: of several numbers of epochs those with the published one, else the most."""
        found = [row for row in self.rows if _is(row.settings, data, size, kind, steps, recipe, reading)]
        epochs = {row.settings["epochs"] for row in found}
        wanted = _EPOCHS.get(data) if _EPOCHS.get(data) in epochs else max(epochs, default=0)
        return [row for row in found if row.settings["epochs"] == wanted]

    def counted(self, data: str, size: str, kind: str, steps: int) -> list[Row]:
        """Those whose events are of that very data."""
        found = self.find(data, size, kind, steps, "corrected")
        return [row for row in found if row.settings.get("data", "flowers-102") == data]


def _is(settings: Mapping[str, Any], data: str, size: str, kind: str, steps: int, recipe: str, reading: str) -> bool:
    own = settings.get("data", "flowers-102")
    if data == "mnist" and own in (
        "digits",
        "fashion-mnist",
    ):  # a small study of the same form: its rows say what it is
        own = "mnist"
    name = settings.get("size") or settings.get("network")
    same = (own, name, settings["kind"], settings["recipe"]) == (data, size, kind, recipe)
    read = settings.get("reading") in (None, reading) or (size == "S" and reading == "literal")
    return same and read and (kind == "ann" or steps in (0, settings["timesteps"]))


def sheets(trials: Trials) -> tuple[Sheet, ...]:
    """Tables 1 to 7, where the winner changes, and more epochs."""
    scores = paper_scores.SCORES
    tables = (
        _scores(1, "Table 1: MNIST", trials, scores), _scores(2, "Table 2: CIFAR-10", trials, scores),
        _scores(3, "Table 3: the best networks on the test sets", trials, scores),
        _scores(4, "Table 4: Flowers-102", trials, scores), _energy(5, "Table 5: energy, Flowers-102", trials),
        _energy(6, "Table 6: energy, MNIST", trials), _energy(7, "Table 7: energy, CIFAR-10", trials),
    )  # fmt: skip
    return (*tables, _solved(), _bills(trials), _longer(trials))


def times(trials: Trials) -> Sheet:
    """Seconds to train, theirs and ours: of one machine and one day, so in no table that is to be the same again."""
    rows = []
    for score in (each for each in paper_scores.SCORES if each.seconds is not None):
        cells = [
            _seconds(trials.find(score.data, score.size, score.kind, score.timesteps, *how)) for _, *how in _COLUMNS
        ]
        rows.append((_name(score), f"{score.seconds:g}", *cells))
    note = (
        "Theirs on a GPU of Google Colab. Ours are CPU seconds of one thread, on this machine, beside what else it did."
    )
    return Sheet("times", "Seconds to train or convert", ("network", "as published", *_heads()), tuple(rows), note)


def _scores(number: int, title: str, trials: Trials, scores: Sequence[Score]) -> Sheet:
    rows = []
    for score in (each for each in scores if each.table == number):
        found = [trials.find(score.data, score.size, score.kind, score.timesteps, *how) for _, *how in _COLUMNS]
        if score.kind == "ann" and score.size != "S" and score.data == "cifar-10":  # no dropout: one reading alone
            found[0] = found[0] or found[1]
        published = f"{100 * score.accuracy:.2f} %" + (f", loss {score.loss:g}" if score.loss is not None else "")
        best = found[2] or found[1] or found[0]
        differs = _points(best, score) if best else ""
        why = "; ".join(filter(None, (differs, score.why))) or "ours is not run"
        rows.append((_name(score), published, *(_accuracy(each, score.data) for each in found), why))
    on = "samples they held out (how many is not said)" if number < 3 else "the test set"
    note = f"As published: accuracy on {on}. Ours: on the test set, which chose nothing." + (
        _RECIPES if number == 1 else ""
    )
    head = ("network", "as published", *_heads(), _WHY)
    return Sheet(f"table-{number}", title, head, tuple(rows), note, (2, 3, 4, 5))


def _energy(number: int, title: str, trials: Trials) -> Sheet:
    rows = []
    for line in paper.lines(number):
        accumulate, multiply = paper_scores.OPERATIONS[number, line.row.name]
        found = trials.counted(*paper_scores.network_of(number, line.row.name))
        counted = _counted(found)
        theirs, right = (
            "cannot be rebuilt" if each is None else f"{each:.5g}" for each in (line.its_arithmetic, line.corrected)
        )
        rows.append(
            (
                line.row.name,
                f"{accumulate:.2g}",
                f"{multiply:.2g}",
                f"{line.as_published:.5g}",
                theirs,
                right,
                *counted,
                line.why,
            )
        )
    head = (
        "network", "AC, published", "MAC, published", "kWh, published", "kWh, its arithmetic", "kWh, corrected",
        "AC, counted", "MAC, counted", "kWh, counted", _WHY,
    )  # fmt: skip
    note = (
        "Published: T in it twice, 3.6e5 J in a kWh, neuron updates in place of synaptic operations. Corrected: T once, 3.6e6, "
        f"synaptic operations at rates that are assumed (input {paper.BRIGHTNESS}, hidden {paper.RATE} a step). Counted: our "
        "trained networks, synaptic operations and one update a neuron and step; multiplications of values that are not zero. "
        "All at their prices for 12 nm."
    )
    return Sheet(f"table-{number}", title, head, tuple(rows), note, (9,))


def _solved() -> Sheet:
    rows = []
    for name, multiply, accumulate in (("12 nm", paper.MULTIPLY, paper.ACCUMULATE), ("45 nm", 4.6e-12, 0.9e-12)):
        steps = [f"{paper.most_steps(widths, multiply, accumulate):.1f}" for widths in (paper.S, paper.M, paper.L)]
        rows.append((f"corrected, {name}", f"{paper.break_even(multiply, accumulate):.2f}", *steps))
    theirs = [f"{paper.most_steps_as_published(widths):.1f}" for widths in (paper.S, paper.M, paper.L)]
    rows.insert(0, ("as published, 12 nm", "not in it", *theirs))
    head = ("bill", "events a synapse", "S: T", "M: T", "L: T")
    note = (
        "Below these the SNN's operations cost less than those of the ANN, at the rates of table 6; no memory, no chip."
    )
    return Sheet("break-even", "Where the winner changes, by their prices", head, tuple(rows), note)


def _bills(trials: Trials) -> Sheet:
    rows = []
    for size in ("S", "M", "L"):
        ann = trials.counted("mnist", size, "ann", 1)
        for kind in ("snn", "converted"):
            found = {steps: trials.counted("mnist", size, kind, steps) for steps in (5, 20, 50)}
            for title, profile, bill in _BILLS:
                own = _joules(trials, ann, profile, bill)
                costs = {steps: _joules(trials, each, profile, bill) for steps, each in found.items()}
                ratios = [
                    f"{own / cost:.3g}" if own and cost else (NOT_RUN if not (ann and found[steps]) else "no price")
                    for steps, cost in costs.items()
                ]
                pays = [steps for steps, cost in costs.items() if own and cost and cost < own]
                known = any(own and cost for cost in costs.values())
                said = (f"up to T = {max(pays)}" if pays else "at no T") if known else NOT_RUN
                rows.append((f"{size}, {kind}", title, *ratios, said))
    head = ("network", "bill", "ANN / SNN, T = 5", "T = 20", "T = 50", "the SNN pays")
    note = "Measured: joules of the trained ANN over those of the spiking network on the same test images. Above 1 it pays."
    return Sheet("bills", "Where the winner changes, by each bill", head, tuple(rows), note, (1,))


def _longer(trials: Trials) -> Sheet:
    rows = []
    for row in trials.rows:
        settings = row.settings
        if settings["kind"] in ("ann", "snn") and settings["epochs"] != _EPOCHS.get(
            settings.get("data", "flowers-102")
        ):
            name = f"{settings.get('data', 'flowers-102')}, {settings.get('size') or settings.get('network')}, {settings['kind']}"
            steps = "" if settings["kind"] == "ann" else f", T = {settings['timesteps']}"
            rows.append(
                (name + steps, settings["recipe"], str(settings["epochs"]), f"{100 * row.values['accuracy']:.2f} %")
            )
    rows = rows or [("none", NOT_RUN, NOT_RUN, NOT_RUN)]
    note = "Trials of other lengths than the published 30 (40) epochs: what they would have needed."
    return Sheet(
        "epochs", "Other numbers of epochs", ("network", "recipe", "epochs", "test accuracy"), tuple(rows), note, (1,)
    )


def _name(score: Score) -> str:
    steps = "" if score.kind == "ann" else f", T = {score.timesteps}"
    of = f"{score.data}, " if score.table == 3 else ""
    return f"{of}{score.size}, {score.kind.upper() if score.kind != 'converted' else 'converted'}{steps}"


def _heads() -> tuple[str, ...]:
    return tuple(title for title, *_ in _COLUMNS)


def _accuracy(rows: Sequence[Row], data: str) -> str:
    if not rows:
        return NOT_RUN
    told = f"{100 * _mean(rows, 'accuracy'):.2f} %, loss {_mean(rows, 'loss'):.3f}"
    return told + small(rows[0], data) + (f" (mean of {len(rows)} seeds)" if len(rows) > 1 else "")


def small(row: Row, data: str) -> str:
    """What a trial was not: the whole data set, its epochs, its weights; "" where it was all of that."""
    values, settings, said = row.values, row.settings, []
    own = settings.get("data", "flowers-102")
    if own != data:
        said.append(f"on {own}")
    if not values.get("all_samples", True):
        said.append(f"not at full size: {values['train_samples']:,} to train, {values['test_samples']:,} to test")
    if settings["epochs"] != _EPOCHS.get(data):
        said.append(f"{settings['epochs']} epochs")
    if settings.get("width", 1.0) != 1.0 or not values.get("pretrained", True):
        said.append("random features" if not values.get("pretrained", True) else "")
        said.append(f"{settings['width']:g} of its width" if settings.get("width", 1.0) != 1.0 else "")
    told = "; ".join(filter(None, said))
    return f" ({told})" if told else ""


def _points(rows: Sequence[Row], score: Score) -> str:
    if small(rows[0], score.data):
        return "ours is of a smaller task: the two are not compared"
    return f"ours {100 * (_mean(rows, 'accuracy') - score.accuracy):+.2f} points"


def _mean(rows: Sequence[Row], name: str) -> float:
    return sum(float(row.values[name]) for row in rows) / len(rows)


def _seconds(rows: Sequence[Row]) -> str:
    return f"{sum(row.cpu_seconds for row in rows) / len(rows):.0f}" if rows else NOT_RUN


def counted_kwh(rows: Sequence[Row]) -> tuple[float, float, float] | None:
    """Accumulations, multiplications and kWh of a sample, at the paper's prices for 12 nm; None where nothing ran."""
    if not rows:
        return None
    accumulate = _mean(rows, "synaptic_ops") + _mean(rows, "neuron_updates")
    multiply = _mean(rows, "macs")
    return accumulate, multiply, paper.kwh(accumulate, multiply)


def _counted(rows: Sequence[Row]) -> tuple[str, str, str]:
    found = counted_kwh(rows)
    if found is None:
        return NOT_RUN, NOT_RUN, NOT_RUN
    accumulate, multiply, kwh = found
    return f"{accumulate:.4g}", f"{multiply:.4g}", f"{kwh:.4g}"


def _joules(trials: Trials, rows: Iterable[Row], profile: str, bill: str | None) -> float | None:
    found = []
    for row in rows:
        activity = trials.activity(row)
        if activity is None:
            return None
        try:
            found.append(price(activity, profile, bill=bill).joules_per_sample)
        except SpikeLedgerError:  # something happened that this bill has no price for
            return None
    return sum(found) / len(found) if found else None


def _tex(text: str) -> str:
    for plain, written in (
        ("\\", "\\textbackslash "),
        ("%", r"\%"),
        ("_", r"\_"),
        ("&", r"\&"),
        ("#", r"\#"),
        ("$", r"\$"),
    ):
        text = text.replace(plain, written)
    return text
