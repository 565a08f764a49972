"""CIFAR-10, Flowers-102 and event streams, on small archives made here in the official layouts."""

import io
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
import pytest
import torch

import spikeledger as sl
from spikeledger.datasets import cifar, load_events, read_flowers
from spikeledger.datasets.events import framed
from spikeledger.datasets.saccades import saccades
from spikeledger.errors import DataError, InputError


def records(count: int, seed: int) -> bytes:
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, 256, (count, cifar.RECORD), np.uint8)
    rows[:, 0] = np.arange(count) % 10
    return rows.tobytes()


def add(archive: tarfile.TarFile, name: str, raw: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(raw)
    archive.addfile(member, io.BytesIO(raw))


def archive_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, raw in files.items():
            add(archive, name, raw)
    return path


def small_cifar() -> dict[str, bytes]:
    return {f"{cifar.FOLDER}/{name}": records(20, k) for k, name in enumerate((*cifar.TRAIN, cifar.TEST))}


def test_cifar_from_an_archive_and_from_its_folder(tmp_path: Path, monkeypatch) -> None:
    files = small_cifar()
    path = archive_of(tmp_path / cifar.ARCHIVE, files)
    (images, labels), (tests, _) = cifar.read_cifar(path, sha256=None)
    assert images.shape == (100, 3, 32, 32)
    assert tests.shape == (20, 3, 32, 32)
    raw = files[f"{cifar.FOLDER}/data_batch_2.bin"]
    assert labels[20] == raw[0]
    assert images[20, 0, 0, 1] == raw[2]  # red, first row, second column
    assert images[20, 1, 0, 0] == raw[1 + 1024]
    assert images[20, 2, 31, 31] == raw[3072]
    folder = tmp_path / "cifar-10" / cifar.FOLDER
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / Path(name).name).write_bytes(content)
    data = sl.load_dataset("cifar-10", root=tmp_path)
    assert data.train_inputs.shape == (100, 3, 32, 32)
    assert torch.equal(data.train_inputs, torch.from_numpy(images).float() / 255)
    assert data.classes[3] == "cat"


def test_cifar_that_is_not_whole_or_not_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SHA-256"):
        cifar.read_cifar(archive_of(tmp_path / "a.tar.gz", small_cifar()))
    cut = small_cifar()
    cut[f"{cifar.FOLDER}/{cifar.TEST}"] = records(2, 0)[:-1]
    with pytest.raises(DataError, match="whole number of records"):
        cifar.read_cifar(archive_of(tmp_path / "b.tar.gz", cut), sha256=None)
    wrong = small_cifar()
    wrong[f"{cifar.FOLDER}/{cifar.TEST}"] = b"\x0b" + records(1, 0)[1:]
    with pytest.raises(DataError, match="label of 11"):
        cifar.read_cifar(archive_of(tmp_path / "c.tar.gz", wrong), sha256=None)
    with pytest.raises(DataError, match="not the one of pickles"):
        cifar.read_cifar(archive_of(tmp_path / "d.tar.gz", {"cifar-10-batches-py/data_batch_1": b"x"}), sha256=None)
    (tmp_path / "e.tar.gz").write_bytes((tmp_path / "a.tar.gz").read_bytes()[:200])
    with pytest.raises(DataError):
        cifar.read_cifar(tmp_path / "e.tar.gz", sha256=None)
    with tarfile.open(tmp_path / "f.tar.gz", "w:gz") as archive:  # links lead out of the archive
        link = tarfile.TarInfo(f"{cifar.FOLDER}/data_batch_1.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match="no file of at most"):
        cifar.read_cifar(tmp_path / "f.tar.gz", sha256=None)
    with pytest.raises(DataError, match=r"point root= at a folder"):
        sl.load_dataset("cifar-10", root=tmp_path / "nowhere")


def jpeg(number: int, size: tuple[int, int] = (60, 40)) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", size, (number * 20 % 256, 100, 30)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    from scipy.io import savemat

    archive_of(tmp_path / "102flowers.tgz", {f"jpg/image_{k:05d}.jpg": jpeg(k) for k in range(1, 9)})
    savemat(tmp_path / "imagelabels.mat", {"labels": np.array([[77, 1, 102, 5, 5, 1, 2, 3]], np.uint8)})
    savemat(tmp_path / "setid.mat", {"trnid": [[3, 1]], "valid": [[2]], "tstid": [[4, 5, 6, 7, 8]]})
    return tmp_path


def test_flowers_by_the_authors_split(flowers: Path) -> None:
    images, labels = read_flowers(flowers, "train", size=28)
    assert images.shape == (2, 3, 28, 28)
    assert labels.tolist() == [101, 76]  # image 3, then image 1; from 0 on
    assert abs(int(images[0, 0, 14, 14]) - 60) < 4
    assert abs(int(images[1, 0, 14, 14]) - 20) < 4
    assert len(read_flowers(flowers, "test", size=28)[1]) == 5  # as published: more to test than to train
    assert len(read_flowers(flowers, "test", size=28, most=2)[1]) == 2
    (flowers / "jpg").mkdir()
    for k in range(1, 9):
        (flowers / "jpg" / f"image_{k:05d}.jpg").write_bytes(jpeg(k))
    (flowers / "102flowers.tgz").unlink()
    assert np.array_equal(read_flowers(flowers, "train", size=28)[0], images)


def test_flowers_that_are_not_whole(flowers: Path) -> None:
    from scipy.io import savemat

    savemat(flowers / "setid.mat", {"trnid": [[3, 9]], "valid": [[2]], "tstid": [[4]]})
    with pytest.raises(DataError, match="has labels for 8"):
        read_flowers(flowers, "train")
    savemat(flowers / "setid.mat", {"other": [[3]]})
    with pytest.raises(DataError, match="no 'trnid'"):
        read_flowers(flowers, "train")
    (flowers / "setid.mat").write_bytes(b"no matlab")
    with pytest.raises(DataError, match="MATLAB"):
        read_flowers(flowers, "train")
    with pytest.raises(InputError, match="part"):
        read_flowers(flowers, "tset")  # type: ignore[arg-type]
    savemat(flowers / "setid.mat", {"trnid": [[1]], "valid": [[2]], "tstid": [[4]]})
    archive_of(flowers / "102flowers.tgz", {"jpg/image_00001.jpg": b"GIF89a"})
    with pytest.raises(DataError, match="no JPEG"):
        read_flowers(flowers, "train")
    archive_of(flowers / "102flowers.tgz", {"jpg/image_00002.jpg": jpeg(2)})
    with pytest.raises(DataError, match="no picture"):
        read_flowers(flowers, "train")


@pytest.mark.parametrize("sizes", [{"size": 0}, {"size": -3}, {"most": 0}, {"most": -1}])
def test_flowers_of_no_size_or_none_of_them_are_refused(flowers: Path, sizes: dict) -> None:
    with pytest.raises(InputError, match="at least 1"):
        read_flowers(flowers, "train", **sizes)


def test_a_folder_may_be_text_and_a_call_that_cannot_be_is_one_sentence(flowers: Path) -> None:
    assert read_flowers(str(flowers), "validation", size=9)[1].tolist() == [0]
    with pytest.raises(InputError, match=r"call sl\.datasets\.read_flowers\(folder, part"):
        read_flowers(flowers)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="whole number"):
        read_flowers(flowers, "train", size=2.5)  # type: ignore[arg-type]


