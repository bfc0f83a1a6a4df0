"""`--sampling-error`: tables, JSON and CSV have the sampling errors of the library."""

from __future__ import annotations

import csv
import json
import math
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy.cli import commands
from eigentropy.io import MeasurementSettings, track
from eigentropy.report import read_run
from messages import names

Z, LABELS = separated_blobs(20, 4, distance=5.0)
OTHER = Z @ np.ones((4, 2)) + np.arange(2)
N_NULL = 3
FEW_NULL = ("--n-null", N_NULL)
OPTION = "--sampling-error"


def invoke(*args):
    return CliRunner().invoke(commands.app, [str(arg) for arg in args])


def succeed(*args):
    result = invoke(*args)
    assert result.exit_code == 0, result.stderr
    return result


def refuse_constant(name):
    raise ValueError(name)


def as_json(*args):
    """What a strict reader makes of the document."""
    return json.loads(succeed(*args, "--json").stdout, parse_constant=refuse_constant)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """z.npy with labels y.npy and other vectors x.npy, two snapshots, and 12 rows in few.npy."""
    monkeypatch.chdir(tmp_path)
    for name, array in {
        "z": Z,
        "y": LABELS,
        "x": OTHER,
        "few": Z[::5],
        "few_y": LABELS[::5],
    }.items():
        np.save(f"{name}.npy", array)
    (tmp_path / "run").mkdir()
    for epoch in (1, 2):
        np.save(tmp_path / "run" / f"epoch{epoch}.npy", epoch * Z + np.sin(97.0 * Z))
    return tmp_path


def as_null(value):
    return value if math.isfinite(value) else None


# measure


def test_json_has_the_sampling_errors_of_the_library(here):
    document = as_json("measure", "z.npy", "--labels", "y.npy", "--kernel", "-t", "1,2", *FEW_NULL,
                       OPTION)  # fmt: skip
    assert document["settings"]["sampling"] is True
    for t, entry in zip((1.0, 2.0), document["dse"], strict=True):
        expected = eg.dse(Z, t=t)
        assert entry["sampling_error"] == pytest.approx(expected.sampling_error, rel=1e-9)
        interval = entry["sampling_interval"]
        low, high = expected.interval(of="sample")
        assert (interval["low"], interval["high"]) == pytest.approx((low, high), rel=1e-9)
        assert (interval["level"], interval["over"]) == (0.95, "other samples of the data")
        assert entry["interval"]["over"] == "rounding"  # stays that of the computation
    (entropy,) = document["kernel_entropy"]
    assert entropy["sampling_error"] == pytest.approx(eg.kernel_entropy(Z).sampling_error)
    dsmi, _ = document["dsmi"]["labels"]["results"]
    (kernel,) = document["kernel_information"]["labels"]["results"]
    for entry, expected in {
        "dsmi": (dsmi, eg.dsmi(Z, LABELS, n_null=N_NULL)),
        "kernel": (kernel, eg.kernel_information(Z, LABELS, n_null=N_NULL)),
    }.values():
        assert entry["sampling_error"] == pytest.approx(expected.sampling_error)
        adjusted = expected.sampling_error_of("adjusted")
        assert entry["adjusted_sampling_error"] == pytest.approx(adjusted)
    assert kernel["bits_sampling_error"] == pytest.approx(
        eg.kernel_information(Z, LABELS, n_null=N_NULL).sampling_error_of("bits")
    )
    assert "bits_sampling_error" not in dsmi


def test_without_the_option_nothing_is_said_or_computed(here, monkeypatch):
    def refused(*args):
        raise AssertionError("a sampling error was computed")

    for kind in (eg.DiffusionEntropy, eg.DiffusionInformation):
        monkeypatch.setattr(kind, "_variation", refused)
    document = as_json("measure", "z.npy", "--labels", "y.npy", *FEW_NULL)
    entries = [*document["dse"], *document["dsmi"]["labels"]["results"]]
    assert not [key for entry in entries for key in entry if "sampling" in key]
    assert "+-" not in succeed("measure", "z.npy", "--labels", "y.npy", *FEW_NULL).stdout
    succeed("track", "run", "--labels", "y.npy", *FEW_NULL)
    assert "sampling" not in (here / "track.csv").read_text()


def test_the_table_has_each_value_with_its_error_and_says_over_what(here):
    table = succeed("measure", "z.npy", "--labels", "y.npy", "--kernel", *FEW_NULL, OPTION).stdout
    entropy, kernel = eg.dse(Z), eg.kernel_entropy(Z)
    dsmi = eg.dsmi(Z, LABELS, n_null=N_NULL)
    about = eg.kernel_information(Z, LABELS, n_null=N_NULL)
    for result in (entropy, kernel, dsmi, about):
        assert f"{result.value:.4f} +- {result.sampling_error:.4f}" in table
    for result in (dsmi, about):
        assert f"{result.adjusted():.3f} +- {result.sampling_error_of('adjusted'):.3f}" in table
    assert f"{about.bits():.4f} +- {about.sampling_error_of('bits'):.4f}" in table
    (line,) = [line for line in table.splitlines() if line.startswith("+-")]
    assert names(line, "sampling error", "other samples")


