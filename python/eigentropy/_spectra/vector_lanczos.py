"""Estimates of spectra by many steps of Lanczos with single vectors, for matrices that are sparse.

Powers below 1 have a singularity at 0, which takes more steps than a block of vectors can be kept
for. A single vector without reorthogonalisation keeps two vectors, however many the steps are; its
quadrature is then as accurate as with it, which copies of eigenvalues do not change.

References
----------
Ubaru, Chen, Saad: Fast estimation of tr(f(A)) via stochastic Lanczos quadrature. SIMAX 2017.
Greenbaum: Behavior of slightly perturbed Lanczos and conjugate-gradient recurrences. LAA 1989.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eigentropy._spectra.estimated import REMEMBERED, EstimatedSpectrum, History
from eigentropy._spectra.lanczos import SMALLEST, Doubles, Products
from eigentropy._spectra.quadrature import Rule
from eigentropy._support.progress import Callback

# Vectors at a time, and the most of them.
PROBES, MAX_PROBES = 16, 256

# Steps between two looks at the quadrature, and the most steps.
STEPS_AT_A_TIME, MAX_STEPS = 16, 320

# Relative rounding error of the estimate in float64, and the same in nats for an S near 0.
ROUNDING = 1e-12

# A vector that is this much shorter than it was has nothing left but rounding.
NOTHING_LEFT = 1e-13


def estimate_by_vectors(
    products: Products,
    times: Sequence[float],
    tol: float,
    seed: int,
    progress: Callback | None = None,
) -> EstimatedSpectrum:
    """The entropies at `times` of a matrix B, as `stochastic.estimate_spectrum` has them.

    B is positive semidefinite and sqrt(degrees) is its eigenvector of the eigenvalue 1.
    """
    random = np.random.default_rng(seed)
    roots = np.sqrt(products.degrees)
    top: Doubles = (roots / np.linalg.norm(roots))[:, None]
    exact = np.array([products.n, products.trace, products.frobenius2]) - 1.0
    nothing = Rule(np.zeros(0), np.zeros((1, 0)))
    sketch: History = [(nothing, nothing)] * REMEMBERED
    batches: list[History] = []
    estimate: EstimatedSpectrum | None = None
    while estimate is None or _needs_more(estimate, times):
        signs = random.choice([-1.0, 1.0], size=(products.n, PROBES))
        run = _Recurrence(products, signs, top)
        report = None if progress is None else _share(progress, len(batches))
        while True:
            run.advance(STEPS_AT_A_TIME, report)
            found = [*batches, *run.histories()]
            estimate = EstimatedSpectrum(exact, sketch, found, tol, ROUNDING, "float64")
            if run.steps >= MAX_STEPS or all(estimate.is_converged(t) for t in times):
                break
        batches = found
        estimate.steps, estimate.columns = run.steps, len(batches) * run.steps
    if progress is not None:
        progress(1.0)
    return estimate


def _needs_more(estimate: EstimatedSpectrum, times: Sequence[float]) -> bool:
    """Whether more vectors would help, and are allowed."""
    points = [estimate.at(t) for t in times]
    return estimate.probes < MAX_PROBES and any(
        not estimate.meets(t) and point.statistical > point.unresolved
        for t, point in zip(times, points, strict=True)
    )


def _share(progress: Callback, before: int) -> Callback:
    """Of all vectors that there may be, the first ones count most: often they are enough."""
    start = before / (before + PROBES)
    stop = (before + PROBES) / (before + 2 * PROBES)
    return lambda share: progress(start + share * (stop - start))


class _Recurrence:
    """Lanczos with several vectors, each by itself.

    Attributes
    ----------
    steps : int
    """

    def __init__(self, products: Products, start: Doubles, excluded: Doubles) -> None:
        self._products, self._excluded = products, excluded
        start = self._projected(start)
        self._lengths = np.linalg.norm(start, axis=0)
        self._last, self._before = start / self._lengths, np.zeros_like(start)
        self._diagonal: list[Doubles] = []
        self._below: list[Doubles] = []  # the first one is that of T with one step more

    @property
    def steps(self) -> int:
        return len(self._diagonal)

    def advance(self, steps: int, progress: Callback | None) -> None:
        """So many steps more."""
        for _ in range(steps):
            product = self._products.matmul(self._last)
            if self._below:
                product -= self._before * self._below[-1]
            diagonal = np.einsum("ij,ij->j", self._last, product)
            product = self._projected(product - self._last * diagonal)
            below = np.linalg.norm(product, axis=0)
            below[below < NOTHING_LEFT] = 0.0
            self._before = self._last
            self._last = product / np.where(below > 0.0, below, np.inf)
            self._diagonal.append(diagonal)
            self._below.append(below)
            if progress is not None:
                progress(self.steps / MAX_STEPS)

    def histories(self) -> list[History]:
        """The rules of each vector after the last steps: Gauss; Gauss-Radau with a node at 0."""
        steps = [self._rules(self.steps - back) for back in reversed(range(REMEMBERED))]
        return [[step[vector] for step in steps] for vector in range(len(self._lengths))]

    def _rules(self, steps: int) -> list[tuple[Rule, Rule]]:
        diagonal, below = np.array(self._diagonal[:steps]).T, np.array(self._below[:steps]).T
        return [_gauss_and_radau(*one) for one in zip(self._lengths, diagonal, below, strict=True)]

    def _projected(self, V: Doubles) -> Doubles:
        projected: Doubles = V - self._excluded @ (self._excluded.T @ V)
        return projected


def _gauss_and_radau(length: float, diagonal: Doubles, below: Doubles) -> tuple[Rule, Rule]:
    """The rules of a vector of this length, by the matrix T and what T is followed by."""
    from scipy.linalg import eigh_tridiagonal  # the sparse matrix needs SciPy as well

    values, vectors = eigh_tridiagonal(diagonal, below[:-1])
    corner = below[-1] ** 2 * float(vectors[-1] ** 2 @ (1.0 / np.maximum(values, SMALLEST)))
    extended = eigh_tridiagonal(np.append(diagonal, corner), below)
    return _rule(length, values, vectors), _rule(length, *extended)


def _rule(length: float, values: Doubles, vectors: Doubles) -> Rule:
    return Rule(np.clip(values, 0.0, 1.0), (length * vectors[:1]) ** 2)
