"""Where the solution changes its kind: critical betas."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bifurcation:
    """A critical beta.

    Attributes
    ----------
    beta : float
    n_before, n_after : int
        Effective number of clusters just below and just above. Of Gaussian variables, the number
        of directions that T keeps.
    kind : str
        "split": a cluster becomes unstable and splits. "appearance": a cluster appears that has no
        mass at first. "jump": another branch becomes the better one, and the informations jump.
    branch_before, branch_after : int or None
        Branches of the curve, as its points have them; None in closed form.
    optimal : bool
        Whether it is one of the optimal curve; of a branch that is not the best one otherwise.
    """

    beta: float
    n_before: int
    n_after: int
    kind: str = "split"
    branch_before: int | None = None
    branch_after: int | None = None
    optimal: bool = True
