"""What there is to say of a profile beside its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eigentropy.torch.layers.gathering import GatheredStates
from eigentropy.torch.layers.measuring import MeasuredLayer
from eigentropy.torch.layers.prompt_sample import MeanOfPrompts, PromptSample, why_no_errors


def notes(
    found: Sequence[MeasuredLayer], sample: PromptSample | None, own: GatheredStates, sampling: bool
) -> list[str]:
    """Why there are no sampling errors, which prompts have no value, which layers none."""
    said = []
    if sampling and sample is not None and (why := why_no_errors(sample)):
        said.append(why)
    if sampling and len(own.numbers) == 1:
        said.append("one prompt has no sampling error: pass more prompts")
    bad = [name for name, rows in own.rows.items() if not np.isfinite(rows).all()]
    said += [f"{name} has NaN or infinity: its values are NaN" for name in bad]
    for name, values in found:
        for measure, one in values.items():
            if not np.isfinite(one.value) and name not in bad:
                said.append(f"{name}: {measure} has no value for these rows")
            if isinstance(one.variation, MeanOfPrompts):
                missing = len(one.variation.values) - one.variation.n
                if missing:
                    said.append(
                        f"{name}: {missing} of {len(one.variation.values)} prompts have no "
                        f"{measure}; they are too short, or not finite"
                    )
            elif one.variation is not None and one.variation.note:
                said.append(f"{name}: {measure}: {one.variation.note}")
    return said
