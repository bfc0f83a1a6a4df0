"""What each suite measures: cases, each with the contenders that take turns on one input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.compare.contenders import Case, Contender, Suite
from benchmarks.compare.peers import classes

# What keeps a contender to one BLAS thread, where the threads are above it.
ONE_BLAS_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Of MKL's own threads there are none then.
SEQUENTIAL = {"MKL_THREADING_LAYER": "SEQUENTIAL"}
# How many matrices of this order: those of a mutual information, and what 20 minutes allow.
BATCHES = {1000: 20}
# Order of the product that everything is compared with.
PRODUCT_ORDER = 4096
DTYPES = ("float64", "float32")
MKL_LAYERS = ("intel", "gnu", "tbb")


def rows(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(n + d).normal(size=(n, d))


def _save_rows(n: int, d: int) -> Callable[[Path], None]:
    return lambda path: np.save(path, rows(n, d))


def _save_operator(n: int, dtype: str) -> Callable[[Path], None]:
    """The diffusion matrix of normal data with d = 64."""

    def save(path: Path) -> None:
        np.save(path, np.asarray(eg.DiffusionOperator(rows(n, 64), dtype=dtype)))

    return save


def _save_stack(n: int, count: int, dtype: str) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        data = rows(2 * n, 64)
        generator = np.random.default_rng(0)
        chosen = (data[generator.permutation(2 * n)[:n]] for _ in range(count))
        np.save(path, np.stack([np.asarray(eg.DiffusionOperator(Z, dtype=dtype)) for Z in chosen]))

    return save


def _solver(name: str, library: str, solver: str = "", **environment: str) -> Contender:
    needs = (library, "tbb") if environment.get("MKL_THREADING_LAYER") == "TBB" else (library,)
    return Contender(name, needs, {"task": "eigenvalues", "solver": solver or name}, environment)


def single_matrix_solvers() -> list[Contender]:
    contenders = [
        _solver("eigentropy", "eigentropy"),
        _solver("numpy", "numpy"),
        *[_solver(f"scipy {driver}", "scipy") for driver in ("ev", "evd", "evr")],
        _solver("torch", "torch"),
    ]
    for driver in ("syevd", "syevr", "syevd_2stage"):
        contenders.append(_solver(f"openblas {driver}", "scipy-openblas32"))
    for driver in ("syevd", "syevd_2stage"):
        for layer in MKL_LAYERS:
            name = f"mkl {driver}"
            contenders.append(
                _solver(f"{name} {layer}", "mkl", name, MKL_THREADING_LAYER=layer.upper())
            )
    return contenders


def eigenvalues(sizes: list[int], product_order: int = PRODUCT_ORDER) -> Iterator[Case]:
    for dtype in DTYPES:
        parameters = {"task": "product", "n": product_order, "dtype": dtype}
        yield Case(parameters, products(product_order, dtype), guess=1.0)
    for n in sizes:
        for dtype in DTYPES:
            every = single_matrix_solvers()
            fast = [one for one in every if one.name in FASTEST]
            yield Case(
                {"n": n, "d": 64, "dtype": dtype},
                fast if n == FAST_AT else every,
                _save_operator(n, dtype),
                series=dtype,
                guess=3.0 * (n / 5000) ** 3,
            )


# The fastest peers of each library at n = 5000 in a run of all of them. With the others the suite
# would take much longer.
FAST_AT = 5000
FASTEST = (
    "eigentropy",
    "numpy",
    "scipy evr",
    "torch",
    "openblas syevr",
    "openblas syevd_2stage",
    "mkl syevd tbb",
    "mkl syevd_2stage intel",
)


def products(n: int, dtype: str) -> list[Contender]:
    def contender(name: str, distribution: str) -> Contender:
        spec = {"task": "product", "library": name, "n": n, "dtype": dtype}
        return Contender(name, (distribution,), spec, answer=None)

    return [
        contender("numpy", "numpy"),
        contender("torch", "torch"),
        contender("openblas", "scipy-openblas32"),
        contender("mkl", "mkl"),
    ]


def _as_users_call() -> list[Contender]:
    """`eg.dse` with its defaults, and the peer in float32, which is its better setting at some n.

    The peer has other defaults, so that ours is compared with all eigenvalues at the same settings.
    `tol` = 1e-3, what method="auto" promises, is a share of the entropy.
    """

    def contender(package: str, library: str = "eigentropy", **options: Any) -> Contender:
        return Contender(package, (library,), {"task": "entropy", "package": package}, **options)

    group = "by default"
    return [
        contender("eigentropy exact", answer=group, once=True),
        contender("eigentropy", answer=group, tolerance=1e-3, relative=True),
        contender("dse-dsmi float32", "dse-dsmi", tolerance=1e-2),
    ]


def _entropies() -> list[Contender]:
    """With the settings of the peer."""

    def contender(package: str, library: str, tolerance: float) -> Contender:
        spec = {"task": "entropy", "package": package}
        return Contender(package, (library,), spec, tolerance=tolerance)

    return [
        contender("eigentropy compat", "eigentropy", 1e-9),
        contender("eigentropy float32", "eigentropy", 1e-2),
        contender("dse-dsmi", "dse-dsmi", 1e-9),
    ]


def dse(sizes: list[int]) -> Iterator[Case]:
    contenders = [*_entropies(), *_as_users_call()]
    for n in sizes:
        yield Case({"n": n, "d": 512}, contenders, _save_rows(n, 512), guess=7.0 * (n / 5000) ** 3)


def stochastic(sizes: list[int]) -> Iterator[Case]:
    """Estimates with tol = 1e-3 beside all eigenvalues, which they are compared with."""

    def contender(package: str, library: str, tolerance: float) -> Contender:
        spec = {"task": "entropy", "package": package}
        return Contender(package, (library,), spec, tolerance=tolerance, relative=True)

    contenders = [
        # The first is what the others' answers are compared with where the peer does not take part.
        contender("eigentropy float32", "eigentropy", 1e-5),
        contender("eigentropy stochastic", "eigentropy", 1e-3),
        contender("eigentropy auto", "eigentropy", 1e-3),
        contender("dse-dsmi", "dse-dsmi", 1e-5),
    ]
    for n in sizes:
        yield Case({"n": n, "d": 512, "tol": 1e-3}, contenders, _save_rows(n, 512))


def vendi(sizes: list[int]) -> Iterator[Case]:
    """The entropy of the density matrix beside the Vendi score, of which it is the logarithm."""

    def contender(package: str, library: str, tolerance: float) -> Contender:
        spec = {"task": "vendi", "package": package}
        return Contender(package, (library,), spec, tolerance=tolerance, relative=True)

    contenders = [
        contender("eigentropy exact", "eigentropy", 1e-10),
        contender("eigentropy", "eigentropy", 1e-3),
        contender("vendi-score", "vendi-score", 1e-10),
        contender("vendi-score float32", "vendi-score", 1e-4),
    ]
    for n in sizes:
        yield Case({"n": n, "d": 512, "tol": 1e-3}, contenders, _save_rows(n, 512))


def dimensions(sizes: list[int]) -> Iterator[Case]:
    for n in sizes:
        for d in (2, 20, 200, 2000, 20000):
            yield Case({"n": n, "d": d}, _entropies(), _save_rows(n, d))


def memory(sizes: list[int]) -> Iterator[Case]:
    """Of a whole entropy, and of the eigenvalues of a given matrix."""
    solvers = [
        _solver(name, name.split()[0])
        for name in ("eigentropy", "eigentropy copy", "numpy", "scipy evd", "torch")
    ]
    for n in sizes:
        entropy, spectrum = {"of": "entropy", "n": n, "d": 512}, {"of": "eigenvalues", "n": n}
        yield Case(entropy, _entropies(), _save_rows(n, 512), memory_only=True)
        yield Case(spectrum, solvers, _save_operator(n, "float64"), memory_only=True)


def dsmi(sizes: list[int]) -> Iterator[Case]:
    """Of classes that can be told apart, so that there is information to agree on."""

    def contender(package: str, library: str, tolerance: float) -> Contender:
        spec = {"task": "information", "package": package}
        return Contender(package, (library,), spec, tolerance=tolerance)

    contenders = [
        contender("eigentropy compat", "eigentropy", 1e-9),
        # Its random groups are not those of the others, which also changes the answer.
        contender("eigentropy auto", "eigentropy", 1e-2),
        contender("dse-dsmi", "dse-dsmi", 1e-9),
    ]
    for n in sizes:
        parameters = {"n": n, "d": 512, "classes": 10, "repetitions_of_the_estimate": 5}
        yield Case(parameters, contenders, _save_classes(n, 512))


def _save_classes(n: int, d: int, count: int = 10) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        centers = np.random.default_rng(0).normal(size=(count, d))
        np.save(path, rows(n, d) + 0.5 * centers[classes(n, count)])

    return save


# n, d and number of classes of the calls of `eg.dsmi`.
SHAPES = ((1000, 256, 10), (2000, 512, 10), (5000, 512, 10), (5000, 1000, 3))


def calls(
    sizes: list[int], shapes: tuple[tuple[int, int, int], ...] = SHAPES, all_four: bool = True
) -> Iterator[Case]:
    """`eg.dsmi(Z, labels)` beside the peer's call, each with its own defaults.

    Ours is compared with all eigenvalues at its own settings; `tol` = 1e-3 is of the baseline.
    """

    def contender(package: str, library: str = "eigentropy", **options: Any) -> Contender:
        spec = {"task": "call of dsmi", "package": package, "classes": count}
        return Contender(package, (library,), spec, **options)

    for n, d, count in shapes:
        if n not in sizes:
            continue
        contenders = [
            contender("eigentropy", tolerance=1e-3),
            contender("dse-dsmi", "dse-dsmi", answer=None),
        ]
        if all_four:
            contenders.insert(0, contender("eigentropy exact", once=True))
            contenders.append(contender("dse-dsmi float32", "dse-dsmi", answer=None))
        parameters = {"call": "eg.dsmi(Z, labels)", "n": n, "d": d, "classes": count}
        seconds = 8.0 * (n / 5000) ** 3 * (3 / count) ** 1.2
        yield Case(parameters, contenders, _save_classes(n, d, count), guess=seconds)


# What users may have; groups of fewer than 10 rows say little of Z.
GRID = (200, 500, 1000, 2000, 5000)
SHAPES_OF_GRID = tuple(
    (n, d, count)
    for n, d, count in product(GRID, (16, 256, 1024), (2, 3, 10, 50))
    if n >= 10 * count
)


# Columns of the layer, and classes of the labels.
LAYER = (128, 10)
MONITORS = {
    "eigentropy": ("eigentropy", "torch"),
    "eigentropy outside": ("eigentropy", "torch"),
    "dse-dsmi": ("dse-dsmi", "torch"),
}


def monitor(sizes: list[int]) -> Iterator[Case]:
    """A step of a monitor of one layer, and what a user would do without one: the peer's calls."""
    d, count = LAYER
    for n in sizes:
        known = {"n": n, "d": d, "classes": count}
        contenders = [
            Contender(name, needs, {"task": "monitor", "package": name, **known}, answer=None)
            for name, needs in MONITORS.items()
        ]
        yield Case({"call": "Monitor.step()", **known}, contenders)


