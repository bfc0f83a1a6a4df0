"""What the studies of training share: data, networks, lengths, cells. PyTorch is not imported."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eigentropy._support.warnings import warn
from eigentropy.baselines._pytorch import threads_for
from eigentropy.io.paths import FileError, shown
from eigentropy.studies.models import require_sklearn
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.rows import Cell, Parameter, StudyRow, sorted_parameters
from eigentropy.studies.study import Job, Study, StudyPlan, common, run_directory, select

# Of scikit-learn; from packages, through scripts/fetch_study_data.py; from torchvision.
DATA = ("digits", "mnist-5000", "fashion-mnist", "mnist", "cifar10", "stl10")

# What torchvision downloads where the cache has no file.
TORCHVISION = ("mnist", "cifar10", "stl10")

# Small networks for digits; such for pictures of 28 and 32 pixels a side, minutes a run on one
# core; and the paper's networks. All are trained from scratch.
SMALL = ("convnet", "vit")
MEDIUM = ("vgg", "resnet", "vit")
PAPER = (
    "resnet50",
    "resnext50_32x4d",
    "convnext_nano",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    "xcit_nano_12_p16_224",
)

# The modules of each network's body that count as its blocks, in order.
BLOCKS = {
    "convnet": tuple(f"block{i}" for i in (1, 2, 3)),
    "convnet-bn": tuple(f"block{i}" for i in (1, 2, 3)),
    "vgg": tuple(f"block{i}" for i in (1, 2, 3)),
    "resnet": tuple(f"block{i}" for i in (1, 2, 3)),
    "vit": tuple(f"block{i}" for i in (1, 2, 3)),
    "resnet50": tuple(f"layer{i}" for i in (1, 2, 3, 4)),
    "resnext50_32x4d": tuple(f"layer{i}" for i in (1, 2, 3, 4)),
    "convnext_nano": tuple(f"stages.{i}" for i in range(4)),
    "vit_tiny_patch16_224": tuple(f"blocks.{i}" for i in range(12)),
    "swin_tiny_patch4_window7_224": tuple(f"layers.{i}" for i in range(4)),
    "xcit_nano_12_p16_224": tuple(f"blocks.{i}" for i in range(12)),
}

# Place of a number in a network: its penultimate layer, a block, or the run as a whole.
Z = "Z"
RUN = "run"

# Values by place and estimator.
Numbers = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Course:
    """How a network is trained: AdamW, linear warm-up, then a cosine down to 0."""

    epochs: int
    learning_rate: float
    batch_size: int

    @property
    def warm_up(self) -> int:
        """Epochs of warm-up: 10 of 200, as in the paper."""
        return max(1, self.epochs // 20)


# Passes through the data that the networks for 28 and 32 pixels take. A transformer needs more: an
# accuracy of 0.69 is what 4 passes reach on CIFAR-10.
EPOCHS = {"mnist-5000": 15, "fashion-mnist": 2, "mnist": 2, "cifar10": 3}
MORE = {("cifar10", "vit"): 6}

# Pictures that the accuracies of these networks are of, and of which the probe is drawn.
HELD_OUT = 4000


def course(data: str, epochs: int, network: str) -> Course:
    """The paper's course, or a short one, of a high rate, for the smaller networks."""
    if network not in PAPER:
        return Course(epochs, 3e-3, 64)
    return Course(epochs, 1e-5 if data == "mnist" else 1e-4, 128)


@dataclass(frozen=True)
class Sizes:
    """How much is trained on and measured. Tests take less."""

    digits: int | None = None  # pictures in each half of the digits; None: all
    points_of_digits: int = 600
    points_of_medium: int = 1000  # of pictures that the networks for 28 and 32 pixels learn
    points: int = 10_000  # of what the paper's networks learn: the most that the paper has
    side: int = 224  # pixels a side that the paper's networks are given
    course: Callable[[str, int, str], Course] = course

    def points_of(self, data: str, network: str) -> int:
        """The number of samples of the probe."""
        if data == "digits":
            return self.points_of_digits
        return self.points if network in PAPER else self.points_of_medium


SIZES = Sizes()

# In bits, about labels and inputs: all data sets have ten classes, and inputs are ten clusters.
LARGEST_INFORMATION = math.log2(10)


def largest_entropy(rows: Iterable[StudyRow]) -> float:
    """The largest entropy in bits that a probe can have."""
    counts = {SIZES.points_of(row.cell.data, str(row["network"])) for row in rows}
    return max(map(math.log2, counts), default=math.inf)


# A study prepares a training from a job, the sizes and the recorder of its run (or None). It is an
# iterable of epochs with their losses, and a function that measures at an epoch and loss.
Training = tuple[Iterable[tuple[int, float]], Callable[[int, float], Numbers]]
Prepare = Callable[[Job, Sizes, Any], Training]


def data_of(plan: StudyPlan) -> str:
    """The plan's data set, after its packages have been looked for.

    Raises
    ------
    ImportError
        One is missing; the message names the extra.
    FileError
        The pictures are in no file, and torchvision has no such data set.
    """
    torch_for_networks()
    require_sklearn()
    data = plan.data or "digits"
    if data not in DATA:
        raise ValueError(f"data must be one of {', '.join(DATA)}, got {data!r}")
    needed = () if data == "digits" or stored(data).exists() else ("torchvision",)
    if needed and data not in TORCHVISION:
        raise missing(data)
    for package in (*needed, *(("timm",) if of_the_paper(plan, data) else ())):
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                f"data = {data!r} needs {package} here, which is missing: "
                "pip install 'eigentropy[vision]'"
            )
    return data