EVENTS = np.array(
    [(1, 0, 0, 0), (2, 1, 100, 1), (2, 1, 149, 1), (0, 2, 299, 0)], dtype=[("x", int), ("y", int), ("t", int), ("p", int)]
)  # fmt: skip


def test_every_event_is_in_a_step_the_last_one_too() -> None:
    frames = framed(EVENTS, (4, 3, 2), 3)
    assert frames.shape == (3, 2, 3, 4)
    assert {tuple(map(int, at)) for at in np.argwhere(frames)} == {(0, 0, 0, 1), (1, 1, 1, 2), (2, 0, 2, 0)}
    sound = np.array([(5, 0), (6, 10)], dtype=[("x", int), ("t", int)])
    assert framed(sound, (700, 1, 1), 10).nonzero()[0].tolist() == [0, 9]
    assert not framed(EVENTS[:0], (4, 3, 2), 3).any()
    with pytest.raises(DataError, match="sensor"):
        framed(EVENTS, (2, 3, 2), 3)


def test_event_sets_come_through_tonic(monkeypatch, tmp_path: Path) -> None:
    class Set(list):
        sensor_size = (4, 3, 2)

        def __init__(self, save_to: str, train: bool) -> None:
            super().__init__([(EVENTS, 7), (EVENTS[:2], 1)] if train else [(EVENTS, 3)])

    def broken(save_to: str, train: bool) -> None:
        raise OSError("the server is gone")

    fake = types.ModuleType("tonic")
    fake.datasets = types.SimpleNamespace(NMNIST=Set, SHD=broken)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tonic", fake)
    spikes, labels = load_events("n-mnist", tmp_path, timesteps=6)
    assert spikes.shape == (6, 2, 2, 3, 4)
    assert labels.tolist() == [7, 1]
    assert len(load_events("n-mnist", tmp_path, timesteps=6, samples=1)[1]) == 1
    with pytest.raises(DataError, match="the server is gone"):
        load_events("shd", tmp_path, timesteps=6)
    with pytest.raises(InputError, match="n-mnist"):
        load_events("nmnist", tmp_path, timesteps=6)
    for none in ({"timesteps": 0}, {"timesteps": 6, "samples": 0}, {"timesteps": 6, "samples": -2}):
        with pytest.raises(InputError, match="at least 1"):
            load_events("n-mnist", tmp_path, **none)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(DataError, match=r"spikeledger\[events\]"):
        load_events("n-mnist", tmp_path, timesteps=6)


def test_saccades_send_what_changes() -> None:
    images = torch.zeros(2, 1, 12, 12)
    images[0, 0, 4:8, 4:8] = 1
    events = saccades(images, 9, contrast=0.3)
    assert events.shape == (9, 2, 2, 12, 12)
    assert set(events.unique().tolist()) == {0.0, 1.0}
    assert not bool(events[:, 1].any())  # nothing to see, nothing sent
    assert float((events[:, :, 0] * events[:, :, 1]).max()) == 0  # a place does not go both ways at once
    where = events[:, 0].sum((0, 1)).nonzero()
    assert int(where.min()) >= 1 and int(where.max()) <= 9  # around the edges alone
    assert not bool(events[:, 0, :, 0].any())
    assert events.sum() > saccades(images, 9, contrast=1.0).sum()
    for wrong in (torch.rand(2, 3, 8, 8), torch.rand(2, 8, 8), images * 2):
        with pytest.raises(InputError):
            saccades(wrong, 9)
    with pytest.raises(InputError):
        saccades(images, 2)
    for whole in (images.to(torch.uint8), images.bool(), images.numpy()):  # however a 0 and a 1 are written
        assert torch.equal(saccades(whole, 9), events)
    for odd in ((torch.rand(2, 1, 0, 5), 9), (images, 3.5), (images, "9"), (torch.full_like(images, torch.nan), 9)):
        with pytest.raises(InputError):
            saccades(*odd)
    with pytest.raises(InputError, match="contrast"):
        saccades(images, 9, contrast=None)  # type: ignore[arg-type]
