"""The colours of every page and picture: roles (`ink`, `ann`, `static`), each with its colour on light and on dark pages."""

from __future__ import annotations

#: role -> its colour on a light and on a dark page. Data colours are Okabe & Ito's, which colour-blind readers can tell
#: apart; some are lightened on dark pages.
ROLES: dict[str, tuple[str, str]] = {
    "ink": ("#1c1f23", "#e8e6e1"),
    "muted": ("#5a6068", "#a9adb3"),
    "grid": ("#dfe1e4", "#3a3e44"),
    "surface": ("#ffffff", "#1d2024"),
    "ann": ("#0072b2", "#56b4e9"),
    "snn": ("#c24e00", "#f0904a"),
    "operations": ("#0072b2", "#4aa8e0"),
    "memory": ("#e69f00", "#e6a82a"),
    "routing": ("#cc79a7", "#d68fb7"),
    "static": ("#7d838b", "#868d96"),
    "good": ("#007a5a", "#2fc296"),
    "on-ann": ("#ffffff", "#0d1a22"),
    "on-snn": ("#ffffff", "#241205"),
}  # fmt: skip

_STYLE = (
    ".s{fill:none}.halo{paint-order:stroke;stroke:var(--surface);stroke-width:4px;stroke-linejoin:round}"
    ".picture{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}"
)


def roles_css(scope: str = ":root") -> str:
    """The roles as CSS variables, for light and dark, and the classes that marks use."""
    light = "".join(f"--{role}:{pair[0]};" for role, pair in ROLES.items())
    dark = "".join(f"--{role}:{pair[1]};" for role, pair in ROLES.items())
    uses = "".join(f".f-{role}{{fill:var(--{role})}}.s-{role}{{stroke:var(--{role})}}" for role in ROLES)
    return f"{scope}{{{light}}}@media (prefers-color-scheme:dark){{{scope}{{{dark}}}}}{uses}{_STYLE}"
