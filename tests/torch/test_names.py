"""The names of `eigentropy.torch`, and what is said of names and options that it had once."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
import eigentropy.torch
from eigentropy.torch import EntropyLoss, InformationLoss, functional

WIDTH = ("sigma", "alpha", "t", "base", "tol", "seed")


def test_dir_shows_the_public_names():
    assert dir(eigentropy.torch) == sorted(eigentropy.torch.__all__)
    assert all(getattr(eigentropy.torch, name).__doc__ for name in eigentropy.torch.__all__)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SpectralEntropy", "DiffusionSpectralEntropy"),
        ("lightning", "eigentropy.torch.integrations.lightning"),
        ("transformers", "eigentropy.torch.integrations.transformers"),
        ("metrics", "eigentropy.torch.integrations.torchmetrics"),
    ],
)
def test_an_old_name_says_the_new_one(old, new):
    with pytest.raises(ImportError, match=rf"'{old}'.*{new}"):
        getattr(eigentropy.torch, old)
    with pytest.raises(ImportError, match=rf"'{old}'.*{new}"):
        exec(f"from eigentropy.torch import {old}")


def test_the_old_name_of_a_metric_says_the_new_one():
    pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: group adapters")
    metrics = importlib.import_module("eigentropy.torch.integrations.torchmetrics")
    with pytest.raises(ImportError, match="DiffusionSpectralMutualInformation"):
        metrics.DiffusionSpectralInformation  # noqa: B018
    assert not hasattr(metrics, "nothing")


@pytest.mark.parametrize(
    "make", [EntropyLoss, InformationLoss, eigentropy.torch.DiffusionSpectralEntropy]
)
def test_an_unknown_option_names_the_nearest(make):
    with pytest.raises(TypeError, match=rf"^{make.__name__} .*'simga'.*'sigma'"):
        make(simga=1.0)


def test_a_loss_names_its_own_options():
    with pytest.raises(TypeError, match=r"'wieght'.*'weight'"):
        EntropyLoss(wieght=0.1)


@pytest.mark.parametrize(
    "name", ["diffusion_spectral_entropy", "diffusion_spectral_mutual_information"]
)
def test_options_have_the_defaults_of_the_package(name):
    here = inspect.signature(getattr(functional, name)).parameters
    there = inspect.signature(getattr(eg, name)).parameters
    shared = [option for option in here if option in there and option not in ("Z", "labels")]
    assert set(shared) >= {*WIDTH, "method"}
    for option in shared:
        if option != "n_null":  # a function with a gradient does not choose it by the rows
            assert here[option].default == there[option].default, option


def test_modules_have_the_options_of_the_functions():
    for module, name in (
        (eigentropy.torch.DiffusionSpectralEntropy, "diffusion_spectral_entropy"),
        (
            eigentropy.torch.DiffusionSpectralMutualInformation,
            "diffusion_spectral_mutual_information",
        ),
    ):
        here = inspect.signature(module).parameters
        there = inspect.signature(getattr(functional, name)).parameters
        assert {k: p.default for k, p in here.items()} == {
            k: p.default for k, p in there.items() if k not in ("Z", "labels")
        }


def test_an_import_does_not_bring_the_compiler():
    """Which takes longer to import than the rest of PyTorch."""
    code = "import sys, eigentropy.torch; print('torch._dynamo' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