def test_too_few_rows_have_none_and_the_rest_is_there(here):
    args = ("measure", "few.npy", "--labels", "few_y.npy", "--kernel", *FEW_NULL)
    document = as_json(*args, OPTION)
    plain = as_json(*args)
    for entry, without in zip(document["dse"], plain["dse"], strict=True):
        assert entry["value"] == without["value"]
        assert entry["sampling_error"] is entry["sampling_interval"] is None
        assert names(entry["sampling_note"], 12)
    for family in ("dsmi", "kernel_information"):
        (entry,) = document[family]["labels"]["results"]
        assert entry["sampling_error"] is entry["adjusted_sampling_error"] is None
        assert names(entry["sampling_note"], 12)
    table = succeed(*args, OPTION).stdout
    value = float(eg.dse(Z[::5]))
    assert f"{value:.4f}" in table
    assert f"{value:.4f} +-" not in table
    (line,) = [line for line in table.splitlines() if names(line, "12 rows", "sampling error")
               and "columns" not in line]  # fmt: skip
    assert names(line, 16)  # the least


# track


def rows_in(path):
    with open(path, newline="") as file:  # noqa: PTH123
        return list(csv.DictReader(file))


def test_track_writes_a_column_for_each_that_has_an_error(here):
    result = succeed("track", "run", "--labels", "y.npy", "--against", "x.npy", "--kernel",
                     "--n-clusters", 3, *FEW_NULL, OPTION, "-o", "out")  # fmt: skip
    rows = rows_in("out.csv")
    wanted = {
        "dse", "dsmi_labels", "dsmi_labels_adjusted", "dsmi_against", "dsmi_against_adjusted",
        "kernel", "kernel_labels", "kernel_labels_adjusted", "kernel_labels_bits", "kernel_against",
    }  # fmt: skip
    end = "_sampling_error"
    assert {name.removesuffix(end) for name in rows[0] if name.endswith(end)} == wanted
    assert wanted <= rows[0].keys()
    for epoch, row in enumerate(rows, 1):
        snapshot = np.load(f"run/epoch{epoch}.npy")
        entropy, dsmi = eg.dse(snapshot), eg.dsmi(snapshot, LABELS, n_null=N_NULL)
        about = eg.kernel_information(snapshot, LABELS, n_null=N_NULL)
        expected = {
            "dse": entropy.sampling_error,
            "dsmi_labels": dsmi.sampling_error,
            "dsmi_labels_adjusted": dsmi.sampling_error_of("adjusted"),
            "kernel_labels_bits": about.sampling_error_of("bits"),
        }
        for name, error in expected.items():
            assert float(row[name + end]) == pytest.approx(error, nan_ok=True)
        shown = f"{entropy.value:.3f} +- {entropy.sampling_error:.3f}"
        assert shown in result.stdout
    assert names(result.stdout, "sampling error", "other samples")


def test_track_json_equals_the_csv_with_null_for_nan(here):
    document = as_json("track", "few.npy", "--labels", "few_y.npy", *FEW_NULL, OPTION)
    (row,), (shown,) = rows_in("track.csv"), document["rows"]
    assert list(row) == list(shown)
    assert row["dse_sampling_error"] == "nan"
    assert shown["dse_sampling_error"] is None
    assert float(row["dse"]) == shown["dse"] == float(eg.dse(Z[::5]))


def test_why_there_is_none_is_said_once(here):
    for epoch in (1, 2):
        np.save(f"run/epoch{epoch}.npy", epoch * Z[::5])
    result = succeed("track", "run", "--labels", "few_y.npy", *FEW_NULL, OPTION)
    (line,) = result.stderr.splitlines()
    assert names(line, "warning:", "epoch1.npy", 12, "sampling error")


def test_track_from_python_has_them_too(here):
    settings = MeasurementSettings(sampling=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = track(["z.npy"], settings=settings)
    assert row.flat()["dse_sampling_error"] == row.sampling_errors["dse"] > 0.0
    assert list(row.flat())[:4] == ["snapshot", "n", "sigma", "dse"]


def test_a_report_reads_the_sampling_errors_that_track_writes(here):
    succeed("track", "run", "--labels", "y.npy", *FEW_NULL, OPTION, "-o", "out")
    run, rows = read_run("out.csv"), rows_in("out.csv")
    kinds = {"dse": "dse", "dsmi_y": "dsmi_labels", "dsmi_y_adjusted": "dsmi_labels_adjusted"}
    for kind, column in kinds.items():
        errors = [float(row[f"{column}_sampling_error"]) for row in rows]
        assert run.series(f"{kind}_sampling_se")["out"] == errors
