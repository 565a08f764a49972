"""The page: well-formed, alone, escaped, and with no number that is not in the comparison."""

from __future__ import annotations

import re
import stat
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from spikeledger import units
from spikeledger.errors import InputError
from spikeledger.report.markup import h
from spikeledger.report.page import page, write_page
from spikeledger.study.comparison import Comparison

VOID = {"meta", "link", "br", "img"}
# closed by themselves inside SVG
SHAPES = {"rect", "path", "circle", "polygon"}


class Reader(HTMLParser):
    """Checks that every element is closed in order, and keeps text, ids, links and tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._note(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES
        self._note(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if "style" not in self.open:
            self.text.append(text)

    def _note(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            assert not name.startswith("on"), f"<{tag} {name}>"
            if name == "id":
                self.ids.append(value or "")
            elif name == "aria-labelledby":
                self.references += (value or "").split()
            elif name == "href" and (value or "").startswith("#"):
                self.references.append((value or "")[1:])


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def text_of(html: str) -> str:
    return " ".join(read(html).text).replace("\u00a0", " ")


def test_every_page_is_well_formed_and_alone(odd: Comparison) -> None:
    html = page(odd)
    reader = read(html)
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    assert set(reader.references) <= set(reader.ids)
    assert not reader.tags & {"script", "iframe", "object", "embed", "img", "base", "form"}
    # nothing is loaded: the only addresses are the name space of SVG and the icon inside the page
    assert set(re.findall(r"""(?:src|href|action)=["']([^"'#]{0,8})""", html)) <= {"", "data:ima"}
    assert "@import" not in html and "url(" not in html
    assert len(html) < 1_000_000
    for word in ("nan", "inf", "None", "NaN"):
        assert not re.search(rf"\b{word}\b", text_of(html)), word


def test_every_picture_is_xml_with_a_title_and_a_sentence(odd: Comparison) -> None:
    pictures = re.findall(r"<svg[^>]*class=\"picture\".*?</svg>", page(odd), re.S)
    assert len(pictures) >= 5
    space = "{http://www.w3.org/2000/svg}"
    for text in pictures:
        picture = ElementTree.fromstring(text)
        assert picture.get("role") == "img"
        title, says = picture.find(f"{space}title"), picture.find(f"{space}desc")
        assert title is not None and title.text
        assert says is not None and says.text and says.text.endswith(".")
        assert {title.get("id"), says.get("id")} == set((picture.get("aria-labelledby") or "").split())


def test_numbers_are_those_of_the_comparison(ordinary: Comparison) -> None:
    shown = text_of(page(ordinary))
    for side in (ordinary.ann, ordinary.snn):
        low, high = side.accuracy_interval
        for value in (side.accuracy, low, high):
            assert f"{100 * value:.2f}" in shown
        for name in ("dense_macs", "accumulates", "neuron_updates"):
            value = side.operations[name]
            assert any(f" {text} " in shown for text in (f"{value:,.0f}", f"{value:,.1f}", f"{value:.2f}")), name
        assert f"{side.parameters:,}" in shown
    for match in ordinary.matches:
        for cost in (match.ann, match.snn):
            assert cost.joules is not None and cost.ledger is not None
            for value in (cost.joules.low, cost.joules.nominal, cost.joules.high):
                assert units.joules(value) in shown
            for layer, joules in cost.ledger.by_layer().items():
                if joules > 0 and not match.as_published and layer:
                    assert units.joules(joules / cost.ledger.samples) in shown
        for view in match.views.values():
            assert view.verdict.text.split(":")[0].lower() in shown.lower()


def test_every_opponent_stands_there_with_its_range_and_its_sources(ordinary: Comparison) -> None:
    shown, found = text_of(page(ordinary)), ordinary.opponents
    assert found is not None
    for row in (*found.snn, *found.rows):
        for value in (row.joules.low, row.joules.nominal, row.joules.high):
            assert units.joules(value) in shown, row.label
        for entry in row.ledger.entries:
            assert entry.price is None or entry.price.source.split(" (")[0] in shown, entry
    for line in found.lines:
        assert line.label in shown and f"{line.low:g}" in shown
    assert f"The cheapest fair opponent ({found.best.label}) costs" in shown


def test_every_price_stands_there_with_its_source(ordinary: Comparison) -> None:
    shown = text_of(page(ordinary))
    for match in ordinary.matches:
        for cost in (match.ann, match.snn):
            assert cost.ledger is not None
            for entry in cost.ledger.entries:
                if entry.price is not None:
                    assert entry.price.source in shown
                    if entry.event in cost.ledger.profile.prices:  # else it is a share of a memory level's access
                        assert units.joules(entry.price.high) in shown
            if cost.static_watts is not None and cost.ledger.profile.static is not None:
                assert cost.ledger.profile.static.source in shown
            for caveat in cost.caveats:
                assert caveat[1:] in shown


def test_no_price_is_listed_that_was_not_used(make: Callable[[str], Comparison]) -> None:
    comparison = make("many steps")
    profile = comparison.matches[0].snn.ledger.profile  # type: ignore[union-attr]
    html = page(comparison)
    used = {
        entry.event for cost in (comparison.matches[0].ann, comparison.matches[0].snn) for entry in cost.ledger.entries
    }  # type: ignore[union-attr]
    for event in profile.prices:
        assert (h("th", event, scope="row") in html) == (event in used), event


def test_hostile_names_stay_text(hostile: Comparison) -> None:
    html = page(hostile, command="spikeledger compare --data '<script>'")
    assert "<script" not in html and "<b>" not in html and "<i>" not in html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;&quot;[red]$x^2$" in html
    assert "layers.<b>&'\"" in text_of(html)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("silent", ["no neuron fired", "never fired"]),
        ("one step", ["after 1 step,"]),
        ("no opponent", ["Not given: the first network has no weights", "On loihi: not given: the ANN has no price"]),
        ("nothing given", ["No device prices both networks, so there is no difference to turn."]),
        ("not given", ["On loihi: not given: the ANN has no price: 'loihi' runs no ANN"]),
        ("published only", ["No device of our own was asked for", "as published", "corrected"]),
        ("many classes", ["The 16 classes with most mistakes of 40 are drawn."]),
        ("many layers", ["6 of 14 layers are drawn"]),
        ("many neurons", ["128 neurons, evenly chosen, are drawn", "drawn by 128 of them, evenly chosen"]),
    ],
)
def test_what_is_special_is_said(make: Callable[[str], Comparison], name: str, words: list[str]) -> None:
    shown = text_of(page(make(name)))
    for text in words:
        assert text in shown


