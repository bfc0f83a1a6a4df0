"""Whether a difference is real: closed forms, pairs, labels, results, and what is refused."""

from __future__ import annotations

import math
import pickle
import re
import warnings

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._measures.sampling.measures import NAMES
from eigentropy.baselines import spectral
from linear_measure import mean
from messages import names, naming

N = 120
LABELS = np.arange(N) % 3


def layers(seed, n=N, d=6, noise=0.3):
    """Two representations of the same rows, with the same distribution."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) + 3.0 * np.eye(d)[np.arange(n) % 3]
    return [rows + noise * rng.normal(size=(n, d)) for _ in range(2)]


A, B = layers(0)


# Closed forms: a mean is compared by Student's and Welch's tests


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.3])
def test_a_mean_of_the_same_rows_is_student_s_paired_test(shift):
    stats = pytest.importorskip("scipy.stats")
    found = eg.compare(A, B + shift, measure=mean)
    expected = stats.ttest_rel(B[:, 0] + shift, A[:, 0])
    assert found == pytest.approx(float(np.mean(B[:, 0] + shift - A[:, 0])))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-7)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval()), abs=1e-8)
    assert (found.paired, found.degrees) == (True, N - 1)


@pytest.mark.parametrize("rows", [N, 40])
def test_a_mean_of_other_rows_is_welch_s_test(rows):
    stats = pytest.importorskip("scipy.stats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the numbers of rows
        found = eg.compare(A, 2.0 * B[:rows], measure=mean, paired=False)
    expected = stats.ttest_ind(2.0 * B[:rows, 0], A[:, 0], equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-7)
    assert found.degrees == pytest.approx(expected.df)
    assert not found.paired


def test_p_values_of_a_mean_are_uniform():
    """Of 400 pairs without a difference: Kolmogorov and Smirnov's distance at 0.1 %."""
    p = np.sort([eg.compare(*layers(seed, n=12), measure=mean).p_value for seed in range(400)])
    assert _distance(p) < 1.95 / math.sqrt(400)
    too_sure = np.array(
        [eg.compare(*layers(s, n=12), measure=mean).p_value ** 2 for s in range(400)]
    )
    assert _distance(np.sort(too_sure)) > 1.95 / math.sqrt(400)


def _distance(p):
    steps = np.arange(len(p) + 1) / len(p)
    return max(np.max(steps[1:] - p), np.max(p - steps[:-1]))


def test_p_values_of_an_entropy_are_not_too_small_nor_too_large():
    """Of 40 pairs of correlated layers without a difference."""
    p = np.array([eg.compare(*layers(seed, n=64)).p_value for seed in range(40)])
    assert (p < 0.05).sum() <= 6  # 2 are expected; more than 6 in one of 200 tests
    assert 11 <= (p < 0.5).sum() <= 29  # 20


# Pairs


def test_the_same_array_twice_does_not_differ():
    same = eg.compare(A, A.copy())
    assert (same.value, same.standard_error, same.p_value) == (0.0, 0.0, 1.0)
    assert same.interval() == (0.0, 0.0)


@pytest.mark.parametrize("measure", ["dse", "kernel_entropy", "rankme"])
def test_a_rotated_copy_does_not_differ(measure):
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    turned = eg.compare(A, A @ Q, measure=measure)
    assert abs(turned) < 1e-9
    assert turned.p_value == 1.0


@pytest.mark.parametrize("measure", ["dse", "dsmi", "kernel_information_bits", "effective_rank"])
def test_the_other_way_round_it_is_the_negative(measure):
    Y = None if measure in ("dse", "effective_rank") else LABELS
    there, back = (eg.compare(*pair, measure=measure, Y=Y) for pair in ((A, B), (B, A)))
    assert there == pytest.approx(-back.value, abs=1e-12)
    assert there.standard_error == pytest.approx(back.standard_error, rel=1e-9)
    assert there.p_value == pytest.approx(back.p_value, rel=1e-9)


def test_what_the_same_rows_share_cancels():
    near = layers(0, noise=0.1)
    paired, unpaired = (eg.compare(*near, paired=given) for given in (True, False))
    assert paired.standard_error < 0.5 * unpaired.standard_error


