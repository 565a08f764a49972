# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 29 There and back: networks as files
#
# **The question.** The network was trained in one library, and the chip's tools are another's. How does it travel
# without becoming another network?
#
# *NIR* is a file format for exactly that: a graph whose nodes are equations. It holds neurons in continuous time, a
# time constant and a threshold, and **no step**. A network of steps must therefore say which step it means, or it
# means nothing.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import spikeledger as sl
from spikeledger.networks.nir import read_nir, write_nir

torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Linear(16, 24),
    sl.neurons.LIF(0.875, reset="zero"),
    torch.nn.Linear(24, 4),
    sl.neurons.LIF(0.75, reset="zero"),
)
folder = Path(tempfile.mkdtemp())
path = write_nir(network, folder / "network.nir", dt=1e-3)
print(f"{path.stat().st_size:,} bytes")
back = read_nir(path)
print(back)

# %% [markdown]
# ## Is it the same network?
#
# There is one test that counts: the same spikes at the same steps.

# %%
inputs = (torch.rand(60, 8, 16) < 0.3).float() * 3
with torch.no_grad():
    there, again = network(inputs), back(inputs)
print(f"{int(there.sum())} spikes before, {int(again.sum())} after; {int((there != again).sum())} places differ")
assert torch.equal(there, again)
figure, axes = plt.subplots(1, 2, figsize=(8, 2.2), sharey=True)
for axis, spikes, title in zip(axes, (there, again), ("before", "after"), strict=True):
    axis.imshow(spikes[:, 0].T, aspect="auto", cmap="gray_r", interpolation="nearest")
    axis.set(title=title, xlabel="step")
plt.tight_layout()
plt.show()

# %% [markdown]
# ## What would have gone wrong
#
# A decay of 0.875 a step is a time constant only once the step is known: $\beta = 1 - dt/\tau$. Read with another
# step, it is another neuron:

# %%
beta = 0.875
for dt in (1e-3, 1e-4):
    tau = dt / (1 - beta)
    print(f"a step of {1e3 * dt:g} ms: tau {1e3 * tau:.1f} ms")
other = 1 - 1e-4 / (1e-3 / (1 - beta))
print(f"written for 1 ms and read with 0.1 ms, 0.875 becomes {other:.4f}: a membrane that hardly leaks")
with_other = torch.nn.Sequential(
    network[0], sl.neurons.LIF(other, reset="zero"), network[2], sl.neurons.LIF(0.975, reset="zero")
)
with torch.no_grad():
    print(f"{int(there.sum())} spikes become {int(with_other(inputs).sum())}")

# %% [markdown]
# That is no theory: readers of the same file take 1 ms, 0.1 ms, or a whole second for a step when nobody tells them.
# So ours never guesses: a file that does not say its step is refused until `dt=` says it.

# %%
import nir

from spikeledger.errors import SpikeLedgerError

silent = nir.NIRGraph.from_list(nir.Affine(np.eye(4, dtype=np.float32), np.zeros(4, np.float32)),
                                nir.LIF(*(np.full(4, each, np.float32) for each in (0.008, 1.0, 0.0, 1.0))))  # fmt: skip
nir.write(folder / "silent.nir", silent)
try:
    read_nir(folder / "silent.nir")
except SpikeLedgerError as error:
    print(error)
print(read_nir(folder / "silent.nir", dt=1e-3).dt)

# %% [markdown]
# ## What NIR cannot say
#
# Reset by subtraction, a reset one step late, a threshold that is met or passed: these are conventions of steps, and
# the format has no words for them. They are refused, or written as a remark that only we read (`extended=True`);
# never dropped in silence.
#
# ## Where it stands in the code
#
# `spikeledger.networks.nir`, `spikeledger.mapping.exchange`; which library reads what of whom, tested beside them, is
# the table of [exchange networks through NIR](../how-to/chip-nir.md).
#
# ## What to try
#
# 1. Write a network with `sl.neurons.Delay`. What does its file say, and in which unit?
# 2. `sl.neurons.LIF(0.875)` resets by subtraction. What does `write_nir` answer?
# 3. Break a byte in the middle of the file. What do you get?
#
# **Sources.** Pedersen et al. 2024, Nature Communications 15:8122, doi:10.1038/s41467-024-52259-9 (NIR).
