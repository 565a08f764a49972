"""`map(network, inputs) -> Mapped`: the one door by which a network comes to a chip.

A torch module is traced, what is mapped already is given back as it is, and a placement gives the network that lies on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError, unknown_name
from .mapped import Mapped

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ..listening.neurons import Layout

_MOST_VALUES = 1 << 28  # of one sample: more than a network here can take


def map(
    network: nn.Module | Mapped | Any, inputs: Any = None, *, layout: Layout | None = None, step_by_step: bool = False,
    name: str = "",
    dtype: torch.dtype | None = None,
) -> Mapped:  # fmt: skip
    """The populations, projections and delays of a network.

    Args:
        network: a torch module with spiking neurons, which is not changed; a `Mapped`, or what was placed, is taken as
            it is.
        inputs: one or more samples of the module's input, for their shape only; a module whose first layer is linear
            needs none.
        layout: leading axes of the inputs, as in `record`: "B", "TB" or "BT".
        step_by_step: for a network that takes one step a call: the inputs are sequences, given one step after the other.
        dtype: of the weights that are kept; by default the network's own.

    Raises:
        InputError: something between two populations is not a synapse, or the network does not run on such inputs.
    """
    held = getattr(network, "network", None)  # of a placement
    if isinstance(network, Mapped) or isinstance(held, Mapped):
        return network if isinstance(network, Mapped) else held  # type: ignore[return-value]
    from torch import nn

    from ..listening.neurons import LAYOUTS
    from .tracer import DoesNotRun, StepsAsSamples, trace

    if not isinstance(network, nn.Module):
        raise InputError(
            f"a {type(network).__name__} cannot be mapped onto a chip: give a torch module, what sl.map gave, or a "
            "placement"
        )
    if layout is not None and (not isinstance(layout, str) or layout not in LAYOUTS):
        raise unknown_name("layout", layout, LAYOUTS)
    told = layout or getattr(network, "input_layout", None)
    found: Layout = "TB" if step_by_step else told or "TB"
    sample, said = _sample(network, inputs, found), name or type(network).__name__
    try:
        return trace(network, sample, found, said, dtype, step_by_step=step_by_step)
    except (DoesNotRun, StepsAsSamples) as error:  # all other refusals are of what it does, whatever the axes
        if told or step_by_step:
            raise
        # nobody said what the axes are: a network that makes the steps by itself takes samples alone
        alone = sample[0] if isinstance(error, StepsAsSamples) and sample.dim() > 2 else sample
        try:
            return trace(network, alone, "B", said, dtype)
        except InputError:
            raise error from None


def _sample(network: nn.Module, inputs: Any, layout: str) -> Tensor:
    import torch

    if inputs is None:
        return sample_of(network, None)
    try:
        tensor = inputs if isinstance(inputs, torch.Tensor) else torch.as_tensor(inputs)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"inputs are {type(inputs).__name__}, but a network is mapped by samples: give a tensor or an array"
        ) from None
    if tensor.dim() < len(layout) or not tensor.numel():
        raise InputError(
            f"inputs of shape {list(tensor.shape)} have no {layout} axes with a value: pass layout='B', 'TB' or 'BT'"
        )
    if tensor.dim() == 1 and tensor.is_floating_point():
        raise InputError(f"inputs of shape {list(tensor.shape)} have one axis: if they are one sample, give x[None]")
    return tensor.to(torch.get_default_dtype()) if tensor.dtype == torch.float16 else tensor


def sample_of(network: nn.Module, sizes: list[int] | None) -> Tensor:
    """Zeros of the shape of one sample: `sizes`, else what the network's first linear layer takes.

    Raises:
        InputError: nothing says how large a sample is.
    """
    import torch
    from torch import nn

    if sizes is None:
        weighted = (nn.Linear, nn.Conv1d, nn.Conv2d)
        first = next((module for module in network.modules() if isinstance(module, weighted)), None)
        if not isinstance(first, nn.Linear):
            raise InputError("the shape of a sample is not known: give inputs (--data, or --shape such as 3x32x32)")
        sizes = [first.in_features]
    if torch.Size(sizes).numel() > _MOST_VALUES:
        raise InputError(f"a sample of shape {sizes} has more values than a network here can take")
    leading = [1] * len(getattr(network, "input_layout", None) or "TB")
    return torch.zeros(*leading, *sizes)
