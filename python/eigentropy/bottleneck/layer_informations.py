"""The informations of layers about each other and about labels, of all rows or of some of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.groups import Codes, groups_of_rows
from eigentropy._measures.forms import adjusted_information, seed_of_subset
from eigentropy._measures.joint import in_units
from eigentropy._measures.kernel_information import kernel_information
from eigentropy._measures.kernel_results import KernelInformation
from eigentropy._support.warnings import recorded_warnings
from eigentropy.baselines._contingency import joint_codes

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Random orders of each of the two times that a subset is measured.
NULLS_OF_SETS = 8

# Of the informations between layers by kernels there are fewer random orders by this factor, and at
# least two: each takes the eigenvalues of a matrix of all rows.
FEWER_BETWEEN = 4

# The width, in units of both layers, at which their joint kernel is the geometric mean of both
# kernels and not the product. A layer and a copy of it have the layer's own kernel then, so that
# the copy neither gains nor loses.
GEOMETRIC = math.sqrt(2.0)

# Of rounding: what is left of an information that is 0.
ROUNDING = 1e-12

# The rows of a table of informations; its columns are the layers. The first layer has LABEL only.
INPUT, PREVIOUS, LABEL, BOTH = range(4)
KINDS = 4


class LayerInformations(Protocol):
    """What can be measured of some rows of all layers."""

    def of_rows(self, rows: Numbers, n_null: int, seed: int) -> Doubles:
        """Informations of these rows alone, shape (4, layers), in the unit of the base.

        ``INPUT`` is I(h_0; h_i), ``PREVIOUS`` I(h_{i-1}; h_i), ``LABEL`` I(Y; h_i) and ``BOTH``
        I(Y; h_{i-1}, h_i). `n_null` and `seed` are of the random orders.
        """
        ...


def table_of_sets(informations: LayerInformations, sets: Sequence[Numbers], seed: int) -> Doubles:
    """The tables of subsets, each found twice with other partitions: (subsets, 2, 4, layers)."""
    with recorded_warnings():
        return np.array(
            [
                [
                    informations.of_rows(rows, NULLS_OF_SETS, seed_of_subset(seed, 2 * number + i))
                    for i in (0, 1)
                ]
                for number, rows in enumerate(sets)
            ]
        )


@dataclass(frozen=True)
class KernelInformations:
    """By entropies of density matrices, as `eigentropy.kernel_information`.

    Attributes
    ----------
    layers : sequence of array, each of shape (n, d_i)
    codes : array of int, shape (n,)
        Those of the labels.
    sigma : float or str
        A rule gives each layer its own, for each set of rows anew.
    estimator : {"bits", "matched", "plain"}
    base : float
    """

    layers: Sequence[npt.NDArray[Any]]
    codes: Codes
    sigma: float | str
    estimator: str
    base: float

    def of_rows(self, rows: Numbers, n_null: int, seed: int) -> Doubles:
        """Informations of these rows alone."""
        table = np.full((KINDS, len(self.layers)), math.nan)
        labels = groups_of_rows(self.codes, rows)
        plain = self.estimator == "plain"
        known: dict[str, Any] = {"estimator": "plain" if plain else "matched", "base": self.base}
        known["seed"] = seed
        of_labels = {**known, "kind": "labels", "n_null": 0 if plain else n_null}
        between = {**known, "n_null": 0 if plain else max(2, n_null // FEWER_BETWEEN)}
        in_own_units: list[Doubles] = []
        for number, layer in enumerate(self.layers):
            chosen = layer[rows]
            about = kernel_information(chosen, labels, sigma=self.sigma, **of_labels)
            table[LABEL, number] = self._about_labels(about)
            scaled = in_units(chosen, about.sigma, "sigma")
            if in_own_units:
                first, before = in_own_units[0], in_own_units[-1]
                table[INPUT, number] = _between(first, scaled, between)
                table[PREVIOUS, number] = (
                    table[INPUT, number] if number == 1 else _between(before, scaled, between)
                )
                joint = np.concatenate([before, scaled], axis=1)
                width = 1.0 if plain else GEOMETRIC
                both = kernel_information(joint, labels, sigma=width, **of_labels)
                table[BOTH, number] = self._about_labels(both)
            in_own_units.append(scaled)
        return table

    def _about_labels(self, found: KernelInformation) -> float:
        if self.estimator != "bits":
            return found.value
        return found.adjusted() * found.label_entropy


def _between(a: Doubles, b: Doubles, known: dict[str, Any]) -> float:
    return kernel_information(a, b, kind="vectors", sigma=1.0, sigma_y=1.0, **known).value


@dataclass(frozen=True)
class DiscreteInformations:
    """The plug-in informations of layers whose rows have been given one symbol each.

    Attributes
    ----------
    layers : sequence of array of int, each of shape (n,)
        The symbol of each row, from 0 on.
    codes : array of int, shape (n,)
    estimator : {"bits", "matched", "plain"}
        "matched" subtracts the mean over random orders of one of both variables. "bits" scales what
        is left of it about the labels so that the largest possible value is H(Y).
    base : float
    """

    layers: Sequence[Codes]
    codes: Codes
    estimator: str
    base: float

    def of_rows(self, rows: Numbers, n_null: int, seed: int) -> Doubles:
        """Informations of these rows alone."""
        rng = np.random.default_rng(seed)
        count = 0 if self.estimator == "plain" else n_null
        orders = [rng.permutation(len(rows)) for _ in range(count)]
        table = np.full((KINDS, len(self.layers)), math.nan)
        labels, layers = self.codes[rows], [layer[rows] for layer in self.layers]
        for number, layer in enumerate(layers):
            table[LABEL, number] = self._about_labels(layer, labels, orders)
            if number:
                before = layers[number - 1]
                table[INPUT, number] = _left(plug_in(layer, layers[0]), layer, layers[0], orders)
                table[PREVIOUS, number] = _left(plug_in(layer, before), layer, before, orders)
                both = joint_codes(before, layer)
                table[BOTH, number] = self._about_labels(both, labels, orders)
        table[np.abs(table) < ROUNDING] = 0.0
        return table / math.log(self.base)

    def _about_labels(self, symbols: Codes, labels: Codes, orders: Sequence[Numbers]) -> float:
        value = plug_in(symbols, labels)
        if self.estimator != "bits":
            return _left(value, symbols, labels, orders)
        # Both entropies of the symbols cancel: those that are left by the labels have them.
        null = np.array([value - plug_in(symbols, labels[order]) for order in orders])
        most = plug_in(labels, labels)
        return most * adjusted_information(0.0, null, (value, 0.0), most)[0]


def _left(value: float, a: Codes, b: Codes, orders: Sequence[Numbers]) -> float:
    """What is left of an information without what it has by chance."""
    if not orders:
        return value
    return value - math.fsum(plug_in(a, b[order]) for order in orders) / len(orders)


def plug_in(a: Codes, b: Codes) -> float:
    """Mutual information of two columns of symbols by their frequencies, in nats."""
    pairs, counts = np.unique(a * (int(b.max()) + 1) + b, return_counts=True)
    of_a, of_b = np.divmod(pairs, int(b.max()) + 1)
    expected = np.bincount(a)[of_a].astype(np.float64) * np.bincount(b)[of_b]
    return max(0.0, float(counts @ np.log(counts * float(len(a)) / expected)) / len(a))
