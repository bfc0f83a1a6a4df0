"""spectral_entropy: from eigenvalues to entropy."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import _core
from eigentropy._spectra.eigenvalues import shannon_nats_of_groups
from messages import naming


@pytest.mark.parametrize("n", [1, 2, 8, 1000])
@pytest.mark.parametrize("t", [0.25, 1.0, 7.0, 1e5])
def test_a_uniform_spectrum_has_log_n(n, t):
    assert eg.spectral_entropy(np.full(n, 0.3), t=t) == pytest.approx(math.log2(n), abs=1e-9)


@pytest.mark.parametrize("t", [0.1, 1.0, 1e5])
def test_a_rank_one_spectrum_has_0(t):
    assert eg.spectral_entropy([0.0, 1.0, 0.0], t=t) == 0.0


def test_two_levels_in_closed_form():
    p = 0.9
    binary = -p * math.log2(p) - (1 - p) * math.log2(1 - p)
    assert eg.spectral_entropy([0.9, 0.1]) == pytest.approx(binary)
    assert eg.spectral_entropy([math.sqrt(0.9), math.sqrt(0.1)], t=2) == pytest.approx(binary)


def test_a_geometric_spectrum_in_closed_form():
    r, n = 0.5, 200
    assert eg.spectral_entropy(r ** np.arange(n)) == pytest.approx(2.0, abs=1e-9)


def test_signs_and_order_do_not_matter(rng):
    values = rng.uniform(0.01, 1, size=50)
    signs = rng.choice([-1, 1], size=50)
    assert eg.spectral_entropy(rng.permutation(values * signs)) == pytest.approx(
        eg.spectral_entropy(values), rel=1e-13
    )


def test_scale_does_not_matter(rng):
    values = rng.uniform(0.01, 1, size=50)
    for scale in (1e-300, 1e300):
        assert eg.spectral_entropy(values * scale) == pytest.approx(eg.spectral_entropy(values))


def test_a_large_t_neither_overflows_nor_loses_the_spectrum():
    assert eg.spectral_entropy([1e-3, 1e-3, 1e-9], t=1e6) == pytest.approx(1.0)
    assert eg.spectral_entropy([1e3, 1e3], t=1e6) == pytest.approx(1.0)


def test_solver_noise_does_not_count_at_small_t():
    noisy = np.concatenate([[1.0, 1.0], np.full(1000, 1e-16)])
    assert eg.spectral_entropy(noisy, t=0.01) == pytest.approx(1.0)
    single = np.concatenate([[1.0, 1.0], np.full(1000, 1e-7)]).astype(np.float32)
    assert eg.spectral_entropy(single, t=0.01) == pytest.approx(1.0)


def test_base_converts_units():
    values = [0.5, 0.3, 0.2]
    assert eg.spectral_entropy(values, base=math.e) == pytest.approx(
        eg.spectral_entropy(values) * math.log(2)
    )


def test_tensors_of_torch_are_read():
    torch = pytest.importorskip("torch")
    assert eg.spectral_entropy(torch.tensor([1.0, 1.0])) == pytest.approx(1.0)


def test_integers_are_read():
    assert eg.spectral_entropy([1, 1, 1, 1]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("values", "error", "named"),
    [
        ([], ValueError, ["1-d", "(0,)"]),
        ([[1.0]], ValueError, ["1-d", "(1, 1)"]),
        ([0.0, 0.0], ValueError, [0]),
        ([1.0, math.nan], ValueError, ["NaN"]),
        ([1.0, math.inf], ValueError, ["infinity"]),
        (["a"], TypeError, ["numbers"]),
    ],
)
def test_bad_spectra_are_named(values, error, named):
    with pytest.raises(error, match=naming("eigenvalues", *named)):
        eg.spectral_entropy(values)


@pytest.mark.parametrize("t", [0, -1, math.nan, math.inf])
def test_bad_t_is_named(t):
    with pytest.raises(ValueError, match=naming("t", t)):
        eg.spectral_entropy([1.0], t=t)


@pytest.mark.parametrize("base", [0, -2, math.nan, 1])
def test_bad_base_is_named(base):
    with pytest.raises(ValueError, match=naming("base", base)):
        eg.spectral_entropy([1.0], base=base)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("t", [0.5, 1.0, 30.0])
def test_spectra_one_after_the_other_have_the_entropies_that_they_have_alone(rng, t, dtype):
    sizes = np.array([1, 7, 300, 2, 128])
    starts = np.cumsum(sizes) - sizes
    values = (rng.uniform(-1.0, 1.0, sizes.sum()) ** 9).astype(dtype)
    found = shannon_nats_of_groups(values, starts, t)
    for entropy, part in zip(found, np.split(values, starts[1:]), strict=True):
        x = np.abs(part.astype(float)) / np.abs(part).max()
        powers = np.where(x > 10 * np.finfo(dtype).eps, x, 0.0) ** t
        p = powers / powers.sum()
        p = p[p > 0.0]
        assert entropy == pytest.approx(-(p * np.log(p)).sum(), abs=1e-12)
        assert entropy == eg.spectral_entropy(part, t=t, base=math.e)


def test_weighted_sums_are_those_of_each_row(rng):
    values, weights = rng.normal(size=(5, 7)), rng.uniform(size=7)
    np.testing.assert_allclose(
        _core.weighted_sums(values, weights), values @ weights, rtol=0.0, atol=1e-14
    )
    assert _core.weighted_sums(values[:, ::2], weights[::2])[1] == sum(
        float(w) * float(x) for w, x in zip(weights[::2], values[1, ::2], strict=True)
    )
    for wrong in (weights[1:], weights[:, None]):
        with pytest.raises(ValueError, match="weight"):
            _core.weighted_sums(values, wrong)
