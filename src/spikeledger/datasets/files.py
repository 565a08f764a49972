"""Where a published file comes from: the user's own folder, or a cache into which it is downloaded once.

::

    root=, or SPIKELEDGER_DATA  ->  that folder, and nothing else: never a download
    neither                     ->  the user's cache, filled from the first mirror that gives the right bytes

A download is kept as `<name>.<mirror>.part`, goes on where it stopped, and gets its real name only when its SHA-256 is
right: so whatever happens, a file with its real name is whole.
"""

from __future__ import annotations

import errno
import http.client
import math
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeledger.datasets.clocks import Clock, opener
from spikeledger.datasets.idx import read_idx
from spikeledger.errors import DataError, InputError
from spikeledger.reading import is_file, is_folder

DATA_FOLDER_VARIABLE = "SPIKELEDGER_DATA"
MIRROR_VARIABLE = "SPIKELEDGER_MIRROR"
#: a mirror that sends nothing for this long, or less than `SLOWEST_BYTES` in it, has stalled
TIMEOUT_SECONDS = 20.0
SLOWEST_BYTES = 4096
#: how often one mirror is asked, as long as each time brings more of the file
ATTEMPTS = 4
CHUNK_BYTES = 2**16

#: called with the bytes that are here and the bytes there will be (if the mirror said)
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class PublishedFile:
    """One file as its authors published it: IDX, whose sum is that of the unzipped bytes, so any zipping of it will do; other
    kinds `read` themselves."""

    name: str  # as published, "train-images-idx3-ubyte.gz"
    shape: tuple[int, ...]
    sha256: str
    folders: tuple[str, ...]  # what the data set's folder is called; the first is our own
    mirrors: tuple[str, ...]  # URLs of folders that hold the file

    @property
    def title(self) -> str:
        """Folder and name, ``mnist/train-images-idx3-ubyte.gz``."""
        return f"{self.folders[0]}/{self.name}"

    @property
    def most_bytes(self) -> int:
        """More than this is not the file, zipped or not."""
        return math.prod(self.shape) + 65_536

    def read(self, path: Path) -> Any:
        """The values in `path`, if it is this file."""
        return read_idx(path, shape=self.shape, sha256=self.sha256)


def read_published(file: PublishedFile, *, root: str | Path | None = None, mirrors: Sequence[str] | None = None) -> Any:
    """The values of a published file, downloaded first if the user has no folder with it.

    Args:
        file: which one.
        root: folder that holds the file, or the data set's folder with the file; `SPIKELEDGER_DATA` when left out.
        mirrors: URLs of folders laid out like `root`, asked in this order instead of the public ones;
            `SPIKELEDGER_MIRROR` (URLs with spaces between them) when left out.

    Raises:
        DataError: missing, not the published bytes, not to be had from any mirror, or no room to keep it.
    """
    origin = "root="
    if root is None and os.environ.get(DATA_FOLDER_VARIABLE):
        root, origin = os.environ[DATA_FOLDER_VARIABLE], DATA_FOLDER_VARIABLE
    if root is not None:
        return file.read(_find(file, Path(root).expanduser(), origin))

    import platformdirs

    target = platformdirs.user_cache_path("spikeledger", appauthor=False) / "data" / file.folders[0] / file.name
    cached = _read_cached(file, target)
    return _download(file, target, _urls(file, mirrors)) if cached is None else cached


def _find(file: PublishedFile, root: Path, origin: str) -> Path:
    for folder in (*(root / folder for folder in file.folders), root):
        for name in (file.name, file.name.removesuffix(".gz")):
            if is_file(folder / name):
                return folder / name
    state = "is not there" if is_folder(root) else "is not there, nor is that folder"
    raise DataError(
        f"{file.title} {state} in {root} (from {origin}): point {origin} at a folder that holds it, "
        f"or leave {origin} out to download it"
    )


def _read_cached(file: PublishedFile, target: Path) -> Any:
    if is_file(target):
        try:
            return file.read(target)
        except DataError:  # the disk lost some of it; the download replaces it
            pass
    return None


def _urls(file: PublishedFile, mirrors: Sequence[str] | None) -> list[str]:
    if mirrors is None and os.environ.get(MIRROR_VARIABLE):
        mirrors = os.environ[MIRROR_VARIABLE].split()
    if mirrors is None:
        return [f"{mirror.rstrip('/')}/{file.name}" for mirror in file.mirrors]
    mirrors = [mirrors] if isinstance(mirrors, str) else mirrors
    for mirror in mirrors:
        try:
            mirror.encode()  # half a character is no part of a URL
            parts = urllib.parse.urlsplit(mirror)
        except ValueError as error:
            raise InputError(f"mirror '{mirror!a:.200}' is not a URL ({error}): give one of http or https") from error
        if parts.username is not None:
            raise InputError(f"the mirror at '{parts.hostname}' is given with a user name: give a URL that needs none")
        if parts.scheme not in ("http", "https") or not parts.hostname:  # urllib would also open file:// and ftp://
            raise InputError(f"mirror '{mirror}' is not a URL of http or https: give one, or a folder with root=")
    return [f"{mirror.rstrip('/')}/{file.title}" for mirror in mirrors]


class _MirrorFailure(Exception):
    """What one mirror did instead of giving the file: the next one is asked."""


