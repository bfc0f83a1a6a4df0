"""The program that measures what a reservoir of tokens costs."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from benchmarks.compare import token_reservoir


def test_rounds_take_turns_and_all_tokens_pass_the_reservoir(monkeypatch):
    for name, size in {"LAYERS": 2, "PROMPTS": 3, "LENGTH": 5, "VOCABULARY": 10}.items():
        monkeypatch.setattr(token_reservoir, name, size)
    found = token_reservoir.times(tokens=60, rounds=2, stored=20)
    assert (found["tokens"], found["stored"], found["layers"]) == (60, 20, 2)
    assert found["reservoir_bytes"] == 20 * (2 * 2 * token_reservoir.D + 24)
    assert found["share"] == pytest.approx(found["seconds_with"] / found["seconds_without"] - 1.0)
    assert token_reservoir.peak(tokens=30, watched=True, stored=20) > 0
