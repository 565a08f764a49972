"""`spikeledger live`: a page, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_a_page_is_written(run: Run, tmp_path: Path) -> None:
    found = run("live", "--out", tmp_path / "live.html")
    assert found.code == 0
    assert "of 360 test samples right" in found.out
    assert (tmp_path / "live.html").read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--ann", "x"), "--ann was given alone"),
        (("--comparison", "x", "--data", "digits"), "brings its own data"),
        (("--comparison", "nowhere"), "is no comparison"),
        (("--data", "minst"), "did you mean 'mnist'"),
        (("--out", "."), "is a folder"),
        (("--profiles", "nowhere.toml"), "nowhere.toml"),
        (("--out", "a.avi"), "end the name in"),
        (("--out", "a.png", "--still", "sparse"), "sparsity"),
        (("--out", "a.png", "--on", "loihi"), "ann_profile:snn_profile"),
        (("--out", "a.png", "--samples", 0), "at least 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run("live", *arguments)
    assert (found.code, found.out) == (2, "")
    assert says in found.err
    assert not list(tmp_path.iterdir())


def test_a_still_is_written(run: Run, tmp_path: Path) -> None:
    found = run("live", "--out", tmp_path / "a.svg", "--samples", 2, "--still", "sparsity", "--on", "v100:loihi-2")
    assert found.code == 0 and "2 samples" in found.out
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")


def test_a_comparison_of_networks_that_the_page_cannot_run_is_replayed(run: Run, tmp_path: Path) -> None:
    import json

    import spikeledger as sl

    snn = sl.zoo.build("mlp-s", (1, 8, 8), 10, timesteps=2, neuron="synaptic")
    for name, network in (("ann", sl.zoo.twin(snn)), ("snn", snn)):
        sl.save_network(tmp_path / name, network)
    (tmp_path / "comparison.json").write_text(json.dumps({"data": "digits"}))
    found = run("live", "--comparison", tmp_path, "--out", tmp_path / "live.html")
    assert found.code == 0
    assert "replays recordings" in found.out and "neuron_fc1" in found.out
    assert "40 recordings of each network" in found.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--port", 70_000), "0 to 65535"),
        (("--token", "abc"), "can be guessed"),
        (("--snn", "x"), "--snn was given alone"),
        (("--host", "256.1.1.1"), "nothing can listen at"),
    ],
)
def test_serving_that_cannot_be_is_one_sentence(run: Run, arguments: tuple[object, ...], says: str) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    found = run("serve", *arguments)
    assert found.code == 2 and says in found.err


def test_networks_of_mnist_are_trained_once(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import livepages
    from spikeledger.live import networks

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(networks, "EPOCHS", 1)
    monkeypatch.setattr(networks, "TIMESTEPS", 2)
    said: list[str] = []
    first = networks.cached(livepages.digits(), say=said.append)
    again = networks.cached(livepages.digits(), say=said.append)
    assert len(said) == 2 and all(str(tmp_path) in one for one in said)
    for one, other in zip(first, again, strict=True):
        for name, tensor in one.state_dict().items():
            assert bool((other.state_dict()[name] == tensor).all())
