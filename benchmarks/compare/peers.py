"""What is measured: each contender as a function that imports its library and returns a call.

`READY[task](spec)` gives (fresh, call): call(fresh()) is timed, fresh() is not. Inputs are
files, so that a child loads what its library sees and nothing else.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from benchmarks.compare.monitor_step import monitor
from benchmarks.shared.timing import Ready

Solver = Callable[[np.ndarray], np.ndarray]


def _eigentropy(overwrite: bool) -> Solver:
    import eigentropy as eg

    return lambda A: eg.eigvalsh(A, overwrite=overwrite)


def _scipy(driver: str) -> Solver:
    from scipy.linalg import eigvalsh

    # The transpose of a symmetric matrix is itself in the order that LAPACK takes without a copy.
    return lambda A: eigvalsh(A.T, driver=driver, overwrite_a=True, check_finite=False)


def _torch() -> Solver:
    import torch

    return lambda A: torch.linalg.eigvalsh(torch.from_numpy(A)).numpy()


def _mkl(driver: str) -> Solver:
    from benchmarks.compare import lapack

    return partial(lapack.mkl().eigenvalues, driver)


def _openblas(driver: str) -> Solver:
    from benchmarks.compare import lapack

    return partial(lapack.openblas().eigenvalues, driver)


# A thread takes so many parts of a stack, one after the other: as few calls as leave none idle.
PARTS_OF_A_THREAD = 8


def _pool(solve: Solver) -> Solver:
    """Parts of a stack to threads; `solve` is for stacks."""
    threads = int(os.environ["EIGENTROPY_NUM_THREADS"])
    executor = ThreadPoolExecutor(threads)

    def solved(A: np.ndarray) -> np.ndarray:
        parts = np.array_split(A, min(len(A), PARTS_OF_A_THREAD * threads))
        return np.concatenate(list(executor.map(solve, parts)))

    return solved


def _mkl_stack() -> Solver:
    from benchmarks.compare import lapack

    return partial(lapack.mkl().eigenvalues_of_stack, "syevd")


# Each may destroy its argument, a C-ordered symmetric matrix with both triangles.
SOLVERS: dict[str, Callable[[], Solver]] = {
    "eigentropy": partial(_eigentropy, True),
    "eigentropy copy": partial(_eigentropy, False),
    "numpy": lambda: np.linalg.eigvalsh,
    "scipy ev": partial(_scipy, "ev"),
    "scipy evd": partial(_scipy, "evd"),
    "scipy evr": partial(_scipy, "evr"),
    "torch": _torch,
    "mkl syevd": partial(_mkl, "syevd"),
    "mkl syevd_2stage": partial(_mkl, "syevd_2stage"),
    "openblas syevd": partial(_openblas, "syevd"),
    "openblas syevr": partial(_openblas, "syevr"),
    "openblas syevd_2stage": partial(_openblas, "syevd_2stage"),
    # Of stacks.
    "numpy pool": lambda: _pool(np.linalg.eigvalsh),
    "torch pool": lambda: _pool(_torch()),
    "mkl pool": lambda: _pool(_mkl_stack()),
}


def eigenvalues(spec: dict[str, Any]) -> Ready:
    A = np.load(spec["input"])
    return A.copy, SOLVERS[spec["solver"]]()


def product(spec: dict[str, Any]) -> Ready:
    """A square product: the rate that the arithmetic of this machine can reach."""
    n, library = spec["n"], spec["library"]
    A = np.random.default_rng(0).normal(size=(n, n)).astype(spec["dtype"])
    B = A.T.copy()
    C = np.empty_like(A)
    if library == "numpy":
        return lambda: None, lambda _: np.matmul(A, B, out=C)
    if library == "torch":
        import torch

        a, b, c = (torch.from_numpy(matrix) for matrix in (A, B, C))
        return lambda: None, lambda _: torch.matmul(a, b, out=c).numpy()
    from benchmarks.compare import lapack

    blas = {"mkl": lapack.mkl, "openblas": lapack.openblas}[library]()

    def multiply(_: None) -> np.ndarray:
        blas.product(B, A, C)  # Fortran reads the transposes: (A B)^T = B^T A^T
        return C

    return lambda: None, multiply


# Of what users call, and what it is compared with.
_BY_DEFAULT = {"eigentropy": {}, "eigentropy exact": {"method": "exact"}}
# Of dse with the peer's sigma and alpha.
_OPTIONS = {
    "eigentropy float32": {"dtype": "float32", "method": "exact"},
    "eigentropy stochastic": {"method": "stochastic"},
    "eigentropy auto": {"method": "auto"},
}


def entropy(spec: dict[str, Any]) -> Ready:
    """By all rows: the peer would otherwise leave out those beyond 10 000."""
    Z, name = np.load(spec["input"]), spec["package"]
    sigma = float(np.sqrt(Z.shape[1]))
    if name in _BY_DEFAULT:
        import eigentropy as eg

        return lambda: Z, lambda rows: float(eg.dse(rows, **_BY_DEFAULT[name]))
    options = _OPTIONS.get(name)
    if options is not None:
        import eigentropy as eg

        Z = Z.astype(options.get("dtype", Z.dtype))
        return lambda: Z, lambda rows: float(eg.dse(rows, sigma=sigma, alpha=0.0, **options))
    package = _package(name)
    Z = Z.astype("float32") if name.endswith("float32") else Z
    return lambda: Z, lambda rows: package.diffusion_spectral_entropy(
        rows, gaussian_kernel_sigma=sigma, max_N=len(Z) + 1
    )


def classes(n: int, count: int = 10) -> np.ndarray:
    """The classes of n rows."""
    return np.random.default_rng(1).integers(0, count, n)


def call_of_dsmi(spec: dict[str, Any]) -> Ready:
    """Ours and the peer's with the defaults of each."""
    Z, name = np.load(spec["input"]), spec["package"]
    labels = classes(len(Z), spec["classes"])
    if name in _BY_DEFAULT:
        import eigentropy as eg

        def share_of_baseline(rows: np.ndarray) -> float:
            found = eg.dsmi(rows, labels, **_BY_DEFAULT[name])
            return float(found.value / (found.value + found.conditional_entropy))

        return lambda: Z, share_of_baseline
    package = _package(name)
    Z = Z.astype("float32") if name.endswith("float32") else Z
    return lambda: Z, lambda rows: package.diffusion_spectral_mutual_information(rows, labels)[0]


