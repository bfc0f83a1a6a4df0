"""Runs steps, each with a limit of its own, on a machine that is lent for a time.

A step is independent of the others' success but for those that it needs. Steps in the background
run beside the others; a step that needs one of them waits while others can run. Everything that is
printed goes into one log, line by line. What earlier steps left of their time is added to the limit
of the next one, and nothing lasts beyond the time of the whole run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# Between the request to stop and the end of a step, which is at its limit.
GRACE_SECONDS = 1.0
# Between two times that results are kept while a step runs.
KEEP_SECONDS = 2.0
# Of the start and the end of a step, which its limit does not count.
AROUND_SECONDS = 0.3
# A step with less time than this is not started.
LEAST_SECONDS = 1.0
# Of each step's output in the log: from its beginning, and lines of its end.
HEAD_BYTES = 500_000
TAIL_LINES = 80


@dataclass(frozen=True)
class Step:
    """A command and what it needs.

    Attributes
    ----------
    name : str
    limit : float
        Seconds.
    command : tuple of str
    needs : tuple of str
        The steps that must have passed.
    tools : tuple of str
        Programs on the PATH and modules of Python without which the step is not run.
    background : bool
    """

    name: str
    limit: float
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    background: bool = False


@dataclass
class Outcome:
    """How a step ended: passed, failed, cut (at its limit), or not run."""

    name: str
    status: str
    seconds: float = 0.0
    limit: float = 0.0
    why: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "passed"


class Log:
    """Lines of several steps in one file that grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        path.write_text("")

    def line(self, text: str) -> None:
        with self._lock, self._path.open("a") as file:
            file.write(text.rstrip("\n") + "\n")


@dataclass
class Running:
    """A step whose process runs."""

    step: Step
    process: subprocess.Popen[str]
    reader: threading.Thread
    start: float
    limit: float
    stopped: bool = False
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))

    def stop(self, number: int) -> None:
        """The step's process and all that it started."""
        self.stopped = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@dataclass
class Run:
    """One call: its steps, its time, and where its results go.

    Attributes
    ----------
    steps : list of Step
        Those in the background first, the others in the order of their worth.
    seconds : float
        Nothing lasts longer.
    log : Path
    environment : dict
    has : callable
        Whether a tool is there.
    keep : callable
        Gets all outcomes so far, after each step and now and then while one runs.
    folder : Path, optional
        In which the commands run.
    """

    steps: list[Step]
    seconds: float
    log: Path
    environment: dict[str, str]
    has: Callable[[str], bool]
    keep: Callable[[list[Outcome]], None] = lambda outcomes: None
    folder: Path | None = None

    def __post_init__(self) -> None:
        self.lines = Log(self.log)
        self.outcomes: list[Outcome] = []
        self._behind: list[Running] = []
        self._start = self._kept = time.monotonic()

    def left(self) -> float:
        return self.seconds - (time.monotonic() - self._start)

    def end(self) -> None:
        """Cuts what runs and starts nothing more; also from a handler of signals."""
        self.seconds = 0.0

    def all(self) -> list[Outcome]:
        """Runs every step that can be run."""
        waiting = list(self.steps)
        try:
            while waiting or self._behind:
                self._look_behind()
                step = next((one for one in waiting if self._is_settled(one)), None)
                if step is None:
                    if not self._behind:  # a need that is no step of this run
                        step = waiting[0]
                    else:
                        time.sleep(0.02)
                        continue
                waiting.remove(step)
                self._begin(step, waiting)
        finally:  # nothing runs on after an error of this program
            for running in self._behind:
                running.stop(signal.SIGKILL)
        return self.outcomes

    def _outcome(self, name: str) -> Outcome | None:
        return next((one for one in self.outcomes if one.name == name), None)

    def _is_settled(self, step: Step) -> bool:
        return all(self._outcome(need) is not None for need in step.needs)

    def _begin(self, step: Step, later: list[Step]) -> None:
        reason = self._why_not(step)
        limit = self._limit(step, later)
        if not reason and limit < min(LEAST_SECONDS, step.limit):
            reason = "no time was left"
        if reason:
            self._note(Outcome(step.name, "not run", limit=step.limit, why=reason))
            return
        try:
            running = self._started(step, limit)
        except OSError as error:
            self._note(Outcome(step.name, "failed", limit=limit, why=str(error)))
            return
        if step.background:
            self._behind.append(running)
            return
        while running.process.poll() is None:
            self._look_at(running)
            self._look_behind()
            time.sleep(0.02)
        self._finish(running)

    def _why_not(self, step: Step) -> str:
        for need in step.needs:
            outcome = self._outcome(need)
            if outcome is None or not outcome.passed:
                return f"{need} {outcome.status if outcome else 'is no step'}"
        return next((f"{tool} is missing" for tool in step.tools if not self.has(tool)), "")

    def _limit(self, step: Step, later: list[Step]) -> float:
        if step.background:
            return min(step.limit, self.left())
        planned = step.limit + sum(
            one.limit + AROUND_SECONDS for one in later if not one.background
        )
        return min(step.limit + max(0.0, self.left() - planned), self.left())

    def _started(self, step: Step, limit: float) -> Running:
        self.lines.line(f"=== {step.name}: {' '.join(step.command)}")
        process = subprocess.Popen(
            step.command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        reader = threading.Thread(target=self._read, args=(step.name, process.stdout, tail))
        reader.daemon = True
        reader.start()
        return Running(step, process, reader, time.monotonic(), limit, tail=tail)

    def _read(self, name: str, output: IO[str], tail: deque[str]) -> None:
        size = 0
        with output:
            for text in output:
                size += len(text)
                if size <= HEAD_BYTES:
                    self.lines.line(f"{name}| {text}")
                else:
                    tail.append(text)

    def _look_behind(self) -> None:
        for running in list(self._behind):
            if running.process.poll() is None:
                self._look_at(running)
            else:
                self._behind.remove(running)
                self._finish(running)

    def _look_at(self, running: Running) -> None:
        lasted = time.monotonic() - running.start
        limit = min(running.limit, lasted + self.left())
        grace = min(GRACE_SECONDS, limit / 4)
        if lasted >= limit:
            running.stop(signal.SIGKILL)
        elif lasted >= limit - grace and not running.stopped:
            running.stop(signal.SIGTERM)
        if time.monotonic() - self._kept >= KEEP_SECONDS:
            self.keep(self.outcomes)
            self._kept = time.monotonic()

    def _finish(self, running: Running) -> None:
        running.reader.join(timeout=0.5)  # what it left behind may hold its output
        status, why = "passed", ""
        was_cut = running.stopped
        running.stop(signal.SIGKILL)  # what it left behind
        if was_cut:
            ended = "the call was ended" if self.seconds == 0.0 else ""
            status, why = "cut", ended or f"at its limit of {running.limit:.3g} s"
        elif running.process.returncode != 0:
            status, why = "failed", f"exit status {running.process.returncode}"
        for text in running.tail:
            self.lines.line(f"{running.step.name}| ... {text}")
        seconds = time.monotonic() - running.start
        self._note(Outcome(running.step.name, status, seconds, running.limit, why))

    def _note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        text = f"--- {outcome.name}: {outcome.status} {outcome.why} ({outcome.seconds:.1f} s)"
        self.lines.line(text)
        print(text, flush=True)
        self.keep(self.outcomes)
