"""Tables 1 to 4 of Cassetta, Di Trani & Cavalagli (2023), and the operations of tables 5 to 7, as they are printed.

Accuracies are shares; `validation` is on samples that they held out (how many is not said), `test` on the test set. Which of
our trials stands beside a row follows from its data, size, kind and T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: cross entropy of rates in [0, 1] of ten classes cannot fall below this: one output fires always, nine never
FLOOR = math.log(math.e + 9) - 1
CHANCE_LOSS = math.log(10)


@dataclass(frozen=True)
class Score:
    """One row of a table: what was trained, and the accuracies, losses and seconds that it is printed with."""

    table: int
    data: str
    size: str
    kind: str  # ann, snn, converted
    timesteps: int  # 1 of an ANN; 0 where it is not stated
    accuracy: float
    on: str  # validation, test or train
    loss: float | None = None
    train_accuracy: float | None = None
    train_loss: float | None = None
    seconds: float | None = None
    why: str = ""


_ON_FLOOR = f"their loss stands on the floor of cross entropy on bare rates, ln(e + 9) - 1 = {FLOOR:.3f}"
_FELL = "dropout of a half behind 64 and 16 units and a rate that never falls: both readings stand beside it"
_CHANCE = (
    f"their loss is ln 10 = {CHANCE_LOSS:.3f}: the network answers by chance, a stack that stays silent learns nothing"
)
_OTHER_PART = "its column is headed Train Acc and the ANN's Test Acc: other samples, or a slip"
_UNSTATED = "T and conversion mode are not stated"


def _trained(
    table: int, data: str, size: str, kind: str, steps: int, train: float, train_loss: float, held: float, loss: float,
    seconds: float, why: str = "",
) -> Score:  # fmt: skip
    return Score(table, data, size, kind, steps, held, "validation", loss, train, train_loss, seconds, why)


SCORES: tuple[Score, ...] = (
    _trained(1, "mnist", "S", "ann", 1, 1.0, 0.0, 0.98, 0.098, 202.9),
    _trained(1, "mnist", "S", "snn", 5, 0.977, 1.477, 0.961, 1.491, 291.97, _ON_FLOOR),
    _trained(1, "mnist", "S", "snn", 20, 0.982, 1.475, 0.966, 1.49, 295.76, _ON_FLOOR),
    _trained(1, "mnist", "S", "snn", 50, 0.981, 1.476, 0.966, 1.49, 316.28, _ON_FLOOR),
    _trained(1, "mnist", "M", "ann", 1, 0.997, 0.01, 0.979, 0.162, 210.87),
    _trained(1, "mnist", "M", "snn", 5, 0.979, 1.477, 0.973, 1.484, 325.05, _ON_FLOOR),
    _trained(1, "mnist", "M", "snn", 20, 0.981, 1.476, 0.971, 1.486, 327.04, _ON_FLOOR),
    _trained(1, "mnist", "M", "snn", 50, 0.979, 1.477, 0.974, 1.484, 333.53, _ON_FLOOR),
    _trained(1, "mnist", "L", "ann", 1, 0.273, 1.713, 0.285, 1.68, 269.2, _FELL),
    _trained(1, "mnist", "L", "snn", 5, 0.866, 1.512, 0.881, 1.512, 338.23, "under-trained; " + _ON_FLOOR),
    _trained(1, "mnist", "L", "snn", 20, 0.877, 1.51, 0.885, 1.512, 359.65, "under-trained; " + _ON_FLOOR),
    _trained(1, "mnist", "L", "snn", 50, 0.962, 1.487, 0.97, 1.488, 387.74, _ON_FLOOR),
    _trained(2, "cifar-10", "S", "ann", 1, 0.939, 0.181, 0.732, 1.242, 492.02),
    _trained(2, "cifar-10", "S", "snn", 5, 0.71, 1.6669, 0.6802, 1.756, 603.87, "under-trained"),
    _trained(2, "cifar-10", "S", "snn", 20, 0.529, 1.78, 0.508, 1.794, 815.56, "under-trained"),
    _trained(2, "cifar-10", "S", "snn", 50, 0.409, 1.875, 0.404, 1.882, 1882.53, "under-trained"),
    _trained(2, "cifar-10", "M", "ann", 1, 0.974, 0.083, 0.784, 1.255, 541.68),
    _trained(2, "cifar-10", "M", "snn", 5, 0.1, 2.303, 0.098, 2.303, 692.43, _CHANCE),
    _trained(2, "cifar-10", "M", "snn", 20, 0.1, 2.303, 0.098, 2.303, 1025.97, _CHANCE),
    _trained(2, "cifar-10", "M", "snn", 50, 0.39, 1.869, 0.385, 1.881, 4807.68, "under-trained"),
    Score(3, "mnist", "S", "ann", 1, 0.9806, "test"),
    Score(3, "mnist", "S", "snn", 20, 0.9735, "test"),
    Score(3, "mnist", "S", "converted", 20, 0.9801, "test", why=_UNSTATED),
    Score(3, "cifar-10", "S", "ann", 1, 0.7405, "test", why="the size is not stated"),
    Score(3, "cifar-10", "S", "snn", 5, 0.6508, "test"),
    Score(3, "cifar-10", "S", "converted", 5, 0.208, "test", why="53 points, not 53 %, from T = 5 to 50; mode not stated"),
    Score(3, "cifar-10", "S", "converted", 20, 0.706, "test", why="mode not stated"),
    Score(3, "cifar-10", "S", "converted", 50, 0.734, "test", why="mode not stated"),
    Score(4, "flowers-102", "vgg19", "ann", 1, 0.4477, "test", seconds=93.1),
    Score(4, "flowers-102", "vgg19", "converted", 20, 0.40, "train", seconds=1057.5, why=_OTHER_PART),
    Score(4, "flowers-102", "vgg19", "converted", 40, 0.5432, "train", seconds=2060.52,
          why="10 points above its own ANN; " + _OTHER_PART),
    Score(4, "flowers-102", "vgg19", "converted", 100, 0.5235, "train", seconds=5123.18,
          why="8 points above its own ANN; " + _OTHER_PART),
    Score(4, "flowers-102", "mobilenet-v2", "ann", 1, 0.7552, "test", seconds=68.3),
    Score(4, "flowers-102", "mobilenet-v2", "converted", 20, 0.7569, "train", seconds=151.97, why=_OTHER_PART),
    Score(4, "flowers-102", "mobilenet-v2", "converted", 40, 0.7564, "train", seconds=254.36, why=_OTHER_PART),
    Score(4, "flowers-102", "mobilenet-v2", "converted", 100, 0.7165, "train", seconds=550.7,
          why="falls with more steps, which the error of rates does not; " + _OTHER_PART),
)  # fmt: skip

#: (table, row) -> accumulations and multiplications as printed; ones are what their counter writes for none
OPERATIONS: dict[tuple[int, str], tuple[float, float]] = {
    (6, "S_SNN_5"): (1.3e3, 1), (6, "S_SNN_20"): (5.3e3, 1), (6, "S_SNN_50"): (1.3e4, 1), (6, "S_ANN"): (1, 2e5),
    (6, "M_SNN_5"): (4.2e3, 1), (6, "M_SNN_20"): (1.6e4, 1), (6, "M_SNN_50"): (4.2e4, 1), (6, "M_ANN"): (1, 5.5e5),
    (6, "D_SNN_5"): (1.3e4, 1), (6, "D_SNN_20"): (5.1e4, 1), (6, "D_SNN_50"): (1.3e5, 1), (6, "D_ANN"): (1, 6.9e6),
    (7, "M_SNN_5"): (2.6e5, 1), (7, "M_SNN_20"): (1e6, 1), (7, "M_SNN_50"): (2.6e6, 1), (7, "M_CNN"): (1, 8.7e6),
    (7, "D_SNN_5"): (7.1e5, 1), (7, "D_SNN_20"): (2.8e6, 1), (7, "D_SNN_50"): (7.2e6, 1), (7, "D_CNN"): (1, 9e7),
    (5, "VGG"): (1, 1.9e10), (5, "S_VGG"): (14e6, 2.2e9), (5, "MobileNet"): (1, 3.2e8), (5, "S_MobileNet"): (1256, 3.1e8),
}  # fmt: skip

#: (table, first letters of a row) -> what is trained for it; of CIFAR-10 they call S "M" and M "D" there
NETWORKS: dict[tuple[int, str], tuple[str, str]] = {
    (6, "S"): ("mnist", "S"), (6, "M"): ("mnist", "M"), (6, "D"): ("mnist", "L"), (7, "M"): ("cifar-10", "S"),
    (7, "D"): ("cifar-10", "M"), (5, "VGG"): ("flowers-102", "vgg19"), (5, "MobileNet"): ("flowers-102", "mobilenet-v2"),
}  # fmt: skip


def network_of(table: int, row: str) -> tuple[str, str, str, int]:
    """Data, size, kind and T of what a row of tables 5 to 7 counted: `(6, "S_SNN_5")` -> `("mnist", "S", "snn", 5)`."""
    if table == 5:  # T of the converted networks is not stated
        data, size = NETWORKS[table, row.removeprefix("S_")]
        return data, size, "converted" if row.startswith("S_") else "ann", 20 if row.startswith("S_") else 1
    data, size = NETWORKS[table, row[0]]
    return data, size, *(("snn", int(row.rsplit("_", 1)[1])) if "SNN" in row else ("ann", 1))
