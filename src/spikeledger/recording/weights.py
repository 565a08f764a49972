"""Which tensors are weights: parameters and buffers, and whatever is computed from them alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .neurons import kind_of
from .tracking import TensorMap


@dataclass(frozen=True)
class Weight:
    """A tensor made from weights alone: of which parameter, and whose values they are."""

    name: str
    owner: Tensor | None = None  # None: computed afresh, so that its zeros may be others at each call

    @property
    def version(self) -> object:
        """What changes when the values do; None if that cannot be known."""
        if self.owner is None or self.owner.is_inference():
            return None
        return id(self.owner), self.owner._version

    def layer(self, part: Tensor) -> str:
        """The layer that multiplies by a part of this weight: its module, or the parameter itself if it has a name.

        A slice is a layer of its own (`attention.in_proj_weight:4096`), since its synapses are others.
        """
        slice_ = ""
        if self.owner is not None and part.numel() < self.owner.numel() and 0 not in part.stride():
            slice_ = f":{part.storage_offset() - self.owner.storage_offset()}"
        return self.name.removesuffix(".weight") + slice_


def weights_of(network: nn.Module) -> TensorMap[Weight]:
    """The parameters and buffers of a network, but for the buffers of neurons: they hold the state."""
    found: TensorMap[Weight] = TensorMap()
    for path, module in network.named_modules():
        books = (module._parameters,) if kind_of(module) is not None else (module._parameters, module._buffers)
        own: set[int] = set()
        for name, tensor in (row for book in books for row in book.items()):
            if tensor is not None and id(tensor) not in own:  # the first name of two in one module
                own.add(id(tensor))
                found.put(tensor, Weight(f"{path}.{name}" if path else name, tensor))
    return found
