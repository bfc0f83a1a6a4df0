"""Entropy and information as metrics of torchmetrics: `pip install torchmetrics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._measures.information import diffusion_spectral_mutual_information
from eigentropy._measures.kernel_entropy import kernel_entropy
from eigentropy._measures.kernel_information import kernel_information
from eigentropy._support.signatures import check_options, missing_name, option_names
from eigentropy._support.warnings import warn
from eigentropy.torch.devices import lies_on_gpu, refusal
from eigentropy.torch.losses.kernel import flat_rows

try:
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat
except ImportError as error:
    raise ImportError(
        "eigentropy.torch.integrations.torchmetrics needs torchmetrics: pip install torchmetrics"
    ) from error

# Rows and labels come by `update`; what is gathered is measured where it lies, without a bar.
_NOT_OF_A_METRIC = frozenset({"Z", "Y", "given", "device", "progress"})

# Options of every metric, for the message about an option that none has.
_OF_METRICS = frozenset(
    {
        "compute_on_cpu",
        "compute_with_cache",
        "dist_sync_fn",
        "dist_sync_on_step",
        "distributed_available_fn",
        "process_group",
        "sync_on_compute",
    }
)


class DiffusionSpectralEntropy(Metric):  # type: ignore[misc]
    """The entropy of all rows since the last reset, gathered from all processes.

    The rows are kept and measured where they lie, on a GPU by its plug-in; on the CPU if
    ``compute_on_cpu=True``, and where there is no plug-in, with one warning. Pass ``max_points`` to
    measure a random sample of them.

    Parameters
    ----------
    **options
        As in `eigentropy.diffusion_spectral_entropy`, but no device or progress; or those of
        `torchmetrics.Metric`.
    """

    is_differentiable = False
    higher_is_better: bool | None = None
    full_state_update = False
    measure: ClassVar[Callable[..., Any]] = staticmethod(diffusion_spectral_entropy)
    rows: list[torch.Tensor]

    def __init__(self, **options: Any) -> None:
        known = option_names(self.measure) - _NOT_OF_A_METRIC
        others = {name: value for name, value in options.items() if name not in known}
        try:
            super().__init__(**others)
        except ValueError:  # one of the others is not known to torchmetrics, or has a wrong type
            check_options(type(self).__name__, others, known | _OF_METRICS)
            raise
        self.options = {name: options[name] for name in known & options.keys()}
        self._has_warned = False
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, Z: torch.Tensor) -> None:
        """Add the rows (n, d) or (n, ...) of a batch."""
        self.rows.append(flat_rows(Z).detach())

    def compute(self) -> torch.Tensor:
        """The entropy of all rows."""
        return self._measured(dim_zero_cat(self.rows))

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw a value, or several over the steps; needs matplotlib.

        Parameters
        ----------
        val : tensor or list of tensors, optional
            What `compute` or `forward` has returned; `compute` now by default.
        ax : matplotlib axes, optional

        Returns
        -------
        figure, axes
        """
        with torch.device("cpu"):  # where torchmetrics makes its ticks, whatever the default is
            return self._plot(val, ax)

    def _measured(self, rows: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
        """Of the type of the default, never in half precision, which has three digits."""
        value = float(self.measure(*self._placed(rows, *labels), **self.options))
        dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)
        return torch.tensor(value, dtype=dtype, device=rows.device)

    def _placed(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """All where the rows are measured: on their GPU, or, without the plug-in, on the host."""
        rows = tensors[0]
        why = refusal(rows) if lies_on_gpu(rows) else ""
        if why is None:
            return list(tensors)
        if why and not self._has_warned:
            self._has_warned = True
            warn(
                f"{type(self).__name__}: rows on {rows.device} are copied to the host to be "
                f"measured there: {why}; compute_on_cpu=True says that this is meant"
            )
        return [one.cpu() for one in tensors]


class DiffusionSpectralMutualInformation(DiffusionSpectralEntropy):
    """The information that all rows since the last reset have about their labels.

    Parameters
    ----------
    **options
        As in `eigentropy.diffusion_spectral_mutual_information`, but no device or progress; or
        those of `torchmetrics.Metric`.
    """

    higher_is_better = True
    plot_lower_bound = None  # an estimate may lie below 0
    measure: ClassVar[Callable[..., Any]] = staticmethod(diffusion_spectral_mutual_information)
    labels: list[torch.Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, Z: torch.Tensor, labels: torch.Tensor) -> None:  # type: ignore[override]
        """Add the rows of a batch and their labels."""
        self._add_pairs(Z, labels, "labels")

    def _add_pairs(self, Z: torch.Tensor, Y: torch.Tensor, name: str) -> None:
        if len(Z) != len(Y):
            raise ValueError(f"{name} has {len(Y)} entries, Z has {len(Z)} rows")
        super().update(Z)
        self.labels.append(Y.detach())

    def compute(self) -> torch.Tensor:
        """The information of all rows about their labels."""
        return self._measured(dim_zero_cat(self.rows), dim_zero_cat(self.labels))


class KernelEntropy(DiffusionSpectralEntropy):
    """The kernel entropy of all rows since the last reset, gathered from all processes.

    Parameters
    ----------
    **options
        As in `eigentropy.kernel_entropy`, but no device or progress; or those of
        `torchmetrics.Metric`.
    """

    measure: ClassVar[Callable[..., Any]] = staticmethod(kernel_entropy)


class KernelInformation(DiffusionSpectralMutualInformation):
    """What all rows since the last reset share with their labels or with other rows.

    Parameters
    ----------
    **options
        As in `eigentropy.kernel_information`, but no given, device or progress; or those of
        `torchmetrics.Metric`.
    """

    measure: ClassVar[Callable[..., Any]] = staticmethod(kernel_information)

    def update(self, Z: torch.Tensor, Y: torch.Tensor) -> None:  # type: ignore[override]
        """Add the rows of a batch, and their labels, scalars or vectors."""
        self._add_pairs(Z, Y, "Y")


def __getattr__(name: str) -> object:
    renamed = {"DiffusionSpectralInformation": "DiffusionSpectralMutualInformation"}
    raise missing_name(__name__, name, renamed)
