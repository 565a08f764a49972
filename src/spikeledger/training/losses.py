"""What training makes small: each loss takes an `Answer` and labels `[B]` (int64) and gives one number."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from ..errors import InputError, unknown_name
from .answers import Answer

#: what rates in [0, 1] are multiplied by before the softmax; on bare rates of ten classes cross entropy cannot fall
#: below log(1 + 9/e) = 1.46, and its gradient does not tell right from wrong
SHARPNESS = 10.0

Loss = Callable[[Answer, Tensor], Tensor]


def rate_cross_entropy(found: Answer, labels: Tensor) -> Tensor:
    """Cross entropy of rates: `CE(SHARPNESS * score)` of a spiking network, `CE(score)` of an ordinary one.

    The same at every number of steps, so that one learning rate serves T = 5 and T = 50.
    """
    sharpness = 1.0 if found.spikes is None else SHARPNESS
    return functional.cross_entropy(sharpness * found.scores, labels)


def count_cross_entropy(found: Answer, labels: Tensor) -> Tensor:
    """Cross entropy of spike counts: `CE(T * score)`; sharper, the longer a network runs."""
    steps = 1.0 if found.spikes is None else float(len(found.spikes))
    return functional.cross_entropy(steps * found.scores, labels)


def mean_square(found: Answer, labels: Tensor) -> Tensor:
    """Mean square: `mean((score - one_hot)^2)`; the right neuron shall fire at every step, the others never."""
    target = functional.one_hot(labels, found.scores.shape[1]).to(found.scores.dtype)
    return functional.mse_loss(found.scores, target)


def first_spike_cross_entropy(found: Answer, labels: Tensor) -> Tensor:
    """Cross entropy of how early a neuron first fires: `CE(SHARPNESS * (1 - t_first / T))`; silence counts as T.

    Raises:
        InputError: the network has no output spikes.
    """
    if found.spikes is None:
        raise InputError("the loss 'first_spike' needs output spikes, which this network has none of: choose 'rate'")
    early = found.spikes.cumsum(0).clamp(max=1).mean(0)  # share of the steps from the first spike on
    scores = early.unflatten(-1, (found.scores.shape[1], -1)).mean(-1)
    return functional.cross_entropy(SHARPNESS * scores, labels)


LOSSES: dict[str, Loss] = {
    "rate": rate_cross_entropy,
    "count": count_cross_entropy,
    "mean_square": mean_square,
    "first_spike": first_spike_cross_entropy,
}


def loss(name: str | Loss) -> Loss:
    """Find a loss by name, or take a callable `(Answer, labels) -> number` as it is."""
    if callable(name):
        return name
    if name not in LOSSES:
        raise unknown_name("loss", str(name), LOSSES)
    return LOSSES[name]
