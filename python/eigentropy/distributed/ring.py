"""Which blocks of rows meet on which rank, and products of the kernel with vectors by that plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy.distributed.centering import TILE, PackedRows, padded
from eigentropy.distributed.ranks import Pending, Ranks

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]

# Rows travel in pieces of at most this many bytes and tiles. Two pieces are in memory.
PIECE_BYTES = 2**25
PIECE_TILES = 16

# Kinds of messages about a piece.
STRIPS, NORMS, VECTORS, SCALING, RESULT = range(5)


class Range(NamedTuple):
    """Rows [begin, end) of a rank, begin a multiple of a tile."""

    begin: int
    end: int

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.end - self.begin


class Meeting(NamedTuple):
    """The rows of a rank that meet rows of another one: their tiles are computed here alone."""

    peer: int
    own: Range
    theirs: Range


def meeting(counts: list[int], rank: int, step: int) -> Meeting:
    """What `rank` computes in this step: its rows with those of the rank that is `step` further on.

    Steps 1 to size // 2 let every two ranks meet once. In the last one of an even number both ranks
    see each other: the lower one takes the first half of the other one's rows, which takes the
    rest.
    """
    size = len(counts)
    peer = (rank + step) % size
    own, theirs = Range(0, counts[rank]), Range(0, counts[peer])
    if 2 * step == size:
        upper = max(rank, peer)
        tiles = -(-counts[upper] // TILE)
        half = min(counts[upper], (tiles + 1) // 2 * TILE)
        if rank == upper:
            own = Range(half, counts[rank])
        else:
            theirs = Range(0, half)
    return Meeting(peer, own, theirs)


def pieces(rows: Range, d: int, dtype: str) -> list[Range]:
    """The rows in pieces as they travel."""
    tile = TILE * d * np.dtype(dtype).itemsize
    length = TILE * max(1, min(PIECE_TILES, PIECE_BYTES // tile))
    return [Range(b, min(rows.end, b + length)) for b in range(rows.begin, rows.end, length)]


class Ring:
    """G of the rows of all ranks, for products; each tile is computed on one rank for both sides.

    Parameters
    ----------
    rows : PackedRows
        Of this rank.
    counts : list of int
        How many rows each rank has.
    keeps : bool
        Keep the tiles of the first product; later ones then read no rows.
    """

    def __init__(
        self, rows: PackedRows, counts: list[int], ranks: Ranks, dtype: str, keeps: bool
    ) -> None:
        self._rows, self._counts, self._ranks, self._dtype = rows, counts, ranks, dtype
        self._keeps, self._is_kept = keeps, False
        self._blocks: dict[tuple[int, int], Any] = {}
        self._work = self._entries()

    def product(
        self,
        W: Array,
        s: Doubles | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> tuple[Doubles, float]:
        """The rows of G W of this rank, and its part of the sum of (s_i G_ij s_j)^2 if s is given.

        W has the rows of this rank, in the precision of the tiles.
        """
        done = _Done(progress, self._work)
        own = Range(0, self._counts[self._ranks.rank])
        of_rows, _, squares = self._block(0, own, None).multiply(
            (self._own(own), W, s), None, self._rows.exponent, done.of(own.rows**2 / 2)
        )
        total: Doubles = of_rows
        sent, results = self._send(1, W, s), self._results(1, W.shape[1])
        steps = range(1, self._ranks.size // 2 + 1)
        tasks = [(step, piece) for step in steps for piece in self._pieces(step)]
        coming = self._arriving(tasks, W.shape[1], s is not None)
        for step in steps:
            sent_next = self._send(step + 1, W, s)
            results_next = self._results(step + 1, W.shape[1])
            here = meeting(self._counts, self._ranks.rank, step)
            for number, piece in enumerate(self._pieces(step)):
                strips, norms, V, of_s = next(coming)
                mine = slice(*here.own)
                of_rows, of_cols, more = self._block(step, here.own, piece).multiply(
                    (self._own(here.own), W[mine], None if s is None else s[mine]),
                    ((strips, norms), V, of_s),
                    self._rows.exponent,
                    done.of(here.own.rows * piece.rows),
                )
                total[mine] += of_rows
                squares += more
                if of_cols.size > 0:
                    tag = _tag(step, number, RESULT)
                    sent_next.append(self._ranks.send(of_cols, here.peer, tag))
            # Always in this order, whichever comes first.
            for piece, message in results:
                total[slice(*piece)] += message.wait()
            for sending in sent:
                sending.wait()
            sent, results = sent_next, results_next
        for sending in sent:
            sending.wait()
        if self._keeps:
            self._is_kept = True
        return total, squares

    def _entries(self) -> float:
        """How many entries of G this rank computes."""
        own = self._counts[self._ranks.rank] ** 2 / 2
        steps = range(1, self._ranks.size // 2 + 1)
        here = [meeting(self._counts, self._ranks.rank, step) for step in steps]
        return own + sum(one.own.rows * one.theirs.rows for one in here)

    def _pieces(self, step: int, rank: int | None = None) -> list[Range]:
        """The pieces that a rank, or this one, receives in this step."""
        here = meeting(self._counts, self._ranks.rank if rank is None else rank, step)
        return pieces(here.theirs, self._rows.d, self._dtype) if here.own.rows > 0 else []

    def _own(self, rows: Range) -> tuple[Array, Array]:
        return _NOTHING[self._dtype] if self._is_kept else self._rows.arrays(*rows)

    def _block(self, step: int, own: Range, theirs: Range | None) -> Any:
        key = (step, 0 if theirs is None else theirs.begin)
        known = self._blocks.get(key)
        if known is None:
            across = None if theirs is None else theirs.rows
            known = _core.KernelBlock(own.rows, across, self._dtype, self._keeps)
            if self._keeps:
                self._blocks[key] = known
        return known

    def _receiver(self, step: int) -> int | None:
        """The rank that this one sends its rows to in this step; None after the last one."""
        last = self._ranks.size // 2
        return (self._ranks.rank - step) % self._ranks.size if step <= last else None

    def _send(self, step: int, W: Array, s: Doubles | None) -> list[Pending]:
        """Send the rows, vectors and scaling of this rank to where they are wanted in this step."""
        receiver, sent = self._receiver(step), []
        if receiver is None:
            return []
        for number, piece in enumerate(self._pieces(step, receiver)):
            strips, norms = self._own(piece)
            mine = slice(*piece)
            parts = {STRIPS: strips, NORMS: norms, VECTORS: W[mine]}
            if s is not None:
                parts[SCALING] = s[mine]
            sent += [
                self._ranks.send(part, receiver, _tag(step, number, kind))
                for kind, part in parts.items()
                if part.size > 0
            ]
        return sent

    def _results(self, step: int, columns: int) -> list[tuple[Range, Pending]]:
        """What the receiver of this rank's rows will send back."""
        receiver = self._receiver(step)
        if receiver is None or columns == 0:
            return []
        return [
            (
                piece,
                self._ranks.receive(
                    (piece.rows, columns), np.float64, receiver, _tag(step, number, RESULT)
                ),
            )
            for number, piece in enumerate(self._pieces(step, receiver))
        ]

    def _arriving(
        self, tasks: list[tuple[int, Range]], columns: int, scaled: bool
    ) -> Iterator[list[Any]]:
        """Strips, norms, vectors and scaling of one piece after the other, the next on its way."""
        coming: list[Pending | Array | None] = []
        numbers: dict[int, int] = {}
        for task in [*tasks, None]:
            ready, coming = coming, []
            if task is not None:
                step, piece = task
                number = numbers[step] = numbers.get(step, -1) + 1
                coming = self._receive(step, number, piece, columns, scaled)
            if ready:
                yield [one.wait() if isinstance(one, Pending) else one for one in ready]

    def _receive(
        self, step: int, number: int, piece: Range, columns: int, scaled: bool
    ) -> list[Pending | Array | None]:
        peer, dtype = meeting(self._counts, self._ranks.rank, step).peer, self._dtype
        parts: list[Pending | Array | None] = [
            *_NOTHING[dtype],
            np.empty((piece.rows, 0), dtype),
            None,
        ]

        def receive(kind: int, shape: tuple[int, ...], kind_dtype: Any) -> None:
            tag = _tag(step, number, kind)
            parts[kind] = self._ranks.receive(shape, kind_dtype, peer, tag)

        if not self._is_kept:
            rows = padded(piece.rows)
            receive(STRIPS, (rows * self._rows.d,), dtype)
            receive(NORMS, (rows,), dtype)
        if columns > 0:
            receive(VECTORS, (piece.rows, columns), dtype)
        if scaled:
            receive(SCALING, (piece.rows,), np.float64)
        return parts


_NOTHING = {dtype: (np.empty(0, dtype), np.empty(0, dtype)) for dtype in ("float32", "float64")}


def _tag(step: int, number: int, kind: int) -> int:
    """One for each message of a product between two ranks."""
    return (step * 2**16 + number) * 8 + kind


class _Done:
    """Tells the caller how much of the work is done."""

    def __init__(self, progress: Callable[[float], object] | None, work: float) -> None:
        self._progress, self._work, self._done = progress, work, 0.0

    def of(self, work: float) -> Callable[[float], object] | None:
        """What a step that is so much of the work reports to."""
        if self._progress is None:
            return None
        before, told = self._done, self._progress
        self._done += work
        return lambda fraction: told(min(1.0, (before + fraction * work) / self._work))
