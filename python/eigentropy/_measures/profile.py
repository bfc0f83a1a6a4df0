"""A profile of a model's layers in one call. PyTorch is imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from eigentropy._measures.layer_profile import LayerProfile
from eigentropy._support.interval import LEVEL
from eigentropy._support.options import N_NULL


def profile(
    model: Any,
    probe: Any,
    layers: Any = "**",
    *,
    measures: str | Sequence[str] | None = None,
    level: float = LEVEL,
    n_null: int | str = N_NULL,
    **options: Any,
) -> LayerProfile:
    """Measure every layer of a PyTorch model, and say which neighbours differ.

    Parameters
    ----------
    model : torch.nn.Module
    probe : x, (x, labels), DataLoader or Probe
        The samples that are passed through the model, in evaluation mode and without gradients.
    layers : str, module, or sequence of these
        As for `eigentropy.torch.Monitor`; by default all modules inside of the model.
    measures : sequence of str, optional
        As for `eigentropy.torch.Monitor`. By default the entropy, the information about the layer
        before and, for a probe with labels, about these: "dse", "dsmi_y", "dsmi_previous".
        "dsmi_previous" needs scikit-learn.
    level : float
        Of the intervals, and of the statement that neighbours differ.
    n_null : int or "auto"
        Random partitions behind each information, as in `diffusion_spectral_mutual_information`.
    **options
        `pooling`, `gather`, and the settings of the measures, such as `sigma`, `t` and `seed`: as
        for `eigentropy.torch.Monitor`.

    Returns
    -------
    LayerProfile
        Prints as a table with sampling errors; `to_rows()` for pandas, `ties()`, `plot()`. Under
        torch.distributed, without ``gather=True``, None in all processes but that of rank 0.

    Raises
    ------
    ImportError
        PyTorch is missing.
    ValueError
        No layer gives rows; and what `eigentropy.torch.Monitor` raises.

    See Also
    --------
    eigentropy.torch.Monitor.profile : the same while a model trains.

    Examples
    --------
    >>> import torch, eigentropy as eg  # doctest: +SKIP
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh())  # doctest: +SKIP
    >>> x, y = torch.randn(90, 4), torch.arange(90) % 3  # doctest: +SKIP
    >>> print(eg.profile(model, (x, y)))  # doctest: +SKIP
    """
    profiling = import_module("eigentropy.torch.monitoring.profiling")
    found: LayerProfile = profiling.profile(
        model, probe, layers, measures=measures, level=level, n_null=n_null, **options
    )
    return found
