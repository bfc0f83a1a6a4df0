"""`--kernel` and `--order`: tables, JSON, CSV and figure have the numbers of the library."""

from __future__ import annotations

import csv
import json
import math

import matplotlib.image
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
FEW = ("--n-null", "3", "--n-clusters", "3")


def invoke(*args):
    return CliRunner().invoke(commands.app, [str(arg) for arg in args])


def succeed(*args):
    result = invoke(*args)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refuse_constant(name):
    raise ValueError(name)


def as_json(*args):
    """What a strict reader makes of the document."""
    return json.loads(succeed(*args, "--json"), parse_constant=refuse_constant)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """z.npy with labels y.npy and other vectors x.npy, and two snapshots."""
    monkeypatch.chdir(tmp_path)
    for name, array in {"z": Z, "y": LABELS, "x": OTHER}.items():
        np.save(f"{name}.npy", array)
    (tmp_path / "run").mkdir()
    for epoch in (1, 2):
        np.save(tmp_path / "run" / f"epoch{epoch}.npy", epoch * Z + np.sin(97.0 * Z))
    return tmp_path


# ---- measure ------------------------------------------------------------------------------------


def test_json_has_the_numbers_of_the_library(here):
    document = as_json("measure", "z.npy", "--labels", "y.npy", "--against", "x.npy", "--kernel",
                       "--order", "1,2", "--order", "inf", *FEW)  # fmt: skip
    orders = {1.0: 1.0, 2.0: 2.0, "inf": math.inf}  # JSON has no infinity
    assert document["settings"]["order"] == list(orders)
    assert document["settings"]["kernel"] is True
    for (shown, order), entry in zip(orders.items(), document["kernel_entropy"], strict=True):
        expected = eg.kernel_entropy(Z, order=order)
        assert entry["order"] == shown
        assert entry["value"] == pytest.approx(float(expected), rel=1e-12)
        assert entry["vendi"] == pytest.approx(expected.vendi, rel=1e-12)
        assert entry["maximum"] == pytest.approx(math.log2(len(Z)))
        assert entry["sigma"] == document["dse"][0]["sigma"] == expected.sigma
        assert {"standard_error", "error_bound", "interval", "method", "dtype"} <= entry.keys()
        assert not {"t", "alpha"} & entry.keys()
    for role, Y in {"labels": LABELS, "against": OTHER}.items():
        entries = document["kernel_information"][role]["results"]
        assert document["kernel_information"][role]["source"] == document["dsmi"][role]["source"]
        for (shown, order), entry in zip(orders.items(), entries, strict=True):
            expected = eg.kernel_information(Z, Y, order=order, n_null=3)
            assert (entry["order"], entry["kind"]) == (shown, expected.kind)
            for name in ("value", "p_value", "conditional_entropy"):
                assert entry[name] == pytest.approx(getattr(expected, name), rel=1e-9)
            for name in ("bits", "adjusted"):
                number = getattr(expected, name)()
                assert entry[name] == (None if math.isnan(number) else pytest.approx(number))
            assert bool(entry["adjusted_note"]) is math.isnan(expected.adjusted())


def test_without_the_option_the_document_has_nothing_of_it(here):
    document = as_json("measure", "z.npy", "--labels", "y.npy", *FEW)
    assert not {"kernel_entropy", "kernel_information"} & document.keys()
    assert document["settings"]["kernel"] is False


def test_the_table_has_entropy_vendi_and_bits(here):
    table = succeed("measure", "z.npy", "--labels", "y.npy", "--kernel", *FEW)
    entropy = eg.kernel_entropy(Z)
    information = eg.kernel_information(Z, LABELS, n_null=3)
    assert names(table, f"{float(entropy):.4f}", "vendi", f"{entropy.vendi:.4g}")
    assert names(table, f"{float(information):.4f}", f"{information.standard_error:.4f}")
    assert names(table, "bits()", f"{information.bits():.4f}", f"{information.adjusted():.3f}")
    plain = succeed("measure", "z.npy", "--labels", "y.npy", *FEW)
    assert not names(plain, "vendi")
    for line in plain.splitlines()[:5]:  # the table of the diffusion operator is the same
        assert line in table


def test_what_is_not_in_bits_is_said(here):
    table = succeed("measure", "z.npy", "--labels", "y.npy", "--against", "x.npy", "--kernel",
                    "--order", 2, *FEW)  # fmt: skip
    lines = [line for line in table.splitlines() if "bits" in line]
    assert any(names(line, "bits()", "labels", "order 2", "order=1") for line in lines)
    assert any(names(line, "against", "joint kernel", "vectors") for line in lines)


def test_an_estimate_says_where_the_entropy_is(here):
    rows = np.random.default_rng(0).normal(size=(500, 3))
    np.save("long.npy", rows)
    table = succeed("measure", "long.npy", "--kernel", "--method", "stochastic", "--tol", 0.1)
    found = eg.kernel_entropy(rows, method="stochastic", tol=0.1).interval()
    assert names(table, "kernel entropy of order 1", f"{found.low:.4f}", f"{found.high:.4f}")


