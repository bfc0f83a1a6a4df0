r"""The entropy of a large batch and its gradient from the same random probes.

The probes z are random signs, projected off the known eigenvectors. Then :math:`E[z z^T]` is a
projection, so that

.. math:: \mathrm{tr}\, f(A) = E[z^T f(A) z], \qquad g(A) = E\big[\tfrac12 (g(A) z\, z^T
    + z\, (g(A) z)^T)\big] ,

and both need only f and g of the small tridiagonal matrix that Lanczos makes of A from z.
docs/explanations/gradient.md has the variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from eigentropy.torch.losses.eigenpairs import NOISE, EigenPairs
from eigentropy.torch.losses.functionals import Functional
from eigentropy.torch.losses.operators import Operator

# Number of probes in a batch, the most of all batches together, and Lanczos steps for each.
PROBES, MOST_PROBES = 32, 256
STEPS = 20

# Half-width of a 95 % interval in standard errors.
QUANTILE = 1.96


@dataclass(frozen=True)
class ProbedSlope:
    """S in nats, its standard error, and B = dS/dA, shape (n, n)."""

    value: float
    standard_error: float
    B: torch.Tensor
    probes: int


@dataclass(frozen=True)
class _Probes:
    """Signs z (n, m); the Krylov space of each (n, m, k), and A in it by Ritz values (m, k).

    `first` (m, k) and `vectors` (m, k, k) are z and A's eigenvectors in coordinates of the space.
    """

    z: torch.Tensor
    basis: torch.Tensor
    nodes: torch.Tensor
    vectors: torch.Tensor
    first: torch.Tensor

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """f(A) z for each probe, shape (n, m), by the values f of the nodes."""
        coordinates = torch.einsum("mjk,mk->mj", self.vectors, values * self.first)
        return torch.einsum("nmj,mj->nm", self.basis, coordinates.to(self.basis.dtype))


def slope_from_probes(
    operator: Operator, functional: Functional, tol: float, seed: int
) -> ProbedSlope:
    """S of the eigenvalues of A, and its slope, by as many probes as S needs to reach `tol`.

    Parameters
    ----------
    operator : Operator
        With A.
    functional : Functional
        S.
    tol : float
        Probes are added until the half-width of the 95 % interval is this share of S, or until
        there are 256.
    """
    A, known = operator.A, operator.known()
    generator = torch.Generator("cpu").manual_seed(seed)
    batches: list[_Probes] = []
    while True:
        batches.append(_probes(A, known, generator))
        found = _Moments(operator, known, batches, functional)
        reached = QUANTILE * found.standard_error <= tol * max(found.value, tol)
        if reached or len(batches) * PROBES >= MOST_PROBES:
            return ProbedSlope(found.value, found.standard_error, found.slope(A), found.count)


def _probes(A: torch.Tensor, known: EigenPairs, generator: torch.Generator) -> _Probes:
    """Lanczos from new signs: one space for each probe, but one product with A for all."""
    n = len(A)
    signs = torch.randint(0, 2, (n, PROBES), generator=generator, dtype=torch.int8, device="cpu")
    z = (2 * signs - 1).to(A.device, A.dtype)
    z -= known.vectors @ (known.vectors.T @ z)
    steps = min(STEPS, n - 1)
    basis = A.new_zeros(n, PROBES, steps)
    diagonal, below = A.new_zeros(PROBES, steps), A.new_zeros(PROBES, steps)
    lengths = z.norm(dim=0)
    rounding = NOISE * torch.finfo(A.dtype).eps * max([1.0, *known.values.tolist()])
    q = z / lengths
    for j in range(steps):
        basis[:, :, j] = q
        product = A @ q
        diagonal[:, j] = (product * q).sum(dim=0)
        for _ in range(2):  # without this, copies of converged eigenvalues appear
            inner = torch.einsum("nmj,nm->mj", basis[:, :, : j + 1], product)
            product = product - torch.einsum("nmj,mj->nm", basis[:, :, : j + 1], inner)
            product -= known.vectors @ (known.vectors.T @ product)
        below[:, j] = product.norm(dim=0)
        noise = below[:, j] <= rounding  # the space is invariant
        below[:, j] = below[:, j].masked_fill(noise, 0.0)
        q = torch.where(noise, 0.0, product / below[:, j])
    off = below[:, :-1].double()
    T = torch.diag_embed(diagonal.double()) + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    nodes, vectors = torch.linalg.eigh(T)
    first = vectors[:, 0] * lengths.double()[:, None]
    return _Probes(z, basis, nodes, vectors, first)


class _Moments:
    """S and its slope from some batches of probes, in float64 but for the slope.

    Eigenvalues are in units of the largest one.
    """

    def __init__(
        self,
        operator: Operator,
        known: EigenPairs,
        batches: list[_Probes],
        functional: Functional,
    ) -> None:
        A, trace = operator.A, operator.trace
        self.batches, self.functional = batches, functional
        self.count = PROBES * len(batches)
        nodes = torch.cat([batch.nodes for batch in batches])
        self.unit = float(known.values[0] if len(known.values) else nodes.max())
        self.share = self.unit / trace
        # Eigenvalues below it are rounding, as in `eigentropy.spectral_entropy`.
        self.floor = 10.0 * torch.finfo(A.dtype).eps
        self.nodes = (nodes / self.unit).clamp(max=1.0)
        self.known, self.vectors = known.values / self.unit, known.vectors
        self.weights = torch.cat([batch.first for batch in batches]) ** 2
        squares = (torch.linalg.matrix_norm(A, dtype=torch.float64) / self.unit) ** 2
        whole = torch.stack(
            [squares.new_tensor(len(A)), squares.new_tensor(trace / self.unit), squares]
        )
        self.rest = whole - _powers(self.known).sum(dim=0)  # the traces of 1, A, A^2
        x = torch.where(self.nodes > self.floor, self.nodes, 0.0)
        found = [self._trace(values) for values in functional.terms(x)]
        known_terms = functional.terms(self.known).sum(dim=1)
        self.traces = known_terms + torch.stack([by_probe.mean() for by_probe in found])
        self.value = max(0.0, functional.value(self.traces, self.share))
        weights = functional.weights(self.traces, self.share)
        by_probe = torch.stack(found, dim=1) @ weights
        self.standard_error = float(by_probe.std()) / math.sqrt(self.count)

    def _trace(self, values: torch.Tensor) -> torch.Tensor:
        """Tr f(A) without the known eigenvalues from each probe; 1, A, A^2 are known."""
        powers = _powers(self.nodes)
        fitted = self._fit(powers, values)
        rest = ((values - powers @ fitted) * self.weights).sum(dim=1)
        return rest + fitted @ self.rest

    def _fit(self, columns: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Coefficients of least squares on the nodes and weights of all probes."""
        roots = self.weights.sqrt().flatten()
        left = columns.flatten(0, 1) * roots[:, None]
        scale = left.norm(dim=0).clamp(min=torch.finfo(left.dtype).tiny)
        Q = torch.linalg.pinv(left / scale, rtol=1e-10)
        solution: torch.Tensor = (Q @ (values.flatten() * roots)) / scale
        return solution

    def slope(self, A: torch.Tensor) -> torch.Tensor:
        """B: c0 + c1 A, the rest of g from the probes, and g of the known eigenvalues."""
        g = self._g(self.nodes)
        line = torch.stack([torch.ones_like(g), self.nodes], dim=-1)
        c0, c1 = (float(c) for c in self._fit(line, g))
        rest = torch.split(g - c0 - c1 * self.nodes, PROBES)
        B = c1 / self.unit * A
        for batch, values in zip(self.batches, rest, strict=True):
            B.addmm_(batch.product(values), batch.z.T, alpha=1.0 / self.count)
        B = 0.5 * (B + B.T)
        B.diagonal().add_(c0)
        known = (self._g(self.known) - c0 - c1 * self.known).to(A.dtype)
        return B.addmm_(self.vectors * known, self.vectors.T).div_(self.unit)

    def _g(self, x: torch.Tensor) -> torch.Tensor:
        """dS/dx, as from all eigenvalues."""
        return self.functional.slopes(x.clamp(min=self.floor), self.traces, self.share)


def _powers(x: torch.Tensor) -> torch.Tensor:
    """1, x, x^2, shape (..., 3)."""
    return torch.stack([torch.ones_like(x), x, x**2], dim=-1)
