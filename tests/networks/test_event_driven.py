"""An event-driven network is the same network: same parameters, same spikes, same gradients."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.kernels import planes
from spikeledger.kernels.choice import native
from spikeledger.networks.decoders import RateDecoder
from spikeledger.networks.event_driven import EventDriven
from tolerance import GRADIENT

#: a learned decay for each hidden neuron would need the width; one for all broadcasts
LEARNED = {"bias": False, "learn_beta": True, "reset": "none", "reset_delay": True, "surrogate": "sigmoid"}


def plain_of(network: Any) -> Any:
    """The same network, parameters shared, its layers an ordinary `nn.Sequential`."""
    plain = copy.copy(network)
    plain.__dict__["_modules"] = dict(network._modules)
    plain.layers = nn.Sequential(OrderedDict(network.layers.named_children()))
    return plain


def with_exact_weights(network: nn.Module, scale: int = 4) -> None:
    """Weights k/256: sums are the same in any order."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_((weight * 256 * scale).round() / 256)


def gradients(network: Any, inputs: Tensor) -> list[Tensor]:
    network.zero_grad()
    inputs = inputs.detach().clone().requires_grad_()
    nn.functional.cross_entropy(network.scores(inputs), torch.zeros(inputs.shape[1], dtype=torch.long)).backward()
    return [inputs.grad, *(parameter.grad.clone() for parameter in network.parameters())]


