"""Traces of functions of a matrix from quadrature rules of random vectors, with control variates.

docs/explanations/stochastic.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eigentropy import _core
from eigentropy._spectra.lanczos import Doubles

# Added to the matrix of the fit, which is singular where one probe alone sees a part of the
# spectrum.
RIDGE = 1e-6

# Where the spectrum has fewer than three points, some directions of the three control variates are
# rounding: those with a singular value below this share of the largest are dropped.
DEPENDENT = 1e-10

# Where the nodes, or their squares, are all this small, A has no further eigenvalues: the nodes are
# rounding.
NO_EIGENVALUES = 1e-14


@dataclass(frozen=True)
class Rule:
    """Quadrature for m vectors: z_i^T f(A) z_i = weights[i] @ f(nodes)."""

    nodes: Doubles  # (D,)
    weights: Doubles  # (m, D)

    def first(self, count: int) -> Rule:
        """The rules of the first vectors."""
        return Rule(self.nodes, self.weights[:count])

    def total(self) -> Rule:
        """The rule for the sum over the vectors."""
        return Rule(self.nodes, self.weights.sum(axis=0, keepdims=True))


def rules(T: Doubles, *blocks: Doubles) -> list[Rule]:
    """The rule of each block of vectors, given by coordinates in the first rows of T."""
    nodes, vectors = _core.symmetric_eigenpairs(T)
    nodes = np.clip(nodes, 0.0, 1.0)  # where the eigenvalues of A are
    return [Rule(nodes, (block.T @ vectors[: len(block)]) ** 2) for block in blocks]


# Powers between 1 - NEAR_ONE and 1 + NEAR_ONE are estimated by what they differ from x.
NEAR_ONE = 0.5


def power_and_moment(x: Doubles, t: float) -> Doubles:
    """x^t and x^t log x, shape (len(x), 2); 0 at 0."""
    logarithms = np.log(x, out=np.zeros_like(x), where=x > 0.0)
    powers = np.where(x > 0.0, np.exp(t * logarithms), 0.0)
    return np.stack([powers, powers * logarithms], axis=1)


def traces_by_probe(
    sketch: Rule, batches: Sequence[Rule], t: float, exact: Doubles, unit: float = 1.0
) -> Doubles:
    r"""Estimates of tr A^t and tr A^t log A, one of each probe: shape (probes, 2).

    Of A / `unit`, if that is given: large powers of small eigenvalues would be 0.

    .. math:: \mathrm{tr}\,Q^T f(A) Q + z_i^T r_i(A) z_i + \mathrm{tr}\,(1 - QQ^T) (f - r_i)(A)

    with r_i = f - a_i - b_i x - c_i x^2, fitted to f on the quadrature rules of all other probes:
    a_i, b_i, c_i do not depend on z_i, so that the expectation is the trace. The last term is known
    from `exact`, the traces of 1, A and A^2. Near t = 1, f is x^t - x: what the fit leaves of x
    would be large beside the logarithm of the trace.
    """
    linear = 1.0 / unit if abs(t - 1.0) < NEAR_ONE else 0.0

    def function(x: Doubles) -> Doubles:
        values = power_and_moment(x / unit, t)
        values[:, 0] -= linear * x
        return values

    basis = _control_variates(batches)
    known = exact @ basis - (sketch.weights @ _polynomials(sketch.nodes, basis))[0]
    sketched = sketch.weights @ function(sketch.nodes)

    forms, variates, gram, products = [], [], [], []
    for rule in batches:
        f, phi = function(rule.nodes), _polynomials(rule.nodes, basis)
        forms.append(rule.weights @ f)
        variates.append(rule.weights @ phi)
        gram.append(np.einsum("id,dj,dk->ijk", rule.weights, phi, phi, optimize=True))
        products.append(np.einsum("id,dj,dk->ijk", rule.weights, phi, f, optimize=True))
    without = [_all_but_one(np.concatenate(sums)) for sums in (gram, products)]
    identity = np.eye(basis.shape[1])
    coefficients = np.linalg.solve(without[0] + RIDGE * identity, without[1])
    beyond = known - np.concatenate(variates)
    corrections = np.einsum("ij,ijk->ik", beyond, coefficients)
    total: Doubles = sketched + np.concatenate(forms) + corrections
    total[:, 0] += linear * exact[1]
    return total


def _control_variates(batches: Sequence[Rule]) -> Doubles:
    """Columns of coefficients of 1, x, x^2 that are orthonormal on the rules of all probes."""
    nodes = np.concatenate([rule.nodes for rule in batches])
    weights = np.concatenate([rule.weights.sum(axis=0) for rule in batches])
    columns = np.sqrt(weights)[:, None] * _powers(nodes)
    lengths = np.linalg.norm(columns, axis=0)
    none = lengths <= NO_EIGENVALUES * lengths[0]
    columns[:, none], lengths[none] = 0.0, 1.0
    _, values, vectors = np.linalg.svd(columns / lengths, full_matrices=False)
    kept = values > DEPENDENT * values[0]
    basis: Doubles = vectors[kept].T / values[kept] / lengths[:, None]
    return basis


def _powers(x: Doubles) -> Doubles:
    powers: Doubles = np.stack([np.ones_like(x), x, x**2], axis=1)
    return powers


def _polynomials(x: Doubles, basis: Doubles) -> Doubles:
    values: Doubles = _powers(x) @ basis
    return values


def _all_but_one(terms: Doubles) -> Doubles:
    difference: Doubles = terms.sum(axis=0) - terms
    return difference
