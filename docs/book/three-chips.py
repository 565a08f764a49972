# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 27 One network on three chips
#
# **The question.** The network is trained. Does it fit on a chip, where do its neurons lie, does it still give the same
# answers there, and what does it cost?
#
# Chips differ in what a core holds: so many neurons, so many synapses, so many bits a weight. A network is first *mapped*
# (populations, synapses, delays), then *placed* on cores, then *simulated* step by step.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import spikeledger as sl
from spikeledger.chip.simulate import run
from spikeledger.report.placements import draw_placement

data = sl.load_dataset("digits")
network = sl.zoo.mlp(64, 96, 10, timesteps=8, bias=False)
sl.fit(network, data, epochs=5, batch_size=32, profile=None, progress=False)
inputs, labels = data.test_inputs[:100], np.asarray(data.test_labels[:100])
mapped = sl.map(network, inputs)
print(mapped)
for verdict in sl.fits(mapped):
    print(verdict)

# %% [markdown]
# Every line names the limit that binds most. Now three chips of three kinds: Loihi, digital with many cores; ODIN, a single
# core with weights of few bits; SpiNNaker, small processors that run a program.

# %%
chips = ("loihi", "odin", "spinnaker")
for name in chips:
    for precision in ("float32", "chip"):
        ran = run(network, inputs, name, precision=precision)
        right = 100 * (ran.answers() == labels).mean()
        where = "with the chip's bits" if precision == "chip" else "in 32-bit floats"
        print(f"{name:10s} {where:22s} {right:5.1f} % right, {ran.activity.total('spike'):,} spikes")

# %% [markdown]
# In floats the chip sends the very spikes that torch sends. With few bits a weight is another weight: spikes change, and some
# answers with them, for better or worse. Where a weight has many bits hardly a spike does.
#
# ## What it costs

# %%
ledgers = {name: sl.price(sl.simulate(network, inputs, name), name).without("static") for name in chips}
for name, ledger in ledgers.items():
    print(
        f"{name:10s} estimated {1e9 * ledger.joules_per_sample:12,.1f} nJ a digit "
        f"({1e9 * ledger.joules_low / 100:,.1f} to {1e9 * ledger.joules_high / 100:,.1f})"
    )
figure, axis = plt.subplots(figsize=(6, 2))
axis.barh(chips, [1e9 * ledgers[name].joules_per_sample for name in chips])
axis.set(xscale="log", xlabel="nJ a digit (estimated, static power left out)")
plt.tight_layout()
plt.show()

# %% [markdown]
# The same counts, three prices. That is what a profile is for, and why "neuromorphic" alone is no number.
#
# ## Where it lies
#
# A layer that does not fit into one core is cut, and cores that talk much are laid side by side. A larger network shows it:

# %%
wide = torch.nn.Sequential(
    torch.nn.Linear(256, 2000), sl.neurons.LIF(0.9), torch.nn.Linear(2000, 1500), sl.neurons.LIF(0.9)
)
placed = sl.place(sl.map(wide, torch.zeros(4, 1, 256)), "loihi")
print(placed)
draw_placement(placed)
plt.show()

# %% [markdown]
# ## Where it stands in the code
#
# `sl.map`, `sl.fits`, `sl.place`, `sl.simulate`; `spikeledger chip check`, `place`, `simulate`. Which neurons, codes and
# learning rules each chip has is another question than room: [hardware viability](../reference/viability.md).
#
# ## What to try
#
# 1. Prune half of the weights (`sl.learning.prune`). Which chips does it help, and why not all?
# 2. Train a network that loses nothing at 4 bits. What does it cost in neurons?
# 3. Write the chip that you have in your laboratory as a file: [the last chapter](your-own.py).
#
# **Sources.** Davies et al. 2018, doi:10.1109/MM.2018.112130359 (Loihi); Frenkel et al. 2019, doi:10.1109/TBCAS.2018.2880425
# (ODIN); Furber et al. 2014, doi:10.1109/JPROC.2014.2304638 (SpiNNaker).
