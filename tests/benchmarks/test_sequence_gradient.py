"""The comparison of entropies of sequences with autograd, on a few short sequences."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from benchmarks.compare import sequence_gradient
from benchmarks.documents import tables


def test_a_short_run_is_stored_and_can_be_shown(tmp_path, monkeypatch):
    states, output = tmp_path / "states.npy", tmp_path / "sequence_gradient.json"
    np.save(states, np.random.default_rng(0).standard_normal((2, 400, 16)).astype(np.float16))
    given = f"--rounds 1 --sequences 4 --lengths 40 --states {states} --layers 1 --d 16"
    monkeypatch.setattr(sys, "argv", ["", *given.split(), "--output", str(output)])
    sequence_gradient.main()
    results = {"sequence_gradient": json.loads(output.read_text())}
    cases = results["sequence_gradient"]["cases"]
    assert {(c["tokens"], c["measure"]) for c in cases} == {
        (tokens, measure)
        for tokens in ("normal", "layer 1")
        for measure in ("dse", "kernel_entropy")
    }
    shown = tables.sequence_gradients(results).splitlines()
    assert len(shown) == 2 + sum(len(case["median_seconds"]) for case in cases)


def test_gradients_that_differ_stop_the_run(monkeypatch):
    monkeypatch.setattr(sequence_gradient, "TOLERANCE", 0.0)
    Z = sequence_gradient.normal_tokens(4, 40, 16)
    with pytest.raises(SystemExit, match="differ"):
        sequence_gradient.case("normal", Z, "dse", 1)
