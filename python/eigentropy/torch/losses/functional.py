"""Entropy and information of a batch as functions of its rows, with a gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from eigentropy._kernels.groups import group_codes
from eigentropy._kernels.partitions import Partitions
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._support.signatures import named_options
from eigentropy.torch.losses.gradient import entropy_of_kernel
from eigentropy.torch.losses.kernel import BatchKernel, flat_rows, kernel_of
from eigentropy.torch.losses.options import Baseline, BatchOptions, EntropyOptions
from eigentropy.torch.uncompiled import uncompiled


@named_options()
def diffusion_spectral_entropy(
    Z: torch.Tensor,
    *,
    sigma: float | str = "auto",
    alpha: float = 0.5,
    t: float = 1.0,
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    seed: int = 0,
) -> torch.Tensor:
    """Diffusion spectral entropy of the rows of Z, with a gradient.

    The value is that of `eigentropy.diffusion_spectral_entropy`;
    `eigentropy.torch.DiffusionSpectralEntropy` describes the options, the gradient and the errors.

    Parameters
    ----------
    Z : tensor of shape (n, d) or (n, ...)
    sigma, alpha, t, base, method, tol, seed
        As in `eigentropy.torch.DiffusionSpectralEntropy`.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import functional
    >>> Z = torch.randn(64, 8, requires_grad=True)
    >>> functional.diffusion_spectral_entropy(Z, sigma=1.0).backward()
    >>> Z.grad.shape
    torch.Size([64, 8])
    """
    options = EntropyOptions(
        sigma=sigma, alpha=alpha, t=t, base=base, method=method, tol=tol, seed=seed
    )
    return batch_entropy(Z, options, WidthCheck())


@named_options()
def diffusion_spectral_mutual_information(
    Z: torch.Tensor,
    labels: Any,
    *,
    estimator: str = "matched",
    n_null: int = 20,
    sigma: float | str = "auto",
    alpha: float = 0.5,
    t: float = 1.0,
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    seed: int = 0,
) -> torch.Tensor:
    """Diffusion spectral mutual information of the rows of Z and their labels, with a gradient.

    The value is that of `eigentropy.diffusion_spectral_mutual_information` for labels;
    `eigentropy.torch.DiffusionSpectralMutualInformation` describes the options.

    Parameters
    ----------
    Z : tensor of shape (n, d) or (n, ...)
    labels : tensor or array of shape (n,)
        Integers, or anything that NumPy can sort.
    estimator, n_null, sigma, alpha, t, base, method, tol, seed
        As in `eigentropy.torch.DiffusionSpectralMutualInformation`.

    Returns
    -------
    tensor
        A scalar.
    """
    options = EntropyOptions(
        sigma=sigma, alpha=alpha, t=t, base=base, method=method, tol=tol, seed=seed
    )
    baseline = Baseline(estimator, n_null)
    return batch_information(Z, labels, options, baseline, WidthCheck())


class WidthCheck:
    """Remembers the kernel width of the last batch; warns once if it says nothing about a batch."""

    def __init__(self) -> None:
        self.sigma = math.nan
        self._warned = False

    def kernel(self, rows: torch.Tensor, options: BatchOptions) -> BatchKernel:
        """The kernel of a batch."""
        kernel: BatchKernel = kernel_of(rows, options.sigma, options.dtype(rows))
        self.sigma = kernel.sigma
        return kernel

    def check(self, kernel_sums: Sequence[float], sizes: Sequence[int]) -> None:
        """Look at the sums of the kernels of groups of these sizes."""
        if self._warned or math.isnan(self.sigma):  # rows that are not finite have no sums
            return
        n, pairs = sum(sizes), sum(size * (size - 1) for size in sizes)
        if n == 1 or pairs > 0:  # not if each row is a group
            self._warned = warn_if_saturated(n, sum(kernel_sums), self.sigma, pairs)


@uncompiled  # numbers go to the host
def batch_entropy(Z: torch.Tensor, options: BatchOptions, width: WidthCheck) -> torch.Tensor:
    """S of the rows of Z."""
    rows = flat_rows(Z)
    return _entropy(rows, width.kernel(rows, options), options, width)


@uncompiled  # numbers go to the host
def batch_information(
    Z: torch.Tensor, labels: Any, options: BatchOptions, baseline: Baseline, width: WidthCheck
) -> torch.Tensor:
    """What the rows of Z share with their labels: S_0 - sum_y p_y S(Z | y)."""
    rows = flat_rows(Z)
    known = labels.detach().cpu() if isinstance(labels, torch.Tensor) else labels
    codes = group_codes(known, len(rows), "labels", 1, None)
    n_null = baseline.n_null if baseline.estimator == "matched" else 0
    partitions = Partitions.drawn(codes, n_null, options.seed)
    sizes: list[int] = partitions.sizes.tolist()
    kernel = width.kernel(rows, options)
    if len(sizes) == 1:
        whole = _entropy(rows, kernel, options, width)
        return whole - whole
    observed, *null = (
        _conditional_entropy(rows, kernel, options, torch.split(order, sizes))
        for order in torch.from_numpy(partitions.rows).to(rows.device)
    )
    if not null:
        return _entropy(rows, kernel, options, width) - observed.value
    # By a random partition: the groups of the observed one may well be far apart.
    width.check(null[-1].kernel_sums, sizes)
    return torch.stack([one.value for one in null]).mean() - observed.value


def _entropy(
    rows: torch.Tensor, kernel: BatchKernel, options: BatchOptions, width: WidthCheck
) -> torch.Tensor:
    kernel_sums: list[float] = []
    value = entropy_of_kernel(rows, kernel, options, kernel_sums.append)
    width.check(kernel_sums, [len(rows)])
    return value


class _Conditional(NamedTuple):
    """Sum_y p_y S(Z | y), and the sum of the kernel of each group."""

    value: torch.Tensor
    kernel_sums: list[float]


def _conditional_entropy(
    rows: torch.Tensor,
    kernel: BatchKernel,
    options: BatchOptions,
    groups: Sequence[torch.Tensor],
) -> _Conditional:
    kernel_sums: list[float] = []
    total = (0.0 * rows[:1]).sum().to(options.dtype(rows))  # has a gradient, also of no group
    for group in groups:
        if len(group) == 1:  # has entropy 0
            kernel_sums.append(1.0)
            continue
        part = kernel.of_rows(group)
        value = entropy_of_kernel(rows[group], part, options, kernel_sums.append)
        total = total + len(group) / len(rows) * value
    return _Conditional(total, kernel_sums)
