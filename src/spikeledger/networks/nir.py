"""NIR graphs in and out (Pedersen et al. 2024, doi:10.1038/s41467-024-52259-9), with the step length always explicit.

NIR's neurons live in continuous time and a file carries no step. Here they are stepped by forward Euler,

    v[t+1] = v[t] + dt / tau (v_leak - v[t] + r I[t])        so    beta = 1 - dt / tau,    gain = r dt / tau

as Norse and SpikingJelly do; spikes of a loop arrive one step later. Files are written with `r = 1` and the weights
before the neurons multiplied by `tau / dt`, since some readers take no other `r`. A reset to zero is NIR's own; a reset
by subtraction is not in the standard, so it is written only with `extended=True`, as metadata that others ignore.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import FileFormatError, InputError
from .nir_nodes import Neurons, fold_gain, to_module, to_node
from .spiking import OverTime, SpikingNetwork

_LARGEST = 4 << 30  # bytes that a file's arrays may take
_MOST_NODES = 10_000


def write_nir(
    network: nn.Module,
    path: str | os.PathLike[str],
    *,
    dt: float,
    input_shape: Sequence[int] | None = None,
    extended: bool = False,
) -> Path:
    """Write a network of layers in a row as a NIR file whose neurons behave alike at steps of `dt` seconds.

    Args:
        network: a `SpikingNetwork` or `nn.Sequential` of linear layers, convolutions, average pooling, flatten, IF and
            LIF; encoders, decoders and dropout are left out.
        input_shape: of one sample at one step; needed unless the first layer is linear.
        extended: write resets that NIR does not have (subtraction, delayed) as metadata, which only this reader knows.

    Raises:
        InputError: something in it has no NIR node.
    """
    nir = _nir()
    _check_dt(dt)
    layers = list((network.layers if isinstance(network, SpikingNetwork) else network).named_children())
    plain = [(name, layer.module if isinstance(layer, OverTime) else layer) for name, layer in layers]
    plain = [(name, layer) for name, layer in plain if not isinstance(layer, nn.Dropout | nn.Identity)]
    if not plain:
        raise InputError("a NIR file needs at least one layer: give an nn.Sequential or a SpikingNetwork")
    first = next((layer for _, layer in plain if not isinstance(layer, nn.Flatten)), plain[0][1])
    if input_shape is None:
        if not isinstance(first, nn.Linear):
            raise InputError(f"the first layer is {type(first).__name__}: pass input_shape=[C, H, W]")
        input_shape = (first.in_features,)
    shape = tuple(int(size) for size in input_shape)
    nodes: dict[str, Any] = {"input": nir.Input(input_type={"input": np.array(shape)})}
    edges, last = [], "input"
    for name, layer in plain:
        made, shape = to_node(nir, name, layer, shape, dt, extended)
        if made is None:
            continue
        key = name.replace(".", "_") or "layer"
        nodes[key] = made
        fold_gain(nir, nodes.get(last), made, dt)
        edges.append((last, key))
        last = key
    nodes["output"] = nir.Output(output_type={"output": np.array(shape)})
    graph = nir.NIRGraph(nodes, [*edges, (last, "output")], metadata={"dt": float(dt), "writer": "spikeledger"})
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            nir.write(Path(folder) / "graph.nir", graph)
            (Path(folder) / "graph.nir").replace(target)
    except OSError as error:
        raise InputError(f"cannot write the NIR file '{target}': {error.strerror or error}") from error
    return target


def read_nir(source: str | os.PathLike[str] | Any, *, dt: float | None = None) -> NirNetwork:
    """A torch module from a NIR file or graph; it takes and gives sequences `[T, B, *N]`.

    Args:
        dt: seconds of a step. A file of ours knows its own; any other must be told, since NIR does not say.

    Raises:
        FileFormatError: the file is truncated, hostile or no NIR graph.
        InputError: no `dt`, a node that has no module here, a NaN, or a loop without neurons.
    """
    nir = _nir()
    graph = source if isinstance(source, nir.NIRGraph) else _read(nir, Path(source))
    known = graph.metadata.get("dt") if isinstance(graph.metadata, dict) else None
    if dt is None and known is None:
        raise InputError("a NIR graph does not say how long a step is: pass dt= in seconds, for example dt=1e-3")
    step = float(dt if dt is not None else np.asarray(known))
    _check_dt(step)
    if len(graph.nodes) > _MOST_NODES:
        raise InputError(f"the graph has {len(graph.nodes):,} nodes, and {_MOST_NODES:,} are the most that are read")
    modules = {name: to_module(nir, name, node, step) for name, node in graph.nodes.items()}
    return NirNetwork(modules, [(str(a), str(b)) for a, b in graph.edges], step)


class NirNetwork(nn.Module):
    """A graph of modules. Loops are stepped, what goes around arrives one step later; without loops time is merged."""

    input_layout = "TB"

    def __init__(self, modules: dict[str, nn.Module | None], edges: list[tuple[str, str]], dt: float) -> None:
        super().__init__()
        self.dt = dt
        self.nodes = nn.ModuleDict({_key(name): module for name, module in modules.items() if module is not None})
        for pair in edges:
            for end in pair:
                if end not in modules:
                    raise InputError(f"an edge of the graph names '{end}', which is no node")
        if len(set(edges)) != len(edges):
            raise InputError("the graph has the same edge twice")
        self.sources = {name: [a for a, b in edges if b == name] for name in modules}
        inputs = [name for name in modules if name == "input" or (modules[name] is None and not self.sources[name])]
        outputs = [name for name in modules if modules[name] is None and name not in inputs]
        if len(inputs) != 1 or len(outputs) != 1:
            raise InputError(f"the graph has {len(inputs)} inputs and {len(outputs)} outputs; one of each is read")
        self.start, self.end = inputs[0], outputs[0]
        neurons = {name for name, module in modules.items() if isinstance(module, Neurons)}
        self.back = _loops(self.sources, neurons)
        self.order = _order(self.sources, self.back)

    def forward(self, sequence: Tensor) -> Tensor:
        if sequence.dim() < 3:
            raise InputError(f"a NIR network got inputs of shape {list(sequence.shape)}, but needs [T, B, *N]")
        if not self.back:
            return self._values(sequence, {}, None)[self.end]
        state: dict[str, Tensor] = {}
        before: dict[str, Tensor] = {}
        out = []
        for step in sequence.split(1):
            before = self._values(step, before, state)
            out.append(before[self.end])
        return torch.cat(out)

    def _module(self, name: str) -> nn.Module | None:
        return next((module for key, module in self.nodes.items() if key == _key(name)), None)

    def _values(
        self, sequence: Tensor, before: dict[str, Tensor], state: dict[str, Tensor] | None
    ) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        for name in self.order:
            if name == self.start:
                values[name] = sequence
                continue
            arriving = [values[a] for a in self.sources[name] if (a, name) not in self.back and a in values]
            arriving += [before[a] for a in self.sources[name] if (a, name) in self.back and a in before]
            if not arriving:  # the first step of a loop
                if not self.sources[name]:
                    raise InputError(f"nothing arrives at node '{name}' of the graph")
                module = self._module(name)
                if not isinstance(module, nn.Linear):
                    continue
                arriving = [sequence.new_zeros(*sequence.shape[:2], module.in_features)]
            total = arriving[0]
            for more in arriving[1:]:
                total = total + more
            module = self._module(name)
            if isinstance(module, Neurons) and state is not None:
                values[name], state[name] = module(total, state.get(name, module.neuron.rest(total)))
            else:
                values[name] = total if module is None else module(total)
        return values


def _read(nir: Any, path: Path) -> Any:
    """Read a file after looking at what it claims: its arrays must fit into memory, and lie in it."""
    import h5py  # type: ignore[import-untyped,unused-ignore]

    try:
        with h5py.File(path, "r") as file:
            total = nodes = 0
            waiting: list[tuple[Any, int]] = [(file, 0)]
            while waiting:
                group, depth = waiting.pop()
                for key in group:
                    link = group.get(key, getlink=True)
                    if not isinstance(link, h5py.HardLink):
                        raise FileFormatError(f"'{path}' holds a link to elsewhere ('{key}'): that is no NIR file")
                    item = group[key]
                    nodes += 1
                    if nodes > 50 * _MOST_NODES or depth > 16:
                        raise FileFormatError(f"'{path}' holds more parts than a network has, or nests them too deep")
                    if isinstance(item, h5py.Group):
                        waiting.append((item, depth + 1))
                    elif isinstance(item, h5py.Dataset):
                        total += int(np.prod(item.shape, dtype=object)) * item.dtype.itemsize if item.shape else 0
                        if item.external or getattr(item, "is_virtual", False):
                            raise FileFormatError(f"'{path}' keeps '{key}' in another file: that is no NIR file")
            if total > _LARGEST:
                raise FileFormatError(
                    f"'{path}' claims arrays of {total:,} bytes, and {_LARGEST:,} are the most that are read"
                )
        return nir.read(path)
    except FileNotFoundError:
        raise FileFormatError(f"there is no NIR file '{path}'") from None
    except FileFormatError:
        raise
    except Exception as error:  # h5py and nir raise many kinds for a cut or strange file
        raise FileFormatError(f"'{path}' is no whole NIR file ({type(error).__name__}: {_line(error)})") from error


def _loops(sources: dict[str, list[str]], neurons: set[str]) -> set[tuple[str, str]]:
    """Edges that close a loop; each must leave neurons, whose spikes then arrive one step later."""
    targets: dict[str, list[str]] = {name: [] for name in sources}
    for name, before in sources.items():
        for each in before:
            targets[each].append(name)
    back: set[tuple[str, str]] = set()
    colour: dict[str, int] = {}
    roots = [name for name in sources if not sources[name]] + list(sources)
    for root in roots:
        stack = [(root, iter(targets[root]))] if root not in colour else []
        if stack:
            colour[root] = 1
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
                        raise InputError(f"the graph has a loop without neurons or delay: {' -> '.join([*loop, each])}")
                    cut = spiking[-1]
                    back.add((loop[cut], loop[(cut + 1) % len(loop)]))
            else:
                colour[name] = 2
                stack.pop()
    return back


def _order(sources: dict[str, list[str]], back: set[tuple[str, str]]) -> list[str]:
    waiting = {name: {a for a in before if (a, name) not in back} for name, before in sources.items()}
    done: list[str] = []
    while waiting:
        ready = [name for name, before in waiting.items() if before <= set(done)]
        if not ready:
            raise InputError(f"the nodes {', '.join(sorted(waiting))} reach each other in a circle")
        done += ready
        waiting = {name: before for name, before in waiting.items() if name not in ready}
    return done


def _nir() -> Any:
    try:
        import nir
    except ImportError as error:
        raise InputError("NIR graphs need the package nir: install spikeledger[nir]") from error
    return nir


def _check_dt(dt: float) -> None:
    if not (math.isfinite(dt) and dt > 0):
        raise InputError(f"dt is {dt} s, but must be finite and above 0: it is the length of a step")


def _key(name: str) -> str:
    return name.replace(".", "_") + "_node"


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
