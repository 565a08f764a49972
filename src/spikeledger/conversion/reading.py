"""From a torch ANN to the graph that conversion knows: modules, functions and methods alike, through `torch.fx`.

What has no spiking counterpart is refused by its name; nothing is skipped. Batch norm goes into the weights before it,
dropout is off, a pooling of currents in front of a ReLU moves behind it (`relu(max(z)) = max(relu(z))`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, fx, nn

from ..errors import InputError
from .graph import Graph, Kind, Step, measure

_SUPPORTED = (
    "linear layers, 1-d and 2-d convolutions, batch norm behind them, ReLU, ReLU6, clamp from 0, average and max pooling, "
    "flattening, dropout, additions and concatenations"
)
_KNOWN: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d)


def read(ann: nn.Module, samples: Tensor) -> Graph:
    """The graph of an ANN in evaluation mode, with copies of its layers.

    Raises:
        InputError: something in it cannot be converted; the sentence names it.
    """
    if samples.dim() < 2 or not len(samples):
        raise InputError(
            f"calibration samples have the shape {list(samples.shape)}, but need [B, *N] with B of at least 1"
        )
    plain = copy.deepcopy(ann).eval()
    plain = plain.to(samples.dtype) if samples.is_floating_point() else plain
    try:
        traced = fx.Tracer().trace(plain)
    except Exception as error:  # whatever a forward raises when it is traced
        sentence = " ".join(str(error).split())[:160]
        raise InputError(
            f"{type(ann).__name__} cannot be traced by torch.fx ({sentence}): its forward must not branch on values, so "
            "give the part of it that does not"
        ) from error
    graph = _Reader(plain, traced).graph()
    try:
        measure(graph, samples)
    except (RuntimeError, ValueError, IndexError) as error:
        sentence = " ".join(str(error).split())[:160]
        raise InputError(
            f"samples of shape {list(samples.shape[1:])} do not go through {type(ann).__name__}: {sentence}"
        ) from error
    _fold_norms(graph)
    _pool_behind(graph)
    _even_pools(graph)
    _check(graph)
    measure(graph, samples)
    return graph


class _Reader:
    def __init__(self, root: nn.Module, traced: fx.Graph) -> None:
        self.root, self.traced = root, traced
        self.steps: dict[str, Step] = {}
        self.now: dict[str, str] = {}  # a node of fx, and the step that holds its value now
        self.sizes: set[str] = set()  # nodes that are sizes and shapes, not values
        self.notes: list[str] = []
        self.output = ""

    def graph(self) -> Graph:
        for node in self.traced.nodes:
            getattr(self, f"_{node.op}")(node)
        if not any(step.kind == "relu" for step in self.steps.values()):
            raise InputError("the ANN has no ReLU, and ReLUs are what becomes spiking neurons")
        needed, waiting = set(), [self.output]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += self.steps[name].inputs
        kept = {name: step for name, step in self.steps.items() if name in needed}
        return Graph(kept, self.output, tuple(self.notes))

    def _placeholder(self, node: fx.Node) -> None:
        if any(step.kind == "input" for step in self.steps.values()):
            if node.args:  # an argument that has a default
                return
            raise InputError(f"the ANN has several inputs ('{node.name}' is one more), and conversion takes one")
        self._put(node, "input", [])

    def _get_attr(self, node: fx.Node) -> None:
        raise InputError(f"the ANN uses its tensor '{node.target}' outside of a layer: conversion knows {_SUPPORTED}")

    def _output(self, node: fx.Node) -> None:
        found = node.args[0]
        if not isinstance(found, fx.Node):
            raise InputError("the ANN gives several tensors, and conversion needs one: its scores [B, classes]")
        self.output = self._of(found)

    def _call_module(self, node: fx.Node) -> None:
        module = self.root.get_submodule(str(node.target))
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            if module.running_mean is None:
                raise InputError(
                    f"batch norm '{node.target}' keeps no statistics, and a spiking network has no batch to ask"
                )
            return self._put(node, "weighted", node.args[:1], module)
        if type(module) in _KNOWN:
            if getattr(module, "padding_mode", "zeros") != "zeros":
                raise InputError(f"convolution '{node.target}' pads with '{module.padding_mode}': pad with zeros")
            return self._put(node, "weighted", node.args[:1], module)
        made = _module(module)
        if made is None:
            raise self._refuse(node, type(module).__name__)
        return self._add(node, node.args[:1], made)

    def _call_function(self, node: fx.Node) -> None:
        name = getattr(node.target, "__name__", str(node.target))
        self._call(node, name, node.args, dict(node.kwargs))

    def _call_method(self, node: fx.Node) -> None:
        self._call(node, str(node.target), node.args, dict(node.kwargs))

    def _call(self, node: fx.Node, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        first = args[0] if args else kwargs.get("input")
        if name in ("size", "getattr") or (isinstance(first, fx.Node) and first.name in self.sizes):
            self.sizes.add(node.name)
            return None
        if name in ("add", "add_", "iadd"):
            other = args[1] if len(args) > 1 else kwargs.get("other")
            if not isinstance(other, fx.Node) or kwargs.get("alpha", 1) != 1:
                raise self._refuse(node, "addition of a constant")
            self._put(node, "add", [first, other])
            return self._overwritten(self._of(first), node) if name == "add_" else None
        if name in ("cat", "concat", "concatenate"):
            axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
            if axis != 1:
                raise self._refuse(node, f"concatenation along axis {axis}, where channels (1) are joined,")
            return self._put(node, "join", list(first))  # type: ignore[arg-type]
        made = _function(name.rstrip("_") if not name.startswith("_") else name, args[1:], kwargs)
        if made is None:
            raise self._refuse(node, name)
        return self._add(node, [first], made, inplace=name.endswith("_") or bool(kwargs.get("inplace")))

    def _add(self, node: fx.Node, args: Any, made: _Made, *, inplace: bool = False) -> None:
        if made.kind is None:
            if made.note:
                self.notes.append(f"{made.note} '{node.name}' was left out")
            self.now[node.name] = self._of(args[0])
            return
        source = self._of(args[0])
        self._put(node, made.kind, args, made.module, made.cap)
        if made.flat:
            flat = f"{node.name}_flat"
            self.steps[flat] = Step(flat, "flatten", [node.name], nn.Flatten(1))
            self.now[node.name] = flat
        if made.kind == "relu" and (inplace or made.inplace):  # whoever reads that memory later reads what is in it now
            self._overwritten(source, node)

    def _overwritten(self, source: str, node: fx.Node) -> None:
        for name, step in self.now.items():
            if step == source:
                self.now[name] = self.now[node.name]

    def _put(
        self, node: fx.Node, kind: Kind, args: Any, module: nn.Module | None = None, cap: float | None = None
    ) -> None:
        self.steps[node.name] = Step(node.name, kind, [self._of(each) for each in args], copy.deepcopy(module), cap)
        self.now[node.name] = node.name

    def _of(self, value: Any) -> str:
        if not isinstance(value, fx.Node) or value.name not in self.now:
            raise InputError(
                f"the ANN computes with {value!r}, which is no value of a layer: conversion knows {_SUPPORTED}"
            )
        return self.now[value.name]

    def _refuse(self, node: fx.Node, what: str) -> InputError:
        return InputError(
            f"layer '{node.target if node.op == 'call_module' else node.name}' is a {what}, which has no spiking "
            f"counterpart here: conversion knows {_SUPPORTED}"
        )


class _Made:
    """What a module or function becomes; a kind of None passes values on."""

    def __init__(
        self,
        kind: Kind | None,
        module: nn.Module | None = None,
        cap: float | None = None,
        *,
        inplace: bool = False,
        note: str = "",
        flat: bool = False,
    ) -> None:
        self.kind, self.module, self.cap, self.inplace, self.note, self.flat = kind, module, cap, inplace, note, flat


def _relu(cap: Any = None, inplace: Any = False) -> _Made:
    return _Made("relu", cap=None if cap is None else float(cap), inplace=bool(inplace))


def _module(module: nn.Module) -> _Made | None:
    kind = type(module)
    if kind is nn.ReLU:
        return _relu(inplace=module.inplace)
    if kind in (nn.ReLU6, nn.Hardtanh):
        return _relu(module.max_val, module.inplace) if module.min_val == 0 else None
    if kind in (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d):
        return _Made("average", module)
    if kind in (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d):
        return None if getattr(module, "return_indices", False) else _Made("maximum", module)
    if kind is nn.Flatten:
        return _Made("flatten", nn.Flatten(1)) if module.start_dim == 1 and module.end_dim == -1 else None
    if kind in (nn.Softmax, nn.LogSoftmax):
        return _Made(None, note="softmax")
    passes = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)
    return _Made(None) if kind in passes else None


def _function(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Made | None:
    """A function or method by its name, with the arguments behind its input."""
    if name in ("relu", "relu6"):
        return _relu(6.0 if name == "relu6" else None)
    if name in ("clamp", "clip", "hardtanh", "clamp_min"):
        names = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
        default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
        low, high = (args[k] if len(args) > k else kwargs.get(each, default[k]) for k, each in enumerate(names))
        numbers = (int, float, type(None))
        return _relu(high) if low == 0 and low is not None and isinstance(high, numbers) else None
    pools: dict[str, Callable[..., nn.Module]] = {
        "avg_pool1d": nn.AvgPool1d, "avg_pool2d": nn.AvgPool2d, "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d,
        "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d, "max_pool1d": nn.MaxPool1d, "max_pool2d": nn.MaxPool2d,
        "adaptive_max_pool1d": nn.AdaptiveMaxPool1d, "adaptive_max_pool2d": nn.AdaptiveMaxPool2d,
    }  # fmt: skip
    name = {"boolean_dispatch": "max_pool2d", "_max_pool2d": "max_pool2d", "_max_pool1d": "max_pool1d"}.get(name, name)
    if name in pools:
        given = {key: value for key, value in kwargs.items() if key != "input"}
        if given.pop("return_indices", False):
            return None
        return _Made("average" if "avg" in name else "maximum", pools[name](*args, **given))
    if name == "mean":
        axes = args[0] if args else kwargs.get("dim")
        keeps = args[1] if len(args) > 1 else kwargs.get("keepdim", False)
        if isinstance(axes, tuple | list) and sorted(axis % 4 for axis in axes) == [2, 3]:
            whole = nn.AdaptiveAvgPool2d(1)
            return _Made("average", whole, flat=not keeps)
        return None
    if name == "flatten":
        start, end = (
            args[k] if len(args) > k else kwargs.get(each, default)
            for k, (each, default) in enumerate((("start_dim", 0), ("end_dim", -1)))
        )
        return _Made("flatten", nn.Flatten(1)) if start == 1 and end == -1 else None
    if name in ("view", "reshape"):
        sizes = args[0] if len(args) == 1 and isinstance(args[0], tuple | list) else args
        return _Made("flatten", nn.Flatten(1)) if (len(sizes) == 2 and sizes[1] == -1) or _to_rows(sizes) else None
    if name in ("softmax", "log_softmax"):
        return _Made(None, note="softmax")
    return _Made(None) if name in ("dropout", "dropout2d", "contiguous", "float") else None


def _to_rows(sizes: Any) -> bool:
    """Whether a view is to `[B, features]`: with the batch left to -1, or taken from a size."""
    return len(sizes) == 2 and all(isinstance(each, int | fx.Node) for each in sizes)


def _fold_norms(graph: Graph) -> None:
    """Batch norm into the weights before it, which nobody else may use."""
    for name in [
        name for name, step in graph.steps.items() if isinstance(step.module, nn.BatchNorm1d | nn.BatchNorm2d)
    ]:
        step = graph.steps[name]
        before = graph.steps[step.inputs[0]]
        alone = before.kind == "weighted" and not isinstance(before.module, nn.BatchNorm1d | nn.BatchNorm2d)
        if not alone or graph.users(before.name) != [name]:
            raise InputError(
                f"batch norm '{name}' does not follow a weighted layer of its own ('{before.name}' comes before it), so there "
                "are no weights that it could go into: put it right behind a linear layer or convolution"
            )
        assert before.module is not None
        fuse: Any = (
            nn.utils.fusion.fuse_linear_bn_eval
            if isinstance(before.module, nn.Linear)
            else nn.utils.fusion.fuse_conv_bn_eval
        )
        before.module = fuse(before.module.eval(), step.module.eval())  # type: ignore[union-attr]
        _bypass(graph, name)


def _bypass(graph: Graph, name: str) -> None:
    """Leave a step out: who takes its values takes those of its input."""
    source = graph.steps.pop(name).inputs[0]
    for step in graph.steps.values():
        step.inputs = [source if each == name else each for each in step.inputs]
    graph.output = source if graph.output == name else graph.output


def _pool_behind(graph: Graph) -> None:
    """`conv -> max pooling -> ReLU` as `conv -> ReLU -> max pooling`, which is the same: ReLU is monotone."""
    for name in [name for name, step in graph.steps.items() if step.kind == "maximum"]:
        pool = graph.steps[name]
        users = [graph.steps[each] for each in graph.users(name)]
        spikes = _spiking(graph, pool.inputs[0])
        if spikes or len(users) != 1 or users[0].kind != "relu" or graph.output == name:
            continue
        relu = users[0]
        relu.inputs, pool.inputs = list(pool.inputs), [relu.name]
        for step in graph.steps.values():
            if step is not pool:
                step.inputs = [name if each == relu.name else each for each in step.inputs]
        graph.output = name if graph.output == relu.name else graph.output
        order = list(graph.steps)
        at, to = order.index(name), order.index(relu.name)
        order[at], order[to] = order[to], order[at]
        graph.steps = {each: graph.steps[each] for each in order}


def _spiking(graph: Graph, name: str) -> bool:
    """Whether a step's values are spikes of one population a channel: those of a ReLU, pooled by maximum, joined, flattened."""
    step = graph.steps[name]
    if step.kind == "relu":
        return True
    return step.kind in ("maximum", "join", "flatten") and all(_spiking(graph, each) for each in step.inputs)


