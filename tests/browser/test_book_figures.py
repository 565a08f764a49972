"""The book's figures: the browser computes what Python computes, sliders move them, and stills stand in for them."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from repository import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
pytest.importorskip("sphinx", reason="sphinx is not installed")
SCRIPT = ROOT / "docs" / "_static" / "book.js"
NAMES = ("bucket", "firing", "tuning", "codes", "tiring", "decoding", "drift", "learning", "fields")


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs" / "figures.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["figures"] = module  # its dataclasses look for their module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(browser: Browser, figures: ModuleType) -> Iterator[Page]:
    opened, complaints = browser.new_page(), []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: complaints.append(request.url))
    opened.set_content("<!doctype html><html lang=en><title>Figures</title><main>" + "".join(map(figures.html, NAMES)))
    opened.add_script_tag(content=SCRIPT.read_text(encoding="utf-8"))
    yield opened
    opened.close()
    assert complaints == []  # no fault, and nothing was asked of anybody


def compare(page: Page, figure: Any, name: str, settings: dict[str, float]) -> None:
    found = page.evaluate(
        "([name, settings, given]) => JSON.parse(JSON.stringify(spikebook[name](settings, given)))",
        [name, settings, figure.given()],
    )
    wanted = figure.model(settings)
    assert np.allclose(found["says"], np.asarray(wanted["says"], float), rtol=1e-6, atol=1e-9), settings
    if "picture" in wanted:
        assert np.allclose(found["picture"], wanted["picture"], rtol=0, atol=1e-12), settings
        return
    assert list(found["lines"]) == list(wanted["lines"])
    for line, values in wanted["lines"].items():
        for mine, theirs in zip(found["lines"][line], values, strict=True):
            assert np.allclose(mine, np.asarray(theirs, float), rtol=1e-6, atol=1e-9), (line, settings)


def test_every_figure_is_tested_and_stands_on_one_page(figures: ModuleType) -> None:
    assert tuple(figures.FIGURES) == NAMES
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "book").glob("*.py")]
    used = [name for text in pages for name in re.findall(r"```\{widget\} (\w+)", text)]
    assert sorted(used) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_browser_computes_what_python_computes(page: Page, figures: ModuleType, name: str) -> None:
    figure, draw = figures.FIGURES[name], np.random.default_rng(NAMES.index(name))
    for settings in (figure.start(), figure.random(draw), figure.random(draw)):
        compare(page, figure, name, settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_at_many_settings(page: Page, figures: ModuleType, name: str) -> None:
    figure, draw = figures.FIGURES[name], np.random.default_rng(100 + NAMES.index(name))
    for _ in range(20):
        compare(page, figure, name, figure.random(draw))


@pytest.mark.parametrize("name", NAMES)
def test_a_slider_moves_its_figure(page: Page, figures: ModuleType, name: str) -> None:
    figure, box = figures.FIGURES[name], page.locator(f"[data-widget={name}]")
    before = box.locator(".still svg").inner_html()
    said = box.locator(".says").text_content()
    assert said == figure.sentence(figure.model(figure.start())["says"])  # the still's words are the script's
    slider = box.locator("input").first
    slider.focus()
    slider.press("ArrowLeft")
    settings = figure.start()
    first = figure.sliders[0]
    settings[first.name] = round(first.start - first.step if first.start > first.low else first.start, 9)
    assert box.locator(".says").text_content() == figure.sentence(figure.model(settings)["says"])
    if first.start > first.low:
        assert box.locator(".still svg").inner_html() != before


def test_without_a_script_the_still_is_there(browser: Browser, figures: ModuleType) -> None:
    context = browser.new_context(java_script_enabled=False)
    quiet = context.new_page()
    quiet.set_content("".join(map(figures.html, NAMES)))
    for name in NAMES:
        still = quiet.locator(f"[data-widget={name}] .still svg")
        assert still.get_attribute("aria-label") and still.bounding_box()
    context.close()


def test_what_a_page_brings_along_cannot_end_its_script(figures: ModuleType) -> None:
    for name in NAMES:
        inside = re.search(r"<script[^>]*>(.*?)</script>", figures.html(name), flags=re.DOTALL)
        assert inside and "<" not in inside[1] and json.loads(inside[1])["sliders"]
    assert not re.search(
        r"https?://(?!www\.w3\.org)", "".join(map(figures.html, NAMES)) + Path(SCRIPT).read_text("utf-8")
    )
    assert "onclick" not in SCRIPT.read_text("utf-8")


def test_search_finds_pages_with_most_words_where_none_has_all(browser: Browser) -> None:
    """Two pages: one has two of three words; a word that stands nowhere empties no list."""
    opened = browser.new_page()
    opened.set_content("<!doctype html><html lang=en><title>Search</title>")
    opened.add_script_tag(
        content="""
        const pages = { one: ["tune", "cluster"], other: ["tune"] };
        const Search = { performTermsSearch: (words, without) =>
            Object.entries(pages).filter(([, has]) => [...words].every((word) => has.includes(word)))
                .map(([name]) => [name, name, "", null, 5 * words.size, name + ".md", "text"]) };
    """
    )
    opened.add_script_tag(content=SCRIPT.read_text(encoding="utf-8"))

    def found(*words: str) -> list[list[Any]]:
        return opened.evaluate("words => Search.performTermsSearch(new Set(words), new Set())", list(words))

    assert [each[0] for each in found("tune")] == ["one", "other"]
    assert [(each[0], each[4]) for each in found("tune", "hyperparameters", "cluster")] == [("one", 10)]
    assert found("hyperparameters", "nowhere") == []
    opened.close()
