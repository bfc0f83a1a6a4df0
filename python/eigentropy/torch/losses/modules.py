"""Diffusion spectral entropy and information of a batch as differentiable modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eigentropy._kernels.bandwidth import RULES
from eigentropy._kernels.diffusion import MAX_ALPHA
from eigentropy._kernels.groups import group_codes
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._support.options import integer, logarithm_base, nonnegative, one_of, positive
from eigentropy.torch.losses.gradient import Judge, kernel_entropy
from eigentropy.torch.losses.kernel import Kernel, flat_rows, kernel_of
from eigentropy.torch.losses.stochastic import SMALLEST_N

METHODS = ("auto", "exact", "stochastic")
GOALS = ("raise", "lower")

# Batches of more rows are estimated by "auto".
EXACT_UP_TO = 4096

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Settings:
    """The options of the modules, checked when they are made."""

    sigma: float | str = "auto"
    alpha: float = 0.5
    t: float = 1.0
    base: float = 2.0
    method: str = "auto"
    tol: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option."""
        if isinstance(self.sigma, str):
            one_of(self.sigma, "sigma", RULES)
        else:
            positive(self.sigma, "sigma")
        if nonnegative(self.alpha, "alpha") > MAX_ALPHA:
            raise ValueError(f"alpha must be at most {MAX_ALPHA:g}, got {self.alpha!r}")
        positive(self.t, "t")
        logarithm_base(self.base)
        one_of(self.method, "method", METHODS)
        positive(self.tol, "tol")
        integer(self.seed, "seed", at_least=0)

    def estimates(self, n: int) -> bool:
        """Whether a batch of n rows is estimated from random probes."""
        if self.method == "auto":
            return n > EXACT_UP_TO
        return self.method == "stochastic" and n >= SMALLEST_N

    def may_do_without_eigenvectors(self, n: int) -> bool:
        """Whether the logarithm of the operator is all that S and its gradient need."""
        return self.t == 1.0 and self.method != "exact" and not self.estimates(n)

    def dtype(self, Z: torch.Tensor) -> torch.dtype:
        """The precision of the computation: never below float32."""
        double = self.method == "exact" or Z.dtype == torch.float64
        return torch.float64 if double else torch.float32


class SpectralEntropy(torch.nn.Module):
    r"""Diffusion spectral entropy S(t) of a batch, with its gradient in closed form.

    The value is that of `eigentropy.diffusion_spectral_entropy`. With :math:`A = V \Lambda V^T`,
    the symmetric diffusion operator of the batch,

    .. math::

        \frac{\partial S}{\partial A} = V g(\Lambda) V^T, \qquad
        g(\lambda) = -\frac{t^2}{T} \lambda^{t-1} \Big(\log\lambda - \frac{M}{T}\Big), \quad
        T = \sum \lambda^t, \; M = \sum \lambda^t \log\lambda .

    No gaps between eigenvalues appear, so repeated ones are harmless: rows that are equal, equally
    far or in separate clusters. Eigenvalues below the solver's noise enter g as that noise level,
    where :math:`\lambda^{t-1} \log\lambda` would have no limit. From A to the rows it is matrix
    products. Time O(n^3 + n^2 d), memory some n x n matrices. docs/explanations/gradient.md says
    when B is found without eigenvectors.

    There is no second derivative, and ``create_graph=True`` says so.

    sigma is a constant for the gradient, also where a rule chooses it from the batch. With "auto" S
    does not depend on the scale of the batch, but this gradient points along it, too; a loss that
    may be met by growing activations then makes them grow without any effect on S. Normalise the
    rows, or give sigma as a number.

    Parameters
    ----------
    sigma : float or str
        Kernel width in exp(-r^2 / (2 sigma^2)), or a rule of `eigentropy.bandwidth`, which looks at
        the values of each batch.
    alpha, t, base
        As in `eigentropy.diffusion_spectral_entropy`.
    method : {"auto", "exact", "stochastic"}
        "auto" computes in float64 for float64 and in float32 for all narrower types, and at t = 1
        without eigenvectors where the eigenvalues lie close enough together: log A then
        has an error of 2e-5 (float32) or 1e-9 (float64). Above 4096 rows it is "stochastic", which
        estimates S and its gradient from random probes, in the same precision. "exact" always takes
        all eigenvectors, in float64. Autocast does not reach inside.
    tol : float
        Of "stochastic": relative half-width of the 95 % interval of S that is aimed for, with 32 to
        256 probes. The gradient is much less certain than S. Below 256 rows all is exact.
    seed : int
        Of "stochastic". The same probes are drawn in each call.

    Attributes
    ----------
    sigma_used : float
        The width for the last batch.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import SpectralEntropy
    >>> Z = torch.randn(64, 8, requires_grad=True)
    >>> S = SpectralEntropy()(Z)      # a scalar, in bits
    >>> S.backward()
    >>> Z.grad.shape
    torch.Size([64, 8])
    """

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
        self.settings = Settings(sigma, alpha, t, base, method, tol, seed)
        self.sigma_used = math.nan
        self._warned = False

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
        rows = flat_rows(Z)
        kernel = self._kernel(rows)
        value: torch.Tensor = kernel_entropy(rows, kernel, self.settings, self._judge(rows, kernel))
        return value

    def _kernel(self, rows: torch.Tensor) -> Kernel:
        kernel: Kernel = kernel_of(rows, self.settings.sigma, self.settings.dtype(rows))
        self.sigma_used = kernel.sigma
        return kernel

    def _judge(self, rows: torch.Tensor, kernel: Kernel) -> Judge:
        """What warns, once, where the sum of the kernel says that sigma tells nothing."""
        n = len(rows)

        def judge(kernel_sum: float) -> None:
            if not self._warned:
                self._warned = warn_if_saturated(n, kernel_sum, kernel.sigma)

        return judge

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        s = self.settings
        shown = f"sigma={s.sigma!r}, alpha={s.alpha:g}, t={s.t:g}, base={s.base:g}"
        return f"{shown}, method={s.method!r}, tol={s.tol:g}, seed={s.seed}"


