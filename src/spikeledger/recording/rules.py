"""RULES: what each operator of torch does, for the counter: one row an operator, looked up by its aten name.

A weighted operator becomes a `Product`: the values that arrived, the weights, and the operator as a function that is linear
in the values. From these the counter needs nothing else: fan-out is that function's transpose applied to ones.
Every operator must have a row here, be it "costs nothing"; what has none is reported as uncounted, never as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten
Linear = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Product:
    """A weighted operator as it ran: `linear(values, weight)`, with `rows` leading axes over samples and steps."""

    operator: str
    values: Tensor
    weight: Tensor
    linear: Linear
    rows: int
    outputs: int  # elements of the whole output
    dense: int  # multiply-accumulates of a machine that skips nothing, padding included
    bias: bool = False


def _matrix(values: Tensor, weight: Tensor, *, bias: bool = False) -> Product:
    # values [rows, in] times weight [in, out]
    outputs = values.shape[0] * weight.shape[1]
    return Product("linear", values, weight, torch.mm, 1, outputs, outputs * weight.shape[0], bias)


def _mm(values: Tensor, weight: Tensor) -> Product:
    return _matrix(values, weight)


def _addmm(bias: Tensor, values: Tensor, weight: Tensor, *, beta: float = 1, alpha: float = 1) -> Product:
    return _matrix(values, weight, bias=beta != 0)


def _convolution(
    values: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Product:
    def linear(x: Tensor, w: Tensor) -> Tensor:
        out: Tensor = aten.convolution(x, w, None, stride, padding, dilation, transposed, output_padding, groups)
        return out

    shape = linear(values.new_empty(values.shape, device="meta"), weight.new_empty(weight.shape, device="meta")).shape
    taps = weight.numel() // weight.shape[0]  # of one output channel, or of one input channel where transposed
    dense = (values.numel() if transposed else shape.numel()) * taps
    name = f"conv{'_transpose' if transposed else ''}{weight.dim() - 2}d"
    return Product(name, values, weight, linear, 1, shape.numel(), dense, bias is not None)


#: aten operator -> the product that it is
PRODUCTS: dict[str, Callable[..., Product]] = {"mm": _mm, "addmm": _addmm, "convolution": _convolution}


@dataclass(frozen=True)
class Pool:
    """A pooling operator as it ran; `linear` is its sum over each window where it is an average, else None."""

    operator: str
    values: Tensor
    reads: int  # pairs of (element, window that holds it)
    linear: Callable[[Tensor], Tensor] | None


def _average_pool(dims: int) -> Callable[..., Pool]:
    functional = {1: torch.nn.functional.avg_pool1d, 2: aten.avg_pool2d, 3: aten.avg_pool3d}[dims]

    def rule(
        values: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Pool:
        def window_sum(x: Tensor) -> Tensor:
            if dims == 1:  # has no divisor: every average is over the whole window when padding counts
                size = list(kernel)[0]
                out: Tensor = functional(x, kernel, list(stride) or kernel, padding, ceil_mode, True) * size
            else:
                out = functional(x, kernel, stride, padding, ceil_mode, count_include_pad, 1)
            return out

        return Pool(f"avg_pool{dims}d", values, _reads(window_sum, values), window_sum)

    return rule


def _max_pool(dims: int) -> Callable[..., Pool]:
    def rule(
        values: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,),
        ceil_mode: bool = False,
    ) -> Pool:
        ones = torch.ones((1, 1, *values.shape[-dims:]), dtype=torch.float32, device=values.device)
        kernel_, stride_ = _per_axis(kernel, dims), _per_axis(stride or kernel, dims)
        padding_, dilation_ = _per_axis(padding, dims), _per_axis(dilation, dims)
        # each window holds as many elements as a convolution of ones counts; ceil_mode adds windows past the border
        extra = []
        for size, k, s, p, d in zip(values.shape[-dims:], kernel_, stride_, padding_, dilation_, strict=True):
            span = size + 2 * p - d * (k - 1) - 1
            steps = -(-span // s) if ceil_mode else span // s
            if ceil_mode and steps * s >= size + p:
                steps -= 1
            extra.append(max(0, steps * s + d * (k - 1) + 1 - size - 2 * p))
        pads = [side for p, more in zip(reversed(padding_), reversed(extra), strict=True) for side in (p, p + more)]
        padded = torch.nn.functional.pad(ones, pads)
        window = torch.ones((1, 1, *kernel_), device=values.device)
        conv = getattr(torch.nn.functional, f"conv{dims}d")
        one_map = int(conv(padded, window, stride=stride_, dilation=dilation_).sum(dtype=torch.float64))
        return Pool(f"max_pool{dims}d", values, one_map * (values.numel() // max(ones.numel(), 1)), None)

    return rule


def _adaptive_average(values: Tensor, size: Sequence[int]) -> Pool:
    dims = len(size)
    spans = [_adaptive_spans(n, m) for n, m in zip(values.shape[-dims:], size, strict=True)]

    def window_sum(x: Tensor) -> Tensor:
        for axis, windows in enumerate(spans, start=x.dim() - dims):
            x = torch.stack([x.narrow(axis, start, end - start).sum(axis) for start, end in windows], axis)
        return x

    reads = values.numel() // max(values.shape[-dims:].numel(), 1)
    for windows in spans:
        reads *= sum(end - start for start, end in windows)
    return Pool(f"adaptive_avg_pool{dims}d", values, reads, window_sum)


def _mean(values: Tensor, dims: Sequence[int] | None, keepdim: bool = False, *, dtype: Any = None) -> Pool | None:
    axes = sorted(axis % values.dim() for axis in (dims if dims is not None else range(values.dim())))
    if values.dim() < 4 or axes != list(range(values.dim() - len(axes), values.dim())) or axes[0] < 2:
        return None  # an average over time, batch or channels: no pooling

    def window_sum(x: Tensor) -> Tensor:
        return x.sum(axes, keepdim)

    return Pool(f"adaptive_avg_pool{len(axes)}d", values, values.numel(), window_sum)


#: aten operator -> the pooling that it is
POOLS: dict[str, Callable[..., Pool | None]] = {
    "avg_pool1d": _average_pool(1),
    "avg_pool2d": _average_pool(2),
    "avg_pool3d": _average_pool(3),
    "max_pool1d": _max_pool(1),
    "max_pool2d": _max_pool(2),
    "max_pool3d": _max_pool(3),
    "max_pool2d_with_indices": _max_pool(2),
    "max_pool3d_with_indices": _max_pool(3),
    "_adaptive_avg_pool2d": _adaptive_average,
    "_adaptive_avg_pool3d": _adaptive_average,
    "mean": _mean,
}

#: operators that only move values: what is known of the input holds for the output
CARRIERS: frozenset[str] = frozenset(
    "view _unsafe_view reshape _reshape_alias permute transpose t expand squeeze unsqueeze select slice flatten unflatten "
    "clone contiguous detach alias lift_fresh _to_copy to narrow unfold movedim swapaxes".split()
)

#: normalisation: folds into the weighted operator before it, else one `norm_op` an element
NORMS: frozenset[str] = frozenset(
    "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training _native_batch_norm_legit_functional "
    "batch_norm cudnn_batch_norm native_layer_norm native_group_norm _fused_rms_norm".split()
)

#: pointwise non-linearities: one `activation` an element
ACTIVATIONS: frozenset[str] = frozenset(
    "relu threshold clamp clamp_min clamp_max hardtanh leaky_relu elu celu selu gelu silu mish sigmoid tanh hardsigmoid "
    "hardswish softplus log_sigmoid_forward _softmax _safe_softmax _log_softmax _prelu_kernel prelu rrelu exp log sqrt rsqrt "
    "reciprocal pow abs sign round floor ceil sin cos erf square".split()
)

#: arithmetic between activations: one `elementwise` an element
ELEMENTWISE: frozenset[str] = frozenset(
    "add sub rsub mul div neg maximum minimum addcmul addcdiv lerp where masked_fill sum cumsum var std var_mean".split()
)

#: costs nothing that this ledger books: allocation, bookkeeping, comparison, random numbers, read-out
FREE: frozenset[str] = frozenset(
    "empty empty_like empty_strided new_empty new_empty_strided zeros zeros_like new_zeros ones ones_like new_ones full "
    "full_like new_full arange linspace scalar_tensor fill zero copy uniform normal bernoulli rand rand_like randn "
    "randn_like randint randperm random native_dropout dropout gt ge lt le eq ne logical_and logical_or logical_not "
    "logical_xor bitwise_and bitwise_or bitwise_not isnan isinf isfinite any all argmax argmin max min amax amin aminmax "
    "topk sort stack cat concat split split_with_sizes unsafe_split chunk unbind index index_select gather scatter "
    "index_put masked_select nonzero one_hot repeat repeat_interleave flip roll tile is_same_size item "
    "_local_scalar_dense size stride numel constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d "
    "replication_pad1d replication_pad2d replication_pad3d upsample_nearest1d upsample_nearest2d upsample_nearest3d "
    "tril triu diagonal sym_size as_strided resize set_ _has_compatible_shallow_copy_type record_stream "
    "count_nonzero mse_loss nll_loss_forward binary_cross_entropy_with_logits prod floor_divide remainder".split()
)


def _reads(window_sum: Callable[[Tensor], Tensor], values: Tensor) -> int:
    if values.numel() == 0:
        return 0
    one = torch.ones((1, *values.shape[1:]), dtype=torch.float64, device=values.device)
    return int(window_sum(one).sum()) * values.shape[0]


def _per_axis(value: int | Sequence[int], dims: int) -> list[int]:
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * dims if len(numbers) == 1 else numbers


def _adaptive_spans(size: int, windows: int) -> list[tuple[int, int]]:
    return [(index * size // windows, -(-(index + 1) * size // windows)) for index in range(windows)]
