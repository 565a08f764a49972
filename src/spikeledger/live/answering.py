"""How often a network is right: at the end, read sooner, or stopped once it is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..listening.neurons import to_rest
from ..networks.decoders import RateDecoder
from ..recording.preserve import preserved
from ..training.answers import answer
from ..training.evaluate import device_of, evaluation_mode, own_random_numbers, reseed

#: margins, in spikes, at which an answer may be given before the last step
MARGINS = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class Answering:
    """Shares of right answers: of all steps, after each step, and (margin, share, mean steps) of stopping when sure."""

    tested: int
    accuracy: float
    by_step: tuple[float, ...] = ()
    sure: tuple[tuple[int, float, float], ...] = ()

    def plain(self) -> dict[str, Any]:
        """As the page's JSON."""
        return {
            "after": self.accuracy, "tested": self.tested, "by_step": list(self.by_step),
            "sure": [list(one) for one in self.sure],
        }  # fmt: skip


def answering(network: nn.Module, inputs: Tensor, labels: Tensor, *, seed: int = 0, batch_size: int = 512) -> Answering:
    """Ask a network, spiking or not, for all samples.

    Being sure is to have `margin` output spikes more of the first class than of the second; whoever never is answers at
    the last step.
    """
    last: list[np.ndarray] = []
    steps: list[np.ndarray] = []  # answers [T, B]
    leads: list[np.ndarray] = []  # spikes of the first class over the second, [T, B]
    with preserved(network), evaluation_mode(network), own_random_numbers(network, seed):
        reseed(network, seed)
        for some in inputs.split(batch_size):
            to_rest(network)
            given = answer(network, some.to(device_of(network)))
            last.append(given.scores.argmax(1).cpu().numpy())
            if given.spikes is None:
                continue
            decoder = getattr(network, "decoder", None) or RateDecoder()
            means = torch.stack([decoder(given.spikes[: step + 1]) for step in range(len(given.spikes))])
            steps.append(means.argmax(-1).cpu().numpy())
            counts = np.sort(given.spikes.cumsum(0).cpu().numpy(), -1)
            leads.append(counts[..., -1] - (counts[..., -2] if counts.shape[-1] > 1 else 0))
    truth = labels.cpu().numpy()
    accuracy = float((np.concatenate(last) == truth).mean())
    if not steps:
        return Answering(len(truth), accuracy)
    right, lead = np.concatenate(steps, 1) == truth, np.concatenate(leads, 1)
    sure = []
    for margin in MARGINS:
        there = lead >= margin
        step = np.where(there.any(0), there.argmax(0), len(lead) - 1)
        sure.append((margin, float(np.take_along_axis(right, step[None], 0).mean()), float(step.mean() + 1)))
    return Answering(len(truth), accuracy, tuple(map(float, right.mean(1))), tuple(sure))
