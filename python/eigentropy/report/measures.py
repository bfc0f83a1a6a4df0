"""Names of what a monitor measures, and of the values that it writes of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

# Of the diffusion operator, and of the density matrix: the entropy, and how informations begin.
FAMILIES = {"diffusion": ("dse", "dsmi"), "kernel": ("kernel", "kernel")}

# What an information is about: labels, the input, the layer before.
ABOUT = ("y", "x", "previous")

ENTROPIES = tuple(entropy for entropy, _ in FAMILIES.values())
INFORMATIONS = tuple(f"{name}_{about}" for _, name in FAMILIES.values() for about in ABOUT)
MEASURES = (*ENTROPIES, *INFORMATIONS)

# What a monitor measures unless it is told: of samples without labels, and with labels.
DEFAULT = ("dse",)
DEFAULT_WITH_LABELS = ("dse", "dsmi_y")

# What is drawn: the measures, and on the scale 0 to 1 those that are about groups.
KINDS = (
    *MEASURES,
    *(f"{name}_adjusted" for name in INFORMATIONS if name not in ("kernel_x", "kernel_previous")),
)

# Standard errors of what is drawn: over the random partitions, and over other samples of the data.
NULL_ERRORS = tuple(f"{name}_null_se" for name in INFORMATIONS)
SAMPLING_ERRORS = tuple(f"{name}_sampling_se" for name in KINDS)

# All that is about a layer, and so not the caller's own value.
OF_LAYERS = frozenset((*KINDS, *NULL_ERRORS, *SAMPLING_ERRORS))

# An alarm writes NAME/layer, 1 once it was raised, and NAME_evidence/layer.
EVIDENCE = "_evidence"

# What an alarm watches in a layer as a whole, where it is measured.
WATCHED = (*ENTROPIES, "spread", "scale")


def of_family(family: str, measures: Sequence[str]) -> list[str]:
    """Those of the measures that belong to a family."""
    entropy, name = FAMILIES[family]
    own = (entropy, *(f"{name}_{what}" for what in ABOUT))
    return [measure for measure in measures if measure in own]


def about(what: str, measures: Sequence[str]) -> tuple[str, ...]:
    """The families whose information about y, x or the layer before is among the measures."""
    return _about(what, tuple(measures))


@lru_cache(maxsize=64)
def _about(what: str, measures: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(family for family in FAMILIES if f"{FAMILIES[family][1]}_{what}" in measures)


def named(what: str, measures: Sequence[str]) -> list[str]:
    """Those of the measures that are information about y, x or the layer before."""
    return [f"{FAMILIES[family][1]}_{what}" for family in about(what, measures)]
