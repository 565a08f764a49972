"""Joules live: what a network spends while it is trained, by recording one batch of it now and then."""

from __future__ import annotations

import inspect
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ..activity import Activity
from ..errors import CallError, InputError, SpikeLedgerError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..ledger import Ledger, price
from ..listening.neurons import Layout
from ..recording.record import record
from .answers import sequences
from .evaluate import device_of
from .history import EnergyReading, Readings

Heard = Callable[[Any], Any]


class EnergyMonitor(Readings):
    """Joules, spikes and synaptic operations of a network in your own training loop.

    `monitor = sl.EnergyMonitor(net, profile="loihi", every=100)`, then `monitor.step(x)` after each batch or epoch: the
    first call and every `every`-th after it record that batch with `sl.record`, in evaluation mode, without gradients
    and from rest; the network, its states and the random numbers are afterwards as they were. Other calls cost nothing.
    A look costs one recording: `reading.seconds` is what it took, `monitor.seconds` all of them.

    Args:
        network: the network that is trained, any module that `sl.record` takes.
        profile: the device that prices what happened: a name, a file or a profile; None for counts alone.
        every: how many calls of `step` there are to one recording.
        callback: called with each `EnergyReading`: a function, one of `sl.learning.loggers`, or several.
        options: what `sl.record` is told besides: `timesteps`, `step_by_step`, `layout`, `rules`, ...

    Raises:
        InputError: no module, a profile that there is none of, `every` below 1.
    """

    def __init__(
        self,
        network: nn.Module,
        profile: str | os.PathLike[str] | HardwareProfile | None = "horowitz-45nm",
        *,
        every: int = 1,
        callback: Heard | Sequence[Heard] | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise CallError(f"sl.EnergyMonitor was given a {type(network).__name__} where it takes a torch module")
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InputError(
                f"every={every!r} cannot be: say how many steps there are to one recording, such as every=100"
            )
        known = list(inspect.signature(record).parameters)[2:]
        for word in options:
            if word not in known:
                raise CallError(
                    f"sl.EnergyMonitor has no argument '{word}': it has profile, every, callback, {', '.join(known)}"
                )
        self.device = None if profile is None else load_profile(profile)
        super().__init__(None if self.device is None else self.device.name)
        self.network, self.every, self.options = network, every, options
        self.callbacks = listeners(callback)

    def step(self, inputs: Any) -> EnergyReading | None:
        """One step of your loop on these inputs, as the network takes them; the reading, if it was time for one.

        Raises:
            InputError: inputs that the network cannot be recorded on.
        """
        self.steps += 1
        if (self.steps - 1) % self.every:
            return None
        began = time.perf_counter()
        activity = record(self.network, inputs, **self.options)
        reading = read(activity, self.device, number=self.steps, began=began)
        self.history = (*self.history, reading)
        for callback in self.callbacks:
            callback(reading)
        return reading


def listeners(callback: Heard | Sequence[Heard] | None) -> tuple[Heard, ...]:
    """Who is called: nobody, one, or several.

    Raises:
        CallError: something that cannot be called.
    """
    several = () if callback is None else tuple(callback) if isinstance(callback, list | tuple) else (callback,)
    for one in several:
        if isinstance(one, type) or not callable(one):
            raise CallError(
                f"a callback is {one!r:.80}, but is called with each finished record: give a function or one of "
                "sl.learning.loggers"
            )
    return several


def read(
    activity: Activity, profile: HardwareProfile | None, *, number: int, began: float | None = None
) -> EnergyReading:
    """What a recording says of one sample; where it has no price, why."""
    samples = max(activity.samples, 1)
    ledger: Ledger | None = None
    unpriced = ""
    try:
        ledger = None if profile is None else price(activity, profile)
    except SpikeLedgerError as error:  # a device without a price for this network: training goes on, and this is told
        unpriced = str(error)
    spiking = [layer for layer in activity.layers_by_name.values() if layer.spiking]  # an encoder's spikes are input
    steps = activity.samples * activity.timesteps
    spikes = sum(activity.total("spike", layer.name) for layer in spiking)
    chances = sum(math.prod(layer.shape) for layer in spiking) * steps
    rates = {
        layer.name: activity.total("spike", layer.name) / (math.prod(layer.shape) * steps)
        for layer in spiking
        if steps and math.prod(layer.shape)
    }
    return EnergyReading(
        number=number,
        profile=None if profile is None else profile.name,
        samples=activity.samples,
        joules_per_sample=None if ledger is None else ledger.joules_per_sample,
        joules_low=None if ledger is None else ledger.joules_low / samples,
        joules_high=None if ledger is None else ledger.joules_high / samples,
        spikes_per_sample=spikes / samples,
        synops_per_sample=activity.per_sample("synaptic_op"),
        macs_per_sample=activity.per_sample("mac"),
        spike_rate=spikes / chances if chances else None,
        joules_by_layer={} if ledger is None else {k or "device": v / samples for k, v in ledger.by_layer().items()},
        rate_by_layer=rates,
        unpriced=unpriced,
        seconds=0.0 if began is None else round(time.perf_counter() - began, 6),
    )


def after_epoch(network: nn.Module, samples: Tensor, profile: HardwareProfile | None, number: int) -> EnergyReading:
    """What `fit` reads after an epoch; a network that cannot be recorded is trained all the same, and this says why not."""
    layout: Layout = "TB" if getattr(network, "input_layout", "B") == "TB" else "B"
    began = time.perf_counter()
    try:
        activity = record(network, sequences(network, samples.to(device_of(network))), layout=layout)
    except SpikeLedgerError as error:
        return EnergyReading(
            number, profile.name if profile else None, len(samples), unpriced=f"it was not recorded: {error}"
        )
    return read(activity, profile, number=number, began=began)
