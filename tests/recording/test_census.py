"""One look at a tensor: by blocks, by broadcast axes, by whole numbers of spikes; always the same as a plain count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.recording import census as looking
from spikeledger.recording.census import census


@given(st.integers(0, 600), st.integers(1, 5), st.sampled_from([1.0, 0.25, -1.0]), st.integers(0, 99), st.booleans())
@settings(max_examples=30, deadline=None)
def test_blocks_count_like_one_look(rows: int, places: int, size: float, seed: int, graded: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = (torch.rand((rows, places), generator=generator) < 0.3).float() * size
    if graded and rows:
        values[-1, -1] = 0.5  # another size, at the very end
    seen = census(values, 1)
    assert (seen.nonzero == (values != 0).sum(0).numpy()).all()
    sizes = set(values.abs().unique().tolist()) - {0.0}
    assert seen.inputs == ("silent" if not sizes else "spikes" if len(sizes) == 1 else "graded")
    assert seen.magnitude == (sizes.pop() if len(sizes) == 1 else 0.0)


def test_a_broadcast_axis_counts_as_often_as_it_repeats() -> None:
    image = (torch.rand(3, 6) < 0.5).float()
    seen = census(image.expand(5, 3, 6), 2)
    assert (seen.nonzero == 5 * image.sum(0).numpy()).all()
    assert seen.inputs == "spikes"


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_number_formats(kind: torch.dtype) -> None:
    values = (torch.rand(40, 6) < 0.5).to(kind)
    seen = census(values, 1)
    assert seen.inputs == "spikes" and seen.magnitude == 1
    assert (seen.nonzero == values.to(torch.int64).sum(0).numpy()).all()


def test_whole_numbers_of_spikes() -> None:
    values = torch.tensor([[0.5, 0.0], [1.5, 0.5]])
    seen = census(values, 1, unit=0.5)
    assert seen.nonzero.tolist() == [4, 1] and (seen.inputs, seen.magnitude) == ("spikes", 0.5)
    assert census(values, 1).inputs == "graded"


def test_what_is_no_number_is_graded_and_nothing_is_silent() -> None:
    assert census(torch.tensor([[float("nan"), 1.0]]), 1).inputs == "graded"
    assert census(torch.zeros(0, 4), 1).nonzero.tolist() == [0] * 4
    assert looking._whole(torch.ones(2, 3))[2] == 1.0 and np.all(looking._whole(torch.ones(2, 3))[0] == 2)
