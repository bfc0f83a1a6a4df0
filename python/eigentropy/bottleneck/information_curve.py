"""The information curve: for each number of bits of X, the most bits about Y."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support.units import unit
from eigentropy.bottleneck.bifurcations import Bifurcation
from eigentropy.bottleneck.joint import Doubles
from eigentropy.bottleneck.solution import BottleneckSolution
from eigentropy.plot.bottleneck import information_curve


@dataclass(frozen=True, eq=False, kw_only=True)
class CurvePoint:
    """A solution on a branch that was followed in beta.

    Attributes
    ----------
    solution : BottleneckSolution
    branch : int
        Points of one branch are one family of solutions, with a constant number of clusters.
    direction : str
        "up" or "down": in which direction of beta the branch was followed. "crossed": from the best
        solution at another beta. "restarts": from random starts, for alpha below 1.
    growth : float
        The largest beta * lambda of its clusters: how much a small split of a cluster grows in a
        step of the equations. Above 1 the solution is not stable.
    """

    solution: BottleneckSolution
    branch: int
    direction: str
    growth: float


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class InformationCurve:
    """I(T; Y) over I(T; X) of the best solution at each beta.

    Attributes
    ----------
    betas : array
        Ascending. 1 / beta is the slope of the curve.
    information_x, information_y : array
        I(T; X) and I(T; Y) of the best solution at each beta.
    n_clusters : array of int
        Its effective number of clusters; of Gaussian variables, the directions that it keeps.
    information_xy : float
        I(X; Y), which no I(T; Y) is above.
    base : float
        Of the logarithms: 2 for bits.
    bifurcations : tuple of Bifurcation
        By beta, of all branches; those with `optimal` are of this curve.
    points : tuple of CurvePoint
        All branches that were followed; empty where the curve has a closed form.
    """

    betas: Doubles
    information_x: Doubles
    information_y: Doubles
    n_clusters: npt.NDArray[np.int64]
    information_xy: float
    base: float
    bifurcations: tuple[Bifurcation, ...] = ()
    points: tuple[CurvePoint, ...] = field(default=())

    @property
    def distortion(self) -> Doubles:
        """I(X; Y|T) = I(X; Y) - I(T; Y): over `information_x` it is a distortion-rate function."""
        return np.maximum(0.0, self.information_xy - self.information_y)

    @property
    def solutions(self) -> tuple[BottleneckSolution, ...]:
        """The best solution at each beta; empty where the curve has a closed form."""
        best: dict[float, BottleneckSolution] = {}
        for point in self.points:
            known = best.get(point.solution.beta)
            if known is None or point.solution.lagrangian < known.lagrangian:
                best[point.solution.beta] = point.solution
        return tuple(best[beta] for beta in sorted(best))

    def bounds(self, information_x: Any) -> tuple[Doubles, Doubles]:
        """Between which values I(T; Y) of the optimal curve lies at these I(T; X).

        The curve is concave. It lies above its chords, through the origin, too, and below its
        tangents of slope 1 / beta, below I(T; X) itself and below I(X; Y). The upper bound is one
        if the solutions are optimal: `defect` tells where they are not. Solutions for alpha below 1
        lie below the optimal curve, and have no tangents of it.

        Returns
        -------
        low, high : arrays
        """
        x = np.asarray(information_x, dtype=np.float64)
        known_x = np.concatenate([[0.0], self.information_x])
        known_y = np.maximum.accumulate(np.concatenate([[0.0], self.information_y]))
        order = np.argsort(known_x, kind="stable")
        low = np.interp(x, known_x[order], np.maximum.accumulate(known_y[order]))
        high = np.minimum(x, self.information_xy)
        if all(point.solution.alpha == 1.0 for point in self.points):
            tangents = self.information_y + (x[..., None] - self.information_x) / self.betas
            high = np.minimum(high, tangents.min(axis=-1))
        return np.minimum(low, high), high

    @property
    def defect(self) -> float:
        """How far the points are from one concave curve of slope 1 / beta, in units of I(T; Y).

        At its own beta each point should have the largest I(T; Y) - I(T; X) / beta of all points;
        for alpha below 1, H(T) - alpha H(T|X) takes the place of I(T; X).
        That is so for all of them if and only if the chords between neighbours have slopes between
        the two 1 / beta, so that the points lie on a concave curve with these slopes. What is
        returned is by how much another point is better, at most: 0 for an optimal curve, but for
        rounding.
        """
        values = self.information_y - self._costs() / self.betas[:, None]
        worst: float = (values.max(axis=1) - np.diagonal(values)).max()
        return float(worst)

    def _costs(self) -> Doubles:
        """H(T) - alpha H(T|X) of the best solution at each beta, which is I(T; X) for alpha = 1."""
        if not self.points:
            return self.information_x
        return np.array(
            [s.entropy - s.alpha * (s.entropy - s.information_x) for s in self.solutions]
        )

    def to_rows(self) -> list[dict[str, Any]]:
        """One dictionary a point of every branch, or of the curve where it has a closed form."""
        if not self.points:
            columns = {
                "beta": self.betas, "information_x": self.information_x,
                "information_y": self.information_y, "n_clusters": self.n_clusters,
            }  # fmt: skip
            return [
                {name: column[row].item() for name, column in columns.items()}
                for row in range(len(self.betas))
            ]
        return [
            {
                "beta": p.solution.beta, "information_x": p.solution.information_x,
                "information_y": p.solution.information_y, "n_clusters": p.solution.n_clusters,
                "branch": p.branch, "direction": p.direction, "growth": p.growth,
                "residual": p.solution.residual,
            }
            for p in self.points
        ]  # fmt: skip

    def plot(self, *, ax: Any = None, label: str | None = None, **line: Any) -> Any:
        """Draw it: see `eigentropy.plot.information_curve`."""
        return information_curve(self, ax=ax, label=label, **line)

    def __repr__(self) -> str:
        splits = [b for b in self.bifurcations if b.optimal]
        return (
            f"InformationCurve({len(self.betas)} betas from {self.betas[0]:g} to "
            f"{self.betas[-1]:g}, I(T; Y) up to {self.information_y.max():.4g} of "
            f"{self.information_xy:.4g} {unit(self.base)}, {len(splits)} bifurcations)"
        )