def _download(file: PublishedFile, target: Path, urls: Sequence[str]) -> Any:
    """The first mirror's right bytes, kept as `target`; every other process waits meanwhile."""
    from filelock import FileLock

    failures = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            cached = _read_cached(file, target)  # another process may have been faster
            if cached is not None:
                return cached
            with _progress_bar(file.title) as progress:
                for url in urls:
                    part = target.with_name(f"{target.name}.{zlib.crc32(url.encode()):08x}.part")
                    try:
                        values = _from_mirror(file, url, part, progress)
                    except _MirrorFailure as failure:
                        failures.append(f"{urllib.parse.urlsplit(url).netloc} {failure}")
                        continue
                    part.replace(target)
                    for other in target.parent.glob(f"{target.name}.*.part"):
                        other.unlink()
                    return values
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        raise DataError(
            f"cannot keep {file.title} in {target.parent}: {error.strerror or error}: "
            f"{'make room there' if full else 'make that folder writable'}, or set {DATA_FOLDER_VARIABLE} (or root=) "
            "to a folder that holds the file"
        ) from error
    raise DataError(
        f"cannot download {file.title}: {'; '.join(failures) or 'no mirror was given'}: try again later, or set "
        f"{DATA_FOLDER_VARIABLE} (or root=) to a folder that holds the file"
    )


def _from_mirror(file: PublishedFile, url: str, part: Path, progress: Progress) -> Any:
    """Fetch from one mirror until it is whole and right; a mirror that stops is asked again for the rest."""
    for attempt in range(ATTEMPTS):
        had = _size(part)
        try:
            _receive(url, part, file.most_bytes, progress)
        except _MirrorFailure:
            if attempt + 1 == ATTEMPTS or _size(part) <= had:
                raise
            continue
        try:
            return file.read(part)
        except DataError as error:
            part.unlink(missing_ok=True)
            # what was kept from an earlier time may have been wrong: then ask once more for all of it
            if not had or attempt + 1 == ATTEMPTS:
                why = str(error).removeprefix(str(part)).split(":")[0].strip()
                raise _MirrorFailure(f"gives a file that {why}") from error
    raise AssertionError("every attempt returns, raises or goes on")


def _receive(url: str, part: Path, most_bytes: int, progress: Progress) -> None:
    """Append what `part` still lacks, or write it anew where the server does not know ranges."""
    have = _size(part)
    headers = {"User-Agent": "spikeledger"} | ({"Range": f"bytes={have}-"} if have else {})
    with Clock(2 * TIMEOUT_SECONDS) as clock, _answer(urllib.request.Request(url, headers=headers), clock) as response:
        if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # nothing is lacking; its sum will tell
            return
        resumed = have > 0 and response.status == http.client.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise _MirrorFailure("gives another part of the file than the one asked for")
        have = have if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() and len(length) < 19 else None
        progress(have, total)
        with part.open("ab" if resumed else "wb") as kept:
            for chunk in _chunks(response, clock):
                have += len(chunk)
                if have > most_bytes:
                    break
                kept.write(chunk)
                progress(have, total)
        if have > most_bytes:
            part.unlink()
            raise _MirrorFailure(f"gives more than the {most_bytes:,} bytes that the file can have")
        if total is not None and have < total:
            raise _MirrorFailure(f"cut the connection after {have:,} of {total:,} bytes")


@contextmanager
def _answer(request: urllib.request.Request, clock: Clock) -> Iterator[http.client.HTTPResponse]:
    try:
        response = opener(clock).open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not request.has_header("Range"):
                said = " ".join(str(error.reason).split())[:100]
                raise _MirrorFailure(f"answers {error.code} {said}") from error
            yield error  # type: ignore[misc]  # it is a response too
            return
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorFailure(_reason(error, clock)) from error
    with response:
        yield response


def _chunks(response: http.client.HTTPResponse, clock: Clock) -> Iterator[bytes]:
    window_begins, received = time.monotonic(), 0
    clock.restart()
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)  # returns as soon as anything is there, so that a trickle shows
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _MirrorFailure(_reason(error, clock)) from error
        if not chunk:
            if clock.over:
                raise _MirrorFailure(_reason(TimeoutError(), clock))
            return
        yield chunk
        received += len(chunk)
        if time.monotonic() - window_begins > TIMEOUT_SECONDS:
            if received < SLOWEST_BYTES:
                raise _MirrorFailure(f"stalled: {received:,} bytes in {TIMEOUT_SECONDS:g} s")
            window_begins, received = time.monotonic(), 0
            clock.restart()


def _reason(error: BaseException, clock: Clock) -> str:
    if clock.over:
        return f"stalled: nothing whole in {clock.seconds:g} s"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"stalled: nothing for {TIMEOUT_SECONDS:g} s"
    if isinstance(cause, http.client.IncompleteRead):
        return "cut the connection"
    told = cause.strerror or str(cause) if isinstance(cause, OSError) else str(cause)
    return f"cannot be reached ({told.strip() or type(cause).__name__})"


def _size(path: Path) -> int:
    return path.stat().st_size if is_file(path) else 0


@contextmanager
def _progress_bar(title: str) -> Iterator[Progress]:
    """A bar on standard error that goes away when done; nothing where nobody would see it move."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    from rich.table import Column

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
    )
    seen = console.is_terminal or console.is_jupyter
    with Progress(*columns, console=console, transient=True, disable=not seen, expand=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda have, total: bar.update(task, completed=have, total=total)
