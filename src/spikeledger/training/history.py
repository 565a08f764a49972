"""What a training run gave, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .. import units
from ..shown import Shown

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class EnergyReading:
    """What a network spends on one sample, as one recording of some samples told: counts exact, joules estimated.

    Figures are None, and mappings empty, where there is nothing to tell: without a profile, without spiking neurons, or
    where `unpriced` says why.
    """

    number: int  # of the epoch, or of the call of `EnergyMonitor.step`
    profile: str | None  # the device that prices it
    samples: int  # that were recorded
    joules_per_sample: float | None = None
    joules_low: float | None = None
    joules_high: float | None = None
    spikes_per_sample: float | None = None  # of neurons; an encoder's spikes are input
    synops_per_sample: float | None = None
    macs_per_sample: float | None = None
    spike_rate: float | None = None  # spikes a neuron and step
    joules_by_layer: Mapping[str, float] = field(default_factory=dict)  # a sample; "device" for static power
    rate_by_layer: Mapping[str, float] = field(default_factory=dict)  # population -> spikes a neuron and step
    unpriced: str = ""
    seconds: float = field(default=0.0, compare=False)  # that the recording took on this machine

    def figures(self) -> dict[str, float]:
        """All numbers by name, those of layers as `joules/layer` and `rate/layer`: what loggers write."""
        names = ("joules_per_sample", "joules_low", "joules_high", "spikes_per_sample", "synops_per_sample",
                 "macs_per_sample", "spike_rate")  # fmt: skip
        found = {name: value for name in names if (value := getattr(self, name)) is not None}
        found |= {f"joules/{layer}": value for layer, value in self.joules_by_layer.items()}
        return found | {f"rate/{layer}": value for layer, value in self.rate_by_layer.items()}

    def __str__(self) -> str:
        parts = [f"step {self.number}", energy(self)]
        counts = ("spikes", self.spikes_per_sample), ("SynOps", self.synops_per_sample), ("MACs", self.macs_per_sample)
        parts += [f"{count:,.0f} {what}" for what, count in counts if count]
        return ", ".join(parts) + (f" ({self.unpriced})" if self.unpriced else "")


def energy(reading: EnergyReading) -> str:
    """The joules of a reading with their range, as people read them."""
    if reading.joules_per_sample is None or reading.joules_low is None or reading.joules_high is None:
        return "estimated energy not given"
    ends = f"{units.joules(reading.joules_low)} to {units.joules(reading.joules_high)}"
    return f"estimated {units.joules(reading.joules_per_sample)} a sample on {reading.profile} ({ends})"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training samples, and what the network was worth after it.

    Accuracies are shares from 0 to 1; `train_accuracy` and `loss` are means over the pass, while the weights moved.
    """

    number: int  # from 1
    loss: float
    train_accuracy: float
    validation_accuracy: float | None  # None where nothing was held out
    test_accuracy: float
    spike_rate: float | None  # spikes a neuron and step; None without spiking neurons
    joules_per_sample: float | None  # estimated; None where the profile cannot price the network
    seconds: float = field(compare=False)
    penalty: float | None = None  # mean over the pass, not in `loss`; None without penalties and without pruning
    reading: EnergyReading | None = None  # what it spends, with its range, by layer; None in runs of old files

    def figures(self) -> dict[str, float]:
        """All numbers by name: what loggers write."""
        names = ("loss", "train_accuracy", "validation_accuracy", "test_accuracy", "penalty")
        found = {name: value for name in names if (value := getattr(self, name)) is not None}
        return found | (self.reading.figures() if self.reading else {})

    def __str__(self) -> str:
        parts = [f"epoch {self.number}", f"loss {self.loss:.4f}", f"train {self.train_accuracy:.2%}"]
        if self.validation_accuracy is not None:
            parts.append(f"validation {self.validation_accuracy:.2%}")
        parts.append(f"test {self.test_accuracy:.2%}")
        if self.penalty:
            parts.append(f"penalty {self.penalty:.4f}")
        if self.spike_rate is not None:
            parts.append(f"{self.spike_rate:.3f} spikes a neuron and step")
        energy = "not given" if self.joules_per_sample is None else f"{units.joules(self.joules_per_sample)} a sample"
        return ", ".join([*parts, f"estimated energy {energy}", f"{self.seconds:.1f} s"])


@dataclass(frozen=True)
class Fit(Shown):
    """A training run: its epochs, and which one the network's weights are from.

    Attributes:
        history: the epochs that were finished.
        best_epoch: number of the epoch whose weights the network has: the highest validation accuracy, of equals the
            latest; with penalties or pruning the last; 0 if none was finished.
        stopped: whether Ctrl-C ended it early.
        profile: what the joules are estimated on; None if they were not asked for.
    """

    history: tuple[Epoch, ...]
    best_epoch: int
    stopped: bool
    profile: str | None

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights the network has; None if none was finished."""
        return self.history[self.best_epoch - 1] if self.best_epoch else None

    @property
    def test_accuracy(self) -> float | None:
        """Test accuracy of the weights that the network has; None if no epoch was finished."""
        return self.best.test_accuracy if self.best else None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with a versioned schema."""
        return {
            "schema": "spikeledger-fit/1", "profile": self.profile, "best_epoch": self.best_epoch,
            "stopped": self.stopped, "history": [asdict(epoch) for epoch in self.history],
        }  # fmt: skip

    def to_dataframe(self) -> pandas.DataFrame:
        """One row an epoch: its figures."""
        import pandas

        return pandas.DataFrame([{"epoch": one.number, **one.figures()} for one in self.history])

    def __repr__(self) -> str:
        how = "stopped" if self.stopped else "done"
        return f"Fit({how} after {len(self.history)} epochs; {self.best or 'no epoch was finished'})"


def best_of(history: tuple[Epoch, ...]) -> int:
    """The epoch to keep: the highest validation accuracy, of equals the latest; without validation the last.

    With penalties or pruning it is the last too: an earlier epoch may be more often right because it spent more.
    """
    if any(row.penalty is not None for row in history):
        return history[-1].number
    ranked = [(-1.0 if row.validation_accuracy is None else row.validation_accuracy, row.number) for row in history]
    return max(ranked, default=(0.0, 0))[1]


class Readings(Shown):
    """What an `EnergyMonitor` has seen: its readings, and what they took.

    Attributes:
        profile: the name of the device; None for counts alone.
        history: the readings so far.
        steps: how often it was called.
    """

    def __init__(self, profile: str | None) -> None:
        self.profile = profile
        self.history: tuple[EnergyReading, ...] = ()
        self.steps = 0

    @property
    def seconds(self) -> float:
        """What all recordings took, in seconds of this machine."""
        return sum(reading.seconds for reading in self.history)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a reading: its step and its figures."""
        import pandas

        return pandas.DataFrame([{"step": one.number, **one.figures()} for one in self.history])

    def __repr__(self) -> str:
        last = f"; {self.history[-1]}" if self.history else ""
        return f"{type(self).__name__}({self.steps} steps, {len(self.history)} recorded{last})"
