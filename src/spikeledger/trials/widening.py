"""A trained network made wider, so that it answers as before: `widened(narrow, wide)`."""

from __future__ import annotations

from typing import Any

from ..errors import InputError

#: by which the weights from new neurons to trained ones are multiplied
FAINT = 1e-6


def widened(narrow: Any, wide: Any) -> Any:
    """The wide network with the narrow one's weights: what was trained stays, and new neurons are hardly heard yet.

    A new neuron keeps its own random incoming weights, and its outgoing ones are made so small that training begins with
    the narrow network's answers; not 0, for weights that are 0 were pruned and stay so. That a network may grow without
    changing its answers is after Chen et al. 2016 (arXiv:1511.05641); there neurons are copied. Changes `wide` in place.

    Args:
        narrow: a network of linear layers.
        wide: the same layers, each with as many neurons or more.

    Raises:
        InputError: other layers, or one that is narrower.
    """
    import torch

    small, large = dict(narrow.named_parameters()), dict(wide.named_parameters())
    if small.keys() != large.keys() or any(
        small[name].dim() != each.dim() or any(a > b for a, b in zip(small[name].shape, each.shape, strict=True))
        for name, each in large.items()
    ):
        shapes = [{name: tuple(each.shape) for name, each in some.items()} for some in (small, large)]
        raise InputError(f"a network can become wider, but not another one: {shapes[0]} is no part of {shapes[1]}")
    with torch.no_grad():
        for name, each in large.items():
            if each.dim() == 2:
                each[: small[name].shape[0], small[name].shape[1] :] *= FAINT  # from new neurons to trained ones
            each[tuple(slice(size) for size in small[name].shape)] = small[name]
    return wide
