"""A torch network run once in silence, to read which synapses join which neurons.

Every neuron module is made silent, so that what reaches the next is its constant part; beside it the tracer
follows, operator by operator, where spikes would have gone. It understands what is linear between neurons:
linear layers, convolutions, average pooling, batch norm in evaluation, additions, constant factors, masks and all that
moves values, in any module and any loop over time; max pooling of spikes becomes neurons. Anything else is refused in
one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, SpikeLedgerError, retold
from ..listening.neurons import Firing, Layout, NeuronKind
from ..listening.parameters import check_there
from ..torch_private import schema_of
from . import terms as algebra
from .assemble import Arrival, assemble
from .forms import Forms, same_storage
from .hearing import Hearing, by_step, constants, present, steps_first
from .longest_delay import deepest_delay, evaluation
from .mapped import Mapped
from .maximum import ANY, is_maximum, per_axis, sums_of_windows
from .terms import ANSWERS, FILLS, MOVES, SAME, Form, Opaque, Operator, Term, refuse

_CURRENT = "declare the class with @sl.neuron(current=...), the argument that is its input current"
_STEPS = 3  # of the traced run, at least: enough to see what a connection with delay 1 does again and again


def trace(
    network: nn.Module,
    sample: Tensor,
    layout: Layout,
    name: str,
    dtype: torch.dtype | None = None,
    *,
    step_by_step: bool = False,
) -> Mapped:
    """A module's populations and projections, by a silent run on something of the shape of a sample; see `map`."""
    check_there(network)
    for path, parameter in (*network.named_parameters(), *network.named_buffers()):
        if parameter.is_floating_point() and not bool(torch.isfinite(parameter).all()):
            bad = int((~torch.isfinite(parameter)).sum())
            raise refuse(f"'{path}' has {bad:,} values that are NaN or infinite")
    try:
        # what is sent at one step must be seen to arrive at two
        tracer = _Tracer(network, max(_STEPS, deepest_delay(network, sample, layout, step_by_step) + 2), step_by_step)
        tracer.run(sample, layout)
    except (RuntimeError, TypeError, IndexError) as error:
        if isinstance(error, SpikeLedgerError):
            raise
        raise DoesNotRun(
            f"the network does not run on inputs of shape {list(sample.shape)}, read as {layout}: "
            f"{retold(error)}; give a sample of the shape that it takes, or another layout"
        ) from error
    mapped = assemble(tracer.populations, tracer.arrivals, tracer.output, name, dtype)
    steps = (
        max((tracer.calls[key] for key in mapped.populations if key in tracer.calls), default=0)
        if layout == "B"
        else None
    )
    return replace(mapped, source=network, layout=layout, step_by_step=step_by_step, own_steps=steps)


class DoesNotRun(InputError):
    """A network that does not run on inputs with these axes."""


class StepsAsSamples(InputError):
    """A network was given a sequence, and reads its steps as samples."""


