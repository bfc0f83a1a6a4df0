"""What must hold of any ranking: order, rows and scales of accuracies change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg

FEW = settings(max_examples=8, deadline=None)
SEEDS = st.integers(0, 1000)
N = 48
SCORES = ["kernel_information_adjusted", "knn_accuracy", "logme", "rankme"]


def models_of(seed):
    rng = np.random.default_rng(seed)
    y = np.arange(N) % 3
    gaps = rng.uniform(0.0, 4.0, size=4)
    return {
        f"net {number}": rng.normal(size=(N, 3)) + gap * np.eye(3)[y]
        for number, gap in enumerate(gaps)
    }, y


def ranked(models, y, **known):
    return eg.rank(models, y, **{"scores": SCORES, "processes": 1, **known})


def by_name(ranking, score):
    return dict(zip(ranking.models, ranking.values[score], strict=True))


@FEW
@given(SEEDS, st.integers(1, 3))
def test_the_order_of_models_does_not_matter(seed, turn):
    models, y = models_of(seed)
    turned = [*models][turn:] + [*models][:turn]
    first, other = ranked(models, y), ranked({name: models[name] for name in turned}, y)
    for score in SCORES:
        assert by_name(first, score) == by_name(other, score)
        ranks = [{one.model: one for one in found.ranks(score)} for found in (first, other)]
        assert ranks[0] == ranks[1]


@FEW
@given(SEEDS)
def test_the_order_of_rows_does_not_matter_to_values_without_a_random_part(seed):
    models, y = models_of(seed)
    order = np.random.default_rng(seed).permutation(N)
    known = {"scores": ["dse", "kernel_entropy", "knn_accuracy", "logme", "rankme", "transrate"]}
    first = ranked(models, y, **known, sampling=False)
    other = ranked({name: Z[order] for name, Z in models.items()}, y[order], **known,
                   sampling=False)  # fmt: skip
    for score in first.scores:
        assert by_name(other, score) == pytest.approx(by_name(first, score), rel=1e-9)


@FEW
@given(SEEDS)
def test_equal_features_tie_in_every_score(seed):
    models, y = models_of(seed)
    found = ranked({**models, "copy": models["net 1"].copy()}, y)
    for score in SCORES:
        ranks = {one.model: one for one in found.ranks(score)}
        assert ranks["copy"].rank == ranks["net 1"].rank
        assert (ranks["copy"].low, ranks["copy"].high) == (ranks["net 1"].low, ranks["net 1"].high)
        assert not found.shown_above("copy", "net 1", score)
        assert any({"copy", "net 1"} <= set(tie) for tie in found.ties(score))


@FEW
@given(SEEDS)
def test_a_rotation_or_a_scale_leaves_equal_features_tied(seed):
    models, y = models_of(seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    found = ranked({**models, "turned": 3.0 * models["net 1"] @ turn}, y)
    for score in SCORES:
        assert not found.shown_above("turned", "net 1", score)
        assert not found.shown_above("net 1", "turned", score)


@FEW
@given(SEEDS)
def test_a_monotone_map_of_accuracies_leaves_spearman_alone(seed):
    models, y = models_of(seed)
    known = np.random.default_rng(seed).permutation(4) / 4.0 + 0.05
    accuracies = dict(zip(models, known.tolist(), strict=True))
    mapped = {name: np.exp(5.0 * value) - 7.0 for name, value in accuracies.items()}
    first, other = (ranked(models, y, accuracies=a, sampling=False) for a in (accuracies, mapped))
    for one, two in zip(first.correlations(), other.correlations(), strict=True):
        assert one.spearman == pytest.approx(two.spearman, nan_ok=True)
        assert one.weighted_tau == pytest.approx(two.weighted_tau, nan_ok=True)
