"""The networks of the studies, and their twins."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.networks.zoo import PLANS

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


# dense operations of weights, of activations and of pooling reads, as the totals of Cassetta et al. 2023 imply
@pytest.mark.parametrize(
    ("name", "shape", "weights", "activations", "pool_reads"),
    [
        ("mlp-s", MNIST, 203_264, 256, 0),
        ("mlp-m", MNIST, 549_504, 832, 0),
        ("mlp-l", MNIST, 2_601_184, 2_580, 0),
        ("cnn-s", CIFAR, 8_702_464, 50_432, 24_576),
        ("cnn-m", CIFAR, 90_543_104, 140_800, 65_536),
    ],
)
def test_the_twins_operations_are_the_published_ones(name, shape, weights, activations, pool_reads) -> None:
    ann = sl.zoo.twin(sl.zoo.build(name, shape, 10))
    activity = sl.record(ann, torch.rand(2, *shape))
    assert activity.total("dense_op") == 2 * weights
    assert activity.total("activation") == 2 * activations
    assert activity.total("pool_read") == 2 * pool_reads
    assert not activity.uncounted


@pytest.mark.parametrize(("name", "neurons"), [("mlp-s", 266), ("mlp-m", 842), ("mlp-l", 2590)])
def test_neurons(name, neurons) -> None:
    activity = sl.record(sl.zoo.build(name, MNIST, 10, timesteps=3), torch.rand(2, *MNIST))
    assert activity.total("neuron_update") == 2 * 3 * neurons


@pytest.mark.parametrize("name", sorted(PLANS))
@pytest.mark.parametrize("encoder", ["rate", "direct", "latency"])
def test_shapes_and_twin_weights(name, encoder) -> None:
    network = sl.zoo.build(name, MNIST, 7, timesteps=2, encoder=encoder)
    images = torch.rand(3, *MNIST)
    with torch.no_grad():
        assert network(images).shape == (2, 3, 7)
        assert network.scores(images).shape == (3, 7)
        twin = sl.zoo.twin(network)
        assert twin(images).shape == (3, 7)
    assert [p.shape for p in twin.parameters()] == [p.shape for p in network.parameters()]
    assert not any(isinstance(module, sl.LIF) for module in twin.modules())
    assert (
        sum(isinstance(module, nn.ReLU) for module in twin.modules())
        == sum(isinstance(module, sl.LIF) for module in network.modules()) - 1
    )


def test_population_decoder_widens_the_output_and_the_twin_averages_it() -> None:
    network = sl.zoo.mlp(20, 8, 3, decoder="population", timesteps=2)
    assert network(torch.rand(4, 20)).shape == (2, 4, 30)
    assert network.scores(torch.rand(4, 20)).shape == sl.zoo.twin(network)(torch.rand(4, 20)).shape == (4, 3)


def test_the_same_seed_builds_the_same_weights_and_leaves_torch_alone() -> None:
    state = torch.get_rng_state()
    first, second, third = (sl.zoo.mlp(10, 5, 2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.layers.fc1.weight, second.layers.fc1.weight)
    assert not torch.equal(first.layers.fc1.weight, third.layers.fc1.weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_over_time_is_the_module_at_every_step() -> None:
    conv = nn.Conv2d(2, 3, 3, padding=1)
    sequence = torch.rand(4, 5, 2, 6, 6)
    whole = sl.over_time(conv)(sequence)
    assert torch.allclose(whole, torch.stack([conv(step) for step in sequence]), atol=1e-6)


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda: sl.zoo.build("mlp-xs", MNIST, 10), "did you mean 'mlp-s'?"),
        (lambda: sl.zoo.mlp(784), "at least an input and an output width"),
        (lambda: sl.zoo.mlp(784, 0, 10), "at least 1"),
        (lambda: sl.zoo.mlp(784, 10, timesteps=0), "0 timesteps"),
        (lambda: sl.zoo.mlp(784, 10, neuron="lief"), "did you mean 'lif'?"),
        (lambda: sl.zoo.build("cnn-s", (64,), 10), "[C, H, W]"),
        (lambda: sl.zoo.build("cnn-m", (1, 4, 4), 10), "too small"),
        (lambda: sl.over_time(nn.ReLU())(torch.rand(3)), "[T, B, ...]"),
    ],
)
def test_what_cannot_be_built_says_so(deed, says) -> None:
    with pytest.raises(InputError) as caught:
        deed()
    assert says in str(caught.value)


@pytest.mark.parametrize(("name", "shape"), [("cnn-s", (1, 28, 28)), ("cnn-m", (3, 32, 32))])
@pytest.mark.parametrize("encoder", ["rate", "direct"])
def test_convolutional_networks_fire_and_learn_from_their_first_step(name: str, shape: tuple, encoder: str) -> None:
    network = sl.zoo.build(name, shape, 10, timesteps=5, encoder=encoder)
    blots = torch.rand(8, shape[0], 5, 5, generator=torch.Generator().manual_seed(0)) > 0.6
    images = torch.nn.functional.interpolate(blots.float(), shape[1:])
    scores = network.scores(images)
    assert float(scores.detach().max()) > 0
    torch.nn.functional.cross_entropy(scores, torch.arange(8)).backward()
    slopes = [float(each.grad.abs().sum()) for each in network.parameters()]
    assert min(slopes) > 0
