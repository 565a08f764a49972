"""Random networks whose layers are joined by passages: sequences of operators that move, mask, copy and pool spikes.

Tensors are `[*lead, *N]` with `lead` = T, B. Every operator is a function of the tensor, the number of leading axes and
random numbers of its own, so that it does the same at every call. What is known of it is its kind:

`moves`   elements are put elsewhere, or left out;       `copies`  elements are there several times;
`masks`   elements become 0;                             `scales`  all are multiplied by one constant;
`adds`    elements are added to others;                  `averages` a linear pooling;
`maxima`  the largest of a window.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS, BATCH = 3, 2

Act = Callable[[Tensor, int, random.Random], Tensor]


class Operator(NamedTuple):
    kind: str
    act: Act
    fits: Callable[[tuple[int, ...]], bool]


OPERATORS: dict[str, Operator] = {}


def operator(kind: str, fits: Callable[[tuple[int, ...]], bool] = lambda n: True) -> Callable[[Act], Act]:
    def put(act: Act) -> Act:
        OPERATORS[act.__name__] = Operator(kind, act, fits)
        return act

    return put


def is_map(n: tuple[int, ...]) -> bool:
    """Feature shape `[C, H, W]`, large enough for windows of 2."""
    return len(n) == 3 and min(n[1:]) >= 2


def is_large_map(n: tuple[int, ...]) -> bool:
    return len(n) == 3 and min(n[1:]) >= 3


def is_vector(n: tuple[int, ...]) -> bool:
    return len(n) == 1


def wide(n: tuple[int, ...]) -> bool:
    return n[-1] >= 2


def merged(x: Tensor, lead: int, act: Callable[[Tensor], Tensor]) -> Tensor:
    """An operator for `[B, *N]` on `[*lead, *N]`."""
    y = act(x.flatten(0, lead - 1))
    return y.unflatten(0, x.shape[:lead])


def mask_of(x: Tensor, lead: int, r: random.Random) -> Tensor:
    """A mask of the features, 0 or 1."""
    generator = torch.Generator().manual_seed(r.randrange(1000))
    return (torch.rand(x.shape[lead:], generator=generator) < 0.6).to(x.dtype)


# -- what moves --------------------------------------------------------------------------------------------------------


@operator("moves")
def viewed_and_back(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.reshape(*x.shape[:lead], -1).view(x.shape)


@operator("moves")
def flattened(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.flatten(lead)


@operator("moves")
def cloned(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return r.choice([Tensor.clone, Tensor.detach, Tensor.contiguous, lambda v: v.double().float()])(x)


@operator("moves", wide)
def sliced(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x[..., r.choice([slice(1, None), slice(None, -1), slice(0, None, 2)])]


@operator("moves")
def narrowed(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.narrow(lead, 0, max(1, x.shape[lead] - 1))


@operator("moves")
def features_flipped(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.flip(-1)


@operator("moves")
def time_flipped(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.flip(0)


@operator("moves")
def rolled(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.roll(1, r.choice([0, -1]))


@operator("moves", is_map)
def transposed(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.transpose(-1, -2)


@operator("moves", is_map)
def channels_last(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.permute(*range(lead), lead + 1, lead + 2, lead).contiguous().movedim(-1, lead)


@operator("moves")
def shuffled(x: Tensor, lead: int, r: random.Random) -> Tensor:
    order = list(range(x.shape[lead]))
    r.shuffle(order)
    index = torch.tensor(order)
    return r.choice([lambda v: v.index_select(lead, index), lambda v: v[:, :, index] if lead == 2 else v[:, index]])(x)


@operator("moves")
def unbound_and_stacked(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return torch.stack(list(x.unbind(0)))


@operator("moves")
def steps_selected_and_concatenated(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return torch.cat([x[t].unsqueeze(0) for t in range(len(x))])


@operator("moves")
def split_and_concatenated(x: Tensor, lead: int, r: random.Random) -> Tensor:
    half = max(1, x.shape[-1] // 2)
    return torch.cat(tuple(reversed(x.split(half, -1))), -1)


@operator("moves")
def padded_with_nothing(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return F.pad(x, r.choice([(1, 0), (0, 2), (1, 1)]))


@operator("moves")
def concatenated_with_silence(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return torch.cat([torch.zeros_like(x[..., :1]), x], -1)


@operator("moves")
def copied_into_a_buffer(x: Tensor, lead: int, r: random.Random) -> Tensor:
    kept = torch.empty_like(x)
    kept.copy_(x)
    return kept


@operator("moves")
def stored_step_by_step(x: Tensor, lead: int, r: random.Random) -> Tensor:
    kept = torch.zeros(x.shape, dtype=x.dtype)
    for t in range(len(x)):
        kept[t] = x[t]
    return kept


@operator("moves")
def stored_in_a_larger_buffer(x: Tensor, lead: int, r: random.Random) -> Tensor:
    kept = x.new_zeros(*x.shape[:-1], x.shape[-1] + 2)
    kept[..., 1:-1] = x
    return kept


@operator("moves")
def stored_through_a_view(x: Tensor, lead: int, r: random.Random) -> Tensor:
    kept = torch.zeros_like(x)
    kept.view(-1).copy_(x.reshape(-1))
    return kept


@operator("moves")
def stored_by_index(x: Tensor, lead: int, r: random.Random) -> Tensor:
    kept, order = torch.zeros_like(x), torch.arange(x.shape[-1]).flip(0)
    return r.choice([lambda: kept.index_copy_(-1, order, x), lambda: kept.scatter_(-1, order.expand_as(x), x)])()


@operator("moves")
def gathered(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.gather(-1, torch.arange(x.shape[-1]).flip(0).expand_as(x))


@operator("moves", lambda n: len(n) == 3 and n[0] % 4 == 0)
def pixel_shuffled(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return F.pixel_shuffle(x, 2)


@operator("moves")
def dropped_out_in_evaluation(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return F.dropout(x, 0.5, training=False)


# -- what copies -------------------------------------------------------------------------------------------------------


@operator("copies")
def concatenated_with_itself(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return torch.cat([x, x], -1)


@operator("copies")
def repeated(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return r.choice([lambda v: v.repeat(*[1] * (v.dim() - 1), 2), lambda v: v.repeat_interleave(2, -1)])(x)


@operator("copies")
def expanded(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.unsqueeze(-1).expand(*x.shape, 2).flatten(-2)


@operator("copies", is_large_map)
def padded_with_values(x: Tensor, lead: int, r: random.Random) -> Tensor:
    mode = r.choice(["circular", "reflect", "replicate"])
    return merged(x, lead, lambda v: F.pad(v, (1, 1, 1, 0), mode=mode))


@operator("copies", is_map)
def enlarged(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: F.interpolate(v, scale_factor=2, mode="nearest"))


@operator("copies", is_large_map)
def unfolded(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: F.unfold(v, 2).flatten(1))


# -- what masks --------------------------------------------------------------------------------------------------------


@operator("masks", wide)
def slice_silenced(x: Tensor, lead: int, r: random.Random) -> Tensor:
    x[..., : x.shape[-1] // 2] = 0
    return x


@operator("masks", wide)
def view_silenced(x: Tensor, lead: int, r: random.Random) -> Tensor:
    part = x[..., 1:]
    r.choice([lambda: part.zero_(), lambda: part.fill_(0), lambda: part.mul_(0)])()
    return x


@operator("masks")
def silenced_through_a_flat_view(x: Tensor, lead: int, r: random.Random) -> Tensor:
    y = x.contiguous()
    y.view(-1)[::3] = 0
    return y


@operator("masks")
def data_silenced(x: Tensor, lead: int, r: random.Random) -> Tensor:
    x.data[..., 0] = 0
    return x


@operator("masks")
def masked_in_place(x: Tensor, lead: int, r: random.Random) -> Tensor:
    mask = mask_of(x, lead, r)
    return r.choice([lambda: x.mul_(mask), lambda: x.masked_fill_(mask == 0, 0.0)])()


@operator("masks")
def masked(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x * mask_of(x, lead, r)


@operator("masks")
def mask_filled(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.masked_fill(mask_of(x, lead, r) == 0, 0.0)


@operator("masks")
def chosen_by_where(x: Tensor, lead: int, r: random.Random) -> Tensor:
    mask = mask_of(x, lead, r) > 0
    return r.choice(
        [
            lambda: torch.where(mask, x, 0.0),
            lambda: torch.where(mask, x, torch.zeros_like(x)),
            lambda: torch.where(x > 0, x, 0.0),
        ]
    )()


@operator("masks")
def index_filled(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.index_fill(-1, torch.tensor([0]), 0.0)


@operator("masks")
def inhibited_by_a_neighbour(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x * (1 - (x.roll(1, -1) != 0).float())


# -- what scales and adds ----------------------------------------------------------------------------------------------


@operator("scales")
def scaled(x: Tensor, lead: int, r: random.Random) -> Tensor:
    factor = r.choice([0.5, 2.0, -1.0])
    return r.choice([lambda: x * factor, lambda: x / factor, lambda: x.mul(torch.tensor(factor)), lambda: -x])()


@operator("scales")
def scaled_in_place(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.mul_(r.choice([0.5, 4.0]))


@operator("adds")
def added_to_a_neighbour(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x + x.roll(1, -1)


@operator("adds")
def accumulated_in_place(x: Tensor, lead: int, r: random.Random) -> Tensor:
    y = torch.zeros_like(x)
    return y.add_(x).add_(x.roll(1, -1))


# -- what pools --------------------------------------------------------------------------------------------------------


@operator("averages", is_map)
def averaged(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: F.avg_pool2d(v, 2))


@operator("averages", is_large_map)
def averaged_where_windows_overlap(x: Tensor, lead: int, r: random.Random) -> Tensor:
    padding, inside = r.choice([0, 1]), r.choice([True, False])
    return merged(x, lead, lambda v: F.avg_pool2d(v, 3, 2, padding, count_include_pad=inside))


@operator("averages", is_map)
def averaged_with_ceiling(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: F.avg_pool2d(v, 2, 2, ceil_mode=True))


@operator("averages", is_large_map)
def averaged_adaptively(x: Tensor, lead: int, r: random.Random) -> Tensor:
    size = r.choice([1, 2, (2, 1)])
    return merged(x, lead, lambda v: F.adaptive_avg_pool2d(v, size))


@operator("averages", is_map)
def averaged_globally(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: v.mean((2, 3), keepdim=True))


@operator("averages", is_map)
def summed_by_windows(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: F.lp_pool2d(v, 1, 2))


@operator("averages", lambda n: is_vector(n) and n[0] >= 3)
def averaged_along_a_line(x: Tensor, lead: int, r: random.Random) -> Tensor:
    ceil = r.choice([True, False])
    return merged(x, lead, lambda v: F.avg_pool1d(v.unsqueeze(1), 2, ceil_mode=ceil).squeeze(1))


@operator("maxima", is_map)
def largest(x: Tensor, lead: int, r: random.Random) -> Tensor:
    ceil = r.choice([True, False])
    return merged(x, lead, lambda v: F.max_pool2d(v, 2, ceil_mode=ceil))


@operator("maxima", is_large_map)
def largest_where_windows_overlap(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: F.max_pool2d(v, 3, 1, 1))


@operator("maxima", is_map)
def largest_adaptively(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return merged(x, lead, lambda v: F.adaptive_max_pool2d(v, 1))


@operator("maxima", is_map)
def largest_of_a_map(x: Tensor, lead: int, r: random.Random) -> Tensor:
    return x.amax((-1, -2), keepdim=True)
