"""Where measurements go: the loggers, the recorder and the alarms of a monitor."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from eigentropy._backends.devices import HOST
from eigentropy._kernels.groups import infer_kind
from eigentropy._measures.layer_profile import LayerProfile
from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable
from eigentropy._measures.results import DiffusionEntropy
from eigentropy._spectra.exact import ExactSpectrum
from eigentropy._support.printable import encodable
from eigentropy.report.recording import Recorder, as_recorder
from eigentropy.torch.monitoring.alarm import CollapseAlarm
from eigentropy.torch.monitoring.alarm_actions import CollapseEvent
from eigentropy.torch.monitoring.collection import Counted
from eigentropy.torch.monitoring.loggers import CallersLog, as_list, as_log, files_of
from eigentropy.torch.monitoring.notices import Notices
from eigentropy.torch.monitoring.samples import Array
from eigentropy.torch.monitoring.watched_values import Look
from eigentropy.torch.monitoring.where import Rows, on_host

# This many classes are named in a recording; of more, only the sizes are kept.
NAMED_CLASSES = 100


class Seen(NamedTuple):
    """What the outputs take of a layer where its rows are. It can be sent to another process.

    Attributes
    ----------
    entropy : DiffusionEntropy or None
        For the recorder, if there is one.
    groups : array of int or None
        Those of the labels, for the recorder.
    looks : dict of str to Look
        Those of the alarms, by their names.
    """

    entropy: DiffusionEntropy | None
    groups: Array | None
    looks: dict[str, Look]


# What each alarm has to tell: the same in all processes.
Events = list[list[CollapseEvent]]


class Outputs:
    """The loggers, the recorder and the alarms.

    A logger or recorder that fails is warned about once and stops nothing.

    Parameters
    ----------
    log, record
        As for `Monitor`.
    writes : bool
        Whether this process has a recorder, and writes files.

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        Of a sample's activation in the layers of this measurement, for the recorder's units.

    Raises
    ------
    FileExistsError, FileError
        A file of `log` holds another run, or cannot be made.
    """

    def __init__(
        self,
        log: Any,
        record: Recorder | str | os.PathLike[str] | None,
        writes: bool,
        notices: Notices,
    ) -> None:
        self._logs = [as_log(one) for one in as_list(log)]
        self._recorder = as_recorder(record) if writes else None
        self._files = files_of(self._logs) if writes else []
        for file in self._files:
            file.open()
        self._writes = writes
        self._recording = False  # the measurement that is under way
        self.shapes: Mapping[str, tuple[int, ...]] = {}
        self.alarms: list[CollapseAlarm] = []
        self._notices = notices

    @property
    def records(self) -> bool:
        """Whether this process has a recorder, which draws the diffusion operator."""
        return self._recorder is not None

    @property
    def keeps_rows(self) -> bool:
        """Whether `layer` needs the rows."""
        return self.records or any(alarm.dump is not None for alarm in self.alarms)

    def describe(self, **settings: Any) -> None:
        """Tell the recorder what will be measured."""
        if self._recorder is not None:
            self._recorder.describe(**settings)

    def loaded(self, step: int) -> None:
        """The monitor goes on after this step."""
        if self._recorder is not None:
            self._recorder.loaded(step)
        for file in self._files:
            file.loaded(step)

    def begin(self, counted: Counted) -> None:
        """A measurement begins, of what was counted.

        Raises
        ------
        FileExistsError, ValueError
            A log or the recorder refuses to go on with another run: a mistake of the caller's,
            which is said before anything is lost.
        """
        for file in self._files:
            file.check()
        recorder, refusals = self._recorder, (FileExistsError, ValueError)
        self._recording = (
            recorder is not None
            and self._attempt(recorder, recorder.check, refusals=refusals)
            and self._attempt(recorder, self._begin_record, counted)
        )

    def _begin_record(self, counted: Counted) -> None:
        assert self._recorder is not None
        self._recorder.begin(self._notices.step, prompts=counted.prompts, tokens=counted.tokens)

    def see(
        self,
        name: str,
        rows: Rows,
        measured: Measurement,
        labels: Variable | None,
        records: bool,
    ) -> Seen:
        """What is taken of a layer, in the process that has measured it.

        `records` says whether there is a recorder, in whichever process.
        """
        looks = {}
        if self.alarms:
            host = on_host(rows)
            looks = {one.name: one.look(name, host, measured, labels) for one in self.alarms}
        if not records:
            return Seen(None, None, looks)
        groups = None if labels is None else labels.groups
        return Seen(_on_host(measured.entropies[0]), groups, looks)

    def layer(self, name: str, rows: Rows | None, seen: Seen) -> None:
        """A layer has been measured; its rows are there if they are kept."""
        if rows is not None and self.keeps_rows:
            rows = on_host(rows)
        for alarm in self.alarms:
            if alarm.name not in seen.looks:
                raise RuntimeError(
                    f"the alarm {alarm.name!r} is missing in the process that has measured layer "
                    f"{name!r}: make the alarm in all processes"
                )
            alarm.layer(name, seen.looks[alarm.name], rows, self._notices.step)
        recorder, entropy = self._recorder, seen.entropy
        if recorder is not None and self._recording and entropy is not None:
            self._attempt(recorder, recorder.layer, name, rows, entropy, seen.groups)
            shape = self.shapes.get(name)
            self._attempt(recorder, recorder.units, name, rows, seen.groups, shape)

    def conclude(self, found: Mapping[str, float]) -> tuple[dict[str, float], Events]:
        """What the alarms say when all layers have been measured: values, and what has happened."""
        values: dict[str, float] = {}
        events = []
        for alarm in self.alarms:
            of_alarm, happened = alarm.conclude(found, self._notices.step)
            values |= of_alarm
            events.append(happened)
        return values, events

    def act(self, events: Events) -> None:
        """Let the alarms act, the one that raises an error last."""
        pairs = [*zip(self.alarms, events, strict=True)]
        for alarm, happened in sorted(pairs, key=lambda pair: "raise" in pair[0].actions):
            alarm.act(happened)

    def write(
        self,
        values: Mapping[str, float],
        profile: LayerProfile | None = None,
        later: list[Callable[[], object]] | None = None,
    ) -> None:
        """All layers have been measured.

        On a thread beside the caller's, `later` gets the calls that belong to the caller's.
        """
        step = self._notices.step
        if self._recorder is not None and self._recording:
            if profile is not None:
                self.profile(profile)
            self._attempt(self._recorder, self._recorder.write, dict(values), step)
        for log in self._logs:
            known = {encodable(key): value for key, value in values.items()}
            call = partial(self._attempt, log, log, known, step)
            if later is not None and isinstance(log, CallersLog):
                later.append(call)
            else:
                call()

    def profile(self, profile: LayerProfile) -> None:
        """There is a profile of the layers."""
        recorder = self._recorder
        if recorder is not None:
            self._attempt(recorder, recorder.profile, profile.to_record(), profile.step)

    def end(self, step: int) -> None:
        """The monitor is removed; in the first process the alarms say what they never tested."""
        for alarm in self.alarms if self._writes else []:
            alarm.end(step)

    def _attempt(
        self,
        log: object,
        function: Callable[..., object],
        *arguments: Any,
        refusals: tuple[type[Exception], ...] = (),
    ) -> bool:
        """Whether a call of a logger or the recorder succeeds."""
        try:
            function(*arguments)
        except refusals:
            raise
        except Exception as error:  # whatever it is, the training matters more
            self._notices.about_logger(log, error)
            return False
        return True


def _on_host(entropy: DiffusionEntropy) -> DiffusionEntropy:
    """The same, which gives its eigenvalues on the host: it may be sent to another process."""
    if not isinstance(entropy.spectrum, ExactSpectrum):
        return entropy
    return replace(entropy, spectrum=replace(entropy.spectrum, returned=HOST.returned))


def description(
    layers: Iterable[str],
    measures: Iterable[str],
    settings: MeasurementSettings,
    n: int,
    variables: Mapping[str, Variable],
) -> dict[str, Any]:
    """The settings of a run; n is the largest number of rows, sys.maxsize where there is none."""
    s = settings
    return {
        "layers": list(layers),
        "measures": list(measures),
        "n": None if n == sys.maxsize else n,
        "t": s.t[0],
        "sigma": s.sigma,
        "alpha": s.alpha,
        "base": s.base,
        "method": s.method,
        "tol": s.tol,
        "n_null": s.n_null,
        "n_clusters": s.n_clusters,
        "clustering": s.clusters,
        "seed": s.seed,
        "classes": classes(variables.get("y")),
        "times": [s.t[0]],
        **({"order": _order(s.order[0])} if s.kernel else {}),
    }


def _order(order: float) -> float | str:
    """The order of an entropy; JSON has no infinity."""
    return "inf" if math.isinf(order) else order


def classes(labels: Variable | None) -> list[dict[str, Any]] | None:
    """Name and size of each class, in the order of the groups; None without labels."""
    if labels is None or labels.groups is None:
        return None
    sizes = np.bincount(labels.groups).tolist()
    names = [f"group {k + 1}" for k in range(len(sizes))]
    if infer_kind(labels.values) == "labels" and len(sizes) <= NAMED_CLASSES:
        names = [str(value) for value in np.unique(labels.values)]
    return [{"name": name, "size": size} for name, size in zip(names, sizes, strict=True)]
