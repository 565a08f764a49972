# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 30 Your own profile, neuron and rule
#
# **The question.** My chip is not in the list, my neuron is not in any library, and my layer does something that nobody
# counts. What now?
#
# Everything that comes in kinds takes one more, without a change in the package.
#
# ## A chip of your own
#
# A device is a text file: a price for each event, with its source, its kind (measured, simulated, claimed, assumed) and its
# range. Whoever cannot name a source writes `assumed`, and every report will say so.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

import spikeledger as sl

folder = Path(tempfile.mkdtemp())
(folder / "drawer.toml").write_text("""
name = "drawer"
title = "The chip in my drawer"
runs = ["snn"]

[prices.synaptic_op]
joules = 5e-12
low = 3e-12
high = 9e-12
scope = "marginal"
includes = ["weight_read"]
kind = "assumed"
source = "made up for this page"

[prices.neuron_update]
joules = 1e-12
low = 5e-13
high = 2e-12
scope = "marginal"
includes = ["state_read", "state_write", "bias_add"]
kind = "assumed"
source = "made up for this page"

[prices.spike]
joules = 2e-12
low = 1e-12
high = 4e-12
scope = "marginal"
kind = "assumed"
source = "made up for this page"

[core]
neurons = 64
synapses = 4096
source = "made up for this page"

[mesh]
columns = 4
rows = 2
source = "made up for this page"
""")
torch.manual_seed(0)
network, inputs = nn.Sequential(nn.Linear(32, 100), sl.neurons.LIF(0.9)), (torch.rand(20, 5, 32) < 0.2).float()
activity = sl.record(network, inputs)
mine = sl.price(activity, folder / "drawer.toml")
print(mine)
by_hand = (
    activity.total("synaptic_op") * 5e-12 + activity.total("neuron_update") * 1e-12 + activity.total("spike") * 2e-12
)
assert abs(mine.joules - by_hand) < 1e-9 * by_hand
print(sl.fits(sl.map(network, inputs), folder / "drawer.toml"))

# %% [markdown]
# ## A neuron of your own
#
# This one rests after each spike until it has heard nothing for a step. Say that it is a neuron, and it is counted, priced and
# compared like any other:


# %%
@sl.neuron(layout="TB", state_variables=2)
class Shy(nn.Module):
    def forward(self, currents):
        membrane, quiet, spikes = torch.zeros_like(currents[0]), torch.ones_like(currents[0]), []
        for current in currents:
            membrane = 0.9 * membrane + current * quiet
            spikes.append((membrane > 1).float())
            membrane = membrane * (1 - spikes[-1])
            quiet = (1 - spikes[-1]) * ((quiet > 0) | (current.abs() < 0.1)).float()
        return torch.stack(spikes)


torch.manual_seed(0)
layer = nn.Linear(32, 100)
counts = {}
for name, neurons in (("LIF", sl.neurons.LIF(0.9, reset="zero")), ("Shy", Shy())):
    ran = sl.record(nn.Sequential(layer, neurons), inputs)
    assert not ran.uncounted
    counts[name] = ran.spikes_per_step["1"]
    ledger = sl.price(ran, "horowitz-45nm")
    print(
        f"{name}: {ran.total('spike', '1'):,} spikes, estimated {1e9 * ledger.joules_per_sample:.1f} nJ a sample at 45 nm"
    )
figure, axis = plt.subplots(figsize=(6, 2.6))
for name, each in counts.items():
    axis.plot(each, label=name)
axis.set(xlabel="step", ylabel="spikes in the batch")
axis.legend()
plt.show()

# %% [markdown]
# ## A rule of your own
#
# An operator that has no counting rule is named, and pricing stops there instead of taking it for nothing. One function tells
# what it does:


# %%
class Spectrum(nn.Module):
    def forward(self, values):
        return torch.fft.rfft(values).abs()


def butterflies(values, *_, out, **__):
    size = values.shape[-1]
    return {"mac": values.numel() // size * size * (size - 1).bit_length() // 2}


sound = torch.rand(4, 64)
print([one.operator for one in sl.record(Spectrum(), sound).uncounted])
taught = sl.record(Spectrum(), sound, rules={"_fft_r2c": butterflies})
print(f"{taught.total('mac'):,} multiply-accumulates")
assert not taught.uncounted and taught.total("mac") == 4 * 64 * 6 // 2

# %% [markdown]
# ## Where it stands in the code
#
# [Extending it](../extend.md) has one section a kind, each with the test that yours has to pass;
# [profiles](../reference/profiles.md) explains every field of a device's file.
#
# ## What to try
#
# 1. Give the drawer's chip a `[static]` power of 10 mW. From which rate of digits a second on does it not matter?
# 2. Ask `sl.devices.check_profile` what is missing in the file.
# 3. Put `Shy` into a network and train it. What must its spikes have?
#
# **Sources.** None: everything on this page was made up for it, and its prices say so.
