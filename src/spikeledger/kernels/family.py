"""The whole family of neurons over time: one loop, in which synapse, adaptation, refractory period and own connection
are there or not; the equations are in `networks.neurons`, and those of plain IF and LIF have a kernel of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from . import native as core
from . import reference
from .cells import PARAMETERS, RESETS, Cells, State, bar
from .choice import runs_native
from .counts import Deeds, of_active
from .native import Settings
from .planes import Planes, empty_words, sends
from .refusal import once


def run(currents: Tensor, state: State, cells: Cells) -> tuple[Tensor, State]:
    """Spikes `[T, B, *N]` and the last state of a population; every back end gives the same spikes.

    On a GPU this is the reference: only plain IF and LIF have Triton kernels.
    """
    shape = currents.shape
    if not on_kernel(currents, cells):
        cells = cells.over(shape[2:])
        state = _fitting(state, shape[1:])
        if currents.dtype == torch.bfloat16:  # every back end computes it in float32
            wide = State(*(None if part is None else part.float() for part in state))  # type: ignore[arg-type]
            spikes, found = reference.run_cells(currents.float(), wide, cells)
            return spikes.to(currents.dtype), _like(state, found)
        spikes, found = reference.run_cells(currents, state, cells)
        return spikes, State(*found)
    spikes, last, planes = _fused(currents, state, cells, None)
    sends(spikes, planes)
    return spikes, last


def run_and_count(currents: Tensor, state: State, cells: Cells) -> tuple[Tensor, State, Planes, Deeds]:
    """The same of what runs `on_kernel`, with the spikes' bits, and what the population did, its own connections' currents
    told along."""
    active = torch.zeros(currents.shape[2:], dtype=torch.int64)
    spikes, last, planes = _fused(currents, state, cells, active)
    sends(spikes, planes)
    return spikes, last, planes, of_active(active, planes)


def on_kernel(currents: Tensor, cells: Cells) -> bool:
    """Whether a population runs fused over time on the native core."""
    return cells.surrogate.number >= 0 and currents.numel() > 0 and runs_native(currents)


def _fused(currents: Tensor, state: State, cells: Cells, active: Tensor | None) -> tuple[Tensor, State, Planes]:
    shape = currents.shape
    cells = cells.over(shape[2:])
    state = _fitting(state, shape[1:])
    flat = currents.to(torch.float32).reshape(*shape[:2], -1).contiguous()
    starts = [None if part is None else part.to(torch.float32).reshape(shape[1], -1).contiguous() for part in state]
    constants = [_each(getattr(cells, name), shape[2:], currents.device) for name in PARAMETERS]
    weight = None if cells.weight is None else cells.weight.to(torch.float32).contiguous()
    spikes, *last, words = _Cells.apply(cells, active, weight, flat, *starts, *constants)
    spikes = spikes.view(shape).to(currents.dtype)
    ends = [None if part is None else part.view(shape[1:]) for part in last]
    last_state = _like(state, (*ends, None if state.spikes is None else spikes[-1]))
    return spikes, last_state, Planes(words, tuple(shape))


def _fitting(state: State, shape: Sequence[int]) -> State:
    """The state with every part in the neurons' own shape `[B, *N]`."""
    try:
        parts: Any = (None if part is None else part.expand(shape) for part in state)
        return State(*parts)
    except RuntimeError as error:
        shapes = [list(part.shape) for part in state if part is not None]
        raise InputError(f"a state of shapes {shapes} was passed to neurons of shape {list(shape)}: {error}") from error


def _like(state: State, found: Sequence[Tensor | None]) -> State:
    """Found parts, in the number formats of a state that was passed."""
    pairs = zip(found, state, strict=True)
    parts: Any = (None if new is None or old is None else new.to(old.dtype) for new, old in pairs)
    return State(*parts)


def _each(value: Tensor | float | None, shape: Sequence[int], device: torch.device) -> Tensor | None:
    """One float32 constant a neuron, `[prod(shape)]`."""
    if value is None:
        return None
    if not isinstance(value, Tensor):
        return torch.full((math.prod(shape),), value, dtype=torch.float32, device=device)
    return value.to(torch.float32).expand(shape).reshape(-1).contiguous()


#: the tensors that the native core knows, in the order of `_Cells`
_STARTS = ("membrane", "synapse", "adaptation", "waiting", "fired")


class _Cells(torch.autograd.Function):
    """Nothing of a membrane is stored: the way back runs a group of neurons again, and then walks back along it."""

    @staticmethod
    def forward(
        ctx: Any, cells: Cells, active: Tensor | None, weight: Tensor | None, currents: Tensor, *rest: Tensor | None
    ) -> Any:  # fmt: skip
        steps, batch, width = currents.shape
        given = dict(zip(("currents", *_STARTS, *PARAMETERS), (currents, *rest), strict=True))
        given |= (
            {} if weight is None else {"weight_turned": weight.t().contiguous(), "weight_blocked": _blocked(weight)}
        )
        spikes = torch.empty_like(currents)
        words = empty_words(steps * batch, width)
        last = {name: None if given[name] is None else currents.new_empty(batch, width) for name in _STARTS[:4]}
        core.fire_cells(
            given, _settings(cells), cells.refractory, {"spikes": spikes, "words": words, "active": active, **last}
        )
        ctx.cells = cells
        ctx.names = list(given)
        ctx.save_for_backward(*given.values(), spikes if weight is not None else None)
        ctx.mark_non_differentiable(words, *(part for part in (last["waiting"],) if part is not None))
        ctx.set_materialize_grads(False)
        return (spikes, *last.values(), words)

    @staticmethod
    def backward(ctx: Any, to_spikes: Tensor | None, *to_last: Tensor | None) -> Any:
        *tensors, spikes = ctx.saved_tensors
        given = dict(zip(ctx.names, tensors, strict=True))
        cells, currents = ctx.cells, given["currents"]
        with torch.no_grad():
            arriving = {"spikes": torch.zeros_like(currents) if to_spikes is None else to_spikes.contiguous()}
            arriving |= {
                name: grad.contiguous() for name, grad in zip(_STARTS[:3], to_last, strict=False) if grad is not None
            }
            wanted = dict(zip(("currents", *_STARTS, *PARAMETERS), ctx.needs_input_grad[3:], strict=True))
            back = cells.own is not None or cells.weight is not None
            wanted |= {"currents": True, "waiting": False, "fired": wanted["fired"] and back}
            leaving = {name: torch.empty_like(given[name]) if want else None for name, want in wanted.items()}
            core.learn_cells(given, _settings(cells), cells.refractory, arriving, leaving)
            weight_grad = None
            if ctx.needs_input_grad[2]:
                assert leaving["currents"] is not None
                before = torch.cat([given["fired"][None], spikes[:-1]]).flatten(0, 1)
                weight_grad = leaving["currents"].flatten(0, 1).t() @ before
        grads = once((weight_grad, *leaving.values()), (*tensors, to_spikes, *to_last), "a neuron")
        return (None, None, *grads)


def _blocked(weight: Tensor) -> Tensor:
    """A matrix as blocks of 32 columns, so that a kernel reads it in a row."""
    columns = weight.shape[1]
    return torch.nn.functional.pad(weight, (0, -columns % 32)).unflatten(1, (-1, 32)).transpose(0, 1).contiguous()


def _settings(cells: Cells) -> Settings:
    number, slope = cells.surrogate.number, cells.surrogate.slope
    level = bar(cells.threshold, cells.inclusive)
    return Settings(cells.threshold, level, RESETS.index(cells.reset), cells.reset_delay, number, slope)
