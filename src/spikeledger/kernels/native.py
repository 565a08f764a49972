"""The one caller of the native core: each kernel takes tensors, and nothing runs before their sizes are checked.

The core knows addresses alone, and beyond a tensor lies other memory. One that is too short for what a kernel will touch
is refused here, whoever made it so: a user who gave a layer another weight, or a mistake of our own. Callers see to it
that tensors are float32 (words and counts int64), on the CPU, and contiguous; of what a caller of ours made for a single call the
size is not asked for again where a step of a small network would feel it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from .choice import native
from .sizes import Sizes, words_of

_STATE_BYTES = 5056  # of torch's generator on the CPU


#: steps, samples, inputs and neurons of a linear layer
_Layer = tuple[int, int, int, int]


class Settings(NamedTuple):
    """What the kernels know of a population besides its tensors."""

    threshold: float
    #: the largest membrane that does not fire, float32: the threshold, or the number below it
    bar: float
    reset: int
    reset_delay: bool
    surrogate: int
    slope: float


def instruction_set() -> str:
    """The instruction set in use: `plain`, `avx2`, `avx512` or one with tiles; empty where the core was not built."""
    core = native()
    return "" if core is None else core.instruction_set()


#: there for all who come here: they asked `runs_native`, or hold planes, which only the core makes
_core: Callable[[], Any] = native


def _at(tensor: Tensor, numbers: int, what: str) -> int:
    """Where a tensor lies, of which so many numbers will be read or written.

    Raises:
        InputError: it has fewer.
    """
    if tensor.numel() < numbers:
        raise InputError(
            f"{what} of shape {list(tensor.shape)} cannot be used where {numbers:,} numbers are needed: give it the sizes "
            "of the neurons that it belongs to"
        )
    return tensor.data_ptr()


def _any(tensor: Tensor | None, numbers: int, what: str) -> int:
    return 0 if tensor is None else _at(tensor, numbers, what)


# -- neurons -----------------------------------------------------------------------------------------------------------


def fire(
    currents: Tensor, start: Tensor | None, beta: Tensor, settings: Settings, *, spikes: Tensor | None, words: Tensor,
    last: Tensor | None,
) -> None:  # fmt: skip
    """Integrate and fire: writes `spikes` `[T, B, N]`, their `words`, and the `last` membrane `[B, N]`."""
    steps, batch, width = currents.shape
    _core().fire(
        steps, batch, width, currents.data_ptr(), _any(start, batch * width, "a membrane"), _at(beta, width, "a decay"),
        settings.threshold, settings.bar, settings.reset, settings.reset_delay, _any(spikes, steps * batch * width, "spikes"),
        _at(words, steps * batch * words_of(width), "words"), _any(last, batch * width, "a membrane"),
        torch.get_num_threads(),
    )  # fmt: skip


def learn(
    currents: Tensor, start: Tensor | None, beta: Tensor, settings: Settings, *, spikes_grad: Tensor,
    last_grad: Tensor | None, currents_grad: Tensor, start_grad: Tensor | None, beta_grad: Tensor | None,
) -> None:  # fmt: skip
    """The way back of `fire`: writes the last three."""
    steps, batch, width = currents.shape
    every, one = steps * batch * width, batch * width
    _core().learn(
        steps, batch, width, currents.data_ptr(), _any(start, one, "a membrane"), _at(beta, width, "a decay"),
        settings.threshold, settings.bar, settings.reset, settings.reset_delay, _at(spikes_grad, every, "a gradient"),
        _any(last_grad, one, "a gradient"), settings.surrogate, settings.slope, _at(currents_grad, every, "a gradient"),
        _any(start_grad, one, "a gradient"), _any(beta_grad, width, "a gradient"), torch.get_num_threads(),
    )  # fmt: skip


#: how many numbers a tensor of the family has: of steps, of samples, of neurons, of a matrix, of one turned in blocks
_SIZES = {
    "currents": "TBN",
    "spikes": "TBN",
    "weight_turned": "NN",
    "weight_blocked": "NN",
    "words": "words",
} | dict.fromkeys(("membrane", "synapse", "adaptation", "waiting", "fired"), "BN")


def _addresses(shape: Sequence[int], tensors: Mapping[str, Tensor | None]) -> dict[str, int]:
    steps, batch, width = shape
    numbers = {"TBN": steps * batch * width, "BN": batch * width, "N": width, "NN": width * width}
    numbers["words"] = steps * batch * words_of(width)
    return {
        name: _at(tensor, numbers[_SIZES.get(name, "N")], f"'{name}'")
        for name, tensor in tensors.items()
        if tensor is not None
    }


def fire_cells(
    given: Mapping[str, Tensor | None], settings: Settings, refractory: int, out: Mapping[str, Tensor | None]
) -> None:
    """The whole family over time, with its tensors by name."""
    currents = given["currents"]
    assert currents is not None
    shape = tuple(currents.shape)
    _core().fire_cells(
        shape, _addresses(shape, given), settings.threshold, settings.bar, settings.reset, settings.reset_delay, refractory,
        _addresses(shape, out), torch.get_num_threads(),
    )  # fmt: skip


def learn_cells(
    given: Mapping[str, Tensor | None], settings: Settings, refractory: int, arriving: Mapping[str, Tensor | None],
    out: Mapping[str, Tensor | None],
) -> None:  # fmt: skip
    """The way back of `fire_cells`: from the gradients that arrive to those that leave."""
    currents = given["currents"]
    assert currents is not None
    shape = tuple(currents.shape)
    _core().learn_cells(
        shape, _addresses(shape, given), settings.threshold, settings.bar, settings.reset, settings.reset_delay, refractory,
        _addresses(shape, arriving), settings.surrogate, settings.slope, _addresses(shape, out), torch.get_num_threads(),
    )  # fmt: skip


# -- bits --------------------------------------------------------------------------------------------------------------


def pack(
    dense: Tensor, rows: int, columns: int, words: Tensor, *, turned: Tensor | None = None, counts: Tensor | None = None
) -> int:
    """Floats to `words`; how many ones there are, -1 if any value is neither 0 nor 1."""
    return int(_core().pack(
        rows, columns, _at(dense, rows * columns, "spikes"), _at(words, rows * words_of(columns), "words"),
        _any(turned, columns * words_of(rows), "words"), _any(counts, columns, "counts"), torch.get_num_threads(),
    ))  # fmt: skip


def unpack(words: Tensor, rows: int, columns: int, out: Tensor) -> None:
    """Words to floats `[rows, columns]`."""
    _core().unpack(
        _at(words, rows * words_of(columns), "words"), rows, columns, _at(out, rows * columns, "spikes"),
        torch.get_num_threads(),
    )  # fmt: skip


def rates(words: Tensor, steps: int, batch: int, columns: int, out: Tensor) -> None:
    """The mean over time, `[batch, columns]`."""
    _core().rates(
        _at(words, steps * batch * words_of(columns), "words"), steps, batch, columns, _at(out, batch * columns, "rates")
    )  # fmt: skip


def transpose(words: Tensor, rows: int, columns: int, out: Tensor) -> None:
    """Rows and columns of bits exchanged."""
    _core().transpose(
        _at(words, rows * words_of(columns), "words"), rows, columns, _at(out, columns * words_of(rows), "words"),
        torch.get_num_threads(),
    )  # fmt: skip


def count(words: Tensor) -> int:
    """All ones."""
    return int(_core().count(words.data_ptr(), words.numel()))


def column_counts(words: Tensor, rows: int, columns: int, counts: Tensor) -> None:
    """Ones of each column, added to `counts`."""
    _core().column_counts(
        _at(words, rows * words_of(columns), "words"), rows, columns, _at(counts, columns, "counts"),
        torch.get_num_threads(),
    )  # fmt: skip


def step_counts(words: Tensor, steps: int, words_a_step: int) -> list[int]:
    """Ones of each step."""
    return list(_core().step_counts(_at(words, steps * words_a_step, "words"), steps, words_a_step))


def census(values: Tensor, rules: tuple[int, ...], places: int, steps: int) -> tuple[int, float]:
    """How often each place is not zero, added at addresses of our own counts; the values' class and magnitude.

    `rules` are steps, samples, places, and the strides of the first two, read off the tensor itself.
    """
    return tuple(_core().census(values.data_ptr(), *rules, places, steps))


def rate_code(state: Tensor, rates: Tensor, steps: int, rows: int, columns: int, words: Tensor) -> None:
    """Rate-coded bits; the generator's `state` goes on."""
    _core().rate_code(
        _at(state, _STATE_BYTES, "a generator"), _at(rates, rows * columns, "rates"), steps, rows, columns,
        _at(words, steps * rows * words_of(columns), "words"),
    )  # fmt: skip


