"""What is measured of a network while it learns, by `eigentropy.torch.Monitor`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from eigentropy._support.warnings import SaturationWarning
from eigentropy.studies.courses import BLOCKS, Numbers, Z
from eigentropy.studies.vision.architectures import Network, pooling
from eigentropy.studies.vision.pictures import Pictures
from eigentropy.torch import Monitor, Probe

# Keys of a monitor, and what the studies call them.
NAMES = {
    "dse": "DSE",
    "dsmi_y": "DSMI(Z;Y)",
    "dsmi_y_adjusted": "adjusted(Z;Y)",
    "dsmi_x": "DSMI(Z;X)",
    "kernel": "kernel entropy",
    "kernel_y": "kernel information(Z;Y)",
    "kernel_y_adjusted": "adjusted kernel information(Z;Y)",
    "kernel_x": "kernel information(Z;X)",
}
PAPER_SIGMA = 10.0

# Random partitions for each information: more than a monitor's default, for comparing runs.
N_NULL = 5


class Watch:
    """Measures Z, and optionally the blocks before it, on a fixed set of pictures.

    Parameters
    ----------
    network : Network
    pictures : Pictures
        With the labels that the information is about.
    points : int
        If there are more pictures, this many are drawn at random.
    sigma : "auto" or float
        The paper's is 10.
    blocks : bool
    clusters : bool
        Also the information about the input, whose clusters are found once.
    further : sequence of str
        Measures of the monitor besides those: "kernel", "kernel_y", "kernel_x".
    place : str
        What the measured numbers call Z. Blocks of a place that is not Z have its name before
        their own.
    record : Recorder, optional
        Of the run.
    """

    def __init__(
        self,
        network: Network,
        pictures: Pictures,
        points: int,
        *,
        sigma: float | str = "auto",
        blocks: bool = False,
        clusters: bool = False,
        further: Sequence[str] = (),
        place: str = Z,
        record: Any = None,
    ) -> None:
        names = [f"body.{name}" for name in BLOCKS[network.name]] if blocks else []
        self.sigma = sigma if isinstance(sigma, str) else f"sigma={sigma:g}"
        before = "" if place == Z else f"{place}, "
        self.places = {name: f"{before}block {i}" for i, name in enumerate(names, start=1)}
        self.places[Z] = place
        self.monitor = Monitor(
            network,
            list(self.places),
            Probe(pictures.X, pictures.y, max_points=points),
            measures=["dse", "dsmi_y", *(["dsmi_x"] if clusters else []), *further],
            pooling=pooling(network.name),
            sigma=sigma,
            n_null=N_NULL,
            record=record,
        )

    def __call__(self, epoch: int, values: Mapping[str, float] | None = None) -> Numbers:
        """Measure; `values` are further numbers of this epoch for the record."""
        self.monitor.steps = epoch
        known = {name: value for name, value in (values or {}).items() if math.isfinite(value)}
        with warnings.catch_warnings():
            # A saturated sigma is a result of the studies.
            warnings.simplefilter("ignore", SaturationWarning)
            measured = self.monitor.measure(known)
        numbers: Numbers = {}
        for key, value in measured.items():
            kind, _, layer = key.partition("/")
            if kind in NAMES:
                numbers[self.places[layer], f"{NAMES[kind]} {self.sigma}"] = value
        return numbers
