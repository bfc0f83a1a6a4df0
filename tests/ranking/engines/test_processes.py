"""Tasks in processes of this machine: what is done, what failed, and what is done again."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

import engine_tasks
from eigentropy._support import memory
from eigentropy.ranking.engines import run_tasks
from eigentropy.ranking.engines.gpus import gpu_shares
from messages import names, naming


def numbers(outcome):
    return {name: json.loads(path.read_text())["number"] for name, path in outcome.done.items()}


def test_each_task_has_its_result_in_the_order_of_the_tasks(tmp_path):
    tasks = {f"model/{n}": n for n in (3, 1, 2)}
    outcome = run_tasks(engine_tasks.number, tasks, tmp_path / "new" / "results", workers=2)
    assert numbers(outcome) == tasks
    assert list(outcome.done) == list(tasks)
    assert outcome.failed == {}


def test_no_tasks_are_done_at_once(tmp_path):
    assert run_tasks(engine_tasks.number, {}, tmp_path).done == {}


def test_a_task_that_fails_is_named_and_the_others_go_on(tmp_path):
    tasks = {"a": 1, "b": -2, "c": 3}
    outcome = run_tasks(engine_tasks.failing, tasks, tmp_path, workers=1)
    assert numbers(outcome) == {"a": 1, "c": 3}
    assert list(outcome.failed) == ["b"]
    assert names(outcome.failed["b"], "ValueError", "-2 is negative")


def test_a_failed_task_is_called_again_by_the_next_call_and_a_done_one_is_not(tmp_path):
    run_tasks(engine_tasks.failing, {"a": 1, "b": -2}, tmp_path, workers=1)
    again = run_tasks(engine_tasks.failing, {"a": -1, "b": 2}, tmp_path, workers=1)
    assert numbers(again) == {"a": 1, "b": 2}


def test_a_task_with_another_fingerprint_is_not_done(tmp_path):
    for argument in (1, 2, 1):
        outcome = run_tasks(
            engine_tasks.number, {"a": argument}, tmp_path, workers=1, fingerprint=str
        )
        assert numbers(outcome) == {"a": argument}
    assert len(list(tmp_path.glob("a@*.json"))) == 2


@pytest.mark.parametrize("content", [b"", b'{"number": 1'])
def test_a_damaged_result_is_replaced(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert numbers(run_tasks(engine_tasks.number, {"a": 1}, tmp_path)) == {"a": 1}


@pytest.mark.parametrize(("written", "said"), [(None, "nothing"), (b"12", "2 bytes")])
def test_a_task_that_writes_no_result_has_failed(tmp_path, written, said):
    outcome = run_tasks(engine_tasks.silent, {"a": written}, tmp_path, workers=1)
    assert names(outcome.failed["a"], "engine_tasks.silent", said, "JSON")


def test_a_task_that_leaves_the_program_has_failed(tmp_path):
    outcome = run_tasks(engine_tasks.leaving, {"a": 3}, tmp_path, workers=1)
    assert names(outcome.failed["a"], "SystemExit", "3", "engine_tasks.py")


def test_an_argument_that_cannot_be_pickled_is_of_a_failed_task(tmp_path):
    outcome = run_tasks(engine_tasks.number, {"a": lambda: 1, "b": 2}, tmp_path, workers=1)
    assert numbers(outcome) == {"b": 2}
    assert names(outcome.failed["a"], "pickled", "lambda")


def test_a_task_whose_process_is_killed_is_called_again(tmp_path):
    tasks = {"a": "", "killed": str(tmp_path / "mark"), "b": ""}
    statuses = []
    outcome = run_tasks(
        engine_tasks.killed_once, tasks, tmp_path, workers=2, progress=statuses.append
    )
    assert set(outcome.done) == set(tasks)
    assert statuses[-1].lost == 1


def test_a_task_that_is_always_killed_has_failed_after_its_retries(tmp_path):
    statuses = []
    outcome = run_tasks(
        engine_tasks.always_killed, {"killed": 1, "a": 0, "b": 0}, tmp_path, workers=1, retries=1,
        progress=statuses.append,
    )  # fmt: skip
    assert set(outcome.done) == {"a", "b"}
    assert names(outcome.failed["killed"], "SIGKILL", "memory", "2 times")
    assert statuses[-1].lost == 2


def test_processes_are_used_again_and_share_the_cores(tmp_path):
    threads = "EIGENTROPY_NUM_THREADS"
    outcome = run_tasks(
        engine_tasks.process_of, {name: [threads] for name in "abcd"}, tmp_path, workers=1
    )
    found = [json.loads(path.read_text()) for path in outcome.done.values()]
    assert len({one["process"] for one in found}) == 1
    assert {one[threads] for one in found} == {str(len(os.sched_getaffinity(0)))}
    assert engine_tasks.ended([one["process"] for one in found]) == []


@pytest.mark.parametrize(
    ("gpus", "share", "workers", "visible"),
    [("3", 0.5, 2, {"3"}), ("3,5", 2, 1, {"3,5"})],
)
def test_tasks_share_gpus_or_have_several(tmp_path, monkeypatch, gpus, share, workers, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    statuses = []
    outcome = run_tasks(
        engine_tasks.process_of, {name: ["CUDA_VISIBLE_DEVICES"] for name in "abcd"}, tmp_path,
        gpus_per_task=share, workers=8, progress=statuses.append,
    )  # fmt: skip
    found = [json.loads(path.read_text()) for path in outcome.done.values()]
    assert {one["CUDA_VISIBLE_DEVICES"] for one in found} == visible
    assert max(len(status.running) for status in statuses) <= workers


@pytest.mark.parametrize(
    ("share", "shares"),
    [(0.3, ["3", "5"] * 3), (1 / 3, ["3", "5"] * 3), (0.6, ["3", "5"]), (1, ["3", "5"])],
)
def test_tasks_at_a_time_are_on_different_gpus_first(monkeypatch, share, shares):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert gpu_shares(share) == shares


@pytest.mark.parametrize("share", [1.5, 0.5, 1])
def test_gpus_that_are_not_there_are_refused(tmp_path, monkeypatch, share):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ValueError, match=naming("gpus_per_task", share)):
        run_tasks(engine_tasks.number, {"a": 1}, tmp_path, gpus_per_task=share)


def test_as_many_tasks_run_as_the_memory_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1500.0)
    statuses = []
    tasks = {name: (str(tmp_path / "log"), 1, 0.05) for name in "abcd"}
    run_tasks(
        engine_tasks.measured, tasks, tmp_path, workers=4, memory_per_task=1000,
        progress=statuses.append,
    )  # fmt: skip
    assert max(len(status.running) for status in statuses) == 1


def test_a_task_that_does_not_fit_into_memory_is_refused(tmp_path):
    with pytest.raises(MemoryError, match=naming("memory_per_task", 2**60)):
        run_tasks(engine_tasks.number, {"a": 1}, tmp_path, memory_per_task=2**60)


def test_what_a_task_prints_is_no_output_of_the_program(tmp_path):
    code = (
        "import engine_tasks; from eigentropy.ranking.engines import run_tasks; "
        f"run_tasks(engine_tasks.printing, {{'a': 'noise'}}, {str(tmp_path)!r})"
    )
    process = engine_tasks.program(code)
    output, errors = process.communicate(timeout=engine_tasks.PATIENCE)
    assert (output, errors.strip(), process.returncode) == ("", "noise", 0)


def test_a_script_without_a_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import engine_tasks; from eigentropy.ranking.engines import run_tasks\n"
        f"run_tasks(engine_tasks.number, {{'a': 1}}, {str(tmp_path)!r}, workers=1)\n"
    )
    process = engine_tasks.script(script)
    _, errors = process.communicate(timeout=engine_tasks.PATIENCE)
    assert process.returncode == 1
    assert names(errors.splitlines()[-1], "ProcessNotBegunError", "__name__", "__main__")


def test_status_says_what_is_done_and_what_runs_where(tmp_path):
    statuses = []
    tasks = engine_tasks.tasks_of(tmp_path / "log", 3, 0.2)
    run_tasks(engine_tasks.measured, tasks, tmp_path, workers=1, progress=statuses.append)
    running = [status for status in statuses if status.running]
    assert [status.done for status in statuses] == sorted(status.done for status in statuses)
    assert (statuses[-1].share, statuses[-1].total, statuses[-1].failed) == (1.0, 3, 0)
    (name, where), *_ = running[0].running.items()
    process = engine_tasks.calls(tmp_path / "log")[0][1]
    assert name == "family/model 0"
    assert names(running[0].lines()[0], name, os.uname().nodename, process)
    assert where.since <= time.monotonic()


def test_ctrl_c_ends_all_processes_and_keeps_what_is_done(tmp_path):
    log = tmp_path / "log"
    process = engine_tasks.driver(tmp_path / "results", log, 50, 0.2)
    engine_tasks.until(lambda: len(engine_tasks.calls(log)) > 4)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, errors = process.communicate(timeout=engine_tasks.PATIENCE)
    kept = list((tmp_path / "results").glob("*.json"))
    assert process.returncode == -signal.SIGINT
    assert names(errors.splitlines()[-1], "KeyboardInterrupt", f"{len(kept)} of 50 done", "results")
    # Workers say nothing; the signal may come just after this program has opened a file.
    assert errors.count("Traceback") - errors.count("Exception ignored") == 1
    assert engine_tasks.ended({pid for _, pid in engine_tasks.calls(log)}) == []


def test_two_programs_with_one_directory_share_the_tasks(tmp_path):
    log = tmp_path / "log"
    both = [engine_tasks.driver(tmp_path / "results", log, 16, 0.1) for _ in range(2)]
    tables = {engine_tasks.finished(process) for process in both}
    called = engine_tasks.calls(log)
    assert sorted(task for task, _ in called) == list(range(16))
    assert len({process for _, process in called}) == 4
    assert len(tables) == 1


def test_a_program_takes_over_from_one_that_is_killed(tmp_path):
    log = tmp_path / "log"
    first = engine_tasks.driver(tmp_path / "results", log, 1, 3.0)
    engine_tasks.until(lambda: engine_tasks.calls(log))
    second = engine_tasks.driver(tmp_path / "results", log, 1, 3.0)
    time.sleep(1.0)
    assert len(engine_tasks.calls(log)) == 1  # the second one waits
    first.kill()
    first.communicate(timeout=engine_tasks.PATIENCE)
    assert engine_tasks.finished(second).startswith("family/model 0,")
    assert len(engine_tasks.calls(log)) == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [("engine", "dask"), ("workers", 0), ("retries", -1), ("gpus_per_task", -0.5),
     ("memory_per_task", 0)],
)  # fmt: skip
def test_an_option_out_of_range_is_named(tmp_path, option, value):
    with pytest.raises(ValueError, match=naming(option, value)):
        run_tasks(engine_tasks.number, {"a": 1}, tmp_path, **{option: value})
