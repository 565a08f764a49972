"""Power laws through training runs, by least squares on logarithms, with the uncertainty that they have.

`log10 joules = c + sum over i of b_i log10 x_i [+ g (year - 2022)]`

Intervals are those of Student's t at 95 %; the band around a line is that of one further run, not of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..amounts import Amount
from ..arguments import checked
from ..errors import InputError, unknown_name
from . import records
from .records import Run

#: what a law may be of -> what of a run it takes
VARIABLES: dict[str, Callable[[Run], float | None]] = {
    "flop": lambda run: run.flop,
    "parameters": lambda run: run.parameters,
    "year": lambda run: run.year,
}
#: which runs -> one sentence
SELECTIONS: dict[str, str] = {
    "published": "final runs whose energy their makers or a paper gave",
    "metered": "of these, runs whose watts come from a meter",
    "dense": "of the published, runs that use all their parameters",
    "epoch": "language models of Epoch AI's database with watts and hours",
    "epoch since 2022": "of these, published since April 2022",
}
ORIGIN = 2022.0  # years are counted from here, so that the constant is an energy of then
LEVEL = 0.95


@dataclass(frozen=True)
class Fit:
    """A power law through some runs.

    Attributes:
        of: what it is a law of: `flop`, `parameters`, `year`.
        coefficients, low, high: constant first, with their 95 % interval; exponents are without unit, `year` in decades
            a year.
        sd: decades, residual standard deviation with n - k degrees of freedom.
        r2: share of the variance of log10 joules that it explains.
        ends: smallest and largest value of each variable among the runs.
    """

    of: tuple[str, ...]
    runs: str
    n: int
    coefficients: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    sd: float
    r2: float
    ends: tuple[tuple[float, float], ...]
    spread: np.ndarray = field(repr=False, compare=False)  # (X'X)^-1, [k, k]

    def exponent(self, of: str) -> tuple[float, float, float]:
        """Exponent of a variable with its 95 % interval: nominal, low, high."""
        at = self.of.index(of) + 1
        return self.coefficients[at], self.low[at], self.high[at]

    @property
    def fall_a_year(self) -> Amount | None:
        """By what factor the joules fall a year, with its 95 % interval; None where the law has no year."""
        if "year" not in self.of:
            return None
        nominal, low, high = self.exponent("year")
        return Amount(10**-high, 10**-nominal, 10**-low)

    def predict(self, **values: float) -> Amount:
        """Joules of one further run with its 95 % band, wherever it lies; `project` says whether it may."""
        row = self._row(values)
        middle = float(row @ np.array(self.coefficients))
        # var(new run) = sd^2 (1 + x' (X'X)^-1 x), in decades squared
        reach = self._quantile() * self.sd * math.sqrt(1 + float(row @ self.spread @ row))
        return Amount(10.0 ** (middle - reach), 10.0**middle, 10.0 ** (middle + reach))

    def factor(self) -> float:
        """Within which factor of the line 95 % of the runs lie, the line taken as known: `10^(1.96 sd)`."""
        return float(10 ** (1.96 * self.sd))

    def law(self) -> str:
        """The law in words: `E ~ FLOP^1.00, falling by 1.27 a year`."""
        powers = [f"{_NAMES[name]}^{self.exponent(name)[0]:.2f}" for name in self.of if name != "year"]
        fall = self.fall_a_year
        return f"E ~ {' '.join(powers)}" + (f", falling by {fall.nominal:.2f} a year" if fall else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        names = ("constant", *self.of)
        return {
            "law": self.law(), "runs": self.runs, "selection": SELECTIONS.get(self.runs, self.runs), "n": self.n,
            "coefficients": {
                name: {"value": value, "low": low, "high": high}
                for name, value, low, high in zip(names, self.coefficients, self.low, self.high, strict=True)
            },
            "sd_decades": self.sd, "r2": self.r2,
            "data": {name: {"low": low, "high": high} for name, (low, high) in zip(self.of, self.ends, strict=True)},
        }  # fmt: skip

    def _row(self, values: dict[str, float]) -> np.ndarray:
        missing = [name for name in self.of if name not in values]
        if missing or len(values) != len(self.of):
            raise InputError(
                f"a law of {', '.join(self.of)} was asked with {', '.join(values) or 'nothing'}: give each of "
                f"{', '.join(self.of)}"
            )
        return np.array([1.0, *(_bent(name, values[name]) for name in self.of)])

    def _quantile(self) -> float:
        return student(self.n - len(self.coefficients))


_NAMES = {"flop": "FLOP", "parameters": "N", "year": "year"}


@checked
def select(runs: str = "published") -> tuple[Run, ...]:
    """The runs of a selection: see `SELECTIONS`; a family, such as "Llama 2", is one too."""
    if runs.startswith("epoch") and runs in SELECTIONS:
        since = 2022.25 if runs != "epoch" else 0.0
        return tuple(run for run in records.epoch().run if run.year >= since)
    given = records.training().run
    families = {run.family for run in given if run.family}
    if runs in families:
        return tuple(run for run in given if run.family == runs)
    if runs not in SELECTIONS:
        raise unknown_name("selection of training runs", runs, [*SELECTIONS, *families])
    kept = [run for run in given if run.published and run.flop is not None]
    if runs == "metered":
        kept = [run for run in kept if run.metered]
    if runs == "dense":
        kept = [run for run in kept if run.active is None]
    return tuple(kept)


@checked
def fit(of: str | Sequence[str] = ("flop", "year"), runs: str | Sequence[Run] = "published") -> Fit:
    """Fit a power law of energy to training runs.

    Args:
        of: `flop`, `parameters`, `year`, or several of them.
        runs: a selection by name (`SELECTIONS`, or a family), or runs.

    Raises:
        InputError: an unknown name, or fewer runs than the law has numbers, plus one.
    """
    names = (of,) if isinstance(of, str) else tuple(of)
    for name in names:
        if name not in VARIABLES:
            raise unknown_name("variable", name, VARIABLES)
    label = runs if isinstance(runs, str) else "given"
    chosen = select(runs) if isinstance(runs, str) else runs
    told = [(run, [VARIABLES[name](run) for name in names]) for run in chosen]
    kept = [(run, [value for value in values if value is not None]) for run, values in told if None not in values]
    n, k = len(kept), len(names) + 1
    if not names or len(set(names)) != len(names) or n <= k:
        raise InputError(
            f"a law of {', '.join(names) or 'nothing'} was asked of {n} runs: name each variable once, and give at "
            f"least {k + 1} runs"
        )
    x = np.array(
        [[1.0, *(_bent(name, value) for name, value in zip(names, values, strict=True))] for _, values in kept]
    )
    y = np.log10([run.joules for run, _ in kept])
    solution, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    if rank < k:
        raise InputError(f"{n} runs do not tell {', '.join(names)} apart: give runs in which they differ")
    rest = y - x @ solution
    sd = math.sqrt(float(rest @ rest) / (n - k))
    spread = np.linalg.inv(x.T @ x)
    reach = student(n - k) * sd * np.sqrt(np.diag(spread))
    around = y - y.mean()
    ends = tuple((min(column), max(column)) for column in zip(*(values for _, values in kept), strict=True))
    return Fit(
        of=names, runs=label, n=n, coefficients=tuple(map(float, solution)),
        low=tuple(map(float, solution - reach)), high=tuple(map(float, solution + reach)), sd=sd,
        r2=1 - float(rest @ rest) / float(around @ around), ends=ends, spread=spread,
    )  # fmt: skip


def fits() -> list[Fit]:
    """Every fit that the outlook shows."""
    laws: list[tuple[tuple[str, ...], str]] = [
        (("flop", "year"), "published"), (("flop", "year"), "metered"), (("flop", "year"), "epoch"),
        (("parameters",), "published"), (("parameters",), "dense"), (("parameters",), "metered"),
        (("parameters",), "epoch"), (("parameters",), "epoch since 2022"),
        (("parameters",), "LLaMA"), (("parameters",), "Llama 2"), (("parameters",), "Llama 3.1"),
    ]  # fmt: skip
    return [fit(of, runs) for of, runs in laws]


def student(freedom: int) -> float:
    """Two-sided 95 % point of Student's t with so many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def _bent(name: str, value: float | None) -> float:
    if value is None or not math.isfinite(value) or (name != "year" and value <= 0):
        raise InputError(f"{name} is {value}: give a positive, finite number")
    return value - ORIGIN if name == "year" else math.log10(value)
