"""The layers of a measurement, shared by the processes of torch.distributed.

Each process measures consecutive layers, so that little more than their rows is sent to it. What a
value is does not depend on the process that finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from eigentropy.torch.monitoring import gathering
from eigentropy.torch.monitoring.gathering import Gathered
from eigentropy.torch.monitoring.notices import Notices
from eigentropy.torch.monitoring.samples import Array, Samples, chosen_rows
from eigentropy.torch.monitoring.where import Rows

Found = TypeVar("Found")

# After this number of halvings both bounds of the largest cost of a share are equal in float64.
HALVINGS = 60


def shares(costs: Sequence[float], processes: int) -> list[range]:
    """Consecutive layers for each process, whose largest cost is as small as it can be."""
    # Twice the sum: added up one after the other, costs may come to more than their sum.
    low, high = max(costs, default=0.0), 2.0 * sum(costs)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        fits = len(_filled(costs, middle)) <= processes
        low, high = (low, middle) if fits else (middle, high)
    found = _filled(costs, high)
    return found + [range(len(costs), len(costs))] * (processes - len(found))


def _filled(costs: Sequence[float], most: float) -> list[range]:
    """As few shares as there can be of which none costs more than `most`."""
    starts, cost = [0], 0.0
    for layer, own in enumerate(costs):
        cost += own
        if cost > most:
            starts.append(layer)
            cost = own
    return [range(*ends) for ends in zip(starts, [*starts[1:], len(costs)], strict=True)]


class Share(NamedTuple):
    """What one process measures.

    Attributes
    ----------
    samples : Samples
        The rows of its layers, and before them those of the layers that lead up to them.
    lead : int
        How many lead up.
    first : str
        The first layer of all processes; empty where there is none.
    """

    samples: Samples
    lead: int
    first: str

    @classmethod
    def whole(cls, samples: Samples) -> Share:
        """What is measured by one process alone."""
        return cls(samples, 0, next(iter(samples.rows), ""))


class Shared(NamedTuple, Generic[Found]):
    """What this process is left with.

    Attributes
    ----------
    found : list
        Of all layers that all processes have, in the order of the layers.
    rows : dict of str to array or tensor
        Of all layers, in the first process, where they are kept; empty elsewhere.
    """

    found: list[Found]
    rows: dict[str, Rows]


class Sharing:
    """Sends the rows of each layer to the process that measures it, and what it finds to all.

    Parameters
    ----------
    gathered : Gathered
    which : array of int or None
        Those of the samples that are measured; None for all.
    lead : int
        How many layers before its own a process needs.
    keeps : bool
        Whether the first process keeps the rows of all layers. The same in all processes.
    """

    def __init__(
        self, gathered: Gathered[Any], which: Array | None, lead: int, keeps: bool
    ) -> None:
        self.gathered, self.which, self.lead, self.keeps = gathered, which, lead, keeps

    @property
    def n(self) -> int:
        """The number of samples that are measured."""
        return len(self.gathered.numbers if self.which is None else self.which)

    def measured(
        self,
        costs: Callable[[Sequence[int], int], Sequence[float]],
        work: Callable[[Share], Iterable[Found]],
        notices: Notices,
    ) -> Shared[Found]:
        """What `work` finds in the layers of each process.

        `costs` predicts, in the first process, what layers of these lengths of rows cost, and so
        many samples. What is said of a layer is said by the first process.

        Raises
        ------
        RuntimeError
            Another process failed.
        """
        columns = list(self.gathered.columns.values())
        blocks = gathering.shared(lambda: shares(costs(columns, self.n), gathering.world_size()))
        part, kept = self._sent(blocks)
        with notices.withheld() as said:
            sent, error = gathering.tried(lambda: gathering.packed(list(work(part))))
        everyones = gathering.all_objects((sent, said, gathering.text_of(error)))
        if gathering.rank() == 0:
            for _, of_one, _ in everyones:
                notices.say(of_one)
        gathering.raise_any(error, [text for _, _, text in everyones])
        found = [one for data, _, _ in everyones if data for one in gathering.unpacked(data)]
        return Shared(found, kept)

    def _sent(self, blocks: Sequence[range]) -> tuple[Share, dict[str, Rows]]:
        """The rows for this process, and those that the first one keeps."""
        own, kept = {}, {}
        mine = self._needed(blocks[gathering.rank()])
        for number, name in enumerate(self.gathered.columns):
            there = {rank for rank, block in enumerate(blocks) if number in self._needed(block)}
            rows = self.gathered.rows(name, there | ({0} if self.keeps else set()))
            if rows is None:
                continue
            rows = rows if self.which is None else chosen_rows(rows, self.which)
            if number in mine:
                own[name] = rows
            if self.keeps and gathering.rank() == 0:
                kept[name] = rows
        numbers, labels = self.gathered.numbers, self.gathered.labels
        if self.which is not None:
            numbers, labels = numbers[self.which], None if labels is None else labels[self.which]
        samples = Samples(own, numbers, labels)
        lead = blocks[gathering.rank()].start - mine.start
        return Share(samples, lead, next(iter(self.gathered.columns), "")), kept

    def _needed(self, block: range) -> range:
        """The layers of a share, and those that lead up to them."""
        return range(max(0, block.start - self.lead) if block else block.start, block.stop)
