"""Entropies of rows that lie on several ranks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn, TypeVar

import numpy as np

from eigentropy._backends.devices import parse
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import RULES
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.diffusion import MAX_ALPHA
from eigentropy._measures.entropy import entropies
from eigentropy._measures.kernel_entropy import kernel_entropies
from eigentropy._measures.kernel_results import KernelEntropy
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import DiffusionEntropy, Entropy
from eigentropy._measures.sampling.entropies import EntropySource
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.stochastic import supports
from eigentropy._support.options import (
    logarithm_base,
    nonnegative,
    one_of,
    positive,
    random_seed,
    renyi_order,
    sigma_or_rule,
    working_dtype,
)
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options
from eigentropy.distributed.bandwidth import sigma_over_ranks
from eigentropy.distributed.device import SplitCpu
from eigentropy.distributed.ranks import TIMEOUT, Ranks
from eigentropy.distributed.rows import SplitRows

# Of all eigenvalues no rank has the matrix, and a factor of low rank is one process's.
METHODS = ("auto", "stochastic")

E = TypeVar("E", bound=Entropy)


@dataclass(frozen=True)
class Options:
    """What all functions of several ranks take, checked.

    Attributes
    ----------
    sigma : float or str
    seed : int
    dtype : str or None
    """

    sigma: float | str
    seed: int
    dtype: str | None

    @classmethod
    def checked(cls, sigma: Any, seed: Any, dtype: Any, device: Any) -> Options:
        """From what a caller passed; ValueError or TypeError for what cannot be used."""
        if parse(device)[0] == "cuda":
            raise ValueError(
                f"device={str(device)!r}: rows on several ranks are computed with on the CPU only: "
                "leave device out; one GPU by itself takes eigentropy.diffusion_spectral_entropy"
            )
        working = None if dtype is None else working_dtype(dtype)
        return cls(sigma_or_rule(sigma, RULES), random_seed(seed), working)


def split_rows(Z: Any, ranks: Ranks) -> Rows:
    """The rows of all ranks, which the ranks compute with as one device.

    Raises
    ------
    ValueError
        As `SplitRows.of`.
    """
    rows = SplitRows.of(Z, ranks)
    if supports(rows.n):
        return Rows(rows, SplitCpu(rows))
    return Rows.of(rows.taken(np.arange(rows.n)))  # all eigenvalues, on each rank


def plan_over_ranks(plan: SpectrumPlan, rows: Rows) -> SpectrumPlan:
    """The plan of an estimate, where there are rows enough for one."""
    return replace(plan, method="stochastic") if supports(rows.n) else plan


@contextmanager
def speaking(ranks: Ranks) -> Iterator[None]:
    """Let rank 0 alone warn."""
    with warnings.catch_warnings():
        if not ranks.is_first:
            warnings.simplefilter("ignore")
        yield


@named_options()
def dse(
    Z: Any,
    *,
    t: float = 1.0,
    sigma: float | str = "auto",
    alpha: float = 0.5,
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    dtype: Any = None,
    device: Any = None,
    seed: int = 0,
    progress: bool | Callback = False,
    group: Any = None,
    timeout: float = TIMEOUT,
) -> DiffusionEntropy:
    """Diffusion spectral entropy of the rows of all ranks, of which Z has those of this one.

    Every rank of the group calls it with its rows and the same options, and gets the same result:
    that of `eigentropy.diffusion_spectral_entropy` with method="stochastic" for the rows of rank 0,
    rank 1, ... one below the other. docs/how_to/distributed.md has examples.

    Parameters
    ----------
    Z : array-like of shape (n_r, d)
        The rows of this rank, at least one; as in `eigentropy.diffusion_spectral_entropy`, on the
        host. A mapped file is read once.
    t, sigma, alpha, base, tol, seed
        As there. A rule for sigma looks at the rows of all ranks.
    method : {"auto", "stochastic"}
        Both are an estimate. Of fewer than 256 rows in all, every rank gets all rows and computes
        all eigenvalues.
    dtype : {"float64", "float32"}, optional
        Of tiles and vectors; by default float32 where that allows `tol`.
    device : {"cpu"}, optional
        GPUs are refused: products between two blocks of rows are there on the CPU only.
    progress : bool or callable
        On rank 0 only.
    group : torch.distributed.ProcessGroup, optional
        By default that of all ranks. Where none was made, there is one rank.
    timeout : float
        Seconds that a rank waits for another one before it gives up.

    Returns
    -------
    DiffusionEntropy
        The same on each rank. `sampling_error` is for rows in one process.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As in one process. What is wrong on one rank is raised on all, with its number; so are
        options, numbers of columns or machines that differ.
    DistributedError
        A rank has ended, or has not answered for `timeout` seconds.

    Warns
    -----
    SaturationWarning, PrecisionWarning, UserWarning
        As in one process, on rank 0.
    """
    ranks = Ranks(group, positive(timeout, "timeout"))
    with ranks.together():
        one_of(method, "method", METHODS)
        plan = SpectrumPlan.checked(method, tol, dtype)
        t, base = positive(t, "t"), logarithm_base(base)
        alpha = nonnegative(alpha, "alpha", at_most=MAX_ALPHA)
        options = Options.checked(sigma, seed, dtype, device)
    ranks.require_same(t=t, alpha=alpha, base=base, tol=plan.tol, **asdict(options))
    with speaking(ranks):
        matrix = _matrix(DiffusionOperator, Z, ranks, options, progress, alpha=alpha)
        found = entropies(matrix, [t], base, plan_over_ranks(plan, matrix.samples))
    return without_rows(found[0])


@named_options()
def kernel_entropy(
    Z: Any,
    *,
    order: float = 1.0,
    sigma: float | str = "auto",
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    dtype: Any = None,
    device: Any = None,
    seed: int = 0,
    progress: bool | Callback = False,
    group: Any = None,
    timeout: float = TIMEOUT,
) -> KernelEntropy:
    """Entropy of the density matrix of the rows of all ranks, of which Z has those of this one.

    Parameters
    ----------
    Z, method, dtype, device, progress, group, timeout
        As in `dse`.
    order, sigma, base, tol, seed
        As in `eigentropy.kernel_entropy`. Order 2 takes one pass over the kernel.

    Returns
    -------
    KernelEntropy
        The same on each rank; `sampling_error` and `surprisals` are for rows in one process.

    Raises
    ------
    ValueError, TypeError, MemoryError, DistributedError
        As in `dse`.
    """
    ranks = Ranks(group, positive(timeout, "timeout"))
    with ranks.together():
        one_of(method, "method", METHODS)
        plan = SpectrumPlan.checked(method, tol, dtype)
        order, base = renyi_order(order), logarithm_base(base)
        options = Options.checked(sigma, seed, dtype, device)
    ranks.require_same(order=order, base=base, tol=plan.tol, **asdict(options))
    with speaking(ranks):
        matrix = _matrix(DensityMatrix, Z, ranks, options, progress)
        found = kernel_entropies(matrix, [order], base, plan_over_ranks(plan, matrix.samples))
    return without_rows(found[0])


def _matrix(
    kind: type[Any], Z: Any, ranks: Ranks, options: Options, progress: Any, **own: float
) -> Any:
    """The matrix of the rows of all ranks, with the sigma of a rule found over all."""
    rows = split_rows(Z, ranks)
    sigma = sigma_over_ranks(options.sigma, rows, options.seed)
    told = progress if ranks.is_first else False
    matrix = kind(rows, sigma=sigma, dtype=options.dtype, seed=options.seed, progress=told, **own)
    matrix.rule = options.sigma if isinstance(options.sigma, str) else None
    return matrix


def without_rows(result: E) -> E:
    """The same result, which says why it has no sampling error."""
    return replace(result, _source=EntropySource(_LeftOnRanks(), SpectrumPlan()))


class _LeftOnRanks:
    """Stands for rows that no process has."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ValueError(
            "sampling_error and surprisals need the rows in one process, and these lie on several "
            "ranks: pass a random subset of the rows to the function of the same name in eigentropy"
        )
