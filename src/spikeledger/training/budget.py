"""What a training run may spend: its penalties, its pruning, and the zeros that it leaves at zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..activity import Activity
from ..errors import FileFormatError, InputError
from ..listening.neurons import Layout
from ..recording.record import record
from .answers import sequences
from .losses import Penalty
from .pruning import Pruning, pruned
from .tap import Tap, tapped

#: samples that are recorded to learn a network's layers, fan-outs and what arrives where
LOOKED_AT = 256


class Budget:
    """The penalties and the pruning of one run over `steps` batches."""

    def __init__(
        self, network: nn.Module, samples: Tensor, penalties: Sequence[Penalty], prune: Pruning | None, keep_zeros: bool
    ) -> None:
        for penalty in penalties:
            if not callable(penalty):
                raise InputError(
                    f"a penalty is {penalty!r}, but must be one of sl.losses (spike_rate, synops, joules) or a callable"
                )
        if prune is not None and not isinstance(prune, Pruning):
            raise InputError(f"prune is {prune!r}, but must be a schedule: sl.learning.Pruning(0.8)")
        self.network, self.samples = network, samples[:LOOKED_AT]
        self.penalties, self.pruning, self.keep_zeros = tuple(penalties), prune, keep_zeros
        self._facts: Activity | None = None
        self._masks: list[tuple[nn.Parameter, Tensor]] = []

    @property
    def watches(self) -> bool:
        """Whether anything is spent or pruned that an epoch's line should tell."""
        return bool(self.penalties) or self.pruning is not None

    def begin_epoch(self) -> None:
        """Look at the network anew, so that an epoch depends on nothing but the weights that it begins with."""
        self._facts = None
        self._masks = pruned(self.network) if self.keep_zeros else []

    @property
    def facts(self) -> Activity:
        """A recording of the network with its present zeros."""
        if self._facts is None:
            layout: Layout = "TB" if getattr(self.network, "input_layout", "B") == "TB" else "B"
            place = next(self.network.parameters()).device
            inputs = sequences(self.network, self.samples.to(place))
            modes = [(module, module.training) for module in self.network.modules()]
            try:
                self._facts = record(self.network, inputs, layout=layout)
            finally:
                for module, training in modes:
                    module.training = training
        return self._facts

    @contextmanager
    def listening(self) -> Iterator[Tap | None]:
        """Around the forward pass of a batch."""
        if not self.penalties:
            yield None
            return
        with tapped(self.network, self.facts) as tap:
            yield tap

    def penalty(self, tap: Tap | None, samples: int) -> Tensor | None:
        """The sum of all penalties of a batch; None where there are none."""
        if tap is None:
            return None
        batch = tap.batch(samples)
        return torch.stack([penalty(batch) for penalty in self.penalties]).sum()

    def after(self, step: int, steps: int) -> None:
        """After the weights moved for the `step`-th time: zeros are zeros again, and what is due is pruned."""
        with torch.no_grad():
            for weight, mask in self._masks:
                weight.mul_(mask)
        due = None if self.pruning is None else self.pruning.due(step, steps)
        if due is not None and self.pruning is not None:
            self._facts = None  # what arrives where has changed since
            self.pruning.apply(self.network, self.facts, *due)
            self._facts, self._masks = None, pruned(self.network)

    def zeros(self) -> dict[str, Tensor]:
        """The zeros that stay so until the epoch ends, by the number of their weights."""
        return {f"zeros/{number}": mask != 0 for number, (_, mask) in enumerate(self._masks)}

    def put(self, zeros: Mapping[str, Tensor]) -> None:
        """Take up what `zeros` gave, in the middle of an epoch."""
        weights = [each for each in zeros if each.startswith("zeros/")]
        if len(weights) != len(self._masks) or any(
            zeros.get(f"zeros/{number}", torch.empty(0)).shape != mask.shape
            for number, (_, mask) in enumerate(self._masks)
        ):
            raise FileFormatError(
                "a checkpoint's zeros are not of this network's weights: train again in another folder"
            )
        self._masks = [
            (weight, zeros[f"zeros/{number}"].to(mask.dtype)) for number, (weight, mask) in enumerate(self._masks)
        ]

    def settings(self) -> dict[str, str]:
        """What has to be the same when a run goes on."""
        told = {}
        if self.penalties:
            told["penalties"] = "; ".join(_told(penalty) for penalty in self.penalties)
        if self.pruning is not None:
            told["prune"] = str(self.pruning)
        return told


def _told(penalty: Penalty) -> str:
    name = getattr(penalty, "__name__", None)
    return name if isinstance(name, str) else repr(penalty)
