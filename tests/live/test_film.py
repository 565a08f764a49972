"""Films and stills are what was recorded and priced."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import livepages
from spikeledger.errors import InputError, UnpricedError
from spikeledger.ledger import price
from spikeledger.live.film import ffmpeg, film
from spikeledger.networks import zoo
from spikeledger.recording.record import record


@pytest.fixture(scope="module")
def made() -> object:
    snn = zoo.build("mlp-s", (1, 8, 8), 10, timesteps=3, neuron="adaptive", seed=2)
    return film(zoo.twin(snn), snn, livepages.digits(), samples=3, seed=5), snn


def test_joules_are_those_of_the_ledgers(made: tuple[object, object]) -> None:
    told, snn = made
    chosen = np.random.default_rng(5).permutation(360)[:3]
    for place, at in enumerate(chosen):
        ledger = price(record(snn, livepages.digits().test_inputs[int(at)][None], seed=5 + place), "loihi")
        assert told.joules["snn"][place] == pytest.approx((ledger.joules_low, ledger.joules, ledger.joules_high))
    assert told.labels.tolist() == livepages.digits().test_labels[chosen].tolist()


@pytest.mark.parametrize("still", ["analysis", "sparsity"])
@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_stills_are_written(made: tuple[object, object], tmp_path: Path, still: str, ending: str) -> None:
    path = made[0].save(tmp_path / f"a{ending}", still=still)
    assert path.read_bytes().startswith(b"<?xml" if ending == ".svg" else b"\x89PNG")


def test_a_film_shows_every_step_of_every_sample(made: tuple[object, object], tmp_path: Path) -> None:
    with Image.open(made[0].save(tmp_path / "film.gif")) as picture:
        assert (picture.n_frames, picture.format) == (9, "GIF")
        first = np.asarray(picture.convert("RGB"), int)
        picture.seek(8)
        assert abs(np.asarray(picture.convert("RGB"), int) - first).max() > 100


def test_what_cannot_be_is_said_before_anything_runs(
    made: tuple[object, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="end the name in"):
        made[0].save(tmp_path / "film.avi")
    with pytest.raises(InputError, match="analysis"):
        made[0].save(tmp_path / "a.png", still="analyses")
    monkeypatch.setattr("spikeledger.live.film.ffmpeg", lambda: None)
    with pytest.raises(InputError, match="needs ffmpeg"):
        made[0].save(tmp_path / "film.mp4")
    with pytest.raises(InputError, match="at least 1"):
        film(*livepages.untrained(64, 10), livepages.digits(), samples=0)
    with pytest.raises((InputError, UnpricedError)):
        film(*livepages.untrained(64, 10), livepages.digits(), samples=1, ann_profile="loihi")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(ffmpeg() is None, reason="no ffmpeg, and not the extra `film`")
def test_a_film_for_slides_has_the_frames_of_the_other(made: tuple[object, object], tmp_path: Path) -> None:
    path = made[0].save(tmp_path / "film.mp4")
    assert b"ftyp" in path.read_bytes()[:16]
    told = subprocess.run(
        [str(ffmpeg()), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "gray", "-"], capture_output=True, check=True
    ).stdout
    high, wide, _ = next(made[0].frames()).shape
    assert len(told) == 9 * (high - high % 2) * (wide - wide % 2)
