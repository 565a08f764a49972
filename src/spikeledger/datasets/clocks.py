"""A clock that no server can stall: a connection that does not finish its part in time is cut.

The time limit of a socket begins anew with every byte, so a header, or the size of a chunk, that comes byte by byte is
waited for without end. Here one clock runs over a whole part, however it comes.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import urllib.request
from typing import Any, Self


class Clock:
    """Cuts its connections when `seconds` are over since it began, or since `restart`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.over = False
        self._sockets: list[Any] = []
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def restart(self) -> None:
        """Begin the time anew; a clock that ran out stays so."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(self.seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: http.client.HTTPConnection) -> None:
        """Cut this connection too when the time is over."""
        connect = connection.connect

        def connected() -> None:
            connect()
            self._sockets.append(connection.sock)
            if self.over:
                self._cut()

        connection.connect = connected  # type: ignore[method-assign]

    def _cut(self) -> None:
        self.over = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def opener(clock: Clock) -> urllib.request.OpenerDirector:
    """What opens URLs of http and https, redirected ones included, and no others, under a clock."""

    def plain(*args: Any, **options: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(*args, **options)
        clock.watch(connection)
        return connection

    def secure(*args: Any, **options: Any) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(*args, **options)
        clock.watch(connection)
        return connection

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(plain, req)

    class Secure(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(secure, req)

    found = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), Plain(), Secure(), urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler(), urllib.request.UnknownHandler(),
    ):  # fmt: skip
        found.add_handler(handler)
    return found
