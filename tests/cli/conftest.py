"""The command line as a function, and files that it can be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from spikeledger.cli.app import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def call(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(one) for one in arguments])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import spikeledger as sl

    folder = tmp_path_factory.mktemp("networks") / "net"
    sl.save_network(folder, sl.zoo.build("mlp-s", (1, 8, 8), 10, timesteps=3))
    return folder


@pytest.fixture(scope="session")
def activity_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    import spikeledger as sl

    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    activity = sl.record(sl.zoo.build("mlp-s", (1, 8, 8), 10, timesteps=3), images)
    return activity.save(tmp_path_factory.mktemp("activities") / "activity.npz")
