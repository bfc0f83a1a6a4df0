"""The decoders of the study of condensation: widths, layers, terms; and choosing among its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eigentropy.studies import courses
from eigentropy.studies.differences import by_seed
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import distinct, select

LOSS = "held-out loss"

WIDTHS, WIDER = (16, 32, 64, 128), (256,)  # the wider ones at full size
DEPTH = 4

# Terms of the loss beside the cross-entropy; the weights that the first seed tries at the first of
# the widths that learn with them; and those with the lower held-out loss, which the others take.
NONE, DISPERSION, ENTROPY = "none", "dispersion", "kernel entropy"
TRIED = {DISPERSION: (0.1, 1.0), ENTROPY: (0.01, 0.1)}
CHOSEN = {DISPERSION: 1.0, ENTROPY: 0.01}
WITH_TERMS = (16, 32)

EMBEDDING = "embedding"
BLOCKS = tuple(f"block {i}" for i in range(1, DEPTH + 1))
LAYERS = (EMBEDDING, *BLOCKS)
DEEP = BLOCKS[DEPTH // 2 :]


BEFORE, AFTER = "before training", "after training"
WHEN = (BEFORE, AFTER)


def plain(rows: Iterable[StudyRow], **wanted: Any) -> list[StudyRow]:
    """Of the decoders that learn with cross-entropy alone."""
    return select(rows, term=NONE, **wanted)


def widths_of(rows: Sequence[StudyRow]) -> list[int]:
    """Of the decoders that learn with cross-entropy alone."""
    return sorted(distinct(plain(rows), "width"))


def when(rows: Sequence[StudyRow], at: str) -> list[StudyRow]:
    """The rows from before training, or from its end."""
    return select(rows, epoch=0) if at == BEFORE else courses.last(rows)


def mean_over(rows: Iterable[StudyRow], name: str, layers: Sequence[str]) -> dict[int, float]:
    """The mean over layers, and over whatever else the rows have, of each seed."""
    return by_seed(row for row in rows if row.cell.estimator == name and row["place"] in layers)
