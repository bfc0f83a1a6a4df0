"""What each suite measures: cases, each with the contenders that take turns on one input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.compare.peers import classes

# What keeps a contender to one BLAS thread, where the threads are above it.
ONE_BLAS_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Order of the product that everything is compared with.
PRODUCT_ORDER = 4096
MKL_LAYERS = ("intel", "gnu", "tbb")


@dataclass(frozen=True)
class Contender:
    name: str
    # Distributions that it needs; the first is the library that the tables group it under.
    needs: tuple[str, ...]
    spec: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    # Contenders that name the same thing give the same answer; None: no answer is kept.
    answer: str | None = "answer"
    # Of its answer; see rounds.difference.
    tolerance: float = 10.0
    # The tolerance is of the difference as a share of the reference.
    relative: bool = False
    # Only its answer is wanted: it takes part in the first round alone.
    once: bool = False


@dataclass(frozen=True)
class Case:
    parameters: dict[str, Any]
    contenders: list[Contender]
    # Writes the input file; None where there is none.
    write_input: Callable[[Path], None] | None = None
    # Slow contenders may be dropped on the evidence of the case before with the same value of this;
    # without one, nobody is.
    series: str = ""


def rows(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(n + d).normal(size=(n, d))


def _save_rows(n: int, d: int) -> Callable[[Path], None]:
    return lambda path: np.save(path, rows(n, d))


def _save_operator(n: int, dtype: str) -> Callable[[Path], None]:
    """The diffusion matrix of normal data with d = 64."""

    def save(path: Path) -> None:
        np.save(path, np.asarray(eg.DiffusionOperator(rows(n, 64), dtype=dtype)))

    return save


def _save_stack(n: int, count: int) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        data = rows(2 * n, 64)
        generator = np.random.default_rng(0)
        chosen = (data[generator.permutation(2 * n)[:n]] for _ in range(count))
        np.save(path, np.stack([np.asarray(eg.DiffusionOperator(Z)) for Z in chosen]))

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
    for dtype in ("float64", "float32"):
        parameters = {"task": "product", "n": product_order, "dtype": dtype}
        yield Case(parameters, products(product_order, dtype))
    for n in sizes:
        for dtype in ("float64", "float32"):
            yield Case(
                {"n": n, "d": 64, "dtype": dtype},
                single_matrix_solvers(),
                _save_operator(n, dtype),
                series=dtype,
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


def _as_users_call(task: str) -> list[Contender]:
    """Ours with its defaults, and the peer in float32, which is its better setting at some n.

    The peer has other defaults, so that ours is compared with all eigenvalues at the same settings.
    `tol` = 1e-3, what method="auto" promises, is a share of the entropy, or of the baseline of an
    information, by which both answers of that task are divided.
    """

    def contender(package: str, library: str = "eigentropy", **options: Any) -> Contender:
        return Contender(package, (library,), {"task": task, "package": package}, **options)

    group = "by default"
    share = task == "entropy"
    return [
        contender("eigentropy exact", answer=group, once=True),
        contender("eigentropy", answer=group, tolerance=1e-3, relative=share),
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
    contenders = [*_entropies(), *_as_users_call("entropy")]
    for n in sizes:
        yield Case({"n": n, "d": 512}, contenders, _save_rows(n, 512))


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
        yield Case({"of": "entropy", "n": n, "d": 512}, _entropies(), _save_rows(n, 512))
        yield Case({"of": "eigenvalues", "n": n}, solvers, _save_operator(n, "float64"))


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
        *_as_users_call("information"),
    ]
    for n in sizes:
        parameters = {"n": n, "d": 512, "classes": 10, "repetitions_of_the_estimate": 5}
        yield Case(parameters, contenders, _save_classes(n, 512))


def _save_classes(n: int, d: int) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        centers = np.random.default_rng(0).normal(size=(10, d))
        np.save(path, rows(n, d) + 0.5 * centers[classes(n)])

    return save


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
    ]
    for n in sizes:
        count = max(10, min(1000, 60000 // n))
        yield Case({"n": n, "count": count}, contenders, _save_stack(n, count))


@dataclass(frozen=True)
class Suite:
    cases: Callable[[list[int]], Iterator[Case]]
    # n of a run that takes minutes, and of the one that the documents quote.
    sizes: tuple[int, ...]
    full_sizes: tuple[int, ...]
    # Of the time that the suites have together.
    share: float = 1.0


SUITES = {
    "eigenvalues": Suite(eigenvalues, (500, 1000, 2000), (500, 1000, 2000, 5000, 10000), 7.0),
    "dse": Suite(dse, (500, 1000, 2000), (500, 1000, 2000, 5000, 10000), 2.0),
    "stochastic": Suite(stochastic, (2000,), (2000, 5000, 10000), 2.0),
    "vendi": Suite(vendi, (1000, 2000), (1000, 2000, 5000, 10000), 2.0),
    "dimensions": Suite(dimensions, (2000,), (2000,), 2.0),
    "stages": Suite(stages, (1000, 2000), (1000, 2000, 5000)),
    "dsmi": Suite(dsmi, (2000,), (2000, 5000)),
    "batch": Suite(batch, (50, 100, 300), (50, 100, 300, 1000), 3.0),
    "memory": Suite(memory, (1000, 2000), (1000, 2000, 5000)),
}