# ---- Orders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["measure", "track"])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--kernel", "--order", "0"], ["order", "0.0"]),
        (["--kernel", "--order", "-1"], ["order", "-1.0"]),
        (["--kernel", "--order", "nan"], ["order", "nan"]),
        (["--kernel", "--order", "two"], ["order", "'two'", "inf"]),
        (["--order", "2"], ["order", "2", "--kernel"]),
    ],
)
def test_a_bad_order_is_one_line_that_names_it(command, args, words):
    result = invoke(command, "nope.npy", *args)  # no file is opened
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert names(line, "error:", *words), line


def test_track_takes_one_order():
    result = invoke("track", "nope", "--kernel", "--order", "1,2")
    assert result.exit_code == 2
    assert names(result.stderr, "order", "one number", "'1,2'")


# ---- track --------------------------------------------------------------------------------------

KERNEL = ["track", "run", "--labels", "y.npy", "--against", "x.npy", "--kernel", *FEW]


def table_in(path):
    with open(path, newline="") as file:  # noqa: PTH123
        return list(csv.DictReader(file))


def test_track_adds_columns_of_the_density_matrix(here):
    shown = succeed(*KERNEL, "-o", "out")
    for row in table_in("out.csv"):
        rows = np.load(f"run/{row['snapshot']}.npy")
        assert float(row["kernel"]) == pytest.approx(float(eg.kernel_entropy(rows)), rel=1e-12)
        assert float(row["kernel_standard_error"]) == 0.0
        labels = eg.kernel_information(rows, LABELS, n_null=3)
        assert float(row["kernel_labels"]) == pytest.approx(float(labels), rel=1e-9)
        assert float(row["kernel_labels_bits"]) == pytest.approx(labels.bits(), rel=1e-9)
        assert float(row["kernel_labels_adjusted"]) == pytest.approx(labels.adjusted(), rel=1e-9)
        assert float(row["kernel_labels_p_value"]) == labels.p_value
        vectors = eg.kernel_information(rows, OTHER, n_null=3)
        assert float(row["kernel_against"]) == pytest.approx(float(vectors), rel=1e-9)
        assert not {"kernel_against_bits", "kernel_against_adjusted"} & row.keys()
        assert names(shown, f"{labels.bits():.3f}", f"{float(vectors):.3f}")


def test_the_columns_without_the_option_are_the_first_ones_with_it(here):
    succeed(*KERNEL, "-o", "with")
    succeed(*(arg for arg in KERNEL if arg != "--kernel"), "-o", "without")
    for one, other in zip(table_in("without.csv"), table_in("with.csv"), strict=True):
        assert list(other)[: len(one)] == list(one)
        assert {name: other[name] for name in one} == one


def test_track_draws_a_second_row_of_panels(here):
    succeed(*KERNEL, "-o", "out")
    image = matplotlib.image.imread("out.png")[:, :, :3]
    height, width = image.shape[:2]
    assert (height, width) == (1050, 1890)
    for top in (0, height // 2):
        for left in range(0, width, width // 3):
            part = image[top : top + height // 2, left : left + width // 3]
            assert ((part.max(axis=2) - part.min(axis=2)) > 0.3).sum() > 500  # a coloured line
    succeed("track", "run", "--kernel", "-o", "alone")
    assert matplotlib.image.imread("alone.png").shape[:2] == (1050, 690)


def test_track_json_equals_the_csv_and_has_the_order(here):
    document = as_json("track", "run", "--labels", "y.npy", "--kernel", "--order", "inf", *FEW)
    assert document["settings"]["order"] == ["inf"]
    for one, other in zip(document["rows"], table_in("track.csv"), strict=True):
        assert list(one) == list(other)
        assert {k: "nan" if v is None else str(v) for k, v in one.items()} == other
        assert one["kernel_labels_bits"] is None  # order 1 only
    rows = np.load("run/epoch1.npy")
    entropy = float(eg.kernel_entropy(rows, order=math.inf))
    assert document["rows"][0]["kernel"] == pytest.approx(entropy, rel=1e-12)


def test_a_report_has_the_tracked_values_under_the_names_of_a_monitor(here):
    succeed(*KERNEL, "-o", "out")
    run, rows = read_run("out.csv"), table_in("out.csv")
    columns = {"kernel": "kernel", "kernel_y": "kernel_labels_bits", "kernel_x": "kernel_against",
               "kernel_y_adjusted": "kernel_labels_adjusted"}  # fmt: skip
    for kind, column in columns.items():
        assert run.series(kind)["out"] == [float(row[column]) for row in rows]


def test_track_from_python_has_them_too(here):
    first, _ = track("run", labels=LABELS, settings=MeasurementSettings(kernel=True, n_null=2))
    assert first.kernel is not None
    assert first.flat()["kernel_labels_bits"] == first.kernel.informations["labels"].bits
    (alone, _) = track("run", settings=MeasurementSettings())
    assert alone.kernel is None
