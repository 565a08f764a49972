"""One runnable example a public name: a cell `# %% sl.NAME`, shown on the name's page; a test runs them in this order."""

# %% first
import torch
from torch import nn

import spikeledger as sl

torch.manual_seed(0)
data = sl.load_dataset("digits")
network = sl.zoo.mlp(64, 32, 10, timesteps=5)  # spiking; its encoder turns images [B, 1, 8, 8] into spikes [T, B, ...]
ann = sl.zoo.twin(network)
inputs, labels = data.test_inputs[:20], data.test_labels[:20]
activity = sl.record(network, inputs)
ledger = sl.price(activity, "loihi")
currents = torch.rand(10, 3, 8)  # [T, B, N]

# %% sl.neurons.IF
spikes = sl.neurons.IF(threshold=2.0)(currents)  # [T, B, N], 0 or 1
assert spikes.shape == currents.shape

# %% sl.neurons.LIF
spikes = sl.neurons.LIF(beta=0.9, reset="zero", refractory=1)(currents)
assert not (spikes[1:] * spikes[:-1]).any()  # it rests for a step after each spike

# %% sl.neurons.Delay
assert torch.equal(sl.neurons.Delay(2)(currents)[2:], currents[:-2])

# %% sl.neurons.Synaptic
spikes = sl.neurons.Synaptic(alpha=0.8, beta=0.9)(currents)

# %% sl.neurons.AdaptiveLIF
tired, fresh = sl.neurons.AdaptiveLIF(0.9, strength=0.5)(currents), sl.neurons.LIF(0.9)(currents)
assert tired.sum() < fresh.sum()

# %% sl.neurons.Recurrent
spikes = sl.neurons.Recurrent(sl.neurons.LIF(0.9), nn.Linear(8, 8, bias=False))(currents)

# %% sl.SpikingNetwork
layers = nn.Sequential(nn.Linear(64, 10), sl.neurons.LIF(0.9))
own = sl.SpikingNetwork(layers, encoder="latency", decoder="rate", timesteps=8)
assert own(inputs.flatten(1)).shape == (8, 20, 10)  # output spikes [T, B, classes]
assert own.scores(inputs.flatten(1)).shape == (20, 10)  # what the decoder makes of them

# %% sl.neurons.backend
with sl.neurons.backend("reference"):  # plain torch, for this thread
    network(inputs)

# %% sl.neurons.event_driven
same = sl.neurons.event_driven(network)

# %% sl.neurons.over_time
lifted = sl.neurons.over_time(nn.Conv2d(1, 4, 3))  # a module without time, at every step
assert lifted(torch.rand(5, 2, 1, 8, 8)).shape == (5, 2, 4, 6, 6)

# %% sl.neurons.surrogates
steep = sl.neurons.LIF(0.9, surrogate=sl.neurons.surrogates.fast_sigmoid(slope=50.0))

# %% sl.encoders
spikes = sl.encoders.Latency(8)(inputs)  # [T, B, 1, 8, 8]
assert int(spikes.sum(0).max()) == 1

# %% sl.decoders
scores = sl.decoders.RateDecoder()(torch.ones(5, 2, 10))  # [B, classes]

# %% sl.zoo
small = sl.zoo.build("mlp-s", 64, 10, timesteps=5)
opponent = sl.zoo.twin(small)

# %% sl.datasets.Dataset
mine = sl.datasets.Dataset(
    "mine", torch.rand(40, 6), torch.randint(2, (40,)), torch.rand(10, 6), torch.randint(2, (10,)), ("a", "b")
)

# %% sl.load_dataset
digits = sl.load_dataset("digits")  # comes with scikit-learn; "mnist" is downloaded once, or read from a folder
assert len(digits.classes) == 10

# %% sl.datasets.list_datasets
assert "mnist" in sl.datasets.list_datasets()

# %% sl.fit
run = sl.fit(network, data, epochs=1, profile=None, progress=False)

# %% sl.losses
run = sl.fit(network, data, epochs=1, penalties=[sl.losses.spike_rate(0.05)], profile=None, progress=False)

# %% sl.learning.prune
pruned = sl.zoo.mlp(64, 32, 10, timesteps=5)
gone = sl.learning.prune(pruned, 0.5)  # half of the weights of each layer, the smallest ones

# %% sl.learning.Pruning
run = sl.fit(pruned, data, epochs=1, prune=sl.learning.Pruning(0.8), profile=None, progress=False)

# %% sl.learning.Adam
optimiser = sl.learning.Adam(network.parameters(), lr=1e-3)

# %% sl.evaluate
assert 0 <= sl.evaluate(network, inputs, labels).accuracy <= 1

# %% sl.save_network
sl.save_network("saved", network)

# %% sl.load_network
again = sl.load_network("saved")  # nothing in the folder is executed
assert torch.equal(again.layers.fc1.weight, network.layers.fc1.weight)

# %% sl.convert
converted = sl.convert(ann, data.train_inputs[:100], timesteps=8)

# %% sl.record
activity = sl.record(network, inputs)
assert activity.samples == 20 and activity.timesteps == 5

# %% sl.recording
with sl.recording(network) as rec:  # your own loop
    network(inputs)
