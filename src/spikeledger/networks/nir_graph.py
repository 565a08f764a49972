"""A NIR graph as a torch module: nodes in order, and what goes around in a loop arrives a step later."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .delays import Delay
from .nir_nodes import Integrators, Neurons

Edge = tuple[str, str]


class NirNetwork(nn.Module):
    """A graph of modules `[T, B, *N] -> [T, B, *N]`; without loops time is merged, with loops it is stepped.

    A loop is cut where it enters a `Delay`, whose own steps then are what it takes; a loop without one behind its
    neurons, whose spikes arrive one step later.
    """

    input_layout = "TB"
    #: of one sample at one step, where the graph says it
    input_shape: tuple[int, ...] | None = None

    def __init__(self, modules: dict[str, nn.Module | None], edges: list[Edge], dt: float) -> None:
        super().__init__()
        self.dt = dt
        self.edges = edges
        self.keys: dict[str, str] = {}
        for name, module in modules.items():
            if module is not None:
                key = name.replace(".", "_") + "_node"
                while key in self.keys.values():
                    key += "_"
                self.keys[name] = key
        self.nodes = nn.ModuleDict({self.keys[name]: module for name, module in modules.items() if module is not None})
        for pair in edges:
            for end in pair:
                if end not in modules:
                    raise InputError(f"an edge of the graph names '{end}', which is no node")
        if len(set(edges)) != len(edges):
            raise InputError("the graph has the same edge twice")
        self.sources: dict[str, list[str]] = {name: [] for name in modules}
        for a, b in edges:
            self.sources[b].append(a)
        inputs = [name for name in modules if modules[name] is None and not self.sources[name]]
        outputs = [name for name in modules if modules[name] is None and name not in inputs]
        if len(inputs) != 1 or len(outputs) != 1:
            raise InputError(f"the graph has {len(inputs)} inputs and {len(outputs)} outputs; one of each is read")
        self.start, self.end = inputs[0], outputs[0]
        for name in modules:
            if not self.sources[name] and name != self.start:
                raise InputError(f"nothing arrives at node '{name}' of the graph")
        delays = {n for n, module in modules.items() if isinstance(module, Delay) and module.shortest > 0}
        neurons = {n for n, module in modules.items() if isinstance(module, Neurons | Integrators)}
        self.back = loops(self.sources, neurons, delays)
        self.order = ordered(self.sources, self.back)
        for _, name in self.back:  # one of its steps is the loop's own
            module = modules[name]
            if name in delays and isinstance(module, Delay):
                self.nodes[self.keys[name]] = Delay(module.steps - 1)

    def module(self, name: str) -> nn.Module | None:
        """The module of a node; None for the input and the output."""
        key = self.keys.get(name)
        return None if key is None else self.nodes[key]

    def forward(self, sequence: Tensor) -> Tensor:
        if sequence.dim() < 3:
            raise InputError(f"a NIR network got inputs of shape {list(sequence.shape)}, but needs [T, B, *N]")
        if not self.back:
            return self._values(sequence, {}, None)[self.end]
        state: dict[str, Any] = {}
        before: dict[str, Tensor] = {}
        out = []
        for step in sequence.split(1):
            before = self._values(step, before, state)
            out.append(before[self.end])
        return torch.cat(out)

    def _values(self, sequence: Tensor, before: dict[str, Tensor], state: dict[str, Any] | None) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {self.start: sequence}
        missing = set()
        for name in self.order:
            if name == self.start:
                continue
            arriving = []
            for source in self.sources[name]:
                known = before if (source, name) in self.back else values
                if source in known:
                    arriving.append(known[source])
            module = self.module(name)
            if not arriving:  # the first step of a loop
                shape = width(module)
                if shape is None:
                    missing.add(name)
                    continue
                arriving = [sequence.new_zeros(*sequence.shape[:2], *shape)]
            total = arriving[0]
            for more in arriving[1:]:
                total = total + more
            if state is not None and isinstance(module, Neurons | Integrators | Delay):
                values[name], state[name] = module(total, state[name] if name in state else module.rest(total))
            else:
                values[name] = total if module is None else module(total)
        if self.end in missing:
            raise InputError("the graph's output hears nothing at the first step: give its loop an input")
        return values


def width(module: nn.Module | None) -> tuple[int, ...] | None:
    """The shape that a module takes, where its own constants say it."""
    if isinstance(module, nn.Linear):
        return (module.in_features,)
    if isinstance(module, Neurons | Integrators):
        return tuple(module.gain.shape) or None
    return tuple(module.steps.shape) or None if isinstance(module, Delay) else None


def inlined(nir: Any, graph: Any, prefix: str = "") -> tuple[dict[str, Any], list[Edge]]:
    """Nodes and edges of a graph with the graphs inside it laid open; their inputs and outputs pass on what they get."""
    nodes: dict[str, Any] = {}
    edges: list[Edge] = []
    doors: dict[str, tuple[str, str]] = {}  # of a graph inside: where it begins and ends
    for name, node in graph.nodes.items():
        whole = prefix + str(name)
        if isinstance(node, nir.NIRGraph):
            inside, between = inlined(nir, node, f"{whole}.")
            begin = [each for each, part in inside.items() if isinstance(part, nir.Input)]
            end = [each for each, part in inside.items() if isinstance(part, nir.Output)]
            if len(begin) != 1 or len(end) != 1:
                raise InputError(
                    f"the graph '{whole}' has {len(begin)} inputs and {len(end)} outputs; one of each is read"
                )
            doors[whole] = (begin[0], end[0])
            nodes.update({each: None if each in doors[whole] else part for each, part in inside.items()})
            edges += between
        else:
            nodes[whole] = node
    for a, b in graph.edges:
        first, second = prefix + str(a), prefix + str(b)
        edges.append((doors[first][1] if first in doors else first, doors[second][0] if second in doors else second))
    return nodes, edges


def loops(sources: dict[str, list[str]], neurons: set[str], delays: set[str]) -> set[Edge]:
    """Edges that close a loop and are cut: all that enter a delay, or one that leaves neurons."""
    back: set[Edge] = set()
    # strongly connected through anything else than a cut delay: entering a delay of a loop is always late
    circle = _in_circles(sources)
    for name in delays & circle:
        back |= {(source, name) for source in sources[name]}
    targets: dict[str, list[str]] = {name: [] for name in sources}
    for name, before in sources.items():
        for each in before:
            if (each, name) not in back:
                targets[each].append(name)
    colour: dict[str, int] = {}
    for root in [*(name for name in sources if not sources[name]), *sources]:
        if root in colour:
            continue
        colour[root] = 1
        stack = [(root, iter(targets[root]))]
        while stack:
            name, following = stack[-1]
            for each in following:
                if each not in colour:
                    colour[each] = 1
                    stack.append((each, iter(targets[each])))
                    break
                if colour[each] == 1:  # the loop is what lies on the stack from there on: cut it behind its neurons
                    loop = [entry[0] for entry in stack]
                    loop = loop[loop.index(each) :]
                    spiking = [k for k, member in enumerate(loop) if member in neurons]
                    if not spiking:
                        raise InputError(
                            f"the graph has a loop without neurons or delay: {' -> '.join([*loop[:9], each])}"
                        )
                    cut = spiking[-1]
                    back.add((loop[cut], loop[(cut + 1) % len(loop)]))
            else:
                colour[name] = 2
                stack.pop()
    return back


def _in_circles(sources: dict[str, list[str]]) -> set[str]:
    """Nodes that reach themselves: those that neither peeling from the front nor from the back removes."""
    targets: dict[str, list[str]] = {name: [] for name in sources}
    for name, before in sources.items():
        for each in before:
            targets[each].append(name)
    left = set(sources)
    for inward, outward in ((sources, targets), (targets, sources)):
        waiting = {name: sum(each in left for each in inward[name]) for name in left}
        ready = [name for name, count in waiting.items() if not count]
        while ready:
            name = ready.pop()
            left.discard(name)
            for each in outward[name]:
                if each in left:
                    waiting[each] -= 1
                    if not waiting[each]:
                        ready.append(each)
    return left


def ordered(sources: dict[str, list[str]], back: set[Edge]) -> list[str]:
    """Nodes so that each comes after those whose values it needs in the same step."""
    targets: dict[str, list[str]] = {name: [] for name in sources}
    waiting = dict.fromkeys(sources, 0)
    for name, before in sources.items():
        for each in before:
            if (each, name) not in back:
                targets[each].append(name)
                waiting[name] += 1
    ready = [name for name, count in waiting.items() if not count]
    done: list[str] = []
    for name in ready:  # grows as it goes
        done.append(name)
        for each in targets[name]:
            waiting[each] -= 1
            if not waiting[each]:
                ready.append(each)
    if len(done) < len(sources):
        circle = sorted(set(sources) - set(done))
        raise InputError(f"the nodes {', '.join(circle[:9])} reach each other in a circle")
    return done
