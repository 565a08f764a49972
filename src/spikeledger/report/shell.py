"""What every page of ours stands in: its style, its icon and a policy that lets it show itself and nothing else."""

from __future__ import annotations

import os
from html import escape
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from ..errors import InputError
from .colours import roles_css
from .markup import Html, h

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="#c24e00" '
    'stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"{extra}>'
    '<path d="M2 17h6l2-12 3 14 2-8 2 6h5"/></svg>'
)


def check_page(path: str | os.PathLike[str]) -> Path:
    """The path of a page, whose name tells browsers what it is."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"'{Path(path)}' would be a page that no browser opens: end its name in .html")
    return Path(path)


def brand() -> Html:
    """The name and the sign that a page begins with."""
    return h("div", Html(_ICON.format(extra=' aria-hidden="true"')), "SpikeLedger", class_="brand")


def document(title: str, body: Html) -> str:
    """A whole HTML document: no script, no font and no image from elsewhere, for light and for dark."""
    style = roles_css() + resources.files(__package__).joinpath("page.css").read_text("utf-8")
    icon = "data:image/svg+xml," + quote(_ICON.format(extra=""))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | SpikeLedger</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><link rel="icon" href="{icon}">'
        f"<style>{style}</style></head><body>{body}</body></html>\n"
    )
