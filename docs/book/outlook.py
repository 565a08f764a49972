# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 26 Outlook: brains, training runs, answers
#
# **The question.** "Training GPT-4 took as much as a thousand brains in a lifetime." Which of such numbers does
# anybody answer for, and what follows from those?
#
# Nothing here was measured by us. Every number is cited, and has a kind: *measured* by a meter, *reported* by a maker
# from hours and watts, *estimated* by a third party, or *assumed*.

# %%
import matplotlib.pyplot as plt

import spikeledger as sl
from spikeledger.outlook.records import brain, training

power = brain().power
print(f"a brain: {power.watts:g} W [{power.low:g} to {power.high:g}], {power.kind}")
runs = training().run
kinds = {kind: sum(run.kind == kind for run in runs) for kind in sorted({run.kind for run in runs})}
print(f"{len(runs)} training runs: " + ", ".join(f"{number} {kind}" for kind, number in kinds.items()))

# %% [markdown]
# ## A law, and its honest width
#
# What does the energy of a training run follow? On logarithmic axes a power law is a line; here it is fitted to
# floating-point operations and the year.

# %%
law = sl.outlook.fit(("flop", "year"))
print(law.law(), f"through {law.n} runs")
value, low, high = law.exponent("flop")
print(
    f"exponent of FLOP {value:.2f} [{low:.2f} to {high:.2f}]; 95 % of runs lie within {law.factor():.1f} times the line"
)
known = [run for run in runs if run.flop and run.joules]
figure, axis = plt.subplots(figsize=(6, 3.2))
for kind in kinds:
    mine = [run for run in known if run.kind == kind]
    axis.loglog([run.flop for run in mine], [run.joules / 3.6e12 for run in mine], "o", label=kind)
axis.set(xlabel="floating-point operations", ylabel="GWh")
axis.legend()
plt.show()

# %% [markdown]
# Parameters are a much worse guide than operations. The same fit, with parameters instead:

# %%
worse = sl.outlook.fit(("parameters", "year"))
value, low, high = worse.exponent("parameters")
print(f"exponent of parameters {value:.2f} [{low:.2f} to {high:.2f}]; within {worse.factor():.0f} times the line")
assert worse.factor() > law.factor()

# %% [markdown]
# ## A projection is worth its band

# %%
for flop, year in ((2.1e25, 2023.2), (1e27, 2027.0)):
    print(sl.outlook.project(flop=flop, year=year).says())

# %% [markdown]
# Ask it for a network a hundred times beyond any known one, and it refuses to give a number without its band.
#
# ## Numbers that fight
#
# A text can be checked against itself: compute each number from the ones beside it. The notebook of [chapter
# 21](audit.py):

# %%
found = sl.outlook.check()
for clash in found[:6]:
    factor = f"{clash.factor:.1f} times" if clash.factor else "words"
    print(f"- {clash.title}: {clash.printed}; {clash.computed} ({factor})")
print(
    f"{len(found)} contradictions in all; the largest by a factor of {max(clash.factor or 0 for clash in found):,.0f}"
)

# %% [markdown]
# ## And spikes?
#
# A brain on 20 W is a reason to be curious, not a proof: nobody has counted a brain's operations, so there is no
# number of joules an operation to compare. What this book can say is smaller and firmer: for *this* network, on
# *that* chip, with these counts, and this range.
#
# ## Where it stands in the code
#
# `sl.outlook`: `tables`, `fit`, `project`, `check`; `spikeledger outlook --out outlook` writes the page; the sources
# are text files with one entry a number. The reasoning: [the outlook explained](../explanation/outlook.md).
#
# ## What to try
#
# 1. Fit only the runs with metered watts: `sl.outlook.fit(("flop", "year"), "metered")`. How much wider is the
#    exponent?
# 2. `sl.outlook.tables()["carbon"]`: by how much does the same run differ between two grids?
# 3. Write the claim of a newspaper as numbers, and find two that cannot both hold.
#
# **Sources.** Each entry of `sl.outlook` names its own; the notebook "The cost of 1 million brains" is the text that
# is checked.
