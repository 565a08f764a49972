"""What holds for every test: few threads, plain output, reproducible examples, and nobody leaves this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Read by torch, BLAS and matplotlib when they are first imported, so that nobody has to import them here.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="Agg")
# Terminal output that tests can read: no colours, one width.
os.environ.update(NO_COLOR="1", COLUMNS="120", TERM="dumb")
os.environ.pop("FORCE_COLOR", None)

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def _is_here(address: Any) -> bool:
    if not isinstance(address, tuple):  # a Unix socket
        return True
    host = str(address[0])
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """To a test the network is down, except for this machine itself."""

    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if not _is_here(address):
            raise OSError(f"tests do not leave this machine, but {address} was asked for")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium.find()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])  # which root cannot have
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page in a context of its own; it must end without an error in the console or a request to elsewhere."""
    context = browser.new_context()
    opened = context.new_page()
    complaints = chromium.watch(opened)
    yield opened
    context.close()
    assert complaints == []