def _even_pools(graph: Graph) -> None:
    """Adaptive poolings as ordinary ones, where the windows are alike."""
    for step in graph.steps.values():
        inner = step.module
        if inner is None or not type(inner).__name__.startswith("Adaptive"):
            continue
        space = graph.shapes[step.inputs[0]][1:]
        asked: Any = inner.output_size
        sizes = [asked] * len(space) if isinstance(asked, int) else list(asked)
        sizes = [have if want is None else want for have, want in zip(space, sizes, strict=True)]
        if any(have % want for have, want in zip(space, sizes, strict=True)):
            raise InputError(
                f"pooling '{step.name}' makes {sizes} of {list(space)}, in windows that differ in size: use an even one"
            )
        window = tuple(have // want for have, want in zip(space, sizes, strict=True))
        kinds: dict[str, Any] = {
            "AdaptiveAvgPool1d": nn.AvgPool1d, "AdaptiveAvgPool2d": nn.AvgPool2d, "AdaptiveMaxPool1d": nn.MaxPool1d,
            "AdaptiveMaxPool2d": nn.MaxPool2d,
        }  # fmt: skip
        step.module = kinds[type(inner).__name__](window)


def _check(graph: Graph) -> None:
    for step in graph.steps.values():
        if step.kind == "maximum" and not _spiking(graph, step.inputs[0]):
            raise InputError(
                f"max pooling '{step.name}' works on what are no spikes ('{step.inputs[0]}'): put it right behind a ReLU, or in "
                "front of one"
            )
        if step.cap is not None and not (math.isfinite(step.cap) and step.cap > 0):
            raise InputError(f"'{step.name}' clips at {step.cap}, but only a number above 0 leaves anything to spike")
    if _spiking(graph, graph.output) and graph.steps[graph.output].kind != "relu":
        raise InputError("the ANN's answer is a pooling of a ReLU: end with a linear layer, or with a ReLU")
