"""Several representations, and which of them differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from eigentropy._measures.comparison import ties
from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.comparison.holm import holm
from eigentropy._measures.comparison.ties import Group
from eigentropy._measures.sampling.variation import OVER
from eigentropy._support.interval import Interval, student_interval

# Of one that is compared: a text, or a number such as a step of a training.
Name = str | int
Pair = tuple[Name, Name]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Compared:
    """The values and differences of a `Comparison`, and what follows from them."""

    results: dict[Name, Any]
    values: dict[Name, float]
    errors: dict[Name, tuple[float, float]]
    differences: dict[Pair, Difference]
    measure: str
    base: float | None
    level: float
    pairs: str
    against: Name | None
    p_values: dict[Pair, float] = field(init=False)

    def __post_init__(self) -> None:
        """Correct the p-values."""
        corrected = holm([one.p_value for one in self.differences.values()])
        known = dict(zip(self.differences, corrected, strict=True))
        object.__setattr__(self, "p_values", known)

    @property
    def names(self) -> list[Name]:
        """In the order in which they were given."""
        return list(self.values)

    def differs(self, a: Name, b: Name) -> bool:
        """Whether two that were compared differ: the corrected p-value is at most 1 - level."""
        p = self._p_value(a, b)
        if p is None:
            raise ValueError(f"{a!r} and {b!r} were not compared; the names are {self.names}")
        return p <= 1.0 - self.level

    def _is_tied(self, a: Name, b: Name) -> bool:
        """Whether two were compared, and do not differ."""
        return self._p_value(a, b) is not None and not self.differs(a, b)

    def _p_value(self, a: Name, b: Name) -> float | None:
        return self.p_values.get((a, b), self.p_values.get((b, a)))

    def ties(self) -> list[tuple[Name, ...]]:
        """Those that do not differ, as far as these rows can tell, in groups of two or more.

        Of all pairs: the largest groups of which no two differ. Not to differ is not transitive:
        where a and b do not differ, nor b and c, but a and c do, the groups are (a, b) and (b, c).
        Two do not differ exactly if some group has both.

        Of neighbours: the longest runs in which none differs from the next. The ends of a long run
        may well differ, which was not tested.

        With `against`: pairs of that one and each one that does not differ from it. Others were not
        tested with each other.
        """
        names = self.names
        return [tuple(names[one] for one in group) for group in self.groups() if len(group) > 1]

    def groups(self) -> list[Group]:
        """The same by number, and those without a tie as groups of one."""
        names = self.names
        if self.pairs == "neighbours":
            return ties.runs([self._is_tied(*pair) for pair in pairwise(names)])
        return ties.groups(len(names), lambda a, b: self._is_tied(names[a], names[b]))

    @property
    def changed_at(self) -> Name | None:
        """The first one after `against` from which on all differ from it; None if the last doesn't.

        Of a trajectory: since when the value is not what it was, for good.
        """
        if self.against is None:
            raise ValueError("changed_at is of a comparison with one: pass against= to compare")
        later = self.names[self.names.index(self.against) + 1 :]
        found = None
        for name in reversed(later):
            if self._is_tied(self.against, name):
                break
            found = name
        return found

    def interval(self, name: Name) -> Interval:
        """Where the value of one is, over other samples of the data; for all by itself."""
        if name not in self.values:
            raise ValueError(f"there is no {name!r}; the names are {self.names}")
        value, (error, degrees) = self.values[name], self.errors[name]
        return student_interval(value, error, degrees, self.level, OVER)

    def to_rows(self) -> list[dict[str, Any]]:
        """One dict for each difference, as for ``pandas.DataFrame``."""
        return [
            {
                "a": a,
                "b": b,
                "value_a": self.values[a],
                "value_b": self.values[b],
                "difference": one.value,
                "standard_error": one.standard_error,
                "degrees": one.degrees,
                "low": one.interval().low,
                "high": one.interval().high,
                "p_value": one.p_value,
                "p_corrected": self.p_values[a, b],
                "differs": self.differs(a, b),
                "paired": one.paired,
                "n_a": one.n[0],
                "n_b": one.n[1],
            }
            for (a, b), one in self.differences.items()
        ]
