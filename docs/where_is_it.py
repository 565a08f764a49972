"""Writes where-is-it.md but for its end: one row a file, which says what the file's own first sentence says.

Run `python docs/where_is_it.py` after a file came, went or changed its sentence; a test checks that nobody has to.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "where-is-it.md"
PACKAGE = ROOT / "src" / "spikeledger"
#: rooms in the order in which data flows
ROOMS = (
    "listening", "networks", "kernels", "datasets", "training", "nef", "plasticity", "recording", "activity", "hardware",
    "bills", "mapping", "chip", "outlook", "conversion", "stress", "study", "trials", "search", "live", "report", "cli",
)  # fmt: skip
#: what is no program
DATA = {
    "hardware": [("a device each: prices, cores, mesh, times, sources", "src/spikeledger/hardware/profiles")],
    "outlook": [("brains, training runs, queries and grids, with their sources", "src/spikeledger/outlook/sources")],
    "live": [
        ("the page's frame", "src/spikeledger/live/live.html"),
        ("its looks", "src/spikeledger/live/page.css"),
        ("its built script, from `web`", "src/spikeledger/live/page.js"),
        ("weights of the digits' networks", "src/spikeledger/live/digits"),
    ],
}
BEGIN = """# Where is it?

Any feature's file in ten seconds, room by room; the rows of programs are their own first sentences. Written by
`python docs/where_is_it.py`; a test checks that it is up to date, and that each path exists.

## The package
"""
END = "## Around it"


def first_sentence(path: Path) -> str:
    """What a file says of itself first."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        told = ast.get_docstring(ast.parse(text)) or _chapter(text)
    elif path.suffix in {".md", ".toml"}:
        told = text.partition("\n")[0].removeprefix("# ")
    else:
        comments = re.search(r"^(//.*\n)+", text, flags=re.MULTILINE)
        told = "\n".join(line.removeprefix("//").strip() for line in comments[0].splitlines()) if comments else ""
    paragraph = " ".join(told.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph)[0].rstrip(".").replace("|", "\\|")


def _chapter(text: str) -> str:
    """The title of a page that is a program: `# # Title`."""
    found = re.search(r"^# # (.+)$", text, flags=re.MULTILINE)
    return found.group(1) if found else ""


def rows(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """What each file says, and where it is."""
    for path in sorted(paths):
        yield first_sentence(path), path.relative_to(ROOT).as_posix()


def programs(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder that say something; of folders in it, too."""
    found = [path for path in folder.rglob(pattern) if "node_modules" not in path.parts and first_sentence(path)]
    return [path for path in found if path.name != "__init__.py" or path.parent != folder]


def section(title: str, about: str, lines: list[tuple[str, str]]) -> str:
    """A heading and its rows."""
    table = "\n".join(f"| {what} | `{where}` |" for what, where in lines)
    return f"### {title}\n\n{about}| what | where |\n| --- | --- |\n{table}\n"


def package() -> str:
    """The rows of the package."""
    alone = [PACKAGE / "__init__.py", *(path for path in PACKAGE.glob("*.py") if path.name != "__init__.py")]
    parts = [section("Files that stand alone", "", list(rows(alone)))]
    for room in ROOMS:
        about = first_sentence(PACKAGE / room / "__init__.py")
        found = [*rows(programs(PACKAGE / room, "*.py")), *DATA.get(room, [])]
        parts.append(section(f"`{room}`", f"{about}.\n\n" if about else "", found))
    native = programs(ROOT / "native", "*.hpp") + programs(ROOT / "native", "*.cpp")
    parts.append(section("`native`", "C++ behind `kernels`, `chip` and `plasticity`.\n\n", list(rows(native))))
    parts.append(
        section("`web`", "TypeScript of the live page.\n\n", list(rows(programs(ROOT / "web" / "src", "*.ts"))))
    )
    return BEGIN + "\n" + "\n".join(parts) + "\n"


def around() -> str:
    """Studies, benchmarks, tests, and what there is to read."""
    studies = [path for path in (ROOT / "studies").iterdir() if path.suffix in {".py", ".toml"}]
    tests = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith(("test_", "__init__"))]
    tests += (ROOT / "tests").glob("test_*.py")
    docs = ROOT / "docs"
    pages = [*(docs / "book").glob("*.py"), *(docs / "tutorials").glob("*.py")]
    pages += [path for folder in ("how-to", "explanation", "reference") for path in (docs / folder).glob("*.md")]
    pages = [path for path in pages if path.name != "index.md"] + list(docs.glob("*.md"))
    return "\n".join([
        "## Studies, benchmarks, tests, pages\n",
        section("`studies`", "", list(rows(studies))),
        section("`benchmarks`", "One question a file.\n\n", list(rows(list((ROOT / "benchmarks").glob("*.py"))))),
        section("`tests`", "A room's tests lie in the folder of its name; others, and what tests share:\n\n", list(rows(tests))),
        section("`docs`", "", list(rows(pages))),
    ]) + "\n"  # fmt: skip


def page() -> str:
    """The whole page: what is generated, and what is written by hand below it."""
    return package() + around() + END + PAGE.read_text(encoding="utf-8").partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
