"""Many independent tasks, run by a pool of processes or by Ray, that can be killed and resumed."""

from __future__ import annotations

from eigentropy.ranking.engines.outcome import TaskOutcome, reason_beside
from eigentropy.ranking.engines.processes import ProcessNotBegunError
from eigentropy.ranking.engines.run import run_tasks
from eigentropy.ranking.engines.status import RunningTask, TaskStatus

__all__ = [
    "ProcessNotBegunError",
    "RunningTask",
    "TaskOutcome",
    "TaskStatus",
    "reason_beside",
    "run_tasks",
]
