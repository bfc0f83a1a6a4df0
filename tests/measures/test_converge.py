"""A measure at growing n: its errors, its limit if it has one, and what the errors can tell."""

from __future__ import annotations

import math
import pickle
import warnings

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._measures.converge import default_sizes
from eigentropy._support.interval import student_quantile
from messages import names, naming

N = 800
ROWS = np.random.default_rng(0).normal(size=(N, 1))
# z at 0.975 and at 0.8
TOLD = 1.959964 + 0.841621


def mean(rows):
    return rows.mean()


def law(limit, slope, bend):
    """A measure that depends on the number of rows alone."""
    return lambda rows: limit - slope * len(rows) ** -bend


# Closed forms


@pytest.mark.parametrize(("slope", "bend"), [(5.0, 1.0), (-5.0, 1.0), (20.0, 0.8), (3.0, 0.6)])
def test_the_limit_of_a_law_is_found(slope, bend):
    found = eg.converge(ROWS, measure=law(2.0, slope, bend))
    assert found.tendency == "limit"
    assert found.limit == pytest.approx(2.0, abs=0.02 * abs(found.values[-1] - 2.0))
    assert found.limit_interval.low <= 2.0 + 1e-3
    assert found.limit_interval.high >= 2.0 - 1e-3
    more = 2.0 - slope * 6400**-bend
    assert found.predict(6400) == pytest.approx(more, abs=0.02 * abs(found.values[-1] - more))


def test_a_logarithm_has_no_limit():
    found = eg.converge(ROWS, measure=lambda rows: math.log2(len(rows)))
    assert (found.tendency, found.limit, found.limit_interval) == ("none in sight", None, None)
    assert found.growth == pytest.approx(1.0, abs=1e-3)
    assert found.predict(16 * N) == pytest.approx(math.log2(16 * N), abs=1e-3)


def test_a_limit_that_is_too_far_is_not_believed():
    """At b = 0.1, more than half of the way is still to go."""
    found = eg.converge(ROWS, measure=law(10.0, 10.0, 0.1))
    assert found.tendency == "none in sight"


def test_what_does_not_change_is_level():
    found = eg.converge(ROWS, measure=lambda rows: 3.0)
    assert (found.tendency, found.limit) == ("level", pytest.approx(3.0))
    assert found.errors.tolist() == [0.0] * len(found.sizes)
    assert found.detectable() == 0.0
    assert found.rows_for(1e-6) == found.sizes[0]


def test_a_mean_is_level_and_its_interval_covers_the_mean_of_all_data():
    found = [
        eg.converge(np.random.default_rng(seed).normal(size=(N, 1)), measure=mean)
        for seed in range(20)
    ]
    assert {one.tendency for one in found} == {"level"}
    assert sum(one.limit_interval.low <= 0.0 <= one.limit_interval.high for one in found) >= 18


def test_the_interval_at_all_rows_is_that_of_a_mean():
    """Every order has all rows in it, so that the mean over orders varies as that of all rows."""
    several = [
        eg.converge(np.random.default_rng(seed).normal(size=(N, 1)), measure=mean)
        for seed in range(20)
    ]
    half_widths = [
        0.5 * (high - low) for low, high in (one.predicted_interval(N) for one in several)
    ]
    expected = student_quantile(0.95, several[0].repeats) / math.sqrt(N)
    assert np.mean(half_widths) == pytest.approx(expected, rel=0.2)


def test_the_bias_of_a_variance_is_extrapolated():
    """Its mean over samples of n rows is 1 - 1 / n; a half of the interval is below 0.25."""
    found = eg.converge(ROWS, measure=np.var)
    low, high = found.limit_interval
    assert low <= 1.0 <= high
    assert high - low < 0.5


# Errors


def test_the_errors_are_those_of_a_mean():
    found = eg.converge(ROWS, measure=mean, repeats=20)
    expected = ROWS.std(ddof=1) / np.sqrt(found.sizes)
    assert found.errors == pytest.approx(expected, rel=0.25)
    assert found.errors[0] == pytest.approx(expected[0], rel=0.1)


def test_the_values_are_means_over_subsets_and_the_last_is_of_all_rows():
    found = eg.converge(ROWS, measure=mean, sizes=[100, N])
    assert found.values == pytest.approx([ROWS.mean()] * 2)
    found = eg.converge(ROWS[:300], sizes=[50, 300], sigma=0.5)
    assert found.values[-1] == pytest.approx(float(eg.dse(ROWS[:300], sigma=0.5)))


def test_subsets_larger_than_half_have_values_and_errors():
    found = eg.converge(ROWS, measure=mean, sizes=[100, 300, 500, 700])
    assert found.errors[2:] == pytest.approx(
        found.detectable(500) * np.sqrt([1.0, 500 / 700]) / TOLD / math.sqrt(2.0)
    )
    assert abs(found.values[2] - ROWS.mean()) < 0.05


