r"""The entropy of a large batch and its gradient from the same random probes.

The probes z are random signs, projected off the known eigenvector. Then :math:`E[z z^T]` is a
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

# Number of probes in a batch, the most of all batches together, and Lanczos steps for each.
PROBES, MOST_PROBES = 32, 256
STEPS = 20

# Half-width of a 95 % interval in standard errors.
QUANTILE = 1.96

# A direction that is shorter than this, in eps, is what rounding has left.
NOISE = 64.0


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
    A: torch.Tensor, top: torch.Tensor, t: float, tol: float, seed: int
) -> ProbedSlope:
    """S(t) of the eigenvalues of A, and its slope, by as many probes as S needs to reach `tol`.

    Parameters
    ----------
    A : tensor of shape (n, n)
        Symmetric, eigenvalues in [0, 1].
    top : tensor of shape (n,)
        Of unit length, A top = top.
    tol : float
        Probes are added until the half-width of the 95 % interval is this share of S, or until
        there are 256.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    batches: list[_Probes] = []
    while True:
        batches.append(_probes(A, top, generator))
        found = _Moments(A, batches, t)
        reached = QUANTILE * found.standard_error <= tol * max(found.value, tol)
        if reached or len(batches) * PROBES >= MOST_PROBES:
            return ProbedSlope(found.value, found.standard_error, found.slope(A, top), found.count)


def _probes(A: torch.Tensor, top: torch.Tensor, generator: torch.Generator) -> _Probes:
    """Lanczos from new signs: one space for each probe, but one product with A for all."""
    n = len(A)
    signs = torch.randint(0, 2, (n, PROBES), generator=generator, dtype=torch.int8, device="cpu")
    z = (2 * signs - 1).to(A.device, A.dtype)
    z -= torch.outer(top, top @ z)
    steps = min(STEPS, n - 1)
    basis = A.new_zeros(n, PROBES, steps)
    diagonal, below = A.new_zeros(PROBES, steps), A.new_zeros(PROBES, steps)
    lengths = z.norm(dim=0)
    q = z / lengths
    for j in range(steps):
        basis[:, :, j] = q
        product = A @ q
        diagonal[:, j] = (product * q).sum(dim=0)
        for _ in range(2):  # without this, copies of converged eigenvalues appear
            inner = torch.einsum("nmj,nm->mj", basis[:, :, : j + 1], product)
            product = product - torch.einsum("nmj,mj->nm", basis[:, :, : j + 1], inner)
            product -= torch.outer(top, top @ product)
        below[:, j] = product.norm(dim=0)
        noise = below[:, j] <= NOISE * torch.finfo(A.dtype).eps  # the space is invariant
        below[:, j] = below[:, j].masked_fill(noise, 0.0)
        q = torch.where(noise, 0.0, product / below[:, j])
    off = below[:, :-1].double()
    T = torch.diag_embed(diagonal.double()) + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    nodes, vectors = torch.linalg.eigh(T)
    first = vectors[:, 0] * lengths.double()[:, None]
    return _Probes(z, basis, nodes, vectors, first)


class _Moments:
    """T, M, S and its slope from some batches of probes, in float64 but for the slope."""

    def __init__(self, A: torch.Tensor, batches: list[_Probes], t: float) -> None:
        self.batches, self.t = batches, t
        self.count = PROBES * len(batches)
        # Eigenvalues below it are rounding, as in `eigentropy.spectral_entropy`.
        self.floor = 10.0 * torch.finfo(A.dtype).eps
        self.nodes = torch.cat([batch.nodes for batch in batches]).clamp(max=1.0)
        self.weights = torch.cat([batch.first for batch in batches]) ** 2
        x = self.nodes.clamp(min=0.0)
        kept = torch.where(x > self.floor, x, 0.0)
        powers = torch.where(kept > 0.0, kept**t, 0.0)
        squares = torch.linalg.matrix_norm(A, dtype=torch.float64) ** 2
        trace = A.diagonal().sum(dtype=torch.float64)
        self.known = torch.stack([trace.new_tensor(len(A)), trace, squares]) - 1.0
        T, by_probe_T = self._trace(powers)
        M, by_probe_M = self._trace(torch.xlogy(powers, kept))
        self.T, self.M = 1.0 + float(T), float(M)
        terms = by_probe_T * (1.0 / self.T + t * self.M / self.T**2) - by_probe_M * t / self.T
        self.value = max(0.0, math.log(self.T) - t / self.T * self.M)
        self.standard_error = float(terms.std()) / math.sqrt(self.count)

    def _trace(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tr f(A) without the known eigenvalue, and from each probe; 1, A, A^2 are known."""
        x = self.nodes
        powers = torch.stack([torch.ones_like(x), x, x**2], dim=-1)
        fitted = self._fit(powers, values)
        rest = ((values - powers @ fitted) * self.weights).sum(dim=1)
        by_probe = rest + fitted @ self.known
        return by_probe.mean(), by_probe

    def _fit(self, columns: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Coefficients of least squares on the nodes and weights of all probes."""
        roots = self.weights.sqrt().flatten()
        left = columns.flatten(0, 1) * roots[:, None]
        scale = left.norm(dim=0).clamp(min=torch.finfo(left.dtype).tiny)
        Q = torch.linalg.pinv(left / scale, rtol=1e-10)
        solution: torch.Tensor = (Q @ (values.flatten() * roots)) / scale
        return solution

    def slope(self, A: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
        """B: c0 + c1 A, the rest of g from the probes, and g(1) for the known eigenvector."""
        g = self._g(self.nodes)
        line = torch.stack([torch.ones_like(g), self.nodes], dim=-1)
        c0, c1 = (float(c) for c in self._fit(line, g))
        rest = torch.split(g - c0 - c1 * self.nodes, PROBES)
        B = c1 * A
        for batch, values in zip(self.batches, rest, strict=True):
            B.addmm_(batch.product(values), batch.z.T, alpha=1.0 / self.count)
        B = 0.5 * (B + B.T)
        B.diagonal().add_(c0)
        known = float(self._g(self.nodes.new_ones(1))[0]) - c0 - c1
        return B.addr_(top, top, alpha=known)

    def _g(self, x: torch.Tensor) -> torch.Tensor:
        """dS/dlambda, as from all eigenvalues."""
        x = x.clamp(min=self.floor)
        logs = torch.log(x) - self.M / self.T
        return -self.t / self.T * (self.t * x ** (self.t - 1.0) * logs)  # t^2 may overflow
