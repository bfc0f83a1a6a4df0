"""The paper's study of pretrained models: which score ranks timm's list by its ImageNet accuracy.

One model is one task of an engine. Its features of pictures of 20 classes, one centre crop each
with the model's own preprocessing and size, are scored as `eigentropy rank` does, and as the paper
did. The published accuracy is that of 1000 classes; probes say how well a model does on the same
20. Stand-ins, untrained networks over other pictures, show that every step works, and say nothing
of the claims.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from eigentropy._kernels.groups import group_codes
from eigentropy.ranking.correlations import (
    Values,
    interval,
    lead,
    pearson,
    spearman,
    weighted_tau,
)
from eigentropy.studies import courses, imagenet_list, imagenet_pictures
from eigentropy.studies.data import Labels
from eigentropy.studies.imagenet_list import Listed
from eigentropy.studies.models import require_sklearn
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.rows import Cell, Parameter, StudyRow
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
    make_job,
    select,
)

IMAGENET, STAND_IN = "imagenet", "stand-in"
UNTRAINED = "untrained"

# Models, and pictures of each class, of the quick size and of the paper's. Stand-ins are few, and
# there are ten classes of them.
MODELS = 60
PICTURES, ALL_PICTURES = 25, 50
STAND_INS = 8

# The paper groups the pictures themselves into as many clusters as there are classes.
CLUSTERS = 20

SECONDS = "seconds a picture"
KNN = "knn_accuracy"
PROBES = (KNN, "linear_accuracy")
OURS = ("dsmi_adjusted", "kernel_information_adjusted")
SCORES = ("dse", "dsmi", *OURS, "kernel_entropy", "logme", "h_score", "transrate", "rankme",
          "effective_rank", "self_clustering", *PROBES)  # fmt: skip
ENTROPIES = ("dse", "dsmi")


@dataclass(frozen=True)
class ScoreGroup:
    """Scores that are computed together; the setting's name follows theirs."""

    name: str
    scores: tuple[str, ...]
    of_input: bool = False  # of the clusters of the pictures, and not of their classes
    sigma: str | None = None

    @property
    def estimators(self) -> dict[str, str]:
        """The name in the table of each score."""
        mark = "_x" if self.of_input else ""
        return {score: f"{score}{mark} {self.name}".strip() for score in self.scores}


# The paper's, and those with the defaults of this package.
SETTINGS = (
    ScoreGroup("", SCORES),
    ScoreGroup("", ("dsmi",), of_input=True),
    ScoreGroup("sqrt-d", ENTROPIES, sigma="sqrt-d"),
    ScoreGroup("sqrt-d", ("dsmi",), of_input=True, sigma="sqrt-d"),
)
ESTIMATORS = tuple(name for setting in SETTINGS for name in setting.estimators.values())

# What the paper reports over 962 models: the correlations with top-1, Pearson and Spearman.
PAPER = "dsmi sqrt-d"
PUBLISHED = {
    PAPER: ("DSMI(Z;Y)", 0.216, 0.144),
    "dsmi_x sqrt-d": ("DSMI(Z;X)", 0.076, 0.008),
    "dse sqrt-d": ("DSE", 0.002, -0.014),
}

# Fewer models than this decide nothing, nor does a family of fewer models than that.
FEWEST, OF_A_FAMILY = 50, 8

# From here on the 20 classes are taken to say what the 1000 say. A guess.
SAME = 0.7

# Families that have a colour of their own in the figure.
COLOURS = 7


def jobs(plan: StudyPlan) -> list[Job]:
    """One job a model; `repetitions` is the number of models, from the list in `models`."""
    torch_for_networks()
    require_sklearn()
    path = plan.models or courses.cache() / imagenet_list.FILE
    models = imagenet_list.known(imagenet_list.read_list(path))
    data = plan.data or IMAGENET
    few = STAND_INS if data == STAND_IN else MODELS
    count = plan.repetitions or (None if plan.full else few)
    per_class = ALL_PICTURES if plan.full else PICTURES
    return [_job(data, model, per_class, plan.seed)
            for model in imagenet_list.spread(models, count)]  # fmt: skip


