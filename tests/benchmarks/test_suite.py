"""The machinery of `make bench`, at sizes that take no time. Its figures are not looked at."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import approaches, estimates, half_kernel, large, stochastic_accuracy
from benchmarks.compare import cases, measure, monitor_cost, rounds, stages, suite
from benchmarks.compare.rounds import Settings
from benchmarks.documents import pictures, plot, tables
from benchmarks.shared import machine, results, summary
from messages import names

ROOT = Path(__file__).parents[2]


PROGRAMS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "benchmarks").glob("*/*.py")
    if path.stem != "__init__"
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_finds_what_it_imports(program):
    importlib.import_module(program)


def test_the_process_of_a_peer_loads_no_other_library():
    modules = "benchmarks.compare.measure", "benchmarks.compare.estimator_peers"
    program = f"import {', '.join(modules)}, sys; print(*sys.modules)"
    environment = machine.clean_environment()
    loaded = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "benchmarks.compare.peers" in loaded
    assert not {"eigentropy", "torch", "scipy", "sklearn", "dse_dsmi"} & set(loaded)


def tiny(**options):
    return Settings(repetitions=1, threads=2, enough_seconds=0.0, **options)


def here(**options):
    """Settings by which contenders run in this process, which has loaded their libraries."""
    return tiny(start=lambda spec, environment: measure.Measured(spec), **options)


def answer(contender, folder, settings):
    """Of its first call; it has no rounds."""
    turns = rounds.Turns(contender, folder, settings)
    turns.first(keep=False, memory_only=True)
    assert not turns.failed
    return np.load(rounds.answer_file(contender, folder))


@pytest.fixture
def two_threads(monkeypatch):
    """What a child is told by its environment."""
    monkeypatch.setenv("EIGENTROPY_NUM_THREADS", "2")


def runs(*seconds, extra_bytes=0):
    """Of one contender, a round a value."""
    rounds = len(seconds)
    return {
        "seconds": list(seconds),
        "calls": [1] * rounds,
        "extra_bytes": [extra_bytes] * rounds,
        "peak_bytes": [2**30] * rounds,
    }


# Two rounds each. Peers take 3 and 4 s, and eigentropy 2 s and 1 s: 1.5 and 4 times as long.
CASE = {
    "n": 100,
    "d": 64,
    "dtype": "float64",
    "runs": {
        "eigentropy": runs(2.0, 1.0, extra_bytes=80000),
        "numpy": runs(3.0, 4.0, extra_bytes=160000),
        "mkl syevd intel": runs(30.0, 40.0, extra_bytes=0),
        "mkl syevd tbb": runs(5.0, 6.0, extra_bytes=0),
    },
    "differences": {"eigentropy": 0.002, "numpy": 0.0},
    "wrong": [],
    "absent": {},
    "failed": {},
}
# 2e9 flops in 2 s: 1.333e6 flops in 1.333 ms.
PRODUCT = {
    "task": "product",
    "n": 1000,
    "dtype": "float64",
    "runs": {"numpy": runs(2.0), "torch": runs(4.0)},
    "differences": {},
}
ENTROPY = {
    "n": 100,
    "d": 512,
    "runs": {
        "eigentropy compat": runs(0.5, extra_bytes=88000),
        "eigentropy float32": runs(0.25, extra_bytes=40000),
        "eigentropy": runs(0.1, extra_bytes=2**20),
        "dse-dsmi": runs(2.0, extra_bytes=400000),
        "dse-dsmi float32": runs(1.0, extra_bytes=3 * 2**20),
    },
    "differences": {
        "eigentropy compat": 0.0,
        "eigentropy float32": 1e-5,
        "eigentropy": 3e-4,
        "dse-dsmi": 2e-15,
    },
}
RESULTS = {"eigenvalues": {"cases": [PRODUCT, CASE]}, "dse": {"cases": [ENTROPY]}}


SMALL = {
    **cases.SUITES,
    "eigenvalues": cases.Suite(partial(cases.eigenvalues, product_order=64), (40,), (40,)),
    "calls": cases.Suite(partial(cases.calls, shapes=((40, 8, 3),)), (40,), (40,)),
    "shapes": cases.Suite(partial(cases.calls, shapes=((40, 8, 3),), all_four=False), (), (40,)),
}
# The blocks that have other names than their suites.
SHOWN = {"monitor": "monitor step"}


@pytest.mark.parametrize("name", [name for name in cases.SUITES if name != "reductions"])
def test_a_suite_measures_every_contender_that_it_is_asked_for(name, two_threads):
    n = 260 if name in ("stochastic", "dsmi", "monitor") else 40  # estimates, and ten groups
    result = suite.run_suite(name, [n], here(peers={"numpy", "torch"}), suites=SMALL)
    assert result["cases"]
    assert not result["skipped"]
    assert len(result["machine"]["commit"]) in (0, 40)
    for case in result["cases"]:
        assert not case["failed"]
        assert not case["wrong"]
        assert set(case["absent"].values()) <= {"not asked for"}
        assert {summary.library(who) for who in case["runs"]} <= {"eigentropy", "numpy", "torch"}
        for columns in case["runs"].values():
            assert sorted(columns) == ["calls", "extra_bytes", "peak_bytes", "seconds"]
            assert columns["seconds"][0] > 0
    if name not in ("calls", "shapes"):
        stored = {name: json.loads(results.text(result))}
        assert tables.render(SHOWN.get(name, name), stored).count("\n") > 4


@pytest.mark.parametrize("name", ["dse", "calls"])
def test_users_calls_are_compared_with_all_eigenvalues(name):
    if not rounds.installed("dse-dsmi"):
        pytest.skip("dse-dsmi not installed: part of the group bench")
    settings = here(peers={"dse-dsmi"})
    settings.repetitions = 2
    small = {"dse": cases.SUITES["dse"], "calls": SMALL["calls"]}
    (case,) = suite.run_suite(name, [40], settings, suites=small)["cases"]
    assert not case["wrong"]
    assert case["differences"]["eigentropy exact"] == 0.0
    assert "dse-dsmi float32" in case["runs"]
    # What users get is another number than the peer's, and compared with none of its answers.
    assert case["differences"]["eigentropy"] <= 1e-3
    rounds_of = {who: len(columns["seconds"]) for who, columns in case["runs"].items()}
    assert rounds_of.pop("eigentropy exact") == 1
    assert set(rounds_of.values()) == {2}
    found = {suite: {"cases": []} for suite in tables.CALLS} | {name: {"cases": [case]}}
    assert tables.render("speed", found).count("\n") == 3


def test_a_wrong_answer_of_a_user_s_call_is_reported(tmp_path):
    contenders = next(cases.dse([60])).contenders
    answers = {"eigentropy exact": 8.0, "eigentropy": 8.01, "eigentropy compat": 7.0}
    for contender in contenders:
        if contender.name in answers:
            answer = np.asarray(answers[contender.name])
            np.save(rounds.answer_file(contender, tmp_path), answer)
    differences = rounds.compare(contenders, tmp_path)
    (ours,) = (contender for contender in contenders if contender.name == "eigentropy")
    assert differences["eigentropy"] == pytest.approx(0.01 / 8.0)
    assert not differences["eigentropy"] <= ours.tolerance


def settings_for(contender):
    """MKL takes its threads from the environment of its process."""
    return tiny() if "mkl" in contender.needs else here()


def contenders():
    every = [*cases.single_matrix_solvers(), *next(cases.batch([9])).contenders]
    return {f"{contender.name}-{i}": contender for i, contender in enumerate(every)}


@pytest.mark.parametrize("name", list(contenders()))
def test_every_solver_gives_the_eigenvalues_of_numpy(name, tmp_path, two_threads):
    contender = contenders()[name]
    missing = [needed for needed in contender.needs if not rounds.installed(needed)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: part of the group bench")
    B = np.random.default_rng(0).normal(size=(3, 40, 40))
    A = B + B.swapaxes(1, 2)
    if contender in cases.single_matrix_solvers():
        A = A[0]
    np.save(tmp_path / "input.npy", A)
    found = answer(contender, tmp_path, settings_for(contender))
    assert rounds.difference(found, np.linalg.eigvalsh(A)) <= 1.0


@pytest.mark.parametrize("library", ["numpy", "torch", "openblas", "mkl"])
def test_every_product_is_a_product(library, tmp_path):
    contender = {one.name: one for one in cases.products(37, "float32")}[library]
    contender = replace(contender, answer="answer")
    if not rounds.installed(contender.needs[0]):
        pytest.skip(f"{contender.needs[0]} not installed: part of the group bench")
    found = answer(contender, tmp_path, settings_for(contender))
    A = np.random.default_rng(0).normal(size=(37, 37)).astype(np.float32)
    assert np.allclose(found, A @ A.T, atol=1e-4)


ROWS = [
    {"data": name, "n": n, "t": {"1": {"bits": bits, "auto": "float32"}, "2": {"bits": 0.0}}}
    for name, n, bits in (("rows", 3, 1.5), ("digits", 4, None))
]


@pytest.mark.parametrize(
    "rows", [ROWS, ROWS[:1], [], [1.0, 2.0], [{}], [{"a": 1}, {"b": 2}], [{"a": [1]}, {"a": [2]}]]
)
def test_rows_come_back_from_their_columns(rows):
    stored = json.loads(results.text(results.to_columns(rows)))
    assert results.to_rows(stored) == rows


def test_rows_of_the_same_keys_become_columns_at_any_depth():
    columns = results.to_columns(ROWS)
    assert columns["t"]["1"]["bits"] == [1.5, None]
    assert columns["n"] == [3, 4]


def test_stored_text_is_json_with_short_parts_and_long_columns_on_one_line():
    value = {"short": {"a": [1, 2]}, "long": list(range(500)), "parts": [{"b": "x" * 200}] * 2}
    text = results.text(value)
    assert json.loads(text) == value
    assert [line.strip()[:8] for line in text.splitlines()] == [
        "{", '"short":', '"long": ', '"parts":', '{"b": "x', '{"b": "x', "]", "}",
    ]  # fmt: skip


def test_rounding_keeps_digits_at_any_depth_and_leaves_whole_numbers():
    value = {"a": [1.23456789e-7, (2**40 + 1, True)], "b": math.inf}
    assert results.rounded(value, 3) == {"a": [1.23e-7, [2**40 + 1, True]], "b": math.inf}


def test_differences_are_in_units_of_rounding_and_reject_nan_and_shapes():
    w, eps = np.array([4.0, 1.0]), np.finfo(float).eps
    assert rounds.difference(np.array([1.0, 4.0 + 16 * eps]), w) == 2.0
    assert rounds.difference(np.array(1.5), np.array(1.0)) == 0.5
    for bad in (np.array([4.0, math.nan]), np.array([4.0, 1.0, 1.0]), np.array(4.0)):
        assert not rounds.difference(bad, w) <= 1e300


def wrong_case(tolerance):
    spec = {"task": "eigenvalues", "solver": "eigentropy"}
    contender = cases.Contender("eigentropy", ("eigentropy",), spec, tolerance=tolerance)
    return cases.Case({"n": 5}, [contender], lambda path: np.save(path, np.eye(5)))


def test_an_answer_outside_its_tolerance_is_reported(tmp_path, capsys):
    assert rounds.run_case(wrong_case(0.0), here(), None)["wrong"] == []
    one_wrong = cases.Suite(lambda sizes: iter([wrong_case(-1.0)]), (5,), (5,))
    options = ["--suite", "dse", "--repetitions", "1", "--output", str(tmp_path)]
    assert suite.main(options, {"dse": one_wrong}) == 1
    captured = capsys.readouterr()
    assert "WRONG" in captured.out
    assert "answers disagree" in captured.err
    assert json.loads((tmp_path / "dse.json").read_text())["cases"][0]["wrong"] == ["eigentropy"]


def test_a_child_that_fails_is_recorded_with_its_last_words():
    case = wrong_case(0.0)
    case.contenders[0].spec["solver"] = "no such solver"
    measured = rounds.run_case(case, tiny(), None)
    assert measured["runs"] == {}
    assert measured["failed"] == {"eigentropy": "KeyError: 'no such solver'"}


def test_after_the_deadline_cases_are_skipped_and_named():
    result = suite.run_suite("dse", [40, 50], here(end=0.0))
    assert result["cases"] == []
    assert [one["n"] for one in result["skipped"]] == [40, 50]
    assert all(names(one["reason"], "time") for one in result["skipped"])


def test_a_round_that_would_end_after_the_deadline_is_not_begun(monkeypatch):
    calls = []

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    class Slow:
        def ask(self, request):
            calls.append(request)
            clock.now += 0.2
            return {"seconds": 0.2, "calls": 1, "peak_bytes": 1, "extra_bytes": 1}

        def close(self):
            pass

    clock = Clock()
    monkeypatch.setattr(rounds, "time", clock)
    settings = Settings(repetitions=9, start=lambda *_: Slow(), deadline=clock.now + 0.9)
    contender = cases.Contender("eigentropy", ("eigentropy",), {}, answer=None)
    measured = rounds.run_case(cases.Case({"n": 5}, [contender]), settings, None)
    assert len(calls) == 4  # the first one, and three rounds
    assert len(measured["runs"]["eigentropy"]["seconds"]) == 3


def test_slow_peers_are_dropped_at_large_sizes_only():
    case = cases.Case({"n": 100}, cases.single_matrix_solvers())
    everyone = tiny(peers={"numpy", "mkl"}, drop_from=101)
    assert "mkl syevd intel" not in rounds.too_slow(None, 2.0)
    absent = rounds.participants(case, everyone, CASE).absent
    assert "dropped" not in " ".join(absent.values())
    absent = rounds.participants(case, tiny(drop_from=100, drop=2.0), CASE).absent
    if rounds.installed("mkl"):
        assert absent == {
            "mkl syevd intel": "dropped: 10.0 times as slow as the best peer at n = 100"
        }
    assert not {"eigentropy", "numpy", "mkl syevd tbb"} & {
        name for name, reason in absent.items() if "dropped" in reason
    }


def test_what_steers_blas_is_removed_or_kept_and_recorded(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    clean, as_is = tiny(), tiny(as_is=True)
    assert "OPENBLAS_CORETYPE" not in clean.environment()
    assert clean.environment()["MKL_NUM_THREADS"] == "2"
    assert suite.environment(clean) == {"as_is": False, "blas_variables": {}}
    recorded = suite.environment(as_is)
    assert recorded["as_is"]
    assert recorded["blas_variables"]["OPENBLAS_CORETYPE"] == "Haswell"


def test_the_best_peer_is_that_with_the_shortest_median():
    assert summary.best_peer(CASE) == "numpy"
    assert summary.best_of(CASE, "mkl") == "mkl syevd tbb"
    assert summary.best_of(CASE, "torch") is None
    assert summary.speedup(CASE, "numpy") == pytest.approx((1.5 + 4.0) / 2)
    assert summary.share_of_product(RESULTS["eigenvalues"], CASE) == pytest.approx(
        4 / 3 * 1e6 / 1e9 / 1.5
    )


def test_tables_have_the_figures_of_the_results():
    assert tables.render("eigenvalues", RESULTS).splitlines() == [
        "| n | precision | eigentropy | of the product's rate | best peer | over it | over NumPy "
        "| over SciPy | over PyTorch | over OpenBLAS | over MKL | error |",
        "|" + " --- |" * 12,
        "| 100 | float64 | 1.5 s | 0 % | numpy, 3.5 s | 2.8x | 2.8x |  |  |  | 4.2x | 2e-03 |",
    ]
    assert tables.render("dse", RESULTS).splitlines()[2] == (
        "| 100 | 512 | 500 ms | 250 ms | 2 s | 4.0x | 8.0x | 1.10 | 0.50 | 5.00 | 2e-15 | 1e-05 |"
    )
    assert tables.render("dsmi", RESULTS) is None


def test_the_table_of_calls_has_the_faster_setting_of_the_peer():
    step = {"call": "Monitor.step()", "n": 9, "d": 3, "classes": 2, "differences": {}}
    step["runs"] = {"eigentropy": runs(0.01), "dse-dsmi": runs(0.03, extra_bytes=2**20)}
    none = {"calls": {"cases": []}, "monitor": {"cases": []}}
    found = {**RESULTS, **none, "monitor": {"cases": [step]}}
    assert tables.render("speed", found).splitlines()[2:] == [
        "| `eg.dse(Z)` | 100 | 512 |  | 100 ms | 1 s | 10.0x | 1 MiB | 3 MiB | 3e-04 |",
        "| `Monitor.step()` | 9 | 3 | 2 | 10 ms | 30 ms | 3.0x | 0 MiB | 1 MiB |  |",
    ]
    only_compat = {"cases": [{**ENTROPY, "runs": {"eigentropy compat": runs(1.0)}}]}
    assert tables.render("speed", {**none, "dse": only_compat}) is None


def test_a_document_gets_the_tables_that_there_are():
    document = (
        "a\n<!-- benchmark: dse -->\nold\n<!-- end of benchmark -->\n"
        "b\n<!-- benchmark: dsmi -->\nkept\n<!-- end of benchmark -->\n"
    )
    updated = tables.updated(document, RESULTS)
    assert "old" not in updated
    assert updated == document.replace("old\n", tables.render("dse", RESULTS))
    assert tables.updated(updated, RESULTS) == updated


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/explanations/performance.md",
        "docs/explanations/stochastic.md",
        "docs/how_to/many_rows.md",
        "docs/explanations/baselines.md",
        "docs/explanations/estimators.md",
        "docs/explanations/mathematics.md",
        "docs/how_to/report.md",
        "docs/explanations/gradient.md",
        "docs/how_to/training.md",
        "docs/how_to/uncertainty.md",
    ],
)
def test_the_documents_show_the_stored_results(document):
    text = (ROOT / document).read_text()
    assert "<!-- benchmark: " in text
    assert " -->\n<!-- end of benchmark" not in text  # a table that was not measured
    assert tables.updated(text, tables.load(tables.RESULTS)) == text


BLOCK = re.compile(r"<!-- (?:benchmark|study): .*?<!-- end of \w+ -->", re.DOTALL)
MEASURED = re.compile(r"^\|.*\|\s*~?[\d.,]+ (?:us|ms|s|min|MB|MiB|GB)\s*\|", re.MULTILINE)


@pytest.mark.parametrize("document", sorted((ROOT / "docs").rglob("*.md")), ids=lambda d: d.stem)
def test_no_table_of_measurements_is_copied_by_hand(document):
    assert MEASURED.search("| n | time |\n| 1000 | 26 ms |\n")
    assert not MEASURED.search(BLOCK.sub("", document.read_text()))


def test_the_figure_draws_the_fastest_driver_of_each_library():
    figure = plot.draw(RESULTS)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert set(lines) == {"eigentropy", "NumPy", "MKL"}
    assert lines["MKL"].get_ydata().tolist() == [5.5]
    assert lines["MKL"].get_xdata().tolist() == [100]
    times = {line.get_label(): line.get_ydata().tolist() for line in figure.axes[2].get_lines()}
    assert times == {"eg.dse(Z)": [0.1], "eigentropy.compat": [0.5], "dse-dsmi": [1.0]}
    plot.plt.close(figure)


def test_stages_of_the_solver_are_read_from_google_benchmark():
    name = "dense_to_band<float>/n:1000/width:32/threads:2/real_time"

    def entry(milliseconds, run_type="iteration", **more):
        times = {"real_time": milliseconds, "time_unit": "ms"}
        return {"name": name, "run_name": name, "run_type": run_type, **times, **more}

    entries = [entry(10.0), entry(30.0), entry(20.0), entry(1.0, "aggregate")]
    wanted = stages.names([1000], 2)
    assert stages.read({"benchmarks": entries}, wanted) == [
        {"n": 1000, "dtype": "float32", "stage": "dense to band", "seconds": 0.02}
    ]
    with pytest.raises(ArithmeticError, match="wrong result"):
        stages.read({"benchmarks": [entry(1.0, error_message="wrong result")]}, wanted)


def test_the_program_has_the_stages_that_are_asked_for():
    if not stages.PROGRAM.exists():
        pytest.skip("the C++ microbenchmarks are not built")
    wanted = stages.names(list(cases.SUITES["stages"].full_sizes), 2)
    listed = subprocess.run(
        [stages.PROGRAM, stages.exactly(wanted), "--benchmark_list_tests"],
        env={**os.environ, "EIGENTROPY_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert set(listed) == set(wanted)


STOCHASTIC = {
    "n": 100,
    "d": 512,
    "tol": 1e-3,
    "runs": {
        "eigentropy float32": runs(2.0, extra_bytes=2 * 2**20),
        "eigentropy stochastic": runs(0.1, extra_bytes=3 * 2**20),
        "eigentropy auto": runs(0.2, extra_bytes=4 * 2**20),
        "dse-dsmi": runs(10.0, extra_bytes=50 * 2**20),
    },
    "differences": {"eigentropy stochastic": 2e-4, "eigentropy auto": 3e-4, "dse-dsmi": 1e-7},
}


def test_the_table_of_estimates_has_relative_differences_and_memory():
    rendered = tables.render("stochastic", {"stochastic": {"cases": [STOCHASTIC]}})
    assert rendered.splitlines()[2] == (
        "| 100 | 512 | 100 ms | 200 ms | 2 s | 10 s | 100.0x | 50.0x | 5.0x "
        "| 3 | 4 | 2 | 50 | 2e-04 | 3e-04 |"
    )


def test_a_relative_tolerance_is_a_share_of_the_reference(tmp_path):
    contenders = [
        cases.Contender(name, ("eigentropy",), {}, relative=relative)
        for name, relative in (("first", True), ("share", True), ("absolute", False))
    ]
    for contender, answer in zip(contenders, (8.0, 8.4, 8.4), strict=True):
        np.save(rounds.answer_file(contender, tmp_path), np.asarray(answer))
    differences = rounds.compare(contenders, tmp_path)
    assert differences == {
        "first": 0.0,
        "share": pytest.approx(0.05),
        "absolute": pytest.approx(0.4),
    }


def accuracy_row(error=1e-4, covered=0.95, seeds=200):
    return {
        "data": "rows",
        "n": 9,
        "alpha": 0.5,
        "t": 1.0,
        "seeds": seeds,
        "median_relative_error": error,
        "covered": covered,
    }


def test_medians_above_the_tolerance_and_bad_coverage_are_named():
    assert stochastic_accuracy.inexact([accuracy_row(), accuracy_row(1e-3)]) == []
    for error in (1.1e-3, math.nan):
        assert stochastic_accuracy.inexact([accuracy_row(error)]) == ["rows, n=9, alpha=0.5, t=1"]
    assert stochastic_accuracy.badly_covered([accuracy_row()]) == []
    for covered in (0.895, 0.995, math.nan):
        row = accuracy_row(covered=covered)
        assert stochastic_accuracy.badly_covered([row]) == ["rows, n=9, alpha=0.5, t=1"]
        assert stochastic_accuracy.badly_covered([{**row, "seeds": 20}]) == []
    found = stochastic_accuracy.overall(
        [accuracy_row(4e-4), accuracy_row(6e-4)],
        [accuracy_row(covered=0.92), accuracy_row(covered=0.98)],
    )
    assert found["largest_median_relative_error"] == 6e-4
    assert found["share_of_medians_within_aim"] == 0.5
    assert found["covered"] == pytest.approx(0.95)
    assert len(found["outside_of_aim"]) == 2
    assert not found["above_tol"]
    assert not found["badly_covered"]


def test_the_summary_of_seeds_has_medians_and_shares():
    runs = [
        {
            "relative_error": error,
            "stated": 2.0,
            "covered": covered,
            "met": True,
            "probes": 16,
            "products": 5,
            "columns": columns,
        }
        for error, covered, columns in ((1.0, True, 160), (5.0, False, 320), (2.0, True, 160))
    ]
    found = stochastic_accuracy.summary(runs)
    assert (found["median_relative_error"], found["largest_relative_error"]) == (2.0, 5.0)
    assert found["covered"] == pytest.approx(2 / 3)
    assert (found["median_products"], found["median_columns"]) == (5.0, 160.0)


def test_accuracy_is_measured_at_every_t():
    rows = list(stochastic_accuracy.measure(estimates.data_sets(300)[1], 0.5, 2, tol=1e-2))
    assert [row["t"] for row in rows] == [1.0, 2.0, 3.5]
    for row in rows:
        assert row["seeds"] == 2
        assert row["median_relative_error"] < 1e-2
        assert row["median_columns"] >= 32 * row["median_products"] > 0


def test_an_operator_counts_its_products():
    data = estimates.data_sets(300)[0]
    A = estimates.products(data, 0.5, explicit=False)
    V = np.ones((300, 3), dtype=np.float32)
    assert np.allclose(A.matmul(V), estimates.products(data, 0.5, explicit=True).matmul(V))
    A.matmul(V[:, :2].copy())
    assert (A.calls, A.columns) == (2, 5)


def test_the_slope_is_the_power():
    n = np.array([10.0, 20.0, 50.0, 100.0])
    assert large.slope(n, 3e-6 * n**2.25) == pytest.approx(2.25)
    assert math.isnan(large.slope(n[:1], n[:1]))


def test_what_is_too_slow_too_large_or_wrong_is_named():
    fine = {"n": 9, "seconds": 599.0, "peak_bytes": 1.9e9, "meets_tol": True}
    known = {"name": "copies", "n": 9, "t": {"1": {"agrees": True}}}
    assert large.faults(2.05, fine, [known]) == []
    assert large.faults(math.nan, None, []) == []
    wrong = {"seconds": 601.0, "peak_bytes": 2.1e9, "meets_tol": False}
    missed = {**known, "t": {"1": {"agrees": False}}}
    assert len(large.faults(2.2, {**fine, **wrong}, [missed])) == 5


def test_large_cases_are_measured_alone(capsys, tmp_path):
    file = tmp_path / "large.json"
    none = ["--middle", "0", "--largest", "0", "--known", "0"]
    large.main(["--sizes", "300", *none, "--output", str(file)])
    found = json.loads(file.read_text())
    assert found["largest"] is None
    assert found["sizes"][0]["columns"] >= 32 * (found["sizes"][0]["passes"] - 2) > 0
    assert found["sizes"][0]["peak_bytes"] > 1e6
    assert "n =    300" in capsys.readouterr().out


def test_predictions_are_compared_as_ratios():
    found = approaches.compared(
        {"exact": 6.0, "explicit": 1.0, "matrix-free": 3.0},
        {"exact": 9e12, "explicit": 3e12, "matrix-free": 3e12},
        "matrix-free",
    )
    assert found["predicted_over_measured"] == {"explicit": 0.5, "matrix-free": 1.5}
    assert found["fastest"] == "explicit"
    assert found["chosen_over_fastest"] == 3.0
    row = {"n": 9, "d": 2, **found}
    assert approaches.wrong_predictions([row], 2.5) == []
    assert approaches.wrong_predictions([row], 1.9) == ["n = 9, d = 2, explicit: 0.50"]
    row["costs"] = {name: cost / 1e3 for name, cost in row["costs"].items()}
    assert approaches.wrong_predictions([row], 1.9) == []


def test_the_three_ways_find_one_entropy():
    row = approaches.measure(300, 20, 1)
    bits = row["bits"]
    assert bits["explicit"] == pytest.approx(bits["exact"], rel=5e-3)
    assert bits["matrix-free"] == pytest.approx(bits["explicit"], rel=1e-5)
    assert row["chosen"] == "exact"


def test_the_table_of_the_report_page():
    drawn = {"median": 123.4, "most": 1500.0, "rounds": 10}
    known = {"epochs": 200, "layers": 8, "bytes": 1_234_567, "rendered_milliseconds": drawn}
    assert tables.render("report page", {"report_page": known}).splitlines()[::2] == [
        "| epochs x layers | page | drawn after | slowest of 10 |",
        "| 200 x 8 | 1.23 MB | 123 ms | 1.5 s |",
    ]


def test_the_table_of_units_has_both_times_and_sizes():
    spent = {"without": 0.25, "with": 0.26}
    known = {"layers": 3, "width": 1024, "samples": 500, "bytes_a_step": 787_404}
    results = {"units_cost": {**known, "page_bytes": 15_448, "seconds": spent}}
    assert tables.render("units", results).splitlines()[2] == (
        "| 3 x 1024 | 500 | 250 ms | 260 ms | 0.79 MB | 15 kB |"
    )


def test_the_table_of_a_monitor_has_both_ways_in_one_row():
    common = {"network": "small", "batch": 32, "layers": 1, "median_seconds": {"without": 0.25}}
    ways = [
        {**common, "way": "probe", "share": 0.304, "every": 7},
        {**common, "way": "evaluation", "share": 0.041, "every": 1},
    ]
    lines = tables.render("monitor", {"monitor_cost": {"cases": ways}}).splitlines()
    assert len(lines) == 3
    assert lines[2] == ("| small | 32 | 1 | 250 ms | 30.4 % | every=7 | 4.1 % | every=1 |")


def test_a_monitor_of_a_loop_of_its_own_or_of_the_evaluation():
    tiny = {"tiny": lambda: monitor_cost.three_layers(2)}
    for way in ("probe", "evaluation"):
        case = monitor_cost.case(
            "tiny", batch=600, layers=3, way=way, rounds=1, samples=60, networks=tiny
        )
        assert case["every"] >= 1
        assert case["way"] == way
        assert case["median_seconds"].keys() == {"without", "with"}


def test_rounding_to_half_is_measured_and_held_against_the_rule(tmp_path, capsys):
    file, wanted = tmp_path / "half.json", ("gaussian d=20", "swiss roll sigma=10")
    chosen = [data for data in estimates.data_sets(260) if data.name in wanted]
    half_kernel.main(["--sizes", "260", "--output", str(file)], data=lambda n: chosen)
    rows = results.to_rows(json.loads(file.read_text())["rows"])
    at_one = {row["data"]: row["t"]["1"] for row in rows}
    assert at_one["gaussian d=20"]["allowed"]
    assert not at_one["swiss roll sigma=10"]["allowed"]
    assert 0.0 < at_one["gaussian d=20"]["exact"] < 1e-4 < at_one["swiss roll sigma=10"]["exact"]
    assert "refused" in capsys.readouterr().out
    wrong = {"data": "x", "n": 9, "t": {"1": {"allowed": True, "exact": 1.0, "estimate": 0.0}}}
    assert half_kernel.faults([wrong]) == ["x, n = 9, t = 1: changes by 1.0e+00"]


def test_errors_and_p_values_are_measured(tmp_path, capsys):
    pytest.importorskip("sklearn")
    from benchmarks.accuracy import uncertainty

    file = tmp_path / "uncertainty.json"
    uncertainty.main(["--output", str(file)], count=2)
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert found["smallest_p"]["subjects, all rows"] == 2
    assert found["sampling_error"]["README"]["times"] > 1.0


def test_intervals_of_few_partitions_are_measured(tmp_path, capsys, monkeypatch):
    pytest.importorskip("sklearn")
    from benchmarks.accuracy import partitions

    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    sets = [partitions.Data(f"{k}", bool(k), rng.normal(size=(60, 3)), y) for k in range(2)]
    monkeypatch.setattr(partitions, "data_sets", lambda: iter(sets))
    file = tmp_path / "partitions.json"
    partitions.main(["--output", str(file)], seeds=6)
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    counts = [cell["partitions"] for cell in found["coverage"] if cell["kept_apart"]]
    assert counts == sorted(counts)  # smaller tolerances take more
    assert counts[0] < 10 < counts[-1]
    assert found["kept_apart"]["cells"] == len(partitions.SHARES)
    assert found["p_values"][0]["orders"] == 30


def test_predictions_for_more_rows_are_measured(tmp_path, capsys, monkeypatch):
    from benchmarks.accuracy import convergence

    monkeypatch.setattr(convergence, "TO", 600)
    monkeypatch.setattr(convergence, "DATA", {"blobs": convergence.DATA["blobs"]})
    file = tmp_path / "convergence.json"
    convergence.main(["--output", str(file)], count=2)
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert found["predicted"]["blobs, dse"]["covered"] == 2
    assert found["known limits"]["mean"] == {"limits": 20, "covered": 19, "of": 20}


def test_a_picture_is_stored_smaller_and_looks_the_same(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    path = tmp_path / "picture.png"
    rng = np.random.default_rng(0)
    greys = rng.integers(0, 250, (100, 100, 1)) + rng.integers(0, 5, (100, 100, 3))
    pixels = greys.astype(np.uint8)
    pixels[:2, :2] = [200, 0, 0]  # a rare colour
    Image.fromarray(pixels).save(path)
    before = path.stat().st_size
    assert pictures.store(path)
    assert path.stat().st_size < before
    stored = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert np.abs(stored - pixels).max() <= 24
    assert not pictures.store(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_a_transparent_picture_is_left_as_it_is(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    path = tmp_path / "picture.png"
    Image.fromarray(np.full((9, 9, 4), 99, dtype=np.uint8)).save(path)
    before = path.read_bytes()
    assert not pictures.store(path)
    assert path.read_bytes() == before
