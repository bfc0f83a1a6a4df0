"""The sampling error of a baseline."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eigentropy.baselines import binning, spectral, transferability, with_sampling_error
from messages import naming


def stretched(seed, n=200):
    return np.random.default_rng(seed).normal(size=(n, 6)) * [3.0, 2.0, 1.0, 1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    "function", [spectral.rankme, spectral.participation_ratio, spectral.vendi_score]
)
def test_it_is_near_the_spread_over_samples(function):
    spread = np.std([float(function(stretched(seed))) for seed in range(60)], ddof=1)
    found = [with_sampling_error(function, stretched(seed)) for seed in range(100, 108)]
    mean = math.sqrt(np.mean([one.sampling_error**2 for one in found]))
    assert mean == pytest.approx(spread, rel=0.45)


def test_the_estimate_is_that_of_all_rows_and_says_its_sampling_error():
    Z = stretched(0)
    plain, found = (
        spectral.participation_ratio(Z, center=False),
        with_sampling_error(spectral.participation_ratio, Z, center=False),
    )
    assert (found.value, found.n, found.settings) == (plain.value, plain.n, plain.settings)
    assert math.isnan(plain.sampling_error)
    assert f"sampling se {found.sampling_error:.2g}" in repr(found)
    assert "sampling" not in repr(plain)


def test_with_labels():
    Z = stretched(0)
    labels = (Z[:, 0] > 0.0).astype(int)
    for function in (transferability.h_score, binning.mutual_information):
        assert with_sampling_error(function, Z, labels).sampling_error > 0.0
    with pytest.raises(ValueError, match=naming("Y", 199, 200)):
        with_sampling_error(transferability.h_score, Z, labels[1:])


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match=naming(15, 16)):
        with_sampling_error(spectral.rankme, stretched(0)[:15])