def _job(data: str, model: Listed, per_class: int, seed: int) -> Job:
    settings: dict[str, Parameter] = {
        "model": model.name,
        "family": imagenet_list.family(model.architecture),
        "size": model.size,
        "crop": model.crop,
        "parameters": model.parameters,
        "pictures": per_class,
    }
    if data == IMAGENET:
        settings["top1"] = model.top1
    else:  # whose accuracy that is not
        settings["weights"] = UNTRAINED
    return make_job(data, settings, (*ESTIMATORS, SECONDS), seed)


# One model


def measure(job: Job, runs: Path) -> Iterator[StudyRow]:
    """Write the features of the model to a file below `runs`, and score them."""
    settings, cells = job.settings, {cell.estimator: cell for cell in job.cells}
    pictures, clusters = _material(job.data, int(settings["pictures"]), runs, job.seed)
    Z, seconds = _features(job, pictures, runs)
    if SECONDS in cells:
        yield StudyRow(cells[SECONDS], seconds / len(pictures), math.nan, seconds)
    for setting in SETTINGS:
        labels = clusters if setting.of_input else pictures.labels
        yield from _scored(setting, str(settings["model"]), Z, labels, cells, job.seed)


@cache
def _material(data: str, per_class: int, runs: Path, seed: int) -> tuple[Any, Labels]:
    """The pictures, which know their classes, and their clusters by their pixels."""
    from eigentropy.torch.features.images import ImageFolder

    pictures: Any
    if data == STAND_IN:
        from eigentropy.studies.vision.stand_in_pictures import enlarged

        pictures = enlarged(per_class)
    else:
        files = imagenet_pictures.chosen(per_class)
        folder = runs / "imagenet" / f"pictures-{per_class}"
        pictures = ImageFolder(imagenet_pictures.linked(files, folder))
    X = imagenet_pictures.pixels(pictures[i] for i in range(len(pictures)))
    return pictures, group_codes(X, len(X), "vectors", CLUSTERS, "spectral", seed, "X")


def _features(job: Job, pictures: Any, runs: Path) -> tuple[Any, float]:
    """The rows of a model, and the seconds that the pass over the pictures took when it was made.

    The file is found again, and the model is not run twice.
    """
    from eigentropy.torch.features import extract

    settings = job.settings
    folder = runs / "imagenet" / job.data
    folder.mkdir(parents=True, exist_ok=True)
    file = extract(
        f"timm:{settings['model']}",
        pictures,
        folder / f"{settings['model']}-{settings['pictures']}.safetensors",
        preprocessing={"size": settings["size"], "crop": settings["crop"]},
        weights=str(settings["weights"]) if "weights" in settings else None,
        overwrite=True,  # of another list or version of timm
    )
    return file.features, float(file.metadata["seconds"])


def _scored(
    setting: ScoreGroup, name: str, Z: Any, labels: Labels, cells: dict[str, Cell], seed: int
) -> Iterator[StudyRow]:
    """The rows of one setting; a score that is not defined for this model has none."""
    from eigentropy.ranking import score_model

    wanted = [score for score, of in setting.estimators.items() if of in cells]
    if not wanted:
        return
    options: dict[str, Any] = {} if setting.sigma is None else {"sigma": setting.sigma}
    found = score_model(name, Z, labels, scores=wanted, sampling=False, seed=seed, **options)
    for score, value in found.values.items():
        seconds = found.seconds.get(score, 0.0)  # of scores that share work, one has it all
        yield StudyRow(cells[setting.estimators[score]], value, math.nan, seconds)


# What the rows say


def _pairs(rows: Sequence[StudyRow], *names: str) -> tuple[list[float], ...]:
    """The values of each name, and the accuracy, of the models that have them all.

    Of ImageNet's pictures alone: stand-ins have no accuracy, and no part in any claim.
    """
    real = select(rows, data=IMAGENET)
    found = [{row["model"]: row.value for row in select(real, estimator=n)} for n in names]
    top1 = {row["model"]: float(row["top1"]) for row in real}
    shared = sorted(m for m in top1 if all(math.isfinite(of.get(m, math.nan)) for of in found))
    return *[[of[m] for m in shared] for of in found], [top1[m] for m in shared]


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether the paper's numbers are found again, and whether others rank better."""
    return [
        *[_published(rows, name) for name in PUBLISHED],
        *[_better(rows, name) for name in OURS],
        _neighbours(rows),
        _same_classes(rows),
        _in_families(rows),
    ]


