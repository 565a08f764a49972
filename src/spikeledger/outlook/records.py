"""The numbers behind the outlook: brains, training runs, queries, grids, each with its kind, scope and source."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from .. import units
from ..amounts import Amount
from ..arguments import checked
from ..hardware.cited import Part, Sourced

#: how a number came about, from the strongest to the weakest
Kind = Literal["measured", "reported", "estimated", "assumed"]
KINDS: tuple[Kind, ...] = ("measured", "reported", "estimated", "assumed")
#: how the source itself was seen: its text, another text that quotes it, or several secondary ones
Checked = Literal["read", "quoted", "press"]

#: what a reader must be told about the two sources of tables; the same words stand in the file NOTICE
LICENCES = (
    "Epoch AI, Notable AI Models and AI Models, https://epoch.ai/data, CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/). Selected and shortened; watts times hours are ours.",
    "Ember, Yearly Electricity Data and Global Electricity Review 2025, and Energy Institute, by way of Our World in "
    "Data, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Single values.",
)

JOULES_PER_WH = units.JOULES_PER_KWH / 1e3
JOULES_PER_MWH = units.JOULES_PER_KWH * 1e3


class Entry(Sourced):
    """One fact: how it came about, what it includes and whether its source was read."""

    kind: Kind
    scope: str = ""
    checked: Checked = "read"


class Watts(Entry):
    """A power with its range."""

    watts: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Watts:
        if not self.low <= self.watts <= self.high:
            raise ValueError(f"low <= watts <= high must hold, not {self.low}, {self.watts}, {self.high}")
        return self

    @property
    def amount(self) -> Amount:
        """Watts with their range."""
        return Amount(self.low, self.watts, self.high)


class Count(Entry):
    """A number of things with its range."""

    count: float = Field(gt=0)
    low: float
    high: float


class Childhood(Entry):
    """How the energy of a growing brain differs from an adult's."""

    share_of_resting: float
    share_of_all: float
    peak_to_adult_glucose: float


class Brain(Part):
    """What a human brain needs, and what of that is cortical computation."""

    power: Watts
    computation: Watts
    neurons: Count
    childhood: Childhood


class Run(Entry):
    """A training run: parameters, floating-point operations and energy, as far as somebody gave them."""

    name: str
    year: float
    parameters: float | None = None
    active: float | None = None
    flop: float | None = None
    mwh: float = Field(gt=0)
    low_mwh: float | None = None
    high_mwh: float | None = None
    tonnes_co2e: float | None = None
    metered: bool = False
    published: bool = True
    family: str = ""
    epoch: str = ""
    hours: float | None = None

    @property
    def joules(self) -> float:
        """Its energy."""
        return self.mwh * JOULES_PER_MWH

    @property
    def energy(self) -> Amount:
        """Its energy in joules, from the lowest to the highest that somebody gave."""
        return Amount(self.low_mwh or self.mwh, self.mwh, self.high_mwh or self.mwh) * JOULES_PER_MWH

    @property
    def power(self) -> Amount | None:
        """Watts while it ran; None where its hours are not known."""
        return None if self.hours is None else self.energy * (1 / (self.hours * 3600))


class Query(Entry):
    """The energy of one answer; `low` and `high` are the ends that the same source gives."""

    name: str
    year: float
    wh: float = Field(gt=0)
    low: float | None = None
    high: float | None = None

    @property
    def joules(self) -> float:
        """Its energy."""
        return self.wh * JOULES_PER_WH

    @property
    def energy(self) -> Amount:
        """Its energy in joules, with the range of its source."""
        return Amount(self.low or self.wh, self.wh, self.high or self.wh) * JOULES_PER_WH


class Token(Entry):
    """The energy of one token."""

    name: str
    joules: float
    low: float
    high: float

    @property
    def energy(self) -> Amount:
        """Joules with their range."""
        return Amount(self.low, self.joules, self.high)


class LifeCycle(Entry):
    """The carbon of one answer where no energy is given."""

    name: str
    kg_co2e: float


class Queries(Part):
    """What one answer needs, by those who say so."""

    query: tuple[Query, ...]
    token: Token
    life_cycle: LifeCycle


class Grid(Entry):
    """The carbon of a kilowatt-hour."""

    name: str
    kg_per_kwh: float = Field(gt=0)
    low: float | None = None
    high: float | None = None

    @property
    def amount(self) -> Amount:
        """Kilograms a kilowatt-hour, with their range."""
        return Amount(self.low or self.kg_per_kwh, self.kg_per_kwh, self.high or self.kg_per_kwh)


class CoalPlant(Entry):
    """A power plant to compare with."""

    watts: float
    load: float
    kg_per_kwh: float

    def kg(self, seconds: float) -> float:
        """Kilograms of CO2 in some seconds."""
        # watts * share * seconds = joules; joules / (joules/kWh) * kg/kWh = kg
        return self.watts * self.load * seconds / units.JOULES_PER_KWH * self.kg_per_kwh


class Car(Entry):
    """A car to compare with."""

    kg_a_year: float


class Grids(Part):
    """Carbon of electricity, and what it is compared with."""

    grid: tuple[Grid, ...]
    coal_plant: CoalPlant
    car: Car

    def named(self, name: str) -> Grid:
        """The grid of this name."""
        return next(grid for grid in self.grid if grid.name == name)


class Training(Part):
    """All training runs of `training.toml`."""

    run: tuple[Run, ...]

    def named(self, name: str) -> Run:
        """The run of this name."""
        return next(run for run in self.run if run.name == name)


_Model = TypeVar("_Model", bound=Part)


@checked
@functools.cache
def brain() -> Brain:
    """What a brain needs."""
    return load("brain", Brain)


@checked
@functools.cache
def training() -> Training:
    """Training runs with an energy that somebody published or estimated."""
    return load("training", Training)


@checked
@functools.cache
def queries() -> Queries:
    """What one answer needs."""
    return load("queries", Queries)


@checked
@functools.cache
def grids() -> Grids:
    """Carbon of electricity."""
    return load("grids", Grids)


@checked
@functools.cache
def epoch() -> Training:
    """Language models of Epoch AI's database with watts and hours: another account of energy, never mixed with the first.

    `joules = watts * hours * 3600`, of whole servers and their data centre: a third party's estimate.
    """
    table = _table("epoch")
    runs = []
    for row in table["run"]:
        given = dict(zip(table["columns"], row, strict=True))
        year, month, _ = (int(part) for part in given["date"].split("-"))
        runs.append(
            Run(
                name=given["name"], year=year + (month - 0.5) / 12, parameters=given["parameters"],
                flop=given["flop"], mwh=given["watts"] * given["hours"] / 1e6, kind="estimated", published=False,
                scope="server watts with the data centre's overhead, times hours", source=table["source"],
                note=f"Epoch AI's confidence: {given['confidence']}",
            )
        )  # fmt: skip
    return Training(run=tuple(runs))


def load(name: str, model: type[_Model]) -> _Model:
    """One of the files in `sources` as the model that describes it."""
    return model.model_validate(_table(name))


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / "sources" / f"{name}.toml").read_text("utf-8"))
