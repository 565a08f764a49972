"""Every NIR node beside its own equation in numpy, and back out again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from spikeledger.errors import InputError

nir = pytest.importorskip("nir", reason="nir is not installed")
from spikeledger.networks.nir import read_nir, to_nir  # noqa: E402

DT = 2.0**-10
FULL = np.ones(4)
ALPHA, BETA = np.array([0.5, 0.75, 0.25, 0.5]), np.array([0.875, 0.5, 0.75, 0.25])
SYN, MEM = DT / (1 - ALPHA), DT / (1 - BETA)


def alone(node: Any, before: tuple[int, ...] = (4,), after: tuple[int, ...] = (4,)) -> Any:
    nodes = {
        "input": nir.Input({"input": np.array(before)}),
        "node": node,
        "output": nir.Output({"output": np.array(after)}),
    }
    return nir.NIRGraph(nodes, [("input", "node"), ("node", "output")], type_check=False)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(-2, 8, shape, generator=torch.Generator().manual_seed(seed)) / 8


def cuba_lif(x: np.ndarray) -> np.ndarray:
    current, v, out = 0.0, np.zeros(x.shape[1:]), []
    for step in x:
        current = current + DT / SYN * (-current + 2 * step)
        v = v + DT / MEM * (-v + 4 * current)
        out.append((v > 0.75).astype(float))
        v = np.where(v > 0.75, 0, v)
    return np.array(out)


def filtered(x: np.ndarray) -> np.ndarray:
    current, v, out = 0.0, np.zeros(x.shape[1:]), []
    for step in x:
        current = current + DT / SYN * (-current + 2 * step)
        v = v + DT / MEM * (0.5 - v + 4 * current)
        out.append(v)
    return np.array(out)


def leaky(x: np.ndarray) -> np.ndarray:
    v, out = np.zeros(x.shape[1:]), []
    for step in x:
        v = v + DT / MEM * (0.5 - v + 4 * step)
        out.append(v)
    return np.array(out)


def late(x: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    for n, d in enumerate((0, 2, 5, 99)):
        out[d:, :, n] = x[: max(len(x) - d, 0), :, n]
    return out


NODES = {
    "CubaLIF": (lambda: nir.CubaLIF(tau_syn=SYN, tau_mem=MEM, r=4 * FULL, v_leak=0 * FULL, v_threshold=0.75 * FULL,
                                    w_in=2 * FULL), cuba_lif),
    "CubaLI": (lambda: nir.CubaLI(tau_syn=SYN, tau_mem=MEM, r=4 * FULL, v_leak=0.5 * FULL, w_in=2 * FULL), filtered),
    "LI": (lambda: nir.LI(tau=MEM, r=4 * FULL, v_leak=0.5 * FULL), leaky),
    "I": (lambda: nir.I(r=FULL / DT), lambda x: np.cumsum(x, 0)),
    "Threshold": (lambda: nir.Threshold(0.25 * FULL), lambda x: (x > 0.25).astype(float)),
    "Scale": (lambda: nir.Scale(np.array([1.0, 2.0, 0.0, -0.5])), lambda x: x * np.array([1.0, 2.0, 0.0, -0.5])),
    "Delay": (lambda: nir.Delay(np.array([0, 2, 5, 99]) * DT), late),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_a_node_does_what_its_equation_says_also_after_a_round_trip(name: str) -> None:
    make, oracle = NODES[name]
    x = draw(12, 3, 4)
    expected = torch.from_numpy(oracle(x.double().numpy())).float()
    network = read_nir(alone(make()), dt=DT)
    again = read_nir(to_nir(network, dt=DT))
    assert expected.any() and not torch.equal(expected, x)
    for each in (network, again):
        torch.testing.assert_close(each(x), expected, rtol=1e-6, atol=1e-6)
    assert type(to_nir(network, dt=DT).nodes["node"]) is type(make())


@pytest.mark.parametrize("same", [False, True])
def test_convolutions_and_pools_are_those_of_torch(same: bool) -> None:
    one, two = draw(5, 3, 3, seed=1).numpy(), draw(4, 2, 3, 3, seed=2).numpy()
    flat = nir.Conv1d(9, one, 1 if same else 2, "same" if same else 1, 1, 1, np.arange(5) / 8)
    x = draw(3, 2, 3, 9)
    torch.testing.assert_close(
        read_nir(alone(flat, (3, 9), (5, 9)), dt=DT)(x).flatten(0, 1),
        nn.functional.conv1d(
            x.flatten(0, 1), torch.tensor(one), torch.arange(5) / 8, 1 if same else 2, "same" if same else 1
        ),
    )
    wide = nir.Conv2d((6, 6), two, 1, "same" if same else "valid", 1, 2, np.zeros(4))
    y = draw(3, 2, 4, 6, 6)
    torch.testing.assert_close(
        read_nir(alone(wide, (4, 6, 6), (4, 6, 6)), dt=DT)(y).flatten(0, 1),
        nn.functional.conv2d(y.flatten(0, 1), torch.tensor(two), None, 1, "same" if same else "valid", 1, 2),
    )
    for node, factor in ((nir.SumPool2d, 4), (nir.AvgPool2d, 1)):
        pool = node(kernel_size=np.array([2, 2]), stride=np.array([2, 1]), padding=np.array([1, 0]))
        network = read_nir(alone(pool, (4, 6, 6), (4, 4, 5)), dt=DT)
        expected = nn.functional.avg_pool2d(y.flatten(0, 1), 2, (2, 1), (1, 0)) * factor
        assert torch.equal(network(y).flatten(0, 1), expected)
        back = to_nir(network, dt=DT, input_shape=(4, 6, 6))
        assert type(back.nodes["node"]) is node and torch.equal(read_nir(back)(y).flatten(0, 1), expected)


def lif(size: int = 4) -> Any:
    ones = np.ones(size)
    return nir.LIF(tau=8 * DT * ones, r=8 * ones, v_leak=0 * ones, v_threshold=ones)


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_a_delay_in_a_loop_is_all_that_the_loop_takes(delay: int) -> None:
    nodes = {
        "input": nir.Input({"input": np.array([4])}), "lif": lif(), "rec": nir.Linear(np.roll(np.eye(4), 1, 0) * 0.5),
        "delay": nir.Delay(np.full(4, delay * DT)), "output": nir.Output({"output": np.array([4])}),
    }  # fmt: skip
    edges = [("input", "lif"), ("lif", "delay"), ("delay", "rec"), ("rec", "lif"), ("lif", "output")]
    network = read_nir(nir.NIRGraph(nodes, edges, type_check=False), dt=DT)
    x = draw(15, 2, 4)
    v, fired, out = np.zeros((2, 4)), [np.zeros((2, 4))] * delay, []
    for step in x.numpy():
        v = v * 0.875 + step + 0.5 * np.roll(fired[-delay], 1, axis=1)
        fired.append((v > 1).astype(float))
        v = v * (1 - fired[-1])
        out.append(fired[-1])
    assert np.any(out) and np.array_equal(network(x).detach().numpy(), np.array(out))
    assert np.array_equal(read_nir(to_nir(network, dt=DT))(x).detach().numpy(), np.array(out))


def test_a_graph_inside_a_graph_is_laid_open() -> None:
    inside = nir.NIRGraph(
        {"input": nir.Input({"input": np.array([4])}), "lif": lif(), "w_rec": nir.Linear(np.eye(4) * 0.25),
         "output": nir.Output({"output": np.array([4])})},
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")], type_check=False,
    )  # fmt: skip
    x = draw(12, 2, 4)
    network = read_nir(alone(inside), dt=DT)
    flat = {**inside.nodes}
    expected = read_nir(nir.NIRGraph(flat, inside.edges, type_check=False), dt=DT)(x)
    assert expected.any() and torch.equal(network(x), expected)
    assert torch.equal(read_nir(to_nir(network, dt=DT))(x), expected)


LAYERS = st.lists(
    st.sampled_from(["lif", "if", "synaptic", "delay", "linear", "flatten", "dropout"]), min_size=1, max_size=6
)


@settings(max_examples=40)
@given(LAYERS, st.sampled_from(["zero", "subtract", "none"]), st.booleans(), st.integers(0, 1000))
def test_a_row_of_layers_comes_back_to_the_same_spikes(names: list[str], reset: str, delayed: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = {"reset": reset, "reset_delay": delayed, "threshold": float(rng.integers(1, 8) / 4)}
    beta = torch.tensor(rng.integers(0, 8, 6) / 8) if seed % 2 else float(rng.integers(0, 8) / 8)
    make = {
        "lif": lambda: sl.LIF(beta, **options), "if": lambda: sl.IF(**options),
        "synaptic": lambda: sl.Synaptic(float(rng.integers(0, 8) / 8), beta, **options),
        "delay": lambda: sl.Delay(torch.tensor(rng.integers(0, 4, 6))), "linear": lambda: nn.Linear(6, 6, bias=bool(seed % 3)),
        "flatten": lambda: nn.Flatten(2), "dropout": nn.Dropout,
    }  # fmt: skip
    network = nn.Sequential(nn.Linear(6, 6), *(make[name]() for name in names)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.tensor(rng.integers(-64, 192, tuple(parameter.shape)) / 256))
        x = (torch.rand(10, 2, 6, generator=torch.Generator().manual_seed(seed)) < 0.5).float()
        back = read_nir(to_nir(network, dt=DT, extended=True))
        assert torch.equal(back(x), network(x))


@pytest.mark.parametrize(
    ("node", "word"),
    [
        (lambda: nir.Delay(np.full(4, 1.5 * DT)), "no whole number of steps"),
        (lambda: nir.Delay(np.full(4, -DT)), "negative"),
        (lambda: nir.Delay(np.full(4, 1e6 * DT)), "at most"),
        (lambda: nir.LI(tau=FULL * DT / 2, r=FULL, v_leak=FULL), "shorter dt"),
        (lambda: nir.CubaLIF(tau_syn=SYN, tau_mem=MEM, r=FULL, v_leak=FULL, v_threshold=FULL), "CubaLIF"),
        (lambda: nir.LIF(tau=MEM, r=FULL, v_leak=FULL, v_threshold=FULL, v_reset=FULL), "not 0"),
        (lambda: nir.Threshold(-FULL), "above 0"),
        (lambda: nir.Linear(np.ones((2, 3, 4))), "out, in"),
        (lambda: nir.Scale(np.array(["a", "b"])), "no number"),
        (lambda: nir.Conv2d((4, 4), np.ones((3, 2, 3, 3)), 2, "same", 1, 1, np.zeros(3)), "in numbers"),
        (lambda: nir.AvgPool2d(np.array([2, 2, 2]), np.array([2]), np.array([0])), "whole numbers"),
    ],
)
def test_what_is_not_read_is_one_sentence(node: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        read_nir(alone(node()), dt=DT)


def test_a_layer_that_comes_twice_is_written_twice() -> None:
    linear, neurons = nn.Linear(4, 4, bias=False), sl.LIF(reset="zero")
    network = nn.Sequential(linear, neurons, linear, neurons)
    x = (torch.rand(9, 2, 4) < 0.5).float() * 4
    assert torch.equal(read_nir(to_nir(network, dt=DT))(x), network(x))
    assert len(to_nir(network, dt=DT).nodes) == 4 + 2
