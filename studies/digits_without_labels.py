"""Digits without labels, measured: accuracy on all test digits, CPU seconds, and joules on chips that learn.

SPIKELEDGER_DATA=data python studies/digits_without_labels.py --neurons 400 --passes 2 --seeds 1,2,3 --out out/digits

Settings are chosen without a test digit: `--choose` learns the first 50,000 training digits, takes labels from them, and
answers for the other 10,000, after each pass and for each setting given:

python studies/digits_without_labels.py --choose --neurons 400 --passes 3 --theta-millivolts 0.025,0.05 --inhibition 10,17
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import spikeledger as sl
from spikeledger import plasticity
from spikeledger.errors import UncountedError, UnpricedError
from spikeledger.writing import write_whole

#: training digits that are learned while settings are chosen: the other 10,000 are held out
HELD = 50_000
SETTINGS = ("theta_millivolts", "inhibition_learning", "inhibition")


def numbers(text: str) -> list[float]:
    """Numbers with commas between them."""
    return [float(each) for each in text.split(",")]


def measured(data: Any, network: Any, *, passes: int, seed: int, labelled: int) -> tuple[dict[str, Any], Any]:
    """Learn all training digits, take labels from the last `labelled` of them, and answer for all test digits."""
    train, labels, test, wanted = data
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


def choose(data: Any, given: argparse.Namespace, seed: int) -> list[dict[str, Any]]:
    """Every setting, after each pass, on training digits that were held out; the best first."""
    train, labels, held, wanted = data[0][:HELD], data[1][:HELD], data[0][HELD:], data[1][HELD:]
    rows = []
    for theta, learning in itertools.product(given.theta_millivolts, given.inhibition_learning):
        network, seconds = created(given, seed, theta, learning, given.inhibition[0]), 0.0
        for number in range(1, given.passes + 1):
            begun = time.process_time()
            network = plasticity.learn(network, train, seed=seed * 1000 + number).network
            seconds += time.process_time() - begun
            for inhibition in given.inhibition:
                asked = replace(network, constants=replace(network.constants, inhibition=inhibition))
                known = plasticity.respond(asked, train[-given.labelled :], seed=seed).spikes
                shares = plasticity.label_neurons(known, labels[-given.labelled :])
                spikes = plasticity.respond(asked, held, seed=seed + 1).spikes
                rows.append(
                    {"neurons": given.neurons, "passes": number, "theta_millivolts": theta, "inhibition_learning": learning,
                     "inhibition": inhibition, "learn_cpu_seconds": seconds,
                     **{f"{by}_vote": float((plasticity.vote(spikes, shares, by=by) == wanted).mean())
                        for by in plasticity.VOTES}}
                )  # fmt: skip
                print(json.dumps(rows[-1]), flush=True)
    return sorted(rows, key=lambda row: -row["rate_vote"])


def created(
    given: argparse.Namespace, seed: int, theta: float, learning: float, inhibition: float
) -> plasticity.DiehlCook:
    """A network that has learned nothing, with these settings."""
    constants = plasticity.Constants(theta_volts=theta * 1e-3, inhibition_learning=learning, inhibition=inhibition)
    return plasticity.DiehlCook.random(given.neurons, seed=seed, delays=given.delays, constants=constants)


def joules(learned: plasticity.Learned) -> dict[str, Any]:
    """On every device with a price for learning: what a learned digit costs, learning apart; or why there is none."""
    found: dict[str, Any] = {}
    for name in sl.list_profiles():
        profile = sl.load_profile(name)
        if "snn" not in profile.runs or name.startswith("published"):
            continue
        try:
            ledger = sl.price(learned.activity, profile)
        except (UnpricedError, UncountedError) as error:
            found[name] = str(error).split(", so its total")[0]
            continue
        if "weight_update" not in ledger.by_event():
            found[name] = f"its bill '{ledger.bill}' does not charge learning"
            continue
        learning = ledger.by_event()["weight_update"] / learned.digits
        running = ledger.without("static").joules / learned.digits - learning
        static = ledger.joules / learned.digits - learning - running
        found[name] = {"learning": learning, "running": running, "static": static}
    return found


def main() -> None:
    """Measure each seed, print it, and write the rows and the receptive fields."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=400)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--labelled", type=int, default=10_000, help="training digits from which labels are taken")
    published = plasticity.Constants()
    for name, value, words in (
        ("theta-millivolts", 0.05, "by which a spike raises a threshold: 0.05 as published"),
        ("inhibition-learning", published.inhibition_learning, "inhibition while it learns"),
        ("inhibition", published.inhibition, "inhibition while it answers"),
    ):
        parser.add_argument(f"--{name}", type=numbers, default=[value], help=f"{words}; several to choose from")
    parser.add_argument("--choose", action="store_true", help="try settings on training digits that were held out")
    parser.add_argument("--delays", action="store_true", help="the published input delays")
    parser.add_argument("--out", type=Path, default=Path("out/digits"))
    given = parser.parse_args()
    mnist = sl.load_dataset("mnist")
    data = tuple(
        np.rint(each.numpy() * 255).astype(np.uint8).reshape(len(each), -1) if images else each.numpy()
        for each, images in (
            (mnist.train_inputs, True), (mnist.train_labels, False), (mnist.test_inputs, True), (mnist.test_labels, False),
        )
    )  # fmt: skip
    given.out.mkdir(parents=True, exist_ok=True)
    if given.choose:
        rows = choose(data, given, int(given.seeds.split(",")[0]))
        write_whole(given.out / f"chosen-{given.neurons}.json", json.dumps(rows, indent=1).encode())
        return
    rows = []
    settings = {name: getattr(given, name)[0] for name in SETTINGS}
    for seed in map(int, given.seeds.split(",")):
        network = created(given, seed, *settings.values())
        row, network = measured(data, network, passes=given.passes, seed=seed, labelled=given.labelled)
        setting = {key: getattr(given, key) for key in ("neurons", "passes", "delays", "labelled")}
        rows.append({**setting, **settings, **row})
        print(
            json.dumps({key: value for key, value in rows[-1].items() if key != "joules_a_learned_digit"}), flush=True
        )
        name = f"{given.neurons}-{given.passes}-{settings['theta_millivolts']:g}{'-delays' if given.delays else ''}"
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
