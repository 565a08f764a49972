"""Our objects among others': pickled, deep-copied, saved and compared; and nothing of ours hangs on a user's tensor."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.activity import Activity, Tally
from spikeledger.errors import InputError
from spikeledger.kernels import choice, name, native
from spikeledger.kernels.surrogates import SURROGATES, Surrogate, surrogate


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def saved(thing: Any) -> Any:
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES: list[Callable[[Any], Any]] = [pickled, copy.deepcopy, copy.copy, saved]


def hat(x: Tensor) -> Tensor:
    """A derivative of one's own."""
    return (1 - x.abs()).clamp_min(0)


NEURONS: dict[str, Callable[[], nn.Module]] = {
    "IF": lambda: sl.IF(threshold=0.7, reset="zero"),
    "LIF": lambda: sl.LIF(0.8, learn_beta=True, surrogate="sigmoid", slope=3.0),
    "LIF, late": lambda: sl.LIF(0.8, reset_delay=True),
    "own surrogate": lambda: sl.LIF(0.8, surrogate=hat),
    "Synaptic": lambda: sl.Synaptic(0.5, 0.75, refractory=2),
    "AdaptiveLIF": lambda: sl.AdaptiveLIF(alpha=0.5, learn_adaptation=True),
    "Recurrent": lambda: sl.Recurrent.all_to_all(sl.LIF(0.8), 9),
    "Lateral": lambda: sl.Recurrent.lateral(sl.LIF(0.8), 9, 0.3),
}


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("kind", NEURONS)
def test_neurons_are_copied_with_all_that_they_do(kind: str, copied: Callable[[Any], Any]) -> None:
    torch.manual_seed(1)
    neuron, currents = NEURONS[kind](), torch.randn(6, 3, 9)
    neuron(currents)  # whatever a run leaves behind goes along
    twin = copied(neuron)
    grads = []
    for each in (neuron, twin):
        arriving = currents.clone().requires_grad_()
        each(arriving).sum().backward()
        grads.append(arriving.grad)
    assert torch.equal(twin(currents), neuron(currents)) and bool(neuron(currents).any())
    assert torch.equal(*grads)
    assert repr(twin) == repr(neuron)


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("encoder", ["rate", "latency", "direct"])
def test_networks_count_alike_after_they_were_copied(encoder: str, copied: Callable[[Any], Any]) -> None:
    network = sl.zoo.mlp(14, 9, 4, timesteps=5, encoder=encoder)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    samples = torch.rand(6, 14)
    sl.record(network, samples)
    network.reseed(3)
    twin = copied(network)
    first = sl.record(network, samples)
    twin.reseed(3)
    again = sl.record(twin, samples)
    assert again == first and again.total("spike") > 0
    assert torch.equal(*(each(samples) for each in (network.eval(), twin.eval()) if each.reseed(5) is None))


@pytest.mark.parametrize("kind", SURROGATES)
def test_surrogates_are_values(kind: str) -> None:
    shape = surrogate(kind, 1.75)
    x = torch.linspace(-2, 2, 9)
    for copied in COPIES:
        twin = copied(shape)
        assert twin == shape and hash(twin) == hash(shape) and twin.number == shape.number
        assert torch.equal(twin.derivative(x), shape.derivative(x))
    assert surrogate(kind, 1.75) == shape != surrogate(kind, 1.5)
    assert len({surrogate(each, 2.0) for each in SURROGATES}) == len(SURROGATES)


def test_a_function_that_is_called_like_a_surrogate_is_still_its_own() -> None:
    def atan(x: Tensor) -> Tensor:
        return torch.full_like(x, 0.25)

    shape = surrogate(atan)
    assert shape.number == -1 and shape != Surrogate("atan")
    currents = torch.randn(4, 2, 5, requires_grad=True)
    sl.LIF(0.5, surrogate=atan, reset="none")(currents)[-1].sum().backward()
    assert currents.grad is not None and torch.equal(currents.grad[-1], torch.full((2, 5), 0.25))


