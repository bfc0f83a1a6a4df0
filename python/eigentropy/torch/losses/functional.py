"""Entropy and information of a batch as functions of its rows, with a gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from eigentropy._kernels.groups import group_codes, infer_kind
from eigentropy._kernels.partitions import Partitions
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._support.signatures import named_options
from eigentropy.torch.losses.gradient import entropy_of_kernel, kernel_sum
from eigentropy.torch.losses.kernel import BatchKernel, flat_rows, kernel_of
from eigentropy.torch.losses.options import (
    Baseline,
    BatchOptions,
    EntropyOptions,
    KernelOptions,
    SecondVariable,
)
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


@named_options()
def kernel_entropy(
    Z: torch.Tensor,
    *,
    order: float = 1.0,
    sigma: float | str = "auto",
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    seed: int = 0,
) -> torch.Tensor:
    """Kernel entropy of the rows of Z, with a gradient.

    `eigentropy.torch.KernelEntropy` describes the options, the gradient and the errors.

    Parameters
    ----------
    Z : tensor of shape (n, d) or (n, ...)
    order, sigma, base, method, tol, seed
        As in `eigentropy.torch.KernelEntropy`.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import functional
    >>> Z = torch.randn(64, 8, requires_grad=True)
    >>> functional.kernel_entropy(Z, sigma=1.0).backward()
    >>> Z.grad.shape
    torch.Size([64, 8])
    """
    options = KernelOptions(order=order, sigma=sigma, base=base, method=method, tol=tol, seed=seed)
    return batch_entropy(Z, options, WidthCheck())


@named_options()
def kernel_information(
    Z: torch.Tensor,
    Y: Any,
    *,
    kind: str = "auto",
    estimator: str = "matched",
    n_null: int = 20,
    order: float = 1.0,
    sigma: float | str = "auto",
    sigma_y: float | str = "auto",
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    seed: int = 0,
) -> torch.Tensor:
    """What the rows of Z share with labels or with other rows Y, with a gradient.

    `eigentropy.torch.KernelInformation` describes the options.

    Parameters
    ----------
    Z : tensor of shape (n, d) or (n, ...)
    Y : labels of shape (n,), or a tensor of shape (n,), (n, e) or (n, ...)
    kind, estimator, n_null, order, sigma, sigma_y, base, method, tol, seed
        As in `eigentropy.torch.KernelInformation`.

    Returns
    -------
    tensor
        A scalar.
    """
    options = KernelOptions(order=order, sigma=sigma, base=base, method=method, tol=tol, seed=seed)
    baseline = Baseline(estimator, n_null)
    return batch_shared(
        Z, Y, SecondVariable(kind, sigma_y), options, baseline, WidthCheck(), WidthCheck(WIDTH_OF_Y)
    )


# What a message calls a Y that is no label, and its width.
WIDTH_OF_Y = ("Y", "sigma_y")


class WidthCheck:
    """Remembers the kernel width of the last batch; warns once if it says nothing about a batch.

    `names` are what the caller calls the rows, and their width.
    """

    def __init__(self, names: tuple[str, str] = ("Z", "sigma")) -> None:
        self.sigma, self._names = math.nan, names
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
            self._warned = warn_if_saturated(n, sum(kernel_sums), self.sigma, pairs, self._names)


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


@uncompiled  # numbers go to the host
def batch_shared(
    Z: torch.Tensor,
    Y: Any,
    variable: SecondVariable,
    options: KernelOptions,
    baseline: Baseline,
    width: WidthCheck,
    width_y: WidthCheck,
) -> torch.Tensor:
    """What the rows of Z share with their labels, or with the rows Y."""
    kind = _kind_of(Y) if variable.kind == "auto" else variable.kind
    if kind == "labels":
        return batch_information(Z, Y, options, baseline, width)
    rows = Y[:, None] if isinstance(Y, torch.Tensor) and Y.ndim == 1 else Y
    options_y = replace(options, sigma=variable.sigma)
    return _joint_information(Z, rows, (options, options_y), baseline, (width, width_y))


def _kind_of(Y: Any) -> str:
    """As `eigentropy.dsmi` decides; of a tensor, which may be a view of any memory, by a look."""
    if not isinstance(Y, torch.Tensor):
        return infer_kind(np.asarray(Y))
    if Y.ndim >= 2 and Y.numel() != len(Y):
        return "vectors"
    return "scalars" if Y.is_floating_point() or Y.is_complex() else "labels"


def _joint_information(
    Z: torch.Tensor,
    Y: torch.Tensor,
    each: tuple[KernelOptions, KernelOptions],
    baseline: Baseline,
    widths: tuple[WidthCheck, WidthCheck],
) -> torch.Tensor:
    """I = S(Z) + S(Y) - S(Z, Y): the kernel of both is the product of their kernels' entries."""
    both = flat_rows(Z), flat_rows(Y, "Y")
    if len(both[0]) != len(both[1]):
        raise ValueError(f"Y has {len(both[1])} rows, Z has {len(both[0])} rows: they are pairs")
    if both[0].device != both[1].device:
        raise ValueError(
            f"Y is on {both[1].device}, Z on {both[0].device}: move one of both to the other"
        )
    options = each[0]
    dtype = options.dtype(*both)
    rows = [x.to(dtype) for x in both]
    kernels = [w.kernel(x, o) for w, x, o in zip(widths, rows, each, strict=True)]
    left, right = (x / kernel.sigma for x, kernel in zip(rows, kernels, strict=True))

    def joint(order: torch.Tensor | slice) -> torch.Tensor:
        pairs = torch.cat([left, right[order]], dim=1)
        return entropy_of_kernel(pairs, kernel_of(pairs, 1.0, dtype), options)

    observed = joint(slice(None))
    if baseline.estimator == "plain":
        alone = (
            _entropy(x, kernel, options, width)
            for x, kernel, width in zip(rows, kernels, widths, strict=True)
        )
        return sum(alone, start=-observed)
    for x, kernel, width in zip(rows, kernels, widths, strict=True):
        width.check([kernel_sum(x, kernel, options)], [len(x)])
    one_group = np.zeros(len(left), dtype=np.int64)
    orders = Partitions.drawn(one_group, baseline.n_null, options.seed).rows[1:]
    null = [joint(order) for order in torch.from_numpy(orders).to(left.device)]
    return torch.stack(null).mean() - observed


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
