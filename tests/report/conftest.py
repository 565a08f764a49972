"""Comparisons as they come, and as they rarely come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import comparisons
from spikeledger.study.comparison import Comparison

HOSTILE = "<script>alert('x')</script>&\"[red]$x^2$"

#: what a page must survive
ODD: dict[str, Callable[[], Comparison]] = {
    "ordinary": lambda: comparisons.small(),
    "silent": lambda: comparisons.small(threshold=1e9),
    "one step": lambda: comparisons.small(timesteps=1),
    "many steps": lambda: comparisons.small(timesteps=60, profiles=("horowitz-45nm",)),
    "not given": lambda: comparisons.small(profiles=("loihi:loihi", "horowitz-45nm")),
    "nothing given": lambda: comparisons.small(profiles=("loihi:loihi",)),
    "published only": lambda: comparisons.small(profiles=("published-paper-002-45nm", "published-notebook-000-v100")),
    "hostile": lambda: comparisons.small(
        data=HOSTILE, classes=(HOSTILE, "b", "c"), names=(HOSTILE, HOSTILE),
        rename={"neuron_fc1": "<b>&'\"", "relu_fc1": "<i>"},
    ),
    "no opponent": lambda: replace(comparisons.small(profiles=("loihi:loihi", "v100")), opponents=None),
    "one class": lambda: comparisons.small(classes=("only",)),
    "many classes": lambda: comparisons.small(classes=tuple(f"a class with a long name {n}" for n in range(40))),
    "many layers": lambda: comparisons.small(widths=(16, *(9,) * 12), profiles=("horowitz-45nm",)),
    "many neurons": lambda: comparisons.small(widths=(700, 300), profiles=("horowitz-45nm",)),
}  # fmt: skip


@pytest.fixture(scope="session")
def made() -> dict[str, Comparison]:
    """Every odd comparison, made when it is first asked for."""
    return {}


@pytest.fixture(params=list(ODD))
def odd(request: pytest.FixtureRequest, made: dict[str, Comparison]) -> Comparison:
    return _make(request.param, made)


@pytest.fixture
def ordinary(made: dict[str, Comparison]) -> Comparison:
    return _make("ordinary", made)


@pytest.fixture
def hostile(made: dict[str, Comparison]) -> Comparison:
    return _make("hostile", made)


@pytest.fixture
def make(made: dict[str, Comparison]) -> Callable[[str], Comparison]:
    return lambda name: _make(name, made)


def _make(name: str, made: dict[str, Comparison]) -> Comparison:
    if name not in made:
        made[name] = ODD[name]()
    return made[name]
