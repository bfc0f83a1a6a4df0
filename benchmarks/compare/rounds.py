"""Runs a case: its contenders in turn, A B C A B C, each in a process that waits between its turns.

A process starts and makes its first call, whose memory counts, before the rounds begin: the start
of Python and the import of a library take longer than most calls.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.contenders import Case, Contender
from benchmarks.compare.workers import ContenderError, Contending, Worker
from benchmarks.shared.machine import clean_environment, environment
from benchmarks.shared.results import rounded
from benchmarks.shared.timing import LONG_SECONDS

# Where it takes part, the others' answers are compared with its.
REFERENCE = "numpy"
# Names of the variables by which the libraries learn how many threads they may use.
THREAD_VARIABLES = (
    "EIGENTROPY_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


@dataclass
class Settings:
    repetitions: int = 3
    # Whose first call took so long takes part in two rounds at most: long calls vary less.
    long_seconds: float = 1.0
    long_repetitions: int = 2
    threads: int = 1
    # A contender repeats the call until it took this long, and reports the median.
    enough_seconds: float = 0.2
    # Keep what this environment sets for BLAS.
    as_is: bool = False
    # Distributions that take part besides eigentropy; None: all that are installed.
    peers: set[str] | None = None
    # time.monotonic() after which no round but the first is started, and no case.
    deadline: float = float("inf")
    end: float = float("inf")
    # From this size on, who took `drop` times as long as the best peer on the case before of the
    # same series does not take part.
    drop: float = 1.15
    drop_from: int = 10000
    # From this size on a process ends after each turn: those that wait hold too much memory.
    end_processes_from: int = 8000
    # What starts the contender of a specification in an environment.
    start: Callable[[dict[str, Any], dict[str, str]], Contending] = Worker

    def environment(self) -> dict[str, str]:
        base = environment() if self.as_is else clean_environment()
        return {**base, **dict.fromkeys(THREAD_VARIABLES, str(self.threads))}

    def late(self, seconds: float = 0.0) -> bool:
        """Whether the deadline will have passed in so many seconds."""
        return time.monotonic() + seconds > self.deadline

    def over(self) -> bool:
        """Whether nothing new may begin."""
        return time.monotonic() > self.end


@dataclass
class Participants:
    """Who takes part, and why the others do not."""

    present: list[Contender] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)


def installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def participants(case: Case, settings: Settings, before: dict[str, Any] | None) -> Participants:
    chosen = Participants()
    slow = too_slow(before, settings.drop) if case.parameters["n"] >= settings.drop_from else {}
    for contender in case.contenders:
        missing = [name for name in contender.needs if not installed(name)]
        library = contender.needs[0]
        if settings.peers is not None and library not in {"eigentropy", *settings.peers}:
            chosen.absent[contender.name] = "not asked for"
        elif missing:
            chosen.absent[contender.name] = f"not installed: {', '.join(missing)}"
        elif contender.name in slow:
            chosen.absent[contender.name] = slow[contender.name]
        else:
            chosen.present.append(contender)
    return chosen


def too_slow(before: dict[str, Any] | None, factor: float) -> dict[str, str]:
    """Peers that took more than `factor` times as long as the best of them, and the sentence."""
    if before is None:
        return {}
    medians = {
        name: statistics.median(runs["seconds"])
        for name, runs in before["runs"].items()
        if not name.startswith("eigentropy")
    }
    best = min(medians.values(), default=0.0)
    sentence = "dropped: {:.1f} times as slow as the best peer at n = {}"
    return {
        name: sentence.format(seconds / best, before["n"])
        for name, seconds in medians.items()
        if seconds > factor * best
    }


class Turns:
    """A contender with what it has measured; its process runs from its first turn to the last."""

    def __init__(self, contender: Contender, folder: Path, settings: Settings) -> None:
        self.contender, self.failed = contender, ""
        self.runs: dict[str, list[float]] = {}
        self._folder, self._settings = folder, settings
        self._most_rounds = settings.repetitions
        self._process: Contending | None = None

    def first(self, keep: bool, memory_only: bool) -> None:
        """Start, and make the call that counts for memory; for time only if it is long."""
        answer = answer_file(self.contender, self._folder) if self.contender.answer else None
        found = self._asked({"first": True, "answer": answer and str(answer)})
        if found is None:
            return
        for quantity in ("peak_bytes", "extra_bytes"):
            self.runs[quantity] = [found[quantity]]
        if found["seconds"] > self._settings.long_seconds:
            self._most_rounds = min(self._most_rounds, self._settings.long_repetitions)
        if memory_only or found["seconds"] > LONG_SECONDS:
            self._add(found)
        if not keep:
            self.close()

    def next(self, keep: bool) -> None:
        """A turn of a round."""
        if self._process is None:
            self._asked({"first": True})
        found = self._asked({"first": False, "enough_seconds": self._settings.enough_seconds})
        if found is not None:
            self._add(found)
        if not keep:
            self.close()

    def takes_part(self, number: int) -> bool:
        """Whether the contender has a turn in this round, counted from 0."""
        if self.contender.once:
            return number == 0 and not self.runs.get("seconds")
        return len(self.runs.get("seconds", ())) <= number < self._most_rounds

    def close(self) -> None:
        if self._process is not None:
            self._process.close()
        self._process = None

    def _add(self, found: dict[str, Any]) -> None:
        for quantity in ("seconds", "calls"):
            self.runs.setdefault(quantity, []).append(found[quantity])

    def _asked(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the contender fails, or has failed before."""
        if self.failed:
            return None
        try:
            if self._process is None:
                environment = {**self._settings.environment(), **self.contender.environment}
                spec = {**self.contender.spec, "input": str(self._folder / "input.npy")}
                self._process = self._settings.start(spec, environment)
            return self._process.ask(request)
        except ContenderError as error:
            self.failed = str(error)
            self.close()
            return None


