"""S of a batch and dS/dZ in closed form: docs/explanations/gradient.md has the derivation."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from eigentropy import _core
from eigentropy._spectra.eigenvalues import NOISE_FLOOR_EPS
from eigentropy.torch.losses import resolvents
from eigentropy.torch.losses.kernel import Kernel, full_precision
from eigentropy.torch.losses.logarithm import logarithm
from eigentropy.torch.losses.stochastic import estimate

if TYPE_CHECKING:
    from eigentropy.torch.losses.modules import Settings

# Told of sum_ij G_ij once it is known.
Judge = Callable[[float], None]

# Of a batch whose matrices take more, the core's memory is not kept for the next one.
KEPT_BYTES = 2**26


@torch.compiler.disable  # type: ignore[untyped-decorator]  # numbers go to the host
def kernel_entropy(
    rows: torch.Tensor, kernel: Kernel, settings: Settings, judge: Judge | None = None
) -> torch.Tensor:
    """S of the rows that have this kernel, with a gradient to the rows."""
    # An autograd function is not told that gradients are off, and would find them.
    variable = rows if torch.is_grad_enabled() else rows.detach()
    value: torch.Tensor = _Entropy.apply(  # type: ignore[no-untyped-call]
        variable, kernel, settings, judge or (lambda _: None)
    )
    return value


class _Entropy(torch.autograd.Function):
    """From rows to S; the kernel comes along and is a function of the rows, not a variable.

    The gradient is found with the value, from the same matrices, and is all that is kept.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, kernel: Kernel, settings: Settings, judge: Judge
    ) -> torch.Tensor:
        """S in the precision of the computation."""
        dtype = settings.dtype(rows)
        with full_precision(rows.device):
            if math.isnan(kernel.sigma):
                nats, slope = math.nan, torch.full_like(rows, math.nan, dtype=dtype)
            elif ctx.needs_input_grad[0] or settings.estimates(len(rows)):
                with _Batch(rows.detach().to(dtype), kernel, settings) as batch:
                    judge(batch.kernel_sum)
                    nats, slope = batch.solved()
            else:
                eigenvalues, kernel_sum = _eigenvalues(rows.detach().to(dtype), kernel, settings)
                judge(kernel_sum)
                nats, slope = _Spectrum(eigenvalues, settings.t).entropy(), None
        if slope is not None:
            ctx.save_for_backward(slope)
        unit = math.log(settings.base)
        ctx.unit, ctx.rows_dtype = unit, rows.dtype
        return rows.new_tensor(max(nats, 0.0) / unit if nats == nats else nats, dtype=dtype)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Upstream times dS/dZ."""
        if torch.is_grad_enabled():  # PyTorch would take this gradient for a constant
            raise RuntimeError(
                "the spectral entropy has no second derivative: leave out create_graph=True"
            )
        (slope,) = ctx.saved_tensors
        return (slope * (upstream / ctx.unit)).to(ctx.rows_dtype), None, None, None


@dataclass(frozen=True)
class _Operator:
    """A = D^-1/2 K D^-1/2 (n, n), and the densities q and degrees d of K = G / (q q^T)^alpha."""

    A: torch.Tensor
    q: torch.Tensor
    d: torch.Tensor

    @property
    def top(self) -> torch.Tensor:
        """The eigenvector of the eigenvalue 1."""
        return torch.sqrt(self.d / self.d.sum())


class _Batch:
    """Rows in the precision of the computation, about to be solved.

    On the CPU the core builds the operator, elsewhere PyTorch's operations do.
    """

    def __init__(self, rows: torch.Tensor, kernel: Kernel, settings: Settings) -> None:
        self.rows, self.kernel, self.settings = rows, kernel, settings
        self.core: _core.EntropyGradient | None = None
        if kernel.G is None:
            self.core, self.threads = _core_gradient(rows), torch.get_num_threads()
            Z = rows.resolve_neg().contiguous().numpy()
            self.kernel_sum = self.core.build(Z, kernel.sigma, settings.alpha, self.threads)
        else:
            self.kernel_sum = float(kernel.G.sum(dtype=torch.float64))

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, *_: object) -> None:
        if self.core is not None:
            self.core.forget_rows()  # the memory of the matrices stays, the caller's goes

    def solved(self) -> tuple[float, torch.Tensor]:
        """S in nats, and its slope dS/dZ (n, d)."""
        if self.core is not None and self.settings.may_do_without_eigenvectors(len(self.rows)):
            found = resolvents.solved(self.core, self.rows, self.threads)
            if found is not None:
                return found
        operator = self._operator()
        nats, B = self._entropy_and_slope(operator)
        return nats, _slope_by_rows(self.rows, operator, B, self.kernel.sigma, self.settings.alpha)

    def _entropy_and_slope(self, operator: _Operator) -> tuple[float, torch.Tensor]:
        """S in nats, and B = dS/dA: of the logarithm, of an estimate, or V g(Lambda) V^T."""
        A, s = operator.A, self.settings
        if s.estimates(len(A)):
            found = estimate(A, operator.top, s.t, s.tol, s.seed)
            return found.value, found.B
        if self.core is None and s.may_do_without_eigenvectors(len(A)):
            L = logarithm(A, operator.top)
            if L is not None:
                return _by_logarithm(A, L)
        eigenvalues, V = _eigenpairs(A)
        spectrum = _Spectrum(eigenvalues, s.t)
        return spectrum.entropy(), (V * spectrum.slopes().to(A.dtype)) @ V.T

    def _operator(self) -> _Operator:
        if self.core is None:
            assert self.kernel.G is not None
            return operator_of_kernel(self.kernel.G, self.settings.alpha)
        A, q, d = (torch.from_numpy(array) for array in self.core.matrices())
        return _Operator(A, q.to(A.dtype), d.to(A.dtype))


class _Kept(threading.local):
    """The core's memory for the next batch, in this thread."""

    def __init__(self) -> None:
        self.by_dtype: dict[torch.dtype, _core.EntropyGradient] = {}


