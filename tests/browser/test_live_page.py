"""The live page as a visitor has it: from a file, alone, drawn on, driven by keys, as narrow as a phone, in the dark."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import chromium
import livepages
from spikeledger.live.page import live_page, write_live

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

STROKES = json.loads((Path(__file__).parent / "strokes.json").read_text("utf-8"))
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_live(livepages.shipped_document(), tmp_path_factory.mktemp("live") / "live.html")


@pytest.fixture
def visit(browser: Browser, written: Path) -> Iterator[Open]:
    """`visit("#run=0", width=390, scheme="dark")`; the page must end without complaint and without a request."""
    opened: list[tuple[Any, list[str], list[str]]] = []

    def go(state: str = "#run=0", *, width: int = 1280, scheme: Any = "light", **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        page = context.new_page()
        asked: list[str] = []
        opened.append((context, chromium.watch(page), asked))
        page.on("request", lambda each: asked.append(each.url))
        page.goto(written.as_uri() + state)
        page.wait_for_selector("html[data-ready]")
        return page

    yield go
    for context, complaints, asked in opened:
        context.close()
        assert complaints == []
        assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {written.as_uri()}


def test_the_page_is_small_and_its_script_too() -> None:
    page = live_page(livepages.shipped_document())
    assert len(page.encode()) < 150_000
    assert len(page.partition("<script>")[2]) < 60_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nobody_is_shut_out(visit: Open, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = visit(width=width, scheme=scheme, bypass_csp=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_nothing_moves_but_the_data_while_it_runs(visit: Open, width: int, scheme: str) -> None:
    page = visit("#run=1&speed=61", width=width, scheme=scheme)
    page.evaluate(
        "globalThis.shifts = []; new PerformanceObserver(l => shifts.push(...l.getEntries().map(e => [e.value,"
        " e.sources.map(s => s.node?.id || s.node?.className || s.node?.nodeName)])))"
        ".observe({type: 'layout-shift'})"
    )
    for _ in range(100):
        page.wait_for_timeout(500)
        if int(page.evaluate("document.querySelectorAll('#numbers tbody tr').length")) > 5:
            break
    else:
        pytest.fail("it does not run")
    assert page.evaluate("shifts") == []
    chromium.keep(page, f"live-{width}-{scheme}")


def test_ten_drawn_digits_are_read(visit: Open) -> None:
    page = visit()
    right = {"ann": 0, "snn": 0}
    box = page.locator("#pad").bounding_box()
    assert box is not None
    for digit, strokes in STROKES.items():
        page.click("#clear")
        for stroke in strokes:
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point)
            page.mouse.up()
        page.wait_for_timeout(50)
        for side in right:
            right[side] += page.inner_text(f"#{side}-guess") == digit
    assert min(right.values()) >= 9, right


def test_switches_act_at_once_and_the_link_brings_them_back(visit: Open) -> None:
    page = visit("#run=0&digit=4&seed=9")
    joules = page.inner_text("#snn-joules")
    page.check("input[value=off]")
    without = page.inner_text("#snn-joules")
    assert without != joules
    page.fill("#t", "5")
    fewer = page.inner_text("#snn-joules")
    assert fewer not in (without, joules)
    page.select_option("#snn-profile", "spinnaker-2")
    page.uncheck("#memory")
    page.uncheck("#ranges")
    assert "not a verdict" in page.inner_text("#headline")
    shown = [page.inner_text(f"#{side}-{what}") for side in ("ann", "snn") for what in ("joules", "span", "guess")]
    again = visit(page.evaluate("location.hash"))
    assert [
        again.inner_text(f"#{side}-{what}") for side in ("ann", "snn") for what in ("joules", "span", "guess")
    ] == shown
    assert again.input_value("#t") == "5"


@pytest.mark.parametrize("state", ["#T=1e9&rate=-3&static=<b>&ann=nobody&digit=-7&speed=NaN", "#%00&T=&seed=1e99"])
def test_a_link_that_says_nonsense_is_a_page_all_the_same(visit: Open, state: str) -> None:
    page = visit(state + "&run=0")
    assert page.input_value("#t") in ("20", "1")
    assert "J" in page.inner_text("#snn-joules")


def test_always_on_costs_more_the_fewer_the_digits(visit: Open) -> None:
    page = visit("#run=0&static=always&rate=1000")
    often = page.evaluate("document.getElementById('snn-joules').textContent")
    page.fill("#rate", "0")
    rarely = page.inner_text("#snn-joules")
    assert often != rarely
    assert rarely.endswith(" mJ")  # loihi's 0.1 W for a second
    page.select_option("#snn-profile", "horowitz-45nm")
    assert "not given" in page.inner_text("#note")


def test_as_published_is_one_button_and_says_what_static_power_does(visit: Open) -> None:
    page = visit()
    page.click("#published")
    page.wait_for_timeout(100)
    assert "As published" in page.inner_text("#headline")
    assert "With static power the factor is" in page.inner_text("#hangs")
    page.click("#published")
    assert page.get_attribute("#published", "aria-pressed") == "false"


@pytest.mark.parametrize(
    ("state", "headline", "below"),
    [
        ("ann=jouppi-7nm&snn=published-notebook-000-loihi", "the ordinary network would need", "Static power is 97"),
        ("ann=published-notebook-000-v100&snn=published-tutorial-003-akida", "arithmetic of two documents", "has none"),
        ("ann=published-paper-002-12nm&snn=published-paper-002-12nm", "As published: ", "prices no static power"),
        (
            "ann=published-notebook-000-v100&snn=published-notebook-000-loihi&static=equal",
            "Switched from what was published: both would need about the same energy", "the factor is",
        ),
        ("ann=t4&snn=artix-7&static=off", "Nobody wins: the spiking network is charged nothing", "1 digit so far"),
        ("ann=quadro-k4000&snn=loihi&static=equal", "Both need about the same energy", "Both are charged the static power"),
        ("ann=cmos-12nm&snn=spinnaker", "by bills that differ in static power", "of the SNN's bill, and the ANN's has none"),
        ("ann=horowitz-45nm&snn=horowitz-45nm", "whatever the prices", "ANN on 45 nm"),
    ],
)  # fmt: skip
def test_the_headline_says_no_more_than_the_bills_do(visit: Open, state: str, headline: str, below: str) -> None:
    page = visit(f"#run=0&digit=6&{state}")
    assert headline in page.inner_text("#headline")
    assert below in page.inner_text("#hangs")
    assert not [word for word in ("∞", "inf", "NaN") if word in page.inner_text("header") + page.inner_text("#totals")]


def test_as_published_has_its_numbers_and_survives_a_reload(visit: Open) -> None:
    page = visit("#run=1&speed=2")
    page.click("#published")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.get_attribute("#published", "aria-pressed") == "true"
    page.click("#run")
    page.click("text=Prices with their sources")
    rows = page.locator("#sources tbody tr").all_inner_texts()
    assert any("static power" in row and "150 W (no range)" in row and "Notebook" in row for row in rows)
    assert any("static power" in row and "150 mW (no range)" in row for row in rows)
    page.click("#published")
    assert page.input_value("#ann-profile") == "horowitz-45nm-int8"


def test_a_drawing_is_one_digit_by_keys_and_by_strokes(visit: Open) -> None:
    page = visit("#run=0&digit=8")
    page.click("#clear")
    assert (page.inner_text("#ann-joules"), page.inner_text("#snn-span")) == ("–", "nothing is drawn")
    page.focus("#pad")
    for key in ("Space", *["ArrowDown"] * 8, "Space", *["ArrowRight"] * 3, "Space", *["ArrowUp"] * 8, "Space"):
        page.keyboard.press(key)
    page.wait_for_timeout(50)
    assert "; 1 digit so far" in page.inner_text("#hangs")
    page.click("#step")
    page.fill("#t", "1")
    page.click("#step")
    page.click("#step")
    page.wait_for_timeout(50)
    assert "; 3 digits so far" in page.inner_text("#hangs")
    assert "not measured" not in page.inner_text("#seen")


def test_another_link_in_an_open_page_is_followed_and_what_it_cannot_is_said(visit: Open) -> None:
    page = visit("#run=0&digit=1")
    page.evaluate("location.hash = '#run=0&digit=5&snn=xylo&T=7&sure=50&ann=abacus&flow=sideways'")
    page.wait_for_timeout(200)
    assert page.input_value("#snn-profile") == "xylo"
    assert (page.input_value("#t"), page.input_value("#sure"), page.input_value("#flow")) == ("7", "0", "auto")
    said = page.inner_text("#said")
    assert all(f"“{name}”" in said for name in ("abacus", "50", "sideways"))
    page.evaluate("history.back()")
    page.wait_for_timeout(200)
    assert page.input_value("#snn-profile") == "loihi"


@pytest.mark.parametrize("width", [720, 940, 320])
def test_who_spends_it_can_be_read_at_any_width(visit: Open, width: int) -> None:
    page = visit("#run=0&digit=2", width=width)
    cells = page.locator("#who tbody td:nth-child(-n+2), #tornado tbody td:nth-child(1)")
    assert cells.count() > 12
    for cell in cells.all():
        wide, inside = cell.evaluate("one => [one.clientWidth, one.scrollWidth]")
        assert inside <= wide and wide > 40


def test_digits_that_leave_the_totals_are_said_and_leave_them_whole(browser: Browser) -> None:
    page, complaints = livepages.opened(browser, livepages.shipped_document())
    kept, read, off = page.evaluate("""async () => {
      const S = spikeledger, P = __document.values.prices, pair = await S.localEngine(__document).show(3, 2, 1);
      const setting = {ann: 'v100', snn: 'loihi', static: 'computing', rate: 20, memory: true, flow: 'auto'};
      const books = new S.Books(P, setting), one = {ann: S.countedOf(pair.ann), snn: S.countedOf(pair.snn, 1), right: {}};
      for (let at = 0; at < 1003; at++) books.add({...one, snn: S.countedOf(pair.snn, at % 2 + 1)});
      const sums = [books.total('ann')[1], books.total('snn')[2]];
      books.reprice();
      return [books.seen.length, books.read, [books.total('ann')[1] / sums[0], books.total('snn')[2] / sums[1]]];
    }""")
    assert (kept, read) == (1000, 1003)
    assert off == pytest.approx([1, 1], rel=1e-12)
    page.close()
    assert complaints == []


def test_keys_do_what_buttons_do(visit: Open) -> None:
    page = visit("#run=0&digit=0")
    page.locator("h1").click()
    page.keyboard.press("7")
    page.wait_for_timeout(50)
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    classes = page.get_attribute("#ann-guess", "class") or ""
    assert "right" in classes or "wrong" in classes or page.inner_text("#ann-guess")
    page.keyboard.press("s")
    assert page.is_checked("input[value=always]")
    page.keyboard.press("m")
    assert not page.is_checked("#memory")
    page.keyboard.press("Space")
    assert page.inner_text("#run") == "Pause"
    page.keyboard.press("Space")
    page.focus("#pad")
    for key in ("Space", *["ArrowDown"] * 10, "Space"):
        page.keyboard.press(key)
    page.wait_for_timeout(50)
    assert page.inner_text("#ann-guess") in "0123456789"


def test_stopping_when_sure_takes_fewer_steps_and_says_what_it_costs(visit: Open) -> None:
    page = visit("#run=0&digit=2")
    whole = page.inner_text("#snn-says")
    page.select_option("#sure", "1")
    assert page.inner_text("#snn-says") != whole
    assert "% right after" in page.inner_text("#sure-says")


def test_what_is_exported_is_what_was_shown(visit: Open, tmp_path: Path) -> None:
    page = visit("#run=0")
    for button, name in (("#csv", "live.csv"), ("#json", "live.json"), ("#png", "live.png")):
        with page.expect_download() as caught:
            page.click(button)
        caught.value.save_as(tmp_path / name)
    rows = (tmp_path / "live.csv").read_text("utf-8").splitlines()
    assert len(rows) == 2 and rows[0].startswith("digit,ann_answer")
    told = json.loads((tmp_path / "live.json").read_text("utf-8"))
    assert told["digits"][0]["joules"]["snn"] == pytest.approx([float(each) for each in rows[1].split(",")[-3:]])
    assert (tmp_path / "live.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_that_shall_not_move_waits(visit: Open) -> None:
    page = visit("", reduced_motion="reduce")
    assert page.inner_text("#run") == "Run"


@pytest.mark.slow  # it reads clocks
def test_an_update_takes_less_than_a_frame_of_a_slow_phone(browser: Browser, visit: Open) -> None:
    """Four times the processor time of a frame in which something changed: what a phone needs, whatever else runs here."""
    page = visit("#run=1&speed=61", width=390)
    assert page.evaluate("spikeledger.ready") < 4000  # 0.2 to 0.5 s where nobody else computes
    page.wait_for_timeout(500)
    browser.start_tracing(page=page, categories=["devtools.timeline"])
    page.wait_for_timeout(5000)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    frames = sorted(one.get("tdur", 0) / 1000 for one in events if one["name"] == "FireAnimationFrame")
    updates = [one for one in frames if one > 0.3]
    assert len(updates) > 20
    assert 4 * updates[int(0.95 * len(updates))] <= 16
