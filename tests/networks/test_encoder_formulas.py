"""Each encoder's documented formula, at values between its steps too, in plain Python."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.networks.encoders import Delta, Direct, Latency, Rate

VALUES = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=1, max_size=8)


@given(VALUES, st.integers(2, 12))
@settings(max_examples=80, deadline=None)
def test_latency(values: list[float], steps: int) -> None:
    x = torch.tensor([values], dtype=torch.float64)
    spikes = Latency(steps)(x)
    peak = max(values)
    for place, value in enumerate(values):
        fired = spikes[:, 0, place].nonzero().flatten().tolist()
        if value == 0:
            assert fired == []
            continue
        exact = (1 - value / peak) * (steps - 1)
        assert len(fired) == 1
        assert abs(fired[0] - exact) <= 0.5 + 1e-9  # the nearest step


@given(st.lists(VALUES, min_size=2, max_size=2), st.sampled_from([0.05, 0.3]), st.booleans())
@settings(max_examples=50, deadline=None)
def test_delta(rows: list[list[float]], threshold: float, signed: bool) -> None:
    width = min(map(len, rows))
    x = torch.tensor([row[:width] for row in rows], dtype=torch.float64).unsqueeze(1)
    spikes = Delta(2, threshold=threshold, signed=signed)(x)
    for place in range(width):
        before = 0.0
        for t in range(2):
            change = rows[t][place] - before
            expected = 1 if change > threshold else -1 if signed and change < -threshold else 0
            if abs(abs(change) - threshold) > 1e-9:
                assert int(spikes[t, 0, place]) == expected
            before = rows[t][place]


def test_direct_shows_the_image_at_every_step() -> None:
    x = torch.rand(2, 3, 4)
    assert torch.equal(Direct(5)(x), torch.stack([x] * 5))


def test_rates_are_what_they_are_said_to_be() -> None:
    values = torch.tensor([[0.0, 0.125, 0.3, 0.5, 1.0]])
    steps = 20_000
    for kind, formula in (("bernoulli", lambda p: p), ("poisson", lambda p: 1 - math.exp(-p))):
        spikes = Rate(steps, seed=1, kind=kind)(values * 0.5).mean(0)[0]  # each image by its own maximum
        for value, seen in zip(values[0].tolist(), spikes.tolist(), strict=True):
            p = formula(value)
            assert abs(seen - p) <= 5 * math.sqrt(p * (1 - p) / steps)
