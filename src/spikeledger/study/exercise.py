"""The Neuro4ML course's chip exercise (week 8, 2024), whole: map, run, results, training and the trade-off score.

Its synaptic events are a layer's own spikes times its incoming synapses (`rule="published"`); spikes leave through
outgoing synapses, which `rule="fan_out"` counts, input included. Its neuron updates are not multiplied by the batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..activity import Activity
from ..chip.device import load_device
from ..chip.fits import fits
from ..chip.simulate import Rule, Run, run
from ..errors import CapacityError, InputError, unknown_name
from ..mapping.map import map as map_network
from ..mapping.mapped import Mapped
from ..networks.neurons import LIF

DEVICE = "published-exercise-001"
#: the exercise's own constants, in its own unit
NANOJOULES_PER_UPDATE = 0.1
NANOJOULES_PER_EVENT = 5e-4
#: its score: half the accuracy, half what is left of an energy of 10,000 nJ
SCORE_SHARE, SCORE_NANOJOULES = 0.5, 10_000.0


@dataclass(frozen=True)
class Results:
    """What the exercise's `chip.run` reports, for a batch or for one sample of it."""

    total_energy_nJ: float
    memory_usage_bytes: float
    neuron_updates: float
    synapse_events: float
    spike_rate: float
    total_spikes: float


@dataclass(frozen=True)
class Epoch:
    """One epoch: loss on the training set, and accuracy and energies on the test set."""

    number: int
    loss: float
    accuracy: float
    energy_batch_nJ: float  # as published: a batch's spikes, one sample's updates
    energy_sample_nJ: float  # by the published rule, one sample
    energy_fan_out_nJ: float  # by fan-out with the input, one sample
    hidden_spikes: float  # a sample
    output_spikes: float
    seconds: float


def network(
    hidden: int = 128, *, inputs: int = 128, outputs: int = 10, beta: float = 0.95, seed: int = 42
) -> nn.Sequential:
    """The exercise's network, weight for weight: two linear layers and neurons that reset a step late."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first, second = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
    return nn.Sequential(
        first,
        LIF(beta, reset_delay=True, surrogate="atan", slope=2.0),
        second,
        LIF(beta, reset_delay=True, surrogate="atan", slope=2.0),
    )


def fit_on_chip(model: nn.Module | Mapped, inputs: Any = None) -> Mapped:
    """Map a network onto the exercise's chip.

    Raises:
        CapacityError: "Too many neurons: 1034 (max: 1024)" and its kin; it is a MemoryError.
    """
    mapped = map_network(model, torch.zeros(1, 1, 128) if inputs is None else inputs)
    for short in fits(mapped, DEVICE).shortages[:1]:
        raise CapacityError(f"Too many {short.limit}: {short.needs} (max: {short.has})")
    return mapped


def results(
    model: nn.Module | Mapped, inputs: Any, *, rule: Rule = "published", per: Literal["batch", "sample"] = "batch",
    with_input: bool = True,
) -> Results:  # fmt: skip
    """Run inputs `[T, N]` or `[T, B, N]` on the chip and report as the exercise does.

    Args:
        rule: `published` or `fan_out`.
        per: `batch` adds up the batch's spikes but one sample's updates, as published; `sample` divides by the samples.
        with_input: count non-zero input values through the first layer's synapses (under `fan_out`).
    """
    if per not in ("batch", "sample"):
        raise unknown_name("account", per, ("batch", "sample"))
    values = torch.as_tensor(np.asarray(inputs)) if not isinstance(inputs, Tensor) else inputs
    values = values.unsqueeze(1) if values.dim() == 2 else values
    mapped = fit_on_chip(model, values)
    ran = run(mapped, values.numpy(), rule=rule, keep=list(mapped.populations)[1:])
    return summary(mapped, ran.activity, per=per, with_input=with_input)


def summary(
    mapped: Mapped, activity: Activity, *, per: Literal["batch", "sample"] = "batch", with_input: bool = True
) -> Results:
    """The exercise's report of an activity."""
    samples, steps = activity.samples, activity.timesteps
    layers = [name for name, each in mapped.populations.items() if each.spiking]
    events = 0
    for name in layers:
        for projection in mapped.into(name):
            if with_input or mapped.populations[projection.source].spiking:
                events += activity.total("synaptic_op", projection.layer) + activity.total("mac", projection.layer)
    share = 1 / samples if per == "sample" else 1.0
    updates = mapped.neurons * steps
    energy = NANOJOULES_PER_UPDATE * updates + NANOJOULES_PER_EVENT * events * share
    return Results(
        energy, load_device(DEVICE).memory_bytes(mapped), updates, events * share,
        float(np.mean([activity.rate(name) for name in layers])), activity.total("spike") * share,
    )  # fmt: skip


