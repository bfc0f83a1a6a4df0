"""Scorers of representations: the measures' own values, in the places where scikit-learn scores."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn 1.6 is not installed")

from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import eigentropy as eg
from eigentropy.sklearn import RepresentationScorer
from messages import naming

MEASURES = {
    "dse": eg.dse,
    "dsmi": eg.dsmi,
    "kernel_entropy": eg.kernel_entropy,
    "kernel_information": eg.kernel_information,
}
ABOUT_Y = ("dsmi", "kernel_information")


@pytest.fixture
def sample(rng):
    y = np.arange(150) % 3
    return rng.normal(size=(150, 6)) + 4.0 * np.eye(6)[y], y


@pytest.mark.parametrize("measure", MEASURES)
def test_each_fold_is_measured_on_the_rows_that_it_leaves_out(sample, measure):
    X, y = sample
    folds = KFold(3)
    options = {"sigma": "knn", "seed": 5}
    scorer = RepresentationScorer(measure, form="value", **options)
    found = cross_val_score(PCA(2), X, y, scoring=scorer, cv=folds)
    for score, (fit, left) in zip(found, folds.split(X), strict=True):
        Z = PCA(2).fit(X[fit]).transform(X[left])
        about = (y[left],) if measure in ABOUT_Y else ()
        assert score == float(MEASURES[measure](Z, *about, **options))


@pytest.mark.parametrize(
    ("measure", "form"),
    [("dsmi", "adjusted"), ("kernel_information", "adjusted"), ("kernel_information", "bits")],
)
def test_a_form_is_that_of_the_result(sample, measure, form):
    X, y = sample
    scaler = StandardScaler().fit(X)
    result = MEASURES[measure](scaler.transform(X), y)
    assert RepresentationScorer(measure, form=form)(scaler, X, y) == getattr(result, form)()
    default = RepresentationScorer(measure)(scaler, X, y)
    assert default == result.adjusted()


def test_entropies_need_no_y_and_may_be_searched_for_the_least(sample):
    X, _ = sample
    grid = {"n_components": [1, 2, 4]}
    entropies = {}
    for greater in (True, False):
        scorer = RepresentationScorer("dse", sigma=1.0, greater_is_better=greater)
        search = GridSearchCV(PCA(), grid, scoring=scorer, cv=3).fit(X)
        entropies[greater] = search.cv_results_["mean_test_score"]
        assert search.best_params_["n_components"] == (4 if greater else 1)
    np.testing.assert_array_equal(entropies[True], -entropies[False])


def test_a_search_finds_the_components_that_tell_the_labels(rng):
    """The labels are in the third direction by variance: two components tell nothing."""
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 5)) * [30.0, 30.0, 1.0, 0.1, 0.1]
    X[:, 2] += 8.0 * y
    reduced = make_pipeline(PCA(), StandardScaler())
    scorer = RepresentationScorer("kernel_information", n_null=10)
    search = GridSearchCV(reduced, {"pca__n_components": [1, 2, 3]}, scoring=scorer, cv=2)
    search.fit(X, y)
    assert search.best_params_ == {"pca__n_components": 3}
    scores = search.cv_results_["mean_test_score"]
    assert scores[2] > 0.2 > abs(scores[0])


def test_several_scorers_at_once_and_in_other_processes(sample):
    X, y = sample
    scoring = {name: RepresentationScorer(name, n_null=5) for name in ABOUT_Y}
    scoring["dse"] = RepresentationScorer("dse")
    alone = cross_validate(PCA(2), X, y, scoring=scoring, cv=2)
    again = cross_validate(PCA(2), X, y, scoring=pickle.loads(pickle.dumps(scoring)), cv=2)
    for name in scoring:
        np.testing.assert_array_equal(alone[f"test_{name}"], again[f"test_{name}"])


def test_of_a_pipeline_with_a_classifier_the_steps_before_it_are_measured(sample):
    X, y = sample
    pipeline = make_pipeline(StandardScaler(), PCA(2), LogisticRegression()).fit(X, y)
    scorer = RepresentationScorer("dse")
    assert scorer(pipeline, X) == float(eg.dse(pipeline[:-1].transform(X)))


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
def test_outputs_of_a_classifier_are_rows_too(sample, method):
    X, y = sample
    for labels in (y, y == 0):  # of two classes there is one decision a row
        model = LogisticRegression().fit(X, labels)
        rows = getattr(model, method)(X)
        scorer = RepresentationScorer("kernel_entropy", response_method=method)
        assert scorer(model, X) == float(eg.kernel_entropy(rows.reshape(150, -1)))


# Bad input.


def test_an_information_without_y_is_refused(sample):
    X, _ = sample
    for measure in ABOUT_Y:
        with pytest.raises(ValueError, match=naming(measure, "y", "'dse'")):
            RepresentationScorer(measure)(PCA(2).fit(X), X)


def test_an_estimator_without_the_method_is_told_which_it_has(sample):
    X, y = sample
    with pytest.raises(TypeError, match=naming("LogisticRegression", "transform", "predict_proba")):
        RepresentationScorer("dse")(LogisticRegression().fit(X, y), X)
    alone = make_pipeline(LogisticRegression()).fit(X, y)
    with pytest.raises(TypeError, match=naming("Pipeline", "transform", "predict_proba")):
        RepresentationScorer("dse")(alone, X)
    with pytest.raises(TypeError, match=naming("KMeans", "predict_proba", "transform")):
        RepresentationScorer("dse", response_method="predict_proba")(KMeans(2, n_init=1).fit(X), X)
    with pytest.raises(TypeError, match=naming("LocalOutlierFactor", "transform")):
        RepresentationScorer("dse")(LocalOutlierFactor().fit(X), X)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"measure": "mi"}, ["measure", "mi", "dsmi"]),
        ({"measure": "dse", "form": "adjusted"}, ["form", "adjusted", "value"]),
        ({"measure": "dsmi", "form": "bits"}, ["form", "bits", "adjusted"]),
        ({"response_method": "fit"}, ["response_method", "fit", "transform"]),
    ],
)
def test_arguments_are_checked_at_once(arguments, words):
    with pytest.raises(ValueError, match=naming(*words)):
        RepresentationScorer(**arguments)


def test_an_option_that_the_measure_lacks_is_answered_by_the_nearest():
    with pytest.raises(TypeError, match=naming("kernel_information", "n_nul", "n_null")):
        RepresentationScorer(n_nul=3)
    with pytest.raises(TypeError, match=naming("dse", "n_null")):
        RepresentationScorer("dse", n_null=3)
    with pytest.raises(TypeError, match=naming("dsmi", "Y")):
        RepresentationScorer("dsmi", Y=[1, 2])
    with pytest.raises(TypeError, match=naming("RepresentationScorer", "forms", "'form'")):
        RepresentationScorer("dsmi", forms="value")


def test_errors_of_the_measure_name_what_the_caller_has_passed(sample):
    X, y = sample
    fitted = PCA(2).fit(X)
    with pytest.raises(ValueError, match=naming("y", "149", "PCA.transform(X)", "150")):
        RepresentationScorer("dsmi")(fitted, X, y[:-1])
