"""The digits demo: what it writes, and that it tells learning from memorising."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("sklearn")
image = pytest.importorskip("matplotlib.image")

from messages import names

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_training.py"


class Result(NamedTuple):
    """What one call of the example leaves behind."""

    folder: Path
    lines: list[dict[str, str]]
    terminal: str


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("digits_training", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# Matplotlib 3.7 has no scale for a single epoch.
pytestmark = pytest.mark.filterwarnings("ignore:All values for SymLogScale:UserWarning")


@pytest.fixture(scope="module")
def run(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    def call(epochs: int, *options: str) -> Result:
        folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
        terminal = io.StringIO()
        with contextlib.redirect_stdout(terminal):
            example.main(
                ["--output", str(folder), "--epochs", str(epochs), "--seed", "1", *options]
            )
        with (folder / "digits_training.csv").open() as file:
            return Result(folder, list(csv.DictReader(file)), terminal.getvalue())

    return call


@pytest.fixture(scope="module")
def short(run: Callable[..., Result]) -> Result:
    return run(1)


def numbers(line: dict[str, str]) -> dict[str, float]:
    return {name: float(text) for name, text in line.items() if name != "labels"}


def last_epoch(result: Result, labels: str) -> dict[str, float]:
    return numbers([line for line in result.lines if line["labels"] == labels][-1])


def test_csv_has_a_line_for_every_epoch_of_both_runs(short: Result) -> None:
    assert [(line["labels"], line["epoch"]) for line in short.lines] == [
        ("true", "0"),
        ("true", "1"),
        ("permuted", "0"),
        ("permuted", "1"),
    ]
    assert list(short.lines[0])[2:] == [
        "dse",
        "dsmi_y",
        "dsmi_y_error",
        "dsmi_y_p",
        "dsmi_y_adjusted",
        "dsmi_x",
        "dsmi_x_error",
        "accuracy_training",
        "accuracy_heldout",
        "accuracy_heldout_error",
    ]


def test_every_value_is_finite_and_in_its_range(short: Result) -> None:
    heldout = 899
    for row in map(numbers, short.lines):
        assert all(math.isfinite(value) for value in row.values())
        assert 0 < row["dse"] < math.log2(heldout)
        assert 0 < row["dsmi_y_p"] <= 1
        assert 0 <= row["accuracy_training"] <= 1
        assert 0 <= row["accuracy_heldout"] <= 1
        assert all(row[name] > 0 for name in row if name.endswith("_error"))


def test_both_runs_start_from_the_same_untrained_network(short: Result) -> None:
    true, permuted = (line for line in short.lines if line["epoch"] == "0")
    assert true["dse"] == permuted["dse"]
    assert true["dsmi_x"] == permuted["dsmi_x"]


def test_the_same_seed_gives_the_same_csv(
    run: Callable[..., Result], short: Result, tmp_path: Path
) -> None:
    again = run(1, "--figure", str(tmp_path / "elsewhere.png"))
    assert again.lines == short.lines
    assert (tmp_path / "elsewhere.png").exists()
    assert not (again.folder / "digits_training.png").exists()


def test_figure_shows_both_runs(short: Result) -> None:
    pixels = image.imread(short.folder / "digits_training.png")[..., :3]
    for colour in ([0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00]):
        near = np.abs(pixels - np.array(colour) / 255).max(axis=-1) < 0.02
        assert near.sum() > 1000


def test_terminal_shows_a_whole_table_and_the_paths(short: Result) -> None:
    assert "DSMI(Z;Y)" in short.terminal
    assert "permuted" in short.terminal
    assert "…" not in short.terminal  # nothing is cut off at 80 columns
    assert "digits_training.csv" in short.terminal


def test_only_the_network_with_true_labels_learns(run: Callable[..., Result]) -> None:
    result = run(8)
    true, permuted = last_epoch(result, "true"), last_epoch(result, "permuted")
    error = math.hypot(true["dsmi_y_error"], permuted["dsmi_y_error"])
    assert true["dsmi_y"] - permuted["dsmi_y"] > 100 * error
    assert true["dsmi_y_p"] < 0.05 < permuted["dsmi_y_p"]
    assert true["accuracy_heldout"] > 0.9
    assert abs(permuted["accuracy_heldout"] - 0.1) < 5 * permuted["accuracy_heldout_error"]
    assert permuted["accuracy_training"] > 0.2  # it has begun to memorise


@pytest.mark.parametrize(("option", "smallest"), [("--epochs", 1), ("--seed", 0)])
def test_an_option_that_is_too_small_is_named(
    example: ModuleType, capsys: pytest.CaptureFixture[str], option: str, smallest: int
) -> None:
    with pytest.raises(SystemExit):
        example.main([option, str(smallest - 1)])
    assert names(capsys.readouterr().err, option, smallest, smallest - 1)
