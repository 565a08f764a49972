"""Output that nobody reads to its end is no failure: `spikeledger ... | head`."""

from __future__ import annotations

import subprocess
import sys

import pytest

RUN = [sys.executable, "-c", "import sys; from spikeledger.cli.app import main; sys.exit(main(sys.argv[1:]))"]


@pytest.mark.parametrize(
    "arguments",
    [("outlook", "--json"), ("outlook", "--table", "all"), ("profiles", "show", "loihi"), ("--help",)],
    ids=" ".join,
)
def test_a_reader_may_go_away(arguments: tuple[str, ...]) -> None:
    with subprocess.Popen([*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(60), said) == (0, b"")
