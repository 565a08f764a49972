"""How many spikes of a simulated run differ from those of the torch network: rounding, or the chip's few bits.

In float64, and wherever sums are exact, none does. In float32 torch and the simulator add in another order, and a neuron
within a rounding error of its threshold may answer differently; in a chip's integers weights themselves are others.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from ..listening.neurons import Firing, NeuronKind, to_rest
from ..mapping.hearing import Hearing, present, steps_first

if TYPE_CHECKING:
    from ..chip.simulate import Run


@dataclass(frozen=True, eq=False)
class Agreement:
    """Places (a neuron, a step, a sample) that were compared, spikes of torch among them, and places that differ.

    `answers` are torch's: the output neuron that spikes most, int64 `[B]`.
    """

    places: int
    spikes: int
    differing: int
    same_answers: int  # samples whose most active output neuron is the same
    samples: int
    answers: NDArray[np.int64]

    @property
    def share(self) -> float:
        """Differing places for each spike of torch."""
        return self.differing / max(self.spikes, 1)


class _Sent(Hearing):
    """What populations sent `[T, B, *N]`, call by call."""

    def __init__(self, network: nn.Module, names: set[str]) -> None:
        super().__init__(network)
        self.names = names
        self.sent: dict[str, list[Tensor]] = {}

    def fires(self, path: str, module: nn.Module, kind: NeuronKind, fired: Firing) -> None:
        """Note what was sent."""
        if path in self.names:
            self.sent.setdefault(path, []).append(steps_first(fired.spikes, fired.layout))


def agreement(
    ran: Run, network: nn.Module, inputs: Any, *, layout: str | None = None, seed: int = 0, batch_size: int = 256
) -> Agreement:
    """Compare the kept spikes of a run, at least its output's, with torch's for the same inputs and seed.

    Raises:
        InputError: the run is of another network.
    """
    modules = dict(network.named_modules())
    names = [name for name in ran.rasters if name in modules]
    assert ran.network is not None
    if ran.network.output not in names:
        raise InputError(
            f"the run's output '{ran.network.output}' is no module of this network: give the network that ran"
        )
    tensor = inputs if isinstance(inputs, Tensor) else torch.as_tensor(inputs)
    tensor = tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())
    axis = str(layout or getattr(network, "input_layout", "TB")).index("B")
    reseed = getattr(network, "reseed", None)
    if callable(reseed):
        reseed(seed)
    training = network.training
    with ExitStack() as stack, torch.no_grad():
        stack.callback(network.train, training)
        network.eval()
        heard = _Sent(network, set(names))
        stack.enter_context(heard.active())
        whole: dict[str, list[Tensor]] = {name: [] for name in names}
        for part in tensor.split(batch_size, axis):
            heard.sent.clear()
            to_rest(network)
            present(network, part, ran.network.step_by_step)
            for name, calls in heard.sent.items():
                whole[name].append(torch.cat(calls).flatten(2) if calls[0].dim() > 2 else torch.cat(calls).unsqueeze(2))
    places = spikes = differing = 0
    for name, parts in whole.items():
        theirs = torch.cat(parts, dim=1).numpy() != 0
        ours = ran.rasters[name] != 0
        places, spikes = places + ours.size, spikes + int(theirs.sum())
        differing += int((ours != theirs).sum())
    answers = (torch.cat(whole[ran.network.output], dim=1) != 0).sum(0).numpy().argmax(-1)
    same = np.equal(answers, ran.answers())
    return Agreement(places, spikes, differing, int(same.sum()), len(same), answers)
