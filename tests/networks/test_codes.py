"""Encoders and decoders: values to spikes and back."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from spikeledger.errors import InputError
from spikeledger.networks import zoo
from spikeledger.networks.decoders import (
    LatencyDecoder,
    PopulationDecoder,
    RateDecoder,
    decoder,
    first_spike,
)
from spikeledger.networks.encoders import Delta, Direct, Latency, Rate, encoder, per_image
from spikeledger.networks.spiking import SpikingNetwork

IMAGES = hnp.arrays("float32", hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=st.floats(0, 1, width=32))


@given(IMAGES)
def test_a_black_pixel_never_spikes_and_the_brightest_always_does(images) -> None:
    samples = torch.from_numpy(images)
    spikes = Rate(7)(samples)
    assert spikes.shape == (7, *samples.shape)
    assert set(spikes.unique().tolist()) <= {0.0, 1.0}
    assert not spikes[:, samples == 0].any()
    brightest = (per_image(samples) == 1).expand_as(spikes)
    assert bool((spikes[brightest] == 1).all())


@pytest.mark.parametrize(("kind", "expected"), [("bernoulli", 0.3), ("poisson", 1 - math.exp(-0.3))])
def test_rates_are_those_asked_for(kind, expected) -> None:
    samples = torch.full((1, 2000), 0.3)
    samples[0, 0] = 1.0
    spikes = Rate(200, kind=kind, seed=3)(samples)[..., 1:]
    # 400,000 draws: five standard deviations are 0.0037
    assert float(spikes.mean()) == pytest.approx(expected, abs=0.004)


def test_the_same_seed_gives_the_same_spikes_and_the_global_numbers_are_left_alone() -> None:
    samples = torch.rand(3, 20)
    state = torch.get_rng_state()
    code = Rate(5, seed=1)
    first = code(samples)
    second = code(samples)
    code.reseed(1)
    assert torch.equal(code(samples), first)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_image_does_not_depend_on_its_batch_mates() -> None:
    dim, bright = torch.full((1, 4), 0.25), torch.ones(1, 4)
    assert torch.equal(per_image(torch.cat([dim, bright]))[:1], per_image(dim))


@given(IMAGES, st.integers(1, 6))
def test_latency_spikes_once_a_pixel_and_brighter_comes_earlier(images, timesteps) -> None:
    samples = torch.from_numpy(images)
    spikes = Latency(timesteps)(samples)
    assert torch.equal(spikes.sum(0), (samples > 0).float())
    when = first_spike(spikes).flatten(1)
    for row, values in zip(when, samples.flatten(1), strict=True):
        order = torch.argsort(values, descending=True)
        assert bool((row[order].diff() >= 0).all())


def test_delta_marks_rises_and_falls() -> None:
    sequence = torch.tensor([0.0, 0.5, 0.55, 0.2]).view(4, 1, 1)
    assert Delta(4, threshold=0.1)(sequence).flatten().tolist() == [0, 1, 0, -1]
    assert Delta(4, threshold=0.1, signed=False)(sequence).flatten().tolist() == [0, 1, 0, 0]


def test_direct_repeats_the_image() -> None:
    samples = torch.rand(2, 3)
    assert torch.equal(Direct(4)(samples), samples.expand(4, 2, 3))


def test_decoders_on_spikes_worked_by_hand() -> None:
    # [T=4, B=1, classes=3]: class 0 fires at 1, class 1 at 0 and 3, class 2 never
    spikes = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=torch.float32)[:, None]
    assert RateDecoder()(spikes).tolist() == [[0.25, 0.5, 0.0]]
    assert LatencyDecoder()(spikes).tolist() == [[0.75, 1.0, 0.0]]
    assert first_spike(spikes).tolist() == [[1, 0, 4]]
    population = torch.cat([spikes, torch.zeros(4, 1, 1)], dim=-1)
    assert PopulationDecoder(2)(population).tolist() == [[0.375, 0.0]]


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda: Rate(0), "at least 1"),
        (lambda: Rate(3)(torch.full((1, 2), -1.0)), "at least 0"),
        (lambda: Rate(3)(torch.rand(5)), "[B, *N]"),
        (lambda: Rate(3, kind="gauss"), "unknown rate code 'gauss'"),
        (lambda: Delta(3)(torch.rand(2, 4)), "[T, B, *N]"),
        (lambda: encoder("rait", 3), "did you mean 'rate'?"),
        (lambda: decoder("latncy"), "did you mean 'latency'?"),
        (lambda: PopulationDecoder(3)(torch.rand(2, 1, 10)), "populations of 3"),
    ],
)
def test_what_cannot_be_coded_says_so(deed, says) -> None:
    with pytest.raises(InputError) as caught:
        deed()
    assert says in str(caught.value)


def test_an_encoder_says_itself_whether_it_takes_sequences() -> None:
    class Mine(Delta):
        pass

    for code, layout in ((Mine(4), "TB"), (Delta(4), "TB"), (Rate(4), "B")):
        assert SpikingNetwork(nn.Linear(3, 2), encoder=code).input_layout == layout


def test_a_network_has_the_steps_of_its_encoder() -> None:
    assert zoo.mlp(4, 2, encoder=Rate(3)).timesteps == 3
    with pytest.raises(InputError, match="makes 3 steps, and timesteps=7"):
        SpikingNetwork(nn.Linear(4, 2), encoder=Rate(3), timesteps=7)
