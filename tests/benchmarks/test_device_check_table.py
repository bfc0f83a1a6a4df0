"""The table of what must hold on a GPU."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchmarks.device_check import holding, results
from benchmarks.device_check.__main__ import report
from checked_calls import gigabytes, measured, passed, verdicts


def test_values_within_their_limits_hold():
    found = verdicts(measured())
    assert set(found.values()) == {holding.HOLDS, holding.INFORMATION}
    assert found["eigenvalues, n = 8000, float32"] == holding.INFORMATION
    # The fastest way counts, by its share of its own limit.
    assert found["matrix_free<float>, d = 784, m = 64, by registers"] == holding.HOLDS


def test_warpgroups_count_where_they_are_the_fastest_way():
    files = measured()
    for one in files["products"]["benchmarks"]:
        if one["name"].startswith("matrix_free<float>/warpgroups/"):
            one["real_time"], one["of_limit"] = 10.0, 0.3
    found = verdicts(files)
    assert found["matrix_free<float>, d = 784, m = 64, by warpgroups"] == holding.FAILS


@pytest.mark.parametrize(
    ("path", "value", "row"),
    [
        (
            ("agreement", "agreement", 0, "relative_difference"),
            1e-9,
            "agreement with the CPU, float64",
        ),
        (
            ("agreement", "agreement", 1, "relative_difference"),
            float("nan"),
            "agreement with the CPU, float32",
        ),
        (
            ("agreement", "agreement", 2, "relative_difference"),
            1e-3,
            "agreement with the CPU, float32",
        ),
        (("estimates", "cases", 0, "seconds", "eigentropy"), 0.06, "tol = 1e-3, n = 10000,"),
        (("estimates", "cases", 1, "seconds", "eigentropy"), 11.0, "tol = 1e-3, n = 200000,"),
        (("million", "cases", 0, "seconds", "eigentropy"), 130.0, "tol = 1e-3, n = 1000000,"),
        (
            ("million", "cases", 0, "peak_bytes", "eigentropy"),
            gigabytes(40),
            "memory of an estimate",
        ),
        (("entropies", "cases", 0, "peak_bytes", "eigentropy"), 8 * 10**9, "memory of an exact"),
        (("entropies", "cases", 0, "speed", "torch"), 1.4, "DSE, n = 10 000"),
        (("entropies", "cases", 1, "speed", "torch loop"), 9.0, "DSMI"),
        (("products", "benchmarks", 0, "of_limit"), 0.3, "matrix_free<double>, d = 128, m = 32"),
    ],
)
def test_a_value_beyond_its_limit_fails(path, value, row):
    files = measured()
    at = files
    for key in path[:-1]:
        at = at[key]
    assert path[-1] in at
    at[path[-1]] = value
    failing = [what for what, verdict in verdicts(files).items() if verdict == holding.FAILS]
    assert len(failing) == 1
    assert failing[0].startswith(row)


@pytest.mark.parametrize("step", sorted(measured()))
def test_what_is_missing_is_unknown_and_says_why(step):
    files = measured()
    del files[step]
    outcomes = [
        dataclasses.replace(one, status="cut", why="at its limit of 30 s")
        if one.name == step
        else one
        for one in passed("one")
    ]
    rows = list(holding.ROWS["one"](holding.Findings(files, outcomes)))
    unknown = [row for row in rows if row.verdict == holding.UNKNOWN]
    if step in ("solvers", "eigenvalues", "costs"):  # which inform
        assert not unknown
    else:
        assert unknown
        assert {row.value for row in unknown} == {"cut: at its limit of 30 s"}
    assert not [row for row in rows if row.verdict == holding.FAILS]


def test_without_torch_the_comparison_is_unknown_and_the_rest_holds():
    files = measured()
    for case in files["entropies"]["cases"]:
        case["speed"] = {}
    found = verdicts(files)
    unknown = {what[:4] for what, verdict in found.items() if verdict == holding.UNKNOWN}
    assert unknown == {"DSE,", "DSMI"}


def monitored():
    steps = {"host": 0.009, "background": 0.0021, "gpu": 0.004}
    others = {"host": 0.004, "background": 0.002, "gpu": 0.002}
    return {"samples": 2048, "every": 4, "measured_step": steps, "other_step": others}


@pytest.mark.parametrize(
    ("way", "seconds", "row"),
    [
        ("gpu", 0.01, "monitor of 2048 samples: a step measured on the GPU"),
        ("background", 0.003, "monitor of 2048 samples in the background"),
    ],
)
def test_a_monitor_that_costs_too_much_fails(way, seconds, row):
    def of_monitors(case):
        found = verdicts({"monitor": {"cases": [case]}}, call="two")
        return {what: verdict for what, verdict in found.items() if what.startswith("monitor")}

    case = monitored()
    assert set(of_monitors(case).values()) == {holding.HOLDS}
    case["measured_step"][way] = seconds
    found = of_monitors(case)
    assert [what.startswith(row) for what, v in found.items() if v == holding.FAILS] == [True]
    # Where the host takes longer than until the next measurement, the background cannot keep up.
    case["measured_step"]["host"] = 1.0
    assert len(of_monitors(case)) == 1


def test_a_missing_sanitizer_is_unknown_and_a_finding_fails():
    outcomes = passed("two")
    for one in outcomes:
        if one.name == "memcheck":
            one.status, one.why = "not run", "compute-sanitizer is missing"
        if one.name == "racecheck":
            one.status, one.why = "failed", "exit status 1"
    found = verdicts({}, outcomes, "two")
    assert found["memcheck: no bad access"] == holding.UNKNOWN
    assert found["racecheck: no race"] == holding.FAILS


def test_what_is_printed_last_is_no_longer_than_what_is_kept(tmp_path, written):
    for name, content in measured().items():
        (written / f"{name}.json").write_text(json.dumps(content))
    outcomes = [dataclasses.replace(one, why="x" * 5000) for one in passed("one")]
    text, _ = report("one", tmp_path, outcomes)
    assert len(text) <= holding.MOST_CHARACTERS == 12_000
    assert text.splitlines()[-1].startswith("Of what must hold: ")
    many = [holding.Row(f"row {i}", "x" * 500, "<= 1", holding.HOLDS) for i in range(900)]
    table = holding.table(many)
    assert len(table) <= holding.MOST_CHARACTERS
    assert table.endswith("900 hold, 0 fail, 0 unknown.")


def test_a_stored_call_can_be_read_again(tmp_path, written):
    for name, content in measured().items():
        (written / f"{name}.json").write_text(json.dumps(content))
    report("one", tmp_path, passed("one"))
    assert verdicts(results.stored(tmp_path / "results.json")) == verdicts(measured())
