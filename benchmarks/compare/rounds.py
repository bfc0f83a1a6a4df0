"""Runs a case: its contenders in turn, A B C A B C, each measurement in a process of its own."""

from __future__ import annotations

import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.cases import Case, Contender
from benchmarks.shared.machine import clean_environment, environment
from benchmarks.shared.results import rounded, to_columns

# Where it takes part, the others' answers are compared with its.
REFERENCE = "numpy"
# Names of the variables by which the libraries learn how many threads they may use.
THREAD_VARIABLES = (
    "EIGENTROPY_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


def in_a_process(spec: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """What benchmarks.compare.measure says of a specification."""
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.compare.measure"],
        input=json.dumps(spec),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


@dataclass
class Settings:
    repetitions: int = 3
    threads: int = 1
    # A child repeats the call until it took this long, and reports the median.
    enough_seconds: float = 0.3
    # Keep what this environment sets for BLAS.
    as_is: bool = False
    # Distributions that take part besides eigentropy; None: all that are installed.
    peers: set[str] | None = None
    # time.monotonic() after which nothing new is started.
    deadline: float = float("inf")
    # From this size on, who took `drop` times as long as the best peer on the case before of the
    # same series does not take part.
    drop: float = 1.15
    drop_from: int = 10000
    # What measures a specification in an environment.
    measure: Callable[[dict[str, Any], dict[str, str]], dict[str, Any]] = in_a_process

    def environment(self) -> dict[str, str]:
        base = environment() if self.as_is else clean_environment()
        return {**base, **dict.fromkeys(THREAD_VARIABLES, str(self.threads))}

    def late(self, seconds: float = 0.0) -> bool:
        """Whether the deadline will have passed in so many seconds."""
        return time.monotonic() + seconds > self.deadline


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


def run_case(case: Case, settings: Settings, before: dict[str, Any] | None) -> dict[str, Any]:
    """Parameters, runs of each contender, differences of the answers, who is absent and why."""
    who = participants(case, settings, before)
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in who.present}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if case.write_input is not None:
            case.write_input(folder / "input.npy")
        last_round = 0.0
        for repetition in range(settings.repetitions):
            if repetition > 0 and settings.late(last_round):
                break
            start = time.monotonic()
            for contender in who.present:
                if contender.name in failed or (contender.once and repetition > 0):
                    continue
                keep_answer = repetition == 0 and contender.answer is not None
                try:
                    measured = run_one(contender, folder, keep_answer, settings)
                    runs[contender.name].append(measured)
                except subprocess.CalledProcessError as error:
                    status = f"exit status {error.returncode}"
                    failed[contender.name] = (error.stderr.strip().splitlines() or [status])[-1]
            last_round = time.monotonic() - start
        differences = compare(who.present, folder)
    return {
        **case.parameters,
        "runs": {
            name: to_columns(rounded(measured)) for name, measured in runs.items() if measured
        },
        "differences": differences,
        "wrong": [
            contender.name
            for contender in who.present
            if contender.name in differences
            and not differences[contender.name] <= contender.tolerance
        ],
        "absent": who.absent,
        "failed": failed,
    }


def answer_file(contender: Contender, folder: Path) -> Path:
    return folder / f"answer of {contender.name}.npy"


def run_one(
    contender: Contender, folder: Path, keep_answer: bool, settings: Settings
) -> dict[str, Any]:
    spec = {
        **contender.spec,
        "enough_seconds": settings.enough_seconds,
        "input": str(folder / "input.npy"),
        "answer": str(answer_file(contender, folder)) if keep_answer else None,
    }
    return settings.measure(spec, {**settings.environment(), **contender.environment})


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
