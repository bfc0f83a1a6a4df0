"""Kill a ranking at random points, 20 times an engine: the finished table stays the same.

    python -m benchmarks.accuracy.interruptions --output benchmarks/results/interruptions.json

`eigentropy rank` runs over files of random features, and gets SIGKILL when a random number of
models are done and a random time after that; then the same command goes on. After four kills, of
which the last comes when all models are done, it may finish, and its table is compared byte by byte
with that of a command that nobody has disturbed. The next run begins anew. The cluster of the
engine ray is a Ray of two workers on this machine, which lives on when the program is killed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.machine import describe, environment
from benchmarks.shared.results import rounded, write

KILLS, KILLS_OF_A_RUN = 20, 4
MODELS, ROWS, COLUMNS, CLASSES = 16, 120, 8, 4
SCORES = "dse,knn_accuracy"
WORKERS = 2
# The most seconds between the end of a model, or the start, and a kill.
AFTER_RESULT, AFTER_START = 0.5, 5.0
# Seconds that a process has to end whose program was killed, on a machine that does much else.
PATIENCE = 20.0


def write_models(folder: Path) -> None:
    """Features whose classes lie at several distances, and their labels."""
    labels = np.repeat(np.arange(CLASSES), ROWS // CLASSES)
    np.save(folder / "labels.npy", labels)
    (folder / "features").mkdir()
    for model in range(MODELS):
        rng = np.random.default_rng(model)
        centres = rng.normal(size=(CLASSES, COLUMNS)) * model / MODELS
        rows = centres[labels] + rng.normal(size=(ROWS, COLUMNS))
        np.save(folder / "features" / f"model {model}.npy", rows)


class Ranking:
    """The command over these files, into one directory."""

    def __init__(self, folder: Path, output: str, options: list[str]) -> None:
        self.output = folder / output
        self._command = [
            sys.executable, "-m", "eigentropy", "rank", str(folder / "features"),
            "--labels", str(folder / "labels.npy"), "--scores", SCORES, "-o", str(self.output),
            "--force", "--quiet", "--no-sampling-error", *options,
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=environment(),
        )  # fmt: skip

    def results(self) -> int:
        """How many models are done."""
        return len(list(self.output.glob("models/*.json")))

    def finish(self) -> bytes:
        process = self.start()
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(errors)
        return (self.output / "ranking.csv").read_bytes()


def killed(ranking: Ranking, is_last: bool, draw: random.Random) -> dict[str, Any]:
    """Start the command and kill it somewhere, unless it is at its end before."""
    before, process = ranking.results(), ranking.start()
    target = MODELS if is_last else before + draw.randint(0, (MODELS - before) // 2)
    delay = draw.uniform(0.0, AFTER_START if target == before else AFTER_RESULT)
    while ranking.results() < target and process.poll() is None:
        time.sleep(0.02)
    time.sleep(delay)
    was_running = process.poll() is None
    workers = children(process.pid) if was_running else []
    process.kill()
    _, errors = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(errors)
    return {
        "was_running": was_running,
        "done_before": before,
        "done_at_kill": target,
        "seconds_after_that": delay,
        "done_after": ranking.results(),
        "processes_left": len(left(workers)),
    }


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(one) for one in text.split()]


def left(processes: list[int]) -> list[int]:
    """Those that are still at work some time later."""
    end = time.monotonic() + PATIENCE
    while (still := [one for one in processes if _works(one)]) and time.monotonic() < end:
        time.sleep(0.05)
    return still


def _works(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def interrupted(folder: Path, engine: str, options: list[str], kills: int) -> dict[str, Any]:
    """An engine's tables after a number of kills, beside the table of a run without any."""
    undisturbed = Ranking(folder, f"{engine} undisturbed", options)
    start = time.perf_counter()
    table = undisturbed.finish()
    whole = time.perf_counter() - start
    draw, found, tables = random.Random(kills), [], []
    while len(found) < kills:
        ranking = Ranking(folder, f"{engine} {len(tables)}", options)
        for kill in range(KILLS_OF_A_RUN):
            one = killed(ranking, kill == KILLS_OF_A_RUN - 1, draw)
            found.append({"run": len(tables), **one})
            print(f"{engine}: {found[-1]}", flush=True)
        tables.append(ranking.finish())
    return {
        "engine": engine,
        "seconds_undisturbed": whole,
        "kills": sum(one["was_running"] for one in found),
        "finished_tables": len(tables),
        "equal_tables": sum(one == table for one in tables),
        "results_lost": sum(one["done_after"] < one["done_before"] for one in found),
        "processes_left": sum(one["processes_left"] for one in found),
        "each_kill": found,
    }


@contextlib.contextmanager
def engines(names: list[str]) -> Iterator[dict[str, list[str]]]:
    """The options of the command for each engine."""
    options = {"processes": ["--processes", str(WORKERS)]}
    if "ray" not in names:
        yield options
        return
    import ray

    ray.init(
        address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False,
        logging_level="ERROR",
    )  # fmt: skip
    yield {**options, "ray": ["--ray", ray.get_runtime_context().gcs_address]}
    ray.shutdown()


def faults(result: dict[str, Any]) -> list[str]:
    """What is not as it must be."""
    wrong = {
        "tables differ": result["finished_tables"] - result["equal_tables"],
        "results were lost": result["results_lost"],
        "processes were left": result["processes_left"],
    }
    return [f"{result['engine']}: {count} {what}" for what, count in wrong.items() if count]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--engines", nargs="+", default=["processes", "ray"])
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="interruptions"))
    try:
        write_models(folder)
        with engines(options.engines) as known:
            results = [
                interrupted(folder, name, known[name], options.kills) for name in options.engines
            ]
    finally:
        shutil.rmtree(folder)
    wrong = [fault for result in results for fault in faults(result)]
    for result in results:
        print({name: value for name, value in result.items() if name != "each_kill"})
    if options.output:
        settings = {
            "models": MODELS, "rows": ROWS, "columns": COLUMNS, "scores": SCORES,
            "workers": WORKERS,
        }  # fmt: skip
        write(
            options.output,
            rounded({"machine": describe(), **settings, "engines": results, "faults": wrong}),
        )
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
