"""The entropy between the bounds of a factor of low rank, t = 1."""

from __future__ import annotations

import math
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import eigentropy as eg
from data_sets import digits, random_blobs, swiss_roll
from eigentropy import _core, reference
from eigentropy._backends.rows import Rows
from eigentropy._spectra.cholesky import BLOCK, PartialCholesky, reject
from eigentropy._spectra.enclosure import ROUNDING, entropy_interval, predicted_rank
from eigentropy._spectra.low_rank import low_rank_spectrum
from eigentropy._support import memory
from messages import naming

N = 700
CASES = {
    "swiss roll, sigma 10": lambda rng: (swiss_roll(N), 10.0),
    "blobs": lambda rng: (random_blobs(N, 20), 10.0),
    "digits, sigma 20": lambda rng: (digits()[0][:N], 20.0),
    "gaussian d = 2": lambda rng: (rng.normal(size=(N, 2)), 1.0),
    "gaussian d = 512": lambda rng: (rng.normal(size=(N, 512)), 10.0),
    "duplicates": lambda rng: (np.repeat(rng.normal(size=(N // 10, 3)), 10, axis=0), 0.5),
    "float32 rows": lambda rng: (rng.normal(size=(N, 3)).astype(np.float32)[:, ::-1], 1.0),
    "far from their center": lambda rng: (1e3 * rng.normal(size=(N, 3)) + 1e6, 1e3),
}


def operator_scaling(Z, sigma, alpha):
    """s with A = diag(s) G diag(s): the roots of the diagonal of A, since G_ii = 1."""
    A, *_ = _core.matrix(Z, sigma, alpha, "float64")
    return np.sqrt(A.diagonal())


@pytest.fixture(params=list(CASES))
def case(request, rng):
    """Rows and a sigma."""
    return CASES[request.param](rng)


def spectrum_of(Z, sigma, tol=1e-3, alpha=0.5, **options):
    return low_rank_spectrum(Rows(Z), sigma, operator_scaling(Z, sigma, alpha), tol, **options)


def exact(Z, sigma, alpha=0.5):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        return float(eg.dse(Z, sigma=sigma, alpha=alpha, method="exact", base=math.e))


def factor_of(Z, sigma, blocks, alpha=0.5, max_rank=None):
    factor = PartialCholesky(Z, sigma, operator_scaling(Z, sigma, alpha), max_rank or len(Z))
    generator = np.random.default_rng(0)
    for _ in range(blocks):
        if not factor.exhausted and factor.rank < (max_rank or len(Z)):
            factor.extend(generator)
    return factor


# The factor


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_what_the_factor_leaves_is_positive_and_has_the_trace_it_says(case, alpha):
    """Both to rounding, for which a tenth of ROUNDING is enough."""
    Z, sigma = case
    A = reference.diffusion_operator(Z, sigma, alpha)
    factor = factor_of(Z, sigma, 3, alpha)
    R = A - factor.factor.T @ factor.factor
    assert eg.eigvalsh(R)[-1] >= -0.1 * ROUNDING
    assert abs(R.trace() - factor.residual) <= 0.1 * ROUNDING
    assert np.abs(R.diagonal() - factor.diagonal).max() <= 0.1 * ROUNDING


def test_residuals_are_the_traces_after_each_pivot(rng):
    Z = rng.normal(size=(300, 3))
    factor = factor_of(Z, 1.0, 2)
    trace = reference.diffusion_operator(Z, 1.0).trace()
    expected = trace - np.append(0.0, (factor.factor**2).sum(axis=1).cumsum())
    assert len(factor.residuals) == factor.rank + 1
    np.testing.assert_allclose(factor.residuals, expected, rtol=0, atol=1e-13)
    assert np.all(np.diff(factor.residuals) <= 0)


def test_eigenvalues_are_those_of_the_approximation(rng):
    """Also where they are asked for between blocks."""
    factor = factor_of(rng.normal(size=(300, 3)), 1.0, 0)
    generator = np.random.default_rng(0)
    for _ in range(3):
        factor.extend(generator)
        expected = eg.eigvalsh(factor.factor.T @ factor.factor)[: factor.rank]
        np.testing.assert_allclose(factor.eigenvalues(), expected, rtol=0, atol=1e-14)


def test_a_factor_of_a_matrix_of_low_rank_ends_with_that_rank(rng):
    """40 different rows, and clusters so far apart that their blocks are of rank one."""
    Z = np.repeat(rng.normal(size=(40, 3)), 8, axis=0)
    factor = factor_of(Z, 0.3, 20)
    assert factor.exhausted
    assert factor.rank == 40
    assert factor.residual == 0.0
    assert factor_of(1e5 * np.eye(5)[np.arange(50) % 5], 1.0, 20).rank == 5


def test_it_stops_at_the_largest_rank_and_says_what_is_left(rng):
    Z = rng.normal(size=(300, 20))
    factor = factor_of(Z, 3.0, 10, max_rank=100)
    assert factor.rank == 100
    R = reference.diffusion_operator(Z, 3.0) - factor.factor.T @ factor.factor
    np.testing.assert_allclose(factor.diagonal, R.diagonal(), rtol=0, atol=1e-13)


def test_a_block_is_chosen_as_pivots_one_by_one_would_be():
    """Of two equal rows and a third, the second of the equal ones is never chosen after the first.

    With all three drawn once, the third goes with the probability of its own remainder.
    """
    H = np.array([[1.0, 1.0, 0.6], [1.0, 1.0, 0.6], [0.6, 0.6, 1.0]])
    generator = np.random.default_rng(3)
    chosen = []
    for _ in range(2000):
        accepted, L = reject(H, np.full(3, 1e-13), generator)
        assert list(accepted[:1]) == [0]
        assert 1 not in accepted
        np.testing.assert_allclose(L @ L.T, H[np.ix_(accepted, accepted)], atol=1e-15)
        chosen.append(2 in accepted)
    assert np.mean(chosen) == pytest.approx(1 - 0.6**2, abs=0.04)


def test_pivots_follow_the_distribution_of_random_pivoting(rng):
    """The third pivot of a small matrix, against elimination one by one."""
    Z, draws, n = rng.normal(size=(6, 2)), 4000, 6
    scaling = operator_scaling(Z, 1.0, 0.5)
    A = reference.diffusion_operator(Z, 1.0)
    counts, expected = np.zeros(n), np.zeros(n)
    for seed in range(draws):
        generator = np.random.default_rng(seed)
        probabilities = A.diagonal() / A.trace()
        proposals = generator.choice(n, 64, p=probabilities)
        accepted, _ = reject(A[np.ix_(proposals, proposals)], np.full(64, 1e-13), generator)
        counts[proposals[accepted[1]]] += 1
    for i in range(n):
        rest = np.maximum(A.diagonal() - A[i] ** 2 / A[i, i], 0)
        expected += A[i, i] / A.trace() * rest / rest.sum()
    assert scaling**2 == pytest.approx(A.diagonal())
    assert np.abs(counts / draws - expected).max() < 0.03


# The bounds


def S(values):
    return reference.entropy_of_spectrum(values, base=math.e)


def test_the_interval_is_attained():
    """By the two spectra that it is made of, where nothing but the trace is known."""
    known, n = np.array([1.0, 0.5, 0.2]), 10
    diagonal = np.full(n, 0.03)  # of a residual of trace 0.3
    low, high = entropy_interval(known, n, 2.0, diagonal, rounding=0.0)
    assert low == pytest.approx(S([1.0, 0.8, 0.2]), abs=1e-13)
    levelled = S([1.0, 0.5, 0.2, *[0.3 / 7] * 7])
    assert high == pytest.approx(levelled, abs=1e-13)
    # More than fits below the smallest that is known: it is raised too.
    low, high = entropy_interval(known, n, 4.1, np.full(n, 0.24), rounding=0.0)
    assert low == pytest.approx(S([1.0, 1.0, 1.0, 1.0, 0.1]), abs=1e-13)
    assert high == pytest.approx(S([1.0, 0.5, *[2.6 / 8] * 8]), abs=1e-13)


def test_a_residual_on_few_rows_lowers_the_upper_end():
    known, n = np.array([1.0, 0.5]), 1000
    even = entropy_interval(known, n, 1.6, np.full(n, 1e-4))
    uneven = entropy_interval(known, n, 1.6, np.append(0.1, np.zeros(n - 1)))
    assert uneven[0] == even[0]
    assert uneven[1] == pytest.approx(S([1.0, 0.5, 0.1]), abs=1e-7)
    assert even[1] > uneven[1] + 0.3


def test_a_lower_bound_of_the_eigenvalues_within_rounding_moves_the_ends_by_as_little():
    known, n = np.array([1.0, 0.5, 0.2]), 10
    diagonal = np.zeros(n)
    low, high = entropy_interval(known, n, 1.7, diagonal)
    assert low < S(known) < high
    assert high - low < 1e-8


# The entropy


def test_the_bounds_contain_the_exact_entropy(case):
    Z, sigma = case
    expected = exact(Z, sigma)
    for max_rank in (1, 60, 200, None):
        found = spectrum_of(Z, sigma, max_rank=max_rank)
        value, bound = found.entropy(base=math.e), found.bound(base=math.e)
        low, high = found.ends()
        assert low <= expected <= high
        assert abs(value - expected) <= bound
        assert found.rank <= (max_rank or len(Z) // 2)
        assert found.converged == (bound <= 1e-3 * max(value - bound, 1e-3))


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_a_smooth_kernel_is_known_to_any_tolerance(alpha, tol, rng):
    Z = swiss_roll(N)
    found = spectrum_of(Z, 10.0, tol, alpha)
    value, bound = found.entropy(), found.bound()
    expected = exact(Z, 10.0, alpha) / math.log(2)
    assert found.converged
    assert abs(value - expected) <= bound <= tol * value
    assert found.rank < 250


def test_a_kernel_that_is_not_smooth_does_not_converge_and_says_so(rng):
    found = spectrum_of(rng.normal(size=(600, 30)), 4.0)
    assert not found.converged
    assert found.rank == 300
    low, high = found.ends()
    assert high - low > 0.1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n, rng):
    Z = rng.normal(size=(n, 2))
    found = spectrum_of(Z, 1.0)
    assert found.converged
    assert found.entropy() == pytest.approx(exact(Z, 1.0) / math.log(2), abs=1e-9)


def test_equal_rows_have_rank_one_and_entropy_zero():
    found = spectrum_of(np.tile([3.0, -1.0], (200, 1)), 1.0)
    assert (found.rank, found.converged) == (1, True)
    assert found.residual == 0.0
    assert (found.entropy(), found.bound()) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_isolated_points_need_no_rank_since_the_trace_tells():
    """All eigenvalues are at most 1 and add up to n."""
    found = spectrum_of(1e4 * np.arange(500.0)[:, None], 1.0)
    assert found.converged
    assert found.rank <= BLOCK
    assert found.entropy() == pytest.approx(math.log2(500), abs=1e-8)


def test_far_clusters_of_equal_rows_have_the_entropy_of_their_number():
    found = spectrum_of(100.0 * np.eye(20)[np.arange(600) % 20], 1.0)
    assert (found.rank, found.converged) == (20, True)
    assert found.entropy() == pytest.approx(math.log2(20), abs=1e-8)


def test_copies_of_a_data_set_far_apart_add_the_logarithm_of_their_number():
    Z = swiss_roll(150)
    copies = np.concatenate([Z + 1e4 * i for i in range(4)])
    one, four = (spectrum_of(rows, 10.0, 1e-5) for rows in (Z, copies))
    assert abs(four.entropy() - one.entropy() - 2.0) <= one.bound() + four.bound()
    assert four.bound() < 1e-4


def test_long_rows_are_read_in_blocks_of_columns(rng):
    Z = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 5000))
    found = spectrum_of(Z, 100.0)
    assert found.converged
    low, high = found.ends()
    assert low <= exact(Z, 100.0) <= high


# Whether it pays


def test_the_rank_of_an_exponential_decay_is_predicted():
    residuals = 3.0 * 0.9 ** np.arange(65)
    assert predicted_rank(residuals, 3.0 * 0.9**150) == pytest.approx(150)
    assert predicted_rank(residuals, 1.0) == 64
    assert predicted_rank(residuals, 0.0) == math.inf
    assert predicted_rank(np.ones(65), 0.5) == math.inf
    assert predicted_rank(np.ones(1), 0.5) == math.inf


def test_a_probe_tells_a_smooth_kernel_from_one_that_is_not(rng):
    smooth = factor_of(swiss_roll(N), 15.0, 1)
    rough = factor_of(rng.normal(size=(N, 30)), 4.0, 1)
    assert predicted_rank(smooth.residuals, 1e-4) < 150
    assert predicted_rank(rough.residuals, 1e-4) > N


def test_it_gives_up_early_where_it_will_not_converge(rng):
    found = spectrum_of(rng.normal(size=(600, 30)), 4.0, give_up=True)
    assert not found.converged
    assert found.rank <= 2 * BLOCK
    assert spectrum_of(swiss_roll(N), 10.0, give_up=True).converged


# Running


def test_the_result_depends_on_the_seed_and_not_on_the_number_of_threads(rng):
    Z = rng.normal(size=(900, 3))
    scaling = operator_scaling(Z, 0.7, 0.5)
    threads = _core.thread_count()
    try:
        factors, results = [], []
        for count in (1, 2, 5):
            _core.set_thread_count(count)
            factor = PartialCholesky(Z, 0.7, scaling, 200)
            generator = np.random.default_rng(5)
            for _ in range(3):
                factor.extend(generator)
            factors.append(factor.factor.tobytes())
            results.append(low_rank_spectrum(Rows(Z), 0.7, scaling, 1e-3, seed=5).entropy())
    finally:
        _core.set_thread_count(threads)
    assert factors[0] == factors[1] == factors[2]
    np.testing.assert_allclose(results, [results[0]] * 3, rtol=1e-9)
    assert low_rank_spectrum(Rows(Z), 0.7, scaling, 1e-3, seed=6).entropy() != results[0]


def test_two_threads_at_once_agree_with_one(rng):
    Z = rng.normal(size=(900, 3))
    scaling = operator_scaling(Z, 0.7, 0.5)
    alone = low_rank_spectrum(Rows(Z), 0.7, scaling, 1e-3)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(low_rank_spectrum, Rows(Z), 0.7, scaling, 1e-3) for _ in range(4)]
    for call in calls:
        assert call.result().residuals.tobytes() == alone.residuals.tobytes()


def test_progress_rises_to_1(rng):
    seen = []
    spectrum_of(rng.normal(size=(900, 3)), 0.5, 1e-6, progress=seen.append)
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert all(0.0 <= done <= 1.0 for done in seen)


def test_an_exception_of_the_progress_callback_comes_through(rng):
    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spectrum_of(rng.normal(size=(300, 3)), 0.3, 1e-9, progress=interrupt)


def test_a_factor_that_does_not_fit_is_refused_before_it_is_allocated(rng, monkeypatch):
    Z = rng.normal(size=(300, 2))
    scaling = operator_scaling(Z, 1.0, 0.5)
    monkeypatch.setattr(memory, "available", lambda: 8.0 * 300 * 300)
    with pytest.raises(MemoryError, match=naming(150, 300, "max_rank", "method='stochastic'")):
        low_rank_spectrum(Rows(Z), 1.0, scaling, 1e-3, max_rank=150)
    assert low_rank_spectrum(Rows(Z), 0.05, scaling, 1e-9).rank == 150


def test_a_row_that_is_not_finite_is_an_error(rng):
    Z = rng.normal(size=(100, 2))
    scaling = operator_scaling(Z, 1.0, 0.5)
    Z[7, 1] = math.nan
    with pytest.raises(ValueError, match=naming("row 7", 100)):
        low_rank_spectrum(Rows(Z), 1.0, scaling, 1e-3)
