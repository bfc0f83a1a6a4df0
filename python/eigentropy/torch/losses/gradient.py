"""S of a batch and dS/dZ in closed form: docs/explanations/gradient.md has the derivation."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from eigentropy import _core
from eigentropy._spectra.eigenvalues import NOISE_FLOOR_EPS
from eigentropy._support.interruption import interruptible
from eigentropy.torch.losses import resolvents
from eigentropy.torch.losses.functionals import Functional
from eigentropy.torch.losses.gaps import near_rows
from eigentropy.torch.losses.kernel import BatchKernel, full_precision
from eigentropy.torch.losses.logarithm import logarithm
from eigentropy.torch.losses.operators import (
    DensityOperator,
    NormalizedOperator,
    Operator,
    operator_of_kernel,
)
from eigentropy.torch.losses.options import BatchOptions, Limits
from eigentropy.torch.losses.probes import slope_from_probes

# Eigenvalues of a batch below this take less than a second.
LONG = 1000

# Called with sum_ij G_ij once it is known.
WithKernelSum = Callable[[float], None]


def entropy_of_kernel(
    rows: torch.Tensor,
    kernel: BatchKernel,
    options: BatchOptions,
    tell: WithKernelSum | None = None,
) -> torch.Tensor:
    """S of the rows that have this kernel, with a gradient to the rows."""
    # An autograd function does not see that gradients are off, and would compute them.
    variable = rows if torch.is_grad_enabled() else rows.detach()
    value: torch.Tensor = _Entropy.apply(  # type: ignore[no-untyped-call]
        variable, kernel, options, tell or (lambda _: None)
    )
    return value


def kernel_sum(rows: torch.Tensor, kernel: BatchKernel, options: BatchOptions) -> float:
    """Sum_ij G_ij of the rows that have this kernel."""
    if math.isnan(kernel.sigma):
        return math.nan
    with _Batch(rows.detach().to(options.dtype(rows)), kernel, options) as batch:
        return batch.kernel_sum


class _Entropy(torch.autograd.Function):
    """From rows to S. The kernel is passed along as a function of the rows, not as a variable.

    The gradient is computed with the value, from the same matrices; nothing else is kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: torch.Tensor,
        kernel: BatchKernel,
        options: BatchOptions,
        tell: WithKernelSum,
    ) -> torch.Tensor:
        """S in the precision of the computation."""
        found = entropy_and_slope(rows.detach(), kernel, options, ctx.needs_input_grad[0])
        nats, slope = found.nats, found.slope
        if found.kernel_sum == found.kernel_sum:  # rows that are not finite have none
            tell(found.kernel_sum)
        if slope is not None:
            ctx.save_for_backward(slope)
        unit = math.log(options.base)
        ctx.unit, ctx.rows_dtype = unit, rows.dtype
        return rows.new_tensor(
            max(nats, 0.0) / unit if nats == nats else nats, dtype=options.dtype(rows)
        )

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Upstream times dS/dZ."""
        if torch.is_grad_enabled():  # PyTorch would take this gradient for a constant
            raise no_second_derivative()
        (slope,) = ctx.saved_tensors
        return (slope * (upstream / ctx.unit)).to(ctx.rows_dtype), None, None, None


def no_second_derivative() -> RuntimeError:
    """For a backward pass whose own gradient is wanted."""
    return RuntimeError(
        "the spectral entropy has no second derivative: leave out create_graph=True"
    )


class EntropyAndSlope(NamedTuple):
    """S in nats, dS/dZ (n, d) if it was wanted, and sum_ij G_ij."""

    nats: float
    slope: torch.Tensor | None
    kernel_sum: float


def entropy_and_slope(
    rows: torch.Tensor, kernel: BatchKernel, options: BatchOptions, with_slope: bool
) -> EntropyAndSlope:
    """Of the rows that have this kernel; NaN of rows that are not finite."""
    dtype = options.dtype(rows)
    with full_precision(rows.device):
        if math.isnan(kernel.sigma):
            slope = torch.full_like(rows, math.nan, dtype=dtype) if with_slope else None
            return EntropyAndSlope(math.nan, slope, math.nan)
        if with_slope or options.needs_no_spectrum(len(rows)):
            with _Batch(rows.to(dtype), kernel, options) as batch:
                return EntropyAndSlope(*batch.solved(), batch.kernel_sum)
        found, total = _spectrum(rows.to(dtype), kernel, options)
        return EntropyAndSlope(found.entropy(), None, total)


class _Batch:
    """A batch in the precision of the computation, with its operator.

    On the CPU the core builds the operator; elsewhere PyTorch's operations do.
    """

    def __init__(self, rows: torch.Tensor, kernel: BatchKernel, options: BatchOptions) -> None:
        self.rows, self.kernel, self.options = rows, kernel, options
        self.core: _core.EntropyGradient | None = None
        if kernel.G is None:
            self.threads = torch.get_num_threads()
            self.core = _core_gradient(rows, options.limits)
            Z = rows.resolve_neg().contiguous().numpy()
            self.kernel_sum = self.core.build(Z, kernel.sigma, options.alpha, self.threads)
        else:
            self.kernel_sum = float(kernel.G.sum(dtype=torch.float64))

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, *_: object) -> None:
        if self.core is not None:
            self.core.forget_rows()  # which are the caller's; the memory of the matrices is kept

    def solved(self) -> tuple[float, torch.Tensor]:
        """S in nats, and its slope dS/dZ (n, d)."""
        if self.core is not None and self.options.may_do_without_eigenvectors(len(self.rows)):
            found = resolvents.solved(self.core, self.rows, self.threads, self.options.limits)
            if found is not None:
                return found
        if self.core is not None and self.options.is_sum_of_squares:
            nats, array = self.core.solve_order_two(self.threads)
            return nats, torch.from_numpy(array)
        operator = self._operator()
        nats, B = self._entropy_and_slope(operator)
        return nats, _slope_by_rows(self.rows, operator.slopes_by_distance(B), self.kernel.sigma)

    def _entropy_and_slope(self, operator: Operator) -> tuple[float, torch.Tensor]:
        """S in nats, and B = dS/dA: by A itself, probes, the logarithm, or V g(Lambda) V^T."""
        A, s = operator.A, self.options
        if s.is_sum_of_squares:
            return _by_squares(A, operator.trace)
        if s.estimates(len(A)):
            found = slope_from_probes(operator, s.functional, s.tol, s.seed)
            return found.value, found.B
        if self.core is None and s.may_do_without_eigenvectors(len(A)):
            L = logarithm(A, operator.known(), s.limits)
            if L is not None:
                return _by_logarithm(A, L)
        eigenvalues, V = _eigenpairs(A)
        spectrum = _EntropyOfEigenvalues(eigenvalues, s.functional, operator.trace)
        return spectrum.entropy(), (V * spectrum.slopes().to(A.dtype)) @ V.T

    def _operator(self) -> Operator:
        alpha = self.options.alpha
        if self.core is None:
            assert self.kernel.G is not None
            return operator_of_kernel(self.kernel.G, alpha)
        A, q, d = (torch.from_numpy(array) for array in self.core.matrices())
        if alpha is None:
            return DensityOperator(A)
        return NormalizedOperator(A, q.to(A.dtype), d.to(A.dtype), alpha)


class _Kept(threading.local):
    """The core's memory for the next batch, in this thread."""

    def __init__(self) -> None:
        self.by_dtype: dict[torch.dtype, _core.EntropyGradient] = {}


