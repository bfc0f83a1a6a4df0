"""The measures as functions: the package's own values, and the gradient of the modules."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.torch import (
    DiffusionSpectralEntropy,
    DiffusionSpectralMutualInformation,
    functional,
)
from eigentropy.torch.losses import kernel
from torch_defaults import defaults, with_other_defaults

OPTIONS = {"sigma": 1.3, "alpha": 1.0, "t": 2.0, "base": 3.0, "method": "exact", "seed": 4}


def labelled(n=60, kinds=3):
    labels = torch.arange(n) % kinds
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return (noise + 2 * torch.eye(4)[labels % 4]).requires_grad_(), labels


def test_the_entropy_is_that_of_dse():
    Z, _ = labelled()
    for options in ({}, OPTIONS):
        found = functional.diffusion_spectral_entropy(Z, **options).detach()
        assert float(found) == pytest.approx(float(eg.dse(Z, **options)), rel=1e-10)


@pytest.mark.parametrize("estimator", ["matched", "plain"])
@pytest.mark.parametrize("kinds", [2, 3, 40])
@pytest.mark.filterwarnings("ignore:.*single row")
def test_the_information_is_that_of_dsmi(estimator, kinds):
    Z, labels = labelled(kinds=kinds)
    for options in ({}, {**OPTIONS, "n_null": 5}):
        found = functional.diffusion_spectral_mutual_information(
            Z, labels, estimator=estimator, **options
        )
        expected = eg.dsmi(Z, labels, estimator=estimator, **options)
        assert float(found.detach()) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_the_gradient_of_the_information_is_that_of_finite_differences(estimator):
    Z, labels = labelled(15)

    def information(Z):
        return functional.diffusion_spectral_mutual_information(
            Z, labels, estimator=estimator, n_null=3, sigma=1.5
        )

    assert torch.autograd.gradcheck(information, (Z,), atol=1e-6, rtol=1e-6)


def test_groups_of_one_row_have_no_information_and_no_gradient():
    Z, _ = labelled(6)
    found = functional.diffusion_spectral_mutual_information(Z, np.arange(6))
    (slope,) = torch.autograd.grad(found, Z)
    assert float(found.detach()) == 0.0
    assert float(slope.abs().sum()) == 0.0


def test_a_module_is_the_function_with_its_options():
    Z, labels = labelled()
    pairs = [
        (DiffusionSpectralEntropy, functional.diffusion_spectral_entropy, (Z,)),
        (
            DiffusionSpectralMutualInformation,
            functional.diffusion_spectral_mutual_information,
            (Z, labels),
        ),
    ]
    for module, function, arguments in pairs:
        for options in ({}, OPTIONS):
            found, expected = module(**options)(*arguments), function(*arguments, **options)
            assert torch.equal(found, expected)
            slopes = [torch.autograd.grad(value, Z)[0] for value in (found, expected)]
            assert torch.equal(*slopes)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_nan_stays_nan(bad, estimator):
    Z, labels = labelled()
    Z.data[7, 1] = bad
    found = functional.diffusion_spectral_mutual_information(Z, labels, estimator=estimator)
    assert found.isnan()
    assert torch.autograd.grad(found, Z)[0].isnan().any()


@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_a_saturated_width_is_warned_about_in_each_call_and_once_by_a_module(estimator):
    Z, labels = labelled()
    options = {"estimator": estimator, "sigma": 1e-6}
    for _ in range(2):
        with pytest.warns(eg.SaturationWarning, match=r"^sigma=1e-06 "):
            functional.diffusion_spectral_mutual_information(Z, labels, **options)
    module = DiffusionSpectralMutualInformation(**options)
    with pytest.warns(eg.SaturationWarning, match=r"^sigma=1e-06 "):
        module(Z, labels)
    module(Z, labels)  # a second warning would be an error here


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_function_is_the_same():
    Z, labels = labelled()

    def loss(Z):
        return functional.diffusion_spectral_mutual_information(Z.tanh(), labels, n_null=2) * 2.0

    torch._dynamo.reset()
    found = torch.compile(loss, backend="eager")(Z)
    assert torch.equal(torch.autograd.grad(found, Z)[0], torch.autograd.grad(loss(Z), Z)[0])
    torch._dynamo.reset()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": "best"}, ValueError, r"^estimator .*'matched', 'plain'.*'best'"),
        ({"n_null": 1}, ValueError, r"^n_null .* 2, .* 1"),
        ({"n_nul": 5}, TypeError, r"'n_nul'.*'n_null'"),
        ({"clusters": [0]}, TypeError, r"'clusters'.*estimator"),
    ],
)
def test_bad_options_are_named(options, error, message):
    Z, labels = labelled()
    with pytest.raises(error, match=message):
        functional.diffusion_spectral_mutual_information(Z, labels, **options)
    with pytest.raises(error, match=message):
        DiffusionSpectralMutualInformation(**options)


@with_other_defaults
@pytest.mark.parametrize("through", ["the core", "PyTorch's operations"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_defaults_of_pytorch_do_not_matter(dtype_and_device, dtype, through, monkeypatch):
    """By all ways of a gradient: probes, the logarithm, eigenvectors."""
    if through != "the core":
        monkeypatch.setattr(kernel, "computed_by_core", lambda rows: False)
    Z, labels = labelled(n=90)
    Z = Z.detach().to(getattr(torch, dtype))

    def everything():
        found = []
        for options in (
            {},
            {"method": "stochastic"},
            {"t": 3.0},
            {"sigma": 0.7, "method": "exact"},
        ):
            rows = Z.clone().requires_grad_()
            loss = functional.diffusion_spectral_entropy(rows, **options)
            loss = loss + functional.diffusion_spectral_mutual_information(rows, labels, **options)
            loss.backward()
            found += [loss.detach(), rows.grad]
        return found

    expected = everything()
    with defaults(dtype_and_device):
        found = everything()
    assert [v.dtype for v in found] == [v.dtype for v in expected]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
