"""What a monitor has measured: a list that plots itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eigentropy import plot


class History(list[dict[str, float]]):
    """The values of each measurement by their keys, with "step".

    Parameters
    ----------
    rows : iterable of dict
    base : float
        Of the logarithm of the values, for the axes of a plot.
    n_null : int or "auto", optional
        Number of random partitions behind the informations, for the bands of a plot; "auto" is as
        good as none, for it says no number.
    """

    def __init__(
        self,
        rows: Iterable[dict[str, float]] = (),
        base: float = 2.0,
        n_null: int | str | None = None,
    ) -> None:
        super().__init__(rows)
        self.base, self.n_null = base, n_null if isinstance(n_null, int) else None

    def plot(self, measure: str | None = None, **options: Any) -> Any:
        """Draw the values of the layers over the steps.

        Parameters
        ----------
        measure, **options
            As in `eigentropy.plot.history`.

        Returns
        -------
        matplotlib axes
        """
        return plot.history(self, measure, **{"base": self.base, "n_null": self.n_null, **options})
