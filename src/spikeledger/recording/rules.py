"""What kind of thing each operator of torch is, for the counter: one row an operator, looked up by its aten name.

Every operator must have a row here, be it "costs nothing"; what has none is reported as uncounted, never as zero. How
products and poolings are counted is in `products` and `pools`; how fused operators are taken apart, in `shadows`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .pools import POOLS
from .products import PRODUCTS
from .shadows import SHADOWS


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: operators that only move values: what is known of the input holds for the output
CARRIERS: frozenset[str] = _names(
    """
    view _unsafe_view reshape _reshape_alias permute transpose t numpy_T mT expand squeeze unsqueeze select slice
    flatten unflatten clone contiguous detach alias lift_fresh _to_copy to narrow unfold movedim swapaxes
    pixel_shuffle pixel_unshuffle channel_shuffle
    """
)

#: operators that put values together, take them apart or pad them: where they came from is kept, their places are not
GATHERERS: frozenset[str] = _names(
    """
    cat concat stack split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk unbind index
    index_select gather repeat repeat_interleave flip roll tile constant_pad_nd reflection_pad1d reflection_pad2d
    reflection_pad3d replication_pad1d replication_pad2d replication_pad3d pad im2col masked_select diagonal
    as_strided native_dropout dropout copy tril triu masked_scatter index_put scatter slice_scatter select_scatter
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d
    """
)

#: operators whose output is 0 or 1 (or a sign): perhaps the spikes of a neuron that nobody declared
COMPARISONS: frozenset[str] = _names(
    """
    gt ge lt le eq ne greater greater_equal less less_equal heaviside sign signbit logical_and logical_or logical_not
    logical_xor bernoulli isnan isinf isfinite
    """
)

#: normalisation with fixed statistics: folds into the weighted operator before it, else one `norm_op` an element
BATCH_NORMS: frozenset[str] = _names(
    """
    native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training
    _native_batch_norm_legit_functional _batch_norm_no_update _batch_norm_with_update cudnn_batch_norm
    miopen_batch_norm
    """
)

#: normalisation by what it sees: never folds
NORMS: frozenset[str] = _names(
    """
    native_layer_norm native_group_norm _fused_rms_norm local_response_norm
    """
)

#: pointwise non-linearities: one `activation` an element
ACTIVATIONS: frozenset[str] = _names(
    """
    relu threshold clamp clamp_min clamp_max hardtanh leaky_relu elu celu selu gelu silu mish sigmoid tanh hardsigmoid
    hardswish softplus softshrink hardshrink log_sigmoid_forward _softmax _safe_softmax _log_softmax _prelu_kernel
    prelu rrelu rrelu_with_noise exp exp2 expm1 log log1p log2 log10 sqrt rsqrt reciprocal pow abs round floor ceil
    trunc frac sin cos tan atan erf square glu logit quantize_per_tensor_dynamic
    fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine_cachemask
    """
)

#: arithmetic between activations: one `elementwise` an element
ELEMENTWISE: frozenset[str] = _names(
    """
    add sub rsub mul div neg maximum minimum addcmul addcdiv lerp where masked_fill sum cumsum cumprod var std
    var_mean mean addr floor_divide remainder fmod prod linalg_vector_norm norm upsample_linear1d upsample_bilinear2d
    upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa bitwise_and bitwise_or
    bitwise_xor mse_loss
    """
)

#: look-ups in a table of weights: reads, no products
LOOKUPS: frozenset[str] = _names(
    """
    embedding _embedding_bag _embedding_bag_forward_only
    """
)

#: tensors made from nothing but a shape: what they are made like says nothing about them
FACTORIES: frozenset[str] = _names(
    """
    empty empty_like empty_strided new_empty new_empty_strided zeros zeros_like new_zeros ones ones_like new_ones full
    full_like new_full arange linspace scalar_tensor eye rand rand_like randn randn_like randint randperm tril_indices
    triu_indices _efficientzerotensor
    """
)

#: costs nothing that this ledger books: bookkeeping, random numbers, read-out
FREE: frozenset[str] = FACTORIES | _names(
    """
    fill zero uniform normal exponential random bitwise_not any all argmax argmin max min amax amin aminmax topk sort
    nonzero one_hot is_same_size item _local_scalar_dense size stride numel sym_size sym_numel resize set_
    _has_compatible_shallow_copy_type record_stream count_nonzero nll_loss_forward nll_loss2d_forward
    binary_cross_entropy binary_cross_entropy_with_logits equal is_nonzero bincount multinomial searchsorted unique2
    _unique2 cummax kthvalue median histc sym_stride sym_storage_offset _assert_async isclose
    """
)


class Rule(NamedTuple):
    """How the counter takes one operator: its kind, its plain name, and the function of a product, pool or shadow."""

    kind: str
    name: str
    apply: Callable[..., Any] | None = None
    in_place: bool = False


_KINDS: dict[str, frozenset[str]] = {
    "carrier": CARRIERS,
    "gatherer": GATHERERS,
    "comparison": COMPARISONS,
    "batch_norm": BATCH_NORMS,
    "norm": NORMS,
    "activation": ACTIVATIONS,
    "elementwise": ELEMENTWISE,
    "lookup": LOOKUPS,
    "factory": FACTORIES,
    "free": FREE,
}


def rule_of(func: Any) -> Rule:
    """The row of an operator overload; the kind `unknown` where there is none."""
    space, _, full = func._schema.name.partition("::")
    in_place = func._schema.is_mutable
    name = full.removesuffix("_") if full.endswith("_") and not full.endswith("__") else full
    name = {"__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor"}.get(name.strip(), name)
    if space not in ("aten", "prims"):
        return Rule("unknown", f"{space}::{full}", None, in_place)
    for kind, book in (("product", PRODUCTS), ("pool", POOLS), ("shadow", SHADOWS)):
        if name in book:
            return Rule(kind, name, book[name], in_place)
    for kind, names in _KINDS.items():
        if name in names:
            return Rule(kind, name, None, in_place)
    return Rule("unknown", full, None, in_place)


def why_unknown(name: str) -> str:
    """Why an operator is not counted."""
    if name.startswith("quantized::"):
        return "a quantised operator hides its weights: record the network before it is quantised"
    return "this operator has no counting rule"
