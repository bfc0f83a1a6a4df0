"""What all baselines share: a call shape, a result that works as a float, lazy imports."""

from __future__ import annotations

import dataclasses
import inspect
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
import zarr

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy import baselines
from eigentropy.baselines import (
    BaselineEstimate,
    binning,
    densities,
    discrete,
    geometry,
    ksg,
    mine,
    probes,
    spectral,
    tokens,
    transferability,
    views,
)
from messages import names, naming

Z, LABELS = separated_blobs(30, 2)

ESTIMATES = {
    "binning.entropy": lambda **options: binning.entropy(Z, **options),
    "binning.mutual_information": lambda **options: binning.mutual_information(
        Z, LABELS, **options
    ),
    "ksg.entropy": lambda **options: ksg.entropy(Z, **options),
    "ksg.mutual_information": lambda **options: ksg.mutual_information(Z[:, 0], Z[:, 1], **options),
    "ksg.conditional_mutual_information": lambda **options: ksg.conditional_mutual_information(
        Z[:, 0], Z[:, 1], LABELS, **options
    ),
    "ksg.discrete_mutual_information": lambda **options: ksg.discrete_mutual_information(
        Z, LABELS, **options
    ),
    "densities.conditional_entropy": lambda **options: densities.conditional_entropy(
        Z[:, 0], Z[:, 1], **options
    ),
    "densities.discrete_conditional_entropy": lambda **options: (
        densities.discrete_conditional_entropy(Z, LABELS, **options)
    ),
    "densities.total_correlation": lambda **options: densities.total_correlation(Z, **options),
    "densities.conditional_total_correlation": lambda **options: (
        densities.conditional_total_correlation(Z[:, :2], Z[:, 1], **options)
    ),
    "densities.correlation_explanation": lambda **options: densities.correlation_explanation(
        Z[:, :2], Z[:, 1], **options
    ),
    "densities.divergence": lambda **options: densities.divergence(Z, Z[:50] + 0.1, **options),
    "discrete.entropy": lambda **options: discrete.entropy(LABELS, **options),
    "discrete.mutual_information": lambda **options: discrete.mutual_information(
        LABELS, LABELS % 2, estimator="shrinkage", **options
    ),
    "discrete.conditional_mutual_information": lambda **options: (
        discrete.conditional_mutual_information(LABELS, LABELS, LABELS % 2, **options)
    ),
    "spectral.matrix_renyi_entropy": lambda **options: spectral.matrix_renyi_entropy(Z, **options),
    "transferability.transrate": lambda **options: transferability.transrate(Z, LABELS, **options),
}


@pytest.fixture(params=list(ESTIMATES))
def estimate(request):
    return ESTIMATES[request.param]


@pytest.mark.parametrize(
    "mutual_information",
    [eg.dsmi, binning.mutual_information, ksg.discrete_mutual_information],
    ids=["dsmi", "binning", "ross"],
)
def test_one_call_measures_what_labels_and_rows_share(mutual_information):
    result = mutual_information(Z, LABELS, base=2)
    assert float(result) == pytest.approx(math.log2(3), abs=0.1)
    assert result.n == len(Z)
    assert result.base == 2


@pytest.mark.parametrize("entropy", [eg.dse, binning.entropy, ksg.entropy])
def test_one_call_measures_an_entropy(entropy):
    result = entropy(Z, base=math.e)
    assert result.value == float(result) > 0
    assert "nats" in repr(result)


def test_estimates_work_as_floats(estimate):
    result = estimate()
    value = result.value
    assert isinstance(float(result), float)
    assert result + 1 == value + 1
    assert 2 * result == 2 * value
    assert sorted([result, value - 1])[0] == value - 1
    assert f"{result:.3f}" == f"{value:.3f}"
    assert np.array([result]).dtype == np.float64
    assert result - eg.dse(Z) == value - eg.dse(Z).value


