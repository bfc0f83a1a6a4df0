"""The command line: numbers as from Python, tables, figures, messages and exit codes."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
import textwrap

import matplotlib.image
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy import _core
from eigentropy._measures.measurement import MeasurementSettings, measure
from eigentropy.cli import commands, console, environment
from eigentropy.cli.measurement_options import MeasurementOptions
from eigentropy.cli.running import exit_codes, rows_are_kept
from eigentropy.io import FileError
from eigentropy.io.figure import axis_of
from eigentropy.io.inputs import read_shared
from eigentropy.io.snapshot_files import natural_key
from eigentropy.io.snapshots import track
from house import ROOT
from messages import names, naming

HEAVY = ("torch", "sklearn", "scipy", "matplotlib", "pyarrow", "pandas", "safetensors", "zarr")


def invoke(*args):
    return CliRunner().invoke(commands.app, [str(arg) for arg in args])


def succeed(*args):
    result = invoke(*args)
    assert result.exit_code == 0, result.stderr
    return result


def as_json(*args):
    result = succeed(*args, "--json")
    return json.loads(result.stdout)


def fail(*args, code=2):
    """The one line on stderr of a command that must fail."""
    result = invoke(*args)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def run(*args, **options):
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "eigentropy", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def table_in(path):
    with open(path, newline="") as file:  # noqa: PTH123
        return list(csv.DictReader(file))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with blobs z.npy, their labels y.npy, and x.npy, another view of them."""
    Z, y = separated_blobs(30, 4, distance=6.0)
    np.save(tmp_path / "z.npy", Z)
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "x.npy", np.round(Z @ np.ones((4, 2)) + np.arange(2), 3))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def snapshots(here):
    """run/epoch1, 2, 10: the blobs come out of noise."""
    Z = np.load("z.npy")
    noise = np.random.default_rng(0).normal(size=Z.shape)
    (here / "run").mkdir()
    for epoch in (1, 2, 10):
        np.save(here / "run" / f"epoch{epoch}.npy", epoch * Z + 6 * noise)
    return here / "run"


# measure


def test_measure_chooses_the_precision_as_the_python_api_does(here):
    Z, _ = separated_blobs(500, 4, distance=6.0, k=2)
    np.save("many.npy", Z)
    np.save("halves.npy", np.repeat([0, 1], 500))

    def precision(*options):
        document = as_json("measure", "many.npy", "-t", "1,10", *options)
        assert document["warnings"] == []
        return {entry["dtype"] for entry in document["dse"]}

    assert precision() == precision("--dtype", "auto") == {"float32"}
    assert precision("--dtype", "float64") == precision("--method", "exact") == {"float64"}
    assert precision("--tol", "1e-7") == {"float64"}
    assert precision("-t", "0.5") == {"float64"}  # of all three t
    assert names(succeed("measure", "many.npy").stdout, "exact", "float32")
    dsmi = as_json("measure", "many.npy", "--labels", "halves.npy", "--n-null", "2")["dsmi"]
    assert dsmi["labels"]["results"][0]["dtype"] == "float64"  # too little work


def test_measure_gives_the_numbers_of_the_python_api(here):
    Z, y, x = np.load("z.npy"), np.load("y.npy"), np.load("x.npy")
    options = {"alpha": 1.0, "base": math.e, "dtype": "float32", "seed": 3}
    document = as_json(
        "measure", "z.npy", "--labels", "y.npy", "--against", "x.npy", "-t", "1,10", "-t", "0.5",
        "--sigma", "knn", "--alpha", "1", "--base", "e", "--dtype", "float32", "--n-null", "7",
        "--n-clusters", "4", "--seed", "3",
    )  # fmt: skip

    expected = eg.dse(Z, sigma="knn", **options)
    assert [entry["t"] for entry in document["dse"]] == [1.0, 10.0, 0.5]
    assert [entry["value"] for entry in document["dse"]] == [
        float(expected.at(t)) for t in (1.0, 10.0, 0.5)
    ]
    for name in ("sigma", "alpha", "base", "seed", "n", "method", "dtype", "error_bound"):
        assert document["dse"][0][name] == getattr(expected, name)

    for role, Y in (("labels", y), ("against", x)):
        for t, entry in zip((1.0, 10.0, 0.5), document["dsmi"][role]["results"], strict=True):
            result = eg.dsmi(Z, Y, sigma="knn", t=t, n_null=7, n_clusters=4, **options)
            for name in (
                "value", "standard_error", "p_value", "conditional_entropy", "label_entropy",
                "sigma", "estimator", "t", "n", "dtype", "error_bound",
            ):  # fmt: skip
                assert entry[name] == getattr(result, name)
            assert entry["adjusted"] == result.adjusted()
            assert entry["null"] == list(result.null)
            assert entry["n_null"] == 7
            assert (entry["interval"]["low"], entry["interval"]["high"]) == result.interval()
            assert entry["interval"]["over"] == "7 random partitions"
            assert entry["group_sizes"] == list(result.group_sizes)
    assert document["settings"]["sigma"] == "knn"
    assert document["warnings"] == []
    assert (document["file"], document["n"], document["d"]) == ("z.npy", 90, 4)


