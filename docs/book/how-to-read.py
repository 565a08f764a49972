# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 0 How to read this book
#
# **The question.** A book full of numbers: why believe any of them?
#
# Because you can run them. Each chapter is a small Python program with words between its lines. When the book is built,
# every program runs, and what it prints is what you see. If one line fails, there is no book. Where a run takes too long
# for a page (60,000 digits, say) the words name the program, the machine and the day.
#
# You need Python and a little numpy. No neuroscience, and no chip. Here is the whole journey in a few lines; every
# word in it gets a chapter of its own.

# %%
import matplotlib.pyplot as plt
import torch

import spikeledger as sl

torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(4, 3, bias=False), sl.neurons.LIF(0.9))
spikes_in = (torch.rand(30, 1, 4) < 0.3).float()  # 30 steps, 1 sample, 4 inputs: 1 is a spike, 0 is silence
with torch.no_grad():
    network[0].weight.uniform_(0.1, 0.6)
    spikes_out = network(spikes_in)
figure, axis = plt.subplots(figsize=(7, 2))
axis.eventplot([torch.nonzero(row)[:, 0].numpy() for row in spikes_in[:, 0].T], lineoffsets=range(4), linelengths=0.7)
axis.eventplot(
    [torch.nonzero(row)[:, 0].numpy() for row in spikes_out[:, 0].T],
    lineoffsets=range(5, 8), linelengths=0.7, colors="C1",
)  # fmt: skip
axis.set(xlabel="step", yticks=[1.5, 6], yticklabels=["inputs", "neurons"])
plt.tight_layout()
plt.show()

# %% [markdown]
# Every dash is a *spike*: an event without a size. That is all that neurons of this book say to each other. What
# happened can be counted, exactly, and what is counted can be priced:

# %%
activity = sl.record(network, spikes_in)
ledger = sl.price(activity, "loihi").without("static")
print(
    f"{int(spikes_in.sum())} spikes came in, each through 3 synapses: {activity.total('synaptic_op')} synaptic operations"
)
print(f"{activity.total('neuron_update')} updates of neurons, {activity.total('spike')} spikes sent")
print(
    f"estimated {1e9 * ledger.joules:.2f} nJ on Loihi, {1e9 * ledger.joules_low:.2f} to {1e9 * ledger.joules_high:.2f}"
)
assert activity.total("synaptic_op") == 3 * int(spikes_in.sum())

# %% [markdown]
# ## Four habits
#
# 1. **A count is a whole number**, and it is exact. A spike that goes to three neurons is three synaptic operations.
# 2. **A price has a source and a range.** A number alone says nothing; one with two ends can be wrong, and so can be
#    tested.
# 3. **Measured or estimated** is always said. A meter measures; a count times a price estimates. The two are never
#    added.
# 4. **What cannot be known is refused**, not set to zero. If a chapter meets an error on purpose, it shows the
#    sentence.
#
# ## How the parts fit
#
# Parts 1 and 2 need nothing but numpy: one neuron, then many. Part 3 trains networks, counts and prices them. Part 4
# takes five published texts and computes their numbers again. Part 5 goes down to chips. A lecturer can take any
# chapter alone; each is a page, a picture, and three exercises, and at the top of each page is its notebook.
#
# Figures with a slider are drawn in your browser by the same equations as the Python beside them, and a test holds
# the two together. Nothing on these pages asks another server for anything: they can be read on a train.
#
# ## Where it stands in the code
#
# A chapter is a plain file, `docs/book/NAME.py`; `docs/percent.py` makes it a notebook, and `make book` builds
# everything. What the words mean is in [the glossary](../reference/glossary.md), where things are in [Where is
# it?](../where-is-it.md).
#
# ## What to try
#
# 1. Give the network above no input at all. What does it still cost, and why?
# 2. Double the steps. Which of the three counts double, and which need not?
# 3. Take away `.without("static")`. How much of the total is a chip that waits?
#
# **Sources.** None but the profile's own: Davies et al. 2018, doi:10.1109/MM.2018.112130359, for the prices on Loihi.
