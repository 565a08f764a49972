"""A tutorial in the percent format as a notebook: for Sphinx, and `python docs/percent.py tutorial.py notebook.ipynb`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

CELL = re.compile(r"^# %%(.*)$", flags=re.MULTILINE)
#: what only a page can show
PAGE_ONLY = re.compile(r"^```\{(?:widget|only)\}.*?^```\n*", flags=re.MULTILINE | re.DOTALL)


def read(text: str) -> nbformat.NotebookNode:
    """Cells begin at `# %%`; what stands before the first is the format's own header, and words to ruff are left out."""
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("# ruff:"))
    parts = CELL.split(text)[1:]
    cells = []
    for number, (kind, body) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        if kind.strip() == "[markdown]":
            cells.append(new_markdown_cell(re.sub(r"^# ?", "", body.strip("\n"), flags=re.MULTILINE)))
        else:
            cells.append(new_code_cell(re.sub(r"  # fmt: skip$", "", body.strip("\n"), flags=re.MULTILINE)))
        cells[-1]["id"] = f"cell-{number}"  # the same file from the same text
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def write(source: Path, target: Path) -> None:
    """A chapter as a notebook to work in: without outputs, and without what only a page can show."""
    notebook = read(source.read_text(encoding="utf-8"))
    for cell in notebook.cells:
        cell.source = PAGE_ONLY.sub("", cell.source).strip("\n")
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


if __name__ == "__main__":
    source, target = (Path(argument) for argument in sys.argv[1:])
    write(source, target)
    print(f"The notebook: {target.resolve()}")
