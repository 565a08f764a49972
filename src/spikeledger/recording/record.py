"""record(network, inputs) -> Activity, and the same around a user's own loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..activity import Activity
from ..errors import InputError, unknown_name
from .books import Pooling
from .layouts import layout_of
from ..listening.neurons import LAYOUTS, Layout, kind_of
from .preserve import preserved
from .recorder import Recorder


def record(
    network: nn.Module,
    inputs: Any,
    *,
    pooling: Pooling = "fold",
    layout: Layout | None = None,
    timesteps: int | None = None,
    step_by_step: bool = False,
    batch_size: int = 256,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Activity:
    """Run a network on inputs and count every event: `activity = record(net, data.test_inputs[:1000])`.

    The network runs in evaluation mode without gradients, from rest, in batches of `batch_size` samples; afterwards its
    mode, buffers, hidden states, hooks and attributes, and the random numbers, are as they were.

    Args:
        network: any torch module.
        inputs: samples `[B, *N]` for a network with an encoder or without time, sequences `[T, B, *N]` otherwise; or a
            `DataLoader` (any iterable of such batches, alone or with labels), whose batches are read one by one.
        pooling: `fold` counts linear pooling of spikes as part of the synapses behind it, `separate` on its own.
        layout: leading axes of the inputs: `B`, `TB` or `BT`; found out where it is not said.
        timesteps: for networks that take one step a call: how often each batch of samples `[B, *N]` is presented.
        step_by_step: for networks that take one step a call: present sequences `[T, B, *N]` one step after the other.
        batch_size: samples that run at once; the counts do not depend on it.
        seed: of the random numbers, the encoder's too.
        progress: called with samples done and samples in all (0: unknown).
    """
    if layout is not None and layout not in LAYOUTS:
        raise unknown_name("layout", str(layout), LAYOUTS)
    if batch_size < 1:
        raise InputError(f"a recording was asked for batches of {batch_size} samples, but needs at least 1")
    if timesteps is not None and (timesteps < 1 or step_by_step):
        raise InputError(f"timesteps={timesteps} cannot be: give at least 1, and not together with step_by_step=True")
    recorder = Recorder(network, pooling=pooling)
    tensors = isinstance(inputs, Tensor | np.ndarray | list | tuple)
    batches = [inputs] if tensors else (_inputs_of(batch) for batch in inputs)
    kind = _number_format(network)
    total = (_checked(batch, kind) for batch in batches)
    run = _Run(network, recorder, layout, timesteps, step_by_step)
    with preserved(network), torch.no_grad():
        network.eval()
        torch.manual_seed(seed)
        reseed: Any = getattr(network, "reseed", None)
        if reseed is not None:
            reseed(seed)
        for whole in total:
            axis = run.batch_axis(whole)
            size = whole.shape[axis]
            for start in range(0, size, batch_size):
                run.present(whole.narrow(axis, start, min(batch_size, size - start)))
                if progress is not None:
                    progress(run.samples, size if tensors else 0)
    if not run.samples:
        raise InputError("the inputs hold no batch: there is nothing to record")
    # samples alone: the neurons know better how many there were, for some libraries merge the steps into the batch
    merged = run.layout == "B" and run.steps is None and recorder.has_neurons
    return recorder.activity(samples=None if merged else run.samples, timesteps=run.steps)


@contextmanager
def recording(network: nn.Module, *, samples: int = 0, pooling: Pooling = "fold") -> Iterator[Recorder]:
    """Count what a network does inside the user's own loop: `with recording(net) as rec: ...; rec.activity()`.

    Backward passes and optimisers are not counted, nor is what runs outside all modules of the network except its
    weighted operators and poolings. `rec.activity(samples=..., timesteps=...)` says what cannot be found out.
    """
    recorder = Recorder(network, pooling=pooling, samples=samples)
    with recorder.active():
        yield recorder


class _Run:
    """One recording under way: how batches are presented, and how many samples there were."""

    def __init__(
        self, network: nn.Module, recorder: Recorder, layout: Layout | None, timesteps: int | None, step_by_step: bool
    ) -> None:
        self.network = network
        self.recorder = recorder
        self.layout = layout or ("TB" if step_by_step else "B" if timesteps else None)
        self.step_by_step = step_by_step
        self.repeats = timesteps
        self.samples = 0
        self.steps: int | None = timesteps

    def batch_axis(self, whole: Tensor) -> int:
        """Which axis of a batch of inputs holds the samples."""
        if self.layout is None:
            self.layout = layout_of(self.network, whole)
        layout = self.layout
        if whole.dim() < len(layout):
            raise InputError(
                f"inputs of shape {list(whole.shape)} have no {layout} axes: pass layout='B', 'TB' or 'BT'"
            )
        if 0 in whole.shape[: len(layout)]:
            raise InputError(
                f"inputs of shape {list(whole.shape)} hold no sample or no step: there is nothing to record"
            )
        if "T" in layout:
            steps = whole.shape[layout.index("T")]
            if self.samples and steps != self.steps:
                raise InputError(f"a batch has {steps} steps, those before had {self.steps}: record them apart and add")
            self.steps = steps
        return layout.index("B")

    def present(self, part: Tensor) -> None:
        """Run the network on some samples, from rest."""
        assert self.layout is not None
        for module in self.network.modules():
            kind = kind_of(module)
            if kind is not None:
                kind.to_rest(module)
        self.recorder.new_sequence()
        calls: Iterable[Tensor] = (part,)
        if self.step_by_step:
            calls = part.unbind(self.layout.index("T"))
        elif self.repeats:
            calls = (part for _ in range(self.repeats))
        with self.recorder.active():
            for call in calls:
                self.network(call)
        self.samples += part.shape[self.layout.index("B")]


def _inputs_of(batch: Any) -> Any:
    """The inputs of a loader's batch, which may come with labels."""
    if isinstance(batch, dict):
        return next(iter(batch.values()))
    return batch[0] if isinstance(batch, tuple | list) else batch


def _number_format(network: nn.Module) -> torch.dtype | None:
    """What whole numbers and numpy's float64 become: the weights' own format; nothing if they may be indices."""
    if any(isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in network.modules()):
        return None
    formats = [weight.dtype for weight in network.parameters() if weight.is_floating_point()]
    return formats[0] if formats else torch.get_default_dtype()


def _checked(inputs: Any, kind: torch.dtype | None) -> Tensor:
    given = isinstance(inputs, Tensor)
    tensor = inputs if given else torch.as_tensor(np.asarray(inputs))
    if tensor.is_complex() or tensor.numel() == 0:
        raise InputError(f"inputs of shape {list(tensor.shape)} hold no real values: there is nothing to record")
    if tensor.dim() == 0:
        raise InputError("the input is a single number: a network takes samples [B, *N]")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        bad = int((~torch.isfinite(tensor)).sum())
        raise InputError(f"the inputs hold {bad:,} values that are NaN or infinite: clean them first")
    if kind is not None and not (given and tensor.is_floating_point()):
        tensor = tensor.to(kind)
    return tensor
