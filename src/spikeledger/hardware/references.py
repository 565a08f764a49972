"""Where prices come from, as a bibliography: the works that a profile's sources name, each once, in BibTeX."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

_IDENTIFIER = re.compile(r"(?:doi:\s*(10\.\d{4,9}/[^\s,;\"]+)|arXiv:\s*(\d{4}\.\d{4,5}))", re.IGNORECASE)
#: what TeX reads as an instruction
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "µ": r"\ensuremath{\mu}", "μ": r"\ensuremath{\mu}",
    "±": r"\ensuremath{\pm}", "÷": r"/", "×": r"\ensuremath{\times}", "–": "--", "—": "---", "−": r"\ensuremath{-}",
    "≥": r"\ensuremath{\geq}", "≤": r"\ensuremath{\leq}", "·": r"\ensuremath{\cdot}", "∞": r"\ensuremath{\infty}",
    "<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "|": r"\ensuremath{|}", '"': "''",
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One entry of a bibliography; `fields` are in BibTeX's own words and marks."""

    key: str
    type: str
    fields: tuple[tuple[str, str], ...]

    @property
    def bibtex(self) -> str:
        """The entry."""
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in self.fields)
        return f"@{self.type}{{{self.key},\n{lines}}}\n"


def works(source: str) -> tuple[Work, ...]:
    """The works that one source names: those with a DOI or an arXiv number, else its own words as one."""
    found = [(match.group(1) or match.group(2)).rstrip(".:)") for match in _IDENTIFIER.finditer(source)]
    return tuple(_identified(one, source) for one in dict.fromkeys(found)) or (_in_words(source),)


def bibliography(sources: Iterable[str]) -> str:
    """All works of some sources as a BibTeX file, each once."""
    entries = {work.key: work for source in sources for work in works(source)}
    return "\n".join(work.bibtex for _, work in sorted(entries.items()))


def latex(text: str) -> str:
    """Text as TeX prints it: nothing in it is an instruction, and letters beyond ASCII lose their marks."""
    told = "".join(_SPECIAL.get(letter, letter) for letter in text)
    return unicodedata.normalize("NFKD", told).encode("ascii", "ignore").decode()


@functools.cache
def _known() -> dict[str, dict[str, object]]:
    text = resources.files(__package__).joinpath("works.toml").read_text("utf-8")
    return {identifier.lower(): table for identifier, table in tomllib.loads(text).items()}


def _identified(identifier: str, source: str) -> Work:
    online = identifier.startswith("10.")
    address = ("doi", identifier) if online else ("eprint", identifier)
    table = _known().get(identifier.lower())
    if table is None:
        words = _in_words(source)
        return Work(_slug(identifier), "misc", (*words.fields, address))
    fields = [(name, str(value)) for name, value in table.items() if name not in ("type", "key")]
    return Work(str(table["key"]), str(table["type"]), (*fields, address))


def _in_words(source: str) -> Work:
    """A source without an identifier: its own words, up to where it says what was read there."""
    title = re.split(r"[;:]\s| \(quoted| \(assumed", source)[0].strip()
    return Work(
        _slug(title), "misc", (("key", _slug(title)), ("title", f"{{{latex(title)}}}"), ("note", latex(source)))
    )


def _slug(text: str) -> str:
    """A key of plain letters and digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:60] or "source"
