"""Tokens of texts that become one row a text: said where it may not be meant, and nowhere else."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import eigentropy as eg
from device_arrays import Foreign
from eigentropy.baselines import spectral
from messages import naming

LABELS = np.arange(20) % 2

DOORS = {
    "dse": eg.dse,
    "dsmi": lambda Z: eg.dsmi(Z, LABELS, n_null=2),
    "sample": lambda Z: eg.dse(Z, max_points=20),
    "bandwidth": eg.bandwidth,
    "DiffusionOperator": eg.DiffusionOperator,
    "effective_rank": spectral.effective_rank,
}


@pytest.fixture
def tokens(rng):
    return rng.normal(size=(20, 3, 4))


def said(door, Z, *words):
    with pytest.warns(eg.ShapeWarning, match=naming("Z", *words)) as caught:
        door(Z)
    assert len(caught) == 1


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_of_three_dimensions_are_said_to_become_one_row_each(tokens, door, dtype):
    words = ["(20, 3, 4)", "20 rows", 12, "Z.mean(1)", "Z.reshape(-1, 4)", "60 rows"]
    said(DOORS[door], tokens.astype(dtype), *words, "Z.reshape(20, -1)")


def test_the_value_is_that_of_one_row_each_and_every_remedy_is_silent(tokens):
    with pytest.warns(eg.ShapeWarning):
        flattened = float(eg.dse(tokens))
    assert flattened == float(eg.dse(tokens.reshape(20, -1)))
    assert eg.dse(tokens.reshape(-1, 4)).n == 60
    assert eg.dse(tokens.mean(1)).n == 20


@pytest.mark.parametrize("shape", [(20, 12), (20, 1, 12), (20, 3, 2, 2), (20, 1, 3, 4)], ids=str)
@pytest.mark.parametrize("door", DOORS)
def test_rows_single_tokens_and_images_are_silent(tokens, door, shape):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DOORS[door](tokens.reshape(shape))


def test_integers_are_silent(rng):
    pictures = rng.integers(0, 256, size=(20, 5, 5)).astype("u1")
    assert float(eg.dse(pictures)) == float(eg.dse(pictures.reshape(20, -1)))


def test_vectors_that_are_compared_with_are_silent(tokens):
    pytest.importorskip("sklearn")
    rows = tokens.reshape(20, -1)
    found = eg.dsmi(rows, tokens, clusters="kmeans", n_clusters=2, n_null=2)
    assert float(found) == float(eg.dsmi(rows, rows, clusters="kmeans", n_clusters=2, n_null=2))


@pytest.mark.usefixtures("cuda_core")
def test_tokens_on_a_device_are_said_to_become_one_row_each(tokens):
    said(eg.dse, Foreign(tokens), "(20, 3, 4)", "Z.reshape(-1, 4)")


def test_tokens_in_a_tensor_and_in_a_loss_are_said_to_become_one_row_each(tokens):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("eigentropy.torch.functional")
    for door in (eg.dse, functional.diffusion_spectral_entropy):
        said(door, torch.from_numpy(tokens), "(20, 3, 4)", "Z.mean(1)", "Z.reshape(-1, 4)")


def test_a_monitor_has_its_pooling_and_is_silent(tokens):
    torch = pytest.importorskip("torch")
    monitoring = pytest.importorskip("eigentropy.torch")
    model = torch.nn.Sequential(torch.nn.Linear(4, 4))
    x = torch.from_numpy(tokens).float()
    for pooling in ("flatten", "mean", "first"):
        with monitoring.Monitor(
            model, ["0"], probe=(x, torch.from_numpy(LABELS)), pooling=pooling
        ) as monitor:
            assert "dse/0" in monitor.measure()


def test_the_warning_points_at_the_caller(tokens):
    with pytest.warns(eg.ShapeWarning) as caught:
        eg.dse(tokens)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_tuple_of_layers_is_said_to_be_one_row_a_layer():
    layers = tuple(np.random.default_rng(0).normal(size=(7, 5, 4, 6)))
    with pytest.warns(eg.ShapeWarning, match=naming("Z", "tuple", 7, "Z[-1]")):
        eg.dse(layers)
    assert eg.dse([list(row) for row in np.eye(4)]).n == 4
