"""Padding, its side and the size of batches change nothing of a profile."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from eigentropy.torch.layers import profile
from tiny_language_models import letters, model_of

# How a scope is asked for all that it has.
SCOPES = {
    "prompts": {"labels": True, "views": True, "measures": None},
    "tokens": {"labels": True, "measures": None},
    "within": {"measures": None},
    "within, next layer": {"scope": "within", "measures": "kernel_information_next"},
    "tokens, next layer": {"scope": "tokens", "measures": "kernel_information_next"},
    "tokens, some of them": {"scope": "tokens", "measures": None, "max_rows": 100},
}


def numbers(model, texts, labels, asked, side, size, **options):
    asked = dict(asked)
    if asked.pop("labels", False):
        options["labels"] = labels
    if asked.pop("views", False):
        options["views"] = texts[::-1]
    found = profile(
        model, texts, tokenizer=letters(side), batch_size=size, n_null=4, **asked, **options
    )
    rows = found.to_rows()
    return {
        (row["layer"], key): value
        for row in rows
        for key, value in row.items()
        if isinstance(value, float) and not key.endswith("p_value")
    } | {("same", name): share for name, share in found.same_prompt.items()}


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize("scope", SCOPES)
def test_padding_changes_nothing(kind, scope, texts, labels):
    model, texts, labels = model_of(kind), texts[:20], labels[:20]
    asked = {"scope": scope, **SCOPES[scope]}
    options = {"drop_first": 1, "sampling": kind == "gpt2"}
    alone = numbers(model, texts, labels, asked, "right", 1, **options)
    assert len(alone) > 2
    for side in ("left", "right"):
        together = numbers(model, texts, labels, asked, side, 16, **options)
        assert together.keys() == alone.keys()
        for key, value in alone.items():
            # Relative: effective ranks are counts of some hundreds, which float32 knows as well as
            # it does numbers near 1. Of a difference of variances, a root has half of the digits.
            tolerance = 1e-4 if key[1].endswith("_se") else 1e-6
            np.testing.assert_allclose(
                together[key], value, rtol=tolerance, atol=tolerance, err_msg=str((side, key))
            )


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("scope", ["prompts", "tokens", "within"])
def test_batches_of_tensors_are_as_texts(kind, side, scope, texts):
    model, tokenizer = model_of(kind), letters(side)
    wanted = profile(model, texts, tokenizer=tokenizer, scope=scope).to_rows()
    batches = []
    for part in (texts[:7], texts[7:25], texts[25:]):
        batch = dict(tokenizer(part, padding=True, return_tensors="pt"))
        batch["position_ids"] = (batch["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
        batches.append(batch)
    found = profile(model, iter(batches), scope=scope).to_rows()
    for row, other in zip(found, wanted, strict=True):
        for key, value in row.items():
            if isinstance(value, float) and not key.endswith("p_value"):
                tolerance = 1e-4 if key.endswith("_se") else 1e-6
                assert value == pytest.approx(
                    other[key], rel=tolerance, abs=tolerance, nan_ok=True
                ), key
