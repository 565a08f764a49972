"""How long a network's longest delay is: every source speaks once, at the first step, and its echoes are timed.

What lies between neurons is linear, so that spikes of random sizes do not cancel. The network runs as long as the sample
does: what takes longer does not arrive in that run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..listening.neurons import Firing, NeuronKind
from .hearing import Hearing, by_step, constants, present, steps_first


def deepest_delay(network: nn.Module, sample: Tensor, layout: str, step_by_step: bool = False) -> int:
    """Steps from the first until the last echo of what is sent at the first, over all populations."""
    silent, spoken = (_currents(network, sample, layout, step_by_step, speak) for speak in (False, True))
    deepest = 0
    for path, before in silent.items():
        for step, (one, other) in enumerate(zip(before, spoken.get(path, []), strict=False)):
            if step > deepest and not torch.equal(one, other):
                deepest = step
    return deepest


class _Echo(Hearing):
    """A run where sources are silent, but for the first step where `speaks`; what every population receives, by step."""

    def __init__(self, network: nn.Module, speaks: bool) -> None:
        super().__init__(network)
        self.speaks = speaks
        self.received: dict[str, list[Tensor]] = {}
        self._generator = torch.Generator().manual_seed(0)

    def speak(self, values: Tensor) -> None:
        """Put random sizes at the first step of silence `[T, B, *N]`."""
        if self.speaks and values.numel():
            values[0] += (0.5 + torch.rand(values[0].shape, generator=self._generator)).to(values)

    def fires(self, path: str, module: nn.Module, kind: NeuronKind, fired: Firing) -> Tensor:
        """Note what a population receives, and send an echo or silence."""
        said = torch.zeros_like(fired.sent)
        if constants(module, kind, path, fired) is None:  # an encoder
            self.speak(said)
            return said
        received = self.received.setdefault(path, [])
        if not received:
            self.speak(by_step(said, fired))
        if fired.currents is not None:
            received += list(steps_first(fired.currents.detach(), fired.layout))
        return said


def _currents(
    network: nn.Module, sample: Tensor, layout: str, step_by_step: bool, speak: bool
) -> dict[str, list[Tensor]]:
    """What every population receives, step by step."""
    echo = _Echo(network, speak)
    features = sample.shape[len(layout) :]
    dtype = next((p.dtype for p in network.parameters()), torch.get_default_dtype())
    like = torch.zeros((), dtype=dtype, device=next((p.device for p in network.parameters()), None))
    if layout == "B":
        inputs = like.new_zeros(1, *features)
    else:
        inputs = like.new_zeros(sample.shape[layout.index("T")], 1, *features)
        echo.speak(inputs)
        inputs = inputs.transpose(0, 1) if layout == "BT" else inputs
    with evaluation(network), torch.no_grad(), echo.active():
        present(network, inputs, step_by_step)
    return echo.received


@contextmanager
def evaluation(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and afterwards each module's own."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
