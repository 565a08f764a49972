"""Do the axes that were said or guessed agree with the network? What contradicts it is refused, what is likely meant, said."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from ..errors import InputError
from ..listening.neurons import is_neuron
from .books import Books


def check_said(network: nn.Module, timesteps: int | None, step_by_step: bool) -> None:
    """Refuse steps that are said of a network that makes its own."""
    own = _own_steps(network)
    if own is None or getattr(network, "encoder", None) is None or (timesteps is None and not step_by_step):
        return
    said = "step_by_step=True" if step_by_step else f"timesteps={timesteps}"
    raise InputError(
        f"the network makes {own} steps of each sample itself, and {said} would run it again and again: leave that out, "
        f"or build it with other timesteps"
    )


def check_sequences(network: nn.Module, shape: tuple[int, ...], layout: str) -> None:
    """Refuse sequences of another length than the network says that it takes."""
    own = _own_steps(network)
    if own is None or "T" not in layout or getattr(network, "encoder", None) is not None:
        return
    time, batch = layout.index("T"), layout.index("B")
    if shape[time] != own and shape[batch] == own:
        raise InputError(
            f"inputs of shape {list(shape)} have {shape[time]} steps along axis {time}, but the network says "
            f"timesteps={own}, which is axis {batch}: time comes first, so pass x.transpose(0, 1)"
        )


def check_ran(
    network: nn.Module, books: Books, *, shape: tuple[int, ...], layout: str, told: bool, repeats: int | None
) -> None:
    """After a run: refuse steps said of neurons that take several a call, and axes that step modes leave open; say it
    where neurons that keep their state were called once."""
    ran = {name: one for name, one in books.populations.items() if one.updates and one.spiking}
    samples = shape[layout.index("B")]
    if not ran or not samples:
        return
    if repeats is not None:
        name, calls = min(((name, one.updates // repeats) for name, one in ran.items()), key=lambda pair: pair[1])
        if calls > samples:
            raise InputError(
                f"the neurons '{name}' took {calls // samples} steps in each call, so timesteps={repeats} would run them "
                "again and again: leave it out, the network makes its own steps"
            )
        return
    if told or _own_steps(network) is not None or layout != "B" or any(one.updates > shape[0] for one in ran.values()):
        return
    once = [
        module for module in nn.Module.modules(network) if is_neuron(module) and getattr(module, "step_mode", "") == "s"
    ]
    wide = [one.shape for one in ran.values() if len(one.shape) > 1]
    images = any(isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) for module in nn.Module.modules(network))
    if once and wide and len(shape) > 2 and not images:
        raise InputError(
            f"the neurons take one step a call (step mode 's'), and nothing says whether the first axis of inputs of shape "
            f"{list(shape)} holds steps or samples: pass step_by_step=True for steps, layout='B' for samples of one step, "
            "or timesteps= to show each sample that often"
        )
    warnings.warn(
        f"the neurons were called once, so each of {shape[0]:,} samples had one step: pass timesteps=10, for one, to show "
        "each sample that often, step_by_step=True if the first axis is time, or timesteps=1 if one step is meant",
        stacklevel=3,
    )


def _own_steps(network: nn.Module) -> int | None:
    own: Any = getattr(network, "timesteps", None)
    return own if isinstance(own, int) and not isinstance(own, bool) and hasattr(network, "encoder") else None
