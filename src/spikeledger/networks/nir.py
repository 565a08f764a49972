"""NIR graphs in and out (Pedersen et al. 2024, doi:10.1038/s41467-024-52259-9), with the step length always explicit.

NIR's neurons live in continuous time and a file carries no step. Here they are stepped by forward Euler,

    v[t+1] = v[t] + dt / tau (v_leak - v[t] + r I[t])        so    beta = 1 - dt / tau,    gain = r dt / tau

as Norse and SpikingJelly do, and a synapse of its own (`CubaLIF`) likewise, `alpha = 1 - dt / tau_syn`; spikes of a loop
without a delay arrive one step later. Leaky neurons are written with `r = 1` and the weights before them multiplied by
`tau / dt`, since some readers take no other `r`. A reset to zero is NIR's own; a reset by subtraction is not in the
standard, so it is written only with `extended=True`, as metadata that others ignore.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..errors import InputError, of_kind
from ..writing import closed
from .nir_files import MOST_NODES, read_graph
from .nir_from_modules import fold_gain, laid_out, to_node
from .nir_graph import NirNetwork, inlined, width
from .nir_nodes import to_module


def to_nir(
    network: nn.Module, *, dt: float, input_shape: Sequence[int] | None = None, extended: bool = False
) -> Any:  # a nir.NIRGraph
    """A network as a `nir.NIRGraph` whose neurons behave alike at steps of `dt` seconds.

    Args:
        network: a `SpikingNetwork`, `nn.Sequential` or `NirNetwork` of linear layers, 1-d and 2-d convolutions, batch norm
            behind them, average and sum pooling, flatten, delays, IF, LIF and Synaptic; encoders, decoders and dropout are
            left out. Any other module is mapped first: `mapping.exchange.as_graph(sl.map(network, inputs))`.
        input_shape: of one sample at one step; needed unless the first layer is linear.
        extended: write resets that NIR does not have (subtraction, delayed) as metadata, which only this reader knows.

    Raises:
        InputError: something in it has no NIR node.
    """
    nir = _nir()
    _check_dt(dt)
    parts, edges, start, end = laid_out(network)
    if input_shape is None:
        input_shape = getattr(network, "input_shape", None) or _first_width(parts)
    shapes = {start: tuple(int(size) for size in input_shape)}
    sources = {name: [a for a, b in edges if b == name] for name in (start, *parts, end)}
    nodes: dict[str, Any] = {start: nir.Input(input_type={"input": np.array(shapes[start])})}
    waiting = list(parts)
    while waiting:
        ready = [name for name in waiting if any(source in shapes for source in sources[name])]
        ready = ready or [name for name in waiting if width(parts[name]) is not None][:1]
        if not ready:
            raise InputError(f"the input of the graph does not reach {', '.join(map(repr, waiting[:9]))}")
        for name in ready:
            arriving = [shapes[source] for source in sources[name] if source in shapes]
            before = arriving[0] if arriving else width(parts[name]) or ()
            nodes[name], shapes[name] = to_node(nir, name, parts[name], before, dt, extended)
        waiting = [name for name in waiting if name not in ready]
    for name, node in nodes.items():
        alone = all([b for a, b in edges if a == source] == [name] for source in sources[name])
        if alone and isinstance(node, nir.LIF):
            fold_gain(nir, [nodes[source] for source in sources[name]], node)
    last = next(shapes[source] for source in sources[end] if source in shapes)
    nodes[end] = nir.Output(output_type={"output": np.array(last)})
    ordered = {name: nodes[name] for name in (start, *parts, end)}
    metadata = {"dt": float(dt), "writer": "spikeledger"}
    return nir.NIRGraph(ordered, edges, metadata=metadata, type_check=False)


def write_nir(
    network: nn.Module,
    path: str | os.PathLike[str],
    *,
    dt: float,
    input_shape: Sequence[int] | None = None,
    extended: bool = False,
) -> Path:
    """Write a network as a NIR file: `to_nir`, whole or not at all; arguments and errors are those of `to_nir`."""
    nir = _nir()
    graph = to_nir(network, dt=dt, input_shape=input_shape, extended=extended)
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            nir.write(Path(folder) / "graph.nir", graph)
            (Path(folder) / "graph.nir").replace(target)
    except OSError as error:
        raise closed(target, error) from error
    return target


def read_nir(source: str | os.PathLike[str] | Any, *, dt: float | None = None) -> NirNetwork:
    """A torch module from a NIR file or graph; it takes and gives sequences `[T, B, *N]`.

    Args:
        dt: seconds of a step. A file of ours knows its own; any other must be told, since NIR does not say.

    Raises:
        FileFormatError: the file is truncated, hostile or no NIR graph.
        InputError: no `dt`, a node that has no module here, a NaN, or a loop without neurons or delay.
    """
    nir = _nir()
    if not isinstance(source, str | os.PathLike | nir.NIRGraph):
        raise InputError(
            f"a NIR graph was to be read from {of_kind(source)}: give the path of a file, or a nir.NIRGraph"
        )
    graph = source if isinstance(source, nir.NIRGraph) else read_graph(nir, Path(source))
    known = graph.metadata.get("dt") if isinstance(graph.metadata, dict) else None
    if dt is None and known is None:
        raise InputError("a NIR graph does not say how long a step is: pass dt= in seconds, for example dt=1e-3")
    try:
        step = float(dt if dt is not None else np.asarray(known).item())
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the step length of the graph is {str(known)[:60]!r}, not a number of seconds: pass dt="
        ) from error
    _check_dt(step)
    nodes, edges = inlined(nir, graph)
    if len(nodes) > MOST_NODES or len(edges) > 20 * MOST_NODES:
        raise InputError(
            f"the graph has {len(nodes):,} nodes and {len(edges):,} edges, and {MOST_NODES:,} nodes are the most that are read"
        )
    modules = {name: to_module(nir, name, node, step) for name, node in nodes.items()}
    network = NirNetwork(modules, edges, step)
    network.input_shape = _shape(graph.nodes[network.start])
    return network


def _first_width(parts: dict[str, nn.Module]) -> tuple[int, ...]:
    first = next((layer for layer in parts.values() if not isinstance(layer, nn.Flatten)), None)
    if not isinstance(first, nn.Linear):
        raise InputError(f"the first layer is {type(first).__name__}: pass input_shape=, for example [C, H, W]")
    return (first.in_features,)


def _shape(node: Any) -> tuple[int, ...] | None:
    """What an input node says of its shape, if that is a shape."""
    try:
        sizes = tuple(int(size) for size in np.asarray((node.input_type or {}).get("input")).ravel())
    except (TypeError, ValueError, AttributeError):
        return None
    return sizes if sizes and all(0 < size <= 1 << 24 for size in sizes) else None


def _nir() -> Any:
    try:
        import nir
    except ImportError as error:
        raise InputError("NIR graphs need the package nir: install spikeledger[nir]") from error
    return nir


def _check_dt(dt: float) -> None:
    if not (math.isfinite(dt) and dt > 0):
        raise InputError(f"dt is {dt} s, but must be finite and above 0: it is the length of a step")
