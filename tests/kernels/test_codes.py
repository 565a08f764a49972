"""The rate code in bits draws what torch would have drawn."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import spikeledger as sl
from spikeledger import kernels
from spikeledger.kernels.choice import native
from spikeledger.kernels.codes import rate_planes

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 700)),
    drawn=st.integers(0, 2000),
    seed=st.integers(0, 2**31),
)
def test_the_same_spikes_as_from_torch(shape: tuple[int, int, int], drawn: int, seed: int) -> None:
    steps, *rest = shape
    rates = torch.rand(rest)
    ours, theirs = (torch.Generator().manual_seed(seed) for _ in range(2))
    for generator in (ours, theirs):
        torch.rand(drawn, generator=generator)  # so that it starts anywhere in its block
    planes = rate_planes(rates, steps, ours)
    assert planes is not None
    drawn = torch.rand(rest[0], steps, rest[1], generator=theirs)  # one sample after the other
    assert torch.equal(planes.dense(), (drawn.transpose(0, 1) < rates).float())
    assert torch.equal(ours.get_state(), theirs.get_state())


def test_every_instruction_set_draws_the_same(instruction_set: str) -> None:
    rates, generator = torch.rand(5, 333), torch.Generator().manual_seed(3)
    planes = rate_planes(rates, 4, generator)
    assert planes is not None
    drawn = torch.rand(5, 4, 333, generator=torch.Generator().manual_seed(3))
    assert torch.equal(planes.dense(), (drawn.transpose(0, 1) < rates).float())


@pytest.mark.parametrize("backend", ["reference", "auto"])
def test_the_code_of_an_image_does_not_depend_on_its_batch(backend: str) -> None:
    samples = torch.rand(7, 1, 6, 11)
    with sl.backend(backend):
        whole = sl.encoders.Rate(5, seed=8)(samples)
        parts = sl.encoders.Rate(5, seed=8)
        assert torch.equal(torch.cat([parts(some) for some in samples.split([1, 4, 2])], 1), whole)


@pytest.mark.parametrize("kind", ["bernoulli", "poisson"])
def test_the_encoder_is_the_same_on_every_back_end(kind: str) -> None:
    samples = torch.rand(3, 1, 9, 9)
    found = []
    for backend in ("reference", "auto"):
        with sl.backend(backend):
            encoder = sl.encoders.Rate(7, seed=5, kind=kind)  # type: ignore[arg-type]
            found.append([encoder(samples), encoder(samples)])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert kernels.planes_of(found[1][0]) is not None


def test_a_network_takes_the_bits_without_floats() -> None:
    network = sl.zoo.mlp(81, 40, 10, timesteps=6, seed=2)
    samples = torch.rand(8, 1, 9, 9)
    found = []
    for watch in (True, False):
        handle = network.encoder.register_forward_hook(lambda *_: None) if watch else None
        network.reseed(4)
        found.append(network(samples))
        if handle is not None:
            handle.remove()
    assert torch.equal(*found)
