"""How well a score ranks points as a probe does, within data sets, with intervals over networks.

Layers and copies of one network are not independent. An interval draws families of networks, each
with all of its points on all data sets, and not points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eigentropy.studies.pretrained_networks import DOMAINS
from eigentropy.studies.pretrained_networks.network import LAYER, PRETRAINED
from eigentropy.studies.rows import StudyRow

BOOTSTRAPS = 500

# A spread of ranks below this share of their number is rounding: all are the same.
ROUNDING = 1e-9

# Of at most EXACT networks all orders are tried, of more networks this number of random ones.
EXACT, ORDERS = 7, 5000

Array = npt.NDArray[np.float64]

FAMILIES = {
    network.name: network.family for domain in DOMAINS.values() for network in domain.networks
}
DOMAIN_OF = {data.name: domain.name for domain in DOMAINS.values() for data in domain.data}

# Which points a correlation is over.
ALL, TRAINED, ENCODERS = GROUPS = ("all points", "no controls", "encoders alone")
KINDS_OF = {TRAINED: (PRETRAINED, LAYER), ENCODERS: (PRETRAINED,)}


@dataclass(frozen=True)
class PlacedPoint:
    """A point on a data set, with the values of several names."""

    data: str
    network: str
    values: tuple[float, ...]

    @property
    def family(self) -> tuple[str, str]:
        """Its domain, and what it shares with other points there."""
        return DOMAIN_OF[self.data], FAMILIES.get(self.network, self.network)


def places(
    rows: Sequence[StudyRow], *names: str, group: str = ALL, domain: str | None = None
) -> list[PlacedPoint]:
    """The points of the group for which all of these names are defined, in a fixed order."""
    wanted = KINDS_OF.get(group)
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in rows:
        if row.cell.estimator not in names or math.isnan(row.value):
            continue
        if wanted is not None and row["kind"] not in wanted:
            continue
        if domain in (None, DOMAIN_OF[row.cell.data]):
            at = (row.cell.data, str(row["network"]), str(row["layer"]))
            found.setdefault(at, {})[row.cell.estimator] = row.value
    return [
        PlacedPoint(data, network, tuple(values[name] for name in names))
        for (data, network, _), values in sorted(found.items())
        if len(values) == len(set(names))
    ]


def within(of: Sequence[PlacedPoint]) -> tuple[float, ...]:
    """The last name's Spearman correlation with each other one: a mean over data sets.

    Data sets count by their points. One for which a correlation is not defined, as with fewer than
    3 points, is left out.
    """
    return tuple(map(float, _means(of, np.ones((1, len(of))))[:, 0]))


def lead(of: Sequence[PlacedPoint]) -> float:
    """How much better the first name ranks as the third does than the second, without signs."""
    return float(_lead(_means(of, np.ones((1, len(of)))))[0])


def interval(
    of: Sequence[PlacedPoint], *, leading: bool = False, draws: int = BOOTSTRAPS
) -> tuple[float, float]:
    """95 % bootstrap interval of the first correlation, or of `lead`, over families of networks.

    Families are drawn within each domain, with all of their points.
    """
    families = sorted({place.family for place in of})
    counts: dict[str, int] = {}
    for domain, _ in families:
        counts[domain] = counts.get(domain, 0) + 1
    if not of or min(counts.values()) < 3:
        return math.nan, math.nan
    rng = np.random.default_rng(0)
    drawn = [
        rng.multinomial(count, np.full(count, 1.0 / count), draws) for count in counts.values()
    ]
    numbers = [families.index(place.family) for place in of]
    values = _means(of, np.concatenate(drawn, axis=1)[:, numbers].astype(np.float64))
    found = _lead(values) if leading else values[0]
    known = found[np.isfinite(found)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def chance(of: Sequence[PlacedPoint]) -> float:
    """How likely the first correlation, or a larger one, is where scores say nothing of networks.

    The share of orders of the networks, in which each has the scores of another one on all data
    sets. Copies of networks are left out, and networks that are not on all data sets. NaN for
    fewer than 3 networks.
    """
    values = {(place.data, place.network): place.values for place in of}
    data = sorted({place.data for place in of})
    networks = [
        name
        for name in sorted({place.network for place in of if place.family[1] == place.network})
        if all((each, name) in values for each in data)
    ]
    if len(networks) < 3:
        return math.nan
    table = np.array([[values[each, name] for name in networks] for each in data])
    ones = np.ones((1, len(networks)))
    x, y = (
        np.array([_standardised(_ranks(row, ones)[0]) for row in table[:, :, side]])
        for side in (0, -1)
    )
    if len(networks) <= EXACT:
        orders = np.array(list(itertools.permutations(range(len(networks)))))
    else:
        rng = np.random.default_rng(0)
        drawn = [rng.permutation(len(networks)) for _ in range(ORDERS)]
        orders = np.array([np.arange(len(networks)), *drawn])
    found = np.einsum("dpi,di->p", x[:, orders], y)
    return float(np.mean(found >= np.sum(x * y) - ROUNDING))


def _standardised(ranks: Array) -> Array:
    """Of mean 0 and length 1; 0 where all are the same."""
    centred = ranks - ranks.mean()
    length = float(np.linalg.norm(centred))
    standardised: Array = centred / (length or 1.0)
    return standardised


def _lead(correlations: Array) -> Array:
    own, other = np.abs(correlations)
    ahead: Array = own - other
    return ahead


def _means(of: Sequence[PlacedPoint], weights: Array) -> Array:
    """Correlations with the last name, (names, draws), if point i counts weights[draw, i] times."""
    names = len(of[0].values) - 1 if of else 1
    found = np.full((names, len(weights)), math.nan)
    values = np.array([place.values for place in of])
    data = np.array([place.data for place in of])
    for name in range(names if of else 0):
        totals, sums = np.zeros((2, len(weights)))
        for each in np.unique(data):
            here = data == each
            W = weights[:, here]
            rho = _spearman(values[here, name], values[here, -1], W)
            count = np.where(np.isfinite(rho), W.sum(axis=1), 0.0)
            totals += count
            sums += count * np.nan_to_num(rho)
        found[name, totals > 0] = (sums / np.maximum(totals, 1.0))[totals > 0]
    return found


def _spearman(x: Array, y: Array, weights: Array) -> Array:
    """Of points that count by their weights; NaN for fewer than 3, or where a value is constant."""
    total = weights.sum(axis=1)
    ranks = [_ranks(values, weights) for values in (x, y)]
    shares = weights / np.maximum(total, 1.0)[:, None]
    centred = [r - (shares * r).sum(axis=1, keepdims=True) for r in ranks]
    spread = [np.sqrt((shares * r**2).sum(axis=1)) for r in centred]
    covariance = (shares * centred[0] * centred[1]).sum(axis=1)
    defined = (total >= 3) & (np.minimum(*spread) > ROUNDING * total)
    product = spread[0] * spread[1]
    return np.where(defined, covariance / np.where(defined, product, 1.0), math.nan)


def _ranks(values: Array, weights: Array) -> Array:
    """Ranks of the points in each draw, ties sharing their mean rank."""
    unique, inverse = np.unique(values, return_inverse=True)
    counts = weights @ (inverse[:, None] == np.arange(len(unique)))
    middles: Array = (np.cumsum(counts, axis=1) - counts / 2.0)[:, inverse]
    return middles


def counted(of: Sequence[PlacedPoint]) -> str:
    """How much a correlation rests on."""
    families, data = {place.family for place in of}, {place.data for place in of}
    where = "one data set" if len(data) == 1 else f"{len(data)} data sets"
    return f"{len(of)} points of {len(families)} networks on {where}"
