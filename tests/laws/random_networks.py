"""Random networks for the laws: layers and neurons, with passages between them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from laws.passages import BATCH, OPERATORS, STEPS, is_map, merged


class Passage(nn.Module):
    """Operators in a row, `[T, B, *N]` -> `[T, B, *M]`; with a `state` buffer in front, the spikes pass through that."""

    def __init__(self, names: list[str], seed: int, state: str | None = None) -> None:
        super().__init__()
        self.names, self.seed, self.state = names, seed, state
        self.entered: list[Tensor] | None = None  # kept for the brute force: what enters the first average
        if state is not None:
            self.register_buffer("kept", torch.zeros(0))

    @property
    def first_average(self) -> int | None:
        """Which operator averages first."""
        kinds = [OPERATORS[name].kind for name in self.names]
        return kinds.index("averages") if "averages" in kinds else None

    def run(self, x: Tensor, first: int, last: int) -> Tensor:
        for index in range(first, last):
            if 0 in x.stride() and ("in_place" in self.names[index] or "silenced" in self.names[index]):
                x = x.contiguous()  # torch writes into no tensor whose places share an element
            x = OPERATORS[self.names[index]].act(x, 2, random.Random(self.seed + index))
        return x

    def forward(self, x: Tensor) -> Tensor:
        if self.state is not None:
            x = self._through_the_buffer(x)
        middle = self.first_average
        if middle is None:
            return self.run(x, 0, len(self.names))
        x = self.run(x, 0, middle)
        if self.entered is not None:
            self.entered.append(x.detach().clone())
        return self.run(x, middle, len(self.names))

    def _through_the_buffer(self, x: Tensor) -> Tensor:
        if self.kept.shape != x.shape:
            self.kept = torch.zeros(x.shape)
        if self.state == "copy":
            self.kept.copy_(x)
        elif self.state == "slices":
            for t in range(len(x)):
                self.kept[t] = x[t]
        elif self.state == "view":
            self.kept.view(-1).copy_(x.reshape(-1))
        elif self.state == "data":
            self.kept.data.copy_(x)
        elif self.state == "set":
            self.kept.data = x.clone()
        else:
            self.kept = x
        return self.kept.clone() if self.seed % 2 else self.kept


STATES = ["copy", "slices", "view", "data", "set", "assign"]


class Functional(nn.Module):
    """A linear layer as people write it by hand."""

    def __init__(self, inputs: int, outputs: int, way: str) -> None:
        super().__init__()
        self.way = way
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.register_buffer("mask", (torch.arange(inputs) % 3 != 1).float())

    def weight_now(self) -> Tensor:
        return self.weight * self.mask if self.way == "masked" else self.weight

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "einsum":
            return torch.einsum("tbi,oi->tbo", x, self.weight)
        if self.way == "matmul":
            return x @ self.weight.t()
        if self.way == "addmm":
            bias = torch.zeros(self.weight.shape[0])
            return torch.addmm(bias, x.flatten(0, 1), self.weight.t()).unflatten(0, x.shape[:2])
        return F.linear(x, self.weight_now())


class Recurrent(nn.Module):
    """A linear layer with a recurrent one, whose spikes are kept in a buffer from step to step."""

    def __init__(self, inputs: int, outputs: int, way: str) -> None:
        super().__init__()
        self.way = way
        self.inner, self.back = nn.Linear(inputs, outputs, bias=False), nn.Linear(outputs, outputs, bias=False)
        self.register_buffer("spikes", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        self.spikes = torch.zeros(x.shape[1], self.inner.out_features)
        out = []
        for step in x:
            currents = self.inner(step) + self.back(self.spikes)
            fired = torch.relu(torch.sign(currents - 0.37))
            if self.way == "copy":
                self.spikes.copy_(fired)
            elif self.way == "index":
                self.spikes[:] = fired
            elif self.way == "data":
                self.spikes.data.copy_(fired)
            elif self.way == "set":
                self.spikes.data = fired.clone()
            elif self.way == "view":
                self.spikes.view(-1).copy_(fired.reshape(-1))
            else:
                self.spikes = fired
            out.append(currents)
        return torch.stack(out)


class Declared(nn.Module):
    """A user's neuron `[T, B, *N]` that may fire several times a step, each spike worth `unit`."""

    def __init__(self, unit: float = 1.0, most: int = 1) -> None:
        super().__init__()
        self.unit, self.most = unit, most

    def forward(self, current: Tensor) -> Tensor:
        membrane, sent = torch.zeros_like(current[0]), []
        for step in current:
            membrane = 0.5 * membrane + step
            spikes = torch.clamp(torch.floor(membrane / 0.37), 0, self.most)
            membrane = membrane - 0.37 * spikes
            sent.append(spikes * self.unit)
        return torch.stack(sent)


