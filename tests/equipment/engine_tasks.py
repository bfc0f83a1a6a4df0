"""Tasks for the engines, and programs that run them, which tests can kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from eigentropy.ranking.engines import run_tasks

EQUIPMENT = Path(__file__).parent
PATIENCE = 100  # seconds, of a machine that does much else


def measured(argument, path):
    """A number of random rows; the log has who has called which task."""
    log, seed, seconds = argument
    with open(log, "a") as file:  # noqa: PTH123 - one write, which other processes do not part
        file.write(f"{seed} {os.getpid()}\n")
    time.sleep(seconds)
    Z = np.random.default_rng(seed).normal(size=(50, 5))
    path.write_text(json.dumps({"seed": seed, "value": float(np.linalg.svd(Z)[1][0])}))


def number(argument, path):
    path.write_text(json.dumps({"number": argument}))


def failing(argument, path):
    """Raise for negative numbers."""
    if argument < 0:
        raise ValueError(f"{argument} is negative")
    number(argument, path)


def killed_once(argument, path):
    """Be killed the first time, if the argument names a file, which then is there."""
    if argument and not Path(argument).exists():
        Path(argument).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    number(0, path)


def always_killed(argument, path):
    if argument:
        os.kill(os.getpid(), signal.SIGKILL)
    number(0, path)


def leaving(argument, path):
    sys.exit(argument)


def silent(argument, path):
    """Write what the argument says, or nothing."""
    if argument is not None:
        path.write_bytes(argument)


def process_of(argument, path):
    environment = {name: os.environ.get(name) for name in argument}
    path.write_text(json.dumps({"process": os.getpid(), **environment}))


def printing(argument, path):
    print(argument)
    number(0, path)


def slow(argument, path):
    """Note the process, and take long. Who sees the note can read it: it comes as a whole."""
    unfinished = Path(f"{argument}.unfinished")
    unfinished.write_text(str(os.getpid()))
    unfinished.rename(argument)
    time.sleep(PATIENCE)
    number(0, path)


def tasks_of(log, count, seconds):
    return {f"family/model {seed}": (str(log), seed, seconds) for seed in range(count)}


def calls(log):
    """The task and the process of each call."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [tuple(map(int, line.split())) for line in lines]


def table(outcome):
    """All results in one text."""
    return "".join(f"{name},{path.read_text()}\n" for name, path in outcome.done.items())


def drive(directory, log, count, seconds, options):
    """Run tasks of a test, with two workers."""
    outcome = run_tasks(
        measured, tasks_of(log, count, seconds), directory, workers=2, **json.loads(options)
    )
    print(table(outcome), end="")


def driver(directory, log, count, seconds=0.1, **options):
    """Start `drive` in a process, and a group, of its own."""
    arguments = [str(directory), str(log), count, seconds, json.dumps(options)]
    return program(f"import engine_tasks; engine_tasks.drive(*{arguments!r})")


def killed_and_resumed(directory, log, random, kills, tasks=12, seconds=0.1, **options):
    """The table after kills at random points, none of which may undo what was done."""
    for _ in range(kills):
        done, before = set(directory.glob("*.json")), len(calls(log))
        process = driver(directory, log, tasks, seconds, **options)
        until(partial(_has_called, log, before, process))
        time.sleep(random.uniform(0.0, 3 * seconds))
        process.kill()
        process.communicate(timeout=PATIENCE)
        check_calls(calls(log)[before:], done)
        assert done <= set(directory.glob("*.json"))
    assert done, "every kill came before the first result"
    return finished(driver(directory, log, tasks, seconds, **options))


def _has_called(log, before, process):
    return len(calls(log)) > before or process.poll() == 0


def check_calls(calls, done):
    """Nothing that was done was called again, and no process is left."""
    again = {f"family%2Fmodel%20{task}.json" for task, _ in calls}
    assert not again & {path.name for path in done}
    assert ended({process for _, process in calls}) == []


def program(code):
    """A background job ignores Ctrl-C, and hands that down: this one does not."""
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    return _started(["-c", heard + code])


def script(path):
    return _started([str(path)])


def _started(arguments):
    path = os.pathsep.join([str(EQUIPMENT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def finished(process):
    """What a program has printed; its errors are those of the test."""
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output


def ended(processes, patience=PATIENCE):
    """Wait until none of these processes is at work; a zombie is not."""
    end = time.monotonic() + patience
    while left := [one for one in processes if _is_alive(one)]:
        if time.monotonic() > end:
            return left
        time.sleep(0.05)
    return []


def below(process):
    """The processes that this one has started, and those that these have."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(one) for one in found] + [each for one in found for each in below(one)]


def _is_alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
