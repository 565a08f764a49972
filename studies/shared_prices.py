"""What it changes that a price which both sides pay is one number: 18 pairs of networks on every profile, in minutes.

python studies/shared_prices.py --out out/shared-prices

Trains each pair on digits, compares it on all profiles, and counts the verdicts: by the cruder rule, under which each
side has its prices at its own extremes (`before`), and by the joint one (`after`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import spikeledger as sl
from spikeledger.study.comparison import Comparison
from spikeledger.writing import write_whole

NETWORKS = ("mlp-s", "mlp-m")
ENCODERS = ("rate", "latency", "direct")
TIMESTEPS = (2, 5, 20)
BEFORE = ("SNN lower", "ANN lower", "refused")
AFTER = ("exact", "likely", "equal", "open")


@dataclass(frozen=True)
class Row:
    """One pair of networks on one device, or on two."""

    network: str
    encoder: str
    timesteps: int
    profile: str
    same_device: bool
    board: bool  # static power is part of the bill
    view: str
    before: str
    after: str
    winner: str  # of the joint verdict, for sure or likely
    within_ten_percent: bool
    says: str

    @property
    def contradicts(self) -> bool:
        """Whether the joint verdict names another side than the cruder one."""
        return self.before != "refused" and self.winner not in ("", self.before[:3].lower())


def main() -> None:
    """Train, compare, count, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/shared-prices"))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--distribution", default="log-uniform")
    given = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    profiles = [name for name in sl.list_profiles() if not sl.load_profile(name).as_published]
    rows: list[Row] = []
    for network, encoder, steps in itertools.product(NETWORKS, ENCODERS, TIMESTEPS):
        comparison = compared(network, encoder, steps, profiles, given.epochs, given.distribution)
        rows += table(comparison, network, encoder, steps)
        print(f"{network}, {encoder}, T = {steps}: {time.monotonic() - started:.0f} s", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    told = {"distribution": given.distribution, "epochs": given.epochs, "rows": [asdict(row) for row in rows]}
    write_whole(given.out / "shared-prices.json", json.dumps({**told, "table": summary(rows)}, indent=1))
    print("\n".join(markdown(rows)))


def compared(network: str, encoder: str, steps: int, profiles: list[str], epochs: int, distribution: str) -> Comparison:
    """Both networks, trained alike, on every profile."""
    data = sl.load_dataset("digits")
    snn = sl.zoo.build(network, data.input_shape, len(data.classes), timesteps=steps, encoder=encoder)
    ann = sl.zoo.twin(snn)
    for one in (ann, snn):
        sl.fit(one, data, epochs=epochs, progress=None)
    return sl.compare(ann, snn, data, profiles=profiles, distribution=distribution, widths=False)


def table(comparison: Comparison, network: str, encoder: str, steps: int) -> Iterator[Row]:
    """A row a device whose two sides have a price."""
    for match in comparison.matches:
        view = match.view
        if view.ann is None or view.snn is None or not match.verdict.given:
            continue
        before = (
            "SNN lower" if view.snn.high < view.ann.low else "ANN lower" if view.ann.high < view.snn.low else "refused"
        )
        ratio = match.verdict.ratio
        near = ratio is not None and ratio.low >= 1 / 1.1 and ratio.high <= 1.1
        yield Row(
            network, encoder, steps, match.name, match.same_device, match.snn.static_watts is not None, view.name, before,
            match.verdict.standing, match.verdict.winner or match.verdict.likely, near, match.says,
        )  # fmt: skip


def summary(rows: list[Row]) -> dict[str, dict[str, int]]:
    """How many rows have which verdict, by group."""
    groups = {
        "one device, with static power": [row for row in rows if row.same_device and row.board],
        "one device, a technology": [row for row in rows if row.same_device and not row.board],
        "one device, all": [row for row in rows if row.same_device],
        "two devices": [row for row in rows if not row.same_device],
    }
    found = {}
    for name, group in groups.items():
        before, after = Counter(row.before for row in group), Counter(row.after for row in group)
        found[name] = {
            "rows": len(group), "refused before": before["refused"],
            **{standing: after[standing] for standing in AFTER},
            "exact and within 10 %": sum(row.after == "exact" and row.within_ten_percent for row in group),
            "against one of before": sum(row.contradicts for row in group),
        }  # fmt: skip
    return found


def markdown(rows: list[Row]) -> Iterator[str]:
    """The table for the docs."""
    found = summary(rows)
    headings = list(next(iter(found.values())))
    yield f"| runs on | {' | '.join(headings)} |"
    yield f"| --- |{' ---: |' * len(headings)}"
    for name, counts in found.items():
        yield f"| {name} | {' | '.join(f'{counts[heading]:,}' for heading in headings)} |"


if __name__ == "__main__":
    main()
