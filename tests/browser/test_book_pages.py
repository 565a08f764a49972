"""The built book, where it was built: readers with keyboards and screen readers, phones, and nobody asked for anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import chromium
from repository import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUILT = ROOT / "docs" / "_build" / "html"
PAGES = sorted(path for path in BUILT.rglob("*.html") if "_static" not in path.parts)
pytestmark = [
    pytest.mark.browser, pytest.mark.slow,
    pytest.mark.skipif(not PAGES, reason="the book was not built: make docs"),
]  # fmt: skip
#: what a page loads; links that a reader follows are not among it
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)[^>]*\ssrc=[\"']([^\"']+)|<link[^>]*rel=[\"']stylesheet[\"'][^>]*href=[\"']([^\"']+)"
)


def test_pages_load_nothing_from_elsewhere_and_have_no_handlers() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in LOADED.finditer(text):
            assert "//" not in (found[1] or found[2]), (page.name, found[0])
        assert " onclick=" not in text and " oninput=" not in text
    assert "<math " in (BUILT / "book" / "leaky-bucket.html").read_text(encoding="utf-8")


def test_each_chapter_has_its_notebook_and_pictures() -> None:
    for chapter in (ROOT / "docs" / "book").glob("*.py"):
        page = (BUILT / "book" / f"{chapter.stem}.html").read_text(encoding="utf-8")
        assert f'href="../_static/notebooks/{chapter.stem}.ipynb"' in page and "<img" in page
        notebook = json.loads((BUILT / "_static" / "notebooks" / f"{chapter.stem}.ipynb").read_text(encoding="utf-8"))
        assert "{widget}" not in json.dumps(notebook)
        assert (BUILT / "book" / "gallery.html").read_text(encoding="utf-8").count(f"{chapter.stem}.html") >= 1


@pytest.mark.parametrize("room", sorted({path.parent for path in PAGES}), ids=lambda path: path.name)
def test_no_violation_and_no_sideways_scrolling(browser: Browser, room: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    faults: list[str] = []
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    complaints = chromium.watch(page)
    for path in (path for path in PAGES if path.parent == room):
        page.goto(path.as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > 390:
            faults.append(f"{path.relative_to(BUILT)} is {wide} wide")
        for one in axe.run(page, options={"preload": False}).response["violations"]:  # it would fetch styles
            faults.append(f"{path.relative_to(BUILT)}: {one['id']} {one['nodes'][0]['target']}")
    context.close()
    assert not complaints, complaints
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("how do I count my snntorch model", "how-to/coming-from-snntorch.html"),
        ("why did pricing refuse", "how-to/questions.html"),
        ("how do I cite it", "how-to/questions.html"),
        ("static power", "explanation/verdicts.html"),
        ("stdp", "book/stdp.html"),
    ],
)
def test_the_search_answers_from_a_file(browser: Browser, asked: str, answer: str) -> None:
    page = browser.new_page()
    page.goto((BUILT / "search.html").as_uri() + f"?q={asked.replace(' ', '+')}")
    page.wait_for_function("document.querySelectorAll('ul.search > li').length > 2")
    links = page.eval_on_selector_all(
        "ul.search > li > a", "found => found.slice(0, 3).map(a => a.getAttribute('href'))"
    )
    assert answer in [link.split("#")[0] for link in links]
    page.close()