_kept = _Kept()


def _core_gradient(rows: torch.Tensor) -> _core.EntropyGradient:
    """Of the thread, unless the batch is so large that it should not stay there."""
    name = str(rows.dtype).removeprefix("torch.")
    matrices = resolvents.most_matrices(torch.get_num_threads())
    if matrices * len(rows) ** 2 * rows.element_size() > KEPT_BYTES:
        return _core.EntropyGradient(name)
    if rows.dtype not in _kept.by_dtype:
        _kept.by_dtype[rows.dtype] = _core.EntropyGradient(name)
    return _kept.by_dtype[rows.dtype]


def operator_of_kernel(G: torch.Tensor, alpha: float) -> _Operator:
    """The operator by PyTorch's operations."""
    q = G.sum(dim=1)
    scale = q**-alpha
    d = scale * (G @ scale)
    scale = scale / torch.sqrt(d)
    return _Operator(G * scale[:, None] * scale, q, d)


def _by_logarithm(A: torch.Tensor, L: torch.Tensor) -> tuple[float, torch.Tensor]:
    """S(1) = log T - M / T and B = -(log A - M / T) / T, with T = tr A, M = tr A log A."""
    T = float(A.diagonal().sum(dtype=torch.float64))
    M = float((A * L).sum(dtype=torch.float64))
    B = L.mul_(-1.0 / T)
    B.diagonal().add_(M / T**2)
    return math.log(T) - M / T, B


def _slope_by_rows(
    rows: torch.Tensor, operator: _Operator, B: torch.Tensor, sigma: float, alpha: float
) -> torch.Tensor:
    """dS/dZ from B = dS/dA."""
    A, q, d = operator.A, operator.q, operator.d
    b = (B * A).sum(dim=1)
    roots = torch.sqrt(d)
    u = -b / d * roots  # through the degrees d: K_ij = A_ij roots_i roots_j
    scale = roots * q**alpha  # G_ij = A_ij scale_i scale_j
    w = -alpha / q * (b + roots * (A @ u)) * scale  # through the densities q
    left, right = torch.stack([u, roots, w, scale], 1), torch.stack([roots, u, scale, w])
    W = torch.addmm(B, left, right, beta=2.0).mul_(A)
    # dS/dr2 = -W / (2 sigma^2), r2_ij = |z_i - z_j|^2; differences do not see the mean.
    Z = rows - rows.mean(dim=0)
    slope = torch.addmm(Z * W.sum(dim=1)[:, None], W, Z, alpha=-1.0)
    return slope.mul_(-1.0 / sigma).div_(sigma)  # sigma^2 may be no float32


def _eigenvalues(
    rows: torch.Tensor, kernel: Kernel, settings: Settings
) -> tuple[torch.Tensor, float]:
    """Eigenvalues alone, and the sum of the kernel; on the CPU the core's solver is the faster."""
    if kernel.G is not None:
        A = operator_of_kernel(kernel.G, settings.alpha).A
        return _eigvalsh(A), float(kernel.G.sum(dtype=torch.float64))
    Z = rows.resolve_neg().contiguous().numpy()
    name = str(rows.dtype).removeprefix("torch.")
    eigenvalues, _, _, kernel_sum = _core.spectrum(Z, kernel.sigma, settings.alpha, name)
    return torch.from_numpy(eigenvalues), kernel_sum


def _eigvalsh(A: torch.Tensor) -> torch.Tensor:
    try:
        eigenvalues: torch.Tensor = torch.linalg.eigvalsh(A)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # did not converge
        eigenvalues = torch.linalg.eigvalsh(A.double()).to(A.dtype)
    return eigenvalues


def _eigenpairs(A: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    try:
        eigenvalues, V = torch.linalg.eigh(A)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # did not converge
        eigenvalues, V = torch.linalg.eigh(A.double())
    return eigenvalues, V.to(A.dtype)


class _Spectrum:
    """S and its slopes by the eigenvalues, in float64: these are n numbers."""

    def __init__(self, eigenvalues: torch.Tensor, t: float) -> None:
        # What is not above is the solver's noise, as in `eigentropy.spectral_entropy`.
        self.floor = NOISE_FLOOR_EPS * torch.finfo(eigenvalues.dtype).eps
        self.t = t
        self.values = eigenvalues.double().clamp(max=1.0)
        kept = torch.where(self.values > self.floor, self.values, 0.0)
        powers = kept**self.t
        self.T = powers.sum()
        self.M = torch.xlogy(powers, kept).sum()

    def entropy(self) -> float:
        """S = log T - (t / T) M in nats."""
        return float(torch.log(self.T) - self.t / self.T * self.M)

    def slopes(self) -> torch.Tensor:
        """g(lambda) = dS/dlambda in nats; what is below the noise level counts as that."""
        values = self.values.clamp(min=self.floor)
        logs = torch.log(values) - self.M / self.T
        return -(self.t**2) / self.T * values ** (self.t - 1.0) * logs
