"""What each ingredient of the stochastic estimate is worth, and what float32 changes.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.accuracy.stochastic_variants \
        --output benchmarks/results/stochastic_variants.json

Part one: estimators that multiply A with the same number of columns, 32 in each of 6 products, or
a sixth more, and the root mean square of their relative error of S over seeds. Part two: what
vectors and products in float32 change of an estimate, seed by seed. The exact values are from all
eigenvalues. stochastic_accuracy.py measures the estimate as it is.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np

import eigentropy as eg
from benchmarks.accuracy.estimates import Data, data_sets
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write
from eigentropy import _core
from eigentropy._spectra.lanczos import BlockLanczos
from eigentropy._spectra.quadrature import power_and_moment
from eigentropy._spectra.stochastic import estimate_spectrum

TIMES = (1.0, 2.0, 3.5)
ALPHA = 0.5
TOL = 1e-3
COLUMNS, STEPS = 32, 6
ROWS = 3000


class Matrix:
    """A in float32, as the protocol of `estimate` wants it, with all its eigenvalues."""

    def __init__(self, data: Data) -> None:
        self.n = len(data.Z)
        sigma = eg.DiffusionOperator(data.Z, sigma=data.sigma).sigma
        A, self.trace, self.frobenius2, self.degrees = _core.matrix(
            np.ascontiguousarray(data.Z), sigma, ALPHA, "float64"
        )
        A = np.triu(A) + np.triu(A, 1).T
        self.by_dtype = {np.dtype(name): A.astype(name) for name in ("float32", "float64")}
        spectrum = np.clip(eg.eigvalsh(A), 0.0, 1.0)
        self.exact = {t: eg.spectral_entropy(spectrum, t, math.e) for t in TIMES}
        roots = np.sqrt(self.degrees)
        self.top = roots / np.linalg.norm(roots)

    def matmul(self, V: np.ndarray, progress: object = None) -> np.ndarray:
        return self.by_dtype[V.dtype] @ V


def data(name: str) -> Data:
    return next(data for data in data_sets(ROWS) if data.name == name)


@dataclass(frozen=True)
class Variant:
    """An estimator with a fixed amount of work.

    known_top: the eigenvalue 1 and its vector are exact. moments: traces of 1, A, A^2 that are
    control variates, 0 to 3. sketched: columns of which Q is made, from `blocks` blocks of their
    Krylov space; -1: each probe by a Q of all the others. separate: Q is found beforehand, by
    products of its own.
    """

    known_top: bool = True
    moments: int = 3
    sketched: int = 0
    blocks: int = 1
    separate: bool = False


VARIANTS = {
    "plain SLQ": Variant(known_top=False, moments=0),
    "+ known top pair": Variant(moments=0),
    "+ control variate 1": Variant(moments=1),
    "+ control variates 1, A": Variant(moments=2),
    "+ control variates 1, A, A^2": Variant(),
    "Hutch++, sketch by its own product": Variant(sketched=16, blocks=1, separate=True),
    "shared Krylov space, A applied once": Variant(sketched=16, blocks=2),
    "shared Krylov space, A applied twice": Variant(sketched=16, blocks=3),
    "the same without control variates": Variant(sketched=16, blocks=3, moments=0),
    "leave one out, A applied once": Variant(sketched=-1, blocks=2),
    "leave one out, A applied twice": Variant(sketched=-1, blocks=3),
}


def run_variant(matrix: Matrix, variant: Variant, seed: int) -> dict[float, tuple[float, float]]:
    """S and its standard error for each t."""
    rng = np.random.default_rng(seed)
    signs = (2.0 * rng.integers(0, 2, (matrix.n, COLUMNS)) - 1.0).astype(np.float32)
    top = matrix.top if variant.known_top else np.zeros(matrix.n)
    if variant.separate:
        count = variant.sketched
        first = signs[:, :count] - np.outer(top, top @ signs[:, :count]).astype(np.float32)
        signs[:, :count] = np.linalg.qr(matrix.matmul(first))[0]
        signs[:, count:] -= signs[:, :count] @ (signs[:, :count].T @ signs[:, count:])
    space = BlockLanczos(matrix, signs, top, "float32")
    while space.steps < STEPS and not space.exhausted:
        space.step()
    samples = [probe_samples(matrix, variant, space, T) for T in both_ends(space)]
    return {t: entropy(matrix, variant, (samples[0][t] + samples[1][t]) / 2, t) for t in TIMES}


def both_ends(space: BlockLanczos) -> tuple[np.ndarray, np.ndarray]:
    return space.matrix(), space.matrix_with_zero()


def probe_samples(matrix, variant, space, T) -> dict[float, np.ndarray]:
    """Traces of A^t and A^t log A outside the known top pair from each probe, (probes, 2)."""
    start = np.zeros((len(T), COLUMNS))
    start[: len(space.start)] = space.start
    sketched = variant.sketched
    if sketched < 0:
        parts = [
            split(T, np.delete(start, i, axis=1), start[:, [i]], variant.blocks)
            for i in range(COLUMNS)
        ]
    else:
        parts = [split(T, start[:, :sketched], start[:, sketched:], variant.blocks)]
    nodes, vectors = np.linalg.eigh(T)
    nodes = np.clip(nodes, 0.0, 1.0)
    in_sketch = np.array([((Q.T @ vectors) ** 2).sum(axis=0) for Q, _ in parts])
    forms = np.concatenate([(Z.T @ vectors) ** 2 for _, Z in parts])
    in_sketch = np.broadcast_to(in_sketch, forms.shape)
    powers = nodes[:, None] ** np.arange(variant.moments)
    traces = np.array([matrix.n, matrix.trace, matrix.frobenius2]) - float(variant.known_top)
    samples = {}
    for t in TIMES:
        f = power_and_moment(nodes, t)
        total = in_sketch + forms
        samples[t] = total @ f
        if variant.moments:
            beyond = traces[: variant.moments] - total @ powers
            for i in range(len(forms)):
                weights = np.sqrt(forms.sum(axis=0) - forms[i])[:, None]
                fit = np.linalg.lstsq(weights * powers, weights * f, rcond=1e-10)[0]
                samples[t][i] += beyond[i] @ fit
    return samples


def split(T, block, Z, blocks) -> tuple[np.ndarray, np.ndarray]:
    Q = np.zeros((len(T), 0))
    for _ in range(blocks):
        if block.shape[1] == 0:
            break
        length = np.linalg.norm(block, 2)
        for _ in range(2):
            block = block - Q @ (Q.T @ block)
        vectors, lengths, _ = np.linalg.svd(block, full_matrices=False)
        Q = np.hstack([Q, vectors[:, lengths > 1e-7 * length]])
        block = T @ Q[:, -block.shape[1] :]
    return Q, Z - Q @ (Q.T @ Z)


def entropy(matrix, variant, samples, t) -> tuple[float, float]:
    powers, moments = samples.T
    powers = powers + float(variant.known_top)
    if t in (1.0, 2.0):
        powers = np.full_like(powers, {1.0: matrix.trace, 2.0: matrix.frobenius2}[t])
    T, M = powers.mean(), moments.mean()
    terms = powers / T - t * moments / T + t * M * powers / T**2
    return math.log(T) - t * M / T, terms.std(ddof=1) / math.sqrt(len(terms))


def variants_of(name: str, seeds: int) -> dict[str, object]:
    matrix = Matrix(data(name))
    table = {}
    for label, variant in VARIANTS.items():
        runs = [run_variant(matrix, variant, seed) for seed in range(seeds)]
        table[label] = {
            f"t={t:g}": {
                "rms_relative_error": rms([run[t][0] / matrix.exact[t] - 1.0 for run in runs]),
                "rms_over_stated_error": rms([run[t][0] - matrix.exact[t] for run in runs])
                / max(rms([run[t][1] for run in runs]), 1e-300),
            }
            for t in TIMES
        }
    return table


def rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def precision_of(name: str, seeds: int) -> dict[str, float]:
    """Largest relative difference between the estimates in float32 and in float64."""
    matrix = Matrix(data(name))
    differences: dict[str, float] = {}
    for seed in range(seeds):
        single, double = (
            estimate_spectrum(matrix, TIMES, 10 * TOL, seed, dtype=dtype)
            for dtype in ("float32", "float64")
        )
        for t in TIMES:
            difference = abs(single.entropy(t) / double.entropy(t) - 1.0)
            differences[f"t={t:g}"] = max(difference, differences.get(f"t={t:g}", 0.0))
    return differences


def call(task: tuple[Callable[..., object], tuple[object, ...]]) -> object:
    function, arguments = task
    return function(*arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--precision-seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    names = [data.name for data in data_sets(ROWS)]
    with Pool(arguments.processes) as pool:
        variants = pool.map(call, [(variants_of, (n, arguments.seeds)) for n in names], 1)
        precision = pool.map(
            call, [(precision_of, (n, arguments.precision_seeds)) for n in names], 1
        )
    results = {
        "machine": describe(),
        "variants": {
            "columns": COLUMNS,
            "steps": STEPS,
            "seeds": arguments.seeds,
            "data": dict(zip(names, variants, strict=True)),
        },
        "float32_relative_difference": dict(zip(names, precision, strict=True)),
    }
    results = rounded(results, 3)
    print(text(results))
    if arguments.output:
        write(arguments.output, results)


if __name__ == "__main__":
    main()
