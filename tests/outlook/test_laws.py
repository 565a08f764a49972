"""Fits, projections and their bands: against published numbers, against another way of computing them, and as laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.errors import InputError
from spikeledger.outlook import fit, project, select
from spikeledger.outlook.contradictions import cited_exponent
from spikeledger.outlook.power_laws import Fit, fits, student
from spikeledger.outlook.records import JOULES_PER_MWH, Run

#: runs, of what -> n, exponent with its interval, residual sd in decades, R2: computed elsewhere with other code
EXPECTED = {
    ("metered", ("flop", "year")): (10, (1.03, 0.85, 1.20), 0.13, 0.96),
    ("metered", ("parameters",)): (10, (0.13, -0.31, 0.58), 0.62, 0.06),
    ("published", ("flop", "year")): (28, (1.00, 0.93, 1.08), 0.12, 0.97),
    ("LLaMA", ("parameters",)): (4, (1.16, 0.74, 1.59), 0.07, 0.99),
    ("Llama 2", ("parameters",)): (4, (0.96, 0.83, 1.10), 0.02, 1.00),
    ("Llama 3.1", ("parameters",)): (3, (0.78, 0.33, 1.22), 0.04, 1.00),
}


@pytest.mark.parametrize("case", EXPECTED, ids=str)
def test_fits_give_the_numbers_that_are_known(case: tuple[str, tuple[str, ...]]) -> None:
    runs, of = case
    n, exponent, sd, r2 = EXPECTED[case]
    found = fit(of, runs)
    assert found.n == n
    assert [round(value, 2) for value in found.exponent(of[0])] == pytest.approx(exponent, abs=1e-9)
    assert round(found.sd, 2) == sd
    assert round(found.r2, 2) == pytest.approx(r2)


def test_the_fall_a_year_of_metered_runs() -> None:
    fall = fit(("flop", "year"), "metered").fall_a_year
    assert fall is not None
    assert [round(value, 2) for value in (fall.low, fall.nominal, fall.high)] == [1.12, 1.27, 1.45]
    assert fit("flop", "metered").fall_a_year is None


def test_the_notebooks_models_with_cited_energies() -> None:
    assert round(cited_exponent(), 2) == 1.03


def _oracle(of: tuple[str, ...], runs: list[Run]) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and their standard errors by the normal equations, written out."""
    rows = [
        [1.0, *(run.year - 2022 if name == "year" else math.log10(getattr(run, name)) for name in of)] for run in runs
    ]
    k = len(of) + 1
    gram = [[sum(row[i] * row[j] for row in rows) for j in range(k)] for i in range(k)]
    right = [sum(row[i] * math.log10(run.joules) for row, run in zip(rows, runs, strict=True)) for i in range(k)]
    solved = np.linalg.solve(np.array(gram), np.array(right))
    rest = [math.log10(run.joules) - float(np.dot(row, solved)) for row, run in zip(rows, runs, strict=True)]
    variance = sum(value * value for value in rest) / (len(runs) - k)
    return solved, np.sqrt(variance * np.diag(np.linalg.inv(np.array(gram))))


@pytest.mark.parametrize("one", fits(), ids=lambda one: f"{one.runs} {one.of}")
def test_every_fit_agrees_with_the_normal_equations(one: Fit) -> None:
    runs = [run for run in select(one.runs) if all(getattr(run, name) is not None for name in one.of)]
    solved, errors = _oracle(one.of, runs)
    assert one.coefficients == pytest.approx(solved, rel=1e-6)
    reach = student(one.n - len(solved)) * errors
    assert one.low == pytest.approx(solved - reach, rel=1e-5, abs=1e-9)
    assert one.high == pytest.approx(solved + reach, rel=1e-5, abs=1e-9)


def test_students_t() -> None:
    # a printed table: 95 %, two-sided
    assert [round(student(freedom), 3) for freedom in (1, 7, 25, 1000)] == [12.706, 2.365, 2.060, 1.962]


def test_the_bootstrap_agrees_with_the_interval() -> None:
    runs = list(select("published"))
    chance = np.random.default_rng(1)
    slopes = []
    for _ in range(400):
        drawn = [runs[at] for at in chance.integers(0, len(runs), len(runs))]
        slopes.append(fit(("flop", "year"), drawn).exponent("flop")[0])
    _, low, high = fit(("flop", "year"), "published").exponent("flop")
    assert np.percentile(slopes, 2.5) == pytest.approx(low, abs=0.06)
    assert np.percentile(slopes, 97.5) == pytest.approx(high, abs=0.06)


