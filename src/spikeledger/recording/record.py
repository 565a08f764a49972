"""record(network, data) -> Activity, and the same around a user's own loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..activity import Activity
from ..errors import InputError, cannot_run, unknown_name
from ..listening.neurons import LAYOUTS, Layout, to_rest
from ..listening.parameters import not_numbers
from .books import Pooling
from .inputs import Given, batches, inputs_of
from .layouts import check_ran, check_said, check_sequences, layout_of
from .operator_kinds import UserRule
from .preserve import Snapshot, preserved
from .recorder import Recorder

Inputs = Literal["values", "counts"]


def record(
    network: nn.Module,
    data: Any = None,
    *,
    inputs: Any = "values",
    pooling: Pooling = "fold",
    layout: Layout | None = None,
    samples: int | None = None,
    timesteps: int | None = None,
    step_by_step: bool = False,
    batch_size: int = 256,
    seed: int = 0,
    rules: Mapping[str, str | UserRule] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Activity:
    """Run a network on data and count every event: `activity = record(net, data.test_inputs[:1000])`.

    The network runs in evaluation mode without gradients, from rest, in batches of `batch_size` samples; afterwards its
    mode, buffers, hidden states, hooks and attributes, and the random numbers, are as they were.

    Args:
        network: any torch module.
        data: samples `[B, *N]` for a network with an encoder or without time, sequences `[T, B, *N]` otherwise; a tuple
            of several for a network that takes several, a dictionary by its names; or a `DataLoader` (any iterable of
            such batches, alone or with labels), whose batches are read one by one.
        inputs: `counts` if the values are numbers of events, each of which is one spike; `values` otherwise.
        pooling: `fold` counts linear pooling of spikes as part of the synapses behind it, `separate` on its own.
        layout: leading axes of the data: `B`, `TB` or `BT`; found out where it is not said.
        samples: how many samples there were, where the batch axis does not say so.
        timesteps: for networks that take one step a call: how often each batch of samples `[B, *N]` is presented.
        step_by_step: for networks that take one step a call: present sequences `[T, B, *N]` one step after the other.
        batch_size: samples that run at once; the counts do not depend on it.
        seed: of the random numbers, the encoder's too.
        rules: how operators are counted in this recording, as `sl.counting.rule` says it for all.
        progress: called with samples done and samples in all (0: unknown).
    """
    if not isinstance(network, nn.Module):
        raise InputError(
            f"a {type(network).__name__} was given where a network is recorded: record(network, data) takes a torch module"
            + (", not its class: make one first" if isinstance(network, type) else "")
        )
    data = data if isinstance(data, str) else inputs_of(data)
    if not isinstance(inputs, str):  # its name of old
        data, inputs = (inputs, "values") if data is None else (data, inputs)
    if not isinstance(inputs, str) or inputs not in ("values", "counts"):
        raise unknown_name("kind of inputs", str(inputs), ("values", "counts"))
    if data is None:
        raise InputError("a recording needs data to run the network on: samples [B, *N] or sequences [T, B, *N]")
    if layout is not None and layout not in LAYOUTS:
        raise unknown_name("layout", str(layout), LAYOUTS)
    for name, number in (("samples", samples), ("timesteps", timesteps), ("batch_size", batch_size)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise InputError(f"{name}={number!r} is no whole number: give one, such as {name}=10")
    if isinstance(data, str):
        raise InputError(
            f"data is the text {data!r}: load it first, record(network, sl.load_dataset({data!r}).test_inputs)"
        )
    if batch_size < 1:
        raise InputError(f"a recording was asked for batches of {batch_size} samples, but needs at least 1")
    if timesteps is not None and (timesteps < 1 or step_by_step):
        raise InputError(f"timesteps={timesteps} cannot be: give at least 1, and not together with step_by_step=True")
    check_said(network, timesteps, step_by_step)
    for path, bad in not_numbers(network):
        raise InputError(
            f"the network's '{path}' holds {bad:,} values that are NaN: neurons behind them never fire, so nothing that "
            "is counted would be true; load or train it anew"
        )
    recorder = Recorder(network, pooling=pooling, counts=inputs == "counts", rules=rules)
    whole = isinstance(data, Tensor | np.ndarray | list | tuple | dict)
    with preserved(network) as snapshot, torch.no_grad():
        _to_evaluation(network)
        run = _Run(network, recorder, snapshot, layout, timesteps, step_by_step, seed)
        for batch in batches(data, network):
            axis = run.batch_axis(batch)
            size = batch.first.shape[axis]
            for start in range(0, size, batch_size):
                run.present(batch.narrow(axis, start, min(batch_size, size - start)) if size > batch_size else batch)
                if progress is not None:
                    progress(run.samples, size if whole else 0)
    if not run.samples:
        raise InputError("the inputs hold no batch: there is nothing to record")
    told = layout is not None or step_by_step
    check_ran(network, recorder.books, shape=(run.samples, *run.shape[1:]) if run.layout == "B" else run.shape,
              layout=run.layout or "B", told=told, repeats=timesteps)  # fmt: skip
    # samples alone: the neurons know better how many there were, for some libraries merge the steps into the batch
    merged = run.layout == "B" and run.steps is None and samples is None
    merged = merged and (run.merges or recorder.books.rows_are_steps(run.samples))
    recorder.calls.told = not merged
    return recorder.activity(samples=None if merged else samples or run.samples, timesteps=run.steps)


@contextmanager
def recording(
    network: nn.Module, *, samples: int = 0, pooling: Pooling = "fold", inputs: Inputs = "values",
    rules: Mapping[str, str | UserRule] | None = None,
) -> Iterator[Recorder]:  # fmt: skip
    """Count what a network does inside the user's own loop: `with recording(net) as rec: ...; rec.activity()`.

    Backward passes and optimisers are not counted, nor is what runs outside all modules of the network except its
    own weights' operators. `rec.activity(samples=..., timesteps=...)` says what cannot be found out.
    """
    if not isinstance(inputs, str) or inputs not in ("values", "counts"):
        raise unknown_name("kind of inputs", str(inputs), ("values", "counts"))
    recorder = Recorder(network, pooling=pooling, samples=samples, counts=inputs == "counts", rules=rules)
    with recorder.active():
        yield recorder


class _Run:
    """One recording under way: how batches are presented, and how many samples there were."""

    def __init__(
        self, network: nn.Module, recorder: Recorder, snapshot: Snapshot, layout: Layout | None,
        timesteps: int | None, step_by_step: bool, seed: int,
    ) -> None:  # fmt: skip
        self.network = network
        self.recorder = recorder
        self.snapshot = snapshot
        self.layout = layout or ("TB" if step_by_step else "B" if timesteps else None)
        self.step_by_step = step_by_step
        self.repeats = timesteps
        self.samples = 0
        self.shape: tuple[int, ...] = ()
        self.steps: int | None = timesteps
        self.merges = False  # whether a batch of the inputs is cut otherwise than the neurons' one is
        torch.manual_seed(seed)
        reseed: Any = getattr(network, "reseed", None)
        if reseed is not None:
            reseed(seed)

    def batch_axis(self, batch: Given) -> int:
        """Which axis of a batch of inputs holds the samples."""
        whole = batch.first
        if self.layout is None:
            self.layout, self.merges = layout_of(self.network, batch)
        layout, self.shape = self.layout, tuple(whole.shape)
        check_sequences(self.network, self.shape, layout)
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

    def present(self, part: Given) -> None:
        """Run the network on some samples, from rest."""
        assert self.layout is not None
        self.snapshot.states_back()
        to_rest(self.network)
        self.recorder.new_sequence()
        calls: Iterable[Given] = (part,)
        if self.step_by_step:
            calls = part.steps(self.layout.index("T"))
        elif self.repeats:
            calls = (part for _ in range(self.repeats))
        with self.recorder.active():
            for call in calls:
                self._call(call)
        if not self.samples:
            self.recorder.name_states(self.snapshot.changed())
        self.samples += part.first.shape[self.layout.index("B")]

    def _call(self, call: Given) -> None:
        try:
            call(self.network)
        except RuntimeError as error:
            said = cannot_run("the network", call.first.shape, f"{call.first.dtype}, at layout {self.layout!r}", error)
            if said is None:
                raise
            raise said from error


def _to_evaluation(network: nn.Module) -> None:
    try:
        network.eval()
    except NotImplementedError:  # an exported program, which knows no modes
        for module in nn.Module.modules(network):
            module.__dict__["training"] = False
