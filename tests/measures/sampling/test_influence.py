"""Sampling errors of entropies from rows that are left out, against brute force and simulation."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import _core
from eigentropy._kernels.density import DensityMatrix
from eigentropy._measures.sampling import left_out
from eigentropy._measures.sampling.families import density, diffusion
from eigentropy._measures.sampling.influence import Parts, influences
from eigentropy._measures.sampling.left_out import Eigensystem, entropy_terms, removals
from eigentropy._measures.sampling.variation import unpaired
from eigentropy._measures.sampling.width_influence import width_changes
from messages import naming

N = 60


def kernel(Z, sigma):
    squared = ((Z[:, None] - Z[None]) ** 2).sum(axis=-1)
    return squared, np.exp(-squared / (2.0 * sigma**2))


def diffusion_entropy(G, alpha):
    q = G.sum(axis=1)
    K = G / np.multiply.outer(q**alpha, q**alpha)
    root = np.sqrt(K.sum(axis=1))
    p = np.abs(np.linalg.eigvalsh(K / np.multiply.outer(root, root)))
    p /= p.sum()
    return -entropy_terms(p).sum()


def density_entropy(G):
    return -entropy_terms(np.maximum(np.linalg.eigvalsh(G / len(G)), 0.0)).sum()


def without(matrix, *rows):
    kept = np.setdiff1d(np.arange(len(matrix)), rows)
    return matrix[np.ix_(kept, kept)]


@pytest.mark.parametrize("sigma", [0.2, 0.7, 3.0])
def test_removals_are_those_of_the_determinants(rng, sigma):
    _, G = kernel(rng.normal(size=(N, 2)), sigma)
    columns = np.array([0, 7, N - 1])
    single, pairs = removals(Eigensystem.of(G), columns)

    def total(A):
        return entropy_terms(np.maximum(np.linalg.eigvalsh(A), 0.0)).sum()

    exact = np.array([total(G) - total(without(G, i)) for i in range(N)])
    np.testing.assert_allclose(single, exact, atol=2e-3 * np.abs(exact).max())
    for k, j in enumerate(columns):
        both = [
            0.0 if i == j else total(G) - total(without(G, i, j)) - exact[i] - exact[j]
            for i in range(N)
        ]
        np.testing.assert_allclose(pairs[:, k], both, atol=2e-3 * np.abs(both).max())


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, None])
@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_leaving_out_a_row_changes_the_entropy_as_predicted(rng, alpha, sigma):
    _, G = kernel(rng.normal(size=(N, 3)), sigma)

    def entropy(G):
        return density_entropy(G) if alpha is None else diffusion_entropy(G, alpha)

    exact = np.array([entropy(without(G, i)) - entropy(G) for i in range(N)])
    found = density(G, None) if alpha is None else diffusion(G, alpha, None)
    system = Eigensystem.of(found.A)
    assert system.entropy == pytest.approx(entropy(G), rel=1e-9)
    predicted = left_out.without_each(system, removals(system, np.arange(2))[0], found.scale)
    error = predicted - exact - (predicted - exact).mean()
    assert error.std() < (0.02 if alpha is None else 0.2) * exact.std()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, None])
def test_the_slope_is_that_of_the_entropy(rng, alpha):
    Z, step = rng.normal(size=(N, 3)), 1e-5

    def normalized(sigma, growth=None):
        G = kernel(Z, sigma)[1]
        return density(G, growth) if alpha is None else diffusion(G, alpha, growth)

    def entropy(sigma):
        return Eigensystem.of(normalized(sigma).A).entropy

    squared, _ = kernel(Z, 0.8)
    found = normalized(0.8, squared / 0.8**2)
    numerical = (entropy(0.8 * math.exp(step)) - entropy(0.8 * math.exp(-step))) / (2.0 * step)
    assert Eigensystem.of(found.A).slope(found.change) == pytest.approx(numerical, rel=1e-5)


def exact_width(Z, rule):
    """Without the grid of "max-slope", whose steps are larger than what a row changes."""
    if rule != "max-slope":
        return eg.bandwidth(Z, rule)
    squared, _ = kernel(Z, 1.0)
    pairs = squared[np.triu_indices(len(Z), k=1)]

    def minus_slope(log_sigma):
        e = pairs / (2.0 * math.exp(2.0 * log_sigma))
        G = np.exp(-e)
        return -(e @ G) / (0.5 * len(Z) + G.sum())

    middle = math.log(eg.bandwidth(Z, rule))
    grid = middle + np.linspace(-0.1, 0.1, 41)
    best = int(np.argmin([minus_slope(x) for x in grid]))
    a, b, c = (minus_slope(grid[k]) for k in (best - 1, best, best + 1))
    return math.exp(grid[best] + 0.5 * (grid[1] - grid[0]) * (a - c) / (a - 2.0 * b + c))


@pytest.mark.parametrize(
    ("rule", "correlation"),
    [("median", 0.9), ("knn", 0.6), ("max-slope", 0.99), ("narrow", 0.9)],
)
@pytest.mark.parametrize("d", [2, 10])
def test_widths_change_as_the_rule_does(rng, rule, correlation, d):
    """The quantiles of few numbers jump: so correlation and spread, and not each row."""
    Z = rng.normal(size=(120, d))
    squared, _ = kernel(Z, 1.0)
    sigma = exact_width(Z, rule)
    exact = [math.log(exact_width(np.delete(Z, i, axis=0), rule) / sigma) for i in range(len(Z))]
    predicted = width_changes(squared, sigma, rule)
    assert np.corrcoef(predicted, exact)[0, 1] > correlation
    assert 0.5 < predicted.std() / np.std(exact) < 2.0


def test_a_narrow_width_follows_the_median_of_different_rows_where_most_are_equal(rng):
    Z = rng.normal(size=(120, 3))
    Z[:102] = 1.0
    squared, _ = kernel(Z, 1.0)
    narrow, median = (width_changes(squared, exact_width(Z, r), r) for r in ("narrow", "median"))
    np.testing.assert_allclose(narrow, median)


def test_a_width_that_no_row_moves():
    squared = np.ones((20, 20)) - np.eye(20)
    assert not width_changes(squared, 1.0, "sqrt-d").any()
    assert not width_changes(np.zeros((20, 20)), 1.0, "median").any()


@pytest.mark.parametrize("function", [eg.dse, eg.kernel_entropy])
def test_the_error_is_the_spread_over_samples(function):
    """With the sigma of the rule chosen anew: the error at the same sigma is much larger."""
    results = []
    for seed in range(80):
        results.append(function(np.random.default_rng(seed).laplace(size=(120, 4))))
    spread = np.std([float(result) for result in results], ddof=1)
    errors = [result.sampling_error for result in results[:15]]
    # 80 samples tell the spread to some 8 %.
    assert 0.75 < math.sqrt(np.mean(np.square(errors))) / spread < 1.35


@pytest.mark.parametrize("function", [eg.dse, eg.kernel_entropy])
def test_an_interval_over_samples_has_the_error_of_the_computation_in_it(rng, function):
    result = function(rng.normal(size=(200, 5)))
    low, high = interval = result.interval(of="sample")
    assert low < result.value < high
    assert (high - low) / 2 == pytest.approx(1.98 * result.sampling_error, rel=0.15)
    assert interval.level == 0.95
    assert result.interval(0.5, of="sample").high < high
    assert result.interval().high < high


def test_intervals_stay_where_entropies_are(rng):
    Z = np.repeat(np.eye(3), 40, axis=0)
    interval = eg.dse(Z, sigma=0.1).interval(of="sample")
    assert 0.0 <= interval.low <= interval.high <= math.log2(120)


@pytest.mark.parametrize("function", [eg.dse, eg.kernel_entropy])
@pytest.mark.parametrize("n", [2, 15])
def test_too_few_rows_have_none(rng, function, n):
    result = function(rng.normal(size=(n, 3)))
    with pytest.raises(ValueError, match=naming(str(n), "rows", "16")):
        _ = result.sampling_error
    with pytest.raises(ValueError, match=naming("rows")):
        result.interval(of="sample")
    with pytest.raises(ValueError, match=naming("of", "computation", "sample", "data")):
        result.interval(of="data")


def test_many_rows_are_stood_for_by_some(rng, monkeypatch):
    from eigentropy._measures.sampling import influence

    Z = rng.normal(size=(600, 5))
    whole = eg.dse(Z).sampling_error
    monkeypatch.setattr(influence, "MOST_ROWS", 300)
    some = eg.dse(Z)._variation()
    assert len(some.numbers) == 300
    assert [len(half.own) for half in some.halves] == [150, 150]
    assert some.standard_error == pytest.approx(whole, rel=0.35)


def test_equal_representations_have_no_error_of_their_difference(rng):
    Z = rng.normal(size=(100, 5))
    turned = Z @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    difference = eg.dse(turned)._variation().minus(eg.dse(Z)._variation())
    assert difference.standard_error < 1e-6
    assert abs(difference.value) < 1e-9


def test_a_difference_of_the_same_rows_is_surer_than_one_of_two_samples(rng):
    Z = rng.normal(size=(300, 10))
    near = Z + 0.1 * rng.normal(size=(300, 10))
    a, b = eg.dse(Z)._variation(), eg.dse(near)._variation()
    paired, (two_samples, degrees) = b.minus(a), unpaired(a, b)
    assert paired.value == pytest.approx(b.value - a.value)
    assert paired.standard_error < 0.5 * two_samples
    assert degrees > 10.0


def test_values_that_are_no_pair_are_refused(rng):
    Z = rng.normal(size=(100, 5))
    mine = eg.dse(Z)._variation()
    for other in (eg.dse(Z[:80]), eg.dse(Z[:80], t=2.0)):
        with pytest.raises(ValueError, match=naming("same rows")):
            mine.minus(other._variation())


def test_a_pickled_result_keeps_what_was_found(rng):
    result = eg.kernel_entropy(rng.normal(size=(50, 3)))
    with pytest.raises(ValueError, match=naming("sampling_error", "pickled")):
        _ = pickle.loads(pickle.dumps(result)).sampling_error
    known = result.sampling_error
    assert pickle.loads(pickle.dumps(result)).sampling_error == known


@pytest.mark.parametrize("kind", ["precomputed", "distances"])
def test_kernels_of_the_caller(rng, kind):
    Z = rng.normal(size=(80, 4))
    squared, G = kernel(Z, 1.0)
    given = G if kind == "precomputed" else np.sqrt(squared)
    options = {} if kind == "precomputed" else {"sigma": 1.0}
    for function in (eg.dse, eg.kernel_entropy):
        found = function(given, kernel=kind, **options).sampling_error
        assert found == pytest.approx(function(Z, sigma=1.0).sampling_error, rel=1e-6)


def test_a_kernel_of_neighbours_takes_halves(rng):
    pytest.importorskip("scipy")
    result = eg.dse(rng.normal(size=(100, 4)), kernel="knn")
    assert type(result._variation()).__name__ == "Halves"
    assert result.sampling_error > 0.0


def test_other_powers_take_halves(rng):
    Z = rng.normal(size=(100, 4))
    for result in (eg.dse(Z, t=2.0), eg.kernel_entropy(Z, order=2.0)):
        assert type(result._variation()).__name__ == "Halves"
        assert result.sampling_error > 0.0
    assert eg.dse(Z).at(2.0).sampling_error == eg.dse(Z, t=2.0).sampling_error


def test_the_scale_and_the_order_of_the_rows_do_not_matter(rng):
    Z = rng.normal(size=(90, 4))
    known = eg.dse(Z).sampling_error
    assert eg.dse(1e200 * Z).sampling_error == pytest.approx(known, rel=1e-9)
    order = rng.permutation(90)
    # The pairs that are looked at are others.
    assert eg.dse(Z[order]).sampling_error == pytest.approx(known, rel=0.1)


def test_the_base_is_the_unit(rng):
    Z = rng.normal(size=(60, 4))
    bits, nats = eg.dse(Z).sampling_error, eg.dse(Z, base=math.e).sampling_error
    assert nats == pytest.approx(bits * math.log(2.0))


def test_rows_of_the_core_are_those_of_the_formula(rng):
    """`squared_distances` is in units of a power of two."""
    Z = 1000.0 * rng.normal(size=(20, 3))
    squared, scale = _core.squared_distances(Z, np.arange(20))
    np.testing.assert_allclose(squared * scale**2, kernel(Z, 1.0)[0], rtol=1e-10, atol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_variances_of_what_rows_contribute_together(order):
    """Of k rows together, the jackknife has k times the variance and pairs k (k - 1) / 2 times."""
    parts = Parts(rows=order * 3.0, width=0.0, both=0.0, twice=order * (order - 1) / 2 * 3.0)
    assert parts.total == pytest.approx(3.0)
    assert parts.own == pytest.approx(3.0)


def test_what_rows_and_sigma_contribute_may_cancel():
    parts = Parts(rows=1.0, width=1.0, both=-0.95, twice=0.02)
    assert parts.total == pytest.approx(0.08)
    assert Parts(rows=0.0, width=0.0, both=0.0, twice=0.0).total == 0.0


def test_a_sigma_of_long_rows_varies_with_the_fewer_rows_that_it_is_found_from(rng):
    """Of more than 4096 columns, a rule looks at half as many rows."""
    Z = rng.normal(size=(1800, 2)).astype(np.float32)
    long_rows = np.hstack([Z, np.zeros((len(Z), 4095), dtype=np.float32)])
    short, long = (influences(DensityMatrix(rows), 0.0, 2.0) for rows in (Z, long_rows))
    assert (short.looked_at, long.looked_at) == (1800, 1024)
    assert long.standard_error > 1.05 * short.standard_error
    assert short.minus(long).standard_error == long.minus(short).standard_error


def two_clusters(seed, n=80):
    """Of about one size: the median distance is one within clusters, or one between them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return 5.0 * np.eye(3)[labels] + 0.2 * rng.normal(size=(n, 3)), labels


