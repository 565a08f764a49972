"""What a further training run would need, if it were like those that are known; and where that is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..amounts import Amount
from ..arguments import checked
from ..errors import InputError
from .phrases import wh, wh_range
from .power_laws import Fit, fit

MOST_DECADES = 1.0  # beyond the data, without a band
EARLIEST, LATEST = 2010.0, 2040.0


@dataclass(frozen=True)
class Projection:
    """Energy of a run that nobody has measured: joules, and the 95 % band of one further run.

    `band` is None where it was not asked for. `beyond` says how many decades outside of its data the law
    was taken; 0 is inside.
    """

    values: dict[str, float]
    joules: float
    band: Amount | None
    beyond: float
    fit: Fit

    def says(self) -> str:
        """One sentence."""
        given = ", ".join(_shown(name, value) for name, value in self.values.items())
        text = f"{given}: {wh(self.joules) if self.band is None else wh_range(self.band)}"
        where = f", {self.beyond:.1f} decades beyond its data" if self.beyond > 0.005 else ""
        return f"{text}, by {self.fit.law()} through {self.fit.n} runs{where}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "given": self.values, "joules": self.joules,
            "band": None if self.band is None else self.band.to_dict(),
            "decades_beyond_the_data": self.beyond, "law": self.fit.law(), "runs": self.fit.runs, "n": self.fit.n,
        }  # fmt: skip


@checked
def project(
    *,
    flop: float | None = None,
    parameters: float | None = None,
    year: float | None = None,
    runs: str = "published",
    band: bool = True,
) -> Projection:
    """Project the energy of a training run from its operations and year, or, with a band that says it all, from its size.

    Args:
        flop: floating-point operations of the whole run; needs `year`.
        parameters: size of the model; a law of it alone.
        year: decimal year of the run.
        runs: which runs the law goes through: see `fit`.
        band: give the 95 % band of one further run.

    Raises:
        InputError: neither or both of `flop` and `parameters`; or more than one decade beyond the data without a band.
    """
    if (flop is None) == (parameters is None):
        raise InputError("a projection needs either flop (with year) or parameters: give one of them")
    if (flop is None) != (year is None):
        raise InputError(
            "a projection by flop needs its year, and one by parameters takes none: joules a FLOP fall by year"
        )
    if year is not None and not EARLIEST <= year <= LATEST:
        raise InputError(f"year is {year}: give one from {EARLIEST:.0f} to {LATEST:.0f}")
    given = {"flop": flop, "year": year} if flop is not None else {"parameters": parameters}
    values = {name: float(value) for name, value in given.items() if value is not None}
    law = fit(tuple(values), runs)
    energy = law.predict(**values)
    beyond = max(_decades_beyond(law, name, value) for name, value in values.items())
    if beyond > MOST_DECADES and not band:
        name = "flop" if flop is not None else "parameters"
        ends = law.ends[law.of.index(name)]
        raise InputError(
            f"{name} {values[name]:.3g} is {beyond:.1f} decades beyond the runs of this law ({ends[0]:.2g} to "
            f"{ends[1]:.2g}): a single number would be a guess, ask for the band"
        )
    return Projection(values, energy.nominal, energy if band else None, beyond, law)


def _decades_beyond(law: Fit, name: str, value: float) -> float:
    if name == "year":
        return 0.0
    low, high = law.ends[law.of.index(name)]
    return max(0.0, math.log10(low / value), math.log10(value / high))


def _shown(name: str, value: float) -> str:
    return f"{value:.1f}" if name == "year" else f"{value:.3g} {'FLOP' if name == 'flop' else 'parameters'}"
