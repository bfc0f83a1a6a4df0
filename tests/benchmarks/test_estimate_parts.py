"""The program that says where the time of an estimate goes, at a size that takes none."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the rate of a product is PyTorch's")

import eigentropy as eg
from benchmarks.compare import estimate_parts
from benchmarks.documents import tables


def test_it_has_the_parts_of_an_estimate_and_what_their_operations_take(tmp_path, capsys):
    file = tmp_path / "parts.json"
    sizes = ["--samples", "3000", "--columns", "20"]
    assert estimate_parts.main([*sizes, "--output", str(file)]) == 0
    (case,) = json.loads(file.read_text())["cases"]
    assert case["columns"]
    assert all(columns > 0 for columns in case["columns"])
    assert 0.0 < sum(case["parts"].values()) <= case["seconds"]
    assert min(case["parts"].values()) > 0.0
    operations = case["product_flops"] * case["at_product_rate"]["products"]
    assert operations == pytest.approx(2.0 * 3000**2 * sum(case["columns"]), rel=1e-4)
    operations = case["product_flops"] * case["at_product_rate"]["kernel"]
    assert operations == pytest.approx(3000**2 * 20, rel=1e-4)
    assert len(capsys.readouterr().out.splitlines()) == 3
    Z = np.random.default_rng(3000).normal(size=(3000, 20)).astype(np.float32)
    own = eg.dse(Z, tol=estimate_parts.TOL, method="stochastic")
    assert case["entropy"] == pytest.approx(float(own), rel=1e-5)


def test_the_table_has_the_parts_the_rest_and_the_memory():
    case = {
        "n": 1000,
        "seconds": 10.0,
        "parts": {"kernel": 5.0, "products": 4.0},
        "system_seconds": 3.0,
        "columns": [16, 16],
        "at_product_rate": {"kernel": 2.0, "products": 3.5},
    }
    found = tables.render("estimate parts", {"estimate_parts": {"cases": [case]}}).splitlines()
    shown = [[cell.strip() for cell in line.split("|")[3:5]] for line in found[2:]]
    assert shown == [["5 s", "2 s"], ["4 s", "3.5 s"], ["1 s", ""], ["10 s", "5.5 s"], ["3 s", ""]]
