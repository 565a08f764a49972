"""Samples beside what both networks made of them: pixels, or where and when the events of a recording fall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..study.comparison import Comparison
from ..study.examples import Example
from .drawing import SMALL, WIDTH, Box, Picture, Words, shortened
from .wording import plural

#: samples side by side, cells a side at most, and shades of a cell
_ACROSS, _CELLS, _SHADES = 4, 28, 15


def plot_examples(comparison: Comparison) -> Picture | None:
    """The first test sample, and some that one network or both got wrong, with what each answered.

    A sample is drawn as the mean over the axes in front of its last two: `[C, H, W]` in grey, an event recording
    `[T, C, H, W]` as a map of where its events fall, a sequence `[T, N]` with time to the right. None where it has one axis.
    """
    drawn = [(one, image) for one in comparison.examples if (image := shades(one.values, one.sequence)) is not None]
    if not drawn:
        return None
    wrong = sum(one.ann != one.truth or one.snn != one.truth for one, _ in drawn)
    says = (
        f"{wrong} of these {plural(len(drawn), 'sample')} a network got wrong; the first test sample stands in front."
    )
    if drawn[0][0].sequence:
        says += " " + (
            "Time runs to the right." if drawn[0][0].values.ndim == 2 else "Each is a map of where its events fall."
        )
    wide = (WIDTH - 12.0 * (_ACROSS - 1)) / _ACROSS
    high, rows = wide + 54, -(-len(drawn) // _ACROSS)
    picture = Picture("Samples, and what was made of them", says, height=rows * high)
    for index, (one, image) in enumerate(drawn):
        left, top = (index % _ACROSS) * (wide + 12), (index // _ACROSS) * high
        _draw(picture, image, left, top, wide)
        for line, (text, role) in enumerate(_said(one, comparison.classes)):
            picture.add(Words(left, top + wide + 15 + 14 * line, shortened(text, wide, SMALL), role))
    return picture


def shades(values: NDArray[np.float32], sequence: bool = False) -> NDArray[np.int64] | None:
    """A sample as whole shades `[H, W]` from 0 to `_SHADES`, at most `_CELLS` a side; None where it is no image."""
    if values.ndim < 2:
        return None
    flat = values.reshape(-1, *values.shape[-2:]).mean(0)
    flat = flat.T if sequence and values.ndim == 2 else flat  # time to the right
    if min(flat.shape) < 2:
        return None
    for axis in (0, 1):  # mean over neighbouring cells where there are too many
        edges = np.unique(np.linspace(0, flat.shape[axis], min(flat.shape[axis], _CELLS) + 1).astype(np.int64))
        sizes = np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
        flat = np.add.reduceat(flat, edges[:-1], axis) / sizes
    low, high = float(flat.min()), float(flat.max())
    return np.rint((flat - low) / max(high - low, 1e-30) * _SHADES).astype(np.int64)


def _draw(picture: Picture, image: NDArray[np.int64], left: float, top: float, wide: float) -> None:
    cell = min(wide / image.shape[1], wide / image.shape[0])
    picture.add(Box(left, top, cell * image.shape[1], cell * image.shape[0], "grid", opacity=0.35))
    for row, line in enumerate(image):
        ends = [*(np.flatnonzero(np.diff(line)) + 1), len(line)]  # equal neighbours are one box
        for start, end in zip([0, *ends], ends, strict=False):
            if line[start]:
                at = left + float(start) * cell, top + row * cell
                picture.add(Box(*at, float(end - start) * cell, cell, "ink", opacity=float(line[start]) / _SHADES))


def _said(one: Example, classes: Sequence[str]) -> list[tuple[str, str]]:
    """Class and answers of a sample, each with the role that it is written in."""
    name = {index: text for index, text in enumerate(classes)}
    both = (("ANN", one.ann, "ann"), ("SNN", one.snn, "snn"))
    answers = [(f"{who}: {name.get(answer, str(answer))}", role) for who, answer, role in both]
    return [(f"is {name.get(one.truth, str(one.truth))}", "ink"), *answers]
