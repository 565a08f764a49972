"""One NIR node to one module; the equations are in `nir.py`, and the way back in `nir_from_modules.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError, unknown_name
from ..kernels.cells import RESETS
from .delays import LONGEST_DELAY, Delay
from .neurons import IF, LIF, Neuron, Synaptic
from .spiking import over_time

_MOST_WAITING = 1 << 28  # values that delays may hold
_WHOLE = 1e-6  # how far from a whole number of steps a delay may be, of itself
Numbers = NDArray[np.float64]


class Neurons(nn.Module):
    """Neurons with what NIR puts before them: a gain, and a current towards the leak's voltage, each `[*N]`."""

    gain: Tensor
    leak: Tensor

    def __init__(self, neuron: Neuron, gain: Tensor, leak: Tensor) -> None:
        super().__init__()
        self.neuron = neuron
        self.plain = bool((gain == 1).all() and (leak == 0).all())
        self.register_buffer("gain", gain)
        self.register_buffer("leak", leak)

    def rest(self, currents: Tensor) -> Any:
        """The state at rest."""
        return self.neuron.rest(currents)

    def forward(self, currents: Tensor, state: Any = None) -> Any:
        driven = currents if self.plain else currents * self.gain + self.leak
        return self.neuron(driven, state)


class Integrators(nn.Module):
    """Membranes that never fire: `V[t] = beta V[t-1] + gain I[t] + leak` on `[T, B, *N]`; their values are graded."""

    beta: Tensor
    gain: Tensor
    leak: Tensor

    def __init__(self, beta: Tensor, gain: Tensor, leak: Tensor) -> None:
        super().__init__()
        self.register_buffer("beta", beta)
        self.register_buffer("gain", gain)
        self.register_buffer("leak", leak)

    def rest(self, currents: Tensor) -> Tensor:
        """The state at rest: zeros `[B, *N]`."""
        return currents.new_zeros(currents.shape[1:])

    def forward(self, currents: Tensor, state: Tensor | None = None) -> Any:
        last = self.rest(currents) if state is None else state
        out = []
        for driven in currents * self.gain + self.leak:
            last = self.beta * last + driven
            out.append(last)
        values = torch.stack(out) if out else currents
        return values if state is None else (values, last)


class Scaled(nn.Module):
    """A factor for each place: `y = factor x` on `[T, B, *N]`."""

    factor: Tensor

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)

    def forward(self, values: Tensor) -> Tensor:
        return values * self.factor


class Chained(nn.Sequential):
    """Two stages of one node, whose state is that of both."""

    def rest(self, currents: Tensor) -> tuple[Any, ...]:
        """The states at rest."""
        return tuple(stage.rest(currents) for stage in self)  # type: ignore[operator]

    def forward(self, currents: Tensor, state: Any = None) -> Any:
        if state is None:
            return super().forward(currents)
        later = []
        for stage, known in zip(self, state, strict=True):
            currents, after = stage(currents, known)
            later.append(after)
        return currents, tuple(later)


def to_module(nir: Any, name: str, node: Any, dt: float) -> nn.Module | None:
    """The module of a NIR node at a step of `dt` seconds; None for the graph's input and output."""
    if isinstance(node, nir.Input | nir.Output):
        return None
    if node is None:  # the door of a graph inside
        return nn.Identity()
    for field, value in vars(node).items():
        if field in ("input_type", "output_type", "metadata") or isinstance(value, str | bool | type(None)):
            continue
        try:
            numbers = np.asarray(value, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"node '{name}' has a {field} that is no number") from error
        if not np.isfinite(numbers).all():
            bad = int((~np.isfinite(numbers)).sum())
            raise InputError(f"node '{name}' has {bad:,} values of {field} that are NaN or infinite")
    kind = type(node).__name__
    reader = _READERS.get(kind)
    if reader is None:
        raise InputError(f"node '{name}' is a NIR {kind}, which is not read here: {', '.join(_READERS)} are")
    try:
        made: nn.Module = reader(name, node, dt)
        return made
    except InputError:
        raise
    except (ArithmeticError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        sentence = " ".join(str(error).split())[:160]
        raise InputError(f"node '{name}' is no whole {kind}: {sentence}") from error


def _linear(name: str, node: Any, dt: float) -> nn.Module:
    weight = np.asarray(node.weight, np.float32)
    bias = getattr(node, "bias", None)
    if weight.ndim != 2 or not weight.size:
        raise InputError(f"node '{name}' has a weight of shape {list(weight.shape)}, but needs [out, in]")
    made = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(weight))
        if bias is not None:
            made.bias.copy_(torch.from_numpy(np.asarray(bias, np.float32).reshape(weight.shape[0])))
    return made