# Power


def test_the_power_table_is_that_of_the_textbook():
    found = eg.converge(ROWS, measure=mean, repeats=30)
    s = ROWS.std(ddof=1)
    for difference in (0.3, 0.1, 0.01):
        textbook = TOLD**2 * 2.0 * s**2 / difference**2
        assert found.rows_for(difference) == pytest.approx(textbook, rel=0.15)
    assert found.detectable(200) == pytest.approx(TOLD * math.sqrt(2.0 * s**2 / 200), rel=0.08)


def test_power_and_level_are_quantiles():
    found = eg.converge(ROWS, measure=mean)
    half = eg.converge(ROWS, measure=mean, level=0.5)
    assert found.rows_for(1e-300) == math.inf
    assert found.detectable(power=0.5) / found.detectable() == pytest.approx(1.959964 / TOLD)
    assert found.detectable(power=0.2) / found.detectable() == pytest.approx(
        (1.959964 - 0.841621) / TOLD
    )
    assert half.detectable() / found.detectable() == pytest.approx((0.67449 + 0.841621) / TOLD)


def test_paired_rows_tell_what_unpaired_ones_do_not():
    shifts = 0.1 * np.random.default_rng(1).normal(size=ROWS.shape)
    found = eg.converge(ROWS, measure=mean, paired_with=ROWS + shifts, repeats=20)
    assert found.paired_errors[0] == pytest.approx(shifts.std() / math.sqrt(50), rel=0.1)
    textbook = TOLD**2 * shifts.var() / 0.005**2
    assert found.rows_for(0.005) == pytest.approx(textbook, rel=0.2)
    assert found.rows_for(0.005, paired=True) == found.rows_for(0.005)
    assert found.rows_for(0.005, paired=False) > 100 * found.rows_for(0.005)
    assert found.detectable(paired=False) > 5 * found.detectable()


def test_a_representation_does_not_differ_from_itself():
    found = eg.converge(ROWS, measure=mean, paired_with=ROWS)
    assert not found.paired_errors.any()
    assert found.detectable() == 0.0
    assert found.detectable(paired=False) > 0.0


def test_where_the_error_does_not_fall_more_rows_do_not_help():
    def noise(rows):
        return np.random.default_rng(rows.sum().view(np.uint64)).normal()

    found = eg.converge(ROWS, measure=noise)
    assert found.rows_for(0.1) == math.inf
    assert found.rows_for(50.0) == found.sizes[0]
    assert found.detectable(10**9) == found.detectable(10)
    assert names(repr(found), "does not fall")


def test_without_a_second_representation_nothing_is_paired():
    found = eg.converge(ROWS, measure=mean)
    assert found.paired_errors is None
    with pytest.raises(ValueError, match=naming("paired", "paired_with")):
        found.rows_for(0.1, paired=True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda found: found.rows_for(0.0), ["difference", "0.0"]),
        (lambda found: found.rows_for(0.1, power=1.0), ["power", "1.0"]),
        (lambda found: found.detectable(power=0.0), ["power", "0.0"]),
        (lambda found: found.detectable(power=0.001), ["power", "0.001", "0.025", "level=0.95"]),
        (lambda found: found.detectable(power=0.025), ["power", "0.025"]),
        (lambda found: found.rows_for(0.1, power=0.001), ["power", "0.001", "0.025"]),
        (lambda found: found.detectable(0), ["n", "0"]),
        (lambda found: found.predict(3), ["n", "50", "3"]),
    ],
)
def test_questions_without_an_answer(call, words):
    with pytest.raises(ValueError, match=naming(*words)):
        call(eg.converge(ROWS, measure=mean))


# Sizes


