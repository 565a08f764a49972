"""What each term of a bill does to the verdict, and what networks answer at few bits: `python studies/bills.py`.

The first table holds SNN / ANN joules on int8 arithmetic at 45 nm, for two perceptrons, three codes and three numbers of
steps on the digits, by the machine's dataflow and with the terms that bills differ in; networks are trained here, from
seed 0. The second holds the accuracy of `mlp-s` and of its twin on MNIST at 8, 6, 4 and 3 bits. Numbers are printed as
the tables of docs/explanation/bills.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import spikeledger as sl
from spikeledger.hardware.profile import HardwareProfile, Precision
from spikeledger.hardware.variants import at_bits, by_step, once_at_first, skipping, with_dataflow, with_reuse
from spikeledger.study.widths import at_width

INT8 = "horowitz-45nm-int8"
DATAFLOWS = ("event-driven", "row-wise", "output-stationary")


@dataclass(frozen=True)
class Run:
    """One pair of networks on the digits."""

    name: str
    ann: sl.Activity
    snn: sl.Activity
    accuracies: tuple[float, float]


def runs(epochs: int = 10) -> Iterator[Run]:
    """Train and record every pair."""
    data = sl.load_dataset("digits")
    shape, classes = tuple(data.test_inputs.shape[1:]), len(data.classes)
    for size in ("mlp-s", "mlp-m"):
        twin = sl.zoo.twin(sl.zoo.build(size, shape, classes))
        sl.fit(twin, data, epochs=epochs, progress=False)
        ann, right = sl.record(twin, data.test_inputs), sl.evaluate(twin, data.test_inputs, data.test_labels).accuracy
        for code in ("rate", "latency", "direct"):
            for steps in (2, 5, 20):
                network = sl.zoo.build(size, shape, classes, timesteps=steps, encoder=code)
                sl.fit(network, data, epochs=epochs, progress=False)
                answers = sl.evaluate(network, data.test_inputs, data.test_labels).accuracy
                snn = sl.record(network, data.test_inputs)
                yield Run(f"{size}, {code}, T = {steps}", ann, snn, (right, answers))


def ratio(run: Run, ann: HardwareProfile, snn: HardwareProfile) -> float:
    """SNN / ANN joules a sample."""
    return sl.price(run.snn, snn).joules_per_sample / sl.price(run.ann, ann).joules_per_sample


def terms() -> dict[str, Callable[[Run], float]]:
    """A column each: SNN / ANN by dataflow, then the default with one term changed."""
    device = sl.load_profile(INT8)
    found: dict[str, Callable[[Run], float]] = {
        flow: (lambda run, flow=flow: ratio(run, device, with_dataflow(device, flow)))  # type: ignore[misc]
        for flow in DATAFLOWS
    }
    narrow = replace_add(device)
    v100 = sl.load_profile("v100@batch1")
    found |= {
        "8-bit adds": lambda run: ratio(run, narrow, narrow),
        "first layer once": lambda run: ratio(run, device, once_at_first(device)),
        "ANN reuses inputs": lambda run: ratio(run, with_reuse(device, 16), device),
        "ANN skips zeros": lambda run: ratio(run, skipping(device, "all"), device),
        "8 x n bits": lambda run: ratio(run, at_bits(device, 8, activations=bits(run)), device),
        "leaks": lambda run: ratio(run, sl.load_profile(f"{INT8}@leaking"), sl.load_profile(f"{INT8}@leaking")),
        "V100, fused": lambda run: ratio(run, v100, v100),
        "V100, by step": lambda run: ratio(run, v100, by_step(v100)),
    }
    return found


def replace_add(device: HardwareProfile) -> HardwareProfile:
    """The same technology with the add of 8 bits that earlier versions charged for an add into a membrane."""
    narrow = device.prices["synaptic_op"].scaled(0.03 / 0.0533, "an add of 8 bits")
    return device.model_copy(update={"prices": {**device.prices, "synaptic_op": narrow}})


def bits(run: Run) -> int:
    """Bits that T steps of spikes carry."""
    return max(1, (run.snn.timesteps).bit_length())


def table(found: Iterable[Run]) -> None:
    """Print the table of the page, row by row, and how many winners each term turns."""
    columns = terms()
    print(f"| run | accuracy ANN, SNN | {' | '.join(columns)} |\n| --- | --- |{' --- |' * len(columns)}", flush=True)
    rows = []
    for run in found:
        rows.append({name: column(run) for name, column in columns.items()})
        cells = " | ".join(f"{value:.3g}" for value in rows[-1].values())
        print(f"| {run.name} | {100 * run.accuracies[0]:.1f}, {100 * run.accuracies[1]:.1f} | {cells} |", flush=True)
    for name in columns:
        base = "V100, fused" if name.startswith("V100") else "row-wise"
        turned = sum((row[name] < 1) != (row[base] < 1) for row in rows)
        print(f"winners turned by '{name}' against '{base}': {turned} of {len(rows)}")


def widths(epochs: int = 5) -> str:
    """Accuracy of mlp-s (T = 5) and of its twin on MNIST at few bits."""
    data = sl.load_dataset("mnist")
    network = sl.zoo.build("mlp-s", (1, 28, 28), 10, timesteps=5)
    twin = sl.zoo.twin(network)
    lines = ["| weights x activations, state | ANN % | SNN % |", "| --- | --- | --- |"]
    for one in (network, twin):
        sl.fit(one, data, epochs=epochs, batch_size=128, progress=False)
    shown = [sl.evaluate(one, data.test_inputs, data.test_labels).accuracy for one in (twin, network)]
    lines.append(f"| as trained, 32 x 32 | {100 * shown[0]:.2f} | {100 * shown[1]:.2f} |")
    for wide, deep, state in ((8, 8, 16), (6, 6, 14), (4, 4, 12), (3, 3, 11), (8, 3, 16), (2, 2, 10)):
        width = Precision(arithmetic="integer", weight_bits=wide, activation_bits=deep, state_bits=state)
        answers = [at_width(one, data, width).accuracy for one in (twin, network)]
        lines.append(f"| {wide} x {deep}, {state} | {100 * answers[0]:.2f} | {100 * answers[1]:.2f} |")
    compared = sl.compare(twin, network, data, profiles=[INT8, "loihi"])
    return "\n".join([*lines, "", *map(str, compared.at_widths), "", str(compared.opponents)])


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["terms", "widths"]
    if "terms" in wanted:
        table(runs())
    if "widths" in wanted:
        print(widths())
