"""Adam, in one native call a step."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from ..errors import CallError
from ..kernels.choice import runs_native
from ..kernels.native import Moments, adam
from ..torch_private import as_written, optimizer_hooks, profiling

#: options under which a step is more than the native one does
_MORE = ("amsgrad", "maximize", "capturable", "differentiable", "weight_decay", "decoupled_weight_decay")


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`: same arguments, state and results within rounding, with one native call a step.

    `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`, `w = w - lr m' / (sqrt(v') + eps)`, with `m'` and
    `v'` corrected for their start at 0. Where weights lie on another device, are not float32, or an option asks for
    more, torch's own step is taken.
    """

    @functools.wraps(torch.optim.Adam.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **named: Any) -> None:
        try:
            super().__init__(*args, **named)
        except (TypeError, ValueError) as error:
            raise CallError(
                f"Adam cannot be made so ({error}): call Adam(network.parameters(), lr=0.001), with options as torch's"
            ) from None

    def step(self, closure: Any = None) -> Any:
        """Take a step; `closure`, if given, computes the loss anew and its value is returned."""
        hooked = optimizer_hooks(self) or profiling()
        return _told(self, closure) if hooked else self._step(closure)

    # torch would wrap each step in what hooks and profilers need: as long as the step itself, and seldom wanted
    step.hooked = True  # type: ignore[attr-defined]

    # as torch wrote them: it wraps them in an import of its compiler, which takes seconds
    add_param_group = as_written(torch.optim.Adam.add_param_group)
    state_dict = as_written(torch.optim.Adam.state_dict)
    load_state_dict = as_written(torch.optim.Adam.load_state_dict)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or with `set_to_none=False` set them to zero."""
        if not set_to_none:
            return super().zero_grad(set_to_none)
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None
        return None

    def _step(self, closure: Any) -> Any:
        groups = None if closure is not None else [self._moments(group) for group in self.param_groups]
        if groups is None or any(found is None for found in groups):
            step: Any = torch.optim.Adam.step
            # once somebody made an Adam of torch's, its step calls the hooks itself, and they were called already
            return (step.__wrapped__ if getattr(step, "hooked", False) else step)(self, closure)
        for group, found in zip(self.param_groups, groups, strict=True):
            if found is None:
                continue
            beta1, beta2 = group["betas"]
            adam(found, group["lr"], beta1, beta2, group["eps"])
            touched = [each for weight, _, mean, square, taken in found for each in (weight, mean, square, taken)]
            for one in touched:  # one by one, as torch 2.4 asks for it
                torch.autograd.graph.increment_version(one)
        return None

    def _moments(self, group: dict[str, Any]) -> list[Moments] | None:
        """A group's weights, gradients, moments and steps; None where torch shall take the step."""
        if any(group.get(option) for option in _MORE) or isinstance(group["lr"], Tensor):
            return None
        found: list[Moments] = []
        for weight in group["params"]:
            grad = weight.grad
            if grad is None:
                continue
            shape = weight.shape
            if not weight.numel() or not runs_native(weight):
                return None
            state = self.state[weight] or self._first(weight)
            mean, square, taken = state["exp_avg"], state["exp_avg_sq"], state["step"]
            if not (_plain(weight, shape) and _plain(grad, shape) and _plain(mean, shape) and _plain(square, shape)):
                return None
            if not _plain(taken, torch.Size()):
                return None
            found.append(Moments(weight, grad, mean, square, taken))
        return found

    def _first(self, weight: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[weight]
        state["step"] = torch.zeros((), dtype=torch.float32)
        state["exp_avg"] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        state["exp_avg_sq"] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        return state


#: a step as torch wraps it, for those who listen
_told = torch.optim.Optimizer.profile_hook_step(Adam._step)


def _plain(tensor: Tensor, shape: torch.Size) -> bool:
    return tensor.dtype is torch.float32 and tensor.is_cpu and tensor.is_contiguous() and tensor.shape == shape
