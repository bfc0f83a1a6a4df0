"""benchmarks/accuracy/tensor_pairs.py counts what the plug-in counts."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eigentropy as eg
from benchmarks.accuracy import tensor_pairs


def of_the_plugin(core, Z, sigma):
    operator = core.KernelOperator(core.upload(Z, 0, 0), sigma, 0.5, "float32")
    return dict(zip(("products", "differences", "nothing"), operator.tile_ways, strict=True))


@pytest.mark.parametrize("rule", ["median", "narrow"])
@pytest.mark.parametrize("d", [3, 128, 300])
def test_the_counts_are_those_of_the_plug_in(cuda_core, rule, d):
    Z = tensor_pairs.student(np.random.default_rng(0), 400, d, 1.0).astype(np.float32)
    sigma = eg.bandwidth(Z, rule)
    found = tensor_pairs.measured("t", Z, rule)
    assert found["after"] == of_the_plugin(cuda_core, Z, sigma)


def test_few_long_rows_no_longer_spoil_all_pairs():
    rng = np.random.default_rng(0)
    found = tensor_pairs.measured("t4", tensor_pairs.student(rng, 4000, 128, 4.0), "median")
    assert tensor_pairs.share(found["before"], "differences") > 0.9
    assert tensor_pairs.share(found["after"], "differences") < 0.2


def test_it_runs(tmp_path, capsys):
    states = tmp_path / "states.npy"
    np.save(states, np.random.default_rng(0).standard_normal((3, 200, 24)).astype(np.float16))
    file = tmp_path / "pairs.json"
    tensor_pairs.main(["--n", "200", "--states", str(states), "--output", str(file)])
    rows = json.loads(file.read_text())["rows"]
    assert len(rows["data"]) == len(capsys.readouterr().out.splitlines()) == 16
    for when in ("before", "after"):
        total = sum(np.array(counts) for counts in rows[when].values())
        assert (total == np.ceil(np.array(rows["n"]) / 128) ** 2).all()
