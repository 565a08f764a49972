"""What conversion loses, against the ANN on the same test images: `python studies/conversion.py results.json`.

Trains each ANN from three seeds, converts it for several T, and counts what the quantised network answers on all test
images; thresholds, corrections and the choice among methods come from training images alone. A run that is stopped goes on
where it was: what a network lost is written as soon as it is known. The data sets are read from where `SPIKELEDGER_DATA`
points. `--seeds 0 1 2 --only mlp-s conv-mnist` takes a part; `--keep FOLDER` keeps the trained ANNs, and finds them there.
`--what beside` puts SpikingJelly's converter beside ours on the same networks and images, where it is installed.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.hardware.catalog import load_profile
from spikeledger.study.conversions import both_bills
from spikeledger.writing import write_whole

DEVICE = "horowitz-45nm@all"  # ANN and SNN alike: no zero is multiplied


@dataclass(frozen=True)
class Case:
    """A network, its data, how long it is trained, and what is asked of it: (T, options of `convert`)."""

    data: str
    make: Callable[[int], nn.Module]
    epochs: int
    asked: tuple[tuple[int, dict[str, Any]], ...]


def perceptron(name: str) -> Callable[[int], nn.Module]:
    """The zoo's ANN."""
    return lambda seed: sl.zoo.twin(sl.zoo.build(name, (1, 28, 28), 10), seed=seed)


