"""Entropy and information as metrics of torchmetrics: `pip install torchmetrics`."""

from __future__ import annotations

from typing import Any

import torch

from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._measures.information import diffusion_spectral_mutual_information
from eigentropy.torch.losses.kernel import flat_rows

try:
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat
except ImportError as error:
    raise ImportError(
        "eigentropy.torch.integrations.torchmetrics needs torchmetrics: pip install torchmetrics"
    ) from error


class DiffusionSpectralEntropy(Metric):  # type: ignore[misc]
    """The entropy of all rows since the last reset, gathered from all processes.

    The rows are kept, on the CPU if ``compute_on_cpu=True``: pass ``max_points`` to measure a
    random sample of them.

    Parameters
    ----------
    **options
        Of `eigentropy.diffusion_spectral_entropy`; the others are those of `torchmetrics.Metric`.
    """

    is_differentiable = False
    higher_is_better: bool | None = None
    full_state_update = False
    rows: list[torch.Tensor]

    def __init__(self, **options: Any) -> None:
        known = {name: options.pop(name) for name in _ENTROPY_OPTIONS & options.keys()}
        super().__init__(**options)
        self.options = known
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, Z: torch.Tensor) -> None:
        """Add the rows (n, d) or (n, ...) of a batch."""
        self.rows.append(flat_rows(Z).detach())

    def compute(self) -> torch.Tensor:
        """The entropy of all rows."""
        rows = dim_zero_cat(self.rows)
        return torch.tensor(float(diffusion_spectral_entropy(rows.cpu(), **self.options)))


class DiffusionSpectralInformation(DiffusionSpectralEntropy):
    """The information that all rows since the last reset have about their labels.

    Parameters
    ----------
    **options
        Of `eigentropy.diffusion_spectral_mutual_information`; the others are those of
        `torchmetrics.Metric`.
    """

    higher_is_better = True
    labels: list[torch.Tensor]

    def __init__(self, **options: Any) -> None:
        known = {name: options.pop(name) for name in _INFORMATION_OPTIONS & options.keys()}
        super().__init__(**options)
        self.options |= known
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, Z: torch.Tensor, labels: torch.Tensor) -> None:  # type: ignore[override]
        """Add the rows of a batch and their labels."""
        if len(Z) != len(labels):
            raise ValueError(f"labels has {len(labels)} entries, Z has {len(Z)} rows")
        super().update(Z)
        self.labels.append(labels)

    def compute(self) -> torch.Tensor:
        """The information of all rows about their labels."""
        rows, labels = dim_zero_cat(self.rows).cpu(), dim_zero_cat(self.labels).cpu()
        return torch.tensor(
            float(diffusion_spectral_mutual_information(rows, labels, **self.options))
        )


_ENTROPY_OPTIONS = frozenset(
    {"t", "sigma", "alpha", "base", "method", "tol", "max_points", "dtype", "seed"}
)
_INFORMATION_OPTIONS = frozenset({"kind", "n_clusters", "clusters", "estimator", "n_null"})