assert rec.activity().samples == 20

# %% sl.counting.rule
sl.counting.rule("_fft_r2c", "free")  # an operator that shall not count

# %% sl.robustness
found = sl.robustness({"snn": network}, (inputs, labels), noise=["gaussian"], attacks=[])


# %% sl.neuron
@sl.neuron(layout="TB")
class Step(nn.Module):
    """A neuron without memory."""

    def forward(self, currents):
        return (currents > 0.5).float()


assert sl.record(nn.Sequential(nn.Linear(8, 4), Step()), currents).total("neuron_update") == 10 * 3 * 4


# %% sl.counting.declare_neuron
class Theirs(nn.Module):
    """A class that you cannot decorate."""

    def forward(self, currents):
        return (currents > 0.5).float()


sl.counting.declare_neuron(Theirs, layout="TB")


# %% sl.counting.not_a_neuron
@sl.counting.not_a_neuron
class Mask(nn.Module):
    """Sends 0 and 1, and is no population."""

    def forward(self, values):
        return (values > 0).float()


# %% sl.nef
population = sl.nef.population(50, seed=0)
decoders = population.decoders(lambda x: x**2)  # [N, 1]

# %% sl.plasticity
rule = sl.plasticity.PairRule()
weight = sl.plasticity.by_traces(rule, [1, 0, 0, 1], [0, 1, 0, 0])  # after each step

# %% sl.map
mapped = sl.map(network, inputs)

# %% sl.place
placed = sl.place(mapped, "loihi")

# %% sl.simulate
ran = sl.simulate(network, inputs, "loihi")
assert ran.total("synaptic_op") > 0

# %% sl.fits
verdict = sl.fits(mapped, "odin")
print(verdict.fits, verdict.binding, verdict.lacks)

# %% sl.Activity
activity.save("activity.npz")
assert sl.Activity.load("activity.npz") == activity

# %% sl.devices.HardwareProfile
loihi: sl.devices.HardwareProfile = sl.load_profile("loihi")
print(loihi.title, loihi.skips, sorted(loihi.prices))

# %% sl.devices.Price
print(loihi.prices["synaptic_op"].joules, loihi.prices["synaptic_op"].source)
assert isinstance(loihi.prices["synaptic_op"], sl.devices.Price)

# %% sl.load_profile
at_one = sl.load_profile("v100@batch1")  # a device, or a variant of it, or a TOML file

# %% sl.list_profiles
assert {"loihi", "v100"} <= set(sl.list_profiles())

# %% sl.price
ledger = sl.price(activity, "loihi")
print(ledger.joules_per_sample, ledger.joules_low, ledger.joules_high)

# %% sl.Ledger
print(ledger.by_layer(), ledger.by_event(), ledger.without("static").joules)
assert isinstance(ledger, sl.Ledger)

# %% sl.devices.check_profile
sl.devices.write_template("mine.toml")
remarks = sl.devices.check_profile("mine.toml")

# %% sl.devices.write_template
path = sl.devices.write_template("another.toml")

# %% sl.devices.metered
with sl.devices.metered() as meter:  # real meters, where there are any; "not measured" otherwise
    network(inputs)

# %% sl.compare
run = sl.fit(ann, data, epochs=1, profile=None, progress=False)
comparison = sl.compare(
    ann, network, data, profiles=["horowitz-45nm"], samples=50, widths=False, runs={"ANN": run}
)  # its page draws the run
print(comparison)

# %% sl.Comparison
assert isinstance(comparison, sl.Comparison)
comparison.save("comparison.json")

# %% sl.EnergyMonitor
monitor = sl.EnergyMonitor(network, profile="loihi", every=10)  # in your own training loop
reading = monitor.step(inputs)
assert reading.joules_low <= reading.joules_per_sample <= reading.joules_high

# %% sl.learning.loggers
told = []
sl.EnergyMonitor(network, "loihi", callback=[told.append]).step(
    inputs
)  # or sl.learning.loggers.tensorboard("runs/one")
assert len(told) == 1

# %% sl.account
print(sl.account(activity, "loihi").summary())

# %% sl.counting.account_spikes
print(sl.counting.account_spikes([(784, 256), (256, 10)], [5000, 200], "loihi", timesteps=100).summary())

# %% sl.counting.activity_from_events
given = sl.counting.activity_from_events({"fc": {"synaptic_op": 1000}}, samples=10)

# %% sl.counting.activity_from_spikes
given = sl.counting.activity_from_spikes([(784, 256), (256, 10)], [5000, 200], timesteps=100)

# %% sl.questions.fair_opponents
print(sl.questions.fair_opponents(sl.record(ann, inputs), activity).best.label)

# %% sl.questions.equal_accuracy
best = sl.questions.equal_accuracy({"ann": ann}, {"snn": network}, data, profile="horowitz-45nm", points=50, samples=20)

# %% sl.sensitivity
for swing in sl.sensitivity(ledger).swings[:3]:
    print(swing.name, swing.at_low, swing.at_high)

# %% sl.questions.validate
checked = sl.questions.validate()
print(checked.points[0].name, checked.points[0].measured, checked.points[0].nominal)

# %% sl.outlook
print(sl.outlook.__doc__)