def test_estimates_say_how_they_were_obtained(estimate):
    result = estimate()
    assert isinstance(result, BaselineEstimate)
    assert f"{result.method}, n=90" in repr(result)
    assert "bits" in repr(result)
    assert math.isnan(result.standard_error)
    assert all(f"{name}={setting}" in repr(result) for name, setting in result.settings.items())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_every_library_are_taken(dtype, tmp_path):
    array = Z.astype(dtype)
    stored = zarr.open_array(str(tmp_path / "z"), mode="w", shape=Z.shape, dtype=dtype)
    stored[...] = array
    np.save(tmp_path / "z.npy", array)
    mapped = np.load(tmp_path / "z.npy", mmap_mode="r")
    for measure in (
        binning.entropy,
        ksg.entropy,
        lambda rows: ksg.discrete_mutual_information(rows, torch.tensor(LABELS)),
        lambda rows: ksg.mutual_information(rows, torch.tensor(array[:, 0])),
        spectral.effective_rank,
        spectral.vendi_score,
        lambda rows: transferability.h_score(rows, torch.tensor(LABELS)),
        lambda rows: probes.knn_accuracy(rows, torch.tensor(LABELS)),
        geometry.uniformity,
        tokens.anisotropy,
        tokens.curvature,
        lambda rows: views.dime(rows, torch.tensor(array[:, :2])),
        lambda rows: views.infonce(rows, torch.tensor(array)),
    ):
        expected = measure(array)
        assert [measure(rows) for rows in (torch.tensor(array), stored, mapped)] == [expected] * 3


def test_a_standard_error_is_shown_where_there_is_one():
    result = BaselineEstimate(1.5, "some method", 10, 2.0, standard_error=0.25)
    assert repr(result) == "BaselineEstimate(1.5 bits +- 0.25, some method, n=10)"


def test_a_number_of_directions_has_no_unit():
    assert repr(spectral.effective_rank(np.eye(4))) == (
        "BaselineEstimate(4, effective rank, n=4, center=False)"
    )


def test_the_base_is_the_unit(estimate):
    assert estimate(base=2) * math.log(2) == pytest.approx(float(estimate(base=math.e)), rel=1e-12)


@pytest.mark.parametrize("base", [0, -2, 1, math.nan, math.inf])
def test_bases_that_are_none_are_refused(estimate, base):
    with pytest.raises(ValueError, match=naming("base")):
        estimate(base=base)


def test_the_same_call_gives_the_same_bits(estimate):
    assert estimate().value == estimate().value


def test_no_global_random_state_is_touched(estimate):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    estimate()
    assert (np.random.get_state()[1] == before).all()


def test_estimates_are_frozen_and_survive_pickling(estimate):
    result = estimate()
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.value = 3.0
    copy = pickle.loads(pickle.dumps(result))
    assert copy == result
    assert copy.settings == result.settings


def test_public_names_are_listed_and_documented():
    modules = (
        binning, densities, discrete, geometry, ksg, mine, probes, spectral, tokens,
        transferability, views,
    )  # fmt: skip
    assert dir(baselines) == [
        "BaselineEstimate",
        *(module.__name__.rpartition(".")[2] for module in modules),
        "with_sampling_error",
    ]  # fmt: skip
    for module in modules:
        functions = [
            function
            for name, function in vars(module).items()
            if callable(function) and not name.startswith("_") and name.islower()
            if function.__module__ == module.__name__
        ]
        assert functions
        assert all(function.__doc__ for function in functions)
    with pytest.raises(AttributeError, match=naming("'entropies'")):
        _ = baselines.entropies
    with pytest.raises(ImportError, match=naming("'Estimate'", "BaselineEstimate")):
        _ = baselines.Estimate


@pytest.mark.parametrize(
    "function",
    [
        binning.entropy,
        ksg.entropy,
        spectral.rankme,
        mine.mutual_information,
        transferability.h_score,
        probes.linear_accuracy,
        geometry.alpha_req,
        tokens.curvature,
        views.infonce,
    ],
)
def test_an_unknown_option_names_the_nearest(function):
    option = list(inspect.signature(function).parameters)[-1]
    with pytest.raises(TypeError, match=naming(f"'{option[:-1]}'", f"'{option}'")):
        function(np.eye(3), **{option[:-1]: 1})


def test_the_baselines_are_imported_when_they_are_used_and_scipy_when_it_is_needed():
    script = (
        "import sys; sys.modules['scipy'] = None\n"
        "import numpy as np, eigentropy.baselines as baselines\n"
        "print('eigentropy.baselines.ksg' in sys.modules)\n"
        "x, y = np.random.default_rng(0).normal(size=(2, 3000))\n"
        "print(round(float(baselines.binning.entropy(x[:, None], bins=1)), 3))\n"
        "print(abs(baselines.ksg.mutual_information(x, y, search='brute')) < 0.1)\n"
        "try: baselines.ksg.mutual_information(x, y)\n"
        "except ImportError as error: print(error)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert output[:3] == ["False", "0.0", "True"]
    assert names(output[3], "eigentropy[baselines]", "search='brute'")
