"""The pairs that MINE learns from: columns of numbers, divided at random into three parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._kernels.groups import KINDS, group_codes, infer_kind
from eigentropy._support.options import one_of
from eigentropy.baselines._pytorch import require_torch

# Share of the rows that are not held out by whose bound training is stopped.
VALIDATION = 0.125


@dataclass(frozen=True)
class Pairs:
    """Rows (x, y) as tensors, for training, for stopping and for the evaluation."""

    training: tuple[Any, Any]
    validation: tuple[Any, Any]
    held_out: tuple[Any, Any]


def as_columns(values: Any, name: str) -> npt.NDArray[Any]:
    """A matrix; scalars (n,) become one column."""
    array = as_numpy(values, name)
    return as_matrix(array[:, None] if array.ndim == 1 else array, name)


def second_columns(Y: Any, kind: str) -> npt.NDArray[Any]:
    """Y as columns of numbers: labels as one-hot rows."""
    values = as_numpy(Y, "Y")
    one_of(kind, "kind", KINDS)
    kind = infer_kind(values) if kind == "auto" else kind
    if kind != "labels":
        return as_columns(values, "Y")
    codes = group_codes(values, len(values), "labels", 1, None)
    return np.eye(int(codes.max()) + 1)[codes]


def divided(x: npt.NDArray[Any], y: npt.NDArray[Any], held_out: float, generator: Any) -> Pairs:
    """Draw the rows of each part; this share is held out.

    Raises
    ------
    ValueError
        There are too few rows.
    """
    torch, n = require_torch("MINE needs"), len(x)
    evaluated = round(held_out * n)
    validated = round(VALIDATION * (n - evaluated))
    trained = n - evaluated - validated
    if min(evaluated, validated, trained) < 2:
        raise ValueError(f"X has {n} rows, too few to hold out {held_out:g} of them")
    order = torch.randperm(n, generator=generator, device="cpu").numpy()
    parts = np.split(order, [trained, trained + validated])
    tensors = [_standardised(values, parts[0]) for values in (x, y)]
    return Pairs(*((tensors[0][part], tensors[1][part]) for part in parts))


def _standardised(values: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Any:
    """Mean 0 and variance 1 on these rows, as far as a column varies there.

    From differences of halves, and in units of the largest, so that no square is 0 or infinite.
    """
    halves = 0.5 * values.astype(np.float64)
    differences = halves - halves[rows[0]]
    differences /= _or_1(np.abs(differences).max(axis=0))
    known = differences[rows]
    standard = (differences - known.mean(axis=0)) / _or_1(known.std(axis=0))
    return require_torch("MINE needs").from_numpy(standard.astype(np.float32))


def _or_1(scales: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.where(scales > 0.0, scales, 1.0)  # of a constant column