def test_measure_prints_a_table(here):
    result = succeed("measure", "z.npy", "--labels", "y.npy", "-t", "1", "-t", "8")
    expected = eg.dsmi(np.load("z.npy"), np.load("y.npy"))
    assert names(result.stdout, "z.npy", 90, 4, 3, 30)  # three groups of thirty rows
    assert result.stdout.count("DSE") == 2
    assert f"{float(eg.dse(np.load('z.npy'))):.4f}" in result.stdout
    assert f"{float(expected):.4f}" in result.stdout
    assert f"{expected.adjusted():.3f}" in result.stdout
    assert names(result.stdout, f"{expected.p_value:.2g}", "--n-null", 1000)
    assert names(result.stdout, "null se", f"{expected.standard_error:.4f}", 2.09)
    assert result.stderr == ""


def test_the_number_of_partitions_is_shown_and_stored(here):
    auto = eg.dsmi(np.load("z.npy"), np.load("y.npy"), tol=0.1)
    options = ("measure", "z.npy", "--labels", "y.npy", "--tol", 0.1)
    for given in ((), ("--n-null", "auto")):
        document = as_json(*options, *given)
        assert document["settings"]["n_null"] == "auto"
        assert document["dsmi"]["labels"]["results"][0]["n_null"] == auto.n_null == 4
        assert document["dsmi"]["labels"]["results"][0]["p_value_from"] == "student"
    table = succeed(*options).stdout
    assert names(table, 4, "null", "3.18")
    asked = succeed(*options, "--n-null", 4).stdout
    assert names(asked, 4, "null", "3.18", 0.2)
    assert not names(asked, "Student")


