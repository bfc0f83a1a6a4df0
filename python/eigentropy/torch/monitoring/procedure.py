"""From what a source has to the values of a measurement: in one process, or shared by several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eigentropy._measures.layer_profile import LayerProfile
from eigentropy._measures.measurement import Variable
from eigentropy._support.interval import LEVEL
from eigentropy.report.measures import about
from eigentropy.torch.monitoring import gathering
from eigentropy.torch.monitoring.collection import (
    ALONE,
    INCOMPLETE,
    Collection,
    Counted,
    Place,
    Taken,
)
from eigentropy.torch.monitoring.measuring import (
    FoundLayer,
    Measuring,
    Wanted,
    checked_values,
    joined,
)
from eigentropy.torch.monitoring.notices import Notice, Notices
from eigentropy.torch.monitoring.outputs import Events, Outputs
from eigentropy.torch.monitoring.rows import UNUSABLE
from eigentropy.torch.monitoring.samples import Samples
from eigentropy.torch.monitoring.sharing import Share, Sharing
from eigentropy.torch.monitoring.transfer import Transfer
from eigentropy.torch.monitoring.where import Where

Begun = TypeVar("Begun")
Result = TypeVar("Result")

# All values, the profile for the recorder, and what the alarms tell.
Concluded = tuple[dict[str, float], LayerProfile | None, Events]

# What a process has to say of its layers, which of them it cannot measure, and what it has seen.
_Remarks = tuple[list[Notice], dict[str, str], Counted]


@dataclass
class Procedure:
    """Takes the samples of a source, has them measured, and shows the outputs what is found.

    Attributes
    ----------
    layers : sequence of str
    collection : Collection
    variables : dict of str to Variable
        What all layers are compared with at every step.
    measuring : Measuring
    outputs : Outputs
    notices : Notices
    where : Where
    gather : bool or None
        The option of the monitor.
    sampling : bool
        Whether each value gets its sampling error.
    counted : Counted
        What the last measurement has seen.
    """

    layers: Sequence[str]
    collection: Collection
    variables: dict[str, Variable]
    measuring: Measuring
    outputs: Outputs
    notices: Notices
    where: Where
    gather: bool | None
    sampling: bool
    counted: Counted = field(default_factory=Counted)
    _unusable: dict[str, str] = field(default_factory=dict)  # of the last measurement

    def measured(self, step: int, values: Mapping[str, Any] | None) -> Concluded | None:
        """The values at a step, with the caller's; None in a process that has no part in it."""
        return self._measured(
            step,
            self._wanted,
            lambda layers: self._begun(layers, values),
            self._concluded,
            self.shares(),
        )

    def measured_of(self, taken: Taken, values: dict[str, float]) -> Concluded:
        """The values of what was taken before, on whatever thread."""
        begin = lambda layers: self._begun(layers, values)  # noqa: E731
        return self._measured_here(taken, self._wanted, begin, self._concluded)

    def profile(self, step: int, level: float) -> LayerProfile | None:
        """The layers side by side; None in a process that has no part in it."""
        return self._measured(
            step,
            lambda records: Wanted(sampling=True, level=level, shown=False),
            self._check_rows,
            lambda layers, n, wanted, begun: self.measuring.profile(layers, n, level),
            self.gathers(),
        )

    def gathers(self) -> bool:
        """Whether the samples of all processes are brought together."""
        wanted = self.collection.gathers if self.gather is None else self.gather
        return wanted and gathering.is_distributed()

    def shares(self) -> bool:
        """Whether all processes get the values, which an alarm is to stop together."""
        return self.gathers() or (bool(self.outputs.alarms) and gathering.is_distributed())

    def place(self) -> Place:
        """Which of the processes this is, where samples are gathered."""
        return Place(gathering.rank(), gathering.world_size()) if self.gathers() else ALONE

    def take(self, step: int) -> Taken:
        """What this process has, now."""
        taken = self.collection.taken(step, self.place())
        if self.where.refused is not None:
            taken.said.append((", ".join(taken.samples.rows), self.where.refused))
            self.where.refused = None
        return taken

    def _samples(self, taken: Taken) -> Samples:
        """The samples of this process, whose measurement begins."""
        self.notices.step = taken.step
        for name, text in taken.said:
            self.notices.about_layer(name, text)
        self.outputs.shapes, self.counted = taken.shapes, taken.counted
        self._unusable = taken.unusable
        for why in dict.fromkeys(self._unusable.values()):  # one cause may be that of all layers
            names = [name for name, reason in self._unusable.items() if reason == why]
            self.notices.about_layer(", ".join(names), why, topic=UNUSABLE)
        return taken.samples

    def _begun(self, layers: Iterable[str], values: Mapping[str, Any] | None) -> dict[str, float]:
        """The caller's values, once it is clear that a measurement of these layers can begin."""
        further = checked_values(values)
        self.outputs.begin(self.counted)
        self._note_missing(layers)
        return further

    def _check_rows(self, layers: Iterable[str]) -> None:
        """Refuse a profile of nothing."""
        self._note_missing(layers)
        if not list(layers):
            raise ValueError(
                "no layer has rows: a profile takes samples as measure() does, and an evaluation "
                "or a reservoir has none until the loop has passed some more"
            )

    def _note_missing(self, layers: Iterable[str]) -> None:
        for name in self.layers:
            if name not in layers and name not in self._unusable:
                self.notices.about_layer(name, f"{INCOMPLETE}: {self.collection.not_run}")

    def _wanted(self, records: bool) -> Wanted:
        """What a measurement wants of the layers; a recorder also gets their differences."""
        return Wanted(records, self.sampling, LEVEL if self.sampling and records else None)

    def _concluded(
        self, found: list[FoundLayer], n: int, wanted: Wanted, further: dict[str, float]
    ) -> Concluded:
        """All values; the profile for the recorder; and what the alarms tell."""
        values = self.measuring.values(found, wanted.sampling)
        of_alarms, events = self.outputs.conclude(values)
        values |= of_alarms
        for key in values.keys() & further.keys():
            raise ValueError(f"values: {key!r} is the name of what the monitor measures")
        level = wanted.level
        profile = None if level is None else self.measuring.profile(found, n, level)
        return values | further, profile, events

    def _measured(
        self,
        step: int,
        wanted: Callable[[bool], Wanted],
        begin: Callable[[Iterable[str]], Begun],
        conclude: Callable[[list[FoundLayer], int, Wanted, Begun], Result],
        shares: bool,
    ) -> Result | None:
        """What `conclude` makes of the layers; None in a process that has no part in it.

        `begin` gets the names of the layers that there are, `wanted` whether there is a recorder.
        """
        if self.gathers():
            return self._measured_by_all(step, wanted, begin, conclude)

        def here() -> Result:
            taken = self.take(step)
            if self.where.waits:
                taken.samples.rows = Transfer(taken.samples.rows).arrived()
            return self._measured_here(taken, wanted, begin, conclude)

        if shares:
            return gathering.shared(here)
        return here() if gathering.rank() == 0 else None

    def _measured_here(
        self,
        taken: Taken,
        wanted: Callable[[bool], Wanted],
        begin: Callable[[Iterable[str]], Begun],
        conclude: Callable[[list[FoundLayer], int, Wanted, Begun], Result],
    ) -> Result:
        """The same, where this process measures all layers."""
        samples, known = self._samples(taken), wanted(self.outputs.records)
        begun = begin(samples.rows)
        most, seed = self.collection.most, self.measuring.settings.seed
        once = samples.distinct(most, seed) if self.collection.may_repeat else samples
        part = Share.whole(once)
        if part.samples is not samples:
            samples.rows.clear()  # and those of the part go one after the other
        n = len(part.samples.numbers)
        found = self.measuring.all_layers(part, self.variables, known)
        return conclude(found, n, known, begun)

    def _measured_by_all(
        self,
        step: int,
        wanted: Callable[[bool], Wanted],
        begin: Callable[[Iterable[str]], Begun],
        conclude: Callable[[list[FoundLayer], int, Wanted, Begun], Result],
    ) -> Result:
        """The same, where each process measures some of the layers."""
        gathered = gathering.gathered(lambda: self._mine(step), self.where)
        self._take_note([one for one, *_ in gathered.further])
        records, keeps_rows = gathered.further[0][1:]
        measuring, known = self.measuring, wanted(records)
        begun = gathering.shared(lambda: begin(gathered.columns))
        which = gathered.distinct(self.collection.most, self.measuring.settings.seed)
        lead = int(bool(about("previous", self.measuring.measures)))
        sharing = Sharing(gathered, which, lead, keeps=keeps_rows and known.shown)
        found, rows = sharing.measured(
            measuring.costs,
            lambda part: measuring.share(part, self.variables, known),
            self.notices,
        )

        def concluded() -> Result:
            layers = joined(found, known.level)
            for layer in layers:
                measuring.show(layer, rows.pop(layer.name, None))
            return conclude(layers, sharing.n, known, begun)

        return gathering.shared(concluded)

    def _mine(self, step: int) -> tuple[Samples, tuple[_Remarks, bool, bool]]:
        """The samples of this process, what is to be said of them, and what its outputs need."""
        with self.notices.withheld() as said:
            samples = self._samples(self.take(step))
        outputs = self.outputs
        remarks = said, self._unusable, self.counted
        return samples, (remarks, outputs.records, outputs.keeps_rows)

    def _take_note(self, remarks: Iterable[_Remarks]) -> None:
        """What all processes say of their layers is said by the first one."""
        self.counted = Counted()
        for said, unusable, counted in remarks:
            self.counted += counted
            self._unusable = unusable | self._unusable
            if gathering.rank() == 0:
                self.notices.say(said)
