# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 19 Against whom?
#
# **The question.** The spiking network needs few joules. Fewer than what?
#
# A claim of saving needs an opponent, and most published ones chose a weak one: an ANN on a big board that draws power while
# it waits, at 32 bits, multiplying zeros. A fair opponent has the same accuracy, the same technology, the same number of bits,
# and skips what it can skip, as anybody would build it.

# %%
import matplotlib.pyplot as plt

import spikeledger as sl

data = sl.load_dataset("digits")
snn = sl.zoo.mlp(64, 64, 10, timesteps=5)
ann = sl.zoo.twin(snn)  # weights of the same shapes, ReLU in place of neurons
sl.fit(snn, data, epochs=5, batch_size=32, profile=None, progress=False)
sl.fit(ann, data, epochs=5, batch_size=32, profile=None, progress=False)
found = sl.compare(ann, snn, data, profiles=["horowitz-45nm", "v100:loihi"], samples=200)
for row in found.rows():
    print(" | ".join(row))

# %% [markdown]
# The second row is the kind that makes headlines: one network on a board with its static power, the other on a small chip.
# Both are right sums of different questions. The first row has both on one technology.
#
# ```{only} builder_html
# Both networks at work, on a digit that you draw: <a href="../_static/live.html">the live page</a>.
# ```
#
# ## Ratios have a trap
#
# Both sides pay for reading the same memory. Where its price is high for one it is high for the other, so a price that both
# pay is *one* number here, and much of its uncertainty cancels:

# %%
match = found.match("horowitz-45nm")
left, right = match.ann.ledger, match.snn.ledger
print(f"ANN {1e9 * left.joules_per_sample:.1f} nJ, SNN {1e9 * right.joules_per_sample:.1f} nJ a digit")
print(match.says)
ends = [(one.joules_low / one.samples, one.joules_high / one.samples) for one in (left, right)]
figure, axis = plt.subplots(figsize=(6, 1.8))
for place, ((low, high), ledger) in enumerate(zip(ends, (left, right), strict=True)):
    axis.plot([1e9 * low, 1e9 * high], [place, place], linewidth=6)
    axis.plot(1e9 * ledger.joules_per_sample, place, "k|", markersize=14)
axis.set(yticks=[0, 1], yticklabels=["ANN", "SNN"], xlabel="nJ a digit (estimated), low to high", ylim=(-0.6, 1.6))
plt.tight_layout()
plt.show()

# %% [markdown]
# The bars may overlap while the verdict still stands, for the two ends of one bar never meet the other end of the other.
#
# ## The opponents that anybody would build

# %%
if found.opponents is not None:
    for one in found.opponents.rows:
        print(f"{one.label:44s} {one.precision:8s} {one.ledger.profile.name:28s} {1e9 * one.joules.nominal:10.1f} nJ")

# %% [markdown]
# ## Where it stands in the code
#
# `sl.compare`, `sl.questions.fair_opponents`, `sl.questions.equal_accuracy`, `found.match(name).break_even`;
# `found.report("report.html")` writes the page.
#
# ## What to try
#
# 1. Train the SNN for ten times as many epochs. What must be done to the ANN before you compare?
# 2. At which number of steps does the SNN lose on one technology? `found.match(name).break_even` knows.
# 3. Take any paper that states a saving. On what did its ANN run?
#
# **Sources.** Horowitz 2014, ISSCC, doi:10.1109/ISSCC.2014.6757323 (energies at 45 nm); Davidson & Furber 2021, Front.
# Neurosci. 15:651141 (when spiking pays).
