"""What the figures are drawn of, as they see it, and its checks.

Results are known by their attributes: their classes import this package.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._spectra.functionals import Functional
from eigentropy._spectra.spectrum import Spectrum
from eigentropy._support.interval import Interval

Doubles = npt.NDArray[np.float64]


class Result(Protocol):
    """What is used of either result."""

    @property
    def value(self) -> float:
        """The measurement, in the unit of `base`."""

    @property
    def standard_error(self) -> float:
        """Of a random estimate; otherwise 0."""

    @property
    def error_bound(self) -> float:
        """Of rounding or truncation; NaN where there is no guarantee."""

    @property
    def method(self) -> str:
        """Of the spectra."""

    @property
    def n(self) -> int:
        """Number of rows."""

    @property
    def sigma(self) -> float:
        """Kernel width."""

    @property
    def settings(self) -> dict[str, float]:
        """What was chosen beside sigma, by name."""

    @property
    def which(self) -> Functional:
        """Which entropy of the spectrum."""

    @property
    def base(self) -> float:
        """Of the logarithm."""

    @property
    def dtype(self) -> str:
        """Precision of the computation."""


class EntropyResult(Result, Protocol):
    """What is used of an `eigentropy.Entropy`."""

    @property
    def spectrum(self) -> Spectrum:
        """What is known of the eigenvalues."""

    @property
    def sampled_from(self) -> int | None:
        """How many rows there were, if some were chosen at random."""

    def which_at(self, power: float) -> Functional:
        """The same with another power of the eigenvalues."""

    def interval(self, level: float = ...) -> Interval:
        """Where the entropy is."""


class InformationResult(Result, Protocol):
    """What is used of an `eigentropy.MutualInformation`."""

    @property
    def null(self) -> Doubles:
        """What each random partition gets, shape (n_null,)."""

    @property
    def p_value(self) -> float:
        """Of a test of independence."""

    @property
    def p_value_from(self) -> str:
        """Which test that is: "permutation" or "student"."""

    @property
    def estimator(self) -> str:
        """Which baseline there is."""

    @property
    def label_entropy(self) -> float:
        """H(Y)."""

    def interval(self, level: float = ...) -> Interval:
        """Where the information is."""

    @property
    def group_sizes(self) -> npt.NDArray[np.int64]:
        """Rows of each group."""


def is_entropy(value: Any) -> TypeGuard[EntropyResult]:
    """Whether it is an entropy with its spectrum."""
    return isinstance(getattr(value, "spectrum", None), Spectrum)


def is_information(value: Any) -> TypeGuard[InformationResult]:
    """Whether it is an information with its null distribution."""
    return all(hasattr(value, name) for name in ("value", "null", "p_value", "base"))


def checked_eigenvalues(values: Any) -> Doubles:
    """Eigenvalues of the caller as a vector, descending."""
    array = as_numpy(values, "eigenvalues")
    if array.dtype.kind not in "fiu":
        raise TypeError(
            "an entropy, a DiffusionOperator or an array of eigenvalues is needed, "
            f"got {type(values).__name__}"
        )
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"eigenvalues must have shape (n,), n > 0, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("eigenvalues must be finite, some are NaN or infinite")
    return np.sort(array.astype(np.float64))[::-1]


def p_value(information: InformationResult) -> str:
    """The p-value behind "=", or behind "~" where a distribution is assumed."""
    sign = "=" if information.p_value_from == "permutation" else "~"
    return f"{sign}{information.p_value:.3g}"


def z_score(information: InformationResult) -> float:
    """The value in standard deviations of the null distribution above its mean; NaN without one."""
    null = np.asarray(information.null)
    spread = float(null.std(ddof=1)) if len(null) > 1 else 0.0
    return (information.value - float(null.mean())) / spread if spread > 0.0 else float("nan")
