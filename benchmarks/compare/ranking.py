"""What it takes to rank a hundred models by all scores, with their sampling errors.

python -m benchmarks.compare.ranking --output benchmarks/results/ranking.json

With ``--networks 400`` the models are the networks of the study `models` as files of features:
their scores, and the correlations of these with the accuracies of the study's probes, stand beside
those of the study's own table.
"""

from __future__ import annotations

import argparse
import os
import resource
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import RESULTS, rounded, text, write
from eigentropy.ranking import Ranking
from eigentropy.ranking.correlations import spearman, weighted_tau

CLASSES, SHARED = 10, 40

# The names in the study's table of scores that eg.rank has, too.
STUDY = {
    "dse": "DSE auto",
    "dsmi_adjusted": "adjusted auto",
    "kernel_information_adjusted": "Holevo auto",
    "logme": "LogME",
    "h_score": "H-score shrunk",
    "transrate": "TransRate scaled",
    "rankme": "RankMe",
    "effective_rank": "effective rank",
    "self_clustering": "self-clustering centred",
}
PROBES = ("kNN probe", "linear probe")
TABLE = RESULTS / "studies" / "models.csv.xz"


def models(count: int, n: int, d: int) -> tuple[dict[str, Any], Any]:
    """Features of several qualities, which share most of what makes their rows differ."""
    labels = np.arange(n) % CLASSES
    samples = np.random.default_rng(0).normal(size=(n, SHARED))
    found = {}
    for number in range(count):
        rng = np.random.default_rng([1, number])
        means = rng.uniform(0.0, 1.5) * rng.normal(size=(CLASSES, SHARED))
        hidden = (samples + means[labels]) @ rng.normal(size=(SHARED, d)) / SHARED**0.5
        found[f"model {number}"] = np.maximum(hidden + 0.2 * rng.normal(size=(n, d)), 0.0)
    return found, labels


def cost(count: int, n: int, d: int, processes: int | None) -> dict[str, Any]:
    """Seconds of the scores, of ranks and ties by all of them, and of correlations."""
    features, labels = models(count, n, d)
    accuracies = {name: float(number) for number, name in enumerate(features)}
    before, start = _children(), perf_counter()
    ranking = eg.rank(features, labels, accuracies=accuracies, processes=processes)
    measured, of_cores = perf_counter(), _children() - before
    tied = {score: len(ranking.ties(score)) for score in ranking.scores}
    told = perf_counter()
    ranking.correlations()
    end = perf_counter()
    return {
        "models": count, "n": n, "d": d, "processes": processes or len(os.sched_getaffinity(0)),
        "seconds": {"in all": end - start, "scores": measured - start, "ties": told - measured,
                    "correlations": end - told},
        "seconds of cores": of_cores,
        "load": os.getloadavg()[0],
        "scores": len(ranking.scores), "failures": len(ranking.failures), "groups": tied,
    }  # fmt: skip


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def beside_the_study(
    count: int, processes: int | None, scores: Mapping[str, str] = STUDY, digits: int | None = None
) -> dict[str, Any]:
    """The largest difference of each score from the study's, and both rank correlations.

    The study draws null partitions for each network by itself: matched informations differ by that.
    """
    from eigentropy.studies import models as study
    from eigentropy.studies.rows import read

    known: dict[int, dict[str, float]] = {}
    recipes = {}
    for row in read("models", TABLE):
        known.setdefault(int(row["network"]), {})[row.cell.estimator] = row.value
        recipes[int(row["network"])] = row.cell
    chosen = sorted(known)[:count]
    with TemporaryDirectory() as folder:
        for number in chosen:
            np.save(Path(folder, f"{number}.npy"), network(study, recipes[number], digits))
        labels = study.halves(digits)[3]
        ranking = eg.rank(folder, labels, scores=list(scores), sampling=False, processes=processes)
    compared = {ours: _compared(ranking, ours, theirs, known) for ours, theirs in scores.items()}
    return {"networks": len(chosen), "scores": compared, "excluded": ranking.excluded}


def network(study: Any, cell: Any, digits: int | None) -> Any:
    """The hidden layer of a network of the study on the digits that it has not seen."""
    training, heldout, y, _ = study.halves(digits)
    recipe = {one.name: cell.settings[one.name] for one in fields(study.Recipe)}
    return study.hidden_layer(study.Recipe(**recipe), training, y, heldout, cell.seed)


def _compared(
    ranking: Ranking, ours: str, theirs: str, known: Mapping[int, Mapping[str, float]]
) -> dict[str, Any]:
    numbers = [int(name) for name in ranking.models]
    own = ranking.values[ours]
    study = np.array([known[number].get(theirs, np.nan) for number in numbers])
    both = np.isfinite(own) & np.isfinite(study)
    found: dict[str, Any] = {
        "defined": [int(np.isfinite(own).sum()), int(np.isfinite(study).sum())],
        "largest difference": float(np.abs(own - study)[both].max()),
    }
    for probe in PROBES:
        target = np.array([known[number][probe] for number in numbers])[both]
        for of in (spearman, weighted_tau):
            found[f"{of.__name__}, {probe}"] = [of(own[both], target), of(study[both], target)]
    return found


def main(arguments: list[str] | None = None) -> None:
    """Print what was found, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--rows", type=int, default=900)
    parser.add_argument("--columns", type=int, default=256)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--networks", type=int, help="of the study models, in place of the others")
    options = parser.parse_args(arguments)
    if options.networks:
        found = beside_the_study(options.networks, options.processes)
    else:
        found = cost(options.models, options.rows, options.columns, options.processes)
    result = rounded({"machine": describe(), **found}, 4)
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
