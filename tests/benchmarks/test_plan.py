"""What `make bench` promises: its time, and that one failure or Ctrl-C costs no other result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare import cases, plan, rounds, suite, workers
from benchmarks.compare.contenders import Case, Contender, Suite
from benchmarks.compare.rounds import Settings
from benchmarks.shared import timing
from benchmarks.shared.machine import clean_environment
from benchmarks.shared.results import RESULTS, write
from messages import names, naming

MINUTES = 60.0
PARAMETERS = {"n": 5}


def eigenvalues(name, solver="eigentropy", **options):
    spec = {"task": "eigenvalues", "solver": solver}
    return Contender(name, ("eigentropy",), spec, **options)


def case(*contenders, **options):
    return Case(PARAMETERS, list(contenders), lambda path: np.save(path, np.eye(5)), **options)


def one_case(*contenders):
    return Suite(lambda sizes: iter([case(*contenders)]), (5,), (5,))


def failing(sizes):
    def write_input(path):
        raise MemoryError("the input is too large")

    yield Case(PARAMETERS, [eigenvalues("eigentropy")], write_input)
    yield replace(case(eigenvalues("eigentropy")), parameters={"n": 6})


def arguments(folder, *names):
    return ["--suite", *names, "--repetitions", "1", "--threads", "2", "--output", str(folder)]


def stored(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def test_the_default_form_takes_twenty_minutes():
    settings = Settings(repetitions=suite.parse([]).repetitions)
    sizes = {name: list(of.sizes) for name, of in cases.SUITES.items()}
    expected = plan.of_suites(cases.SUITES, sizes, settings, RESULTS)
    assert set(expected) == set(suite.parse([]).suite)
    assert sum(expected.values()) <= suite.BUDGET < 20 * MINUTES


def test_the_plan_adds_starts_calls_and_rounds():
    known = {(plan.key(PARAMETERS), "a"): 0.5, (plan.key(PARAMETERS), "b"): 10.0}
    settings = Settings(repetitions=3, enough_seconds=0.2, end_processes_from=100)
    start, rest = plan.START_OF_OTHERS, plan.REST
    a, b, c = (eigenvalues(name) for name in "abc")

    def expected(one, **options):
        return plan.predicted(case(one, **options), settings, known) - plan.INPUT

    assert expected(a) == pytest.approx(start + 0.5 + 3 * (0.5 + rest))
    # The first call counts, and there are two rounds of long calls.
    assert expected(b) == pytest.approx(start + 10.0 + 1 * (10.0 + rest))
    assert expected(c, guess=0.1) == pytest.approx(start + 0.1 + 3 * (0.2 + 0.05 + rest))
    assert expected(a, memory_only=True) == pytest.approx(start + 0.5)
    settings.end_processes_from = 5  # a start for each round
    assert expected(a) == pytest.approx(4 * (start + 0.5) + 3 * (0.5 + rest))


def test_the_plan_knows_stored_times_of_both_forms(tmp_path):
    def write(file, n, seconds):
        runs = {"eigentropy": {"seconds": [seconds] * 3}}
        found = {"cases": [{"n": n, "d": 2, "runs": runs, "wall_seconds": 9.9}]}
        (tmp_path / file).write_text(json.dumps(found))

    write("x.json", 5, 1.0)
    write("x.full.json", 6, 2.0)
    times = plan.stored_times(tmp_path, "x")
    assert times == {
        (plan.key({"n": 5, "d": 2}), "eigentropy"): 1.0,
        (plan.key({"n": 6, "d": 2}), "eigentropy"): 2.0,
    }
    assert plan.stored_times(tmp_path, "y") == {}


def test_the_plan_is_printed_and_nothing_is_measured(tmp_path, capsys):
    folder = tmp_path / "none"
    assert suite.main(["--plan", "--suite", "batch", "dse", "--output", str(folder)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "batch",
        "dse",
        "together",
    ]
    assert not folder.exists()


def test_one_contender_fails_and_the_others_go_on(tmp_path):
    contenders = eigenvalues("eigentropy"), eigenvalues("numpy", "none"), eigenvalues("x", "numpy")
    assert suite.main(arguments(tmp_path, "dse"), {"dse": one_case(*contenders)}) == 0
    (found,) = stored(tmp_path, "dse")["cases"]
    assert set(found["runs"]) == {"eigentropy", "x"}
    assert found["failed"] == {"numpy": "KeyError: 'none'"}


def test_a_contender_that_dies_in_a_later_round_keeps_what_it_has(monkeypatch):
    class Dying:
        def __init__(self, *_):
            self.left = 2

        def ask(self, request):
            if self.left == 0:
                raise workers.ContenderError("ended by signal 9")
            self.left -= 1
            return {"seconds": 0.1, "calls": 1, "peak_bytes": 1, "extra_bytes": 1}

        def close(self):
            pass

    contender = eigenvalues("eigentropy", answer=None)
    found = rounds.run_case(case(contender), Settings(repetitions=3, start=Dying), None)
    assert found["runs"]["eigentropy"]["seconds"] == [0.1]
    assert found["failed"] == {"eigentropy": "ended by signal 9"}


def test_a_case_without_input_is_named_and_the_others_go_on(tmp_path, capsys):
    suites = {"dse": Suite(failing, (5,), (5,)), "dsmi": one_case(eigenvalues("eigentropy"))}
    assert suite.main(arguments(tmp_path, "dse", "dsmi"), suites) == 1
    found = stored(tmp_path, "dse")
    assert [one["n"] for one in found["cases"]] == [6]
    assert found["skipped"] == [{"n": 5, "reason": "MemoryError: the input is too large"}]
    assert stored(tmp_path, "dsmi")["cases"]
    assert "too large" in capsys.readouterr().err


def test_a_suite_that_fails_leaves_what_was_stored_and_the_others_go_on(tmp_path, capsys):
    def none(sizes):
        if (tmp_path / "dsmi.json").exists():  # not while the plan is made
            raise OSError("no such file")
        yield from ()

    whole = one_case(eigenvalues("eigentropy"))
    suites = {"dsmi": whole, "dse": Suite(none, (5,), (5,)), "vendi": whole}
    (tmp_path / "dse.json").write_text('"before"')
    assert suite.main(arguments(tmp_path, *suites), suites) == 1
    assert stored(tmp_path, "dse") == "before"
    assert stored(tmp_path, "vendi")["cases"]
    assert names(capsys.readouterr().err, "dse", "OSError", "no such file")


def test_ctrl_c_keeps_the_suites_that_have_ended(tmp_path, capsys):
    def interrupted(sizes):
        yield case(eigenvalues("eigentropy"))
        if tmp_path.joinpath("dsmi.json").exists():  # not while the plan is made
            raise KeyboardInterrupt
        yield replace(case(eigenvalues("eigentropy")), parameters={"n": 6})

    suites = {"dsmi": one_case(eigenvalues("eigentropy")), "dse": Suite(interrupted, (5,), (5,))}
    (tmp_path / "dse.json").write_text('"before"')
    assert suite.main(arguments(tmp_path, "dsmi", "dse"), suites) == suite.INTERRUPTED
    assert len(stored(tmp_path, "dsmi")["cases"]) == 1
    assert stored(tmp_path, "dse") == "before"
    assert len(stored(tmp_path, "dse.unfinished")["cases"]) == 1
    assert "interrupted" in capsys.readouterr().err


def test_an_interrupted_case_ends_its_processes(monkeypatch):
    started = []

    class Kept(workers.Worker):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self._process)

    def first(self, keep, memory_only):
        if len(started) == 2:
            raise KeyboardInterrupt
        self._asked({"first": True})

    three = [eigenvalues(name) for name in ("eigentropy", "b", "c")]
    monkeypatch.setattr(rounds.Turns, "first", first)
    with pytest.raises(KeyboardInterrupt):
        rounds.run_case(case(*three), Settings(start=Kept), None)
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


def worker(tmp_path, **options):
    np.save(tmp_path / "input.npy", np.diag([3.0, 1.0]))
    spec = {"task": "eigenvalues", "solver": "numpy", "input": str(tmp_path / "input.npy")}
    environment = {**clean_environment(), "EIGENTROPY_NUM_THREADS": "1"}
    return workers.Worker({**spec, **options}, environment, patience=30.0)


def test_a_process_answers_more_than_once(tmp_path):
    process = worker(tmp_path)
    first = process.ask({"first": True, "answer": str(tmp_path / "answer.npy")})
    assert sorted(first) == ["calls", "extra_bytes", "peak_bytes", "seconds"]
    assert np.load(tmp_path / "answer.npy").tolist() == [1.0, 3.0]
    again = [process.ask({"first": False, "enough_seconds": 1e-3}) for _ in range(2)]
    assert all(found["calls"] >= 1 and found["seconds"] > 0.0 for found in again)
    process.close()
    assert process._process.returncode is not None


def test_a_process_that_ends_is_an_error_with_its_reason(tmp_path):
    process = worker(tmp_path)
    process.ask({"first": True})
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(workers.ContenderError, match=naming("signal", signal.SIGKILL.value)):
        process.ask({"first": False, "enough_seconds": 0.0})
    process.close()
    process = worker(tmp_path, solver="none")
    with pytest.raises(workers.ContenderError, match=naming("KeyError", "'none'")):
        process.ask({"first": True})
    process.close()


def test_a_process_that_does_not_answer_is_ended(tmp_path):
    process = worker(tmp_path)
    process.ask({"first": True})
    os.kill(process._process.pid, signal.SIGSTOP)
    process._patience = 0.2
    with pytest.raises(workers.ContenderError, match=naming("answer", "0 s")):
        process.ask({"first": False, "enough_seconds": 0.0})
    process.close()
    assert process._process.returncode is not None


def test_long_calls_count_from_the_first_and_have_fewer_rounds():
    class Long:
        def __init__(self, spec, environment):
            self.seconds = {"a": 0.1, "b": 2.0, "c": 9.0}[spec["solver"]]
            self.asked = []
            processes.append(self)

        def ask(self, request):
            self.asked.append(request["first"])
            return {"seconds": self.seconds, "calls": 1, "peak_bytes": 1, "extra_bytes": 1}

        def close(self):
            pass

    processes = []
    three = [eigenvalues(name, name, answer=None) for name in "abc"]
    found = rounds.run_case(case(*three), Settings(repetitions=3, start=Long), None)
    assert {name: len(of["seconds"]) for name, of in found["runs"].items()} == {
        "a": 3,
        "b": 2,
        "c": 2,
    }
    assert [len(process.asked) for process in processes] == [4, 3, 2]
    assert all(process.asked[0] and not any(process.asked[1:]) for process in processes)
    large = Case({"n": 9000}, three)
    processes.clear()
    rounds.run_case(large, Settings(repetitions=1, start=Long), None)
    assert [process.asked for process in processes] == [[True]] * 3 + [[True, False]] * 2


def test_the_time_of_a_part_counts_for_its_call():
    ready = (lambda: None, lambda _: timing.Part(7.5, "answer"))
    first, answer = timing.first_call(ready)
    assert (first["seconds"], answer) == (7.5, "answer")
    again, answer = timing.further_calls(ready, enough_seconds=20.0)
    assert (again, answer) == ({"seconds": 7.5, "calls": 3}, "answer")


def test_a_process_rests_once_its_threads_do():
    start = time.perf_counter()
    timing.rest()
    assert time.perf_counter() - start >= timing.PAUSE_SECONDS


def test_the_part_of_a_step_outside_is_less_than_the_step():
    pytest.importorskip("torch")
    from benchmarks.compare.monitor_step import monitor

    spec = {"task": "monitor", "n": 200, "d": 8, "classes": 2}
    fresh, step = monitor({**spec, "package": "eigentropy"})
    assert set(step(fresh())) > {"dse/0", "dsmi_y/0"}
    from eigentropy import _core

    before = _core.brief_entropies
    fresh, outside = monitor({**spec, "package": "eigentropy outside"})
    found, _ = timing.timed((fresh, outside), 0.0)
    assert found["seconds"] > 0.0
    assert set(outside.parts) == {"brief_entropies", "network"}
    assert min(outside.parts.values()) > 0.0
    assert _core.brief_entropies is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_can_be_interrupted_even_as_a_job_of_a_script(tmp_path, number):
    options = ["--suite", "batch", "--sizes", "40", "--peers", "numpy", "--output", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks.compare.suite", *options]
    program = subprocess.Popen(
        command,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    while program.poll() is None and not (tmp_path / "batch.unfinished.json").exists():
        time.sleep(0.05)
    program.send_signal(number)
    _, errors = program.communicate(timeout=60.0)
    assert program.returncode == suite.INTERRUPTED
    assert b"interrupted" in errors
    assert [file.name for file in tmp_path.iterdir()] == ["batch.unfinished.json"]


def test_a_result_whose_writing_is_interrupted_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "suite.json", {"rows": [1]})
    assert not list(tmp_path.iterdir())