def test_as_many_rows_are_paired_and_others_are_not():
    assert eg.compare(A, B).paired
    with pytest.warns(UserWarning, match=naming("120", "60", "max_points")):
        assert not eg.compare(A, B[:60]).paired


def test_rows_that_have_nothing_to_do_with_each_other_may_be_paired():
    """The error of pairs is that of independent samples there: over many, in the mean."""
    ratios = []
    for seed in range(12):
        first, other = layers(seed, n=64)[0], layers(1000 + seed, n=64)[1]
        ratios.append(
            eg.compare(first, other).standard_error
            / eg.compare(first, other, paired=False).standard_error
        )
    assert 0.8 < float(np.mean(ratios)) < 1.25


def test_unequal_rows_are_no_pairs():
    def never(Z):
        raise AssertionError("measured before the rows were counted")

    with pytest.raises(ValueError, match=naming("paired=True", "a", "120", "b", "60")):
        eg.compare(A, B[:60], measure=never, paired=True)


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        ("dsmi", {"clusters": LABELS}),
        ("kernel_information", {"Y": LABELS, "given": LABELS % 2}),
    ],
)
def test_max_points_take_what_belongs_to_the_rows_with_them(measure, options):
    found = eg.compare(A, B, measure=measure, max_points=60, seed=3, **options)
    function = getattr(eg, measure)
    assert float(found.b) == pytest.approx(float(function(B, max_points=60, seed=3, **options)))
    assert found.n == (60, 60)


def test_max_points_are_the_same_rows_of_both():
    drawn = eg.compare(A, B, max_points=60, seed=3)
    with pytest.warns(UserWarning, match=naming("max_points")):
        eg.compare(A, B[:60])
    rows = np.sort(np.random.default_rng(3).permutation(N)[:60])
    chosen = eg.compare(A[rows], B[rows], seed=3)
    assert (drawn.value, drawn.standard_error) == (chosen.value, chosen.standard_error)
    assert drawn.n == (60, 60)
    assert not eg.compare(A, B[:60], max_points=60).paired  # of others, and without a warning


# Measures and labels


@pytest.mark.parametrize("measure", ["dse", "kernel_entropy"])
def test_the_value_is_the_difference_of_the_measures(measure):
    function = getattr(eg, measure)
    found = eg.compare(A, B, measure=measure, sigma=1.5)
    assert found == function(B, sigma=1.5) - float(function(A, sigma=1.5))
    assert (found.a, found.b) == (function(A, sigma=1.5), function(B, sigma=1.5))


@pytest.mark.parametrize(
    ("measure", "form"),
    [
        ("dsmi_adjusted", lambda Z: eg.dsmi(Z, LABELS).adjusted()),
        ("kernel_information_adjusted", lambda Z: eg.kernel_information(Z, LABELS).adjusted()),
        ("kernel_information_bits", lambda Z: eg.kernel_information(Z, LABELS).bits()),
    ],
)
def test_forms_of_an_information(measure, form):
    found = eg.compare(A, B, measure=measure, Y=LABELS)
    assert found == form(B) - form(A)
    assert found.base == (2.0 if measure.endswith("bits") else None)
    assert found.standard_error > 0.0


def test_a_baseline_by_its_name_is_its_function():
    by_name = eg.compare(A, B, measure="rankme", epsilon=1e-3)
    assert by_name == spectral.rankme(B, epsilon=1e-3) - float(spectral.rankme(A, epsilon=1e-3))
    by_function = eg.compare(A, B, measure=spectral.rankme, epsilon=1e-3)
    assert by_name.standard_error == by_function.standard_error
    about = eg.compare(A, B, measure="binning.mutual_information", Y=LABELS, bins=3)
    assert about.base == 2.0


@pytest.mark.parametrize(
    "name", ["spectral.lidar", "views.infonce", "ksg.conditional_mutual_information"]
)
def test_a_baseline_that_needs_more_than_rows_and_labels_is_no_measure(name):
    with pytest.raises(ValueError, match=naming(f"measure='{name}'")):
        eg.compare(A, B, measure=name, Y=LABELS)


