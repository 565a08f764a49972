"""evaluate(network, inputs, labels) -> Evaluation: what it answers, after how many steps, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..datasets.taking import labelled
from ..errors import InputError
from ..networks.decoders import RateDecoder
from ..networks.spiking import SpikingNetwork
from .answers import answer, check_fits, checked_samples

#: samples of a batch, and steps of all of them: more of a perceptron's 2,000 neurons took twice as long
_FEWEST, _MOST, _ROWS = 16, 512, 4096


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Answers of a network beside the right ones.

    Attributes:
        predictions: class answered for each sample, int64 `[samples]`; of equal scores the lowest class.
        labels: the right class, int64 `[samples]`.
        predictions_by_step: the answer from the output spikes of the first t + 1 steps alone, int64 `[T, samples]`;
            its last row is `predictions`; None for a network without spikes.
    """

    predictions: NDArray[np.int64]
    labels: NDArray[np.int64]
    predictions_by_step: NDArray[np.int64] | None = None

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which samples were answered right, bool `[samples]`."""
        return self.predictions == self.labels

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return float(self.correct.mean())

    @property
    def accuracy_by_step(self) -> NDArray[np.float64] | None:
        """Share of right answers after each step, float64 `[T]`; None for a network without spikes."""
        if self.predictions_by_step is None:
            return None
        return np.asarray((self.predictions_by_step == self.labels).mean(1), np.float64)

    def confusion(self, classes: int) -> NDArray[np.int64]:
        """How often class i was answered as j, int64 `[classes, classes]`."""
        table = np.zeros((classes, classes), np.int64)
        np.add.at(table, (self.labels, self.predictions), 1)
        return table

    def __repr__(self) -> str:
        right = int(self.correct.sum())
        return f"Evaluation(accuracy={self.accuracy:.4f}, {right:,} of {len(self.labels):,} right)"


def evaluate(
    network: nn.Module, inputs: Any, labels: Any = None, *, batch_size: int | None = None, seed: int = 0
) -> Evaluation:
    """Ask a network, spiking or not, for the class of each sample: `evaluate(net, data.test_inputs, data.test_labels)`.

    Runs in evaluation mode without gradients and leaves modes and torch's global random numbers as they were; the
    encoder's own are started again from `seed`.

    Args:
        inputs: samples `[samples, *N]`, or a data set, its name, or a loader, with the labels in it; sequences
            `[samples, T, *N]` for a network without an encoder.
        labels: int64 `[samples]`.
        batch_size: samples that run at once; by default 512, and fewer where many steps of them would leave the cache. With
            a random encoder of your own other batches may see other spikes.

    Raises:
        InputError: empty, not finite, wrong shapes, labels out of range.
    """
    if not isinstance(network, nn.Module):
        raise InputError(f"a network must be a torch.nn.Module, not a {type(network).__name__}")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"a batch size of {batch_size} was asked for; at least 1 is needed")
    inputs, labels = checked_samples("the", *(labelled(inputs) if labels is None else (inputs, labels)))
    with evaluation_mode(network), own_random_numbers(network, seed):
        check_fits("the", network, inputs, labels)
        reseed(network, seed)
        size = _at_once(network) if batch_size is None else batch_size
        rows = [_answers(network, batch) for batch in inputs.split(size)]
    predictions = torch.cat([row[0] for row in rows]).numpy()
    by_step = [row[1] for row in rows if row[1] is not None]
    return Evaluation(predictions, labels.cpu().numpy(), torch.cat(by_step, dim=1).numpy() if by_step else None)


def _at_once(network: nn.Module) -> int:
    """How many samples run at once where nobody says."""
    steps = network.timesteps if isinstance(network, SpikingNetwork) else 1
    return max(_FEWEST, min(_MOST, _ROWS // steps))


def _answers(network: nn.Module, batch: Tensor) -> tuple[Tensor, Tensor | None]:
    """Answers `[B]` and, from spikes, those after each step `[T, B]`."""
    found = answer(network, batch.to(device_of(network)))
    if found.spikes is None:
        return found.scores.argmax(1).cpu(), None
    decoder = network.decoder if isinstance(network, SpikingNetwork) else RateDecoder()
    # a decoder reads any number of steps, so what it says after t steps is what it says of the first t
    steps = range(1, len(found.spikes) + 1)
    by_step = torch.stack([decoder(found.spikes[:t]).argmax(1) for t in steps]).cpu()
    return by_step[-1], by_step


def device_of(network: nn.Module) -> torch.device:
    """Where the network's weights are."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def reseed(network: nn.Module, seed: int) -> None:
    """Start a network's own random numbers again, where it has any."""
    start_again = getattr(network, "reseed", None)
    if callable(start_again):
        start_again(seed)


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside; every module's own mode again afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def own_random_numbers(network: nn.Module, seed: int) -> Iterator[None]:
    """Torch's global random numbers start from `seed` inside and go on afterwards as if nothing had been drawn."""
    device = device_of(network)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
