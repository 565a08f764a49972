"""What a conversion keeps and costs as T grows: accuracy, rate errors and joules, beside an ANN that skips zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..conversion import convert
from ..datasets import Dataset
from ..errors import InputError
from ..hardware.catalog import load_profile
from ..hardware.variants import skipping
from ..ledger import price
from ..recording.record import record
from ..training.answers import check_fits

_BATCH = 250
_COUNTED = 250  # samples whose events are counted


@dataclass(frozen=True)
class AtSteps:
    """One T: what is right, how wrong rates are, and what a sample costs."""

    timesteps: int
    latency_steps: int
    said: str
    accuracy: float
    rate_error: float  # mean over the populations
    rate_errors: dict[str, float]
    spikes: float
    synaptic_ops: float
    macs: float
    joules: float
    joules_recomputed: float  # with the first layer computed again at every step


@dataclass(frozen=True)
class OverSteps:
    """All T, and the ANN on the same samples and the same device."""

    profile: str
    ann_accuracy: float
    ann_joules: float
    rows: tuple[AtSteps, ...]

    @property
    def said(self) -> str:
        """Up to which T it pays."""
        paid = [row.timesteps for row in self.rows if row.joules < self.ann_joules]
        again = [row.timesteps for row in self.rows if row.joules_recomputed < self.ann_joules]
        kept = f"pays up to T = {max(paid)}" if paid else "pays at no T that was tried"
        computed = f"up to T = {max(again)}" if again else "at none"
        return (
            f"On {self.profile}, against an ANN that skips zeros, the converted network {kept} with its first layer computed "
            f"once, and {computed} with it computed at every step."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "said": self.said}


def over_steps(
    ann: nn.Module, data: Dataset, *, timesteps: Sequence[int] = (2, 4, 8, 16, 32), profile: str = "horowitz-45nm",
    samples: int | None = None, **options: Any,
) -> OverSteps:  # fmt: skip
    """Convert for each T, from training samples, and measure on test samples; `options` are those of `convert`.

    The operations are counted on the first 250 test samples, accuracy on `samples` of them, by default all.

    Raises:
        InputError: no T, or what `convert` refuses.
    """
    if not timesteps:
        raise InputError("a conversion over several T needs at least one: timesteps=(4, 8)")
    inputs, labels = data.test_inputs[:samples], data.test_labels[:samples]
    device = skipping(load_profile(profile), "all")
    ann = ann.eval()
    check_fits("test", ann, inputs, labels)
    own = _right(ann, inputs, labels)
    ann_joules = price(record(ann, inputs[:_COUNTED], batch_size=_BATCH), device).joules_per_sample
    rows = []
    for steps in timesteps:
        network = convert(ann, data, timesteps=steps, **options)
        found = network.conversion
        activity = record(network, inputs[:_COUNTED], batch_size=_BATCH)
        ledger = price(activity, load_profile(profile))
        first = sum(entry.joules for entry in ledger.entries if entry.event == "mac") / activity.samples
        exact = found.plan.schedule == "layers" and found.plan.read_out == "membrane"
        errors = {each.name: each.rate_error for each in found.populations}
        once = found.plan.schedule == "layers"  # the image came once; else it came T times
        rows.append(
            AtSteps(
                steps, found.latency_steps, found.said, _right(found if exact else network, inputs, labels),
                sum(errors.values()) / len(errors), errors, activity.per_sample("spike"), activity.per_sample("synaptic_op"),
                activity.per_sample("mac"), ledger.joules_per_sample - (0 if once else first * (1 - 1 / steps)),
                ledger.joules_per_sample + (first * (steps - 1) if once else 0),
            )
        )  # fmt: skip
    return OverSteps(load_profile(profile).title, own, ann_joules, tuple(rows))


def _right(network: Any, inputs: Tensor, labels: Tensor) -> float:
    right = 0
    with torch.no_grad():
        for part, truth in zip(inputs.split(_BATCH), labels.split(_BATCH), strict=True):
            found = network.scores(part) if hasattr(network, "scores") else network(part)
            right += int((found.argmax(1) == truth).sum())
    return right / len(inputs)
