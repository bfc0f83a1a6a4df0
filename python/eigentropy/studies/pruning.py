"""Weights or neurons are removed from a trained network, before and after it is fine-tuned.

Weights go by their magnitude, neurons by the length of their weight vectors, the same share from
each layer. Which measure of what is left tells how well fine-tuning repairs it?
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from eigentropy.baselines._pytorch import threads_for
from eigentropy.studies import seeds, sparsity
from eigentropy.studies.figures import band
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.rows import Cell, Parameter, StudyRow, sorted_parameters
from eigentropy.studies.seeds import BySeed, States
from eigentropy.studies.sparsity import ACCURACY, LAYERS, NETWORK, STATISTICS, SparseSizes
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    distinct,
    means,
    repeated,
    select,
)

WEIGHTS, NEURONS, WHOLE = "weights", "neurons", "whole"
KINDS = (WEIGHTS, NEURONS)
SPARSITIES = (0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
FULL_SPARSITIES = tuple(sorted({*SPARSITIES, 0.1, 0.4, 0.6, 0.85, 0.93, 0.97}))

BEFORE, AFTER = "before fine-tuning", "after fine-tuning"
STAGES = (BEFORE, AFTER)

# Fine-tuning takes this share of the epochs of training, by the same course.
FINE_TUNING = 0.5

# On the pictures that the measures are taken of: what they have to be better than.
VALIDATION = "validation accuracy"

# Numbers by layer and name.
OF_LAYERS = tuple((layer, name) for layer in LAYERS for name in STATISTICS)
MEASURED = ((NETWORK, ACCURACY), (NETWORK, VALIDATION), *OF_LAYERS)

# What is asked of the second hidden layer, which the answer is read from.
LAST = LAYERS[1]
FOLLOWED = ("DSE auto", "adjusted(Z;Y) auto", "kernel entropy", "adjusted kernel information")

# So much shall go without a loss of accuracy.
HALF = 0.5


def jobs(plan: StudyPlan) -> list[Job]:
    """One job a seed: all of its pruned networks are made of one trained network."""
    data = sparsity.data_of(plan)
    epochs = sparsity.epochs_of(plan, data)
    shares = FULL_SPARSITIES if plan.full else SPARSITIES
    states = [(WHOLE, 0.0), *((kind, share) for kind in KINDS for share in shares)]
    settings: list[dict[str, Parameter]] = [
        {"kind": kind, "sparsity": share, "stage": stage, "epochs": epochs}
        for kind, share in states
        for stage in STAGES
    ]
    return [
        Job(
            tuple(
                Cell(data, sorted_parameters({**each, "layer": layer}), name, seed)
                for each in settings
                for layer, name in MEASURED
            )
        )
        for seed in plan.seeds(quick=5, full=20)
    ]


def measure(job: Job, sizes: SparseSizes = sparsity.SIZES) -> Iterator[StudyRow]:
    """Train a network, and prune, measure, fine-tune and measure it in every way of the job."""
    from eigentropy.studies.vision import pictures, pruned
    from eigentropy.studies.vision.learning import accuracy

    seed, epochs = job.seed, int(job.settings["epochs"])
    course = replace(sizes.courses[job.data], epochs=epochs)
    tuning = replace(course, epochs=max(1, round(FINE_TUNING * epochs)))
    with threads_for(torch_for_networks(), 0):
        training, test = pictures.load(job.data, sizes.digits)
        fitted, validation = pruned.split(training, sizes.validation[job.data], seed)
        dense = pruned.lenet(fitted, seed)
        pruned.train(dense, fitted, validation, test, course, seed)
        for kind, share in dict.fromkeys(
            (str(c.settings["kind"]), float(c.settings["sparsity"])) for c in job.cells
        ):
            network = pruned.pruned(dense, kind, share)
            for stage in STAGES:
                start = time.perf_counter()
                if stage == AFTER:
                    pruned.train(network, fitted, validation, test, tuning, seed)
                found = pruned.measured(network, validation, seed)
                found[NETWORK, ACCURACY] = accuracy(network, fitted, test)
                found[NETWORK, VALIDATION] = accuracy(network, fitted, validation)
                seconds = time.perf_counter() - start
                for cell in job.cells:
                    at = cell.settings
                    if (at["kind"], at["sparsity"], at["stage"]) == (kind, share, stage):
                        value = found[str(at["layer"]), cell.estimator]
                        yield StudyRow(cell, value, math.nan, seconds)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """How much may go, what the measures do on the way, and which predicts the repaired network."""
    found = []
    for data in distinct(rows, "data"):
        of = select(rows, data=data)
        found += [_kept(of, data, kind, stage) for kind in KINDS for stage in STAGES]
        found += seeds.larger([_falls(of, data, kind, name) for kind in KINDS for name in FOLLOWED])
        found += _predictions(of, data)
    return found


def _of_kind(rows: Sequence[StudyRow], kind: str) -> list[StudyRow]:
    """The rows of this kind, from the whole network on."""
    return [row for row in rows if row["kind"] in (WHOLE, kind)]


def _kept(rows: Sequence[StudyRow], data: str, kind: str, stage: str) -> Finding:
    claim = Claim(
        "kept",
        f"{data}: {stage}, half of the {kind} can go with the mean accuracy within the band "
        "(95 %) of the whole network's",
    )
    of = _of_kind(select(rows, estimator=ACCURACY, stage=stage), kind)
    values = repeated(of, "sparsity")
    if len(values.get(0.0, [])) < 2:
        return claim.not_measured()
    mean, half = band(values[0.0])
    most = 0.0
    for share, average in means(of, "sparsity").items():
        if average < mean - half:
            break
        most = share
    there = ", ".join(f"{band(values[s])[0]:.3f} at {s:.0%}" for s in (0.5, 0.9) if s in values)
    return claim.judged(f"up to {most:.0%}; {mean:.3f} +- {half:.3f} whole, {there}", most >= HALF)


def _falls(
    rows: Sequence[StudyRow], data: str, kind: str, name: str
) -> tuple[Claim, seeds.SeedDifference | None]:
    """Tested by the rank correlation with the share that is left."""
    claim = Claim(
        "falls",
        f"{data}: {BEFORE}, {name} of {LAST} falls with the {kind}: Spearman with the share left "
        "is above 0",
    )
    along = _along(rows, kind, BEFORE, LAST, name)
    return claim, seeds.mean_of([-rho for rho in along.values()])


def _along(rows: Sequence[StudyRow], kind: str, stage: str, layer: str, name: str) -> BySeed:
    """The rank correlation with sparsity, by seed."""
    of = _of_kind(select(rows, estimator=name, stage=stage, layer=layer), kind)
    return seeds.correlations(seeds.states(of, "sparsity"), _sparsities(of, "sparsity"))


def _sparsities(rows: Sequence[StudyRow], *parameters: str) -> States:
    return seeds.states([replace(row, value=float(row["sparsity"])) for row in rows], *parameters)


def _pruned(rows: Sequence[StudyRow], **wanted: Any) -> list[StudyRow]:
    return [row for row in select(rows, **wanted) if row["kind"] != WHOLE]


def _predicting(rows: Sequence[StudyRow]) -> dict[tuple[str, str], BySeed]:
    """By layer and name of what is known before: its correlation with the accuracy after."""
    after = seeds.states(_pruned(rows, estimator=ACCURACY, stage=AFTER), "kind", "sparsity")
    found: dict[tuple[str, str], BySeed] = {}
    for layer, name in (*OF_LAYERS, (NETWORK, VALIDATION)):
        of = _pruned(rows, estimator=name, stage=BEFORE, layer=layer)
        found[layer, name] = seeds.correlations(seeds.states(of, "kind", "sparsity"), after)
    of = _pruned(rows, estimator=ACCURACY, stage=BEFORE)
    found[NETWORK, "sparsity"] = seeds.correlations(_sparsities(of, "kind", "sparsity"), after)
    return found


def _predictions(rows: Sequence[StudyRow], data: str) -> list[Finding]:
    known = _predicting(rows)
    best = seeds.chosen({key: of for key, of in known.items() if key[0] != NETWORK})
    start = f"{data}: the measure of the pruned network that ranks accuracy after fine-tuning best"
    return [
        seeds.predicts(
            Claim("predicts", f"{start} (chosen on half of the seeds) ranks it on the others"),
            best,
            lambda key: f"{key[1]} of {key[0]}",
        ),
        seeds.better(
            Claim("better", f"{start} ranks it better than the accuracy before does"),
            best,
            known[NETWORK, VALIDATION],
        ),
        seeds.better(
            Claim("better", f"{start} ranks it better than the sparsity does"),
            best,
            known[NETWORK, "sparsity"],
        ),
    ]


def listing(rows: Sequence[StudyRow]) -> Listing:
    """What each measure does along sparsity, and how it ranks accuracy after fine-tuning."""
    lines = []
    for data in distinct(rows, "data"):
        of = select(rows, data=data)
        for (layer, name), ranks in _predicting(of).items():
            along = [
                _shown(_along(of, kind, stage, layer, name)) if name != "sparsity" else ""
                for kind in KINDS
                for stage in STAGES
            ]
            lines.append([seeds.counted(of, data), layer, name, *along, _shown(ranks)])
    return Listing(
        "Spearman correlation with sparsity before and after fine-tuning, and of what is known "
        "before with accuracy after, over weights and neurons; mean and 95 % interval over the "
        "seeds",
        ["data", "layer", "measure", *(f"{k}, {s.split()[0]}" for k in KINDS for s in STAGES),
         "accuracy after"],
        lines,
    )  # fmt: skip


def _shown(values: BySeed) -> str:
    mean, half = band(list(values.values()))
    return f"{mean:+.2f} +- {half:.2f}" if values else ""


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Accuracy, and entropy and information of the last hidden layer, over sparsity."""
    drawn = []
    for data in distinct(rows, "data"):
        for layer, name, most in (
            (NETWORK, ACCURACY, 1.0),
            (LAST, "DSE auto", math.inf),
            (LAST, "adjusted kernel information", 1.0),
        ):
            of = select(rows, data=data, layer=layer, estimator=name)
            curves = [
                Curve(
                    f"{kind}, {stage}",
                    repeated(_of_kind(select(of, stage=stage), kind), "sparsity"),
                )
                for kind in KINDS
                for stage in STAGES
            ]
            title = data if layer == NETWORK else f"{data}, {layer}"
            drawn.append(Panel(title, "sparsity", name, curves, possible=(0.0, most)))
    return drawn


STUDY = Study(
    "pruning",
    "what is left of accuracy, entropy and information where weights or neurons are removed",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
    data=sparsity.DATA,
)
