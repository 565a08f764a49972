"""SpikeLedger: what does a spike cost?

`network -> (record | simulate) -> Activity -> (+ HardwareProfile) price -> Ledger -> compare -> report`

Names are imported when they are first used: pricing needs no torch, and `import spikeledger` takes milliseconds.
"""

from __future__ import annotations

import importlib
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import nef as nef
    from . import outlook as outlook
    from . import plasticity as plasticity
    from .activity import Activity as Activity
    from .chip.fits import fits as fits
    from .chip.placement import place as place
    from .chip.simulate import simulate as simulate
    from .conversion import convert as convert
    from .datasets import Dataset as Dataset
    from .datasets import list_datasets as list_datasets
    from .datasets import load_dataset as load_dataset
    from .hardware.catalog import list_profiles as list_profiles
    from .hardware.catalog import load_profile as load_profile
    from .hardware.meter import metered as metered
    from .hardware.profile import HardwareProfile as HardwareProfile
    from .hardware.profile import Price as Price
    from .hardware.template import check_profile as check_profile
    from .hardware.template import write_template as write_template
    from .kernels import surrogates as surrogates
    from .kernels.choice import backend as backend
    from .ledger import Ledger as Ledger
    from .ledger import price as price
    from .listening.neurons import declare_neuron as declare_neuron
    from .listening.neurons import neuron as neuron
    from .listening.neurons import not_a_neuron as not_a_neuron
    from .mapping.map import map as map
    from .networks import decoders as decoders
    from .networks import encoders as encoders
    from .networks import zoo as zoo
    from .networks.delays import Delay as Delay
    from .networks.event_driven import event_driven as event_driven
    from .networks.neurons import IF as IF
    from .networks.neurons import LIF as LIF
    from .networks.neurons import AdaptiveLIF as AdaptiveLIF
    from .networks.neurons import Synaptic as Synaptic
    from .networks.recurrent import Recurrent as Recurrent
    from .networks.spiking import SpikingNetwork as SpikingNetwork
    from .networks.spiking import over_time as over_time
    from .recording.record import record as record
    from .recording.record import recording as recording
    from .recording.rules import rule as rule
    from .stress import robustness as robustness
    from .study.accountant import account as account
    from .study.accountant import account_spikes as account_spikes
    from .study.comparison import Comparison as Comparison
    from .study.comparison import compare as compare
    from .study.counts import activity_from_events as activity_from_events
    from .study.counts import activity_from_spikes as activity_from_spikes
    from .study.opponent import fair_opponents as fair_opponents
    from .study.sensitivity import sensitivity as sensitivity
    from .study.validation import validate as validate
    from .study.widths import equal_accuracy as equal_accuracy
    from .training import loggers as loggers
    from .training import losses as losses
    from .training.adam import Adam as Adam
    from .training.checkpoints import load_network as load_network
    from .training.checkpoints import save_network as save_network
    from .training.evaluate import evaluate as evaluate
    from .training.fit import fit as fit
    from .training.monitor import EnergyMonitor as EnergyMonitor
    from .training.pruning import Pruning as Pruning
    from .training.pruning import prune as prune

from .errors import UnknownAttribute
from .front import public

__version__ = "0.1.0"

#: decorators and context managers, which take what Python gives them
_AS_THEY_ARE = frozenset(["neuron", "declare_neuron", "not_a_neuron", "rule", "recording", "metered", "backend"])