@pytest.mark.parametrize(
    "measure", [lambda Z, _: eg.dse(Z), lambda Z, y: eg.dsmi(Z, y, n_null=4)], ids=["dse", "dsmi"]
)
def test_a_sigma_that_jumps_from_sample_to_sample_is_seen(measure):
    spread = np.std([float(measure(*two_clusters(seed))) for seed in range(60)], ddof=1)
    errors = [measure(*two_clusters(seed)).sampling_error for seed in range(100, 110)]
    assert 0.6 < math.sqrt(np.mean(np.square(errors))) / spread < 1.7


def test_a_number_for_sigma_and_one_cluster_do_not_jump(rng):
    Z, _ = two_clusters(0)
    assert type(eg.dse(Z)._variation()).__name__ == "Halves"
    for result in (eg.dse(Z, sigma=1.0), eg.dse(Z, sigma="knn"), eg.dse(rng.normal(size=(80, 3)))):
        assert type(result._variation()).__name__ == "Influences"


@pytest.mark.parametrize("first", [0, 1])
def test_a_value_by_subsets_and_one_by_rows_are_compared_by_subsets(rng, first):
    Z, _ = two_clusters(0)
    results = eg.dse(Z), eg.dse(rng.normal(size=(80, 3)))
    a, b = results[first], results[1 - first]
    found = a._variation().minus(b._variation())
    assert type(found).__name__ == "Halves"
    assert found.value == pytest.approx(a.value - b.value)
    assert found.standard_error > 0.0
    kept = pickle.loads(pickle.dumps(results[1]))
    with pytest.raises(ValueError, match=naming("rows", "subsets", "left behind")):
        results[0]._variation().minus(kept._variation())
