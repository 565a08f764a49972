"""The notebook "The Cost of 1 Million Brains" as numbers: what it prints, so that it can be computed again."""

from __future__ import annotations

import functools

from pydantic import Field

from ..hardware.cited import Part
from .records import JOULES_PER_MWH, load

Pair = tuple[float, float]


class Comparison(Part):
    """Its first table: GPT-4 beside a brain."""

    training_gwh: float
    training_gwh_range: Pair
    brain_kwh: float
    brain_kwh_watts: float
    brain_years: float
    training_over_brain: float
    service_watts: float
    service_watts_range: Pair
    brain_watts: float
    brains: float
    query_joules: float
    brain_minute_joules: float
    queries_a_day: float
    query_wh_range: Pair


class Power(Part):
    """A bar of its first figure."""

    name: str
    watts: float
    intelligence: float


class Facets(Part):
    """The scores that "intelligence" is said to be the mean of, a person being 1; `printed` is how they stand there."""

    names: tuple[str, ...]
    gpt3: tuple[float, ...] = Field(alias="GPT-3")
    gpt4: tuple[float, ...] = Field(alias="GPT-4")
    gpt5: tuple[float, ...] = Field(alias="GPT-5")
    printed: dict[str, tuple[str, ...]]

    def of(self) -> dict[str, tuple[float, ...]]:
        """Scores by system."""
        return {"GPT-3": self.gpt3, "GPT-4": self.gpt4, "GPT-5": self.gpt5}


class Scaling(Part):
    """Its law `E = k N^exponent`; `claims` are (times the parameters, times the energy)."""

    exponent: float
    called: str
    snn_exponent: float
    limit_parameters: float
    claims: tuple[Pair, ...]
    reference: str


class Model(Part):
    """A row of its history or of its projections; `run` is the training run that has a published energy."""

    name: str
    year: float
    parameters: float
    mwh: float
    reference: str = ""
    projected: bool = False
    run: str = ""
    tonnes: float | None = None
    cars: float | None = None

    @property
    def joules(self) -> float:
        """Its energy as printed."""
        return self.mwh * JOULES_PER_MWH

    @property
    def kg_per_kwh(self) -> float | None:
        """The carbon of a kilowatt-hour that its tonnes imply."""
        return None if self.tonnes is None else self.tonnes / self.mwh


class Coal(Part):
    """Its comparison of a training run with a coal plant."""

    model: str
    months: float


class BrainClaims(Part):
    """What it says of brains without a source."""

    synapses: float
    operations_a_second: float
    times_more_efficient: float


class Reference(Part):
    """A source as it is printed, and what that source really is."""

    cited_as: str
    title: str
    real_title: str
    source: str


class Difference(Part):
    """A row of its tables of ANNs beside SNNs."""

    aspect: str
    ann: str
    snn: str
    impact: str


class Notebook(Part):
    """All numbers of the notebook that the outlook prints or checks."""

    title: str
    comparison: Comparison
    power: tuple[Power, ...]
    facets: Facets
    scaling: Scaling
    model: tuple[Model, ...]
    coal: Coal
    brain: BrainClaims
    reference: tuple[Reference, ...]
    difference: tuple[Difference, ...]

    def named(self, name: str) -> Model:
        """The model of this name."""
        return next(model for model in self.model if model.name == name)

    def watts(self, name: str) -> float:
        """The bar of this name."""
        return next(bar.watts for bar in self.power if bar.name == name)


@functools.cache
def notebook() -> Notebook:
    """The notebook as it was published."""
    return load("notebook", Notebook)
