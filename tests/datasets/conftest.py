"""A tiny data set in the four-file layout, and a mirror on loopback that misbehaves as told."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from spikeledger.datasets import catalog, files

SIZES = {"train": 40, "t10k": 10}


def idx_bytes(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture(scope="session")
def tiny_files() -> dict[str, bytes]:
    """Unzipped IDX files of 40 + 10 images of 20x20 noise, which does not pack: its gzip is as long as itself."""
    random = np.random.default_rng(7)
    return {
        f"{part}-{kind}-ubyte": idx_bytes(random.integers(0, high, shape, dtype=np.uint8))
        for part, count in SIZES.items()
        for kind, high, shape in (("images-idx3", 256, (count, 20, 20)), ("labels-idx1", 3, (count,)))
    }


@pytest.fixture
def tiny(tiny_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Makes the data set 'tiny' known, with no public mirror and an empty cache; returns its folder in the cache."""
    for variable in (files.DATA_FOLDER_VARIABLE, files.MIRROR_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setenv("no_proxy", "*")
    published = [
        files.PublishedFile(
            f"{name}.gz",
            tuple(struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])),
            hashlib.sha256(raw).hexdigest(),
            ("tiny", "Tiny/raw"),
            (),
        )
        for name, raw in tiny_files.items()
    ]
    monkeypatch.setitem(catalog.IMAGE_SETS, "tiny", catalog.ImageSet(("a", "b", "c"), *published))
    return tmp_path / "cache" / "data" / "tiny"


@pytest.fixture
def local_copy(tiny_files: dict[str, bytes]) -> Callable[..., Path]:
    def write(folder: Path, *, zipped: bool = True) -> Path:
        folder.mkdir(parents=True)
        for name, raw in tiny_files.items():
            (folder / f"{name}.gz" if zipped else folder / name).write_bytes(gzip.compress(raw) if zipped else raw)
        return folder

    return write


class Mirror:
    """A web server on loopback; `tricks` are what it does to the next requests for the images to train."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.tricks: list[str] = []
        self.asked: list[tuple[str, str | None]] = []
        self.give_up = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                mirror.asked.append((self.path, self.headers.get("Range")))
                name = self.path.rpartition("/")[2]
                trick = mirror.tricks.pop(0) if "train-images" in name and mirror.tricks else "good"
                self.close_connection = True
                mirror.answer(self, name, trick)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def ranges(self) -> list[str | None]:
        """The Range of each request for the images to train."""
        return [asked for path, asked in self.asked if "train-images" in path]

    def answer(self, handler: BaseHTTPRequestHandler, name: str, trick: str) -> None:
        body = self.contents.get(name)
        if body is None or trick == "404":
            return handler.send_error(404)
        if trick in ("500", "503"):
            return handler.send_error(int(trick))
        if trick == "silent":
            self.give_up.wait(10)
            return None
        if trick == "nonsense":
            handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            return None
        if trick == "corrupt":
            middle = len(body) // 2
            body = body[:middle] + bytes(255 - byte for byte in body[middle : middle + 64]) + body[middle + 64 :]
        if trick == "portal":
            body = b"<html>Please log in to this network</html>"
        if trick == "endless":
            body = bytes(10**6)
        start = 0
        wanted = handler.headers.get("Range")
        if wanted and trick != "ignores-range":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                return handler.send_error(416)
            start += 5 if trick == "wrong-range" else 0
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        rest = body[start:]
        if trick != "no-length-cut":
            handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        if trick in ("cut", "no-length-cut", "reset"):
            handler.wfile.write(rest[: len(rest) // 2])
            if trick == "reset":
                handler.wfile.flush()
                time.sleep(0.05)  # let what was sent arrive: a reset discards what is still on the way
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                handler.connection.close()
        elif trick == "stall":
            handler.wfile.write(rest[: len(rest) // 2])
            handler.wfile.flush()
            self.give_up.wait(10)
        elif trick == "trickle":
            for byte in rest:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                if self.give_up.wait(0.02):
                    break
        else:
            handler.wfile.write(rest)
        return None

    def close(self) -> None:
        self.give_up.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def start_mirror(
    tiny: Path, tiny_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Mirror]]:
    """Starts mirrors, each with its list of tricks; where one stalls on purpose, that is told after 0.3 s instead of 20."""
    mirrors: list[Mirror] = []

    def start(*tricks: str, level: int = 9) -> Mirror:
        if not {"silent", "stall", "trickle"}.isdisjoint(tricks):
            monkeypatch.setattr(files, "TIMEOUT_SECONDS", 0.3)
        mirror = Mirror({f"{name}.gz": gzip.compress(raw, level) for name, raw in tiny_files.items()})
        mirror.tricks = list(tricks)
        mirrors.append(mirror)
        return mirror

    yield start
    for mirror in mirrors:
        mirror.close()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The user's own folder with the real MNIST and Fashion-MNIST."""
    folder = os.environ.get(files.DATA_FOLDER_VARIABLE)
    if not folder:
        pytest.skip(f"{files.DATA_FOLDER_VARIABLE} is not set: it names the folder with the real MNIST files")
    return Path(folder)
