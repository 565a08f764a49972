"""The page in a browser: quiet, alone, as narrow as a phone, readable in the light and in the dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import chromium
import comparisons
from spikeledger.report.page import write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

#: contrast of text and of its background, of every element that holds text itself
CONTRAST = """() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n };
  const light = ([r, g, b]) => {
    const part = v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 };
    return .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour[3] > .99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  for (const node of document.body.querySelectorAll('*')) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || ['title', 'desc', 'style'].includes(node.tagName)) continue;
    const style = getComputedStyle(node), svg = node.tagName === 'text';
    if (svg && node.getAttribute('class').includes('f-on-')) continue;  // on a mark of data
    const a = light(parse(svg ? style.fill : style.color)), b = light(behind(node));
    found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), node.tagName, node.textContent.slice(0, 40)]);
  }
  return found;
}"""

#: texts of pictures that stick out of their picture, or lie on each other
CROWDED = """() => {
  const bad = [];
  for (const picture of document.querySelectorAll('svg.picture')) {
    const frame = picture.getBoundingClientRect(), name = picture.querySelector('title').textContent;
    const boxes = [...picture.querySelectorAll('text')].map(text => [text.getBoundingClientRect(), text.textContent]);
    boxes.forEach(([box, text], index) => {
      const beside = box.left < frame.left - 1 || box.right > frame.right + 1;
      if (beside || box.top < frame.top - 2 || box.bottom > frame.bottom + 2)
        bad.push([name, 'sticks out', text]);
      for (const [other, words] of boxes.slice(index + 1)) {
        const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
        const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
        if (wide > 2 && high > 5) bad.push([name, 'overlap', text + ' | ' + words]);
      }
    });
  }
  return bad;
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    comparison = comparisons.small(
        widths=(64, 40, 30), timesteps=25,
        profiles=("horowitz-45nm", "loihi", "v100", "loihi:loihi", *comparisons.PUBLISHED),
        classes=("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    )  # fmt: skip
    return write_page(comparison, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(params=[(360, "light"), (360, "dark"), (390, "light"), (1200, "light"), (1200, "dark")], ids=str)
def shown(request: pytest.FixtureRequest, browser: Browser, report: Path) -> Iterator[Page]:
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints = chromium.watch(page)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def test_the_page_fits_its_window(shown: Page, request: pytest.FixtureRequest) -> None:
    width, scheme = request.node.callspec.params["shown"]
    chromium.keep(shown, f"report-{width}-{scheme}")
    width = shown.evaluate("document.documentElement.clientWidth")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    # what is wider scrolls in a box of its own, and the page beside it does not
    wider = shown.evaluate(
        "w => [...document.querySelectorAll('body *')].filter(n => !n.closest('.scroll') && !n.closest('svg')"
        " && n.getBoundingClientRect().right > w + 1).map(n => n.outerHTML.slice(0, 80))",
        width,
    )
    assert wider == []


def test_text_can_be_read(shown: Page) -> None:
    found: list[list[Any]] = shown.evaluate(CONTRAST)
    assert len(found) > 300
    assert [each for each in found if each[0] < 4.5] == []
    smallest = shown.evaluate(
        "Math.min(...[...document.querySelectorAll('svg.picture text')].map(t =>"
        " parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getBoundingClientRect().width"
        " / t.ownerSVGElement.viewBox.baseVal.width))"
    )
    assert smallest >= 8


def test_pictures_are_tidy(shown: Page) -> None:
    assert shown.evaluate(CROWDED) == []


def test_pictures_have_a_name_and_a_sentence(shown: Page) -> None:
    snapshot = shown.evaluate(
        "[...document.querySelectorAll('svg.picture')].map(p => [p.getAttribute('role'),"
        " p.querySelector('title').textContent, p.querySelector('desc').textContent])"
    )
    assert len(snapshot) >= 15
    assert all(role == "img" and title and says.endswith(".") for role, title, says in snapshot), json.dumps(snapshot)
    names = [title for _, title, _ in snapshot]
    assert len(set(names)) == len(names)


def test_links_lead_to_their_parts_and_prices_unfold(shown: Page) -> None:
    for link in shown.locator("nav a").all():
        link.click()
        anchor = link.get_attribute("href")
        assert shown.locator(f"section{anchor} h2").is_visible()
    first = shown.locator("details").first
    assert not first.locator("table").is_visible()
    first.locator("summary").click()
    assert first.locator("table").is_visible()
    assert "Horowitz" in first.inner_text()
