"""Networks over time that are told by plain values: rows and graphs of layers on `[T, B, *N]`, as files can hold them.

A node is a table with a `name`, a `kind` of `KINDS`, the names of its `inputs`, and the kind's own sizes; its weights are
those of the modules. What comes in is called `input`, and the last node's values go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, unknown_name
from ..listening.neurons import not_a_neuron
from .decoders import MembraneDecoder, RateDecoder
from .encoders import Direct, Once
from .event_driven import EventDriven
from .lifting import over_time
from .neurons import IF
from .spiking import SpikingNetwork

Node = Mapping[str, Any]


class TotalMax(nn.Module):
    """Max pooling of what came so far: spikes `[T, B, *N]` in, and a spike out whenever the largest total of a window grows.

    `M[t] = max over the window of sum_{u <= t} S[u]`, and `M[t] - M[t-1]` is sent, which is 0 or 1. So the pooled count is
    the largest count, and never the number of steps in which anybody of the window fired.
    """

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = over_time(pool)

    def forward(self, spikes: Tensor) -> Tensor:
        totals: Tensor = self.pool(spikes.cumsum(0))
        return torch.diff(totals, dim=0, prepend=torch.zeros_like(totals[:1]))


class Factor(nn.Module):
    """A synapse of one weight for each channel, `[C]` or one for all: `y = w x` on `[T, B, C, *space]`."""

    weight: Tensor

    def __init__(self, channels: int, space: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.space = space

    def forward(self, values: Tensor) -> Tensor:
        return values * self.weight.view(-1, *[1] * self.space)


class Sum(nn.Module):
    """Adds what arrives from several nodes."""

    def forward(self, *values: Tensor) -> Tensor:
        total = values[0]
        for more in values[1:]:
            total = total + more
        return total


class Join(nn.Module):
    """Puts what arrives from several nodes side by side, along the channels."""

    def forward(self, *values: Tensor) -> Tensor:
        return torch.cat(values, 2)


#: they pass spikes on, or what spikes are worth: what they read is counted, and no membrane is updated
for _passing in (TotalMax, Factor, Sum, Join):
    not_a_neuron(_passing)


class Wiring(nn.Module):
    """Layers of which some take the values of several others; each runs once, over all steps."""

    def __init__(self, nodes: Sequence[Node], modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(modules)
        self.wires = [(str(node["name"]), [str(each) for each in node["inputs"]]) for node in nodes]

    def forward(self, sequence: Tensor) -> Tensor:
        last = {source: name for name, sources in self.wires for source in sources}
        held = {"input": sequence}
        made = sequence
        for name, sources in self.wires:
            made = held[name] = self.parts[name](*(held[each] for each in sources))
            for each in sources:
                if last[each] == name:
                    held.pop(each, None)
        return made


class _Shaped(nn.Module):
    """Stands for neurons where only shapes are asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        initial = options["initial"]
        if isinstance(initial, Tensor) and initial.dim():
            self.register_buffer("initial", initial)


def _neurons(make: Callable[..., nn.Module], node: Node) -> nn.Module:
    first: Any = torch.zeros(list(node["shape"])) if node.get("shape") else float(node["initial"])
    window = tuple(node["window"]) if node.get("window") else None
    return make(inclusive=True, initial=first, window=window)


#: what a pooling may be told besides its window
POOL_SIZES = ("stride", "padding", "dilation", "ceil_mode", "count_include_pad", "divisor_override")


def _pool(kind: str, node: Node) -> nn.Module:
    given = {key: node[key] for key in POOL_SIZES if key in node}
    made: nn.Module = getattr(nn, kind)(
        **{key: _numbers(value) for key, value in given.items()}, kernel_size=_numbers(node["kernel"])
    )
    return made


def _numbers(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _conv(node: Node) -> nn.Module:
    kind: Any = nn.Conv1d if len(node["kernel"]) == 1 else nn.Conv2d
    padding = node["padding"]
    return over_time(
        nn.utils.skip_init(
            kind, node["channels"][0], node["channels"][1], _numbers(node["kernel"]), stride=_numbers(node["stride"]),
            padding=_numbers(padding), dilation=_numbers(node["dilation"]), groups=node["groups"], bias=node["bias"],
        )
    )  # fmt: skip


KINDS: dict[str, Callable[[Callable[..., nn.Module], Node], nn.Module]] = {
    "linear": lambda make, node: nn.utils.skip_init(nn.Linear, *node["channels"], bias=node["bias"]),
    "conv": lambda make, node: _conv(node),
    "neurons": _neurons,
    "average": lambda make, node: over_time(_pool(node["pool"], node)),
    "maximum": lambda make, node: over_time(_pool(node["pool"], node)),
    "total_maximum": lambda make, node: TotalMax(_pool(node["pool"], node)),
    "flatten": lambda make, node: nn.Flatten(2),
    "factor": lambda make, node: Factor(int(node["channels"]), int(node["space"])),
    "sum": lambda make, node: Sum(),
    "join": lambda make, node: Join(),
}


def wire(nodes: Sequence[Node], neuron: Callable[..., nn.Module] = IF) -> nn.Module:
    """The layers of a table: a row where each takes what the one before gives, else a graph.

    Raises:
        InputError: a kind or a name that is not known, or a node that comes before its inputs.
    """
    modules: dict[str, nn.Module] = {}
    known, row = ["input"], True
    for node in nodes:
        name, kind, sources = str(node["name"]), str(node["kind"]), list(node["inputs"])
        if kind not in KINDS:
            raise unknown_name("kind of node", kind, KINDS)
        if name in known or not sources or any(each not in known for each in sources):
            raise InputError(f"node '{name}' has a name that is taken, or inputs that do not come before it: {sources}")
        row = row and sources == [known[-1]]
        modules[name] = KINDS[kind](neuron, node)
        known.append(name)
    if not row:
        return Wiring(nodes, modules)
    layers = EventDriven()
    for name, module in modules.items():
        layers.add_module(name, module)
    return layers


def wired(spec: Mapping[str, Any]) -> SpikingNetwork:
    """The network of a spec: `nodes`, the `steps` that it runs, how its input comes, and how its answer is read."""
    neuron = IF if spec.get("neuron", "if") == "if" else _Shaped
    steps = int(spec["timesteps"])
    encoder = (
        Once(steps, charge=spec["charge"], two_sided=spec["two_sided"]) if spec["input"] == "once" else Direct(steps)
    )
    decoder = (
        MembraneDecoder(int(spec["classes"]), int(spec["levels"])) if spec["read_out"] == "membrane" else RateDecoder()
    )
    network = SpikingNetwork(wire(spec["nodes"], neuron), encoder=encoder, decoder=decoder, timesteps=steps)
    network.spec = {**spec, "nodes": [dict(node) for node in spec["nodes"]]}
    for own in ("neuron", "encoder"):
        network.spec.pop(own, None)
    return network
