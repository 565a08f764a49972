"""Connections of a population to itself: all to all, one to one, or inhibition between neighbours in a layer.

With the population's own spikes of the step before, its input is `I[t] + W S[t-1]`. As one kernel over time where `W` is a
matrix, or one weight a neuron; any other module (a convolution) runs step by step, and so does whatever a hook looks at.
Who counts is told of the whole run: the spikes that came back are synaptic operations of the layer `connections`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import checked
from ..errors import InputError
from ..kernels.cells import Cells, State, along
from ..kernels.family import on_kernel, run, run_and_count
from ..kernels.planes import pack, untouched
from ..listening.hooks import called, heard_by
from .event_driven import Returned, watched
from .neurons import Neuron, in_parts


class Recurrent(nn.Module):
    """Neurons with connections to themselves: `I[t] + W S[t-1]` is what they get.

    Args:
        neuron: the population; its options hold, `truncate` for the connections too.
        connections: what its last spikes `[B, *N]` go through: `nn.Linear(N, N)`, `OneToOne`, `Lateral`, or any module
            that gives currents of the same shape.
    """

    @checked
    def __init__(self, neuron: Neuron, connections: nn.Module) -> None:
        super().__init__()
        if not isinstance(neuron, Neuron):
            raise InputError(f"recurrent connections are around neurons of this package, not a {type(neuron).__name__}")
        if neuron.window is not None:
            raise InputError(
                f"neurons with a window={neuron.window} count their steps from the first one, and cannot have connections "
                "to themselves: leave window out"
            )
        if isinstance(connections, nn.Linear) and connections.in_features != connections.out_features:
            raise InputError(
                f"connections lead from {connections.in_features} neurons to {connections.out_features}, but must lead "
                "back to the same ones: give nn.Linear(N, N)"
            )
        self.neuron = neuron
        self.connections = connections

    @classmethod
    def all_to_all(cls, neuron: Neuron, width: int) -> Recurrent:
        """Learned weights `[N, N]` from each neuron to each."""
        return cls(neuron, nn.Linear(width, width, bias=False))

    @classmethod
    def one_to_one(cls, neuron: Neuron, weight: float | Tensor = 1.0, *, learn: bool = True) -> Recurrent:
        """A weight from each neuron to itself."""
        return cls(neuron, OneToOne(weight, learn=learn))

    @classmethod
    def lateral(cls, neuron: Neuron, width: int, strength: float = 1.0) -> Recurrent:
        """Inhibition of each neuron by all others of the layer, after Diehl & Cook (2015, doi:10.3389/fncom.2015.00099)."""
        return cls(neuron, Lateral(width, strength))

    def rest(self, currents: Tensor) -> State:
        """The state at rest for currents `[T, B, *N]`."""
        like = torch.zeros_like(currents[0]) if len(currents) else currents.new_zeros(currents.shape[1:])
        return self._cells().rest(like)._replace(spikes=like)

    @called
    @untouched
    def forward(self, currents: Tensor, state: State | None = None) -> Any:
        """Spikes `[T, B, *N]`; with a `state` as of `rest` passed, `(spikes, state)`."""
        if currents.dim() < 3:
            raise InputError(f"recurrent neurons got currents of shape {list(currents.shape)}, but need [T, B, *N]")
        width = getattr(self.connections, "in_features", None)
        if width is not None and tuple(currents.shape[2:]) != (width,):
            raise InputError(
                f"connections between {width} neurons got currents of shape {list(currents.shape)}, but need [T, B, {width}]"
            )
        weight = getattr(self.connections, "weight", None)
        if width is not None and isinstance(weight, Tensor) and weight.shape != (width, width):
            raise InputError(
                f"connections between {width} neurons have a weight of shape {list(weight.shape)}, but need "
                f"[{width}, {width}]: one row a neuron"
            )
        if state is not None and (not isinstance(state, State) or state.spikes is None):
            raise InputError("recurrent neurons were passed a state without spikes: take it from rest(currents)")
        start = self.rest(currents) if state is None else state
        spikes, last = in_parts(self._steps, currents, start, self.neuron.truncate)
        return spikes if state is None else (spikes, last)

    def _cells(self) -> Cells:
        """The constants of neurons and connections; without weights where the connections are no kernel's."""
        cells = self.neuron.cells()
        if "forward" in self.connections.__dict__:  # somebody gave these another
            return cells
        if isinstance(self.connections, OneToOne):
            return cells._replace(own=self.connections.weight)
        if type(self.connections) in (nn.Linear, Lateral):
            return cells._replace(weight=self.connections.weight)  # type: ignore[arg-type]
        return cells

    def _steps(self, currents: Tensor, state: State) -> tuple[Tensor, State]:
        cells = self._cells()
        if (cells.own is None and cells.weight is None) or watched(self):
            return self._one_by_one(currents, state)
        watcher = heard_by()
        if watcher is None:
            return run(self._biased(currents), state, cells)
        told = on_kernel(currents, cells) and len(currents) > 1
        with watcher.away():
            first = pack(state.spikes.detach().expand(currents.shape[1:])[None].float()) if told else None  # type: ignore[union-attr]
            if first is not None:  # spikes were passed, and no other values
                spikes, last, planes, deeds = run_and_count(self._biased(currents), state, cells)
                passed = torch.cat([first.words, planes.words[: len(planes.words) - len(first.words)]])
                before = replace(planes, words=passed)
                watcher.returned(
                    Returned(self.neuron, self.connections, currents, state, spikes, last, planes, before, deeds)
                )
                return spikes, last
        return self._one_by_one(currents, state)

    def _biased(self, currents: Tensor) -> Tensor:
        bias = getattr(self.connections, "bias", None)
        return currents if bias is None else currents + bias

    def _one_by_one(self, currents: Tensor, state: State) -> tuple[Tensor, State]:
        fired: Any = state.spikes
        inner: Any = state if self.neuron.reset_delay else state._replace(spikes=None)
        inner = state.membrane if self.neuron.plain else inner
        sent = []
        for current in currents:
            back = self.connections(fired)
            if back.shape != current.shape:
                raise InputError(
                    f"connections gave currents of shape {list(back.shape)} to neurons of shape {list(current.shape)}"
                )
            spikes, inner = self.neuron((current + back).unsqueeze(0), inner)
            fired = spikes[0]
            sent.append(spikes)
        if not sent:
            return torch.zeros_like(currents), state
        last = State(inner) if self.neuron.plain else inner
        return torch.cat(sent), last._replace(spikes=fired)


