"""Tables 5 to 7 of Cassetta, Di Trani & Cavalagli (2023), as published, by their own arithmetic, and corrected.

Their kWh follow, to the digits that they give, from::

    kWh = T (0.58 pJ AC + 1.6 pJ MAC) / 3.6e5,   AC = T N,   a total below 1 is written as 1

with `N` the neurons of the network, the outputs included: `T` is in it twice, the divisor is ten times too small, and what
is counted are neuron updates, not synaptic operations. Corrected are `AC = T (sum of rate x fan-out) + T N` and 3.6e6.
The prices are theirs: 12 nm, 0.58 pJ an accumulation and 1.6 pJ a multiplication (kind `claimed`, of their source).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .. import units

#: joules at 12 nm, as the paper uses them
ACCUMULATE, MULTIPLY = 0.58 * units.PICO, 1.6 * units.PICO
_JOULES_PER_KWH = 3.6e6
_PUBLISHED_DIVISOR = 3.6e5  # a slip: ten times too small
#: what the corrected counts assume: mean brightness of MNIST, and a spike in ten steps of a hidden neuron (assumed)
BRIGHTNESS, RATE = 0.1307, 0.1


@dataclass(frozen=True)
class Published:
    """One row of a table: widths of the network that is named (empty: not stated), steps (0: an ANN), and kWh as printed."""

    table: int
    name: str
    widths: tuple[int, ...]
    timesteps: int
    kwh: float
    #: multiplications that the ANN's row needs, weights and ReLUs, and pooled inputs of a CNN; 0 where it is not known
    macs: int = 0
    neurons: int = 0
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A row three times, in kWh; None where it cannot be rebuilt."""

    row: Published
    as_published: float
    its_arithmetic: float | None
    corrected: float | None
    why: str


#: widths of the perceptrons
S, M, L = (784, 256, 10), (784, 512, 256, 64, 10), (784, 2000, 500, 64, 16, 10)
_NOT_THE_NET = (
    "implies 6.918 million multiplications, and the network that is stated has 2.601 million: another one was counted"
)
TABLES: tuple[Published, ...] = (
    *(Published(6, f"S_SNN_{t}", S, t, kwh, neurons=266) for t, kwh in ((5, 1.0736e-14), (20, 1.7151e-13), (50, 1.0716e-12))),
    Published(6, "S_ANN", S, 0, 9.0453e-13, macs=203_520),
    *(Published(6, f"M_SNN_{t}", M, t, kwh, neurons=842) for t, kwh in ((5, 3.3936e-14), (20, 5.4271e-13), (50, 3.3916e-12))),
    Published(6, "M_ANN", M, 0, 2.4459e-12, macs=550_336),
    *(Published(6, f"D_SNN_{t}", L, t, kwh, neurons=2590) for t, kwh in ((5, 1.0434e-13), (20, 1.6691e-12), (50, 1.0432e-11))),
    Published(6, "D_ANN", L, 0, 3.0747e-11, note=_NOT_THE_NET),
    *(Published(7, f"M_SNN_{t}", (), t, kwh, neurons=53_458) for t, kwh in
      ((5, 2.1555e-12), (20, 3.4487e-11), (50, 2.1554e-10))),
    Published(7, "M_CNN", (), 0, 3.9011e-11, macs=8_777_472),
    *(Published(7, f"D_SNN_{t}", (), t, kwh, neurons=143_800) for t, kwh in
      ((5, 5.7953e-12), (20, 9.2724e-11), (50, 5.7955e-10))),
    Published(7, "D_CNN", (), 0, 4.0333e-10, macs=90_749_440),
    Published(5, "VGG", (), 0, 8.69212e-10, macs=19_557_260_000,
              note="printed a hundred times too small: its own arithmetic gives e-08"),
    Published(5, "S_VGG", (), 0, 9.9851e-9, note="the converted network's counts are not stated to more than two digits"),
    Published(5, "MobileNet", (), 0, 1.4245e-9, macs=320_510_000,
              note="the count that the printed value implies; the network as torchvision lays it out has 319.77 million"),
    Published(5, "S_MobileNet", (), 0, 1.3947e-9, note="the converted network's counts are not stated to more than two digits"),
)  # fmt: skip


