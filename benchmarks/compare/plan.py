"""How long a run will take, from the times that are stored of earlier runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.compare.contenders import Case, Contender, Suite
from benchmarks.compare.rounds import Settings
from benchmarks.shared.timing import LONG_SECONDS

# Seconds from the start of a process until it has imported its library and read its input, and
# those until its threads rest after a turn, on two cores.
START = {"torch": 2.6, "dse-dsmi": 3.4, "vendi-score": 2.0}
START_OF_OTHERS = 0.45
REST = 0.08
# To make an input.
INPUT = 0.5

# Of the C++ microbenchmarks.
PROGRAMS = {"stages": 15.0, "reductions": 50.0}

# Beside the parameters in what is stored of a case.
NOT_PARAMETERS = ("reason", "run")

Times = Mapping[tuple[str, str], float]


def stored_times(folder: Path, suite: str) -> dict[tuple[str, str], float]:
    """Seconds of a call, by the parameters of its case and the contender's name."""
    found: dict[tuple[str, str], float] = {}
    for file in (f"{suite}.full.json", f"{suite}.json"):
        if not (folder / file).exists():
            continue
        for case in json.loads((folder / file).read_text()).get("cases", []):
            for name, runs in case["runs"].items():
                found[key(case), name] = statistics.median(runs["seconds"])
    return found


def key(parameters: Mapping[str, Any]) -> str:
    """Of a case: what it was measured for, without what was measured."""
    known = {
        name: value
        for name, value in parameters.items()
        if isinstance(value, (str, int)) and name not in NOT_PARAMETERS
    }
    return json.dumps(known, sort_keys=True)


def predicted(case: Case, settings: Settings, times: Times) -> float:
    """Seconds that a case will take with all its contenders."""
    return INPUT + sum(
        _of_contender(case, contender, settings, times.get((key(case.parameters), contender.name)))
        for contender in case.contenders
    )


def _of_contender(
    case: Case, contender: Contender, settings: Settings, known: float | None
) -> float:
    call = case.guess if known is None else known
    start = max(START.get(name, START_OF_OTHERS) for name in contender.needs)
    rounds = 0 if case.memory_only else 1 if contender.once else settings.repetitions
    if call > settings.long_seconds:
        rounds = min(rounds, settings.long_repetitions)
    if call > LONG_SECONDS:  # the first call counts
        rounds -= 1
    # A turn ends with the first call after enough seconds.
    turn = call if call > settings.enough_seconds else settings.enough_seconds + call / 2
    ends = case.parameters["n"] >= settings.end_processes_from
    return (start + call) * (1 + (max(0, rounds) if ends else 0)) + max(0, rounds) * (turn + REST)


def of_suites(
    suites: Mapping[str, Suite], sizes: Mapping[str, list[int]], settings: Settings, folder: Path
) -> dict[str, float]:
    """Predicted seconds of each suite with these sizes."""
    found = {}
    for name, chosen in sizes.items():
        times = stored_times(folder, name)
        cases = sum(predicted(case, settings, times) for case in suites[name].cases(chosen))
        found[name] = cases + PROGRAMS.get(name, 0.0)
    return found
