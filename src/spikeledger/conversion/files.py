"""What was converted, and how, as plain values and tensors that a file holds beside the spiking network; reading runs no code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from ..networks.spiking import SpikingNetwork
from ..networks.wiring import POOL_SIZES
from .build import Plan
from .convert import Conversion, Converted, Population
from .graph import Affine, Graph, Step, measure

_WEIGHTED: dict[str, Any] = {"Linear": nn.Linear, "Conv1d": nn.Conv1d, "Conv2d": nn.Conv2d}
_POOLS: dict[str, Any] = {
    "AvgPool1d": nn.AvgPool1d, "AvgPool2d": nn.AvgPool2d, "MaxPool1d": nn.MaxPool1d, "MaxPool2d": nn.MaxPool2d,
}  # fmt: skip
#: what a layer is made of besides its weights
_SIZES = (
    "in_features", "out_features", "in_channels", "out_channels", "kernel_size", "groups", *POOL_SIZES,
)  # fmt: skip
_MOST = 1 << 26  # values of a sample
_OF_AFFINE = ("scale", "shift")
_OF_WEIGHTED = ("weight", "bias")
#: of a step, the inputs that it takes; any number where it is not told
_TAKES = {"input": 0, "weighted": 1, "affine": 1, "relu": 1, "average": 1, "maximum": 1, "flatten": 1}


def told(conversion: Conversion) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A conversion as a table of plain values, and its tensors by name: `theta/STEP`, `STEP/weight`."""
    graph = conversion.graph
    tensors = {f"theta/{name}": theta for name, theta in conversion.thetas.items()}
    for name, step in graph.steps.items():
        for part in _parts(step):
            value = getattr(step.module, part)
            if value is not None:
                tensors[f"{name}/{part}"] = value
    table = {
        "method": conversion.method, "granularity": conversion.granularity, "correct": conversion.correct,
        "latency_steps": conversion.latency_steps, "said": conversion.said, "notes": list(conversion.notes),
        "plan": asdict(conversion.plan), "output": graph.output,
        "steps": [_step_told(graph, step) for step in graph.steps.values()],
        "populations": [
            {"name": p.name, "clipped": p.clipped, "rate_error": p.rate_error, "first": p.first, "neurons": p.neurons}
            for p in conversion.populations
        ],
        "tried": [dict(each) for each in conversion.tried],
    }  # fmt: skip
    return table, tensors