def run_case(case: Case, settings: Settings, before: dict[str, Any] | None) -> dict[str, Any]:
    """Parameters, runs of each contender, differences of the answers, who is absent and why."""
    start = time.monotonic()
    who = participants(case, settings, before)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        if case.write_input is not None:
            case.write_input(folder / "input.npy")
        turns = [Turns(contender, folder, settings) for contender in who.present]
        for turn in turns:
            stack.callback(turn.close)
        take_turns(case, turns, settings)
        differences = compare(who.present, folder)
    return {
        **case.parameters,
        "runs": {t.contender.name: rounded(t.runs) for t in turns if "seconds" in t.runs},
        "differences": differences,
        "wrong": [
            contender.name
            for contender in who.present
            if contender.name in differences
            and not differences[contender.name] <= contender.tolerance
        ],
        "absent": who.absent,
        "failed": {turn.contender.name: turn.failed for turn in turns if turn.failed},
        "wall_seconds": rounded(time.monotonic() - start, 3),
    }


def take_turns(case: Case, turns: list[Turns], settings: Settings) -> None:
    """The first calls, and the rounds for which there is time."""
    keep = case.parameters["n"] < settings.end_processes_from and not case.memory_only
    for turn in turns:
        turn.first(keep, case.memory_only)
    last = 0.0
    for number in range(0 if case.memory_only else settings.repetitions):
        if number > 0 and settings.late(last):
            return
        start = time.monotonic()
        for turn in turns:
            if turn.takes_part(number):
                turn.next(keep and not turn.contender.once)
        last = time.monotonic() - start


def answer_file(contender: Contender, folder: Path) -> Path:
    return folder / f"answer of {contender.name}.npy"


def compare(contenders: list[Contender], folder: Path) -> dict[str, float]:
    """Of each answer to the reference's, or to the first if that does not take part."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    relative = {contender.name for contender in contenders if contender.relative}
    for contender in contenders:
        if contender.answer is not None and answer_file(contender, folder).exists():
            answer = np.load(answer_file(contender, folder))
            groups.setdefault(contender.answer, {})[contender.name] = answer
    differences = {}
    for answers in groups.values():
        reference = answers.get(REFERENCE, next(iter(answers.values())))
        for name, answer in answers.items():
            scale = float(np.abs(reference).max()) if name in relative else 1.0
            differences[name] = difference(answer, reference) / scale
    return differences


def difference(answer: np.ndarray, reference: np.ndarray) -> float:
    """max |w - w_ref| / (n eps |A|) of spectra, in any order; |S - S_ref| of numbers.

    NaN if there is nothing to compare: shapes that differ, or NaN in an answer.
    """
    if answer.shape != reference.shape:
        return float("nan")
    if answer.ndim == 0:
        return float(abs(answer - reference))
    error = np.abs(np.sort(answer).astype(float) - np.sort(reference).astype(float)).max()
    n, eps = answer.shape[-1], float(np.finfo(answer.dtype).eps)
    return float(error / (n * eps * np.abs(reference).max()))
