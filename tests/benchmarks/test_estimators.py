"""The machinery of `make bench-estimators`, at sizes that take no time. No test looks at time."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from benchmarks.accuracy import dependence
from benchmarks.compare import estimator_peers, estimators, requirements, rounds
from benchmarks.documents import estimator_tables, plot_estimators, tables
from benchmarks.shared.results import to_columns
from eigentropy.studies.corruption import MINE_QUICK


def options(tmp_path, names=("DSMI",), **changed):
    chosen = {
        "rounds": 1,
        "limit": 1e3,
        "deadline": math.inf,
        "scratch": tmp_path,
        "estimators": {name: estimator_peers.ESTIMATORS[name] for name in names},
        "options": {"mine": {**MINE_QUICK, "epochs": 1}},
        "settings": rounds.Settings(threads=2, enough_seconds=0.0),
        "measure": here,
    }
    return estimators.Options(**{**chosen, **changed})


def here(name, path, n, seed, given):
    """A measurement in this process, which has loaded what the estimators need."""
    measured = estimator_peers.measured(estimators.specification(name, path, n, seed, given))
    return {**measured, "bytes": measured.pop("bytes_before")}


def run(seconds, value=1.5, size=3e6, seed=0):
    return {"seed": seed, "value": value, "seconds": seconds, "calls": 1, "bytes": size}


def cell(n, d, runs, **not_run):
    columns = {name: to_columns(measured) for name, measured in runs.items()}
    return {"n": n, "d": d, "runs": columns, "not_run": not_run}


PREDICTED = {"reason": "not run: predicted 900 s", "predicted_seconds": 900.0}
# At the cell that is judged NPEET takes 40 times as long, dse-dsmi 4 times in its better precision.
RESULT = {
    "cells": [
        cell(
            2000,
            20_000,
            {
                "DSMI": [run(1.0), run(2.0)],
                "DSMI sqrt-d": [run(2.0)],
                "dse-dsmi": [run(4.0, -1e-15), run(8.0, 1e-16)],
                "dse-dsmi float32": [run(9.0)],
                "NPEET mi": [run(40.0)],
            },
        ),
        {**cell(5000, 500_000, {"DSMI": [run(99.0, 1.4, 1.5e9)]}), "not_run": {"MINE": PREDICTED}},
    ],
    "dependence": [
        {
            "data": "blobs",
            "setting": "t = 2",
            "dse": 3.0,
            "dsmi_z_z": 1.0,
            "dsmi": 0.5,
            "adjusted": math.nan,
        }
    ],
}


@pytest.mark.parametrize("name", list(estimator_peers.ESTIMATORS))
def test_every_estimator_measures_the_blobs(name, tmp_path):
    needs = estimator_peers.ESTIMATORS[name].needs
    if not all(estimators.importlib.util.find_spec(module) for module in needs):
        pytest.skip(f"{', '.join(needs)} not installed")
    measured = estimators.measure_cell(60, 30, [], options(tmp_path, [name]))
    assert measured["not_run"] == {}
    found = measured["runs"][name]
    assert -0.1 < found["value"][0] < 1.7
    assert found["seconds"][0] > 0
    assert found["bytes"][0] >= 0
    assert list(tmp_path.iterdir()) == []  # the file is gone


def test_the_settings_of_the_peer_give_its_value(tmp_path):
    pytest.importorskip("dse_dsmi")
    path, labels = tmp_path / "z.npy", estimator_peers.labels_of(120, 0)
    estimators.write_blobs(path, 120, 40, 0)

    def value(name):
        fresh, call = estimator_peers.ESTIMATORS[name].make(path, labels, {})
        return float(call(fresh()))

    double = value("dse-dsmi")
    assert double == pytest.approx(value("dse-dsmi float32"), abs=1e-5)
    assert value("DSMI sqrt-d") == pytest.approx(double, abs=0.05)  # its random groups are others
    assert double > 0.3


@pytest.mark.parametrize("at_a_time", [1, 7 * 30, 10**6])
def test_the_file_has_three_blobs_of_unit_variance_whose_labels_are_known(tmp_path, at_a_time):
    estimators.write_blobs(tmp_path / "z.npy", 100, 30, 3, at_a_time)
    Z, labels = np.load(tmp_path / "z.npy"), estimator_peers.labels_of(100, 3)
    assert Z.dtype == np.float32
    assert sorted(np.bincount(labels)) == [33, 33, 34]
    centers = np.stack([Z[labels == label].mean(axis=0) for label in range(3)])
    assert (Z - centers[labels]).std() == pytest.approx(1.0, abs=0.1)
    assert np.ptp(centers) > 10.0
    estimators.write_blobs(tmp_path / "other.npy", 100, 30, 4)
    assert not np.array_equal(np.load(tmp_path / "other.npy"), Z)


def test_growth_goes_on_as_it_was():
    assert estimators.growth({}, 8, "n") is None
    assert estimators.growth({8: 1.0}, 8, "n") is None
    assert estimators.growth({4: 3.0}, 8, "n") == pytest.approx(12.0)
    assert estimators.growth({4: 3.0}, 8, "d") == pytest.approx(6.0)
    assert estimators.growth({1: 9.0, 2: 3.0, 4: 3.0 * 2**1.5}, 8, "n") == pytest.approx(24.0)
    assert estimators.growth({1: 1.0, 2: 1000.0}, 4, "n") == pytest.approx(8000.0)
    assert estimators.growth({1: 9.0, 2: 3.0}, 4, "d") == pytest.approx(3.0)


def test_predictions_are_between_those_over_rows_and_over_columns():
    law = {(n, d): 1e-9 * n**2 * d for n in (10, 20, 40) for d in (5, 10, 20)}
    del law[40, 20]
    assert estimators.predicted(law, 40, 20) == pytest.approx(1e-9 * 40**2 * 20)
    assert estimators.predicted({(10, 5): 1.0}, 20, 10) is None
    assert estimators.predicted({(10, 10): 1.0, (20, 5): 1.0}, 20, 10) == pytest.approx(8**0.5)


def test_who_is_predicted_to_be_slow_or_large_is_not_run_but_dsmi_is(tmp_path):
    small = cell(50, 10, {name: [run(2.0, size=1000.0)] for name in ("bins", "DSMI")})

    def reason(name="bins", **changed):
        given = options(tmp_path, ["bins", "DSMI"], **changed)
        return estimators.reason_not_to_run(name, 100, 10, [small], given)

    assert reason() is None
    slow = reason(limit=7.9)
    assert slow["reason"] == "not run: predicted 8 s"
    assert slow["predicted_seconds"] == pytest.approx(8.0)
    assert reason(deadline=0.0) == {"reason": "not run: no time left"}
    assert reason(memory=lambda: 2200.0)["predicted_bytes"] == 2000.0
    absent = {"bins": estimator_peers.Estimator(estimator_peers._bins, ("absent",))}
    assert reason(estimators=absent) == {"reason": "not installed: absent"}
    assert reason("DSMI", limit=1e-9, deadline=0.0) is None


def test_what_was_predicted_stands_for_what_was_measured():
    cells = [cell(10, 5, {"bins": [run(1.0), run(3.0)]}), cell(20, 5, {}, bins=PREDICTED)]
    assert requirements.known_seconds(cells, "bins") == {(10, 5): 2.0, (20, 5): 900.0}
    cells[1]["not_run"]["bins"] = {"reason": "not run: no time left"}
    assert requirements.known_seconds(cells, "bins") == {(10, 5): 2.0}


def test_a_limit_ends_an_estimator_and_a_failure_is_recorded(tmp_path):
    given = options(tmp_path, ["bins"], limit=1e-9, measure=estimators.alone)
    measured = estimators.measure_cell(30, 5, [], given)
    assert measured["runs"] == {}
    assert "stopped after" in measured["not_run"]["bins"]["reason"]
    path = tmp_path / "z.npy"
    path.write_text("no array")
    failed = estimators.alone("bins", path, 30, 0, options(tmp_path, ["bins"]))
    assert failed["reason"].startswith("failed: ")


def test_rows_that_do_not_fit_on_the_disk_are_not_written(tmp_path):
    given = options(tmp_path, room=lambda folder: 4 * 30 * 5)
    measured = estimators.measure_cell(30, 5, [], given)
    assert measured["runs"] == {}
    assert "on disk" in measured["not_run"]["DSMI"]["reason"]


def test_rounds_are_of_their_own_seeds_and_only_for_the_quick(tmp_path):
    def instead(name, path, n, seed, given):
        return run(20.0 if name == "KSG" else 0.1, seed=seed)

    given = options(tmp_path, ["bins", "KSG"], rounds=3, measure=instead)
    runs = estimators.measure_cell(30, 5, [], given)["runs"]
    assert {name: of["seed"] for name, of in runs.items()} == {
        "bins": [0, 1, 2],
        "KSG": [0],
    }


def test_memory_is_what_an_estimator_holds_beside_the_file(tmp_path):
    """Such as the peer's copy in float64, 48 MB; the mapped file is not counted."""
    pytest.importorskip("dse_dsmi")
    given = options(tmp_path, ["DSMI", "dse-dsmi"], measure=estimators.alone)
    runs = estimators.measure_cell(60, 100_000, [], given)["runs"]
    ours, peer = (runs[name]["bytes"][0] for name in ("DSMI", "dse-dsmi"))
    assert peer > 48e6
    assert ours < peer - 48e6
    assert estimators.anonymous_bytes(2**22 + 1) == 0


