"""One entropy for each sequence of tokens (batch, length, features), with a gradient."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from eigentropy import _core
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import (
    DEFAULT_RULE,
    MEDIAN_FACTOR,
    resolve_sigma,
    sampled_rows,
)
from eigentropy._support.options import integer, one_of
from eigentropy.torch.losses import resolvents
from eigentropy.torch.losses.gradient import entropy_and_slope, no_second_derivative
from eigentropy.torch.losses.kernel import all_finite, computed_by_core, kernel_of
from eigentropy.torch.losses.options import (
    BatchOptions,
    EntropyOptions,
    KernelOptions,
    Limits,
)
from eigentropy.torch.tokens.masks import kept_tokens, real_of, real_tokens
from eigentropy.torch.uncompiled import uncompiled

MEASURES = ("dse", "kernel_entropy")
SCOPES = ("sequence", "batch")

# What each measure alone has, and its default.
OWN_OPTIONS = {"dse": {"alpha": 0.5, "t": 1.0}, "kernel_entropy": {"order": 1.0}}


def kept_states(
    Z: torch.Tensor, mask: torch.Tensor | None, drop_first: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Z as (b, l, d), padded where it is nested, and which tokens (b, l) are kept."""
    if not isinstance(Z, torch.Tensor):
        raise TypeError(f"Z must be a torch.Tensor, got {type(Z).__name__}")
    if not Z.is_floating_point():
        raise TypeError(
            f"Z must have a floating-point dtype, got {Z.dtype}: pass real features, such as "
            "Z.float()"
        )
    states, own = real_tokens(Z)
    if states.ndim != 3 or states.numel() == 0:
        raise ValueError(
            f"Z must have shape (batch, length, features), got {tuple(states.shape)}: of one "
            "sequence pass Z[None]"
        )
    shape = states.shape[0], states.shape[1]
    if own is not None:
        mask = own & real_of(mask, shape, device=own.device)
    return states, kept_tokens(mask, shape, drop_first, device=states.device)


@dataclass(frozen=True)
class SequenceOptions:
    """How the entropy of each sequence is computed.

    Attributes
    ----------
    each : BatchOptions
        Of one sequence.
    sigma_of : {"sequence", "batch"}
        Whether a rule for sigma looks at each sequence by itself or at all tokens of the batch.
    """

    each: BatchOptions
    measure: str = "dse"
    sigma_of: str = "sequence"
    drop_first: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option."""
        one_of(self.sigma_of, "sigma_of", SCOPES)
        object.__setattr__(self, "drop_first", integer(self.drop_first, "drop_first", at_least=0))

    @classmethod
    def of(
        cls, measure: str, sigma_of: str, drop_first: int, own: dict[str, Any], **common: Any
    ) -> SequenceOptions:
        """Of the arguments of `SequenceEntropy`; `own` are those that one measure alone has."""
        one_of(measure, "measure", MEASURES)
        for other, defaults in OWN_OPTIONS.items():
            for name, default in defaults.items():
                if other != measure and own[name] != default:
                    raise ValueError(
                        f"{name}={own[name]!r} is an option of measure={other!r}, and measure is "
                        f"{measure!r}: leave {name} out, or pass measure={other!r}"
                    )
        kind = EntropyOptions if measure == "dse" else KernelOptions
        each = kind(**common, **{name: own[name] for name in OWN_OPTIONS[measure]})
        return cls(each, measure, sigma_of, drop_first)

    def shown(self) -> str:
        """The options, as PyTorch shows those of a module."""
        given = f"measure={self.measure!r}, {self.each.shown()}"
        return f"{given}, sigma_of={self.sigma_of!r}, drop_first={self.drop_first}"


class SequencesFound(NamedTuple):
    """Of each sequence: rows, S in nats, sigma, sum_ij G_ij; and dS/dZ (m, d) if it was wanted."""

    lengths: Sequence[int]
    nats: list[float]
    sigmas: list[float]
    kernel_sums: list[float]
    slope: torch.Tensor | None


# Called with what was found.
Tell = Callable[[SequencesFound], None]


@uncompiled  # numbers go to the host
def sequence_entropies(
    Z: torch.Tensor, mask: torch.Tensor | None, options: SequenceOptions, tell: Tell
) -> torch.Tensor:
    """S of the kept tokens of each sequence, shape (batch,)."""
    states, kept = kept_states(Z, mask, options.drop_first)
    rows = states.flatten(0, 1) if bool(kept.all()) else states[kept]
    lengths = kept.sum(dim=1).tolist()
    # An autograd function does not see that gradients are off, and would compute them.
    variable = rows if torch.is_grad_enabled() else rows.detach()
    values: torch.Tensor = _Entropies.apply(  # type: ignore[no-untyped-call]
        variable, lengths, options, tell
    )
    return values


class _Entropies(torch.autograd.Function):
    """From the rows of all sequences to their entropies; the gradient comes with the values."""

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, lengths: list[int], options: SequenceOptions, tell: Tell
    ) -> torch.Tensor:
        """S of each sequence in the precision of the computation."""
        each = options.each
        found = measured(rows.detach(), lengths, options, ctx.needs_input_grad[0])
        tell(found)
        if found.slope is not None:
            ctx.save_for_backward(found.slope)
        ctx.lengths, ctx.unit, ctx.rows_dtype = lengths, math.log(each.base), rows.dtype
        nats = rows.new_tensor(found.nats, dtype=each.dtype(rows))
        value: torch.Tensor = torch.where(nats.isnan(), nats, nats.clamp(min=0.0)) / ctx.unit
        return value

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Upstream times dS/dZ, sequence by sequence."""
        if torch.is_grad_enabled():  # PyTorch would take this gradient for a constant
            raise no_second_derivative()
        (slope,) = ctx.saved_tensors
        lengths = torch.tensor(ctx.lengths, device=upstream.device)
        factors = (upstream / ctx.unit).repeat_interleave(lengths)
        return (slope * factors[:, None]).to(ctx.rows_dtype), None, None, None


