"""The width of the kernel of a batch, and the kernel itself where the core does not compute it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch

from eigentropy._backends.device_arrays import dense_tensor
from eigentropy._backends.rows import Rows
from eigentropy._backends.shapes import warn_if_flattened
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR, resolve_sigma, sampled_rows
from eigentropy._support import memory
from eigentropy.torch.devices import measured_there
from eigentropy.torch.losses.gaps import ZERO_KERNEL_DISTANCE, centered, near_rows

# Rounding may change the exponent of the kernel by this much; beyond, distances are in float64.
EXPONENT_ERROR = 1e-5

# Squared distances below this share of the largest norm are computed again for the median.
UNRELIABLE_SHARE = 1e-4

# Batches of more rows are compared with the free memory: for the kernel, the operator, the
# eigenvectors, their product, and the workspace of a solver or of the backward pass.
CHECKED_FROM = 4096
MATRICES = 6


@dataclass(frozen=True)
class BatchKernel:
    """G_ij = exp(-r2_ij / (2 sigma^2)) of a batch.

    Attributes
    ----------
    sigma : float
        NaN where the rows are not finite.
    G : tensor of shape (n, n), or None
        In the precision of the computation; None on the CPU, where the core computes it.
    """

    sigma: float
    G: torch.Tensor | None = None

    def of_rows(self, rows: torch.Tensor) -> BatchKernel:
        """The kernel of some of the rows, with the same width."""
        return BatchKernel(self.sigma, None if self.G is None else self.G[rows][:, rows])


def flat_rows(Z: torch.Tensor, name: str = "Z") -> torch.Tensor:
    """(n, ...) as (n, d); refuses what is not a batch of real features."""
    if not isinstance(Z, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(Z).__name__}")
    if Z.is_complex():
        raise TypeError(
            f"{name} is complex ({Z.dtype}): pass real features, such as "
            f"torch.view_as_real({name}).flatten(1)"
        )
    if not Z.is_floating_point():
        raise TypeError(
            f"{name} must have a floating-point dtype, got {Z.dtype}: pass {name}.float()"
        )
    Z = dense_tensor(Z, name)
    if Z.ndim < 2 or Z.numel() == 0:
        raise ValueError(f"{name} must have shape (n, d), one row a sample, got {tuple(Z.shape)}")
    warn_if_flattened(tuple(Z.shape), True, name)
    return Z.flatten(1)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Without autocast and, on a GPU, without TF32, whose 10 bits are too few for distances."""
    with ExitStack() as stack:
        stack.enter_context(torch.autocast(device_type=device.type, enabled=False))
        if device.type == "cuda":
            stack.enter_context(_without_tf32())
        yield


@contextmanager
def _without_tf32() -> Iterator[None]:
    matmul = torch.backends.cuda.matmul
    # From PyTorch 2.9 on, the older name is an error where the newer one was used before.
    newer = hasattr(matmul, "fp32_precision")
    name, full = ("fp32_precision", "ieee") if newer else ("allow_tf32", False)
    before = getattr(matmul, name)
    setattr(matmul, name, full)
    try:
        yield
    finally:
        setattr(matmul, name, before)


@torch.no_grad()
def kernel_of(Z: torch.Tensor, sigma: float | str, dtype: torch.dtype) -> BatchKernel:
    """The kernel of the rows of Z in `dtype`.

    A rule for sigma looks at the values of Z only: sigma is a constant for the gradient.
    """
    _require_memory(Z, dtype)
    rows = Z.detach()
    if not all_finite(rows):  # e.g. an overflow that a gradient scaler is about to skip
        return BatchKernel(math.nan)
    if computed_by_core(rows):
        by_rule = isinstance(sigma, str)
        return BatchKernel(resolve_sigma(sigma, Rows.of(rows), 0) if by_rule else float(sigma))
    return gaussian_kernel(rows, sigma, dtype)


def computed_by_core(rows: torch.Tensor) -> bool:
    """Whether the rows lie on the CPU; elsewhere PyTorch's operations compute, where they lie."""
    return rows.device.type == "cpu"


def all_finite(rows: torch.Tensor) -> bool:
    """One sum decides; finite rows whose sum overflows are looked at one by one."""
    return math.isfinite(rows.sum(dtype=torch.float64)) or bool(torch.isfinite(rows).all())