#: public name -> the module that holds it; an empty attribute is the module itself
_HOMES: dict[str, tuple[str, str]] = {
    "IF": ("networks.neurons", "IF"),
    "LIF": ("networks.neurons", "LIF"),
    "Delay": ("networks.delays", "Delay"),
    "Synaptic": ("networks.neurons", "Synaptic"),
    "AdaptiveLIF": ("networks.neurons", "AdaptiveLIF"),
    "Recurrent": ("networks.recurrent", "Recurrent"),
    "SpikingNetwork": ("networks.spiking", "SpikingNetwork"),
    "backend": ("kernels.choice", "backend"),
    "event_driven": ("networks.event_driven", "event_driven"),
    "over_time": ("networks.spiking", "over_time"),
    "surrogates": ("kernels.surrogates", ""),
    "encoders": ("networks.encoders", ""),
    "decoders": ("networks.decoders", ""),
    "zoo": ("networks.zoo", ""),
    "Dataset": ("datasets", "Dataset"),
    "load_dataset": ("datasets", "load_dataset"),
    "list_datasets": ("datasets", "list_datasets"),
    "fit": ("training.fit", "fit"),
    "losses": ("training.losses", ""),
    "EnergyMonitor": ("training.monitor", "EnergyMonitor"),
    "loggers": ("training.loggers", ""),
    "prune": ("training.pruning", "prune"),
    "Pruning": ("training.pruning", "Pruning"),
    "Adam": ("training.adam", "Adam"),
    "evaluate": ("training.evaluate", "evaluate"),
    "save_network": ("training.checkpoints", "save_network"),
    "load_network": ("training.checkpoints", "load_network"),
    "convert": ("conversion", "convert"),
    "record": ("recording.record", "record"),
    "recording": ("recording.record", "recording"),
    "rule": ("recording.rules", "rule"),
    "robustness": ("stress", "robustness"),
    "neuron": ("listening.neurons", "neuron"),
    "declare_neuron": ("listening.neurons", "declare_neuron"),
    "not_a_neuron": ("listening.neurons", "not_a_neuron"),
    "nef": ("nef", ""),
    "plasticity": ("plasticity", ""),
    "map": ("mapping.map", "map"),
    "place": ("chip.placement", "place"),
    "simulate": ("chip.simulate", "simulate"),
    "fits": ("chip.fits", "fits"),
    "Activity": ("activity", "Activity"),
    "HardwareProfile": ("hardware.profile", "HardwareProfile"),
    "Price": ("hardware.profile", "Price"),
    "load_profile": ("hardware.catalog", "load_profile"),
    "list_profiles": ("hardware.catalog", "list_profiles"),
    "price": ("ledger", "price"),
    "Ledger": ("ledger", "Ledger"),
    "check_profile": ("hardware.template", "check_profile"),
    "write_template": ("hardware.template", "write_template"),
    "metered": ("hardware.meter", "metered"),
    "compare": ("study.comparison", "compare"),
    "Comparison": ("study.comparison", "Comparison"),
    "account": ("study.accountant", "account"),
    "account_spikes": ("study.accountant", "account_spikes"),
    "activity_from_events": ("study.counts", "activity_from_events"),
    "activity_from_spikes": ("study.counts", "activity_from_spikes"),
    "fair_opponents": ("study.opponent", "fair_opponents"),
    "equal_accuracy": ("study.widths", "equal_accuracy"),
    "sensitivity": ("study.sensitivity", "sensitivity"),
    "validate": ("study.validation", "validate"),
    "outlook": ("outlook", ""),
}

__all__ = [*_HOMES, "__version__"]

#: what a name of version 0.1, or a word that others use for it, is called here
_SAID_OTHERWISE = {
    "load_chip": "load_profile", "list_chips": "list_profiles", "map_network": "map", "load_device": "load_profile",
    "list_devices": "list_profiles", "check": "fits", "Chip": "HardwareProfile", "Profile": "HardwareProfile",
    "report": "comparison.report('report.html')", "write_page": "comparison.report('report.html')",
    "plot_joules": "comparison.plot()", "plot": "result.plot()", "show": "result.show()", "Leaky": "LIF",
    "Measured": "metered", "breakeven": "compare(...).match(name).break_even", "SavedComparison": "Comparison.load",
    "datasets": "load_dataset", "networks": "zoo", "errors": "errors (from spikeledger import errors)",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        near = _SAID_OTHERWISE.get(name) or _nearest(name)
        hint = f": try {near if '(' in near else f'sl.{near}'}" if near else ""
        raise UnknownAttribute(f"module 'spikeledger' has no attribute '{name}'{hint}")
    module, attribute = _HOMES[name]
    found = importlib.import_module(f".{module}", __name__)
    value = getattr(found, attribute) if attribute else found
    if isinstance(value, types.FunctionType) and attribute not in _AS_THEY_ARE:
        value = public(attribute, value)
    globals()[name] = value
    return value


def _nearest(name: str) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(name, _HOMES, n=1, cutoff=0.7)), "")


def __dir__() -> list[str]:
    return sorted(__all__)
