"""What every population of neurons has: its options, its state, its run over time; the equations are in `neurons`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import a_tensor, checked
from ..errors import InputError, unknown_name
from ..kernels import integrate_and_fire
from ..kernels.cells import RESETS, Cells, Reset, State, along
from ..kernels.family import run
from ..kernels.planes import untouched
from ..kernels.surrogates import Derivative, Surrogate
from ..kernels.surrogates import surrogate as find_surrogate
from ..listening.hooks import called

#: for which a neuron may wait: more is no refractory period, and float32 counts no further
MOST_STEPS = 1 << 24


class Neuron(nn.Module):
    """A population of spiking neurons: currents `[T, B, *N]` in, spikes (0 or 1) of the same shape out.

    Every call starts from rest, so that nothing can be forgotten between batches; to carry the state on, pass it:
    `spikes, state = neuron(currents, neuron.rest(currents))`, then `neuron(more, state)`. The state of plain IF and LIF
    is their membrane `[B, *N]`, that of all others a `State` of such tensors.

    Args:
        threshold: above 0; a membrane above it fires.
        reset: what a spike takes from the membrane: the threshold (`subtract`), all (`zero`), nothing (`none`).
        reset_delay: whether it is taken at the next step.
        refractory: steps for which a neuron waits after a spike.
        inclusive: whether a membrane at the threshold fires too.
        initial: membrane before the first step: a number, one a channel `[C]`, or one a neuron `[*N]`.
        window: the first step in which the neurons may fire, and the step after the last; None: all.
        truncate: steps after which gradients stop; None: never.
        surrogate: what stands in for the spike's derivative, by name, or a function of membrane minus threshold.
        slope: of the named surrogate.
    """

    initial: Tensor

    @checked
    def __init__(
        self,
        *,
        threshold: float = 1.0,
        reset: Reset = "subtract",
        reset_delay: bool = False,
        refractory: int = 0,
        inclusive: bool = False,
        initial: float | Tensor = 0.0,
        window: tuple[int, int] | None = None,
        truncate: int | None = None,
        surrogate: str | Surrogate | Derivative = "atan",
        slope: float | None = None,
    ) -> None:
        super().__init__()
        if reset not in RESETS:
            raise unknown_name("reset", reset, RESETS)
        if threshold <= 0:
            raise InputError(f"a neuron's threshold is {threshold}, but must be a finite number above 0")
        if not 0 <= refractory <= MOST_STEPS:
            raise InputError(
                f"a neuron's refractory period is {refractory}, but must be a whole number of steps, 0 or more, and at "
                f"most {MOST_STEPS:,}"
            )
        if truncate is not None and truncate < 1:
            raise InputError(f"gradients are to stop after {truncate} steps, but it must be a whole number, 1 or more")
        first = torch.as_tensor(initial, dtype=torch.get_default_dtype()).detach().clone()
        if not (first.numel() and bool(first.isfinite().all())):
            raise InputError("a neuron's initial membrane must be one finite number, or some of them")
        if window is not None:
            window = _window(window, truncate)
        self.threshold = float(threshold)
        self.inclusive = inclusive
        self.register_buffer("initial", first, persistent=first.dim() > 0)
        self.window = window
        #: whether its membranes start at 0 and it may fire at any step, as the kernels of bits do
        self.from_zero = window is None and first.dim() == 0 and not float(first)
        self.reset: Reset = reset
        self.reset_delay = reset_delay
        self.refractory = refractory
        self.truncate = truncate
        self.surrogate = find_surrogate(surrogate, slope)

    @property
    def state_variables(self) -> int:
        """State variables of one neuron: its membrane, and its refractory counter where it has one."""
        return 1 + (self.refractory > 0)

    @property
    def plain(self) -> bool:
        """Whether it is a membrane and nothing else, so that the fused kernels of IF and LIF are its own."""
        return "fused" in type(self).__dict__ and not self.refractory

    def decay(self) -> Tensor | float:
        """What is left of the membrane after one step: `beta`, a number or a tensor that broadcasts over `[*N]`."""
        raise InputError(
            f"{type(self).__name__} does not say how its membrane decays: use sl.neurons.IF or sl.neurons.LIF"
        )

    def cells(self) -> Cells:
        """The constants that the kernels of the whole family want."""
        return Cells(
            self.threshold, self.reset, self.reset_delay, self.surrogate, self.decay(), refractory=self.refractory,
            inclusive=self.inclusive, initial=self.initial,
        )  # fmt: skip

    def rest(self, currents: Tensor) -> Any:
        """The state before the first step of currents `[T, B, *N]`: the initial membrane `[B, *N]`, and zeros."""
        zeros = torch.zeros_like(currents[0]) if len(currents) else currents.new_zeros(currents.shape[1:])
        if not self.plain:
            return self.cells().rest(zeros)
        return zeros if self.from_zero else zeros + along(self.initial, zeros.shape[1:])

    @called
    @untouched
    def forward(self, currents: Tensor, state: Any = None) -> Any:
        """Spikes `[T, B, *N]`; with a `state` as of `rest` passed, `(spikes, state)` as `nn.RNN` does."""
        if a_tensor(self, currents).dim() < 2:
            raise InputError(
                f"{type(self).__name__} got currents of shape {list(currents.shape)}, but needs [T, B, *N]: "
                "time first, then the batch"
            )
        if self.window is not None:
            spikes, last = self._in_window(currents, state)
        else:
            spikes, last = in_parts(self._steps, currents, state, self.truncate)
        return spikes if state is None else (spikes, last)

    def _in_window(self, currents: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Before and after the window neurons that never fire take the currents."""
        assert self.window is not None
        if state is not None:
            raise InputError("neurons with a window count steps from the first one, and cannot go on from a state")
        never = copy.copy(self)  # shares its parameters
        never.threshold, never.inclusive, never.window = float(torch.finfo(torch.float32).max), False, None
        first, last = (min(each, len(currents)) for each in self.window)
        state, sent = self.rest(currents), []
        for neuron, part in ((never, currents[:first]), (self, currents[first:last]), (never, currents[last:])):
            if len(part):
                spikes, state = neuron._steps(part, state)
                sent.append(spikes)
        return (torch.cat(sent) if len(sent) > 1 else sent[0] if sent else torch.zeros_like(currents)), state

    def _steps(self, currents: Tensor, state: Any) -> tuple[Tensor, Any]:
        if state is None and not self.from_zero:
            state = self.rest(currents)
        if not self.plain:
            start = self.rest(currents) if state is None else _as_state(state, type(self).__name__)
            return run(currents, start, self.cells())
        return integrate_and_fire(
            currents,
            state,
            beta=self.decay(),
            threshold=self.threshold,
            reset=self.reset,
            reset_delay=self.reset_delay,
            surrogate=self.surrogate,
            inclusive=self.inclusive,
        )

    def extra_repr(self) -> str:
        more = ", reset_delay=True" if self.reset_delay else ""
        more += f", refractory={self.refractory}" if self.refractory else ""
        more += ", inclusive=True" if self.inclusive else ""
        if self.initial.dim() or float(self.initial):
            more += f", initial={shown(self.initial, False)}"
        more += f", window={self.window}" if self.window else ""
        more += f", truncate={self.truncate}" if self.truncate else ""
        return f"threshold={self.threshold:g}, reset={self.reset}{more}, surrogate={self.surrogate}"

    def _keep(self, name: str, value: float | Tensor, *, learn: bool) -> None:
        """Keep a decay per step: in [0, 1] as given, or a parameter inside (0, 1) by a logistic function."""
        kept = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
        if kept.numel() == 0 or not bool(((kept >= 0) & (kept <= 1)).all()):
            raise InputError(
                f"a {type(self).__name__} neuron's {name} is {value}, but must lie in [0, 1]: it is a decay per step"
            )
        if learn:
            self.register_parameter(f"{name}_logit", nn.Parameter(torch.logit(kept, eps=1e-4)))
        else:
            self.register_buffer(f"fixed_{name}", kept)

    def _kept(self, name: str) -> Tensor:
        logit = self._parameters.get(f"{name}_logit")
        fixed: Tensor = getattr(self, f"fixed_{name}") if logit is None else torch.sigmoid(logit)
        return fixed


