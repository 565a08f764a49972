"""The neurons of every library that is known: one row a class, found by name, so that none of them is ever imported.

Read from snnTorch 1.0.0, SpikingJelly 2.0.0 (and 0.0.0.0.14), Norse 1.1.0 and sinabs 3.1.3.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .neurons import MEMORIES, NEURONS, Firing, NeuronKind, encoder, firing, first, silent


def _call(module: nn.Module, method: str) -> None:
    found: Any = getattr(module, method, None)
    if found is not None:
        found()


def _ours(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    return firing(first(output), args[0], "TB", state_variables=int(getattr(module, "state_variables", 1)))


def _ours_at_rest(module: nn.Module, args: tuple[Any, ...]) -> bool | None:
    state = args[1] if len(args) > 1 else None
    return state is None or silent(*(state if isinstance(state, tuple) else (state,)))


def _ours_on_chip(module: Any) -> dict[str, Any] | str:
    if type(module).__name__ not in _OURS_ON_CHIP:
        return f"chips here run {', '.join(_OURS_ON_CHIP)}: use one of them"
    cells = module.cells()
    return {
        "beta": cells.beta, "threshold": cells.threshold, "reset": cells.reset, "reset_delay": cells.reset_delay,
        "refractory": cells.refractory, "inclusive": cells.inclusive, "start": cells.initial, "window": module.window,
        "alpha": cells.alpha, "rho": cells.rho, "strength": cells.strength,
    }  # fmt: skip


_OURS_ON_CHIP = ("IF", "LIF", "Synaptic", "AdaptiveLIF")
NEURONS["spikeledger", "Neuron"] = NeuronKind(_ours, at_rest=_ours_at_rest, chip=_ours_on_chip)
NEURONS["spikeledger", "Encoder"] = encoder("TB")

# -- snnTorch: one step a call, [B, *N]; returns spikes, or (spikes, states...) --------------------------------------

_SNNTORCH_STATES = ("spk", "syn", "syn_exc", "syn_inh", "mem", "mem_prev")


def _snntorch(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    found = module._buffers.get
    states = {id(state) for name in _SNNTORCH_STATES if (state := found(name)) is not None}
    # a factor for each neuron: spikes of several sizes
    graded = torch.as_tensor(getattr(module, "graded_spikes_factor", 1.0)).numel() > 1
    return firing(first(output), args[0], "B", state_variables=len(states) or 1, graded=graded)


def _snntorch_rest(module: nn.Module, args: tuple[Any, ...]) -> bool | None:
    passed = [value for value in args[1:] if isinstance(value, Tensor)]
    if passed:
        return silent(*passed)
    states = [getattr(module, name, None) for name in _SNNTORCH_STATES]
    return silent(*states)


def _snntorch_to_rest(module: nn.Module) -> None:
    _call(module, "reset_mem")


def _snntorch_sequence(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    # all steps in one call, [T, B, N]; without `output` it returns the membrane
    return firing(first(output), args[0], "TB", spiking=bool(getattr(module, "output", True)))


def _snntorch_associative(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    spiking = bool(getattr(module, "output", True)) and not getattr(module, "use_q_projection", False)
    return firing(first(output), args[0], "TB", spiking=spiking)


def _snntorch_on_chip(module: Any) -> dict[str, Any] | str:
    kind = type(module).__name__
    if kind not in ("Leaky", "Synaptic"):
        return "of snnTorch chips here run Leaky and Synaptic: use one of them"
    if module.inhibition or bool((torch.as_tensor(module.graded_spikes_factor) != 1).any()):
        return "they have inhibition or graded spikes, where chips here send one spike of size 1"
    facts = {
        "beta": module.beta.clamp(0, 1), "threshold": module.threshold, "reset": module.reset_mechanism,
        "reset_delay": bool(module.reset_delay),
    }  # fmt: skip
    if kind == "Leaky":
        return facts
    if module.reset_mechanism == "subtract" and not module.reset_delay:
        return "snnTorch's, with reset_delay=False, may subtract twice for one spike: use its default, or sl.neurons.Synaptic"
    facts["alpha"] = module.alpha.clamp(0, 1)
    if module.reset_mechanism == "zero" and module.reset_delay:  # the step of the reset takes no input: it waits
        facts |= {"reset_delay": False, "refractory": 1}
    return facts


NEURONS["snntorch", "SpikingNeuron"] = NeuronKind(_snntorch, _snntorch_rest, _snntorch_to_rest, chip=_snntorch_on_chip)
for _name in ("LeakyParallel", "LeakyKernel", "StateLeaky"):
    NEURONS["snntorch", _name] = NeuronKind(_snntorch_sequence)
NEURONS["snntorch", "AssociativeLeaky"] = NeuronKind(_snntorch_associative)

# -- SpikingJelly: [B, *N], or [T, B, *N] in step mode "m"; the state stays in the module ----------------------------


def _spikingjelly(spiking: bool = True, unit: float | None = None) -> NeuronKind:
    def read(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
        layout = "TB" if getattr(module, "step_mode", "s") == "m" else "B"
        memories = getattr(module, "_memories", {})
        states = sum(isinstance(value, Tensor) for value in memories.values()) if memories else 1
        return firing(first(output), args[0], layout, state_variables=max(states, 1), spiking=spiking, unit=unit)

    def at_rest(module: nn.Module, args: tuple[Any, ...]) -> bool | None:
        if getattr(module, "step_mode", "s") == "m":
            return None
        memories = getattr(module, "_memories", {})
        return not any(isinstance(value, Tensor) for value in memories.values()) if memories else None

    def to_rest(module: nn.Module) -> None:
        _call(module, "reset")

    return NeuronKind(read, at_rest, to_rest)


def _spikingjelly_always_sequence(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    return firing(first(output), args[0], "TB")


for _name in [
    "BaseNode",
    "SimpleBaseNode",
    "DSRIFNode",
    "DSRLIFNode",
    "ActivationAwareIFNode",
    "GatedLIFNode",
    "FlexSN",
    "STBIFNode",
    "FewSpikeNode",
    "MaskedPSN",
    "SlidingPSN",
]:
    NEURONS["spikingjelly", _name] = _spikingjelly()
for _name in ("PSN", "ILCBaseNode", "NoisyBaseNode"):
    NEURONS["spikingjelly", _name] = NeuronKind(_spikingjelly_always_sequence)
NEURONS["spikingjelly", "LIAFNode"] = _spikingjelly(spiking=False)


def _spikingjelly_read_out(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    # takes all steps in one call in every step mode, and may give one decoded value of them
    current = args[0]
    sent = first(output)
    return Firing(sent, sent if sent.shape == current.shape else current, current, "TB", 1, False)


for _name in ("NonSpikingBaseNode", "NoisyNonSpikingBaseNode"):
    NEURONS["spikingjelly", _name] = NeuronKind(
        _spikingjelly_read_out, _spikingjelly().at_rest, _spikingjelly().to_rest
    )
NEURONS["spikingjelly", "ILIFNode"] = _spikingjelly(unit=1.0)
#: recurrent containers, synapse filters, delays: whatever keeps something between calls
MEMORIES["spikingjelly", "MemoryModule"] = "reset"
for _name in ("StatelessEncoder", "StatefulEncoder"):
    NEURONS["spikingjelly", _name] = encoder("B")

# -- Norse: cells [B, *N] and sequences [T, B, *N]; both return (spikes, state) --------------------------------------


def _norse(layout: str, spiking: bool = True) -> NeuronKind:
    def read(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
        state = output[1] if isinstance(output, tuple) and len(output) > 1 else ()
        parts = state if isinstance(state, tuple) else (state,)
        states = sum(isinstance(part, Tensor) for part in parts)
        return firing(first(output), args[0], layout, state_variables=max(states, 1), spiking=spiking)

    def at_rest(module: nn.Module, args: tuple[Any, ...]) -> bool | None:
        return len(args) < 2 or args[1] is None

    return NeuronKind(read, at_rest)


for _name in (
    "SNNCell",
    "SNNRecurrentCell",
    "CobaLIFCell",
    "LIFMCRecurrentCell",
    "LIFMCRefracRecurrentCell",
    "LIFCorrelation",
):
    NEURONS["norse", _name] = _norse("B")
for _name in ("SNN", "SNNRecurrent"):
    NEURONS["norse", _name] = _norse("TB")
for _name in ("LICell", "LIBoxCell", "LILinearCell"):
    NEURONS["norse", _name] = _norse("B", spiking=False)
NEURONS["norse", "LI"] = _norse("TB", spiking=False)
for _name in (
    "ConstantCurrentLIFEncoder",
    "PoissonEncoder",
    "SignedPoissonEncoder",
    "SpikeLatencyEncoder",
    "SpikeLatencyLIFEncoder",
):
    NEURONS["norse", _name] = encoder("TB")
for _name in ("PoissonEncoderStep", "SignedPoissonEncoderStep"):
    NEURONS["norse", _name] = encoder("B")

# -- sinabs: [B, T, *N], or [B T, *N] in the squeezed classes; a neuron may send several spikes in a step ------------


def _sinabs(spiking: bool) -> NeuronKind:
    def read(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
        sent, current = first(output), args[0]
        states = sum(state.numel() > 0 for state in module.buffers(recurse=False))
        squeezed = getattr(module, "batch_size", None), getattr(module, "num_timesteps", None)
        if squeezed != (None, None):
            spikes, currents = (value.unflatten(0, squeezed) for value in (sent, current))
        else:
            spikes, currents = sent, current
        return Firing(sent, spikes, currents, "BT", max(states, 1), spiking, True, 1.0 if spiking else None)

    def at_rest(module: nn.Module, args: tuple[Any, ...]) -> bool | None:
        return silent(getattr(module, "v_mem", None))

    def to_rest(module: nn.Module) -> None:
        _call(module, "reset_states")

    return NeuronKind(read, at_rest, to_rest)


NEURONS["sinabs", "StatefulLayer"] = _sinabs(True)
NEURONS["sinabs", "ExpLeak"] = _sinabs(False)

# -- Rockpool: [B, T, N]; returns (output, states, recordings); recurrent weights may be inside -----------------------


def _rockpool(spiking: bool) -> NeuronKind:
    def read(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
        sent = first(output)
        current = args[0] if args[0].shape == sent.shape else None
        return Firing(sent, sent, current, "BT", 1, spiking, True, 1.0 if spiking else None)

    def to_rest(module: nn.Module) -> None:
        _call(module, "reset_state")

    return NeuronKind(read, to_rest=to_rest)


for _name in ("LIFBaseTorch", "LIFTorch", "LIFBitshiftTorch", "LIFNeuronTorch", "aLIFTorch", "LIFSlayer"):
    NEURONS["rockpool", _name] = _rockpool(True)
NEURONS["rockpool", "ExpSynTorch"] = _rockpool(False)
MEMORIES["rockpool", "TorchModule"] = "reset_state"
