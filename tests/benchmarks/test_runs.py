"""What stands below a table: which run each row is of, on which machine, and who is missing."""

from __future__ import annotations

import json

import pytest

from benchmarks.documents import runs, tables
from messages import names


def machine(date, commit, **more):
    return {
        "date": f"{date}T01:02:03+00:00",
        "commit": commit * 8,
        "uncommitted_changes": False,
        "processor": "A processor",
        "threads": 2,
        "instruction_set": "avx512",
        **more,
    }


def measured(n, seconds, dtype="float64", **more):
    runs = {"eigentropy": {"seconds": [seconds]}, "numpy": {"seconds": [3.0 * seconds]}}
    known = {"n": n, "count": 9, "dtype": dtype, "runs": runs, "differences": {}}
    return {**known, "absent": {}, "failed": {}, **more}


def product(seconds):
    runs = {"numpy": {"seconds": [seconds]}}
    known = {"task": "product", "n": 1000, "dtype": "float64", "runs": runs}
    return {**known, "differences": {}, "absent": {}, "failed": {}}


NEW = {
    "machine": machine("2026-12-01", "abcdef12"),
    "cases": [product(2.0), measured(50, 1.0)],
    "skipped": [],
}
OLD = {
    "machine": machine("2026-11-01", "12345678", threads=1),
    "cases": [product(4.0), measured(50, 5.0), measured(500, 7.0)],
    "skipped": [],
}


def lines(text):
    return [line for line in text.splitlines() if line]


def test_a_row_is_that_of_the_newest_run():
    for order in ([NEW, OLD], [OLD, NEW]):
        found = runs.joined(order)
        rows = [case for case in found["cases"] if case.get("task") != "product"]
        assert [(case["n"], case["runs"]["eigentropy"]["seconds"]) for case in rows] == [
            (50, [1.0]),
            (500, [7.0]),
        ]
        assert found["machine"]["date"].startswith("2026-12")


def test_rows_of_another_run_are_named_with_it():
    found = runs.joined([NEW, OLD])
    of_new, of_old = lines(runs.below({"batch": found}))
    assert names(of_new, "2026-12-01", "abcdef12", "A processor", "AVX-512", "2 threads")
    assert names(of_old, "2026-11-01", "12345678", "A processor", "AVX-512", "1 thread", "n = 500")
    assert not names(of_old, "n = 50")
    one = runs.joined([NEW])
    assert lines(runs.below({"batch": one})) == [of_new]


def test_the_share_of_the_product_is_that_of_the_row_s_own_run():
    rendered = lines(tables.render("eigenvalues", {"eigenvalues": runs.joined([NEW, OLD])}))
    # (4/3) n^3 operations at the rates 1e9 and 5e8: of 1 s and of 7 s.
    shares = [line.split(" | ")[3] for line in rendered[2:4]]
    assert shares == [f"{100 * 4 / 3 * n**3 / rate / t:.0f} %" for n, rate, t in RATES]


RATES = [(50, 1e9, 1.0), (500, 5e8, 7.0)]


def test_changes_that_are_not_committed_are_said():
    changed = {**NEW, "machine": machine("2026-12-01", "abcdef12", uncommitted_changes=True)}
    assert names(runs.below({"batch": changed}), "not committed")
    assert not names(runs.below({"batch": NEW}), "not committed")


def test_who_is_missing_is_named_with_the_reason():
    failed = measured(50, 1.0, failed={"torch": "RuntimeError: a | b", "mkl": "gone"})
    other = measured(60, 1.0, absent={"mkl": "gone", "x": "dropped: 2.0 times as slow"})
    skipped = {"n": 70, "count": 9, "dtype": "float64", "reason": "late"}
    result = {**NEW, "cases": [failed, other], "skipped": [skipped]}
    of_torch, of_mkl, of_skipped = lines(runs.below({"batch": result}))[1:]
    assert names(of_torch, "torch", "n = 50", "RuntimeError", "a", "b")
    assert "|" not in of_torch  # it would begin a cell of a table
    assert names(of_mkl, "mkl", "gone")
    assert not names(of_mkl, "n")  # in all rows
    assert names(of_skipped, "n = 70", "late")