def _convolution(name: str, node: Any, dt: float) -> nn.Module:
    weight = np.asarray(node.weight, np.float32)
    dims = 1 if type(node).__name__ == "Conv1d" else 2
    if weight.ndim != 2 + dims or not weight.size:
        raise InputError(
            f"convolution '{name}' has a weight of shape {list(weight.shape)}, but {2 + dims} axes are needed"
        )
    padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    padding = 0 if isinstance(padding, str) and padding == "valid" else padding
    groups = int(node.groups)
    stride, dilation = _axes(node.stride, dims), _axes(node.dilation, dims)
    if isinstance(padding, str):
        if padding != "same" or set(stride) != {1}:
            raise InputError(f"convolution '{name}' has the padding '{padding}' at stride {stride}: give it in numbers")
    else:
        padding = _axes(padding, dims)
    if groups < 1 or weight.shape[0] % groups:
        raise InputError(f"convolution '{name}' has {groups} groups for {weight.shape[0]} channels")
    conv: Any = nn.utils.skip_init(
        nn.Conv1d if dims == 1 else nn.Conv2d, weight.shape[1] * groups, weight.shape[0], weight.shape[2:],
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(weight))
        conv.bias.copy_(torch.from_numpy(np.asarray(node.bias, np.float32).reshape(weight.shape[0])))
    return over_time(conv)


def _average(name: str, node: Any, dt: float) -> nn.Module:
    return over_time(nn.AvgPool2d(_axes(node.kernel_size, 2), _axes(node.stride, 2), _axes(node.padding, 2)))


def _sum(name: str, node: Any, dt: float) -> nn.Module:
    sizes = (_axes(node.kernel_size, 2), _axes(node.stride, 2), _axes(node.padding, 2))
    return over_time(nn.AvgPool2d(*sizes, divisor_override=1))


def _flatten(name: str, node: Any, dt: float) -> nn.Module:
    first, last = int(node.start_dim), int(node.end_dim)
    shape = (node.input_type or {}).get("input")
    if shape is not None and np.ndim(shape) == 1:
        first, last = first % max(len(shape), 1), last % max(len(shape), 1)
    return nn.Flatten(first + 2 if first >= 0 else first, last + 2 if last >= 0 else last)


def _scale(name: str, node: Any, dt: float) -> nn.Module:
    return Scaled(_tensor(np.asarray(node.scale, np.float64)))


def _delay(name: str, node: Any, dt: float) -> nn.Module:
    seconds = np.asarray(node.delay, np.float64)
    steps = np.round(seconds / dt)
    if not seconds.size or np.any(seconds < 0):
        raise InputError(f"delay '{name}' holds a negative time, or none")
    odd = np.abs(seconds / dt - steps) > _WHOLE * np.maximum(steps, 1)
    if np.any(odd):
        raise InputError(
            f"delay '{name}' takes {seconds[odd].ravel()[0]:g} s, which is no whole number of steps of {dt:g} s: give "
            "another dt"
        )
    if steps.max() > LONGEST_DELAY or steps.max() * steps.size > _MOST_WAITING:
        raise InputError(
            f"delay '{name}' takes {steps.max():,.0f} steps of {dt:g} s for {steps.size:,} values, and at most "
            f"{LONGEST_DELAY:,} steps and {_MOST_WAITING:,} values under way are read"
        )
    return Delay(torch.from_numpy(steps.astype(np.int64)))


def _threshold(name: str, node: Any, dt: float) -> nn.Module:
    """No memory at all: `beta = 0`, and nothing to reset."""
    theta = np.asarray(node.threshold, np.float64)
    level, gain, leak = _levels(name, theta, np.ones_like(theta), np.zeros_like(theta))
    return Neurons(LIF(0.0, threshold=level, reset="none"), _tensor(gain), _tensor(leak))


def _integrators(name: str, node: Any, dt: float) -> nn.Module:
    r = np.asarray(node.r, np.float64)
    if type(node).__name__ == "I":
        return Integrators(_tensor(np.ones_like(r)), _tensor(_near_one(r * dt)), _tensor(np.zeros_like(r)))
    tau = _tau(name, node.tau if hasattr(node, "tau") else node.tau_mem, dt)
    leak = np.asarray(node.v_leak, np.float64) * dt / tau
    membrane = Integrators(_tensor(1 - dt / tau), _tensor(_near_one(r * dt / tau)), _tensor(leak))
    if type(node).__name__ == "LI":
        return membrane
    synapse = _tau(name, node.tau_syn, dt)
    gain = _near_one(np.asarray(node.w_in, np.float64) * dt / synapse)
    return Chained(Integrators(_tensor(1 - dt / synapse), _tensor(gain), _tensor(np.zeros_like(r))), membrane)


