"""Nearest-neighbour estimators: closed forms, the formulas in plain loops, and NPEET's values."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import _neighbours, ksg
from eigentropy.baselines._ksg_terms import over_rows
from messages import naming

SEARCHES = ["tree", "brute"]


@pytest.fixture(params=SEARCHES)
def search(request):
    return request.param


# Strips of a few rows, blocks of a few columns.
SMALL = _neighbours.Pieces(columns=3, strip_bytes=10_000)


# ---- Closed forms ------------------------------------------------------------------------------


def correlated(rng, rho, n=2000):
    x, noise = rng.normal(size=(2, n))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("algorithm", [1, 2])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
def test_gaussians_share_minus_half_log_one_minus_rho_squared(rho, algorithm, seed):
    x, y = correlated(np.random.default_rng(seed), rho)
    estimate = ksg.mutual_information(x, y, algorithm=algorithm, base=math.e)
    assert float(estimate) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.05)


@pytest.mark.parametrize("width", [0.5, 1, 8])
def test_a_uniform_density_has_the_entropy_log_of_its_volume(rng, width, search):
    Z = rng.uniform(0, width, size=(2000, 2))
    assert float(ksg.entropy(Z, search=search)) == pytest.approx(2 * math.log2(width), abs=0.1)


@pytest.mark.parametrize("d", [1, 3])
def test_a_gaussian_density_has_the_entropy_half_log_2_pi_e(rng, d, search):
    Z = 3.0 * rng.normal(size=(3000, d))
    expected = d * (0.5 * math.log(2 * math.pi * math.e) + math.log(3.0))
    assert float(ksg.entropy(Z, base=math.e, search=search)) == pytest.approx(expected, abs=0.06)


def test_the_ends_of_a_markov_chain_are_independent_given_its_middle(rng):
    x, first, second = rng.normal(size=(3, 2000))
    w = 0.8 * x + 0.6 * first
    y = 0.8 * w + 0.6 * second
    assert float(ksg.mutual_information(x, y)) > 0.2
    assert float(ksg.conditional_mutual_information(x, y, w)) == pytest.approx(0.0, abs=0.05)


def test_gaussians_given_a_third_share_what_the_partial_correlation_says(rng):
    P = rng.multivariate_normal(np.zeros(3), [[7, -5, -4], [-5, 7, 5], [-4, 5, 6]], size=3000)
    precision = np.linalg.inv(np.array([[7, -5, -4], [-5, 7, 5], [-4, 5, 6]]))
    rho = -precision[0, 1] / math.sqrt(precision[0, 0] * precision[1, 1])
    estimate = ksg.conditional_mutual_information(*P.T, base=math.e)
    assert float(estimate) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.05)


def test_exclusive_or_appears_once_the_third_is_known(rng):
    """Signs x, y and their product w: blurred, so that they have densities."""
    x, y = rng.choice([-1.0, 1.0], size=(2, 1000))
    blurred = [v + 0.01 * rng.normal(size=1000) for v in (x, y)]
    assert float(ksg.mutual_information(*blurred)) == pytest.approx(0.0, abs=0.1)
    labels = x * y
    assert float(ksg.conditional_mutual_information(*blurred, labels)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_overlapping_uniform_densities_share_what_ross_computed(rng, k, search):
    """z is uniform on [0, 2] for one label and on [1, 3] for the other: half a bit."""
    labels = np.arange(2000) % 2
    z = rng.uniform(0, 2, size=2000) + labels
    estimate = ksg.discrete_mutual_information(z, labels, k=k, search=search)
    assert float(estimate) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("k", [1, 4])
def test_labels_of_separated_groups_are_worth_their_entropy(rng, k):
    labels = np.repeat([0, 1, 2], [100, 200, 700])
    Z = rng.normal(size=(1000, 4)) + 100 * labels[:, None]
    p = np.array([0.1, 0.2, 0.7])
    expected = -float(p @ np.log2(p))
    assert float(ksg.discrete_mutual_information(Z, labels, k=k)) == pytest.approx(
        expected, abs=0.01
    )


def test_permuted_labels_share_nothing(rng):
    Z, labels = rng.normal(size=(1500, 3)), rng.integers(0, 3, size=1500)
    assert float(ksg.discrete_mutual_information(Z, labels)) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("noise", [1e-3, 1e-4])
def test_the_correction_finds_what_a_thin_line_hides(rng, noise):
    """x uniform on [0, 1], y - x uniform on [0, noise]: I = -log(noise) + noise / 2."""
    x = rng.uniform(size=500)
    y = x + noise * rng.uniform(size=500)
    plain = float(ksg.mutual_information(x, y, k=5, base=math.e))
    corrected = float(ksg.mutual_information(x, y, k=5, base=math.e, local_nonuniformity=0.25))
    assert plain < 0.85 * -math.log(noise)
    assert corrected == pytest.approx(-math.log(noise), rel=0.12)


def test_the_correction_leaves_independent_variables_alone(rng):
    x, y = rng.uniform(size=(2, 1000))
    plain = ksg.mutual_information(x, y, k=10)
    corrected = ksg.mutual_information(x, y, k=10, local_nonuniformity=0.25)
    assert float(corrected) == pytest.approx(float(plain), abs=0.02)


@pytest.mark.parametrize("d", [100, 2000])
def test_in_many_columns_algorithm_1_is_blind_where_the_others_see_groups(rng, d):
    """Labels blurred into a density, as they are not meant to be used."""
    labels = np.arange(600) % 3
    Z = rng.normal(size=(600, d)) + 10 * rng.normal(size=(3, d))[labels]
    blurred = labels + 1e-6 * rng.uniform(size=600)
    assert float(ksg.mutual_information(Z, blurred)) == pytest.approx(0.0, abs=0.01)
    for estimate in (
        ksg.mutual_information(Z, blurred, algorithm=2),
        ksg.discrete_mutual_information(Z, labels),
    ):
        assert float(estimate) == pytest.approx(math.log2(3), abs=0.05)


# ---- The formulas, written as loops ------------------------------------------------------------


def psi(m):
    return -np.euler_gamma + sum(1.0 / i for i in range(1, int(m)))


def distances(V):
    return np.abs(V[:, None] - V[None, :]).max(axis=2)


def others_sorted(D, i):
    return sorted((j for j in range(len(D)) if j != i), key=lambda j: D[i, j])


def loop_entropy(Z, k):
    D, (n, d) = distances(Z), Z.shape
    logs = [math.log(D[i, others_sorted(D, i)[k - 1]]) for i in range(n)]
    return psi(n) - psi(k) + d * math.log(2) + d * sum(logs) / n


def loop_information(X, Y, k, algorithm):
    DX, DY = distances(X), distances(Y)
    D, n = np.maximum(DX, DY), len(X)
    total = 0.0
    for i in range(n):
        near = others_sorted(D, i)[:k]
        for DV in (DX, DY):
            others = np.delete(DV[i], i)
            if algorithm == 1:
                total += psi((others < D[i, near[-1]]).sum() + 1)
            else:
                total += psi((others <= DV[i, near].max()).sum())
    return psi(k) + psi(n) - total / n - (1 / k if algorithm == 2 else 0)


def loop_conditional(X, Y, W, k):
    DX, DY, DW = distances(X), distances(Y), distances(W)
    D, n = np.maximum(np.maximum(DX, DY), DW), len(X)
    total = 0.0
    for i in range(n):
        radius = D[i, others_sorted(D, i)[k - 1]]
        xw, yw, w = (
            psi((np.delete(DV[i], i) < radius).sum() + 1)
            for DV in (np.maximum(DX, DW), np.maximum(DY, DW), DW)
        )
        total += xw + yw - w
    return psi(k) - total / n


def loop_ross(Z, labels, k):
    D = distances(Z)
    total = 0.0
    for i in range(len(Z)):
        alike = [j for j in others_sorted(D, i) if labels[j] == labels[i]]
        k_i = min(k, len(alike))
        radius = D[i, alike[k_i - 1]]
        m = (np.delete(D[i], i) <= radius).sum()
        total += psi(k_i) - psi(len(alike) + 1) - psi(m)
    return psi(len(Z)) + total / len(Z)


@pytest.mark.parametrize(("n", "dx", "dy"), [(2, 1, 1), (31, 1, 1), (97, 2, 3), (40, 7, 1)])
@pytest.mark.parametrize("k", [1, 4])
def test_all_estimates_are_those_of_the_loops(rng, n, dx, dy, k, search):
    k = min(k, n - 1)
    X = rng.normal(size=(n, dx))
    Y = X[:, :1] + rng.normal(size=(n, dy))
    W, labels = rng.normal(size=(n, 2)), np.arange(n) % 2 if n > 2 else np.zeros(n, dtype=int)
    options = {"k": k, "base": math.e, "jitter": 0, "search": search}
    values = [
        (ksg.entropy(X, **options), loop_entropy(X, k)),
        (ksg.mutual_information(X, Y, **options), loop_information(X, Y, k, 1)),
        (ksg.mutual_information(X, Y, algorithm=2, **options), loop_information(X, Y, k, 2)),
        (ksg.conditional_mutual_information(X, Y, W, **options), loop_conditional(X, Y, W, k)),
        (ksg.discrete_mutual_information(X, labels, **options), loop_ross(X, labels, k)),
    ]
    for value, expected in values:
        assert float(value) == pytest.approx(expected, abs=1e-11)


def test_small_groups_have_the_neighbours_that_there_are_and_single_rows_none(rng, search):
    Z = rng.normal(size=(50, 2))
    labels = np.array([0] * 40 + [1] * 7 + [2] * 2 + [3])
    with pytest.warns(UserWarning, match=naming("2 of the 4", "k=3", 1)):
        value = ksg.discrete_mutual_information(Z, labels, jitter=0, base=math.e, search=search)
    assert value.n == 49
    assert float(value) == pytest.approx(loop_ross(Z[:49], labels[:49], 3), abs=1e-11)


# ---- NPEET's values ----------------------------------------------------------------------------


def sequences(n=100):
    """Multiples of square roots, modulo 1: spread evenly, without a random number.

    By cubes, so that no two distances of a number are equal but for their rounding.
    """
    i = np.arange(1, n + 1) ** 3
    return math.sqrt(2) * i % 1, math.sqrt(3) * i % 1, math.sqrt(5) * i % 1


# From NPEET (github.com/gregversteeg/NPEET, commit 8b0d948) with its add_noise
# replaced by the identity: ee.entropy(X, k=k), ee.mi(X, Y, k=k), ee.mi(X, Y, W, k=k) and
# ee.mi(x, x + 0.02 z, k=5, alpha=alpha), in bits, on the data of the tests.
NPEET_BY_K = {
    1: (-1.3744669203252164, 2.708844478774228, 2.698620493099654),
    3: (-1.410336399652932, 2.0877353055747565, 2.077294853563315),
    5: (-1.2446221395862562, 1.8899595994929632, 1.7478613043494102),
}
NPEET_BY_ALPHA = {0.1: 3.9030690783131012, 0.25: 4.385121546880063, 0.8: 5.3760483860936015}


@pytest.mark.parametrize("k", list(NPEET_BY_K))
def test_values_are_those_of_npeet(k, search):
    x, y, z = sequences()
    X, Y = np.stack([x, x + 0.3 * y], axis=1), np.stack([x + 0.2 * z, z * y], axis=1)
    options = {"k": k, "jitter": 0, "search": search}
    values = [
        ksg.entropy(X, **options),
        ksg.mutual_information(X, Y, **options),
        ksg.conditional_mutual_information(X, Y, z, **options),
    ]
    assert [float(v) for v in values] == pytest.approx(NPEET_BY_K[k], abs=1e-9)


@pytest.mark.parametrize("alpha", list(NPEET_BY_ALPHA))
def test_corrected_values_are_those_of_npeet(alpha, search):
    x, _, z = sequences()
    value = ksg.mutual_information(
        x, x + 0.02 * z, k=5, local_nonuniformity=alpha, jitter=0, search=search
    )
    assert float(value) == pytest.approx(NPEET_BY_ALPHA[alpha], abs=1e-9)


def test_values_in_thirty_columns_are_those_of_npeet(search):
    A = np.sqrt(np.arange(2, 32)) * np.arange(1, 61)[:, None] ** 3 % 1
    options = {"jitter": 0, "search": search}
    assert float(ksg.entropy(A, **options)) == pytest.approx(16.215398422509086, abs=1e-9)
    value = ksg.mutual_information(A, A[:, ::-1] ** 2, **options)
    assert float(value) == pytest.approx(2.2422675904596616, abs=1e-9)


@pytest.mark.parametrize("n", [10, 25, 50, 100, 200])
def test_npeet_itself_gives_the_same_without_noise(rng, n, search, monkeypatch):
    """Its own test cases: uniform, and Gaussian with its covariance, also rearranged."""
    npeet = pytest.importorskip("npeet.entropy_estimators")
    mixing = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]])
    covariance = mixing.T @ np.diag([3, 1, 1]) @ mixing
    x, y, z = rng.multivariate_normal(np.zeros(3), covariance, n).T[:, :, None]
    options = {"jitter": 0, "search": search}
    monkeypatch.setattr(npeet, "add_noise", lambda values, intens=0.0: np.asarray(values))
    pairs = [
        (ksg.mutual_information(x, y, **options), npeet.mi(x, y)),
        (ksg.mutual_information(x, y[::-1], **options), npeet.mi(x, y[::-1])),
        (ksg.conditional_mutual_information(x, y, z, **options), npeet.cmi(x, y, z)),
        (
            ksg.mutual_information(x, y, k=5, local_nonuniformity=0.25, **options),
            npeet.mi(x, y, k=5, alpha=0.25),
        ),
    ]
    for k in range(1, 6):
        u = 2 * rng.random((n, 1))
        pairs.append((ksg.entropy(u, k=k, **options), npeet.entropy(u, k=k)))
    for ours, theirs in pairs:
        assert float(ours) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("decimals", [1, 12])
@pytest.mark.parametrize("margin", [0.0, 1e-15, 0.05])
def test_a_margin_counts_the_rows_at_most_so_much_less_far(rng, decimals, margin, search):
    X, Y, W = (np.round(rng.normal(size=(60, d)), decimals) for d in (1, 2, 1))
    X += 5.0 * np.arange(60)[:, None]  # no row equals another
    radius = np.sort(distances(np.hstack([X, Y])), axis=1)[:, 3]
    wide = np.sort(distances(np.hstack([X, Y, W])), axis=1)[:, 3]

    def mean_psi(V, reach):
        inside = (distances(V) <= (reach - margin)[:, None]).sum(axis=1)
        return np.mean([psi(count) for count in inside])

    options = {"margin": margin, "jitter": 0, "base": math.e, "search": search}
    found = ksg.mutual_information(X, Y, **options)
    expected = psi(3) + psi(60) - mean_psi(X, radius) - mean_psi(Y, radius)
    assert float(found) == pytest.approx(expected, abs=1e-11)
    assert found.settings["margin"] == margin
    found = ksg.conditional_mutual_information(X, Y, W, **options)
    xw, yw = np.hstack([X, W]), np.hstack([Y, W])
    expected = psi(3) - mean_psi(xw, wide) - mean_psi(yw, wide) + mean_psi(W, wide)
    assert float(found) == pytest.approx(expected, abs=1e-11)


def test_a_margin_that_cannot_be_is_refused(rng):
    X = rng.normal(size=(20, 1))
    with pytest.raises(ValueError, match=naming("margin", "algorithm=2")):
        ksg.mutual_information(X, X**2, algorithm=2, margin=1e-15)
    with pytest.raises(ValueError, match=naming("margin", "-1")):
        ksg.mutual_information(X, X**2, margin=-1)
    with pytest.raises(ValueError, match=naming(20, "k=3")):
        ksg.mutual_information(X, X**2, margin=100.0)


@pytest.mark.parametrize("k", [1, 4])
def test_neighbours_on_a_line_are_those_of_all_distances(rng, k, search):
    for z in (rng.normal(size=50), np.round(rng.normal(size=50), 1)):
        (near,) = _neighbours.neighbourhoods([_neighbours.Points(z[:, None])], search)
        expected = np.sort(np.abs(z[:, None] - z) / 2, axis=1)[:, k]
        assert near.kth_distance(k) == pytest.approx(expected, abs=1e-15)


# ---- Properties --------------------------------------------------------------------------------


@settings(deadline=None)  # the first example imports SciPy
@given(st.integers(0, 2**32), st.integers(5, 60), st.integers(1, 4), st.sampled_from(SEARCHES))
def test_information_is_symmetric_and_the_order_of_rows_does_not_matter(seed, n, k, search):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(n, 2)), rng.normal(size=(n, 1))
    order = rng.permutation(n)
    options = {"k": k, "jitter": 0, "search": search}
    for algorithm in (1, 2):
        value = float(ksg.mutual_information(X, Y, algorithm=algorithm, **options))
        back = ksg.mutual_information(Y[order], X[order], algorithm=algorithm, **options)
        assert float(back) == pytest.approx(value, abs=1e-11)


@pytest.mark.parametrize("n", [2, 15, 16, 17, 200])
def test_all_distances_are_the_largest_differences_however_they_are_cut(rng, n):
    Z = rng.normal(size=(n, 7))
    points = _neighbours.Points(Z, pieces=SMALL)
    expected = distances(Z) / 2  # of the halves that the points are
    for rows in (slice(0, n), slice(0, n // 2), slice(n // 2, n), slice(n // 3, n // 3 + 1)):
        assert (_neighbours.max_distances(points, rows) == expected[rows]).all()


def test_few_rows_of_many_columns_are_compared_and_many_of_few_searched():
    assert _neighbours.tree_is_faster(2000, 2)
    assert not _neighbours.tree_is_faster(2000, 20)
    assert _neighbours.tree_is_faster(100_000, 10)
    assert not _neighbours.tree_is_faster(100_000, 1000)


def test_distances_of_long_rows_take_strips_of_memory():
    script = (
        "import resource, numpy as np\n"
        "from eigentropy.baselines import ksg\n"
        "X = np.random.default_rng(0).normal(size=(64, 100_000)).astype(np.float32)\n"
        "y = X[:, 0].astype(float)\n"
        "ksg.mutual_information(X[:, :2000], y)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "ksg.mutual_information(X, y)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    ).stdout
    assert int(output) < 10_000  # KiB, of rows that are 25 MB


# ---- Strips ------------------------------------------------------------------------------------


def in_strips(parts, pieces, progress=False):
    """The distance of each row to its third neighbour."""
    return over_rows(lambda near: near.kth_distance(3), parts, "brute", progress, pieces)


@pytest.mark.parametrize("spread", [False, True])
def test_noise_does_not_depend_on_how_rows_are_cut(rng, spread):
    X, Y = np.round(rng.normal(size=(120, 7)), 1), rng.normal(size=(120, 1))
    parts = [
        _neighbours.Points(matrix, 1.0, (0, part), spread, SMALL)
        for part, matrix in enumerate([X, Y])
    ]
    values = [in_strips(parts, pieces) for pieces in (SMALL, _neighbours.PIECES)]
    assert (values[0] == values[1]).all()
    assert (values[0] > 0).all()


@pytest.mark.parametrize("n", [31, 97])
def test_neighbours_do_not_depend_on_how_rows_are_cut(rng, n):
    """All that a strip knows, row for row."""
    parts = [_neighbours.Points(np.round(rng.normal(size=(n, d)), 1), pieces=SMALL) for d in (2, 7)]
    codes = np.arange(n) % 2
    (whole,) = _neighbours.neighbourhoods(parts, "brute")
    strips = list(_neighbours.neighbourhoods(parts, "brute", SMALL))
    assert len(strips) > 2
    for strip in strips:
        rows = strip.rows
        radius = whole.kth_distance(4)[rows]
        assert (strip.kth_distance(4) == radius).all()
        in_group = whole.kth_distance_in_group(codes, np.full(n, 4))
        assert (strip.kth_distance_in_group(codes, np.full(n, 4)) == in_group[rows]).all()
        shells = whole.shell_of_kth_in_group(codes, np.full(n, 4), in_group)
        found = strip.shell_of_kth_in_group(codes, np.full(n, 4)[rows], in_group[rows])
        assert (found == shells[rows]).all()
        assert (np.sort(strip.nearest(4)) == np.sort(whole.nearest(4))[rows]).all()
        for part in (0, 1):
            extent, attained = whole.extent(part, whole.nearest(4))
            own_extent, own_attained = strip.extent(part, strip.nearest(4))
            assert (own_extent == extent[rows]).all()
            assert (own_attained == attained[rows]).all()
            shells = whole.shell([part], whole.kth_distance(4))
            assert (strip.shell([part], radius) == shells[rows]).all()


def test_the_rows_are_not_changed_by_the_noise(rng):
    X, Y = rng.normal(size=(50, 2)), rng.normal(size=50)
    before = X.copy(), Y.copy()
    ksg.mutual_information(X, Y)
    assert (before[0] == X).all()
    assert (before[1] == Y).all()


# ---- Bad input ---------------------------------------------------------------------------------

LABELS = np.arange(20) % 2
ROWS = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.parametrize(
    "labels",
    [LABELS, LABELS[:, None], LABELS.astype(bool), LABELS.astype(str), LABELS.astype(float)],
    ids=["int", "column", "bool", "strings", "float"],
)
def test_labels_are_sent_to_the_estimator_for_labels(labels):
    for X, Y in [(ROWS, labels), (labels, ROWS)]:
        with pytest.raises(ValueError, match=naming("ksg.discrete_mutual_information")):
            ksg.mutual_information(X, Y)
    with pytest.raises(ValueError, match=naming("Z", "binning.entropy")):
        ksg.entropy(labels)
    assert math.isfinite(ksg.discrete_mutual_information(ROWS, labels.reshape(20)))


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None], LABELS > 0, LABELS.astype(str)])
def test_two_sets_of_labels_are_sent_to_another_estimator_than_their_own(labels):
    expected = naming("Z", "binning.mutual_information", "floats")
    with pytest.raises(ValueError, match=expected) as raised:
        ksg.discrete_mutual_information(labels, LABELS)
    assert "ksg." not in str(raised.value)


def test_numbers_are_no_labels():
    with pytest.raises(ValueError, match=naming("Y")):
        ksg.discrete_mutual_information(ROWS, ROWS[:, 0])


def test_whole_numbers_that_are_no_labels_may_come_as_floats():
    counts = np.arange(20) ** 2
    with pytest.raises(ValueError, match=naming("Y", "floats")):
        ksg.mutual_information(ROWS, counts)
    assert math.isfinite(ksg.mutual_information(ROWS, counts.astype(float)))


@pytest.mark.parametrize(
    ("X", "Y", "options", "error", "words"),
    [
        (ROWS, ROWS[:19], {}, ValueError, ["Y", 19, "X", 20]),
        (ROWS, ROWS, {"k": 20}, ValueError, ["k=20", 20]),
        (ROWS[:1], ROWS[:1], {"k": 1}, ValueError, ["k=1", 1]),
        (ROWS, ROWS, {"k": 0}, ValueError, ["k", 1, 0]),
        (ROWS, ROWS, {"k": 2.5}, TypeError, ["k", 2.5]),
        (ROWS * np.nan, ROWS, {}, ValueError, ["X", "NaN", 20]),
        (ROWS, ROWS[:, 0] * np.inf, {}, ValueError, ["Y", "NaN"]),
        (ROWS[:0], ROWS, {}, ValueError, ["X", "(0, 2)"]),
        (ROWS, 3.0, {}, ValueError, ["Y", "(n, d)"]),
        (ROWS, ROWS, {"algorithm": 3}, ValueError, ["algorithm", 1, 2, 3]),
        (ROWS, ROWS, {"search": "ball"}, ValueError, ["search", "'auto'", "'tree'", "'ball'"]),
        (ROWS, ROWS, {"jitter": -1}, ValueError, ["jitter", "-1"]),
        (ROWS, ROWS, {"jitter": 1.5}, ValueError, ["jitter", 1, 1.5]),
        (ROWS, ROWS, {"seed": -1}, ValueError, ["seed", "-1"]),
        (ROWS, ROWS, {"local_nonuniformity": 0}, ValueError, ["local_nonuniformity", 0]),
        (ROWS, ROWS, {"local_nonuniformity": 2}, ValueError, ["local_nonuniformity", 1, 2]),
        (ROWS, ROWS, {"local_nonuniformity": 0.5}, ValueError, ["local_nonuniformity", "k=3", 4]),
    ],
)
def test_bad_input_is_named(X, Y, options, error, words):
    with pytest.raises(error, match=naming(*words)):
        ksg.mutual_information(X, Y, **options)


def test_a_third_variable_must_be_as_long_and_finite():
    with pytest.raises(ValueError, match=naming("W", 3, "X", 20)):
        ksg.conditional_mutual_information(ROWS, ROWS, [1, 2, 3])
    with pytest.raises(ValueError, match=naming("W", "NaN")):
        ksg.conditional_mutual_information(ROWS, ROWS, ROWS * np.nan)


def test_progress_goes_from_strip_to_strip(rng):
    seen = []
    in_strips([_neighbours.Points(Z) for Z in rng.normal(size=(2, 100, 30))], SMALL, seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 2
    assert seen[-1] == 1.0
