# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 23 The paper's kilowatt-hours
#
# **The question.** A paper prints that its spiking network needs 84 times less than its twin. Can its numbers be
# computed again from what it says, and what is left when they are right?
#
# Cassetta, Di Trani & Cavalagli (2023) print kilowatt-hours for three perceptrons on MNIST and five, twenty and fifty
# steps. They state prices (0.58 pJ an accumulation, 1.6 pJ a multiplication) and the networks. That is enough to try.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt

from spikeledger.study import paper

small = [line for line in paper.lines(table=6) if line.row.widths == paper.S]
print(f"{'':10s} {'printed':>12s} {'its arithmetic':>16s}")
for line in small:
    print(f"{line.row.name:10s} {line.as_published:12.5g} {line.its_arithmetic:16.5g} kWh")
    assert abs(line.its_arithmetic / line.as_published - 1) < 2e-3

# %% [markdown]
# Four digits agree. So this is the formula that was used, in one line:
#
# $$ \text{kWh} = T\,\frac{0.58\,\text{pJ} \cdot T N + 1.6\,\text{pJ} \cdot \text{MAC}}{3.6 \cdot 10^5} $$
#
# with $N$ the number of *neurons*. Three things are wrong with it, and each can be seen without running anything.
#
# 1. **$T$ stands in it twice.** Ten times the steps cost a hundred times as much.
# 2. **A kilowatt-hour has $3.6 \cdot 10^6$ joules**, not $3.6 \cdot 10^5$. (That one hits both sides, and cancels in
#    the ratio.)
# 3. **$T N$ are updates of neurons.** The synaptic operations, each spike through each synapse, are missing: the very
#    thing whose price it is.
#
# ## One correction at a time

# %%
widths, neurons = paper.S, sum(paper.S[1:])
synapses = sum(a * b for a, b in pairwise(widths))
events = paper.corrected_snn(widths, 1) * 3.6e6 / paper.ACCUMULATE - neurons
print(
    f"{neurons} neurons, {synapses:,} synapses; {events:,.0f} of them carry a spike in a step, at the rates assumed here"
)
ratios = {}
for steps in (5, 20, 50):
    ann = paper.MULTIPLY * synapses
    ratios[steps] = {
        "as printed": ann / (paper.ACCUMULATE * steps * steps * neurons),
        "T once": ann / (paper.ACCUMULATE * steps * neurons),
        "synapses counted": ann / (paper.ACCUMULATE * steps * (neurons + events)),
    }
    print(f"T = {steps:2d}: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios[steps].items()))
figure, axis = plt.subplots(figsize=(6, 2.8))
for name in ratios[5]:
    axis.plot(list(ratios), [ratios[steps][name] for steps in ratios], "o-", label=name)
axis.axhline(1, color="gray", linewidth=0.8)
axis.set(yscale="log", xlabel="steps", ylabel="ANN / SNN")
axis.legend()
plt.show()
assert ratios[5]["synapses counted"] < 5 < ratios[5]["as printed"]

# %% [markdown]
# Two errors pull in opposite directions, which is why the printed numbers look plausible. Counting $T$ twice makes
# long runs far too dear; leaving out the synapses makes short runs far too cheap. The corrected ratio uses the mean
# brightness of MNIST and a hidden rate of a tenth, which are **assumed**: the paper does not state its rates.
#
# ## The rule that is left
#
# With $r$ spikes a synapse and step, the spiking network does $T r$ additions where its twin does one multiplication.
# It wins while $T r < e_\text{mac} / e_\text{ac}$:

# %%
print(f"break-even: {paper.break_even():.2f} spikes a synapse at the paper's prices")
for name, each in (("S", paper.S), ("M", paper.M), ("L", paper.L)):
    its = paper.most_steps_as_published(each)
    print(f"{name}: at most {paper.most_steps(each):.0f} steps; by the paper's own arithmetic {its:.0f}")

# %% [markdown]
# ## Where it stands in the code
#
# `spikeledger.study.paper` holds every row of three tables; profiles `published-paper-002-12nm` and `-45nm` its
# prices; `tests/published` checks each to its printed digits.
#
# ## What to try
#
# 1. Compute every row: `paper.lines()`. One network cannot be the one that is stated. Which, and how does one see it?
# 2. Give the twin 8-bit numbers at 45 nm, 0.2 pJ + 0.03 pJ. Where is the break-even now?
# 3. At which hidden rate does the smallest network win at 50 steps?
#
# **Sources.** Cassetta, Di Trani & Cavalagli 2023, "On the spiking neural networks for the energy efficiency"; prices
# at 12 nm as the paper states them.