def test_what_must_hold_is_judged_by_the_stored_figures():
    over_npeet, over_peer, alike, small = requirements.requirements(RESULT)
    assert (over_npeet["measured"], over_npeet["holds"]) == ("40.0x", True)
    assert (over_peer["measured"], over_peer["holds"]) == ("4.0x", True)
    assert (alike["measured"], alike["holds"]) == ("2.0x", False)
    assert small["holds"]
    assert "1.50 GB, n = 5000, 10 GB of data" in small["measured"]
    nothing = requirements.requirements({"cells": []})
    assert [one["holds"] for one in nothing] == [None] * 4
    large = {"cells": [cell(500, 500_000, {"DSMI": [run(1.0, size=2.1e9)]})]}
    assert requirements.requirements(large)[3]["holds"] is False


def test_tables_have_the_figures_and_the_reasons():
    results = {"estimators": RESULT}
    header, _, *rows = tables.render("estimators seconds", results).splitlines()
    assert header.split(" | ")[2:5] == ["DSMI", "DSMI sqrt-d", "dse-dsmi"]
    assert rows[0] == "| 20000 | 2000 | 1.5 s | 2 s | 6 s | 9 s | 40 s |"
    assert rows[1].startswith("| 500000 | 5000 | 99 s |")
    values = tables.render("estimators values", results)
    assert "| 20000 | 2000 | 1.500 | 1.500 | 0.000 |" in values
    assert "| 500000 | 5000 | 1500 |" in tables.render("estimators memory", results)
    assert "| 2.0x | **no** |" in tables.render("estimators", results)
    assert "| blobs | t = 2 | 3.000 | 1.000 | 0.500 | nan |" in tables.render("dependence", results)
    assert "figures/estimators.svg" in tables.render("estimators figure", results)
    missing = cell(10, 5, {"bins": [run(1.0)]}, MINE=PREDICTED)
    both = {"cells": [missing, cell(5, 5, {"MINE": [run(1.0)]})]}
    assert "not run: predicted 900 s" in tables.render("estimators seconds", {"estimators": both})