def largest(sizes: list[int]) -> Iterator[Case]:
    """An estimate without a matrix; there is no peer that could do it."""
    spec = {"task": "estimate", "tol": 1e-3}
    contenders = [Contender("eigentropy", ("eigentropy",), spec, answer=None)]
    for n in sizes:
        parameters = {"call": "eg.dse(Z)", "n": n, "d": 128, "tol": 1e-3}
        yield Case(parameters, contenders, _save_single(n, 128), guess=60.0)


def _save_single(n: int, d: int) -> Callable[[Path], None]:
    return lambda path: np.save(path, rows(n, d).astype(np.float32))


# What each stage returns, where both packages have it.
STAGES = {
    "eigentropy": {
        "kernel": None,
        "kernel and normalisation": "matrix",
        "eigenvalues": "eigenvalues",
    },
    "dse-dsmi": {
        "distances": None,
        "kernel": None,
        "normalisation": "matrix",
        "eigenvalues": "eigenvalues",
    },
}


def stages(sizes: list[int]) -> Iterator[Case]:
    contenders = []
    for library, names in STAGES.items():
        for name, answer in names.items():
            spec = {"task": "stage", "stage": f"{library} {name}"}
            contenders.append(Contender(spec["stage"], (library,), spec, answer=answer))
    for n in sizes:
        yield Case({"n": n, "d": 512}, contenders, _save_rows(n, 512))


