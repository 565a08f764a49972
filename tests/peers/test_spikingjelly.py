"""SpikingJelly's networks, single and multi step, recorded as they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import spikeledger as sl
from peers.by_hand import agree, arrivals, fired

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
pytest.importorskip("spikingjelly.activation_based", reason="SpikingJelly is not installed")

from spikingjelly.activation_based import functional, layer, neuron  # noqa: E402

T, B = 4, 3
KINDS = {
    "IF": lambda: neuron.IFNode(),
    "IF, soft reset": lambda: neuron.IFNode(v_reset=None),
    "LIF": lambda: neuron.LIFNode(tau=1.5),
    "parametric LIF": lambda: neuron.ParametricLIFNode(init_tau=1.5),
    "QIF": lambda: neuron.QIFNode(),
    "EIF": lambda: neuron.EIFNode(),
    "Izhikevich": lambda: neuron.IzhikevichNode(),
    "KLIF": lambda: neuron.KLIFNode(),
}


def network(make, mode: str) -> nn.Sequential:
    torch.manual_seed(0)
    found = nn.Sequential(layer.Linear(8, 6), make(), layer.Linear(6, 3), neuron.IFNode(v_threshold=0.1))
    with torch.no_grad():
        found[0].weight.abs_().mul_(4)
        found[2].weight.abs_()
    functional.set_step_mode(found, mode)
    return found


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("kind", KINDS)
def test_neuron_classes(kind: str, mode: str) -> None:
    model = network(KINDS[kind], mode)
    x = torch.rand(T, B, 8) * 3

    def run() -> None:
        functional.reset_net(model)
        if mode == "m":
            model(x)
        else:
            for step in x:
                model(step)

    spikes = fired(model, (type(model[1]), neuron.IFNode), run)
    by_hand = arrivals(model, run)
    functional.reset_net(model)
    activity = sl.record(model, x, step_by_step=mode == "s")
    assert (activity.samples, activity.timesteps) == (B, T)
    assert activity.total("neuron_update") == T * B * 9
    agree(activity, by_hand, spikes)
    assert not any(isinstance(value, torch.Tensor) for value in functional_states(model))


def functional_states(model: nn.Module) -> list[object]:
    return [m._memories["v"] for m in model.modules() if "v" in getattr(m, "_memories", {})]


def test_a_state_that_was_not_reset_is_kept_and_does_not_count() -> None:
    model = network(KINDS["IF"], "s")
    model(torch.rand(7, 8))
    kept = model[1].v
    values = kept.clone()
    first = sl.record(model, torch.rand(B, 8), timesteps=T)
    assert model[1].v is kept and torch.equal(kept, values)
    assert first.total("neuron_update") == T * B * 9


def test_the_users_own_loop_finds_samples_and_steps() -> None:
    model = network(KINDS["IF"], "s")
    x = torch.rand(T, B, 8) * 3
    with torch.no_grad(), sl.recording(model) as recorder:
        for _ in range(2):
            functional.reset_net(model)
            for step in x:
                model(step)
    activity = recorder.activity()
    assert (activity.samples, activity.timesteps) == (2 * B, T)
    once = sl.record(model, x, step_by_step=True)
    assert {e: activity.total(e) for e in activity.events} == {e: 2 * once.total(e) for e in once.events}
    assert (activity.spikes_per_step["1"] == 2 * once.spikes_per_step["1"]).all()


def test_a_convolutional_network() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        layer.Conv2d(1, 4, 3, padding=1), layer.BatchNorm2d(4), neuron.IFNode(), layer.AvgPool2d(2),
        layer.Conv2d(4, 3, 3, stride=2, padding=1), neuron.IFNode(v_threshold=0.1), layer.Flatten(),
        layer.Linear(12, 3), neuron.IFNode(v_threshold=0.1),
    )  # fmt: skip
    with torch.no_grad():
        for part in (model[0], model[4], model[7]):
            part.weight.abs_()
    functional.set_step_mode(model, "m")
    model.eval()
    x = (torch.rand(T, B, 1, 8, 8) < 0.5).float()

    def run() -> None:
        functional.reset_net(model)
        model(x)

    spikes = fired(model, (neuron.IFNode,), run)
    by_hand = arrivals(model, run)
    activity = sl.record(model, x)
    agree(activity, by_hand, spikes)
    assert activity.total("norm_op") == activity.total("pool_read") == activity.total("mac") == 0