def test_a_row_is_named_by_what_differs():
    cases = [measured(50, 1.0), measured(50, 1.0, "float32"), measured(60, 1.0)]
    cases[1]["failed"] = cases[2]["failed"] = {"torch": "gone"}
    (line,) = lines(runs.below({"batch": {"cases": cases}}))
    assert names(line, "torch", "gone")
    assert "n = 50, float32; n = 60" in line
    assert not names(line, "float64")


def test_a_case_that_another_run_has_is_not_missing():
    skipped = [{"n": n, "count": 9, "dtype": "float64", "reason": "late"} for n in (500, 600)]
    found = runs.joined([{**NEW, "skipped": skipped}, OLD])
    assert [one["n"] for one in found["skipped"]] == [600]


def test_the_lines_of_several_results_name_them_where_they_differ():
    both = runs.below({"dse": NEW, "calls": OLD})
    assert [line.split(":")[0] for line in lines(both)] == ["`dse`", "`calls`"]
    assert len(lines(runs.below({"dse": NEW, "calls": NEW}))) == 1
    assert runs.below({"dse": {"cases": []}}) == ""


def test_stages_of_each_n_come_from_the_newest_run():
    def solver(n, seconds):
        return {"n": n, "dtype": "float64", "stage": "tridiagonal", "seconds": seconds}

    new = {**NEW, "solver": [solver(50, 1.0)]}
    old = {**OLD, "solver": [solver(50, 2.0), solver(500, 3.0)]}
    found = runs.joined([new, old])["solver"]
    assert [(part["n"], part["seconds"]) for part in found] == [(50, 1.0), (500, 3.0)]
    none = {**NEW, "solver": "not measured: the C++ microbenchmarks are not built"}
    assert [part["n"] for part in runs.joined([none, old])["solver"]] == [50, 500]


def test_both_forms_of_a_suite_are_loaded(tmp_path):
    for file, of in (("batch.json", NEW), ("batch.full.json", OLD)):
        without = [case for case in of["cases"] if case.get("task") != "product"]
        (tmp_path / file).write_text(json.dumps({**of, "cases": without}))
    (tmp_path / "batch.unfinished.json").write_text("{")
    found = tables.load(tmp_path)
    assert list(found) == ["batch"]
    rendered = tables.render("batch", found)
    assert [line.split(" | ")[1] for line in lines(rendered)[2:4]] == ["50", "500"]
    assert rendered.count("Of another run") == 1
    document = "<!-- benchmark: batch -->\n<!-- end of benchmark -->\n"
    assert rendered in tables.updated(document, found)


@pytest.mark.parametrize("name", ["monitor step", "largest"])
def test_the_tables_of_calls(name):
    step = {"call": "Monitor.step()", "n": 1000, "d": 128, "classes": 10, "differences": {}}
    times = {"eigentropy": 0.009, "eigentropy outside": 0.001, "dse-dsmi": 0.09}
    step["runs"] = {who: {"seconds": [seconds]} for who, seconds in times.items()}
    rows = {"call": "eg.dse(Z)", "n": 100_000, "d": 128, "tol": 1e-3, "runs": step["runs"]}
    found = {"monitor": {"cases": [step]}, "largest": {"cases": [rows]}}
    expected = {
        "monitor step": "| 1000 | 128 | 9 ms | 1 ms | 90 ms | 10.0x |",
        "largest": "| 100000 | 128 | 0.001 | 9 ms |",
    }
    assert lines(tables.render(name, found))[2] == expected[name]


def test_the_reductions_are_those_of_all_threads():
    names = [f"eigenvalues<double, Reduction::lapack>/n:64/threads:{t}/real_time" for t in (1, 4)]
    columns = {"name": names, "milliseconds": [9.0, 5.0]}
    result = {"machine": machine("2026-12-01", "abcdef12", threads=4), "runs": columns}
    assert lines(tables.render("reductions", {"reductions": result}))[2] == "| 64 |  |  | 5 |"
    result["runs"] = "not measured: the C++ microbenchmarks are not built"
    assert tables.render("reductions", {"reductions": result}) is None
