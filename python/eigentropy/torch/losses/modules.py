"""Diffusion spectral entropy and information of a batch as differentiable modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from eigentropy._support.options import nonnegative, one_of
from eigentropy._support.signatures import check_options, named_options, option_names
from eigentropy.torch.losses.functional import WidthCheck, batch_entropy, batch_information
from eigentropy.torch.losses.options import Baseline, EntropyOptions

GOALS = ("raise", "lower")

Schedule = Callable[[int], float]


class DiffusionSpectralEntropy(torch.nn.Module):
    r"""Diffusion spectral entropy S(t) of a batch, with its gradient in closed form.

    The value is that of `eigentropy.diffusion_spectral_entropy`. With :math:`A = V \Lambda V^T`,
    the symmetric diffusion operator of the batch,

    .. math::

        \frac{\partial S}{\partial A} = V g(\Lambda) V^T, \qquad
        g(\lambda) = -\frac{t^2}{T} \lambda^{t-1} \Big(\log\lambda - \frac{M}{T}\Big), \quad
        T = \sum \lambda^t, \; M = \sum \lambda^t \log\lambda .

    The gradient has no gaps between eigenvalues in it, so repeated eigenvalues do no harm: rows
    that are equal, equally far apart or in separate clusters. Eigenvalues below the solver's noise
    enter g as that noise level, since :math:`\lambda^{t-1} \log\lambda` would have no limit there.
    From A to the rows the gradient is matrix products. Time O(n^3 + n^2 d), memory some n x n
    matrices. docs/explanations/gradient.md says when B is found without eigenvectors.

    There is no second derivative; ``create_graph=True`` raises an error.

    sigma is a constant for the gradient, also where a rule chooses it from the batch. With "auto",
    S does not depend on the scale of the batch, but this gradient has a component along the scale:
    a loss can make the activations grow without any effect on S. Normalise the rows, or give sigma
    as a number.

    Parameters
    ----------
    sigma : float or str
        Kernel width in exp(-r^2 / (2 sigma^2)), or a rule of `eigentropy.bandwidth`, which looks at
        the values of each batch.
    alpha, t, base
        As in `eigentropy.diffusion_spectral_entropy`.
    method : {"auto", "exact", "stochastic"}
        "auto" computes in float64 for float64 and in float32 for all narrower types. At t = 1 it
        needs no eigenvectors where the eigenvalues lie close enough together: log A then has an
        error of 2e-5 (float32) or 1e-9 (float64). Above 4096 rows "auto" is "stochastic", which
        estimates S and its gradient from random probes, in the same precision. "exact" always
        computes all eigenvectors, in float64. Autocast has no effect inside.
    tol : float
        For "stochastic": the relative half-width of the 95 % interval of S that it aims for, with
        32 to 256 probes. The gradient is much less certain than S. Below 256 rows everything is
        exact.
    seed : int
        For "stochastic". Each call draws the same probes.

    Attributes
    ----------
    options : EntropyOptions
    sigma_used : float
        The width for the last batch; NaN before the first.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import DiffusionSpectralEntropy
    >>> Z = torch.randn(64, 8, requires_grad=True)
    >>> S = DiffusionSpectralEntropy()(Z)      # a scalar, in bits
    >>> S.backward()
    >>> Z.grad.shape
    torch.Size([64, 8])
    """

    @named_options()
    def __init__(
        self,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        t: float = 1.0,
        base: float = 2.0,
        method: str = "auto",
        tol: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.options = EntropyOptions(
            sigma=sigma, alpha=alpha, t=t, base=base, method=method, tol=tol, seed=seed
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
            float16, bfloat16, float32 or float64; on any device with an eigenvalue solver.

        Returns
        -------
        tensor
            A scalar; float64 for float64, else float32. NaN, with a gradient of NaN, where Z has
            NaN or infinity, so that a gradient scaler can skip the step.

        Raises
        ------
        ValueError, TypeError
            Z is no batch of rows of floating-point numbers.
        MemoryError
            On the CPU: some matrices of n x n do not fit; raised before they are allocated.

        Warns
        -----
        SaturationWarning
            Once: sigma is so small or so large that S, and its gradient, say nothing about Z.
        """
        return batch_entropy(Z, self.options, self._width)

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        return self.options.shown()