def batch(sizes: list[int]) -> Iterator[Case]:
    contenders = [
        _solver("eigentropy", "eigentropy", "eigentropy copy"),
        _solver("numpy", "numpy"),
        _solver("numpy, 1 BLAS thread", "numpy", "numpy", **ONE_BLAS_THREAD),
        _solver("numpy, pool of threads", "numpy", "numpy pool", **ONE_BLAS_THREAD),
        _solver("torch", "torch"),
        _solver("torch, pool of threads", "torch", "torch pool", **ONE_BLAS_THREAD),
        _solver("mkl, pool of threads", "mkl", "mkl pool", **ONE_BLAS_THREAD, **SEQUENTIAL),
    ]
    for n in sizes:
        count = BATCHES.get(n) or max(10, min(1000, 60000 // n))
        for dtype in DTYPES:
            parameters = {"n": n, "count": count, "dtype": dtype}
            save, seconds = _save_stack(n, count, dtype), 3.0 * count / 60 * (n / 1000) ** 2.5
            yield Case(parameters, contenders, save, guess=seconds)


REDUCED = (64, 100, 128, 200, 300, 500, 1000, 2000, 4000)
SUITES = {
    "calls": Suite(calls, (1000, 2000, 5000), (1000, 2000, 5000)),
    "monitor": Suite(monitor, (1000,), (1000,)),
    "batch": Suite(batch, (50, 100, 300, 1000), (50, 100, 300, 1000)),
    "eigenvalues": Suite(eigenvalues, (500, 1000, 2000, 5000), (500, 1000, 2000, 5000, 10000)),
    "dse": Suite(dse, (500, 1000, 2000, 5000), (500, 1000, 2000, 5000, 10000)),
    "dsmi": Suite(dsmi, (2000, 5000), (2000, 5000)),
    "stochastic": Suite(stochastic, (5000,), (5000, 10000)),
    "vendi": Suite(vendi, (1000, 2000), (1000, 2000, 5000, 10000)),
    "dimensions": Suite(dimensions, (2000,), (2000,)),
    "stages": Suite(stages, (1000, 2000), (1000, 2000, 5000)),
    # Of n x n matrices by the C++ microbenchmarks.
    "reductions": Suite(lambda sizes: iter(()), REDUCED, REDUCED),
    "memory": Suite(memory, (1000, 2000, 5000), (1000, 2000, 5000)),
    "largest": Suite(largest, (), (100_000,)),
    "shapes": Suite(partial(calls, shapes=SHAPES_OF_GRID, all_four=False), (), GRID),
}
