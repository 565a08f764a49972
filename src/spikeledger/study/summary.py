"""A comparison as a plain table, made from its dictionary alone, so that a saved `comparison.json` reads the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..amounts import Amount
from ..methods import tabular

HEADINGS = ("ANN on", "SNN on", "ANN J/sample", "SNN J/sample", "ANN / SNN", "verdict")


def headlines(comparison: Mapping[str, Any]) -> list[str]:
    """Accuracy of both, the test for the difference, and the operations, one sentence each."""
    ann, snn, test = comparison["ann"], comparison["snn"], comparison["mcnemar"]
    lines = [
        f"{side['name']}: {100 * side['accuracy']:.2f} % of {side['samples']:,} right "
        f"(95 %: {100 * side['accuracy_low']:.2f} to {100 * side['accuracy_high']:.2f} %)"
        for side in (ann, snn)
    ]
    sure = "differ" if test["p"] < 0.05 else "do not differ measurably"
    lines.append(
        f"the answers {sure}: {test['only_ann']:,} only the ANN got right, {test['only_snn']:,} only the SNN "
        f"(McNemar's exact p = {test['p']:.3g})"
    )
    lines.append(
        f"per sample: ANN {ann['operations']['dense_macs']:,.0f} MACs ({ann['operations']['effective_macs']:,.0f} not "
        f"zero); SNN {snn['operations']['accumulates']:,.0f} accumulates, {snn['operations']['effective_macs']:,.0f} "
        f"MACs, {snn['operations']['spikes']:,.0f} spikes, {snn['operations']['neuron_updates']:,.0f} neuron updates "
        f"over {snn['timesteps']} steps"
    )
    if comparison.get("opponents"):  # files of earlier versions have none
        lines.append(comparison["opponents"]["says"])
    lines += [one["says"] for one in comparison.get("at_widths", ())]
    if comparison.get("equal_accuracy"):
        lines.append(comparison["equal_accuracy"]["says"])
    return lines


def rows(comparison: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row a match, and one for each corrected match behind its as-published one."""
    for one in comparison["matches"]:
        yield _row(one)
        if one["corrected"] is not None:
            yield _row(one["corrected"])


def caveats(comparison: Mapping[str, Any]) -> list[str]:
    """What has to be said about the rows, each once."""
    found: dict[str, None] = {}
    for one in comparison["matches"]:
        for match in (one, one["corrected"]):
            for cost in (match["ann"], match["snn"]) if match else ():
                found |= {f"{cost['profile']}: {text}": None for text in cost["caveats"]}
        if one["correction"]:
            found[one["correction"]] = None
    return list(found)


def says(comparison: Mapping[str, Any]) -> list[str]:
    """What is said of each match, and of each corrected one."""
    matches = [match for one in comparison["matches"] for match in (one, one["corrected"]) if match is not None]
    return [_says(match) for match in matches]


def to_latex(comparison: Mapping[str, Any]) -> str:
    """The verdicts as a LaTeX table: devices, joules a sample of both sides, ANN / SNN and what is said of it."""
    cells = []
    for one in comparison["matches"]:
        for match in (one, one["corrected"]):
            if match is not None:
                *amounts, verdict = _row(match)
                cells.append((*amounts, verdict))
    data = f"{comparison['data']}, {comparison['samples']:,} samples"
    accuracy = ", ".join(f"{side.upper()} {100 * comparison[side]['accuracy']:.2f} % right" for side in ("ann", "snn"))
    return tabular(f"Estimated joules a sample ({data}; {accuracy}).", HEADINGS, cells, words="0.25\\linewidth")


def _row(match: Mapping[str, Any]) -> tuple[str, ...]:
    view = match["views"][match.get("view", "static on")]  # files of earlier versions judge that one
    ratio = "-" if view["ratio"] is None else f"{view['ratio']['nominal']:.3g}"
    judged = [view[side] for side in ("ann", "snn")] if "view" in match else [None, None]
    costs = [_joules(one or match[side]["joules"]) for side, one in zip(("ann", "snn"), judged, strict=True)]
    return (match["ann"]["profile"], match["snn"]["profile"], *costs, ratio, view["verdict"]["text"])


def _says(match: Mapping[str, Any]) -> str:
    if "says" in match:
        return str(match["says"])
    ann, snn, *_, verdict = _row(match)  # files of earlier versions
    return f"{snn if ann == snn else f'ANN on {ann}, SNN on {snn}'}: {verdict}"


def _joules(value: Mapping[str, float] | None) -> str:
    return "-" if value is None else str(Amount(value["low"], value["nominal"], value["high"]))
