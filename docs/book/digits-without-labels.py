# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 13 Digits without labels
#
# **The question.** Can a network learn what digits look like without ever being told which is which; how good is it,
# measured; and which chip could do it?
#
# Diehl & Cook (2015) showed one that can. Pixels spike at rates of their brightness. A hundred or more excitatory
# neurons hear all pixels. Whoever fires silences the others for a while (*lateral inhibition*), and STDP moves its
# weights towards the pixels that it heard just before. A threshold that rises with each spike sees to it that others
# get their turn. Only afterwards are labels used, those of training digits: a neuron stands for the class it answers
# most.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import spikeledger as sl
from spikeledger.errors import UnpricedError
from spikeledger.plasticity import Constants, DiehlCook, label_neurons, learn, respond, vote

# 1,797 digits of 8 x 8 pixels, which come with scikit-learn: a page must not wait for MNIST
given = load_digits()
images, labels = (given.data * (255 / 16)).astype(np.uint8), given.target
train, test = slice(0, 1400), slice(1400, None)
network = DiehlCook.random(64, inputs=64, seed=1, constants=Constants(total=12.0))
learned = learn(network, images[train], passes=3, seed=1)
shares = label_neurons(respond(learned.network, images[train]).spikes, labels[train])
spikes = respond(learned.network, images[test], seed=2).spikes
accuracy = (vote(spikes, shares) == labels[test]).mean()
print(f"{100 * accuracy:.1f} % of {len(spikes)} digits that it never saw")
assert accuracy > 0.5

# %% [markdown]
# What each neuron has learned can be seen in its weights:

# %%
fields = learned.network.weights.T.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
plt.figure(figsize=(4, 4))
plt.imshow(fields, cmap="gray_r")
plt.axis("off")
plt.show()

# %% [markdown]
# On MNIST, all 60,000 digits to learn, labels from 10,000 of *them*, all 10,000 test digits, one thread:
#
# | neurons | passes | threshold's step | rate vote, mean of three seeds | proportion vote | CPU seconds to learn | paper |
# | --- | --- | --- | --- | --- | --- | --- |
# | 100 | 2 | 0.0125 mV | 88.1 % (87.4 to 88.6) | 89.6 % | 32 | 82.9 % |
# | 400 | 2 | 0.05 mV | 92.2 % (92.2 to 92.3) | 93.0 % | 47 | 87.0 % |
# | 1,600 | 3 | 0.05 mV | 93.7 % (93.6 to 93.8) | 94.3 % | 199 | 91.9 % |
# | 6,400 | 3 | 0.05 mV | 93.8 % (one seed) | 94.4 % | 819 | 95.0 % |
#
# The settings of 100 and 400 neurons were chosen without a test digit: 50,000 training digits were learned, and the
# other 10,000 decided among two or three steps of the threshold, up to three passes, and two or three strengths of
# inhibition while it answers. There the winners had 90.6 % and 93.5 %, more than on the test digits. One thing was
# not chosen anew: the inhibition of 40 while it learns, where 17 is published, was found earlier with test digits in
# sight. Processor seconds are those of an Intel Xeon at 2.5 GHz that had other work at the same time; a quiet one
# needs less.
#
# With 1,600 and 6,400 neurons nothing was chosen: the published step, and three passes. The paper shows the digits fifteen
# times to its 6,400 neurons, each of which wins seldom.
#
# Why the smaller step for fewer neurons? Each fires more often, so its threshold rises higher for the same step, and
# digits have to be shown again until five spikes come. The step of 0.05 mV is the published one.
#
# A learned digit of the 400 neurons has about 2,340 spikes, 932,000 synaptic operations, 574,000 neuron updates and
# 6,270 weight updates, scaling included. Again: `python studies/digits_without_labels.py --neurons 400 --passes 2`,
# and with `--choose --passes 3 --theta-millivolts 0.025,0.05 --inhibition 10,17` for the choice.
#
# ```{widget} fields
# ```
#
# ## What it costs, learning apart from running
#
# Every weight that STDP changed was counted (`weight_update`), and so was every one that was scaled back to keep the
# sum of a neuron's weights. A device that has no price for learning refuses: it cannot learn, as far as its sources
# say.

# %%
for name in ("loihi", "odin", "spinnaker", "akida", "truenorth", "xylo"):
    try:
        ledger = sl.price(learned.activity, name).without("static")
    except UnpricedError as error:
        print(f"{name:10s} cannot: {str(error).split(', so its')[0]}")
        continue
    learning = ledger.by_event()["weight_update"] / learned.digits
    rest = ledger.joules / learned.digits - learning
    print(f"{name:10s} estimated {1e6 * rest:10.3f} µJ to run a digit, {1e6 * learning:8.3f} µJ to learn from it")

# %% [markdown]
# These are prices of events, not promises: the network needs conductances and a membrane that is drawn to two
# potentials, which Loihi, ODIN and Akida do not have as such. On them it would be another network of nearly the same
# counts. Only SpiNNaker, whose neurons are programs, runs it as it stands.
#
# ## Deviations from the paper
#
# See `spikeledger.plasticity.diehl_cook`: at most one excitatory neuron fires in a step (or the published delays,
# `delays=True`), inhibition is stronger while it learns, and each presentation begins at rest.
#
# ## Where it stands in the code
#
# `sl.plasticity`; the kernel is `native/plasticity/run.hpp`, its oracle in numpy, which gives the same bits,
# `spikeledger.plasticity.diehl_cook_stdp`; MNIST is measured by `studies/digits_without_labels.py`.
#
# ## What to try
#
# 1. Set `inhibition_learning` to the authors' 17. How many neurons fire for a digit now, and what do the weights look
#    like?
# 2. Take the labels from the test digits instead. How much would that cheat?
# 3. Give it 16 neurons, and 256. What does a digit cost, and what is it worth?
#
# **Sources.** Diehl & Cook 2015, Front. Comput. Neurosci. 9:99, doi:10.3389/fncom.2015.00099.
