r"""Which of two models has the higher score, told from what other samples of the data would change.

All models are of the same rows, so that the difference of two is judged by how it moves itself:
what the models share cancels. Every ordered pair is one hypothesis, "a is not above b", and Holm's
correction is over all of them: with probability `level` or more, no model is said to be above
another one that it is not above. It follows that the ranks

.. math:: 1 + \#\{\text{shown to be above } a\} \;..\; m - \#\{\text{shown to be below } a\}

hold the true ranks of all m models at once with that probability.

References
----------
Mogstad, Romano, Shaikh, Wilhelm: Inference for ranks with applications to mobility across
neighbourhoods and academic achievement across countries. Rev. Econ. Stud. 91 (2024). Klein, Wright,
Wieczorek: A joint confidence region for an overall ranking of populations. J. R. Stat. Soc. C 69
(2020). Holm: A simple sequentially rejective multiple test procedure. Scand. J. Statist. 6 (1979).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._support.interval import student_p_value
from eigentropy.ranking.moves import Moves

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def shown_above(moves: Moves, level: float) -> Flags:
    """Which models are shown to have higher scores than which: [a, b], a above b."""
    m, alpha = len(moves.values), 1.0 - level
    p = np.stack([_tails(moves, one, alpha) for one in range(m)], axis=1) if m else np.ones((0, 0))
    others = ~np.eye(m, dtype=bool)
    found = np.zeros((m, m), dtype=bool)
    found[others] = _rejected(p[others], alpha)
    return found


def _tails(moves: Moves, one: int, alpha: float) -> Doubles:
    """P-values of the hypotheses that each model is not above one of them; 1 where above alpha."""
    errors = moves.beside(one)
    beyond = moves.values - moves.values[one] - moves.rounding(one)
    p = np.ones(len(beyond))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(beyond > 0.0, beyond / errors.standard, 0.0)
    for place in np.flatnonzero(t > 0.0):
        # Student's tail is above the normal one.
        if 0.5 * math.erfc(t[place] / math.sqrt(2.0)) <= alpha:
            p[place] = 0.5 * student_p_value(float(t[place]), float(errors.degrees[place]))
    return p


def _rejected(p: Doubles, alpha: float) -> Flags:
    """Holm's correction: see `holm`, of which this is what is at most alpha."""
    order = np.argsort(p, kind="stable")
    kept = p[order] * np.arange(len(p), 0, -1) > alpha
    first = int(kept.argmax()) if kept.any() else len(p)
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order[:first]] = True
    return rejected


class RankIntervals(NamedTuple):
    """The rank of each model, 1 for the highest score, and the ends of its interval."""

    rank: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]


def ranks_of(values: Doubles, above: Flags) -> RankIntervals:
    """Models of one value have one rank: that of the first of them."""
    rank = 1 + (values[:, None] > values).sum(axis=0)
    return RankIntervals(rank, 1 + above.sum(axis=0), len(values) - above.sum(axis=1))


def tied_runs(values: Doubles, above: Flags) -> list[tuple[int, ...]]:
    """In the order of the values, the longest runs of models of which no two are told apart.

    One alone is a run, too. Two that share a run are not told apart; two that share none may still
    not be, where one between them is.
    """
    order = np.argsort(-values, kind="stable")
    apart = (above | above.T)[np.ix_(order, order)]
    m, end = len(values), 0
    runs: list[tuple[int, ...]] = []
    first = [start + 1 + int(np.append(apart[start, start + 1 :], True).argmax())
             for start in range(m)]  # fmt: skip
    for start, stop in enumerate(np.minimum.accumulate(first[::-1])[::-1]):
        if stop > end:
            runs.append(tuple(int(one) for one in order[start:stop]))
            end = stop
    return runs
