"""How every command runs: exit codes, warnings, progress, and files that are written."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import ParamSpec

import typer

from eigentropy._backends import plugin
from eigentropy._core import SolverError
from eigentropy._support.lifetime import ends_by_interrupt
from eigentropy._support.warnings import recorded_warnings
from eigentropy.cli import console
from eigentropy.distributed.ranks import DistributedError
from eigentropy.io.paths import shown
from eigentropy.io.writing import write_atomically

# What the library raises for input that it cannot use, paths that the system refuses, and devices
# that are not there.
BAD_INPUT = (
    ValueError,
    TypeError,
    NotImplementedError,
    MemoryError,
    ImportError,
    OSError,
    plugin.DeviceError,
)

FAILED, REFUSED, INTERRUPTED = 1, 2, 130

P = ParamSpec("P")


def exit_codes(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line on stderr and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            command(*args, **kwargs)
        except BrokenPipeError:  # the reader of stdout has left; typer ends quietly
            raise
        except BAD_INPUT as error:
            raise _failure("error", error, REFUSED) from error
        except _computation_errors() as error:
            raise _failure("error", error, FAILED) from error
        except KeyboardInterrupt as error:
            ends_by_interrupt()
            raise _failure("interrupted", error, INTERRUPTED) from error

    return wrapped


def _computation_errors() -> tuple[type[Exception], ...]:
    """The plug-in has classes of its own once it is loaded: ask when an error is there."""
    return (SolverError, DistributedError, *plugin.plugin_errors())


def _failure(what: str, error: BaseException, code: int) -> typer.Exit:
    reason = " ".join(str(error).split())
    if not reason and what == "error":
        reason = type(error).__name__
    print(f"{what}: {reason}" if reason else what, file=sys.stderr)
    return typer.Exit(code)


@contextmanager
def collected_warnings(quiet: bool) -> Iterator[list[str]]:
    """Collect warnings and show them at the end, also after an error."""
    lines: list[str] = []
    try:
        with recorded_warnings() as lines:
            yield lines
    finally:
        if not quiet:
            console.print_warnings(lines)


@contextmanager
def rows_are_kept(done: Sequence[object], table: Path) -> Iterator[None]:
    """Let Ctrl-C say how many rows the CSV file has already, or what an engine says."""
    try:
        yield
    except KeyboardInterrupt as error:
        where = f"rows in {shown(table)}: {len(done)}"
        raise KeyboardInterrupt(where if done else str(error)) from None


def write_figure(path: Path, draw: Callable[[], bytes], warned: list[str], quiet: bool) -> bool:
    """Write a figure; without matplotlib, warn and return False."""
    try:
        write_atomically(path, draw())
    except ImportError as error:
        line = f"no figure was drawn: {error}"
        warned.append(line)
        if not quiet:
            console.print_warnings([line])
        return False
    return True
