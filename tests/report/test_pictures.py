"""Pictures: what they draw is what was recorded and priced, and they come as SVG, PNG and matplotlib figures."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import comparisons
from spikeledger import units
from spikeledger.errors import InputError
from spikeledger.report import figures
from spikeledger.report.axes import Scale
from spikeledger.report.behaviour import MOST_NEURONS, evenly, firing_rates
from spikeledger.report.drawing import Box, Marker, Picture, Strokes, Words
from spikeledger.study.comparison import Comparison
from spikeledger.study.sensitivity import sensitivity


def every_picture(comparison: Comparison) -> list[Picture]:
    activity = comparison.snn.activity
    drawn = [figures.plot_joules(comparison), figures.plot_terms(comparison), figures.plot_running(comparison)]
    drawn += [figures.plot_confusion(side, comparison.classes) for side in (comparison.ann, comparison.snn)]
    drawn += [figures.plot_layers(match) for match in comparison.matches]
    drawn += [figures.plot_break_even(match) for match in comparison.matches if match.break_even is not None]
    drawn += [figures.plot_tornado(match) for match in comparison.matches if match.ann.ledger and match.snn.ledger]
    if comparison.opponents is not None:
        drawn += [figures.plot_opponents(comparison), figures.plot_boards(comparison), figures.plot_limits(comparison)]
    drawn += [figures.plot_raster(activity, layer) for layer in activity.rasters]
    drawn += [figures.plot_rates(activity, layer) for layer in activity.rasters]
    return drawn


def test_nothing_leaves_the_frame(odd: Comparison) -> None:
    for picture in every_picture(odd):
        for mark in picture.marks:
            for x, y in corners(mark):
                assert -1 <= x <= picture.width + 1, (picture.title, mark)
                assert -1 <= y <= picture.height + 1, (picture.title, mark)


def corners(mark: object) -> list[tuple[float, float]]:
    match mark:
        case Box():
            assert mark.width >= 0 and mark.height >= 0
            return [(mark.x, mark.y), (mark.x + mark.width, mark.y + mark.height)]
        case Strokes():
            return [point for x1, y1, x2, y2 in mark.segments for point in ((x1, y1), (x2, y2))]
        case Marker():
            return [(mark.x - mark.radius, mark.y - mark.radius), (mark.x + mark.radius, mark.y + mark.radius)]
        case Words() if not mark.upward:
            # what a narrow system font takes; a wider one may be a little longer
            wide = len(mark.text) * mark.size * 0.5
            start = {"start": mark.x, "middle": mark.x - wide / 2, "end": mark.x - wide}[mark.anchor]
            return [(start, mark.y), (start + wide, mark.y)]
    return []


def test_a_raster_draws_each_recorded_spike_once(ordinary: Comparison) -> None:
    activity = ordinary.snn.activity
    for layer, spikes in activity.rasters.items():
        picture = figures.plot_raster(activity, layer)
        drawn = [stroke for mark in picture.marks if isinstance(mark, Strokes) for stroke in mark.segments]
        assert len(drawn) == int(np.count_nonzero(spikes))
        assert f"{np.count_nonzero(spikes):,} spikes" in picture.says


def test_a_raster_of_many_neurons_draws_even_ones_and_says_so() -> None:
    comparison = comparisons.small(widths=(700, 300), profiles=("horowitz-45nm",))
    spikes = comparison.snn.activity.rasters["encoder"]
    chosen = evenly(700, MOST_NEURONS)
    picture = figures.plot_raster(comparison.snn.activity, "encoder")
    drawn = [stroke for mark in picture.marks if isinstance(mark, Strokes) for stroke in mark.segments]
    assert len(chosen) == MOST_NEURONS and chosen[0] == 0 and chosen[-1] == 699
    assert len(drawn) == int(np.count_nonzero(spikes[:, chosen]))
    assert f"{np.count_nonzero(spikes):,} spikes" in picture.says and "128 neurons, evenly chosen" in picture.says


def test_a_histogram_holds_every_neuron(odd: Comparison) -> None:
    activity = odd.snn.activity
    for layer in activity.rasters:
        picture = figures.plot_rates(activity, layer)
        counts = [int(mark.title.split()[0].replace(",", "")) for mark in picture.marks if isinstance(mark, Box)]
        rates = firing_rates(activity, layer)
        assert sum(counts) == rates.size
        assert rates.min() >= 0 and rates.max() <= 1


def test_a_confusion_matrix_holds_every_sample(ordinary: Comparison) -> None:
    for side in (ordinary.ann, ordinary.snn):
        picture = figures.plot_confusion(side, ordinary.classes)
        numbers = [int(mark.title.split()[0]) for mark in picture.marks if isinstance(mark, Box) and mark.title]
        assert sum(numbers) == side.samples
        assert f"{side.samples - side.correct:,} of {side.samples:,}" in picture.says


def test_shares_fill_the_bar(ordinary: Comparison) -> None:
    picture = figures.plot_terms(ordinary)
    bars: dict[float, float] = {}
    for mark in picture.marks:
        if isinstance(mark, Box) and mark.title:
            bars[mark.y] = max(bars.get(mark.y, 0.0), mark.x + mark.width)
    assert bars
    assert all(end == pytest.approx(picture.width, abs=1.5) for end in bars.values())


def test_marks_stand_where_the_axis_says(ordinary: Comparison) -> None:
    marks = [mark for mark in figures.plot_joules(ordinary).marks if isinstance(mark, Marker) and mark.title]
    costs = [cost for match in ordinary.matches for cost in (match.ann, match.snn) if cost.joules]
    assert len(marks) == len(costs)
    pairs = sorted((cost.joules.nominal, mark.x) for cost, mark in zip(costs, marks, strict=True) if cost.joules)
    logs, places = np.log10([value for value, _ in pairs]), np.array([x for _, x in pairs])
    slope, offset = np.polyfit(logs, places, 1)
    assert np.allclose(slope * logs + offset, places, atol=0.01)


def test_this_network_is_on_its_break_even_picture(ordinary: Comparison) -> None:
    match = ordinary.match("horowitz-45nm")
    assert match.break_even is not None
    picture = figures.plot_break_even(match)
    assert any(isinstance(mark, Marker) and "this network" in mark.title for mark in picture.marks)
    for line in ("Dampfhoffer", "Davidson"):
        assert any(isinstance(mark, Words) and line in mark.text for mark in picture.marks)
    with pytest.raises(InputError, match="has no break-even"):
        figures.plot_break_even(ordinary.match("published-paper-002-12nm"))


def test_a_limit_of_one_number_of_steps_is_a_point(ordinary: Comparison) -> None:
    picture = figures.plot_break_even(ordinary.match("horowitz-45nm"))
    points = [mark for mark in picture.marks if isinstance(mark, Marker) and "Yan" in mark.title]
    assert [point.shape for point in points] == ["disc"]
    here = next(mark for mark in picture.marks if isinstance(mark, Marker) and "this network" in mark.title)
    assert points[0].x == pytest.approx(here.x)  # this network runs for 5 steps too
    assert "0.0570" in points[0].title


@pytest.mark.parametrize("name", ["horowitz-45nm", "loihi", "v100"])
def test_a_bar_has_two_colours_if_its_price_turns_the_nominal_sign(ordinary: Comparison, name: str) -> None:
    match = ordinary.match(name)
    assert match.snn.ledger is not None
    found = sensitivity(match.snn.ledger, against=match.ann.ledger)
    picture = figures.plot_tornado(match, most=100)
    bars: dict[float, set[str]] = {}
    for mark in picture.marks:
        if isinstance(mark, Box) and mark.title:
            bars.setdefault(mark.y, set()).add(mark.role)
    moving = [swing for swing in found.swings if swing.width > 0]
    assert len(bars) == len(moving)
    for colours, swing in zip(bars.values(), moving, strict=True):
        assert (len(colours) == 2) == swing.flips, swing
    bold = [mark.text for mark in picture.marks if isinstance(mark, Words) and mark.bold]
    assert len(bold) == len(found.deciding)
    assert ("no price is worth knowing better" in picture.says) == (not found.deciding)
    share = match.snn.ledger.samples
    assert units.joules(abs(found.nominal) / share) in picture.says


def test_a_tornado_of_one_bill(ordinary: Comparison) -> None:
    ledger = ordinary.match("loihi").snn.ledger
    assert ledger is not None
    found = sensitivity(ledger)
    picture = figures.plot_tornado(found, most=2)
    boxes = [mark for mark in picture.marks if isinstance(mark, Box) and mark.title]
    assert len({box.y for box in boxes}) == 2
    assert picture.says.startswith("Duration moves it most, by")
    widths = [sum(box.width for box in boxes if box.y == y) for y in dict.fromkeys(box.y for box in boxes)]
    assert widths == sorted(widths, reverse=True)


def test_a_match_without_prices_has_no_tornado(make: Callable[[str], Comparison]) -> None:
    with pytest.raises(InputError, match="'loihi:loihi' has no prices to rank: 'loihi' runs no ANN"):
        figures.plot_tornado(make("not given").match("loihi:loihi"))
    for plot in (figures.plot_opponents, figures.plot_boards, figures.plot_limits):
        with pytest.raises(InputError, match="no fair opponents"):
            plot(make("no opponent"))


@pytest.mark.parametrize(
    ("measured", "places"),
    [
        (0.0, ["below", "below", "below"]), (0.1, ["below", "below", "below"]), (0.2, ["inside", "below", "below"]),
        (1.38, ["inside", "below", "above"]), (1.5, ["above", "below", "above"]), (50.0, ["above", "above", "above"]),
    ],
)  # fmt: skip
def test_where_the_spikes_stand(ordinary: Comparison, measured: float, places: list[str]) -> None:
    assert ordinary.opponents is not None and ordinary.snn.timesteps == 5
    moved = replace(ordinary, opponents=replace(ordinary.opponents, events_per_synapse=measured))
    picture = figures.plot_limits(moved)
    said = picture.says.split("; ")[1:]
    assert [words.split(": ")[1].split()[0] for words in said] == places
    marks = [mark for mark in picture.marks if isinstance(mark, Marker) and mark.shape == "diamond"]
    assert len(marks) == (measured > 0)


def test_a_limit_of_five_steps_says_nothing_of_sixty(make: Callable[[str], Comparison]) -> None:
    assert "was found at T = 5 and says nothing of T = 60" in figures.plot_limits(make("many steps")).says


def test_a_layer_without_a_raster_is_one_sentence(ordinary: Comparison) -> None:
    with pytest.raises(InputError, match=r"no spike raster of layer 'fc9'.*encoder"):
        figures.plot_raster(ordinary.snn.activity, "fc9")


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_every_picture_is_saved(ordinary: Comparison, tmp_path: Path, suffix: str, start: bytes) -> None:
    for index, picture in enumerate(every_picture(ordinary) if suffix == ".svg" else every_picture(ordinary)[:3]):
        path = picture.save(tmp_path / f"{index}{suffix}")
        assert path.read_bytes().startswith(start)
        if suffix == ".svg":
            ElementTree.parse(path)
    with pytest.raises(InputError, match=r"end the name in \.svg, \.png or \.pdf"):
        every_picture(ordinary)[0].save(tmp_path / "x.gif")


def test_every_picture_becomes_a_matplotlib_figure(hostile: Comparison) -> None:
    for picture in every_picture(hostile):
        figure = picture.to_matplotlib()
        figure.draw_without_rendering()
        artists = figure.axes[0]
        assert len(artists.patches) + len(artists.collections) + len(artists.texts) == len(picture.marks) + 1
        order = [each.get_zorder() for each in artists.get_children()[: len(picture.marks) + 1]]
        assert order == list(range(len(picture.marks) + 1))  # later marks lie above earlier ones, as in SVG


def test_a_notebook_shows_the_picture_and_its_sentence(hostile: Comparison) -> None:
    shown = figures.plot_joules(hostile)._repr_html_()
    assert shown.startswith("<svg") and "prefers-color-scheme:dark" in shown and "<script" not in shown


def test_drawing_needs_neither_matplotlib_nor_torch() -> None:
    code = (
        "import sys; import spikeledger.report.page, spikeledger.report.figures, spikeledger.report.terminal_verdicts;"
        "print([name for name in ('matplotlib', 'torch', 'rich', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scale_clamps() -> None:
    assert Scale(1.0, 100.0, 0.0, 10.0, log=True)(10.0) == pytest.approx(5.0)
    assert Scale(1.0, 100.0, 0.0, 10.0, log=True)(0.0) == 0.0
    assert Scale(0.0, 2.0, 0.0, 10.0)(5.0) == 10.0


def test_what_decides_in_the_picture_is_what_decides_the_verdict() -> None:
    """One computation: the verdict's, which knows the parts of the samples; widths are the ledgers' own."""
    found = comparisons.small(widths=(64, 32, 10), profiles=("horowitz-45nm", "jouppi-7nm"))
    assert [len(match.verdict.decided_by) for match in found.matches] == [1, 2]
    for match in found.matches:
        assert match.snn.ledger is not None and match.ann.ledger is not None
        ranked = sensitivity(match.snn.ledger, against=match.ann.ledger, judged=match.verdict)
        assert [one.worth for one in ranked.deciding] == list(match.verdict.decided_by)
        again = sensitivity(match.snn.ledger, against=match.ann.ledger)
        ends = {one.name: (one.at_low, one.at_high) for one in again.swings}
        assert {one.name: (one.at_low, one.at_high) for one in ranked.swings} == ends
        drawn = figures.plot_tornado(match).marks
        bold = {mark.text for mark in drawn if isinstance(mark, Words) and mark.bold and mark.size == 12}
        assert {one.short if match.same_device else one.name for one in ranked.deciding} <= bold
