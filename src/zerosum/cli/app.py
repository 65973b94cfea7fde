"""The Typer app: the files in `commands/` add themselves to it, and `main` turns what they raise into an exit code."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zerosum import __version__
from zerosum.cli.output import rank, say
from zerosum.errors import UserError, ZerosumError, nearest
from zerosum.registry import modules

__all__ = ["app", "main"]

PANELS = ("Train", "Go on", "Look")
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM

# Typer's own base for a wrong option or argument; where it lies has changed between its versions.
UsageError: Any = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """The commands, in the order in which a newcomer needs them; a misspelt one is answered with the nearest."""

    def list_commands(self, ctx: Any) -> list[str]:
        panels = {name: getattr(command, "rich_help_panel", None) for name, command in self.commands.items()}
        order = {panel: index for index, panel in enumerate(PANELS)}
        return sorted(self.commands, key=lambda name: (order.get(panels[name] or "", len(order)), name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise UserError(f"no command {args[0]!r}; {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="zerosum",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zerosum {__version__}")
        raise typer.Exit


@app.callback()
def zerosum(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from (any command).")] = False,
) -> None:
    """Train GANs on the machine you have, see whether it works, keep the best of it and use it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 training failed, 2 wrong input, 130 and 143 stopped by a signal."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in given
    try:
        with _stoppable():
            for module in modules("zerosum.cli.commands"):
                importlib.import_module(f"zerosum.cli.commands.{module}")
            _speak_plainly()
            code = _run([argument for argument in given if argument != "--debug"])
            sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):  # rich turns a closed pipe into an exit with 1
            _forget_stdout()
            return 0
        if ending.code in (None, 0):
            return 0
        return ending.code if isinstance(ending.code, int) else 1
    except KeyboardInterrupt as ending:
        say("stopped")
        return TERMINATED if isinstance(ending, Terminated) else INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the last line of defence: a user never meets a traceback unasked)
        if debug:
            traceback.print_exc()
        return _explain(error, debug)
    return code


class Terminated(KeyboardInterrupt):
    """SIGTERM, which does what Ctrl-C does, wherever the program is."""


@contextmanager
def _stoppable() -> Iterator[None]:
    """Inside, SIGTERM raises `Terminated`; only the main thread can arrange that."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


def _run(arguments: list[str]) -> int:
    """Parse and invoke: Typer's own `main` would print its errors in boxes and swallow an interrupt."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("zerosum", arguments) as context:
            code = command.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    return code if isinstance(code, int) else 0


def _explain(error: Exception, debug: bool) -> int:
    """One line on standard error, and the exit code; of several ranks that find one mistake, the first says so."""
    if isinstance(error, UserError) and rank() > 0:
        return error.exit_code
    if isinstance(error, ZerosumError):
        say(str(error))
        return error.exit_code
    if isinstance(error, UsageError):
        say(_usage(error))
        return 2
    if isinstance(error, NotImplementedError) and "MPS" in str(error):
        say(f"{str(error).partition('. ')[0]}: a Mac's GPU can't do all that this takes, so use --device cpu")
        return 1
    hint = "" if debug else "; this should not happen: run it again with --debug and report what it shows"
    say(f"{type(error).__name__}: {error}{hint}")
    return 1


def _usage(error: Any) -> str:
    """A usage error in one line that suggests the nearest option, and where the help is."""
    context = getattr(error, "ctx", None)
    if hasattr(error, "possibilities") and context is not None:
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        return f"no option {error.option_name}; {nearest(error.option_name, known)}"
    message = error.format_message().replace("Value error, ", "").strip().rstrip(".")
    path = context.command_path if context is not None else "zerosum"
    return f"{message[:1].lower()}{message[1:]}; `{path} --help` shows what it takes"


def _speak_plainly() -> None:
    """A character that the terminal's encoding lacks becomes a question mark, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _forget_stdout() -> None:
    """Whoever read our output has gone: the interpreter must not try to flush the rest at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
