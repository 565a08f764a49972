"""Tables and lines in terminals of any width: no name is broken, nothing is lost, nothing is wider than the terminal."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from spikeledger.cli import console as of_commands
from spikeledger.report.terminal_tables import print_table

HEADINGS = ("layer", "event", "count", "says")
ROWS = [
    (
        "layers.encoder_block_3.neuron_fc2",
        "synaptic_op",
        "12,345,678,901",
        "a sentence that may fold anywhere between words",
    ),
    ("层.第一", "spike", "7", ""),
    ("[red]fc1[/red]", "neuron_update", "0", "short\x1b[31m"),
]


def printed(width: int, **options: object) -> str:
    out = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_table(out, HEADINGS, ROWS, **options)  # type: ignore[arg-type]
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.mark.parametrize("whole", [(), (2, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_names_are_whole_on_every_width(width: int, whole: tuple[int, ...]) -> None:
    text = printed(width, numbers=(2,), whole=whole)
    assert max(map(cell_len, text.splitlines())) <= width
    words = text.split()
    for row in ROWS:
        for cell in row:
            for word in cell.replace("\x1b", "\\x1b").split():
                assert any(word in one for one in words), word
    assert "\x1b" not in text


def test_a_word_longer_than_the_terminal_keeps_both_ends() -> None:
    text = printed(24)
    assert max(map(cell_len, text.splitlines())) <= 24
    assert "layers.enc" in text and "neuron_fc2" in text and "…" in text


def test_a_drawing_goes_before_the_table_does() -> None:
    rows = [("loihi", "3.57 nJ", "----o----"), ("v100", "12.1 µJ", "------o--")]
    for width, drawn in ((40, True), (24, False)):
        out = Console(file=io.StringIO(), width=width, force_terminal=False)
        print_table(out, ("device", "nominal", ""), rows, whole=(1, 2), drawn=2)
        assert isinstance(out.file, io.StringIO)
        text = out.file.getvalue()
        assert ("--o--" in text) == drawn and "device" in text.splitlines()[1]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_lines_of_commands_break_between_words_in_a_terminal_and_nowhere_in_a_pipe(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    said = "    horowitz-45nm-int8                 synaptic_op 30.0 fJ (21.0 fJ to 40.0 fJ); simulated; runs both kinds"
    monkeypatch.setenv("COLUMNS", str(width))
    for stream, folded in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr("sys.stdout", stream)
        of_commands.tell(said)
        lines = stream.getvalue().splitlines()
        assert stream.getvalue().split() == said.split()
        assert (max(map(len, lines)) <= width) == folded and all(line.startswith("    ") for line in lines)