@sl.neuron(layout="TB")
class Single(Declared):
    pass


@sl.neuron(layout="TB", unit=1.0)
class Several(Declared):
    def __init__(self) -> None:
        super().__init__(1.0, 3)


@sl.neuron(layout="TB", unit=0.5)
class SeveralHalves(Declared):
    def __init__(self) -> None:
        super().__init__(0.5, 3)


UNITS: dict[type, float] = {Several: 1.0, SeveralHalves: 0.5}
NEURONS: dict[str, Callable[[], nn.Module]] = {
    "LIF": lambda: sl.LIF(0.5, threshold=0.37),
    "IF": lambda: sl.IF(threshold=0.37, reset="zero"),
    "declared": Single,
    "several": Several,
    "halves": SeveralHalves,
}
LINEAR = ["linear", "einsum", "matmul", "addmm", "masked", "functional"]
RECURRENT = ["copy", "index", "data", "set", "view", "assign"]
CONVOLUTIONS = ["zeros", "circular", "reflect", "replicate", "strided", "transposed", "grouped"]


def convolution(channels: int, outputs: int, way: str) -> nn.Module:
    if way == "transposed":
        return nn.ConvTranspose2d(channels, outputs, 2, stride=2)
    if way == "grouped":
        return nn.Conv2d(channels, channels * 2, 2, padding=1, groups=channels)
    if way == "strided":
        return nn.Conv2d(channels, outputs, 3, stride=2, padding=1)
    return nn.Conv2d(channels, outputs, 3 if way != "zeros" else 2, padding=1, padding_mode=way)


class Network(nn.Module):
    """Stages of passage, layer and neurons; `[T, B, *N]` -> the last spikes, or the currents of two read-outs."""

    def __init__(self, stages: list[tuple[Passage, nn.Module, nn.Module | None]]) -> None:
        super().__init__()
        self.passages = nn.ModuleList([passage for passage, _, _ in stages])
        self.layers = nn.ModuleList([layer for _, layer, _ in stages])
        self.neurons = nn.ModuleList([neuron for _, _, neuron in stages if neuron is not None])

    def forward(self, values: Tensor) -> Tensor:
        x = values.clone()  # the operators write into it
        for index, layer in enumerate(self.layers):
            x = self.passages[index](x)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                x = merged(x, 2, layer)
            else:
                x = layer(x.flatten(2))
            if index < len(self.neurons):
                x = self.neurons[index](x)
        return x


