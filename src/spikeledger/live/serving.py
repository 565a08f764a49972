"""A server for networks that run here: `spikeledger serve`, or `with Server(ann, snn, data) as server: ...` in Python.

A page asks for samples, and each is recorded when it is asked for. Safe by default: this machine alone; other origins and
hosts are refused; elsewhere a token is needed; messages, their rate and the clients are bounded; a question that is none
is answered with a sentence. What comes in is read as JSON and never as anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hmac
import importlib.util
import ipaddress
import json
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from torch import nn

from ..datasets import Dataset
from ..errors import InputError, SpikeLedgerError, retold
from ..hardware.profile import HardwareProfile
from .messages import LONGEST, asked, turn_of
from .stage import Stage
from .theatre import Theatre

#: pages that are served at once, questions a second of each, and refused questions after which it is closed
CLIENTS, RATE, PATIENCE = 32, 60, 200
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Server:
    """Serves the page of two live networks: `Server(ann, snn, data).run()`, or beside a training run in a `with` block.

    The networks are copied: `update()` after an epoch, or a batch, shows what they have become, and the pages that are
    open ask again.

    Args:
        ann: an ordinary network, of any kind that `sl.compare` takes.
        snn: a spiking one.
        data: its test samples are shown.
        host: where to listen; a token is needed unless it is this machine alone.
        port: 0 takes any that is free.
        token: what a page has to know; made up where one is needed and none is given.
        names: what the page calls both.
        profiles: hardware besides the catalogue.

    Raises:
        InputError: networks that cannot be shown or copied, a host that is none, a package that is missing.
    """

    def __init__(
        self, ann: nn.Module, snn: nn.Module, data: Dataset, *, host: str = "127.0.0.1", port: int = 8137,
        token: str | None = None, names: tuple[str, str] = ("ANN", "SNN"),
        profiles: Sequence[str | HardwareProfile] = (), catalogue: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        if not 0 <= port < 65_536:
            raise InputError(f"port {port} cannot be: give 0 to 65535")
        if token is not None and len(token) < 16:
            raise InputError(f"a token of {len(token)} characters can be guessed: give 16 or more, or none")
        self.host, self.port = host, port
        self.local = host in _LOOPBACK
        self.token = token or ("" if self.local else secrets.token_urlsafe(18))
        self._given = {"ann": ann, "snn": snn}
        self._server: Any = None
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        _check_packages()
        taken = self.bind()  # before the work, which takes seconds
        try:
            self.theatre = Theatre(Stage(_copied(ann), _copied(snn), data, names, profiles, catalogue))
        except BaseException:
            taken.close()
            raise
        self._app = Application(self.theatre, self.token, self._known_hosts())

    @property
    def url(self) -> str:
        """What to open."""
        name = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        place = f"[{name}]" if ":" in name else name
        return f"http://{place}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def update(self, says: str = "") -> None:
        """Show the networks as they are now; `says` is a line for the pages, such as the epoch."""
        for side, network in self._given.items():
            self.theatre.stage.become(side, network.state_dict())
        self.theatre.changed()
        self._app.tell(says)

    def run(self) -> None:
        """Serve until somebody stops it."""
        self._server = _uvicorn(self._app)
        self._server.run(sockets=[self.bind()])

    def __enter__(self) -> Server:
        self._server = _uvicorn(self._app)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self.bind()]}, daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=10)

    def bind(self) -> socket.socket:
        """Take the port, and know which it is; a port that is taken is one sentence."""
        if self._socket is not None:
            return self._socket
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            taken = socket.socket(family, socket.SOCK_STREAM)
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((self.host, self.port))
            taken.listen(64)
        except OSError as error:
            raise InputError(
                f"nothing can listen at {self.host}:{self.port} ({error.strerror or error}): name another with host and port"
            ) from error
        self._socket, self.port = taken, taken.getsockname()[1]
        return taken

    def _known_hosts(self) -> frozenset[str]:
        if self.local:
            return frozenset(_LOOPBACK)
        return frozenset({self.host, socket.gethostname(), *_LOOPBACK})


class Application:
    """The ASGI application: one page, and one line to each client of it."""

    def __init__(self, theatre: Theatre, token: str, hosts: frozenset[str]) -> None:
        self.theatre, self.token, self.hosts = theatre, token, hosts
        self._lines: set[_Line] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room = asyncio.Semaphore(1)  # one recording at a time

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.responses import HTMLResponse, PlainTextResponse
        from starlette.websockets import WebSocket

        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        self._loop = asyncio.get_running_loop()
        headers = {name.decode("latin1").lower(): value.decode("latin1") for name, value in scope["headers"]}
        refusal = self._refusal(headers, scope)
        if scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            if refusal or scope["path"] != "/live" or len(self._lines) >= CLIENTS:
                await socket.close(1013 if not refusal and scope["path"] == "/live" else 1008)
                return None
            return await self._serve(socket)
        answer: Any
        if refusal:
            answer = PlainTextResponse(refusal, 403)
        elif scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
            answer = PlainTextResponse("there is one page here: /", 404)
        else:
            answer = HTMLResponse(await self._apart(self.theatre.page))
        answer.headers.update({
            "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
        })  # fmt: skip
        return await answer(scope, receive, send)

    def tell(self, says: str) -> None:
        """Tell all pages that the networks are others now; from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile
                self._loop.call_soon_threadsafe(self._tell, says)

    def _tell(self, says: str) -> None:
        for line in self._lines:
            line.news = json.dumps({"kind": "changed", "says": says})
            line.woken.set()

    def _refusal(self, headers: dict[str, str], scope: Any) -> str:
        """Why nobody answers this, or nothing: another host's name, another origin, no token."""
        host = headers.get("host", "")
        if not self._known(host):
            return "this host is not served here"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "another page's questions are not answered"
        if self.token:
            given = dict(part.partition("=")[::2] for part in scope["query_string"].decode("latin1").split("&"))
            if not hmac.compare_digest(given.get("token", "").encode(), self.token.encode()):
                return "a token is needed: open the address that was printed"
        return ""

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.hosts:
            return True
        # a name may be made to lead here by whoever owns it; a number cannot
        return bool(self.token) and _is_address(name)

    async def _apart(self, work: Any, *given: Any) -> Any:
        """Work in another thread, one piece at a time."""
        async with self._room:
            return await asyncio.to_thread(work, *given)

    async def _serve(self, socket: Any) -> None:
        from starlette.websockets import WebSocketDisconnect

        await socket.accept()
        line = _Line(socket)
        self._lines.add(line)
        herald = asyncio.create_task(line.herald())
        try:
            while line.refused < PATIENCE:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                await self._answer(line, message.get("text"))
            await socket.close(1008)
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            herald.cancel()
            self._lines.discard(line)

    async def _answer(self, line: _Line, text: str | None) -> None:
        theatre = self.theatre
        try:
            if not line.may_ask():
                raise InputError(f"more than {RATE} questions a second: ask more slowly")
            if text is None:
                raise InputError("a message of bytes: questions are text")
            question = asked(text, samples=theatre.samples, pixels=theatre.pixels)
            told = await self._apart(theatre.take_message, question)
        except SpikeLedgerError as error:
            line.refused += 1
            turn = turn_of(text) if text is not None and len(text) <= LONGEST else None
            await line.send(
                json.dumps({"kind": "refused", "says": str(error), **({} if turn is None else {"turn": turn})})
            )
            return
        except Exception as error:  # the user's own network may raise anything: the page says so, and the others go on
            await line.send(json.dumps({"kind": "refused", "says": f"the network failed: {retold(error)}"}))
            return
        line.refused = 0
        if line.prices != theatre.prices:
            line.prices = theatre.prices
            await line.send(theatre.prices_message())
        await line.send(told)


