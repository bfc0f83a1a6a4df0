"""Rows of which each rank has some, and the ranks as one device that computes with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix, as_matrix
from eigentropy.distributed.ranks import Ranks


@dataclass(frozen=True)
class SplitRows:
    """The rows of all ranks, one rank after the other.

    Attributes
    ----------
    local : array of shape (n_r, d)
        Those of this rank.
    counts : list of int
        How many rows each rank has.
    ranks : Ranks
    """

    local: Matrix
    counts: list[int]
    ranks: Ranks

    @classmethod
    def of(cls, Z: Any, ranks: Ranks) -> SplitRows:
        """Check the rows of each rank; what is wrong on one rank is raised on all.

        Raises
        ------
        ValueError, TypeError
            The rows of a rank cannot be used; d or dtype differ; or the ranks are on machines that
            round in different ways, so that one might decide otherwise than another.
        """
        with ranks.together("of the rows of this rank, "):
            local = as_matrix(Z)
        counts = ranks.gathered_objects(len(local))
        ranks.require_same(columns_of_Z=local.shape[1], dtype_of_Z=local.dtype.name)
        ranks.require_same(instruction_set=_core.instruction_set(), BLAS_core=_core.blas_core())
        return cls(local, counts, ranks)

    @property
    def n(self) -> int:
        """Rows of all ranks."""
        return sum(self.counts)

    @property
    def d(self) -> int:
        """Columns."""
        return int(self.local.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d) of all ranks."""
        return self.n, self.d

    @property
    def first(self) -> int:
        """The number that the first row of this rank has among all."""
        return sum(self.counts[: self.ranks.rank])

    @property
    def described(self) -> str:
        """Which rows this rank has, for a message."""
        return f"of rows {self.first} to {self.first + len(self.local) - 1} of all, "

    def taken(self, numbers: npt.NDArray[np.int64]) -> Matrix:
        """The rows of these ascending numbers, on every rank."""
        ends = np.cumsum([0, *self.counts])
        places = np.searchsorted(numbers, ends)
        mine = numbers[places[self.ranks.rank] : places[self.ranks.rank + 1]] - self.first
        taken: Matrix = self.ranks.joined(self.local[mine], np.diff(places).tolist())
        return taken
