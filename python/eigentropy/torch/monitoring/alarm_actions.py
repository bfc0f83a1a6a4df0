"""What a collapse alarm does: it warns, raises, asks for a stop, calls, and keeps the rows."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from eigentropy._support.warnings import warn
from eigentropy.io.paths import FileError
from eigentropy.io.writing import write_atomically
from eigentropy.torch.monitoring.samples import Array

ACTIONS = ("warn", "raise", "stop")


class CollapseWarning(UserWarning):
    """A collapse alarm, or a reference that is a bad base for alarms."""


class CollapseError(RuntimeError):
    """A collapse alarm whose action is "raise".

    Attributes
    ----------
    events : tuple of CollapseEvent
    """

    def __init__(self, *events: CollapseEvent) -> None:
        super().__init__("; ".join(map(str, events)))
        self.events = events

    def __reduce__(self) -> tuple[type[CollapseError], tuple[CollapseEvent, ...]]:
        return type(self), self.events


@dataclass(frozen=True)
class CollapseEvent:
    """A layer has collapsed.

    Attributes
    ----------
    layer : str
    step : int
        Of the monitor.
    tests : tuple of str
        What shows it, the clearest first: "dse" or "kernel", "class 3", "spread", "scale". Where no
        value was ever finite, the kind: "entropy", "class".
    values : dict of str to float
        All that is watched in the layer, at this step.
    floors : dict of str to float
        The floors that these values should not fall below.
    evidence, threshold : float
        The e-value of the layer, and of which size one is an alarm.
    alpha : float
    dump : Path or None
        The file with the rows.
    rows : array (n, d) or None
        In the process that has measured them, if `dump` was asked for.
    groups : array (n,) or None
        The label of each row.
    """

    layer: str
    step: int
    tests: tuple[str, ...]
    values: dict[str, float]
    floors: dict[str, float]
    evidence: float
    threshold: float
    alpha: float
    dump: Path | None = None
    rows: Array | None = field(default=None, repr=False, compare=False)
    groups: Array | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        first = self.tests[0]
        value = self.values.get(first, math.nan)
        shown = f"{value:.4g}" if math.isfinite(value) else "not finite"
        also = f" (also {', '.join(self.tests[1:])})" if self.tests[1:] else ""
        kept = "" if self.dump is None else f"; its rows are in {self.dump}"
        return (
            f"layer {self.layer!r}, step {self.step}: collapse: {first} is {shown} and does not "
            f"stay above {self.floors[first]:.4g}{also}; evidence {self.evidence:.3g}, where "
            f"{self.threshold:.3g} is an alarm (alpha={self.alpha:g}){kept}"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "rows": None, "groups": None}


Action = Callable[[CollapseEvent], object]


def checked_actions(action: Any) -> tuple[str | Action, ...]:
    """The argument `action` of an alarm."""
    several = isinstance(action, Sequence) and not isinstance(action, str)
    actions = tuple(action) if several else (action,)
    for one in actions:
        if not (callable(one) or (isinstance(one, str) and one in ACTIONS)):
            names = ", ".join(repr(name) for name in ACTIONS)
            raise ValueError(
                f"action must be {names}, a callable of the event, or several of these; got {one!r}"
            )
    if not actions:
        raise ValueError("action is empty: an alarm needs something to do, such as 'warn'")
    return actions


def act(actions: Sequence[str | Action], events: Sequence[CollapseEvent]) -> None:
    """Do what is asked for, of all events; an error is raised when the rest is done.

    Raises
    ------
    CollapseError
        One of the actions is "raise".
    """
    for event in events:
        if "warn" in actions or "stop" in actions:
            warn(str(event), CollapseWarning)
        for action in actions:
            if not isinstance(action, str):
                action(event)
    if events and "raise" in actions:
        raise CollapseError(*events)


def dumped(event: CollapseEvent, folder: Path) -> CollapseEvent:
    """Write the rows and what is known of the alarm to a file of their own, and name it.

    ``collapse-step12-encoder.npz`` has rows, groups (if there are labels), step, layer, tests,
    names, values and floors, evidence, threshold and alpha. A file that cannot be written is warned
    about: the alarm matters more.
    """
    named = re.sub(r"[^\w.-]+", "_", event.layer) or "model"
    path = folder / f"collapse-step{event.step}-{named}.npz"
    known: dict[str, Any] = {
        "rows": event.rows,
        "step": event.step,
        "layer": event.layer,
        "tests": list(event.tests),
        "names": list(event.values),
        "values": list(event.values.values()),
        "floors": [event.floors.get(name, np.nan) for name in event.values],
        "evidence": event.evidence,
        "threshold": event.threshold,
        "alpha": event.alpha,
    }
    if event.groups is not None:
        known["groups"] = event.groups
    file = io.BytesIO()
    np.savez(file, **known)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, file.getvalue())
    except (OSError, FileError) as error:
        warn(f"dump: {path} cannot be written ({error}); the alarm goes on without it")
        return event
    return replace(event, dump=path)