# -- products ----------------------------------------------------------------------------------------------------------


def multiply(
    rows: int, inner: int, columns: int, words: Tensor, dense: Tensor, bias: Tensor | None, out: Tensor, *, method: int,
    dense_transposed: bool = False, out_transposed: bool = False, threads: int | None = None,
) -> None:  # fmt: skip
    """`out = bits @ dense + bias`."""
    _core().multiply(
        rows, inner, columns, _at(words, rows * words_of(inner), "words"), _at(dense, inner * columns, "a weight"),
        dense_transposed, _any(bias, columns, "a bias"), _at(out, rows * columns, "currents"), out_transposed, method,
        threads or torch.get_num_threads(),
    )  # fmt: skip


def multiply_floats(left: Tensor, right: Tensor, out: Tensor) -> None:
    """`out = left @ right`, on the processor's matrix unit."""
    (rows, inner), columns = left.shape, right.shape[1]
    _core().multiply_floats(
        left.data_ptr(), _at(right, inner * columns, "a matrix"), _at(out, rows * columns, "a product"), rows, inner,
        columns, torch.get_num_threads(),
    )  # fmt: skip


def layer(
    shape: _Layer, words: Tensor, weight: Tensor, bias: Tensor | None, beta: Tensor, settings: Settings, method: int, *,
    charges: Tensor | None, near: Any, out: Tensor, counts: Tensor | None, levels: int = 1, worth: float = 1.0,
) -> int:  # fmt: skip
    """A linear layer and its neurons: writes their bits, and how many spikes they are is returned."""
    steps, batch, inner, columns = shape
    found: int = _core().layer(
        steps, batch, inner, columns, words.data_ptr(), _at(weight, inner * columns, "a weight"),
        0 if bias is None else _at(bias, columns, "a bias"), _at(beta, columns, "a decay"), settings.threshold,
        settings.bar, settings.reset, settings.reset_delay, method, torch.get_num_threads(),
        0 if charges is None else charges.data_ptr(), out.data_ptr(),
        0 if counts is None else _at(counts, 2 * columns + steps, "counts"), 0 if near is None else near.address, levels, worth,
    )  # fmt: skip
    return found