def _window(window: Any, truncate: int | None) -> tuple[int, int]:
    first, last = (int(each) for each in window) if len(window) == 2 else (0, 0)
    if not 0 <= first < last:
        raise InputError(f"a neuron's window is {window}, but must be a first step and a later one: (0, 8) is 8 steps")
    if truncate is not None:
        raise InputError("neurons with a window cannot stop their gradients every few steps: leave truncate out")
    return first, last


def in_parts(
    run: Callable[[Tensor, Any], tuple[Tensor, Any]], currents: Tensor, state: Any, truncate: int | None
) -> tuple[Tensor, Any]:
    """Run currents `[T, ...]`, with the state cut off from its past after every `truncate` steps."""
    if not truncate or truncate >= len(currents):
        return run(currents, state)
    sent: list[Tensor] = []
    for part in currents.split(truncate):
        spikes, state = run(part, state.detach() if sent else state)
        sent.append(spikes)
    return torch.cat(sent), state


def _as_state(state: Any, kind: str) -> State:
    if isinstance(state, State):
        return state
    raise InputError(
        f"the state of a {kind} here is a State, not a {type(state).__name__}: take it from rest(currents)"
    )


def shown(value: Tensor, learned: bool) -> str:
    """A constant as `repr` shows it."""
    number = f"{float(value.detach()):.4g}" if value.dim() == 0 else f"tensor{list(value.shape)}"
    return f"{number}{' (learned)' if learned else ''}"