def converted(network: SpikingNetwork, table: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Converted:
    """The network with its conversion, as `told` wrote it.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: a table that is not one of `told`, or tensors that do not fit.
    """
    steps = {str(row["name"]): _step(row, tensors) for row in table["steps"]}
    known: set[str] = set()
    for name, step in steps.items():
        if not set(step.inputs) <= known or len(step.inputs) != _TAKES.get(step.kind, len(step.inputs)):
            raise ValueError(f"step '{name}' takes what does not come before it")
        known.add(name)
    if len(steps) != len(table["steps"]) or [step.kind for step in steps.values()].count("input") != 1:
        raise ValueError("its steps are not those of one ANN")
    shapes = {str(row["name"]): tuple(_whole(size) for size in row["shape"]) for row in table["steps"]}
    graph = Graph(steps, str(table["output"]), tuple(str(note) for note in table["notes"]), shapes)
    thetas = {name: tensors[f"theta/{name}"] for name in (*graph.relus, graph.input) if f"theta/{name}" in tensors}
    if graph.output not in steps or not set(graph.relus) <= thetas.keys():
        raise ValueError("its thresholds or its answer are missing")
    for name, theta in thetas.items():
        if theta.dim() > 1 or (theta.dim() and len(theta) != shapes[name][0]):
            raise ValueError(f"the thresholds of '{name}' are of the shape {list(theta.shape)}")
    _run(graph, shapes)
    plan = _plan(table["plan"])
    populations = tuple(Population(thresholds=thetas[row["name"]], **row) for row in table["populations"])
    made = Converted(network.layers, encoder=network.encoder, decoder=network.decoder, timesteps=network.timesteps)
    made.spec = network.spec
    made.conversion = Conversion(
        str(table["method"]), table["granularity"], plan, table["correct"], populations, graph, thetas,
        _whole(table["latency_steps"]), str(table["said"]), graph.notes, tuple(dict(each) for each in table["tried"]),
    )  # fmt: skip
    return made.eval()


def _run(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Let a sample of zeros through, so that whatever does not fit is told where the file is read."""
    if math.prod(shapes[graph.input]) > _MOST:
        raise ValueError(f"its samples are of the shape {list(shapes[graph.input])}")
    kind = next(each.dtype for _, module in graph.modules() for each in module.parameters())
    measure(graph, torch.zeros(1, *shapes[graph.input], dtype=kind))
    if graph.shapes != shapes:
        raise ValueError("its steps give values of other shapes than it says")


def _plan(told: Mapping[str, Any]) -> Plan:
    plan = Plan(**told)
    for name, known in (
        ("schedule", ("layers", "together")), ("input", ("direct", "spikes")), ("read_out", ("membrane", "rate")),
        ("two_sided", (False, True)),
    ):  # fmt: skip
        if getattr(plan, name) not in known:
            raise ValueError(f"its {name} is {getattr(plan, name)!r}")
    if _whole(plan.steps) < 1 or not all(math.isfinite(each) for each in (plan.start, plan.low, plan.high)):
        raise ValueError("its steps or its first membrane are no numbers")
    return plan


def _parts(step: Step) -> tuple[str, ...]:
    return _OF_AFFINE if step.kind == "affine" else _OF_WEIGHTED if step.kind == "weighted" else ()


def _step_told(graph: Graph, step: Step) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": step.name, "kind": step.kind, "inputs": list(step.inputs), "shape": list(graph.shapes[step.name])
    }  # fmt: skip
    if step.cap is not None:
        row["cap"] = float(step.cap)
    if step.kind in ("weighted", "average", "maximum"):
        row["layer"] = type(step.module).__name__
        sizes = {each: getattr(step.module, each, None) for each in _SIZES}
        sizes = {each: size for each, size in sizes.items() if size is not None}
        row["sizes"] = {each: list(size) if isinstance(size, tuple) else size for each, size in sizes.items()}
    return row


def _step(row: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Step:
    name, kind = str(row["name"]), row["kind"]
    step = Step(name, kind, [str(each) for each in row["inputs"]], cap=row.get("cap"))
    sizes = {each: _size(size) for each, size in row.get("sizes", {}).items()}
    if not sizes.keys() <= set(_SIZES):
        raise ValueError(f"step '{name}' has sizes that no layer has")
    if kind == "weighted":
        # without memory: a file's word for a width allocates nothing, and its weights have to be of that shape
        bare = _WEIGHTED[row["layer"]](**sizes, bias=f"{name}/bias" in tensors, device="meta")
        for part, parameter in bare.named_parameters():
            value = tensors[f"{name}/{part}"]
            if value.shape != parameter.shape or not value.is_floating_point():
                raise ValueError(f"the {part} of '{name}' is of the shape {list(value.shape)}")
            setattr(bare, part, nn.Parameter(value, requires_grad=False))
        step.module = bare.eval()
    elif kind in ("average", "maximum"):
        step.module = _POOLS[row["layer"]](**sizes)
    elif kind == "affine":
        step.module = Affine(*(tensors[f"{name}/{part}"] for part in _OF_AFFINE))
    elif kind == "flatten":
        step.module = nn.Flatten(1)
    elif kind not in ("input", "relu", "add", "join"):
        raise ValueError(f"step '{name}' is of a kind that there is none of")
    return step


def _size(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_size(each) for each in value)
    if value not in ("same", "valid"):
        _whole(value)
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no size")
    return value
