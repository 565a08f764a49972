# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 9 A memory that drifts
#
# **The question.** A neuron forgets within 20 ms. How do a hundred of them remember a number for seconds, and how
# well?
#
# By telling it to themselves. A synapse of time constant $\tau$ turns what it hears, $u$, into $\tau\,\dot x = u -
# x$. Let the population say its own value $x$ to itself, and add the wish $\tau r$: then $u = x + \tau r$, and
#
# $$ \tau\,\dot x = x + \tau r - x \quad\Rightarrow\quad \dot x = r. $$
#
# The leak is gone: the population is an *integrator*. With $r = 0$ it is a memory. In numpy, with the neurons of
# [chapter 2](threshold.py) and the decoders of [chapter 7](populations.py):

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

dt, tau = 0.001, 0.1


def remember(one, rates):
    """Values that a population holds, step by step; it hears itself through a synapse of tau."""
    decoders, keep = one.decoders()[:, 0], np.exp(-dt / tau)
    v, waiting, heard, held = np.zeros(one.neurons), np.zeros(one.neurons), 0.0, []
    for rate in rates:
        fired = one.neuron.step(one.currents(np.array([heard])), v, waiting, dt)
        told = fired @ decoders / dt + tau * rate
        heard = heard * keep + told * (1 - keep)
        held.append(heard)
    return np.array(held)


rates = np.zeros(2500)
rates[:500] = 1.0  # half a second at one a second: it should then hold 0.5
seconds = np.arange(1, 2501) * dt
figure, axis = plt.subplots(figsize=(7, 2.8))
for neurons in (30, 100, 500):
    for seed in range(3):
        held = remember(sl.nef.population(neurons, seed=seed), rates)
        axis.plot(seconds, held, color=f"C{(30, 100, 500).index(neurons)}", linewidth=1,
                  label=f"{neurons} neurons" if seed == 0 else None)  # fmt: skip
axis.axhline(0.5, color="gray", linewidth=0.5)
axis.set(xlabel="seconds", ylabel="remembered")
axis.legend()
plt.show()

# %% [markdown]
# ## Why it drifts
#
# Decoders are not perfect: they say $\hat x(x)$ instead of $x$. What they get wrong comes round again every $\tau$,
# so $\dot x = (\hat x(x) - x) / \tau$: the value creeps to the nearest $x$ at which the decoded curve crosses the
# diagonal from above. Those crossings are the only numbers that this memory can hold for ever.

# %%
one = sl.nef.population(30, seed=0)
line = np.linspace(-1, 1, 2001)[:, None]
wrong = (one.rates(line) @ one.decoders())[:, 0] - line[:, 0]
stable = line[:-1, 0][(wrong[:-1] > 0) & (wrong[1:] <= 0)]
figure, axis = plt.subplots(figsize=(7, 2.4))
axis.plot(line, wrong / tau)
axis.plot(stable, 0 * stable, "o")
axis.axhline(0, color="gray", linewidth=0.5)
axis.set(xlabel="x", ylabel="drift a second")
plt.show()
print(f"30 neurons can hold {len(stable)} numbers between -1 and 1: {', '.join(f'{x:+.2f}' for x in stable)}")

# %% [markdown]
# ```{widget} drift
# ```
#
# ## How much for how many neurons
#
# The drift in the second after the half second, root mean square of five populations each:

# %%
sizes, drifts = (25, 50, 100, 200, 400), []
for neurons in sizes:
    moved = []
    for seed in range(5):
        held = sl.nef.integrator(sl.nef.population(neurons, seed=seed), rates[:1500, None]).values[:, 0]
        moved.append(held[-1] - held[500:600].mean())
    drifts.append(np.sqrt(np.mean(np.square(moved))))
    print(f"{neurons:4d} neurons: {drifts[-1]:.3f} in a second")
print(f"16 times the neurons: {drifts[0] / drifts[-1]:.1f} times less drift")

# %% [markdown]
# ## What holding a number costs
#
# Everyone is connected to everyone, $n^2$ synapses, and neurons keep firing while nothing happens. A register of a
# computer holds a number for almost nothing; this one pays for every second:

# %%
for neurons in (50, 200):
    run = sl.nef.integrator(sl.nef.population(neurons, seed=1), np.zeros((1000, 1)))
    ledger = sl.price(run.activity, "loihi").without("static")
    print(
        f"{neurons} neurons: {run.activity.total('spike'):,} spikes and {run.activity.total('synaptic_op'):,} synaptic "
        f"operations a second, estimated {1e6 * ledger.joules:.0f} µJ"
    )

# %% [markdown]
# ## Where it stands in the code
#
# `sl.nef.integrator` is the loop above with an account of what happened; a test compares drift with nengo's.
#
# ## What to try
#
# 1. Make $\tau$ four times as long. Does it drift more slowly? (Look at the formula first.)
# 2. Two dimensions hold a point in a plane. Let `rates` turn it in a circle: how round does it stay?
# 3. Subtract a constant from the decoders until 0.5 is held best. What happens to -0.5?
#
# **Sources.** Eliasmith & Anderson 2003, Neural Engineering, chapter 8; Seung 1996, PNAS 93:13339 (how the brain
# keeps the eyes still: the same drift).
