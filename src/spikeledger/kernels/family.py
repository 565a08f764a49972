"""The whole family of neurons over time: one loop, in which synapse, adaptation, refractory period and own connection
are there or not; the equations are in `networks.neurons`, and those of plain IF and LIF have a kernel of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from . import reference
from .choice import native, runs_native
from .planes import Planes, empty_words, sends
from .refusal import once

if TYPE_CHECKING:
    from ..networks.surrogates import Surrogate


RESETS = {"subtract": 0, "zero": 1, "none": 2}
SURROGATES = {"atan": 0, "fast_sigmoid": 1, "sigmoid": 2, "triangle": 3, "straight_through": 4}


class State(NamedTuple):
    """What a population keeps from step to step, each `[B, *N]`; None for what its kind does not have."""

    membrane: Tensor
    #: synaptic current
    current: Tensor | None = None
    #: of the threshold
    adaptation: Tensor | None = None
    #: steps for which the neuron still waits
    refractory: Tensor | None = None
    #: of the last step, where a delayed reset or a connection of the population to itself needs them
    spikes: Tensor | None = None

    def detach(self) -> State:
        """The same, cut off from what computed it."""
        parts: Any = (None if part is None else part.detach() for part in self)
        return State(*parts)


class Cells(NamedTuple):
    """The constants of a population; a tensor holds one for each neuron, or broadcasts over `[*N]`."""

    threshold: float
    reset: str
    reset_delay: bool
    surrogate: Surrogate
    beta: Tensor | float
    alpha: Tensor | None = None
    rho: Tensor | None = None
    strength: Tensor | None = None
    refractory: int = 0
    #: weight of each neuron's connection to itself
    own: Tensor | None = None
    #: weights `[N, N]` of the population's connections to itself, row i into neuron i
    weight: Tensor | None = None

    def over(self, shape: Sequence[int]) -> Cells:
        """The same with every constant in a form that broadcasts over neurons of a shape."""
        fitting: dict[str, Any] = {
            name: along(value, shape) for name in PARAMETERS if (value := getattr(self, name)) is not None
        }
        return self._replace(**fitting)

    def rest(self, like: Tensor) -> State:
        """The state at rest of neurons `[B, *N]`: zeros."""
        zeros = like.new_zeros(like.shape)
        back = self.own is not None or self.weight is not None or self.reset_delay
        has = (True, self.alpha is not None, self.rho is not None, self.refractory > 0, back)
        return State(*(zeros if each else None for each in has))  # type: ignore[arg-type]


#: constants with one value a neuron, which may be learned
PARAMETERS = ("beta", "alpha", "rho", "strength", "own")


def along(value: Tensor | float, shape: Sequence[int]) -> Tensor | float:
    """A constant that broadcasts over neurons `[*N]`; one axis beside several is that of the channels, as in batch norm.

    Raises:
        InputError: if it does not fit.
    """
    if not isinstance(value, Tensor) or value.numel() == 1:
        return value.reshape(()) if isinstance(value, Tensor) else value
    if value.dim() == 1 and len(shape) > 1:
        fits = value.shape[0] == shape[0]
        value = value.view(-1, *(1 for _ in shape[1:]))
    else:
        ends = zip(reversed(value.shape), reversed(shape), strict=False)
        fits = value.dim() <= len(shape) and all(have in (1, want) for have, want in ends)
    if not fits:
        raise InputError(
            f"a neuron's constant has the shape {list(value.shape)}, but its neurons are {list(shape)}: give one number, "
            f"one a channel [{shape[0] if shape else 1}], or one a neuron"
        )
    return value


def run(currents: Tensor, state: State, cells: Cells) -> tuple[Tensor, State]:
    """Spikes `[T, B, *N]` and the last state of a population; every back end gives the same spikes.

    On a GPU this is the reference: only plain IF and LIF have Triton kernels.
    """
    shape = currents.shape
    cells = cells.over(shape[2:])
    state = _fitting(state, shape[1:])
    if cells.surrogate.name not in SURROGATES or not currents.numel() or not runs_native(currents):
        if currents.dtype == torch.bfloat16:  # every back end computes it in float32
            wide = State(*(None if part is None else part.float() for part in state))  # type: ignore[arg-type]
            spikes, found = reference.run_cells(currents.float(), wide, cells)
            return spikes.to(currents.dtype), _like(state, found)
        spikes, found = reference.run_cells(currents, state, cells)
        return spikes, State(*found)
    flat = currents.to(torch.float32).reshape(*shape[:2], -1).contiguous()
    starts = [None if part is None else part.to(torch.float32).reshape(shape[1], -1).contiguous() for part in state]
    constants = [_each(getattr(cells, name), shape[2:], currents.device) for name in PARAMETERS]
    weight = None if cells.weight is None else cells.weight.to(torch.float32).contiguous()
    spikes, *last, words = _Cells.apply(cells, weight, flat, *starts, *constants)
    spikes = spikes.view(shape).to(currents.dtype)
    sends(spikes, Planes(words, tuple(shape)))
    ends = [None if part is None else part.view(shape[1:]) for part in last]
    return spikes, _like(state, (*ends, None if state.spikes is None else spikes[-1]))


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
    def forward(ctx: Any, cells: Cells, weight: Tensor | None, currents: Tensor, *rest: Tensor | None) -> Any:
        core = native()
        assert core is not None
        steps, batch, width = currents.shape
        given = dict(zip(("currents", *_STARTS, *PARAMETERS), (currents, *rest), strict=True))
        given |= (
            {} if weight is None else {"weight_turned": weight.t().contiguous(), "weight_blocked": _blocked(weight)}
        )
        spikes = torch.empty_like(currents)
        words = empty_words(steps * batch, width)
        last = {name: None if given[name] is None else currents.new_empty(batch, width) for name in _STARTS[:4]}
        core.fire_cells(
            (steps, batch, width), _addresses(given), *_settings(cells), _addresses({"spikes": spikes, "words": words, **last}),
            torch.get_num_threads(),
        )  # fmt: skip
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
        core, cells, currents = native(), ctx.cells, given["currents"]
        assert core is not None
        with torch.no_grad():
            arriving = {"spikes": torch.zeros_like(currents) if to_spikes is None else to_spikes.contiguous()}
            arriving |= {
                name: grad.contiguous() for name, grad in zip(_STARTS[:3], to_last, strict=False) if grad is not None
            }
            wanted = dict(zip(("currents", *_STARTS, *PARAMETERS), ctx.needs_input_grad[2:], strict=True))
            back = cells.own is not None or cells.weight is not None
            wanted |= {"currents": True, "waiting": False, "fired": wanted["fired"] and back}
            leaving = {name: torch.empty_like(given[name]) if want else None for name, want in wanted.items()}
            core.learn_cells(
                tuple(currents.shape), _addresses(given), *_settings(cells), _addresses(arriving),
                SURROGATES[cells.surrogate.name], cells.surrogate.slope, _addresses(leaving), torch.get_num_threads(),
            )  # fmt: skip
            weight_grad = None
            if ctx.needs_input_grad[1]:
                assert leaving["currents"] is not None
                before = torch.cat([given["fired"][None], spikes[:-1]]).flatten(0, 1)
                weight_grad = leaving["currents"].flatten(0, 1).t() @ before
        grads = once((weight_grad, *leaving.values()), (*tensors, to_spikes, *to_last), "a neuron")
        return (None, *grads)


def _blocked(weight: Tensor) -> Tensor:
    """A matrix as blocks of 32 columns, so that a kernel reads it in a row."""
    columns = weight.shape[1]
    return torch.nn.functional.pad(weight, (0, -columns % 32)).unflatten(1, (-1, 32)).transpose(0, 1).contiguous()


def _settings(cells: Cells) -> tuple[float, int, bool, int]:
    return cells.threshold, RESETS[cells.reset], cells.reset_delay, cells.refractory


def _addresses(tensors: Mapping[str, Tensor | None]) -> dict[str, int]:
    return {name: tensor.data_ptr() for name, tensor in tensors.items() if tensor is not None}