def cache() -> Path:
    """Where data sets lie and are downloaded to: $EIGENTROPY_DATA, or the user's cache."""
    if "EIGENTROPY_DATA" in os.environ:
        return Path(os.environ["EIGENTROPY_DATA"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eigentropy"


def stored(data: str) -> Path:
    """The data set's file in the cache, as scripts/fetch_study_data.py writes it."""
    return cache() / f"{data}.npz"


def missing(data: str) -> FileError:
    """What is said where the cache lacks a data set that only packages ship."""
    return FileError(
        f"data = {data!r} is read from {shown(stored(data))}, which does not exist; it is written "
        f"by `EIGENTROPY_DATA={shown(cache())} python scripts/fetch_study_data.py {data}`"
    )


def of_the_paper(plan: StudyPlan, data: str) -> bool:
    """Whether the paper's networks are trained: at full size on its data, and on STL-10."""
    return data == "stl10" or (plan.full and data in TORCHVISION)


def networks(plan: StudyPlan, data: str) -> tuple[str, ...]:
    """Convolutional networks and a transformer; at full size all of the paper's."""
    if of_the_paper(plan, data):
        return PAPER if plan.full else (PAPER[0], PAPER[3])
    return SMALL if data == "digits" else MEDIUM


def epochs(plan: StudyPlan, data: str, quick: int, full: int, network: str = "") -> int:
    """The plan's number; or for digits quick or full; the paper's 200; or what is enough here."""
    if plan.epochs is not None:
        return plan.epochs
    if data == "digits":
        return full if plan.full else quick
    if of_the_paper(plan, data):
        return 200 if plan.full else 10
    return MORE.get((data, network), EPOCHS[data])


def repetitions(data: str) -> int:
    """Seeds at full size: three of the paper's data, as there, and five of the others."""
    return 3 if data in TORCHVISION else 5


def observed(count: int, plan: StudyPlan, looks: int = 8) -> list[int]:
    """Epochs after which a network is measured: dense at first, when it changes fastest.

    0 is before training. At full size every fortieth of the course is measured, too.
    """
    steps = {round(count ** (i / looks)) for i in range(looks + 1)}
    return sorted({0, *steps, *(range(0, count, max(1, count // 40)) if plan.full else ())})


def study(name: str, title: str, prepare: Prepare, **others: Any) -> Study:
    """A study of training: train, measure and record what `prepare` makes of each job."""
    return Study(
        name, title, measure=partial(_measure, name, prepare), parallel=True, records=True,
        data=DATA, **others,
    )  # fmt: skip


def _measure(
    name: str, prepare: Prepare, job: Job, runs: Path | None = None, sizes: Sizes = SIZES
) -> Iterator[StudyRow]:
    yield from rows(job, _measured(job, prepare(job, sizes, record(runs, name, job))))


def _measured(job: Job, training: Training) -> Iterator[tuple[int, Numbers, float]]:
    """Epoch, numbers and seconds of measuring, where something is still to be measured."""
    epochs, measure = training
    at = wanted(job)
    # The networks for digits are small; those for pictures take the threads that PyTorch takes.
    few = threads_for(torch_for_networks(), 0) if job.data == "digits" else nullcontext()
    with few:
        for epoch, loss in epochs:
            if epoch in at:
                start = time.perf_counter()
                numbers = measure(epoch, loss)
                yield epoch, numbers, time.perf_counter() - start


def job(
    data: str,
    settings: Mapping[str, Parameter],
    seed: int,
    at: Iterable[int],
    numbers: Mapping[str, Sequence[str]],
) -> Job:
    """The job that trains one network, with a cell for each epoch, place and estimator."""
    return Job(
        tuple(
            Cell(data, sorted_parameters({**settings, "epoch": epoch, "place": place}), name, seed)
            for epoch in at
            for place, names in numbers.items()
            for name in names
        )
    )


def wanted(job: Job) -> list[int]:
    """The epochs at which something of the job is still to be measured."""
    return sorted({int(cell.settings["epoch"]) for cell in job.cells})


def rows(job: Job, found: Iterator[tuple[int, Numbers, float]]) -> Iterator[StudyRow]:
    """The job's rows, from (epoch, numbers, seconds); none after a network has diverged."""
    end = wanted(job)[-1]
    try:
        for epoch, numbers, seconds in found:
            for cell in job.cells:
                key = (str(cell.settings["place"]), cell.estimator)
                if cell.settings["epoch"] == epoch and key in numbers:
                    yield StudyRow(cell, numbers[key], float("nan"), seconds)
            if epoch == end:  # the rest of the training would be for nothing
                return
    except FloatingPointError as error:
        warn(f"the network of {common(job)} is left out from there on: {error}")


def ends(found: Iterable[StudyRow]) -> dict[int, tuple[float, float]]:
    """For each seed the values at the first and the last epoch."""
    by_seed: dict[int, dict[float, float]] = {}
    for row in found:
        by_seed.setdefault(row.cell.seed, {})[float(row["epoch"])] = row.value
    return {seed: (v[min(v)], v[max(v)]) for seed, v in by_seed.items() if len(v) > 1}


def last(found: Sequence[StudyRow]) -> list[StudyRow]:
    """The rows of the last epoch."""
    end = max((row["epoch"] for row in found), default=0)
    return select(found, epoch=end)


def record(runs: Path | None, study: str, job: Job) -> Any:
    """The recorder of a job's run for `eigentropy report`, or None if runs are not kept.

    The run of an earlier try at the same job is removed.
    """
    if runs is None:
        return None
    from eigentropy.report import Recorder

    path = run_directory(runs, study, job)
    if (path / "run.json").exists():
        shutil.rmtree(path)
    return Recorder(path, settings={"study": study, **common(job), "seed": job.seed})