def as_the_paper_computes(timesteps: int, neurons: int = 0, macs: int = 0) -> float:
    """Their kWh: `T (E_ac AC + E_mac MAC) / 3.6e5` with `AC = T N` and `MAC = 1` of an SNN, `AC = 1` of an ANN (`T = 1`)."""
    steps = max(timesteps, 1)
    accumulations = timesteps * neurons if timesteps else 1
    return steps * (ACCUMULATE * accumulations + MULTIPLY * (1 if timesteps else macs)) / _PUBLISHED_DIVISOR


def corrected_ann(widths: Sequence[int]) -> float:
    """kWh of one multiplication a weight."""
    return MULTIPLY * _weights(widths) / _JOULES_PER_KWH


def corrected_snn(
    widths: Sequence[int], timesteps: int, *, brightness: float = BRIGHTNESS, rate: float = RATE
) -> float:
    """kWh of what really happens: each spike through each synapse that it leaves by, and one update a neuron and step."""
    senders = [brightness * widths[0], *(rate * width for width in widths[1:-1])]
    events = sum(spikes * into for spikes, into in zip(senders, widths[1:], strict=True))
    return ACCUMULATE * timesteps * (events + sum(widths[1:])) / _JOULES_PER_KWH


def kwh(accumulations: float, multiplications: float) -> float:
    """`(0.58 pJ AC + 1.6 pJ MAC) / 3.6e6`."""
    return (ACCUMULATE * accumulations + MULTIPLY * multiplications) / _JOULES_PER_KWH


def most_steps(widths: Sequence[int], multiply: float = MULTIPLY, accumulate: float = ACCUMULATE) -> float:
    """T at which the corrected SNN costs what the ANN does: `E_mac W / (E_ac (sum of rate x fan-out + N))`."""
    a_step = corrected_snn(widths, 1) * _JOULES_PER_KWH / ACCUMULATE
    return multiply * _weights(widths) / (accumulate * a_step)


def most_steps_as_published(widths: Sequence[int]) -> float:
    """T at which their arithmetic finds the two alike: T is in it twice, so `sqrt(E_mac MAC / (E_ac N))`."""
    neurons = sum(widths[1:])
    return float((MULTIPLY * (_weights(widths) + neurons - widths[-1]) / (ACCUMULATE * neurons)) ** 0.5)


def break_even(multiply: float = MULTIPLY, accumulate: float = ACCUMULATE) -> float:
    """Events a synapse below which an SNN's operations cost less than the ANN's: `E_mac / E_ac`."""
    return multiply / accumulate


def lines(table: int | None = None) -> tuple[Line, ...]:
    """Every row of the tables: as published, by their arithmetic, and corrected with the reason for the difference."""
    return tuple(_line(row) for row in TABLES if table in (None, row.table))


def _line(row: Published) -> Line:
    known = bool(row.neurons if row.timesteps else row.macs)
    theirs = as_the_paper_computes(row.timesteps, row.neurons, row.macs) if known else None
    if row.widths and row.timesteps:
        found, why = corrected_snn(row.widths, row.timesteps), "T once, 3.6e6, synaptic operations counted"
    elif row.widths:
        found, why = corrected_ann(row.widths), "3.6e6, weights alone"
    elif row.macs:
        found, why = MULTIPLY * row.macs / _JOULES_PER_KWH, "3.6e6"
    else:
        found, why = None, "spikes of this network are not stated: nothing to correct with"
    return Line(row, row.kwh, theirs, found, "; ".join(filter(None, (why, row.note))))


def _weights(widths: Sequence[int]) -> int:
    return sum(a * b for a, b in pairwise(widths))
