"""The terminal: every row is there, names are never read as markup, and 80 columns are enough."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from spikeledger import units
from spikeledger.amounts import Amount
from spikeledger.report import terminal_verdicts
from spikeledger.report.wording import span
from spikeledger.study.comparison import Comparison


def printed(comparison: Comparison, width: int = 80, *, details: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    terminal_verdicts.show(comparison, console=console, details=details)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_comparison_is_whole_in_the_terminal(odd: Comparison, width: int) -> None:
    text = printed(odd, width, details=True)
    assert max(map(len, text.splitlines())) <= width
    for match in odd.matches:
        for cost in (match.ann, match.snn):
            if cost.joules is not None:
                assert units.joules(cost.joules.nominal) in text
    assert ("cheapest fair opponent" in " ".join(text.split())) == (odd.opponents is not None)
    if any(cost.joules is None for match in odd.matches for cost in (match.ann, match.snn)):
        assert "not given" in text


@pytest.mark.parametrize("width", [80, 100])
def test_the_verdicts_fit_one_screen(ordinary: Comparison, width: int) -> None:
    lines = printed(ordinary, width).splitlines()
    assert len(lines) <= 23, "24 lines of a terminal, and its prompt"
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for match in ordinary.matches:
        assert match.says in text


def test_names_are_never_markup(hostile: Comparison) -> None:
    text = printed(hostile, 200)
    assert "[red]$x^2$" in text and "<script>" in text


@pytest.mark.parametrize("width", [60, 80])
def test_a_ledger_in_the_terminal(
    ordinary: Comparison, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ordinary.match("loihi").snn.ledger
    assert ledger is not None
    monkeypatch.setenv("COLUMNS", str(width))
    ledger.show()
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    assert units.joules(ledger.joules_per_sample) in text
    for layer, event, count, joules, _ in ledger.rows():
        lines = text.splitlines() if width == 80 else [text]  # in fewer columns words fold
        assert any(all(part in line for part in (count, joules)) for line in lines)
        assert width < 80 or any(layer in line and event in line for line in lines)
    said = " ".join(text.split()).lower()
    assert "pre-silicon prices" in said and "static power depends on the state of the chip" in said


def test_rounding_is_no_range(make: Callable[[str], Comparison]) -> None:
    comparison = make("published only")
    cost = comparison.match("published-paper-002-45nm").snn
    assert cost.joules is not None
    nudged = Amount(cost.joules.nominal * (1 - 1e-15), cost.joules.nominal, cost.joules.nominal * (1 + 1e-15))
    assert span(nudged) == span(cost.joules) == "no range"
    assert span(Amount(1.0, 1.5, 2.0)) == "1.00 J to 2.00 J"