class DiffusionSpectralMutualInformation(torch.nn.Module):
    r"""Diffusion spectral mutual information of a batch and its labels, with a gradient.

    The value is that of `eigentropy.diffusion_spectral_mutual_information` for labels,

    .. math:: I(Z; Y) = S_0 - \sum_y p_y S(Z \mid y)

    with one sigma, from all rows, for all groups. The gradient is that of
    `DiffusionSpectralEntropy`.

    Parameters
    ----------
    estimator : {"matched", "plain"}
        The baseline S_0: the mean of :math:`\sum_y p_y S` over random partitions into groups of the
        same sizes, or S(Z) of all rows.
    n_null : int
        For "matched": the number of random partitions, at least 2. Each takes as long as the groups
        of the labels themselves, with its gradient.
    sigma, alpha, t, base, method, tol
        As in `DiffusionSpectralEntropy`.
    seed : int
        Of the random partitions and of "stochastic". Each call draws the same.

    Attributes
    ----------
    options : EntropyOptions
    baseline : Baseline
    sigma_used : float
        The width for the last batch; NaN before the first.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import DiffusionSpectralMutualInformation
    >>> labels = torch.arange(60) % 3
    >>> Z = torch.nn.functional.one_hot(labels) + 0.1 * torch.randn(60, 3)
    >>> bool(DiffusionSpectralMutualInformation()(Z, labels) > 0.5)
    True
    """

    @named_options()
    def __init__(
        self,
        estimator: str = "matched",
        n_null: int = 20,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        t: float = 1.0,
        base: float = 2.0,
        method: str = "auto",
        tol: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.options = EntropyOptions(
            sigma=sigma, alpha=alpha, t=t, base=base, method=method, tol=tol, seed=seed
        )
        self.baseline = Baseline(estimator, n_null)
        self._width = WidthCheck()

    @property
    def sigma_used(self) -> float:
        """The width for the last batch."""
        return self._width.sigma

    def forward(self, Z: torch.Tensor, labels: Any) -> torch.Tensor:
        """The information of the rows of Z about their labels.

        Parameters
        ----------
        Z : tensor of shape (n, d) or (n, ...)
        labels : tensor or array of shape (n,)
            Integers, or anything that NumPy can sort.

        Returns
        -------
        tensor
            A scalar, as for `DiffusionSpectralEntropy`; 0 where there is only one label.

        Raises
        ------
        ValueError, TypeError, MemoryError
            As for `DiffusionSpectralEntropy`; labels of another length than Z, or missing ones.
        """
        return batch_information(Z, labels, self.options, self.baseline, self._width)

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        b = self.baseline
        return f"estimator={b.estimator!r}, n_null={b.n_null}, {self.options.shown()}"


class Weighted(torch.nn.Module):
    """Multiplies by a weight, a sign and a schedule; counts its calls in training mode."""

    def __init__(self, weight: float, goal: str, schedule: Schedule | None) -> None:
        super().__init__()
        self.weight = nonnegative(weight, "weight")
        self.goal = one_of(goal, "goal", GOALS)
        if schedule is not None and not callable(schedule):
            raise TypeError(f"schedule must be a callable of the step, got {schedule!r}")
        self.schedule = schedule
        self.step = 0
        self.value: torch.Tensor | None = None

    def _weighted(self, value: torch.Tensor) -> torch.Tensor:
        self.value = value.detach()
        weight = self.weight if self.schedule is None else self.weight * self.schedule(self.step)
        if self.training:
            self.step += 1
        return -weight * value if self.goal == "raise" else weight * value

    def get_extra_state(self) -> dict[str, int]:
        """The step, so that a schedule goes on where a checkpoint left it."""
        return {"step": self.step}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """The counterpart of `get_extra_state`."""
        self.step = state["step"]

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        return f"weight={self.weight:g}, goal={self.goal!r}"


class EntropyLoss(Weighted):
    """A term for a loss that raises or lowers the entropy of a batch of representations.

    ``-weight * schedule(step) * S(Z)`` to raise it, with a plus to lower it.

    Parameters
    ----------
    weight : float
    goal : {"raise", "lower"}
    schedule : callable, optional
        From the number of earlier calls in training mode to a factor of the weight. The number is
        part of the ``state_dict``.
    **options
        As in `DiffusionSpectralEntropy`.

    Attributes
    ----------
    value : tensor
        The entropy of the last batch, without weight and graph.
    """

    measure: ClassVar[type[torch.nn.Module]] = DiffusionSpectralEntropy

    def __init__(
        self,
        weight: float = 1.0,
        goal: str = "raise",
        schedule: Schedule | None = None,
        **options: Any,
    ) -> None:
        check_loss_options(type(self).__name__, options, self.measure)
        super().__init__(weight, goal, schedule)
        self.entropy = self.measure(**options)

    def forward(self, Z: torch.Tensor) -> torch.Tensor:
        """The term for the rows of Z; see `DiffusionSpectralEntropy`."""
        return self._weighted(self.entropy(Z))


class InformationLoss(Weighted):
    """A term for a loss that raises or lowers what a batch of representations says of its labels.

    ``-weight * schedule(step) * I(Z; Y)`` to raise it, with a plus to lower it.

    The estimator is "plain" by default, equation 8 of the paper, where
    `DiffusionSpectralMutualInformation` has "matched": a loss is computed at every step, and random
    partitions would take many times as long. The plain value has an offset that depends on the
    sizes of the groups; a loss needs the gradient only.

    Parameters
    ----------
    weight, goal, schedule
        As in `EntropyLoss`.
    estimator : {"plain", "matched"}
    **options
        As in `DiffusionSpectralMutualInformation`.

    Attributes
    ----------
    value : tensor
        The information of the last batch, without weight and graph.
    """

    measure: ClassVar[type[torch.nn.Module]] = DiffusionSpectralMutualInformation

    def __init__(
        self,
        weight: float = 1.0,
        goal: str = "raise",
        schedule: Schedule | None = None,
        estimator: str = "plain",
        **options: Any,
    ) -> None:
        check_loss_options(type(self).__name__, options, self.measure)
        super().__init__(weight, goal, schedule)
        self.information = self.measure(estimator=estimator, **options)

    def forward(self, Z: torch.Tensor, labels: Any) -> torch.Tensor:
        """The term for the rows of Z and their labels; see `DiffusionSpectralMutualInformation`."""
        return self._weighted(self.information(Z, labels))


def check_loss_options(loss: str, options: dict[str, Any], measure: type[torch.nn.Module]) -> None:
    """Refuse options that neither the loss nor what it measures has."""
    check_options(loss, options, option_names(Weighted.__init__) | option_names(measure.__init__))