def estimate(spec: dict[str, Any]) -> Ready:
    """Of an entropy, as users call it, with a tolerance."""
    import eigentropy as eg

    Z = np.load(spec["input"])
    return lambda: Z, lambda rows: float(eg.dse(rows, tol=spec["tol"]))


def information(spec: dict[str, Any]) -> Ready:
    Z, name = np.load(spec["input"]), spec["package"]
    labels, sigma = classes(len(Z)), float(np.sqrt(Z.shape[1]))
    if name == "eigentropy auto":
        import eigentropy as eg

        return lambda: Z, lambda rows: float(
            eg.dsmi(rows, labels, sigma=sigma, alpha=0.0, n_null=5)
        )
    package = _package(name)
    Z = Z.astype("float32") if name.endswith("float32") else Z
    return lambda: Z, lambda rows: package.diffusion_spectral_mutual_information(
        rows, labels, gaussian_kernel_sigma=sigma, num_repetitions=5
    )[0]


# Of the Vendi score.
_KERNEL_ENTROPIES = {"eigentropy": {}, "eigentropy exact": {"method": "exact"}}


def vendi(spec: dict[str, Any]) -> Ready:
    """The Vendi score of the Gaussian kernel of rows, as its logarithm: the entropy in bits.

    The peer takes a kernel matrix, which scikit-learn computes for it in the same call.
    """
    Z, name = np.load(spec["input"]), spec["package"]
    sigma = float(np.sqrt(0.5 * Z.shape[1]))
    if name in _KERNEL_ENTROPIES:
        import eigentropy as eg

        options = _KERNEL_ENTROPIES[name]
        return lambda: Z, lambda rows: float(eg.kernel_entropy(rows, sigma=sigma, **options))
    import scipy.sparse  # which the peer takes to be imported
    from sklearn.metrics.pairwise import rbf_kernel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from vendi_score import vendi as peer
    Z = Z.astype("float32") if name.endswith("float32") else Z
    gamma = 0.5 / sigma**2
    assert scipy.sparse
    return lambda: Z, lambda rows: float(np.log2(peer.score_K(rbf_kernel(rows, gamma=gamma))))


def _package(name: str) -> Any:
    with warnings.catch_warnings():  # the peer's import changes the process's filters
        if name == "eigentropy compat":
            from eigentropy.compat import dse_dsmi
        else:
            import dse_dsmi
    return dse_dsmi


def stage(spec: dict[str, Any]) -> Ready:
    """One stage of a DSE with alpha = 0."""
    Z = np.load(spec["input"])
    return _STAGES[spec["stage"]](Z, float(np.sqrt(Z.shape[1])))


def _our_matrix(alpha: float | None, Z: np.ndarray, sigma: float) -> Ready:
    from eigentropy import _core

    return lambda: Z, lambda rows: _core.matrix(rows, sigma, alpha, "float64")[0]


def _our_eigenvalues(Z: np.ndarray, sigma: float) -> Ready:
    A = _our_matrix(0.0, Z, sigma)[1](Z)
    return A.copy, _eigentropy(overwrite=True)


def _distances(Z: np.ndarray, sigma: float) -> Ready:
    from sklearn.metrics import pairwise_distances

    return lambda: Z, pairwise_distances


def _kernel(Z: np.ndarray, sigma: float) -> Ready:
    D = _distances(Z, sigma)[1](Z)
    norm = sigma * np.sqrt(2 * np.pi)
    return lambda: D, lambda D: (1 / norm) * np.exp((-(D**2)) / (2 * sigma**2))


def _normalisation(Z: np.ndarray, sigma: float) -> Ready:
    fresh, kernel = _kernel(Z, sigma)
    G = kernel(fresh())

    def normalise(G: np.ndarray) -> np.ndarray:
        scaling = np.diag(1 / np.sqrt(G.sum(axis=1)))
        return scaling @ G @ scaling

    return lambda: G, normalise


def _peer_eigenvalues(Z: np.ndarray, sigma: float) -> Ready:
    with warnings.catch_warnings():
        from dse_dsmi.information_utils import exact_eigvals
    fresh, normalise = _normalisation(Z, sigma)
    A = normalise(fresh())
    return lambda: A, exact_eigvals


_STAGES: dict[str, Callable[[np.ndarray, float], Ready]] = {
    "eigentropy kernel": partial(_our_matrix, None),
    "eigentropy kernel and normalisation": partial(_our_matrix, 0.0),
    "eigentropy eigenvalues": _our_eigenvalues,
    "dse-dsmi distances": _distances,
    "dse-dsmi kernel": _kernel,
    "dse-dsmi normalisation": _normalisation,
    "dse-dsmi eigenvalues": _peer_eigenvalues,
}

READY: dict[str, Callable[[dict[str, Any]], Ready]] = {
    "eigenvalues": eigenvalues,
    "product": product,
    "entropy": entropy,
    "information": information,
    "call of dsmi": call_of_dsmi,
    "estimate": estimate,
    "monitor": monitor,
    "vendi": vendi,
    "stage": stage,
}
