"""Files of eigenvalues that `dse-dsmi` can read, and that say what they were computed from."""

from __future__ import annotations

import hashlib
import os
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
from eigentropy._support.npz_files import npz_array, npz_names
from eigentropy._support.warnings import warn
from eigentropy.compat._graphs import Floats, Graph

# The array that dse-dsmi looks for; it passes over any other.
EIGENVALUES = "eigvals"
FINGERPRINT = "eigentropy_fingerprint"


@dataclass(frozen=True)
class _Stored:
    eigenvalues: npt.NDArray[np.float64]
    fingerprint: str | None  # None: written by dse-dsmi


def load(path: Path) -> npt.NDArray[np.float64]:
    """Return the eigenvalues in the file, whatever they were computed from."""
    return _read(path).eigenvalues


def load_or_compute(path: Path, precision: Any, rows: Matrix, graph: Graph) -> Floats:
    """Read the eigenvalues of `graph` on `rows` from the file if it holds these, or compute them.

    What is computed is rounded to `precision`, written to the file, and returned as rounded. A
    file of other data or settings is replaced. A file without a fingerprint is neither used nor
    replaced: what it belongs to cannot be known. Both give a UserWarning.
    """
    dtype = _float_dtype(precision)
    fingerprint = _fingerprint(rows, graph)
    stored = _read(path) if path.exists() else None
    if stored is not None and stored.fingerprint == fingerprint:
        return stored.eigenvalues
    if stored is not None and stored.fingerprint is None:
        warn(
            f"{path} does not say from which data its eigenvalues were computed, so they are "
            "computed again and the file is left as it is; pass embedding_vectors=None to use "
            "the file, or another eigval_save_path"
        )
        return graph.eigenvalues(rows)
    if stored is not None:
        warn(f"{path} holds the eigenvalues of other data or settings; it is replaced")
    values = _rounded(graph.eigenvalues(rows), dtype)
    _write(path, values, fingerprint)
    return values


def _float_dtype(precision: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(precision)
    if dtype.kind != "f":
        raise ValueError(f"eigval_save_precision must be a float type, got {dtype}")
    return dtype


def _fingerprint(rows: Matrix, graph: Graph) -> str:
    """Equal for equal rows and settings only."""
    digest = hashlib.sha256(f"{graph!r} {rows.shape} {rows.dtype}".encode())
    digest.update(np.ascontiguousarray(rows).data)
    return digest.hexdigest()


def _rounded(values: Floats, dtype: np.dtype[Any]) -> Floats:
    with np.errstate(over="ignore"):  # told below
        rounded = values.astype(dtype)
    # A kernel of extreme width has eigenvalues beyond 65504 or below 6e-8, the range of float16.
    if not (np.isfinite(rounded).all() and rounded.any()):
        raise ValueError(
            f"eigenvalues up to {values.max():.3g} do not fit into {dtype}, so nothing was saved; "
            "pass eigval_save_precision=np.float64"
        )
    return rounded


def _read(path: Path) -> _Stored:
    with path.open("rb"):  # what the system refuses keeps its error
        try:
            return _parse(path)
        except Exception as error:  # a damaged file gives any of a dozen types
            raise ValueError(
                f"no eigenvalues can be read from {path}, which is left as it is: {error}"
            ) from error


def _parse(path: Path) -> _Stored:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is not an .npz file")
    names = npz_names(path)
    if EIGENVALUES not in names:
        raise ValueError(f"it has no array {EIGENVALUES!r}, only {', '.join(map(repr, names))}")
    values = npz_array(path, EIGENVALUES)
    if values.ndim != 1 or values.size == 0 or values.dtype.kind != "f":
        raise ValueError(
            f"{EIGENVALUES!r} should be a list of real numbers, and is an array of shape "
            f"{values.shape} and type {values.dtype}"
        )
    if not (np.isfinite(values).all() and values.any()):
        raise ValueError(f"{EIGENVALUES!r} has NaN or infinity, or is all 0")
    fingerprint = str(npz_array(path, FINGERPRINT)) if FINGERPRINT in names else None
    return _Stored(values.astype(np.float64), fingerprint)


def _write(path: Path, values: Floats, fingerprint: str) -> None:
    """All of the file or nothing: written beside it, then renamed."""
    target = Path(os.path.realpath(path))  # a link stays a link
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.npz")
    try:
        with temporary.open("xb") as file:
            np.savez(file, eigvals=values, eigentropy_fingerprint=np.array(fingerprint))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
