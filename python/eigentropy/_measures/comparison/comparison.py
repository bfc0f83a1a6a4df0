"""What `eigentropy.compare` returns of several representations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eigentropy._measures.comparison import tables
from eigentropy._measures.comparison.layout import title
from eigentropy._measures.comparison.several import Compared
from eigentropy.plot.intervals import intervals


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Comparison(Compared):
    """A measure of several representations, and which of them differ. Prints as a table.

    Attributes
    ----------
    results : dict
        From each name to what the measure gave.
    values : dict
        From each name to the number that is compared.
    errors : dict
        From each name to the sampling error of its value, and its degrees of freedom.
    differences : dict
        From pairs of names, ``("layer 3", "layer 4")``, to a `Difference`: the second less the
        first.
    p_values : dict
        From the same pairs to the p-value by Holm's correction: with probability `level` or more,
        no pair that does not differ has one of at most 1 - level.
    measure, level
        As in `compare`.
    base : float or None
        Of the logarithm; None where the measure has none.
    pairs : {"all", "neighbours"}
    against : str, int or None
        With which one the others are compared; None for `pairs`.
    """

    def sentences(self) -> list[str]:
        """Which do not differ, in words."""
        return tables.sentences(self)

    def plot(self, **options: Any) -> Any:
        """Draw the values with their intervals over other samples, and return the axes.

        That two intervals overlap does not say that there is no difference, above all where the
        rows are the same: the differences have intervals of their own. So beside the names stand
        the letters of the table, where all pairs were compared: two differ exactly if they share no
        letter. Otherwise "=" stands beside what does not differ from the one above, or from
        `against`.

        Parameters
        ----------
        **options
            `ax`, the axes to draw on, and what ``ax.errorbar`` takes.
        """
        ends = [self.interval(name) for name in self.names]
        marks, meaning = tables.marks(self)
        label = f"{title(self.measure, self.base)}, {ends[0].sure} over other samples\n{meaning}"
        names = [f"{name}  {mark}".rstrip() for name, mark in zip(self.names, marks, strict=True)]
        return intervals(names, list(self.values.values()), ends, label, **options)

    def _repr_html_(self) -> str:
        return tables.html(self)

    def __repr__(self) -> str:
        return tables.text(self)