def _few(x: Sequence[float], claim: Claim) -> Finding | None:
    """What is said where too few models, or none, are there."""
    if len(x) >= FEWEST:
        return None
    if not x:
        return claim.not_measured()
    return claim.judged(f"{len(x)} models are too few; {FEWEST} decide", None)


def _published(rows: Sequence[StudyRow], name: str) -> Finding:
    title, linear, ranks = PUBLISHED[name]
    text = (
        f"{title}, sigma = sqrt(d), and top-1: Pearson {linear:.3f}, Spearman {ranks:.3f} "
        "(the paper, 962 models)"
    )
    claim = Claim("published", text)
    x, y = _pairs(rows, name)
    if few := _few(x, claim):
        return few
    ends = [interval(x, y, of) for of in (pearson, spearman)]
    inside = [low <= value <= high
              for (low, high), value in zip(ends, (linear, ranks), strict=True)]  # fmt: skip
    measured = f"Pearson {_shown(x, y, pearson)}, Spearman {_shown(x, y)}; {len(x)} models"
    return claim.judged(measured, all(inside))


def _shown(x: Values, y: Values, of: Callable[[Values, Values], float] = spearman) -> str:
    low, high = interval(x, y, of)
    return f"{of(x, y):.3f} (95 %: {low:.3f} to {high:.3f})"


def _better(rows: Sequence[StudyRow], name: str) -> Finding:
    text = f"{name}, whose sigma follows the scale, ranks models better than the paper's DSMI(Z;Y)"
    return _leads(rows, name, PAPER, Claim("scale-free", text))


def _leads(rows: Sequence[StudyRow], name: str, other: str, claim: Claim) -> Finding:
    """Whether it does beyond the noise of the models; signs do not count."""
    x, others, y = _pairs(rows, name, other)
    if few := _few(x, claim):
        return few
    ahead, (low, high) = lead(x, others, y)
    measured = (
        f"Spearman {abs(spearman(x, y)):.3f}, and {other} {abs(spearman(others, y)):.3f}: "
        f"{ahead:+.3f} (95 %: {low:+.3f} to {high:+.3f}); {len(x)} models"
    )
    return claim.judged(measured, low > 0.0)


def _neighbours(rows: Sequence[StudyRow]) -> Finding:
    claim = Claim("probe", "the kNN probe of the same pictures ranks models better than any score")
    known = {n: abs(spearman(*_pairs(rows, n))) for n in ESTIMATORS if n not in PROBES}
    known = {name: rho for name, rho in known.items() if math.isfinite(rho)}
    if not known:
        return claim.not_measured()
    return _leads(rows, KNN, max(known, key=known.__getitem__), claim)


def _same_classes(rows: Sequence[StudyRow]) -> Finding:
    text = (
        f"the kNN probe of the {len(imagenet_pictures.CLASSES)} classes ranks models as top-1 of "
        f"1000 classes does: Spearman {SAME} or more"
    )
    claim = Claim("same classes", text)
    x, y = _pairs(rows, KNN)
    return _few(x, claim) or claim.judged(
        f"Spearman {_shown(x, y)}; {len(x)} models", spearman(x, y) >= SAME
    )


def _in_families(rows: Sequence[StudyRow]) -> Finding:
    text = (
        f"{OURS[1]} ranks models within families of {OF_A_FAMILY} or more, too: the median "
        "Spearman is at least half of that over all"
    )
    claim = Claim("families", text)
    x, y = _pairs(rows, OURS[1])
    within = [rho for _, _, rho in _families(rows, OURS[1])]
    if few := _few(x, claim):
        return few
    if not within:
        return claim.judged("no family has as many", None)
    median, over_all = float(np.median(within)), spearman(x, y)
    measured = f"{median:.3f} of {len(within)} families, and {over_all:.3f} over all"
    return claim.judged(measured, median >= 0.5 * over_all > 0.0)


