"""Views of what a network has learned: its held-out pictures in a plane, by PHATE, at accuracies.

The paper's last figures: the representation at 20, 30 .. 90 % accuracy, for a low and a high
initial entropy. Beside the pictures stand entropy, information, and how well the classes separate
in the plane and in Z.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support.warnings import warn
from eigentropy.baselines._pytorch import threads_for
from eigentropy.baselines.probes import knn_accuracy
from eigentropy.report.views import require_phate
from eigentropy.studies import courses, differences
from eigentropy.studies.courses import Sizes, Z
from eigentropy.studies.networks import CLASSES, torch_for_networks
from eigentropy.studies.rows import Cell, Parameter, StudyRow, sorted_parameters
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    common,
    distinct,
    select,
)

# Standard deviations of the weights of convolutions. With sigma = 10 the digits have entropy 0 at
# the first and the largest that there is at the second (study `initialization`).
LOW, HIGH = 1e-2, 1.0
NETWORKS = ("convnet", "convnet-bn")

# Accuracies at which a network is looked at, and before training.
START = 0.0
ACCURACIES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

# Accuracy is measured up to this often in an epoch: networks pass several of them in one.
LOOKS = 30

# Held-out pictures of each class, and the paper's time of diffusion.
PER_CLASS = 30
TIME = 10

EPOCHS, ACCURACY = "epochs", "accuracy"
OF_Z = ("DSE sigma=10", "DSE auto", "DSMI(Z;Y) auto", "adjusted(Z;Y) auto",
        "adjusted kernel information(Z;Y) auto")  # fmt: skip
SEPARATE = {name: (f"{name} in Z", f"{name} in the plane") for name in ("kNN", "silhouette")}
NUMBERS = (*OF_Z, *SEPARATE["kNN"], *SEPARATE["silhouette"])
COORDINATES = ("PHATE 1", "PHATE 2")

# Hundredths of the mean distance from the centre are enough to draw points.
DIGITS = 2

Array = npt.NDArray[np.float64]


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network, standard deviation and seed. The first seed is drawn."""
    require_phate("the study views")
    data = courses.data_of(plan)
    small = data == "digits"
    networks = courses.PAPER[:1] if courses.of_the_paper(plan, data) else NETWORKS
    count = courses.epochs(plan, data, quick=60, full=200)
    return [
        _job(data, {"network": network, "std": std, "epochs": count}, seed, seed == plan.seed)
        for network in (networks if small else networks[-1:])
        for seed in plan.seeds(quick=3, full=courses.repetitions(data))
        for std in (LOW, HIGH)
    ]


def _job(data: str, settings: dict[str, Parameter], seed: int, drawn: bool) -> Job:
    def cell(name: str, **more: Parameter) -> Cell:
        return Cell(data, sorted_parameters({**settings, **more}), name, seed)

    cells = [cell(name, at=START, place=Z) for name in OF_Z]
    for at in ACCURACIES:
        cells += [cell(name, at=at, place=Z) for name in (EPOCHS, ACCURACY, *NUMBERS)]
        if drawn:
            cells += [
                cell(name, at=at, **{"class": label, "picture": picture})
                for label in range(CLASSES)
                for picture in range(PER_CLASS)
                for name in COORDINATES
            ]
    return Job(tuple(cells))


def _measure(
    job: Job, runs: Path | None = None, sizes: Sizes = courses.SIZES
) -> Iterator[StudyRow]:
    """The rows of all views that the network comes to."""
    run = replace(job, cells=tuple(_of_run(cell) for cell in job.cells))
    states, look = _prepared(job, sizes, _recorder(runs, run, drawn=_is_drawn(job)))
    wanted: dict[float, list[Cell]] = {}
    for cell in job.cells:
        wanted.setdefault(float(cell.settings["at"]), []).append(cell)
    with threads_for(torch_for_networks(), 0), closing(states):
        for reached, epochs, accuracy in states:
            start = time.perf_counter()
            found = look(reached[-1], epochs, accuracy)
            seconds = time.perf_counter() - start
            for at in reached:
                for cell in wanted.pop(at, ()):
                    yield StudyRow(cell, found[_key(cell)], math.nan, seconds)
            if not wanted:
                return
    missed = ", ".join(f"{at:.0%}" for at in wanted)
    warn(f"the network of {common(run)}, seed {job.seed}, never has an accuracy of {missed}")


