"""Pictures of what happened: recorded spikes, rates, and answers. Nothing here is drawn that was not recorded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity
from ..errors import InputError
from ..study.comparison import Comparison
from ..study.one_network import Side
from .axes import Scale, joined, upwards
from .drawing import SMALL, WIDTH, Box, Marker, Picture, Strokes, Words, fits, shortened
from .wording import accuracy, percent, plural, short

#: a raster shows so many neurons at the most, evenly chosen
MOST_NEURONS = 128
#: a confusion matrix shows so many classes at the most: those with most mistakes
MOST_CLASSES = 16


def plot_raster(activity: Activity, layer: str, *, most: int = MOST_NEURONS) -> Picture:
    """The spikes of the first recorded sample in one layer: a stroke a spike, a row a neuron, a column a step."""
    if layer not in activity.rasters:
        known = ", ".join(activity.rasters) or "none"
        raise InputError(f"no spike raster of layer '{layer}' was recorded; layers with one: {known}")
    spikes = np.asarray(activity.rasters[layer])
    spikes = spikes.reshape(len(spikes), -1)
    steps, neurons = spikes.shape
    shown = evenly(neurons, most)
    left, right, top = 34.0, WIDTH - 2, 20.0
    pitch = min(max(150.0 / max(len(shown), 1), 1.3), 14.0)
    bottom = top + max(pitch * len(shown), 24.0)
    column = (right - left) / max(steps, 1)
    fired, total = int(np.count_nonzero(spikes.any(0))), int(np.count_nonzero(spikes))
    says = (
        f"{plural(total, 'spike')} by {fired:,} of {neurons:,} neurons in {plural(steps, 'step')} of the first sample"
    )
    says += f"; {len(shown)} neurons, evenly chosen, are drawn." if len(shown) < neurons else "."
    picture = Picture(f"Spikes: {layer}", says, height=bottom + 34)
    rate = total / max(spikes.size, 1)
    picture.add(Words(left, 12, f"{percent(rate)} of neurons fire in a step", "muted"))
    picture.add(Box(left, top, right - left, bottom - top, "grid", opacity=0.35))
    strokes = []
    for row, neuron in enumerate(shown):
        y = top + (row + 0.5) * (bottom - top) / len(shown)
        for fired_at in np.flatnonzero(spikes[:, neuron]):
            x = left + float(fired_at) * column
            strokes.append((x + column * 0.06, y, x + column * 0.94, y))
    if strokes:
        picture.add(Strokes(tuple(strokes), "snn", max(pitch * 0.72, 1.0)))
    else:
        picture.add(Words((left + right) / 2, (top + bottom) / 2 + 4, "no neuron fired", "muted", anchor="middle"))
    every = max(1, math.ceil(steps / 10))
    for step in range(0, steps, every):
        picture.add(Words(left + (step + 0.5) * column, bottom + 14, str(step + 1), "muted", anchor="middle"))
    picture.add(Words(right, bottom + 28, "step", "muted", anchor="end"))
    picture.add(Words(left - 6, top + 9, "0", "muted", anchor="end"))
    picture.add(Words(left - 6, bottom, f"{neurons - 1}", "muted", anchor="end"))
    return picture


def plot_input(activity: Activity, layer: str) -> Picture | None:
    """The first recorded sample as its spikes show it: a square a pixel, the darker the more steps it fired in.

    None where the population is no image `[H, W]` or `[C, H, W]`; channels are laid on top of each other.
    """
    shape = activity.layer(layer).shape
    if len(shape) not in (2, 3) or min(shape[-2:]) < 2:
        return None
    spikes = np.asarray(activity.rasters[layer])
    image = (spikes != 0).reshape(len(spikes), -1, *shape[-2:]).mean(0).max(0)
    high, wide = image.shape
    each = min((WIDTH - 2) / wide, 150.0 / high)
    left, top = (WIDTH - each * wide) / 2, 2.0
    steps = plural(len(spikes), "step")
    says = f"What {layer} sent of the first sample: the darker a pixel, the more of the {steps} it fired in."
    picture = Picture("The first sample, as spikes show it", says, height=top + each * high + 4)
    picture.add(Box(left, top, each * wide, each * high, "grid", opacity=0.35))
    for y, x in np.argwhere(image > 0):
        picture.add(Box(left + x * each, top + y * each, each, each, "snn", opacity=float(image[y, x])))
    return picture


def plot_rates(activity: Activity, layer: str, *, bins: int = 20) -> Picture:
    """How often neurons of one layer fire: a histogram over neurons of spikes a step, all recorded samples together."""
    rates = firing_rates(activity, layer)
    highest = float(rates.max(initial=0.0))
    edge = _round_up(highest)
    counts, edges = np.histogram(rates, bins=bins, range=(0.0, edge))
    silent = int(np.count_nonzero(rates == 0))
    left, right, top, bottom = 40.0, WIDTH - 2, 22.0, 134.0
    mean = float(rates.mean()) if rates.size else 0.0
    says = f"{silent:,} of {rates.size:,} neurons never fired; the mean is {short(mean)} spikes a neuron and step"
    says += f", the busiest neuron has {short(highest)}." if highest else "."
    picture = Picture(f"Firing rates: {layer}", says, height=bottom + 34)
    picture.add(Words(0, 12, "neurons", "muted"))
    x = Scale(0.0, edge, left, right)
    y = Scale(0.0, float(max(counts.max(initial=0), 1)), bottom, top, whole=True)
    picture.add(*upwards(y, left, right, lambda tick: f"{tick:,.0f}", most=4))
    for number, start, end in zip(counts, edges, edges[1:], strict=False):
        if number:
            note = f"{plural(int(number), 'neuron')} with {start:.3g} to {end:.3g} spikes a step"
            high = max(bottom - y(float(number)), 1.2)
            picture.add(
                Box(x(float(start)) + 0.5, bottom - high, x(float(end)) - x(float(start)) - 1, high, "snn", note)
            )
    picture.add(Strokes(((left, bottom, right, bottom),), "muted"))
    for tick in x.ticks(5):
        rim = math.isclose(tick, edge)
        picture.add(
            Words(right if rim else x(tick), bottom + 14, f"{tick:g}", "muted", anchor="end" if rim else "middle")
        )
    picture.add(Words(right, bottom + 28, "spikes a step of each neuron", "muted", anchor="end"))
    return picture


def plot_running(comparison: Comparison) -> Picture:
    """The SNN's accuracy when it is read after 1, 2, ... T steps, beside the ANN's; bands are 95 % intervals."""
    by_step = comparison.snn.accuracy_by_step or (comparison.snn.accuracy,)
    ann = comparison.ann.accuracy
    low, high = comparison.ann.accuracy_interval
    floor = max(math.floor(min(*by_step, low, 0.99) * 10 - 0.2) / 10, 0.0)
    floor = floor if floor >= 0.4 else 0.0
    left, right, top, bottom = 44.0, WIDTH - 2, 32.0, 204.0
    steps = len(by_step)
    x = Scale(0.5, steps + 0.5, left, right)
    y = Scale(floor, 1.0, bottom, top)
    away = [step for step, share in enumerate(by_step, 1) if abs(share - by_step[-1]) > 0.001]
    reached = away[-1] + 1 if away else 1
    says = f"The SNN answers with {accuracy(by_step[-1])} after {plural(steps, 'step')}, the ANN with {accuracy(ann)}"
    says += (
        f"; {accuracy(by_step[0])} after the first step, within 0.1 points of the end from step {reached} on."
        if steps > 1
        else "."
    )
    picture = Picture("Accuracy as steps go by", says, height=bottom + 34)
    picture.add(*upwards(y, left, right, lambda tick: f"{100 * tick:.0f} %"))
    picture.add(Box(left, y(high), right - left, max(y(low) - y(high), 1.0), "ann", opacity=0.18))
    picture.add(Strokes(((left, y(ann), right, y(ann)),), "ann", 1.8, dash=(6, 3)))
    points = [(x(step), y(share)) for step, share in enumerate(by_step, 1)]
    picture.add(Strokes(joined(points), "snn", 2.2))
    for (px, py), share, step in zip(points, by_step, range(1, steps + 1), strict=True):
        if steps <= 40:
            picture.add(Marker(px, py, "diamond", "snn", 4, f"after step {step}: {accuracy(share)}"))
    every = max(1, math.ceil(steps / 10))
    for step in range(1, steps + 1, every):
        picture.add(Words(x(step), bottom + 15, str(step), "muted", anchor="middle"))
    picture.add(
        Strokes(((left, 8, left + 24, 8),), "ann", 1.8, dash=(6, 3)), Words(left + 30, 12, f"ANN {accuracy(ann)}")
    )
    middle = (left + right) / 2
    picture.add(Strokes(((middle, 8, middle + 24, 8),), "snn", 2.2), Marker(middle + 12, 8, "diamond", "snn", 4))
    picture.add(Words(middle + 30, 12, f"SNN {accuracy(by_step[-1])}"))
    picture.add(Words(right, bottom + 30, "steps seen", "muted", anchor="end"))
    if floor > 0:
        picture.add(Words(0, bottom + 30, f"axis starts at {100 * floor:.0f} %", "muted"))
    return picture


def plot_confusion(side: Side, classes: tuple[str, ...]) -> Picture:
    """Which class was taken for which: a row a truth, a column an answer, the number of samples in each cell."""
    table = side.confusion
    wrong = int(table.sum() - np.trace(table))
    mistakes = table.sum(1) + table.sum(0) - 2 * np.diag(table)
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[:MOST_CLASSES])
    part = table[np.ix_(chosen, chosen)]
    names = [classes[index] if index < len(classes) else str(index) for index in chosen]
    margin = min(max(len(name) for name in names) * SMALL * 0.58 + 16, 96.0)
    cell = (WIDTH - margin) / len(names)
    upright = max(len(name) for name in names) * SMALL * 0.58 > cell
    top = 8.0 + (min(max(len(name) for name in names) * SMALL * 0.58, 60.0) if upright else 12.0)
    says = _confusion_sentence(side, classes, wrong)
    if len(names) < len(table):
        says += f" The {len(names)} classes with most mistakes of {len(table)} are drawn."
    picture = Picture(f"{side.kind.upper()}: truth and answer", says, height=top + cell * len(names) + 22)
    totals = np.maximum(table.sum(1)[chosen], 1)
    for row, name in enumerate(names):
        y = top + row * cell
        picture.add(Words(margin - 6, y + cell / 2 + 4, shortened(name, margin - 8), "muted", anchor="end"))
        head = margin + (row + 0.5) * cell
        if upright:
            picture.add(Words(head + 4, top - 5, shortened(name, 60), "muted", upward=True))
        else:
            picture.add(Words(head, top - 5, name, "muted", anchor="middle"))
        for column in range(len(names)):
            number = int(part[row, column])
            shade = math.sqrt(number / int(totals[row]))
            x = margin + column * cell
            if not number:
                picture.add(Box(x + 0.5, y + 0.5, cell - 1, cell - 1, "grid", opacity=0.3))
                continue
            note = f"{plural(number, 'sample')} of {name} answered as {names[column]}"
            picture.add(
                Box(x + 0.5, y + 0.5, cell - 1, cell - 1, side.kind, note, opacity=min(0.12 + 0.88 * shade, 1.0))
            )
            text = str(number)
            size = next((size for size in (SMALL, 10.0, 9.0) if fits(text, cell - 2, size)), 0.0)
            if size:
                ink = f"on-{side.kind}" if shade > 0.7 else "ink"
                picture.add(Words(x + cell / 2, y + cell / 2 + size * 0.36, text, ink, size, "middle"))
    picture.add(Words(0, picture.height - 6, "a row a truth, a column an answer; numbers are samples", "muted"))
    return picture


def firing_rates(activity: Activity, layer: str) -> NDArray[np.float64]:
    """Spikes of each neuron divided by the steps of all samples, `[N]`."""
    # spikes / (samples * steps) = spikes a step
    opportunities = max(activity.samples * activity.timesteps, 1)
    return activity.per_neuron(layer, "spike").ravel() / opportunities


def evenly(neurons: int, most: int) -> NDArray[np.int64]:
    """At most `most` of so many neurons, evenly spaced, the first and the last among them."""
    if neurons <= most:
        return np.arange(neurons)
    return np.unique(np.linspace(0, neurons - 1, most).round().astype(np.int64))


def _round_up(value: float) -> float:
    """The next round number: the end of an axis."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if value <= power * factor * (1 + 1e-9)
    )


def _confusion_sentence(side: Side, classes: tuple[str, ...], wrong: int) -> str:
    table = side.confusion.copy()
    said = f"The {side.kind.upper()} got {wrong:,} of {side.samples:,} samples wrong"
    np.fill_diagonal(table, 0)
    if not wrong:
        return said + "."
    truth, answer = np.unravel_index(int(table.argmax()), table.shape)
    often = int(table[truth, answer])
    return f"{said}; most often it took {classes[truth]} for {classes[answer]} ({plural(often, 'time')})."
