"""float32: the bound of its error holds, and "auto" uses it where that is within `tol`."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest

import eigentropy as eg
from checks import assert_bounds_hold
from data_sets import swiss_roll
from eigentropy import _core, reference
from eigentropy._backends.cuda import Cuda
from eigentropy._backends.devices import HOST
from eigentropy._spectra import rounding
from eigentropy._spectra.rounding import EPS, entropy_error, entropy_range, may_use_single
from eigentropy._support import memory
from eigentropy.compat import dse_dsmi
from messages import names, naming

TIMES = (0.3, 0.7, 1.0, 1.5, 2.0, 5.0, 30.0, 1000.0, 1e6, 1e9)


def nats(values, t):
    return eg.spectral_entropy(np.asarray(values, dtype=float), t=t, base=math.e)


# The bound


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_error_of_float32_is_below_its_bound(data_set, alpha):
    assert_bounds_hold(data_set, TIMES, sigma=eg.bandwidth(data_set), alpha=alpha)


@pytest.mark.parametrize("sigma", [1.0, 30.0])
def test_the_bound_holds_for_pairs_far_from_their_center(rng, sigma):
    """Rounding a coordinate of 1e4 changes the distance within a pair as much as it can."""
    ends = 1e4 * rng.normal(size=(150, 3))
    pairs = np.concatenate([ends, ends + np.array([1.0, 0.0, 0.0])])
    assert_bounds_hold(pairs, TIMES, sigma=sigma)


def test_rows_far_from_the_others_widen_the_bound_unless_g_is_0_between_them(rng):
    Z = rng.normal(size=(200, 3))
    deltas = []
    for place in (0.0, 30.0, 1e5, 1e30):
        Z[0] = place
        deltas.append(eg.dse(Z, sigma=1.0, dtype="float32").spectrum.rounding.delta)
    assert deltas[1] > 3 * deltas[0]
    assert max(deltas[2:]) < 10 * deltas[1]


def test_the_solver_s_visible_errors_widen_the_bound():
    assert rounding.eigenvalue_error(300, 1.0, outside=1e-4) == 2e-4
    assert rounding.eigenvalue_error(300, 1.0, outside=1e-9) == rounding.eigenvalue_error(300, 1)


def test_reach_is_the_largest_distance_from_the_center_in_sigmas(rng):
    half = rng.normal(size=(350, 4))
    Z = np.concatenate([100.0 + half, 100.0 - half])  # the centre, a rounded mean, is 100
    expected = np.linalg.norm(half, axis=1).max() / 0.3
    assert HOST.reach(Z, 0.3) == pytest.approx(expected, rel=1e-12)
    # Each of the 699 gaps of the 4 columns is closed, to at most 3 times 40 sigma.
    assert 699 * 40 / 2 <= HOST.reach(Z * 1e200, 1e-200) <= 2 * 699 * 120


def spectra_within(values, delta, errors):
    """Spectra with a largest eigenvalue of 1 whose others are off by delta times the errors."""
    return np.column_stack([np.ones(len(errors)), np.clip(values[1:] + delta * errors, 0, 1)])


@pytest.fixture(params=range(5))
def values(request):
    return np.sort(np.append(np.random.default_rng(request.param).uniform(0.01, 0.99, 9), 1))[::-1]


@pytest.mark.parametrize("t", [0.5, 2.0, 7.0])
def test_the_ends_of_the_range_are_attained_by_errors_of_delta(values, t):
    """Over all signs of the errors. The largest may lie between two signs, to second order."""
    signs = np.array(list(itertools.product([-1, 1], repeat=9)))
    entropies = [nats(spectrum, t) for spectrum in spectra_within(values, 1e-4, signs)]
    low, high = entropy_range(values, t, 1e-4, trace=values.sum())
    assert low == pytest.approx(min(entropies), abs=1e-12)
    center = nats(values, t)
    assert high - center == pytest.approx(max(entropies) - center, rel=0.02)
    bound = entropy_error(values, t, 1e-4, trace=values.sum())
    assert bound == pytest.approx(max(high - center, center - low), rel=1e-6)


@pytest.mark.parametrize("t", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("delta", [0.01, 0.2])
def test_no_spectrum_within_delta_leaves_the_range(values, t, delta, rng):
    errors = np.concatenate(
        [
            rng.uniform(-1, 1, size=(500, 9)),
            rng.choice([-1, 1], size=(500, 9)),
            0.0 * np.ones((1, 9)),
        ]
    )
    low, high = entropy_range(values, t, delta, trace=values.sum())
    spectra = spectra_within(values, delta, errors)
    if t == 1.0:  # when the trace is known to 2 delta of itself
        trace = values.sum()
        spectra = spectra[np.abs(spectra.sum(axis=1) - trace) <= 2 * delta * trace]
        assert len(spectra) > 100
    for spectrum in spectra:
        assert low - 1e-12 <= nats(spectrum, t) <= high + 1e-7


def test_the_ends_of_the_range_at_t_1_are_attained_by_errors_that_cancel(values):
    """Over all signs of eight errors whose sum is 0; the trace itself is known to 2 delta."""
    delta, fixed = 1e-4, 9
    signs = np.array([s for s in itertools.product([-1, 0, 1], repeat=fixed) if sum(s) == 0])
    entropies = [nats(spectrum, 1.0) for spectrum in spectra_within(values, delta, signs)]
    low, high = entropy_range(values, 1.0, delta, trace=values.sum())
    of_the_trace = 4 * delta * (1 + nats(values, 1.0))
    assert min(entropies) - of_the_trace <= low <= min(entropies)
    assert max(entropies) <= high <= max(entropies) + of_the_trace


def minus_x_log_x(x):
    return -x * np.log(x, out=np.zeros_like(x), where=x > 0.0)


def test_the_range_at_t_1_is_no_wider_than_its_formula(rng):
    """log T + F / T with the largest F of all spectra on a grid, where the trace leaves a sum T."""
    ends = np.linspace(-1.0, 1.0, 101)
    for _ in range(300):
        delta = 10.0 ** rng.uniform(-4.0, -2.0)
        values = np.sort(np.append(1.0, rng.uniform(0.0, 1.0, 2) ** rng.integers(1, 9)))[::-1]
        trace = values.sum() * (1.0 + rng.uniform(-1.0, 1.0) * delta)
        grid = [np.clip(value + delta * ends, 0.0, 1.0) for value in values[1:]]
        x, y = np.meshgrid(*grid)
        sums, moments = 1.0 + x + y, minus_x_log_x(x) + minus_x_log_x(y)
        known = (sums >= trace * (1.0 - 2.0 * delta)) & (sums <= trace * (1.0 + 2.0 * delta))
        least, most = sums[known].min(), sums[known].max()
        low, high = entropy_range(values, 1.0, delta, trace, has_unit=True)
        missed = 1.5 * delta  # by the grid, and by the slope that stands for F between two sums
        assert high <= math.log(most) + moments[known].max() / least + missed
        assert low >= math.log(least) + moments[known].min() / most - missed
        entropies = np.log(sums[known]) + moments[known] / sums[known]
        assert low - 1e-12 <= entropies.min()
        assert entropies.max() <= high + 1e-12


def test_nothing_is_known_where_all_powers_are_below_the_smallest_number():
    values = np.full(3000, 1 / 3000)
    assert entropy_range(values, 1000.0, 1e-9, trace=1.0, has_unit=False) == (0.0, math.inf)


def test_a_flat_spectrum_with_a_known_trace_moves_to_second_order_only():
    """As of rows that are equally far from each other: each eigenvalue may be off by 1 %."""
    values = np.append(1.0, np.full(1000, 2e-4))
    delta, trace = 2e-6, 1.2
    without = 1000 * delta / trace * abs(math.log(2e-4))  # to first order
    assert entropy_error(values, 1.0, delta, trace) < 0.01 * without
    rng = np.random.default_rng(0)
    for errors in rng.uniform(-delta, delta, size=(200, 1000)):
        moved = values + np.append(0.0, errors - errors.mean())
        assert abs(nats(moved, 1.0) - nats(values, 1.0)) <= entropy_error(values, 1.0, delta, trace)


def test_a_trace_of_no_spectrum_within_delta_narrows_nothing(values):
    assert entropy_range(values, 1.0, 1e-4, trace=9.9) == entropy_range(values, 1.0, 1e-4, trace=50)


def test_the_largest_entropy_within_wide_intervals_is_that_of_equal_numbers():
    _, high = entropy_range(np.array([1.0, 0.95, 0.9]), 1.0, 0.2, trace=2.85)
    assert high == pytest.approx(math.log(3), abs=1e-9)


def test_where_t_makes_much_of_delta_nothing_is_known():
    """Three eigenvalues of 1 in float32, but in truth perhaps one."""
    assert entropy_range(np.ones(3), 1e9, 1e-6, trace=3.0) == pytest.approx((0, math.log(3)))


@pytest.mark.parametrize("t", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("hidden", [1e-7, 4e-7])
def test_eigenvalues_that_float32_cannot_see_are_bounded_by_the_trace(t, hidden):
    """The exact spectrum has 2000 of them where the computed one has zeros."""
    seen = np.array([1.0, 0.6, 0.2])
    exact = np.concatenate([seen, np.full(2000, hidden)])
    computed = np.concatenate([seen, np.zeros(2000)]).astype(np.float32)
    change = abs(nats(exact, t) - eg.spectral_entropy(computed, t=t, base=math.e))
    bound = entropy_error(computed, t, 5 * EPS, trace=exact.sum())
    assert change <= bound
    # Without the trace each could be as large as 15 eps.
    assert bound < 0.8 * entropy_error(computed, t, 5 * EPS, trace=5.0)


def test_an_entropy_is_within_tol_only_if_the_bound_is():
    assert rounding.within(1e-3, 2.0, tol=1e-3)
    assert not rounding.within(2.1e-3, 2.0, tol=1e-3)
    assert rounding.within(0.99e-6, 0.0, tol=1e-3)  # an entropy of 0 counts as tol
    assert not rounding.within(1.01e-6, 0.0, tol=1e-3)
    assert not rounding.within(math.nan, 2.0, tol=1e-3)


# Whether to try


def test_float32_is_not_tried_where_it_cannot_pay():
    def worth(n=2000, d=20, reach=3.0, times=(1.0,), tol=1e-3, device=HOST):
        sizes = [n] if isinstance(n, int) else n
        return may_use_single(sizes, d, lambda: reach, times, tol, device)

    assert worth()
    assert worth(n=1000)
    assert not worth(n=999)
    assert worth(n=[500] * 8)  # a batch that takes as long
    assert not worth(n=[500] * 7)
    assert not worth(times=(2.0, 0.9))
    assert not worth(tol=1e-7)
    assert not worth(reach=1e5)
    assert not worth(reach=math.inf)
    assert worth(d=1000, reach=1.0)
    assert worth(n=1000, d=1000)  # its distances are refined by products in float64
    assert not worth(n=1000, d=1001)
    assert not worth(d=1000, device=Cuda(0))  # by differences
    assert worth(n=9000, d=1000, device=Cuda(0))
    assert worth(n=9000, d=1025, reach=30.0)  # as in several blocks of columns
    assert not worth(n=4000, d=1025, reach=30.0)
    assert not worth(n=[900] * 1000, d=1000)
    assert worth(d=2000)  # long rows are summed in blocks, which loses less


# Where distances are refined at little cost, only the eigenvalues decide.
@pytest.mark.parametrize(
    ("n", "d", "tol", "device", "are_refined", "decide"),
    [
        (1000, 20, 1e-3, HOST, True, "eigenvalues"),
        (1500, 3, 1e-5, HOST, True, "eigenvalues"),
        (1000, 1100, 1e-3, HOST, False, "distances"),
        (2000, 1000, 1e-3, Cuda(0), False, "distances"),
        (2000, 1000, 2.4e-6, Cuda(0), False, "eigenvalues"),
    ],
)
def test_the_limit_is_where_an_error_is_too_large(n, d, tol, device, are_refined, decide):
    limit = rounding.reach_for_single([n], d, [1.0], tol, device)

    def too_large(reach):
        found = {"eigenvalues"} if rounding.eigenvalue_error(n, reach) >= tol else set()
        of_exponent = rounding.distance_error(d) * EPS * 0.5 * reach**2
        is_wrong = of_exponent > rounding.REFINED_ABOVE and not are_refined
        return found | ({"distances"} if is_wrong else set())

    assert too_large(limit * (1.0 - 1e-9)) == set()
    assert too_large(limit * (1.0 + 1e-9)) == {decide}


def test_the_limit_is_0_where_float32_is_never_worth_it():
    for sizes, t, tol in (([999], 1.0, 1e-3), ([2000], 0.9, 1e-3), ([2000], 1.0, 1e-9)):
        assert rounding.reach_for_single(sizes, 20, [t], tol) == 0.0


# What "auto" chooses


@pytest.fixture(scope="module")
def gaussian():
    return np.random.default_rng(3).normal(size=(1000, 20))


@pytest.fixture(scope="module")
def roll():
    """A smooth kernel: most eigenvalues are below what float32 resolves."""
    return swiss_roll(1000)


def test_auto_uses_float32_from_1000_rows_and_stays_within_tol(gaussian):
    result, exact = eg.dse(gaussian), eg.dse(gaussian, method="exact")
    assert (result.dtype, exact.dtype) == ("float32", "float64")
    assert result.eigenvalues.dtype == np.float32
    assert 0 < abs(float(result) - float(exact)) <= result.error_bound <= 1e-3 * float(exact)
    assert exact.error_bound == exact.standard_error == result.standard_error == 0.0
    assert eg.dse(gaussian[:999]).dtype == "float64"


def test_the_bound_of_the_rounding_is_computed_once(gaussian, monkeypatch):
    calls, nats = [], rounding.Rounding.nats
    monkeypatch.setattr(
        rounding.Rounding,
        "nats",
        lambda self, values, which: calls.append(which.t) or nats(self, values, which),
    )
    operator = eg.DiffusionOperator(gaussian, dtype="float32")
    entropies = [operator.entropy(t, base) for t in (1.0, 2.0) for base in (2.0, math.e)]
    assert calls == [1.0, 2.0]
    assert entropies[1].error_bound == pytest.approx(math.log(2) * entropies[0].error_bound)
    calls.clear()
    assert eg.dse(gaussian).dtype == "float32"
    assert calls == [1.0]


@pytest.mark.parametrize(("tol", "dtype"), [(1e-2, "float32"), (1e-4, "float64")])
def test_auto_computes_again_in_float64_where_the_bound_exceeds_tol(roll, tol, dtype):
    exact = eg.dse(roll, sigma=10.0, method="exact")
    result = eg.dse(roll, sigma=10.0, tol=tol)
    assert result.dtype == dtype
    assert float(result) == pytest.approx(float(exact), rel=tol if dtype == "float32" else 1e-11)


def test_identical_rows_are_left_to_float64():
    with pytest.warns(eg.SaturationWarning, match=naming("1000", "equal")) as caught:
        result = eg.dse(np.tile([0.1, -3.7], (1000, 1)))
    assert len(caught) == 1
    assert result.dtype == "float64"
    assert float(result) == pytest.approx(0.0, abs=1e-9)


def test_t_below_1_is_left_to_float64(gaussian):
    assert eg.dse(gaussian, t=0.9).dtype == "float64"


@pytest.mark.parametrize("options", [{}, {"tol": 1e-12}, {"method": "exact"}, {"t": 0.5}])
def test_an_explicit_dtype_always_wins(gaussian, options):
    for dtype in ("float32", "float64"):
        assert eg.dse(gaussian, dtype=dtype, **options).dtype == dtype
    assert eg.dse(gaussian[:50], dtype="float32", **options).dtype == "float32"


def test_an_operator_stays_in_float64(gaussian):
    assert eg.DiffusionOperator(gaussian).entropy().dtype == "float64"
    assert eg.DiffusionOperator(gaussian).eigenvalues().dtype == np.float64


def test_a_solver_error_in_float32_leads_to_float64(gaussian, monkeypatch):
    spectrum = _core.spectrum

    def failing(Z, sigma, alpha, dtype, progress, *kept):
        if dtype == "float32":
            raise eg.SolverError
        return spectrum(Z, sigma, alpha, dtype, progress, *kept)

    monkeypatch.setattr(_core, "spectrum", failing)
    assert eg.dse(gaussian).dtype == "float64"


def test_a_matrix_that_does_not_fit_may_fit_in_float32(gaussian, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10e6)
    assert eg.dse(gaussian, dtype="float32", method="exact").dtype == "float32"
    with pytest.raises(MemoryError, match=naming("dtype='float32'")):
        eg.dse(gaussian, method="exact")
    with pytest.raises(MemoryError) as error:
        eg.dse(np.tile(gaussian, (2, 1)), dtype="float32", method="exact")
    assert names(str(error.value), "float32")
    assert not names(str(error.value), "dtype='float32'")


# Other t


def test_at_warns_where_float32_does_not_reach(roll):
    result = eg.dse(roll)
    with pytest.warns(eg.PrecisionWarning, match=naming("t=0.3", "float32")) as caught:
        other = result.at(0.3)
    assert caught[0].filename == __file__
    exact = eg.dse(roll, t=0.3)
    assert exact.dtype == "float64"
    assert abs(float(other) - float(exact)) <= other.error_bound
    assert other.error_bound > 1e-3 * float(exact)


def test_at_is_silent_where_float32_reaches_or_was_asked_for(gaussian, roll):
    for Z in (gaussian, roll):
        result = eg.dse(Z)
        assert result.dtype == "float32"
        for t in (1, 2, 5, 10, 100, 1000):
            assert result.at(t).dtype == "float32"
        eg.dse(Z, dtype="float32").at(0.3)
        assert eg.dse(Z, method="exact").at(0.3).error_bound == 0.0


def test_a_float32_result_says_so_and_survives_pickling(gaussian):
    result = eg.dse(gaussian)
    assert "exact in float32 +- " in repr(result)
    assert "float" not in repr(eg.dse(gaussian, method="exact"))
    copy = pickle.loads(pickle.dumps(result))
    assert copy.at(2.0).error_bound == result.at(2.0).error_bound > 0


# Information


@pytest.fixture(scope="module")
def labelled():
    labels = np.repeat([0, 1], [1000, 200])
    return np.random.default_rng(5).normal(size=(1200, 3)) + labels[:, None], labels


@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_information_in_float32_is_within_tol_of_the_baseline(labelled, estimator):
    options = {"estimator": estimator, "n_null": 4}
    result = eg.dsmi(*labelled, **options)
    exact = eg.dsmi(*labelled, method="exact", **options)
    assert (result.dtype, exact.dtype) == ("float32", "float64")
    assert "exact in float32" in repr(result)
    assert 0 < abs(float(result) - float(exact)) <= result.error_bound
    assert result.error_bound <= 1e-3 * (float(exact) + exact.conditional_entropy)
    assert exact.error_bound == 0.0
    assert result.p_value == exact.p_value
    assert result.adjusted() == pytest.approx(exact.adjusted(), abs=1e-3)
    np.testing.assert_allclose(result.null, exact.null, atol=result.error_bound)


def test_information_is_left_to_float64_where_float32_cannot_serve(labelled):
    Z, labels = labelled
    exact = float(eg.dsmi(Z, labels, n_null=2, method="exact"))
    assert eg.dsmi(Z, np.arange(1200) % 3, n_null=2).dtype == "float64"  # 400 rows each
    assert eg.dsmi(Z, np.arange(1200) % 2, n_null=3).dtype == "float32"  # 8 groups of 600
    assert eg.dsmi(Z, labels, n_null=2, t=0.5).dtype == "float64"
    assert eg.dsmi(eg.DiffusionOperator(Z), labels, n_null=2).dtype == "float64"
    strict = eg.dsmi(Z, labels, n_null=2, tol=2e-6)
    assert strict.dtype == "float64"
    assert float(strict) == pytest.approx(exact, rel=1e-9)
    assert eg.dsmi(Z, labels, n_null=2, dtype="float32", tol=1e-9).dtype == "float32"


def test_information_at_another_t_warns_where_float32_does_not_reach(labelled):
    result = eg.dsmi(*labelled, n_null=2)
    assert result.dtype == "float32"
    assert result.at(2.0).error_bound > 0
    with pytest.warns(eg.PrecisionWarning, match=naming("t=0.3")):
        other = result.at(0.3)
    exact = eg.dsmi(*labelled, n_null=2, t=0.3)
    assert abs(float(other) - float(exact)) <= other.error_bound


def test_the_entropy_of_all_rows_is_computed_again_where_another_t_needs_it(labelled):
    result = eg.dsmi(*labelled, n_null=2, estimator="plain", clusters=np.arange(1200) % 3)
    assert result.dtype == "float32"  # S(Z), of 1200 rows; the groups are small
    other = result.at(0.3)
    assert other.dtype == "float64"
    exact = eg.dsmi(
        *labelled, n_null=2, estimator="plain", clusters=np.arange(1200) % 3, t=0.3, method="exact"
    )
    assert float(other) == pytest.approx(float(exact), rel=1e-9)


# The peer's numbers


def test_compat_stays_in_float64(gaussian):
    value = dse_dsmi.diffusion_spectral_entropy(gaussian, gaussian_kernel_sigma=3.0)
    expected = reference.diffusion_spectral_entropy(gaussian, 3.0, alpha=0.0)
    assert float(value) == pytest.approx(expected, rel=1e-12)