def _neurons(name: str, node: Any, dt: float) -> nn.Module:
    kind = type(node).__name__
    theta, r = np.asarray(node.v_threshold, np.float64), np.asarray(node.r, np.float64)
    if np.any(np.asarray(node.v_reset, np.float64) != 0):
        raise InputError(f"neurons '{name}' reset to a voltage that is not 0, which is not read here")
    metadata = node.metadata if isinstance(node.metadata, dict) else {}
    reset = _text(metadata.get("reset", "zero"))
    if reset not in RESETS:
        raise unknown_name("reset", reset, RESETS)
    options: dict[str, Any] = {
        "reset": reset,
        "reset_delay": bool(int(np.asarray(metadata.get("reset_delay", 0)).item())),
    }
    options |= _beyond(name, metadata)
    alpha: Numbers | None = None
    if kind == "IF":
        beta, gain, leak = np.ones_like(r), r * dt, np.zeros_like(r)
    else:
        tau = _tau(name, node.tau if kind == "LIF" else node.tau_mem, dt)
        beta, gain, leak = 1 - dt / tau, r * dt / tau, np.asarray(node.v_leak, np.float64) * dt / tau
    if kind == "CubaLIF":
        if np.any(leak != 0):
            raise InputError(f"neurons '{name}' leak to a voltage that is not 0, which is not read of a CubaLIF here")
        synapse = _tau(name, node.tau_syn, dt)
        alpha = 1 - dt / synapse
        gain = gain * np.asarray(node.w_in, np.float64) * dt / synapse
    level, gain, leak = _levels(name, theta, gain, leak)
    options["threshold"] = level
    if "initial" in options and np.any(theta != theta.ravel()[0]):  # membranes are counted in thresholds
        options["initial"] = torch.as_tensor(options["initial"]) / _tensor(theta)
    neuron: Neuron
    if kind == "IF":
        neuron = IF(**options)
    elif alpha is None:
        neuron = LIF(_one(beta), **options)
    else:
        neuron = Synaptic(_one(alpha), _one(beta), **options)
    return Neurons(neuron, _tensor(gain), _tensor(leak))


def _beyond(name: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """What our own files say of neurons beyond NIR."""
    found: dict[str, Any] = {"inclusive": bool(int(np.asarray(metadata.get("inclusive", 0)).item()))}
    if "window" in metadata:
        first, last = np.asarray(metadata["window"]).astype(np.int64).tolist()
        found["window"] = (first, last)
    if "initial" in metadata:
        initial = np.asarray(metadata["initial"], np.float64)
        found["initial"] = _tensor(initial) if initial.ndim else float(initial)
    return found


def _levels(name: str, theta: Numbers, gain: Numbers, leak: Numbers) -> tuple[float, Numbers, Numbers]:
    """One threshold for all: where they differ, membranes are counted in thresholds."""
    if not theta.size or np.any(theta <= 0):
        raise InputError(f"neurons '{name}' have a threshold that is not above 0, or none")
    if np.all(theta == theta.ravel()[0]):
        return float(theta.ravel()[0]), _near_one(gain), leak
    return 1.0, _near_one(gain / theta), leak / theta


def _tau(name: str, value: Any, dt: float) -> Numbers:
    tau = np.asarray(value, np.float64)
    if not tau.size or np.any(tau < dt):
        least = tau.min() if tau.size else 0.0
        remedy = "give a shorter dt" if least > 0 else "it must be above 0"
        raise InputError(f"neurons '{name}' have a time constant of {least:g} s at steps of {dt:g} s: {remedy}")
    return tau


def _near_one(gain: Numbers) -> Numbers:
    """Gains such as `r dt / tau` with `r = tau / dt` are meant to be 1, whatever the last bit says."""
    return np.where(np.isclose(gain, 1, rtol=1e-6, atol=0), 1.0, gain)


def _one(values: Numbers) -> float | Tensor:
    return float(values.ravel()[0]) if np.all(values == values.ravel()[0]) else _tensor(values)


def _tensor(values: Numbers) -> Tensor:
    return torch.tensor(values, dtype=torch.get_default_dtype())


def _axes(value: Any, dims: int) -> Any:
    numbers = np.atleast_1d(np.asarray(value)).ravel().tolist()
    numbers = [int(each) for each in (numbers * dims if len(numbers) == 1 else numbers)]
    if len(numbers) != dims or min(numbers) < 0 or max(numbers) > 1 << 20:
        raise ValueError(f"{numbers} stands where {dims} whole numbers from 0 on are needed")
    return tuple(numbers)


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else str(value)
    return value.decode() if isinstance(value, bytes) else str(value)


_READERS: dict[str, Any] = {
    "Affine": _linear,
    "Linear": _linear,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "AvgPool2d": _average,
    "SumPool2d": _sum,
    "Flatten": _flatten,
    "Scale": _scale,
    "Delay": _delay,
    "Threshold": _threshold,
    "I": _integrators,
    "LI": _integrators,
    "CubaLI": _integrators,
    "IF": _neurons,
    "LIF": _neurons,
    "CubaLIF": _neurons,
}