def measured(
    rows: torch.Tensor, lengths: Sequence[int], options: SequenceOptions, with_slope: bool
) -> SequencesFound:
    """The entropies of sequences whose rows lie one below the other, `lengths` rows each."""
    dtype = options.each.dtype(rows)
    parts = _Parts(rows, lengths)
    sigma = options.each.sigma
    if options.sigma_of == "batch" and isinstance(sigma, str):
        sigma = _width_of_all(parts, sigma)
    slope = torch.empty(rows.shape, dtype=dtype, device=rows.device) if with_slope else None
    nats, sigmas, sums = ([math.nan] * len(lengths) for _ in range(3))
    found = SequencesFound(list(lengths), nats, sigmas, sums, slope)
    together = [k for k in range(len(lengths)) if parts.finite[k] and _fits(parts[k], options.each)]
    alone = set(range(len(lengths))).difference(together)
    if together:
        alone.update(_together(together, parts, sigma, options.each, found))
    for k in sorted(alone):
        _alone(k, parts, sigma, options.each, found)
    return found


class _Parts:
    """The rows of each sequence, and whether they are finite."""

    def __init__(self, rows: torch.Tensor, lengths: Sequence[int]) -> None:
        self.rows, self.lengths = rows, lengths
        self.ends = list(itertools.accumulate(lengths))
        every = all_finite(rows)
        self.finite = [every or all_finite(self[k]) for k in range(len(lengths))]

    def place(self, k: int) -> slice:
        """Where the rows of a sequence stand among all."""
        return slice(self.ends[k] - self.lengths[k], self.ends[k])

    def __getitem__(self, k: int) -> torch.Tensor:
        return self.rows[self.place(k)]


def _width_of_all(parts: _Parts, rule: str) -> float:
    """The rule's width for the rows of all sequences whose rows are finite."""
    finite = [parts[k] for k, is_finite in enumerate(parts.finite) if is_finite]
    if not finite:
        return math.nan
    rows = torch.cat(finite)
    if computed_by_core(rows):
        return resolve_sigma(rule, Rows.of(rows), 0)
    sample = torch.from_numpy(sampled_rows(len(rows), rows.shape[1], 0)).to(rows.device)
    return kernel_of(rows[sample], rule, torch.float32).sigma


def _fits(part: torch.Tensor, options: BatchOptions) -> bool:
    """Whether the core solves a sequence on one thread."""
    n = len(part)
    return (
        computed_by_core(part) and n <= options.limits.together_up_to and not options.estimates(n)
    )


class _Kept(threading.local):
    """The core's memory for the next batch, in this thread."""

    def __init__(self) -> None:
        self.by_dtype: dict[torch.dtype, _core.SequenceGradients] = {}


kept = _Kept()


def _core_sequences(dtype: torch.dtype, longest: int, limits: Limits) -> _core.SequenceGradients:
    """The one of this thread; a new one where its memory is too much to stay."""
    name = str(dtype).removeprefix("torch.")
    matrices = torch.get_num_threads() * resolvents.most_matrices(1)
    if matrices * longest**2 * dtype.itemsize > limits.kept_bytes:
        return _core.SequenceGradients(name)
    return kept.by_dtype.setdefault(dtype, _core.SequenceGradients(name))


def _together(
    numbers: Sequence[int],
    parts: _Parts,
    sigma: float | str,
    options: BatchOptions,
    found: SequencesFound,
) -> list[int]:
    """The sequences of these numbers by one call of the core; returns those that have failed."""
    dtype = options.dtype(parts.rows)
    places = [parts.place(k) for k in numbers]
    longest = max(found.lengths[k] for k in numbers)
    core = _core_sequences(dtype, longest, options.limits)
    approximates = options.may_do_without_eigenvectors(longest)
    nats, sigmas, kernel_sums, solved = core.solve(
        parts.rows.to(dtype).resolve_neg().contiguous().numpy(),
        np.array([place.start for place in places]),
        np.array([place.stop - place.start for place in places]),
        np.array([_width(parts[k], sigma) for k in numbers]),
        options.alpha,
        options.exponent,
        MEDIAN_FACTOR,
        resolvents.log_functions(resolvents.TOLERANCE[dtype]) if approximates else None,
        None if found.slope is None else found.slope.numpy(),
        torch.get_num_threads(),
    )
    results = (found.nats, nats), (found.sigmas, sigmas), (found.kernel_sums, kernel_sums)
    for values, new in results:
        for k, value in zip(numbers, new.tolist(), strict=True):
            values[k] = value
    return [k for k, done in zip(numbers, solved.tolist(), strict=True) if not done]


def _width(part: torch.Tensor, sigma: float | str) -> float:
    """The width of a sequence; NaN where the core is to take its share of the median."""
    if not isinstance(sigma, str):
        return sigma
    if sigma in ("auto", DEFAULT_RULE):
        return math.nan
    return resolve_sigma(sigma, Rows.of(part), 0)


def _alone(
    k: int, parts: _Parts, sigma: float | str, options: BatchOptions, found: SequencesFound
) -> None:
    """The sequence of number k by PyTorch's operations, or by all threads of the core."""
    part = parts[k]
    kernel = kernel_of(part, sigma, options.dtype(part))
    one = entropy_and_slope(part, kernel, options, found.slope is not None)
    found.nats[k], found.sigmas[k], found.kernel_sums[k] = one.nats, kernel.sigma, one.kernel_sum
    if found.slope is not None and one.slope is not None:
        found.slope[parts.place(k)] = one.slope
