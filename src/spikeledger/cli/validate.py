"""`spikeledger validate`: our predictions beside published measurements."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options


def validate(
    json: options.Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the docs.")] = False,
) -> None:
    """Predict published measurements from published activity: range, measured, ratio, and what stays unexplained.

    Example: spikeledger validate
    """
    from ..study.validation import validate as run
    from .console import print_json

    report = run()
    if json:
        print_json(report.to_dict())
    elif markdown:
        print(report.markdown(), end="")
    else:
        report.show()