def near_threshold(settings: Settings) -> Any:
    """Room for what `layer` keeps, in place of charges, of neurons near their threshold: for a compact surrogate."""
    return _core().Near(settings.surrogate, settings.slope)


def layer_back(
    shape: _Layer, beta: Tensor, settings: Settings, method: int, *, charges: Tensor | None, near: Any, fired: Tensor,
    spikes_grad: Tensor | None, rates: bool, above: Tensor | None, above_weight: Tensor | None, words: Tensor,
    turned: Tensor | None, stays: Tensor | None,
    currents_grad: Tensor | None, weight_grad: Tensor | None, bias_grad: Tensor | None, beta_grad: Tensor | None,
    levels: int = 1, worth: float = 1.0,
) -> None:  # fmt: skip
    """The way back of `layer`: from its spikes' gradient, of which dropout left `stays`, or that of the currents above."""
    steps, batch, inner, columns = shape
    rows = steps * batch
    wide = 0 if above is None else above.shape[1]
    _core().layer_back(
        steps, batch, inner, columns, _at(beta, columns, "a decay"), settings.threshold, settings.bar, settings.reset,
        settings.reset_delay, method, torch.get_num_threads(), _any(charges, rows * columns, "charges"),
        _any(spikes_grad, (batch if rates else rows) * columns, "a gradient"), rates,
        _any(above, rows * wide, "a gradient"), _any(above_weight, wide * columns, "a weight"), wide,
        settings.surrogate, settings.slope, _at(words, rows * words_of(levels * inner), "spikes"),
        _any(turned, levels * inner * words_of(rows), "spikes"), _any(currents_grad, rows * columns, "a gradient"),
        _any(weight_grad, inner * columns, "a gradient"), _any(bias_grad, columns, "a gradient"),
        _any(beta_grad, columns, "a gradient"), 0 if near is None else near.address,
        _at(fired, rows * words_of(columns), "spikes"), _any(stays, rows * words_of(columns), "spikes"), levels, worth,
    )  # fmt: skip


# -- convolutions and pooling ------------------------------------------------------------------------------------------


def convolve(
    sizes: Sizes, words: Tensor, weight: Tensor, bias: Tensor | None, method: int, *, currents: Tensor
) -> None:
    """Currents of spikes, channels last."""
    _core().convolve(
        sizes.row, _at(words, sizes.words, "spikes"), _at(weight, sizes.weights, "a weight"),
        _any(bias, sizes.filters, "a bias"), method, torch.get_num_threads(), _at(currents, sizes.outputs, "currents"),
    )  # fmt: skip


def convolve_fire(
    sizes: Sizes, words: Tensor, weight: Tensor, bias: Tensor | None, method: int, beta: Tensor, settings: Settings, *,
    currents: Tensor | None, out: Tensor, active: Tensor | None, near: Tensor | None,
) -> None:  # fmt: skip
    """A convolution and the neurons behind it: writes their bits, and which were `near`; adds to `active` what they did."""
    _core().convolve_fire(
        sizes.row, _at(words, sizes.words, "spikes"), _at(weight, sizes.weights, "a weight"),
        _any(bias, sizes.filters, "a bias"), method, torch.get_num_threads(), _at(beta, sizes.neurons, "a decay"),
        settings.threshold, settings.bar, settings.reset, settings.reset_delay, _any(currents, sizes.outputs, "currents"),
        _at(out, sizes.words_out, "words"), _any(active, sizes.neurons, "counts"),
        _any(near, sizes.words_out, "words"), settings.surrogate, settings.slope,
    )  # fmt: skip


