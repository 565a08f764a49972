"""A newcomer's words find the page that answers them, in the search of the built book."""

from __future__ import annotations

import re

import pytest

from repository import ROOT

DOCS = ROOT / "docs"
#: words that a newcomer types, and a page on which all of them stand
QUESTIONS = {
    "count snntorch model": "how-to/coming-from-snntorch.md",
    "count spikes spikingjelly": "how-to/coming-from-spikingjelly.md",
    "which chip runs my network": "how-to/questions.md",
    "why did pricing refuse": "how-to/questions.md",
    "cite paper bibtex": "how-to/questions.md",
    "energy joules network": "book/train-count-price.py",
    "adaptive learning chip": "reference/viability.md",
    "own chip toml": "how-to/questions.md",
    "measured estimated joules": "how-to/questions.md",
    "neurobench metrics": "how-to/coming-from-neurobench.md",
    "stdp weight": "book/stdp.py",
    "glossary": "reference/glossary.md",
    "tune hyperparameters cluster": "how-to/questions.md",
    "convert ann accuracy loss": "how-to/questions.md",
    "batch size joules": "how-to/questions.md",
    "encoder": "how-to/questions.md",
    "static power": "how-to/questions.md",
    "jupyter colab": "how-to/questions.md",
    "gpu cuda": "how-to/questions.md",
    "mac sop": "how-to/questions.md",
    "quantization": "how-to/questions.md",
    "license": "how-to/questions.md",
    "picojoules": "explanation/prices.md",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_words_stand_on_the_page(question: str) -> None:
    """The search asks for pages that have every word, or words that begin with it."""
    words = set(re.findall(r"\w+", (DOCS / QUESTIONS[question]).read_text(encoding="utf-8").lower()))
    assert not [asked for asked in question.split() if not any(word.startswith(asked[:5]) for word in words)]
