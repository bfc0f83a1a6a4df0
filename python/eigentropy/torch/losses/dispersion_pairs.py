"""The mean over pairs of tokens that a dispersion loss is, and its slope, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from eigentropy._support.options import integer, nonnegative, one_of, positive

VARIANTS = ("angular", "l2", "decorrelation", "orthogonal")

# This many pairs are looked at in one operation.
PAIRS_AT_A_TIME = 2**22

# 1 - cos^2 of two tokens counts as at least this many eps in the slope of their angle: its own
# rounding is about one eps.
LEAST_SINE_SQUARED = 64.0


@dataclass(frozen=True)
class DispersionOptions:
    """Those of `eigentropy.torch.DispersionLoss`, checked."""

    variant: str = "angular"
    temperature: float = 1.0
    clamp: float = 0.0
    margin: float = 0.5
    norm_penalty: float = 0.1
    drop_first: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option; numbers of any type become Python's."""
        one_of(self.variant, "variant", VARIANTS)
        checked = {
            "temperature": positive(self.temperature, "temperature"),
            "clamp": nonnegative(self.clamp, "clamp", at_most=0.99),
            "margin": nonnegative(self.margin, "margin", at_most=1.0),
            "norm_penalty": nonnegative(self.norm_penalty, "norm_penalty"),
            "drop_first": integer(self.drop_first, "drop_first", at_least=0),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def sequences_at_a_time(length: int) -> int:
    """How many sequences of `length` tokens are looked at together."""
    return max(1, PAIRS_AT_A_TIME // length**2)


def solved(
    Z: torch.Tensor, kept: torch.Tensor, options: DispersionOptions, with_slope: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """L (b,) and dL/dZ of states whose other tokens are 0."""
    count = kept.sum(dim=1).to(Z.dtype)
    if options.variant == "l2":
        rows = (Z - Z.sum(dim=1, keepdim=True) / count[:, None, None]) * kept[..., None]
    else:
        rows = _directions(Z, options.variant == "decorrelation")
    sums = _Sums(rows, options, with_slope)
    for first, last in _stretches(*Z.shape[:2]):
        pairs = kept[:, first:last, None] & kept[:, None, :]
        pairs.diagonal(first, 1, 2).fill_(False)
        sums.add(first, last, pairs)
    value, slope = sums.result(count * (count - 1.0))
    if options.variant == "l2":
        entries = count * Z.shape[2]
        value = value + options.norm_penalty * (Z * Z).sum(dim=(1, 2)) / entries
        if slope is not None:
            slope = slope + 2.0 * options.norm_penalty * Z / entries[:, None, None]
    elif slope is not None:
        slope = _along_the_sphere(Z, rows, slope, options.variant == "decorrelation")
    return value, slope


def _stretches(sequences: int, length: int) -> Iterator[tuple[int, int]]:
    """Tokens whose pairs with all tokens of their sequences are looked at in one operation."""
    at_a_time = max(1, PAIRS_AT_A_TIME // (sequences * length))
    for first in range(0, length, at_a_time):
        yield first, min(length, first + at_a_time)


def _directions(Z: torch.Tensor, centered: bool) -> torch.Tensor:
    """Tokens divided by their lengths; `centered`: after their mean over the features is taken off.

    The cosine of centred tokens is their correlation.
    """
    Z = Z - Z.mean(dim=-1, keepdim=True) if centered else Z
    lengths = torch.linalg.vector_norm(Z, dim=-1, keepdim=True)
    return Z / torch.where(lengths == 0.0, 1.0, lengths)


def _along_the_sphere(
    Z: torch.Tensor, units: torch.Tensor, slope: torch.Tensor, centered: bool
) -> torch.Tensor:
    """From the slope by directions to that by tokens; tokens of length 0 have none."""
    Z = Z - Z.mean(dim=-1, keepdim=True) if centered else Z
    lengths = torch.linalg.vector_norm(Z, dim=-1, keepdim=True)
    along = (slope * units).sum(dim=-1, keepdim=True)
    slope = torch.where(lengths == 0.0, 0.0, (slope - along * units) / lengths)
    return slope - slope.mean(dim=-1, keepdim=True) if centered else slope


class _Sums:
    """Sums over pairs of rows and their slopes by the rows, from some rows after the other.

    The sum of exponentials is in units of its largest term so far.
    """

    def __init__(self, rows: torch.Tensor, options: DispersionOptions, with_slope: bool) -> None:
        self.rows, self.options = rows, options
        self.is_log = options.variant in ("angular", "l2")
        self.total = rows.new_zeros(len(rows))
        self.largest = torch.full_like(self.total, -math.inf)
        self.slope = torch.zeros_like(rows) if with_slope else None

    def add(self, first: int, last: int, pairs: torch.Tensor) -> None:
        """The pairs (b, last - first, l) of these rows with all rows."""
        terms, slopes = self._terms(self.rows[:, first:last])
        if self.is_log:
            terms = terms.masked_fill(~pairs, -math.inf)
            largest = torch.maximum(self.largest, terms.amax(dim=(1, 2)))
            unit = torch.where(largest == -math.inf, 0.0, largest)  # of no pair
            shrink = torch.exp(self.largest - unit)
            self.total *= shrink
            if self.slope is not None:
                self.slope *= shrink[:, None, None]
            self.largest = largest
            terms = torch.exp(terms - unit[:, None, None])
            slopes = slopes * terms
        self.total += torch.where(pairs, terms, 0.0).sum(dim=(1, 2))
        if self.slope is None:
            return
        W = torch.where(pairs, slopes, 0.0)
        products = W @ self.rows
        if self.options.variant == "l2":  # d r2_ij / d z_i = 2 (z_i - z_j)
            towards = W.sum(dim=2, keepdim=True) * self.rows[:, first:last]
            self.slope[:, first:last] = 4.0 * (towards - products)
        else:
            self.slope[:, first:last] = 2.0 * products  # (i, j) and (j, i)

    def _terms(self, part: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The terms, or their logarithms, and the derivatives by the cosine, or by r^2."""
        options = self.options
        products = part @ self.rows.mT
        if options.variant == "l2":
            norms, own = ((x * x).sum(dim=-1) for x in (self.rows, part))
            r2 = (own[:, :, None] + norms[:, None] - 2.0 * products).clamp(min=0.0)
            return r2 / -options.temperature, r2.new_full((), -1.0 / options.temperature)
        if options.variant == "decorrelation":
            return products**2, 2.0 * products
        cosines = products.clamp(options.clamp - 1.0, 1.0 - options.clamp)
        angles = torch.arccos(cosines) / math.pi
        least = LEAST_SINE_SQUARED * torch.finfo(part.dtype).eps
        by_cosine = (1.0 - cosines**2).clamp(min=least).rsqrt() / -math.pi
        if options.variant == "angular":
            return angles / -options.temperature, by_cosine / -options.temperature
        short = (options.margin - angles).clamp(min=0.0)
        return short**2, -2.0 * short * by_cosine

    def result(self, pairs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The mean over all pairs, or the logarithm of the mean, and the slope; 0 without pairs."""
        if self.is_log:
            value = self.largest + torch.log(self.total) - torch.log(pairs)
        else:
            value = self.total / pairs
        unit = self.total if self.is_log else pairs
        value = torch.where(pairs == 0.0, 0.0, value)
        if self.slope is None:
            return value, None
        slope = self.slope / unit[:, None, None]
        return value, torch.where((pairs == 0.0)[:, None, None], 0.0, slope)
