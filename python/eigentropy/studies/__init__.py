"""The experiments of the paper, and others that judge measures, as `eigentropy study NAME`.

One file a study. Each says which cells to measure, how to measure one, what the rows say about the
paper's claims, and what to draw; `run` does the rest.
"""

from __future__ import annotations

from eigentropy.studies import (
    bandwidth,
    bottleneck,
    calibration,
    collapse,
    condensation,
    corruption,
    dimension,
    forgetting,
    imagenet,
    initialization,
    intrinsic_dimension,
    intuition,
    known_information,
    layers,
    memorization,
    models,
    pretrained,
    projection,
    pruning,
    regularization,
    sampling,
    sigma_t,
    subsampling,
    tickets,
    training,
    trees,
    units,
    views,
)
from eigentropy.studies.running import run
from eigentropy.studies.study import Finding, Outcome, Study, StudyPlan

STUDIES: dict[str, Study] = {
    module.STUDY.name: module.STUDY
    for module in (
        intuition,
        intrinsic_dimension,
        trees,
        corruption,
        dimension,
        subsampling,
        sigma_t,
        bandwidth,
        calibration,
        sampling,
        models,
        pretrained,
        imagenet,
        layers,
        known_information,
        training,
        memorization,
        units,
        forgetting,
        initialization,
        regularization,
        collapse,
        views,
        pruning,
        tickets,
        projection,
        bottleneck,
        condensation,
    )
}

__all__ = ["STUDIES", "Finding", "Outcome", "Study", "StudyPlan", "find", "run"]


def find(name: str) -> Study:
    """The study of this name.

    Raises
    ------
    ValueError
        There is none.
    """
    if name not in STUDIES:
        raise ValueError(f"NAME must be one of {', '.join(STUDIES)}, got {name!r}")
    return STUDIES[name]
