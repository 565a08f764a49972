"""Everything that the package reads, by name."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch

import spikeledger as sl
from attack.kinds import Files, Loader, as_json, as_what_it_is, every, saved
from attack.mutations import damaged, recoded
from attack.results import (
    activities,
    gone_on,
    networks,
    resumed,
    rezipped,
    runs,
    stamped,
    stopped,
    told,
    use_activity,
    use_json,
    use_ledger,
    use_network,
    use_run,
)
from attack.sources import (
    SEARCH,
    STUDY,
    cifar_files,
    event_files,
    flowers_files,
    idx_files,
    npy_damage,
    npy_files,
    profiles,
    spike_times,
    studied,
    unzipped,
    use_cifar,
    use_events,
    use_flowers,
    use_npy,
    use_profile,
    use_search,
    use_store,
    use_study,
)
from spikeledger.datasets.idx import read_idx
from spikeledger.datasets.randman import load_randman
from spikeledger.kernels import costs
from spikeledger.live.networks import compared

# --- the rest


@cache
def nir_files() -> list[Files]:
    from spikeledger.networks.nir import write_nir

    chain = torch.nn.Sequential(torch.nn.Linear(3, 2), sl.LIF(0.875, reset="zero"))
    return [{"a.nir": saved(lambda path: write_nir(chain, path, dt=2.0**-10, input_shape=(3,)), "a.nir")}]


def use_nir(path: Path) -> None:
    from spikeledger.networks.nir import read_nir

    found = read_nir(path / "a.nir")
    with torch.no_grad():
        found(torch.rand(2, 1, 3))


def calibration() -> list[Files]:
    kept = {"machine": costs._machine(), "subsets": 1.25, "events": 0.75}
    return [{"spikeledger/calibration.json": json.dumps(kept).encode()}]


def use_calibration(path: Path) -> None:
    import os

    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(path)
    try:
        costs.measured.cache_clear()
        found = costs.measured()
        assert all(0 < value < float("inf") for value in vars(found).values() if isinstance(value, float))
    finally:
        os.environ.pop("XDG_CACHE_HOME") if before is None else os.environ.update(XDG_CACHE_HOME=before)
        costs.measured.cache_clear()


@cache
def kept_comparison() -> list[Files]:
    sides = {f"ann/{name}": each for name, each in networks()[3].items()}
    sides |= {f"snn/{name}": each for name, each in networks()[0].items()}
    return [{"comparison.json": json.dumps({"data": "digits"}).encode(), **sides}]


@cache
def weights() -> list[Files]:
    import safetensors.torch

    return [{"a.safetensors": safetensors.torch.save(torch.nn.Linear(3, 2).state_dict())}]


def use_weights(path: Path) -> None:
    from spikeledger.networks.imagenet import load_weights

    load_weights(torch.nn.Linear(3, 2), path / "a.safetensors")


LOADERS: dict[str, Loader] = {
    "activity": Loader(
        lambda: [{"a.npz": saved(one.save, "a.npz")} for one in activities()], every(rezipped), use_activity, share=1
    ),
    "ledger": Loader(lambda: told()[:2], every(as_json), use_ledger),
    "shown": Loader(told, every(as_json), use_json, share=1),
    "network": Loader(networks, stamped, use_network),
    "run": Loader(runs, stamped, use_run, share=1),
    "resumed run": Loader(lambda: runs()[:1], stamped, resumed, share=1),
    "stopped command": Loader(stopped, every(as_what_it_is), gone_on),
    "profile": Loader(profiles, every(recoded), use_profile, share=1),
    "study": Loader(lambda: [{"a.toml": STUDY}], every(recoded), use_study),
    "search": Loader(lambda: [{"a.toml": SEARCH}], every(recoded), use_search),
    "finished trials": Loader(studied, every(as_what_it_is), use_store, share=1),
    "idx": Loader(idx_files, every(unzipped), lambda path: read_idx(path / "a.idx"), share=10),
    "npy": Loader(lambda: list(npy_files()), every(npy_damage), use_npy, share=10),
    "randman": Loader(spike_times, every(damaged), lambda path: load_randman(path, steps=5)),
    "cifar": Loader(cifar_files, every(unzipped), use_cifar, share=10),
    "flowers": Loader(flowers_files, every(unzipped), use_flowers, "PIL", share=10),
    "events": Loader(event_files, every(damaged), use_events, share=10),
    "nir": Loader(nir_files, every(damaged), use_nir, "nir", share=1),
    "calibration": Loader(calibration, every(as_json), use_calibration, share=10),
    "kept comparison": Loader(kept_comparison, every(as_what_it_is), lambda path: compared(path), share=1),
    "weights": Loader(weights, every(damaged), use_weights, share=10),
}  # fmt: skip
