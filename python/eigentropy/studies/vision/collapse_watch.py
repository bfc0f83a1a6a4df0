"""What is looked at in a run of the study `collapse`: two alarms, and ranks beside them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch

from eigentropy._support.warnings import SaturationWarning
from eigentropy.baselines import spectral
from eigentropy.studies.data import Labels
from eigentropy.studies.detectors import AGGREGATE, ALARM, EFFECTIVE, LIDAR, RANKME, first_looks
from eigentropy.studies.faults import Schedule
from eigentropy.studies.vision.self_supervised import WIDTH, Encoder, embedded
from eigentropy.torch import CollapseAlarm, CollapseWarning, Monitor, Probe

# What the alarm watches, by the monitor's keys.
WATCHED = {"DSE": "dse/embedding", "spread": "spread/embedding", "scale": "scale/embedding"}


class CollapseWatch:
    """The looks at a run. `curves` has the values of all looks.

    Parameters
    ----------
    network : Encoder
    X : tensor of shape (n, pixels)
        Held out, as the pictures of `views` are.
    y : array of shape (n,)
    views : tensor of shape (viewed, views, pixels)
    schedule : Schedule
    before : CollapseWatch, optional
        The looks at the run of which this one is a copy.
    """

    def __init__(
        self,
        network: Encoder,
        X: torch.Tensor,
        y: Labels,
        views: torch.Tensor,
        schedule: Schedule,
        before: CollapseWatch | None = None,
    ) -> None:
        self.network, self.X, self.y, self.views = network, X, y, views
        self.schedule = schedule
        self.monitor = Monitor(
            network, "embedding", Probe(X, y), measures=["dse", "dsmi_y"], n_null=2
        )
        self.alarms = {
            ALARM: CollapseAlarm(reference=schedule.reference),
            AGGREGATE: CollapseAlarm(reference=schedule.reference, classes=False, name="aggregate"),
        }
        self.curves: dict[str, list[float]] = {}
        if before is not None:
            self.monitor.load_state_dict(before.monitor.state_dict())
            self.curves = {name: list(values) for name, values in before.curves.items()}
        for alarm in self.alarms.values():
            alarm.attach(self.monitor)

    def copy(self, network: Encoder) -> CollapseWatch:
        """The same looks so far, and from now on those at another network."""
        return CollapseWatch(network, self.X, self.y, self.views, self.schedule, self)

    def look(self) -> None:
        """Measure the network."""
        with warnings.catch_warnings():
            for category in (SaturationWarning, CollapseWarning):
                warnings.simplefilter("ignore", category)
            measured = self.monitor.step() or {}
            values = {name: measured[key] for name, key in WATCHED.items()}
        for name, value in {**values, **self._ranks()}.items():
            self.curves.setdefault(name, []).append(value)

    def _ranks(self) -> dict[str, float]:
        Z = embedded(self.network, self.X)
        of_views = embedded(self.network, self.views.flatten(0, 1)).reshape(
            *self.views.shape[:2], -1
        )
        return {
            RANKME: _or_one(lambda: spectral.rankme(Z)),
            EFFECTIVE: _or_one(lambda: spectral.effective_rank(Z, center=True)),
            LIDAR: _or_one(lambda: spectral.lidar(of_views)),
        }

    def first_looks(self) -> dict[str, float]:
        """For each detector, the first look from the onset on, from 0, that it finds; or NaN."""
        reference = self.schedule.reference
        found = {
            name: float(alarm.events[0].step - reference - 1) if alarm.events else math.nan
            for name, alarm in self.alarms.items()
        }
        return {**found, **first_looks(self.curves, reference, WIDTH)}


def _or_one(rank: Any) -> float:
    """A rank; 1 of rows that are all equal, which have no spectrum."""
    try:
        return float(rank())
    except ValueError:
        return 1.0
