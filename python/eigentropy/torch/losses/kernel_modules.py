"""Kernel entropy and information of a batch as differentiable modules and terms of a loss."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from eigentropy._support.signatures import named_options
from eigentropy.torch.losses.functional import (
    WIDTH_OF_Y,
    WidthCheck,
    batch_entropy,
    batch_shared,
)
from eigentropy.torch.losses.modules import EntropyLoss, InformationLoss
from eigentropy.torch.losses.options import Baseline, KernelOptions, SecondVariable


class KernelEntropy(torch.nn.Module):
    r"""Kernel entropy of a batch, with its gradient in closed form.

    The value is that of `eigentropy.kernel_entropy`: the Renyi entropy of the eigenvalues p of the
    density matrix :math:`\rho = G / n`, with the Gaussian kernel G of the batch; at order 1 the von
    Neumann entropy.

    .. math::

        S_1 = -\mathrm{tr}\, \rho \log \rho, \qquad
        S_a = \frac{\log \mathrm{tr}\, \rho^a}{1 - a}, \qquad
        \frac{\partial S_1}{\partial \rho} = -\log \rho, \qquad
        \frac{\partial S_a}{\partial \rho} = \frac{a}{1 - a}
        \frac{\rho^{a - 1}}{\mathrm{tr}\, \rho^a}

    but for constants, which leave the gradient as it is because the diagonal of :math:`\rho` is
    constant. Unlike `DiffusionSpectralEntropy` it weighs a cluster by its rows.

    Repeated eigenvalues do no harm, and eigenvalues below the solver's noise enter the slope as
    that noise level. At order 2 no eigenvalues are needed: :math:`S_2 = -\log |\rho|_F^2`, time
    O(n^2 d). At order 1 there are no eigenvectors where the spectrum allows that, elsewhere and at
    other orders all eigenvectors: time O(n^3 + n^2 d). docs/explanations/gradient.md says when.

    There is no second derivative; ``create_graph=True`` raises an error. sigma is a constant for
    the gradient, also where a rule chooses it, as in `DiffusionSpectralEntropy`.

    Parameters
    ----------
    order : float
        Finite and above 0. The larger, the less small eigenvalues count. Below 1 the slope at small
        eigenvalues has no limit: the computation is in float64, and far below 1/2 the gradient
        hangs on eigenvalues that are rounding errors even there.
    sigma, base, tol, seed
        As in `DiffusionSpectralEntropy`.
    method : {"auto", "exact", "stochastic"}
        As in `DiffusionSpectralEntropy`, where order 1 is its t = 1. At order 2 all are exact, and
        "exact" computes in float64.

    Attributes
    ----------
    options : KernelOptions
    sigma_used : float
        The width for the last batch; NaN before the first.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import KernelEntropy
    >>> Z = torch.randn(64, 8, requires_grad=True)
    >>> S = KernelEntropy()(Z)      # a scalar, in bits
    >>> S.backward()
    >>> Z.grad.shape
    torch.Size([64, 8])
    """

    @named_options()
    def __init__(
        self,
        order: float = 1.0,
        sigma: float | str = "auto",
        base: float = 2.0,
        method: str = "auto",
        tol: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.options = KernelOptions(
            order=order, sigma=sigma, base=base, method=method, tol=tol, seed=seed
        )
        self._width = WidthCheck()

    @property
    def sigma_used(self) -> float:
        """The width for the last batch."""
        return self._width.sigma

    def forward(self, Z: torch.Tensor) -> torch.Tensor:
        """The entropy of the rows of Z.

        Parameters
        ----------
        Z : tensor of shape (n, d) or (n, ...)
            As for `DiffusionSpectralEntropy`.

        Returns
        -------
        tensor
            A scalar, as of `DiffusionSpectralEntropy`; between 0 and log n.

        Raises
        ------
        ValueError, TypeError, MemoryError
            As of `DiffusionSpectralEntropy`.

        Warns
        -----
        SaturationWarning
            Once: sigma is so small or so large that S, and its gradient, say nothing about Z.
        """
        return batch_entropy(Z, self.options, self._width)

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        return self.options.shown()


class KernelInformation(torch.nn.Module):
    r"""What a batch shares with its labels or with another batch, with a gradient.

    The value is that of `eigentropy.kernel_information`. Of labels this is the Holevo information,
    with one sigma, from all rows, for all groups; of scalars and vectors it is the information of
    both kernels, of which each has its own sigma:

    .. math::

        \chi(Z; Y) = S(\rho) - \sum_y p_y S(\rho_y), \qquad
        I(Z; Y) = S(\rho_Z) + S(\rho_Y) - S(\rho_{ZY}), \quad
        \rho_{ZY} = n\, \rho_Z \circ \rho_Y .

    The gradient is that of `KernelEntropy`; of vectors it goes to Z and to Y.

    Parameters
    ----------
    kind : {"auto", "labels", "scalars", "vectors"}
        What Y is. "auto" takes a tensor (n, e) for vectors, floating-point numbers (n,) for
        scalars, and anything else for labels.
    estimator : {"matched", "plain"}
        "plain" is the formula above. "matched" compares the entropy within the groups, or the one
        of both, with its mean over random partitions into groups of the same sizes, or over random
        pairings: what chance alone would give counts as nothing.
    n_null : int
        For "matched": the number of random partitions or pairings, at least 2. Each takes as long
        as the observed one, with its gradient.
    order, sigma, base, method, tol
        As in `KernelEntropy`.
    sigma_y : float or str
        The sigma of scalars and vectors Y.
    seed : int
        Of the random partitions or pairings and of "stochastic". Each call draws the same.

    Attributes
    ----------
    options : KernelOptions
    variable : SecondVariable
    baseline : Baseline
    sigma_used, sigma_y_used : float
        The widths for the last Z and for the last Y that was no label; NaN before the first.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import KernelInformation
    >>> labels = torch.arange(60) % 3
    >>> Z = torch.nn.functional.one_hot(labels) + 0.1 * torch.randn(60, 3)
    >>> bool(KernelInformation()(Z, labels) > 0.5)
    True
    """

    @named_options()
    def __init__(
        self,
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
    ) -> None:
        super().__init__()
        self.variable = SecondVariable(kind, sigma_y)
        self.options = KernelOptions(
            order=order, sigma=sigma, base=base, method=method, tol=tol, seed=seed
        )
        self.baseline = Baseline(estimator, n_null)
        self._width, self._width_y = WidthCheck(), WidthCheck(WIDTH_OF_Y)

    @property
    def sigma_used(self) -> float:
        """The width for the last batch."""
        return self._width.sigma

    @property
    def sigma_y_used(self) -> float:
        """The width for the last Y that was no label."""
        return self._width_y.sigma

    def forward(self, Z: torch.Tensor, Y: Any) -> torch.Tensor:
        """The information of the rows of Z about Y.

        Parameters
        ----------
        Z : tensor of shape (n, d) or (n, ...)
        Y : tensor or array of shape (n,), or tensor of shape (n, e) or (n, ...)
            Labels: integers, or anything that NumPy can sort. Scalars and vectors: a tensor of
            floating-point numbers, on the device of Z.

        Returns
        -------
        tensor
            A scalar, as for `KernelEntropy`; 0 where there is only one label.

        Raises
        ------
        ValueError, TypeError, MemoryError
            As for `KernelEntropy`; a Y of another length than Z, or missing labels.
        """
        return batch_shared(
            Z, Y, self.variable, self.options, self.baseline, self._width, self._width_y
        )

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        b, y = self.baseline, self.variable
        given = f"kind={y.kind!r}, estimator={b.estimator!r}, n_null={b.n_null}"
        return f"{given}, sigma_y={y.sigma!r}, {self.options.shown()}"


class KernelEntropyLoss(EntropyLoss):
    """A term for a loss that raises or lowers the kernel entropy of a batch.

    Parameters
    ----------
    weight, goal, schedule
        As in `EntropyLoss`.
    **options
        As in `KernelEntropy`.

    Attributes
    ----------
    value : tensor
        The entropy of the last batch, without weight and graph.
    """

    measure: ClassVar[type[torch.nn.Module]] = KernelEntropy


class KernelInformationLoss(InformationLoss):
    """A term for a loss that raises or lowers what a batch shares with labels or another batch.

    The estimator is "plain" by default, as in `InformationLoss`.

    Parameters
    ----------
    weight, goal, schedule
        As in `EntropyLoss`.
    estimator : {"plain", "matched"}
    **options
        As in `KernelInformation`.

    Attributes
    ----------
    value : tensor
        The information of the last batch, without weight and graph.
    """

    measure: ClassVar[type[torch.nn.Module]] = KernelInformation
