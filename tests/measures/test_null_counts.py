"""n_null="auto": how many random partitions there are, and what stands for the p-value."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy._measures import null_counts
from eigentropy._measures.null_counts import (
    FIRST,
    FIRST_ORDERS,
    MOST,
    enough_orders,
    enough_partitions,
    p_value,
    p_value_from,
)
from eigentropy.io import MeasurementSettings
from messages import naming

stats = pytest.importorskip("scipy.stats")

EVERY = (eg.dsmi, eg.kernel_information)


def classes(n, d, groups, apart, seed=0):
    """Rows of some classes, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, groups, n)
    return rng.normal(size=(n, d)) + apart * rng.normal(size=(groups, d))[labels], labels


FEW = classes(300, 100, 3, 0.3)
SOME = classes(500, 20, 5, 0.3)
ALL = classes(150, 2, 3, 2.0)


@pytest.mark.parametrize(("data", "least", "most"), [(FEW, 4, 4), (SOME, 5, 19), (ALL, 20, 20)])
def test_there_are_as_many_partitions_as_the_tolerance_takes(data, least, most):
    result = eg.dsmi(*data)
    assert result.n_null == len(result.null)
    assert least <= result.n_null <= most
    baseline = result.value + result.conditional_entropy
    low, high = result.interval()
    assert result.n_null == MOST or high - low <= 2 * 1e-3 * baseline


def assert_same(auto, asked, digits=1e-12):
    """Whatever is not the p-value; batches of other sizes may round otherwise."""
    assert auto.n_null == asked.n_null
    assert auto.method == asked.method
    assert auto.dtype == asked.dtype
    for name in ("value", "standard_error", "conditional_entropy", "error_bound"):
        assert getattr(auto, name) == pytest.approx(getattr(asked, name), abs=10 * digits)
    np.testing.assert_allclose(auto.null, asked.null, rtol=0, atol=10 * digits)
    np.testing.assert_allclose(auto.interval(), asked.interval(), rtol=0, atol=100 * digits)


