"""Linear layers that need no listening: called as their library wrote them, they multiply once, and it is known by what.

Being told of an operator costs several times the look at its operands. Whatever could make such a call anything else (a
hook, another mode, a transform, a weight that is no parameter) has it listened to, as every other operator is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .products import PRODUCTS, Product

_FORWARD, _LINEAR = nn.Linear.forward, F.linear


def multiplies_once(module: nn.Module, args: tuple[Any, ...]) -> bool:
    """Whether a module is a linear layer that is going to multiply a matrix `[B, N]` by its own parameter, no more."""
    if not isinstance(module, nn.Linear) or len(args) != 1:
        return False
    values, weight = args[0], module._parameters.get("weight")
    return (
        _as_written(module)
        and type(values) is Tensor
        and type(weight) is nn.Parameter
        and values.dim() == 2
        and values.dtype is weight.dtype
        and values.layout is torch.strided
        and weight.layout is torch.strided
        and not (module._forward_pre_hooks or module._forward_hooks or module._backward_hooks)
        and not module._backward_pre_hooks
        and torch._C._len_torch_dispatch_stack() == 1
        and torch._C._len_torch_function_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
        and torch._C._current_autograd_node() is None
        and not torch._C._is_any_autocast_enabled()
    )


def product(module: nn.Linear, values: Tensor) -> Product:
    """What the layer multiplied, by the rule of the operator that it calls."""
    matrix, bias = module.weight.detach().t(), module.bias
    operands = (values, matrix) if bias is None else (bias, values, matrix)
    found = PRODUCTS["mm" if bias is None else "addmm"](lambda tensor: tensor is matrix, *operands)
    assert isinstance(found, Product)  # one operand is a weight
    return found._replace(weight=module.weight)


def _as_written(module: nn.Linear) -> bool:
    """Whether `forward` is torch's own, or SpikingJelly's, which does the same."""
    kind = type(module)
    if "forward" in module.__dict__ or nn.Linear.forward is not _FORWARD or F.linear is not _LINEAR:
        return False
    if kind is nn.Linear:
        return True
    return kind.__name__ == "Linear" and kind.__module__.startswith("spikingjelly.activation_based.layer")
