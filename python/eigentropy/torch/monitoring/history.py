"""What a monitor has measured: a list that plots itself."""

from __future__ import annotations

from typing import Any

from eigentropy import plot


class History(list[dict[str, float]]):
    """The values of each measurement by their keys, with "step"."""

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
        return plot.history(self, measure, **options)