class _Weighted(torch.nn.Module):
    """Adds a weight, a direction and a schedule; counts its calls in training mode."""

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


class EntropyLoss(_Weighted):
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
        Of `SpectralEntropy`.

    Attributes
    ----------
    value : tensor
        The entropy of the last batch, without weight and graph.
    """

    def __init__(
        self,
        weight: float = 1.0,
        goal: str = "raise",
        schedule: Schedule | None = None,
        **options: Any,
    ) -> None:
        super().__init__(weight, goal, schedule)
        self.entropy = SpectralEntropy(**options)

    def forward(self, Z: torch.Tensor) -> torch.Tensor:
        """The term for the rows of Z; see `SpectralEntropy`."""
        return self._weighted(self.entropy(Z))


class InformationLoss(_Weighted):
    r"""A term for a loss that raises or lowers what a batch of representations says of its labels.

    The information is the plain one, equation 8 of the paper,

    .. math:: I(Z; Y) = S(Z) - \sum_y p_y S(Z \mid y)

    with one sigma, from all rows, for all groups: no null is drawn. S depends on the number of
    rows, so the value has an offset that depends on the sizes of the groups; its gradient is what
    counts here.

    Parameters
    ----------
    weight, goal, schedule
        As in `EntropyLoss`.
    **options
        Of `SpectralEntropy`.

    Attributes
    ----------
    value : tensor
        The information of the last batch, without weight and graph.
    """

    def __init__(
        self,
        weight: float = 1.0,
        goal: str = "raise",
        schedule: Schedule | None = None,
        **options: Any,
    ) -> None:
        super().__init__(weight, goal, schedule)
        self.entropy = SpectralEntropy(**options)

    def forward(self, Z: torch.Tensor, labels: Any) -> torch.Tensor:
        """The term for the rows of Z and their labels.

        Parameters
        ----------
        Z : tensor of shape (n, d) or (n, ...)
        labels : tensor or array of shape (n,)
            Integers, or anything that NumPy can sort.
        """
        rows = flat_rows(Z)
        groups = _groups(labels, len(rows), rows.device)
        kernel = self.entropy._kernel(rows)
        settings = self.entropy.settings
        judge = self.entropy._judge(rows, kernel)
        information: torch.Tensor = kernel_entropy(rows, kernel, settings, judge)
        if len(groups) == 1:
            return self._weighted(information - information)
        for group in groups:
            if len(group) > 1:  # one row has entropy 0
                share = len(group) / len(rows)
                part = kernel_entropy(rows[group], kernel.of_rows(group), settings)
                information = information - share * part
        return self._weighted(information)


def _groups(labels: Any, n: int, device: torch.device) -> list[torch.Tensor]:
    """The numbers of the rows of each label."""
    known = labels.detach().cpu() if isinstance(labels, torch.Tensor) else labels
    codes = group_codes(known, n, "labels", 1, None)
    order = torch.from_numpy(np.argsort(codes, kind="stable")).to(device)
    return list(torch.split(order, np.bincount(codes).tolist()))