def _is_drawn(job: Job) -> bool:
    return any(cell.estimator in COORDINATES for cell in job.cells)


def _recorder(runs: Path | None, run: Job, *, drawn: bool) -> Any:
    """The recorder of a run whose steps are accuracies, with PHATE of what is drawn."""
    made = courses.record(runs, "views", run)
    if made is None:
        return None
    from eigentropy.report import Recorder

    return Recorder(made.path, settings=made.settings, step_name="percent", phate=drawn)


def _of_run(cell: Cell) -> Cell:
    """The cell with the settings of its network alone."""
    kept = {k: v for k, v in cell.settings.items() if k in ("network", "std", "epochs")}
    return replace(cell, parameters=sorted_parameters(kept))


def _key(cell: Cell) -> tuple[Any, ...]:
    """What names a number of a view: its estimator, and of coordinates the picture."""
    of = cell.settings
    return (cell.estimator, of["class"], of["picture"]) if "picture" in of else (cell.estimator,)


# The accuracies that are reached, after how many epochs, and the accuracy.
State = tuple[list[float], float, float]


def _prepared(job: Job, sizes: Sizes, recorder: Any) -> tuple[Any, Any]:
    """The states of a network while it learns, and a function that looks at one."""
    import torch

    from eigentropy.studies.vision import architectures, learning, pictures
    from eigentropy.studies.vision.watching import PAPER_SIGMA, Watch
    from eigentropy.torch.initialization import normal_weights

    settings, seed = job.settings, job.seed
    training, heldout = pictures.load(job.data, sizes.digits)
    rows = by_class(heldout.y, seed)
    shown = heldout.some(rows)
    network = architectures.make(str(settings["network"]), training, seed, sizes.side)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        normal_weights(network.body, float(settings["std"]))
    watches = [
        Watch(network, shown, len(shown), further=("kernel_y",), record=recorder),
        Watch(network, shown, len(shown), sigma=PAPER_SIGMA),
    ]
    plan = sizes.course(job.data, int(settings["epochs"]), network.name)
    steps = learning.train_by_batch(network, training, plan, learning.supervised(job.data), seed)
    every = max(1, round(-(-len(training) // plan.batch_size) / LOOKS))
    before: list[Array] = []

    def states() -> Iterator[State]:
        left = list(ACCURACIES)
        yield [START], 0.0, learning.accuracy(network, training, shown)
        for step, (epochs, _) in enumerate(steps):
            if step == 0 or step % every:
                continue
            accuracy = learning.accuracy(network, training, shown)
            reached = [at for at in left if at <= accuracy]
            if reached:
                left = left[len(reached) :]
                yield reached, epochs, accuracy
            if not left:
                return

    def look(at: float, epochs: float, accuracy: float) -> dict[tuple[Any, ...], float]:
        values = {EPOCHS: epochs, ACCURACY: accuracy}
        measured = watches[0](round(100 * at), values) | watches[1](0)
        found = {(name,): value for (_, name), value in measured.items()}
        found |= {(name,): value for name, value in values.items()}
        if at == START:
            return found
        features = learning.outputs(network, shown.X)[0].astype(float)
        points = turned(phate_plane(features, seed), before[-1] if before else None)
        before.append(points)
        found |= {(name,): value for name, value in separations(features, points, shown.y).items()}
        return found | _coordinates(points, shown.y)

    return states(), look


def by_class(y: Any, seed: int) -> Any:
    """Numbers of `PER_CLASS` rows of each class, drawn at random, class by class."""
    order = np.random.default_rng([seed, 12]).permutation(len(y))
    return np.concatenate([order[y[order] == label][:PER_CLASS] for label in np.unique(y)])


def phate_plane(features: Array, seed: int) -> Array:
    """The coordinates (n, 2) of the rows by PHATE."""
    from eigentropy.embed import phate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of rows that are the same
        return phate(features, t=TIME, mds_solver="smacof", seed=seed)


def turned(points: Array, onto: Array | None) -> Array:
    """The points around 0, at a mean square distance of 1, turned onto those of the view before.

    PHATE leaves place, size, turn and mirror image open. Turns and mirror images are chosen so that
    each picture moves as little as possible (orthogonal Procrustes).
    """
    points = points - points.mean(axis=0)
    size = math.sqrt(float(np.square(points).sum(axis=1).mean()))
    points = points / (size or 1.0)
    if onto is None:
        return points
    left, _, right = np.linalg.svd(points.T @ onto)
    found: Array = points @ (left @ right)
    return found


def separations(features: Array, points: Array, y: Any) -> dict[str, float]:
    """How well the classes separate in Z and in the plane."""
    from sklearn.metrics import silhouette_score

    found = {}
    for number, rows in enumerate((features, points)):
        found[SEPARATE["kNN"][number]] = float(knn_accuracy(rows, y))
        found[SEPARATE["silhouette"][number]] = float(silhouette_score(rows, y))
    return found


def _coordinates(points: Array, y: Any) -> dict[tuple[Any, ...], float]:
    turn = {label: iter(range(PER_CLASS)) for label in np.unique(y).tolist()}
    found = {}
    for label, point in zip(np.asarray(y).tolist(), points, strict=True):
        picture = next(turn[label])
        for name, value in zip(COORDINATES, point, strict=True):
            found[name, label, picture] = round(float(value), DIGITS)
    return found


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """What changes with accuracy, what with the initial entropy, and what the plane leaves out."""
    numbers, found = _numbers(rows), []
    for data in distinct(numbers, "data"):
        for network in distinct(select(numbers, data=data), "network"):
            of, name = select(numbers, data=data, network=network), f"{data}, {network}"
            low, high = select(of, std=LOW), select(of, std=HIGH)
            found += [_lower(low, high, name), *_sooner(low, high, name)]
            for rows_of, said in ((low, "low"), (high, "high")):
                found += [_rises(rows_of, f"{name}, {said}", estimator) for estimator in RISING]
            found += [_differs(low, high, name, estimator) for estimator in COMPARED]
            found += _plane(of, name)
    return found


# What should rise with accuracy, and what may differ at the same accuracy.
RISING = (*OF_Z[:2], *OF_Z[3:], SEPARATE["kNN"][1])
COMPARED = (*OF_Z[1:], *SEPARATE["kNN"])


def _numbers(rows: Iterable[StudyRow]) -> list[StudyRow]:
    """The rows that are not coordinates."""
    return [row for row in rows if row.cell.estimator not in COORDINATES]


def _lower(low: Sequence[StudyRow], high: Sequence[StudyRow], name: str) -> Finding:
    text = f"{name}: before training, DSE with sigma = 10 is lower at std {LOW:g} than at {HIGH:g}"
    of = (select(rows, estimator=OF_Z[0], at=START) for rows in (low, high))
    return differences.judged(Claim("initial", text), differences.paired(*of), -1)


def _sooner(low: Sequence[StudyRow], high: Sequence[StudyRow], name: str) -> list[Finding]:
    found = []
    for at in (0.5, 0.9):
        text = f"{name}: low initial entropy comes to {at:.0%} in fewer epochs (the paper)"
        of = [select(rows, estimator=EPOCHS, at=at) for rows in (low, high)]
        one = differences.judged(Claim("sooner", text), differences.paired(*of), -1, "+.1f")
        if any(of):
            said = "no interval" if one.holds is None else one.measured
            ours, theirs = (len(distinct(part, "seed")) for part in of)
            one = replace(one, measured=f"{said}; low comes there with {ours} seeds, high {theirs}")
        found.append(one)
    return found


def _rises(rows: Sequence[StudyRow], name: str, estimator: str) -> Finding:
    """From the first view to the last that all seeds come to."""
    of = [row for row in select(rows, estimator=estimator) if row["at"] > START]
    seeds = len(distinct(of, "seed"))
    shared = [at for at in distinct(of, "at") if len(select(of, at=at)) == seeds]
    first, last = min(shared, default=START), max(shared, default=START)
    text = f"{name}: {estimator} rises from {ACCURACIES[0]:.0%} to {ACCURACIES[-1]:.0%} accuracy"
    claim = Claim("rises", text)
    if first == last:
        return claim.not_measured()
    found = differences.judged(
        claim, differences.paired(select(of, at=last), select(of, at=first)), 1
    )
    until = "" if last == ACCURACIES[-1] else f", until {last:.0%}"
    return replace(found, measured=found.measured + until)


def _differs(
    low: Sequence[StudyRow], high: Sequence[StudyRow], name: str, estimator: str
) -> Finding:
    """Over the accuracies that both networks of a seed come to."""
    claim = Claim("differs", f"{name}: {estimator} at the same accuracy differs (low less high)")
    ours, theirs = (
        [row for row in select(rows, estimator=estimator) if row["at"] > START]
        for rows in (low, high)
    )
    return differences.judged(claim, differences.paired(*_shared(ours, theirs)), 0)


def _shared(
    rows: Sequence[StudyRow], others: Sequence[StudyRow]
) -> tuple[list[StudyRow], list[StudyRow]]:
    """The rows of those seeds and accuracies that both have."""
    keys = [{(row.cell.seed, row["at"]) for row in part} for part in (rows, others)]
    both = keys[0] & keys[1]
    ours, theirs = (
        [row for row in part if (row.cell.seed, row["at"]) in both] for part in (rows, others)
    )
    return ours, theirs


def _plane(rows: Sequence[StudyRow], name: str) -> list[Finding]:
    knn, apart = SEPARATE.values()
    return [
        differences.judged(
            Claim("plane", f"{name}: {text}"),
            differences.paired(select(rows, estimator=of[1]), select(rows, estimator=of[0])),
            sign,
        )
        for text, of, sign in (
            ("kNN finds fewer of the classes in the plane than in Z", knn, -1),
            ("the classes look farther apart in the plane than in Z (silhouette)", apart, 1),
        )
    ]


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Means over the seeds of all views."""
    names = (EPOCHS, ACCURACY, *NUMBERS)
    numbers, lines = _numbers(rows), []
    for data in distinct(numbers, "data"):
        for network in distinct(select(numbers, data=data), "network"):
            for std in (LOW, HIGH):
                of = select(numbers, data=data, network=network, std=std)
                lines += [
                    [data, network, f"{std:g}", f"{at:.0%}", *_means(select(of, at=at), names)]
                    for at in distinct(of, "at")
                ]
    seeds = len(distinct(numbers, "seed"))
    title = f"Views, means over up to {seeds} seeds; 0 % is before training"
    return Listing(title, ["data", "network", "std", "view", *names], lines)


def _means(rows: Sequence[StudyRow], names: Sequence[str]) -> list[str]:
    values = [[row.value for row in select(rows, estimator=name)] for name in names]
    return [f"{math.fsum(of) / len(of):.2f}" if of else "" for of in values]


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Each view of the first seed: a row of the grid for each network, a column an accuracy."""
    places: dict[tuple[Any, ...], dict[tuple[int, int], dict[str, float]]] = {}
    for row in rows:
        if row.cell.estimator in COORDINATES:
            of = row.cell.settings
            view = places.setdefault((row.cell.data, of["network"], of["std"], of["at"]), {})
            picture = (int(of["class"]), int(of["picture"]))
            view.setdefault(picture, {})[row.cell.estimator] = row.value
    return [
        _panel(places.get((*of, at), {}), at, of)
        for of in dict.fromkeys(key[:3] for key in places)
        for at in ACCURACIES
    ]


def _panel(view: dict[tuple[int, int], dict[str, float]], at: float, of: tuple[Any, ...]) -> Panel:
    curves = []
    for label in range(CLASSES):
        points: dict[float, list[float]] = {}
        for (own, _), point in view.items():
            if own == label and len(point) == len(COORDINATES):
                points.setdefault(point[COORDINATES[0]], []).append(point[COORDINATES[1]])
        curves.append(Curve(f"class {label}", points))
    data, network, std = of
    side = f"{data}, std {std:g}\n{network}" if at == ACCURACIES[0] else ""
    return Panel(f"{at:.0%}", "", side, curves, scatter=True, small=True)


STUDY = Study(
    "views",
    "the representation in a plane at 20 to 90 % accuracy, for a low and a high initial entropy",
    jobs,
    _measure,
    findings,
    panels,
    listing,
    parallel=True,
    records=True,
    data=courses.DATA,
    below=f"PHATE of Z, t = {TIME}: {PER_CLASS} held-out pictures of each class, one seed",
)