def loss(spikes: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the output spikes `[T, B, classes]` at each step, the mean over steps and samples."""
    return nn.functional.cross_entropy(spikes.flatten(0, 1), labels.repeat(len(spikes)))


def train(
    model: nn.Module,
    train_batches: Callable[[int], Iterable[tuple[Tensor, Tensor]]],
    test_batches: Callable[[], Iterable[tuple[Tensor, Tensor]]],
    *,
    epochs: int = 10,
    learning_rate: float = 1e-3,
    gamma: float = 0.9,
    penalty: Callable[[Tensor], Tensor] | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train as the exercise does: Adam, a rate falling by `gamma` an epoch, cross-entropy of the spikes at every step.

    Args:
        train_batches: `(epoch) -> (trains [T, B, N], labels [B]), ...`, such as `lambda e: data.batches(64, seed=e)`.
        test_batches: the same without an epoch.
        penalty: of the output spikes, added to the loss.
        progress: called with each finished epoch.
    """
    if epochs < 1:
        raise InputError(f"training was asked for {epochs} epochs, but needs at least 1")
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, gamma)
    history = []
    for number in range(epochs):
        begun, losses = time.perf_counter(), []
        model.train()
        for trains, labels in train_batches(number):
            spikes = model(trains)  # [T, B, classes]
            found = loss(spikes, labels) if penalty is None else loss(spikes, labels) + penalty(spikes)
            optimiser.zero_grad()
            found.backward()
            optimiser.step()
            losses.append(float(found.detach()))
            if not math.isfinite(losses[-1]):
                raise InputError(f"the loss became {losses[-1]} in epoch {number}: use a smaller learning rate")
        schedule.step()
        history.append(evaluate(model, test_batches(), number, float(np.mean(losses)), time.perf_counter() - begun))
        if progress is not None:
            progress(history[-1])
    return history


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    number: int = 0,
    loss: float = math.nan,
    seconds: float = 0.0,
) -> Epoch:
    """Accuracy and energies of a network on the chip; means over batches are unweighted, as in the exercise."""
    rows: list[tuple[float, ...]] = []
    mapped: Mapped | None = None
    for trains, labels in batches:
        mapped = mapped or fit_on_chip(model, trains)
        outcome: Run = run(mapped, trains.numpy(), rule="published")
        fan_out = run(mapped, trains.numpy())
        names = [name for name, each in mapped.populations.items() if each.spiking]
        rows.append(
            (
                float(np.mean(outcome.answers() == labels.numpy())),
                summary(mapped, outcome.activity).total_energy_nJ,
                summary(mapped, outcome.activity, per="sample").total_energy_nJ,
                summary(mapped, fan_out.activity, per="sample").total_energy_nJ,
                sum(outcome.activity.per_sample("spike", name) for name in names[:-1]),
                outcome.activity.per_sample("spike", names[-1]),
            )
        )  # fmt: skip
    if not rows:
        raise InputError("there is no batch to evaluate on")
    accuracy, batch, sample, fan_out_energy, hidden, output = (float(mean) for mean in np.mean(rows, axis=0))
    return Epoch(number, loss, accuracy, batch, sample, fan_out_energy, hidden, output, seconds)


def score(history: Sequence[Epoch], account: Literal["batch", "sample", "fan_out"] = "batch") -> float:
    """The trade-off: `0.5 accuracy + 0.5 (10,000 - E) / 10,000`, `E` in nJ, at the epoch with the best test accuracy.

    It is not clamped, and the epoch is chosen on the test set: both as published.
    """
    if account not in ("batch", "sample", "fan_out"):
        raise unknown_name("account", account, ("batch", "sample", "fan_out"))
    if not history:
        raise InputError("a score needs at least one epoch")
    best = max(history, key=lambda epoch: epoch.accuracy)
    energy = getattr(best, f"energy_{account}_nJ")
    return SCORE_SHARE * best.accuracy + (1 - SCORE_SHARE) * (SCORE_NANOJOULES - energy) / SCORE_NANOJOULES
