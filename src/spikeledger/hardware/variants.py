"""The same device otherwise used: at another width, batch or clock, skipping other zeros, reusing what it fetched.

Each function takes a profile and gives a changed one, whose name says what was changed behind an `@`; wherever a profile
is named, `horowitz-45nm-int8@event-driven@once` is understood (`named`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, get_args

from pydantic import ValidationError

from ..amounts import Amount
from ..errors import InputError, ProfileError, unknown_name
from .profile import Dataflow, HardwareProfile, Leak, Price

#: prices that are additions or simpler, and grow with the width of what is added
_LINEAR = ("synaptic_op", "bias_add", "activation", "pool_read", "elementwise")
#: Horowitz 2014: int8 and int32 adds of 0.03 and 0.1 pJ lie on a line that is zero at -2.29 bits
_ADD_OFFSET = 2.29
#: bits beyond both factors that an accumulator of a multiply-accumulate has: 32 for 8 x 8
_HEADROOM = 16


def at_bits(profile: HardwareProfile, bits: int, *, activations: int | None = None) -> HardwareProfile:
    """An integer technology at another width of weights and, unless `activations` says otherwise, of activations.

    `E_multiply(w, a) = E_multiply w a / (w0 a0)`, and `E_add(s)` is linear in the width `s` of the sum: Horowitz's table
    has 0.2 and 3.1 pJ, 0.03 and 0.1 pJ, for 8 and 32 bits. A membrane is as much wider than a weight as in the profile;
    a multiply-accumulate adds into 16 bits more than both factors have. What else adds (biases, pooling) does so at the
    width of the activations.
    """
    wide = bits if activations is None else activations
    for width in (bits, wide):
        if not 1 <= width <= 32:
            raise InputError(f"a width of {width} bits cannot be priced: give 1 to 32")
    given = profile.precision
    if given.arithmetic != "integer":
        raise InputError(f"'{profile.name}' has {given.arithmetic} arithmetic: widths are scaled from integers only")
    if bits == given.weight_bits and wide == given.activation_bits:
        return profile
    why = f"scaled from {given.weight_bits} to {bits} bits" + (f" and activations of {wide}" if wide != bits else "")
    state = max(given.state_bits + bits - given.weight_bits, 1)
    added = _added(state, given.state_bits)
    product = bits * wide / (given.weight_bits * given.activation_bits)
    prices = dict(profile.prices)
    for event in _LINEAR:
        if event in prices:
            # a synaptic operation adds into the membrane, the others at the width of an activation
            factor = added if event == "synaptic_op" else _added(wide, given.activation_bits)
            prices[event] = prices[event].scaled(factor, why)
    before = given.weight_bits + given.activation_bits + _HEADROOM
    for event, old, new in (
        ("mac", before, bits + wide + _HEADROOM), ("norm_op", before, bits + wide + _HEADROOM),
        ("neuron_update", given.state_bits, state), ("active_update", given.state_bits, state),
    ):  # fmt: skip
        if event in prices:
            one_add = _added(old, given.state_bits)
            amount = _narrowed(
                prices[event].amount, profile.prices.get("synaptic_op"), one_add, _added(new, old), product
            )
            prices[event] = prices[event].remade(amount, why)
    precision = given.model_copy(update={"weight_bits": bits, "activation_bits": wide, "state_bits": state})
    shown = f"{bits}bit" if wide == bits else f"{bits}x{wide}bit"
    words = "weights and activations" if wide == bits else f"weights and {wide}-bit activations"
    return _changed(
        profile, f"{profile.name}@{shown}", f"{profile.title}, {bits}-bit {words}", prices=prices, precision=precision
    )


def _added(bits: float, before: float) -> float:
    """How much dearer an add of so many bits is."""
    return (bits + _ADD_OFFSET) / (before + _ADD_OFFSET)


def _narrowed(amount: Amount, adds: Price | None, one_add: float, sums: float, products: float) -> Amount:
    """What is added times `sums`, the rest times `products`; unmixed where a price says what it is made of.

    `one_add` is how many synaptic operations one of its adds costs, where its parts have to be guessed.
    """
    if adds is None:
        return amount * products
    added = set(adds.amount.unknowns)
    if added & set(amount.unknowns):
        terms = {
            product: weight * (sums if set(product) <= added else products) for product, weight in amount.terms.items()
        }
        return Amount.from_terms(terms)
    share = min(adds.joules * one_add / max(amount.nominal, 1e-300), 1.0)
    return amount * (share * sums + (1 - share) * products)


def with_reuse(profile: HardwareProfile, factor: float, *, batch: int = 1) -> HardwareProfile:
    """A machine that uses each fetched weight and activation up to `factor` times before it fetches another.

    No layer offers more than it has: a fully connected weight is used once a sample, `batch` times a batch; a weight of
    a convolution once an output position; an activation once a weight that leaves it.
    """
    if not factor >= 1:
        raise InputError(f"a reuse of {factor} makes no sense: 1 is none, and more is less traffic")
    if batch < 1:
        raise InputError(f"a batch of {batch} is none: give 1 or more")
    name, words = f"{profile.name}@reuse{factor:g}", f"{profile.title}, each operand used up to {factor:g} times"
    if batch > 1:
        name, words = f"{name}x{batch}", f"{words}, batch {batch}"
    return _changed(profile, name, words, reuse=factor, batch=batch)


def with_dataflow(profile: HardwareProfile, flow: Dataflow) -> HardwareProfile:
    """A technology whose machine walks through spiking layers in this way: see `bills.dataflow`."""
    known = [name for name in get_args(Dataflow) if name]
    if flow not in known:
        raise unknown_name("dataflow", flow, known)
    if not profile.memory or profile.skips == "none" or profile.pays_for("weight_read", "synaptic_op"):
        raise InputError(
            f"the prices of '{profile.name}' hold its own dataflow: choose a technology with [[memory]] levels"
        )
    return _changed(profile, f"{profile.name}@{flow}", f"{profile.title}, {flow}", dataflow=flow)


def once_at_first(profile: HardwareProfile) -> HardwareProfile:
    """A machine that multiplies a constant graded input once, and keeps the current of its first layer for all steps.

    It holds for networks whose input is the same at every step (direct coding); one more number of the size of the
    state is read for each neuron and step.
    """
    return _changed(
        profile, f"{profile.name}@once", f"{profile.title}, first layer once", first_layer="once",
        caveat=_joined(profile.caveat, "the graded input is taken as the same at every step"),
    )  # fmt: skip


def batching_steps(profile: HardwareProfile, steps: int) -> HardwareProfile:
    """A machine that computes several steps of a layer at once (tick batching): a weight is fetched once for them."""
    if steps < 1:
        raise InputError(f"{steps} steps at once are none: give 1 or more")
    return _changed(
        profile, f"{profile.name}@ticks{steps}", f"{profile.title}, {steps} steps at once", steps_at_once=steps
    )


def by_step(profile: HardwareProfile) -> HardwareProfile:
    """A GPU or CPU that launches each layer at every step, as loops over time do, and not once for all steps."""
    if profile.timing is None or not profile.timing.seconds_per_layer:
        raise InputError(f"'{profile.name}' states no seconds of a launch ([timing] seconds_per_layer)")
    timing = profile.timing.model_copy(update={"launches": "by_step"})
    return _changed(profile, f"{profile.name}@by-step", f"{profile.title}, a launch each layer and step", timing=timing)


def leaking(profile: HardwareProfile) -> HardwareProfile:
    """A technology whose memories leak while it computes.

    Two chips tell what a byte leaks: ODIN (27.3 uW for 36 KB, 28 nm, 0.55 V) and TrueNorth (44.2 mW for 428 Mb, 28 nm,
    0.8 V), 0.74 and 0.81 nW; other nodes and libraries are a tenth to 30 times of that (assumed).
    """
    if not profile.memory:
        raise InputError(f"'{profile.name}' has no [[memory]] levels, so nothing of it leaks by size")
    leak = Leak(
        watts_per_byte=8e-10, low=8e-11, high=2.4e-8, operations_per_second=2.56e10, kind="assumed",
        source="ODIN, doi:10.1109/TBCAS.2018.2880425 (27.3 uW, 36 KB), TrueNorth, doi:10.1109/TCAD.2015.2474396 (44.2 mW, "
        "428 Mb); time: 128 adders at 200 MHz (SpinalFlow, doi:10.1109/ISCA45697.2020.00038, quoted from memory)",
        note="range assumed",
    )  # fmt: skip
    kept = {event: why for event, why in profile.leaves_out.items() if event != "second"}
    return _changed(profile, f"{profile.name}@leaking", f"{profile.title}, with leakage", leak=leak, leaves_out=kept)


def in_state(profile: HardwareProfile, state: str) -> HardwareProfile:
    """The device in another of its published states: after boot, on another board, at another voltage."""
    if state not in profile.states:
        raise unknown_name(f"state of '{profile.name}'", state, profile.states)
    other = profile.states[state]
    update = {
        part: value
        for part in ("static", "timing", "limits", "volts", "memory", "caveat")
        if (value := getattr(other, part))
    }
    prices = {**profile.prices, **other.prices}
    return _changed(profile, f"{profile.name}@{state}", other.title, prices=prices, states={}, **update)


def skipping(profile: HardwareProfile, zeros: Literal["none", "spikes", "all"]) -> HardwareProfile:
    """A machine that does not compute some zeros: none, those of spike trains, or all of them."""
    words = {"none": "dense", "spikes": "skips silent inputs", "all": "skips every zero"}
    if zeros not in words:
        raise InputError(f"zeros are skipped 'none', 'spikes' or 'all', not '{zeros}'")
    return _changed(profile, f"{profile.name}@{zeros}", f"{profile.title}, {words[zeros]}", skips=zeros)


#: samples in flight
_MOST_BATCHED = 1 << 30


def at_batch(profile: HardwareProfile, batch: int, *, utilisation: float | None = None) -> HardwareProfile:
    """A GPU or CPU with another number of samples in flight: what a launch costs is shared by the batch.

    `utilisation` is the share of the peak rate that its kernels reach; it falls with the batch and is the profile's
    own unless given.
    """
    if profile.timing is None:
        raise InputError(f"'{profile.name}' has no [timing], so a batch changes nothing there")
    if not 1 <= batch <= _MOST_BATCHED:
        raise InputError(f"a batch of {batch} is none: give 1 or more, and at most {_MOST_BATCHED:,}")
    update: dict[str, Any] = {"batch": batch}
    if utilisation is not None:
        if not 0 < utilisation <= 1:
            raise InputError(f"a utilisation of {utilisation} is none: give a share above 0 and at most 1")
        update["utilisation"] = utilisation
    timing = profile.timing.model_copy(update=update)
    caveat = f"at batch {batch} and {100 * timing.utilisation:g} % of the peak rate"
    return _changed(
        profile, f"{profile.name}@batch{batch}", f"{profile.title}, batch {batch}", timing=timing, caveat=caveat
    )


def at_clock(profile: HardwareProfile, hertz: float) -> HardwareProfile:
    """A chip whose idle power grows with the clock: `P = P0 + (f - f0) watts_per_hertz`."""
    static = profile.static
    if static is None or static.clock_hertz is None:
        raise InputError(f"'{profile.name}' does not say how its power depends on the clock")
    if not hertz > 0:
        raise InputError(f"a clock of {hertz} Hz is none")
    low, high = static.clock_low or 0.0, static.clock_high or float("inf")
    if not low * (1 - 1e-9) <= hertz <= high * (1 + 1e-9):
        raise InputError(
            f"'{profile.name}' was measured between {low:g} and {high:g} Hz, and {hertz:g} Hz lies outside: nothing "
            "published says what it draws there"
        )
    watts = static.watts + (hertz - static.clock_hertz) * static.watts_per_hertz
    share = watts / static.watts
    changed = static.made(static.amount * share, clock_hertz=hertz)
    return _changed(profile, f"{profile.name}@{hertz:g}Hz", f"{profile.title}, at {hertz:g} Hz", static=changed)


def with_price(profile: HardwareProfile, event: str, price: Price) -> HardwareProfile:
    """The profile with one price set: to ask what a total hangs on."""
    return _changed(profile, profile.name, profile.title, prices={**profile.prices, event: price})


#: what may stand behind an `@`, and what it does to the profile
_NAMED: tuple[tuple[str, Callable[[HardwareProfile, re.Match[str]], HardwareProfile]], ...] = (
    (r"(\d+)bit", lambda device, found: at_bits(device, int(found[1]))),
    (r"(\d+)x(\d+)bit", lambda device, found: at_bits(device, int(found[1]), activations=int(found[2]))),
    (
        r"reuse([\d.e+]+)(?:x(\d+))?",
        lambda device, found: with_reuse(device, float(found[1]), batch=int(found[2] or 1)),
    ),
    (r"(none|spikes|all)", lambda device, found: skipping(device, found[1])),  # type: ignore[arg-type]
    (r"batch(\d+)", lambda device, found: at_batch(device, int(found[1]))),
    (r"([\d.e+]+)Hz", lambda device, found: at_clock(device, float(found[1]))),
    (r"(event-driven|row-wise|output-stationary)", lambda device, found: with_dataflow(device, found[1])),  # type: ignore[arg-type]
    (r"once", lambda device, found: once_at_first(device)),
    (r"ticks(\d+)", lambda device, found: batching_steps(device, int(found[1]))),
    (r"by-step", lambda device, found: by_step(device)),
    (r"leaking", lambda device, found: leaking(device)),
)
#: the same for people
NAMES = ("5bit", "8x3bit", "reuse16", "reuse16x128", "none", "spikes", "all", "batch1", "1.3e6Hz", "event-driven",
         "row-wise", "output-stationary", "once", "ticks4", "by-step", "leaking")  # fmt: skip


def named(profile: HardwareProfile, variant: str) -> HardwareProfile:
    """The variant whose name stands behind an `@`: a state of the device, or one of this module's functions.

    Raises:
        InputError: nothing is called so, or the device cannot be used so.
    """
    if variant in profile.states:
        return in_state(profile, variant)
    for pattern, change in _NAMED:
        found = re.fullmatch(pattern, variant)
        if found:
            try:
                return change(profile, found)
            except ValueError as error:
                if isinstance(error, InputError):
                    raise
                break
    raise unknown_name(f"variant of '{profile.name}'", variant, [*profile.states, *NAMES])


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _changed(profile: HardwareProfile, name: str, title: str, **update: Any) -> HardwareProfile:
    # built anew: a copy would keep what the old one has worked out
    fields = {field: getattr(profile, field) for field in HardwareProfile.model_fields}
    try:
        return HardwareProfile.model_validate({**fields, "name": name, "title": title, **update})
    except ValidationError as error:
        said = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise ProfileError(f"'{name}' is no possible device: {said}") from error
