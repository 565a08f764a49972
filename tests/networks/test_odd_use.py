"""Odd parameters, inputs and modes: an event-driven network gives what the same one gives on floats, or the same error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

import spikeledger as sl
from tolerance import GRADIENT


def network(change: Callable[[nn.Sequential], object] = lambda net: None) -> nn.Sequential:
    """Two layers with weights k/256, so that sums are the same in any order."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(70, 33), sl.LIF(), nn.Linear(33, 12), sl.LIF())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_((parameter * 1024).round() / 256)
    change(net)
    return net


def spikes(*shape: int) -> Tensor:
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(1)) < 0.3).float()


def learned(net: nn.Module, inputs: Tensor) -> list[Tensor | None]:
    """Spikes, and all gradients."""
    inputs = inputs.detach().requires_grad_()
    out = net(inputs)
    if out.requires_grad:
        (out * torch.arange(out.numel()).view(out.shape)).mean().backward()
    return [out.detach(), inputs.grad, *(parameter.grad for parameter in net.parameters())]


def outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except (RuntimeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"


NUMBERS = (torch.arange(4000).remainder(97) - 40) / 256


def put(name: str, value: Tensor) -> Callable[[nn.Sequential], object]:
    layer, _, kind = name.partition(".")
    return lambda net: setattr(net[int(layer)], kind, nn.Parameter(value))


def freeze(*names: str) -> Callable[[nn.Sequential], object]:
    return lambda net: [net.get_parameter(name).requires_grad_(False) for name in names]


CHANGES: dict[str, Callable[[nn.Sequential], object]] = {
    "a weight that lies turned": put("0.weight", NUMBERS[: 70 * 33].view(70, 33).t()),
    "a weight that is part of another": put("0.weight", NUMBERS[: 40 * 99].view(40, 99)[3:36, 5:75]),
    "a weight of one column": put("2.weight", NUMBERS[:12, None].expand(12, 33)),
    "a bias of one number": put("0.bias", NUMBERS[90:91].expand(33)),
    "a bias of every fifth number": put("2.bias", NUMBERS[: 5 * 12 : 5]),
    "a bias in float64": put("0.bias", torch.zeros(33, dtype=torch.float64)),
    "a second layer in float64": lambda net: net[2].double(),
    "a decay in float64": lambda net: net[1].double(),
    "a frozen first weight": freeze("0.weight"),
    "frozen biases": freeze("0.bias", "2.bias"),
    "a frozen last layer": freeze("2.weight", "2.bias"),
    "all frozen": freeze("0.weight", "0.bias", "2.weight", "2.bias"),
}


def same(one: Any, other: Any) -> None:
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
    else:
        torch.testing.assert_close(one, other, equal_nan=True, **GRADIENT)


@pytest.mark.parametrize("change", CHANGES)
def test_parameters_of_any_kind(change: str) -> None:
    inputs, plain = spikes(6, 5, 70), network(CHANGES[change])
    events = sl.event_driven(network(CHANGES[change]))  # a copy would lay the parameters anew
    with sl.backend("reference"):
        expected = outcome(lambda: [each for each in learned(plain, inputs) if each is not None])
    same(outcome(lambda: [each for each in learned(events, inputs) if each is not None]), expected)


@pytest.mark.parametrize("bias", [NUMBERS[90:91].expand(8), NUMBERS[:40:5]])
@pytest.mark.parametrize("behind", [[sl.LIF()], []])
def test_biases_of_convolutions_and_of_layers_alone(bias: Tensor, behind: list[nn.Module]) -> None:
    for layer, inputs in (
        (sl.over_time(nn.Conv2d(4, 8, 3, padding=1)), spikes(4, 8, 4, 12, 12)),
        (nn.Linear(70, 8), spikes(4, 8, 70)),
    ):
        weighted: Any = getattr(layer, "module", layer)
        weighted.bias = nn.Parameter(bias)
        with torch.no_grad():
            weighted.weight.copy_((weighted.weight * 1024).round() / 256)
        plain = nn.Sequential(layer, *behind)
        events = sl.networks.event_driven.EventDriven(*plain)
        with sl.backend("reference"), torch.no_grad():
            expected = plain(inputs)
        with torch.no_grad():
            torch.testing.assert_close(events(inputs), expected, atol=1e-5, rtol=1e-5)


BASE = spikes(6, 5, 70)
INPUTS: dict[str, Callable[[], Tensor]] = {
    "turned": lambda: spikes(5, 6, 70).transpose(0, 1),
    "every second": lambda: spikes(6, 5, 140)[..., ::2],
    "one sample": lambda: BASE[:, :1].expand(6, 5, 70),
    "one feature": lambda: BASE[..., :1].expand(6, 5, 70),
    "negated where it is read": lambda: torch._neg_view(BASE),
    "sparse": lambda: BASE.to_sparse(),
    "float64": lambda: BASE.double(),
    "bool": lambda: BASE.bool(),
    "no sample": lambda: BASE[:, :0],
    "no step": lambda: BASE[:0],
    "one step": lambda: BASE[:1],
    "two dimensions": lambda: BASE[0],
}


@pytest.mark.parametrize("kind", INPUTS)
def test_inputs_of_any_kind(kind: str) -> None:
    plain, inputs = network(), INPUTS[kind]()
    with sl.backend("reference"):
        expected = outcome(lambda: plain(inputs))
    same(outcome(lambda: sl.event_driven(plain)(inputs)), expected)


def test_a_layer_that_comes_twice_runs_twice() -> None:
    linear, neurons = network()[:2]
    linear = nn.Linear(33, 33)
    with torch.no_grad():
        linear.weight.copy_((linear.weight * 1024).round() / 256)
    plain = nn.Sequential(network()[0], neurons, linear, neurons, nn.Sequential(linear, neurons), linear, neurons)
    events = sl.event_driven(plain)
    with sl.backend("reference"):
        expected = [each for each in learned(plain, BASE) if each is not None]
    plain.zero_grad()
    same([each for each in learned(events, BASE) if each is not None], expected)
    totals = []
    for net in (plain, events):
        with sl.recording(net, samples=5) as recorder, torch.no_grad():
            net(BASE)
        totals.append([recorder.activity().total(event) for event in ("spike", "synaptic_op", "neuron_update")])
    assert totals[0] == totals[1] and min(totals[0]) > 0


def test_neurons_of_two_shapes_are_two_populations() -> None:
    neurons = sl.LIF()
    plain = nn.Sequential(nn.Linear(70, 33), neurons, nn.Linear(33, 12), neurons)
    apart = nn.Sequential(plain[0], sl.LIF(), plain[2], sl.LIF())
    with torch.no_grad():
        expected = sl.record(apart, BASE)
        for net in (plain, sl.event_driven(plain)):
            with sl.recording(net) as recorder:
                net(BASE)
            found = recorder.activity()
            assert (found.samples, found.timesteps) == (expected.samples, expected.timesteps)
            shapes = [layer.shape for layer in found.layers_by_name.values() if layer.spiking]
            assert sorted(shapes) == [(12,), (33,)] and not found.uncounted
            for event in ("spike", "neuron_update", "active_update", "synaptic_op"):
                assert found.total(event) == expected.total(event)


def forward_mode(net: nn.Module) -> Any:
    with forward_ad.dual_level():
        return net(forward_ad.make_dual(BASE, torch.ones_like(BASE)))


def changed_in_inference_mode(net: nn.Module) -> Tensor:
    kind = type(net)
    with torch.inference_mode():
        between = kind(*list(net)[:2])(BASE)
        between.mul_(0.5)
        out: Tensor = kind(*list(net)[2:])(between)
        return out


MODES: dict[str, Callable[[Any], Any]] = {
    "forward mode": forward_mode,
    "a gradient of torch.func": lambda net: torch.func.vjp(net, BASE)[1](torch.ones(6, 5, 12)),
    "vmap": lambda net: torch.func.vmap(net, in_dims=1, out_dims=1)(BASE.unsqueeze(2)),
    "inference mode, changed in between": changed_in_inference_mode,
    "other parameters": lambda net: torch.func.functional_call(
        net, {name: 2 * value for name, value in net.named_parameters()}, (BASE,)
    ),
    "compiled": lambda net: torch.compile(net, backend="eager")(BASE),
}


@pytest.mark.filterwarnings("ignore")  # torch's forward mode and compiler warn of torch's own code
@pytest.mark.parametrize("mode", MODES)
def test_modes_of_any_kind(mode: str) -> None:
    plain = network()
    with sl.backend("reference"):
        expected = outcome(lambda: MODES[mode](plain))
    same(outcome(lambda: MODES[mode](sl.event_driven(plain))), expected)
