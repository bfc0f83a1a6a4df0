"""What holds for the life of the process: the version, and an orderly exit."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress

from eigentropy import _core
from eigentropy._support.interruption import abandoned

# How many seconds the end of a process may take without a word.
SILENT = 1.0

_WAITING = (
    "eigentropy: a library still computes what Ctrl-C left behind, and the process can end only "
    "after that; another Ctrl-C ends it at once"
)


def version() -> str:
    """The installed version."""
    import importlib.metadata  # takes longer than the rest of this package; few calls need it

    return importlib.metadata.version("eigentropy")


def ends_by_interrupt() -> None:
    """Say that the process ends because of Ctrl-C: it need not wait for what that left behind."""
    global _is_interrupted
    _is_interrupted = True


_is_interrupted = False


@atexit.register
def _finish_abandoned() -> None:
    """Wait for what Ctrl-C left behind, which would crash in a process that unloads.

    A process that ends by Ctrl-C leaves other libraries' computations without unloading instead,
    and a second Ctrl-C ends any process at once.
    """
    by_interrupt = _is_interrupted or isinstance(
        getattr(sys, "last_value", None), KeyboardInterrupt
    )
    try:
        for thread in abandoned():
            if by_interrupt:
                raise KeyboardInterrupt
            thread.join(SILENT)
            if thread.is_alive():
                print(_WAITING, file=sys.stderr, flush=True)
                thread.join()
        _core.wait_for_abandoned()
    except KeyboardInterrupt:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(130)
