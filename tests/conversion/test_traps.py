"""What conversions get wrong elsewhere, each with its own test."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import spikeledger as sl
from spikeledger.chip.simulate import run
from spikeledger.conversion.graph import answer
from spikeledger.conversion.reading import read
from spikeledger.errors import InputError
from spikeledger.networks.decoders import MembraneDecoder, RateDecoder
from spikeledger.networks.encoders import Once


def small(pool: type[nn.Module] = nn.AvgPool2d) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), pool(2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 16, 20), nn.ReLU(), nn.Linear(20, 10),
    ).eval()  # fmt: skip


def images(count: int = 32) -> torch.Tensor:
    return torch.rand(count, 1, 12, 12, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("refractory", [0, 2])
def test_1_reaching_the_threshold_is_an_option_of_every_back_end(reset: str, delayed: bool, refractory: int) -> None:
    currents = torch.randint(-2, 4, (12, 3, 70), generator=torch.Generator().manual_seed(2)) / 2  # ties everywhere
    found = {}
    for backend in ("reference", "cpu"):
        for inclusive in (False, True):
            neuron = sl.LIF(0.5, reset=reset, reset_delay=delayed, refractory=refractory, inclusive=inclusive)
            with sl.backend(backend):
                found[backend, inclusive] = neuron(currents)
    for inclusive in (False, True):
        assert torch.equal(found["reference", inclusive], found["cpu", inclusive])
    assert not torch.equal(found["cpu", False], found["cpu", True])


def test_1_adaptive_neurons_reach_theirs_too() -> None:
    currents = torch.randint(-2, 4, (12, 3, 70), generator=torch.Generator().manual_seed(2)) / 2
    for inclusive in (False, True):
        neuron = sl.AdaptiveLIF(0.5, 0.5, 0.5, inclusive=inclusive)
        with sl.backend("reference"):
            expected = neuron(currents)
        with sl.backend("cpu"):
            assert torch.equal(neuron(currents), expected)


@pytest.mark.parametrize("initial", [0.25, torch.tensor([0.0, 0.5, -1.0])])
def test_2_the_initial_membrane_is_a_neurons_option(initial: float | torch.Tensor) -> None:
    currents = torch.rand(6, 2, 3, generator=torch.Generator().manual_seed(4))
    pushed = currents.clone()
    pushed[0] += torch.as_tensor(initial)
    for backend in ("reference", "cpu"):
        with sl.backend(backend):
            assert torch.equal(sl.IF(initial=initial)(currents), sl.IF()(pushed))
    spikes, state = sl.IF(initial=initial)(currents, sl.IF(initial=initial).rest(currents))
    assert torch.equal(spikes, sl.IF()(pushed))
    assert state.shape == (2, 3)


def test_2_a_window_says_when_a_neuron_may_fire() -> None:
    spikes = sl.IF(window=(2, 4))(torch.full((6, 1, 1), 1.5))
    assert spikes.flatten().tolist() == [0, 0, 1, 1, 0, 0]
    assert sl.IF(window=(7, 9))(torch.ones(3, 1, 1)).sum() == 0  # a run that ends before it
    with pytest.raises(InputError, match="window"):
        sl.IF(window=(4, 4))
    with pytest.raises(InputError, match="state"):
        neuron = sl.IF(window=(0, 4))
        neuron(torch.ones(3, 1, 1), neuron.rest(torch.ones(3, 1, 1)))


def test_2_the_price_of_a_converted_network_is_known_on_chips() -> None:
    network = sl.convert(small(), images(), timesteps=4, method="max", read_out="rate", input="spikes")
    activity = sl.record(network, images(4))
    assert not activity.uncounted
    for profile in ("horowitz-45nm", "loihi"):
        assert sl.price(activity, profile).joules > 0
    assert activity.total("mac") == activity.total("elementwise") == 0


def test_2_chips_fire_spike_for_spike() -> None:
    for pool in (nn.AvgPool2d, nn.MaxPool2d):
        network = sl.convert(small(pool), images(), timesteps=5, method="least_squares", read_out="rate")
        with torch.no_grad():
            expected = network(images(6))
        for backend in ("native", "reference"):
            simulated = run(network, images(6), backend=backend)
            assert torch.equal(torch.from_numpy(simulated.output).float(), expected)
        assert sl.simulate(network, images(2), "loihi").total("spike") > 0


def test_2_files_keep_everything(tmp_path) -> None:
    for options in (
        {},
        {"read_out": "rate"},
        {"schedule": "together"},
        {"input": "spikes"},
        {"granularity": "channel"},
    ):
        network = sl.convert(small(nn.MaxPool2d), images(), timesteps=4, method="least_squares", **options)
        sl.save_network(tmp_path / "net", network)
        again = sl.load_network(tmp_path / "net")
        with torch.no_grad():
            assert torch.equal(again.scores(images()), network.scores(images()))


def test_2_nir_keeps_everything_where_it_can() -> None:
    pytest.importorskip("nir")
    from spikeledger.networks.nir import read_nir, to_nir

    network = sl.convert(small(), images(), timesteps=4, method="max", read_out="rate")
    graph = to_nir(network, dt=1e-3, input_shape=(1, 12, 12), extended=True)
    with torch.no_grad():
        assert torch.equal(read_nir(graph)(network.encoder(images(4))), network(images(4)))
    with pytest.raises(InputError, match="fire at steps"):
        to_nir(network, dt=1e-3, input_shape=(1, 12, 12))


class Branches(nn.Module):
    """Two branches of different sizes that are added, then joined."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (
            nn.Conv2d(1, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Conv2d(8, 6, 3),
        )
        self.out = nn.Linear(6, 5)
        with torch.no_grad():
            self.second.weight.mul_(9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.relu(self.first(x))
        b = torch.relu(self.second(a) + a)
        c = torch.cat([a, b], dim=1)
        return self.out(F.relu(self.third(c)).mean((2, 3)))


@pytest.mark.parametrize("granularity", ["layer", "channel"])
def test_3_branches_of_different_thresholds_meet_in_one_unit(granularity: str) -> None:
    torch.manual_seed(1)
    ann = Branches().eval()
    network = sl.convert(ann, images(), timesteps=64, method="max", granularity=granularity)
    thresholds = [float(each.thresholds.max()) for each in network.conversion.populations]
    assert max(thresholds) > 3 * min(thresholds)
    with torch.no_grad():
        torch.testing.assert_close(network.scores(images()), ann(images()), atol=0.05, rtol=0.05)


def test_3_channel_thresholds_are_in_the_weights() -> None:
    network = sl.convert(small(), images(), timesteps=8, method="max", granularity="channel")
    neurons = [each for each in network.modules() if isinstance(each, sl.IF)]
    assert {each.threshold for each in neurons} == {1.0}
    assert network.conversion.populations[0].thresholds.shape == (6,)


def test_4_the_first_layer_multiplies_one_image_not_one_a_step() -> None:
    once = sl.record(sl.convert(small(), images(), timesteps=8, method="max"), images(4))
    every = sl.record(sl.convert(small(), images(), timesteps=8, method="max", schedule="together"), images(4))
    ann = sl.record(small(), images(4))
    first = ann.per_sample("mac", ann.layers[0])
    assert once.per_sample("mac") == first
    assert every.per_sample("mac") == 8 * first


def test_5_two_read_outs_by_name() -> None:
    membrane = sl.convert(small(), images(), timesteps=4, method="max")
    rate = sl.convert(small(), images(), timesteps=4, method="max", read_out="rate")
    assert isinstance(membrane.decoder, MembraneDecoder)
    assert isinstance(rate.decoder, RateDecoder)
    assert len(rate.scores(images()).unique()) <= 5  # a count of four steps
    assert len(membrane.scores(images()).unique()) > 100
    with pytest.raises(InputError, match="read-out"):
        sl.convert(small(), images(), timesteps=4, method="max", read_out="votes")


def test_6_the_latency_is_that_of_the_layers() -> None:
    network = sl.convert(small(), images(), timesteps=4, method="max")
    assert network.timesteps == network.conversion.latency_steps == 2 * 3 + 4
    assert [each.first for each in network.conversion.populations] == [0, 3, 6]
    assert sl.record(network, images(2)).timesteps == 10
    assert sl.convert(small(), images(), timesteps=4, method="max", schedule="together").timesteps == 4


def test_7_thresholds_stay_below_the_cap() -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Linear(4, 8), nn.ReLU6(), nn.Linear(8, 2))
    with torch.no_grad():
        ann[0].weight.mul_(50)
    samples = torch.rand(100, 4)
    network = sl.convert(ann, samples, timesteps=32, method="max")
    assert float(network.conversion.thetas[network.conversion.graph.relus[0]]) == 6
    with torch.no_grad():
        torch.testing.assert_close(network.scores(samples), ann(samples), atol=0.3, rtol=0.1)


