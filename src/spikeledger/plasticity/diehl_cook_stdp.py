"""Diehl & Cook's network in plain numpy: what the native kernel must give, bit for bit, and what runs without it.

A step, for each excitatory neuron (all float32, mV, h the length of a step):

    ge <- ge + weights of the inputs that spike,  gi <- gi + inhibition of all partners that fired but its own
    v  <- v + h / tau ((rest - v) - ge v + gi (low - v)),  then ge <- ge exp(-h / tau_e), gi <- gi exp(-h / tau_i)
    v > threshold + theta: a spike, v <- reset for the refractory steps, theta <- theta + step

STDP, on traces that are 1 at a neuron's last spike and fade: an input spike takes `decrease x after` off the weights to
neurons that fired in this presentation; a neuron's second and later spikes add `increase x before x after_2`, with the trace
of its own spike before (40 ms), to the weights of inputs that were heard.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def diehl_cook(run: dict[str, Any], constants: dict[str, float | int]) -> None:
    """Show `run["count"]` digits; arrays of `run` are written as the native kernel writes them."""
    for digit in range(run["count"]):
        for attempt in range(int(constants["most"])):
            steps = input_spikes(
                run["images"][digit], run["first"] + digit, attempt, run["steps"], run["seed"], constants
            )
            for places in steps:
                run["input_spikes"][places] += 1
            seen = present(steps, run, constants).sum(0)
            if run["spikes"] is not None:
                run["spikes"][digit] = seen
            run["presentations"][digit] = attempt + 1
            if seen.sum() >= constants["enough"]:
                break


def input_spikes(
    image: NDArray[np.uint8], number: int, attempt: int, steps: int, seed: int, constants: dict[str, float | int]
) -> list[NDArray[np.int64]]:
    """The inputs that spike in each step, for digit `number` shown for the `attempt`-th time: Poisson, by geometric gaps.

    Uniform numbers are SplitMix64's, by place, so that every digit has its own whatever was shown before.
    """
    key = _mixed_number((_mixed_number((seed + _GOLDEN * (number + 1)) & _MASK) + attempt) & _MASK)
    places = np.flatnonzero(image)
    scale = 1 / logarithm(1 - image[places] * float(constants["chance"]) * (constants["intensity"] + attempt))
    draws = np.uint64(key) + np.uint64(_GOLDEN) * (places.astype(np.uint64) * np.uint64(65536))
    now = np.full(len(places), -1.0)
    drawn = []
    while len(places):
        draws = draws + np.uint64(_GOLDEN)
        now = now + 1 + np.floor(logarithm(((_mixed(draws) >> np.uint64(12)) + 0.5) * 2.0**-52) * scale)
        going = now < steps
        places, scale, draws, now = places[going], scale[going], draws[going], now[going]
        drawn.append((now.astype(np.int64), places))
    if not drawn:
        return [np.zeros(0, np.int64)] * steps
    when, where = (np.concatenate(rows) for rows in zip(*drawn, strict=True))
    order = np.lexsort((where, when))
    return np.split(where[order], np.searchsorted(when[order], np.arange(1, steps)))


def logarithm(x: NDArray[Any]) -> NDArray[np.float64]:
    """The natural logarithm in plain arithmetic, the same bits on every machine: of 0 < x < 1."""
    part, exponent = np.frexp(x)
    small = part < 0.70703125
    part, exponent = np.where(small, 2 * part, part), np.where(small, exponent - 1.0, exponent)
    s = (part - 1) / (part + 1)
    square, total = s * s, np.full_like(s, 1 / 17)
    for power in range(15, 0, -2):
        total = total * square + 1 / power
    return exponent * 0.6931471805599453 + 2 * s * total


def present(
    inputs: list[NDArray[np.int64]], run: dict[str, Any], constants: dict[str, float | int]
) -> NDArray[np.bool_]:
    """One presentation, given the inputs that spike in each step: spikes `[steps, neurons]`; `run` learns and counts."""
    is_ = {name: np.float32(value) for name, value in constants.items() if isinstance(value, float)}
    weight, theta, learn, delay = run["weight"], run["theta"], run["learn"], run["delay"]
    fade, fade_after = run["fade"], run["fade_after"]
    neurons, everyone = run["neurons"], np.arange(run["neurons"])
    v, ge, gi = np.full(neurons, is_["rest"]), np.zeros(neurons, np.float32), np.zeros(neurons, np.float32)
    most_ge = most_gi = np.float32(0)
    last, until = np.full(neurons, -1), np.full(neurons, -1)
    heard = np.full(run["inputs"], -1)
    inner_v, inner_ge = np.full(neurons, is_["inhibitory_rest"]), np.zeros(neurons, np.float32)
    inner_until, inhibiting = np.full(neurons, -1), np.zeros(0, np.int64)
    late = np.zeros((run["longest"] + 1, neurons), np.float32)
    late_any = np.zeros(late.shape, bool)
    spikes = np.zeros((len(inputs), neurons), bool)
    for t, places in enumerate(inputs):
        fired = np.flatnonzero(last >= 0)
        for place in places:
            if delay is None:
                ge += weight[place]
            else:
                slots = (t + delay[place].astype(np.int64)) % len(late)
                late[slots, everyone] += weight[place]
                late_any[slots, everyone] = True
            most_ge += is_["largest"]
            if learn:
                row = weight[place]
                row[fired] = np.maximum(row[fired] - is_["decrease"] * fade[t - last[fired]], np.float32(0))
                run["updates"][0] += len(fired)
                heard[place] = t
        active = np.full(neurons, len(places) > 0)
        if delay is not None:
            slot = t % len(late)
            ge += late[slot]
            active = late_any[slot].copy()
            late[slot], late_any[slot] = 0, False
        for source in inhibiting:
            others = everyone != source
            gi[others] += is_["inhibition"]
            active |= others
            most_gi += is_["inhibition"]
        run["active"] += active
        draw = gi * (is_["low"] - v) if most_gi > 0 else np.float32(0)
        change = (is_["rest"] - v) - ge * v
        v = v + is_["rate"] * (change + draw if most_gi > 0 else change)
        ge, gi = ge * is_["ge_fade"], gi * is_["gi_fade"]
        most_ge, most_gi = most_ge * is_["ge_fade"], most_gi * is_["gi_fade"]
        if most_ge < is_["least"]:
            most_ge, ge = np.float32(0), np.zeros_like(ge)
        if most_gi < is_["least"]:
            most_gi, gi = np.float32(0), np.zeros_like(gi)
        v[until >= t] = is_["reset"]
        over = v - (is_["threshold"] + theta)
        above = np.flatnonzero(over > 0)
        if run["one_at_a_time"] and len(above):
            above = np.array([np.argmax(over)])
        for i in above:
            spikes[t, i] = True
            v[i], until[i] = is_["reset"], t + constants["refractory"]
            run["fired"][i] += 1
            if learn:
                theta[i] += is_["theta_step"]
                if last[i] >= 0:
                    before = np.flatnonzero(heard >= 0)
                    by = is_["increase"] * fade_after[t - last[i]]
                    weight[before, i] = np.minimum(weight[before, i] + by * fade[t - heard[before]], is_["largest"])
                    run["updates"][0] += len(before)
            last[i] = t
            inner_ge[i] += is_["excitation"]
            run["inhibitory_active"][i] += 1
        inner_v = inner_v + is_["inhibitory_rate"] * ((is_["inhibitory_rest"] - inner_v) - inner_ge * inner_v)
        inner_ge = inner_ge * is_["ge_fade"]
        inner_v[inner_until >= t] = is_["inhibitory_reset"]
        inhibiting = np.flatnonzero(inner_v > is_["inhibitory_threshold"])
        inner_v[inhibiting] = is_["inhibitory_reset"]
        inner_until[inhibiting] = t + constants["inhibitory_refractory"]
        run["inhibitory_fired"][inhibiting] += 1
    if learn:
        _settle(weight, theta, np.flatnonzero(last >= 0), run["updates"], is_)
    return spikes


def _settle(
    weight: NDArray[np.float32],
    theta: NDArray[np.float32],
    fired: NDArray[np.int64],
    updates: NDArray[np.int64],
    is_: dict[str, np.float32],
) -> None:
    """After a presentation: the weights of who fired are brought back to their sum, and all thresholds sink."""
    sums = np.zeros(len(fired), np.float32)
    for row in weight:  # in order, as the kernel adds them
        sums += row[fired]
    weight[:, fired] *= is_["total"] / sums
    updates[1] += len(weight) * len(fired)
    theta *= is_["theta_fade"]


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _mixed_number(x: int) -> int:
    return int(_mixed(np.array([x], np.uint64))[0])
