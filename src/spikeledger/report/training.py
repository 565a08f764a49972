"""Pictures of a training run: what it spends, and how often it is right, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import InputError, unknown_name
from ..training.history import EnergyReading, Fit, Readings
from .axes import Scale, decades
from .curves import Line, curves
from .drawing import Picture
from .wording import joules, percent, sentence

_BOTTOM, _TOP = 220.0, 30.0


def plot_fit(run: Fit, what: str = "joules") -> Picture:
    """Joules a sample after each epoch with their range, or `what="accuracy"`: how often it is right."""
    if what == "joules":
        return _joules("Joules while it trains", "epoch", [row.reading for row in run.history if row.reading])
    if what != "accuracy":
        raise unknown_name("picture of a training run", what, ("joules", "accuracy"))
    if not run.history:
        raise InputError("no epoch was finished: there is nothing to draw")
    numbers = tuple(float(row.number) for row in run.history)
    held = tuple(row.validation_accuracy for row in run.history if row.validation_accuracy is not None)
    lines = [Line("test", numbers, tuple(row.test_accuracy for row in run.history)),
             Line("training", numbers, tuple(row.train_accuracy for row in run.history))]  # fmt: skip
    if len(held) == len(numbers):
        lines.append(Line("validation", numbers, held))
    says = f"{percent(run.test_accuracy or 0.0)} of the test samples are right after epoch {run.best_epoch}."
    return curves("Right answers while it trains", says, lines, across_is="epoch", upwards_is="right answers")


def plot_runs(runs: Mapping[str, Fit], what: str = "accuracy") -> Picture:
    """Several training runs in one picture, by the names of their networks: right answers by epoch, or `what="loss"`."""
    if what not in ("accuracy", "loss"):
        raise unknown_name("picture of training runs", what, ("accuracy", "loss"))
    numbers = {name: tuple(float(row.number) for row in run.history) for name, run in runs.items() if run.history}
    if not numbers:
        raise InputError(
            "no training run was told, sl.compare(..., runs={'ANN': run}), or no epoch finished: nothing to draw"
        )
    kept = [(name, runs[name].best or runs[name].history[-1]) for name in numbers]
    says = "; ".join(f"the weights of {name} are those of epoch {row.number}" for name, row in kept) + "."
    if what == "accuracy":
        lines = [Line(f"{name}, test", at, tuple(row.test_accuracy for row in runs[name].history))
                 for name, at in numbers.items()]  # fmt: skip
        lines += [Line(f"{name}, training", at, tuple(row.train_accuracy for row in runs[name].history))
                  for name, at in numbers.items()]  # fmt: skip
        return curves(
            "Right answers while they train", sentence(says), lines, across_is="epoch", upwards_is="right answers"
        )
    lines = [Line(name, at, tuple(row.loss for row in runs[name].history)) for name, at in numbers.items()]
    scale = Scale(0.0, max(max(line.y) for line in lines) or 1.0, _BOTTOM, _TOP)
    said = "Each loss is its own: the one that its network was trained by, so that lines fall and do not compare."
    return curves(
        "Loss while they train",
        said,
        lines,
        across_is="epoch",
        upwards_is="loss",
        y=scale,
        label=lambda tick: f"{tick:g}",
    )


def plot_monitor(monitor: Readings) -> Picture:
    """Joules a sample at each reading, with their range."""
    return _joules("Joules while it trains", "step", monitor.history)


def _joules(title: str, across_is: str, readings: Sequence[EnergyReading]) -> Picture:
    found = [
        (float(one.number), one.joules_low, one.joules_per_sample, one.joules_high)
        for one in readings
        if one.joules_low is not None and one.joules_per_sample is not None and one.joules_high is not None
    ]
    if not found:
        why = next((one.unpriced for one in readings if one.unpriced), "nothing was recorded, or without a profile")
        raise InputError(f"there are no joules to draw: {why}")
    x, low, nominal, high = zip(*found, strict=True)
    scale: Scale = decades([*low, *nominal, *high], _BOTTOM, _TOP)
    says = f"From {joules(nominal[0])} to {joules(nominal[-1])} a sample on {readings[0].profile}, estimated."
    line = Line(f"{readings[0].profile}; bars from low to high", x, nominal, low, high)
    return curves(title, says, [line], across_is=across_is,
                  upwards_is="estimated joules a sample, log axis", y=scale)  # fmt: skip
