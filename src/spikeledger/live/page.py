"""One self-contained page: `write_live(document, "live.html")`. It asks nobody for anything, and runs one script, its own."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib import resources
from pathlib import Path

from ..report.colours import roles_css
from ..writing import write_whole
from .document import Document

_POLICY = (
    "default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def write_live(document: Document, path: str | os.PathLike[str]) -> Path:
    """Write the page to one HTML file, by way of a temporary name."""
    return write_whole(Path(path), live_page(document))


def live_page(document: Document, *, connect: bool = False) -> str:
    """The page as text; its policy lets the script with this hash run, and nothing else load.

    `connect` lets it speak with the server that it came from.
    """
    room = resources.files(__package__)
    script = room.joinpath("page.js").read_text("utf-8")
    if "</script" in script:
        raise AssertionError("the script would end its own element: build it anew")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = _POLICY.format(digest=digest) + ("; connect-src 'self'" if connect else "")
    parts = {
        "policy": policy, "style": roles_css() + room.joinpath("page.css").read_text("utf-8"),
        "payload": document.packed(), "script": script,
    }  # fmt: skip
    page = room.joinpath("live.html").read_text("utf-8")
    for name, text in parts.items():  # each stands there once, and the script and the block come last
        before, _, after = page.partition("{" + name + "}")
        page = before + text + after
    return page
