"""What is given to a conversion in practice: constants in `forward`, norms behind ReLUs, wrapped modules, loaders, arrays."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import spikeledger as sl
from spikeledger.conversion.calibrate import _ridge
from spikeledger.errors import InputError


def images(count: int = 50) -> Tensor:
    return torch.rand(count, 2, 6, 6, generator=torch.Generator().manual_seed(4))


class Own(nn.Module):
    """Two convolutions and a linear layer with what a user's `forward` puts between them."""

    def __init__(self, before: Callable[..., Tensor], between: Callable[..., Tensor]) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.one, self.two, self.last = nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 4, 3), nn.Linear(64, 3)
        self.register_buffer("mean", torch.tensor([0.4, 0.6]).view(1, 2, 1, 1))
        self.register_buffer("size", torch.tensor([0.5, 0.9, 1.3, 2.0, 0.7]).view(5, 1, 1))
        self.before, self.between = before, between

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.one(self.before(self, x)))
        return self.last(F.relu(self.two(self.between(self, x))).flatten(1))


@pytest.mark.parametrize("granularity", ["layer", "channel"])
@pytest.mark.parametrize(
    ("before", "between"),
    [
        (lambda net, x: (x - net.mean) / 0.3, lambda net, x: x),
        (lambda net, x: 1 - x, lambda net, x: x * net.size),
        (lambda net, x: x.mul(2).sub_(1), lambda net, x: x / net.size + 0.1),
        (lambda net, x: 0.5 * x, lambda net, x: torch.sub(0.2, x)),
    ],
)
def test_constants_in_forward_are_kept(
    before: Callable[..., Tensor], between: Callable[..., Tensor], granularity: str
) -> None:
    network = Own(before, between).eval()
    made = sl.convert(
        network, images(), method="max", timesteps=400, granularity=granularity, correct="none", read_out="membrane"
    )
    with torch.no_grad():
        wanted = network(images())
    assert torch.allclose(made.conversion.scores(images()), wanted, atol=0.01 * float(wanted.abs().max()))
    few = sl.convert(network, images(), method="least_squares", timesteps=5, granularity=granularity)
    assert torch.allclose(few.scores(images(9)), few.conversion.scores(images(9)), atol=1e-5)
    counted = {name: int(each.sum()) for name, each in few.conversion.counts(images(9)).items()}
    activity = sl.record(few, images(9))
    assert activity.total("spike") == sum(counted.values())


def test_a_constant_that_is_no_number_a_channel_is_refused() -> None:
    network = Own(lambda net, x: x * torch.linspace(0.1, 1, 6), lambda net, x: x)
    with pytest.raises(InputError, match="one a channel"):
        sl.convert(network, images(), method="max", timesteps=4)


@pytest.mark.parametrize("schedule", ["layers", "together"])
def test_a_norm_behind_a_relu_and_a_pooling_behind_it(schedule: str) -> None:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d(5)
    network = nn.Sequential(
        nn.Conv2d(2, 5, 3),
        nn.ReLU(),
        norm,
        nn.MaxPool2d(2),
        nn.Conv2d(5, 3, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(3, 3),
    )
    network.train()(images())  # running statistics that are not 0 and 1
    network.eval()
    with torch.no_grad():
        wanted = network(images())
    if schedule == "together":
        with pytest.raises(InputError, match="adds a constant"):
            sl.convert(network, images(), method="max", timesteps=8, schedule=schedule)
        return
    made = sl.convert(network, images(), method="max", timesteps=300, correct="none")
    assert torch.allclose(made.conversion.scores(images()), wanted, atol=0.02 * float(wanted.abs().max()))
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in made.modules())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrapped_and_parametrised_modules() -> None:
    torch.manual_seed(5)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), nn.ReLU(), nn.Linear(9, 3))
    expected = sl.convert(plain, images(), method="max", timesteps=6).scores(images())
    assert torch.equal(
        sl.convert(nn.DataParallel(plain), images(), method="max", timesteps=6).scores(images()), expected
    )
    assert torch.equal(sl.convert(torch.compile(plain), images(), method="max", timesteps=6).scores(images()), expected)
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(72, 9))
    network = nn.Sequential(nn.Flatten(), normed, nn.ReLU(), nn.Linear(9, 3))
    made = sl.convert(network, images(), method="max", timesteps=300, correct="none")
    assert torch.allclose(made.conversion.scores(images()), network(images()), atol=0.01)
    assert "parametrizations" in dict(normed.named_children()) and normed.weight.shape == (9, 72)  # it is not changed