@pytest.mark.parametrize("density", [0.0, 0.03, 0.2, 0.6])
@pytest.mark.parametrize("options", [{}, {"reset": "zero", "reset_delay": True}, {"neuron": "if"}, LEARNED])
def test_spikes_and_gradients_are_the_same(density: float, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    plain = plain_of(sl.zoo.mlp(100, 70, 30, 10, encoder=None, timesteps=6, **options))
    with_exact_weights(plain)
    events = sl.event_driven(plain)
    inputs = (torch.rand(6, 9, 100) < density).float()
    spikes = plain(inputs)
    assert torch.equal(events(inputs), spikes)
    assert bool(spikes.sum() > 0) or density == 0
    for one, other in zip(gradients(plain, inputs), gradients(events, inputs), strict=True):
        torch.testing.assert_close(one, other, **GRADIENT)


class Dropped(nn.Module):
    """Dropout as event-driven layers do it: the masks are those of `torch.rand`, drawn from torch's own generator."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values * (torch.rand(values.shape) < 1 - self.share) / (1 - self.share)


def with_documented_dropout(layers: nn.Sequential) -> None:
    if native() is not None:
        for name, layer in layers.named_children():
            if isinstance(layer, nn.Dropout):
                setattr(layers, name, Dropped(layer.p))


@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("density", [0.1, 0.5])
def test_dropped_spikes_are_zero_bits(share: float, density: float) -> None:
    torch.manual_seed(0)
    plain = plain_of(sl.zoo.mlp(100, 70, 30, 10, encoder=None, timesteps=6, dropout=share))
    with_exact_weights(plain)
    events = sl.event_driven(plain)
    with_documented_dropout(plain.layers)
    inputs = (torch.rand(6, 9, 100) < density).float()
    found = []
    for network in (plain, events):
        torch.manual_seed(1)
        found.append(gradients(network, inputs))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **GRADIENT)


@pytest.mark.parametrize("surrogate", ["atan", "triangle", "rectangular"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_dropout_between_wide_layers_drops_gradients_too(surrogate: str, reset: str) -> None:
    """Layers of one pass: a product with more neurons above than a tile takes, one with fewer, something that does nothing
    in between, and two dropouts one behind the other."""

    def neurons() -> nn.Module:
        return sl.LIF(0.9, surrogate=surrogate, reset=reset)

    torch.manual_seed(0)
    layers = EventDriven(
        nn.Linear(70, 101), neurons(), nn.Dropout(0.3), nn.Identity(), nn.Linear(101, 90), neurons(), nn.Dropout(0.6),
        nn.Linear(90, 40), neurons(), nn.Dropout(0.2), nn.Dropout(0.4), nn.Linear(40, 5), neurons(), nn.Dropout(0.1),
    )  # fmt: skip
    network = sl.SpikingNetwork(layers, encoder=None, timesteps=7)
    with_exact_weights(network, 6)
    plain = plain_of(network)
    with_documented_dropout(plain.layers)
    inputs = (torch.rand(7, 11, 70) < 0.3).float()
    found = []
    for each in (plain, network):
        torch.manual_seed(1)
        found.append(gradients(each, inputs))
    assert all(bool(gradient.any()) for gradient in found[0])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **GRADIENT)


def test_dropout_leaves_the_mean_as_it_was() -> None:
    layers = nn.Sequential(sl.IF(), nn.Dropout(0.4), nn.Linear(50, 40, bias=False))
    events = sl.event_driven(layers)
    inputs = (torch.rand(5, 4000, 50) < 0.5).float() * 2
    mean = events(inputs).mean((0, 1))
    still = events.eval()(inputs).mean((0, 1))
    torch.testing.assert_close(mean, still, rtol=0.0, atol=0.02)


@pytest.mark.parametrize("training", [False, True])
def test_whole_networks_of_the_zoo_are_the_same(training: bool) -> None:
    for name in ("mlp-s", "mlp-m", "cnn-s"):
        for encoder in ("rate", "direct", "latency"):
            plain = plain_of(sl.zoo.build(name, (1, 12, 12), 10, timesteps=3, encoder=encoder))
            with_exact_weights(plain)
            plain.train(training)
            events = sl.event_driven(plain)
            if training:
                with_documented_dropout(plain.layers)
            images = torch.randint(0, 5, (4, 1, 12, 12)) / 4
            found = []
            for network in (plain, events):
                network.reseed(0)
                torch.manual_seed(0)
                found.append(network(images))
            assert torch.equal(*found), (name, encoder)


def test_parameters_are_shared_and_names_kept() -> None:
    plain = plain_of(sl.zoo.mlp(8, 6, 4))
    events = sl.event_driven(plain)
    assert list(plain.state_dict()) == list(events.state_dict())
    assert all(one is other for one, other in zip(plain.parameters(), events.parameters(), strict=True))
    assert type(plain.layers) is nn.Sequential
    assert type(events.layers) is EventDriven
    assert type(sl.zoo.mlp(8, 6, 4).layers) is EventDriven


@pytest.mark.parametrize("wide", [10, 90])
@pytest.mark.parametrize("decoder", ["rate", "population", "latency"])
@pytest.mark.parametrize("options", [{}, {"reset": "zero", "learn_beta": True, "bias": False}])
def test_scores_are_the_decoded_spikes(decoder: str, wide: int, options: dict[str, Any]) -> None:
    torch.manual_seed(3)
    network = sl.zoo.mlp(40, 70, wide, encoder=None, timesteps=5, decoder=decoder, **options)
    with_exact_weights(network, 8)
    inputs = (torch.rand(5, 33, 40) < 0.3).float()
    for graded in (1.0, 0.5):
        x, spikes = graded * inputs, network(graded * inputs)
        weights = list(network.parameters())
        scores, decoded = network.scores(x), network.decoder(spikes)
        with torch.no_grad():
            assert torch.equal(scores, decoded)
            assert torch.equal(scores, network.scores(x))
            assert bool(scores.any())
        towards = torch.randn_like(scores)
        found = [torch.autograd.grad((each * towards).sum(), weights) for each in (scores, decoded)]
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, **GRADIENT)


class Loud(RateDecoder):
    """Scores of its own."""

    def forward(self, spikes: Tensor) -> Tensor:
        return 10 * spikes.sum(0)


def test_scores_go_where_somebody_looks_or_changes() -> None:
    inputs, rest = (torch.rand(4, 3, 20) < 0.5).float(), 2 * torch.ones(4, 3, 5)
    network = sl.zoo.mlp(20, 30, 5, encoder=None)
    expected, seen = network.scores(inputs), []
    for module in (network.layers, network.layers[-1]):
        handle = module.register_forward_hook(lambda module, args, out: seen.append(out))
        assert torch.equal(network.scores(inputs), expected)
        handle.remove()
    assert [out.shape for out in seen] == [(4, 3, 5), (4, 3, 5)]
    network.decoder = Loud()
    torch.testing.assert_close(network.scores(inputs), 40 * expected)
    network.decoder = RateDecoder()
    network.layers.forward = lambda sequence: rest  # type: ignore[method-assign]
    assert torch.equal(network.scores(inputs), rest[0])
    del network.layers.forward
    network.forward = lambda inputs: rest  # type: ignore[method-assign]
    assert torch.equal(network.scores(inputs), rest[0])
    del network.forward
    network.layers[1].weight = nn.Parameter(torch.zeros(30, 20))
    network.layers[3].bias = nn.Parameter(torch.full((5,), 2.0))
    assert torch.equal(network.scores(inputs), torch.ones(3, 5))


def test_who_looks_sees_ordinary_tensors() -> None:
    events = sl.event_driven(sl.zoo.mlp(20, 30, 5, encoder=None))
    seen = []
    handle = events.layers.neuron_fc1.register_forward_hook(lambda module, args, out: seen.append((args[0], out)))
    inputs = (torch.rand(4, 3, 20) < 0.5).float()
    watched = events(inputs)
    handle.remove()
    assert torch.equal(watched, events(inputs))
    ((currents, spikes),) = seen
    assert currents.shape == spikes.shape == (4, 3, 30)
    assert spikes.dtype == torch.float32


def test_recording_counts_the_same() -> None:
    plain = plain_of(sl.zoo.mlp(20, 30, 5, encoder=None))
    with_exact_weights(plain)
    inputs = (torch.rand(4, 3, 20) < 0.5).float()
    one, other = (sl.record(network, inputs) for network in (plain, sl.event_driven(plain)))
    for event in ("spike", "synaptic_op", "neuron_update", "active_update"):
        assert one.total(event) == other.total(event)


def test_a_graded_input_takes_the_dense_path() -> None:
    plain = plain_of(sl.zoo.mlp(20, 30, 5, encoder=None))
    events = sl.event_driven(plain)
    for inputs in (torch.rand(4, 3, 20), torch.rand(3, 20).expand(4, 3, 20)):
        torch.testing.assert_close(gradients(plain, inputs), gradients(events, inputs), **GRADIENT)


@pytest.mark.skipif(native() is None, reason="the native core is not built")
@pytest.mark.parametrize("behind", [sl.LIF(), nn.Tanh()])
@pytest.mark.parametrize("recorded", [False, True])
def test_all_of_an_odd_input_is_looked_at_once(
    behind: nn.Module, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, pack = [], planes.pack
    monkeypatch.setattr(planes, "pack", lambda *given, **options: found.append(pack(*given, **options)) or found[-1])
    network = EventDriven(nn.Linear(30, 20), behind, nn.Identity(), sl.LIF())
    inputs = (torch.rand(3, 4, 30) < 0.5).float()
    inputs.view(-1)[-1] = 0.5
    if recorded:
        sl.record(network, inputs, batch_size=4)
    else:
        network(inputs)
    assert found == [None]


@pytest.mark.skipif(native() is None, reason="the native core is not built")
def test_the_reference_can_be_forced() -> None:
    events = sl.event_driven(sl.zoo.mlp(20, 30, 5, encoder=None))
    inputs = (torch.rand(4, 3, 20) < 0.5).float()
    with sl.backend("reference"):
        slow = events(inputs)
    assert torch.equal(slow, events(inputs))


def test_wrong_shapes_are_refused_as_ever() -> None:
    events = sl.event_driven(sl.zoo.mlp(20, 30, 5, encoder=None))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        events(torch.zeros(4, 3, 21))


def test_a_sequential_of_ones_own() -> None:
    layers = nn.Sequential(nn.Linear(9, 8), sl.LIF(0.9), nn.Linear(8, 7), nn.Identity(), sl.IF(), nn.Dropout(0.5))
    events = sl.event_driven(layers)
    assert isinstance(events, EventDriven)
    inputs = (torch.rand(5, 4, 9) < 0.5).float()
    for training in (True, False):
        layers.train(training)
        events.train(training)
        torch.manual_seed(3)
        slow = layers(inputs)
        torch.manual_seed(3)
        assert torch.equal(events(inputs), slow)
