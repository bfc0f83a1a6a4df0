"""The rows of the study `layers` as profiles: a value for each layer, part by part."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from eigentropy.studies.language.networks import NETWORKS
from eigentropy.studies.language.numbers import MEAN, PROMPTS
from eigentropy.studies.rows import Parameter, StudyRow

# The value of each layer, and this for each part of the prompts.
Profile = dict[int, float]
Parts = dict[int, Profile]


@dataclass(frozen=True)
class View:
    """Which number of a layer: the measure, and what it is of."""

    estimator: str
    scope: str = PROMPTS
    normalize: str = "none"
    pooling: str = MEAN  # "" in other scopes

    @property
    def settings(self) -> dict[str, Parameter]:
        """The parameters of its cells beside network and layer."""
        return {"scope": self.scope, "normalize": self.normalize, "pooling": self.pooling}

    def __str__(self) -> str:
        """The measure, with the scope where it is not of vectors of prompts."""
        return self.estimator if self.scope == PROMPTS else f"{self.estimator}, {self.scope}"


class Profiles:
    """Finds profiles by data set, network and view."""

    def __init__(self, rows: Iterable[StudyRow]) -> None:
        self._parts: dict[tuple[str, str, View], Parts] = {}
        for row in rows:
            of = row.cell.settings
            place = (str(of[name]) for name in ("scope", "normalize", "pooling"))
            key = row.cell.data, str(of["network"]), View(row.cell.estimator, *place)
            profile = self._parts.setdefault(key, {}).setdefault(row.cell.seed, {})
            profile[int(of["layer"])] = row.value

    def of(self, data: str, network: str, view: View) -> Parts:
        """Those parts of which every layer has a finite value."""
        layers = len(NETWORKS[network].layers)
        return {
            seed: profile
            for seed, profile in self._parts.get((data, network, view), {}).items()
            if len(profile) == layers and all(map(math.isfinite, profile.values()))
        }

    def values(self, data: str, network: str, view: View) -> dict[int, list[float]]:
        """The values of all parts for each layer."""
        found: dict[int, list[float]] = {}
        for profile in self._parts.get((data, network, view), {}).values():
            for layer, value in profile.items():
                found.setdefault(layer, []).append(value)
        return dict(sorted(found.items()))

    def networks(self, data: str) -> list[str]:
        """Those with rows on a data set, in the order of NETWORKS."""
        known = {network for of, network, _ in self._parts if of == data}
        return [name for name in NETWORKS if name in known]
