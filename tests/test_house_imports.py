"""The house stays a house: who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from repository import PACKAGE, ROOT, modules, name

#: these may import anything, and nobody imports the last two
FREE = {"__init__", "__main__", "cli", "live"}
#: these everyone may import
WORDS = {"errors", "arguments", "units", "amounts", "events", "reading", "writing", "printable", "shown"}
#: and this one every room that may use torch
OF_TORCH = {"torch_private"}
#: an activity can be priced on a machine without torch
WITHOUT_TORCH = WORDS | {"activity", "bills", "hardware", "ledger", "outlook"}


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
        elif target in OF_TORCH and room not in WITHOUT_TORCH:
            continue
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
        ("kernels/choice.py", "from ..torch_private import transforms", False),
        ("hardware/memory.py", "from ..torch_private import transforms", True),
    ],
)
def test_the_rule_itself(file: str, source: str, breaks: bool) -> None:
    assert bool(broken_rules(PACKAGE / file, source)) == breaks


# -- no circles --------------------------------------------------------------------------------------------------------

#: circles that are still there
KNOWN_CIRCLES: list[set[str]] = []


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def arrows(sources: dict[str, tuple[bool, str]]) -> dict[str, set[str]]:
    """Which file names which in an import of any kind: at the top, in a function, for types alone.

    `sources`: module -> whether it is a package, and its text.
    """
    found: dict[str, set[str]] = {}
    for module, (package, source) in sources.items():
        parts = module.split(".") if package else module.split(".")[:-1]
        named: set[str] = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                named.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = parts[: len(parts) - node.level + 1] if node.level else []
                stem = ".".join([*above, *([node.module] if node.module else [])])
                inside = {f"{stem}.{alias.name}" for alias in node.names}
                named |= {each if each in sources else stem for each in inside}
        found[module] = (named & set(sources)) - {module}
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Files that reach each other both ways."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for after in graph[waiting.pop()] - seen:
                seen.add(after)
                waiting.append(after)
        return seen

    reach = {module: reached(module) for module in graph}
    found: list[set[str]] = []
    for module in sorted(graph):
        if module in reach[module] and not any(module in circle for circle in found):
            found.append({other for other in reach[module] if module in reach[other]})
    return found


def test_no_files_import_each_other_in_a_circle() -> None:
    texts = {module_name(path): (path.stem == "__init__", path.read_text(encoding="utf-8")) for path in modules()}
    found = circles(arrows(texts))
    assert not [sorted(circle) for circle in found if circle not in KNOWN_CIRCLES]
    assert not [sorted(circle) for circle in KNOWN_CIRCLES if circle not in found], "mended: take it off KNOWN_CIRCLES"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a": "from .b import x", "b": ""}, []),
        ({"a": "from .b import x", "b": "from .a import y"}, [{"p.a", "p.b"}]),
        ({"a": "from . import b", "b": "def late():\n    from p.a import y"}, [{"p.a", "p.b"}]),
        (
            {"a": "import p.b", "b": "if TYPE_CHECKING:\n    from .c import y", "c": "import p.a"},
            [{"p.a", "p.b", "p.c"}],
        ),
        (
            {"a": "from .b import x", "b": "from .c import x", "c": "from .d import x", "d": "from .c import y"},
            [{"p.c", "p.d"}],
        ),
        ({"a": "from ..q import b", "b": "from .a import x"}, []),
    ],
)
def test_the_rule_of_circles_itself(files: dict[str, str], found: list[set[str]]) -> None:
    assert circles(arrows({f"p.{name}": (False, source) for name, source in files.items()})) == found


# -- torch's private parts ---------------------------------------------------------------------------------------------

#: written by torch's users since ever: docs of torch speak of them
WELL_KNOWN = {"_version", "_base", "_modules", "_parameters", "_buffers"}
#: rooms and files that still name private parts themselves
NAMING_YET: set[str] = set()


@cache
def private_attributes() -> frozenset[str]:
    """What torch's objects call their private parts."""
    import torch

    values = torch.zeros(1)
    things = [values, values.untyped_storage(), torch.nn.Parameter(values), torch.nn.Linear(1, 1), torch.Generator()]
    things += [torch.optim.SGD([values], lr=1.0), torch.autograd.Function, torch.autograd.graph.Node]
    things += [torch.ops.aten.relu.default, torch.ops.aten.relu, torch.ops.higher_order.cond]
    names = {name for thing in things for name in (*dir(thing), *getattr(thing, "__dict__", {}))}
    return frozenset(name for name in names if re.match("_[a-zA-Z]", name)) - WELL_KNOWN


def is_private(dotted: str) -> bool:
    return any(re.match("_[a-zA-Z]", part) for part in dotted.split("."))


def private_names(source: str) -> list[str]:
    """Private names of torch in a file: imported, below a module of torch, as an attribute of any object."""
    tree = ast.parse(source)
    found: list[str] = []
    known: dict[str, str] = {}  # names in this file -> what of torch they are
    own = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    } | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "torch":
                    known[alias.asname or "torch"] = alias.name if alias.asname else "torch"
                    found += [alias.name] if is_private(alias.name) else []
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch" and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                known[alias.asname or alias.name] = whole
                found += [whole] if is_private(whole) else []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            root, *parts = ast.unparse(node).split(".")
            mine = ast.unparse(node.value) in ("self", "cls") and node.attr in own
            below = root in known and is_private(parts[-1])
            if below or (node.attr in private_attributes() and not mine):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            texts = [each.value for each in node.args[1:2] if isinstance(each, ast.Constant)]
            about = ast.unparse(node.args[0]).split(".")[0]
            found += [
                f"{about}.{text}"
                for text in texts
                if text in private_attributes() or (about in known and is_private(str(text)))
            ]
    return found


def may_name_private_parts(path: Path) -> bool:
    inside = path.relative_to(PACKAGE)
    return room_of(path) in OF_TORCH or inside.parts[0] in NAMING_YET or inside.as_posix() in NAMING_YET


@pytest.mark.parametrize("path", [path for path in modules() if not may_name_private_parts(path)], ids=name)
def test_private_parts_of_torch_are_named_in_one_file(path: Path) -> None:
    assert private_names(path.read_text(encoding="utf-8")) == [], "ask spikeledger.torch_private"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch\ntorch._C._len_torch_dispatch_stack()", True),
        ("import torch as th\ndef late():\n    return th._C", True),
        ("from torch._C import _functorch", True),
        ("from torch.utils._python_dispatch import TorchDispatchMode", True),
        ("import torch._dynamo", True),
        ("from torch.nn.modules import module as hooks\nhooks._global_forward_hooks", True),
        ("from torch.nn.modules.module import _global_forward_hooks", True),
        ("from torch.autograd import forward_ad\nforward_ad._current_level", True),
        ("def hooked(layer):\n    return layer._forward_hooks", True),
        ("def hooked(layer):\n    return getattr(layer, '_forward_hooks', None)", True),
        ("import torch\ngetattr(torch, '_C')", True),
        ("class Adam:\n    def step(self):\n        return self._optimizer_step_pre_hooks", True),
        ("import torch\ntorch.nn.functional.relu(torch.zeros(1))", False),
        ("def version(tensor):\n    return tensor._version, tensor._base", False),
        ("class Reader:\n    def __init__(self):\n        self._values = 1\n        print(self._values)", False),
        ("import torch\nprint(torch.__version__)", False),
        ("import numpy\nnumpy._core", False),
    ],
)
def test_the_rule_of_private_parts_itself(source: str, found: bool) -> None:
    assert bool(private_names(source)) == found


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
