"""The `spikeledger` command. Commands import what they need when they run, so that `--help` comes at once."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..errors import SpikeLedgerError
from ..printable import printable
from . import (
    account,
    calibrate,
    chip,
    cite,
    compare,
    convert,
    live,
    outlook,
    price,
    profiles,
    record,
    robustness,
    search,
    sensitivity,
    show,
    study,
    train,
    validate,
)

#: typer's parent of every "no such option" and "missing argument", wherever the installed release keeps it
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="spikeledger",
    help="What does a spike cost? Trains, records and prices spiking neural networks against ordinary ones.",
    epilog="Start here: spikeledger compare --data digits --network mlp-s",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("compare")(compare.compare)
app.command("train")(train.train)
app.command("record")(record.record)
app.command("convert")(convert.convert)
app.command("robustness")(robustness.robustness)
app.command("price")(price.price)
app.command("account")(account.account)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("cite")(cite.cite)
app.command("validate")(validate.validate)
app.command("calibrate")(calibrate.calibrate)
app.add_typer(chip.app, name="chip")
app.add_typer(profiles.app, name="profiles")
app.command("live")(live.live)
app.add_typer(study.app, name="study")
app.add_typer(search.app, name="search")
app.command("outlook")(outlook.outlook)
app.command("show")(show.show)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """What does a spike cost? Trains, records and prices spiking neural networks against ordinary ones."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 something for the user to mend, 130 stopped by Ctrl-C.

    What the user can mend is one sentence on stderr; a bug stays a traceback.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    _prepare_streams()
    try:
        code = app(args=given, prog_name="spikeledger", standalone_mode=False)
        sys.stdout.flush()
    except SpikeLedgerError as error:
        return _complain(error.shell)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "spikeledger"
        sentence = getattr(error, "format_message", error.__str__)().rstrip(".")
        return _complain(f"{sentence}: see '{command} --help'")
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise
        _unread()
        return _complain(f"what was to be written has no room: {error.strerror}; free some, or write elsewhere")
    except SystemExit as error:  # what typer's parent makes of a broken pipe
        if isinstance(error.__context__, BrokenPipeError):
            return _unread()
        raise
    if code == 130:  # some releases of typer turn Ctrl-C into this code, others into Abort
        print("spikeledger: stopped; what was done is kept", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _prepare_streams() -> None:
    """Streams that were closed before we began lead nowhere, and a letter that one cannot write becomes an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # as long as we run
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _unread() -> int:
    """The reader of our output went away, as `head` does: that is no failure, and nothing is left to be flushed."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _complain(sentence: str) -> int:
    print(f"spikeledger: {printable(' '.join(sentence.split()))}", file=sys.stderr)
    return 2
