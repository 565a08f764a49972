"""snnTorch's networks, recorded as they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from peers.by_hand import agree, arrivals, fired

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")

from snntorch import utils  # noqa: E402

KINDS = {
    "Leaky": lambda n: snn.Leaky(beta=0.9),
    "Leaky, reset at once": lambda n: snn.Leaky(beta=0.9, reset_delay=False),
    "Synaptic": lambda n: snn.Synaptic(alpha=0.8, beta=0.9),
    "Alpha": lambda n: snn.Alpha(alpha=0.8, beta=0.7),
    "Lapicque": lambda n: snn.Lapicque(beta=0.9),
    "RLeaky": lambda n: snn.RLeaky(beta=0.9, linear_features=n),
    "RLeaky, one to one": lambda n: snn.RLeaky(beta=0.9, all_to_all=False, V=0.5),
    "RSynaptic": lambda n: snn.RSynaptic(alpha=0.8, beta=0.9, linear_features=n),
    "SLSTM": lambda n: snn.SLSTM(n, n, threshold=0.1),
}
T, B = 4, 3


class Loop(nn.Module):
    """The loop that snnTorch's users write; the state is passed from step to step."""

    def __init__(self, make) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 6), make(6)
        self.fc2, self.lif2 = nn.Linear(6, 3), snn.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        state: tuple[Tensor, ...] = ()
        membrane, out = self.lif2.init_leaky(), []
        for step in x:
            result = self.lif1(self.fc1(step), *state)
            state = result if type(self.lif1).__name__ in ("RLeaky", "RSynaptic") else result[1:]
            spikes, membrane = self.lif2(self.fc2(result[0]), membrane)
            out.append(spikes)
        return torch.stack(out)


@pytest.mark.parametrize("kind", KINDS)
def test_every_neuron_class_in_a_loop(kind: str) -> None:
    torch.manual_seed(0)
    network = Loop(KINDS[kind])
    with torch.no_grad():
        network.fc1.weight.mul_(3)
        network.fc2.weight.abs_()
    x = (torch.rand(T, B, 8) < 0.5).float() * 2

    def run() -> None:  # a neuron that gets no state goes on from where it stopped; utils.reset forgets RSynaptic
        network.lif1.reset_mem()
        network(x)

    spikes = fired(network, (snn.SpikingNeuron,), run)
    by_hand = arrivals(network, run)
    activity = sl.record(network, x)
    assert (activity.samples, activity.timesteps) == (B, T)
    assert activity.total("neuron_update") == T * B * 9
    agree(activity, by_hand, spikes)
    if kind == "RLeaky, one to one":  # each spike of all but the last step comes back once
        per_step = activity.spikes_per_step["lif1"]
        assert activity.total("synaptic_op", "lif1.recurrent.V") == per_step[:-1].sum()


def test_hidden_states_are_left_as_they_were() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(8, 6), snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(6, 3),
        snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )  # fmt: skip
    x = torch.rand(B, 8) * 4
    with torch.no_grad():
        network(torch.rand(5, 8) * 4)  # another batch, never reset
    kept = {name: value.clone() for name, value in network.named_buffers()}

    def run() -> None:
        utils.reset(network)
        for _ in range(T):
            network(x)

    activity = sl.record(network, x, timesteps=T)
    after = dict(network.named_buffers())
    assert all(torch.equal(after[name], value) for name, value in kept.items())
    assert (activity.samples, activity.timesteps) == (B, T)
    split = sl.record(network, x, timesteps=T, batch_size=1)
    assert {e: split.total(e) for e in split.events} == {e: activity.total(e) for e in activity.events}
    spikes = fired(network, (snn.SpikingNeuron,), run)
    agree(activity, arrivals(network, run), spikes)


def test_layers_over_all_steps_at_once() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(snn.LeakyParallel(8, 6, beta=0.9, threshold=0.1), nn.Linear(6, 3))
    x = torch.rand(T, B, 8) * 4
    activity = sl.record(network, x)
    assert (activity.samples, activity.timesteps) == (B, T)
    agree(activity, arrivals(network, lambda: network(x)), fired(network, (snn.LeakyParallel,), lambda: network(x)))


@pytest.mark.parametrize("factor", [torch.tensor(2.5), torch.linspace(0.5, 2.0, 6)])
def test_graded_spikes_multiply_where_neurons_have_factors_of_their_own(factor: Tensor) -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(8, 6), snn.Leaky(0.9, init_hidden=True, graded_spikes_factor=factor), nn.Linear(6, 3))
    with torch.no_grad():
        net[0].weight.mul_(4)
    activity = sl.record(net, (torch.rand(T, B, 8) < 0.6).float(), step_by_step=True)
    sent = activity.total("spike")
    assert sent > 6
    assert not activity.uncounted
    counted = (activity.total("synaptic_op", "2"), activity.total("mac", "2"))
    assert counted == ((3 * sent, 0) if factor.dim() == 0 else (0, 3 * sent))
    with pytest.raises(sl.errors.InputError, match="graded spikes"):
        sl.map(net, torch.zeros(T, 1, 8), step_by_step=True)