@pytest.mark.parametrize("n", [100, 101, 149, 200, 300, 400, 799, 800, 5000])
def test_default_sizes_cut_the_halves_of_the_rows(n):
    sizes = default_sizes(n)
    assert sizes[0] >= 50
    assert sizes[-1] == n
    assert sizes[-2] == n // 2
    assert (np.diff(sizes) > 0).all()
    assert sizes[0] == max(50, n // 2 // 8) or n < 800


@pytest.mark.parametrize(
    ("sizes", "error", "words"),
    [
        ([100], ValueError, ["sizes", "100"]),
        ([100, 100], ValueError, ["sizes", "100"]),
        ([100, 801], ValueError, ["sizes", "800", "801"]),
        ([401, 800], ValueError, ["sizes", "800", "401"]),
        ([1, 100], ValueError, ["sizes", "1"]),
        ([50.5, 100], TypeError, ["sizes", "50.5"]),
        (100, TypeError, ["sizes", "100"]),
        ("auto", TypeError, ["sizes", "auto"]),
    ],
)
def test_sizes_that_are_not_there(sizes, error, words):
    with pytest.raises(error, match=naming(*words)):
        eg.converge(ROWS, measure=mean, sizes=sizes)


def test_too_few_rows_for_the_default_sizes():
    with pytest.raises(ValueError, match=naming("Z", "99", "100", "sizes")):
        eg.converge(ROWS[:99], measure=mean)
    found = eg.converge(ROWS[:99], measure=mean, sizes=[5, 99])
    assert found.sizes.tolist() == [5, 99]


def test_few_sizes_say_nothing_of_a_limit():
    found = eg.converge(ROWS, measure=mean, sizes=[50, 100, 400])
    assert (found.tendency, found.limit) == ("undecided", None)
    with pytest.raises(ValueError, match=naming("predict", "4", "3", "sizes")):
        found.predict(1000)
    near = eg.converge(ROWS, measure=mean, sizes=[100, 150, 200, 400])
    assert near.tendency == "undecided"
    assert near.predict(1000) == pytest.approx(ROWS.mean(), abs=0.1)


def test_the_growth_of_two_sizes_is_per_doubling():
    found = eg.converge(ROWS, measure=lambda rows: math.log2(len(rows)), sizes=[50, 200])
    assert found.growth == pytest.approx(1.0)


def test_all_rows_are_predicted_where_they_are_not_measured():
    found = eg.converge(ROWS, measure=law(2.0, 5.0, 1.0), sizes=[20, 40, 80, 160])
    assert names(repr(found), f"all {N} rows")
    assert found.predict(N) == pytest.approx(2.0 - 5.0 / N, abs=1e-3)


# What is measured


def test_named_measures_have_their_options():
    Z = np.random.default_rng(1).normal(size=(240, 3))
    found = eg.converge(Z, measure="kernel_entropy", sizes=[60, 240], order=2.0, base=10.0)
    assert found.values[-1] == pytest.approx(float(eg.kernel_entropy(Z, order=2.0, base=10.0)))
    assert (found.measure, found.base) == ("kernel_entropy", 10.0)
    with pytest.raises(TypeError, match=naming("dse", "sgima", "sigma")):
        eg.converge(Z, sgima=1.0)


def test_a_rule_for_sigma_is_asked_on_each_subset():
    Z = np.random.default_rng(1).normal(size=(200, 3))
    auto = eg.converge(Z, sizes=[50, 200], seed=3)
    fixed = eg.converge(Z, sizes=[50, 200], seed=3, sigma=eg.bandwidth(Z))
    assert auto.values[-1] == pytest.approx(fixed.values[-1], rel=1e-6)
    assert auto.values[0] != pytest.approx(fixed.values[0], rel=1e-4)


def test_labels_go_with_their_rows():
    labels = np.arange(N) % 3

    def agreement(rows, Y):
        assert (rows[:, 0] % 3 == Y).all()
        return float(len(np.unique(Y)))

    found = eg.converge(np.arange(N)[:, None], labels.tolist(), measure=agreement)
    assert found.values.tolist() == [3.0] * len(found.sizes)


@pytest.mark.parametrize("options", [{}, {"clusters": True}])
def test_an_information_of_labels_or_groups(options):
    labels = np.arange(160) % 2
    Z = np.random.default_rng(1).normal(size=(160, 2)) + 9 * labels[:, None]
    by_row = dict.fromkeys(options, labels)
    Y = None if by_row else labels
    found = eg.converge(
        Z, Y, measure="kernel_information_bits", sizes=[40, 160], repeats=2, n_null=2, **by_row
    )
    assert found.values == pytest.approx([1.0, 1.0], abs=0.2)


def test_of_distances_the_columns_are_chosen_with_the_rows():
    distances = np.abs(ROWS[:200] - ROWS[:200].T)
    options = {"sizes": [50, 200], "sigma": 0.3, "seed": 1}
    found = eg.converge(distances, kernel="distances", **options)
    assert found.values == pytest.approx(eg.converge(ROWS[:200], **options).values, rel=1e-6)
    with pytest.raises(ValueError, match=naming("Z", "square", "(200, 100)")):
        eg.converge(distances[:, :100], kernel="distances", **options)


def test_what_is_wrong_with_the_rows_is_said_of_all_of_them():
    Z = np.random.default_rng(1).normal(size=(300, 3))
    Z[7, 1] = math.nan
    with pytest.raises(ValueError, match=naming("Z", "NaN", "300")):
        eg.converge(Z)
    Z[7, 1] = 0.0
    other = np.where(np.arange(300)[:, None] == 7, math.inf, Z)
    with pytest.raises(ValueError, match=naming("paired_with", "300")):
        eg.converge(Z, paired_with=other)
    with pytest.raises(ValueError, match=naming("Z")):
        eg.converge(3.0)


def test_rows_may_be_lists_and_tables():
    Z = np.random.default_rng(1).integers(0, 9, size=(200, 3))
    options = {"sizes": [50, 200], "sigma": 2.0}
    plain = eg.converge(Z, **options).values.tolist()
    assert eg.converge(Z.tolist(), **options).values.tolist() == plain
    assert eg.converge(Z.astype(np.float16), **options).values == pytest.approx(plain)


def test_a_value_that_is_no_number_is_an_error():
    def undefined(rows):
        return math.nan if len(rows) < 100 else 1.0

    with pytest.raises(
        ValueError, match=naming("measure", "undefined", "nan", "50", "800", "sizes")
    ):
        eg.converge(ROWS, measure=undefined)
    assert eg.converge(ROWS, measure=undefined, sizes=[100, 200]).values.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "meant"), [({"y": [0, 1] * 400}, "Y"), ({"Repeats": 2}, "repeats")]
)
def test_an_option_in_the_other_case_is_named(options, meant):
    with pytest.raises(TypeError, match=naming("converge", *options, meant)):
        eg.converge(ROWS, measure="dsmi", **options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"max_points": 100}, ValueError, ["max_points", "sizes"]),
        ({"paired_with": ROWS[:5]}, ValueError, ["paired_with", "5", "800"]),
        ({"repeats": 1}, ValueError, ["repeats", "2", "1"]),
        ({"level": 1.0}, ValueError, ["level", "1.0"]),
        ({"seed": -1}, ValueError, ["seed", "-1"]),
        ({"Y": [1, 2]}, ValueError, ["Y", "2", "800"]),
    ],
)
def test_other_bad_arguments(options, error, words):
    with pytest.raises(error, match=naming(*words)):
        eg.converge(ROWS, measure=lambda rows, *Y: 0.0, **options)