@pytest.mark.parametrize("kind", ["LIF", "Synaptic", "Recurrent", "rate", "event-driven"])
def test_spikes_are_ordinary_tensors(kind: str) -> None:
    if kind == "rate":
        spikes = sl.encoders.Rate(5)(torch.rand(3, 9))
    elif kind == "event-driven":
        layers = nn.Sequential(nn.Linear(9, 7), sl.LIF(0.9), nn.Linear(7, 9), sl.LIF(0.9))
        spikes = sl.event_driven(layers)((torch.rand(5, 3, 9) < 0.5).float())
    else:
        spikes = NEURONS[kind]()(torch.randn(5, 3, 9) * 2)
    assert spikes.__dict__ == {}
    file = io.BytesIO()
    torch.save({"spikes": spikes.detach()}, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True)["spikes"], spikes)


def by_data(spikes: Tensor) -> None:
    spikes.data.zero_()


def by_numpy(spikes: Tensor) -> None:
    spikes.detach().numpy()[1:] = 0


def by_a_view(spikes: Tensor) -> None:
    spikes.data.view(-1)[::2] = 0


def by_another_owner(spikes: Tensor) -> None:
    torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(spikes.detach()))[:, 0] = 0


def by_set_data(spikes: Tensor) -> None:
    spikes.data = torch.roll(spikes.data, 1, -1)


