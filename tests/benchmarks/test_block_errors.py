"""benchmarks/accuracy/block_errors.py measures what it says, and its table. Not its figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from benchmarks.accuracy import block_errors
from benchmarks.documents import error_tables
from benchmarks.shared.results import RESULTS

FEW = block_errors.Case("entropies", 20, 4, 3, 0.5, 2)


def test_each_sample_has_blocks_of_its_own():
    (first, blocks, labels), (again, *_), (other, *_) = (
        block_errors.drawn(FEW, seed) for seed in (1, 1, 2)
    )
    assert np.bincount(blocks).tolist() == [4] * 20
    assert all(len(set(labels[blocks == number])) == 1 for number in range(20))
    assert (first == again).all()
    assert not (first == other).any()


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_the_share_of_errors_that_are_too_small_or_too_large(times):
    values = np.random.default_rng(0).normal(size=20_000)
    errors = np.full(20_000, times)
    errors[0] = np.nan
    found = block_errors.share(values, errors)
    assert found["share"] == pytest.approx(times, rel=0.02)
    assert found["low"] < times < found["high"] < 1.05 * found["low"]
    assert found["without_error"] == 1


def test_the_interval_of_the_share_holds_it_as_often_as_it_says():
    """400 tries of 24 values: 95 % of them but for 3 standard deviations."""
    generator = np.random.default_rng(0)
    tries = [block_errors.share(generator.normal(size=24), np.ones(24)) for _ in range(400)]
    assert np.mean([one["low"] <= 1.0 <= one["high"] for one in tries]) >= 0.917


def test_the_errors_are_those_over_blocks():
    Z, blocks, _ = block_errors.drawn(FEW, 0)
    expected = eg.entropies(Z, blocks=blocks).dse
    value, error = block_errors.by_entropies(FEW, 0)["dse"]
    assert (value, error) == (float(expected), expected.sampling_error)


def test_its_results_make_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(block_errors, "CASES", (FEW, FEW._replace(way="tokens")))
    file = tmp_path / "block_errors.json"
    block_errors.main(["--output", str(file)])
    of_entropies, of_tokens = json.loads(file.read_text())["cases"]
    assert of_entropies["shares"].keys() == {"dse", "kernel_entropy"}
    assert of_tokens["shares"].keys() == {"dse", "kernel_entropy", "kernel_information"}
    lines = error_tables.block_errors({"block_errors": {"cases": [of_entropies, of_tokens]}})
    assert len({line.count("|") for line in lines.splitlines()}) == 1
    assert f"{of_tokens['shares']['dse']['share']:.2f}" in lines.splitlines()[-1]


def test_the_stored_results_are_of_the_cases_of_the_program():
    known = json.loads((RESULTS / "block_errors.json").read_text())["cases"]
    assert [{name: one[name] for name in FEW._fields} for one in known] == [
        case._asdict() for case in block_errors.CASES
    ]