#: a pooling of spikes: its sizes, and the spikes' words if it took their maximum, or else what it divided sums by
Pooled = tuple[Sizes, Tensor | None, int]


class Fired(NamedTuple):
    """What the way back of neurons behind a convolution is made of: the gradient of their spikes, whose channels may lie
    last, or of what pooling made of these, `pooled`; the currents that they kept, their decay, and room for its gradient."""

    spikes_grad: Tensor
    channels_last: bool
    pooled: Pooled | None
    currents: Tensor
    beta: Tensor
    settings: Settings
    beta_grad: Tensor | None


def convolve_back(
    sizes: Sizes, words: Tensor, kernel: Tensor, *, fired: Fired | None, flow: Tensor | None, weight: Tensor | None,
    bias: Tensor | None, near: Tensor | None, inputs: Tensor | None,
) -> None:  # fmt: skip
    """The way back of a convolution, and of the neurons behind it, `fired`: writes the gradients of `weight` and `bias`, and
    of `inputs`, channels last, of those that are `near` or of all. `flow` is the gradient of the currents, channels last:
    written where there are neurons, else read."""
    own = fired.settings if fired else Settings(0.0, 0.0, 0, False, 0, 0.0)
    neurons: tuple[Any, ...] = (0, 0, 0, False, (), 0, 0)
    if fired is not None:
        arriving, fired_words, divisor = fired.pooled or (sizes, None, 0)
        neurons = (
            _at(fired.spikes_grad, arriving.outputs, "a gradient"), _at(fired.currents, sizes.outputs, "currents"),
            _at(fired.beta, sizes.neurons, "a decay"), fired.channels_last,
            arriving.row if fired.pooled else (), _any(fired_words, arriving.words, "spikes"), divisor,
        )  # fmt: skip
    _core().convolve_back(
        sizes.row, _at(words, sizes.words, "spikes"), torch.get_num_threads(), *neurons, own.threshold, own.bar, own.reset,
        own.reset_delay, own.surrogate, own.slope, _any(flow, sizes.outputs, "a gradient"),
        _any(fired.beta_grad if fired else None, sizes.batch * sizes.neurons, "a gradient"),
        *(_any(one, size, "a gradient") for one, size in ((weight, sizes.weights), (bias, sizes.filters))),
        _at(kernel, sizes.weights, "a weight"), _any(near, sizes.words, "spikes"), _any(inputs, sizes.inputs, "a gradient"),
    )  # fmt: skip


def pool(sizes: Sizes, words: Tensor, out: Tensor, *, sums: bool) -> None:
    """Whether any neuron of a window fired; or of `sums` how many, as so many of its levels."""
    run, size = (_core().pool_levels, sizes.words_summed) if sums else (_core().max_pool, sizes.words_out)
    run(sizes.row, _at(words, sizes.words, "spikes"), torch.get_num_threads(), _at(out, size, "words"))


def max_pool_back(sizes: Sizes, words: Tensor, grad: Tensor, out: Tensor) -> None:
    """The gradient's way back, to the first of a window's spikes, or to its first neuron; channels last."""
    _core().max_pool_back(
        sizes.row, _at(words, sizes.words, "spikes"), torch.get_num_threads(), _at(grad, sizes.outputs, "a gradient"),
        _at(out, sizes.inputs, "a gradient"),
    )  # fmt: skip


def average_pool(sizes: Sizes, words: Tensor, divisor: int, out: Tensor) -> None:
    """The spikes of each window over `divisor`, as floats."""
    _core().average_pool(
        sizes.row, _at(words, sizes.words, "spikes"), divisor, torch.get_num_threads(), _at(out, sizes.outputs, "currents")
    )  # fmt: skip


# -- weights -----------------------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """What a step of Adam reads and writes for one weight: all of its shape, and the number of steps."""

    weight: Tensor
    grad: Tensor
    mean: Tensor
    square: Tensor
    steps: Tensor


def adam(every: Sequence[Moments], rate: float, beta1: float, beta2: float, eps: float) -> None:
    """A step of Adam for all weights of a group."""
    addresses = []
    for weight, grad, mean, square, steps in every:
        size = weight.numel()
        addresses.append((
            weight.data_ptr(), _at(grad, size, "a gradient"), _at(mean, size, "a moment"), _at(square, size, "a moment"),
            _at(steps, 1, "a number of steps"), size,
        ))  # fmt: skip
    _core().adam(addresses, rate, beta1, beta2, eps, torch.get_num_threads())
