"""The rows of Z with the device that they lie on: what the whole package computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.devices import HOST, Device, choose
from eigentropy._backends.host_arrays import Matrix, chosen_rows, with_shape
from eigentropy._support.options import integer, random_seed
from eigentropy._support.progress import Callback


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
        chosen = choose(device, Z)
        return cls(chosen.rows(Z, progress), chosen)

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.array.shape[0])

    @property
    def d(self) -> int:
        """Number of columns."""
        return int(self.array.shape[1])

    def reach(self, sigma: float) -> float:
        """Largest distance of a row from the mean row, in units of sigma; infinite on overflow."""
        return self.device.reach(self.array, sigma)

    def on_host(self) -> Matrix:
        """All rows as a NumPy array."""
        return self.device.host_rows(self.array)

    def host_sample(self, numbers: npt.NDArray[np.int64]) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """A matrix on the host that has the rows of these numbers, and where in it they stand."""
        return self.device.host_sample(self.array, numbers)


def sample_rows(
    Z: Any, max_points: int | None, seed: int
) -> tuple[Any, npt.NDArray[np.int64] | None]:
    """Rows of Z chosen at random, and their ascending numbers; Z and None if it has no more."""
    if max_points is None:
        return Z, None
    most = integer(max_points, "max_points", at_least=1)
    rows = with_shape(Z)
    if len(rows.shape) == 0 or rows.shape[0] <= most:
        return Z, None
    generator = np.random.default_rng(random_seed(seed))
    chosen = np.sort(generator.permutation(rows.shape[0])[:most])
    return chosen_rows(rows, chosen), chosen
