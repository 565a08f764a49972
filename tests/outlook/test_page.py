"""The page, its pictures and the command: alone, readable without colour, a table behind every picture."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import chromium
from spikeledger.cli.app import main
from spikeledger.outlook import check, select, tables
from spikeledger.report.drawing import Box, Marker, Strokes
from spikeledger.report.outlook_marks import KINDS, mark
from spikeledger.report.outlook_page import outlook_page, write_outlook
from spikeledger.report.outlook_pictures import figures
from spikeledger.report.outlook_text import show_contradictions, show_sheets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    html = outlook_page()
    assert not re.search(r"<script|<img|<link[^>]+href=\"http|src=|@import|url\(http", html)
    assert "default-src 'none'" in html
    assert len(html) < 400_000


def test_the_page_has_every_table_contradiction_and_licence() -> None:
    text = re.sub(r"<[^>]+>", " ", outlook_page()).replace("&#x27;", "'").replace("\u00a0", " ")
    for sheet in tables().values():
        assert sheet.rows[0][0].replace("&", "&amp;") in text, sheet.name
    for one in check():
        assert one.title in text
    assert "Epoch AI" in text and "CC BY 4.0" in text and "Our World in Data" in text


@pytest.mark.parametrize("one", figures(), ids=lambda one: one.name)
def test_a_picture_has_a_sentence_and_its_numbers(one: Any) -> None:
    assert one.picture.says.endswith(".")
    assert len(one.table.rows) >= 4
    assert {len(row) for row in one.table.rows} == {len(one.table.headings)}
    for drawn in one.picture.marks:
        if isinstance(drawn, Marker):
            assert drawn.x - drawn.radius >= -1 and drawn.x + drawn.radius <= one.picture.width + 1
            assert 0 <= drawn.y <= one.picture.height
        if isinstance(drawn, Box):
            assert drawn.width >= 0


@pytest.mark.parametrize(
    ("name", "runs"), [("operations", "published"), ("parameters", "published"), ("parameters-epoch", "epoch")]
)
def test_a_cloud_has_a_mark_for_every_run(name: str, runs: str) -> None:
    picture = next(one.picture for one in figures() if one.name == name)
    titles = {drawn.title for drawn in picture.marks if isinstance(drawn, Marker) and drawn.title}
    for run in select(runs):
        assert any(title.startswith(f"{run.name}, ") for title in titles), run.name


def test_lines_end_with_their_data_and_bands_are_dashed() -> None:
    for name in ("operations", "parameters", "parameters-epoch", "efficiency"):
        picture = next(one.picture for one in figures() if one.name == name)
        drawn = [each for each in picture.marks if isinstance(each, Strokes) and each.role != "grid"]
        assert [each for each in drawn if each.dash] and [each for each in drawn if not each.dash]


def test_kinds_differ_in_shape_and_not_in_colour() -> None:
    shapes = []
    for kind in KINDS:
        marks = mark(10, 10, kind, "ink")
        shapes.append(tuple((each.shape, each.role) for each in marks if isinstance(each, Marker)))
    assert len(set(shapes)) == len(KINDS)


def test_pictures_save_in_every_format(tmp_path: Path) -> None:
    one = figures()[2].picture
    for ending in ("svg", "png", "pdf"):
        assert one.save(tmp_path / f"picture.{ending}").stat().st_size > 2000


@pytest.fixture
def ran(capfd: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["outlook", *map(str, arguments)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_the_command_shows_the_outlook(ran: Any) -> None:
    code, out, err = ran()
    assert (code, err) == (0, "")
    for text in ("GPT-4 and a brain", "What training energy follows", "Projections by parameters", "18 numbers clash"):
        assert text in out


def test_the_command_checks(ran: Any) -> None:
    code, out, _ = ran("--check")
    assert code == 0
    assert out.count("computed again:") + out.count("in fact:") == len(check()) >= 10
    code, out, _ = ran("--check", "--json")
    assert [one["name"] for one in json.loads(out)] == [one.name for one in check()]


def test_the_command_writes_a_folder(ran: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "outlook"
    code, out, err = ran("--out", folder, "--json")
    assert code == 0
    assert "outlook.html" in err
    assert json.loads(out) == json.loads((folder / "outlook.json").read_text("utf-8"))
    assert sorted(path.stem for path in (folder / "pictures").iterdir()) == sorted(one.name for one in figures())


def test_the_command_projects(ran: Any) -> None:
    code, out, _ = ran("--flop", "2.1e25", "--year", "2023.2", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["band"]["low"] < found["joules"] < found["band"]["high"]
    assert ran("--parameters", "1e13", "--runs", "epoch")[1].startswith("1e+13 parameters: 135 GWh [2.49 GWh to")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--flop", "1e28", "--year", "2026", "--no-band"), "ask for the band"),
        (("--flop", "1e24"), "needs its year"),
        (("--year", "2026"), "either flop"),
        (("--flop", "many", "--year", "2026"), "valid number"),
        (("--table", "fit"), "did you mean 'fits'"),
        (("--check", "--table", "fits"), "ask for one of them"),
        (("--check", "--parameters", "1e12"), "ask for one of them"),
        (("--out", "/dev/null/here"), "choose a folder"),
    ],
)
def test_bad_input_is_one_sentence(ran: Any, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = ran(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_tables_fit_any_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    for width in (40, 80, 200):
        out = Console(width=width)
        show_sheets(tables().values(), console=out)
        show_contradictions(check(), console=out)
        assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_it_needs_no_network_and_no_torch() -> None:
    code = (
        "import socket, sys, time\n"
        "def no(*a, **k): raise OSError('no network')\n"
        "socket.socket.connect = no; socket.getaddrinfo = no\n"
        "sys.modules['torch'] = None\n"
        "from spikeledger.cli.app import main\n"
        "import tempfile\n"
        "begun = time.process_time()\n"
        "assert main(['outlook', '--out', tempfile.mkdtemp()]) == 0\n"
        "print(time.process_time() - begun)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3


@pytest.fixture(params=[(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")], ids=str)
def shown(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints = chromium.watch(page)
    page.goto(write_outlook(tmp_path / "outlook.html").as_uri())
    yield page
    context.close()
    assert complaints == []


#: texts of a picture that lie on each other
CROWDED = """() => {
  const bad = [];
  for (const picture of document.querySelectorAll('svg.picture')) {
    const frame = picture.getBoundingClientRect();
    const boxes = [...picture.querySelectorAll('text')].map(t => [t.getBoundingClientRect(), t.textContent]);
    boxes.forEach(([box, text], at) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1) bad.push(['sticks out', text]);
      for (const [other, words] of boxes.slice(at + 1)) {
        const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
        const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
        if (wide > 2 && high > 5) bad.push(['overlap', text, words]);
      }
    });
  }
  return bad;
}"""


@pytest.mark.browser
def test_the_page_fits_and_its_pictures_are_tidy(shown: Page) -> None:
    width = shown.evaluate("document.documentElement.clientWidth")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.evaluate(CROWDED) == []
    assert shown.locator("figure details").count() == len(figures())
    first = shown.locator("figure details").first
    first.locator("summary").click()
    assert first.locator("table").is_visible()
    for link in shown.locator("nav a").all():
        assert shown.locator(f"section{link.get_attribute('href')} h2").is_visible()
