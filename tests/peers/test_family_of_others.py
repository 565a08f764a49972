"""The family of neurons beside other libraries': the same currents, the same spikes, in the settings that are equal.

The rows are those of the table in `docs/explanation/neurons.md`, which this checks; plain LIF has its own in
`test_neurons_of_others.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import spikeledger as sl
from peers.test_neurons_of_others import peer
from repository import ROOT

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]

BETA, ALPHA, RHO = 0.9, 0.8, 0.95
WIDTH = 20
#: multiples of 1/64: a sum in another order is the same
RANDOM = torch.randint(-20, 50, (40, 3, WIDTH), generator=torch.Generator().manual_seed(0)) / 64
Run = Callable[[Tensor], Tensor]


def stepwise(step: Callable[[Tensor, Any], tuple[Tensor, Any]], state: Any) -> Run:
    def run(currents: Tensor) -> Tensor:
        now, spikes = state(currents[0]), []
        for current in currents:
            spike, now = step(current, now)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


# -- snnTorch --------------------------------------------------------------------------------------------------------


def snntorch_synaptic(**options: Any) -> Run:
    neuron = peer("snntorch").Synaptic(alpha=ALPHA, beta=BETA, **options)

    def step(current: Tensor, now: Any) -> tuple[Tensor, Any]:
        spike, synapse, membrane = neuron(current, *now)
        return spike, (synapse, membrane)

    return stepwise(step, lambda like: (torch.zeros_like(like), torch.zeros_like(like)))


def snntorch_recurrent(**options: Any) -> Run:
    neuron = peer("snntorch").RLeaky(beta=BETA, **options)
    if "linear_features" in options:
        neuron.recurrent.load_state_dict(linear().state_dict())

    def step(current: Tensor, now: Any) -> tuple[Tensor, Any]:
        spike, membrane = neuron(current, *now)
        return spike, (spike, membrane)

    return stepwise(step, lambda like: (torch.zeros_like(like), torch.zeros_like(like)))


def linear() -> torch.nn.Linear:
    torch.manual_seed(1)
    made = torch.nn.Linear(WIDTH, WIDTH)
    with torch.no_grad():
        for part in made.parameters():
            part.mul_(256).round_().div_(256)
    return made


# -- SpikingJelly ----------------------------------------------------------------------------------------------------


def spikingjelly(name: str, **options: Any) -> Run:
    made = getattr(peer("spikingjelly.activation_based.neuron"), name)(step_mode="m", **options)
    return lambda currents: made(currents)


# -- Norse -----------------------------------------------------------------------------------------------------------

DT, TAU_MEM_INV, TAU_SYN_INV = 0.001, (1 - BETA) / 0.001, (1 - ALPHA) / 0.001


def norse_lif(refractory: int = 0) -> Run:
    lif, refrac = peer("norse.torch.functional.lif"), peer("norse.torch.functional.lif_refrac")
    cell = lif.LIFParameters(tau_syn_inv=torch.tensor(TAU_SYN_INV), tau_mem_inv=torch.tensor(TAU_MEM_INV))

    def rest(like: Tensor) -> Any:
        state = lif.LIFFeedForwardState(v=torch.zeros_like(like), i=torch.zeros_like(like))
        return refrac.LIFRefracFeedForwardState(lif=state, rho=torch.zeros_like(like)) if refractory else state

    def step(current: Tensor, now: Any) -> tuple[Tensor, Any]:
        if not refractory:
            spike, state = lif.lif_feed_forward_step(current, now, cell, DT)
            return spike, state
        parameters = refrac.LIFRefracParameters(lif=cell, rho_reset=torch.tensor(float(refractory)))
        spike, state = refrac.lif_refrac_feed_forward_step(current, now, parameters, DT)
        return spike, state

    return stepwise(step, rest)


def norse_adaptive() -> Run:
    lsnn = peer("norse.torch.functional.lsnn")
    cell = lsnn.LSNNParameters(
        tau_syn_inv=torch.tensor(TAU_SYN_INV), tau_mem_inv=torch.tensor(TAU_MEM_INV),
        tau_adapt_inv=torch.tensor((1 - RHO) / DT), beta=torch.tensor(0.5),
    )  # fmt: skip

    def rest(like: Tensor) -> Any:
        return lsnn.LSNNFeedForwardState(v=torch.zeros_like(like), i=torch.zeros_like(like), b=torch.ones_like(like))

    run = stepwise(lambda current, now: lsnn.lsnn_feed_forward_step(current, now, cell, DT), rest)
    # its input reaches the membrane one step later than its synapse
    return lambda currents: run(torch.cat([currents, torch.zeros_like(currents[:1])]))[1:]


# -- sinabs ----------------------------------------------------------------------------------------------------------


def tau(decay: float) -> float:
    return -1 / math.log(decay)


def sinabs(name: str, **options: Any) -> Run:
    layers, activation = peer("sinabs.layers"), peer("sinabs.activation")
    if name != "ExpLeak":
        subtract = activation.MembraneSubtract(subtract_value=1.0) if name == "ALIF" else activation.MembraneSubtract()
        options = {"spike_fn": activation.SingleSpike, "reset_fn": subtract, **options}
    made = getattr(layers, name)(tau_mem=tau(BETA), norm_input=False, **options)
    return lambda currents: made(currents.transpose(0, 1)).transpose(0, 1)


def membranes(neuron: sl.LIF) -> Run:
    def run(currents: Tensor) -> Tensor:
        state, found = neuron.rest(currents), []
        for current in currents:
            _, state = neuron(current[None], state)
            found.append(state)
        return torch.stack(found)

    return run


BELOW = float(np.nextafter(np.float32(1), np.float32(0)))

#: their setting and ours, as the table in the documentation has them; theirs, ours, what our currents are multiplied by
TABLE: dict[str, tuple[Callable[[], Run], Callable[[], Run], float]] = {
    "snnTorch `Synaptic`": (
        lambda: snntorch_synaptic(), lambda: sl.Synaptic(ALPHA, BETA, reset_delay=True), 1,
    ),
    "snnTorch `Synaptic(reset_delay=False)`": (
        lambda: snntorch_synaptic(reset_delay=False), lambda: sl.Synaptic(ALPHA, BETA), 1,
    ),
    "snnTorch `Synaptic(reset_mechanism=\"zero\")`": (
        lambda: snntorch_synaptic(reset_mechanism="zero"),
        lambda: sl.Synaptic(ALPHA, BETA, reset="zero", refractory=1), 1,
    ),
    "snnTorch `RLeaky(V=v, all_to_all=False)`": (
        lambda: snntorch_recurrent(V=-0.25, all_to_all=False),
        lambda: sl.Recurrent.one_to_one(sl.LIF(BETA, reset_delay=True), -0.25), 1,
    ),
    "snnTorch `RLeaky(linear_features=N)`": (
        lambda: snntorch_recurrent(linear_features=WIDTH),
        lambda: sl.Recurrent(sl.LIF(BETA, reset_delay=True), linear()), 1,
    ),
    "SpikingJelly `IFNode`": (
        lambda: spikingjelly("IFNode"), lambda: sl.IF(reset="zero", threshold=BELOW), 1,
    ),
    "SpikingJelly `IFNode(v_reset=None)`": (
        lambda: spikingjelly("IFNode", v_reset=None, v_threshold=1.001), lambda: sl.IF(threshold=1.001), 1,
    ),
    "SpikingJelly `ParametricLIFNode(decay_input=False)`": (
        lambda: spikingjelly("ParametricLIFNode", init_tau=1 / (1 - BETA), decay_input=False),
        lambda: sl.LIF(BETA, learn_beta=True, reset="zero", threshold=BELOW), 1,
    ),
    "SpikingJelly `ParametricLIFNode`": (
        lambda: spikingjelly("ParametricLIFNode", init_tau=2.0),
        lambda: sl.LIF(0.5, learn_beta=True, reset="zero", threshold=BELOW), 0.5,
    ),
    "Norse `LIFCell`": (
        lambda: norse_lif(), lambda: sl.Synaptic(ALPHA, BETA, reset="zero"), 1 - BETA,
    ),
    "Norse `LIFRefracCell`": (
        lambda: norse_lif(3), lambda: sl.Synaptic(ALPHA, BETA, reset="zero", refractory=3), 1 - BETA,
    ),
    "Norse `lsnn_feed_forward_step`": (
        lambda: norse_adaptive(), lambda: sl.AdaptiveLIF(BETA, RHO, RHO * 0.5, alpha=ALPHA, reset="zero"), 1 - BETA,
    ),
    "sinabs `LIF(tau_syn=...)`": (
        lambda: sinabs("LIF", tau_syn=tau(ALPHA)), lambda: sl.Synaptic(ALPHA, BETA), ALPHA,
    ),
    "sinabs `ALIF`": (
        lambda: sinabs("ALIF", tau_adapt=tau(RHO), adapt_scale=1.8),
        lambda: sl.AdaptiveLIF(BETA, RHO, 1.8 * (1 - RHO)), 1,
    ),
    "sinabs `ExpLeak`": (
        lambda: sinabs("ExpLeak"), lambda: membranes(sl.LIF(BETA, reset="none")), 1,
    ),
}  # fmt: skip

#: snnTorch resets a second time what one immediate reset left above the threshold: for small currents only
TWICE = ("snnTorch `Synaptic(reset_delay=False)`",)


@pytest.mark.parametrize("row", TABLE)
def test_same_currents_same_spikes(row: str) -> None:
    make_theirs, make_ours, scale = TABLE[row]
    with torch.no_grad():
        for currents in (RANDOM / 4,) if row in TWICE else (RANDOM, 4 * RANDOM, 12 * RANDOM):
            theirs, ours = make_theirs()(currents), make_ours()(scale * currents)
            if "ExpLeak" in row:
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
                continue
            assert bool(theirs.any()) or currents is RANDOM
            # a decay rounded otherwise: a membrane within rounding of the threshold may differ, and what follows it
            assert float((theirs != ours).float().mean()) <= 2e-3


def test_a_membrane_at_its_threshold_fires_there_and_not_here() -> None:
    """SpikingJelly compares with >=: ours with the float below as threshold does the same."""
    currents = torch.tensor([0.5, 0.5, 1.0, 0.25]).view(-1, 1, 1)
    assert spikingjelly("IFNode")(currents).flatten().tolist() == [0, 1, 1, 0]
    assert sl.IF(reset="zero", threshold=BELOW)(currents).flatten().tolist() == [0, 1, 1, 0]
    assert sl.IF(reset="zero")(currents).flatten().tolist() == [0, 0, 1, 0]


def test_a_learned_decay_learns_the_same() -> None:
    """Gradients of currents and decay; SpikingJelly learns `w` with `1 / tau = sigmoid(w)`, so its sign is turned."""
    surrogates = peer("spikingjelly.activation_based.surrogate")
    theirs = peer("spikingjelly.activation_based.neuron").ParametricLIFNode(
        init_tau=4.0, decay_input=False, step_mode="m", detach_reset=True, surrogate_function=surrogates.ATan(alpha=2.0)
    )
    ours = sl.LIF(0.75, learn_beta=True, reset="zero", surrogate="atan", slope=2.0)
    found = []
    for neuron in (theirs, ours):
        currents = RANDOM.clone().requires_grad_()
        spikes = neuron(currents)
        (spikes * torch.linspace(-1, 2, spikes.numel()).view_as(spikes)).sum().backward()
        found.append((spikes, currents.grad))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-4, atol=1e-5)
    assert ours.beta_logit.grad is not None
    torch.testing.assert_close(-theirs.w.grad, ours.beta_logit.grad, rtol=1e-4, atol=1e-3)


def test_the_table_in_the_documentation_has_these_rows() -> None:
    page = (ROOT / "docs/explanation/neurons.md").read_text(encoding="utf-8")
    missing = [row for row in TABLE if f"| {row} |" not in page]
    assert not missing
