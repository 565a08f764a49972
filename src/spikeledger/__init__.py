"""SpikeLedger: what does a spike cost?

`network -> (record | simulate) -> Activity -> (+ HardwareProfile) price -> Ledger -> compare -> report`

Names are imported when they are first used: pricing needs no torch, and `import spikeledger` takes milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import counting as counting
    from . import datasets as datasets
    from . import devices as devices
    from . import learning as learning
    from . import nef as nef
    from . import neurons as neurons
    from . import outlook as outlook
    from . import plasticity as plasticity
    from . import questions as questions
    from .activity import Activity as Activity
    from .chip.fits import fits as fits
    from .chip.placement import place as place
    from .chip.simulate import simulate as simulate
    from .conversion import convert as convert
    from .datasets import load_dataset as load_dataset
    from .hardware.catalog import list_profiles as list_profiles
    from .hardware.catalog import load_profile as load_profile
    from .ledger import Ledger as Ledger
    from .ledger import price as price
    from .listening.neurons import neuron as neuron
    from .mapping.map import map as map
    from .networks import decoders as decoders
    from .networks import encoders as encoders
    from .networks import zoo as zoo
    from .networks.spiking import SpikingNetwork as SpikingNetwork
    from .recording.record import record as record
    from .recording.record import recording as recording
    from .stress import robustness as robustness
    from .study.accountant import account as account
    from .study.comparison import Comparison as Comparison
    from .study.comparison import compare as compare
    from .study.sensitivity import sensitivity as sensitivity
    from .training import losses as losses
    from .training.checkpoints import load_network as load_network
    from .training.checkpoints import save_network as save_network
    from .training.evaluate import evaluate as evaluate
    from .training.fit import fit as fit
    from .training.monitor import EnergyMonitor as EnergyMonitor

from .public_face import door

__version__ = "0.1.0"

#: public name -> the module that holds it; an empty attribute is the module itself
_HOMES: dict[str, tuple[str, str]] = {
    # what networks are trained on, and networks
    "load_dataset": ("datasets", "load_dataset"),
    "datasets": ("datasets", ""),
    "zoo": ("networks.zoo", ""),
    "SpikingNetwork": ("networks.spiking", "SpikingNetwork"),
    "neurons": ("neurons", ""),
    "encoders": ("networks.encoders", ""),
    "decoders": ("networks.decoders", ""),
    "convert": ("conversion", "convert"),
    "save_network": ("training.checkpoints", "save_network"),
    "load_network": ("training.checkpoints", "load_network"),
    # training
    "fit": ("training.fit", "fit"),
    "evaluate": ("training.evaluate", "evaluate"),
    "losses": ("training.losses", ""),
    "learning": ("learning", ""),
    "EnergyMonitor": ("training.monitor", "EnergyMonitor"),
    # what happened
    "record": ("recording.record", "record"),
    "recording": ("recording.record", "recording"),
    "neuron": ("listening.neurons", "neuron"),
    "counting": ("counting", ""),
    "Activity": ("activity", "Activity"),
    # what it cost
    "list_profiles": ("hardware.catalog", "list_profiles"),
    "load_profile": ("hardware.catalog", "load_profile"),
    "devices": ("devices", ""),
    "price": ("ledger", "price"),
    "Ledger": ("ledger", "Ledger"),
    # chips
    "map": ("mapping.map", "map"),
    "fits": ("chip.fits", "fits"),
    "place": ("chip.placement", "place"),
    "simulate": ("chip.simulate", "simulate"),
    # questions
    "compare": ("study.comparison", "compare"),
    "Comparison": ("study.comparison", "Comparison"),
    "account": ("study.accountant", "account"),
    "sensitivity": ("study.sensitivity", "sensitivity"),
    "robustness": ("stress", "robustness"),
    "questions": ("questions", ""),
    # from scratch, and at large
    "nef": ("nef", ""),
    "plasticity": ("plasticity", ""),
    "outlook": ("outlook", ""),
}

#: doors of their own, whose names open here too: `sl.LIF` goes on working, for whoever wrote it so
_GROUPS = ("neurons", "learning", "counting", "devices", "questions", "datasets")
#: what a name of version 0.1, or a word that others use for it, is called here
_SAID_OTHERWISE = {
    "load_chip": "load_profile", "list_chips": "list_profiles", "map_network": "map", "load_device": "load_profile",
    "list_devices": "list_profiles", "check": "fits", "Chip": "devices.HardwareProfile",
    "Profile": "devices.HardwareProfile",
    "report": "comparison.report('report.html')", "write_page": "comparison.report('report.html')",
    "plot_joules": "comparison.plot()", "plot": "result.plot()", "show": "result.show()", "Leaky": "neurons.LIF",
    "Measured": "devices.metered", "breakeven": "compare(...).match(name).break_even",
    "SavedComparison": "Comparison.load", "networks": "zoo", "errors": "errors (from spikeledger import errors)",
}  # fmt: skip

__getattr__, __dir__, __all__ = door(__name__, _HOMES, groups=_GROUPS, otherwise=_SAID_OTHERWISE)
