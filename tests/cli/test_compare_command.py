"""`eigentropy compare`: the numbers of Python, its table, its JSON and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import eigentropy as eg
from eigentropy.cli import commands
from messages import names

N = 90


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with three layers, one.npy, two.npy and three.npy, and the labels y.npy."""
    rng = np.random.default_rng(0)
    y = np.arange(N) % 3
    rows = rng.normal(size=(N, 4))
    for name, spread in {"one": 0.0, "two": 0.0, "three": 6.0}.items():
        Z = rows + 0.1 * rng.normal(size=rows.shape) + spread * np.eye(4)[y]
        np.save(tmp_path / f"{name}.npy", Z)
    np.save(tmp_path / "y.npy", y)
    monkeypatch.chdir(tmp_path)
    return {name: np.load(tmp_path / f"{name}.npy") for name in ("one", "two", "three")}, y


FILES = ("one.npy", "two.npy", "three.npy")


def invoke(*args):
    return CliRunner().invoke(commands.app, ["compare", *map(str, args)])


def succeed(*args):
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*args):
    return json.loads(succeed(*args, "--json"))


def fail(*args):
    result = invoke(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line


def named(Zs):
    return dict(zip(FILES, Zs.values(), strict=True))


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ((), {}),
        (("--sigma", "2.5", "-t", "3", "--base", "e"), {"sigma": 2.5, "t": 3.0, "base": np.e}),
        (("--unpaired", "--level", "0.9"), {"paired": False, "level": 0.9}),
        (("--paired", "--pairs", "neighbours"), {"paired": True, "pairs": "neighbours"}),
        (("--against", "two.npy"), {"against": "two.npy"}),
        (("--max-points", "50", "--seed", "3"), {"max_points": 50, "seed": 3}),
        (("-m", "kernel_entropy", "--order", "2"), {"measure": "kernel_entropy", "order": 2.0}),
        (("--measure", "rankme"), {"measure": "rankme"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_it_prints_what_python_says(here, given, options):
    expected = eg.compare(named(here[0]), **options)
    assert succeed(*FILES, *given, "-q").splitlines() == repr(expected).splitlines()


def test_with_labels_it_is_the_information(here):
    Zs, y = here
    expected = eg.compare(named(Zs), measure="dsmi", Y=y, n_null=5)
    shown = succeed(*FILES, "--labels", "y.npy", "--n-null", "5", "-q")
    assert shown.splitlines() == repr(expected).splitlines()
    bits = eg.compare(named(Zs), measure="kernel_information_bits", Y=y)
    shown = succeed(*FILES, "--labels", "y.npy", "-m", "kernel_information_bits", "-q")
    assert shown.splitlines() == repr(bits).splitlines()


def test_labels_may_be_a_column_of_each_file(here):
    Zs, y = here
    for name in ("one", "three"):
        lines = [",".join(map(repr, row.tolist())) for row in Zs[name]]
        table = "".join(f"{line},c{label}\n" for line, label in zip(lines, y, strict=True))
        Path(f"{name}.csv").write_text(f"a,b,c,d,class\n{table}")
    pytest.importorskip("pyarrow")
    found = as_json("one.csv", "three.csv", "--labels", "class")
    expected = eg.compare(Zs["one"], Zs["three"], measure="dsmi", Y=y)
    assert found["differences"][0]["difference"] == pytest.approx(expected.value)


def test_json_has_everything(here):
    found = as_json(*FILES, "--against", "one.npy")
    expected = eg.compare(named(here[0]), against="one.npy")
    assert found["command"] == "compare"
    assert found["differences"] == expected.to_rows()
    assert found["ties"] == [["one.npy", "two.npy"]]
    assert found["changed_at"] == "three.npy"
    assert found["sentences"] == expected.sentences()
    first = found["files"]["one.npy"]
    assert first["value"] == expected.values["one.npy"]
    assert (first["sampling_error"], first["degrees"]) == expected.errors["one.npy"]
    low, high = expected.interval("one.npy")
    assert (first["low"], first["high"]) == (low, high)
    assert first["sigma"] == expected.results["one.npy"].sigma
    assert found["settings"]["sigma"] == "auto"
    assert found["warnings"] == []


def test_different_numbers_of_rows_are_warned_of(here):
    np.save("few.npy", here[0]["one"][:50])
    result = invoke("one.npy", "few.npy")
    assert result.exit_code == 0
    assert names(result.stderr, "warning", "max_points", "50", "90")
    assert names(result.stdout, "unpaired")


def test_files_that_a_shell_has_sorted_are_warned_of(here):
    for number in (1, 2, 10):
        np.save(f"epoch{number}.npy", here[0]["one"])
    by_letter = sorted(map(str, Path().glob("epoch*.npy")))
    assert by_letter[1] == "epoch10.npy"
    given = (*by_letter, "--against", "epoch1.npy")
    assert names(invoke(*given).stderr, "warning", "epoch10.npy", "epoch2.npy", "changed_at")
    (warned,) = as_json(*given)["warnings"]
    assert names(warned, "epoch10.npy", "epoch2.npy")
    by_number = ("epoch1.npy", "epoch2.npy", "epoch10.npy", "--against", "epoch1.npy")
    assert as_json(*by_number)["warnings"] == []
    assert as_json(*by_letter)["warnings"] == []  # no pair says anything of time


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("one.npy",), ["two", "one.npy"]),
        (("one.npy", "one.npy"), ["one.npy"]),
        (("one.npy", "none.npy"), ["none.npy"]),
        (("one.npy", "few.npy", "--paired"), ["paired=True", "few.npy", "90", "50"]),
        ((*FILES, "--against", "four.npy"), ["against", "four.npy", "one.npy"]),
        ((*FILES, "--pairs", "some"), ["pairs", "some", "neighbours"]),
        ((*FILES, "--measure", "rankm"), ["measure", "rankm"]),
        ((*FILES, "--measure", "dsmi"), ["Y", "dsmi"]),
        ((*FILES, "--measure", "rankme", "-t", "2"), ["rankme", "t"]),
        ((*FILES, "--labels", "y.npy", "-m", "dse"), ["Y", "dse"]),
        ((*FILES, "-t", "1,2"), ["t", "1,2"]),
        ((*FILES, "--sigma", "wide"), ["sigma", "wide"]),
        ((*FILES, "--level", "95"), ["level", "95"]),
        (("one.npy", "nan.npy"), ["nan.npy", "NaN"]),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line(here, given, words):
    Z = here[0]["one"]
    np.save("few.npy", Z[:50])
    np.save("nan.npy", np.where(Z[3, 1] == Z, np.nan, Z))
    assert names(fail(*given), *words)