class _Line:
    """One client: how much it asked lately, and what it has to be told."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.prices = 0
        self.refused = 0
        self.news = ""
        self.woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._left, self._at = float(RATE), time.monotonic()

    def may_ask(self) -> bool:
        """Whether one more question is within the rate."""
        now = time.monotonic()
        self._left = min(float(RATE), self._left + (now - self._at) * RATE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    async def send(self, text: str) -> None:
        """One message; a client that does not take it in time is gone."""
        async with self._turn:
            await asyncio.wait_for(self.socket.send_text(text), 10)

    async def herald(self) -> None:
        """Hand on news; of several that came meanwhile, the last."""
        with contextlib.suppress(Exception):  # the client is gone: who answers it sees that too
            while True:
                await self.woken.wait()
                self.woken.clear()
                await self.send(self.news)


def _copied(network: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(network)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"{type(network).__name__} cannot be copied ({retold(error)}): bring it to rest first, so that it holds no "
            "state of a run"
        ) from error


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _check_packages() -> None:
    missing = [name for name in ("starlette", "uvicorn", "websockets") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"serving needs {', '.join(missing)}, which is not installed: pip install 'spikeledger[web]'")


def _uvicorn(app: Application) -> Any:
    import uvicorn

    return uvicorn.Server(uvicorn.Config(
        app, log_level="warning", access_log=False, ws="websockets-sansio", ws_max_size=LONGEST, ws_max_queue=8,
        ws_per_message_deflate=False, h11_max_incomplete_event_size=16_384, limit_concurrency=CLIENTS * 4,
        timeout_keep_alive=5, server_header=False, proxy_headers=False, timeout_graceful_shutdown=2,
    ))  # fmt: skip
