"""Counts in one read: of bits by column, of floats by place and step, and their class; each as plain torch has them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.kernels import counts
from spikeledger.kernels.choice import native, runs_native
from spikeledger.kernels.counts import look, nonzero
from spikeledger.kernels.planes import pack

pytestmark = pytest.mark.skipif(not runs_native(torch.zeros(1)), reason="the native core was not built")


@pytest.fixture(params=["plain", "avx2", "avx512"])
def instructions(request: pytest.FixtureRequest):
    core = native()
    assert core is not None
    if request.param not in core.instruction_sets():
        pytest.skip(f"this processor has no {request.param}")
    before = core.instruction_set()
    core.use_instruction_set(request.param)
    yield
    core.use_instruction_set(before)


@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 64), (9, 65), (255, 784), (4100, 130), (3, 1100)])
def test_columns_of_bits(instructions: None, rows: int, columns: int, density: float) -> None:
    spikes = (torch.rand(1, rows, columns, generator=torch.Generator().manual_seed(rows)) < density).float()
    bits, counted = pack(spikes), pack(spikes, count=True)
    assert bits is not None and counted is not None
    assert torch.equal(bits.per_neuron(), spikes.sum((0, 1)).long())
    assert torch.equal(counted.per_neuron(), bits.per_neuron()) and torch.equal(counted.words, bits.words)
    assert pack(spikes * 2, count=True) is None or not spikes.any()
    assert torch.equal(bits.sample(rows - 1), spikes[:, rows - 1])


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 300)), st.integers(0, 99),
    st.sampled_from(["silent", "ones", "signed", "scaled", "graded", "nan"]), st.sampled_from(["TB", "BT", "cut"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_floats(shape: tuple[int, int, int], seed: int, kind: str, layout: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = (torch.rand(shape, generator=generator) < (0.0 if kind == "silent" else 0.4)).float()
    values = {"signed": -values, "scaled": values * 0.3, "graded": values * torch.rand(shape)}.get(kind, values)
    if kind == "nan":
        values[-1, -1, -1] = float("nan")
    if layout == "BT":
        values = values.transpose(0, 1).contiguous().transpose(0, 1)
    elif layout == "cut":
        values = torch.cat([values, values], 2)[..., : shape[2]]
    seen = look(values, 2, by_step=True)
    assert seen is not None
    assert seen.places.tolist() == (values != 0).sum((0, 1)).tolist() == nonzero(values).tolist()
    assert seen.steps.tolist() == (values != 0).sum((1, 2)).tolist()
    sizes = set(values[values != 0].abs().tolist())
    odd = len(sizes) > 1 or bool(values.isnan().any())
    assert seen.inputs == ("silent" if not sizes else "graded" if odd else "spikes")
    assert seen.magnitude == (sizes.pop() if seen.inputs == "spikes" else 0.0)


def test_what_the_core_cannot_look_at() -> None:
    assert look(torch.zeros(2, 3, dtype=torch.float64), 1) is None
    assert look(torch.zeros(0, 3), 1) is None
    assert look(torch.zeros(4, 6)[:, ::2], 1) is None
    assert counts.nonzero(torch.ones(2, 3, 4)[..., ::2]).tolist() == [6, 6]