def test_calibration_in_every_form_that_users_have() -> None:
    torch.manual_seed(6)
    network = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), nn.ReLU(), nn.Linear(9, 3))
    labels = torch.arange(50) % 3
    pairs = torch.utils.data.TensorDataset(images(), labels)
    options = {"method": "least_squares", "timesteps": np.int64(5)}
    expected = sl.convert(network, images(), **options).conversion.populations[0].thresholds
    for given in (
        images().numpy(), list(images()), (images(), labels), (images().numpy(), labels.numpy()), pairs,
        torch.utils.data.DataLoader(pairs, batch_size=16),
    ):  # fmt: skip
        assert torch.equal(sl.convert(network, given, **options).conversion.populations[0].thresholds, expected)
    halves = sl.convert(network, images().half(), **options)
    assert torch.allclose(halves.conversion.populations[0].thresholds, expected, rtol=1e-2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((images(), torch.arange(50) % 4), "the ANN gives 3 scores"),
        ((images(), [0, 1]), "2 labels"),
        (images() * torch.nan, "finite"),
        ((images() * 255).byte(), "floating-point"),
        ({"images": images()}, "samples with labels"),
        ([torch.rand(3), torch.rand(4), torch.rand(3)], "differ in shape"),
    ],
)
def test_calibration_that_cannot_be_used_is_one_sentence(given: object, said: str) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), nn.ReLU(), nn.Linear(9, 3))
    with pytest.raises(InputError, match=said):
        sl.convert(network, given, timesteps=4)


@pytest.mark.parametrize(
    "options", [{"timesteps": True}, {"most_loss": -1}, {"most_loss": float("nan")}, {"method": 0.99}]
)
def test_numbers_that_cannot_be_used(options: dict) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), nn.ReLU(), nn.Linear(9, 3))
    with pytest.raises(InputError):
        sl.convert(network, images(), **{"timesteps": 4, **options})


@pytest.mark.parametrize("count", [24, 400])  # fewer and more samples than inputs
def test_mended_weights_do_no_harm_on_samples_that_they_were_not_fitted_to(count: int) -> None:
    draw = torch.Generator().manual_seed(8)
    rows = torch.randn(count, 60, generator=draw)
    true = torch.randn(60, 4, generator=draw) * 0.1
    noise = torch.randn(count, 4, generator=draw)
    change = _ridge(rows, rows @ true + noise)
    fresh = torch.randn(4000, 60, generator=draw) @ (true - change)
    before = torch.randn(4000, 60, generator=draw) @ true
    assert float(fresh.square().mean()) <= 1.02 * float(before.square().mean())
    nothing = _ridge(rows, noise)
    assert float(nothing.norm()) < 0.8 * float(torch.linalg.pinv(rows - rows.mean(0)).matmul(noise).norm())


def test_both_sides_of_the_ridge_give_the_same() -> None:
    from spikeledger.conversion.calibrate import _solutions

    draw = torch.Generator().manual_seed(9)
    tall, goal = torch.randn(30, 20, generator=draw), torch.randn(30, 3, generator=draw)
    wide = torch.cat([tall, torch.zeros(30, 20)], 1)  # inputs that say nothing: the other side of the same problem
    (one,), (other,) = (list(_solutions(each, goal, (0.1,))) for each in (tall, wide))
    (same,) = _solutions(tall, goal, (0.05,))
    assert torch.allclose(other[:20], same, atol=1e-5) and not torch.allclose(one, same, atol=1e-5)
    assert bool((other[20:] == 0).all())


