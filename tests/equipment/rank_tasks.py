"""What tests run on each rank: see over_ranks.py."""

from __future__ import annotations

import os
import time

import numpy as np

from eigentropy import distributed

N, D = 703, 12


def rows(n=N, d=D):
    """Two clouds."""
    Z = np.random.default_rng(3).normal(size=(n, d))
    Z[: n // 3] += 3.0
    return Z


def vectors(n=N, m=5):
    return np.random.default_rng(4).normal(size=(n, m))


def ends(counts):
    return np.cumsum([0, *counts])


def own(array, counts, rank):
    """The rows of a rank."""
    first = ends(counts)
    return array[first[rank] : first[rank + 1]]


def everything(rank, size, counts):
    """All that the ranks compute of the rows, each of it twice."""

    def once():
        Z = own(rows(), counts, rank)
        found = {}
        for keeps in (False, True):
            A = distributed.DistributedOperator(Z, keeps_matrix=keeps)
            first, second = (A.matmul(own(vectors(), counts, rank)) for _ in range(2))
            assert np.array_equal(first, second)
            found[f"product {keeps}"] = first
        found |= {"sigma": A.sigma, "trace": A.trace, "frobenius2": A.frobenius2}
        found["degrees"] = A.degrees
        dse = distributed.dse(Z, dtype="float64")
        found |= {"dse": float(dse), "error of dse": dse.standard_error}
        for order in (1.0, 2.0):
            found[f"kernel {order}"] = float(
                distributed.kernel_entropy(Z, order=order, dtype="float64")
            )
        found["single"] = float(distributed.dse(Z, sigma=1.0, t=2.0))
        return found

    return once(), once()


def rules(rank, size, counts):
    """The sigma of each rule, and products where a column has a gap that is closed."""
    Z = own(rows(), counts, rank)
    names = ("auto", "knn", "narrow", "max-slope", "sqrt-d")
    sigmas = {name: distributed.DistributedOperator(Z, sigma=name).sigma for name in names}
    filled = rows()
    filled[::50, 0] = 1e20
    A = distributed.DistributedOperator(own(filled, counts, rank), sigma=1.0)
    return sigmas, A.matmul(own(vectors(), counts, rank))


def few(rank, size, counts):
    """Fewer rows than an estimate takes."""
    return float(distributed.dse(own(rows(100), counts, rank)))


def bad(rank, size):
    """Calls that all ranks have to refuse, each with what it raised; then one that works."""
    Z = own(rows(), [300, 403], rank)
    nan = Z.copy()
    if rank == 1:
        nan[5, 2] = np.nan
    calls = {
        "nan": lambda: distributed.dse(nan),
        "columns": lambda: distributed.dse(Z[:, : D - rank]),
        "dtype": lambda: distributed.dse(Z.astype(np.float32) if rank else Z),
        "sigma": lambda: distributed.dse(Z, sigma=1.0 + rank),
        "t": lambda: distributed.dse(Z, t=1.0 - 2.0 * rank),
        "tol": lambda: distributed.kernel_entropy(Z, tol=1e-2 / (1 + rank)),
        "method": lambda: distributed.dse(Z, method="exact"),
        "device": lambda: distributed.dse(Z, device=f"cuda:{rank}"),
        "empty": lambda: distributed.dse(Z[: 0 if rank else None]),
        "vectors": lambda: distributed.DistributedOperator(Z).matmul(np.ones((7, 1))),
        "width": lambda: distributed.DistributedOperator(Z).matmul(np.ones((len(Z), 1 + rank))),
    }
    raised = {}
    for name, call in calls.items():
        try:
            call()
        except Exception as error:
            raised[name] = type(error).__name__, str(error)
    return raised, float(distributed.dse(Z, dtype="float64"))


def dies(rank, size):
    """Rank 1 ends in the middle of a product."""
    A = distributed.DistributedOperator(own(rows(), [300, 203, 200], rank), timeout=60.0)
    if rank == 1:
        os._exit(1)
    A.matmul(np.ones((len(A.degrees), 3)))


def hangs(rank, size):
    """Rank 1 does not answer."""
    A = distributed.DistributedOperator(own(rows(), [300, 403], rank), timeout=3.0)
    if rank == 1:
        time.sleep(10.0)
        os._exit(1)
    A.matmul(np.ones((len(A.degrees), 3)))
