"""Chromium for tests that look at a page: found, never downloaded, and kept from leaving this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def find() -> str | None:
    """The path of a Chromium or Chrome on this machine."""
    names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
    return next((path for path in map(shutil.which, names) if path), None)


def watch(page: Page) -> list[str]:
    """What a page does that it should not, as it happens: errors in its console, requests to elsewhere."""
    complaints: list[str] = []

    def stay_here(route: Route) -> None:
        where = urlsplit(route.request.url)
        if where.scheme in {"file", "data", "blob"} or where.hostname in {"localhost", "127.0.0.1", "::1"}:
            route.continue_()
        else:
            complaints.append(f"asked for {route.request.url}")
            route.abort()

    page.route("**/*", stay_here)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def keep(page: Page, name: str) -> None:
    """Keep a picture of the whole page in the folder that SPIKELEDGER_PICTURES names, if it names one."""
    folder = os.environ.get("SPIKELEDGER_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
