"""What belongs to the quick set follows from what a file imports."""

from __future__ import annotations

from pathlib import Path

import pytest

import quick

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def nothing_beside(monkeypatch):
    """Whatever these tests were started with."""
    monkeypatch.setattr(quick, "beside", frozenset())
    quick.needs.cache_clear()


@pytest.fixture
def needed(tmp_path):
    """What a file with these lines needs."""

    def needed(*lines):
        file = tmp_path / f"test_{len(list(tmp_path.iterdir()))}.py"
        file.write_text("\n".join(lines))
        return set(quick.needs(file))

    return needed


@pytest.mark.parametrize(
    "line",
    [
        "import math, numpy as np",
        "import pytest",
        "from eigentropy._spectra import plan",
        "import eigentropy.reference as reference",
        "from data_sets import swiss_roll",
        "def test(): pytest.importorskip('torch')",
        "importlib.import_module(name)",
    ],
)
def test_what_needs_no_more_is_quick(needed, line):
    assert needed(line) == set()


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("import torch.nn as nn", "torch"),
        ("from sklearn.datasets import load_digits", "sklearn"),
        ("def test():\n    import pandas", "pandas"),
        ("torch = pytest.importorskip('torch')", "torch"),
        ("importlib.import_module('dse_dsmi')", "dse_dsmi"),
        ("import eigentropy.torch", "eigentropy.torch"),
        ("from eigentropy.torch.losses import modules", "eigentropy.torch"),
        ("from eigentropy import torch", "eigentropy.torch"),
        ("from eigentropy.studies import data", "eigentropy.studies"),
        ("from benchmarks.compare import cases", "benchmarks"),
    ],
)
def test_what_needs_more_is_named(needed, line, package):
    assert needed("import numpy", line) == {package}


def test_packages_that_are_named_may_be_imported_as_well(monkeypatch, needed):
    monkeypatch.setattr(quick, "beside", frozenset({"sklearn", "torch"}))
    assert needed("import sklearn.cluster", "import torch", "import eigentropy.torch") == set()
    assert needed("import scipy", "import eigentropy.studies") == {"scipy", "eigentropy.studies"}


def test_a_file_needs_what_its_folder_needs(monkeypatch, tmp_path):
    monkeypatch.setattr(quick, "EQUIPMENT", tmp_path / "equipment")
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "conftest.py").write_text("from matplotlib.figure import Figure")
    (folder / "test_figures.py").write_text("import numpy")
    assert quick.left_out(folder / "test_figures.py") == ["matplotlib"]


@pytest.mark.parametrize(
    "file",
    [
        "test_layout",
        "support/test_options",
        "kernels/test_operator",
        "kernels/test_kernel_operator",
        "kernels/test_bandwidth",
        "kernels/test_groups",
        "spectra/test_spectrum",
        "spectra/test_eigvalsh",
        "spectra/test_stochastic",
        "spectra/test_low_rank",
        "spectra/test_rounding",
        "spectra/test_methods",
        "measures/test_entropy",
        "measures/test_information",
        "measures/test_results",
        "backends/test_arrays",
        "backends/test_cuda",
    ],
)
def test_what_makes_up_the_measures_is_in_the_quick_set(file):
    assert quick.left_out(TESTS / f"{file}.py") == []


def test_a_package_is_skipped_even_where_it_is_installed():
    assert quick.importorskip("math").pi > 3
    with pytest.raises(pytest.skip.Exception):
        quick.importorskip("torch")