def test_the_figure_has_a_curve_for_each_estimator():
    figure = plot_estimators.draw(RESULT)
    left, right = figure.axes
    lines = {line.get_label(): line for line in left.get_lines()}
    assert list(lines) == estimator_tables.names(RESULT)
    assert lines["DSMI"].get_ydata().tolist() == [1.5]
    assert lines["DSMI"].get_xdata().tolist() == [20_000]
    assert right.get_lines()[0].get_ydata().tolist() == [1.5]
    plot_estimators.plt.close(figure)


def test_the_program_writes_what_it_measured_and_fails_where_something_does_not_hold(
    tmp_path, capsys
):
    arguments = ["--quick", "--dimensions", "5", "8", "--sizes", "40", "--output", str(tmp_path)]
    assert estimators.main([*arguments, "--estimators", "DSMI", "bins"], list) == 0
    stored = json.loads((tmp_path / "estimators.json").read_text())
    assert [(one["n"], one["d"]) for one in stored["cells"]] == [(40, 5), (40, 8)]
    assert set(stored["cells"][0]["runs"]) == {"DSMI", "bins"}
    assert len(stored["machine"]["commit"]) in (0, 40)
    assert "not measured" in capsys.readouterr().out
    table = tables.render("estimators seconds", tables.load(tmp_path))
    assert sum(line.startswith("|") for line in table.splitlines()) == 4
    failing = [{"claim": "c", "measured": "m", "holds": False}]
    one_cell = [*arguments[:3], *arguments[4:], "--estimators", "bins"]
    assert estimators.main(one_cell, list, lambda result: failing) == 1


def test_defaults_are_those_of_the_command():
    usual, full = (estimators.options_of(estimators.parse(a)) for a in ([], ["--full"]))
    assert (usual.limit, full.limit) == (120.0, 3600.0)
    assert full.deadline == math.inf
    assert usual.rounds == 3
    assert estimators.options_of(estimators.parse(["--quick"])).rounds == 1


def test_dsmi_of_z_with_itself_is_not_its_entropy():
    pytest.importorskip("sklearn")
    rows = dependence.dependence(120, sizes=(60,))
    assert len(rows) == 2 * 7
    assert {row["data"] for row in rows} == {"three blobs", "one Gaussian"}
    reference = {row["data"]: row for row in rows if row["setting"].startswith("auto")}
    for row in reference.values():
        assert abs(row["dsmi_z_z"] - row["dse"]) > 0.5
    assert reference["three blobs"]["dsmi"] > 1.0
    assert abs(reference["one Gaussian"]["dsmi"]) < 0.1
    by_setting = {row["setting"]: row["dse"] for row in rows if row["data"] == "one Gaussian"}
    assert by_setting["0.5 times that sigma"] > by_setting["2 times that sigma"]
    assert by_setting["t = 2"] > by_setting["t = 5"]
