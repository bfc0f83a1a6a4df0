"""Diffusion spectral entropy and information of a batch as differentiable modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eigentropy._arrays import as_numpy
from eigentropy._options import integer, logarithm_base, nonnegative, one_of, positive
from eigentropy.bandwidth import RULES
from eigentropy.groups import group_codes
from eigentropy.operator import MAX_ALPHA, warn_if_saturated
from eigentropy.spectrum import NOISE_FLOOR_EPS, eigvalsh
from eigentropy.torch.kernel import Kernel, flat_rows, gaussian_kernel, without_autocast
from eigentropy.torch.resolvents import SMALLEST_N, logarithm
from eigentropy.torch.stochastic import estimate

METHODS = ("auto", "exact", "stochastic")
GOALS = ("raise", "lower")

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
    products. Time O(n^3 + n^2 d), memory some n x n matrices. docs/torch.md says when B is found
    without eigenvectors.

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
        "auto" computes in float64 for float64 and in float32 for all narrower types, and at t = 1,
        on the CPU, without eigenvectors where the eigenvalues lie close enough together: log A then
        has an error of 2e-5 (float32) or 1e-9 (float64). "exact" always takes all eigenvectors, in
        float64. "stochastic" estimates S and its gradient from random probes, in the precision of
        "auto". Autocast does not reach inside.
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
        value: torch.Tensor = kernel_entropy(rows, kernel, self.settings)
        return value

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # numbers go to the host
    def _kernel(self, rows: torch.Tensor) -> Kernel:
        kernel = gaussian_kernel(rows, self.settings.sigma, self.settings.dtype(rows))
        self.sigma_used, n = kernel.sigma, len(rows)
        if not self._warned and math.isfinite(kernel.sigma):
            others = (float(kernel.G.sum()) - n) / n
            self._warned = warn_if_saturated(n, others, others / max(1, n - 1), kernel.sigma)
        return kernel

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        s = self.settings
        return f"sigma={s.sigma!r}, alpha={s.alpha:g}, t={s.t:g}, base={s.base:g}"


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
        information = kernel_entropy(rows, kernel, settings)
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


@torch.compiler.disable  # type: ignore[untyped-decorator]
def kernel_entropy(rows: torch.Tensor, kernel: Kernel, settings: Settings) -> torch.Tensor:
    """S of the rows that have this kernel, with a gradient to the rows."""
    value: torch.Tensor = _Entropy.apply(rows, kernel, settings)  # type: ignore[no-untyped-call]
    return value


class _Entropy(torch.autograd.Function):
    """From rows to S; the kernel comes along and is a function of the rows, not a variable."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, kernel: Kernel, settings: Settings) -> torch.Tensor:
        """S in the precision of the kernel."""
        with without_autocast(rows.device):
            A, q, d = _operator(kernel.G, settings.alpha)
            if not ctx.needs_input_grad[0] and settings.method != "stochastic":
                return _Spectrum(_eigenvalues(A), settings).entropy(A.dtype)
            value, B = _entropy_and_slope(A, d, settings)
            ctx.save_for_backward(rows, A, q, d, B)
            ctx.sigma, ctx.settings = kernel.sigma, settings
            return value

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """dS/dZ from B = dS/dA; docs/torch.md has the derivation."""
        if torch.is_grad_enabled():  # PyTorch would take this gradient for a constant
            raise RuntimeError(
                "the spectral entropy has no second derivative: leave out create_graph=True"
            )
        rows, A, q, d, B = ctx.saved_tensors
        with without_autocast(rows.device):
            b = (B * A).sum(dim=1)
            roots = torch.sqrt(d)
            u = -b / d * roots  # through the degrees d: K_ij = A_ij roots_i roots_j
            w = torch.zeros_like(u)
            scale = roots * q**ctx.settings.alpha  # G_ij = A_ij scale_i scale_j
            if ctx.settings.alpha != 0.0:  # through the densities q
                w = -ctx.settings.alpha / q * (b + roots * (A @ u)) * scale
            left, right = torch.stack([u, roots, w, scale], 1), torch.stack([roots, u, scale, w])
            W = torch.addmm(B, left, right, beta=2.0).mul_(A)
            # dS/dr2 = -W / (2 sigma^2), r2_ij = |z_i - z_j|^2; differences do not see the mean.
            Z = rows.to(A.dtype)
            Z = Z - Z.mean(dim=0)
            gradient = torch.addmm(Z * W.sum(dim=1)[:, None], W, Z, alpha=-1.0)
            factor = upstream.to(A.dtype) * (-1.0 / (ctx.sigma**2 * math.log(ctx.settings.base)))
            return (gradient * factor).to(rows.dtype), None, None


