"""What a network is given: one tensor, several, or some by name; cut along samples and steps, all alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError


def inputs_of(data: Any) -> Any:
    """The samples of what users have: a data set's test inputs, the inputs of an `(inputs, labels)` pair, anything else."""
    if hasattr(data, "test_inputs"):
        return data.test_inputs
    if isinstance(data, tuple | list) and len(data) == 2 and _is_labels(data[0], data[1]):
        return data[0]
    if not isinstance(data, Iterable) and hasattr(data, "__getitem__") and hasattr(data, "__len__"):  # torch's Dataset
        return torch.utils.data.DataLoader(data, batch_size=256)
    return data


def _is_labels(inputs: Any, labels: Any) -> bool:
    """Whether the second of two arrays is a class for each sample of the first."""
    if not all(isinstance(part, Tensor | np.ndarray) for part in (inputs, labels)):
        return False
    kind = str(labels.dtype)
    return labels.ndim == 1 and inputs.ndim > 1 and len(labels) == len(inputs) and ("int" in kind or "bool" in kind)


class Given(NamedTuple):
    """The arguments of one call, `network(*args, **named)`; nested tuples, lists and dictionaries hold tensors."""

    args: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def first(self) -> Tensor:
        """The tensor whose axes say how many samples and steps there are."""
        found = next(_tensors((*self.args, *self.named.values())), None)
        if found is None:
            raise InputError("the network was given no tensor to run on: give samples, such as data.test_inputs[:10]")
        return found

    def cut(self, axis: int, take: Callable[[Tensor], Tensor]) -> Given:
        """Every tensor that has as many entries along an axis as the first one, cut there."""
        size = self.first.shape[axis]

        def each(value: Any) -> Any:
            if isinstance(value, Tensor):
                return take(value) if value.dim() > axis and value.shape[axis] == size else value
            if isinstance(value, dict):
                return {name: each(part) for name, part in value.items()}
            return type(value)(each(part) for part in value) if isinstance(value, list | tuple) else value

        return Given(each(self.args), each(self.named))

    def narrow(self, axis: int, start: int, size: int) -> Given:
        """Some entries of an axis."""
        return self.cut(axis, lambda value: _some(value, axis, start, size))

    def steps(self, axis: int) -> Iterator[Given]:
        """One step after the other."""
        for step in range(self.first.shape[axis]):
            yield self.cut(axis, lambda value, step=step: value.select(axis, step))  # type: ignore[misc]

    def __call__(self, network: nn.Module) -> Any:
        return network(*self.args, **self.named)


def _some(value: Tensor, axis: int, start: int, size: int) -> Tensor:
    if value.layout is torch.strided:
        return value.narrow(axis, start, size)
    return value.index_select(axis, torch.arange(start, start + size, device=value.device))


def given(inputs: Any, network: nn.Module) -> Given:
    """One batch as a call's arguments: a tensor or array, a tuple of several, or a dictionary of them.

    A dictionary whose names are the network's own parameters is passed by name, and whatever else is in it, labels for
    one, is left out; any other is passed as it is to a network that takes one argument.
    """
    kind = _number_format(network)
    if isinstance(inputs, dict):
        return _by_name(inputs, network, kind)
    if isinstance(inputs, tuple):
        return Given(tuple(_checked(value, kind) for value in inputs), {})
    if isinstance(inputs, list) and any(isinstance(value, Tensor | list | tuple) and _holds(value) for value in inputs):
        raise InputError(
            f"a list of {len(inputs)} tensors was given: pass torch.stack(list) if they are samples or steps, a tuple if "
            "the network takes several inputs, or iter(list) if each is a batch"
        )
    return Given((_checked(inputs, kind),), {})


def batches(inputs: Any, network: nn.Module) -> Iterator[Given]:
    """One batch, or those of a loader, which may come with labels behind the inputs."""
    if isinstance(inputs, list) and inputs and all(isinstance(value, dict) for value in inputs):
        inputs = iter(inputs)
    if isinstance(inputs, Tensor | np.ndarray | list | tuple | dict) or not isinstance(inputs, Iterable):
        yield given(inputs, network)
        return
    for batch in inputs:
        yield given(batch[0] if isinstance(batch, tuple | list) else batch, network)


def _holds(value: Any) -> bool:
    return isinstance(value, Tensor) or any(isinstance(part, Tensor) for part in value)


def _by_name(inputs: dict[str, Any], network: nn.Module, kind: torch.dtype | None) -> Given:
    forward = getattr(network, "forward", network)
    try:
        parameters = inspect.signature(forward).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    names = [name for name in parameters if name in inputs]
    needed = [
        name
        for name, one in parameters.items()
        if one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and name not in inputs
    ]
    if names and not needed:
        return Given((), {name: _checked(inputs[name], kind) for name in names})
    wanted = [one for one in parameters.values() if one.kind is not one.VAR_KEYWORD]
    if not inputs or len(wanted) != 1:
        raise InputError(
            f"a batch with the entries {', '.join(map(repr, inputs)) or '(none)'} was given to a network whose forward "
            f"takes {', '.join(parameters) or 'nothing'}: name the entries as it does"
        )
    checked = {name: _checked(value, kind) for name, value in inputs.items()}
    if len(inputs) > 1:  # labels and indices are whole numbers, one a sample
        samples = [name for name, value in inputs.items() if not _is_label(value)]
        if len(samples) == 1:
            return Given((checked[samples[0]],), {})
    return Given((checked,), {})


def _is_label(value: Any) -> bool:
    if isinstance(value, str) or value is None:
        return True
    dims, kind = (
        (value.dim(), str(value.dtype)) if isinstance(value, Tensor) else (np.ndim(value), str(np.asarray(value).dtype))
    )
    return dims < 2 and "float" not in kind


def _number_format(network: nn.Module) -> torch.dtype | None:
    """What whole numbers and numpy's float64 become: the weights' own format; nothing if they may be indices."""
    if any(isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in nn.Module.modules(network)):
        return None
    formats = [weight.dtype for weight in nn.Module.parameters(network) if weight.is_floating_point()]
    return formats[0] if formats else torch.get_default_dtype()


def _checked(inputs: Any, kind: torch.dtype | None) -> Any:
    if isinstance(inputs, dict):
        return {name: _checked(value, kind) for name, value in inputs.items()}
    if inputs is None or isinstance(inputs, bool | str):
        return inputs
    given = isinstance(inputs, Tensor)
    try:
        tensor = inputs if given else torch.as_tensor(np.asarray(inputs))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"inputs of the type {type(inputs).__name__} cannot be read as numbers ({error}): give a tensor or array"
        ) from None
    if tensor.is_complex() or tensor.numel() == 0:
        raise InputError(f"inputs of shape {list(tensor.shape)} hold no real values: there is nothing to record")
    if tensor.dim() == 0:
        raise InputError("the input is a single number: a network takes samples [B, *N]")
    dense = (
        tensor
        if tensor.layout is torch.strided
        else tensor.coalesce().values()
        if tensor.is_sparse
        else tensor.values()
    )
    # a sum that is finite has only such summands, and costs a tenth of a look at each
    whole = not tensor.is_floating_point() or bool(torch.isfinite(dense.sum())) or bool(torch.isfinite(dense).all())
    if not whole:
        bad = int((~torch.isfinite(dense)).sum())
        raise InputError(f"the inputs hold {bad:,} values that are NaN or infinite: clean them first")
    if kind is not None and not (given and tensor.is_floating_point()):
        tensor = tensor.to(kind)
    return tensor


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            yield from _tensors(value.values())
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
