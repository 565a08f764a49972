"""Where files come from: whatever a mirror, a disk or a user's folder does, a whole file or one clear sentence."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from spikeledger.datasets import catalog, files, load_dataset
from spikeledger.errors import DataError, InputError

IMAGES = "train-images-idx3-ubyte.gz"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != ".lock"} if folder.exists() else set()


def one_sentence(error: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(error.value)
    assert "\n" not in text and 20 < len(text) < 700, text
    return text


# ---- the user's own folder


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("below", ["tiny", "Tiny/raw", "."])
def test_a_users_folder_is_found_in_every_layout(tiny, local_copy, tmp_path, zipped, below):
    local_copy(tmp_path / "mine" / below, zipped=zipped)
    assert load_dataset("tiny", root=tmp_path / "mine").input_shape == (1, 20, 20)


def test_the_variable_names_the_folder_and_root_goes_before_it(tiny, local_copy, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKELEDGER_DATA", str(tmp_path / "nothing"))
    with pytest.raises(DataError, match=r"nothing \(from SPIKELEDGER_DATA\)"):
        load_dataset("tiny")
    assert len(load_dataset("tiny", root=local_copy(tmp_path / "a")).test_labels) == 10
    monkeypatch.setenv("SPIKELEDGER_DATA", str(tmp_path / "a"))
    assert len(load_dataset("tiny").test_labels) == 10


def test_a_folder_without_the_files_is_told_and_nothing_is_downloaded(start_mirror, tmp_path):
    mirror = start_mirror()
    with pytest.raises(DataError, match=r"tiny/train-images-idx3-ubyte\.gz is not there in") as error:
        load_dataset("tiny", root=tmp_path, mirrors=[mirror.url])
    one_sentence(error)
    assert mirror.asked == []


def test_files_of_another_data_set_with_the_same_names_are_refused(tiny, local_copy, tmp_path, tiny_files):
    folder = local_copy(tmp_path / "a", zipped=False)
    changed = bytearray(tiny_files["t10k-labels-idx1-ubyte"])
    changed[-1] ^= 1
    (folder / "t10k-labels-idx1-ubyte").write_bytes(changed)
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is not the published file: the SHA-256"):
        load_dataset("tiny", root=folder)


# ---- downloads


def assert_downloaded(folder: Path) -> None:
    assert names(folder) == {
        f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    }


def test_a_download_is_kept_and_not_repeated(start_mirror, tiny, capfd):
    mirror = start_mirror()
    first = load_dataset("tiny", mirrors=[mirror.url])
    assert capfd.readouterr() == ("", "")  # the bar is for terminals
    assert_downloaded(tiny)
    assert len(mirror.asked) == 4
    again = load_dataset("tiny", mirrors=[mirror.url])
    assert len(mirror.asked) == 4
    assert first.train_inputs.equal(again.train_inputs)


def test_mirrors_may_come_from_the_environment(start_mirror, tiny, monkeypatch):
    bad, good = start_mirror("404"), start_mirror()
    monkeypatch.setenv("SPIKELEDGER_MIRROR", f"{bad.url}/ {good.url}")
    load_dataset("tiny")
    assert bad.asked[0][0] == good.asked[0][0] == f"/tiny/{IMAGES}"
    assert_downloaded(tiny)


@pytest.mark.parametrize(
    ("trick", "told"),
    [
        ("404", r"answers 404"),
        ("500", r"answers 500"),
        ("corrupt", r"gives a file that is not (a sound gzip file|the published file)"),
        ("portal", r"gives a file that is not an IDX file"),
        ("endless", r"gives more than the 81,536 bytes"),
        ("silent", r"stalled: nothing for 0.3 s"),
        ("trickle", r"stalled: \d+ bytes in 0.3 s"),
        ("nonsense", r"cannot be reached"),
        ("no-length-cut", r"gives a file that is cut short"),
    ],
)
def test_what_a_mirror_does_wrong_is_told_and_the_next_one_asked(start_mirror, tiny, trick, told):
    bad, good = start_mirror(*[trick] * 10), start_mirror()
    with pytest.raises(DataError, match=told) as error:
        load_dataset("tiny", mirrors=[bad.url])
    text = one_sentence(error)
    assert f"tiny/{IMAGES}" in text and "SPIKELEDGER_DATA" in text and "127.0.0.1" in text
    assert all(name.endswith(".part") for name in names(tiny))
    assert len(bad.ranges) == (files.ATTEMPTS if trick == "trickle" else 1)  # only what brings more is asked again
    load_dataset("tiny", mirrors=[bad.url, good.url])
    assert_downloaded(tiny)


@pytest.mark.parametrize("trick", ["cut", "stall", "reset"])
def test_a_mirror_that_stops_is_asked_for_the_rest(start_mirror, tiny, trick):
    mirror = start_mirror(trick, trick)
    load_dataset("tiny", mirrors=[mirror.url])
    whole = len(mirror.contents[IMAGES])
    assert mirror.ranges == [None, f"bytes={whole // 2}-", f"bytes={whole // 2 + (whole - whole // 2) // 2}-"]
    assert_downloaded(tiny)


def test_a_later_run_goes_on_where_an_earlier_one_was_cut(start_mirror, tiny):
    mirror = start_mirror("cut", "404")
    with pytest.raises(DataError, match="answers 404"):
        load_dataset("tiny", mirrors=[mirror.url])
    (part,) = names(tiny)
    kept = (tiny / part).stat().st_size
    assert part.startswith(IMAGES) and part.endswith(".part") and kept > 1000
    load_dataset("tiny", mirrors=[mirror.url])
    assert mirror.ranges[-1] == f"bytes={kept}-"
    assert_downloaded(tiny)


def test_what_one_mirror_began_is_never_finished_by_another(start_mirror, tiny):
    """Two mirrors may have zipped the same file differently; glued together they are nonsense."""
    first, second = start_mirror("cut", "404"), start_mirror(level=1)
    load_dataset("tiny", mirrors=[first.url, second.url])
    assert second.ranges == [None]
    assert_downloaded(tiny)


def test_a_mirror_that_always_cuts_is_left_after_a_few_times(start_mirror, tiny):
    mirror = start_mirror(*["cut"] * 50)
    with pytest.raises(DataError, match=r"cut the connection after [\d,]+ of [\d,]+ bytes"):
        load_dataset("tiny", mirrors=[mirror.url])
    assert len(mirror.ranges) == files.ATTEMPTS


@pytest.mark.parametrize("trick", ["ignores-range", "wrong-range", "good"])
@pytest.mark.parametrize("kept", ["half", "wrong", "whole", "too long"])
def test_any_part_kept_from_earlier_ends_in_a_whole_file(start_mirror, tiny, trick, kept):
    mirror = start_mirror("cut", "404")
    with pytest.raises(DataError):
        load_dataset("tiny", mirrors=[mirror.url])
    part = tiny / next(iter(names(tiny)))
    body = mirror.contents[IMAGES]
    wrong = {"half": body[: len(body) // 2], "wrong": bytes(len(body) // 2), "whole": body, "too long": body + b"x"}
    part.write_bytes(wrong[kept])
    mirror.tricks = [trick]
    good = start_mirror()  # a server that gives another range than asked for is not trusted with the rest
    load_dataset("tiny", mirrors=[mirror.url, good.url])
    assert_downloaded(tiny)
    assert bool(good.ranges) == (trick == "wrong-range" and kept in ("half", "wrong"))


def test_a_cached_file_that_the_disk_spoilt_is_fetched_again(start_mirror, tiny):
    mirror = start_mirror()
    load_dataset("tiny", mirrors=[mirror.url])
    (tiny / IMAGES).write_bytes(b"\x1f\x8b")
    load_dataset("tiny", mirrors=[mirror.url])
    assert len(mirror.asked) == 5
    assert gzip.decompress((tiny / IMAGES).read_bytes())[:4] == bytes([0, 0, 8, 3])


def test_no_network_names_every_mirror(tiny):
    with pytest.raises(DataError, match="cannot download tiny/train-images") as error:
        load_dataset("tiny", mirrors=["http://127.0.0.1:9", "https://no-such-host.invalid/x"])
    text = one_sentence(error)
    assert "127.0.0.1:9 cannot be reached (Connection refused)" in text
    assert "no-such-host.invalid cannot be reached" in text
    assert names(tiny) == set()


def test_no_mirror_at_all_is_told(tiny):
    with pytest.raises(DataError, match="no mirror was given"):
        load_dataset("tiny", mirrors=[])


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://127.0.0.1/", "tiny", "", "http://"])
def test_only_http_is_a_mirror(tiny, mirror):
    with pytest.raises(InputError, match="is not a URL of http or https"):
        load_dataset("tiny", mirrors=[mirror])


def test_a_password_in_a_mirror_is_refused_and_not_repeated(tiny):
    with pytest.raises(InputError, match="given with a user name") as error:
        load_dataset("tiny", mirrors=["https://user:secret@example.org/"])
    assert "secret" not in str(error.value)


# ---- the disk


def test_a_full_disk_is_told_and_leaves_no_file(start_mirror, tiny, monkeypatch):
    mirror = start_mirror()
    real_open = Path.open

    def full(path: Path, mode: str = "r", *args: object, **more: object):
        opened = real_open(path, mode, *args, **more)
        if path.suffix == ".part" and mode in ("wb", "ab"):
            opened.write(b"some")

            class Full:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    opened.close()

                def write(self, _):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            return Full()
        return opened

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(
            DataError, match="No space left on device: make room there, or set SPIKELEDGER_DATA"
        ) as error:
            load_dataset("tiny", mirrors=[mirror.url])
    assert str(tiny) in one_sentence(error)
    assert all(name.endswith(".part") for name in names(tiny))
    load_dataset("tiny", mirrors=[mirror.url])  # "some" was kept, does not fit, and is fetched again
    assert_downloaded(tiny)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not there")
def test_a_really_full_device_is_told(start_mirror, tiny):
    mirror = start_mirror()
    tiny.mkdir(parents=True)
    part = files.zlib.crc32(f"{mirror.url}/tiny/{IMAGES}".encode())
    (tiny / f"{IMAGES}.{part:08x}.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match="No space left on device: make room"):
        load_dataset("tiny", mirrors=[mirror.url])
    assert IMAGES not in names(tiny)


def test_an_unwritable_cache_is_told(start_mirror, tiny):
    tiny.parent.parent.mkdir(parents=True)
    tiny.parent.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot keep tiny/train-images.*make that folder writable") as error:
        load_dataset("tiny", mirrors=[start_mirror().url])
    one_sentence(error)


# ---- being interrupted, and not being alone


def test_ctrl_c_leaves_only_a_part(start_mirror, tiny, monkeypatch):
    mirror = start_mirror()
    real = files._chunks

    def interrupted(response, clock):
        for chunk in real(response, clock):
            yield chunk[:1000]
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "_chunks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_dataset("tiny", mirrors=[mirror.url])
    (part,) = names(tiny)
    assert part.endswith(".part") and (tiny / part).stat().st_size == 1000
    load_dataset("tiny", mirrors=[mirror.url])
    assert mirror.ranges == [None, "bytes=1000-"]
    assert_downloaded(tiny)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_only_a_part(start_mirror, tiny, stop):
    mirror = start_mirror("stall")
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's '&' turns it off
        "from spikeledger.datasets import files; from spikeledger.datasets.files import PublishedFile\n"
        "files.TIMEOUT_SECONDS = 30\n"
        f"files.read_published({catalog.IMAGE_SETS['tiny'].train_images!r}, mirrors=[{mirror.url!r}])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "SPIKELEDGER_DATA"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    folder = tiny.parent.parent / "spikeledger" / "data" / "tiny"  # where XDG_CACHE_HOME puts it
    deadline = time.monotonic() + 20
    while not any(part.stat().st_size > 1000 for part in folder.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(stop if time.monotonic() < deadline else signal.SIGKILL)
    assert process.wait(20) != 0
    (part,) = names(folder)
    assert part.endswith(".part")


def test_threads_that_load_at_once_download_once(start_mirror, tiny):
    mirror = start_mirror("cut")
    loaded = []
    threads = [
        threading.Thread(target=lambda: loaded.append(load_dataset("tiny", mirrors=[mirror.url]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(loaded) == 4 and len(mirror.asked) == 5  # one was cut and asked twice
    assert_downloaded(tiny)


def test_importing_and_listing_needs_no_torch():
    code = (
        "import sys, spikeledger.datasets as d; d.list_datasets(); print({'torch', 'sklearn', 'rich'} & {*sys.modules})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert shown.stdout.strip() == "set()"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_stays_on_one_line(monkeypatch, capsys, width):
    for variable, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", str(width))):
        monkeypatch.setenv(variable, value)
    with files._progress_bar("fashion-mnist/t10k-images-idx3-ubyte.gz") as progress:
        progress(2_000_000, 4_422_079)
    shown = capsys.readouterr().err
    assert "fashion-mnist/t10k" in shown and "2.0/4.4" in shown
    assert shown.count("\n") <= 1
