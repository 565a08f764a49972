"""A page for every public name and every group, made when the docs are built: what it is, and an example that runs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import spikeledger as sl

_SHARED = "Examples stand on [the first lines](index.md) that all of them share."
CELL = re.compile(r"^# %% (\S+)\n(.*?)(?=^# %% |\Z)", flags=re.MULTILINE | re.DOTALL)


def examples(path: Path) -> dict[str, str]:
    """The cells of `reference/examples.py` by their names, `first` among them."""
    return {name: body.strip() for name, body in CELL.findall(path.read_text(encoding="utf-8"))}


def public() -> list[str]:
    """Every name of the front door."""
    return sorted((name for name in sl.__all__ if not name.startswith("_")), key=str.lower)


def grouped(name: str, cells: dict[str, str]) -> list[str]:
    """The names of a group that have examples of their own; none for a plain name."""
    return [cell.split(".")[2] for cell in cells if cell.startswith(f"sl.{name}.")]


def page(name: str, cells: dict[str, str]) -> str:
    """One page in Markdown; autodoc fills in what the docstrings say."""
    found, inside = getattr(sl, name), grouped(name, cells)
    if inside:
        parts = [f"# sl.{name}", "", (found.__doc__ or "").strip(), ""]
        for member in inside:
            parts += [f"## sl.{name}.{member}", "", "```{eval-rst}"]
            shown = getattr(found, member)
            if isinstance(shown, ModuleType):
                parts += [f".. automodule:: {shown.__name__}", "   :members:", "   :no-index:", ""]
            else:
                parts += _directive(f"spikeledger.{name}.{member}", shown)
            parts += ["```", "", "```python", cells[f"sl.{name}.{member}"], "```", ""]
        return "\n".join([*parts, _SHARED, ""])
    parts = [f"# sl.{name}", "```{eval-rst}"]
    if isinstance(found, ModuleType):
        parts += [f".. automodule:: {found.__name__}", "   :no-index:", ""]
        for member in _members(found):
            parts += _directive(f"{found.__name__}.{member}", getattr(found, member))
    else:
        parts += _directive(f"spikeledger.{name}", found)
    parts += ["```", "## Example", "", "```python", cells[f"sl.{name}"], "```", ""]
    return "\n".join([*parts, _SHARED, ""])


def write(folder: Path, cells: dict[str, str]) -> None:
    """All pages, and their index, into a folder of their own; what is as it was is not touched, what left is removed."""
    folder.mkdir(exist_ok=True)
    for page_ in folder.glob("*.md"):
        if page_.stem not in ("index", *public()):
            page_.unlink()
    rows = "\n".join(public())
    index = (
        "# Every name\n\nOne page a public name of `import spikeledger as sl`. Their examples share these first lines:\n\n"
        f"```python\n{cells['first']}\n```\n\n```{{toctree}}\n:maxdepth: 1\n\n{rows}\n```\n"
    )
    for name, text in {"index": index, **{name: page(name, cells) for name in public()}}.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _members(module: ModuleType) -> list[str]:
    """Functions and classes that a module's own files define."""
    return [
        name
        for name, found in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(found) or inspect.isfunction(found))
        and found.__module__.startswith(module.__name__)
    ]


def _directive(path: str, found: object) -> list[str]:
    if inspect.isclass(found):
        theirs = ["model_config"] if hasattr(found, "model_fields") else []
        theirs += [
            name
            for name, one in vars(found).items()
            if inspect.isfunction(one) and inspect.unwrap(one).__module__.split(".")[0] == "torch"
        ]  # what another library says of its own methods stands in its book
        excluded = [f"   :exclude-members: {', '.join(theirs)}"] if theirs else []
        return [f".. autoclass:: {path}", "   :no-index:", "   :members:", *excluded, ""]
    return [f".. autofunction:: {path}", "   :no-index:", ""]
