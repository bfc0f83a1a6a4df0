"""What the studies of pruning share: the network's layers, how many weights a share is, sizes.

The network is LeNet-300-100 (LeCun et al. 1998), as Frankle and Carbin (arXiv 1803.03635) train it.
PyTorch is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eigentropy.studies.courses import Course
from eigentropy.studies.models import require_sklearn
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.study import StudyPlan

DATA = ("digits", "mnist-5000")

# The layers in order, by what a table calls them: two hidden ones after their ReLU, the logits.
HIDDEN, OUTPUT = ("layer 1", "layer 2"), "output"
LAYERS = (*HIDDEN, OUTPUT)
WIDTHS = (300, 100)

# What is measured of each layer, on pictures that the network is not trained on.
STATISTICS = (
    "DSE auto",
    "DSMI(Z;Y) auto",
    "adjusted(Z;Y) auto",
    "kernel entropy",
    "kernel information",
    "adjusted kernel information",
)

# Of a network as a whole: its accuracy on the held-out pictures.
NETWORK, ACCURACY = "network", "accuracy"


@dataclass(frozen=True)
class SparseSizes:
    """How long is trained, and on how many pictures. Tests take less."""

    # The learning rate and the batch of Frankle and Carbin, and some 500 steps: a second or two.
    courses: Mapping[str, Course] = field(
        default_factory=lambda: {
            "digits": Course(40, 1.2e-3, 60),
            "mnist-5000": Course(8, 1.2e-3, 60),
        }
    )
    validation: Mapping[str, int] = field(
        default_factory=lambda: {"digits": 200, "mnist-5000": 300}
    )
    digits: int | None = None  # pictures in each half of the digits; None: all


SIZES = SparseSizes()


def data_of(plan: StudyPlan) -> str:
    """The plan's data set, after the packages that every one needs have been looked for."""
    torch_for_networks()
    require_sklearn()
    data = plan.data or DATA[0]
    if data not in DATA:
        raise ValueError(f"data must be one of {', '.join(DATA)}, got {data!r}")
    return data


def epochs_of(plan: StudyPlan, data: str) -> int:
    """The plan's number of epochs, or that of the data set."""
    return plan.epochs or SIZES.courses[data].epochs


def removed(count: int, share: float, of: str) -> int:
    """How many of `count` weights or neurons a share is, rounded; at least one is left.

    Raises
    ------
    ValueError
        The share is not from 0 to 1, or none would be left; `of` says of what.
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"the share of {of} to remove must be at least 0 and below 1, got {share}")
    number = round(share * count)
    if number == count:
        raise ValueError(
            f"a share of {share} removes all {count} {of}, and an empty layer passes nothing on: "
            f"take at most {(count - 1) / count:.6g}, which leaves one"
        )
    return number
