"""`convert(ann, calibration) -> Converted`: an ordinary network as a spiking one, without training it again."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..datasets import Dataset
from ..datasets.taking import as_dataset
from ..errors import InputError, unknown_name
from ..networks.spiking import SpikingNetwork
from ..recording.record import record
from .build import Input, Plan, ReadOut, Schedule, spiking
from .calibrate import Correction, calibrate
from .graph import Graph, Step, answer, values_of
from .reading import read
from .thresholds import Granularity, as_spikes, brightest, counts, divergence, method, quantised

#: what `method="auto"` tries: a rule, and whether by layer or by channel
CANDIDATES: tuple[tuple[str, Granularity], ...] = (
    ("least_squares", "layer"), ("least_squares", "channel"), ("99.9%", "layer"), ("99.9%", "channel"),
    ("least_divergence", "layer"), ("least_divergence", "channel"),
)  # fmt: skip
_TOO_WIDE = 1 << 16  # values of a layer, above which `auto` leaves least_divergence out: it answers dozens of times
STEPS = (2, 4, 8, 16, 32)  # what it tries where none are given
_HELD_OUT = 0.5  # of the calibration samples, on which the choice is made
_MOST = 10_000  # samples of a data set that thresholds are made from,
_VALUES = 1 << 25  # and values of the widest layer, where that still leaves
_FEWEST = 1000
_COUNTED, _SEEN = 32, 1 << 26  # samples whose spikes are recorded for the choice, and their values in all steps
_LONGEST = 1 << 16  # T: single precision tells no finer levels apart where several are summed,
_ROOM = 1 << 31  # and values of all steps of a sample, which lie in memory together when its spikes are recorded


@dataclass(frozen=True, eq=False)
class Population:
    """One ReLU, and the neurons that it became; a rate error is `sum |n theta / T - a| / sum a` on calibration samples."""

    name: str
    thresholds: Tensor
    clipped: float  # share of its values that fire at every step
    rate_error: float
    first: int  # step of its window
    neurons: int


@dataclass(frozen=True, eq=False)
class Conversion:
    """What was done: the plan, the populations, and the quantised ANN whose answers the spiking network gives."""

    method: str
    granularity: Granularity
    plan: Plan
    correct: Correction
    populations: tuple[Population, ...]
    graph: Graph = field(repr=False)
    thetas: dict[str, Tensor] = field(repr=False)
    latency_steps: int
    said: str
    notes: tuple[str, ...] = ()
    tried: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.said

    def scores(self, samples: Tensor) -> Tensor:
        """Scores `[B, classes]` of the quantised ANN: with the layer schedule those of the spiking network, in one pass.

        Where the ANN ends in a ReLU the spiking network says them as shares of its steps, `T / (theta steps)` times these.
        """
        with torch.no_grad():
            return answer(self.graph, self._input(samples), self._quantised)

    def rates(self, samples: Tensor) -> Tensor:
        """Scores of the ANN with its corrections and nothing quantised, differentiable: what the rates tend to for large T."""
        return answer(self.graph, samples)

    def counts(self, samples: Tensor) -> dict[str, Tensor]:
        """Spikes of each neuron, int64 `[B, *N]`: `clip(floor(T z / theta + f), 0, T)`, exact with the layer schedule."""
        found: dict[str, Tensor] = {}
        steps, start = self.plan.steps, self.plan.start
        with torch.no_grad():
            for step, given, _ in values_of(self.graph, self._input(samples), self._quantised):
                if step.kind == "relu":
                    found[step.name] = counts(given[0], self.thetas[step.name], steps, start).long()
        return found

    def _quantised(self, step: Step, values: Tensor) -> Tensor:
        return quantised(values, self.thetas[step.name], self.plan.steps, self.plan.start)

    def _input(self, samples: Tensor) -> Tensor:
        if self.plan.input != "spikes":
            return samples
        return as_spikes(samples, self.thetas[self.graph.input], self.plan.steps, self.plan.start)


class Converted(SpikingNetwork):
    """A spiking network that was converted; it is saved, recorded, priced and placed like any other.

    `conversion` is what was done; a network that is trained on has none any more, for it answers for itself then.
    """

    conversion: Conversion

    def extra_repr(self) -> str:
        return self.conversion.said if hasattr(self, "conversion") else "trained on"


def convert(
    ann: nn.Module,
    calibration: Any,
    *,
    method: str = "auto",
    timesteps: int | None = None,
    granularity: Granularity = "layer",
    schedule: Schedule = "layers",
    input: Input = "direct",
    read_out: ReadOut = "membrane",
    initial: float = 0.5,
    correct: Correction | None = None,
    most_loss: float = 0.2,
    epochs: int = 1,
    seed: int = 0,
) -> Converted:
    """A spiking network that answers as an ANN does, from the ANN and samples of its training data.

    With T steps a neuron fires `clip(floor(T z / theta + initial), 0, T)` times, which stands for `max(z, 0)`.

    Args:
        ann: torch modules, `F.relu` and `torch.fx` graphs alike: linear layers, convolutions, batch norm, ReLU, ReLU6,
            clamp, poolings, residual additions, concatenations. The ANN is not changed.
        calibration: samples `[B, *N]` as the ANN takes them, from the *training* data; with labels (a data set or its name, a
            loader, or samples and labels) the choice of `auto` is by accuracy, without by how often the answer is the ANN's.
        method: `least_squares` (for the T at hand), `least_divergence` (the multiple of it that moves the answers least),
            `max`, a percentile `99.9%`, a fraction `1/3` of the maximum, `qcfs` (trains the ANN with quantised activations,
            needs labels), or `auto`: what costs the least synaptic operations for at most `most_loss` points, judged on the
            half of the samples that did not make the thresholds.
        timesteps: T; None with `auto`: chosen too.
        granularity: one threshold a `layer` or a `channel`; `auto` tries both.
        schedule: `layers`: each fires when its input is complete, exact, K populations answer after `(K-1)(T-1) + T` steps;
            `together`: all at once, after T steps.
        input: `direct`: the image as current; `spikes`: pixels are neurons.
        read_out: `membrane`: the sum of what reaches the outputs; `rate`: output neurons fire, as a chip wants it.
        initial: membrane before the first step, in thresholds.
        correct: `bias` or `weights`: mend each layer for the spikes that it really gets; `none`. By default `auto` tries all
            three on its nearest thresholds, `least_divergence` mends nothing, and any other method mends biases.
        most_loss: points of accuracy that `auto` may lose; with 0 it takes what comes nearest to the ANN's answers.
        epochs: of `qcfs`.

    Raises:
        InputError: a layer that has no spiking counterpart is named, never skipped.
    """
    for what, given, known in (
        ("granularity", granularity, ("layer", "channel")), ("schedule", schedule, ("layers", "together")),
        ("input", input, ("direct", "spikes")), ("read-out", read_out, ("membrane", "rate")),
        ("correction", correct or "none", ("none", "bias", "weights")),
    ):  # fmt: skip
        if given not in known:
            raise unknown_name(what, str(given), known)
    if timesteps is not None and (not _whole(timesteps) or not 1 <= timesteps <= _LONGEST):
        raise InputError(
            f"a conversion to {timesteps} timesteps was asked for, but takes a whole number from 1 to {_LONGEST:,}"
        )
    if not 0 <= initial < 1:
        raise InputError(f"an initial membrane of {initial} thresholds was asked for, but it must lie in [0, 1)")
    if not (math.isfinite(most_loss) and most_loss >= 0):
        raise InputError(f"a loss of at most {most_loss} points was allowed, but it must be a number of at least 0")
    samples, labels = _calibration(calibration)
    graph = read(ann, samples)
    if isinstance(calibration, Dataset) and method != "qcfs":  # a spread over the whole training set
        most = enough(graph)
        every = max(1, len(samples) // most)
        samples, labels = samples[::every][:most], None if labels is None else labels[::every][:most]
    if timesteps is None and method != "auto":
        raise InputError(f"method '{method}' needs timesteps: give a number, or method='auto' to have it chosen")
    asked = _Asked(
        int(timesteps or 0), granularity, schedule, input, read_out, initial, correct or _usual(method), method
    )
    classes = graph.shapes[graph.output][0]
    if labels is not None and not bool(((labels >= 0) & (labels < classes)).all()):
        raise InputError(
            f"labels go from {int(labels.min())} to {int(labels.max())}, but the ANN gives {classes} scores: they must be from 0 "
            f"to {classes - 1}"
        )
    if method == "auto":
        return _cheapest(
            graph, samples, labels, asked, most_loss, ("none", "bias", "weights") if correct is None else (correct,)
        )
    if method == "qcfs":
        from .finetune import fine_tuned

        if labels is None:
            raise InputError("method 'qcfs' trains, so it needs labels: give a data set, or (samples, labels)")
        if correct is not None:
            raise InputError("method 'qcfs' trains the weights, so nothing is mended after it: leave correct out")
        pixels = {graph.input: brightest(samples)} if input == "spikes" else {}
        seen = as_spikes(samples, pixels[graph.input], asked.steps, initial) if pixels else samples
        tuned, thetas = fine_tuned(
            graph, seen, labels, steps=asked.steps, epochs=epochs, seed=seed, granularity=granularity, start=initial
        )
        return _made(tuned, samples[: enough(graph)], replace(asked, correct="none"), known=thetas | pixels)
    return _made(graph, samples, asked)


@dataclass(frozen=True)
class _Asked:
    steps: int
    granularity: Granularity
    schedule: Schedule
    input: Input
    read_out: ReadOut
    initial: float
    correct: Correction
    method: str


def _usual(rule: str) -> Correction:
    """What is mended where nobody said: thresholds that clip on purpose leave means that no bias should bring back."""
    return "none" if rule == "least_divergence" else "bias"


def _whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def _calibration(given: Any) -> tuple[Tensor, Tensor | None]:
    """Samples, and their labels where they came with some."""
    if isinstance(given, Tensor | np.ndarray):
        return _checked(given), None
    if isinstance(given, list | tuple) and len(given) != 2 and given and all(isinstance(x, Tensor) for x in given):
        if len({each.shape for each in given}) > 1:
            raise InputError("calibration samples differ in shape: conversion needs them alike")
        return _checked(torch.stack(list(given))), None
    data = as_dataset(given)
    samples, labels = _checked(data.train_inputs), torch.as_tensor(data.train_labels)
    if len(samples) != len(labels):
        raise InputError(f"{len(samples)} calibration samples came with {len(labels)} labels")
    return samples, labels.long()


def _checked(samples: Any) -> Tensor:
    found = torch.as_tensor(samples)
    if not found.is_floating_point() or not bool(found.isfinite().all()):
        raise InputError("calibration samples must be finite floating-point numbers, scaled as the ANN takes them")
    return found if found.dtype == torch.float64 else found.float()


def _made(
    graph: Graph, samples: Tensor, asked: _Asked, known: dict[str, Tensor] | None = None, said: str = "",
    tried: tuple[dict[str, Any], ...] = (),
) -> Converted:  # fmt: skip
    graph = copy.deepcopy(graph)
    pixels = asked.input == "spikes"
    rule = method("max" if known is not None else asked.method)
    thetas, clipped, errors = calibrate(
        graph, samples, rule, granularity=asked.granularity, steps=asked.steps, start=asked.initial, correct=asked.correct,
        spiking_input=pixels, known=known,
    )  # fmt: skip
    two_sided = pixels and bool((samples < 0).any())
    low, high = 0.0, 1.0
    plan = Plan(asked.steps, asked.schedule, asked.input, asked.read_out, asked.initial, two_sided)
    if asked.read_out == "rate":
        with torch.no_grad():
            seen = as_spikes(samples, thetas[graph.input], asked.steps, asked.initial) if pixels else samples
            scores = answer(graph, seen, lambda step, z: quantised(z, thetas[step.name], asked.steps, asked.initial))
        top = scores.topk(min(2, scores.shape[1]), dim=1).values
        low, high = float(scores.quantile(0.5)), float(top[:, 0].max())
        plan = Plan(
            asked.steps, asked.schedule, asked.input, "rate", asked.initial, two_sided, low, max(high, low + 1e-6)
        )
    network = spiking(graph, thetas, plan)
    depths = graph.depths(int(pixels))
    populations = tuple(
        Population(
            name, thetas[name], clipped[name], errors[name],
            (depths[name] - 1) * (asked.steps - 1) if asked.schedule == "layers" else 0, _neurons(graph, name),
        )
        for name in graph.relus
    )  # fmt: skip
    said = said or f"{asked.method} by {asked.granularity}, T = {asked.steps}, as asked"
    latency = network.timesteps
    conversion = Conversion(
        asked.method, asked.granularity, plan, asked.correct, populations, graph, thetas, latency,
        f"{said}; {asked.schedule}: {latency} steps to the answer", graph.notes, tried,
    )  # fmt: skip
    made = Converted(network.layers, encoder=network.encoder, decoder=network.decoder, timesteps=latency)
    made.spec, made.conversion = network.spec, conversion
    return made.eval()


def enough(graph: Graph) -> int:
    """How many samples of a data set are taken: a fit of many weights needs many, and wide layers leave room for fewer."""
    return max(_FEWEST, min(_MOST, _VALUES // _widest(graph)))


def _widest(graph: Graph) -> int:
    return max(math.prod(shape) for shape in graph.shapes.values())


def _check_room(graph: Graph, asked: _Asked) -> None:
    """Refuse so many steps that one sample would not lie in memory."""
    populations = max(graph.depths(int(asked.input == "spikes")).values()) if asked.schedule == "layers" else 1
    most = _ROOM // (_widest(graph) * populations)
    if asked.steps > most:
        raise InputError(
            f"T = {asked.steps:,} would take {populations * asked.steps:,} steps of {_widest(graph):,} values for a sample, more "
            f"than is recorded at once: give at most {most:,} timesteps, or a method other than 'auto'"
        )


def _neurons(graph: Graph, name: str) -> int:
    return math.prod(graph.shapes[name])


def _cheapest(
    graph: Graph, samples: Tensor, labels: Tensor | None, asked: _Asked, most_loss: float, corrections: Sequence[Correction]
) -> Converted:  # fmt: skip
    """Thresholds from one half of the samples, the choice on the other; corrections on the nearest by layer, and by channel."""
    if len(samples) < 4:
        raise InputError(
            f"method 'auto' chooses on held-out samples, and {len(samples)} are too few: give at least 4, or a method"
        )
    _check_room(graph, asked)
    cut = len(samples) - max(1, int(_HELD_OUT * len(samples)))
    fits, held = samples[:cut], samples[cut:]
    with torch.no_grad():
        own = answer(graph, held)
    truth = own.argmax(1) if labels is None else labels[cut:]
    best = float((own.argmax(1) == truth).float().mean())
    tried: list[tuple[_Asked, dict[str, Any]]] = []

    def attempt(one: _Asked) -> dict[str, Any]:
        network = _made(graph, fits, one)
        scores = _scores(network, held)
        right = float((scores.argmax(1) == truth).float().mean())
        # by rates the scores have another size: then only answers can be compared
        far = divergence(scores, own) if one.read_out == "membrane" else 1 - right
        few = max(1, min(_COUNTED, _SEEN // (network.timesteps * _widest(graph))))
        activity = record(network, held[:few], batch_size=few)
        operations = sum(activity.total(event) for event in ("synaptic_op", "mac")) / activity.samples
        told = {
            "method": one.method, "granularity": one.granularity, "correct": one.correct, "timesteps": one.steps,
            "loss_points": 100 * (best - right), "divergence": far, "operations_per_sample": operations,
        }  # fmt: skip
        tried.append((one, told))
        return told

    for steps in (asked.steps,) if asked.steps else STEPS:
        here = len(tried)
        for rule, granularity in CANDIDATES:
            if rule == "least_divergence" and _widest(graph) > _TOO_WIDE:
                continue
            attempt(replace(asked, steps=steps, method=rule, granularity=granularity, correct=corrections[0]))
        for granularity in ("layer", "channel"):  # those by layer spike less, those by channel come nearer
            same = [
                each for each in tried[here:] if each[0].granularity == granularity and _usual(each[0].method) != "none"
            ]
            nearest, _ = min(same, key=lambda each: each[1]["divergence"])
            for correct in corrections[1:]:
                attempt(replace(nearest, correct=correct))
        if most_loss > 0 and any(told["loss_points"] <= most_loss for _, told in tried[here:]):
            break  # more steps cost more
    allowed = [each for each in tried if 0 < most_loss >= each[1]["loss_points"]]
    if allowed:
        final, chosen = min(allowed, key=lambda each: each[1]["operations_per_sample"])
        reason = f"fewest operations of {len(tried)} with at most {most_loss:g} points lost"
    elif most_loss:
        final, chosen = min(tried, key=lambda each: each[1]["loss_points"])
        reason = f"least lost of {len(tried)}, none of which stays within {most_loss:g} points"
    else:
        final, chosen = min(tried, key=lambda each: each[1]["divergence"])
        reason = f"nearest to the ANN's answers of {len(tried)}"
    against = "the ANN's own answers" if labels is None else "their labels"
    mended = (
        "" if final.correct == "none" else f" with mended {final.correct if final.correct == 'weights' else 'biases'}"
    )
    said = (
        f"{final.method} by {final.granularity}, T = {final.steps}{mended}: {reason} "
        f"({chosen['loss_points']:.2f} on {len(held)} held-out samples, by {against})"
    )
    return _made(graph, samples, final, said=said, tried=tuple(told for _, told in tried))


def _scores(network: Converted, samples: Tensor) -> Tensor:
    """Scores of the ANN's size, by the closed form where it is exact, else step by step."""
    done = network.conversion
    if done.plan.schedule == "layers" and done.plan.read_out == "membrane":
        return done.scores(samples)
    spikes = done.graph.steps[done.graph.output].kind == "relu"
    worth: Any = done.thetas[done.graph.output] * network.timesteps / done.plan.steps if spikes else 1.0
    with torch.no_grad():
        return torch.cat([network.scores(part) for part in samples.split(256)]) * worth