def _entropy_and_slope(
    A: torch.Tensor, d: torch.Tensor, settings: Settings
) -> tuple[torch.Tensor, torch.Tensor]:
    """S, and B = dS/dA in nats; B is V g(Lambda) V^T, of eigenvectors or without."""
    if settings.method == "stochastic" and len(A) >= SMALLEST_N and bool(A[0, 0].isfinite()):
        found = estimate(A, torch.sqrt(d / d.sum()), settings.t, settings.tol, settings.seed)
        return A.new_tensor(found.value / math.log(settings.base)), found.B
    if settings.t == 1.0 and settings.method != "exact":
        L = logarithm(A, torch.sqrt(d / d.sum()))
        if L is not None:
            return _by_logarithm(A, L, settings)
    eigenvalues, V = _eigenpairs(A)
    spectrum = _Spectrum(eigenvalues, settings)
    return spectrum.entropy(A.dtype), (V * spectrum.slopes().to(A.dtype)) @ V.T


def _by_logarithm(
    A: torch.Tensor, L: torch.Tensor, settings: Settings
) -> tuple[torch.Tensor, torch.Tensor]:
    """S(1) = log T - M / T and B = -(log A - M / T) / T, with T = tr A, M = tr A log A."""
    T = A.diagonal().sum(dtype=torch.float64)
    M = (A * L).sum(dtype=torch.float64)
    nats = torch.log(T) - M / T
    B = L.mul_(-1.0 / float(T))
    B.diagonal().add_(float(M / T**2))
    return (nats.clamp(min=0.0) / math.log(settings.base)).to(A.dtype), B


def _operator(G: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A = D^-1/2 K D^-1/2, and the densities q and degrees d of K = G / (q q^T)^alpha."""
    q = G.sum(dim=1)
    scale = q**-alpha
    d = scale * (G @ scale)
    scale = scale / torch.sqrt(d)
    return G * scale[:, None] * scale, q, d


def _eigenvalues(A: torch.Tensor) -> torch.Tensor:
    """Eigenvalues alone; on the CPU the core's solver is the faster one."""
    if bool(torch.isnan(A[0, 0])):
        return A.new_full((len(A),), math.nan)
    if A.device.type == "cpu":
        return torch.tensor(eigvalsh(as_numpy(A, "A"), overwrite=True))
    eigenvalues: torch.Tensor = torch.linalg.eigvalsh(A)
    return eigenvalues


def _eigenpairs(A: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if bool(torch.isnan(A[0, 0])):
        return A.new_full((len(A),), math.nan), torch.full_like(A, math.nan)
    try:
        eigenvalues, V = torch.linalg.eigh(A)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # did not converge
        eigenvalues, V = torch.linalg.eigh(A.double())
    return eigenvalues, V.to(A.dtype)


class _Spectrum:
    """S and its slopes by the eigenvalues, in float64: these are n numbers."""

    def __init__(self, eigenvalues: torch.Tensor, settings: Settings) -> None:
        # What is not above is the solver's noise, as in `eigentropy.spectral_entropy`.
        self.floor = NOISE_FLOOR_EPS * torch.finfo(eigenvalues.dtype).eps
        self.t, self.base = settings.t, settings.base
        self.values = eigenvalues.double().clamp(max=1.0)
        kept = torch.where(self.values > self.floor, self.values, 0.0)
        kept = torch.where(self.values.isnan(), self.values, kept)
        powers = kept**self.t
        self.T = powers.sum()
        self.M = torch.xlogy(powers, kept).sum()

    def entropy(self, dtype: torch.dtype) -> torch.Tensor:
        """S = log T - (t / T) M; the rounding of a single eigenvalue may be below 0."""
        nats = torch.log(self.T) - self.t / self.T * self.M
        return (nats.clamp(min=0.0) / math.log(self.base)).to(dtype)

    def slopes(self) -> torch.Tensor:
        """g(lambda) = dS/dlambda in nats; what is below the noise level counts as that."""
        values = self.values.clamp(min=self.floor)
        logs = torch.log(values) - self.M / self.T
        return -(self.t**2) / self.T * values ** (self.t - 1.0) * logs
