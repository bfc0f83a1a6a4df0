"""A study whose numbers cost nothing: x squared, and whether the mean over the seeds is.

In a module of its own, so that processes that measure it import little.
"""

from __future__ import annotations

import math
import os

from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import (
    Claim,
    Curve,
    Panel,
    Study,
    make_job,
    means,
    repeated,
    select,
)


def jobs(plan):
    return [
        make_job("toy", {"x": x}, ["square", "cube"], s) for s in plan.seeds(2, 3) for x in (1, 2)
    ]


def measure(job):
    for cell in job.cells:
        power = 2 if cell.estimator == "square" else 3
        yield StudyRow(cell, float(cell.settings["x"]) ** power, math.nan, 0.0)


def killed(job):
    os._exit(1)


def findings(found):
    squares = means(select(found, estimator="square"), "x")
    return [Claim("squares", "squares").judged(f"{squares}", squares == {1.0: 1.0, 2.0: 4.0})]


def panels(found):
    return [Panel("toy", "x", "y", [Curve("s", repeated(found, "x"))])]


TOY = Study("toy", "numbers", jobs, measure, findings, panels)
