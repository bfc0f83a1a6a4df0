"""The rows of Z with the device that they lie on: what the whole package computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.costs import SINGLE_FROM
from eigentropy._backends.device_arrays import DeviceArray
from eigentropy._backends.devices import HOST, Device, choose
from eigentropy._backends.host_arrays import Matrix, chosen_rows, opened_array
from eigentropy._support.options import integer, random_seed
from eigentropy._support.progress import Callback


@dataclass
class ForSpectrum:
    """What a median distance leaves for the first spectrum of the same rows.

    Attributes
    ----------
    are_wanted : bool
        Whether that spectrum is about to be found, perhaps in float32.
    kept : KeptDistances or None
    """

    are_wanted: bool = False
    kept: _core.KeptDistances | None = None


def may_keep_distances(n: int, d: int) -> bool:
    """Whether the distances behind a median may serve for a spectrum, which may be in float32."""
    return n >= SINGLE_FROM and d <= _core.widest_block


@dataclass(frozen=True)
class Rows:
    """Finite rows of real numbers, one a sample, where they are computed with.

    `Rows.of` is the door: it looks at Z once, and nobody asks afterwards what Z was.

    Attributes
    ----------
    array : array of shape (n, d)
        A NumPy array in float32 or float64 on the host; an array of the plug-in on a GPU.
    device : Device
    """

    array: Any
    device: Device = HOST
    _distances: ForSpectrum = field(
        default_factory=ForSpectrum, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, Z: Any, device: Any = None, progress: bool | Callback = False) -> Rows:
        """The rows of Z, where Z lies or on the device that the caller names.

        Raises
        ------
        TypeError, ValueError
            Z is no matrix of finite real numbers, or lies on another device.
        DeviceError, ImportError
            CUDA cannot be used.
        """
        if isinstance(Z, Rows):
            return Z
        array = opened_array(Z)
        chosen = choose(device, array)
        return cls(chosen.rows(array, progress), chosen)

    def __len__(self) -> int:
        return self.n

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.array.shape[0])

    @property
    def d(self) -> int:
        """Number of columns."""
        return int(self.array.shape[1])

    @property
    def holds(self) -> str:
        """What the array has: "rows", or "distances" or a "precomputed" kernel of the caller's."""
        return self.device.holds

    @property
    def described(self) -> str:
        """The columns, or what Z has in their place, as a setting."""
        return f"d={self.d}" if self.holds == "rows" else f"kernel={self.holds!r}"

    def reach(self, sigma: float) -> float:
        """Largest distance of a row from the centre, in units of sigma; infinite on overflow.

        Distances that are kept tell it to the precision of float32.
        """
        kept = self._distances.kept
        if kept is not None:
            return _core.reach(self.array, sigma, kept)
        return self.device.reach(self.array, sigma)

    @contextmanager
    def keeping_distances(self, wanted: bool = True) -> Iterator[None]:
        """Inside, the distances behind a median are kept for the first spectrum, if wanted.

        They take an n x n matrix in float32, which becomes that of the spectrum.
        """
        distances = self._distances
        distances.are_wanted = wanted
        try:
            yield
        finally:
            distances.are_wanted, distances.kept = False, None

    def median_distance(self, numbers: npt.NDArray[np.int64]) -> tuple[float, float]:
        """Median distance between the rows of these numbers, and the unit of it."""
        distances = self._distances
        keeps = distances.are_wanted and self.device.keeps_distances
        if len(numbers) < self.n or not (keeps and may_keep_distances(self.n, self.d)):
            return _core.median_distance(*self.host_sample(numbers))
        if distances.kept is None:
            distances.kept = _core.kept_distances(self.array)
        return distances.kept.median, distances.kept.scale

    def spectrum(
        self, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float, float]:
        """All eigenvalues, descending; tr A, |A|_F^2, the sum of the kernel, `reach`."""
        kept = self._distances.kept
        if kept is not None:
            return _core.spectrum(self.array, sigma, alpha, dtype, progress, kept)
        return self.device.spectrum(self.array, sigma, alpha, dtype, progress)

    def __getstate__(self) -> dict[str, Any]:
        """A copy, also one for another process, has no distances."""
        return {**self.__dict__, "_distances": ForSpectrum()}

    def on_host(self) -> Matrix:
        """All rows as a NumPy array."""
        return self.device.host_rows(self.array)

    def squared_distances(
        self, numbers: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], float]:
        """r^2 between the rows of these numbers, shape (m, m), and the unit of r."""
        squared, scale = _core.squared_distances(*self.host_sample(numbers))
        return squared, float(scale)

    def host_sample(self, numbers: npt.NDArray[np.int64]) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """A matrix on the host that has the rows of these numbers, and where in it they stand."""
        return self.device.host_sample(self.array, numbers)

    def chosen(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """The rows of these numbers, by themselves."""
        sample, places = self.host_sample(numbers)
        return replace(self, array=self.device.rows(sample[places]), device=copy(self.device))


class Sample(NamedTuple):
    """Rows of Z, all or some.

    Attributes
    ----------
    rows : array-like
    numbers : array of int, or None
        Their ascending numbers; None where they are all.
    drawn_from : int or None
        Number of rows of Z; None where they are all.
    """

    rows: Any
    numbers: npt.NDArray[np.int64] | None = None
    drawn_from: int | None = None


def sample_rows(Z: Any, max_points: int | None, seed: int, square: bool = False) -> Sample:
    """At most `max_points` rows of Z, chosen at random; of a `square` Z the same columns, too."""
    if max_points is None:
        return Sample(Z)
    most = integer(max_points, "max_points", at_least=1)
    if isinstance(Z, Rows) and Z.n <= most:
        return Sample(Z)
    array = Z.array if isinstance(Z, Rows) else opened_array(Z)
    if len(array.shape) == 0 or array.shape[0] <= most:
        return Sample(array)
    if square and (isinstance(array, DeviceArray) or array.shape != 2 * array.shape[:1]):
        return Sample(array)  # which is refused later
    n = int(array.shape[0])
    generator = np.random.default_rng(random_seed(seed))
    numbers = np.sort(generator.permutation(n)[:most])
    rows = chosen_rows(array, numbers)
    return Sample(rows[:, numbers] if square else rows, numbers, n)
