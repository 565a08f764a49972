"""From a torch ANN to the graph that conversion knows: modules, functions and methods alike, through `torch.fx`.

What has no spiking counterpart is refused by its name; nothing is skipped. Dropout is off; a batch norm, and a constant by
which values are added to or multiplied, are a scale and a shift.
"""

from __future__ import annotations

import copy
import math
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from ..errors import InputError
from ..listening import libraries  # noqa: F401  (its rows fill the book of neurons)
from ..listening.neurons import is_neuron
from ..networks.plain import plain_copy
from ..networks.spiking import SpikingNetwork
from .graph import Affine, Graph, Kind, Step, measure
from .pieces import ARITHMETIC, Made, of_function, of_module, of_norm
from .simplify import simplify

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
    plain = _plain(ann).eval()
    plain = plain.to(samples.dtype) if samples.is_floating_point() else plain
    try:
        traced = fx.Tracer().trace(plain)
    except Exception as error:  # whatever a forward raises when it is traced
        sentence = " ".join(str(error).split())[:160]
        raise InputError(
            f"{type(ann).__name__} cannot be traced by torch.fx ({sentence}): its forward must not branch on values, so "
            "give the part of it that does not"
        ) from error
    reader = _Reader(plain, traced)
    graph = reader.graph()
    constants = {name: axes for name, axes in reader.space.items() if name in graph.steps}
    sentence = ""
    try:
        measure(graph, samples)
        constants = {name: axes for name, axes in constants.items() if len(graph.shapes[name]) != 1 + axes}
    except (RuntimeError, ValueError, IndexError) as error:
        sentence = " ".join(str(error).split())[:160]
    if constants:
        raise InputError(
            f"'{next(iter(constants))}' computes with a constant that is not one number, or one a channel, such as [C, 1, 1] of "
            f"an image, or samples of shape {list(samples.shape[1:])} do not fit {sentence}".rstrip()
        )
    for name, axis in reader.axes.items():
        if name in graph.shapes and axis != -len(graph.shapes[name]):
            raise reader.refusal(name, _joined(axis))
    if sentence:
        raise InputError(
            f"samples of shape {list(samples.shape[1:])} do not go through {type(ann).__name__}: {sentence}"
        )
    simplify(graph)
    measure(graph, samples)
    return graph


def _plain(ann: Any) -> nn.Module:
    """A copy of the module inside what only compiles or spreads it, with weights as they multiply."""
    if isinstance(ann, SpikingNetwork) or (isinstance(ann, nn.Module) and any(map(is_neuron, ann.modules()))):
        raise InputError(f"a {type(ann).__name__} spikes already: convert takes an ordinary network, with ReLUs")
    if not isinstance(ann, nn.Module):
        raise InputError(f"an ANN must be a torch.nn.Module, not a {type(ann).__name__}")
    while isinstance(ann, nn.DataParallel) or hasattr(ann, "_orig_mod"):
        ann = ann.module if isinstance(ann, nn.DataParallel) else ann._orig_mod
    plain = plain_copy(ann)
    for name, value in plain.state_dict().items():
        if nn.parameter.is_lazy(value):
            raise InputError(
                f"'{name}' of the ANN has no size yet: run it once on a sample, and train it, before it is converted"
            )
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise InputError(f"'{name}' of the ANN holds values that are not finite: it cannot be converted")
    return plain


