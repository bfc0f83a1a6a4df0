"""Nearest-neighbour estimators of data with ties of any mass, at any place and of any scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import ksg
from eigentropy.baselines._neighbours import Points, moved
from messages import naming

SEARCHES = ["tree", "brute"]
ALGORITHMS = [1, 2]


@pytest.fixture(params=SEARCHES)
def search(request):
    return request.param


def psi(m):
    return -np.euler_gamma + sum(1.0 / i for i in range(1, int(m)))


def entropy(*p):
    return -sum(q * math.log(q) for q in p if q > 0)


def information(table):
    """Of two discrete variables with these joint probabilities, in nats."""
    return entropy(*table.sum(0)) + entropy(*table.sum(1)) - entropy(*table.ravel())


def nats(function, *arguments, **options):
    return float(function(*arguments, base=math.e, **options))


# ---- Independent variables share nothing, whatever the ties ------------------------------------


@pytest.mark.parametrize("n", [2_000, 10_000, 60_000])
@pytest.mark.parametrize("labels", [2, 100])
def test_dead_units_tell_nothing_however_many_rows_there_are(rng, n, labels):
    z = np.maximum(rng.normal(size=n) - 1, 0)
    found = nats(ksg.discrete_mutual_information, z, rng.integers(0, labels, size=n))
    assert abs(found) <= 0.5 * math.sqrt(labels / n)


NUMBERS = {
    "dead unit": lambda rng, n: np.zeros(n),
    "two dead units": lambda rng, n: np.zeros((n, 2)),
    "one value for all but one row": lambda rng, n: np.append(np.zeros(n - 1), 1.0),
    "rectified": lambda rng, n: np.maximum(rng.normal(size=n) - 1, 0),
    "two rectified": lambda rng, n: np.maximum(rng.normal(size=(n, 2)) - 0.5, 0),
    "clipped at both ends": lambda rng, n: np.clip(rng.normal(size=n), -0.5, 0.5),
    "zero-inflated counts": lambda rng, n: rng.poisson(3.0, size=n) * (rng.random(n) < 0.3) * 1.0,
    "counts": lambda rng, n: rng.poisson(50.0, size=n) * 1.0,
    "ranks": lambda rng, n: rng.permutation(n) * 1.0,
    "rounded": lambda rng, n: np.round(rng.normal(size=n), 1),
    "time stamps": lambda rng, n: 1.7e9 + rng.integers(0, n // 3, size=n),
}


@pytest.mark.parametrize("name", list(NUMBERS))
def test_permuted_labels_share_nothing_with_any_ties(rng, name):
    z = NUMBERS[name](rng, 1000)
    found = [
        nats(ksg.discrete_mutual_information, z, rng.integers(0, 4, size=1000)) for _ in range(10)
    ]
    assert abs(np.mean(found)) <= 0.01


@pytest.mark.filterwarnings("ignore:.*varies")  # one value for all but one row
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ["normal", *list(NUMBERS)[2:]])
@pytest.mark.parametrize("name", ["rectified", "counts", "ranks"])
def test_independent_numbers_share_nothing_with_any_ties(rng, name, other, algorithm):
    """Within three standard errors of the mean of ten estimates, where they are largest."""
    draw = {"normal": lambda rng, n: rng.normal(size=n), **NUMBERS}
    found = [
        nats(
            ksg.mutual_information,
            with_a_rare_row(draw[name](rng, 600)),
            with_a_rare_row(draw[other](rng, 600)),
            algorithm=algorithm,
        )
        for _ in range(10)
    ]
    assert abs(np.mean(found)) <= 0.03


def with_a_rare_row(values):
    """One value that occurs once, so that a column is not refused as one of labels."""
    return np.append(values, np.full_like(values[:1], values.min() - 1.0), axis=0)


@pytest.mark.parametrize("jitter", [0, ksg.JITTER])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_constant_says_exactly_nothing(rng, algorithm, jitter, search):
    y = np.round(rng.normal(size=200), 1)
    options = {"algorithm": algorithm, "jitter": jitter, "search": search}
    for constant in (np.full(200, 0.1), np.full((200, 2), 3e9)):
        assert abs(ksg.mutual_information(constant, constant, **options)) <= 1e-12
        if algorithm == 1:
            assert abs(ksg.mutual_information(constant, y, **options)) <= 1e-12
    options.pop("algorithm")
    assert abs(ksg.discrete_mutual_information(constant, y > 0, **options)) <= 1e-12
    assert abs(ksg.conditional_mutual_information(constant, y, y, **options)) <= 1e-12


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(-2, 3), min_size=12, max_size=24),
    st.integers(1, 4),
    st.integers(2, 4),
    st.sampled_from([0, ksg.JITTER]),
)
def test_the_mean_over_permutations_of_the_labels_is_0(values, k, labels, jitter):
    """Of Ross's estimator exactly, whatever the distances."""
    rng = np.random.default_rng(sum(values) + 100 * len(values))
    codes = np.arange(len(values)) % labels
    found = [
        nats(
            ksg.discrete_mutual_information,
            np.array(values, dtype=float),
            rng.permutation(codes),
            k=min(k, len(values) // labels - 1),
            jitter=jitter,
            seed=seed,
            search="brute",
        )
        for seed in range(200)
    ]
    assert abs(np.mean(found)) <= 5 * np.std(found) / math.sqrt(len(found)) + 1e-12


# ---- Dependent ones share what the closed form says --------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.integers(0, 2**32))
def test_zeros_of_any_mass_tell_what_their_shares_tell(first, second, seed):
    """z is 0 with a probability that depends on the label, and otherwise independent of it."""
    rng = np.random.default_rng(seed)
    labels = np.arange(3000) % 2
    share = np.array([first, second])
    z = np.where(rng.random(3000) < share[labels], 0.0, rng.normal(size=3000))
    expected = information(np.array([share, 1 - share]) / 2)
    assert nats(ksg.discrete_mutual_information, z, labels) == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_zero_inflated_counts_share_what_was_integrated(algorithm):
    """x exponential, y a Poisson count of mean x, or 0 for 15 %: H(y) - <H(y | x)>, by quadrature.

    (Gao et al. give 0.2561 for this example, as if the two kinds of 0 could be told apart.)
    """
    rng = np.random.default_rng(0)
    x = rng.exponential(size=8000)
    y = rng.poisson(x) * (rng.random(8000) >= 0.15) * 1.0
    found = nats(
        ksg.mutual_information, with_a_rare_row(x), with_a_rare_row(y), algorithm=algorithm
    )
    assert found == pytest.approx(0.22978, abs=0.02)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_whole_number_and_what_is_added_to_it_share_what_gao_computed(algorithm):
    """x uniform on 0 .. 4, y uniform on [x, x + 2]: log 5 - 4/5 log 2."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, size=4000) * 1.0
    y = x + rng.uniform(0, 2, size=4000)
    for scale in (1.0, 1e-3):  # of y alone: rows of equal x stay neighbours
        found = nats(
            ksg.mutual_information,
            with_a_rare_row(x),
            scale * with_a_rare_row(y),
            algorithm=algorithm,
        )
        assert found == pytest.approx(math.log(5) - 0.8 * math.log(2), abs=0.03)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_discrete_variables_share_what_their_table_says(rng, algorithm):
    x = rng.integers(0, 4, size=4000)
    y = np.where(rng.random(4000) < 0.5, x, rng.integers(0, 4, size=4000))
    table = 0.125 * np.eye(4) + 0.03125
    floats = [with_a_rare_row(v * 1.0) for v in (x, y)]
    found = nats(ksg.mutual_information, *floats, algorithm=algorithm)
    assert found == pytest.approx(information(table), abs=0.03)
    found = nats(ksg.discrete_mutual_information, x * 1.0, y)
    assert found == pytest.approx(information(table), abs=0.03)


def test_the_exclusive_or_of_two_bits_is_known_from_both(rng):
    x, y = rng.integers(0, 2, size=(2, 2000))
    bits = [with_a_rare_row(v * 1.0) for v in (x, y, x ^ y)]
    assert nats(ksg.mutual_information, *bits[:2]) == pytest.approx(0.0, abs=0.01)
    assert nats(ksg.conditional_mutual_information, *bits) == pytest.approx(math.log(2), abs=0.01)


@pytest.mark.parametrize("values", [2, 5, 100])
def test_rectified_ends_of_a_chain_are_independent_given_counts(values):
    rng = np.random.default_rng(0)
    w = 2 * rng.integers(0, values, size=2000)
    x, y = (np.maximum(w + rng.normal(size=2000), 0.5) for _ in range(2))
    assert nats(ksg.mutual_information, x, y) > 0.05
    assert nats(ksg.conditional_mutual_information, x, y, w) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("decimals", [1, 2])
@pytest.mark.parametrize("place", [0.0, 1e9])
def test_a_rounded_density_has_the_entropy_that_it_had_before(decimals, place):
    """Up to 100 rows have the same value."""
    Z = np.random.default_rng(0).normal(size=(3000, 1))
    found = nats(ksg.entropy, place + np.round(Z, decimals))
    assert found == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=0.06)


# ---- The definitions in plain loops, with every tie broken at random ---------------------------


def distances(V):
    return np.abs(V[:, None] - V[None, :])


def equal(*spaces):
    """Rows that equal row i in all of these distances, the row itself among them."""
    return lambda i: int(np.all([D[i] == 0 for D in spaces], axis=0).sum())


def nearer(D, i, order, boundary):
    """1 + the other rows before the boundary, by distance and, among equal ones, by `order`."""
    d = D[i]
    before = (d < d[boundary]) | ((d == d[boundary]) & (order < order[boundary]))
    before[i] = False
    return 1 + before.sum()


def loop_terms(whole, spaces, candidates, k, order):
    """For each row: psi in the space of the k-th neighbour, and in the other spaces."""
    terms = []
    for i in range(len(whole)):
        rows = [j for j in candidates(i) if j != i]
        if sum(whole[i, j] == 0 for j in rows) >= k:
            alike = 1 + sum(whole[i, j] == 0 for j in rows)
            terms.append([psi(alike), *(psi(equal(D)(i)) for D in spaces)])
            continue
        boundary = sorted(rows, key=lambda j: (whole[i, j], order[j]))[k - 1]
        r = whole[i, boundary]
        reached = []
        for D in spaces:
            on_shell = D[i, boundary] == r
            reached.append(psi(nearer(D, i, order, boundary) if on_shell else (D[i] < r).sum()))
        terms.append([psi(k), *reached])
    return np.mean(terms, axis=0)


def loop_information(x, y, k, order):
    DX, DY = distances(x), distances(y)
    everyone = lambda i: range(len(x))  # noqa: E731
    joint, px, py = loop_terms(np.maximum(DX, DY), [DX, DY], everyone, k, order)
    return psi(len(x)) + joint - px - py


def loop_conditional(x, y, w, k, order):
    DX, DY, DW = distances(x), distances(y), distances(w)
    spaces = [np.maximum(DX, DW), np.maximum(DY, DW), DW]
    everyone = lambda i: range(len(x))  # noqa: E731
    joint, pxw, pyw, pw = loop_terms(np.maximum(spaces[0], DY), spaces, everyone, k, order)
    return joint - pxw - pyw + pw


def loop_ross(x, labels, k, order):
    D = distances(x)
    alike = lambda i: np.flatnonzero(labels == labels[i])  # noqa: E731
    group, everyone = loop_terms(D, [D], alike, k, order)
    sizes = np.mean([psi((labels == label).sum()) for label in labels])
    return psi(len(x)) + group - sizes - everyone


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("values", [3, 12])
def test_estimates_are_the_means_over_all_orders_of_ties(k, values, search):
    """Of lattices that have no distance in common but 0."""
    rng = np.random.default_rng(values)
    x, y, w = (root * rng.integers(0, values, size=24) for root in np.sqrt([1, 2, 3]))
    x, y, w = (np.append(v, 97 + v.max()) for v in (x, y, w))
    labels = np.append(np.arange(24) % 3, 0)
    cases = [
        (ksg.mutual_information, (x, y), loop_information),
        (ksg.conditional_mutual_information, (x, y, w), loop_conditional),
        (ksg.discrete_mutual_information, (x, labels), loop_ross),
    ]
    for function, data, loop in cases:
        ours = [
            nats(function, *data, k=k, jitter=0, seed=seed, search=search) for seed in range(150)
        ]
        theirs = [loop(*data, k, rng.random(25)) for _ in range(60)]
        error = math.hypot(np.std(ours) / math.sqrt(150), np.std(theirs) / math.sqrt(60))
        assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=5 * error + 1e-12)


@given(
    st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0, ksg.JITTER])
)
@settings(deadline=None)
def test_both_searches_find_the_same_with_any_ties(seed, k, d, jitter):
    rng = np.random.default_rng(seed)
    X, Y, W = (rng.integers(-2, 4, size=(40, d)) * rng.choice([0.1, 1.0]) for _ in range(3))
    X[0], Y[0] = 9.0, 9.0
    labels = rng.integers(0, 2, size=40)
    labels[:2], labels[2:4] = 0, 1
    for function, data, options in [
        (ksg.mutual_information, (X, Y), {"algorithm": 1}),
        (ksg.conditional_mutual_information, (X, Y, W), {}),
        (ksg.discrete_mutual_information, (X, labels), {"k": 1}),
    ]:
        settings = {"k": k, "jitter": jitter, "seed": seed % 97, **options}
        tree, brute = (float(function(*data, search=s, **settings)) for s in SEARCHES)
        assert tree == pytest.approx(brute, abs=1e-11)


# ---- Place and scale ---------------------------------------------------------------------------


def tied_and_not(rng, n):
    """Multiples of 2^-12, which no shift by a whole number rounds; and whole numbers."""
    fine = np.round(4096 * rng.normal(size=(n, 3))) / 4096
    coarse = np.round(fine + 0.5 * rng.normal(size=(n, 3)))
    return fine, coarse


def all_informations(X, Y, W, labels, **options):
    return np.array(
        [
            nats(ksg.mutual_information, X, Y, **options),
            nats(ksg.mutual_information, X, Y, algorithm=2, **options),
            nats(ksg.mutual_information, X, Y, k=6, local_nonuniformity=0.25, **options),
            nats(ksg.conditional_mutual_information, X, Y, W, **options),
            nats(ksg.discrete_mutual_information, X, labels, **options),
        ]
    )


# Multiples of 2^-12 are rounded by no power of 2, and by other scales only if they are far away.
SCALES_AND_PLACES = st.one_of(
    st.tuples(
        st.integers(-900, 900).map(lambda e: 2.0**e),
        st.sampled_from([0.0, -1.0, 1000.0, 1.7e9, -(2.0**39)]),
    ),
    st.tuples(
        st.sampled_from([1e-300, 1e-12, 0.1, 3.0, 1e12, 1e300]), st.sampled_from([0.0, 7.0, -1e3])
    ),
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), SCALES_AND_PLACES, st.sampled_from(SEARCHES), st.booleans())
def test_neither_place_nor_scale_changes_an_information(seed, scale_and_place, search, mixed):
    scale, place = scale_and_place
    rng = np.random.default_rng(seed)
    fine, coarse = tied_and_not(rng, 80)
    X = fine[:, :2] if not mixed else np.stack([fine[:, 0], coarse[:, 0]], axis=1)
    Y, W, labels = coarse[:, 1:] + fine[:, 1:], coarse[:, :1], coarse[:, 1] > 0
    expected = all_informations(X, Y, W, labels, search=search)
    data = (scale * (V + place) for V in (X, Y, W))
    found = all_informations(*data, labels, search=search)
    # Rounding after the scale may exchange two distances that differ by less.
    exact = math.frexp(scale)[0] == 0.5
    assert found == pytest.approx(expected, abs=1e-9 if exact else 0.01)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), SCALES_AND_PLACES, st.sampled_from(SEARCHES), st.booleans())
def test_an_entropy_gains_the_logarithm_of_the_scale(seed, scale_and_place, search, rounded):
    scale, place = scale_and_place
    rng = np.random.default_rng(seed)
    Z = tied_and_not(rng, 80)[1 if rounded else 0]
    expected = nats(ksg.entropy, Z, search=search) + 3 * math.log(scale)
    found = nats(ksg.entropy, scale * (Z + place), search=search)
    assert found == pytest.approx(expected, abs=1e-6)


def test_time_stamps_tell_nothing_about_noise_and_all_about_themselves(rng):
    """At 1.7e9 a noise of 1e-10 would be rounded away."""
    stamps, noise = 1.7e9 + rng.integers(0, 1200, size=3000), rng.normal(size=3000)
    for algorithm in ALGORITHMS:
        found = nats(ksg.mutual_information, stamps, noise, algorithm=algorithm)
        assert found == pytest.approx(0.0, abs=0.05)
        near = nats(ksg.mutual_information, stamps - 1.7e9, noise, algorithm=algorithm)
        assert found == pytest.approx(near, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_information_is_kept_at_any_scale(rng, scale):
    x, noise = rng.normal(size=(2, 3000))
    y = 0.8 * x + 0.6 * noise
    expected = -math.log(0.6)
    assert nats(ksg.mutual_information, scale * x, scale * y) == pytest.approx(expected, abs=0.05)
    assert nats(ksg.entropy, scale * x) == pytest.approx(
        0.5 * math.log(2 * math.pi * math.e) + math.log(scale), abs=0.05
    )


def test_the_largest_numbers_have_finite_distances(rng):
    most = np.finfo(float).max
    z = np.where(np.arange(300) % 2 == 0, most, -most)
    z[:20] = rng.normal(size=20)
    labels = np.arange(300) % 2
    found = nats(ksg.discrete_mutual_information, z, labels)
    assert found == pytest.approx(math.log(2), abs=0.1)


def test_fill_values_move_no_other_row(rng):
    """Not even the one below them, whose distance to the next value is that to the fill value."""
    column = np.append(rng.normal(size=50), [1e20, 1e20])
    for spread in (False, True):
        noisy = moved(column, 1.0, spread, rng)
        shift = (noisy - noisy.min()) - (column - column.min())
        assert np.abs(shift[:50]).max() <= np.ptp(column[:50])


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.floats(1e-6, 1.0),
    st.booleans(),
    st.integers(0, 99),
)
def test_noise_keeps_the_order_of_values(values, share, spread, seed):
    column = np.array(values)
    noisy = moved(column, share, spread, np.random.default_rng(seed))
    order = np.argsort(noisy, kind="stable")
    assert (np.diff(column[order]) >= -1e-9 * np.abs(column).max()).all()
    if not spread:
        for value in set(values):
            assert len(set(noisy[column == value])) == 1


# ---- What is refused, and what is not ----------------------------------------------------------


def test_ties_are_broken_by_random_numbers_that_the_seed_decides(rng, search):
    X, Y = (np.round(rng.normal(size=(300, 1)), 1) for _ in range(2))
    options = {"search": search}
    value = ksg.mutual_information(X, Y, seed=1, **options)
    assert value == ksg.mutual_information(X, Y, seed=1, **options)
    assert value != ksg.mutual_information(X, Y, seed=2, **options)
    assert float(value) == pytest.approx(0.0, abs=0.3)


def test_rows_without_a_density_have_no_entropy(rng, search):
    X = np.repeat(rng.normal(size=(5, 2)), 4, axis=0)
    with pytest.raises(ValueError, match=naming(20, "k=3", "jitter", "binning.entropy")):
        ksg.entropy(X, jitter=0, search=search)
    assert math.isfinite(ksg.entropy(X, search=search))
    for constant in (np.ones(20), np.ones((20, 2))):
        with pytest.raises(ValueError, match=naming(20, "k=3", "jitter", "binning.entropy")):
            ksg.entropy(constant, search=search)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_copies_of_a_row_are_one_value_of_a_discrete_variable(rng, algorithm, search):
    """Five values with four rows each: psi(20) - psi(4), the entropy in Grassberger's estimate."""
    X = np.repeat(rng.normal(size=(5, 2)), 4, axis=0)
    Y = np.repeat(rng.normal(size=(5, 2)), 4, axis=0)
    expected = psi(20) - psi(4)
    for jitter in (0, ksg.JITTER):
        options = {"jitter": jitter, "search": search}
        found = nats(ksg.mutual_information, X, Y, algorithm=algorithm, **options)
        assert found == pytest.approx(expected, abs=1e-12)
        labels = np.repeat(np.arange(5), 4)
        found = nats(ksg.discrete_mutual_information, X, labels, **options)
        assert found == pytest.approx(expected, abs=1e-12)
        assert abs(nats(ksg.conditional_mutual_information, X, Y, X, **options)) <= 1e-12


def test_a_few_copies_are_no_obstacle(rng, search):
    X, Y = rng.normal(size=(40, 2)), rng.normal(size=(40, 1))
    X[1], Y[1] = X[0], Y[0]
    for algorithm in ALGORITHMS:
        value = ksg.mutual_information(X, Y, algorithm=algorithm, jitter=0, search=search)
        assert math.isfinite(value)


def test_only_entries_that_occur_again_are_spread(rng):
    Z = rng.normal(size=(50, 2))
    assert (Points(Z, 1.0, spread=True).values * 2 == Z).all()
    Z[:5, 0] = Z[5, 0]
    noisy = Points(Z, 1.0, spread=True).values * 2
    assert len(np.unique(noisy[:6, 0])) == 6
    assert (noisy[:, 1] == Z[:, 1]).all()
    assert np.diff(noisy[6:, 0]) == pytest.approx(np.diff(Z[6:, 0]), abs=1e-14)


def test_variables_of_very_different_scales_are_warned_about(rng):
    x = rng.normal(size=500)
    y = x + rng.normal(size=500)
    for pair in ((x, 1e-4 * y), (1e300 * x, y), (1e-12 * x, y)):
        with pytest.warns(UserWarning, match=naming("X", "Y", "standard deviations")):
            ksg.mutual_information(*pair)
    ksg.mutual_information(100.0 * x, y)  # warnings are errors
