"""What the benchmark of many tokens finds fault with, and what it says of a prediction."""

import json

import numpy as np
import pytest

from benchmarks.compare import many_tokens
from benchmarks.documents import tables


def row(low: float, high: float) -> dict:
    one = {"bits": 10.0, "low": low, "high": high}
    return {"layer": 3, "dse": one, "kernel_entropy": one}


@pytest.mark.parametrize(("half", "faults"), [(0.009, 0), (0.011, 2)])
def test_an_interval_that_is_wider_than_the_tolerance_is_a_fault(half, faults):
    assert len(many_tokens.faults([row(10.0 - half, 10.0 + half)])) == faults


@pytest.mark.parametrize(("low", "inside"), [(9.0, True), (10.1, False)])
def test_a_prediction_is_compared_with_what_all_tokens_have(low, inside):
    prediction = {"measure": "dse", "low": low, "high": 11.0}
    assert many_tokens.compared(prediction, row(9.9, 10.1))["inside"] is inside


def test_the_results_of_a_few_tokens_make_both_tables(tmp_path):
    states, prompts, output = (tmp_path / name for name in ("s.npy", "p.npz", "r.json"))
    generator = np.random.default_rng(0)
    np.save(states, generator.normal(size=(2, 600, 5)).astype(np.float16))
    np.savez(prompts, pid=np.arange(600) // 10)
    files = f"--states {states} --prompts {prompts} --output {output}"
    sizes = "--layers 1 --tokens 300 --reservoir 400 --repeats 2"
    many_tokens.main(f"{files} {sizes}".split())
    results = {"many_tokens": json.loads(output.read_text())}
    assert len(results["many_tokens"]["predictions"]) == 2
    for function in (tables.many_tokens, tables.tokens_of_a_reservoir):
        lines = function(results).strip().splitlines()
        assert len({line.count("|") for line in lines}) == 1
        assert len(lines) > 2