class _Reader:
    def __init__(self, root: nn.Module, traced: fx.Graph) -> None:
        self.root, self.traced = root, traced
        self.steps: dict[str, Step] = {}
        self.now: dict[str, str] = {}  # a node of fx, and the step that holds its value now
        self.sizes: set[str] = set()  # nodes that are sizes and shapes, not values
        self.constants: dict[str, Any] = {}  # tensors of the ANN that are no weights of a layer
        self.space: dict[str, int] = {}  # steps with a constant a channel: axes behind channels
        self.axes: dict[str, int] = {}  # concatenations, and the axis where it is counted from the last
        self.ends: set[str] = set()  # nodes of fx that are left out where nothing comes behind them
        self.notes: list[str] = []
        self.output = ""

    def graph(self) -> Graph:
        for node in self.traced.nodes:
            getattr(self, f"_{node.op}")(node)
        if not any(step.kind == "relu" for step in self.steps.values()):
            raise InputError("the ANN has no ReLU, and ReLUs are what becomes spiking neurons")
        if not any(step.kind == "weighted" for step in self.steps.values()):
            raise InputError("the ANN has no linear layer and no convolution: there is nothing that neurons could sum")
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
        found: Any = self.root
        for part in str(node.target).split("."):
            found = getattr(found, part)
        self.constants[node.name] = found.detach() if isinstance(found, Tensor) else found

    def _constant(self, value: Any) -> Tensor | None:
        """A number, or a number a channel, that does not depend on the input; None of anything else."""
        found = self.constants.get(value.name) if isinstance(value, fx.Node) else value
        if isinstance(found, bool) or not isinstance(found, int | float | Tensor):
            return None
        constant = torch.as_tensor(found, dtype=next((each.dtype for each in self.root.parameters()), torch.float32))
        while constant.dim() and len(constant) == 1:
            constant = constant[0]
        return constant

    def _output(self, node: fx.Node) -> None:
        found = node.args[0]
        if not isinstance(found, fx.Node):
            raise InputError("the ANN gives several tensors, and conversion needs one: its scores [B, classes]")
        self.output = self._of(found)

    def _call_module(self, node: fx.Node) -> None:
        module = self.root.get_submodule(str(node.target))
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm):
            if module.running_mean is None:
                raise InputError(
                    f"batch norm '{node.target}' keeps no statistics, and a spiking network has no batch to ask"
                )
            return self._put(node, "affine", node.args[:1], of_norm(module))
        if type(module) in _KNOWN:
            if getattr(module, "padding_mode", "zeros") != "zeros":
                raise InputError(f"convolution '{node.target}' pads with '{module.padding_mode}': pad with zeros")
            return self._put(node, "weighted", node.args[:1], module)
        made = of_module(module)
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
        other = args[1] if len(args) > 1 else kwargs.get("other")
        if self._affine(node, name.rstrip("_"), first, other, kwargs):
            return None
        if name in ("add", "add_", "iadd"):
            if not isinstance(other, fx.Node) or kwargs.get("alpha", 1) != 1:
                raise self._refuse(node, "addition with a factor")
            self._put(node, "add", [first, other])
            return self._overwritten(self._of(first), node) if name == "add_" else None
        if name in ("cat", "concat", "concatenate"):
            axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
            if axis < 0:  # of as many axes as the values have, which samples tell
                self.axes[node.name] = axis
            elif axis != 1:
                raise self._refuse(node, _joined(axis))
            return self._put(node, "join", list(first))  # type: ignore[arg-type]
        layer = self._weights(name, args, kwargs)
        if layer is not None:
            return self._put(node, "weighted", [first], layer)
        made = of_function(name.rstrip("_") if not name.startswith("_") else name, args[1:], kwargs)
        if made is None:
            raise self._refuse(node, name)
        return self._add(node, [first], made, inplace=name.endswith("_") or bool(kwargs.get("inplace")))

    def _affine(self, node: fx.Node, name: str, first: Any, other: Any, kwargs: dict[str, Any]) -> bool:
        """Values and a constant, added, subtracted, multiplied or divided: whether it was that."""
        one, two = self._constant(first), self._constant(other)
        if name not in ARITHMETIC or (one is None) == (two is None) or kwargs.keys() - {"input", "other"}:
            return False
        constant, values = (two, first) if one is None else (one, other)
        found = None if constant is None else ARITHMETIC[name](constant, one is not None)
        if constant is None or found is None or math.prod(constant.shape[1:]) != 1:
            return False
        if constant.numel() > 1:
            self.space[node.name] = constant.dim() - 1
        self._put(
            node, "affine", [values], Affine(*(each.reshape(-1 if constant.numel() > 1 else ()) for each in found))
        )
        if node.target in ("add_", "sub_", "mul_", "div_") or name.startswith("i"):
            self._overwritten(self._of(values), node)
        return True

    def _weights(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> nn.Module | None:
        """A product or convolution with weights of the ANN, as the layer that does the same."""
        names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
        given = dict(zip(names, args, strict=False)) | kwargs
        weight, bias = (self.constants.get(getattr(given.get(key), "name", "")) for key in names[1:3])
        if (
            name not in ("linear", "conv1d", "conv2d", "matmul", "mm")
            or not isinstance(weight, Tensor)
            or weight.dim() < 2
        ):
            return None
        if name.startswith("conv"):
            rest = {key: given[key] for key in names[3:] if key in given}
            sizes = weight.shape[1] * rest.get("groups", 1), weight.shape[0], tuple(weight.shape[2:])
            layer: Any = getattr(nn, name.replace("conv", "Conv"))(*sizes, bias=False, **rest)
        else:
            weight = weight if name == "linear" else weight.T
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight = nn.Parameter(weight)
        layer.bias = None if bias is None else nn.Parameter(bias)
        return cast(nn.Module, layer)

    def _add(self, node: fx.Node, args: Any, made: Made, *, inplace: bool = False) -> None:
        if made.kind is None:
            if made.note:
                self.notes.append(f"{made.note} '{node.name}' was left out")
                self.ends.add(node.name)
            elif getattr(args[0], "name", "") in self.ends:
                self.ends.add(node.name)
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
        for each in args:
            if getattr(each, "name", "") in self.ends:
                raise InputError(
                    f"'{node.name}' takes what the softmax '{each.name}' gives, which has no spiking counterpart: it is left out "
                    "at the end of an ANN alone, where it changes no answer"
                )
        self.steps[node.name] = Step(node.name, kind, [self._of(each) for each in args], copy.deepcopy(module), cap)
        self.now[node.name] = node.name

    def _of(self, value: Any) -> str:
        if not isinstance(value, fx.Node) or value.name not in self.now:
            raise InputError(
                f"the ANN computes with {value!r}, which is no value of a layer: conversion knows {_SUPPORTED}"
            )
        return self.now[value.name]

    def _refuse(self, node: fx.Node, what: str) -> InputError:
        return self.refusal(str(node.target if node.op == "call_module" else node.name), what)

    @staticmethod
    def refusal(name: str, what: str) -> InputError:
        """What is said of a layer that neurons cannot do."""
        return InputError(
            f"layer '{name}' is a {what}, which has no spiking counterpart here: conversion knows {_SUPPORTED}"
        )


def _joined(axis: int) -> str:
    return f"concatenation along axis {axis} in place of channels (1)"
