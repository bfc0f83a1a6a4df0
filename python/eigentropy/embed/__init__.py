"""Units over the epochs of a training: their M-PHATE embedding, and numbers over them; PHATE.

>>> import numpy as np
>>> from eigentropy import embed
>>> units = np.random.default_rng(0).normal(size=(3, 8, 50))  # epochs, units, samples of a probe
>>> embed.multislice_kernel(units).shape
(24, 24)
>>> embedding = embed.mphate(units)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eigentropy._support.signatures import missing_name

if TYPE_CHECKING:
    from eigentropy.embed.entropies import unit_entropies
    from eigentropy.embed.multislice import multislice_kernel
    from eigentropy.embed.potential import mphate, phate
    from eigentropy.embed.responses import selectivity
    from eigentropy.embed.results import StepEntropies, UnitEmbedding, UnitEntropies

__all__ = [
    "StepEntropies",
    "UnitEmbedding",
    "UnitEntropies",
    "mphate",
    "multislice_kernel",
    "phate",
    "selectivity",
    "unit_entropies",
]

_MODULES = {
    "StepEntropies": "results",
    "UnitEmbedding": "results",
    "UnitEntropies": "results",
    "mphate": "potential",
    "multislice_kernel": "multislice",
    "phate": "potential",
    "selectivity": "responses",
    "unit_entropies": "entropies",
}


def __getattr__(name: str) -> Any:
    """Each name is imported when it is first used: they need different libraries."""
    if name in _MODULES:
        return getattr(import_module(f"eigentropy.embed.{_MODULES[name]}"), name)
    raise missing_name(__name__, name)


def __dir__() -> list[str]:
    return list(__all__)
