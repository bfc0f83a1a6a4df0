"""The scores of one model: what they are, what fails alone, and the text that they become."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._measures.sampling.halves import variation_of
from eigentropy.baselines import geometry, probes, spectral, transferability
from eigentropy.ranking import ModelScores, score_model
from eigentropy.ranking.measured import class_codes
from eigentropy.ranking.moves import moves_of
from eigentropy.ranking.scores import DEFAULT, unit_deviation
from messages import names, naming

pytest.importorskip("sklearn")

N, CLASSES = 90, 3


def rows_of(seed=0, gap=1.5, n=N):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    return rng.normal(size=(n, 6)) + gap * np.eye(6)[labels], labels


@pytest.fixture(scope="module")
def model():
    return score_model("net", *rows_of())


def expected(Z, y):
    information, holevo = eg.dsmi(Z, y), eg.kernel_information(Z, y)
    return {
        "dse": eg.dse(Z),
        "dsmi": information,
        "dsmi_adjusted": information.adjusted(),
        "kernel_entropy": eg.kernel_entropy(Z),
        "kernel_information": holevo,
        "kernel_information_adjusted": holevo.adjusted(),
        "knn_accuracy": probes.knn_accuracy(Z, y),
        "linear_accuracy": probes.linear_accuracy(Z, y),
        "logme": transferability.logme(Z, y),
        "h_score": transferability.h_score(Z, y, shrinkage="ledoit-wolf"),
        "transrate": transferability.transrate(unit_deviation(Z), y),
        "rankme": spectral.rankme(Z),
        "effective_rank": spectral.effective_rank(Z),
        "self_clustering": geometry.self_clustering(Z, center=True),
    }


def test_all_default_scores_are_those_of_their_functions(model):
    assert model.values == {
        name: pytest.approx(float(value), rel=1e-12) for name, value in expected(*rows_of()).items()
    }
    assert tuple(model.values) == model.scores == DEFAULT
    assert not model.failures


def test_options_go_to_every_score_that_has_them():
    Z, y = rows_of()
    found = score_model("net", Z, y, scores=["dse", "dsmi", "knn_accuracy"], t=2, sigma=3.0, k=1)
    assert found.values == {
        "dse": pytest.approx(float(eg.dse(Z, t=2, sigma=3.0))),
        "dsmi": pytest.approx(float(eg.dsmi(Z, y, t=2, sigma=3.0))),
        "knn_accuracy": pytest.approx(float(probes.knn_accuracy(Z, y, k=1))),
    }


@pytest.mark.parametrize("name", ["logme", "rankme", "self_clustering", "h_score", "transrate"])
def test_sampling_errors_of_others_are_those_of_any_function(model, name):
    Z, y = rows_of()
    functions = {
        "logme": transferability.logme,
        "h_score": lambda Z, Y: transferability.h_score(Z, Y, shrinkage="ledoit-wolf"),
        "transrate": lambda Z, Y: transferability.transrate(unit_deviation(Z), Y),
        "rankme": lambda Z, Y: spectral.rankme(Z),
        "self_clustering": lambda Z, Y: geometry.self_clustering(Z, center=True),
    }
    _, moves = moves_of([model], name)
    assert moves.errors().standard[0] == pytest.approx(
        variation_of(functions[name], Z, y).standard_error, rel=1e-6
    )


@pytest.mark.parametrize("form", ["value", "adjusted"])
def test_sampling_errors_of_informations_are_their_own(model, form):
    for name, result in (("dsmi", eg.dsmi), ("kernel_information", eg.kernel_information)):
        _, moves = moves_of([model], name if form == "value" else f"{name}_{form}")
        own = result(*rows_of()).sampling_error_of(form)
        assert moves.errors().standard[0] == pytest.approx(own, rel=1e-3)  # subsets are in float32


@pytest.mark.parametrize(("name", "of"), [("dse", eg.dse), ("kernel_entropy", eg.kernel_entropy)])
def test_the_sampling_error_of_an_entropy_is_near_its_own(model, name, of):
    """Which is found by leaving out rows, and not from subsets."""
    _, moves = moves_of([model], name)
    assert moves.errors().standard[0] == pytest.approx(of(rows_of()[0]).sampling_error, rel=0.6)


def test_an_accuracy_varies_as_a_share_of_its_rows(model):
    _, moves = moves_of([model], "linear_accuracy")
    p = model.values["linear_accuracy"]
    assert moves.errors().standard[0] == pytest.approx(math.sqrt(p * (1 - p) / (N - 1)))


@pytest.mark.parametrize(
    ("name", "n", "least", "most"),
    [("linear_accuracy", N, 0.8, 1.2), ("knn_accuracy", 400, 0.75, 1.3)],
)
def test_the_error_of_a_probe_beside_its_spread_over_samples(name, n, least, most):
    """100 samples tell 7 %."""
    found = [
        score_model("net", *rows_of(seed, n=n), scores=[name], seed=seed) for seed in range(100)
    ]
    spread = np.std([one.values[name] for one in found], ddof=1)
    errors = [moves_of([one], name)[1].errors().standard[0] for one in found]
    assert least < math.sqrt(np.mean(np.square(errors))) / spread < most


def test_a_text_gives_the_scores_back(model):
    assert ModelScores.from_json(model.to_json()) == model


def test_so_do_subsets_without_a_value():
    Z, y = rows_of()
    Z[:60] = 0.0  # rows 60 .. 89 alone have a direction; halves without them have none
    found = score_model("net", Z, y, scores=["rankme", "effective_rank"])
    again = ModelScores.from_json(found.to_json())
    np.testing.assert_array_equal(again.subsets["rankme"], found.subsets["rankme"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "net"}', "3"])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match=naming("JSON")):
        ModelScores.from_json(text)


def test_without_sampling_only_values_are_found():
    found = score_model("net", *rows_of(), scores=["logme", "knn_accuracy"], sampling=False)
    assert found.values.keys() == {"logme", "knn_accuracy"}
    assert not found.subsets
    assert not found.hits


def test_the_digest_is_of_features_labels_and_settings(model):
    Z, y = rows_of()
    known = {"scores": ["logme"], "sampling": False}
    first = score_model("net", Z, y, **known)
    assert score_model("other", Z.copy(), y.copy(), **known).digest == first.digest
    moved = Z.copy()
    moved[3, 2] += 1e-9
    others = [
        score_model("net", moved, y, **known),
        score_model("net", Z, (y + 1) % CLASSES, **known),
        score_model("net", Z, y, **known, seed=1),
        score_model("net", Z, y, scores=["rankme"], sampling=False),
        score_model("net", Z, y, **known, k=3),
    ]
    assert len({one.digest for one in (first, *others)}) == 6
    assert others[0].shared == first.shared
    assert all(one.shared != first.shared for one in others[1:])


def test_names_of_labels_do_not_matter():
    Z, y = rows_of()
    words = np.array(["ape", "bee", "cat"])[y]
    first, other = (
        score_model("net", Z, labels, scores=["dsmi", "logme"], sampling=False)
        for labels in (y, words)
    )
    assert first == ModelScores(**{**other.__dict__, "seconds": first.seconds})


def test_equal_rows_lose_what_is_not_defined_and_nothing_else():
    _, y = rows_of()
    found = score_model("net", np.ones((N, 4)), y)
    assert found.failures.keys() == {"self_clustering", "knn_accuracy"}
    assert names(found.failures["self_clustering"], "mean")
    assert found.values.keys() == set(DEFAULT) - found.failures.keys()


def test_a_class_of_few_rows_loses_the_linear_probe_alone():
    Z, y = rows_of()
    y = np.where(np.arange(N) < 3, 7, y)
    found = score_model("net", Z, y, scores=["logme", "linear_accuracy"])
    assert names(found.failures["linear_accuracy"], 3, "folds=5")
    assert "logme" in found.values


def test_an_infinite_score_is_no_score():
    labels = np.arange(20) % 2
    Z = np.eye(2)[labels]  # two columns that are the classes: a regression without an error
    found = score_model("net", Z, labels, scores=["logme"], sampling=False)
    assert names(found.failures["logme"], "inf")


@pytest.mark.parametrize("name", ["uniformity", "spectral.participation_ratio", "alpha_req"])
def test_any_function_of_the_baselines_is_a_score(name):
    Z, y = rows_of()
    found = score_model("net", Z, y, scores=[name])
    function = getattr(
        {"uniformity": geometry, "alpha_req": geometry}.get(name, spectral), name.split(".")[-1]
    )
    assert found.values[name] == pytest.approx(float(function(Z)))
    assert len(found.subsets[name]) == 32


def test_labels_are_classes():
    assert class_codes(["b", "a", "b"]).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=naming(3, "equal")):
        class_codes([1, 1, 1])
    with pytest.raises(ValueError, match=naming(3, "twice")):
        class_codes([0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=naming("labels", "NaN")):
        class_codes([0.0, 0.0, math.nan])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Z": np.full((N, 2), math.nan)}, ("net", "NaN")),
        ({"Y": np.arange(N - 1) % 3}, ("net", "labels", N, N - 1)),
        ({"Z": np.ones((12, 2)), "Y": np.arange(12) % 2}, ("net", 12, "sampling=False")),
        ({"scores": ["rankne"]}, ("rankne", "rankme")),
        ({"scores": ["logme", "logme"]}, ("logme",)),
        ({"scores": []}, ("scores",)),
        ({"t": -1.0}, ("t", "-1.0")),
    ],
)
def test_what_is_wrong_for_all_scores_is_an_error(change, words):
    Z, y = rows_of()
    known = {"Z": Z, "Y": y, "scores": ["logme"], **change}
    with pytest.raises(ValueError, match=naming(*words)):
        score_model("net", known.pop("Z"), known.pop("Y"), **known)


def test_an_option_that_no_score_has_is_answered_by_the_nearest():
    with pytest.raises(TypeError, match=naming("sigmma", "sigma")):
        score_model("net", *rows_of(), scores=["dse"], sigmma=1.0)
    with pytest.raises(TypeError, match=naming("scores", "dse")):
        score_model("net", *rows_of(), scores="dse")
