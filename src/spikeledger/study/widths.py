"""Accuracy at the width of a profile: the joules of 8 bits beside what a network of 8 bits answers, not one of 32.

Post-training and without training again. Weights are rounded symmetrically with a scale for each output channel,
`w -> s round(w / s)`, `s = max|w| / (2^(bits - 1) - 1)`; what a weighted layer takes in, where it is graded, to the
activation's bits; a membrane after each step to the state's bits, and it saturates. Ranges of activations and membranes
are those that training samples reach. After Krishnamoorthi 2018, arXiv:1806.08342.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import units
from ..errors import InputError
from ..hardware.profile import Precision
from ..kernels.cells import State
from ..networks.neurons import Neuron
from ..training.answers import sequences
from ..training.evaluate import evaluate, evaluation_mode, reseed
from .accuracy import McNemar, mcnemar, wilson

if TYPE_CHECKING:
    from ..datasets import Dataset

#: training samples that set the ranges
_CALIBRATION = 512
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, eq=False)
class AtWidth:
    """What a network answers at some widths: its right answers, `[samples]`."""

    weight_bits: int
    activation_bits: int
    state_bits: int
    right: NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return float(self.right.mean())

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        low, high = wilson(int(self.right.sum()), self.right.size)
        return {
            "weight_bits": self.weight_bits, "activation_bits": self.activation_bits, "state_bits": self.state_bits,
            "accuracy": self.accuracy, "accuracy_low": low, "accuracy_high": high,
        }  # fmt: skip


def at_width(
    network: nn.Module,
    data: Dataset,
    precision: Precision,
    *,
    batch_size: int = 512,
    seed: int = 0,
) -> AtWidth:
    """Measure a network on the test samples of a data set at the widths of a profile.

    Integers are rounded; floats of 16 bits are cast, and floats of 32 are left as they are. An activation of 1 bit is
    a spike: graded inputs of such a network keep 8 bits.
    """
    rounded = quantised(network, data.train_inputs[:_CALIBRATION], precision, seed=seed)
    found = evaluate(rounded, data.test_inputs, data.test_labels, batch_size=batch_size, seed=seed)
    return AtWidth(precision.weight_bits, precision.activation_bits, precision.state_bits, found.correct)


def quantised(network: nn.Module, samples: Tensor, precision: Precision, *, seed: int = 0) -> nn.Module:
    """A copy of a network with rounded weights, graded inputs and membranes, whose ranges `samples` `[B, *N]` set."""
    clone = copy.deepcopy(network)
    if precision.arithmetic == "float" and precision.weight_bits >= 32:
        return clone
    with torch.no_grad():
        for module in clone.modules():
            if isinstance(module, _WEIGHTED):
                module.weight.copy_(round_weights(module.weight, precision))
    if precision.arithmetic == "float":
        return clone
    if len(samples) == 0:
        raise InputError("ranges of activations are set by training samples, and there are none")
    bits = precision.activation_bits if precision.activation_bits > 1 else 8
    inputs = [_Inputs(bits) for _ in range(sum(isinstance(module, _WEIGHTED) for module in clone.modules()))]
    weighted = [module for module in clone.modules() if isinstance(module, _WEIGHTED)]
    for module, rounding in zip(weighted, inputs, strict=True):
        module.register_forward_pre_hook(rounding)
    membranes = list(_replaced(clone, precision.state_bits))
    parts: list[_Inputs | _Membrane] = [*inputs, *membranes]
    with evaluation_mode(clone), _watching(parts):
        reseed(clone, seed)
        clone(sequences(clone, samples))
    return clone


def round_weights(weight: Tensor, precision: Precision) -> Tensor:
    """Weights `[outputs, ...]` rounded symmetrically, a scale each output; of 1 bit: the sign times the mean size."""
    if precision.arithmetic == "float":
        return weight.half().to(weight.dtype) if precision.weight_bits <= 16 else weight
    flat = weight.detach().flatten(1)
    shape = (-1, *[1] * (weight.dim() - 1))
    if precision.weight_bits == 1:
        return flat.abs().mean(1).reshape(shape) * weight.sign()
    most = 2 ** (precision.weight_bits - 1) - 1
    scale = (flat.abs().amax(1) / most).clamp_min(torch.finfo(weight.dtype).tiny).reshape(shape)
    return (weight / scale).round() * scale


@dataclass(frozen=True, eq=False)
class AtWidths:
    """Both networks at the widths of one match, and what a correct answer costs each there."""

    name: str  # of the match
    ann: AtWidth
    snn: AtWidth
    ann_joules: float | None = None  # a sample
    snn_joules: float | None = None

    @property
    def test(self) -> McNemar:
        """Whether they are right equally often at these widths."""
        return mcnemar(self.ann.right, self.snn.right)

    @property
    def per_correct(self) -> tuple[float | None, float | None]:
        """Joules of a correct answer, ANN and SNN: joules of a sample over the accuracy at that width."""
        pairs = ((self.ann_joules, self.ann.accuracy), (self.snn_joules, self.snn.accuracy))
        ann, snn = (None if joules is None or not share else joules / share for joules, share in pairs)
        return ann, snn

    def __str__(self) -> str:
        sides = []
        for kind, one, joules in zip(("ANN", "SNN"), (self.ann, self.snn), self.per_correct, strict=True):
            cost = "" if joules is None else f", {units.joules(joules)} a correct answer"
            second = f"membranes of {one.state_bits}" if kind == "SNN" else f"activations of {one.activation_bits}"
            widths = f"weights of {one.weight_bits} and {second} bits"
            sides.append(f"{kind} {100 * one.accuracy:.2f} % with {widths}{cost}")
        unequal = f"; at unequal accuracy (McNemar's exact p = {self.test.p:.2g})" if self.test.differs else ""
        return f"{self.name}: {'; '.join(sides)}{unequal}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        ann, snn = self.per_correct
        return {
            "name": self.name, "ann": self.ann.to_dict(), "snn": self.snn.to_dict(), "equal": not self.test.differs,
            "p": self.test.p, "ann_joules_per_correct": ann, "snn_joules_per_correct": snn, "says": str(self),
        }  # fmt: skip


class Measured:
    """Networks at widths, each pair measured once."""

    def __init__(self, data: Dataset, *, batch_size: int, seed: int) -> None:
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self._known: dict[tuple[int, Precision], AtWidth] = {}

    def __call__(self, network: nn.Module, precision: Precision) -> AtWidth:
        """What a network answers at this width."""
        key = (id(network), precision)
        if key not in self._known:
            self._known[key] = at_width(network, self.data, precision, batch_size=self.batch_size, seed=self.seed)
        return self._known[key]


class _Inputs:
    """Rounds what a weighted layer takes in, where it is graded; spikes pass."""

    def __init__(self, bits: int) -> None:
        self.bits, self.low, self.high, self.watching = bits, 0.0, 0.0, False
        self.graded = False

    def __call__(self, module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        values = given[0]
        if not isinstance(values, Tensor):
            return None
        if self.watching:
            self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
            largest = values.abs().max()
            self.graded |= bool(((values != 0) & (values.abs() != largest)).any())
            return None
        if not self.graded or self.high == self.low:
            return None
        # without a sign where nothing is negative, as behind a ReLU
        signed = self.low < 0
        most = 2 ** (self.bits - 1) - 1 if signed else 2**self.bits - 1
        scale = max(self.high, -self.low) / max(most, 1)
        rounded = (values / scale).round().clamp(-most if signed else 0, max(most, 1)) * scale
        return (rounded, *given[1:])


class _Membrane(nn.Module):
    """A population whose state is rounded after every step, to so many bits over the range that it was seen in."""

    def __init__(self, neuron: Neuron, bits: int) -> None:
        super().__init__()
        self.neuron, self.bits, self.reach, self.watching = neuron, bits, 0.0, False

    def forward(self, currents: Tensor) -> Tensor:
        state, sent = self.neuron.rest(currents), []
        for current in currents.split(1):
            spikes, state = self.neuron(current, state)
            sent.append(spikes)
            state = self._rounded(state)
        return torch.cat(sent) if sent else currents

    def _rounded(self, state: Any) -> Any:
        if isinstance(state, Tensor):
            return self._one(state)
        membrane, synapse, adaptation, *counters = state  # counters and last spikes are whole numbers
        kept = (None if part is None else self._one(part) for part in (synapse, adaptation))
        return State(self._one(membrane), *kept, *counters)

    def _one(self, values: Tensor) -> Tensor:
        if self.watching:
            self.reach = max(self.reach, float(values.abs().max()))
            return values
        most = 2 ** (self.bits - 1) - 1
        scale = max(self.reach, self.neuron.threshold) / max(most, 1)
        return (values / scale).round().clamp(-most, most) * scale


def _replaced(network: nn.Module, bits: int) -> Iterator[_Membrane]:
    """Put a rounding population in the place of each, and give them."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Neuron) and not isinstance(parent, _Membrane):
                membrane = _Membrane(child, bits)
                setattr(parent, name, membrane)
                yield membrane


@contextmanager
def _watching(parts: Iterable[_Inputs | _Membrane]) -> Iterator[None]:
    for part in parts:
        part.watching = True
    try:
        yield
    finally:
        for part in parts:
            part.watching = False
