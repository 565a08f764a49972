"""Fused operators, retold in operators that have counting rules: the retelling is counted, the fused result is used.

The network's own outputs thus stay exactly those of the fused operator. A retelling draws no random numbers (dropout is
left out: it removes products only in training) and is discarded as soon as it is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .books import Books
from .origins import Origin
from .pool_reads import sum_pool


def _attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> Tensor:
    # [*batch, n, d] x [*batch, m, d] -> [*batch, n, d]; fewer key heads than query heads serve groups of them
    if key.dim() == 4 and key.shape[1] != query.shape[1]:
        key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
        value = value.repeat_interleave(query.shape[1] // value.shape[1], 1)
    scores = torch.matmul(query, key.mT) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if causal:
        keep = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~keep, -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype is torch.bool else scores + mask
    shares = torch.softmax(scores, -1)
    return torch.matmul(shares.masked_fill(shares.isnan(), 0), value)  # a query that sees no key weighs none


def _flash(
    query: Tensor, key: Tensor, value: Tensor, dropout_p: float = 0.0, is_causal: bool = False, *rest: Any,
    attn_mask: Tensor | None = None, scale: float | None = None, **_: Any,
) -> None:  # fmt: skip
    _attention(query, key, value, attn_mask, is_causal, scale)


def _biased(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: Tensor | None = None, compute_log_sumexp: bool = False,
    dropout_p: float = 0.0, is_causal: bool = False, *_rest: Any, scale: float | None = None, **_: Any,
) -> None:  # fmt: skip
    _attention(query, key, value, attn_bias, is_causal, scale)


def _overrideable(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *_rest: Any, scale: float | None = None, **_: Any,
) -> None:  # fmt: skip
    _attention(query, key, value, attn_bias, is_causal, scale)


def _heads(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_head: int, qkv_weight: Tensor,
    qkv_bias: Tensor | None,
    proj_weight: Tensor, proj_bias: Tensor | None, mask: Tensor | None = None, *_rest: Any, **options: Any,
) -> Tensor:  # fmt: skip
    # the fast path of nn.MultiheadAttention; batch first
    if query is key and key is value:
        parts = F.linear(query, qkv_weight, qkv_bias).chunk(3, -1)
    else:
        biases = [None] * 3 if qkv_bias is None else list(qkv_bias.chunk(3))
        weights = qkv_weight.chunk(3)
        parts = tuple(F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
    split = [part.unflatten(-1, (num_head, embed_dim // num_head)).transpose(1, 2) for part in parts]
    if mask is not None:  # what hides is True or minus infinity; of keys [B, m], or of pairs
        kind = _rest[2] if len(_rest) > 2 else options.get("mask_type")
        hidden = mask if mask.dtype is torch.bool else mask == -math.inf
        added = torch.zeros_like(hidden, dtype=query.dtype) if mask.dtype is torch.bool else mask
        mask = added.masked_fill(hidden, -math.inf)
        of_keys = kind == 1 if kind is not None else mask.shape == (query.shape[0], key.shape[1])
        mask = mask[:, None, None, :] if of_keys else mask
    out = _attention(split[0], split[1], split[2], mask, False, None)
    return F.linear(out.transpose(1, 2).flatten(2), proj_weight, proj_bias)


def _encoder_layer(
    src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor,
    proj_bias: Tensor, use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Tensor, norm_bias_1: Tensor,
    norm_weight_2: Tensor, norm_bias_2: Tensor, ffn_weight_1: Tensor, ffn_bias_1: Tensor, ffn_weight_2: Tensor,
    ffn_bias_2: Tensor, mask: Tensor | None = None, *_rest: Any,
) -> None:  # fmt: skip
    # the fast path of nn.TransformerEncoderLayer; samples of different lengths come as one nested tensor
    if src.is_nested:
        for part in src.unbind():
            _encoder_layer(
                part.unsqueeze(0), embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, use_gelu, norm_first,
                eps, norm_weight_1, norm_bias_1, norm_weight_2, norm_bias_2, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2,
            )  # fmt: skip
        return

    def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.layer_norm(x, (embed_dim,), weight, bias, eps)

    def attend(x: Tensor) -> Tensor:
        kind = _rest[0] if _rest else None
        return _heads(x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, mask_type=kind)

    def feed(x: Tensor) -> Tensor:
        hidden = F.linear(x, ffn_weight_1, ffn_bias_1)
        return F.linear(F.gelu(hidden) if use_gelu else F.relu(hidden), ffn_weight_2, ffn_bias_2)

    if norm_first:
        x = src + attend(norm(src, norm_weight_1, norm_bias_1))
        x + feed(norm(x, norm_weight_2, norm_bias_2))
    else:
        x = norm(src + attend(src), norm_weight_1, norm_bias_1)
        norm(x + feed(x), norm_weight_2, norm_bias_2)


def _rnn_layer(
    values: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor, hidden: Tensor,
    cell: Tensor, reverse: bool, batch_sizes: Sequence[int], mode: int, hidden_size: int, num_layers: int,
    has_biases: bool,
    bidirectional: bool, batch_first: bool, train: bool,
) -> None:  # fmt: skip
    # one direction of one layer of nn.LSTM on a CPU; [T, B, in], the states [1, B, hidden] or [B, hidden]
    if mode != 2 or batch_sizes:
        raise NotImplementedError("only an LSTM over sequences of equal length is known")
    state, memory = hidden.reshape(-1, hidden_size), cell.reshape(-1, hidden_size)
    arriving = F.linear(values, weight_ih, bias_ih if has_biases else None)
    steps = arriving.unbind(0)
    for step in reversed(steps) if reverse else steps:
        gates = step + F.linear(state, weight_hh, bias_hh if has_biases else None)
        enter, forget, candidate, leave = gates.chunk(4, 1)
        memory = torch.sigmoid(forget) * memory + torch.sigmoid(enter) * torch.tanh(candidate)
        state = torch.sigmoid(leave) * torch.tanh(memory)


def _bilinear(
    left: Tensor, weight: Tensor, right: Tensor, *axes: Sequence[int],
) -> None:  # fmt: skip
    # nn.Bilinear: [B, i] through [o, i, j], then each of the o * j values times its partner of [B, j]
    if [list(axis) for axis in axes[:4]] != [[1, 3], [0], [1, 2], [2, 3]]:
        raise NotImplementedError("only the product that nn.Bilinear makes is known")
    reached = F.linear(left, weight.transpose(1, 2).flatten(0, 1)).unflatten(1, (weight.shape[0], weight.shape[2]))
    torch.matmul(reached, right.unsqueeze(-1))


#: fused aten operator -> the same in operators that have rules
SHADOWS: dict[str, Callable[..., Any]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _flash,
    "_scaled_dot_product_flash_attention": _flash,
    "_scaled_dot_product_efficient_attention": _biased,
    "_scaled_dot_product_cudnn_attention": _biased,
    "_scaled_dot_product_fused_attention_overrideable": _overrideable,
    "_native_multi_head_attention": _heads,
    "_transformer_encoder_layer_fwd": _encoder_layer,
    "mkldnn_rnn_layer": _rnn_layer,
    "_trilinear": _bilinear,
}


# -- modules that are booked as one thing, whatever operators they are made of ------------------------------------------


def _rms_norm(books: Books, module: Any, args: tuple[Any, ...], output: Any) -> None:
    books.add("norm", "norm_op", args[0].numel())
    books.spoil([args[0]])
    books.ask(books.origin(args[0]))
    books.know.put(output, Origin("values", books.place))


def _sum_pool(books: Books, module: Any, args: tuple[Any, ...], output: Any) -> None:
    dims = args[0].dim() - 2
    kernel, stride = (
        (size,) * dims if isinstance(size, int) else tuple(size)
        for size in (module.kernel_size, module.stride or module.kernel_size)
    )
    made = books.pooled(sum_pool(args[0], kernel, stride, module.ceil_mode), args[0], output)
    if made is not None:
        books.know.put(output, made)


def whole_module(module: nn.Module) -> Callable[[Books, Any, tuple[Any, ...], Any], None] | None:
    """How to book a module that is not looked into; None for any other."""
    if isinstance(module, getattr(nn, "RMSNorm", ())):
        return _rms_norm
    if isinstance(module, nn.LPPool1d | nn.LPPool2d) and module.norm_type == 1:
        return _sum_pool
    return None
