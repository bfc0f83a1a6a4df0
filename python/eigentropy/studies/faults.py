"""What goes wrong in the runs of the study `collapse`, and when. PyTorch is not imported."""

from __future__ import annotations

from dataclasses import dataclass

SIMCLR, VICREG = "SimCLR", "VICReg"
METHODS = (SIMCLR, VICREG)

HEALTHY = "healthy"
COMPLETE, DIMENSIONAL, CLUSTER, CLASS = "complete", "dimensional", "cluster", "class"
FAULTS = (COMPLETE, DIMENSIONAL, CLUSTER, CLASS)

# How a fault begins: with its whole strength, or rising along a line.
AT_ONCE, GRADUAL = "at once", "gradual"
ONSETS = (AT_ONCE, GRADUAL)


@dataclass(frozen=True)
class Schedule:
    """When a run is looked at, in steps of training.

    Attributes
    ----------
    warm_up : int
        Steps before the first look.
    reference, after : int
        Looks in health, and looks from the onset of a fault on. A healthy run has as many.
    every : int
        Steps from look to look.
    rise : int
        Steps until a gradual fault has its whole strength.
    batch, learning_rate
        Of the training.
    """

    warm_up: int = 800
    reference: int = 40
    after: int = 80
    every: int = 2
    rise: int = 80
    batch: int = 128
    learning_rate: float = 1e-3

    def strength(self, fault: str, onset: str, step: int) -> float:
        """Of a fault at a step from its onset, which is 0."""
        if fault == HEALTHY:
            return 0.0
        return 1.0 if onset == AT_ONCE else min(1.0, (step + 1) / self.rise)
