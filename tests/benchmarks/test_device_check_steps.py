"""Steps with limits: what is cut, what fails and what is missing leaves the rest running."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from benchmarks.device_check import results
from benchmarks.device_check.partial import completed
from benchmarks.device_check.running import HEAD_BYTES, Run, Step

ENOUGH = 30.0


def python(code):
    return (sys.executable, "-c", code)


def run(tmp_path, steps, seconds=ENOUGH, has=lambda tool: True, **settings):
    one = Run(steps, seconds, tmp_path / "log.txt", dict(os.environ), has, **settings)
    return one.all(), (tmp_path / "log.txt").read_text()


def is_running(process):
    """A process that has ended may still be listed, until somebody asks how it ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def statuses(outcomes):
    return {one.name: one.status for one in outcomes}


def test_a_step_is_independent_of_those_that_it_does_not_need(tmp_path):
    steps = [
        Step("bad", 10, python("raise SystemExit(3)")),
        Step("needs bad", 10, python("print('never')"), needs=("bad",)),
        Step("absent", 10, ("/no/such/program",)),
        Step("good", 10, python("print('good words')")),
        Step("needs good", 10, python("print('more')"), needs=("good",)),
    ]
    outcomes, log = run(tmp_path, steps)
    assert statuses(outcomes) == {
        "bad": "failed",
        "needs bad": "not run",
        "absent": "failed",
        "good": "passed",
        "needs good": "passed",
    }
    assert outcomes[0].why == "exit status 3"
    assert outcomes[1].why == "bad failed"
    assert "good| good words" in log
    assert "never" not in log.replace("print('never')", "")


def test_a_step_at_its_limit_is_ended_with_all_that_it_has_started(tmp_path):
    child = tmp_path / "child"
    code = (
        "import pathlib, subprocess, time;"
        "p = subprocess.Popen(['sleep', '600']);"
        f"pathlib.Path({str(child)!r}).write_text(str(p.pid));"
        "time.sleep(600)"
    )
    steps = [Step("long", 1.5, python(code)), Step("next", 1, python("print('next')"))]
    start = time.monotonic()
    # No more than the limits: nothing is left over for the first step.
    outcomes, log = run(tmp_path, steps, seconds=2.5)
    assert statuses(outcomes) == {"long": "cut", "next": "passed"}
    assert time.monotonic() - start < ENOUGH
    assert "next| next" in log
    process = int(child.read_text())
    until = time.monotonic() + ENOUGH
    while is_running(process) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_running(process)


def test_a_step_that_ignores_the_request_to_stop_is_ended_all_the_same(tmp_path):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    outcomes, _ = run(tmp_path, [Step("deaf", 1.5, python(code))], seconds=1.5)
    assert statuses(outcomes) == {"deaf": "cut"}


def test_what_a_step_leaves_of_its_time_goes_to_the_next(tmp_path):
    slow = python("import time; time.sleep(2)")
    steps = [Step("quick", 20, python("pass")), Step("slow", 1, slow)]
    outcomes, _ = run(tmp_path, steps, seconds=21)
    assert statuses(outcomes) == {"quick": "passed", "slow": "passed"}
    assert outcomes[1].limit > 2.0


def test_nothing_lasts_longer_than_the_call(tmp_path):
    sleep = python("import time; time.sleep(600)")
    steps = [Step("a", 100, sleep), Step("b", 100, python("pass"))]
    start = time.monotonic()
    outcomes, _ = run(tmp_path, steps, seconds=2.0)
    assert statuses(outcomes) == {"a": "cut", "b": "not run"}
    assert outcomes[1].why == "no time was left"
    assert time.monotonic() - start < ENOUGH


def test_others_run_while_a_step_in_the_background_is_awaited(tmp_path):
    mark = tmp_path / "mark"
    wait = (
        "import pathlib, time\n"
        f"while not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.02)\n"
        "print('built')"
    )
    steps = [
        Step("build", 20, python(wait), background=True),
        Step("uses it", 5, python("print('used')"), needs=("build",)),
        Step("other", 5, python(f"import pathlib; pathlib.Path({str(mark)!r}).touch()")),
    ]
    outcomes, log = run(tmp_path, steps)
    assert statuses(outcomes) == {"other": "passed", "build": "passed", "uses it": "passed"}
    assert log.index("build| built") < log.index("uses it| used")


def test_a_missing_tool_is_named_and_the_rest_runs(tmp_path):
    steps = [
        Step("memcheck", 5, python("pass"), tools=("compute-sanitizer",)),
        Step("losses", 5, python("pass"), tools=("torch",)),
        Step("rest", 5, python("pass")),
    ]
    outcomes, _ = run(tmp_path, steps, has=lambda tool: False)
    assert statuses(outcomes) == {"memcheck": "not run", "losses": "not run", "rest": "passed"}
    assert [one.why for one in outcomes[:2]] == ["compute-sanitizer is missing", "torch is missing"]


def test_the_log_grows_while_a_step_runs(tmp_path):
    seen = []
    code = "import time; print('first', flush=True); time.sleep(600)"

    def keep(outcomes):
        seen.append((tmp_path / "log.txt").read_text())

    run(tmp_path, [Step("slow", 4, python(code))], seconds=4, keep=keep)
    assert any("slow| first" in text and "--- slow" not in text for text in seen)


def test_a_step_that_prints_without_end_leaves_a_log_of_bounded_size(tmp_path):
    code = "for i in range(40000): print('x' * 100, i)"
    _, log = run(tmp_path, [Step("loud", 20, python(code))])
    assert len(log) < 2 * HEAD_BYTES
    assert "39999" in log  # the end is kept


def test_a_run_that_is_asked_to_end_cuts_its_steps_and_says_so(tmp_path):
    sleep = python("import time; time.sleep(600)")
    steps = [
        Step("behind", 20, sleep, background=True),
        Step("first", 20, python("pass")),
        Step("second", 20, sleep),
        Step("third", 20, sleep),
    ]

    def keep(outcomes):
        if outcomes:
            threading.Timer(0.5, one.end).start()

    one = Run(steps, ENOUGH, tmp_path / "log.txt", dict(os.environ), lambda tool: True, keep)
    start = time.monotonic()
    assert statuses(one.all()) == {
        "first": "passed",
        "second": "cut",
        "behind": "cut",
        "third": "not run",
    }
    assert time.monotonic() - start < ENOUGH


WHOLE = {
    "context": {"device": "a GPU", "list": [1, {"a": "}]"}]},
    "benchmarks": [
        {"name": "gemm<float>/manual_time", "real_time": 2.0, "time_unit": "ms", "of_gemm": 1.0},
        {"name": "matrix_free<double>/n:50000/d:128/m:32/manual_time", "real_time": 1.0},
    ],
}


def test_what_a_cut_benchmark_has_written_is_read_up_to_its_last_whole_entry(tmp_path):
    """At every byte at which it may have been cut."""
    text = json.dumps(WHOLE, indent=2)
    begins = text.index('"benchmarks": [') + len('"benchmarks": [')
    counts = set()
    for cut in range(len(text) + 1):
        found = completed(text[:cut])
        if cut < begins:
            assert found is None
            continue
        read = json.loads(found)
        assert read["context"] == WHOLE["context"]
        count = len(read["benchmarks"])
        assert read["benchmarks"] == WHOLE["benchmarks"][:count]
        counts.add(count)
    assert counts == {0, 1, 2}
    (tmp_path / "products.json").write_text(text[:-20])
    (tmp_path / "empty.json").write_text("")
    assert set(results.load(tmp_path)) == {"products"}