class _Tracer(Hearing):
    """One silent run."""

    def __init__(self, network: nn.Module, steps: int, step_by_step: bool) -> None:
        super().__init__(network)
        self.step_by_step = step_by_step
        self.steps = steps
        self.weights = {
            parameter.untyped_storage().data_ptr(): path
            for path, parameter in network.named_parameters()
            if parameter.numel()
        }
        self.forms = Forms()
        self.populations: dict[str, dict[str, Any]] = {}
        self.arrivals: list[Arrival] = []
        self.calls: dict[str, int] = {}
        self.maxima: dict[str, str] = {}  # a max pooling, and the first source that it was met with
        self.output = ""

    def run(self, sample: Tensor, layout: Layout) -> None:
        features = sample.shape[len(layout) :]
        leading = {"B": (1,), "TB": (self.steps, 1), "BT": (1, self.steps)}[layout]
        dtype = next((p.dtype for p in self.network.parameters()), torch.get_default_dtype())
        silence = torch.zeros(*leading, *features, dtype=dtype)
        self._send("input", silence, len(layout), "input")
        with evaluation(self.network), torch.no_grad(), self.active(operators=True):
            result = present(self.network, silence, self.step_by_step)
        result = result[0] if isinstance(result, tuple) else result
        form = self.forms.get(result) if isinstance(result, Tensor) else None
        if isinstance(form, tuple) and form:
            if form[0].operator is not None:
                raise refuse(
                    f"its answer is the currents of '{form[0].operator.layer}', which has no neurons: a chip sends "
                    "spikes, so put neurons behind that layer"
                )
            self.output = form[0].source
        senders = [key for key, each in self.populations.items() if each["kind"] == "neurons"]
        if not senders:
            raise refuse("it has no spiking neurons: convert it first, or record it with sl.record")
        self.output = self.output if self.output in senders else senders[-1]

    def fires(self, path: str, module: nn.Module, kind: NeuronKind, fired: Firing) -> Tensor:
        """Note what a population receives, and send silence."""
        facts = constants(module, kind, path, fired)
        if facts is None:  # an encoder
            quiet = fired.sent.new_zeros(self.steps, *fired.sent.shape[1:])
            self._send("input", quiet, 2, "input", encoder=path)
            return quiet
        if fired.currents is None:
            raise refuse(f"nobody said what neurons '{path}' ({type(module).__name__}) receive: {_CURRENT}")
        currents, spikes = (steps_first(each, fired.layout) for each in (fired.currents, fired.spikes))
        if spikes.dim() > 1 and spikes.shape[1] != 1:
            raise StepsAsSamples(
                f"neurons '{path}' receive {spikes.shape[1]} samples at once, and the network was given one: it takes the "
                "steps of its input for samples. If it makes the steps by itself, give it samples: layout='B'"
            )
        self._receive(path, currents, facts)
        quiet = torch.zeros_like(fired.sent)
        self._send(path, by_step(quiet, fired), 2, "neurons")
        return quiet

    def keeps(self, path: str, state: Tensor) -> None:
        """A membrane that is handed on."""
        reason = f"the membrane of '{path}' is read by other layers: a chip sends spikes only"
        self.forms.put(state, Opaque(reason))

    def _send(self, path: str, values: Tensor, leading: int, kind: str, encoder: str = "") -> None:
        """Number the spikes of a source, `1 + step * size + neuron`; `leading` axes are steps and the one sample."""
        shape, steps = tuple(values.shape[leading:]) or (1,), values.shape[:leading].numel()
        base = self.calls.get(path, 0) if kind == "neurons" else 0
        self.calls[path] = base + steps
        index = (torch.arange(values.numel()) + 1 + base * torch.Size(shape).numel()).reshape(values.shape)
        if kind == "input":
            self.populations[path] = {"kind": kind, "shape": shape, "encoder": encoder, "static": leading == 1}
        else:
            self.populations.setdefault(path, {})["shape"] = shape
        self.forms.put(values, (Term(path, index),))

    def _receive(self, path: str, currents: Tensor, facts: dict[str, Any]) -> None:
        """Note which spikes reach a population `[T, 1, *N]`, at the last steps of the run."""
        form = self.forms.get(currents) or ()
        if isinstance(form, Opaque):
            raise refuse(f"neurons '{path}' receive what is no sum of spikes: {form.reason}")
        steps = currents.shape[0]
        base = self.calls.get(path, 0)
        rows = currents.detach().reshape(steps, -1)
        known = self.populations.setdefault(path, {"kind": "neurons", "shape": ()})
        known.update(facts)
        known.setdefault("biases", {}).update({base + row: rows[row].clone() for row in range(steps)})
        last = base + steps - 1  # what came at earlier steps than the last two is no more needed
        self.arrivals = [each for each in self.arrivals if each.target != path or each.step >= last - 1]
        for term in form:
            size = max(torch.Size(self.populations[term.source]["shape"]).numel(), 1)
            static = self.populations[term.source].get("static", False)
            for row in range(max(steps - 2, 0), steps):
                self.arrivals += Arrival.of(term, row, steps, size=size, step=base + row, target=path, static=static)

    def runs(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operator runs, and its results get their forms."""
        name = schema_of(func).name.removeprefix("aten::")
        plain = name.removesuffix("_") if not name.endswith("__") else name
        out = func(*args, **kwargs)
        self.ran(plain, func, args, kwargs, out)
        return out

    # -- operators ----------------------------------------------------------------------------------------------------

    def ran(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Give the results of one operator their forms; one that writes gives them to what it wrote into."""
        writes = schema_of(func).is_mutable
        forms = {id(t): form for t in _tensors((*args, *kwargs.values())) if (form := self.forms.get(t)) is not None}
        if not forms or name.endswith(("_like", "new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided")):
            return
        if name in ANSWERS:
            place = self.places[-1] if self.places else "the network"
            raise refuse(f"'{place}' asks spikes or currents for a number ({name}) and goes on by the answer")
        results = [each for each in (out if isinstance(out, list | tuple) else [out]) if isinstance(each, Tensor)]
        if not writes and any(same_storage(each, t) for each in results for t in _tensors(args)):
            return  # a view: its places are those of the memory that it looks at
        read = {key: form for key, form in forms.items() if not (name in FILLS and key == id(args[0]))}
        opaque = next((form for form in read.values() if isinstance(form, Opaque)), None)
        if opaque is not None:
            found: list[Form] = [opaque] * len(results)
        elif name in FILLS and (len(args) < 2 or id(args[1]) not in read):
            found = [()]
        elif name == "copy":
            found = [algebra.added(read[id(args[1])], (), out.shape, 1.0)]
        elif name in MOVES:
            found = algebra.moved(func, args, kwargs, read)
        else:
            found = [self._form(name, args, kwargs, results[0])] if results else []
        for result, form in zip(results, found, strict=False):
            self.forms.put(result, form)

    def _form(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Form:
        form = self.forms.get(args[0]) if args and isinstance(args[0], Tensor) else None
        place = self.places[-1] if self.places else ""
        if isinstance(form, tuple) and name in SAME:
            return form
        if name in ("add", "sub"):
            other = (self.forms.get(args[1]) if isinstance(args[1], Tensor) else None) or ()
            sign = (-1.0 if name == "sub" else 1.0) * float(kwargs.get("alpha", 1))
            first, second = form or (), other
            if isinstance(args[1], Tensor) and isinstance(first, tuple) and isinstance(second, tuple):
                first, second = self._biased(first, args[1]), self._biased(second, args[0])
            return algebra.added(first, second, out.shape, sign)
        if name == "neg" and isinstance(form, tuple):
            return tuple(term.times(-1.0) for term in form)
        if name in ("mul", "div"):
            return self._scaled(name, args, form, out, place)
        if name in ("addmm", "mm"):
            values, weight = args[-2:]
            product = self.forms.get(values)
            if isinstance(product, tuple) and weight not in self.forms and (name == "mm" or args[0] not in self.forms):
                bias = args[0] if name == "addmm" and self._stores(args[0]) else None
                operator = Operator(
                    self._layer(weight), "linear", weight.detach().t(), tuple(values.shape[1:]), bias=bias
                )
                return algebra.multiplied(product, operator, values.shape[0], tuple(out.shape))
        if name == "convolution" and isinstance(form, tuple) and args[1] not in self.forms:
            return self._convolved(form, args, out, place)
        if "batch_norm" in name and isinstance(form, tuple):
            values, weight, _, _, variance, *rest = args
            if not (name.endswith("no_training") or rest[0] is False):
                return Opaque(f"'{place}' normalises with the batch's own statistics")
            factor = (variance + rest[-1 if name.endswith("no_training") else 2]).rsqrt()
            factor = factor if weight is None else factor * weight
            factor = factor.reshape(1, -1, *[1] * (values.dim() - 2))
            return tuple(term.times(factor) for term in form)
        if isinstance(form, tuple) and is_maximum(name):
            return self._maximum(name, form, args, out, place)
        if (isinstance(form, tuple) and "pool" in name) or name == "mean":
            return _pooled(name, form if isinstance(form, tuple) else (), args, kwargs, out, place)
        return Opaque(f"'{place or 'the network'}' applies {name} to spikes or currents, which synapses cannot do")

    def _scaled(self, name: str, args: tuple[Any, ...], form: Form | None, out: Tensor, place: str) -> Form:
        other = args[1]
        if form is None and name == "mul":
            form, other = self.forms.get(args[1]), args[0]
        if not isinstance(form, tuple) or (isinstance(other, Tensor) and other in self.forms):
            return Opaque(f"'{place}' multiplies or divides spikes by spikes")
        factor = torch.as_tensor(other, dtype=torch.float64)
        factor = 1 / factor if name == "div" else factor
        return tuple(term.times(factor).moved(lambda x: x.expand(out.shape)) for term in form)

    def _convolved(self, form: tuple[Term, ...], args: tuple[Any, ...], out: Tensor, place: str) -> Form:
        values, weight, bias, stride, padding, dilation, transposed, _, groups = args
        if transposed or weight.dim() > 4:
            return Opaque(f"'{place}' is a {'transposed' if transposed else '3-d'} convolution")
        kernel = weight.detach()
        settings = [list(stride), list(padding), list(dilation)]
        shape = tuple(values.shape[1:])
        if weight.dim() == 3:  # one row of a picture
            kernel, shape = kernel.unsqueeze(2), (shape[0], 1, shape[1])
            settings = [[1, *settings[0]], [0, *settings[1]], [1, *settings[2]]]
        operator = Operator(self._layer(weight), "conv", kernel, shape, (*map(tuple, settings), groups), bias=bias)
        return algebra.multiplied(form, operator, values.shape[0], tuple(out.shape))

    def _maximum(self, name: str, form: tuple[Term, ...], args: tuple[Any, ...], out: Tensor, place: str) -> Form:
        """Neurons that fire if any spike of their window comes; one population a place and source."""
        inputs = [path for path, each in self.populations.items() if each["kind"] == "input"]
        counts, size = sums_of_windows(name, form, args, out, place, inputs)
        if isinstance(counts, Opaque):
            return counts
        path = f"{place or 'network'} (max)"
        owner = self.maxima.setdefault(path, form[0].source)
        path = path if owner == form[0].source else f"{path} of {form[0].source}"
        currents = torch.zeros_like(out)
        self.forms.put(currents, counts)
        self._receive(path, currents, dict(ANY))
        self._send(path, out, 1, "neurons")
        sent = self.forms.get(out)
        assert isinstance(sent, tuple)
        return tuple(term.times(size) for term in sent) if size != 1 else sent

    def _stores(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter of the network, or a part of one."""
        return tensor.untyped_storage().data_ptr() in self.weights

    def _biased(self, form: tuple[Term, ...], bias: Tensor) -> tuple[Term, ...]:
        """Currents to which a parameter is added that the product did not add itself."""
        if not self._stores(bias):
            return form
        return tuple(
            replace(term, operator=replace(term.operator, bias=bias))
            if term.operator is not None and term.operator.bias is None
            else term
            for term in form
        )

    def _layer(self, weight: Tensor) -> str:
        path = self.weights.get(weight.untyped_storage().data_ptr(), "")
        return path.removesuffix(".weight") if path else (self.places[-1] if self.places else "weights")


def _pooled(
    name: str, form: tuple[Term, ...], args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor, place: str
) -> Form:
    values = args[0]
    if not (name.startswith(("avg_pool", "_adaptive_avg_pool", "adaptive_avg_pool")) or name == "mean"):
        return Opaque(f"'{place}' is a {name}, and a synapse cannot do that: use average or max pooling")
    space = values.shape[2:]
    if name == "mean":
        return _averaged(form, values, args, out, place)
    if "adaptive" in name:
        size = list(args[1])
        if any(inside % outside for inside, outside in zip(space, size, strict=True)):
            return Opaque(f"'{place}' pools {list(space)} adaptively into {size}, whose windows differ in size")
        kernel = [inside // outside for inside, outside in zip(space, size, strict=True)]
        stride, padding = kernel, [0] * len(kernel)
    else:
        dims = len(space)
        kernel = per_axis(args[1], dims)
        stride = per_axis(args[2], dims) if len(args) > 2 and args[2] else kernel
        padding = per_axis(args[3], dims) if len(args) > 3 else [0] * dims
    if len(space) > 2:
        return Opaque(f"'{place}' pools in 3 dimensions")

    def windows(local: Tensor) -> Tensor:
        if local.dim() == 3:
            local, sizes = local.unsqueeze(2), ([1, *kernel], [1, *stride], [0, *padding])
        else:
            sizes = (kernel, stride, padding)
        size, step, pad = (tuple(each) for each in sizes)
        return nn.functional.unfold(local, size, padding=pad, stride=step)[0]

    local = windows(torch.ones(1, 1, *space, dtype=torch.float64))
    if local.shape[1] != out.numel() // (values.shape[0] * values.shape[1]):
        return Opaque(f"'{place}' pools with ceil_mode: pad the input instead")
    ones = torch.ones(1, 1, *space, dtype=torch.float64)
    if "adaptive" in name:
        factors = 1 / local.sum(0)
    else:
        pool: Callable[..., Tensor] = getattr(torch.ops.aten, name)
        factors = pool(ones if name.endswith("2d") else ones[0], *args[1:], **kwargs).reshape(-1) / local.sum(0)
    return algebra.pooled(form, tuple(values.shape), tuple(out.shape), windows, factors, f"'{place}'")


def _averaged(form: tuple[Term, ...], values: Tensor, args: tuple[Any, ...], out: Tensor, place: str) -> Form:
    """A mean over axes behind those of steps and samples: one window for each place that is left."""
    given = args[1] if len(args) > 1 and args[1] else range(values.dim())
    axes = sorted(axis % values.dim() for axis in given)
    if axes[0] < 2:
        return Opaque(f"'{place}' averages over time or samples")
    order = [axis for axis in range(values.dim()) if axis not in axes] + axes
    space = math.prod(values.shape[axis] for axis in axes)
    shape = (values.shape[0], out.numel() // values.shape[0], space)
    terms = [term.moved(lambda x: x.permute(order).reshape(shape)) for term in form]
    each = torch.full((1,), 1 / space, dtype=torch.float64)
    return algebra.pooled(terms, shape, tuple(out.shape), lambda local: local.reshape(space, 1), each, f"'{place}'")


def _tensors(args: Any) -> Iterator[Tensor]:
    for value in args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