def test_tables_keep_all_digits_on_a_narrow_terminal(here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    result = succeed("measure", "z.npy", "--labels", "y.npy")
    assert f"{float(eg.dsmi(np.load('z.npy'), np.load('y.npy'))):.4f}" in result.stdout


def test_nan_is_null_in_json_with_the_reason(here):
    document = as_json("measure", "z.npy", "--labels", "y.npy", "--estimator", "plain",
                       "--n-null", 0)  # fmt: skip
    (entry,) = document["dsmi"]["labels"]["results"]
    assert entry["p_value"] is None
    assert entry["adjusted"] is None
    assert names(entry["adjusted_note"], "n_null")
    table = succeed("measure", "z.npy", "--labels", "y.npy", "--estimator", "plain", "--n-null", 0)
    assert names(table.stdout, "adjusted", "n_null")


def test_labels_may_be_a_column_of_the_table(here):
    Z, y = np.load("z.npy"), np.load("y.npy")
    rows = [",".join(["a", "b", "c", "d", "kind"])]
    rows += [",".join([*map(repr, map(float, z)), f"class {k}"]) for z, k in zip(Z, y, strict=True)]
    (here / "z.csv").write_text("\n".join(rows))
    document = as_json("measure", "z.csv", "--labels", "kind")
    assert document["d"] == 4
    assert document["dse"][0]["value"] == float(eg.dse(Z))
    (entry,) = document["dsmi"]["labels"]["results"]
    assert entry["value"] == float(eg.dsmi(Z, y))
    assert document["dsmi"]["labels"]["source"] == "z.csv:kind"


def test_a_key_chooses_the_array(here):
    Z, y = np.load("z.npy"), np.load("y.npy")
    np.savez("m.npz", h=Z, o=2 * Z, y=y)
    expected = float(eg.dse(Z, sigma=2.0))
    for chosen in (["m.npz", "--key", "h"], ["m.npz:h"]):
        document = as_json("measure", *chosen, "--sigma", 2, "--labels", "m.npz:y")
        assert document["dse"][0]["value"] == expected
        assert document["dsmi"]["labels"]["source"] == "m.npz:y"
    assert as_json("measure", "m.npz:h", "--labels", "y")["dsmi"]["labels"]["results"]


def test_numbers_are_cut_into_bins_on_demand(here):
    Z = np.load("z.npy")
    np.save("age.npy", np.arange(90) + 20)
    document = as_json("measure", "z.npy", "--labels", "age.npy", "--kind", "scalars",
                       "--n-clusters", 5)  # fmt: skip
    result = eg.dsmi(Z, np.arange(90.0), kind="scalars", n_clusters=5)
    assert document["dsmi"]["labels"]["results"][0]["value"] == float(result)


def test_scalars_to_measure_against_are_cut_into_bins(here):
    Z = np.load("z.npy")
    np.save("x1.npy", Z[:, 0])
    document = as_json("measure", "z.npy", "--against", "x1.npy", "--n-clusters", 3)
    result = eg.dsmi(Z, Z[:, 0], n_clusters=3)
    assert document["dsmi"]["against"]["results"][0]["value"] == float(result)


def test_warnings_are_one_line_each_on_stderr_and_a_list_in_json(here):
    result = succeed("measure", "z.npy", "--sigma", "1e-6", "--labels", "y.npy", "--json")
    lines = result.stderr.splitlines()
    assert len(lines) == 1  # the entropy and the information say the same
    assert names(lines[0], "warning:", "sigma=1e-06")
    warnings = json.loads(result.stdout)["warnings"]
    assert [f"warning: {line}" for line in warnings] == lines
    assert succeed("measure", "z.npy", "--sigma", "1e-6", "--quiet").stderr == ""


def test_warnings_come_before_an_error(here):
    (here / "z.csv").write_text(",a\n0,nan\n1,2\n")
    result = invoke("measure", "z.csv")
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert names(first, "warning:", "z.csv", "''")
    assert names(second, "error:", "z.csv")


def test_one_row_has_entropy_0_and_says_so(here):
    np.save("one.npy", np.ones((1, 3)))
    document = as_json("measure", "one.npy")
    assert document["dse"][0]["value"] == 0.0
    assert len(document["warnings"]) == 1


def test_names_with_brackets_and_strange_bytes_are_printed(here):
    strange = os.fsdecode(b"[red]\xff.npy")
    np.save(strange, np.load("z.npy"))
    assert "[red]\\xff.npy" in succeed("measure", strange).stdout


# What each refusal has to name.
BAD_INPUT = {
    "missing": (["nope.npy"], ["nope.npy"]),
    "directory": (["."], ["."]),
    "suffix": (["z.mat"], ["z.mat"]),
    "labels file": (["z.npy", "--labels", "nope.npy"], ["nope.npy"]),
    "column": (["z.npy", "--labels", "kind"], ["z.npy", "'kind'"]),
    "text file": (["z.npy", "--labels", "y.txt"], ["'y.txt'", ".npy", ".csv"]),
    "long name": (["z" * 300 + ".npy"], ["z" * 300 + ".npy"]),
    "key": (["z.npy", "--key", "k"], ["z.npy", "'k'"]),
    "length": (["z.npy", "--labels", "short.npy"], ["short.npy", 5, "z.npy", 90]),
    "against": (["z.npy", "--against", "short.npy"], ["short.npy", 5, "z.npy", 90]),
    "2-d labels": (["z.npy", "--labels", "x.npy"], ["x.npy", "(90, 2)", "(n,)", "--against"]),
    "1-d": (["y.npy"], ["y.npy", 90, "(n, d)"]),
    "nan": (["nan.npy"], ["nan.npy", "NaN", 1, 2]),
    "damaged": (["cut.npy"], ["cut.npy", ".npy"]),
    "sigma 0": (["z.npy", "--sigma", "0"], ["sigma", 0.0]),
    "sigma nan": (["z.npy", "--sigma", "nan"], ["sigma", "nan"]),
    "rule": (["z.npy", "--sigma", "wide"], ["sigma", "'wide'", "'auto'", "'median'"]),
    "t 0": (["z.npy", "-t", "1,0"], ["t", 0.0]),
    "t": (["z.npy", "-t", "1;2"], ["t", "'1;2'"]),
    "no t": (["z.npy", "-t", ""], ["t", "''"]),
    "alpha": (["z.npy", "--alpha", "-1"], ["alpha", "-1.0"]),
    "base 1": (["z.npy", "--base", "1"], ["base", 1]),
    "base": (["z.npy", "--base", "two"], ["base", "'two'"]),
    "method": (["z.npy", "--method", "best"], ["method", "'best'", "'auto'", "'exact'"]),
    "lowrank": (["z.npy", "--method", "lowrank", "-t", "1,2"], ["lowrank", "t", 2]),
    "dtype": (["z.npy", "--dtype", "float16"], ["dtype", "'float16'", "'float32'", "'float64'"]),
    "tol": (["z.npy", "--tol", "0"], ["tol", 0.0]),
    "estimator": (["z.npy", "--estimator", "x"], ["estimator", "'x'", "'matched'"]),
    "n_null": (["z.npy", "--n-null", "1"], ["n_null", 2, 1]),
    "n_null by name": (["z.npy", "--n-null", "many"], ["n_null", "'auto'", "'many'"]),
    "n_null as a fraction": (["z.npy", "--n-null", "2.5"], ["n_null", "'auto'", "'2.5'"]),
    "kind": (["z.npy", "--kind", "x"], ["kind", "'x'", "'labels'"]),
    "n_clusters": (["z.npy", "--n-clusters", "0"], ["n_clusters", 1, 0]),
    "clusters": (["z.npy", "--against", "x.npy", "--n-clusters", "91"], ["n_clusters", 91, 90]),
    "way": (["z.npy", "--clusters", "x"], ["clusters", "'x'", "'spectral'", "'kmeans'"]),
    "seed": (["z.npy", "--seed", "-1"], ["seed", "-1"]),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_line_and_exit_code_2(here, name):
    np.save("short.npy", np.arange(5))
    np.save("nan.npy", [[1.0, np.nan], [1.0, 2.0]])
    (here / "cut.npy").write_bytes((here / "z.npy").read_bytes()[:300])
    args, words = BAD_INPUT[name]
    line = fail("measure", *args)
    assert names(line, "error:", *words), line


@pytest.mark.parametrize("command", ["measure", "track"])
@pytest.mark.parametrize(
    ("given", "meant"), [("--clustering", "--clusters"), ("--max-point", "--max-points")]
)
def test_an_unknown_option_names_the_nearest(here, command, given, meant):
    result = invoke(command, "z.npy", given, "1")
    assert result.exit_code == 2
    assert names(result.stderr, given, meant)


def test_measure_and_track_have_the_defaults_of_the_settings():
    assert MeasurementOptions().settings(["1"]) == MeasurementSettings()


def test_options_are_checked_before_files_are_opened():
    assert names(fail("measure", "nope.npy", "--sigma", "-1"), "sigma", "-1.0")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MemoryError("the 9 x 9 matrix\nneeds more"), 2, "error: the 9 x 9 matrix needs more"),
        (MemoryError(), 2, "error: MemoryError"),
        (ImportError("needs scikit-learn"), 2, "error: needs scikit-learn"),
        (eg.SolverError("LAPACK failed"), 1, "error: LAPACK failed"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_of_the_library_have_their_exit_codes(capsys, error, code, line):
    def broken():
        raise error

    with pytest.raises(typer.Exit) as caught:
        exit_codes(broken)()
    assert caught.value.exit_code == code
    assert capsys.readouterr() == ("", line + "\n")


def test_the_command_line_itself_is_checked(here):
    for args in (["measure"], ["measure", "z.npy", "--nope"], ["measure", "z.npy", "--alpha", "x"]):
        result = invoke(*args)
        assert result.exit_code == 2
        assert "Error" in result.stderr
        assert "Traceback" not in result.output


# track


def test_track_writes_a_row_for_each_snapshot_in_natural_order(snapshots):
    result = succeed("track", "run", "--labels", "y.npy", "--against", "x.npy", "-o", "out")
    rows = table_in("out.csv")
    assert [row["snapshot"] for row in rows] == ["epoch1", "epoch2", "epoch10"]
    y, x = np.load("y.npy"), np.load("x.npy")
    for row in rows:
        Z = np.load(snapshots / f"{row['snapshot']}.npy")
        entropy = eg.dse(Z)
        assert (int(row["n"]), float(row["sigma"])) == (90, entropy.sigma)
        assert float(row["dse"]) == float(entropy)
        for role, Y in (("labels", y), ("against", x)):
            information = eg.dsmi(Z, Y)
            assert float(row[f"dsmi_{role}"]) == float(information)
            assert float(row[f"dsmi_{role}_adjusted"]) == information.adjusted()
            assert float(row[f"dsmi_{role}_null_se"]) == information.standard_error
            for name in ("n_null", "p_value"):
                assert float(row[f"dsmi_{role}_{name}"]) == getattr(information, name)
    assert float(rows[2]["dsmi_labels"]) > float(rows[0]["dsmi_labels"])
    assert result.stdout.index("epoch2 ") < result.stdout.index("epoch10")
    assert names(result.stdout, "out.csv", "out.png")
    assert sorted(path.name for path in snapshots.parent.glob(".*")) == []  # no temporary files


def test_track_draws_the_columns(snapshots):
    succeed("track", "run", "--labels", "y.npy", "-o", "out.csv")  # the suffix is understood
    image = matplotlib.image.imread("out.png")[:, :, :3]
    height, width = image.shape[:2]
    assert (height, width) == (525, 1890)
    for panel in range(3):  # DSE, DSMI, adjusted: each has a coloured line
        part = image[:, panel * width // 3 : (panel + 1) * width // 3]
        assert ((part.max(axis=2) - part.min(axis=2)) > 0.3).sum() > 500
    succeed("track", "run", "-o", "alone")
    assert matplotlib.image.imread("alone.png").shape[:2] == (525, 690)


def test_track_json_equals_the_csv(snapshots):
    document = as_json("track", "run", "--labels", "y.npy", "--n-null", 5, "-t", 2)
    rows = table_in("track.csv")
    assert (document["csv"], document["png"]) == ("track.csv", "track.png")
    assert document["settings"]["n_null"] == 5
    for one, other in zip(document["rows"], rows, strict=True):
        assert list(one) == list(other)
        assert {name: str(value) for name, value in one.items()} == other
    assert document["rows"][0]["dse"] == float(eg.dse(np.load(snapshots / "epoch1.npy"), t=2))


def test_clusters_are_found_once(snapshots):
    """What is compared keeps the groups that were found in it for the first snapshot."""
    settings = MeasurementSettings(n_clusters=4, clusters="kmeans")
    shared, _ = read_shared(None, np.load("x.npy"), settings)
    first, last = (np.load(snapshots / f"epoch{epoch}.npy") for epoch in (1, 10))
    (found,) = measure(first, shared, settings).informations["against"]
    shared["against"].values = np.zeros((90, 2))  # in which no clusters could be found
    (result,) = measure(last, shared, settings).informations["against"]
    assert len(result.group_sizes) == 4
    assert (result.clusters == found.clusters).all()
    rows = as_json("track", "run", "--against", "x.npy", "--n-clusters", 4,
                   "--clusters", "kmeans")["rows"]  # fmt: skip
    assert rows[2]["dsmi_against"] == float(result)


def test_a_broken_snapshot_is_named_and_the_rows_before_it_stay(snapshots):
    (snapshots / "epoch3.npy").write_bytes((snapshots / "epoch2.npy").read_bytes()[:500])
    line = fail("track", "run", "--labels", "y.npy")
    assert names(line, "error:", "run/epoch3.npy", "track.csv", 2)
    rows = table_in("track.csv")
    assert [row["snapshot"] for row in rows] == ["epoch1", "epoch2"]


def test_errors_and_warnings_of_a_snapshot_name_it(snapshots):
    np.save(snapshots / "epoch5.npy", np.ones((4, 4)))
    line = fail("track", "run", "--labels", "y.npy")
    assert names(line, "error:", "y.npy", 90, "run/epoch5.npy", 4, "track.csv", 2)
    (warning,) = succeed("track", "run", "--force").stderr.splitlines()
    assert names(warning, "warning:", "run/epoch5.npy", 4)


def test_memory_errors_of_a_snapshot_name_it(snapshots):
    """Of rows whose matrix has more bytes than any machine."""
    np.save(snapshots / "epoch0.npy", np.random.default_rng(0).normal(size=(2_000_000, 1)))
    line = fail("track", "run", "--method", "exact", "--sigma", "1")
    assert names(line, "error:", "run/epoch0.npy", "GiB")


def test_ctrl_c_keeps_the_rows(snapshots):
    rows = []

    def interrupted(row):
        rows.append(row)
        raise KeyboardInterrupt

    told = pytest.raises(KeyboardInterrupt, match=naming("kept.csv", 1))
    with told, rows_are_kept(rows, snapshots / "kept.csv"):
        track(snapshots, output="kept.csv", on_row=interrupted)
    assert len(table_in("kept.csv")) == 1
    with pytest.raises(KeyboardInterrupt, match=r"^$"), rows_are_kept([], snapshots / "kept.csv"):
        raise KeyboardInterrupt


def test_without_matplotlib_the_csv_is_written(snapshots, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    result = succeed("track", "run", "--json")
    document = json.loads(result.stdout)
    assert document["png"] is None
    (line,) = document["warnings"]
    assert names(line, "eigentropy[plot]")
    assert result.stderr == f"warning: {line}\n"
    assert (snapshots.parent / "track.csv").exists()
    assert not (snapshots.parent / "track.png").exists()


def test_inputs_are_left_as_they_are(snapshots):
    inputs = [*snapshots.iterdir(), *snapshots.parent.glob("*.npy")]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in inputs}
    for path in inputs:
        path.chmod(0o444)
    succeed("measure", "z.npy", "--labels", "y.npy", "--against", "x.npy")
    succeed("track", "run", "--labels", "y.npy", "--against", "x.npy", "-o", "run/out")
    again = ("--labels", "y.npy", "-o", "run/out", "-f")
    succeed("track", "run", *again)  # run/out.csv is no snapshot
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in inputs} == before


def test_tables_of_track_in_the_directory_are_no_snapshots(snapshots):
    options = ("--labels", "y.npy", "--against", "x.npy")
    first = as_json("track", "run", *options, "-o", "run/t1")
    as_json("track", "run", "-o", "run/t2")
    (snapshots / "t2.csv").write_bytes(b"\xef\xbb\xbf" + (snapshots / "t2.csv").read_bytes())
    again = as_json("track", "run", *options, "-o", "run/t3")
    assert again["rows"] == first["rows"]
    (line,) = again["warnings"]
    assert names(line, "run", "'t1.csv'", "'t2.csv'")
    assert names(fail("track", "run/t1.csv", "run/epoch1.npy"), "error:", "run/t1.csv")
    for path in snapshots.glob("*.npy"):
        path.unlink()
    assert names(fail("track", "run"), "error:", "run", ".npy", "'t1.csv'", "'t3.csv'")


def test_other_tables_in_the_directory_are_snapshots(snapshots):
    columns = ["snapshot,n,sigma", "n,sigma,dse"]
    for name, header in enumerate(columns):
        rows = "".join(f"{i % 7}.5,{i % 5},{i % 3}\n" for i in range(30))
        (snapshots / f"{name}.csv").write_text(f"{header}\n{rows}")
    rows = as_json("track", "run")["rows"]
    assert [row["snapshot"] for row in rows] == ["0", "1", "epoch1", "epoch2", "epoch10"]


@pytest.mark.parametrize("value", [np.arange(90), np.array(3)])
def test_an_array_that_is_no_matrix_is_refused_before_anything_is_measured(snapshots, value):
    np.save(snapshots / "labels.npy", value)
    assert names(fail("track", "run"), "error:", "run/labels.npy", "(n, d)", "--labels")
    assert not (snapshots.parent / "track.csv").exists()


def test_labels_in_the_directory_are_no_snapshot(snapshots):
    np.save(snapshots / "labels.npy", np.load("y.npy"))
    document = as_json("track", "run", "--labels", "run/labels.npy")
    assert [row["snapshot"] for row in document["rows"]] == ["epoch1", "epoch2", "epoch10"]


def test_labels_may_lie_in_each_snapshot(snapshots):
    y = np.load("y.npy")
    for epoch in (1, 2):
        np.savez(f"m{epoch}.npz", Z=np.load(snapshots / f"epoch{epoch}.npy"), y=y)
    rows = as_json("track", "m1.npz", "m2.npz", "--labels", "y")["rows"]
    files = sorted(snapshots.glob("epoch?.npy"))
    expected = as_json("track", *files, "--labels", "y.npy", "-o", "other")["rows"]
    assert [row["dsmi_labels"] for row in rows] == [row["dsmi_labels"] for row in expected]


def test_snapshots_of_one_name_are_told_apart_by_their_directories(snapshots):
    for epoch in (2, 10):
        (snapshots / f"step{epoch}").mkdir()
        np.save(snapshots / f"step{epoch}" / "z.npy", np.load(snapshots / f"epoch{epoch}.npy"))
    rows = as_json("track", "run/step10/z.npy", "run/step2/z.npy")["rows"]
    assert [row["snapshot"] for row in rows] == ["step2/z.npy", "step10/z.npy"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nope"], ["nope"]),
        (["n" * 300], ["n" * 300]),
        (["run", "nope.npy"], ["nope.npy"]),  # before anything is measured
        (["run", "y.txt"], ["y.txt"]),
        (["empty"], ["empty", ".npy", ".csv"]),
        (["run", "-o", "no/where"], ["no/where.csv", "no"]),
        (["t.csv", "-o", "t"], ["t.csv"]),
        (["run", "--labels", "t.csv", "-o", "t"], ["t.csv"]),
        (["run", "-t", "1,2"], ["t", "'1,2'"]),
        (["run", "--labels", "nope.csv"], ["nope.csv"]),
        (["run", "--labels", "kind"], ["run/epoch1.npy", "'kind'"]),
    ],
)
def test_track_refuses_bad_input(snapshots, args, words):
    (snapshots.parent / "empty").mkdir()
    (snapshots.parent / "t.csv").write_text("1,2\n3,5\n")
    assert names(fail("track", *args), "error:", *words)
    assert not (snapshots.parent / "track.csv").exists()
    assert (snapshots.parent / "t.csv").read_text() == "1,2\n3,5\n"


def test_a_disk_that_cannot_be_written_is_an_error(snapshots):
    (snapshots.parent / "out.csv").mkdir()  # also root cannot replace a directory by a file
    assert names(fail("track", "run", "-o", "out"), "error:", "out.csv")
    assert list(snapshots.parent.glob(".out*")) == []


def test_track_from_python_takes_arrays(snapshots):
    y = np.load("y.npy")
    seen = []
    rows = track(snapshots, labels=y, settings=MeasurementSettings(sigma=9.0), progress=seen.append)
    assert [row.snapshot for row in rows] == ["epoch1", "epoch2", "epoch10"]
    Z = np.load(snapshots / "epoch10.npy")
    assert rows[2].informations["labels"].value == float(eg.dsmi(Z, y, sigma=9.0))
    assert seen == sorted(seen)
    assert {1 / 3, 2 / 3, 1.0} < set(seen)  # and what is done of each
    with pytest.raises(FileError):
        track([])


@pytest.mark.parametrize("labels", [np.arange(120) % 30 + 0.0, np.eye(3)[np.arange(120) % 3], "y"])
def test_what_labels_are_taken_for_is_said_of_one_snapshot(tmp_path, labels, rng):
    """Also where each snapshot has labels of its own."""
    for i in range(3):
        Z = rng.normal(size=(120, 3))
        np.savez(tmp_path / f"epoch{i}.npz", z=Z, y=np.arange(120) % 30 + 0.0)
    with pytest.warns(eg.GroupWarning) as caught:
        track(tmp_path, key="z", labels=labels, settings=MeasurementSettings(n_null=2))
    assert len(caught) == 1


def test_natural_order():
    names = ["epoch10", "epoch2", "epoch1", "10", "9", "b", "a1b10", "a1b9", "epoch"]
    assert sorted(names, key=natural_key) == [
        "9", "10", "a1b9", "a1b10", "b", "epoch", "epoch1", "epoch2", "epoch10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "x", "word", "ticks"),
    [
        (["epoch_1", "epoch_2", "epoch_10"], [1, 2, 10], "epoch", None),
        (["run3-step100-z", "run3-step250-z"], [100, 250], "step", None),
        (["1", "2"], [1, 2], "snapshot", None),
        (["a1b1", "a2b2"], [0, 1], "snapshot", ["a1b1", "a2b2"]),
        (["before", "after"], [0, 1], "snapshot", ["before", "after"]),
        (["epoch1"], [0], "snapshot", ["epoch1"]),
    ],
)
def test_snapshots_lie_where_their_numbers_say(names, x, word, ticks):
    place, what, marks = axis_of(names)
    assert (list(place), what, marks) == (x, word, ticks)


# info, help, start-up


def test_info_says_what_is_there():
    document = as_json("info")
    assert document["eigentropy"] == eg.__version__
    assert document["numpy"] == np.__version__
    assert document["threads"] >= 1
    assert document["memory_available"] > 0
    assert document["simd"]
    assert document["blas"]["core"]
    assert [device["name"] for device in document["devices"]] == ["cpu", "cuda"]
    assert document["devices"][0]["available"]
    assert document["optional"]["pyarrow"]["version"]
    table = succeed("info").stdout
    for text in (eg.__version__, "threads", "cuda", "matplotlib"):
        assert text in table


@pytest.mark.parametrize(
    ("used", "available", "machine", "says"),
    [
        ("avx512", ["avx512", "avx2", "baseline"], "x86_64", None),
        ("avx2", ["avx2", "baseline"], "AMD64", None),
        ("baseline", ["baseline"], "x86_64", "no AVX2"),
        ("baseline", ["baseline"], "aarch64", None),
        ("baseline", ["avx2", "baseline"], "x86_64", "EIGENTROPY_SIMD"),
    ],
)
def test_info_says_why_vectors_are_narrow(monkeypatch, used, available, machine, says):
    if says == "EIGENTROPY_SIMD":
        monkeypatch.setenv("EIGENTROPY_SIMD", used)
    monkeypatch.setattr(environment.platform, "machine", lambda: machine)
    monkeypatch.setattr(environment._core, "instruction_set", lambda: used)
    monkeypatch.setattr(environment._core, "instruction_sets", lambda: available)
    found = as_json("info")["simd_note"]
    assert (says is None and found == "") or says in found
    assert found in " ".join(succeed("info").stdout.split())


@pytest.mark.parametrize("asked", ["foo", "BASELINE", "neon", " avx2"])
def test_an_instruction_set_that_is_asked_for_in_vain_is_said(asked):
    """The core looks at the variable once, so that each value takes a process of its own."""
    environ = {**os.environ, "EIGENTROPY_SIMD": asked}
    found = json.loads(run("info", "--json", env=environ).stdout)
    known = _core.instruction_sets()
    assert found["simd"] == known[0]
    assert names(found["simd_note"], "EIGENTROPY_SIMD", repr(asked), *known)
    assert found["simd_note"] in " ".join(run("info", env=environ).stdout.split())


def test_an_instruction_set_that_was_asked_for_is_no_fault():
    for asked in ["", *_core.instruction_sets()]:
        environ = {**os.environ, "EIGENTROPY_SIMD": asked}
        found = json.loads(run("info", "--json", env=environ).stdout)
        assert not names(found["simd_note"], "ignored")
        assert found["simd"] == (asked or _core.instruction_sets()[0])


def test_info_has_every_package_that_an_extra_installs():
    text = (ROOT / "pyproject.toml").read_text()
    extras = text.split("[project.optional-dependencies]")[1].split("[project.scripts]")[0]
    named = set(re.findall(r'"([a-z][a-z0-9-]*)[>=]=', extras))
    assert {"scipy", "ray", "scikit-learn"} < named
    assert set(environment.OPTIONAL) == named - {"eigentropy-cuda13"}
    for name, optional in environment.OPTIONAL.items():
        (listed,) = re.findall(rf"(?ms)^{optional.extra} = \[(.*?)\]", extras)
        assert f'"{name}>=' in listed


def test_info_says_which_extra_has_a_package_that_is_missing(monkeypatch):
    known = {"onnxruntime-gpu": "1.2.3", "eigentropy": eg.__version__}

    def version(name):
        if name in known:
            return known[name]
        raise environment.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.importlib.metadata, "version", version)
    found = as_json("info")["optional"]
    assert found["onnxruntime"]["version"] == "1.2.3"  # the same module
    assert (found["scipy"]["version"], found["scipy"]["extra"]) == (None, "baselines")
    row = next(line for line in succeed("info").stdout.splitlines() if line.startswith("scipy"))
    assert names(row, "scipy", "'baselines'")