def test_any_function_of_rows_is_a_measure():
    found = eg.compare(A, B, measure=lambda Z: float(np.asarray(Z)[:, 0].mean()))
    exact = eg.compare(A, B, measure=mean)
    assert found == pytest.approx(exact.value)
    assert 0.4 < found.standard_error / exact.standard_error < 2.5  # of halves: 16 pairs


def test_labels_of_each():
    other = (LABELS + 1) % 3
    other[:30] = 0
    shared = eg.compare(A, B, measure="dsmi", Y=LABELS)
    assert eg.compare(A, B, measure="dsmi", Y=(LABELS, LABELS)) == shared.value
    assert eg.compare(A, A, measure="dsmi", Y=(LABELS, other)) < -0.1
    by_name = eg.compare({"x": A, "y": A}, measure="dsmi", Y={"x": LABELS, "y": other})
    (found,) = by_name.differences.values()
    assert found == eg.compare(A, A, measure="dsmi", Y=(LABELS, other)).value


def test_the_seed_draws_other_halves():
    first, other = (eg.compare(A, B, measure="rankme", seed=seed) for seed in (0, 1))
    assert first == other.value
    assert first.standard_error != other.standard_error


# Results


def test_results_are_compared_with_their_own_settings():
    options = {"sigma": 2.0, "base": 10.0, "n_null": 5}
    found = eg.compare(*(eg.dsmi(Z, LABELS, **options) for Z in (A, B)))
    expected = eg.compare(A, B, measure="dsmi", Y=LABELS, **options)
    assert (found.value, found.standard_error) == (expected.value, expected.standard_error)
    assert (found.base, found.measure, found.paired) == (10.0, "dsmi", True)


@pytest.mark.parametrize("options", [{}, {"t": 3.0}, {"sigma": 2.0, "base": 10.0}])
def test_entropies_are_compared_as_their_rows_are(options):
    found = eg.compare(*(eg.dse(Z, **options) for Z in (A, B)))
    expected = eg.compare(A, B, **options)
    assert (found.value, found.standard_error) == (expected.value, expected.standard_error)
    assert (found.a.t, found.measure) == (options.get("t", 1.0), "dse")


def test_entropies_of_other_settings_are_refused():
    for one, other, setting in (
        ({"t": 1.0}, {"t": 2.0}, "t"),
        ({"sigma": "auto"}, {"sigma": 2.0}, "sigma"),
    ):
        with pytest.raises(ValueError, match=naming("a", "b", setting)):
            eg.compare(eg.dse(A, **one), eg.dse(B, **other))
    with pytest.raises(ValueError, match=naming("order", "1.0", "2.0")):
        eg.compare(eg.kernel_entropy(A), eg.kernel_entropy(B, order=2.0))


def test_results_of_other_seeds_have_other_halves():
    results = [eg.dsmi(Z, LABELS, seed=seed) for Z, seed in ((A, 0), (B, 1))]
    with pytest.raises(ValueError, match=naming("seed", "0", "1")):
        eg.compare(*results)
    assert not eg.compare(*results, paired=False).paired


def test_a_result_that_was_sent_has_left_its_rows_behind():
    sent = pickle.loads(pickle.dumps(eg.dse(B)))
    with pytest.raises(ValueError, match=naming("b", "pickled")):
        eg.compare(eg.dse(A), sent)


def test_forms_of_results():
    results = [eg.kernel_information(Z, LABELS) for Z in (A, B)]
    found = eg.compare(*results, measure="kernel_information_bits")
    assert found == results[1].bits() - results[0].bits()
    with pytest.raises(ValueError, match=naming("measure", "dsmi", "kernel_information")):
        eg.compare(*results, measure="dsmi")


