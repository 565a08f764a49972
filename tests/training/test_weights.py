"""What multiplies becomes zero, whatever makes it; what cannot stay zero is refused before anything changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils import prune as of_torch

import spikeledger as sl
from spikeledger.errors import InputError
from training.patches import patches, state

DATA = patches()


class Softplus(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.softplus(x)


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).transpose(-1, -2)

    def right_inverse(self, x: Tensor) -> Tensor:
        return x.triu()


class OddOnly(nn.Module):
    """A mask of one's own, that says nothing of the way back."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", (torch.arange(like.numel()) % 2).view_as(like))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask


class LowRank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.randn(16, 2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.left @ self.left.T


def _old(name: str) -> Callable[..., nn.Module]:
    def made(layer: nn.Module, **options: object) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: nn.Module = getattr(nn.utils, name)(layer, **options)
        return found

    return made


def _torch_pruned(layer: nn.Module) -> nn.Module:
    of_torch.l1_unstructured(layer, "weight", 0.3)
    of_torch.random_structured(layer, "weight", 0.25, dim=0)
    return layer


MADE: dict[str, Callable[[nn.Module], nn.Module]] = {
    "plain": lambda layer: layer,
    "weight norm": parametrizations.weight_norm,
    "weight norm over all": lambda layer: parametrizations.weight_norm(layer, dim=None),
    "weight norm by column": lambda layer: parametrizations.weight_norm(layer, dim=1),
    "weight norm of old": _old("weight_norm"),
    "spectral norm": parametrizations.spectral_norm,
    "spectral norm of old": _old("spectral_norm"),
    "pruned by torch": _torch_pruned,
    "masked by oneself": lambda layer: (
        parametrize.register_parametrization(layer, "weight", OddOnly(layer.weight)),
        layer,
    )[1],
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(16, 16),
    "grouped": lambda: nn.Conv2d(4, 8, 3, groups=2),
    "transposed": lambda: nn.ConvTranspose1d(4, 6, 3),
}
INPUTS = {"linear": (5, 16), "grouped": (5, 4, 6, 6), "transposed": (5, 4, 7)}


def multiplied(network: nn.Module, x: Tensor) -> tuple[int, int]:
    """Weights that multiply, and of them those that are not zero, as the recorder sees them."""
    rows = [row for row in sl.record(network, x).layers_by_name.values() if row.weights]
    return sum(row.weights for row in rows), sum(row.nonzero_weights for row in rows)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("way", MADE)
def test_the_share_asked_for_is_zero_in_what_multiplies_and_stays_so(way: str, kind: str) -> None:
    torch.manual_seed(2)
    network = nn.Sequential(MADE[way](LAYERS[kind]()))
    x = torch.rand(INPUTS[kind])
    whole, _ = multiplied(network, x)
    for share in (0.7, 0.93):  # at the end there are rows of nothing but zeros
        gone = sl.prune(network, share)
        assert gone == round(share * whole) == whole - multiplied(network, x)[1]
        assert bool(torch.isfinite(network(x)).all())
    masks = network[0].weight.detach() == 0
    sl.fit(
        nn.Sequential(nn.Unflatten(1, INPUTS[kind][1:]), *network, nn.Flatten()), _data(kind), epochs=2, progress=False
    )
    network(x)
    assert torch.equal(network[0].weight == 0, masks)


def _data(kind: str) -> object:
    size = torch.Size(INPUTS[kind][1:]).numel()
    found = patches(60, 20)
    flat = [values.flatten(1).repeat(1, 4)[:, :size] for values in (found.train_inputs, found.test_inputs)]
    return type(found)(flat[0], found.train_labels, flat[1], found.test_labels)


@pytest.mark.parametrize("way", ["weight norm", "weight norm of old"])
def test_what_stays_keeps_its_value_under_a_weight_norm(way: str) -> None:
    network = nn.Sequential(MADE[way](nn.Linear(16, 10)))
    network(torch.rand(2, 16))
    before = network[0].weight.detach().clone()
    sl.prune(network, 0.6)
    after = network[0].weight.detach()
    torch.testing.assert_close(after, before * (after != 0))
    assert float(before[after == 0].abs().max()) <= float(before[after != 0].abs().min())


def test_a_shared_weight_counts_once_under_each_of_its_names() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 6)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.c(torch.relu(self.b(torch.relu(self.a(x)))))

    network = Tied()
    assert sl.prune(network, 0.5) == round(0.5 * (144 + 72))
    network = Tied()
    assert sl.prune(network, {"b": 0.75}) == 108 == int((network.a.weight == 0).sum())
    network = Tied()
    activity = sl.record(network, torch.rand(4, 12))
    sl.prune(network, 0.4, activity=activity, thrift=1.0)
    assert int((network.a.weight == 0).sum() + (network.c.weight == 0).sum()) == round(0.4 * 216)


@pytest.mark.parametrize(
    ("made", "by"),
    [
        (lambda layer: parametrizations.orthogonal(layer), "_Orthogonal"),
        (lambda layer: (parametrize.register_parametrization(layer, "weight", Softplus()), layer)[1], "Softplus"),
        (lambda layer: (parametrize.register_parametrization(layer, "weight", Symmetric()), layer)[1], "Symmetric"),
        (lambda layer: (parametrize.register_parametrization(layer, "weight", LowRank()), layer)[1], "LowRank"),
    ],
)
def test_where_zeros_do_not_stay_it_is_said_and_nothing_changes(made: Callable[..., nn.Module], by: str) -> None:
    network = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), made(nn.Linear(16, 16)))
    before = state(network)
    with pytest.raises(InputError, match=f"'2' is made by {by}, under which zeros do not stay"):
        sl.prune(network, 0.5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(InputError, match=by):
        sl.fit(nn.Sequential(nn.Flatten(), nn.Linear(36, 16), *network), DATA, epochs=1, progress=False,
               prune=sl.Pruning(0.5))  # fmt: skip


def test_pruning_while_it_trains_reaches_what_a_weight_norm_makes() -> None:
    network = nn.Sequential(nn.Flatten(), parametrizations.weight_norm(nn.Linear(36, 20)), nn.ReLU(), nn.Linear(20, 4))
    sl.fit(network, DATA, epochs=4, batch_size=32, progress=False, prune=sl.Pruning(0.8))
    zeros = sum(int((layer.weight == 0).sum()) for layer in network if isinstance(layer, nn.Linear))
    assert zeros == round(0.8 * (36 * 20 + 20 * 4))


def test_weights_that_are_not_there_yet() -> None:
    with pytest.raises(InputError, match="run the network once"):
        sl.prune(nn.Sequential(nn.LazyLinear(5)), 0.5)