def convolutional(seed: int) -> nn.Module:
    """16 and 32 channels, each with batch norm, ReLU and max pooling; then 128 and 10."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip


def _at(*steps: int, **options: Any) -> tuple[tuple[int, dict[str, Any]], ...]:
    return tuple((each, options) for each in steps)


CASES: dict[str, Case] = {
    "mlp-s": Case("mnist", perceptron("mlp-s"), 8, (*_at(4, 8, 20, 50), *_at(4, input="spikes"))),
    "conv-mnist": Case("mnist", convolutional, 2, _at(4, 8, 20)),
    "conv-fashion": Case(
        "fashion-mnist",
        convolutional,
        4,
        (*_at(4, 8, 16), *_at(16, schedule="together"), *_at(4, 8, method="qcfs")),
    ),
    "mlp-m": Case("mnist", perceptron("mlp-m"), 8, _at(8, 20)),
    "mlp-l": Case(
        "mnist",
        perceptron("mlp-l"),
        8,
        (*_at(20, 50), *_at(4, 8, method="qcfs", epochs=2)),
    ),
}


def answers(network: nn.Module, inputs: Tensor) -> Tensor:
    """The class of each input; of a converted network by its closed form where that is exact."""
    found = []
    with torch.no_grad():
        for part in inputs.split(250):
            if not isinstance(network, sl.SpikingNetwork):
                scores = network(part)
            elif network.conversion.plan.schedule == "layers":
                scores = network.conversion.scores(part)
            else:
                scores = network.scores(part)
            found.append(scores.argmax(1))
    return torch.cat(found)


def trained_ann(name: str, seed: int, data: sl.Dataset, keep: Path | None) -> tuple[nn.Module, float]:
    """The ANN of a case, trained or found where it was kept, and the CPU seconds that training took now."""
    case, began = CASES[name], time.process_time()
    ann = case.make(seed)
    file = None if keep is None else keep / f"{name}-{seed}.safetensors"
    if file is not None and file.exists():
        ann.load_state_dict(load_file(file))
        return ann.eval(), 0.0
    sl.fit(ann, data, epochs=case.epochs, seed=seed, validation=0, profile=None, progress=False)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(ann.state_dict(), file)
    return ann.eval(), time.process_time() - began


def study(name: str, seed: int, keep: Path | None, rows: list[dict[str, Any]]) -> Iterator[None]:
    """Put a row for each conversion of one trained ANN, but those that are there, and stop after each."""
    case = CASES[name]
    data = sl.load_dataset(case.data)
    there = [(row.get("timesteps"), row.get("options")) for row in rows]
    if all(each in there for each in ((None, None), *case.asked)):
        return
    ann, trained = trained_ann(name, seed, data, keep)
    right = answers(ann, data.test_inputs) == data.test_labels
    if not rows:
        activity = sl.record(ann, data.test_inputs[:250], batch_size=50)
        rows.append({
            "what": "ann", "accuracy": 100 * float(right.float().mean()), "macs": activity.per_sample("mac"),
            "joules": sl.price(activity, DEVICE).joules_per_sample, "cpu_seconds": trained,
        })  # fmt: skip
        yield
    tuned: dict[int, Tensor] = {}
    for steps, options in case.asked:
        if (steps, options) in there:
            continue
        began = time.process_time()
        network = sl.convert(ann, data, timesteps=steps, seed=seed, most_loss=0, **options)
        own = answers(network, data.test_inputs) == data.test_labels
        activity = sl.record(network, data.test_inputs[:250], batch_size=50)
        came_once = network.conversion.plan.schedule == "layers"
        once, again = both_bills(activity, load_profile(DEVICE), steps, came_once=came_once)
        row = {
            "what": "snn", "timesteps": steps, "options": options, "said": network.conversion.said,
            "loss_points": 100 * float((right.float() - own.float()).mean()), "latency_steps": network.timesteps,
            "spikes": activity.per_sample("spike"), "synaptic_ops": activity.per_sample("synaptic_op"),
            "macs": activity.per_sample("mac"), "joules": once, "joules_recomputed": again,
            "cpu_seconds": time.process_time() - began,
        }  # fmt: skip
        if options.get("method") == "qcfs":  # the same ANN trained as long without quantising: the control
            epochs = int(options.get("epochs", 1))
            if epochs not in tuned:
                tuned[epochs] = answers(fine_tuned(ann, data, epochs, seed), data.test_inputs) == data.test_labels
            row["control_gain_points"] = 100 * float((tuned[epochs].float() - right.float()).mean())
        rows.append(row)
        yield


def fine_tuned(ann: nn.Module, data: sl.Dataset, epochs: int, seed: int) -> nn.Module:
    """The ANN trained on as QCFS trains, but with its own ReLUs."""
    from spikeledger.conversion.finetune import trained
    from spikeledger.conversion.graph import Graph, answer
    from spikeledger.conversion.reading import read

    graph = read(copy.deepcopy(ann), data.train_inputs[:8])
    trained(graph, data.train_inputs, data.train_labels, epochs=epochs, seed=seed)

    class Plain(nn.Module):
        def __init__(self, graph: Graph) -> None:
            super().__init__()
            self.graph = graph

        def forward(self, inputs: Tensor) -> Tensor:
            return answer(self.graph, inputs)

    return Plain(graph)


def beside(name: str, seed: int, keep: Path | None, images: int) -> list[dict[str, Any]]:
    """SpikingJelly's recipes and ours, from the same calibration samples, on the same first test images."""
    sys.modules.setdefault("requests", types.ModuleType("requests"))  # for downloads alone, and not always installed
    from spikingjelly.activation_based import ann2snn, functional

    class Steps(nn.Module):
        """The same image at every step; the mean of what came out."""

        def __init__(self, network: nn.Module, steps: int) -> None:
            super().__init__()
            self.network, self.steps = network, steps

        def forward(self, images: Tensor) -> Tensor:
            functional.reset_net(self.network)
            return torch.stack([self.network(images) for _ in range(self.steps)]).mean(0)

    data = sl.load_dataset(CASES[name].data)
    ann, _ = trained_ann(name, seed, data, keep)
    inputs, labels = data.test_inputs[:images], data.test_labels[:images]
    samples, truth = data.train_inputs[::30], data.train_labels[::30]
    batches = list(samples.split(500))
    right = answers(ann, inputs) == labels
    recipes: dict[str, Callable[[], Any]] = {
        "rate, max": lambda: ann2snn.RateCodingRecipe(batches, mode="Max"),
        "rate, 99.9 %": lambda: ann2snn.RateCodingRecipe(batches, mode="99.9%"),
        "rate, 99.9 % by channel, half, pooled before": lambda: ann2snn.RateCodingRecipe(
            batches, mode="99.9%", channel_wise=True, half_threshold=True, pre_spike_maxpool=True
        ),
        "local threshold balancing": lambda: ann2snn.LocalThresholdBalancingRecipe(batches),
    }
    ours = {"layers": {"most_loss": 0}, "together": {"method": "99.9%", "granularity": "channel"}}
    rows = []

    def note(whose: str, how: str, steps: int, network: nn.Module, latency: int, *, came_once: bool = False) -> None:
        own = answers(network, inputs) == labels
        activity = sl.record(network, inputs[:200], batch_size=50)
        once, again = both_bills(activity, load_profile(DEVICE), steps, came_once=came_once)
        rows.append({
            "whose": whose, "how": how, "images": len(inputs), "timesteps": steps, "latency_steps": latency,
            "loss_points": 100 * float((right.float() - own.float()).mean()), "spikes": activity.per_sample("spike"),
            "synaptic_ops": activity.per_sample("synaptic_op"), "macs": activity.per_sample("mac"),
            "joules": once, "joules_recomputed": again,
        })  # fmt: skip

    for steps in (4, 8, 16):
        for how, recipe in recipes.items():
            network = ann2snn.FXConverter(recipe()).convert(copy.deepcopy(ann)).eval()
            note("SpikingJelly", how, steps, Steps(network, steps), steps)
        for schedule, options in ours.items():
            made = sl.convert(ann, (samples, truth), timesteps=steps, schedule=schedule, **options)
            note(
                "ours",
                f"{schedule}, {made.conversion.said}",
                steps,
                made,
                made.timesteps,
                came_once=schedule == "layers",
            )
    return rows


