"""What a training run gave, epoch by epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .. import units


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
class Fit:
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
