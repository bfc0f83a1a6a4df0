"""Measures of the tokens of each prompt by themselves; small spectra are solved together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR, resolve_sigma
from eigentropy._kernels.density import DensityMatrix
from eigentropy._measures.joint import in_units
from eigentropy._measures.operator import DiffusionOperator
from eigentropy.torch.layers import geometry
from eigentropy.torch.layers.names import NEXT
from eigentropy.torch.layers.small_spectra import bits_of_each

Doubles = npt.NDArray[np.float64]
Tokens = Sequence[Any]

# Of a prompt, tokens that its kernels are made of; random ones stand for more.
MOST_TOKENS = 512

# Random orders of the tokens of the next layer, for the baseline of the information.
ORDERS = 4

OF_KERNELS = ("dse", "kernel_entropy", NEXT)


class Layer(NamedTuple):
    """What the next layer is compared with."""

    name: str
    units: list[Doubles]


@dataclass(frozen=True)
class Within:
    """The measures that are wanted of each prompt by itself.

    Attributes
    ----------
    names : sequence of str
        Of `OF_KERNELS` and `geometry.MEASURES`.
    sigma, alpha, t
        As in `eigentropy.dse`. A rule for sigma is of the tokens of each prompt.
    seed : int
    """

    names: Sequence[str]
    sigma: float | str = "auto"
    alpha: float = 0.5
    t: float = 1.0
    seed: int = 0

    def of(
        self, prompts: Tokens, numbers: Sequence[int], previous: Layer | None
    ) -> tuple[dict[str, tuple[str, Doubles]], Layer]:
        """The values of prompts, given their tokens (m, d), and what the next layer needs.

        Returns
        -------
        dict of str to (str, array of shape (prompts,))
            By measure: the layer that the values are of, "" for this one. NaN where a prompt has no
            value.
        Layer
        """
        finite = [np.isfinite(tokens).all() for tokens in prompts]
        found = {}
        others = [name for name in self.names if name in geometry.MEASURES]
        for name, values in geometry.of_prompts(others, [*compress(prompts, finite)]).items():
            found[name] = "", np.full(len(prompts), math.nan)
            found[name][1][finite] = values
        units = [*self._units(prompts, numbers)] if set(OF_KERNELS) & set(self.names) else []
        if "dse" in self.names:
            found["dse"] = "", bits_of_each(DiffusionOperator, units, self.t, alpha=self.alpha)
        if "kernel_entropy" in self.names:
            found["kernel_entropy"] = "", bits_of_each(DensityMatrix, units, 1.0)
        if NEXT in self.names and previous is not None:
            found[NEXT] = previous.name, self._information(previous.units, units, numbers)
        return found, Layer("", units)

    def _units(self, prompts: Tokens, numbers: Sequence[int]) -> Iterator[Doubles]:
        """The tokens of each prompt in units of its sigma; those of a prompt that is not finite."""
        for tokens, number in zip(prompts, numbers, strict=True):
            if len(tokens) > MOST_TOKENS:
                generator = np.random.default_rng([self.seed, number])
                tokens = tokens[np.sort(generator.permutation(len(tokens))[:MOST_TOKENS])]
            if not np.isfinite(tokens).all():
                yield np.full((1, tokens.shape[1]), math.nan)
            elif (tokens == tokens[0]).all():
                yield np.zeros(tokens.shape)
            else:
                sigma = resolve_sigma(self.sigma, Rows.of(tokens), self.seed)
                yield in_units(tokens, sigma, "sigma")

    def _information(
        self, units: Sequence[Doubles], after: Sequence[Doubles], numbers: Sequence[int]
    ) -> Doubles:
        """What the tokens of each have in common with those of the next layer, in bits.

        The entropy of the joint kernel for tokens in random orders, less that as they are.
        """
        wider = MEDIAN_FACTOR if self.sigma == "auto" else 1.0  # as `measured.of_rows` has them
        joint = []
        for mine, its, number in zip(units, after, numbers, strict=True):
            generator = np.random.default_rng([self.seed, number])
            orders = [generator.permutation(len(its)) for _ in range(ORDERS)]
            joint += [
                wider * np.hstack([mine, one]) for one in (its, *(its[order] for order in orders))
            ]
        found = bits_of_each(DensityMatrix, joint, 1.0).reshape(-1, 1 + ORDERS)
        information: Doubles = found[:, 1:].mean(axis=1) - found[:, 0]
        return information