def gaussian_kernel(Z: torch.Tensor, sigma: float | str, dtype: torch.dtype) -> BatchKernel:
    """The kernel of finite rows by PyTorch's operations, on their device."""
    with full_precision(Z.device):
        rows = Z.to(dtype)
        r2, reach2 = _squared_distances(centered(rows))
        width = _sigma(Z, r2, reach2, sigma)
        if not math.sqrt(reach2) <= ZERO_KERNEL_DISTANCE * width:
            r2, reach2 = _squared_distances(near_rows(rows, width))
        limits = torch.finfo(r2.dtype)
        error = 4.0 * limits.eps * reach2 / width / width if width < math.inf else math.inf
        in_range = reach2 * limits.eps > limits.tiny  # what underflows is below rounding
        if dtype != torch.float64 and not (in_range and error <= EXPONENT_ERROR):
            r2, _ = _squared_distances(near_rows(Z.double(), width))
        return BatchKernel(width, torch.exp(r2 * (-0.5 / width / width)).to(dtype))


def _require_memory(Z: torch.Tensor, dtype: torch.dtype) -> None:
    """Refuse a batch whose matrices do not fit; off the CPU, PyTorch itself refuses it."""
    n = len(Z)
    if Z.device.type == "cpu" and n > CHECKED_FROM:
        memory.require(
            float(n) * n * MATRICES * dtype.itemsize,
            f"the gradient for a batch of {n}, {MATRICES} matrices of {n} x {n},",
            "use a part of the batch",
        )


def _squared_distances(rows: torch.Tensor) -> tuple[torch.Tensor, float]:
    """All r2_ij of rows around 0, and the largest |x_i|^2; equal rows have distance 0."""
    norms = (rows * rows).sum(dim=1)
    sums = norms[:, None] + norms
    r2 = torch.addmm(sums, rows, rows.T, alpha=-2.0)
    # Below its own rounding a distance is 0, so that rows that are equal stay equal.
    r2.masked_fill_(r2 <= 4.0 * torch.finfo(r2.dtype).eps * sums, 0.0)
    r2.fill_diagonal_(0.0)
    return r2, float(norms.max())


def _sigma(Z: torch.Tensor, r2: torch.Tensor, reach2: float, sigma: float | str) -> float:
    """The width of a rule of `eigentropy.bandwidth`, or the number that was given.

    A width that follows from the median is computed on the device of the tensor by PyTorch. For
    other rules the back end of the GPU takes a sample of the rows to the host; without it, all rows
    are copied.
    """
    if sigma in ("auto", "median"):
        rows = torch.from_numpy(sampled_rows(len(Z), Z.shape[1], 0)).to(r2.device)
        r2 = r2 if len(rows) == len(r2) else r2[rows][:, rows]
        # Beside rows that are far away, the distances of the others are what rounding left. The
        # diagonal has n zeros.
        if int((r2 < UNRELIABLE_SHARE * reach2).sum()) > len(r2) or not math.isfinite(reach2):
            sample = Z[rows].double()
            r2 = torch.cdist(sample, sample, compute_mode="donot_use_mm_for_euclid_dist").square()
        return _median_sigma(r2)
    if sigma == "sqrt-d":
        return math.sqrt(Z.shape[1])
    if isinstance(sigma, str):
        return resolve_sigma(sigma, Rows.of(Z if measured_there(Z) else Z.cpu()), 0)
    return sigma


def _median_sigma(r2: torch.Tensor) -> float:
    n = len(r2)
    if n == 1:
        return 1.0
    above = torch.triu_indices(n, n, offset=1, device=r2.device)
    pairs = r2[above[0], above[1]]
    median = _median_root(pairs)
    if median == 0.0:  # more than half of the pairs are duplicates: the others set the scale
        pairs = pairs[pairs > 0.0]
        if len(pairs) == 0:
            return 1.0
        median = _median_root(pairs)
    return MEDIAN_FACTOR * median


def _median_root(squares: torch.Tensor) -> float:
    """The median of the roots, the mean of both middle ones where their number is even."""
    lower = squares.median()  # the lower of both
    median = math.sqrt(float(lower))
    if len(squares) % 2 == 0 and int((squares <= lower).sum()) == len(squares) // 2:
        upper = squares.masked_fill(squares <= lower, math.inf).min()
        median = 0.5 * (median + math.sqrt(float(upper)))
    return median
