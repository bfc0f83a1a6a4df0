"""What a monitor has measured: a list that plots itself."""

from __future__ import annotations

from typing import Any


class History(list[dict[str, float]]):
    """The values of each measurement by their keys, with "step"."""

    def plot(self, measure: str | None = None, *, ax: Any = None) -> Any:
        """Draw the values of the layers over the steps.

        Parameters
        ----------
        measure : str, optional
            "dse", "dsmi_y", "dsmi_y_adjusted" and the like; the first that was measured by default.
        ax : matplotlib axes, optional
            To draw into; new ones by default.

        Returns
        -------
        matplotlib axes

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from eigentropy import plot  # only here: matplotlib is large, and may not be installed

        return plot.history(self, measure, ax=ax)
