"""The two calls of the device check: their time, their steps, what they leave."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.device_check import calls, chosen, results
from benchmarks.device_check.__main__ import main, report
from benchmarks.device_check.place import ROOT, Place
from benchmarks.device_check.running import AROUND_SECONDS, Run, Step
from checked_calls import measured, steps_of

BOTH = sorted(calls.CALLS)
BACKGROUND = ("programs", "packages", "warm")


def longest(call):
    """Seconds of a call whose steps all take their limits, where what is carried runs."""
    seconds = {step.name: step.limit for step in steps_of(call)}
    waiting = [step for step in steps_of(call) if not step.background]
    dependent = [step for step in waiting if "packages" in step.needs]
    before = sum(step.limit for step in waiting) - sum(step.limit for step in dependent)
    around = AROUND_SECONDS * len(waiting)
    return around + max(before, seconds["packages"]) + sum(step.limit for step in dependent)


@pytest.mark.parametrize("call", BOTH)
def test_the_limits_of_a_call_add_up_to_less_than_its_time(call):
    assert longest(call) <= calls.CALL_SECONDS[call] - calls.MARGIN_SECONDS
    assert calls.CALL_SECONDS[call] <= 600  # what one command may take


def test_both_calls_fit_the_time_for_which_a_machine_is_lent():
    around = calls.START_SECONDS + 2 * calls.TRANSFER_SECONDS + calls.BETWEEN_SECONDS
    assert around + sum(calls.CALL_SECONDS.values()) <= calls.LEASE_SECONDS
    assert calls.LEASE_SECONDS == 15 * 60


@pytest.mark.parametrize("call", BOTH)
def test_steps_have_names_of_their_own_and_need_steps_before_them(call):
    seen = set()
    for step in steps_of(call):
        assert step.name not in seen
        assert set(step.needs) <= seen
        seen.add(step.name)
        assert step.background == (step.name in BACKGROUND)


@pytest.mark.parametrize("call", BOTH)
def test_the_files_that_a_step_names_exist(call):
    for step in steps_of(call):
        for argument in step.command:
            if argument.endswith((".py", ".sh")):
                assert (ROOT / argument).exists(), argument
            if argument.startswith("benchmarks."):
                file = ROOT / argument.replace(".", "/")
                assert file.with_suffix(".py").exists(), argument


def names_of_cpp_tests():
    """Those of a build for a GPU, as Google Test has them; those of a type are `Suite/0.Test`."""
    found = set()
    folder = ROOT / "tests/cpp/cuda"
    of_a_gpu, _, _ = (folder / "CMakeLists.txt").read_text().partition("EMULATED")
    for path in map(folder.joinpath, re.findall(r"\btest_\w+\.cpp", of_a_gpu)):
        declared = re.findall(r"^(TYPED_)?TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(), re.M)
        found |= {f"{suite}{'/0' if typed else ''}.{name}" for typed, suite, name in declared}
    return found


@pytest.mark.parametrize("pattern", chosen.SANITIZED.split(":"))
def test_what_the_sanitizers_run_is_there(pattern):
    wanted = re.compile(re.escape(pattern).replace(r"\*", ".*") + "$")
    assert any(wanted.match(name) for name in names_of_cpp_tests())


def stub(step, scale):
    """Writes half of a file, and would go on for ever."""
    if step.background:
        command = ("true",)
    else:
        file = next((a for a in step.command if a.endswith(".json")), "").rpartition("=")[2]
        half = '{"context": {}, "benchmarks": [ {"name": "gemm", "real_time": 1.0}, {"na'
        command = ("bash", "-c", f"printf '%s' '{half}' >{file or '/dev/null'}; sleep 600")
    return dataclasses.replace(step, limit=step.limit / scale, command=command, tools=())


@pytest.mark.parametrize("call", BOTH)
def test_steps_that_take_longer_than_they_may_are_cut_and_all_the_others_run(
    call, tmp_path, written
):
    scale = 40.0
    steps = [stub(step, scale) for step in steps_of(call)]
    whole = calls.CALL_SECONDS[call] - calls.MARGIN_SECONDS
    seconds = whole / scale + AROUND_SECONDS * len(steps)
    kept = []

    def keep(outcomes):
        report(call, tmp_path, outcomes)
        kept.append(json.loads((tmp_path / "results.json").read_text()))

    start = time.monotonic()
    outcomes = Run(
        steps, seconds, tmp_path / "log.txt", dict(os.environ), lambda tool: True, keep
    ).all()
    lasted = time.monotonic() - start
    ended = {one.name: one.status for one in outcomes}
    assert ended == {s.name: "passed" if s.background else "cut" for s in steps}
    assert seconds - 1.0 <= lasted <= seconds + 10.0
    # At every time a whole file, with what was written until then.
    assert [
        one["name"]
        for one in kept[-1]["files"]["microbenchmarks" if call == "two" else "products"][
            "benchmarks"
        ]
    ] == ["gemm"]
    text, good = report(call, tmp_path, outcomes)
    assert not good
    assert "cut: at its limit" in text


def test_the_emulated_device_has_few_rows_and_a_gpu_all():
    assert Place().rows(1000000) == 1000000
    emulated = Place(emulated=True)
    assert [emulated.rows(n) for n in (0, 1000, 1000000)] == [0, 60, 260]


def test_the_programs_find_the_packages_first_that_were_built_for_the_check(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    paths = [Path(p) for p in Place().environment()["PYTHONPATH"].split(os.pathsep)]
    assert paths == [ROOT, ROOT / "build/device/site", Path("/elsewhere")]


def test_the_page_about_the_check_has_every_step_with_its_limit():
    page = (ROOT / "docs/explanations/profiling.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for call in BOTH:
        for step in steps_of(call):
            row = next(line for line in rows if f"`{step.name}`" in line)
            if not step.background:
                assert re.search(rf"\b{step.limit:g}\b", row.rsplit("|", 2)[1]), step.name


def test_a_call_prints_its_table_last_and_leaves_two_files(tmp_path, written, monkeypatch, capsys):
    file = written / "agreement.json"
    copy = f"print(open({str(tmp_path / 'sample')!r}).read(), file=open({str(file)!r}, 'w'))"
    (tmp_path / "sample").write_text(json.dumps(measured()["agreement"]))
    steps = [
        Step("agreement", 20, (sys.executable, "-c", copy)),
        Step("cpp-tests", 20, (sys.executable, "-c", "raise SystemExit(1)")),
    ]
    monkeypatch.setitem(calls.CALLS, "one", lambda place: steps)
    assert main(["one", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith("Of what must hold: 2 hold, 1 fail")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"log.txt", "results.json"}
    assert results.stored(tmp_path / "out/results.json") == {"agreement": measured()["agreement"]}
    assert (tmp_path / "out/log.txt").read_text().endswith(printed.splitlines()[-1] + "\n")


def test_a_call_that_is_ended_from_outside_still_prints_its_table(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from benchmarks.device_check import __main__ as check, calls, place\n"
        "from benchmarks.device_check.running import Step\n"
        f"place.FILES = check.FILES = Path({str(tmp_path / 'files')!r})\n"
        "steps = [Step('long', 100, ('sleep', '600'))]\n"
        "calls.CALLS['one'] = lambda place: steps\n"
        f"sys.exit(check.main(['one', {str(tmp_path)!r}]))\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        log = tmp_path / "log.txt"
        until = time.monotonic() + 60
        while "=== long" not in (log.read_text() if log.exists() else ""):
            assert time.monotonic() < until
            time.sleep(0.05)
        process.terminate()
        printed = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "--- long: cut" in printed
    assert printed.splitlines()[-1].startswith("Of what must hold: ")
