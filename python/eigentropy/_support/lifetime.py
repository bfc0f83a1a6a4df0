"""What holds for the life of the process: the version, and an orderly exit."""

from __future__ import annotations

import atexit
import os

from eigentropy import _core


def version() -> str:
    """The installed version."""
    import importlib.metadata  # takes longer than the rest of this package; few calls need it

    return importlib.metadata.version("eigentropy")


@atexit.register
def _finish_abandoned() -> None:
    """Wait for LAPACK calls that Ctrl-C left behind, which would crash in a process that unloads.

    A second Ctrl-C ends the process at once.
    """
    try:
        _core.wait_for_abandoned()
    except KeyboardInterrupt:
        os._exit(130)
