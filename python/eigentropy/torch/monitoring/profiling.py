"""A profile of a model's layers: one measurement by a monitor of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from eigentropy._measures.layer_profile import LayerProfile
from eigentropy.torch.monitoring.layers import Layers
from eigentropy.torch.monitoring.monitor import Monitor
from eigentropy.torch.monitoring.sources import as_source

# Beside the default measures of a monitor.
BETWEEN_LAYERS = "dsmi_previous"


def profile(
    model: torch.nn.Module,
    probe: Any,
    layers: Layers,
    *,
    measures: str | Sequence[str] | None,
    level: float,
    **options: Any,
) -> LayerProfile:
    """See `eigentropy.profile`."""
    source = as_source(probe, None)
    wanted = (*source.default_measures, BETWEEN_LAYERS) if measures is None else measures
    with Monitor(model, layers, source, measures=wanted, **options) as monitor:
        return cast(LayerProfile, monitor.profile(level=level))
