"""Penalties: what training pays is what the ledger charges, its gradient reaches every spike, and budgets are kept."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.errors import InputError, UnpricedError
from spikeledger.kernels import choice
from spikeledger.training.slopes import slopes
from spikeledger.training.tap import Batch, tapped
from training.patches import patches, spiking

DATA = patches()
#: as ODIN, of a size that holds these networks
ODIN = sl.load_profile("odin").model_copy(update={"name": "odin-large", "core": None, "mesh": None})
BACKENDS = ["reference", *(["cpu"] if choice.native() is not None else [])]


def heard(network: sl.SpikingNetwork, x: torch.Tensor, facts: sl.Activity) -> tuple[Batch, torch.Tensor]:
    network.reseed(0)
    with tapped(network, facts) as tap:
        out = network(x)
    return tap.batch(len(x)), out


def recorded(network: sl.SpikingNetwork, x: torch.Tensor) -> sl.Activity:
    return sl.record(network, x, layout="B")


def made(kind: str, encoder: str) -> tuple[sl.SpikingNetwork, torch.Tensor]:
    shape = (1, 12, 12)
    network = sl.zoo.build(kind, shape, 4, timesteps=3, encoder=encoder)
    with torch.no_grad():  # so that every layer fires
        for parameter in network.parameters():
            parameter *= 3
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                layer.weight[:, ::3] = 0
    generator = torch.Generator().manual_seed(1)
    x = torch.rand((6, *shape), generator=generator)
    return network, x * (torch.rand((6, *shape), generator=generator) < 0.5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("encoder", ["rate", "direct", "latency"])
@pytest.mark.parametrize("kind", ["mlp-s", "cnn-s"])
def test_training_pays_what_the_ledger_charges_on_every_profile(kind: str, encoder: str, backend: str) -> None:
    network, x = made(kind, encoder)
    with sl.backend(backend):
        activity = recorded(network, x)
        batch, _ = heard(network, x, activity)
        priced = 0
        for name in sl.list_profiles():
            try:
                ledger = sl.price(activity, name)
            except UnpricedError:
                continue
            penalty = sl.losses.joules(name, target=1.0)
            assert float(penalty.amount(batch).detach()) == pytest.approx(ledger.joules_per_sample, rel=1e-6), name
            priced += 1
        assert priced > 10
        assert float(batch.synops.detach()) == activity.total("synaptic_op")
        for layer in activity.layers_by_name.values():
            if layer.spiking:
                assert batch.spikes[layer.name].tolist() == activity.per_neuron(layer.name).reshape(-1).tolist()
                assert int(batch.active[layer.name].sum()) == activity.total("active_update", layer.name)


@pytest.mark.parametrize("bill", ["ops-only", "memory", "full"])
def test_a_bill_and_what_is_left_out_are_as_in_price(bill: str) -> None:
    network, x = made("mlp-s", "rate")
    activity = recorded(network, x)
    batch, _ = heard(network, x, activity)
    out = ["neuron_update"] if bill == "full" else []
    paid = sl.losses.joules("horowitz-45nm", target=1.0, bill=bill, leave_out=out).amount(batch)
    charged = sl.price(activity, "horowitz-45nm", bill=bill, leave_out=out).joules_per_sample
    assert float(paid.detach()) == pytest.approx(charged, rel=1e-6)
    with pytest.raises(UnpricedError, match="mac"):
        graded, y = made("mlp-s", "direct")
        sl.losses.joules("loihi", target=1.0).amount(heard(graded, y, recorded(graded, y))[0])


def test_a_slope_is_the_price_of_one_more_event() -> None:
    network, x = made("mlp-s", "rate")
    activity = recorded(network, x)
    profile = ODIN
    found = slopes(activity, profile)
    assert profile.static is not None and profile.timing is not None
    # joules + seconds * watts = joules
    expected = profile.prices["synaptic_op"].joules
    expected += profile.timing.seconds_per_event["synaptic_op"] * profile.static.watts
    assert found.each == pytest.approx({(name, "synaptic_op"): expected for name in ("layers.fc1", "layers.fc2")})
    assert found.fixed == pytest.approx(0, abs=1e-18)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_is_that_of_the_counts_written_out(backend: str) -> None:
    """Against plain torch: the same network, spikes as floats, fan-outs by hand."""
    network, x = made("mlp-s", "direct")
    with sl.backend(backend):
        activity = recorded(network, x)
        batch, out = heard(network, x, activity)
        (out.sum() / 7 + batch.synops / len(x)).backward()
    found = {
        name: parameter.grad.clone() for name, parameter in network.named_parameters() if parameter.grad is not None
    }
    network.zero_grad()
    with sl.backend("reference"):
        spikes: list[torch.Tensor] = []
        hook = network.layers.neuron_fc1.register_forward_hook(lambda module, args, out: spikes.append(out))
        out = network(x)
        hook.remove()
        fans = (network.layers.fc2.weight != 0).sum(0)
        (out.sum() / 7 + (spikes[0].sum((0, 1)) * fans).sum() / len(x)).backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-5)


def test_nothing_below_the_target_and_a_share_of_what_can_be_saved_above() -> None:
    network, x = made("mlp-s", "direct")
    batch, _ = heard(network, x, recorded(network, x))
    amount = float(batch.synops.detach()) / len(x)
    assert float(sl.losses.synops(amount * 1.001)(batch).detach()) == 0
    penalty = sl.losses.synops(amount / 2, weight=0.3)(batch)
    assert float(penalty.detach()) == pytest.approx(0.15)
    counts = batch.spikes["layers.neuron_fc1"]
    (slope,) = torch.autograd.grad(penalty, counts)
    # a fall of all spikes by a share p lowers it by 0.3 p
    assert float((slope * counts).sum().detach()) == pytest.approx(0.3)


def test_the_inputs_share_is_not_pressed_out_of_the_hidden_spikes() -> None:
    network, x = made("mlp-s", "rate")
    activity = recorded(network, x)
    batch, _ = heard(network, x, activity)
    penalty = sl.losses.joules(ODIN, target=1e-12, weight=0.3)(batch)
    counts = batch.spikes["layers.neuron_fc1"]
    (slope,) = torch.autograd.grad(penalty, counts)
    share = activity.total("synaptic_op", "layers.fc2") / activity.total("synaptic_op")
    assert float((slope * counts).sum().detach()) == pytest.approx(0.3 * share)


def test_rates_and_their_layers() -> None:
    network, x = made("mlp-s", "rate")
    activity = recorded(network, x)
    batch, _ = heard(network, x, activity)
    hidden = sl.losses.spike_rate(0.5, layers=["layers.neuron_fc1"])
    assert float(hidden.amount(batch).detach()) == pytest.approx(activity.rate("layers.neuron_fc1"))
    both = sl.losses.spike_rate(0.9, weight=1.0, both_sides=True)
    assert float(sl.losses.spike_rate(0.9)(batch).detach()) == 0 < float(both(batch).detach())
    with pytest.raises(InputError, match=r"the populations are layers\.neuron_fc1, layers\.neuron_fc2"):
        sl.losses.spike_rate(0.5, layers=["fc1"])(batch)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: sl.losses.spike_rate(0), "above 0 and at most 1"),
        (lambda: sl.losses.synops(-1), "finite and above 0"),
        (lambda: sl.losses.joules("loihi", target=float("nan")), "finite number"),
        (lambda: sl.losses.joules("loihi", target=1e-7, weight=0), "weight"),
        (lambda: sl.losses.joules("lohi", target=1e-7), "did you mean 'loihi'"),
        (lambda: sl.fit(spiking(), DATA, penalties=["joules"], progress=False), r"must be one of sl\.losses"),
    ],
)
def test_what_cannot_be_is_a_sentence(wrong: object, match: str) -> None:
    with pytest.raises(sl_errors(), match=match):
        wrong()  # type: ignore[operator]


def sl_errors() -> type[Exception]:
    from spikeledger.errors import SpikeLedgerError

    return SpikeLedgerError


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_penalty_makes_a_network_sparse_and_is_told(backend: str) -> None:
    def trained(*penalties: object) -> tuple[sl.Activity, object]:
        network = spiking("direct")
        run = sl.fit(network, DATA, epochs=10, batch_size=32, progress=False, penalties=penalties)
        assert run.test_accuracy is not None and run.test_accuracy > 0.9
        return sl.record(network, DATA.test_inputs), run

    with sl.backend(backend):
        (plain, first), (thrifty, run) = trained(), trained(sl.losses.synops(20, weight=0.2))
    assert thrifty.per_sample("synaptic_op") < 0.6 * plain.per_sample("synaptic_op")
    assert all(row.penalty is None for row in first.history)  # type: ignore[attr-defined]
    assert all(row.penalty is not None for row in run.history)  # type: ignore[attr-defined]
    assert run.best_epoch == 10  # type: ignore[attr-defined]


def test_a_budget_in_joules_is_kept_on_the_samples_that_it_was_made_for() -> None:
    network = spiking("rate")
    sl.fit(network, DATA, epochs=3, batch_size=32, progress=False)
    x = DATA.train_inputs[:256]
    before = sl.price(sl.record(network, x), ODIN).joules_per_sample
    target = before / 4
    run = sl.fit(
        network, DATA, epochs=6, batch_size=32, progress=False, profile=ODIN, validation=0.0,
        penalties=[sl.losses.joules(ODIN, target=target)], prune=sl.Pruning(joules=target, profile=ODIN),
    )  # fmt: skip
    after = sl.price(sl.record(network, DATA.train_inputs), ODIN).joules_per_sample
    assert after == pytest.approx(target, rel=0.1) and after < 0.3 * before
    assert run.history[-1].joules_per_sample == pytest.approx(after, rel=0.1)
    assert run.test_accuracy is not None and run.test_accuracy > 0.8


def test_a_run_with_a_budget_goes_on_to_the_same_figures(tmp_path: object) -> None:
    options = {
        "epochs": 4, "batch_size": 32, "progress": False, "profile": ODIN,
        "penalties": [sl.losses.joules(ODIN, target=1e-8)], "prune": sl.Pruning(joules=5e-8, profile=ODIN),
    }  # fmt: skip
    whole = spiking("rate")
    expected = sl.fit(whole, DATA, **options)  # type: ignore[arg-type]

    def stop(row: object) -> None:
        if row.number == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    broken = spiking("rate")
    stopped = sl.fit(broken, DATA, **{**options, "progress": stop}, checkpoint=f"{tmp_path}/run")  # type: ignore[arg-type]
    assert stopped.stopped and len(stopped.history) == 2
    again = spiking("rate")
    run = sl.fit(again, DATA, **options, checkpoint=f"{tmp_path}/run", resume=True)  # type: ignore[arg-type]
    assert run == dataclasses.replace(expected, stopped=False)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    with pytest.raises(InputError, match="penalties"):
        sl.fit(spiking("rate"), DATA, **{**options, "penalties": ()}, checkpoint=f"{tmp_path}/run", resume=True)  # type: ignore[arg-type]


def test_learned_time_constants_are_trained_and_kept(tmp_path: object) -> None:
    def make() -> sl.SpikingNetwork:
        return sl.zoo.mlp(36, 24, 4, timesteps=4, encoder="direct", learn_beta=True)

    network = make()
    before = [layer.beta.item() for layer in network.modules() if isinstance(layer, sl.LIF)]
    run = sl.fit(
        network, DATA, epochs=3, batch_size=32, progress=False, checkpoint=f"{tmp_path}/run",
        penalties=[sl.losses.spike_rate(0.01)],
    )  # fmt: skip
    after = [layer.beta.item() for layer in network.modules() if isinstance(layer, sl.LIF)]
    assert before != after and all(0 < beta < 1 for beta in after)
    loaded = sl.load_network(f"{tmp_path}/run")
    assert [layer.beta.item() for layer in loaded.modules() if isinstance(layer, sl.LIF)] == after
    assert sl.evaluate(loaded, DATA.test_inputs, DATA.test_labels).accuracy == run.test_accuracy


def test_a_penalty_of_ones_own() -> None:
    def hidden(batch: Batch) -> torch.Tensor:
        return 0.1 * batch.count("spike", "layers.neuron_fc1") / batch.samples

    run = sl.fit(spiking("rate"), DATA, epochs=1, batch_size=32, progress=False, penalties=[hidden])
    assert run.history[0].penalty is not None and run.history[0].penalty > 0