class Odd(nn.Module):
    """One ReLU module used twice, in place; a batch norm in training mode; dropout; a view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.drop, self.mid, self.out = nn.Dropout(0.5), nn.Linear(4 * 25, 12), nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.conv(x))
        z = self.relu(y)
        z = F.avg_pool2d(z + y, 2)  # y is what the ReLU left in it
        z = self.drop(z.view(z.shape[0], -1))
        return self.out(self.relu(self.mid(z)))


def test_7_shared_and_in_place_relus_modes_and_views() -> None:
    torch.manual_seed(0)
    ann = Odd()
    ann(images())
    before = {name: value.clone() for name, value in ann.state_dict().items()}
    assert ann.training
    graph = read(ann, images())
    with torch.no_grad():
        torch.testing.assert_close(answer(graph, images()), ann.eval()(images()))
    ann.train()
    network = sl.convert(ann, images(), timesteps=128, method="max")
    assert ann.training
    assert all(torch.equal(value, before[name]) for name, value in ann.state_dict().items())
    with torch.no_grad():
        torch.testing.assert_close(network.scores(images()), ann.eval()(images()), atol=0.03, rtol=0.05)


@pytest.mark.parametrize("pool", [
    nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, ceil_mode=True),
    nn.AdaptiveAvgPool2d(6), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(3, 2, ceil_mode=True),
])  # fmt: skip
def test_7_poolings_of_all_settings(pool: nn.Module) -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), pool, nn.Flatten(), nn.LazyLinear(4))
    with torch.no_grad():
        ann(images())
        for schedule in ("layers", "together"):
            network = sl.convert(ann, images(), timesteps=64, method="max", schedule=schedule)
            torch.testing.assert_close(network.scores(images()), ann(images()), atol=0.03, rtol=0.05)


def test_7_a_pooling_in_front_of_a_relu_moves_behind_it() -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(75, 4)).eval()
    network = sl.convert(ann, images(), timesteps=64, method="max")
    with torch.no_grad():
        torch.testing.assert_close(network.scores(images()), ann(images()), atol=0.03, rtol=0.05)


@pytest.mark.parametrize("coding", ["direct", "spikes"])
def test_8_inputs_below_zero_and_of_any_size(coding: str) -> None:
    torch.manual_seed(0)
    ann = small()
    samples = torch.randn(64, 1, 12, 12) * 2.5
    samples[7] *= 0.1  # nobody is scaled by its own maximum
    network = sl.convert(ann, samples, timesteps=64, method="max", input=coding)
    with torch.no_grad():
        torch.testing.assert_close(network.scores(samples), ann(samples), atol=0.06, rtol=0.1)
    assert isinstance(network.encoder, Once)
    assert network.encoder.two_sided == (coding == "spikes")
    if coding == "spikes":
        assert sl.record(network, samples[:2]).total("mac") == 0


def test_9_bottlenecks_without_relu_pass_currents() -> None:
    torch.manual_seed(0)

    class Bottleneck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6())
            self.down = nn.Sequential(nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4))
            self.inside = nn.Sequential(
                nn.Conv2d(4, 12, 1),
                nn.ReLU6(),
                nn.Conv2d(12, 12, 3, padding=1, groups=12),
                nn.ReLU6(),
                nn.Conv2d(12, 4, 1),
            )
            self.out = nn.Sequential(
                nn.Conv2d(4, 16, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            low = self.down(self.stem(x))
            return self.out(low + self.inside(low))

    ann = Bottleneck().eval()
    for schedule in ("layers", "together"):
        network = sl.convert(ann, images(), timesteps=64, method="max", schedule=schedule)
        with torch.no_grad():
            torch.testing.assert_close(network.scores(images()), ann(images()), atol=0.04, rtol=0.1)


def test_10_the_share_of_clipped_values_is_told() -> None:
    network = sl.convert(small(), images(), timesteps=8, method="1/3")
    whole = sl.convert(small(), images(), timesteps=8, method="max")
    for part, most in zip(network.conversion.populations, whole.conversion.populations, strict=True):
        assert part.clipped > most.clipped
        assert 0 <= most.rate_error < 1


@pytest.mark.parametrize("initial", [0.0, 0.5])
@pytest.mark.parametrize("schedule", ["layers", "together"])
def test_spiking_max_pooling_is_counted_and_priced_however_sparse_it_is(schedule: str, initial: float) -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16, 3),
    ).eval()  # fmt: skip
    images = torch.rand(8, 1, 8, 8)
    network = sl.convert(ann, images, method="max", timesteps=3, schedule=schedule, initial=initial)
    activity = sl.record(network, images[:1])
    assert not activity.uncounted
    steps = network.timesteps
    assert activity.total("pool_read") == steps * (4 * 64 + 4 * 16)  # every place of every window, at every step
    assert sl.price(activity, "horowitz-45nm").joules > 0
