"""The `spikeledger` command. Commands import what they need when they run, so that `--help` comes at once."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from .. import __version__
from ..errors import SpikeLedgerError, no_room
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
    serve,
    show,
    study,
    train,
    validate,
)
from .console import say

#: typer's parent of every "no such option" and "missing argument", wherever the installed release keeps it
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="spikeledger",
    help="What does a spike cost? Trains, records and prices spiking neural networks against ordinary ones.",
    epilog="Start here: spikeledger compare --data digits --network mlp-s",
    context_settings={"help_option_names": ["--help", "-h"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("compare", short_help="Train both networks, price them, judge.")(compare.compare)
app.command("train", short_help="Train one network and save it.")(train.train)
app.command("record", short_help="Run a network and count every event.")(record.record)
app.command("convert", short_help="Make a spiking network of an ANN.")(convert.convert)
app.command("robustness", short_help="Networks under noise, faults, attacks.")(robustness.robustness)
app.command("price", short_help="Price an activity on a device.")(price.price)
app.command("account", short_help="Which layer spends, what would save.")(account.account)
app.command("sensitivity", short_help="Which prices move the result.")(sensitivity.sensitivity)
app.command("cite", short_help="Methods, tables and BibTeX of a paper.")(cite.cite)
app.command("validate", short_help="Predictions beside measured joules.")(validate.validate)
app.command("calibrate", short_help="Measure this machine's kernels once.")(calibrate.calibrate)
app.add_typer(chip.app, name="chip", short_help="Fit, place and simulate on chips.")
app.add_typer(profiles.app, name="profiles", short_help="List and show devices; write your own.")
app.command("live", short_help="A page with both networks at work.")(live.live)
app.command("serve", short_help="Your live networks in the page.")(serve.serve)
app.add_typer(study.app, name="study", short_help="Run studies that are files.")
app.add_typer(search.app, name="search", short_help="Find the network that costs least.")
app.command("outlook", short_help="Brains, training runs, answers: joules.")(outlook.outlook)
app.command("show", short_help="Show a result's file in the terminal.")(show.show)


class _Once(typer.core.TyperCommand):
    """A command that says so where an option of one value was given twice: the last one counts, and not in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        names = {
            name: one.opts[0]
            for one in self.params
            if isinstance(one, typer.core.TyperOption) and not (one.multiple or one.is_flag or one.count)
            for name in one.opts
        }
        seen, waiting = set[str](), False  # for the value of the option before
        for arg in args if "--" not in args else args[: args.index("--")]:
            name = names.get(arg.partition("=")[0] if arg.startswith("--") else arg[:2], "")
            if not waiting and name and name in seen:
                ctx.meta.setdefault("again", {})[name] = None
            if not waiting and name:
                seen.add(name)
            waiting = not waiting and arg in names
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        found = super().invoke(ctx)
        for name in ctx.meta.get("again", ()):
            say(f"note: {name} was given more than once, and the last one counted")
        return found


def _everywhere(typed: typer.Typer) -> None:
    for command in typed.registered_commands:
        command.cls = _Once
    for group in typed.registered_groups:
        if group.typer_instance is not None:
            _everywhere(group.typer_instance)


_everywhere(app)


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
    except (MemoryError, OverflowError, RuntimeError, ValueError) as error:
        said = no_room(error)
        if said is None:
            raise
        return _complain(said.shell)
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
