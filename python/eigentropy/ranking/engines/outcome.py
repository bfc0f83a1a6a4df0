"""What has become of tasks: those that are done, with their files, and those that failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Kinds of errors whose message says all.
_SPEAKING = r"(Value|File|Import|UnavailableModel)Error"


@dataclass(frozen=True)
class TaskOutcome:
    """The result file of each task that is done, and why each other one failed.

    Both are in the order of the tasks.
    """

    done: dict[str, Path]
    failed: dict[str, str]


def reason_beside(name: str, reason: str) -> str:
    """A reason as it stands beside the name of the task, which it then need not begin with."""
    return re.sub(f"^{_SPEAKING}: ", "", reason).removeprefix(f"{name}: ")
