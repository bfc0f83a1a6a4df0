"""What the functions over units return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.embed.multislice import KernelSettings
from eigentropy.plot import trajectories

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UnitEmbedding:
    """Where M-PHATE puts each unit at each epoch.

    Attributes
    ----------
    coordinates : array of shape (epochs, units, n_components)
        Distances in it approximate potential distances. Its axes, its scale and its signs mean
        nothing by themselves.
    kernel : KernelSettings
        `knn`, `decay`, `interslice_knn` and `threshold`, as they were used.
    t : int
        Diffusion time, chosen or given.
    gamma : float
        Of the potential: 0 the square root, 1 the logarithm.
    n_landmark : int or None
        Number of landmarks; None where there were none.
    seed : int
    """

    coordinates: Doubles
    kernel: KernelSettings
    t: int
    gamma: float
    n_landmark: int | None
    seed: int

    def plot(self, steps: Sequence[float] | None = None, **options: Any) -> Any:
        """Draw the units as lines through time, with time as colour, and return the axes.

        `options` are those of `eigentropy.plot.units`, such as `ax`.
        """
        return trajectories.units(self, steps, **options)

    def __repr__(self) -> str:
        epochs, units, k = self.coordinates.shape
        return f"UnitEmbedding({epochs} epochs, {units} units, n_components={k}, t={self.t})"


@dataclass(frozen=True)
class StepEntropies:
    """One step of the multislice diffusion: how often it leaves its epoch, and its entropy.

    Attributes
    ----------
    within_share, between_share : float
        Probability that a step stays within its epoch, or goes to another epoch of the same unit;
        they add up to 1.
    total : float
        Entropy of where a step leads, given where it starts: the sum of the next three.
    choice : float
        Entropy of the choice whether to leave the epoch.
    within, between : float
        Entropy of where a step within the epoch leads, or one between epochs, times its share.
    """

    within_share: float
    between_share: float
    total: float
    choice: float
    within: float
    between: float


@dataclass(frozen=True, eq=False)
class UnitEntropies:
    """Entropies over the units: epoch by epoch, and of the multislice operator.

    Attributes
    ----------
    dse : array of shape (epochs,)
        Diffusion spectral entropy of the units as rows, at each epoch.
    kernel_entropy : array of shape (epochs,)
        Entropy of their density matrix.
    multislice : float
        Diffusion spectral entropy of the multislice operator of all units at all epochs.
    multislice_error : float
        Standard error of `multislice`; 0 where all eigenvalues were computed.
    step : StepEntropies
        `within_share`, `between_share` and the entropy of a step, split in three.
    sigma : float
        Width of the kernel between z-scored units at one epoch.
    t, multislice_t : float
        Diffusion times of `dse` and of `multislice`.
    base : float
    kernel : KernelSettings
        Of the multislice kernel.
    """

    dse: Doubles
    kernel_entropy: Doubles
    multislice: float
    multislice_error: float
    step: StepEntropies
    sigma: float
    t: float
    multislice_t: float
    base: float
    kernel: KernelSettings

    def __repr__(self) -> str:
        ends = [f"{curve[0]:.4g} .. {curve[-1]:.4g}" for curve in (self.dse, self.kernel_entropy)]
        return (
            f"UnitEntropies({len(self.dse)} epochs, dse {ends[0]}, kernel_entropy {ends[1]}, "
            f"multislice {self.multislice:.4g} +- {self.multislice_error:.2g}, "
            f"between_share {self.step.between_share:.3g})"
        )