@pytest.mark.parametrize(
    ("one", "other", "setting"),
    [
        ({"base": 2.0}, {"base": 10.0}, "base"),
        ({"t": 1.0}, {"t": 2.0}, "t"),
        ({"alpha": 0.5}, {"alpha": 1.0}, "alpha"),
        ({"sigma": 1.0}, {"sigma": 2.0}, "sigma"),
        ({"sigma": "auto"}, {"sigma": "median"}, "sigma"),
        ({"sigma": "auto"}, {"sigma": 2.0}, "sigma"),
        ({"kernel": "gaussian"}, {"kernel": "knn"}, "n_neighbors"),
        ({"estimator": "matched"}, {"estimator": "plain"}, "estimator"),
    ],
)
def test_results_of_other_settings_are_refused(one, other, setting):
    if other.get("kernel") == "knn":
        pytest.importorskip("scipy")
    results = eg.dsmi(A, LABELS, **one), eg.dsmi(B, LABELS, **other)
    with pytest.raises(ValueError, match=naming("a", "b", setting)):
        eg.compare(*results)


def test_results_of_other_measures_are_refused():
    with pytest.raises(ValueError, match=naming("dsmi", "kernel_information")):
        eg.compare(eg.dsmi(A, LABELS), eg.kernel_information(B, LABELS))
    with pytest.raises(ValueError, match=naming("a", "BaselineEstimate", "measure")):
        eg.compare(spectral.rankme(A), spectral.rankme(B))
    with pytest.raises(TypeError, match=naming("a", "DiffusionInformation", "b", "ndarray")):
        eg.compare(eg.dsmi(A, LABELS), B)


@pytest.mark.parametrize(
    "given",
    [{"Y": LABELS}, {"sigma": 1.0}, {"max_points": 50}],
    ids=lambda given: next(iter(given)),
)
def test_results_bring_their_own(given):
    (name,) = given
    with pytest.raises(ValueError, match=naming(name)):
        eg.compare(eg.dsmi(A, LABELS), eg.dsmi(B, LABELS), **given)


def test_results_of_other_drawn_rows_are_no_pairs():
    results = [eg.dsmi(Z, LABELS, max_points=60, seed=s) for Z, s in ((A, 0), (B, 1))]
    assert not eg.compare(*results).paired
    with pytest.raises(ValueError, match=naming("paired=True", "seed", "max_points")):
        eg.compare(*results, paired=True)


# Bad input


def test_of_which_one_an_error_is():
    broken = B.copy()
    broken[5, 2] = np.nan
    with pytest.raises(ValueError, match=naming("b", "NaN")):
        eg.compare(A, broken)
    with pytest.raises(ValueError, match=naming("later", "NaN")):
        eg.compare({"first": A, "later": broken})
    with pytest.raises(ValueError, match=naming("b", "Y", "120", "60")):
        eg.compare(A[:60], B, measure="dsmi", Y=(LABELS[:60], LABELS[:60]))


@pytest.mark.parametrize("measure", ["dsmi", "rankme"])
def test_too_few_rows_have_no_error(measure):
    Y = LABELS[:6] if measure == "dsmi" else None
    with pytest.raises(ValueError, match=naming("a", "rows", "6")):
        eg.compare(A[:6], B[:6], measure=measure, Y=Y)


def test_a_measure_without_a_value_is_refused():
    with pytest.raises(ValueError, match=naming("a", "nan")):
        eg.compare(A, B, measure=lambda Z: math.nan)
    only = np.zeros(N, dtype=int)
    with (
        pytest.warns(UserWarning, match=naming("group")),
        pytest.raises(ValueError, match=naming("a", "dsmi_adjusted")),
    ):
        eg.compare(A, B, measure="dsmi_adjusted", Y=only)