class Writes(nn.Module):
    """Writes into what passes, and hands the same tensor on."""

    def __init__(self, write: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.write = write

    def forward(self, spikes: Tensor) -> Tensor:
        self.write(spikes)
        return spikes


@pytest.mark.parametrize("population", ["LIF", "Synaptic", "AdaptiveLIF", "Recurrent"])
@pytest.mark.parametrize("write", [by_data, by_numpy, by_a_view, by_another_owner, by_set_data])
def test_bits_do_not_go_stale(write: Callable[[Tensor], None], population: str) -> None:
    torch.manual_seed(2)
    head = nn.Sequential(nn.Linear(9, 6), sl.LIF(0.9))
    with torch.no_grad():
        head[0].weight.mul_(4)
        spikes = NEURONS[population]()(torch.randn(7, 4, 9) * 2)
        before = spikes.clone()
        write(spikes)
        assert not torch.equal(spikes, before)
        assert torch.equal(sl.event_driven(head)(spikes), head(spikes))
        inside = nn.Sequential(nn.Linear(9, 9), NEURONS[population](), Writes(write), *head)
        arriving = (torch.rand(7, 4, 9) < 0.5).float()
        assert torch.equal(sl.event_driven(inside)(arriving), inside(arriving))


def account(more: int = 0) -> Activity:
    torch.manual_seed(5)
    return sl.record(
        nn.Sequential(nn.Linear(8, 6), sl.LIF(0.9)), (torch.rand(4, 3 + more, 8) < 0.4).float(), layout="TB"
    )


def test_accounts_are_equal_by_value() -> None:
    one, other = account(), account()
    assert one == other and one is not other
    assert all(copied(one) == one for copied in COPIES)
    assert one != account(more=1) and one != "an account"
    key, tally = next((key, each) for key, each in one.tallies.items() if each.per_neuron is not None)
    assert tally == other.tallies[key] and hash(tally) == hash(other.tallies[key])
    shifted = Tally(tally.layer, tally.event, tally.count, np.roll(tally.per_neuron, 1))  # type: ignore[arg-type]
    assert shifted != tally and Tally(tally.layer, tally.event, tally.count) != tally
    assert hash(shifted) == hash(tally)  # equal ones must have the same; others may
    import dataclasses

    assert dataclasses.replace(one, tallies={**one.tallies, key: shifted}) != one
    assert dataclasses.replace(one, backend="another") != one
    with pytest.raises(TypeError):
        hash(one)


def test_accounts_are_equal_after_they_were_saved(tmp_path: Any) -> None:
    one = account()
    assert Activity.load(one.save(tmp_path / "run")) == one


def test_a_forced_back_end_is_a_threads_own() -> None:
    seen: dict[str, str] = {}
    inside, looked = threading.Event(), threading.Event()

    def forces() -> None:
        with sl.backend("reference"):
            inside.set()
            looked.wait(5)
            seen["inside"] = name()
        seen["after"] = name()

    plain = name()
    thread = threading.Thread(target=forces)
    thread.start()
    inside.wait(5)
    seen["beside"] = name()
    looked.set()
    thread.join()
    assert seen == {"inside": "reference", "after": plain, "beside": plain}


def test_a_back_end_is_forced_from_here_on_or_for_a_block() -> None:
    plain = name()
    with sl.backend("auto"):
        sl.backend("reference")  # from here on
        assert name() == "reference"
        with sl.backend("auto"):
            assert name() == plain
        assert name() == "reference"
    assert name() == plain
    kept = sl.backend("auto")
    with pytest.raises(ValueError, match="inside"), sl.backend("reference"):
        raise ValueError("inside")
    with kept:
        assert name() == plain


@pytest.mark.skipif(choice.native() is None, reason="the native core is not built")
def test_layers_of_unfitting_widths_are_refused_as_torch_refuses_them() -> None:
    layers = nn.Sequential(nn.Linear(11, 7), sl.LIF(0.9), nn.Linear(6, 3), sl.LIF(0.9))
    spikes = (torch.rand(4, 2, 11) < 0.5).float()
    for network in (layers, sl.event_driven(layers)):
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            network(spikes)


@pytest.mark.skipif(choice.native() is None, reason="the native core is not built")
@pytest.mark.parametrize("of", ["weight", "bias", "filters", "own connections", "inhibition"])
def test_weights_of_another_size_are_no_way_into_other_memory(of: str) -> None:
    linear, conv = nn.Linear(4096, 64), nn.Conv2d(3, 8, 3)
    images = (torch.rand(3, 2, 3, 9, 9) < 0.3).float()
    spikes = (torch.rand(3, 2, 4096) < 0.3).float()
    if of == "weight":
        linear.weight = nn.Parameter(torch.randn(64, 3))
    elif of == "bias":
        linear.bias = nn.Parameter(torch.randn(5))
    elif of == "filters":
        conv.weight = nn.Parameter(torch.randn(2, 3, 3, 3))
    if of in ("own connections", "inhibition"):
        made = sl.Recurrent.all_to_all if of == "own connections" else sl.Recurrent.lateral
        network: Any = made(sl.LIF(0.9), 1024)
        network.connections.weight = type(network.connections.weight)(torch.randn(5, 5))
        with pytest.raises(InputError, match=r"need \[1024, 1024\]"):
            network(torch.randn(3, 2, 1024))
    else:
        layers = nn.Sequential(sl.over_time(conv) if of == "filters" else linear, sl.LIF(0.9))
        arriving = images if of == "filters" else spikes
        found = []
        for network in (layers, sl.event_driven(layers)):
            try:
                found.append(str(network(arriving).shape))
            except (RuntimeError, InputError) as error:
                found.append("refused" if str(error) else "")
        assert found[0] == found[1]


@pytest.mark.skipif(choice.native() is None, reason="the native core is not built")
def test_no_kernel_reads_beyond_a_tensor() -> None:
    words, settings = torch.zeros(6, dtype=torch.int64), native.Settings(1.0, 1.0, 0, False, 0, 1.0)
    with pytest.raises(InputError, match=r"a weight of shape \[3, 2\] cannot be used where 3,000 numbers are needed"):
        native.multiply(6, 60, 50, words, torch.zeros(3, 2), None, torch.zeros(6, 50), method=0)
    with pytest.raises(InputError, match="a decay"):
        native.fire(
            torch.zeros(2, 3, 9), None, torch.zeros(8), settings, spikes=None, words=torch.zeros(6, dtype=torch.int64),
            last=None,
        )  # fmt: skip
    with pytest.raises(InputError, match="'weight_turned'"):
        native.fire_cells({"currents": torch.zeros(2, 3, 9), "weight_turned": torch.zeros(3, 3)}, settings, 0, {})
