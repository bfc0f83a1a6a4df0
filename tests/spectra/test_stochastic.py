"""The stochastic estimate: its parts against closed forms, and its errors against its intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from checks import integral
from data_sets import swiss_roll
from eigentropy import _core
from eigentropy._spectra import stochastic
from eigentropy._spectra.functionals import Shannon
from eigentropy._spectra.lanczos import BlockLanczos
from eigentropy._spectra.quadrature import (
    power_and_moment,
    rules,
    traces_by_probe,
)
from eigentropy._spectra.stochastic import (
    FEW_COLUMNS,
    FEW_PASSES,
    PROBES,
    SKETCHED,
    SMALLEST_N,
    THOROUGH,
    estimate_spectrum,
    supports,
)
from messages import naming
from prescribed import Matrix, prescribed


def known(spectrum, *at):
    """S(t) and its standard error."""
    return spectrum.entropy(*at), spectrum.standard_error(*at)


def of_rows(Z, sigma="auto", alpha=0.5):
    """The operator of the rows, and all its eigenvalues."""
    sigma = eg.DiffusionOperator(Z, sigma=sigma).sigma
    A, *_, degrees = _core.matrix(np.ascontiguousarray(Z), sigma, alpha, "float64")
    A = np.triu(A) + np.triu(A, 1).T
    return Matrix(A, degrees), np.clip(eg.eigvalsh(A), 0.0, 1.0)


def nats(spectrum, t):
    return eg.spectral_entropy(spectrum, t, math.e)


def decaying(n, power=1.0):
    return 0.9 * np.arange(1, n) ** -power


CASES = {
    "gaussian": lambda: of_rows(np.random.default_rng(0).normal(size=(300, 20))),
    "wide kernel": lambda: of_rows(swiss_roll(300), 10.0),
    "narrow kernel": lambda: of_rows(swiss_roll(300), 1.0),
    "slow decay": lambda: prescribed(decaying(300, 0.5)),
    "fast decay": lambda: prescribed(decaying(300, 2.0)),
}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    return CASES[request.param]()


# Lanczos


def test_the_basis_is_orthonormal_and_T_is_the_matrix_on_it():
    matrix, _ = prescribed(decaying(400))
    top = np.sqrt(matrix.degrees / matrix.degrees.sum())
    space = BlockLanczos(matrix, np.random.default_rng(0).normal(size=(400, 5)), top, "float64")
    for _ in range(12):
        space.step()
    V = np.hstack(space.basis[:12])
    np.testing.assert_allclose(V.T @ V, np.eye(60), atol=1e-13)
    np.testing.assert_allclose(V.T @ matrix.A @ V, space.matrix(), atol=1e-13)
    np.testing.assert_allclose(top @ V, 0.0, atol=1e-14)


def test_quadrature_is_exact_for_polynomials():
    matrix, _ = prescribed(decaying(200))
    top = np.sqrt(matrix.degrees / matrix.degrees.sum())
    start = np.random.default_rng(0).normal(size=(200, 3))
    space = BlockLanczos(matrix, start, top, "float64")
    for _ in range(4):
        space.step()
    start -= np.outer(top, top @ start)
    gauss = rules(space.matrix(), space.start)[0]
    radau = rules(space.matrix_with_zero(), space.start)[0]
    power = start.copy()
    for degree in range(9):
        exact = (start * power).sum(axis=0)
        if degree <= 7:
            np.testing.assert_allclose(gauss.weights @ gauss.nodes**degree, exact, rtol=1e-11)
        np.testing.assert_allclose(radau.weights @ radau.nodes**degree, exact, rtol=1e-11)
        power = matrix.A @ power


def test_the_added_node_is_zero():
    matrix, _ = prescribed(decaying(200))
    top = np.sqrt(matrix.degrees / matrix.degrees.sum())
    space = BlockLanczos(matrix, np.random.default_rng(0).normal(size=(200, 3)), top, "float64")
    for _ in range(4):
        space.step()
        values = np.linalg.eigvalsh(space.matrix_with_zero())
        np.testing.assert_allclose(values[:3], 0.0, atol=1e-13)
        assert values[3] > 1e-6


def test_gauss_and_radau_enclose_each_form_and_close_in():
    matrix, _ = prescribed(decaying(200))
    top = np.sqrt(matrix.degrees / matrix.degrees.sum())
    start = np.random.default_rng(1).normal(size=(200, 4))
    space = BlockLanczos(matrix, start, top, "float64")
    values, vectors = np.linalg.eigh(matrix.A)
    values = np.clip(values, 0.0, 1.0)
    exact = ((vectors.T @ (start - np.outer(top, top @ start))) ** 2).T @ power_and_moment(
        values, 1.0
    )
    widths = []
    for _ in range(8):
        space.step()
        ends = []
        for T in (space.matrix(), space.matrix_with_zero()):
            rule = rules(T, space.start)[0]
            ends.append((rule.weights @ power_and_moment(rule.nodes, 1.0))[:, 1])
        assert (ends[0] <= exact[:, 1] + 1e-12).all()
        assert (exact[:, 1] <= ends[1] + 1e-12).all()
        widths.append(float((ends[1] - ends[0]).max()))
    assert widths == sorted(widths, reverse=True)


def test_an_invariant_space_ends_the_steps():
    matrix, _ = prescribed(np.concatenate([np.full(6, 0.5), np.zeros(290)]))
    top = np.sqrt(matrix.degrees / matrix.degrees.sum())
    space = BlockLanczos(matrix, np.random.default_rng(0).normal(size=(297, 8)), top, "float64")
    while not space.exhausted:
        space.step()
    assert space.steps <= 3
    # Rounding may leave some directions more, in which A is 0.
    values = np.linalg.eigvalsh(space.matrix())
    assert 8 + 6 <= len(values) < 3 * 8
    np.testing.assert_allclose(values, [*np.zeros(len(values) - 6), *np.full(6, 0.5)], atol=1e-13)
    np.testing.assert_array_equal(space.matrix(), space.matrix_with_zero())


# Control variates


def test_known_traces_are_exact_by_every_probe():
    matrix, _ = prescribed(decaying(300))
    top = np.sqrt(matrix.degrees / matrix.degrees.sum())
    signs = 2.0 * np.random.default_rng(0).integers(0, 2, (300, 12)) - 1.0
    space = BlockLanczos(matrix, signs, top, "float64")
    for _ in range(4):
        space.step()
    Q, Z = stochastic._split(space.matrix(), space, 4)
    by_vector, by_probe = rules(space.matrix(), Q, Z)
    exact = np.array([299.0, matrix.trace - 1.0, matrix.frobenius2 - 1.0])
    for t in (1.0, 2.0):
        powers = traces_by_probe(by_vector.total(), [by_probe], t, exact)[:, 0]
        np.testing.assert_allclose(powers, exact[int(t)], rtol=1e-5)


# The estimate


@pytest.mark.parametrize("t", [0.7, 1.0, 2.0, 3.5])
def test_the_error_is_within_the_tolerance(case, t):
    matrix, spectrum = case
    exact = nats(spectrum, t)
    errors = []
    for seed in range(8):
        result = estimate_spectrum(matrix, [t], 1e-3, seed, dtype="float64")
        assert result.meets(t)
        errors.append(abs(result.entropy(t, math.e) / exact - 1.0))
    assert np.median(errors) <= 5e-4
    assert max(errors) <= 3e-3


@pytest.mark.parametrize("effort", [FEW_PASSES, FEW_COLUMNS])
def test_few_products_are_within_the_tolerance(case, effort):
    matrix, spectrum = case
    exact = nats(spectrum, 1.0)
    errors, inside = [], 0
    for seed in range(8):
        result = estimate_spectrum(matrix, [1.0], 1e-3, seed, dtype="float64", effort=effort)
        low, high = result.interval(1.0, math.e)
        inside += low <= exact <= high
        errors.append(abs(result.entropy(1.0, math.e) / exact - 1.0))
    assert max(errors) <= 2e-3
    assert inside >= 6


def test_what_the_sketch_leaves_out_is_small_beside_the_error_of_many_probes():
    """At large t the eigenvalues of the sketch decide, and the error of their quadrature stays."""
    matrix, spectrum = of_rows(np.random.default_rng(0).normal(size=(1500, 20)), alpha=0.0)
    exact = nats(spectrum, 3.5)
    for seed in range(3):
        found = estimate_spectrum(matrix, [3.5], 1e-3, seed, dtype="float64", effort=FEW_COLUMNS)
        value, error = found.entropy(3.5, math.e), found.standard_error(3.5, math.e)
        assert abs(value - exact) <= 3.0 * error


def test_without_a_leading_part_nothing_is_sketched():
    matrix, _ = of_rows(np.random.default_rng(0).normal(size=(600, 100)))
    thorough, few = (
        estimate_spectrum(matrix, [1.0], 1e-3, dtype="float64", effort=effort)
        for effort in (THOROUGH, FEW_PASSES)
    )
    assert (thorough.probes, few.probes) == (PROBES, SKETCHED + PROBES)
    assert few.steps < thorough.steps


def test_a_leading_part_is_sketched_all_the_same():
    matrix, spectrum = prescribed(decaying(300, 2.0))
    result = estimate_spectrum(matrix, [1.0], 1e-3, dtype="float64", effort=FEW_PASSES)
    assert result.probes % (SKETCHED + PROBES) == PROBES
    assert result.meets(1.0)
    assert result.entropy(1.0, math.e) == pytest.approx(nats(spectrum, 1.0), rel=2e-3)


def test_the_frobenius_norm_is_asked_for_after_the_first_product():
    """Which may find it on the way, where it would take a pass of its own before."""

    class Late(Matrix):
        @property
        def frobenius2(self):
            assert self.columns > 0
            return float((self.A**2).sum())

        @frobenius2.setter
        def frobenius2(self, value):
            pass

    matrix, spectrum = prescribed(decaying(300))
    result = estimate_spectrum(Late(matrix.A, matrix.degrees), dtype="float64")
    assert result.entropy(1.0, math.e) == pytest.approx(nats(spectrum, 1.0), rel=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussian", "slow decay"])
def test_intervals_cover_as_often_as_they_say(name):
    matrix, spectrum = CASES[name]()
    hits = {1.0: 0, 2.0: 0}
    for seed in range(100):
        result = estimate_spectrum(matrix, list(hits), 1e-2, seed, dtype="float64")
        for t in hits:
            low, high = result.interval(t, math.e)
            hits[t] += low <= nats(spectrum, t) <= high
    assert all(88 <= count <= 100 for count in hits.values()), hits


@pytest.mark.slow
def test_traces_are_unbiased(monkeypatch):
    monkeypatch.setattr(stochastic._Run, "_missing", lambda self, result: 0)
    monkeypatch.setattr(stochastic._Run, "_is_enough", lambda self, space, *_: space.steps >= 6)
    matrix, spectrum = prescribed(decaying(300, 0.7))
    exact = (spectrum**3.5).sum()
    means = []
    for seed in range(80):
        result = estimate_spectrum(matrix, [3.5], 1e-2, seed, dtype="float64")
        means.append(result._traces(-1, 0, Shannon(3.5))[2][0].mean())
    error = np.std(means, ddof=1) / math.sqrt(len(means))
    assert error < 4e-3 * exact
    assert abs(np.mean(means) - exact) <= 3.5 * error


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_add_the_logarithm_of_their_number(copies):
    small, spectrum = of_rows(np.random.default_rng(0).normal(size=(150, 5)))
    A = np.kron(np.eye(copies), small.A)
    matrix = Matrix(A, np.tile(small.degrees, copies))
    for t in (1.0, 2.0, 3.5):
        result = estimate_spectrum(matrix, [t], dtype="float64")
        value, error = known(result, t)
        exact = eg.spectral_entropy(spectrum, t) + math.log2(copies)
        assert abs(value - exact) <= 5.0 * error + 1e-6


def test_far_clusters_are_counted():
    Z = np.random.default_rng(0).normal(size=(400, 3)) + 1e3 * (np.arange(400) % 4)[:, None]
    matrix, _ = of_rows(Z, 20.0)
    value = estimate_spectrum(matrix, [50.0], dtype="float64").entropy(50.0)
    assert value == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_isolated_points_have_the_largest_entropy(dtype):
    matrix = Matrix(np.eye(500), np.ones(500))
    value, error = known(estimate_spectrum(matrix, [1.0, 3.5], dtype=dtype), 1.0)
    assert value == pytest.approx(math.log2(500), rel=1e-6)
    assert error <= 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_identical_rows_have_none(dtype):
    matrix = Matrix(np.full((500, 500), 1 / 500), np.ones(500))
    value, error = known(estimate_spectrum(matrix, [1.0, 2.0, 3.5], dtype=dtype), 1.0)
    assert value == pytest.approx(0.0, abs=1e-5)
    assert error <= 1e-5


def test_single_precision_vectors_are_enough(case):
    matrix, _ = case
    double, single = (
        estimate_spectrum(matrix, [1.0], dtype=dtype) for dtype in ("float64", "float32")
    )
    assert single.entropy() == pytest.approx(double.entropy(), rel=1e-5)


def test_a_smaller_tolerance_takes_more_work_and_is_met():
    matrix, spectrum = of_rows(np.random.default_rng(0).normal(size=(600, 20)))
    loose, tight = (estimate_spectrum(matrix, [2.0], tol, dtype="float64") for tol in (1e-2, 2e-4))
    assert loose.meets(2.0)
    assert tight.meets(2.0)
    assert tight.columns > loose.columns
    assert tight.entropy(2.0) == pytest.approx(eg.spectral_entropy(spectrum, 2.0), rel=6e-4)


def test_other_times_cost_nothing():
    matrix, spectrum = prescribed(decaying(300))
    result = estimate_spectrum(matrix, [1.0], dtype="float64")
    columns = matrix.columns
    for t in (0.5, 1.5, 4.0, 40.0):
        value, error = known(result, t, math.e)
        assert abs(value - nats(spectrum, t)) <= 6.0 * error
    assert matrix.columns == columns == result.columns


# The spectrum


def test_the_density_counts_eigenvalues():
    matrix, spectrum = prescribed(decaying(400, 0.3))
    result = estimate_spectrum(matrix, dtype="float64")
    assert result.weights.sum() == pytest.approx(400, rel=0.02)
    assert result.nodes.shape == result.weights.shape
    x = np.linspace(0.0, 1.0, 2001)
    density = result.density(x, 0.03)
    assert integral(density, x) == pytest.approx(1.0, abs=1e-3)
    below = integral(density[x <= 0.25], x[x <= 0.25])
    assert below == pytest.approx((spectrum <= 0.25).mean(), abs=0.05)


# The call


def test_the_same_seed_gives_the_same_result_and_no_global_state_is_touched():
    matrix, _ = prescribed(decaying(300))
    state = np.random.get_state()[1].copy()
    first, again, other = (estimate_spectrum(matrix, seed=seed).entropy() for seed in (3, 3, 4))
    assert first == again
    assert first != other
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_progress_rises_to_one():
    matrix, _ = of_rows(np.random.default_rng(0).normal(size=(300, 20)))
    told = []
    estimate_spectrum(matrix, [3.5], 1e-3, progress=told.append)
    assert told == sorted(told)
    assert 0.0 < told[0] < 0.1
    assert told[-1] == 1.0


def test_an_interruption_propagates():
    class Interrupted(Matrix):
        def matmul(self, V, progress=None):
            if self.columns > 64:
                raise KeyboardInterrupt
            return super().matmul(V, progress)

    with pytest.raises(KeyboardInterrupt):
        estimate_spectrum(Interrupted(np.eye(300) / 300 + np.diag(decaying(301)) / 2, np.ones(300)))


@pytest.mark.parametrize("tol", [0.0, -1.0, math.nan, 1e-6])
def test_a_tolerance_that_cannot_be_met_is_refused(tol):
    matrix, _ = prescribed(decaying(300))
    with pytest.raises(ValueError, match=naming("tol", tol)):
        estimate_spectrum(matrix, tol=tol)


def test_the_floor_is_named():
    matrix, _ = prescribed(decaying(300))
    with pytest.raises(ValueError, match=naming("tol", "5e-05", "float32")):
        estimate_spectrum(matrix, tol=1e-6)


def test_few_rows_are_refused():
    matrix, _ = prescribed(decaying(SMALLEST_N - 1))
    assert not supports(matrix.n)
    with pytest.raises(ValueError, match=naming(256, 255)):
        estimate_spectrum(matrix)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"wanted": []}, ["wanted"]),
        ({"wanted": [0.0]}, ["t", 0.0]),
        ({"seed": -1}, ["seed", -1]),
        ({"dtype": "float16"}, ["dtype", "float16"]),
    ],
)
def test_bad_options_are_named(options, named):
    matrix, _ = prescribed(decaying(300))
    with pytest.raises(ValueError, match=naming(*named)):
        estimate_spectrum(matrix, **options)


def test_a_basis_that_does_not_fit_is_refused(monkeypatch):
    matrix, _ = prescribed(decaying(300))
    monkeypatch.setattr("eigentropy._support.memory.available", lambda: 1e4)
    with pytest.raises(MemoryError, match=naming("Krylov", "300")):
        estimate_spectrum(matrix)


@pytest.mark.parametrize(("dtype", "t"), [("float32", 0.3), ("float32", 0.6), ("float64", 0.3)])
def test_powers_below_1_state_the_rounding_that_they_magnify(dtype, t):
    """The kernel is so smooth that most eigenvalues are 0, or rounding."""
    Z = np.random.default_rng(0).normal(size=(400, 2))
    exact = float(eg.dse(Z, t=t, sigma=5.0, method="exact"))
    with pytest.warns(eg.PrecisionWarning):
        found = eg.dse(Z, t=t, sigma=5.0, method="stochastic", dtype=dtype)
    low, high = found.interval()
    assert low <= exact <= high
    assert eg.dse(Z, t=t, sigma=5.0).method == "exact"