kept = _Kept()


def _core_gradient(rows: torch.Tensor, limits: Limits) -> _core.EntropyGradient:
    """The one of this thread; a new one where the batch is too large for its memory to stay."""
    name = str(rows.dtype).removeprefix("torch.")
    matrices = resolvents.most_matrices(torch.get_num_threads())
    if matrices * len(rows) ** 2 * rows.element_size() > limits.kept_bytes:
        return _core.EntropyGradient(name)
    if rows.dtype not in kept.by_dtype:
        kept.by_dtype[rows.dtype] = _core.EntropyGradient(name)
    return kept.by_dtype[rows.dtype]


def _by_logarithm(A: torch.Tensor, L: torch.Tensor) -> tuple[float, torch.Tensor]:
    """S(1) = log T - M / T and B = -(log A - M / T) / T, with T = tr A, M = tr A log A."""
    T = float(A.diagonal().sum(dtype=torch.float64))
    M = float((A * L).sum(dtype=torch.float64))
    B = L.mul_(-1.0 / T)
    B.diagonal().add_(M / T**2)
    return math.log(T) - M / T, B


def _by_squares(A: torch.Tensor, trace: float) -> tuple[float, torch.Tensor]:
    """S_2 = 2 log tr A - log |A|_F^2, and B = -2 A / |A|_F^2 where the trace is constant."""
    squares = float(torch.linalg.matrix_norm(A, dtype=torch.float64)) ** 2
    return 2.0 * math.log(trace) - math.log(squares), A * (-2.0 / squares)