def _families(rows: Sequence[StudyRow], name: str) -> list[tuple[str, int, float]]:
    """Each family with enough models: their number, and the rank correlation with top-1."""
    real = select(rows, data=IMAGENET)
    found = []
    for family in distinct(real, "family"):
        x, y = _pairs(select(real, family=family), name)
        if len(x) >= OF_A_FAMILY and math.isfinite(spearman(x, y)):
            found.append((str(family), len(x), spearman(x, y)))
    return sorted(found, key=lambda entry: -entry[1])


# What is shown


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Correlations of every score with top-1, the best first; of stand-ins what they took."""
    if not select(rows, data=IMAGENET):
        return _of_stand_ins(rows)
    pairs = {name: _pairs(rows, name) for name in ESTIMATORS}
    order = sorted(pairs, key=lambda name: -_size(*pairs[name]))
    lines = [
        [name, _shown(x, y, pearson), _shown(x, y), f"{weighted_tau(x, y):.3f}",
         _median_within(rows, name), str(len(x))]
        for name in order for x, y in [pairs[name]]
    ]  # fmt: skip
    heading = "Correlation with top-1, 95 % intervals over models (dsmi_x: of clusters of pixels)"
    columns = ["score", "Pearson", "Spearman", "weighted tau", "Spearman in families", "models"]
    return Listing(heading, columns, lines)


def _size(x: Values, y: Values) -> float:
    rho = abs(spearman(x, y))
    return rho if math.isfinite(rho) else -1.0


def _median_within(rows: Sequence[StudyRow], name: str) -> str:
    within = [rho for _, _, rho in _families(rows, name)]
    return f"{np.median(within):.3f} of {len(within)}" if within else "-"


def _of_stand_ins(rows: Sequence[StudyRow]) -> Listing:
    lines = []
    for model in distinct(rows, "model"):
        some = select(rows, model=model)
        found = {row.cell.estimator: row.value for row in some}
        scores = sum(name in found for name in ESTIMATORS)
        lines.append([
            model, some[0]["family"], str(some[0]["size"]), f"{some[0]['parameters']:.1f}",
            f"{found.get(SECONDS, math.nan):.3f}", f"{scores} of {len(ESTIMATORS)}",
        ])  # fmt: skip
    return Listing(
        "STAND-INS: untrained networks over enlarged CIFAR-10. No result, but every step was taken",
        ["model, untrained", "family", "pixels", "10^6 parameters", SECONDS, "scores"],
        lines,
    )


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Top-1 over scores, a colour a family; and what a picture took over the parameters."""
    drawn = []
    if real := select(rows, data=IMAGENET):
        drawn = [
            Panel(name, name, "top-1, %", _by_family(real, name), scatter=True)
            for name in (PAPER, *OURS, KNN)
        ]
    title = "time" if real else "stand-ins: time"
    curves = [Curve(title, _points(select(rows, estimator=SECONDS), "parameters"))]
    return [*drawn, Panel(title, "10^6 parameters", SECONDS, curves, log_x=True, scatter=True)]


def _points(rows: Sequence[StudyRow], x: str) -> dict[float, list[float]]:
    points: dict[float, list[float]] = {}
    for row in rows:
        points.setdefault(float(row[x]), []).append(row.value)
    return points


def _by_family(rows: Sequence[StudyRow], name: str) -> list[Curve]:
    """The largest families, and all others as one."""
    some = [row for row in select(rows, estimator=name) if math.isfinite(row.value)]
    counts: dict[str, int] = {}
    for row in some:
        counts[row["family"]] = counts.get(row["family"], 0) + 1
    large = sorted(counts, key=lambda family: (-counts[family], family))[:COLOURS]
    points: dict[str, dict[float, list[float]]] = {family: {} for family in (*large, "others")}
    for row in some:
        of = row["family"] if row["family"] in large else "others"
        points[of].setdefault(row.value, []).append(float(row["top1"]))
    return [Curve(family, found) for family, found in points.items()]


STUDY = Study(
    name="imagenet",
    title="which score ranks timm's pretrained models by their accuracy on ImageNet",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    by_engine=True,
    records=True,
    takes_models=True,
    data=(IMAGENET, STAND_IN),
    below="a point a model; families by the files of timm",
)
