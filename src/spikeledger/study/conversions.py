"""What a conversion keeps and costs as T grows: accuracy, rate errors and joules, beside an ANN that skips zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..activity import Activity
from ..conversion import convert
from ..datasets import Dataset
from ..errors import InputError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..hardware.variants import once_at_first, skipping
from ..ledger import price
from ..recording.record import record
from ..training.answers import check_fits

_BATCH = 250
_AT_ONCE = 50  # that are recorded together
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
        kept = self._until("its first layer computed once", "joules")
        again = self._until("it computed at every step", "joules_recomputed")
        return f"On {self.profile}, against an ANN that skips zeros, the converted network pays {kept}, and {again}."

    def _until(self, how: str, bill: str) -> str:
        paid = [row for row in self.rows if getattr(row, bill) < self.ann_joules]
        if not paid:
            return f"at no T that was tried with {how}"
        last = max(paid, key=lambda row: row.timesteps)
        share, lost = getattr(last, bill) / self.ann_joules, 100 * (self.ann_accuracy - last.accuracy)
        return (
            f"up to T = {last.timesteps} with {how} ({100 * share:.0f} % of the joules, {lost:.2f} points lost there)"
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
    ann_joules = price(record(ann, inputs[:_COUNTED], batch_size=_AT_ONCE), device).joules_per_sample
    rows = []
    for steps in dict.fromkeys(timesteps):  # one that is given twice is one
        network = convert(ann, data, timesteps=steps, **options)
        found = network.conversion
        activity = record(network, inputs[:_COUNTED], batch_size=_AT_ONCE)
        once, again = both_bills(activity, device, steps, came_once=found.plan.schedule == "layers")
        exact = found.plan.schedule == "layers" and found.plan.read_out == "membrane"
        errors = {each.name: each.rate_error for each in found.populations}
        rows.append(
            AtSteps(
                steps, found.latency_steps, found.said, _right(found if exact else network, inputs, labels),
                sum(errors.values()) / len(errors), errors, activity.per_sample("spike"), activity.per_sample("synaptic_op"),
                activity.per_sample("mac"), once, again,
            )
        )  # fmt: skip
    return OverSteps(load_profile(profile).title, own, ann_joules, tuple(rows))


def both_bills(activity: Activity, device: HardwareProfile, steps: int, *, came_once: bool) -> tuple[float, float]:
    """Joules a sample with the first layer's current computed once and kept, and with it computed at each of T steps.

    `came_once` says that the image was recorded as one push, as the layer schedule has it, and not T times. The device has to
    skip zeros: a dense one multiplies the silence after the push too.
    """
    ledger = price(activity, device)
    if not came_once:
        return price(activity, once_at_first(device)).joules_per_sample, ledger.joules_per_sample
    graded = {entry.layer for entry in ledger.entries if entry.event == "mac"}
    first = sum(entry.joules for entry in ledger.entries if entry.layer in graded) / activity.samples
    return ledger.joules_per_sample, ledger.joules_per_sample + first * (steps - 1)


def _right(network: Any, inputs: Tensor, labels: Tensor) -> float:
    right = 0
    with torch.no_grad():
        for part, truth in zip(inputs.split(_BATCH), labels.split(_BATCH), strict=True):
            found = network.scores(part) if hasattr(network, "scores") else network(part)
            right += int((found.argmax(1) == truth).sum())
    return right / len(inputs)
