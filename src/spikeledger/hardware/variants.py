"""The same device otherwise used: at another width, batch or clock, skipping other zeros, reusing what it fetched.

Each function takes a profile and gives a changed one, whose name says what was changed.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError

from ..amounts import Amount
from ..errors import InputError, ProfileError
from .profile import HardwareProfile, Price

#: prices that are additions or simpler, and scale with the number of bits
_LINEAR = ("synaptic_op", "bias_add", "activation", "pool_read", "elementwise")


def at_bits(profile: HardwareProfile, bits: int) -> HardwareProfile:
    """An integer technology at another width: adders grow with the bits, multipliers with their square.

    `E_add(b) = E_add b/b0`, `E_mac(b) = E_add(b) + (E_mac - E_add)(b/b0)^2`; Horowitz's table has 0.03 to 0.1 pJ and
    0.2 to 3.1 pJ between 8 and 32 bits, 3.3 and 15.5 times for 4 times the bits.
    """
    if not 1 <= bits <= 32:
        raise InputError(f"a width of {bits} bits cannot be priced: give 1 to 32")
    given = profile.precision
    if given.arithmetic != "integer":
        raise InputError(f"'{profile.name}' has {given.arithmetic} arithmetic: widths are scaled from integers only")
    if bits == given.weight_bits:
        return profile
    ratio, why = bits / given.weight_bits, f"scaled from {given.weight_bits} to {bits} bits"
    prices = dict(profile.prices)
    for event in _LINEAR:
        if event in prices:
            prices[event] = prices[event].scaled(ratio, why)
    adds = profile.prices.get("synaptic_op")
    for event in ("mac", "norm_op", "neuron_update", "active_update"):
        if event in prices:
            prices[event] = prices[event].remade(_narrowed(prices[event].amount, adds, ratio), why)
    precision = given.model_copy(update={"weight_bits": bits, "activation_bits": bits})
    return _changed(
        profile,
        f"{profile.name}@{bits}bit",
        f"{profile.title}, {bits}-bit weights and activations",
        prices=prices,
        precision=precision,
    )


def _narrowed(amount: Amount, adds: Price | None, ratio: float) -> Amount:
    """Additions times the ratio of widths, the rest times its square; unmixed where a price says what it is made of."""
    if adds is None:
        return amount * (ratio * ratio)
    added = set(adds.amount.unknowns)
    if added & set(amount.unknowns):
        terms = {
            product: weight * (ratio if set(product) <= added else ratio * ratio)
            for product, weight in amount.terms.items()
        }
        return Amount.from_terms(terms)
    share = min(adds.joules / max(amount.nominal, 1e-300), 1.0)
    return amount * (share * ratio + (1 - share) * ratio * ratio)


def with_reuse(profile: HardwareProfile, factor: float) -> HardwareProfile:
    """A dense machine that uses each fetched weight and activation `factor` times before it fetches another."""
    if not factor >= 1:
        raise InputError(f"a reuse of {factor} makes no sense: 1 is none, and more is less traffic")
    return _changed(
        profile, f"{profile.name}@reuse{factor:g}", f"{profile.title}, each operand used {factor:g} times", reuse=factor
    )


def skipping(profile: HardwareProfile, zeros: Literal["none", "spikes", "all"]) -> HardwareProfile:
    """A machine that does not compute some zeros: none, those of spike trains, or all of them."""
    words = {"none": "dense", "spikes": "skips silent inputs", "all": "skips every zero"}
    if zeros not in words:
        raise InputError(f"zeros are skipped 'none', 'spikes' or 'all', not '{zeros}'")
    return _changed(profile, f"{profile.name}@{zeros}", f"{profile.title}, {words[zeros]}", skips=zeros)


def at_batch(profile: HardwareProfile, batch: int, *, utilisation: float | None = None) -> HardwareProfile:
    """A GPU or CPU with another number of samples in flight: what a launch costs is shared by the batch.

    `utilisation` is the share of the peak rate that its kernels reach; it falls with the batch and is the profile's
    own unless given.
    """
    if profile.timing is None:
        raise InputError(f"'{profile.name}' has no [timing], so a batch changes nothing there")
    if batch < 1:
        raise InputError(f"a batch of {batch} is none: give 1 or more")
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
    watts = static.watts + (hertz - static.clock_hertz) * static.watts_per_hertz
    share = watts / static.watts
    changed = static.made(static.amount * share, clock_hertz=hertz)
    return _changed(profile, f"{profile.name}@{hertz:g}Hz", f"{profile.title}, at {hertz:g} Hz", static=changed)


def with_price(profile: HardwareProfile, event: str, price: Price) -> HardwareProfile:
    """The profile with one price set: to ask what a total hangs on."""
    return _changed(profile, profile.name, profile.title, prices={**profile.prices, event: price})


def _changed(profile: HardwareProfile, name: str, title: str, **update: Any) -> HardwareProfile:
    # built anew: a copy would keep what the old one has worked out
    fields = {field: getattr(profile, field) for field in HardwareProfile.model_fields}
    try:
        return HardwareProfile(**{**fields, "name": name, "title": title, **update})
    except ValidationError as error:
        said = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise ProfileError(f"'{name}' is no possible device: {said}") from error
