"""The diffusion operator of rows that lie on several ranks, as users have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.rows import Rows
from eigentropy._kernels.diffusion import MAX_ALPHA
from eigentropy._support.options import nonnegative, positive
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options
from eigentropy.distributed.bandwidth import sigma_over_ranks
from eigentropy.distributed.device import SplitCpu
from eigentropy.distributed.entropy import Options
from eigentropy.distributed.operator import SplitProducts
from eigentropy.distributed.ranks import TIMEOUT, Ranks
from eigentropy.distributed.rows import SplitRows


class DistributedOperator:
    r"""The diffusion operator A of the rows of all ranks, without its matrix.

    `eigentropy.DiffusionOperator` has the formula. Each tile of the kernel is computed on one rank,
    for its row block and for its column block, which may be another rank's. The rows go round in
    pieces while tiles are computed: a rank has its own rows, and two pieces of another one's.

    Every rank of the group makes it with its rows and the same options, and calls its methods in
    the same order.

    Parameters
    ----------
    Z : array-like of shape (n_r, d)
        The rows of this rank.
    sigma, alpha, dtype, device, seed, group, timeout
        As in `dse`; dtype is that of the tiles, float64 by default.
    keeps_matrix : bool
        Keep the tiles, n^2 / 2 entries over all ranks, so that products after the first one compute
        no kernel.

    Attributes
    ----------
    n : int
        Rows of all ranks.
    first : int
        The number that the first row of this rank has among them.
    sigma, alpha : float
    trace : float
        tr A.
    degrees : array of shape (n_r,)
        d of the rows of this rank.

    Raises
    ------
    ValueError, TypeError, MemoryError, DistributedError
        As in `dse`.
    """

    @named_options()
    def __init__(
        self,
        Z: Any,
        *,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        dtype: Any = None,
        device: Any = None,
        seed: int = 0,
        keeps_matrix: bool = False,
        group: Any = None,
        timeout: float = TIMEOUT,
    ) -> None:
        ranks = Ranks(group, positive(timeout, "timeout"))
        with ranks.together():
            options = Options.checked(sigma, seed, dtype or "float64", device)
            self.alpha = nonnegative(alpha, "alpha", at_most=MAX_ALPHA)
        ranks.require_same(
            alpha=self.alpha, keeps_matrix=bool(keeps_matrix), sigma=options.sigma,
            seed=options.seed, dtype=options.dtype,
        )  # fmt: skip
        self._rows, self._ranks = SplitRows.of(Z, ranks), ranks
        self.sigma = sigma_over_ranks(
            options.sigma, Rows(self._rows, SplitCpu(self._rows)), options.seed
        )
        self._products = SplitProducts(
            self._rows, self.sigma, self.alpha, str(options.dtype), bool(keeps_matrix)
        )
        self.n, self.first, self.trace = self._rows.n, self._rows.first, self._products.trace
        here = slice(self.first, self.first + len(self._rows.local))
        self.degrees = self._products.degrees[here].copy()

    @property
    def frobenius2(self) -> float:
        r"""\|A\|_F^2: at the first use by a pass over the kernel, on every rank."""
        return self._products.frobenius2

    def matmul(self, V: Any, progress: Callback | None = None) -> npt.NDArray[Any]:
        """The rows of A V of this rank, for the rows (n_r, m) or (n_r,) of V of this rank.

        Raises
        ------
        ValueError
            V of a rank has other rows than Z of that rank, or other columns than V of another one.
        """
        n = len(self._rows.local)
        with self._ranks.together():
            vectors = np.asarray(V)
            vectors = vectors if vectors.dtype == np.float32 else vectors.astype(np.float64)
            if vectors.ndim not in (1, 2) or len(vectors) != n:
                raise ValueError(
                    f"V must have shape ({n},) or ({n}, m), a row for each row of Z of this rank, "
                    f"got {vectors.shape}"
                )
            if not np.isfinite(vectors).all():
                raise ValueError("V has NaN or infinity: leave such columns out")
        self._ranks.require_same(shape_of_a_row_of_V=vectors.shape[1:], dtype_of_V=vectors.dtype)
        product = self._products.matmul(vectors.reshape(n, -1), progress)
        return product.reshape(vectors.shape)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(n={self.n}, of which {len(self._rows.local)} on rank "
            f"{self._ranks.rank} of {self._ranks.size}, d={self._rows.d}, sigma={self.sigma:.4g}, "
            f"alpha={self.alpha:g})"
        )
