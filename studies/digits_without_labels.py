"""Digits without labels, measured: accuracy on all test digits, CPU seconds, and joules on chips that learn.

SPIKELEDGER_DATA=data python studies/digits_without_labels.py --neurons 400 --passes 2 --seeds 1,2,3 --out out/digits
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import spikeledger as sl
from spikeledger import plasticity
from spikeledger.errors import UnpricedError
from spikeledger.writing import write_whole


def measured(data: Any, network: Any, *, passes: int, seed: int, labelled: int) -> tuple[dict[str, Any], Any]:
    """Learn all training digits, take labels from the last `labelled` of them, and answer for all test digits."""
    train, test = (np.rint(each.numpy() * 255).astype(np.uint8).reshape(len(each), -1) for each in data[::2])
    labels, wanted = (each.numpy() for each in data[1::2])
    marks = [time.process_time()]
    learned = plasticity.learn(network, train, passes=passes, seed=seed)
    marks.append(time.process_time())
    known = plasticity.respond(learned.network, train[-labelled:], seed=seed)
    shares = plasticity.label_neurons(known.spikes, labels[-labelled:])
    marks.append(time.process_time())
    answered = plasticity.respond(learned.network, test, seed=seed + 1)
    marks.append(time.process_time())
    row = {
        "seed": seed,
        **{f"{by}_vote": float((plasticity.vote(answered.spikes, shares, by=by) == wanted).mean()) for by in plasticity.VOTES},
        **dict(zip(("learn_cpu_seconds", "label_cpu_seconds", "test_cpu_seconds"), np.diff(marks).tolist(), strict=True)),
        "presentations_a_digit": float(learned.presentations.mean()),
        "counts_a_digit": {
            event: learned.activity.total(event) / learned.digits for event in learned.activity.events
        },
        "joules_a_learned_digit": joules(learned),
    }  # fmt: skip
    return row, learned.network


def joules(learned: plasticity.Learned) -> dict[str, Any]:
    """On every device with a price for learning: what a learned digit costs, learning apart; or why there is none."""
    found: dict[str, Any] = {}
    for name in sl.list_profiles():
        profile = sl.load_profile(name)
        if "snn" not in profile.runs or name.startswith("published"):
            continue
        try:
            ledger = sl.price(learned.activity, profile)
        except UnpricedError as error:
            found[name] = str(error).split(", so its total")[0]
            continue
        if "weight_update" not in ledger.by_event():
            found[name] = f"its bill '{ledger.bill}' does not charge learning"
            continue
        learning = ledger.by_event()["weight_update"] / learned.digits
        found[name] = {"learning": learning, "running": ledger.joules / learned.digits - learning}
    return found


def main() -> None:
    """Measure each seed, print it, and write the rows and the receptive fields."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=400)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--labelled", type=int, default=10_000, help="training digits from which labels are taken")
    parser.add_argument(
        "--theta-millivolts", type=float, default=0.05, help="by which a spike raises a threshold: 0.05 as published"
    )
    parser.add_argument("--delays", action="store_true", help="the published input delays")
    parser.add_argument("--out", type=Path, default=Path("out/digits"))
    given = parser.parse_args()
    mnist = sl.load_dataset("mnist")
    data = (mnist.train_inputs, mnist.train_labels, mnist.test_inputs, mnist.test_labels)
    given.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in map(int, given.seeds.split(",")):
        constants = plasticity.Constants(theta_volts=given.theta_millivolts * 1e-3)
        network = plasticity.DiehlCook.random(given.neurons, seed=seed, delays=given.delays, constants=constants)
        row, network = measured(data, network, passes=given.passes, seed=seed, labelled=given.labelled)
        setting = {key: getattr(given, key) for key in ("neurons", "passes", "theta_millivolts", "delays", "labelled")}
        rows.append({**setting, **row})
        print(
            json.dumps({key: value for key, value in rows[-1].items() if key != "joules_a_learned_digit"}), flush=True
        )
        name = f"{given.neurons}-{given.passes}-{given.theta_millivolts:g}{'-delays' if given.delays else ''}"
        write_whole(given.out / f"{name}.json", json.dumps(rows, indent=1).encode())
        draw(network.weights, given.out / f"{name}.png")


def draw(weights: np.ndarray, path: Path) -> None:
    """Receptive fields side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    across = int(np.ceil(np.sqrt(weights.shape[1])))
    side = int(np.sqrt(len(weights)))
    tiles = np.zeros((across, across, side, side))
    tiles.reshape(-1, side, side)[: weights.shape[1]] = weights.T.reshape(-1, side, side)
    plt.imsave(path, tiles.transpose(0, 2, 1, 3).reshape(across * side, across * side), cmap="gray_r", vmin=0, vmax=0.6)


if __name__ == "__main__":
    main()
