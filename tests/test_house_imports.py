"""The house stays a house: who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository import PACKAGE, ROOT, modules, name

#: these may import anything, and nobody imports the last two
FREE = {"__init__", "__main__", "cli", "web"}
#: these everyone may import
WORDS = {"errors", "units", "amounts", "events", "writing"}
#: an activity can be priced on a machine without torch
WITHOUT_TORCH = WORDS | {"activity", "bills", "hardware", "ledger"}


def may_import() -> dict[str, set[str]]:
    """The table of docs/architecture.md: room -> rooms that it may import."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", page, flags=re.MULTILINE)
    return {room: set(re.findall(r"`(\w+)`", allowed)) for room, allowed in rows}


TABLE = may_import()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import that can happen at run time, inside functions too; not those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                yield from imports(ast.Module([other], []))
        else:
            yield from imports(node)


def imported_modules(path: Path, source: str) -> set[str]:
    """Dotted names that a file imports; relative imports are resolved, ``from a import b`` gives ``a.b``."""
    package = ["spikeledger", *path.relative_to(PACKAGE).parent.parts]
    found: set[str] = set()
    for node in imports(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        else:
            above = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            found.update(f"{stem}.{alias.name}" for alias in node.names)
    return found


def broken_rules(path: Path, source: str) -> list[str]:
    room = room_of(path)
    broken = []
    for module in sorted(imported_modules(path, source)):
        first, *rest = module.split(".")
        if first == "torch" and room in WITHOUT_TORCH:
            broken.append(f"{name(path)}: '{room}' works without torch, but imports {module}")
        if first != "spikeledger" or rest == ["__version__"]:
            continue
        target = rest[0] if rest and rest[0] in TABLE else "__init__"
        if target == room or room in FREE:
            continue
        if target == "__init__":
            broken.append(f"{name(path)}: imports {module}; inside the house, import from the room itself")
        elif target not in TABLE[room] and not (target in WORDS and room not in WORDS):
            broken.append(f"{name(path)}: '{room}' may not import '{target}' (docs/architecture.md has the table)")
    return broken


def test_the_table_is_read_and_has_no_way_back() -> None:
    assert {"errors", "activity", "hardware", "ledger", "study", "report", "cli"} <= set(TABLE)
    done: set[str] = set()
    waiting = {room: allowed for room, allowed in TABLE.items() if room not in FREE}
    while waiting:
        ready = {room for room, allowed in waiting.items() if allowed <= done}
        assert ready, f"these rooms import each other in a circle: {waiting}"
        done |= ready
        waiting = {room: allowed for room, allowed in waiting.items() if room not in ready}


def test_every_room_is_in_the_table() -> None:
    new = sorted({room_of(path) for path in modules()} - set(TABLE) - FREE)
    assert not new, f"new rooms {new}: add a row for each to the table in docs/architecture.md, left of who imports it"


@pytest.mark.parametrize("path", modules(), ids=name)
def test_imports_go_one_way(path: Path) -> None:
    if room_of(path) in {*TABLE, *FREE}:  # the others fail above
        assert broken_rules(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source", "breaks"),
    [
        ("hardware/memory.py", "from spikeledger.errors import ProfileError", False),
        ("hardware/memory.py", "from ..errors import ProfileError", False),
        ("hardware/memory.py", "from .profile import Price", False),
        ("hardware/memory.py", "from ..networks import neurons", True),
        ("hardware/memory.py", "from spikeledger import activity", True),
        ("hardware/memory.py", "from .. import activity", True),
        ("hardware/memory.py", "def late():\n    import torch.nn", True),
        ("ledger.py", "from spikeledger.bills import lines", False),
        ("ledger.py", "import spikeledger.study.comparison", True),
        ("ledger.py", "from spikeledger import __version__", False),
        ("ledger.py", "import spikeledger as sl", True),
        ("ledger.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .study import comparison", False),
        ("ledger.py", "if TYPE_CHECKING:\n    pass\nelse:\n    from .study import comparison", True),
        ("report/page.py", "def late():\n    from spikeledger.cli import app", True),
        ("cli/app.py", "from spikeledger.study import comparison\nimport spikeledger as sl", False),
        ("units.py", "from spikeledger.errors import InputError", True),
    ],
)
def test_the_rule_itself(file: str, source: str, breaks: bool) -> None:
    assert bool(broken_rules(PACKAGE / file, source)) == breaks


def run_python(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_front_door_is_light() -> None:
    heavy = ["torch", "matplotlib", "sklearn", "pydantic", "pandas", "scipy", "filelock", "rich", "typer"]
    code = f"import sys, spikeledger; print(*[m for m in {heavy!r} if m in sys.modules])"
    assert run_python(code).split() == []


def test_the_front_door_is_quick() -> None:
    code = "import time; t = time.process_time(); import spikeledger; print(time.process_time() - t)"
    assert min(float(run_python(code)) for _ in range(3)) <= 0.15  # seconds of CPU


def test_counts_are_priced_without_torch() -> None:
    rooms = sorted(path for path in modules() if room_of(path) in WITHOUT_TORCH)
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for path in rooms
    ]
    assert "spikeledger.events" in names
    run_python(f"import sys, importlib; sys.modules['torch'] = None; [importlib.import_module(n) for n in {names!r}]")