class OneToOne(nn.Module):
    """Spikes `[B, *N]` times a weight: `w S`, with one `w`, one a channel `[C]`, or one a neuron."""

    weight: Tensor

    @checked
    def __init__(self, weight: float | Tensor = 1.0, *, learn: bool = True) -> None:
        super().__init__()
        kept = torch.as_tensor(weight, dtype=torch.get_default_dtype()).detach().clone()
        if learn:
            self.weight = nn.Parameter(kept)
        else:
            self.register_buffer("weight", kept)

    def forward(self, spikes: Tensor) -> Tensor:
        return spikes * along(self.weight, spikes.shape[1:])


class Lateral(nn.Module):
    """Each spike `[B, N]` inhibits all other neurons of the layer: a current of `-strength`, none to itself."""

    weight: Tensor

    @checked
    def __init__(self, width: int, strength: float = 1.0) -> None:
        super().__init__()
        if width < 1 or not (math.isfinite(strength) and strength >= 0):
            raise InputError(
                f"inhibition of {width} neurons by {strength} was asked for, but it must be 0 or more, of 1 or more"
            )
        self.in_features = self.out_features = width
        self.register_buffer("weight", -strength * (1 - torch.eye(width)))

    def forward(self, spikes: Tensor) -> Tensor:
        return nn.functional.linear(spikes, self.weight)