@pytest.mark.parametrize("measure", EVERY)
@pytest.mark.parametrize("estimator", ["matched", "plain"])
@pytest.mark.parametrize("data", [FEW, SOME, ALL])
def test_auto_is_the_same_as_its_number(measure, estimator, data):
    auto = measure(*data, estimator=estimator, seed=5)
    asked = measure(*data, estimator=estimator, seed=5, n_null=auto.n_null)
    assert_same(auto, asked)
    if auto.n_null == FIRST:
        assert (auto.value, auto.standard_error) == (asked.value, asked.standard_error)
        assert auto.interval() == asked.interval()
    assert auto.adjusted() == pytest.approx(asked.adjusted(), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("measure", EVERY)
def test_its_partitions_are_the_first_of_a_larger_number(measure):
    auto, all_of_them = measure(*SOME), measure(*SOME, n_null=20)
    assert FIRST < auto.n_null < MOST

    def left(result):
        return result.value + result.conditional_entropy - result.null

    np.testing.assert_allclose(left(auto), left(all_of_them)[: auto.n_null], rtol=1e-12)


def test_a_smaller_tolerance_takes_more_partitions():
    counts = [eg.dsmi(*SOME, method="exact", tol=tol).n_null for tol in (1.0, 1e-3, 1e-4)]
    assert counts == sorted(counts)
    assert counts[0] == FIRST
    assert counts[-1] == MOST


@pytest.mark.parametrize("options", [{"method": "stochastic", "tol": 3e-3}, {"dtype": "float32"}])
def test_more_partitions_are_found_as_the_first_were(options):
    data = classes(600, 3, 2, 1.0)
    auto = eg.dsmi(*data, **options)
    assert auto.n_null > FIRST
    digits = 1e-12 if "dtype" not in options else 1e-6
    assert_same(auto, eg.dsmi(*data, n_null=auto.n_null, **options), digits)


def test_what_was_good_enough_in_float32_goes_on_in_float32():
    data = classes(1000, 20, 2, 0.3)
    auto = eg.dsmi(*data)
    assert auto.dtype == "float32"
    assert auto.n_null > FIRST
    assert_same(auto, eg.dsmi(*data, n_null=auto.n_null), 1e-6)


def test_several_entropies_take_the_number_that_the_neediest_takes():
    from eigentropy._measures.information import informations
    from eigentropy._spectra.plan import SpectrumPlan

    Z, labels = SOME
    operator, plan = eg.DiffusionOperator(Z), SpectrumPlan(method="exact")

    def counts(times):
        options = {"estimator": "matched", "n_null": "auto", "base": 2.0, "seed": 0}
        found = informations(operator, labels, times, plan, progress=None, **options)
        return [one.n_null for one in found]

    alone = [counts([t])[0] for t in (1.0, 8.0)]
    assert alone[0] != alone[1]
    assert counts([1.0, 8.0]) == [max(alone)] * 2


def test_random_orders_are_eight_or_twenty():
    rng = np.random.default_rng(2)
    Z, noise = rng.normal(size=(120, 3)), rng.normal(size=(120, 40))
    few = eg.kernel_information(Z, np.hstack([Z, noise]), tol=0.05)
    many = eg.kernel_information(Z, Z[:, 0], kind="scalars", tol=1e-4)
    assert (few.n_null, many.n_null) == (FIRST_ORDERS, MOST)
    for auto, Y, kind in ((few, np.hstack([Z, noise]), "vectors"), (many, Z[:, 0], "scalars")):
        assert_same(auto, eg.kernel_information(Z, Y, kind=kind, n_null=auto.n_null))
        assert auto.p_value_from == "student"


def test_what_cannot_be_permuted_has_no_partitions():
    rng = np.random.default_rng(2)
    Z, y, W = rng.normal(size=(60, 3)), rng.integers(0, 2, 60), rng.normal(size=60)
    result = eg.kernel_information(Z, y, given=W, estimator="plain")
    assert result.n_null == 0
    assert math.isnan(result.p_value)
    assert result.value == eg.kernel_information(Z, y, given=W, estimator="plain", n_null=0).value
    with pytest.raises(ValueError, match=naming("given", "plain", "n_null=0")):
        eg.kernel_information(Z, y, given=W)


# The rule by itself.


def of_spread(count, spread, shares=(0.5, 0.5)):
    """Entropies of groups around 4, whose spread by the rule is `spread`."""
    signs = np.where(np.arange(count) % 2, 1.0, -1.0)
    signs *= spread / (signs.std(ddof=1) * math.hypot(*shares))
    return 4.0 + signs[:, None] * np.ones(len(shares))


@pytest.mark.parametrize("spread", [1e-4, 2e-3, 3e-3, 5e-3, 8e-3, 0.1])
@pytest.mark.parametrize("base", [2.0, math.e])
def test_the_number_is_the_least_whose_interval_is_narrow_enough(spread, base):
    entropies, shares, tol = of_spread(4, spread), np.array([0.5, 0.5]), 1e-3
    found = enough_partitions(entropies, shares, 4.0, tol, base)

    def is_enough(k):
        half = stats.t.ppf(0.975, k - 1) * spread / math.sqrt(k)
        return half <= tol * (4.0 - half)

    assert found == next((k for k in range(4, MOST) if is_enough(k)), MOST)


def test_groups_that_balance_each_other_do_not_stop_it():
    """The sums of these are equal, which four partitions may be by chance."""
    moves = np.array([1.0, -1.0, 1.0, -1.0])
    entropies = 4.0 + np.stack([moves, -moves], axis=1)
    assert enough_partitions(entropies, np.array([0.5, 0.5]), 4.0, 1e-3, 2.0) == MOST


@pytest.mark.parametrize("count", [4, 19, 20, 25])
def test_equal_entropies_are_enough(count):
    shares = np.array([0.3, 0.7])
    assert enough_partitions(of_spread(count, 0.0, shares), shares, 4.0, 1e-3, 2.0) == count
    assert enough_orders(np.full(8, 4.0), 1e-3, 2.0) == 8


def covered(spread, draw, count_of, replicates=4000):
    """How often the 95 % interval around the mean has 0, the mean of what is drawn."""
    rng, hits = np.random.default_rng(7), 0
    for _ in range(replicates):
        entropies = draw(rng, spread)
        sums = entropies.mean(axis=1)
        k = count_of(entropies, sums)
        half = stats.t.ppf(0.975, k - 1) * sums[:k].std(ddof=1) / math.sqrt(k)
        hits += abs(sums[:k].mean()) <= half
    return hits / replicates


def by_groups(entropies, sums):
    shares, count = np.full(entropies.shape[1], 1.0 / entropies.shape[1]), FIRST
    while True:
        found = enough_partitions(entropies[:count], shares, 1.0, 1e-3, math.e)
        if found == count:
            return count
        count = found


def by_sums(entropies, sums):
    """What a rule without the groups would do."""
    return next(
        (k for k in range(FIRST, MOST)
         if stats.t.ppf(0.975, k - 1) * sums[:k].std(ddof=1) / math.sqrt(k) <= 1e-3),
        MOST,
    )  # fmt: skip


def balancing(rng, spread, groups=5):
    """Entropies of groups that move against each other as those of a partition do."""
    moves = rng.normal(size=(MOST, groups))
    moves -= 0.5 * moves.mean(axis=1, keepdims=True)
    return moves * spread * math.sqrt(groups) / 0.5


SPREADS = [3e-4, 6e-4, 1e-3, 1.5e-3, 2.5e-3, 5e-3]


@pytest.mark.parametrize("spread", SPREADS)
def test_intervals_cover_wherever_the_rule_stops(spread):
    assert covered(spread, balancing, by_groups) >= 0.935  # 0.95 less four standard errors


def test_a_rule_without_the_groups_would_cover_too_rarely():
    assert min(covered(spread, balancing, by_sums, 2000) for spread in SPREADS) < 0.92


# The p-value.


def test_the_p_value_of_few_partitions_is_of_students_test():
    rng = np.random.default_rng(3)
    null = rng.normal(4.0, 0.1, size=5)
    for observed in (3.6, 3.9, 4.05, 4.6):
        t = (observed - null.mean()) / (null.std(ddof=1) * math.sqrt(1.2))
        expected = stats.t.cdf(t, 4)
        assert p_value("auto", observed, null, 1e-12) == pytest.approx(expected, rel=1e-9)
    assert p_value(5, 3.6, null, 1e-12) == 1 / 6
    assert p_value(5, 4.6, null, 1e-12) == 1.0
    assert math.isnan(p_value("auto", 3.6, null[:0], 1e-12))


def test_no_p_value_is_smaller_than_what_is_known():
    null = np.random.default_rng(3).normal(4.0, 0.1, size=20)
    assert p_value("auto", -50.0, null, 1e-12) == null_counts.SMALLEST_P


def test_equal_partitions_leave_the_share_of_the_permutations():
    null = np.full(4, 3.0)
    assert p_value("auto", 3.0, null, 1e-12) == 1.0
    assert p_value("auto", 2.0, null, 1e-12) == 1 / 5
    assert p_value_from("auto", null, 1e-12) == "permutation"
    assert p_value_from("auto", null[:0], 1e-12) == "permutation"
    assert p_value_from("auto", null + np.arange(len(null)), 1e-12) == "student"
    single = np.zeros(30, dtype=int)
    with pytest.warns(UserWarning, match=naming("group")):
        assert eg.dsmi(ALL[0][:30], single).p_value == 1.0


def test_its_p_values_are_uniform_under_independence():
    rng = np.random.default_rng(4)
    found = [
        eg.dsmi(rng.normal(size=(40, 2)), np.arange(40) % 2, seed=seed).p_value
        for seed in range(150)
    ]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_results_say_which_test_it_is():
    auto, asked = eg.dsmi(*FEW), eg.dsmi(*FEW, n_null=4)
    assert (auto.p_value_from, asked.p_value_from) == ("student", "permutation")
    assert f"p~{auto.p_value:.3g}" in repr(auto)
    assert f"p={asked.p_value:.3g}" in repr(asked)
    assert auto.p_value < asked.p_value == 1 / 5
    assert eg.dsmi(*separated_blobs(40, 6)).at(2.0).p_value_from == "student"


OF_NO_NUMBER = [*zip(["all", "20", "Auto", -1, 0, 1], [ValueError] * 6, strict=True)]
OF_NO_NUMBER += [*zip([1.5, True, None, b"auto"], [TypeError] * 4, strict=True)]


@pytest.mark.parametrize(("bad", "error"), OF_NO_NUMBER, ids=repr)
def test_what_is_no_number_of_partitions_is_refused(bad, error):
    for call in (*EVERY, lambda *_, n_null: MeasurementSettings(n_null=n_null)):
        with pytest.raises(error, match=naming("n_null", repr(bad))):
            call(*ALL, n_null=bad)