def test_halves_without_a_value_leave_no_error():
    def only_of_all(Z):
        return float(len(Z)) if len(Z) == N else math.nan

    with pytest.raises(ValueError, match=naming("a", "sampling error", "no value")):
        eg.compare(A, B, measure=only_of_all)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"measure": "rankm"}, ValueError, ["measure", "rankm", "rankme"]),
        ({"measure": "xyz"}, ValueError, ["measure", "xyz", "spectral.rankme", "dse"]),
        ({"measure": "entropy"}, ValueError, ["binning.entropy", "ksg.entropy"]),
        ({"measure": "dsmi", "y": LABELS}, TypeError, ["y", "Y"]),
        ({"measure": "knn_accuracy", "y": LABELS}, TypeError, ["y", "Y"]),
        ({"Level": 0.9}, TypeError, ["Level", "level"]),
        ({"measure": "knn_accuracy"}, ValueError, ["Y", "knn_accuracy"]),
        ({"measure": "dsmi"}, ValueError, ["Y", "dsmi"]),
        ({"Y": LABELS}, ValueError, ["Y", "dse"]),
        ({"measure": 3}, TypeError, ["measure", "int"]),
        ({"sigam": 1.0}, TypeError, ["dse", "sigam", "sigma"]),
        ({"measure": "rankme", "epsilom": 1.0}, TypeError, ["rankme", "epsilom", "epsilon"]),
        ({"level": 95}, ValueError, ["level", "95"]),
        ({"seed": -1}, ValueError, ["seed", "-1"]),
        ({"pairs": "each"}, ValueError, ["pairs", "each", "neighbours"]),
        ({"pairs": "neighbours"}, ValueError, ["pairs"]),
        ({"against": "a"}, ValueError, ["against"]),
        ({"max_points": 0}, ValueError, ["max_points", "0"]),
    ],
)
def test_what_cannot_be_used_is_named(given, error, words):
    with pytest.raises(error, match=naming(*words)):
        eg.compare(A, B, **given)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("kernel_entrpy", "kernel_entropy"),
        ("DSMI", "dsmi"),
        ("rankm", "rankme"),
        ("ksg.entrop", "ksg.entropy"),
        ("kernel_information_bit", "kernel_information_bits"),
    ],
)
def test_the_nearest_measure_is_named_before_the_others(misspelt, meant):
    with pytest.raises(ValueError, match=naming("measure", misspelt)) as caught:
        eg.compare(A, B, measure=misspelt)
    words = re.findall(r"[\w.]+", str(caught.value).replace(misspelt, "", 1))
    known = {*NAMES, "rankme", "spectral.rankme", "ksg.entropy"}
    assert next(word.rstrip(".") for word in words if word.rstrip(".") in known) == meant


def test_a_function_of_the_caller_may_have_an_option_y():
    found = eg.compare(A, B, measure=lambda Z, y: y + Z.mean(), y=1.0)
    assert found == pytest.approx(B.mean() - A.mean())


@pytest.mark.parametrize("count", [3, 4])
def test_more_than_two_need_names(count):
    with pytest.raises(TypeError, match=naming(str(count), "names", "compare(a, b)", "layer 1")):
        eg.compare(*[A] * count)


@pytest.mark.parametrize(
    ("several", "given", "error", "words"),
    [
        (A, {}, TypeError, ["b", "ndarray"]),
        ([A, B], {}, TypeError, ["b", "list"]),
        ("layers", {}, TypeError, ["b", "str"]),
        ({}, {}, ValueError, ["0", "2"]),
        ({"x": A}, {}, ValueError, ["1", "2"]),
        ([("x", A), ("x", B)], {}, ValueError, ["x", "twice"]),
        ({"x": A, "y": B}, {"against": "z"}, ValueError, ["against", "z", "x", "y"]),
        ({"x": A, "y": B}, {"against": "x", "pairs": "neighbours"}, ValueError, ["against"]),
        ({"x": A, "y": B}, {"measure": "dsmi", "Y": {"x": LABELS}}, ValueError, ["Y", "y"]),
    ],
)
def test_what_are_not_several_is_named(several, given, error, words):
    with pytest.raises(error, match=naming(*words)):
        eg.compare(several, **given)


# What a difference shows


def test_a_difference_shows_itself():
    found = eg.compare(A, B, level=0.9)
    assert names(repr(found), "Difference", "bits", "paired", "n=120", "90 %")
    assert names(found._repr_html_(), "paired", "p-value", "120")
    assert found.interval().level == 0.9
    assert found.interval(0.99).level == 0.99
    assert names(found.interval().over, "other samples")
    assert "not over other samples" not in repr(found.interval())


def test_a_difference_can_be_sent():
    found = eg.compare(A, B, measure="dsmi", Y=LABELS)
    sent = pickle.loads(pickle.dumps(found))
    assert repr(sent) == repr(found)
    assert sent.interval(0.9) == found.interval(0.9)


def test_progress_is_told():
    told = []
    eg.compare({"x": A, "y": B, "z": A}, progress=told.append)
    assert told == [1 / 3, 2 / 3, 1.0]
