"""Comparisons for tests of what is shown: small networks, really run and recorded, put together without training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from spikeledger.networks import zoo
from spikeledger.networks.spiking import SpikingNetwork
from spikeledger.recording.record import record
from spikeledger.study.accuracy import mcnemar
from spikeledger.study.comparison import Comparison, fair
from spikeledger.study.device_pairs import match, pair
from spikeledger.study.one_network import Side

PUBLISHED = ("published-paper-002-12nm", "published-notebook-000-loihi")
PROFILES = ("horowitz-45nm", "loihi", "v100", "published-paper-002-12nm")


def side(kind: Any, network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, classes: int, name: str) -> Side:
    """One network's answers and activity."""
    by_step = None
    with torch.no_grad():
        if isinstance(network, SpikingNetwork):
            network.eval()
            network.reseed(0)
            spikes = network(inputs)
            read = torch.stack([network.decoder(spikes[: step + 1]).argmax(-1) for step in range(len(spikes))])
            answers, by_step = read[-1].numpy(), read.numpy()
        else:
            answers = network.eval()(inputs).argmax(-1).numpy()
    activity = record(network, inputs)
    return Side(
        kind=kind, name=name, activity=activity, predictions=answers, labels=labels.numpy(), classes=classes,
        parameters=sum(each.numel() for each in network.parameters()), timesteps=activity.timesteps,
        predictions_by_step=by_step,
    )  # fmt: skip


def together(
    ann: nn.Module,
    snn: SpikingNetwork,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    *,
    classes: tuple[str, ...],
    data: str = "digits",
    profiles: Sequence[Any] = PROFILES,
    names: tuple[str, str] = ("plain twin", "mlp"),
) -> Comparison:
    """What `compare` gives, from networks as they are."""
    left = side("ann", ann, inputs, labels, len(classes), names[0])
    right = side("snn", snn, inputs, labels, len(classes), names[1])
    return Comparison(
        data=data, classes=classes, ann=left, snn=right, mcnemar=mcnemar(left.right, right.right),
        matches=tuple(
            match(left.activity, right.activity, one, other, name=name)
            for name, one, other in pair(profiles, "horowitz-45nm")
        ),
        rate_hz=1.0, seed=0, opponents=fair(left.activity, right.activity),
    )  # fmt: skip


def small(
    *,
    timesteps: int = 5,
    threshold: float = 1.0,
    classes: tuple[str, ...] = ("no", "perhaps", "yes"),
    data: str = "toy",
    profiles: Sequence[Any] = PROFILES,
    widths: tuple[int, ...] = (16, 12),
    names: tuple[str, str] = ("plain twin", "mlp"),
    rename: dict[str, str] | None = None,
) -> Comparison:
    """An untrained perceptron on 40 samples; a threshold out of reach makes it silent."""
    snn = zoo.mlp(*widths, len(classes), timesteps=timesteps, threshold=threshold)
    ann = zoo.twin(snn)
    if rename:
        for old, new in rename.items():
            for network in (snn.layers, ann):
                modules = dict(network.named_children())
                for name in modules:
                    delattr(network, name)
                for name, module in modules.items():
                    network.add_module(new if name == old else name, module)
    generator = torch.Generator().manual_seed(3)
    inputs = torch.rand(40, widths[0], generator=generator)
    labels = torch.from_numpy(np.arange(40) % len(classes))
    return together(ann, snn, inputs, labels, classes=classes, data=data, profiles=profiles, names=names)
