"""From a graph with thresholds to a spiking network of plain layers: every threshold is 1, its size is in the weights.

Spikes of population p are worth `theta_p` each, so the weights behind it are `W theta_p` and those into population q
`W / theta_q`, channel by channel; where no weighted layer takes them (a sum of two branches, a bottleneck without ReLU), a
synapse of that factor is put in. All neurons are integrate and fire with reset by subtraction, start at half a threshold
and fire at it.

With the *layer schedule* population k of K fires in steps `(k-1)(T-1)` to `(k-1)(T-1) + T - 1`: by then everything it will
get has arrived, so it fires `clip(floor(T z / theta + 1/2), 0, T)` times exactly, in the first steps of its window. The
image comes once, as the charge of T steps; what biases bring in T steps is in the initial membrane. Such spikes are a
thermometer, so ordinary max pooling of spikes is exact. The answer is there after `(K-1)(T-1) + T` steps.

With everything *together* all populations fire in all T steps: the answer after T steps, at the price of uneven spikes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..networks.decoders import MembraneDecoder
from ..networks.lifting import OverTime
from ..networks.spiking import SpikingNetwork
from ..networks.wiring import POOL_SIZES, Factor, Wiring, wired
from .graph import Graph, Step, per_channel, values_of

Schedule = Literal["layers", "together"]
Input = Literal["direct", "spikes"]
ReadOut = Literal["membrane", "rate"]


@dataclass(frozen=True)
class Plan:
    """How a graph runs: steps, schedule, how the input comes and how the answer is read."""

    steps: int
    schedule: Schedule = "layers"
    input: Input = "direct"
    read_out: ReadOut = "membrane"
    start: float = 0.5  # of a threshold
    two_sided: bool = False  # whether the input comes as two channels, of what is above and below 0
    low: float = 0.0  # of the scores that a read-out by rate tells apart
    high: float = 1.0


def spiking(graph: Graph, thetas: Mapping[str, Tensor], plan: Plan) -> SpikingNetwork:
    """The network; its populations are named after the ReLUs."""
    return _Builder(graph, thetas, plan).network()


class _Builder:
    def __init__(self, graph: Graph, thetas: Mapping[str, Tensor], plan: Plan) -> None:
        self.graph, self.thetas, self.plan = graph, dict(thetas), plan
        self.nodes: list[dict[str, Any]] = []
        self.weights: dict[str, tuple[Tensor, Tensor | None] | Tensor] = {}
        self.gains: dict[str, Tensor] = {}  # of a step's values, so that the population behind has the threshold 1
        self.scales: dict[str, Tensor] = {}  # what one of a step's values is worth
        self.last: dict[str, str] = {}  # a step, and the node that holds its values
        self.doubled = {graph.input} if plan.two_sided else set()  # steps whose values come as two channels
        self.layered = plan.schedule == "layers"
        self.rates = plan.read_out == "rate" and graph.steps[graph.output].kind != "relu"
        pixels = plan.input == "spikes"
        self.depths = graph.depths(int(pixels))
        self.populations = max(self.depths.values()) + self.rates
        steps, k = plan.steps, self.populations
        self.total = (k - 1) * (steps - 1) + steps if self.layered else steps

    def network(self) -> SpikingNetwork:
        self._constants()
        for name in self.graph.relus:
            self._prepare(self.graph.steps[name].inputs[0], 1 / self.thetas[name])
        out = self.graph.output
        if self.rates:
            self.out_gain = torch.tensor(1 / (self.plan.high - self.plan.low))
            self._prepare(out, self.out_gain)
        for step in self.graph.steps.values():
            if step.kind not in ("weighted", "affine", "flatten") and not self.doubled.isdisjoint(step.inputs):
                raise InputError(
                    f"'{step.name}' takes signed values, which come in two channels as spikes: use input='direct'"
                )
            getattr(self, f"_{step.kind}")(step)
        end = self.last[out]
        spiking_end = self.graph.steps[out].kind == "relu"
        if self.rates:
            first = self.plan.steps * (self.constant[out] - self.plan.low) * self.out_gain + self.plan.start
            if not self.layered:
                first = torch.full_like(first, self.plan.start)
            end = self._scaled(out, self.out_gain)
            self._fire("output", end, self.populations, first)
        elif not spiking_end and end != self.nodes[-1]["name"]:
            raise InputError(f"the answer '{end}' is not the last of the ANN's steps")
        if not self.rates and not spiking_end and bool((self.scales[out] != 1).any()):
            self._scaled(out, torch.ones(()))
        classes = self.graph.shapes[out][0]
        charge = float(self.plan.steps)
        if self.plan.input == "spikes":
            charge /= float(self.thetas[self.graph.input])
        network = wired({
            "network": "wired", "nodes": self.nodes, "timesteps": self.total, "charge": charge,
            "input": "once" if self.layered else "direct", "two_sided": self.plan.two_sided, "classes": classes,
            "levels": self.plan.steps, "read_out": "rate" if self.rates or spiking_end else "membrane",
        })  # fmt: skip
        self._fill(network)
        return network

    # -- constants ----------------------------------------------------------------------------------------------------

    def _constants(self) -> None:
        """What biases alone bring to each step's values when no population fires."""
        zeros = torch.zeros(1, *self.graph.shapes[self.graph.input])
        dtype = next(each.dtype for _, module in self.graph.modules() for each in module.parameters())
        self.constant: dict[str, Tensor] = {}
        with torch.no_grad():
            for step, given, made in values_of(self.graph, zeros.to(dtype), lambda step, z: torch.zeros_like(z)):
                if step.kind == "relu":
                    self.constant[step.name] = given[0][0]
                elif step.name == self.graph.output:
                    self.constant[step.name] = made[0]

    def _initial(self, name: str) -> Tensor:
        """`f + T z_0 / theta`, one a channel where it is the same all over a channel."""
        start = torch.tensor(self.plan.start)
        constant = self.constant[name]
        if not self.layered or not bool(constant.any()):
            return start
        theta = self.thetas[name]
        whole = (
            self.plan.steps * constant / per_channel(theta, constant.dim() + 1)[0]
            if theta.dim()
            else (self.plan.steps * constant / theta)
        )
        flat = whole.flatten(1) if whole.dim() > 1 else whole[:, None]
        if bool((flat == flat[:, :1]).all()):
            whole = flat[:, 0]
        return whole + start

    # -- gains --------------------------------------------------------------------------------------------------------

    def _prepare(self, name: str, gain: Tensor) -> None:
        """Ask a step's values to come multiplied by a gain, from as far in front as nobody else takes them."""
        step = self.graph.steps[name]
        users = len(self.graph.users(name)) + (name == self.graph.output and not self.rates)
        if users > 1 or name in self.gains:
            return
        if step.kind == "weighted":
            self.gains[name] = gain
        elif step.kind == "add":
            self.gains[name] = gain
            for each in step.inputs:
                self._prepare(each, gain)

    def _scaled(self, name: str, gain: Tensor, scale_to: Tensor | None = None) -> str:
        """The node with a step's values times a gain; a factor is put in where it is not in the weights already."""
        have = self.gains.get(name)
        if have is not None and have is gain:
            return self.last[name]
        factor = self.scales[name] * gain
        if bool((factor == 1).all()):
            return self.last[name]
        shape = self.graph.shapes[name]
        made = self._name(f"{name}_factor")
        source = self.last[name]
        self.nodes.append({
            "name": made, "kind": "factor", "inputs": [source], "channels": int(factor.numel()), "space": len(shape) - 1,
        })  # fmt: skip
        self.weights[made] = factor.reshape(-1)
        return made

    def _name(self, wanted: str) -> str:
        taken = {node["name"] for node in self.nodes} | {"input"}
        while wanted in taken:
            wanted += "_"
        return wanted

    def _node(self, step: Step, kind: str, inputs: list[str], **sizes: Any) -> None:
        name = self._name(step.name)
        self.nodes.append({"name": name, "kind": kind, "inputs": inputs, **sizes})
        self.last[step.name] = name

    # -- steps --------------------------------------------------------------------------------------------------------

    def _input(self, step: Step) -> None:
        self.last[step.name] = "input"
        self.scales[step.name] = torch.ones(())
        if self.plan.input == "spikes":
            source = "input"
            if not self.layered:  # the charge of one step
                if self.plan.two_sided:
                    raise InputError(
                        "signed inputs as spikes come in two channels, which schedule='together' does not do"
                    )
                source = self._scaled(step.name, 1 / self.thetas[step.name])
            self._fire("pixels", source, 1, torch.tensor(self.plan.start))
            self.last[step.name] = "pixels"
            self.scales[step.name] = self.thetas[step.name]

    def _relu(self, step: Step) -> None:
        source = self._scaled(step.inputs[0], self._gain_of(step))
        self._fire(step.name, source, self.depths[step.name], self._initial(step.name))
        self.last[step.name] = self.nodes[-1]["name"]
        self.scales[step.name] = self.thetas[step.name]

    def _gain_of(self, step: Step) -> Tensor:
        """The gain that was asked for; the same object where it is in the weights already."""
        known = self.gains.get(step.inputs[0])
        return 1 / self.thetas[step.name] if known is None else known

    def _fire(self, name: str, source: str, depth: int, initial: Tensor) -> None:
        first = (depth - 1) * (self.plan.steps - 1)
        window = {"window": [first, first + self.plan.steps]} if self.layered else {}
        made = self._name(name)
        shape = {"shape": list(initial.shape)} if initial.dim() else {}
        self.nodes.append({
            "name": made, "kind": "neurons", "inputs": [source], "initial": float(initial) if not initial.dim() else 0.0,
            **shape, **window,
        })  # fmt: skip
        if initial.dim():
            self.weights[made] = initial

    def _weighted(self, step: Step) -> None:
        layer: Any = step.module
        source = step.inputs[0]
        weight, bias = layer.weight.detach().clone(), None if layer.bias is None else layer.bias.detach().clone()
        scale = self.scales[source]
        if source in self.doubled:
            if getattr(layer, "groups", 1) != 1:
                raise InputError(
                    f"'{step.name}' has groups and takes signed values, which come in two channels: use input='direct'"
                )
            weight = torch.cat([weight, -weight], 1)
            scale = torch.cat([scale, scale]) if scale.dim() else scale
        groups = getattr(layer, "groups", 1)
        inside = weight.shape[1] * groups
        if scale.dim() and scale.numel() > 1:
            by_group = scale.view(groups, -1).repeat_interleave(weight.shape[0] // groups, 0)
            weight = weight * by_group.reshape(weight.shape[0], weight.shape[1], *[1] * (weight.dim() - 2))
        else:
            weight = weight * scale
        gain = self.gains.get(step.name)
        if gain is not None:
            weight = weight * gain.reshape(-1, *[1] * (weight.dim() - 1))
            bias = None if bias is None else bias * gain
        keeps = bias is not None and not self.layered
        if self.rates and step.name == self.graph.output and not self.layered:
            low = torch.full((weight.shape[0],), -self.plan.low) * (1 if gain is None else gain)
            bias = low if bias is None else bias + low
            keeps = True
        sizes: dict[str, Any] = {"channels": [int(inside), int(weight.shape[0])], "bias": keeps}
        if not isinstance(layer, nn.Linear):
            sizes |= {
                "kernel": list(layer.kernel_size), "stride": list(layer.stride), "dilation": list(layer.dilation),
                "padding": layer.padding if isinstance(layer.padding, str) else list(layer.padding), "groups": groups,
            }  # fmt: skip
        self._node(step, "linear" if isinstance(layer, nn.Linear) else "conv", [self.last[source]], **sizes)
        self.weights[self.last[step.name]] = (weight, bias if keeps else None)
        self.scales[step.name] = torch.ones(())

    def _average(self, step: Step) -> None:
        self._pool(step, "average")

    def _maximum(self, step: Step) -> None:
        self._pool(step, "maximum" if self.layered else "total_maximum")

    def _pool(self, step: Step, kind: str) -> None:
        pool: Any = step.module
        sizes: dict[str, Any] = {"pool": type(pool).__name__, "kernel": _listed(pool.kernel_size)}
        for key in POOL_SIZES:
            if getattr(pool, key, None) is not None:
                sizes[key] = _listed(getattr(pool, key))
        self._node(step, kind, [self.last[step.inputs[0]]], **sizes)
        self.scales[step.name] = self.scales[step.inputs[0]]

    def _affine(self, step: Step) -> None:
        """The scale is in what a value is worth; the shift comes with the biases."""
        layer: Any = step.module
        source = step.inputs[0]
        if not self.layered and bool(layer.shift.any()):
            raise InputError(
                f"'{step.name}' adds a constant where no weighted layer is in front of it, which schedule='together' does not "
                "do: use schedule='layers'"
            )
        self.last[step.name] = self.last[source]
        self.scales[step.name] = self.scales[source] * layer.scale
        self.doubled |= {step.name} if source in self.doubled else set()

    def _flatten(self, step: Step) -> None:
        source = step.inputs[0]
        self.doubled |= {step.name} if source in self.doubled else set()
        self._node(step, "flatten", [self.last[source]])
        scale, shape = self.scales[source], self.graph.shapes[source]
        self.scales[step.name] = scale.repeat_interleave(_size(shape[1:])) if scale.dim() else scale

    def _add(self, step: Step) -> None:
        gain = self.gains.get(step.name)
        sources = []
        for each in step.inputs:
            asked = torch.ones(()) if gain is None else gain
            sources.append(self._scaled(each, asked))
        self._node(step, "sum", sources)
        self.scales[step.name] = torch.ones(())

    def _join(self, step: Step) -> None:
        scales = [self.scales[each] for each in step.inputs]
        if any(scale.dim() for scale in scales) or len({float(scale) for scale in scales}) > 1:
            sizes = [self.graph.shapes[each][0] for each in step.inputs]
            scale = torch.cat([each.expand(size) for each, size in zip(scales, sizes, strict=True)])
        else:
            scale = scales[0]
        self._node(step, "join", [self.last[each] for each in step.inputs])
        self.scales[step.name] = scale

    # -- numbers ------------------------------------------------------------------------------------------------------

    def _fill(self, network: SpikingNetwork) -> None:
        """Weights, factors, initial membranes, and the offset of the answer."""
        wiring = next((part for part in network.layers if isinstance(part, Wiring)), None)
        parts = dict((network.layers if wiring is None else wiring.parts).named_children())
        with torch.no_grad():
            for name, values in self.weights.items():
                part: Any = parts[name].module if isinstance(parts[name], OverTime) else parts[name]
                if isinstance(values, tuple):
                    part.weight = nn.Parameter(values[0].contiguous())
                    if values[1] is not None:
                        part.bias = nn.Parameter(values[1].contiguous())
                elif isinstance(part, Factor):
                    part.weight = nn.Parameter(values.contiguous())
                else:
                    part.initial = values.contiguous()
            if isinstance(network.decoder, MembraneDecoder) and self.layered:
                network.decoder.offset = self.constant[self.graph.output].detach().clone()
        network.eval()


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for each in shape:
        size *= each
    return size
