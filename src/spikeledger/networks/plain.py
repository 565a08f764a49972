"""A network's copy whose weights are ordinary ones, as they multiply: what may be changed without the network noticing."""

from __future__ import annotations

import copy
from typing import Any, cast

from torch import nn
from torch.nn.utils import parametrize

from ..errors import InputError


def plain_copy(network: nn.Module) -> nn.Module:
    """A copy, in which weights that a parametrization makes are parameters.

    Raises:
        InputError: it cannot be copied, as one whose weights a hook computes before each use.
    """
    try:
        plain: nn.Module = copy.deepcopy(network)
    except RuntimeError as error:
        raise InputError(
            f"{type(network).__name__} cannot be copied ({' '.join(str(error).split())[:120]}): make weights that are computed, "
            "by pruning or by a norm of weights, ordinary ones first, as torch's own prune.remove and remove_weight_norm do"
        ) from error
    for module in plain.modules():
        if parametrize.is_parametrized(module):
            made = {name: getattr(module, name).detach() for name in cast(Any, module.parametrizations)}
            module.__class__ = type(module).__bases__[0]  # torch's own removal changes the original too
            del module.parametrizations
            for name, value in made.items():
                module.register_parameter(name, nn.Parameter(value))
    return plain
