"""Draws the samples of the study `known-information` from PyPI's benchmark-mi, and stores them.

    python -m venv /tmp/bmi
    /tmp/bmi/bin/pip install benchmark-mi==0.1.3 jax==0.4.30 jaxlib==0.4.30
    /tmp/bmi/bin/python scripts/make_known_tasks.py

An environment of its own, since benchmark-mi (MIT; Czyz et al. 2023, arXiv 2306.11078) needs
NumPy 1 and, by the equinox that it pins, an older JAX. The file known_tasks.npz lies beside its
reader, eigentropy.studies.known_tasks. The same versions write the same numbers.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from bmi.benchmark import BENCHMARK_TASKS
from bmi.benchmark.tasks import additive_noise, multinormal, student
from bmi.benchmark.tasks.asinh import transform_asinh_task as asinh
from bmi.benchmark.tasks.bivariate_normal import task_bivariate_normal as normal
from bmi.benchmark.tasks.half_cube import transform_half_cube_task as half_cube
from bmi.benchmark.tasks.normal_cdf import transform_normal_cdf_task as normal_cdf
from bmi.benchmark.tasks.spiral import transform_spiral_task as spiral
from bmi.benchmark.tasks.wiggly import transform_wiggly_task as wiggly

TARGET = Path(__file__).parents[1] / "python" / "eigentropy" / "studies" / "known_tasks.npz"

ROWS = 800

# Bits of the mantissa that are kept, of 23: a relative error of 6e-5 at most.
MANTISSA = 13

pairs = multinormal.task_multinormal_2pair

# On these the settings are chosen: kinds of data of the benchmark, none of its tasks.
CHOOSING = (
    *(normal(r) for r in (0.3, 0.6, 0.9)),
    half_cube(normal(0.6)),
    *(additive_noise.task_additive_noise(e) for e in (0.3, 2.0)),
    student.task_student_identity(1, 1, df=3),
    *(multinormal.task_multinormal_dense(4, 4, r) for r in (0.3, 0.7)),
    *(pairs(4, 4, s) for s in (0.7, 1.5, 4.0)),
    pairs(10, 10, 2.0),
    normal_cdf(pairs(4, 4, 1.5)),
    asinh(student.task_student_dense(4, 4, df=2)),
    student.task_student_2pair(4, 4, df=3, strength=1.0),
)

# Tasks of one kind, of which only the strength of the dependence changes.
LADDERS = {
    "wiggly 1 x 1": [wiggly(normal(r)) for r in (0.2, 0.4, 0.6, 0.8, 0.95)],
    "spiral 3 x 3": [spiral(pairs(3, 3, s)) for s in (0.3, 0.6, 1.0, 1.5, 4.0)],
    "half-cube 6 x 6": [half_cube(pairs(6, 6, s)) for s in (0.3, 0.6, 1.0, 1.5, 4.0)],
}


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 with MANTISSA bits, to the nearest."""
    dropped = 23 - MANTISSA
    bits = values.astype("<f4").view("<u4")
    bits = (bits + np.uint32(1 << (dropped - 1))) >> np.uint32(dropped) << np.uint32(dropped)
    return bits.view("<f4")


def main() -> None:
    """Draw all tasks, each with a seed of its own, and write the file."""
    tasks = [
        *(("benchmark", task) for task in BENCHMARK_TASKS.values()),
        *(("choosing", task) for task in CHOOSING),
        *((f"ladder {name}", task) for name, steps in LADDERS.items() for task in steps),
    ]
    columns = []
    for seed, (_, task) in enumerate(tasks):
        X, Y = task.sample(ROWS, seed)
        columns += [rounded(np.asarray(Z)).T for Z in (X, Y)]
    values = np.concatenate(columns)
    np.savez_compressed(
        TARGET,
        # Byte by byte: first bytes of all numbers, then second bytes; that compresses best.
        bytes=np.ascontiguousarray(values.reshape(-1, 1).view(np.uint8).T),
        names=np.array([task.id for _, task in tasks]),
        groups=np.array([group for group, _ in tasks]),
        dims=np.array([(task.dim_x, task.dim_y) for _, task in tasks], dtype=np.int16),
        bits=np.array([task.mutual_information / math.log(2.0) for _, task in tasks]),
    )
    print(f"{TARGET}: {len(tasks)} tasks, {values.shape[0]} columns, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
