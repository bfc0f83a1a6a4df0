"""MINE: Gaussians of known information, labels, seeds, divergence, bad input."""

from __future__ import annotations

import math
import random
import sys

import numpy as np
import pytest
import torch

from eigentropy.baselines import mine
from eigentropy.baselines._mine_network import moving_average
from messages import naming
from torch_defaults import defaults, with_other_defaults


def gaussians(rho, n=2000, seed=0):
    """Two normal variables of correlation rho: -log(1 - rho^2) / 2 nats."""
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


QUICK = {"epochs": 25, "base": math.e}


@pytest.mark.parametrize("rho", [0.3, 0.9])
@pytest.mark.parametrize("options", [{}, {"bound": "f"}, {"bias_corrected": False}])
def test_gaussians_of_known_information(rho, options):
    estimate = mine.mutual_information(*gaussians(rho), **QUICK, **options)
    assert abs(estimate - -math.log(1 - rho**2) / 2) <= 0.15
    assert 0 < estimate.standard_error < 0.1
    assert (estimate.n, estimate.method, estimate.base) == (2000, "MINE", math.e)


def test_independent_variables_have_none():
    x, y = np.random.default_rng(0).normal(size=(2, 1000))
    assert abs(mine.mutual_information(x, y, epochs=10)) < 0.05


def test_labels_of_separated_blobs_are_known():
    labels = np.arange(900) % 3
    Z = np.random.default_rng(0).normal(size=(900, 2)) + 20 * np.eye(3)[labels, :2]
    for told in (labels, np.array(["a", "b", "c"])[labels]):
        assert abs(mine.mutual_information(Z, told, epochs=40) - math.log2(3)) < 0.1


def test_vectors_and_scales_make_no_difference():
    x, y = gaussians(0.9, n=800)
    noise = np.random.default_rng(1).normal(size=(2, 800))
    X = np.stack([1e4 + 1e3 * x, noise[0], np.ones(800)], axis=1)  # the last says nothing
    found = mine.mutual_information(X, np.stack([1e-3 * y, noise[1]], axis=1), **QUICK)
    assert abs(found - 0.83) <= 0.25


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e290])
@pytest.mark.parametrize("place", [0.0, 1.7e9])
def test_neither_place_nor_scale_matters(scale, place):
    """Not even where a square would be 0 or infinite. The numbers are multiples of 2^-12."""
    x, y = (np.round(4096 * v) / 4096 for v in gaussians(0.9, n=300))
    expected = float(mine.mutual_information(x, y, epochs=5))
    found = mine.mutual_information(scale * (x + place), scale * (y - place), epochs=5)
    assert float(found) == pytest.approx(expected, abs=0.01)


def test_the_base_is_a_unit():
    x, y = gaussians(0.9, n=300)
    bits, nats = (mine.mutual_information(x, y, epochs=3, base=base) for base in (2, math.e))
    assert bits * math.log(2) == pytest.approx(float(nats))
    assert bits.standard_error * math.log(2) == pytest.approx(nats.standard_error)


def test_the_seed_decides_and_no_global_state_is_touched():
    x, y = gaussians(0.6, n=300)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    threads = torch.get_num_threads()
    values = [float(mine.mutual_information(x, y, epochs=3, seed=seed)) for seed in (1, 1, 2)]
    torch.manual_seed(5)
    values.append(float(mine.mutual_information(x, y, epochs=3, seed=1)))
    torch.set_rng_state(before[0])
    assert values[0] == values[1] == values[3] != values[2]
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
    assert torch.get_num_threads() == threads
    mine.mutual_information(x, y, epochs=1)
    assert torch.equal(torch.get_rng_state(), before[0])


@with_other_defaults
@pytest.mark.parametrize("bound", mine.BOUNDS)
def test_the_defaults_of_pytorch_do_not_matter(dtype_and_device, bound):
    x, y = gaussians(0.6, n=300)
    labels = y > 0
    expected = [mine.mutual_information(x, of, epochs=3, bound=bound) for of in (y, labels)]
    with defaults(dtype_and_device):
        found = [mine.mutual_information(x, of, epochs=3, bound=bound) for of in (y, labels)]
    assert [float(v) for v in found] == [float(v) for v in expected]


MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_modes_of_pytorch_do_not_matter(mode):
    x, y = gaussians(0.6, n=300)
    expected = mine.mutual_information(x, y, epochs=3)
    with mode():
        of_arrays = mine.mutual_information(x, y, epochs=3)
        of_tensors = mine.mutual_information(torch.tensor(x), torch.tensor(y), epochs=3)
    assert float(of_arrays) == float(of_tensors) == float(expected)


def test_patience_stops_training():
    x, y = np.random.default_rng(0).normal(size=(2, 300))
    reports = {}
    for patience in (3, None):
        reports[patience] = []
        mine.mutual_information(
            x, y, epochs=40, patience=patience, progress=reports[patience].append
        )
    assert len(reports[3]) < len(reports[None]) == 40
    assert reports[None][-1] == 1.0


def test_rows_that_are_held_out_are_not_trained_on():
    """A network that could learn every training row by heart finds nothing on the others."""
    rng = np.random.default_rng(0)
    found = mine.mutual_information(
        rng.normal(size=(200, 200)), rng.normal(size=200), epochs=60, batch_size=20, patience=5
    )
    assert found < 0.2


@pytest.mark.parametrize("bound", mine.BOUNDS)
def test_divergence_is_an_error_that_names_the_remedies(bound):
    x, y = gaussians(0.9, n=300)
    with pytest.raises(
        FloatingPointError, match=naming("learning_rate", "batch_size", "bound='f'")
    ):
        mine.mutual_information(x, y, learning_rate=1e12, bound=bound, epochs=20)


def test_the_moving_average_does_not_overflow():
    assert moving_average(2000.0, 1000.0) == pytest.approx(2000.0 + math.log(0.99))
    assert moving_average(1.0, 1.0) == pytest.approx(1.0)


def test_missing_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=naming("eigentropy[torch]")):
        mine.mutual_information([1.0, 2.0], [1.0, 2.0])


BAD = [
    ({"bound": "nwj"}, ["bound", "'nwj'", "'dv'", "'f'"]),
    ({"hidden": (0,)}, ["hidden", 1]),
    ({"epochs": 0}, ["epochs", 1]),
    ({"batch_size": 1}, ["batch_size", 2]),
    ({"learning_rate": -1.0}, ["learning_rate", "-1.0"]),
    ({"held_out": 1.0}, ["held_out", 1.0]),
    ({"patience": 0}, ["patience", 1]),
    ({"base": 1}, ["base", 1]),
    ({"seed": -1}, ["seed", "-1"]),
    ({"kind": "words"}, ["kind", "'words'"]),
    ({"Y": np.arange(19.0)}, ["Y", 19, "X", 20]),
    ({"Y": np.full(20, math.nan)}, ["Y", "NaN"]),
    ({"X": [1.0, 2.0, 3.0], "Y": [1.0, 2.0, 3.0]}, ["X", 3]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_bad_input(arguments, words):
    arguments = {"X": np.arange(20.0), "Y": np.arange(20.0), **arguments}
    with pytest.raises(ValueError, match=naming(*words)):
        mine.mutual_information(arguments.pop("X"), arguments.pop("Y"), **arguments)


def test_the_old_name_of_an_option_is_answered_by_the_new_one():
    with pytest.raises(TypeError, match=naming("'batch'", "batch_size")):
        mine.mutual_information([1.0, 2.0], [1.0, 2.0], batch=20)
