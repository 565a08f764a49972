"""No server stalls a download: whatever comes byte by byte is cut when its time is over."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spikeledger.datasets import files
from spikeledger.datasets.catalog import IMAGE_SETS
from spikeledger.errors import DataError, InputError

FILE = IMAGE_SETS["mnist"].test_labels
Answer = Callable[[socket.socket], None]


@pytest.fixture
def server() -> Iterator[Callable[[Answer], str]]:
    listening: list[socket.socket] = []

    def serve(answer: Answer) -> str:
        door = socket.create_server(("127.0.0.1", 0))
        listening.append(door)

        def loop() -> None:
            while True:
                try:
                    guest, _ = door.accept()
                    with guest:
                        guest.recv(9999)
                        answer(guest)
                except OSError:
                    if door.fileno() < 0:
                        return

        threading.Thread(target=loop, daemon=True).start()
        return f"http://127.0.0.1:{door.getsockname()[1]}"

    yield serve
    for door in listening:
        door.close()


def trickle(first: bytes, piece: bytes) -> Answer:
    def answer(guest: socket.socket) -> None:
        guest.sendall(first)
        while True:
            guest.sendall(piece)
            time.sleep(0.05)

    return answer


def once(content: bytes) -> Answer:
    return lambda guest: guest.sendall(content)


def download(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of a mirror, and not after more than a few of the time limits."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPIKELEDGER_DATA", raising=False)
    monkeypatch.setattr(files, "TIMEOUT_SECONDS", 0.25)
    box: list[BaseException] = []

    def run() -> None:
        try:
            files.read_published(FILE, mirrors=[url])
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(15)
    assert box, "it waits"
    assert isinstance(box[0], DataError | InputError), box[0]
    return str(box[0])


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nY: ", b"b"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;", b"b"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 2", b"0"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"c"),
    ],
    ids=["header", "chunk", "continue", "status", "body"],
)
def test_what_comes_byte_by_byte_is_cut(server, tmp_path, monkeypatch, first: bytes, piece: bytes) -> None:
    assert "stalled" in download(server(trickle(first, piece)), tmp_path, monkeypatch)


def test_lengths_redirects_and_names_that_are_none(server, tmp_path, monkeypatch) -> None:
    absurd = once(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"8" * 6000 + b"\r\n\r\nz")
    assert "cannot download" in download(server(absurd), tmp_path, monkeypatch)
    away = once(b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n")
    assert "ftp" in download(server(away), tmp_path, monkeypatch)  # named, and not followed
    for url in ("http://[worse", "http://half\udc80", "ftp://127.0.0.1"):
        download(url, tmp_path, monkeypatch)