def _run(flop: float, year: float, joules: float) -> Run:
    return Run(name="made", year=year, flop=flop, mwh=joules / JOULES_PER_MWH, kind="assumed", source="made for a test")


@settings(max_examples=40, deadline=None)
@given(exponent=st.floats(0.3, 2), fall=st.floats(-0.3, 0.1), constant=st.floats(-12, -8))
def test_an_exact_law_is_found_again(exponent: float, fall: float, constant: float) -> None:
    runs = [
        _run(10.0**power, year, 10 ** (constant + exponent * power + fall * (year - 2022)))
        for power, year in ((20, 2018.5), (22, 2020.1), (23, 2019.0), (24.5, 2023.7), (25, 2024.2), (26, 2021.0))
    ]
    found = fit(("flop", "year"), runs)
    assert found.exponent("flop")[0] == pytest.approx(exponent, abs=1e-6)
    assert found.exponent("year")[0] == pytest.approx(fall, abs=1e-6)
    assert found.predict(flop=1e24, year=2025).nominal == pytest.approx(
        10 ** (constant + 24 * exponent + 3 * fall), rel=1e-5
    )


def test_a_band_holds_the_runs_that_it_should() -> None:
    runs = select("published")
    law = fit(("flop", "year"), "published")
    inside = [
        run for run in runs if (band := law.predict(flop=run.flop or 0, year=run.year)).low < run.joules < band.high
    ]
    assert len(inside) >= 0.9 * len(runs)


def test_a_band_widens_away_from_the_runs() -> None:
    law = fit("parameters", "published")
    spans = [(band := law.predict(parameters=size)).high / band.low for size in (1e11, 1e12, 1e13, 1e14)]
    assert spans == sorted(spans)


def test_a_projection_says_how_far_it_goes() -> None:
    near, far = project(flop=1e24, year=2024.0), project(flop=4.64e26, year=2025.13)
    assert near.beyond == 0
    assert "beyond" not in near.says()
    assert far.beyond == pytest.approx(math.log10(4.64e26 / 3.8e25))
    assert "1.1 decades beyond its data" in far.says()


def test_beyond_a_decade_there_is_no_number_without_a_band() -> None:
    within, beyond = 3.8e25 * 9, 3.8e25 * 11
    assert project(flop=within, year=2026.0, band=False).band is None
    assert project(flop=beyond, year=2026.0).band is not None
    with pytest.raises(InputError, match="ask for the band"):
        project(flop=beyond, year=2026.0, band=False)
    with pytest.raises(InputError, match="ask for the band"):
        project(parameters=1e7, band=False)  # downwards too


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "either flop"),
        ({"flop": 1e24}, "needs its year"),
        ({"parameters": 1e12, "year": 2024.0}, "takes none"),
        ({"flop": 1e24, "parameters": 1e12, "year": 2024.0}, "either flop"),
        ({"flop": -1.0, "year": 2024.0}, "positive"),
        ({"flop": math.nan, "year": 2024.0}, "finite"),
        ({"parameters": math.inf}, "finite"),
        ({"flop": 1e24, "year": 1066.0}, "2010 to 2040"),
        ({"flop": 1e24, "year": math.nan}, "finite"),
        ({"flop": 1e24, "year": 2024.0, "runs": "publishd"}, "did you mean 'published'"),
    ],
)
def test_what_cannot_be_projected_is_refused(given: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        project(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "runs", "says"),
    [
        ("flops", "published", "did you mean 'flop'"),
        ((), "published", "name each variable once"),
        (("flop", "flop"), "published", "name each variable once"),
        (("flop", "year"), [_run(1e20, 2020, 1e9)] * 3, "at least 4"),
        (("flop", "year"), [_run(1e20, 2020, 1e9)] * 9, "apart"),
    ],
)
def test_what_cannot_be_fitted_is_refused(of: object, runs: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit(of, runs)  # type: ignore[arg-type]


def test_the_two_accounts_are_never_mixed() -> None:
    assert not {run.name for run in select("published") if run.source.startswith("Epoch AI")}
    assert all(run.source.startswith("Epoch AI") for run in select("epoch"))
    assert {run.name for run in select("metered")} < {run.name for run in select("published")}
