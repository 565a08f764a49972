"""Accuracy at few bits: rounding by hand, what many bits do not change, and the cheapest network that is good enough."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.datasets import Dataset
from spikeledger.errors import InputError
from spikeledger.hardware.profile import Precision
from spikeledger.study.widths import at_width, quantised, round_weights

DATA = sl.load_dataset("digits").subset(train=700, test=120)


def width(weights: int, activations: int = 8, state: int = 16) -> Precision:
    return Precision(arithmetic="integer", weight_bits=weights, activation_bits=activations, state_bits=state)


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, sl.SpikingNetwork]:
    shape = tuple(DATA.train_inputs.shape[1:])
    snn = sl.zoo.build("mlp-s", shape, len(DATA.classes), timesteps=4)
    ann = sl.zoo.twin(snn)
    for network in (ann, snn):
        sl.fit(network, DATA, epochs=4, batch_size=32, progress=False)
    return ann, snn


def test_weights_are_rounded_by_output() -> None:
    weight = torch.tensor([[0.7, -0.33, 0.02], [10.0, 3.4, -6.6]])
    # 3 bits: 3 steps each side, of 0.7 / 3 and 10 / 3
    expected = torch.tensor([[0.7, -0.7 / 3, 0.0], [10.0, 10 / 3, -20 / 3]])
    assert torch.allclose(round_weights(weight, width(3)), expected)
    assert torch.equal(round_weights(torch.zeros(2, 3), width(4)), torch.zeros(2, 3))
    assert torch.allclose(round_weights(weight, width(1)).abs()[:, 0], weight.abs().mean(1))


@pytest.mark.parametrize("bits", [2, 5, 9])
def test_no_more_values_than_bits(bits: int) -> None:
    weight = torch.randn(4, 500, generator=torch.Generator().manual_seed(0))
    rounded = round_weights(weight, width(bits))
    assert all(len(row.unique()) <= 2**bits - 1 for row in rounded)
    assert float((rounded - weight).abs().max()) <= float(weight.abs().max()) / (2 ** (bits - 1) - 1) / 2 * 1.001


def test_many_bits_change_no_answer_and_the_network_is_left_alone(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    for network in pair:
        before = [parameter.clone() for parameter in network.parameters()]
        plain = sl.evaluate(network, DATA.test_inputs, DATA.test_labels)
        for precision in (width(20, 20, 24), Precision()):
            found = at_width(network, DATA, precision)
            assert abs(found.accuracy - plain.accuracy) <= 1 / len(DATA.test_labels)
        assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
        assert not any(module._forward_pre_hooks for module in network.modules())


def test_one_bit_of_everything_costs_answers(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    plain = [sl.evaluate(network, DATA.test_inputs, DATA.test_labels).accuracy for network in pair]
    worst = [at_width(network, DATA, width(1, 2, 2)).accuracy for network in pair]
    assert sum(worst) < sum(plain)


def test_a_membrane_has_as_many_values_as_its_bits(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    rounded = quantised(pair[1], DATA.train_inputs[:32], width(8, 8, 4))
    populations = [module for module in rounded.modules() if type(module).__name__ == "_Membrane"]
    assert len(populations) == 2
    assert all(one.reach > 0 and not one.watching for one in populations)  # type: ignore[operator]
    state = populations[0]._rounded(torch.linspace(-100, 100, 5000))  # type: ignore[operator]
    assert len(state.unique()) == 2**4 - 1


def test_neurons_of_the_family_are_rounded_too() -> None:
    shape = tuple(DATA.train_inputs.shape[1:])
    for kind in ("synaptic", "adaptive"):
        network = sl.zoo.build("mlp-s", shape, len(DATA.classes), timesteps=3, neuron=kind)
        found = at_width(network, DATA, width(8))
        assert 0 <= found.accuracy <= 1


def test_a_comparison_says_what_a_correct_answer_costs(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    found = sl.compare(*pair, DATA, profiles=["horowitz-45nm-int8", "loihi"])
    assert [one.name for one in found.at_widths][:2] == ["horowitz-45nm-int8", "loihi"]
    assert found.at_widths[2].name.startswith("cheapest fair opponent")
    first = found.at_widths[0]
    assert (first.ann.weight_bits, first.snn.state_bits, found.at_widths[1].snn.weight_bits) == (8, 16, 9)
    snn = found.match("horowitz-45nm-int8").snn.ledger
    assert snn is not None
    assert first.per_correct[1] == pytest.approx(snn.joules_per_sample / first.snn.accuracy)
    assert "a correct answer" in str(first)
    assert found.to_dict()["at_widths"][0]["equal"] == (not first.test.differs)
    assert not sl.compare(*pair, DATA, profiles=["loihi"], widths=False).at_widths


def test_a_verdict_at_unequal_accuracy_says_so(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    shape = tuple(DATA.train_inputs.shape[1:])
    untrained = sl.zoo.build("mlp-s", shape, len(DATA.classes), timesteps=2, seed=3)
    found = sl.compare(pair[0], untrained, DATA, profiles=["horowitz-45nm-int8"])
    assert "at unequal accuracy" in str(found.at_widths[0])


def test_the_cheapest_that_is_good_enough(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    shape = tuple(DATA.train_inputs.shape[1:])
    untrained = sl.zoo.build("mlp-s", shape, len(DATA.classes), timesteps=2)
    networks = {"trained": pair[1], "untrained": untrained}
    strict = sl.equal_accuracy({"twin": pair[0]}, networks, DATA, profile="horowitz-45nm-int8", points=2.0)
    assert (strict.ann.name, strict.snn.name) == ("twin", "trained")
    loose = sl.equal_accuracy({"twin": pair[0]}, networks, DATA, profile="horowitz-45nm-int8", points=100.0)
    assert loose.snn.joules == min(one.joules for one in loose.snns)
    assert "which both sides reach" in str(strict)
    for bad in (lambda: sl.equal_accuracy({}, networks, DATA, profile="loihi"),
                lambda: sl.equal_accuracy({"a": pair[0]}, networks, DATA, profile="loihi", points=-1)):  # fmt: skip
        with pytest.raises(InputError):
            bad()


def test_ranges_need_samples(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    assert isinstance(DATA, Dataset)
    with pytest.raises(InputError, match="set by training samples"):
        quantised(pair[0], DATA.train_inputs[:0], width(8))


def test_a_comparison_takes_the_cheapest_that_is_good_enough(pair: tuple[nn.Module, sl.SpikingNetwork]) -> None:
    shape = tuple(DATA.train_inputs.shape[1:])
    untrained = sl.zoo.build("mlp-s", shape, len(DATA.classes), timesteps=2)
    larger = sl.zoo.twin(sl.zoo.build("mlp-m", shape, len(DATA.classes)))
    anns, snns = {"larger": larger, "twin": pair[0]}, {"untrained": untrained, "trained": pair[1]}
    profiles = ["horowitz-45nm-int8", "v100"]
    found = sl.compare(anns, snns, DATA, profiles=profiles, points=2.0)
    chosen = found.equal_accuracy
    assert chosen is not None and chosen == sl.equal_accuracy(anns, snns, DATA, profile=profiles[0], points=2.0)
    assert (found.ann.name, found.snn.name) == (chosen.ann.name, chosen.snn.name) == ("twin", "trained")
    # what follows is the comparison of these two alone
    alone = sl.compare(*pair, DATA, profiles=profiles, names=("twin", "trained"))
    assert found.to_dict() == {**alone.to_dict(), "equal_accuracy": chosen.to_dict()}
    assert alone.equal_accuracy is None
    loose = sl.compare([larger, pair[0]], [pair[1], untrained], DATA, profiles=profiles[:1], points=100)
    picked = loose.equal_accuracy
    assert picked is not None and picked.snn == min(picked.snns, key=lambda one: one.joules)
    assert loose.snn.name == picked.snn.name and [one.name for one in picked.anns] == ["ANN 1", "ANN 2"]
    for points in (-0.1, float("nan")):
        with pytest.raises(InputError, match=r"points were asked for|points is nan"):
            sl.compare(*pair, DATA, points=points)
