"""An alarm for collapsing representations, which may be looked at at every step."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable
from eigentropy._support.options import one_of
from eigentropy._support.signatures import named_options
from eigentropy._support.warnings import warn
from eigentropy.torch.monitoring.alarm_actions import (
    Action,
    CollapseEvent,
    CollapseWarning,
    act,
    checked_actions,
    dumped,
)
from eigentropy.torch.monitoring.alarm_evidence import Evidence
from eigentropy.torch.monitoring.alarm_options import checked_rules
from eigentropy.torch.monitoring.alarm_tests import ValueTest
from eigentropy.torch.monitoring.notices import Notices
from eigentropy.torch.monitoring.samples import Array
from eigentropy.torch.monitoring.watched_values import (
    KINDS,
    LEAST_ROWS,
    MOST_CLASSES,
    Look,
    members_of_classes,
    values_of_classes,
    values_of_layer,
)

NAN = ("skip", "collapse")

# Evidence up to here is shown as 0: without any, the e-values add up to 1 but for rounding.
SOME = 1.0 + 1e-9


@dataclass
class _Seen:
    """What is known of a layer at this measurement."""

    values: dict[str, float]
    rows: Array | None
    groups: Array | None


class CollapseAlarm:
    r"""Tells that a layer of a monitored model collapses, with a bound on false alarms.

    At each measurement of the monitor the alarm looks at the entropy of each layer, at the entropy
    of each class, at the spread of the directions and at the scale: none of these sees every
    collapse. Each is tested against its floor: `keep` times its level in the reference period, or
    `floor`.

    ============= ============== ===================================================================
    test          kind           sees
    ============= ============== ===================================================================
    dse, kernel   ``"entropy"``  few directions are left, or few different rows
    class C       ``"class"``    the same in the rows of one label: their entropy, with the sigma of
                                 all rows, over the median of that of all classes
    spread        ``"spread"``   all rows have the same direction: the standard deviation of the
                                 rows at length 1, times sqrt(d), which is about 1 in health
    scale         ``"scale"``    all rows shrink to a point, which an entropy with sigma="auto" does
                                 not see: root mean square distance from the mean
    ============= ============== ===================================================================

    The test is sequential: you may look at it at every step, and the probability of a false alarm
    over the whole run is still at most `alpha`. The test bets against "the mean of
    ``min(value, 1.1 floor)``, given everything before, is at least the floor" (test martingales by
    betting, Waudby-Smith and Ramdas 2024), at all change points at once (e-detectors, Shin, Ramdas
    and Rinaldo 2024). Values may depend on each other and drift, as long as this holds. The
    evidence of all tests is averaged, since a mean of e-values is an e-value. By Ville's inequality
    the threshold of the average is 1 / (0.8 alpha). The other fifth of alpha is for the reference:
    its level is a lower confidence limit by Student's quantile, which takes for granted that the
    values of the reference are about normal. With floors alone nothing is taken for granted.

    ========================= ====================================================================
    key                       what it is, in the values of the monitor
    ========================= ====================================================================
    ``alarm``                 1 once there was an alarm, 0 before
    ``alarm/L``               the same of layer L
    ``alarm_evidence``        evidence of all tests, as log(e) / log(threshold): 1 is an alarm
    ``alarm_evidence/L``      of the tests of layer L, 0 at least
    ``spread/L``, ``scale/L`` of layer L
    ========================= ====================================================================

    Parameters
    ----------
    monitor : Monitor, optional
        Or `attach` later; the callbacks of `eigentropy.torch.integrations` take ``alarm=``.
    alpha : float
        The largest probability of a false alarm over the whole run, of all tests together.
    reference : int, (int, int) or None
        The first `reference` measurements that are finite, at least 5; or those at the steps of the
        monitor from the first to the second number, included. None tests floors alone.
    keep : float or mapping, optional
        The share of its level that a value must keep, below 1: a number for the entropy of the
        layers, or a mapping from kinds to shares. By default 0.9 of the entropy, 0.7 of the
        spread, 0.5 of a class and 0.3 of the scale. A classifier brings the rows of each class
        together, so that its last layers lose entropy in health, too: use 0.5 there, or less.
    floor : float or mapping, optional
        Floors that replace those of the reference, in the unit of the values: a number for the
        entropy of the layers, or a mapping from kinds to floors. They are tested from the first
        measurement on.
    classes : bool, optional
        Whether classes are watched: those with at least 10 rows. By default where the monitor
        measures information about labels.
    action : str, callable, or sequence of these
        "warn" is a `CollapseWarning`; "raise" a `CollapseError`; "stop" warns and sets
        `should_stop`, and in the callbacks the flag of the trainer. A callable gets the
        `CollapseEvent`. Each layer raises the alarm once, until `reset`.
    dump : path, optional
        A directory for the rows of layers that raise the alarm. See `CollapseEvent.dump`.
    nan : {"skip", "collapse"}
        What a measurement with NaN or infinity counts as: as no evidence, or as the lowest values
        there are, which are evidence wherever there is a floor.
    name : str
        The keys begin with it. Several alarms of one monitor need different names.

    Attributes
    ----------
    events : list of CollapseEvent
    raised : bool
        Whether there was an alarm.
    should_stop : bool
        Whether there was an alarm, and the action is "stop". For your own loops.
    evidence : float
        The e-value of all tests.
    threshold : float
        The evidence that is an alarm.
    floors : dict of str to dict of str to float
        The floors that hold now, by layer and test, as in ``alarm.floors["encoder"]["scale"]``.
        Those of a reference are there once it is complete, and given ones from the first
        measurement on. Under torch.distributed they are in the first process.
    refused : dict of (str, str) to str
        For each layer and test whose reference cannot be trusted, the reason: such as a reference
        that is itself collapsed. These tests raise no alarm; a `CollapseWarning` says so.
    skipped : dict of str to int
        How many measurements of a layer were not finite.

    Raises
    ------
    ValueError
        alpha is not between 0 and 1; an action is not known; `classes` without labels.

    Notes
    -----
    A `CollapseWarning` also tells of a reference that falls, of one whose floor is far below its
    last values, and, when the monitor is removed, of one that was never complete.

    Under torch.distributed all processes make the alarm and call `Monitor.step`; an alarm is raised
    in all of them. `Monitor.state_dict` has the state of its alarms.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import CollapseAlarm, Monitor
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> with Monitor(model, "1", probe=torch.randn(90, 4)) as monitor:
    ...     alarm = CollapseAlarm(monitor, reference=5, action="stop")
    ...     for _ in range(9):
    ...         values = monitor.step()
    >>> alarm.should_stop, values["alarm/1"]
    (False, 0.0)
    """

    @named_options()
    def __init__(
        self,
        monitor: Any = None,
        *,
        alpha: float = 0.05,
        reference: int | tuple[int, int] | None = 10,
        keep: float | Mapping[str, float] | None = None,
        floor: float | Mapping[str, float] | None = None,
        classes: bool | None = None,
        action: str | Action | Sequence[str | Action] = "warn",
        dump: str | os.PathLike[str] | None = None,
        nan: str = "skip",
        name: str = "alarm",
    ) -> None:
        self.rules = checked_rules(alpha, reference, keep, floor)
        self.actions = checked_actions(action)
        self.classes, self.name = classes, name
        self.dump = None if dump is None else Path(dump)
        self.nan = one_of(nan, "nan", NAN)
        self._layers: tuple[str, ...] = ()
        self._kinds: tuple[str, ...] = ()
        self.events: list[CollapseEvent] = []
        self.reset()
        if monitor is not None:
            self.attach(monitor)

    def reset(self) -> None:
        """Forget reference and evidence: a new reference begins. The events stay."""
        self._evidence = Evidence(self.rules, self._layers, self._kinds)
        self._notices = Notices()  # a bad reference is news again
        self._seen: dict[str, _Seen] = {}
        self.should_stop = False
        self.skipped: dict[str, int] = {}

    def attach(self, monitor: Any) -> CollapseAlarm:
        """Watch what a monitor measures from now on; returns itself."""
        monitor.add_alarm(self)
        return self

    def begin(self, layers: Sequence[str], settings: MeasurementSettings, has_labels: bool) -> None:
        """Learn what the monitor measures, which calls this.

        Raises
        ------
        ValueError
            Classes are to be watched, and the monitor does not look at labels.
        """
        if self.classes and not has_labels:
            raise ValueError(
                "classes=True needs labels, and the monitor measures nothing about them: give it "
                "Probe(x, y), and 'dsmi_y' or 'kernel_y' in measures; or leave classes out"
            )
        self._layers, self._settings = tuple(layers), settings
        self._watches_classes = has_labels and self.classes is not False
        kinds = [kind for kind in KINDS if kind != "class" or self._watches_classes]
        self._kinds = tuple(kind for kind in kinds if self.rules.tests(kind))
        if (self._layers, self._kinds) != (self._evidence.layers, self._evidence.kinds):
            self.reset()

    @property
    def threshold(self) -> float:
        """The evidence that is an alarm."""
        return self.rules.threshold

    @property
    def evidence(self) -> float:
        """The e-value of all tests: 1 where nothing is known."""
        return self._evidence.total

    @property
    def raised(self) -> bool:
        """Whether there was an alarm since the last `reset`."""
        return bool(self._evidence.raised)

    @property
    def floors(self) -> dict[str, dict[str, float]]:
        """The floors that hold now, by layer and test."""
        return {layer: self._evidence.floors(layer) for layer in self._layers}

    @property
    def refused(self) -> dict[tuple[str, str], str]:
        """Tests without a reference that can be trusted, and why."""
        return {
            (layer, name): test.refused
            for layer, tests in self._evidence.tests.items()
            for name, test in tests.items()
            if test.refused
        }

    def look(self, name: str, rows: Array, measured: Measurement, labels: Variable | None) -> Look:
        """Look at a layer, in the process that has measured it; changes nothing."""
        with self._notices.withheld() as said:
            values = [*values_of_layer(rows, measured)]
            if self._watches_classes and self._are_classes(name, labels):
                assert labels is not None
                values += values_of_classes(rows, measured, labels, self._settings)
        groups = None if labels is None or self.dump is None else labels.values
        if groups is not None and groups.dtype == object:
            groups = groups.astype(str)  # which a file can hold without pickle
        return Look(values, said, groups)

    def layer(self, name: str, look: Look, rows: Array | None, step: int) -> None:
        """Take what was seen of a layer for evidence; its rows are there for `dump`."""
        if step != self._notices.step:  # what a measurement has left that failed
            self._seen = {}
        self._notices.step = step
        self._notices.say(look.said)
        self._tell_of_references(name, self._evidence.look(name, look.values, step))
        kept = (rows, look.groups) if self.dump is not None else (None, None)
        self._seen[name] = _Seen({value.name: value.value for value in look.values}, *kept)

    def _tell_of_references(self, layer: str, ended: Mapping[str, ValueTest]) -> None:
        """Warn of bad references that have ended: one warning for each kind, such as classes."""
        bad: dict[tuple[str, bool], list[str]] = {}
        for name, test in ended.items():
            if test.refused or test.doubt:
                bad.setdefault((test.kind, bool(test.refused)), []).append(name)
        for (kind, refused), (name, *others) in bad.items():
            why = f"{ended[name].refused}; it is not tested" if refused else ended[name].doubt
            also = f" (also that of {', '.join(others)})" if others else ""
            text = f"the reference of {name!r}{also} {why}: choose another one, or give floor="
            self._say(layer, text, f"reference of {kind}, {refused}", CollapseWarning)

    def end(self, step: int) -> None:
        """Say what was never tested, when the monitor is removed after this step."""
        waiting = {layer: self._evidence.waiting(layer) for layer in self._layers}
        layers = [repr(layer) for layer, kinds in waiting.items() if kinds]
        kinds = dict.fromkeys(kind for kinds in waiting.values() for kind in kinds)
        if layers:
            warn(
                f"{self.name}: reference={self.rules.reference!r} was not complete when the "
                f"monitor was removed after step {step}: {', '.join(kinds)} of layer "
                f"{', '.join(layers)} had no floor. The reference counts measurements, or, "
                "as (first, last), calls of Monitor.step and not steps of a trainer: choose one "
                "that ends sooner, or give floor=",
                CollapseWarning,
            )

    def _are_classes(self, layer: str, labels: Variable | None) -> bool:
        """Whether the labels have groups to watch; says, once, why there are none."""
        why = ""
        if labels is None:
            why = "labels are missing at this measurement"
        elif labels.known_kind != "labels":
            why = f"labels are {labels.known_kind}, not classes"
        else:
            sizes = {name: len(rows) for name, rows in members_of_classes(labels)}
            small = [name for name, size in sizes.items() if size < LEAST_ROWS]
            if len(sizes) > MOST_CLASSES:
                why = f"there are {len(sizes)} classes, and at most {MOST_CLASSES} can be watched"
            elif small:
                self._say(
                    layer,
                    f"{len(small)} of {len(sizes)} classes, such as {small[0]!r}, have fewer than "
                    f"{LEAST_ROWS} rows and are not watched: more samples would do",
                    "small classes",
                )
        if why:
            self._say(layer, f"no class is watched: {why}", "no classes")
        return not why

    def _say(
        self, layer: str, text: str, topic: str, category: type[Warning] = UserWarning
    ) -> None:
        about = f"{self.name} {topic}"
        self._notices.about_layer(layer, f"{self.name}: {text}", category, about)

    def conclude(
        self, found: Mapping[str, float], step: int
    ) -> tuple[dict[str, float], list[CollapseEvent]]:
        """The alarm's values when all layers have been measured, and what has happened."""
        self._notices.step = step
        measured = {key.partition("/")[2] for key in found}
        for layer in self._layers:
            if layer in measured and layer not in self._seen:
                self._seen[layer] = _Seen({"spread": math.nan, "scale": math.nan}, None, None)
                self._not_finite(layer)
        events = [self._event(layer, step) for layer in self._evidence.raise_now()]
        self._note(events)
        values = self._values()
        self._seen = {}
        return values, events

    def _not_finite(self, layer: str) -> None:
        self.skipped[layer] = self.skipped.get(layer, 0) + 1
        if self.nan == "collapse":
            self._evidence.count_as_collapsed(layer)
        else:
            self._say(
                layer,
                "a step that is not finite is no evidence; nan='collapse' takes it for the lowest "
                "value",
                "nan",
            )

    def _event(self, layer: str, step: int) -> CollapseEvent:
        seen = self._seen.get(layer, _Seen({}, None, None))  # another layer may raise it now
        event = CollapseEvent(
            layer=layer,
            step=step,
            tests=tuple(self._evidence.causes(layer)),
            values=seen.values,
            floors=self._evidence.floors(layer),
            evidence=self._evidence.of(layer),
            threshold=self.threshold,
            alpha=self.rules.alpha,
            rows=seen.rows,
            groups=seen.groups,
        )
        return event if self.dump is None or seen.rows is None else dumped(event, self.dump)

    def _values(self) -> dict[str, float]:
        """What joins the values of the monitor."""
        values = {
            self.name: float(self.raised),
            f"{self.name}_evidence": self._shown(self.evidence),
        }
        for layer in self._layers:
            values[f"{self.name}/{layer}"] = float(layer in self._evidence.raised)
            values[f"{self.name}_evidence/{layer}"] = self._shown(self._evidence.of(layer))
        for layer, seen in self._seen.items():
            values |= {f"{what}/{layer}": seen.values[what] for what in ("spread", "scale")}
        return values

    def _shown(self, evidence: float) -> float:
        """0 where there is no evidence, 1 where it is an alarm."""
        return math.log(evidence) / math.log(self.threshold) if evidence > SOME else 0.0

    def act(self, events: Sequence[CollapseEvent]) -> None:
        """Do what the action says of these events; in all processes.

        Raises
        ------
        CollapseError
            The action is "raise".
        """
        self.events += events
        self._note(events)  # in processes that have not concluded them
        act(self.actions, events)

    def _note(self, events: Sequence[CollapseEvent]) -> None:
        """What a checkpoint has of these events, also where the actions are still to come."""
        self._evidence.raised.update(event.layer for event in events)
        self.should_stop = self.should_stop or bool(events and "stop" in self.actions)

    def state_dict(self) -> dict[str, Any]:
        """References and evidence, for a checkpoint; JSON can hold it. The events are not in it."""
        return {
            "evidence": self._evidence.state_dict(),
            "should_stop": self.should_stop,
            "skipped": dict(self.skipped),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, of an alarm with the same options."""
        self._evidence.load_state_dict(state["evidence"])
        self.should_stop, self.skipped = state["should_stop"], dict(state["skipped"])
