"""The sampling error from halves and three quarters of the rows."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._kernels.groups import groups_of_rows
from eigentropy._measures.forms import nulls_of_subset, seed_of_subset
from eigentropy._measures.sampling.halves import divisions, halves_of, one_by_one, variation_of
from messages import naming


def classes(n=120, d=3, k=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    return rng.normal(size=(n, d)) + 2.0 * np.eye(k, d)[labels], labels


def mean(rows):
    return float(rows.mean())


def pairs_of_rows(rows):
    """The mean of the products of two rows: pairs alone decide where the mean of rows is 0."""
    x = rows[:, 0]
    n = len(x)
    return float((x.sum() ** 2 - (x**2).sum()) / (n * (n - 1)))


def of_many(function, Z, count):
    on_sets = one_by_one(lambda rows, _: (function(Z[rows]),) * 2)
    return halves_of(function(Z), on_sets, len(Z), 0, count=count)


def subsets_of(found):
    """Some of the subsets: their number, rows and values."""
    sets = [rows for one in divisions(found.n, found.seed) for pair in one for rows in pair]
    values = np.stack([found.of_halves, found.of_rests], axis=1).reshape(-1, 2)
    return [(number, sets[number], values[number]) for number in range(0, len(sets), 5)]


# The subsets


@pytest.mark.parametrize("n", [16, 17, 18, 19, 101])
def test_subsets_are_halves_without_a_common_row_and_what_two_quarters_leave(n):
    for one in divisions(n, 3):
        first, second = one.halves
        assert len(first) == len(second) == n // 2
        assert not set(first) & set(second)
        left_out = [set(range(n)) - set(rest) for rest in one.rests]
        assert [len(quarter) for quarter in left_out] == [n // 4, n // 4]
        assert not left_out[0] & left_out[1]


def test_subsets_are_a_function_of_the_number_of_rows_and_the_seed():
    def drawn(n, seed):
        return np.concatenate([rows.ravel() for one in divisions(n, seed) for rows in one])

    assert np.array_equal(drawn(40, 1), drawn(40, 1))
    assert not np.array_equal(drawn(40, 1), drawn(40, 2))


@pytest.mark.parametrize("n", [1, 4, 15])
def test_too_few_rows_have_no_sampling_error(n):
    with pytest.raises(ValueError, match=naming(n)):
        variation_of(mean, np.zeros((n, 1)))
    if n > 1:
        with pytest.raises(ValueError, match=naming(n)):
            _ = eg.dsmi(np.arange(n)[:, None], np.arange(n) % 2).sampling_error


# What it is, exactly


@pytest.mark.parametrize("n", [16, 40])
def test_of_a_mean_it_is_on_average_the_textbook_one(n):
    x = np.random.default_rng(0).exponential(size=(n, 1))
    found = of_many(mean, x, 4000)
    assert found.standard_error == pytest.approx(float(x.std(ddof=1)) / math.sqrt(n), rel=0.03)


def test_what_pairs_of_rows_contribute_counts_once():
    n = 40
    samples = (np.random.default_rng(seed).normal(size=(n, 1)) for seed in range(300))
    found = [of_many(pairs_of_rows, rows, 100) for rows in samples]
    squares = np.array([one.standard_error**2 for one in found])
    noise = float(squares.std(ddof=1)) / math.sqrt(len(squares))
    # Var of the mean of n (n - 1) / 2 products of variance 1; the terms are of leading order in n.
    assert squares.mean() == pytest.approx(2.0 / (n * (n - 1)), abs=4.0 * noise, rel=0.1)


def test_what_is_drawn_anew_each_time_does_not_count():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)

    def noisy(rows, number):
        level = x[rows].mean()
        return level + rng.normal(), level + rng.normal()

    def quiet(rows, number):
        return (x[rows].mean(),) * 2

    noise = [halves_of(x.mean(), one_by_one(noisy), 400, seed, count=200) for seed in range(30)]
    level = halves_of(x.mean(), one_by_one(quiet), 400, 0, count=200)
    # Were each drawn once, it would be 3 of them in quadrature. Chance hides the error of some.
    known = [one for one in noise if not math.isnan(one.standard_error)]
    assert known
    assert np.mean([one.standard_error for one in known]) < 0.5
    assert np.mean([one.degrees for one in known]) < 0.1 * level.degrees
    assert all(one.note for one in noise if math.isnan(one.standard_error))


def test_the_degrees_are_fewer_than_the_values():
    found = variation_of(mean, np.random.default_rng(0).normal(size=(64, 1)))
    assert 4.0 < found.degrees < 16.0


# Differences


def test_of_the_same_values_the_difference_does_not_vary():
    Z, labels = classes()
    one, other = (eg.dsmi(Z, labels)._variation() for _ in range(2))
    difference = one.minus(other)
    assert difference.value == difference.standard_error == 0.0
    assert difference.degrees == math.inf


def test_a_difference_is_taken_set_by_set():
    Z, labels = classes()
    wide, narrow = (eg.kernel_information(Z, labels, sigma=s)._variation() for s in (2.0, 1.0))
    difference = wide.minus(narrow)
    assert np.array_equal(difference.of_halves, wide.of_halves - narrow.of_halves)
    assert difference.standard_error < min(wide.standard_error, narrow.standard_error)


@pytest.mark.parametrize("other", [(100, 0), (120, 1)])
def test_other_rows_or_another_seed_are_no_pair(other):
    def found(n, seed):
        return variation_of(mean, np.arange(float(n))[:, None], seed=seed)

    with pytest.raises(ValueError, match=naming(120, *other)):
        found(120, 0).minus(found(*other))


# Values that are missing


def test_divisions_without_a_value_are_left_out_and_counted():
    found = variation_of(mean, np.random.default_rng(0).normal(size=(64, 1)))
    of_halves = found.of_halves.copy()
    assert found.note == ""
    of_halves[2, 0] = math.nan
    some = replace(found, of_halves=of_halves)
    assert some.note.startswith("1 of 8")
    assert some.standard_error == pytest.approx(found.standard_error, rel=0.7)
    of_halves[:4] = math.nan
    few = replace(found, of_halves=of_halves)
    assert few.note.startswith("4 of 8")
    assert math.isnan(few.standard_error)
    assert math.isnan(few.degrees)


def test_what_has_no_value_has_no_sampling_error_either():
    Z, labels = classes()
    found = eg.kernel_information(Z, labels, order=2.0)
    assert math.isnan(found.sampling_error_of("adjusted"))
    assert found.sampling_note("adjusted")
    assert found.sampling_note() == ""


# Informations


@pytest.mark.parametrize("estimator", ["matched", "plain"])
@pytest.mark.parametrize("form", ["value", "adjusted", "bits"])
def test_the_batch_measures_each_subset_as_its_rows_would_be(estimator, form):
    Z, labels = classes(200)
    found = eg.kernel_information(Z, labels, sigma=1.5, estimator=estimator)._variation(form)
    for number, rows, values in subsets_of(found):
        alone = eg.kernel_information(
            Z[rows],
            groups_of_rows(labels, rows),
            sigma=1.5,
            estimator=estimator,
            n_null=nulls_of_subset("value", "matched", len(Z)),
            seed=seed_of_subset(0, number),
        )
        wanted = alone.value if form == "value" else getattr(alone, form)()
        assert values.mean() == pytest.approx(wanted, rel=1e-9 if form == "value" else 1e-3)


def test_each_subset_has_its_own_sigma_as_far_as_a_slope_tells():
    Z, labels = classes(200)
    rule, number = (eg.dsmi(Z, labels, sigma=s)._variation() for s in ("auto", eg.bandwidth(Z)))
    wanted = [
        eg.dsmi(
            Z[rows],
            groups_of_rows(labels, rows),
            n_null=nulls_of_subset("value", "matched", len(Z)),
            seed=seed_of_subset(0, place),
        ).value
        for place, rows, _ in subsets_of(rule)
    ]
    moved, fixed = (
        np.array([values.mean() for _, _, values in subsets_of(found)]) - wanted
        for found in (rule, number)
    )
    assert np.linalg.norm(moved) < 0.5 * np.linalg.norm(fixed)
    assert np.linalg.norm(moved) / math.sqrt(len(moved)) < 0.1 * rule.standard_error


def test_a_rule_gives_each_subset_a_sigma_of_its_own():
    Z, labels = classes()
    rule = eg.dsmi(Z, labels)
    number = eg.dsmi(Z, labels, sigma=rule.sigma)
    assert rule.value == number.value
    assert rule.sampling_error != number.sampling_error


@pytest.mark.parametrize(
    "of",
    [
        lambda Z, y: eg.dsmi(Z, y),
        lambda Z, y: eg.dsmi(Z, y, estimator="plain"),
        lambda Z, y: eg.dsmi(Z, y, kernel="knn"),
        lambda Z, y: eg.kernel_information(Z, y),
        lambda Z, y: eg.kernel_information(Z, y, order=2.0),
        lambda Z, y: eg.kernel_information(Z, Z[:, 0] + 0.1 * y),
        lambda Z, y: eg.kernel_information(Z, Z[:, :2]),
        lambda Z, y: eg.kernel_information(Z, Z[:, 0], given=y),
        lambda Z, y: eg.kernel_information(Z, y, given=Z[:, 0], estimator="plain", n_null=0),
    ],
    ids=["dsmi", "plain", "knn", "labels", "order", "scalars", "vectors", "given", "given-scalars"],
)
def test_every_information_has_one_near_the_spread_over_samples(of, request):
    if request.node.callspec.id == "knn":
        pytest.importorskip("scipy")
    spread = np.std([float(of(*classes(60, seed=seed))) for seed in range(25)], ddof=1)
    found = [of(*classes(60, seed=seed)).sampling_error for seed in (100, 101, 102)]
    assert 0.5 * spread < math.sqrt(np.mean(np.square(found))) < 2.5 * spread


def test_the_interval_over_samples_covers_the_mean():
    rng = np.random.default_rng(0)
    results = [
        eg.kernel_information(*classes(seed=s), n_null=4) for s in rng.integers(10**6, size=60)
    ]
    center = np.mean([float(one) for one in results])
    covered = [one.interval(of="sample") for one in results]
    covered = np.mean([one.low <= center <= one.high for one in covered])
    assert covered >= 0.85


def test_adjusted_and_bits_have_one_each():
    found = eg.kernel_information(*classes())
    bits, adjusted = (found.sampling_error_of(form) for form in ("bits", "adjusted"))
    assert bits == pytest.approx(adjusted * found.label_entropy, rel=0.3)
    with pytest.raises(ValueError, match=naming("of", "'bits'", "value", "adjusted")):
        eg.dsmi(*classes()).sampling_error_of("bits")


def test_the_unit_is_that_of_the_base():
    Z, labels = classes()
    bits, nats = (eg.dsmi(Z, labels, base=base).sampling_error for base in (2.0, math.e))
    assert nats == pytest.approx(bits * math.log(2.0))


def test_the_matrix_of_the_caller_is_divided_with_its_columns():
    Z, labels = classes()
    D = np.sqrt(((Z[:, None] - Z[None]) ** 2).sum(axis=2))
    rows = eg.dsmi(Z, labels, dtype="float64").sampling_error
    assert eg.dsmi(D, labels, kernel="distances").sampling_error == pytest.approx(rows, rel=1e-6)
    sigma = eg.bandwidth(Z)
    G = np.exp(-(D**2) / (2.0 * sigma**2))
    given = eg.dsmi(G, labels, kernel="precomputed").sampling_error
    number = eg.dsmi(Z, labels, sigma=sigma, dtype="float64").sampling_error
    assert given == pytest.approx(number, rel=1e-6)


def test_with_max_points_it_is_that_of_the_rows_that_were_drawn():
    Z, labels = classes(200)
    drawn = eg.dsmi(Z, labels, max_points=80)
    same = eg.dsmi(Z[drawn.rows], labels[drawn.rows])
    assert drawn.sampling_error == same.sampling_error


def test_a_class_that_a_subset_has_no_row_of_is_none_of_its_classes():
    Z, labels = classes(60)
    labels[0] = 9
    with pytest.warns(UserWarning, match=naming("single")):
        found = eg.dsmi(Z, labels)
    assert 0.0 < found.sampling_error < 1.0


# The result


def test_pickling_keeps_what_was_asked_for_before():
    found = eg.dsmi(*classes())
    with pytest.raises(ValueError, match=naming("sampling_error")):
        _ = pickle.loads(pickle.dumps(found)).sampling_error
    known = found.sampling_error
    again = pickle.loads(pickle.dumps(found))
    assert again.sampling_error == known
    with pytest.raises(ValueError, match=naming("adjusted")):
        again.sampling_error_of("adjusted")


def test_the_interval_over_samples_has_the_computation_in_it():
    found = eg.dsmi(*classes(), n_null=2)
    computed, sample = found.interval(), found.interval(of="sample")
    half = 0.5 * (sample.high - sample.low)
    assert sample.low < computed.low
    assert computed.high < sample.high
    assert half > found.sampling_error
    assert sample.over == "other samples of the data"
    assert computed.over != sample.over
    with pytest.raises(ValueError, match=naming("of", "'rows'", "computation", "sample")):
        found.interval(of="rows")


# Any function


def test_any_function_of_rows_and_y_with_options():
    Z, labels = classes()
    assert len(labels) == len(Z)

    def gap(rows, y, scale=1.0):
        return scale * (rows[y == 0].mean() - rows[y == 1].mean())

    one, two = variation_of(gap, Z, labels), variation_of(gap, Z, labels, scale=2.0)
    assert two.standard_error == pytest.approx(2.0 * one.standard_error)
    with pytest.raises(ValueError, match=naming("Y", len(Z) - 1, len(Z))):
        variation_of(gap, Z, labels[1:])


def test_every_subset_of_few_rows_occurs():
    seen = {tuple(one.halves[0]) for seed in range(40) for one in divisions(16, seed)}
    assert len(seen) > 300
    assert seen <= set(combinations(range(16), 8))
