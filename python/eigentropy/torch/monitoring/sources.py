"""The source of the samples, as the arguments of a monitor or of a callback name it."""

from __future__ import annotations

from typing import Any, TypeAlias

from eigentropy.report.unit_files import Units, as_units
from eigentropy.torch.monitoring import gathering
from eigentropy.torch.monitoring.collection import Source
from eigentropy.torch.monitoring.evaluation import Evaluation
from eigentropy.torch.monitoring.probe import Probe
from eigentropy.torch.monitoring.reservoir import Reservoir

# Probe, Evaluation or Reservoir, or samples that make a Probe.
AnySource: TypeAlias = Any

# Options that a monitor had once, and what takes their place.
RENAMED = {
    "evaluation": "Evaluation(n) as the third argument",
    "reservoir": "Reservoir(n) as the third argument",
    "max_points": "Probe(x, y, max_points=...) as the third argument",
    "batch_size": "Probe(x, y, batch_size=...) as the third argument",
    "clustering": "clusters",
}


def as_source(source: AnySource, probe: Any) -> Source:
    """The source behind both arguments, of which one is given."""
    if (source is None) == (probe is None):
        raise ValueError(
            "give one source of samples: Probe(x, labels), Evaluation(n) or Reservoir(n), or "
            "probe=(x, labels)"
        )
    given = probe if source is None else source
    if isinstance(given, (Probe, Evaluation, Reservoir)):
        return given
    if isinstance(given, tuple):
        if len(given) != 2:
            raise ValueError(f"probe must be x or (x, labels), got a tuple of {len(given)}")
        return Probe(*given)
    return Probe(given)


def checked_units(units: Units | bool | int, source: Source, is_recorded: bool) -> Units | None:
    """The argument `units` of a monitor; None where no units are kept.

    Raises
    ------
    ValueError
        There is no recorder for them, or the samples differ from measurement to measurement.
    """
    wanted = as_units(units)
    if wanted is None:
        return None
    if not source.is_fixed:
        raise ValueError(
            f"units={units!r} with {type(source).__name__}, whose samples may be others at each "
            "measurement: units are comparable on the same samples only; give Probe(x, labels)"
        )
    if not is_recorded and gathering.rank() == 0:
        raise ValueError(f"units={units!r} without a recording: give record=, a directory for it")
    return wanted
