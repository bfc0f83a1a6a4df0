"""What the two engines have in common: tasks go in, and what becomes of them comes out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

from eigentropy.ranking.engines.work import Work


@dataclass(frozen=True)
class ProcessPlace:
    """The process of a task."""

    host: str
    process: int

    @classmethod
    def of_this_process(cls) -> ProcessPlace:
        """Where this is called."""
        return cls(os.uname().nodename, os.getpid())

    def __str__(self) -> str:
        return f"{self.host}, process {self.process}"


@dataclass(frozen=True)
class Begun:
    """A task has begun somewhere."""

    name: str
    place: ProcessPlace


@dataclass(frozen=True)
class Ended:
    """A task has been called to its end."""

    name: str
    work: Work


@dataclass(frozen=True)
class Lost:
    """The process of a task is gone, and the task with it."""

    name: str
    reason: str


Event = Begun | Ended | Lost


class Pool(Protocol):
    """Processes that work on tasks."""

    def room(self) -> int:
        """How many tasks more it can take now."""

    def start(self, name: str, argument: Any) -> None:
        """Take a task; an argument that cannot be pickled raises what pickling raised."""

    def events(self, timeout: float) -> list[Event]:
        """What has happened, after `timeout` seconds at most."""

    def close(self, at_once: bool) -> None:
        """End all processes; `at_once` also those that are at work."""
