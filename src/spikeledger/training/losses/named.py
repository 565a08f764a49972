"""What training makes small: each loss takes an `Answer` and labels `[B]` (int64) and gives one number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ...arguments import checked
from ...errors import InputError, retold, unknown_name
from ...networks.decoders import earliness
from ..answers import Answer

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
    return mean_square_to(1.0, 0.0)(found, labels)


def count_mean_square(found: Answer, labels: Tensor) -> Tensor:
    """Mean square of spike counts: `mean((T score - T one_hot)^2)`, which is `T^2` times that of rates."""
    steps = 1.0 if found.spikes is None else float(len(found.spikes))
    return steps * steps * mean_square(found, labels)


@checked
def mean_square_to(right: float, wrong: float) -> Loss:
    """Mean square to rates of one's own: `mean((score - target)^2)`, with target `right` or `wrong` in each class.

    A right neuron at 0.8 and the others at 0.05 keep everybody's gradient alive and cost fewer spikes than 1 and 0.
    """
    if not 0 <= wrong < right <= 1:
        raise InputError(
            f"rates of {right} for the right class and {wrong} for the others: give 0 <= wrong < right <= 1"
        )

    def mean_square_loss(found: Answer, labels: Tensor) -> Tensor:
        hot = functional.one_hot(labels, found.scores.shape[1]).to(found.scores.dtype)
        return functional.mse_loss(found.scores, wrong + (right - wrong) * hot)

    mean_square_loss.__name__ = f"mean_square_to({right:g}, {wrong:g})"
    return mean_square_loss


def membrane_maximum(found: Answer, labels: Tensor) -> Tensor:
    """Cross entropy of the highest membranes: `CE(max_t U[t])`, as Cramer et al. 2022 (doi:10.1109/TNNLS.2020.3044364).

    `U[t] = beta U[t-1] + I[t]` is the read-out membrane as though it never fired: it has a gradient where no neuron does.

    Raises:
        InputError: the network has no read-out neurons whose membrane could be asked for.
    """
    if found.membranes is None:
        raise InputError("the loss 'membrane' needs a read-out of IF or LIF neurons as the last layer: choose 'rate'")
    highest = found.membranes.amax(0)
    return functional.cross_entropy(_by_class(highest, found), labels)


def first_spike_cross_entropy(found: Answer, labels: Tensor) -> Tensor:
    """Cross entropy of how early a neuron first fires: `CE(SHARPNESS * (1 - t_first / T))`; silence counts as T.

    Its derivative is exact: see `networks.decoders.earliness`.

    Raises:
        InputError: the network has no output spikes.
    """
    if found.spikes is None:
        raise InputError("the loss 'first_spike' needs output spikes, which this network has none of: choose 'rate'")
    return functional.cross_entropy(SHARPNESS * _by_class(earliness(found.spikes), found), labels)


def _by_class(values: Tensor, found: Answer) -> Tensor:
    """Of output neurons `[B, N]` the mean of each class `[B, classes]`."""
    return values.unflatten(-1, (found.scores.shape[1], -1)).mean(-1)


LOSSES: dict[str, Loss] = {
    "rate": rate_cross_entropy,
    "count": count_cross_entropy,
    "membrane": membrane_maximum,
    "mean_square": mean_square,
    "count_mean_square": count_mean_square,
    "first_spike": first_spike_cross_entropy,
}

#: losses that an ordinary network cannot have
SPIKE_LOSSES = ("membrane", "first_spike")
#: losses for which the read-out membranes are kept; one of the user's own asks with `reads_membranes = True`
MEMBRANE_LOSSES: tuple[Loss, ...] = (membrane_maximum,)


def _torch_s(criterion: Any, found: Answer, labels: Tensor) -> Tensor:
    """What torch's own losses take: scores and labels."""
    try:
        value: Tensor = criterion(found.scores, labels)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{getattr(criterion, '__name__', type(criterion).__name__)} does not take scores {list(found.scores.shape)} and "
            f"labels {list(labels.shape)} ({retold(error)}): give one that does, nn.CrossEntropyLoss() for one, or a function "
            "(answer, labels) -> number"
        ) from error
    return value


@checked
def loss(name: str | Loss) -> Loss:
    """Find a loss by name, or take a callable `(Answer, labels) -> number` as it is."""
    if callable(name):
        torch_s: Any = name
        if isinstance(torch_s, nn.Module) or torch_s in (functional.cross_entropy, functional.nll_loss):
            return partial(_torch_s, torch_s)
        return name
    if str(name) in ("ce", "cross_entropy", "crossentropy"):
        return LOSSES["rate"]  # cross-entropy of the rates
    if name not in LOSSES:
        raise unknown_name("loss", str(name), LOSSES)
    return LOSSES[name]


def reads_membranes(criterion: Loss) -> bool:
    """Whether a loss looks at `Answer.membranes`."""
    return criterion in MEMBRANE_LOSSES or bool(getattr(criterion, "reads_membranes", False))