def test_version_and_help():
    assert succeed("--version").stdout.strip() == eg.__version__
    assert "measure" in succeed("--help").stdout
    for command in ("measure", "track", "info"):
        assert "Usage: " in succeed(command, "--help").stdout


def test_the_module_is_the_command(here):
    result = run("measure", "z.npy", "--json", cwd=here)
    assert result.returncode == 0
    assert json.loads(result.stdout)["dse"][0]["value"] == float(eg.dse(np.load("z.npy")))
    assert result.stderr == ""
    bad = run("measure", "nope.npy", cwd=here)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert names(bad.stderr, "error:", "nope.npy")


def test_a_plain_terminal_can_show_the_table(here):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "TERM": "dumb"}
    result = run("measure", "z.npy", "--labels", "y.npy", cwd=here, env=environment)
    assert result.returncode == 0, result.stderr
    assert console.TITLES["labels"] in result.stdout


def test_heavy_libraries_are_not_imported_for_npy(here):
    script = f"""
        import sys
        from eigentropy.cli import commands
        heavy = set({HEAVY}) & set(sys.modules)
        assert not heavy, f"at start-up: {{heavy}}"
        sys.argv = ["eigentropy", "measure", "z.npy", "--labels", "y.npy", "--json"]
        try:
            commands.main()
        except SystemExit as end:
            assert not end.code, end.code
        heavy = set({HEAVY}) & set(sys.modules)
        assert not heavy, f"after measuring: {{heavy}}"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, cwd=here,
                   capture_output=True, timeout=60)  # fmt: skip


def test_ctrl_c_ends_the_process_with_130(here):
    np.save("labels.npy", np.arange(600) % 3)
    np.save("z.npy", np.random.default_rng(0).normal(size=(600, 4)))
    script = """
        import os, signal, sys, threading
        from eigentropy import _core
        from eigentropy.cli import commands

        def interrupted_soon(*arguments, of=_core.median_distance):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            return of(*arguments)

        _core.median_distance = interrupted_soon  # the first step: the command has begun
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        sys.argv = ["eigentropy", "measure", "z.npy", "--labels", "labels.npy",
                    "--n-null", "20000"]
        commands.main()
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=here, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 130, result.stderr
    assert result.stdout == ""
    assert result.stderr.strip() == "interrupted"
