"""The weights that pruning may make zero: as they multiply, whatever they are made of.

A weight may be a parameter, or made of others before each use: by a parametrization, a hook of old (weight norm,
spectral norm), or one of torch's own masks. Layers that share one weight have it once.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..errors import InputError
from ..torch_private import hook_tables

#: layers whose `weight` multiplies, and nothing else does
_LAYERS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


@dataclass
class Weight:
    """The weight of a layer, or of several that share it."""

    names: list[str]
    module: Any

    @property
    def values(self) -> Tensor:
        """What multiplies, as it is made now."""
        hook = _hook(self.module)
        with torch.no_grad():
            if hook is not None:
                hook(self.module, None)
            found: Tensor = self.module.weight.detach()
        return found

    def zero(self, chosen: Tensor) -> None:
        """Make these values zero, in what the weight is made of; the others stay as they are, up to a norm's factor."""
        with torch.no_grad():
            _zero(self.module, chosen.to(self.values.device))
            found = self.values
        if bool((found[chosen.to(found.device)] != 0).any()) or not bool(torch.isfinite(found).all()):
            raise _refused(self.names[0], self.module)


def weights_of(network: nn.Module) -> dict[str, Weight]:
    """The weights that can be pruned, by the name of the first layer that has each.

    Raises:
        InputError: there is none, or zeros would not stay in one.
    """
    found: dict[int, Weight] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        if isinstance(module, _LAYERS):
            of = _made_of(module)
            if any(nn.parameter.is_lazy(part) for part in of):
                raise InputError(f"layer '{name}' has no weights yet: run the network once before it is pruned")
            known = found.setdefault(id(of[-1]), Weight([], module))
            known.names.append(name)
            if len(known.names) == 1 and not _keeps_zeros(module):
                raise _refused(name, module)
    if not found:
        raise InputError(f"{type(network).__name__} has no linear or convolutional layer, so no weight to prune")
    return {weight.names[0]: weight for weight in found.values()}


def _made_of(module: nn.Module) -> list[Tensor]:
    """The parameters that a layer's weight is made of; the last is the one of its shape, where there is one."""
    if parametrize.is_parametrized(module, "weight"):
        return list(module.parametrizations.weight.parameters(recurse=False))  # type: ignore[union-attr]
    own = module._parameters
    parts = [own.get(f"weight{end}") for end in ("", "_g", "_orig", "_v")]
    return [part for part in parts if part is not None]


def _hook(module: nn.Module) -> Any:
    """The hook that makes a layer's weight before each call; None where there is none."""
    before = (hook for table in hook_tables(module)[:1] for hook in table.values())
    made = (hook for hook in before if type(hook).__module__.startswith("torch.nn.utils."))
    return next((hook for hook in made if getattr(hook, "name", getattr(hook, "_tensor_name", "")) == "weight"), None)


def _zero(module: Any, chosen: Tensor) -> None:
    made_of = _made_of(module)
    mask = module._buffers.get("weight_mask")
    if mask is not None:
        mask.masked_fill_(chosen, 0)
        return
    if len(made_of) == 1 and made_of[0] is module._parameters.get("weight"):
        made_of[0].masked_fill_(chosen, 0)
        return
    norm = _weight_norm(module)
    if norm is not None:
        (size, direction), axis = made_of, norm.dim
        _normed(size, direction, axis, _value(module).masked_fill(chosen, 0))
        return
    if parametrize.is_parametrized(module, "weight"):
        wanted, before = _value(module).masked_fill(chosen, 0), [part.clone() for part in made_of]
        try:
            module.weight = wanted
            if not bool((module.weight[chosen] != 0).any()):
                return
        except (NotImplementedError, RuntimeError, ValueError):  # nobody said how it is made of given values
            pass
        for part, was in zip(made_of, before, strict=True):
            part.copy_(was)
    if made_of and made_of[-1].shape == chosen.shape:
        made_of[-1].masked_fill_(chosen, 0)


def _value(module: Any) -> Tensor:
    found: Tensor = Weight([], module).values
    return found


def _weight_norm(module: Any) -> Any:
    """The weight norm that alone makes a layer's weight, by its class: it has a `dim`."""
    if parametrize.is_parametrized(module, "weight"):
        made = list(module.parametrizations.weight)
        return made[0] if len(made) == 1 and type(made[0]).__name__ == "_WeightNorm" else None
    hook = _hook(module)
    return hook if type(hook).__name__ == "WeightNorm" else None


def _normed(size: Tensor, direction: Tensor, axis: int | None, wanted: Tensor) -> None:
    """Let `size * direction / |direction|` be what is wanted; a direction of nothing has the size 0, and stays."""
    axes = [k for k in range(wanted.dim()) if axis is None or axis < 0 or k != axis]
    norm = wanted.norm(2, axes, keepdim=True)
    direction.copy_(torch.where(norm > 0, wanted, direction))
    size.copy_(norm.reshape(size.shape))


def _keeps_zeros(module: Any) -> bool:
    """Whether zeros stay when what a weight is made of moves, but for its zeros: tried on a copy."""
    plain = _made_of(module)
    if len(plain) == 1 and plain[0] is module._parameters.get("weight"):
        return True
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        hook = _hook(module)
        if hook is not None:
            module.weight = module.weight.detach()  # what a hook made cannot be copied with its graph
        try:
            twin = copy.deepcopy(module)
        except (RuntimeError, TypeError):
            return False
        chosen = (torch.rand(_value(twin).shape, generator=generator) < 0.5).to(_value(twin).device)
        _zero(twin, chosen)
        for part in _made_of(twin):
            part.add_((0.1 * torch.rand(part.shape, generator=generator)).to(part) * (part != 0))
        found = _value(twin)
        return bool((found[chosen] == 0).all()) and bool(torch.isfinite(found).all())


def _refused(name: str, module: Any) -> InputError:
    made = module.parametrizations.weight if parametrize.is_parametrized(module, "weight") else [_hook(module)]
    by = ", ".join(type(each).__name__ for each in made)
    return InputError(
        f"the weight of layer '{name}' is made by {by}, under which zeros do not stay zeros: make it a plain weight "
        "before it is pruned, with torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')"
    )
