"""The pages for those who come from another library: their code runs beside it, as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repository import ROOT

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]  # theirs
PAGES = sorted((ROOT / "docs" / "how-to").glob("coming-from-*.md"))
EXAMPLE = re.compile(r"<!-- run with (\w+) -->\s*^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "run with" in page.read_text("utf-8")], ids=lambda page: page.stem
)
def test_a_page_runs_beside_its_library(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = EXAMPLE.findall(page.read_text(encoding="utf-8"))
    assert found
    for library, code in found:
        pytest.importorskip(library, reason=f"{library} is not installed")
        exec(compile(code, page.name, "exec"), {"__name__": "__main__"})
