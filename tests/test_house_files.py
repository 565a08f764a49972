"""Files have telling names, a readable length, and nothing of one machine in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repository import PACKAGE, ROOT, files, name

#: names that say nothing
FORBIDDEN_NAMES = {
    "utils", "util", "helpers", "helper", "common", "core", "base", "manager", "handler", "processor", "data", "info",
    "stats", "metrics", "misc",
}  # fmt: skip

WRITTEN_BY_HAND = {".py", ".cpp", ".hpp", ".h", ".ts", ".css"}
MOST_LINES = 400
#: file -> why it may be longer
LONGER: dict[str, str] = {}

#: absolute paths of somebody's machine, and where packages come from, which is for that machine to know
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.$})/-])/(?:work|farm|home|root|tmp|opt|Users)/\w"
    r"|pypi\.org|pythonhosted\.org|registry\.npm|download\.pytorch|deb\.debian|index-url|find-links|PIP_(?:INDEX|FIND)"
)


def names_of(path: Path) -> set[str]:
    """Each folder's and the file's own name, without ending and without ``test_``."""
    return {part.removeprefix("test_") for part in Path(name(path)).with_suffix("").parts}


def test_names_say_what_is_in_a_file() -> None:
    named = [path for path in files() if path.is_relative_to(PACKAGE) or path.is_relative_to(ROOT / "tests")]
    assert not [name(path) for path in named if names_of(path) & FORBIDDEN_NAMES]
    assert names_of(ROOT / "tests" / "recording" / "test_utils.py") & FORBIDDEN_NAMES


def test_no_file_is_too_long() -> None:
    lengths = {
        name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in files()
        if path.suffix in WRITTEN_BY_HAND
        and any(path.is_relative_to(ROOT / room) for room in ("src", "native", "tests"))
    }
    long = {path: lines for path, lines in lengths.items() if lines > MOST_LINES and path not in LONGER}
    assert not long, f"more than {MOST_LINES} lines; split by meaning, or say in LONGER why not: {long}"
    assert not [path for path in LONGER if lengths.get(path, 0) <= MOST_LINES], "no longer too long: take it off LONGER"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("see /home/me/tree", True),
        ('root="/opt/mnist"', True),
        ("--index-url=x", True),
        ("docs/work/page.md", False),
        ("$(BIN)/tmp/file", False),
        ("https://example.org/root/page", False),
    ],
)
def test_what_belongs_to_one_machine_is_recognised(line: str, found: bool) -> None:
    assert bool(OF_ONE_MACHINE.search(line)) == found


def test_nothing_of_one_machine_is_in_the_repository() -> None:
    found = []
    for path in files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:  # a picture, weights
            continue
        if path != Path(__file__).resolve():  # which has the patterns themselves
            found += [
                f"{name(path)}:{n}: {line.strip()[:120]}"
                for n, line in enumerate(lines, 1)
                if OF_ONE_MACHINE.search(line)
            ]
    assert not found, "a machine's paths or a registry's address:\n" + "\n".join(found)