def test_the_seed_decides_on_the_subsets():
    first, again, other = (eg.converge(ROWS, measure=np.max, seed=seed) for seed in (1, 1, 2))
    assert first.values.tolist() == again.values.tolist()
    assert first.values.tolist() != other.values.tolist()
    assert first.limit_interval == again.limit_interval


def test_a_warning_of_many_subsets_is_given_once():
    def warned(rows):
        warnings.warn(f"{len(rows)} and {rows[0, 0]}", UserWarning, stacklevel=1)
        return 1.0

    with pytest.warns(UserWarning, match="and") as caught:
        eg.converge(ROWS, measure=warned)
    assert len(caught) == 1


def test_progress_grows_to_one():
    shares = []
    eg.converge(ROWS, measure=mean, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


# The result


def test_it_prints_the_curve_the_limit_and_the_power_table():
    found = eg.converge(ROWS, measure=law(2.0, 5.0, 1.0), paired_with=ROWS)
    text = repr(found)
    assert names(text, "800 rows", "8 random orders", "limit", "growth", "paired")
    assert all(names(text, size) for size in found.sizes.tolist())
    spread = eg.converge(ROWS, paired_with=ROWS**3, sizes=[50, 100])
    table = repr(spread)
    assert names(table, "bits", "difference", "unpaired", "paired")
    assert names(spread._repr_html_(), "to tell", "paired", "bits", "50 rows")


def test_rows_for_a_table():
    found = eg.converge(ROWS, measure=mean, paired_with=2 * ROWS)
    rows = found.to_rows()
    assert [row["rows"] for row in rows] == found.sizes.tolist()
    assert [row["value"] for row in rows] == found.values.tolist()
    assert [row["paired_error"] for row in rows] == found.paired_errors.tolist()
    assert rows[-1]["detectable"] == found.detectable(paired=False)
    assert rows[-1]["paired_detectable"] == found.detectable()
    assert "paired_error" not in eg.converge(ROWS, measure=mean).to_rows()[0]


def test_it_can_be_pickled():
    found = eg.converge(ROWS, measure=np.var)
    again = pickle.loads(pickle.dumps(found))
    assert again.limit == found.limit
    assert again.rows_for(0.1) == found.rows_for(0.1)


def test_a_sparse_cloud_has_no_limit_and_a_filled_one_has():
    rng = np.random.default_rng(2)
    sparse = eg.converge(rng.normal(size=(800, 20)))
    assert sparse.tendency == "none in sight"
    assert sparse.growth > 0.6
    filled = eg.converge(rng.normal(size=(800, 2)), measure="kernel_entropy")
    assert filled.tendency == "limit"