@pytest.mark.parametrize("schedule", ["layers", "together"])
def test_spikes_that_are_the_answer_are_worth_the_same_in_each_class(schedule: str) -> None:
    """An ANN that ends in a ReLU: thresholds of its own would make every class's largest activation the same count."""
    draw = torch.Generator().manual_seed(10)
    ann = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 4), nn.ReLU())
    with torch.no_grad():
        for weight in ann.parameters():
            weight.copy_((torch.rand(weight.shape, generator=draw) - 0.5) * 0.6)
        ann[2].weight[2] *= 4
        ann[2].bias += 0.3
    samples = torch.rand(300, 12, generator=draw)
    wanted = ann(samples).detach()
    margin = wanted.topk(2).values.diff(dim=1).abs()[:, 0]
    clear = margin > 0.1 * float(wanted.max())
    made = sl.convert(ann, samples, method="max", timesteps=200, granularity="channel", schedule=schedule)
    assert int(clear.sum()) > 50
    assert bool((made.scores(samples[clear]).argmax(1) == wanted[clear].argmax(1)).all())


class ByFunctions(nn.Module):
    """Weights held as parameters, and given to functions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.one, self.two = nn.Parameter(torch.randn(1, 2, 3, 3)), nn.Parameter(torch.randn(6, 1, 2, 2) / 2)
        self.bias, self.last = nn.Parameter(torch.rand(6)), nn.Parameter(torch.randn(54, 3) / 8)
        self.square = nn.Parameter(torch.randn(54, 54) / 8)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, self.one, padding=1)).clone()
        x = F.relu(F.conv2d(x, self.two, self.bias, stride=(2, 2))).detach().flatten(1)
        return torch.matmul(F.relu(F.linear(x, self.square)), self.last)


def test_weights_that_are_given_to_functions_convert() -> None:
    network = ByFunctions().eval()
    made = sl.convert(network, images(), method="max", timesteps=400, correct="none")
    with torch.no_grad():
        wanted = network(images(7))
    assert torch.allclose(made.scores(images(7)), wanted, atol=0.02 * float(wanted.abs().max()))
    assert [each.neurons for each in made.conversion.populations] == [36, 54, 54]


def test_a_layer_without_a_size_and_too_many_steps_are_refused() -> None:
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(5), nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(InputError, match=r"'1.weight' of the ANN has no size yet"):
        sl.convert(lazy, images(), method="max", timesteps=4)
    for steps in (0, 65_537, 10**9):
        with pytest.raises(InputError, match="from 1 to 65,536"):
            sl.convert(Own(lambda net, x: x, lambda net, x: x), images(), timesteps=steps)
    wide = nn.Sequential(
        nn.Conv2d(2, 3000, 1), nn.ReLU(), nn.Flatten(), nn.Linear(108_000, 4), nn.ReLU(), nn.Linear(4, 2)
    )
    with pytest.raises(InputError, match=r"T = 60,000 would take 120,000 steps of 108,000 values.*at most 9,942"):
        sl.convert(wide, images(), timesteps=60_000)
    assert sl.convert(wide, images(4), method="max", timesteps=9).timesteps == 17


def test_thresholds_in_front_of_max_pooling_suit_what_it_lets_through() -> None:
    torch.manual_seed(11)
    body = [nn.Conv2d(2, 5, 3, padding=1), nn.ReLU()]
    ends = [nn.Flatten(), nn.LazyLinear(3)]
    pooled = nn.Sequential(*body, nn.MaxPool2d(3), *ends)
    with torch.no_grad():
        pooled(images(2))
        kept = F.max_pool2d(F.relu(body[0](images())), 3)
    made = sl.convert(pooled.eval(), images(), method="50%", timesteps=4, granularity="layer", correct="none")
    assert float(made.conversion.populations[0].thresholds) == float(kept.flatten().kthvalue(kept.numel() // 2).values)
    assert torch.equal(made.scores(images(5)).argmax(1), made.conversion.scores(images(5)).argmax(1))


class Drawn(nn.Module):
    """A convolution, and what a user makes of it."""

    def __init__(self, make: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.one, self.make = nn.Conv2d(2, 4, 3, padding=1), make
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.make(self, F.relu(self.one(x)))


def normed(channels: int, scales: list[float]) -> nn.BatchNorm2d:
    """A batch norm that has seen something."""
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(scales))
        norm.bias.uniform_(-0.3, 0.3)
        norm.running_mean.copy_(torch.linspace(-0.2, 0.4, channels))  # type: ignore[union-attr]
    return norm


@pytest.mark.parametrize(
    "ann",
    [
        Drawn(lambda n, x: n.out(n.pool(x).flatten(1)), pool=nn.AvgPool2d(2, divisor_override=3), out=nn.Linear(36, 3)),
        Drawn(lambda n, x: n.out(F.avg_pool2d(x, 3, divisor_override=2).flatten(1)), out=nn.Linear(16, 3)),
        Drawn(lambda n, x: n.out(torch.cat([x, F.relu(n.two(x))], -3).flatten(1)), two=nn.Conv2d(4, 2, 1), out=nn.Linear(216, 3)),
        Drawn(lambda n, x: n.out(torch.cat((x.flatten(1), F.relu(n.two(x.flatten(1)))), dim=-1)), two=nn.Linear(144, 5),
              out=nn.Linear(149, 3)),
        Drawn(lambda n, x: n.out(n.norm(x).flatten(1)), norm=nn.SyncBatchNorm(4), out=nn.Linear(144, 3)),
        Drawn(lambda n, x: n.out((x + x).flatten(1)), out=nn.Linear(144, 3)),
        Drawn(lambda n, x: n.out(F.relu(n.norm(n.pool(n.two(x)))).flatten(1)), two=nn.Conv2d(4, 3, 3, padding=1),
              pool=nn.MaxPool2d(2, padding=1), norm=normed(3, [0.5, 2.0, 0.0]), out=nn.Linear(48, 3)),
        Drawn(lambda n, x: n.out(F.relu(F.max_pool2d(F.max_pool2d(n.two(x) * 3 - 1, 2, 1), 2) / 2 + 0.1).flatten(1)),
              two=nn.Conv2d(4, 3, 1), out=nn.Linear(12, 3)),
    ],
    ids=["pool with a divisor", "its function", "channels from the last", "features from the last", "synchronised norm", "twice",
         "pooled, then normed", "scaled on both sides of a pooling"],
)  # fmt: skip
def test_what_is_told_to_a_layer_is_kept(ann: nn.Module) -> None:
    ann.eval()
    made = sl.convert(ann, images(), timesteps=400, method="max", correct="none")
    torch.testing.assert_close(made.conversion.scores(images()), ann(images()), rtol=0.02, atol=0.02)
    torch.testing.assert_close(made.scores(images(9)), made.conversion.scores(images(9)), rtol=1e-3, atol=1e-3)
    assert not sl.record(made, images(2)).uncounted


@pytest.mark.parametrize(
    ("ann", "sentence"),
    [
        (Drawn(lambda n, x: n.out(n.soft(n.two(x.flatten(1)))), two=nn.Linear(144, 9), soft=nn.Softmax(1), out=nn.Linear(9, 3)),
         "takes what the softmax 'soft' gives"),
        (Drawn(lambda n, x: n.out(F.dropout(F.log_softmax(x, 1)).flatten(1)), out=nn.Linear(144, 3)), "takes what the softmax"),
        (Drawn(lambda n, x: n.out(x.flatten(2)).flatten(1), out=nn.Linear(36, 3)), "reshape|flatten"),
        (Drawn(lambda n, x: n.out(x).flatten(1), out=nn.Linear(6, 3)), "linear layer 'out' works on the last axis"),
        (Drawn(lambda n, x: n.out(x), out=nn.Conv2d(4, 3, 3)), r"answers values of shape \[3, 4, 4\]"),
        (Drawn(lambda n, x: n.out(torch.cat([x, x], -1).flatten(1)), out=nn.Linear(288, 3)), "axis -1 in place of channels"),
        (Drawn(lambda n, x: n.out(torch.cat([x, x], 3).flatten(1)), out=nn.Linear(288, 3)), "axis 3 in place of channels"),
        (Drawn(lambda n, x: n.out(F.relu(n.norm(n.pool(n.two(x)))).flatten(1)), two=nn.Conv2d(4, 3, 1), pool=nn.MaxPool2d(2),
               norm=normed(3, [0.5, -2.0, 1.0]), out=nn.Linear(27, 3)), "max pooling 'pool' works on what are no spikes"),
    ],
)  # fmt: skip
def test_what_no_population_can_do_is_refused_by_name(ann: nn.Module, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        sl.convert(ann, images(), timesteps=4, method="max")
