"""The docs tell the truth: their examples run, their links lead somewhere, and every module can be found."""

from __future__ import annotations

import ast
import doctest
import re
import runpy
from pathlib import Path

import pytest

from repository import PACKAGE, ROOT, files, modules, name, pages

WHERE = ROOT / "docs" / "where-is-it.md"
# A block is run if this stands above it; the blocks of one page share their names, as a reader's session would.
EXAMPLE = re.compile(r"<!-- run -->\s*^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[tuple[int, str]]:
    """The marked blocks of a page, with the line on which each begins."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in EXAMPLE.finditer(text)]


def run_example(code: str, names: dict[str, object], page: str, line: int) -> None:
    """Run plain code as it is; a session with ``>>>`` must also print what it says that it prints."""
    if not code.lstrip().startswith(">>>"):
        exec(compile("\n" * (line - 1) + code, page, "exec"), names)
        return
    session = doctest.DocTestParser().get_doctest(code, names, page, page, line - 1)
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session, out=failures.append, clear_globs=False)
    names.update(session.globs)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("page", [page for page in pages() if examples(page)], ids=name)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for line, code in examples(page):
        run_example(code, names, name(page), line)


def test_there_are_examples() -> None:
    assert len(examples(ROOT / "docs" / "getting-started.md")) >= 3


@pytest.mark.parametrize("code", ["raise ValueError('no')", ">>> 1 + 1\n3\n", ">>> 1 / 0\n"])
def test_a_wrong_example_is_seen(code: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        run_example(code, {}, "page.md", 1)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken, f"{name(page)} links to what is not there: {broken}"


def test_every_path_in_where_is_it_exists() -> None:
    rows = re.findall(r"^\|[^|]*\|([^|]*)\|$", WHERE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    paths = [path for row in rows for path in re.findall(r"`([^`]+)`", row)]
    assert len(paths) > 10
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_every_module_is_in_where_is_it() -> None:
    page = WHERE.read_text(encoding="utf-8")
    native = [path for path in files() if path.is_relative_to(ROOT / "src") and path.suffix in {".cpp", ".ts"}]
    rows = []
    for path in [*modules(), *native]:
        inner_init = path.name == "__init__.py" and path.parent != PACKAGE
        if not inner_init and f"`{name(path)}`" not in page:
            about = (
                (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") if path.suffix == ".py" else ""
            )
            rows.append(f"| {about.splitlines()[0] if about else '...'} | `{name(path)}` |")
    assert not rows, "rows that docs/where-is-it.md lacks:\n" + "\n".join(rows)


def test_where_is_it_is_what_the_files_say() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "where_is_it.py"))["page"]()
    assert WHERE.read_text(encoding="utf-8") == written, "run: python docs/where_is_it.py"


def test_what_the_docs_tell_people_to_make_can_be_made() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    asked = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE))
    assert {"demo", "test"} <= asked <= targets


def test_the_version_has_one_place() -> None:
    import spikeledger

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, flags=re.MULTILINE).group(1) == spikeledger.__version__  # type: ignore[union-attr]
    assert re.search(r"^## (\S+)", changelog, flags=re.MULTILINE).group(1) == spikeledger.__version__  # type: ignore[union-attr]


def test_every_public_name_is_in_the_reference() -> None:
    import spikeledger as sl

    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    told, groups = set(re.findall(r"`sl\.([\w.]+)`", page)), set(sl._GROUPS)
    doors = [(group, name) for group in sl._GROUPS for name in getattr(sl, group).__all__ if name not in sl.__all__]
    inside = {f"{group}.{name}" for group, name in doors}
    assert (
        told - groups
        == {public for public in sl.__all__ if not public.startswith("_") and public not in groups} | inside
    )
    assert groups <= {name.partition(".")[0] for name in told}


def test_every_command_is_in_the_reference() -> None:
    from spikeledger.cli.app import app

    page = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `spikeledger (\w+)` \|", page, flags=re.MULTILINE))
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert told == commands | {group.name for group in app.registered_groups}
