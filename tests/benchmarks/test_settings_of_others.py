"""What other projects compute, restated: closed forms, and that a difference is found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

pytest.importorskip("sklearn")

from benchmarks.accuracy import settings_of_others as others
from benchmarks.shared.results import RESULTS


def separated(sizes, d=3, seed=0):
    rng = np.random.default_rng(seed)
    centers = 1e4 * np.eye(len(sizes), max(d, len(sizes)))
    return np.concatenate(
        [
            center + rng.standard_normal((n, len(center)))
            for center, n in zip(centers, sizes, strict=True)
        ]
    )


def test_the_knn_kernel_joins_a_row_and_those_of_which_one_is_near_the_other():
    """On a line: 0, 1, 3 with one neighbour each; 3's is 1, whose own is 0."""
    G = others.knn_kernel(np.array([[0.0], [1.0], [3.0]]), k=1)
    near, far = math.exp(-1.0 / (1.0 * 1.0)), math.exp(-4.0 / (1.0 * 2.0))
    assert pytest.approx(np.array([[1, near, 0], [near, 1, far], [0, far, 1]])) == G


@pytest.mark.parametrize("sizes", [(20,), (20, 40), (150, 50, 100, 80, 120)])
def test_the_count_of_separated_clusters_is_their_number_whatever_their_sizes(sizes):
    A = others.normalised(others.knn_kernel(separated(sizes)), 1.0)
    assert others.count(A, 1e4) == len(sizes)


def test_the_largest_eigenvalue_is_one_and_entropies_are_those_of_the_shares():
    A = others.normalised(others.gaussian(separated((30, 30)), 1.0), 0.5)
    assert others.magnitudes(A, 1.0).max() == pytest.approx(1.0)
    assert others.entropy(np.array([1.0, 1.0, 1.0, 1.0])) == pytest.approx(2.0)
    assert others.of_cosines(3.0 * np.eye(8)) == pytest.approx(3.0)
    assert others.of_singular_values(3.0 * np.eye(8)) == pytest.approx(3.0)


def test_our_calls_have_the_same_values_and_another_value_is_a_fault():
    rows = others.measured({"one": others.blobs()[::5]})
    assert others.faults(rows) == []
    compared = [row for row in rows if row["ours"]]
    assert len(compared) >= 5
    compared[0]["ours"]["one"] += 1e-6
    assert len(others.faults(rows)) == 1
    compared[0]["ours"]["one"] = math.nan
    assert len(others.faults(rows)) == 1


def test_what_is_stored_is_what_is_computed():
    stored = json.loads((RESULTS / "settings_of_others.json").read_text())
    assert stored["faults"] == []
    Z = others.blobs()
    for row, (project, setting, restated, _) in zip(stored["rows"], others.SETTINGS, strict=True):
        assert (row["project"], row["setting"]) == (project, setting)
        assert restated(Z) == pytest.approx(row["values"]["five blobs"], rel=1e-4)
