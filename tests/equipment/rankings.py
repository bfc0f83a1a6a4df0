"""Rankings of models that were never measured: values with a spread that is known."""

from __future__ import annotations

from functools import cache

import numpy as np

from eigentropy._measures.sampling.halves import DIVISIONS
from eigentropy.ranking import ModelScores, Ranking

SCORES = ("dse", "dsmi", "logme", "knn_accuracy")
FAMILIES = ("ResNet", "ViT", "MLP-Mixer")


def scores_of(name, value, *, spread=0.2, subsets=4 * DIVISIONS, n=90, failing=(), seed=0):
    """The scores of one model around a value; its values on subsets have this spread."""
    rng = np.random.default_rng([seed, *map(ord, name)])
    known = [score for score in SCORES if score not in failing]
    return ModelScores(
        name=name, n=n, d=16, seed=seed, shared="s", digest=name, scores=SCORES, nulls={},
        computed={},
        values={score: value + 0.1 * place for place, score in enumerate(known)},
        subsets={score: tuple(value + spread * rng.normal(size=subsets)) for score in known},
        hits={score: tuple(rng.uniform(size=n)) for score in known if "accuracy" in score},
        seconds=dict.fromkeys(known, 0.1),
        failures=dict.fromkeys(failing, f"{name}: too few rows"),
    )  # fmt: skip


@cache
def ranking_of(number, *, accuracies=True, families=True, sizes=True, names=None, excluded=()):
    """Models whose accuracies go with their scores; the first has neither, nor a value of logme."""
    rng = np.random.default_rng(0)
    names = names or [f"model{place}.a1_in1k" for place in range(number)]
    values = rng.normal(size=number)
    measured = [
        scores_of(name, value, failing=() if place else ("logme",))
        for place, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    known = dict(zip(names[1:], values[1:], strict=True))
    return Ranking.of(
        measured,
        accuracies={name: 70 + 3 * value for name, value in known.items()} if accuracies else None,
        families={name: FAMILIES[i % 3] for i, name in enumerate(known)} if families else None,
        sizes={name: 1e6 * (1 + i) for i, name in enumerate(known)} if sizes else None,
        by="dsmi",
        excluded=dict(excluded),
    )
