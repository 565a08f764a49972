"""The data and networks that the tests of this folder train: small, so that a fit takes a tenth of a second."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

import spikeledger as sl


@dataclass(frozen=True)
class Patches:
    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor


def patches(train: int = 300, test: int = 60, classes: int = 4, seed: int = 0) -> Patches:
    """Noisy 6x6 patches, lit in another corner for each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (train + test,), generator=generator)
    inputs = torch.rand((train + test, 1, 6, 6), generator=generator) * 0.5
    for label in range(classes):
        row, column = divmod(label, 2)
        inputs[labels == label, :, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3] += 0.5
    return Patches(inputs[:train], labels[:train], inputs[train:], labels[train:])


def spiking(encoder: str = "rate", seed: int = 0, **options: object) -> sl.SpikingNetwork:
    return sl.zoo.mlp(36, 24, 4, timesteps=4, encoder=encoder, seed=seed, **options)


def ordinary(seed: int = 0) -> nn.Module:
    return sl.zoo.twin(spiking(), seed=seed)


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
