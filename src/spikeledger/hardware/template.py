"""A profile of one's own: `write_template("my-chip.toml")`, then `check_profile("my-chip.toml")`."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..events import EVENTS, TERMS
from ..reading import is_there
from ..writing import write_whole
from .catalog import load_profile
from .profile import HardwareProfile

_TEMPLATE = """\
# A hardware profile: what each event costs on one device. Units are SI: joules, watts, seconds, bits.
# Every number has a low and a high end, a kind (measured | simulated | claimed | assumed) and a source.
# Check it with:  spikeledger profiles check {file}

name = "{name}"
title = "My chip, 28 nm"
summary = "One sentence: what it is and how the numbers came about."
runs = ["snn"]                # "snn", "ann" or both
skips = "spikes"              # zeros that cost nothing: "none" (dense machine), "spikes", "all"
updates = "every_step"        # the membrane moves at "every_step" or only "on_event"
bill = "full"                 # "ops-only", "memory", "full"; see the explanation of prices
node_nm = 28
volts = 0.8
caveat = ""                   # printed below every total

# Events that shall not be charged, each with the reason that reports print.
[leaves_out]
hop = "hops are known only after placement on a chip"

[precision]
arithmetic = "integer"        # "float", "integer", "analog"
weight_bits = 8
activation_bits = 8
state_bits = 16

# One table an event. Events: {events}
[prices.synaptic_op]
joules = 10e-12
low = 5e-12
high = 20e-12
scope = "marginal"            # a slope; "all_in" is chip power over event rate and never gets static power on top
kind = "assumed"
source = "REPLACE: paper, DOI, table or page"
includes = ["weight_read"]    # what this price pays for already

[prices.neuron_update]
joules = 50e-12
low = 25e-12
high = 100e-12
kind = "assumed"
source = "REPLACE: paper, DOI, table or page"
includes = ["state_read", "state_write", "bias_add", "spike", "packet", "activation_read", "activation_write"]

# Memory instead of a price for each read: the smallest level that holds the layer is taken.
# [[memory]]
# name = "core SRAM"
# bytes = 131072
# access_bits = 64
# joules = 20e-12
# low = 10e-12
# high = 60e-12
# kind = "assumed"
# source = "REPLACE: paper, DOI, table or page"

[static]
watts = 0.1
low = 0.05
high = 0.2
state = "programmed and idle" # in which state was it measured?
kind = "assumed"
source = "REPLACE: paper, DOI, table or page"

[timing]
seconds_per_step = 1e-5       # also: seconds_per_barrier, seconds_per_sample, seconds_per_batch and batch,
low_factor = 0.5              # [timing.seconds_per_event] with one row an event, and utilisation
high_factor = 2.0
kind = "assumed"
source = "REPLACE: paper, DOI, table or page"

# A chip that networks are placed on says how its cores are made, too; a limit that is left out is not known to exist.
# [core]
# neurons = 1024
# synapses = 65536             # or memory_bytes, neuron_bytes and synapse_bytes
# fan_in = 4096
# delay_steps = 63             # the longest delay of a synapse
# weight_bits = 8
# assumed = ["synapses"]       # those of these numbers that the source does not give
# source = "REPLACE: paper, DOI, table or page"
# [mesh]
# columns = 4
# rows = 8
# chips = 1                    # that work together
# source = "REPLACE: paper, DOI, table or page"
# [seconds]                    # of each part of a step
# synaptic_op = 1e-9
# update = 5e-9
# barrier = 1e-6
# source = "REPLACE: paper, DOI, table or page"
# [abilities]
# has = ["leak", "refractory"] # of leak, current, conductance, adaptation, refractory, learning, stdp
# source = "REPLACE: paper, DOI, table or page"

# Power and peak rates: prices that would draw more than the device can are refused.
# [limits]
# watts = 1.0
# kind = "claimed"
# source = "REPLACE: data sheet, page"
# [limits.events_per_second]
# synaptic_op = 1e10
"""

#: high over low above which a range says little
_WIDE = 30.0


def write_template(path: str | os.PathLike[str]) -> Path:
    """Write a commented profile to start from; never over a file that is there."""
    target = Path(path)
    if not target.name:
        raise InputError(f"'{target}' is a folder: give the name of a file in it")
    if target.suffix != ".toml":
        target = target.with_name(target.name + ".toml")
    if is_there(target):
        raise InputError(f"'{target}' is there already: choose another name")
    text = _TEMPLATE.format(file=target.name, name=target.stem, events=", ".join(EVENTS))
    return write_whole(target, text)


def check_profile(profile: str | os.PathLike[str] | HardwareProfile) -> list[str]:
    """What a profile lacks or rests on, in sentences; an empty list is a profile that charges everything.

    Raises:
        ProfileError: it does not load at all; the message names every fault.
    """
    device = load_profile(profile)
    remarks = [
        f"{where}: the source is still the template's" for where, part in device.cited() if "REPLACE" in part.source
    ]
    remarks += _uncharged(device)
    if device.static is None and not device.all_in:
        remarks.append("static: no watts are given, so idle power is not charged")
    if device.timing is None and not device.all_in:
        remarks.append("timing: no durations are given, so latency and static joules are unknown")
    remarks += [f"plausibility: {text}" for text in device.implausible]
    for where, part in device.cited():
        low, high = getattr(part, "low", None), getattr(part, "high", None)
        if low is not None and high and (low == 0 or high / low > _WIDE):
            remarks.append(f"{where}: the range of {low:.3g} to {high:.3g} is so wide that it decides little")
        if part.kind == "assumed":
            remarks.append(f"{where}: assumed ({part.note or part.source})")
    return remarks


def _uncharged(device: HardwareProfile) -> list[str]:
    paid = set(device.prices) | set(device.leaves_out) | device.included | {"second", "dense_op"}
    if device.memory:
        paid |= set(TERMS["memory"])
    if device.all_in:
        paid |= set(TERMS["routing"])
    if "neuron_update" in paid:
        paid.add("active_update")
    missing = [event for event in EVENTS if event not in paid]
    return (
        [f"prices: no price for {', '.join(missing)}; a network in which they happen gets no total"] if missing else []
    )