def beside_table(results: dict[str, Any]) -> str:
    """Both converters as a Markdown table."""
    lines = [
        "| network | converter | recipe | T | steps | points lost | spikes | SynOps | MAC | J |",
        "| --- " * 10 + "|",
    ]
    for key, rows in results.items():
        for row in rows if key.startswith("beside/") else ():
            lines.append(
                f"| {key.removeprefix('beside/')} | {row['whose']} | {row['how']} | {row['timesteps']} | "
                f"{row['latency_steps']} | {row['loss_points']:.2f} | {row['spikes']:.0f} | "
                f"{row['synaptic_ops']:.0f} | {row['macs']:.0f} | {row['joules']:.3g} |"
            )
    return "\n".join(lines)


def table(results: dict[str, Any]) -> str:
    """Losses of all seeds as a Markdown table."""
    by_row: dict[tuple[str, str, str], list[float]] = {}
    for key, rows in results.items():
        name = key.split("/")[0]
        for row in rows if name != "beside" else ():
            what = "ANN, accuracy" if row["what"] == "ann" else f"T = {row['timesteps']}"
            options = ", ".join(f"{k} {v}" for k, v in row.get("options", {}).items())
            by_row.setdefault((name, what, options), []).append(row.get("loss_points", row.get("accuracy")))
    lines = ["| network | | options | points lost, one a seed | mean |", "| --- | --- | --- | --- | --- |"]
    for (name, what, options), values in by_row.items():
        each = ", ".join(f"{value:.2f}" for value in values)
        lines.append(f"| {name} | {what} | {options} | {each} | {sum(values) / len(values):.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Every case and seed that the file does not have yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--what", nargs="+", default=["losses"], choices=["losses", "beside"])
    parser.add_argument("--images", type=int, default=2000, help="that both converters answer step by step")
    args = parser.parse_args()
    results: dict[str, Any] = json.loads(args.results.read_text()) if args.results.exists() else {}
    for seed in args.seeds:
        for name in args.only:
            if "losses" in args.what:
                for _ in study(name, seed, args.keep, results.setdefault(f"{name}/{seed}", [])):
                    write_whole(args.results, json.dumps(results, indent=1))
            if "beside" in args.what and f"beside/{name}/{seed}" not in results:
                results[f"beside/{name}/{seed}"] = beside(name, seed, args.keep, args.images)
                write_whole(args.results, json.dumps(results, indent=1))
    if "losses" in args.what:
        print(table(results))
    if "beside" in args.what:
        print(beside_table(results))


if __name__ == "__main__":
    main()
