"""What kind of thing each operator of torch is, for the counter: one row an operator, looked up by its aten name.

Every operator must have a row here, be it "costs nothing"; what has none is reported as uncounted, never as zero. How
products and poolings are counted is in `products`, `pool_reads` and `pool_folding`; how fused operators are taken apart is in
`shadows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from ..errors import InputError, unknown_name
from ..torch_private import decomposes, schema_of
from .pool_reads import POOLS
from .products import PRODUCTS
from .shadows import SHADOWS


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: operators that only move values: what is known of the input holds for the output
CARRIERS: frozenset[str] = _names(
    """
    view _unsafe_view reshape _reshape_alias permute transpose t numpy_T mT expand squeeze unsqueeze select slice
    flatten unflatten clone contiguous detach alias lift_fresh _to_copy to narrow unfold movedim swapaxes
    pixel_shuffle pixel_unshuffle channel_shuffle set
    """
)

#: operators that put values together, take them apart or pad them: where they came from is kept, their places are not
GATHERERS: frozenset[str] = _names(
    """
    cat concat stack split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk unbind index
    index_select gather repeat repeat_interleave flip roll tile constant_pad_nd reflection_pad1d reflection_pad2d
    reflection_pad3d replication_pad1d replication_pad2d replication_pad3d pad im2col masked_select diagonal
    as_strided native_dropout dropout copy index_copy index_fill _unsafe_index _unsafe_index_put fill_diagonal tril
    triu masked_scatter index_put scatter take rot90 nan_to_num slice_scatter select_scatter
    _pack_padded_sequence _pad_packed_sequence _nested_tensor_from_mask _nested_tensor_from_tensor_list
    nested_to_padded_tensor to_padded_tensor _nested_tensor_from_mask_left_aligned _nested_view_from_buffer
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
    native_layer_norm native_group_norm _fused_rms_norm local_response_norm rms_norm
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
    _fake_quantize_per_tensor_affine_cachemask_tensor_qparams _fused_moving_avg_obs_fq_helper
    _fused_moving_avg_obs_fq_helper_functional
    """
)

#: arithmetic between activations: one `elementwise` an element
ELEMENTWISE: frozenset[str] = _names(
    """
    add sub rsub mul div neg maximum minimum addcmul addcdiv lerp where masked_fill addr floor_divide remainder fmod
    upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa
    _upsample_bicubic2d_aa bitwise_and bitwise_or bitwise_xor mse_loss
    """
)

#: many values to one: one `elementwise` a value, but for the first of each sum; a spread takes the sum and the squares
REDUCTIONS: frozenset[str] = _names(
    """
    sum cumsum cumprod mean prod nansum logsumexp logcumsumexp trace linalg_vector_norm norm var std var_mean std_mean
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
    triu_indices _efficientzerotensor lift_fresh_copy
    """
)

#: costs nothing that this ledger books: bookkeeping, random numbers, read-out
FREE: frozenset[str] = FACTORIES | _names(
    """
    fill zero uniform normal exponential random bitwise_not any all argmax argmin max min amin aminmax topk sort
    nonzero one_hot is_same_size item _local_scalar_dense size stride numel sym_size sym_numel resize
    _has_compatible_shallow_copy_type record_stream count_nonzero nll_loss_forward nll_loss2d_forward
    binary_cross_entropy binary_cross_entropy_with_logits equal is_nonzero bincount multinomial searchsorted unique2
    _unique2 cummax kthvalue median histc sym_stride sym_storage_offset _assert_async isclose
    """
)


#: read by name, so that a user finds them: a rule may say that an operator is one of these
_KINDS: dict[str, frozenset[str]] = {
    "carrier": CARRIERS,
    "gatherer": GATHERERS,
    "comparison": COMPARISONS,
    "batch_norm": BATCH_NORMS,
    "norm": NORMS,
    "activation": ACTIVATIONS,
    "elementwise": ELEMENTWISE,
    "reduction": REDUCTIONS,
    "lookup": LOOKUPS,
    "factory": FACTORIES,
    "free": FREE,
}
#: what a user's rule may be: a kind that needs nothing but the operator's name, or a function
OFFERED = ("free", "carrier", "activation", "elementwise", "reduction", "norm")

#: a user's rule takes an operator's arguments and its result `out`, and gives events: `{"mac": 120}`
UserRule = Callable[..., Mapping[str, int]]

_taught: dict[str, str | UserRule] = {}
_lent: ContextVar[dict[str, str | UserRule]] = ContextVar("rules for one recording", default={})  # noqa: B039


class Rule(NamedTuple):
    """How the counter takes one operator: its kind, its plain name, and the function of a product, pool or shadow."""

    kind: str
    name: str
    apply: Callable[..., Any] | None = None
    writes: tuple[int | str, ...] = ()  # arguments that it writes into
    apart: bool = False  # whether torch is asked to take it apart first
    each: bool = False  # whether it does the same to each tensor of a list


def rule(operator: str, how: str | UserRule) -> str:
    """Say how an operator is counted, for good: `sl.counting.rule("aten::fft_rfft", lambda x, *_, out, **__: {"mac": n})`.

    Args:
        operator: its name as it stands in `activity.uncounted`, with or without `aten::`.
        how: a kind (`free`, `carrier`, `activation`, `elementwise`, `reduction`, `norm`), or a function that takes the
            operator's arguments and its result as `out`, and gives counts of events of the module that runs.

    Returns:
        The operator's name. For one recording alone, `record` and `recording` take the same as a dictionary, `rules`.

    Raises:
        InputError: an unknown kind.
    """
    found = _plain(operator)
    _taught[found] = _checked(how)
    _known.clear()
    return found


@contextmanager
def rules_for(given: Mapping[str, str | UserRule] | None) -> Iterator[None]:
    """Rules that hold inside this block."""
    if not given:
        yield
        return
    token = _lent.set({**_lent.get(), **{_plain(name): _checked(how) for name, how in given.items()}})
    try:
        yield
    finally:
        _lent.reset(token)


def _plain(operator: str) -> str:
    if not isinstance(operator, str) or not operator:
        raise InputError(f"a rule is for an operator by its name ('aten::fft_rfft'), not for {operator!r}")
    return operator.removeprefix("aten::")


def _checked(how: str | UserRule) -> str | UserRule:
    if callable(how) or how in OFFERED:
        return how
    raise unknown_name("kind of operator", str(how), OFFERED)


_known: dict[Any, Rule] = {}


def rule_of(func: Any) -> Rule:
    """The row of an operator overload; the kind `unknown` where there is none."""
    lent = _lent.get()
    if lent:
        own = lent.get(_name_of(func)[1])
        if own is not None:
            return _as_taught(_found(func), own)
    found = _known.get(func)
    if found is None:
        found = _known[func] = _found(func)
    return found


def _name_of(func: Any) -> tuple[str, str]:
    """The space and the plain name of an operator."""
    schema = schema_of(func)
    if schema is None:  # an operator of higher order, which takes functions
        return "higher_order", str(func.name() if callable(getattr(func, "name", None)) else func)
    space, _, full = schema.name.partition("::")
    name = full.removesuffix("_") if full.endswith("_") and not full.endswith("__") else full
    name = {"__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor"}.get(name.strip(), name)
    return space, name if space in ("aten", "prims") else f"{space}::{full}"


def _found(func: Any) -> Rule:
    space, name = _name_of(func)
    if space == "higher_order":
        return Rule("higher_order", name)
    writes = tuple(
        argument.name if argument.kwarg_only else index
        for index, argument in enumerate(schema_of(func).arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    own = _taught.get(name)
    if own is not None:
        return _as_taught(Rule("unknown", name, None, writes), own)
    if space == "profiler":
        return Rule("free", name)
    if space not in ("aten", "prims"):
        return Rule("unknown", name, None, writes)
    for kind, book in (("product", PRODUCTS), ("pool", POOLS), ("shadow", SHADOWS)):
        if name in book:
            return Rule(kind, name, book[name], writes)
    each = name.startswith("_foreach_")
    plain = name.removeprefix("_foreach_")
    kind = next((kind for kind, names in _KINDS.items() if plain in names), "unknown")
    if kind == "unknown":
        plain, each = name, False
    return Rule(kind, plain, None, writes, kind != "carrier" and not each and decomposes(func), each)


def _as_taught(found: Rule, how: str | UserRule) -> Rule:
    return (
        Rule(how, found.name, None, found.writes)
        if isinstance(how, str)
        else found._replace(kind="taught", apply=how, apart=False)
    )


def why_unknown(name: str) -> str:
    """Why an operator is not counted."""
    if name.startswith("quantized::"):
        return "a quantised operator hides its weights: record the network before it is quantised"
    return f"this operator has no counting rule: teach one with sl.counting.rule({name!r}, ...)"