def fill(layer: nn.Module, seed: int) -> None:
    """Weights in eighths, a third of them zero: sums of them are exact, so that no order of adding moves a spike."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            drawn = torch.randint(-2, 4, parameter.shape, generator=generator)
            parameter.copy_(drawn * (torch.rand(parameter.shape, generator=generator) < 0.8) / 4)


@torch.no_grad()
def fits(names: list[str], shape: tuple[int, ...], seed: int) -> tuple[list[str], tuple[int, ...]]:
    """Those of the operators that fit one after the other, and the shape behind them."""
    kept: list[str] = []
    for name in names:
        if not OPERATORS[name].fits(shape):
            continue
        act = OPERATORS[name].act
        after = tuple(act(torch.zeros(2, 1, *shape), 2, random.Random(seed + len(kept))).shape[2:])
        if 0 < torch.Size(after).numel() <= 80:
            kept.append(name)
            shape = after
    return kept, shape


INPUTS: list[tuple[int, ...]] = [(5,), (2, 4, 4), (1, 5, 5), (4, 3, 3)]

#: operators, layer ("linear einsum", "conv circular", ...), neurons and the buffer in front
Stage = tuple[list[str], str, str | None, str | None]


def made_of(shape: tuple[int, ...], words: str, seed: int) -> tuple[nn.Module, tuple[int, ...]]:
    """A layer for inputs of a shape, and the shape of its currents."""
    kind, _, way = words.partition(" ")
    part: nn.Module
    if kind == "conv" and is_map(shape):
        part = convolution(shape[0], 2, way)
        return part, tuple(part(torch.zeros(1, *shape)).shape[1:])
    inputs = torch.Size(shape).numel()
    if kind == "recurrent":
        return Recurrent(inputs, 3, way), (3,)
    return Functional(inputs, 4, way) if kind == "linear" and way != "linear" else nn.Linear(inputs, 4), (4,)


def build(shape: tuple[int, ...], stages: list[Stage], seed: int) -> Network:
    """A network from plain words."""
    made: list[tuple[Passage, nn.Module, nn.Module | None]] = []
    for index, (wanted, words, neurons, state) in enumerate(stages):
        names, shape = fits(wanted, shape, seed)
        part, shape = made_of(shape, words, seed)
        fill(part, seed + index)
        made.append((Passage(names, seed, state), part, NEURONS[neurons]() if neurons is not None else None))
    return Network(made)


LAYERS = [
    *(f"linear {way}" for way in LINEAR), *(f"recurrent {way}" for way in RECURRENT),
    *(f"conv {way}" for way in CONVOLUTIONS),
]  # fmt: skip


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, Tensor]:
    """A random network with its input `[T, B, *N]`, spikes or graded values."""
    start = draw(st.sampled_from(INPUTS))
    count, seed = draw(st.integers(1, 3)), draw(st.integers(0, 99))
    stages: list[Stage] = []
    shape = start
    for index in range(count):
        names: list[str] = []
        for _ in range(draw(st.integers(0, 4))):
            fitting = [name for name in OPERATORS if OPERATORS[name].fits(shape)]
            kind = draw(st.sampled_from(sorted({OPERATORS[name].kind for name in fitting})))
            name = draw(st.sampled_from([name for name in fitting if OPERATORS[name].kind == kind]))
            more, shape = fits([name], shape, seed + len(names))
            names += more
        layers = draw(
            st.sampled_from([CONVOLUTIONS, CONVOLUTIONS, LINEAR, RECURRENT] if is_map(shape) else [LINEAR, RECURRENT])
        )
        kind = {id(CONVOLUTIONS): "conv", id(LINEAR): "linear", id(RECURRENT): "recurrent"}[id(layers)]
        layer = f"{kind} {draw(st.sampled_from(layers))}"
        neurons = draw(st.sampled_from(sorted(NEURONS))) if index < count - 1 or draw(st.booleans()) else None
        stages.append((names, layer, neurons, draw(st.sampled_from([None, None, *STATES]))))
        shape = made_of(shape, layer, seed)[1]
    return build(start, stages, seed), inputs_for(start, seed, draw(st.booleans()))


def inputs_for(shape: tuple[int, ...], seed: int, graded: bool) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = (torch.rand(STEPS, BATCH, *shape, generator=generator) < 0.5).float()
    return x * torch.randint(1, 4, x.shape, generator=generator) if graded else x


def described(network: Network) -> list[Any]:
    """What a network is made of, to be read in a failure."""
    return [
        (passage.names, passage.state, type(layer).__name__, getattr(layer, "way", getattr(layer, "padding_mode", "")))
        for passage, layer in zip(network.passages, network.layers, strict=True)
    ]
