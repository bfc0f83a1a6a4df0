"""The options of the entropy and the information of a batch, checked when they are made."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from eigentropy._kernels.bandwidth import RULES
from eigentropy._kernels.diffusion import MAX_ALPHA
from eigentropy._kernels.groups import KINDS
from eigentropy._measures.forms import ESTIMATORS
from eigentropy._support.options import (
    integer,
    logarithm_base,
    nonnegative,
    one_of,
    positive,
    renyi_order,
    sigma_or_rule,
)
from eigentropy.torch.losses.functionals import Functional, RenyiFunctional, ShannonFunctional

METHODS = ("auto", "exact", "stochastic")


@dataclass(frozen=True)
class Limits:
    """Sizes at which one way to compute takes the place of another.

    Attributes
    ----------
    exact_up_to : int
        "auto" estimates batches of more rows.
    probed_from : int
        Batches of fewer rows are never estimated: nothing would be gained.
    kept_bytes : int
        A thread keeps the core's memory for its next batch, unless the matrices of the batch take
        more.
    memory_checked_from : int
        From this many rows on, the matrices of the logarithm are compared with the free memory.
    together_up_to : int
        Sequences of at most this many rows are solved at the same time, each by one thread.
    entries_at_a_time : int
        PyTorch's operations compute this many entries of inverse matrices in one call.
    """

    exact_up_to: int = 4096
    probed_from: int = 256
    kept_bytes: int = 2**26
    memory_checked_from: int = 1024
    together_up_to: int = 1024
    entries_at_a_time: int = 2**24


@dataclass(frozen=True, kw_only=True)
class BatchOptions(ABC):
    """How an entropy of a batch is computed.

    Attributes
    ----------
    alpha : float, or None
        The normalisation of the operator; None: the kernel itself.
    """

    sigma: float | str = "auto"
    base: float = 2.0
    method: str = "auto"
    tol: float = 1e-3
    seed: int = 0
    limits: Limits = Limits()
    alpha: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option; numbers of any type become Python's."""
        for name, value in self._checked().items():
            object.__setattr__(self, name, value)

    def _checked(self) -> dict[str, object]:
        return {
            "sigma": sigma_or_rule(self.sigma, RULES),
            "base": logarithm_base(self.base),
            "method": one_of(self.method, "method", METHODS),
            "tol": positive(self.tol, "tol"),
            "seed": integer(self.seed, "seed", at_least=0),
        }

    @property
    @abstractmethod
    def functional(self) -> Functional:
        """The entropy as a function of eigenvalues."""

    @property
    @abstractmethod
    def exponent(self) -> float:
        """Of the eigenvalues: the time t, or the order."""

    @property
    def _needs_double(self) -> bool:
        return self.method == "exact"

    @property
    def is_sum_of_squares(self) -> bool:
        """Whether the squares of the entries are all that the entropy needs."""
        return False

    def estimates(self, n: int) -> bool:
        """Whether a batch of n rows is estimated from random probes."""
        if self.is_sum_of_squares:
            return False
        if self.method == "auto":
            return n > self.limits.exact_up_to
        return self.method == "stochastic" and n >= self.limits.probed_from

    def needs_no_spectrum(self, n: int) -> bool:
        """Whether S of n rows takes no longer with its gradient than without."""
        return self.is_sum_of_squares or self.estimates(n)

    def may_do_without_eigenvectors(self, n: int) -> bool:
        """Whether S and its gradient need only the logarithm of the operator."""
        return self.functional.needs_logarithm and self.method != "exact" and not self.estimates(n)

    def dtype(self, *Z: torch.Tensor) -> torch.dtype:
        """The precision of the computation: never below float32."""
        double = self._needs_double or any(x.dtype == torch.float64 for x in Z)
        return torch.float64 if double else torch.float32

    def shown(self) -> str:
        """The options, as PyTorch shows those of a module."""
        given = f"sigma={self.sigma!r}, {self._shown_measure()}, base={self.base:g}"
        return f"{given}, method={self.method!r}, tol={self.tol:g}, seed={self.seed}"

    @abstractmethod
    def _shown_measure(self) -> str:
        """The options that only this entropy has."""


@dataclass(frozen=True, kw_only=True)
class EntropyOptions(BatchOptions):
    """Those of `eigentropy.torch.DiffusionSpectralEntropy`."""

    alpha: float = 0.5
    t: float = 1.0

    def _checked(self) -> dict[str, object]:
        alpha = nonnegative(self.alpha, "alpha", at_most=MAX_ALPHA)
        return {**super()._checked(), "alpha": alpha, "t": positive(self.t, "t")}

    @property
    def exponent(self) -> float:
        """The time."""
        return self.t

    @property
    def functional(self) -> ShannonFunctional:
        """S(t)."""
        return ShannonFunctional(self.t)

    def _shown_measure(self) -> str:
        return f"alpha={self.alpha:g}, t={self.t:g}"


def _finite_order(value: object) -> float:
    order = renyi_order(value)
    if order == math.inf:
        raise ValueError(
            "order must be a finite number > 0 here, got inf: the largest eigenvalue has no "
            "gradient where it is repeated; pass a large order, such as 100"
        )
    return order


@dataclass(frozen=True, kw_only=True)
class KernelOptions(BatchOptions):
    """Those of `eigentropy.torch.KernelEntropy`."""

    order: float = 1.0

    def _checked(self) -> dict[str, object]:
        return {**super()._checked(), "order": _finite_order(self.order)}

    @property
    def _needs_double(self) -> bool:
        """Below order 1 most of the gradient may be that of eigenvalues which float32 has not."""
        return self.method == "exact" or self.order < 1.0

    @property
    def exponent(self) -> float:
        """The order."""
        return self.order

    @property
    def functional(self) -> RenyiFunctional:
        """The Renyi entropy of the order."""
        return RenyiFunctional(self.order)

    @property
    def is_sum_of_squares(self) -> bool:
        """At order 2."""
        return self.order == 2.0

    def _shown_measure(self) -> str:
        return f"order={self.order:g}"


@dataclass(frozen=True)
class SecondVariable:
    """What Y is, and the width of its kernel where it is no label, as in `KernelInformation`."""

    kind: str = "auto"
    sigma: float | str = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option."""
        one_of(self.kind, "kind", KINDS)
        object.__setattr__(self, "sigma", sigma_or_rule(self.sigma, RULES, "sigma_y"))


@dataclass(frozen=True)
class Baseline:
    """With what the entropies of the groups are compared, as in `eigentropy.dsmi`."""

    estimator: str = "matched"
    n_null: int = 20

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option."""
        one_of(self.estimator, "estimator", ESTIMATORS)
        least = 2 if self.estimator == "matched" else 0
        object.__setattr__(self, "n_null", integer(self.n_null, "n_null", at_least=least))
