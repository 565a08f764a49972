"""Counts in one read: of bits by column, of floats by place and step, and their class; each as plain torch has them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import spikeledger as sl
from spikeledger.kernels import counts
from spikeledger.kernels.choice import native, runs_native
from spikeledger.kernels.counts import look, nonzero
from spikeledger.kernels.fire import settings_of
from spikeledger.kernels.layers import Layer, stack
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


@pytest.mark.parametrize("columns", [3, 40])
@pytest.mark.parametrize("threads", [1, 3])
def test_neurons_are_counted_while_they_fire(instructions: None, columns: int, threads: int) -> None:
    generator = torch.Generator().manual_seed(columns)
    spikes = (torch.rand(6, 70, 200, generator=generator) < 0.1).float()
    weight = torch.randint(-2, 3, (columns, 200), generator=generator) / 4  # their sums are exact in any order
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        planes, given = pack(spikes), counts.rooms([columns], 6)
        assert planes is not None
        neuron = sl.LIF(0.5)
        rules = settings_of(neuron.threshold, neuron.reset, neuron.reset_delay, neuron.surrogate)
        (sent,) = stack(None, planes, [Layer(weight, None, neuron.decay(), rules)], counts=given)[1]
    finally:
        torch.set_num_threads(before)
    fired, currents = sent.dense(), spikes @ weight.T
    found = counts.done(given, [sent])[0]
    assert torch.equal(fired, neuron(currents)) and fired.any()
    expected = [(currents != 0).sum((0, 1)), fired.sum((0, 1)).long(), fired.sum((1, 2)).long()]
    assert found.counts.tolist() == torch.cat(expected).tolist()
    seen = counts.deeds(fired, currents, 2)
    assert seen is not None and seen.counts.tolist() == found.counts.tolist()
    assert seen[1:] == found[1:] == ("spikes", 1.0)


def test_what_the_core_cannot_look_at() -> None:
    assert look(torch.zeros(2, 3, dtype=torch.float64), 1) is None
    assert look(torch.zeros(0, 3), 1) is None
    assert look(torch.zeros(4, 6)[:, ::2], 1) is None
    assert counts.nonzero(torch.ones(2, 3, 4)[..., ::2]).tolist() == [6, 6]