def test_the_way_to_do_it_again(ordinary: Comparison) -> None:
    assert "profiles=['horowitz-45nm', 'loihi', 'v100', 'published-paper-002-12nm'], seed=0" in text_of(page(ordinary))
    assert "spikeledger compare --data toy" in text_of(page(ordinary, command="spikeledger compare --data toy"))


def test_a_page_appears_whole_or_not_at_all(
    ordinary: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    assert write_page(ordinary, target) == target
    assert target.read_text("utf-8") == page(ordinary)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    before = target.read_bytes()

    def full_disk(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_page(ordinary, target)
    assert target.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_an_unwritable_place_is_one_sentence(ordinary: Comparison, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*: No such file or directory; choose a folder"):
        write_page(ordinary, tmp_path / "missing" / "report.html")


def test_the_same_comparison_gives_the_same_page(ordinary: Comparison) -> None:
    assert page(ordinary) == page(ordinary)


def test_the_first_screen_says_what_it_is_and_names_the_fair_opponent(ordinary: Comparison) -> None:
    text = page(ordinary)
    head = text[: text.index("<main")]
    assert "A range says how far the prices may be off" in head
    assert ordinary.opponents is not None and 'href="#opponent"' in head
    assert units_free(ordinary.opponents.brief[1:]) in units_free(head)


def units_free(text: str) -> str:
    return re.sub(r"&[a-z]+;|\W", "", text)


def test_views_that_say_the_same_are_one_row(ordinary: Comparison) -> None:
    reader = Reader()
    reader.feed(page(ordinary))
    assert "static on, static off, equal static" in "|".join(reader.text)  # horowitz-45nm has no static power