def _slope_by_rows(rows: torch.Tensor, W: torch.Tensor, sigma: float) -> torch.Tensor:
    """dS/dZ from W: dS/dr2 = -W / (2 sigma^2), r2_ij = |z_i - z_j|^2, and W is 0 where G is."""
    Z = near_rows(rows, sigma)
    slope = torch.addmm(Z * W.sum(dim=1)[:, None], W, Z, alpha=-1.0)
    return slope.mul_(-1.0 / sigma).div_(sigma)  # sigma^2 may overflow or underflow in float32


def _spectrum(
    rows: torch.Tensor, kernel: BatchKernel, options: BatchOptions
) -> tuple[_EntropyOfEigenvalues, float]:
    """The entropy without its slopes, and the sum of the kernel; on the CPU by the core."""
    if kernel.G is not None:
        operator = operator_of_kernel(kernel.G, options.alpha)
        found = _EntropyOfEigenvalues(_eigvalsh(operator.A), options.functional, operator.trace)
        return found, float(kernel.G.sum(dtype=torch.float64))
    Z = rows.resolve_neg().contiguous().numpy()
    name = str(rows.dtype).removeprefix("torch.")
    eigenvalues, trace, _, kernel_sum, _ = _core.spectrum(Z, kernel.sigma, options.alpha, name)
    found = _EntropyOfEigenvalues(torch.from_numpy(eigenvalues), options.functional, trace)
    return found, kernel_sum


def _eigvalsh(A: torch.Tensor) -> torch.Tensor:
    try:
        eigenvalues: torch.Tensor = _solved(torch.linalg.eigvalsh, A)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # did not converge
        eigenvalues = _solved(torch.linalg.eigvalsh, A.double()).to(A.dtype)
    return eigenvalues


def _eigenpairs(A: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    try:
        eigenvalues, V = _solved(torch.linalg.eigh, A)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # did not converge
        eigenvalues, V = _solved(torch.linalg.eigh, A.double())
    return eigenvalues, V.to(A.dtype)


def _solved(solve: Callable[[torch.Tensor], Any], A: torch.Tensor) -> Any:
    """By LAPACK, which does not look at signals; a GPU's stream belongs to the caller's thread."""
    if A.is_cuda or len(A) < LONG:
        return solve(A)
    return interruptible(lambda: solve(A))


class _EntropyOfEigenvalues:
    """S and its slopes by the eigenvalues, in float64: these are n numbers."""

    def __init__(self, eigenvalues: torch.Tensor, functional: Functional, trace: float) -> None:
        # Eigenvalues up to this are the solver's noise, as in `eigentropy.spectral_entropy`.
        self.floor = NOISE_FLOOR_EPS * torch.finfo(eigenvalues.dtype).eps
        self.functional = functional
        values = eigenvalues.double()
        self.largest = float(values.max())
        self.share = self.largest / trace
        self.values = values / self.largest
        kept = torch.where(self.values > self.floor, self.values, 0.0)
        self.traces = functional.terms(kept).sum(dim=1)

    def entropy(self) -> float:
        """S in nats."""
        return self.functional.value(self.traces, self.share)

    def slopes(self) -> torch.Tensor:
        """dS/dlambda in nats; eigenvalues below the noise level count as that level."""
        values = self.values.clamp(min=self.floor)
        return self.functional.slopes(values, self.traces, self.share) / self.largest
