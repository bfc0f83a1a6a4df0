"""On a CUDA device: the same answers as on the CPU, and errors that help.

Runs on whatever is there: a GPU, the emulated device, or a stand-in in NumPy.
"""

from __future__ import annotations

import copy
import gc
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs
from device_arrays import Foreign, OnAnotherDevice, on_host, pretend_torch, torch_on_gpu
from eigentropy import _core, reference
from eigentropy._backends import plugin
from eigentropy._backends.costs import GPU_COSTS
from eigentropy._kernels.density import DensityMatrix
from eigentropy._measures.entropy import entropies
from eigentropy._measures.information import informations
from eigentropy._measures.measurement import MeasurementSettings, measure
from eigentropy._spectra import half_precision, stochastic
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy.compat import dse_dsmi
from messages import naming

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
DTYPES = list(TOLERANCE)

pytestmark = pytest.mark.usefixtures("cuda_core")


@pytest.fixture
def Z(rng):
    return rng.normal(size=(90, 5))


@pytest.fixture
def blobs():
    return separated_blobs(30, 4, distance=6.0)


def same(value, expected, dtype="float64"):
    assert float(value) == pytest.approx(float(expected), rel=TOLERANCE[dtype])


def entropy(Z, sigma, seed=0, **options):
    """DSE on the device, by a plan."""
    operator = eg.DiffusionOperator(Z, sigma=sigma, device="cuda", seed=seed)
    return entropies(operator, [1.0], 2.0, SpectrumPlan(**options))[0]


# ---- The same answers --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("t", [0.5, 1.0, 7.0])
def test_the_entropy_is_that_of_the_cpu(Z, dtype, alpha, t):
    if dtype == "float32" and t < 1:
        t = 1.5  # below, the noise of float32 counts, and differs
    options = {"dtype": dtype, "alpha": alpha, "t": t, "sigma": 1.5}
    found = eg.dse(Z, device="cuda", **options)
    same(found, eg.dse(Z, **options), dtype)
    assert (found.method, found.dtype) == ("exact", dtype)
    same(found.at(3.0), eg.dse(Z, **{**options, "t": 3.0}), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["exact", "stochastic"])
@pytest.mark.parametrize("fill", [1e16, 9.97e36])
def test_rows_at_a_fill_value_are_those_of_the_cpu(rng, fill, method, dtype):
    Z = rng.normal(size=(300, 5))
    Z[:60] = fill
    options = {"sigma": 1.5, "dtype": dtype, "method": method, "tol": 1e-2}
    same(eg.dse(Z, device="cuda", **options), eg.dse(Z, **options), dtype)


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_the_entropy_of_every_data_set_is_that_of_the_cpu(data_set):
    expected = eg.dse(data_set, sigma="sqrt-d", method="exact")
    same(eg.dse(data_set, sigma="sqrt-d", method="exact", device="cuda"), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_the_information_is_that_of_the_cpu(blobs, estimator, dtype):
    Z, labels = blobs
    options = {"estimator": estimator, "dtype": dtype, "n_null": 4, "sigma": 2.0}
    found, expected = eg.dsmi(Z, labels, device="cuda", **options), eg.dsmi(Z, labels, **options)
    same(found, expected, dtype)
    same(found.adjusted(), expected.adjusted(), dtype)
    same(found.conditional_entropy, expected.conditional_entropy, dtype)
    np.testing.assert_allclose(found.null, expected.null, rtol=0, atol=10 * TOLERANCE[dtype])
    assert found.p_value == expected.p_value
    same(found.at(4.0), expected.at(4.0), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_operator_is_that_of_the_cpu(Z, rng, dtype):
    there = eg.DiffusionOperator(Z, sigma=1.5, dtype=dtype, device="cuda")
    here = eg.DiffusionOperator(Z, sigma=1.5, dtype=dtype)
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    assert (there.device, here.device) == ("cuda:0", "cpu")
    assert there.n == len(Z)
    assert "device=cuda:0" in repr(there)
    np.testing.assert_allclose(there.eigenvalues(), here.eigenvalues(), **near)
    assert there.eigenvalues().dtype == dtype
    same(there.trace(), here.trace(), dtype)
    same(there.frobenius2(), here.frobenius2(), dtype)
    for V in (rng.normal(size=90), rng.normal(size=(90, 3)), np.empty((90, 0))):
        product = there @ V
        assert product.shape == V.shape
        assert product.dtype == dtype
        np.testing.assert_allclose(product, here @ V, **near)
    np.testing.assert_allclose(np.asarray(there), np.asarray(here), **near)
    np.testing.assert_allclose(there.diffusion_map(3, t=2), here.diffusion_map(3, t=2), **near)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_operator_brings_its_device(blobs, dtype):
    Z, labels = blobs
    there = eg.DiffusionOperator(Z, sigma=2.0, dtype=dtype, device="cuda")
    here = eg.DiffusionOperator(Z, sigma=2.0, dtype=dtype)
    expected = eg.dsmi(here, labels, n_null=3)
    for device in (None, "cuda:0"):
        same(eg.dsmi(there, labels, n_null=3, device=device), expected, dtype)
    with pytest.raises(ValueError, match=naming("device", "DiffusionOperator", "cuda:0")):
        eg.dsmi(there, labels, device="cpu")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_an_estimate_has_the_same_probes(rng, alpha, dtype):
    Z = rng.normal(size=(400, 3))
    options = {"method": "stochastic", "alpha": alpha, "dtype": dtype, "sigma": 0.6, "seed": 5}
    found, expected = eg.dse(Z, device="cuda", **options), eg.dse(Z, **options)
    same(found, expected, dtype)
    assert found.method == "stochastic"
    # That of the probes: rounding in float32 moves the ends of the bracket.
    of_probes = [result.spectrum.at(1.0).statistical for result in (found, expected)]
    assert of_probes[0] == pytest.approx(of_probes[1], rel=1e-2)
    if dtype == "float64":
        assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-2)


@pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning")
@pytest.mark.parametrize("sigma", [1.0, 1.6, 1.8])
def test_more_probes_outside_a_refined_sketch_are_the_same(rng, monkeypatch, sigma):
    """The ways through stochastic.py that a slowly falling spectrum takes."""
    monkeypatch.setattr(stochastic, "MAX_PROBES", 100)
    Z = np.concatenate([rng.normal(size=(330, 6)), 3 * rng.normal(size=(70, 6))])
    options = {"method": "stochastic", "tol": 1e-4, "sigma": sigma, "dtype": "float64"}
    found, expected = eg.dse(Z, device="cuda", **options), eg.dse(Z, **options)
    assert found.spectrum.probes == expected.spectrum.probes > 32
    same(found, expected)


def test_a_space_that_is_exhausted_is_the_same():
    Z, _ = separated_blobs(100, 3)  # and equal rows in each of them: a kernel of rank 3
    Z = np.round(Z / 50.0)
    options = {"method": "stochastic", "sigma": 0.3, "t": 2.0}
    same(eg.dse(Z, device="cuda", **options), eg.dse(Z, **options), "float32")


def test_the_information_of_estimated_groups_is_that_of_the_cpu(rng):
    Z, labels = rng.normal(size=(700, 3)), np.repeat([0, 1], [300, 400])
    options = {"method": "stochastic", "tol": 1e-2, "n_null": 2, "sigma": 1.0, "dtype": "float64"}
    found, expected = eg.dsmi(Z, labels, device="cuda", **options), eg.dsmi(Z, labels, **options)
    assert found.method == "stochastic"
    assert float(found) == pytest.approx(float(expected), abs=1e-9)
    same(found.adjusted(), expected.adjusted())


# ---- The density matrix ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.0, math.inf])
def test_the_kernel_entropy_is_that_of_the_cpu(Z, dtype, order):
    if dtype == "float32" and order < 1:
        order = 1.5  # below, the noise of float32 counts, and differs
    options = {"dtype": dtype, "order": order, "sigma": 1.0}
    found = eg.kernel_entropy(Z, device="cuda", **options)
    same(found, eg.kernel_entropy(Z, **options), dtype)
    assert (found.method, found.dtype) == ("exact", dtype)
    same(eg.kernel_entropy(Foreign(Z), **options), found, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", [1.0, 3.0, math.inf])
def test_an_estimate_of_the_kernel_entropy_has_the_same_probes(rng, dtype, order):
    Z = rng.normal(size=(400, 3))
    options = {"method": "stochastic", "order": order, "dtype": dtype, "sigma": 0.6, "seed": 5}
    # In float64 after some more steps: rounding moves a wide bracket by more than this.
    options["tol"] = 1e-3 if dtype == "float32" else 1e-4
    found = eg.kernel_entropy(Z, device="cuda", **options)
    same(found, eg.kernel_entropy(Z, **options), dtype)
    assert found.method == "stochastic"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("estimator", ["matched", "plain"])
@pytest.mark.parametrize("of", ["labels", "vectors", "given"])
def test_the_kernel_information_is_that_of_the_cpu(blobs, of, estimator, dtype):
    Z, labels = blobs
    Y = Z[:, 2:] if of == "vectors" else labels
    given = labels % 2 if of == "given" else None
    options = {"estimator": estimator, "dtype": dtype, "n_null": 4, "sigma": 2.0, "given": given}
    found = eg.kernel_information(Z, Y, device="cuda", **options)
    expected = eg.kernel_information(Z, Y, **options)
    assert float(found) == pytest.approx(float(expected), abs=10 * TOLERANCE[dtype])
    np.testing.assert_allclose(found.null, expected.null, rtol=0, atol=10 * TOLERANCE[dtype])
    assert found.p_value == expected.p_value
    if of == "labels":
        same(found.bits(), expected.bits(), dtype)
    there = eg.kernel_information(Foreign(Z), Y, **options)
    assert float(there) == pytest.approx(float(expected), abs=10 * TOLERANCE[dtype])


def test_large_groups_of_a_kernel_information_are_estimated_as_on_the_cpu(rng):
    Z, labels = rng.normal(size=(700, 3)), np.repeat([0, 1], [300, 400])
    options = {"method": "stochastic", "tol": 1e-2, "n_null": 2, "sigma": 1.0, "dtype": "float64"}
    found = eg.kernel_information(Z, labels, device="cuda", **options)
    expected = eg.kernel_information(Z, labels, **options)
    assert found.method == "stochastic"
    assert float(found) == pytest.approx(float(expected), abs=1e-9)


def test_a_density_matrix_of_some_rows_is_that_of_the_cpu(rng):
    Z, rows = rng.normal(size=(90, 4)), np.array([3, 5, 8, 40, 41, 88])
    V = rng.normal(size=(6, 3))
    there, here = (DensityMatrix(Z, sigma=1.2, device=device) for device in ("cuda", None))
    for explicit in (False, True):
        A = there.products("float64", explicit, None, rows)
        B = here.products("float64", explicit, None, rows)
        for name in ("trace", "frobenius2", "kernel_sum"):
            same(getattr(A, name), getattr(B, name))
        assert A.trace == 1.0
        np.testing.assert_allclose(np.asarray(A.degrees), np.asarray(B.degrees), rtol=1e-12)
        block = there.samples.device.block(V, "float64")
        product = there.samples.device.product(A, block, None)
        np.testing.assert_allclose(on_host(product), B.matmul(V), rtol=1e-10, atol=1e-12)
    squared = ((Z[rows][:, None] - Z[rows]) ** 2).sum(-1)
    G = np.exp(-squared / (2 * 1.2**2)) / 6
    np.testing.assert_allclose(B.matmul(V), G @ V, atol=1e-12)
    offsets, dtype = np.array([0, 2, 6]), "float64"
    found, expected = (
        matrix.subset_spectra(offsets, rows, dtype, 2.0**30, None) for matrix in (there, here)
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    np.testing.assert_allclose(
        expected[0][2:],
        np.linalg.eigvalsh(np.exp(-squared[2:, 2:] / (2 * 1.2**2)) / 4)[::-1],
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("n", "rule"),
    [
        *itertools.product([1, 90], ["auto", "knn", "max-slope", "sqrt-d"]),
        *itertools.product([2500], ["auto", "knn"]),  # of a sample
    ],
)
def test_bandwidths_are_those_of_the_cpu(rng, rule, n):
    Z = rng.normal(size=(n, 3))
    expected = eg.bandwidth(Z, rule)
    assert eg.bandwidth(Foreign(Z), rule) == pytest.approx(expected, rel=1e-12)
    there = eg.DiffusionOperator(Z, sigma=rule, device="cuda")
    assert there.sigma == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(7, 7), (3, 8, 8), (2, 2, 1, 1)])
def test_eigenvalues_of_matrices_on_a_device_are_those_of_the_cpu(rng, shape):
    A = rng.normal(size=shape)
    A = A + np.swapaxes(A, -1, -2)
    found = eg.eigvalsh(Foreign(A))
    assert found.shape == shape[:-1]
    np.testing.assert_allclose(on_host(found), eg.eigvalsh(A), atol=1e-12)


def test_measuring_takes_the_device_of_the_settings(Z):
    found = measure(Z, {}, MeasurementSettings(device="cuda", sigma=1.0)).entropies[0]
    same(found, eg.dse(Z, sigma=1.0))


def test_auto_computes_in_float32_and_estimates_as_on_the_cpu(rng):
    Z = rng.normal(size=(1100, 8))
    found, expected = eg.dse(Z, device="cuda", sigma=1.0), eg.dse(Z, sigma=1.0)
    assert found.dtype == expected.dtype == "float32"
    assert abs(float(found) - float(expected)) <= found.error_bound + expected.error_bound
    eager = replace(GPU_COSTS, start=0.0, soon=0.0, preference=0.0, smooth_trace=1e9)
    found = entropy(Z, sigma=1.0, costs=eager)
    assert found.method == "stochastic"  # for smooth kernels, too: there is no lowrank
    assert abs(float(found) - float(expected)) <= 4 * found.standard_error


# ---- Which device ------------------------------------------------------------------------------


def test_cuda_alone_is_the_device_of_the_array_or_the_first(Z):
    for device in ("cuda", "cuda:0", None):
        assert eg.DiffusionOperator(Foreign(Z), device=device).device == "cuda:0"
    assert eg.DiffusionOperator(Z).device == "cpu"
    assert eg.DiffusionOperator(Z, device="cpu").device == "cpu"


def test_an_array_says_on_which_device_it_lies(fake_core, Z):
    operator = eg.DiffusionOperator(OnAnotherDevice(Z, 1))
    assert operator.device == "cuda:1"
    assert operator.rows.device == 1
    with pytest.raises(ValueError, match=naming("Z", "cuda:1", "device", "'cuda:0'")):
        eg.dse(OnAnotherDevice(Z, 1), device="cuda:0")


def test_what_is_given_back_says_where_it_lies(fake_core, Z):
    there = eg.DiffusionOperator(OnAnotherDevice(Z, 1), sigma=1.0)
    assert eg.DiffusionOperator(there.rows).device == "cuda:1"
    with pytest.raises(ValueError, match=naming("V", "cuda:1", "Z", "cuda:0")):
        eg.DiffusionOperator(Z, device="cuda:0") @ (there @ np.ones(90))


def test_an_array_on_a_gpu_is_not_computed_on_the_cpu_in_silence(Z):
    with pytest.raises(ValueError, match=naming("Z", "cuda:0", "device", "'cpu'")):
        eg.dse(Foreign(Z), device="cpu")
    with pytest.raises(ValueError, match=naming("GPU", "CPU")):
        dse_dsmi.diffusion_spectral_entropy(Foreign(Z))


def test_arrays_on_two_devices_are_refused(fake_core, Z):
    operator = eg.DiffusionOperator(OnAnotherDevice(Z, 0))
    with pytest.raises(ValueError, match=naming("V", "cuda:1", "Z", "cuda:0")):
        operator.matmul(OnAnotherDevice(np.ones((90, 2)), 1))
    with pytest.raises(ValueError, match=naming("V", "GPU", "CPU")):
        eg.DiffusionOperator(Z).matmul(Foreign(np.ones(90)))


@pytest.fixture
def emulation(cuda_core):
    """The emulated device, for what no real one can be told to be."""
    if not hasattr(cuda_core, "emulation") or hasattr(cuda_core, "fake"):
        pytest.skip("needs the emulated device")
    yield cuda_core.emulation
    cuda_core.emulation.set_compute_capability(9, 0)
    cuda_core.emulation.set_shared_memory(227 << 10)
    cuda_core.emulation.set_driver_version(cuda_core.runtime_version)


def test_who_works_on_the_second_device_alone_takes_nothing_of_the_first(emulation, rng):
    """A context of the first one would cost some hundred MB of its memory."""
    gc.collect()  # arrays that other tests have left there
    emulation.forget_contexts()
    Z, labels = rng.normal(size=(260, 4)), np.arange(260) % 2
    for rows in (Z, OnAnotherDevice(Z, 1)):
        options = {"sigma": 1.0, "device": "cuda:1"}
        expected = eg.dse(Z, sigma=1.0)
        same(eg.dse(rows, **options), expected)
        eg.dse(rows, method="stochastic", tol=1e-2, **options)
        eg.dsmi(rows, labels, n_null=2, **options)
        operator = eg.DiffusionOperator(rows, **options)
        operator @ np.ones(260)
        operator.diffusion_map(2)
    eg.eigvalsh(OnAnotherDevice(np.eye(3), 1))
    del operator
    gc.collect()
    assert emulation.contexts() == [1]
    eg.dse(Z, sigma=1.0, device="cuda:0")
    assert emulation.contexts() == [0, 1]


@pytest.mark.parametrize(
    ("capability", "shared"), [((7, 5), 64 << 10), ((8, 6), 99 << 10), ((12, 0), 99 << 10)]
)
def test_a_gpu_without_the_tensor_path_gives_the_same_answers(emulation, rng, capability, shared):
    emulation.set_compute_capability(*capability)
    emulation.set_shared_memory(shared)
    Z = rng.normal(size=(400, 3))
    options = {"method": "stochastic", "dtype": "float32", "sigma": 0.6, "seed": 5}
    same(eg.dse(Z, device="cuda", **options), eg.dse(Z, **options), "float32")
    assert plugin.devices()[0]["compute_capability"] == "{}.{}".format(*capability)


def test_a_gpu_or_a_driver_that_is_too_old_is_refused(emulation, monkeypatch, Z):
    emulation.set_compute_capability(7, 0)
    with pytest.raises(eg.DeviceError, match=naming("emulated", "7.0", "7.5", "'cpu'")):
        eg.dse(Z, device="cuda")
    emulation.set_driver_version(12080)
    monkeypatch.setattr(plugin, "_core", None)  # as in a new process
    with pytest.raises(eg.DeviceError, match=naming("12.8", "13.0", "driver 580")):
        eg.dse(Z, device="cuda")


def test_a_tensor_that_requires_grad_on_another_stream_is_measured_there(emulation, monkeypatch, Z):
    torch = pytest.importorskip("torch")
    stream = emulation.make_stream()
    pretend_torch(monkeypatch, stream)
    rows = torch.from_numpy(Z).requires_grad_().as_subclass(torch_on_gpu())
    assert rows.requires_grad
    same(eg.dse(rows, sigma=1.0), eg.dse(Z, sigma=1.0))
    same(eg.dsmi(rows, np.arange(90) % 2, sigma=1.0), eg.dsmi(Z, np.arange(90) % 2, sigma=1.0))
    operator = eg.DiffusionOperator(rows, sigma=1.0)
    product = operator @ (2.0 * rows)
    assert not product.requires_grad
    np.testing.assert_allclose(on_host(product), eg.DiffusionOperator(Z, sigma=1.0) @ (2 * Z))
    emulation.destroy_stream(stream)
    with pytest.raises(plugin.core().DeviceError, match=naming("destroyed")):
        operator.entropy()  # so the stream was the one that was worked in


def test_labels_and_vectors_on_a_device_are_brought_to_the_host(blobs):
    Z, labels = blobs
    scalars = Foreign(labels.astype(np.float64))
    expected = eg.dsmi(Z, labels.astype(np.float64), n_null=3, sigma=2.0, n_clusters=3)
    for rows in (Z, Foreign(Z)):
        same(eg.dsmi(rows, scalars, n_null=3, sigma=2.0, n_clusters=3), expected)
    assert eg.spectral_entropy(Foreign(np.ones(4))) == 2.0


def test_host_rows_are_uploaded_once(fake_core, Z):
    operator = eg.DiffusionOperator(Z, device="cuda")
    operator.entropy()
    operator.diffusion_map(2)
    operator.trace()
    assert fake_core.state.uploads == [Z.shape]
    result = eg.dse(Foreign(Z))
    assert fake_core.state.uploads == [Z.shape]
    assert result.eigenvalues.shape == (len(Z),)
    assert fake_core.state.uploads == [Z.shape, (1, len(Z))]  # for the caller, who asks for them


def test_methods_of_one_operator_share_its_spectrum(fake_core, Z):
    operator = eg.DiffusionOperator(Z, device="cuda")
    operator.eigenvalues()
    operator.entropy(2.0)
    copy.copy(operator).eigenvalues()
    assert fake_core.state.calls.count("spectrum") == 1


# ---- What cannot be done -----------------------------------------------------------------------


def test_lowrank_is_not_there(Z):
    with pytest.raises(ValueError, match=naming("'lowrank'", "cuda:0", "'cpu'")):
        eg.dse(Z, method="lowrank", device="cuda")


def limit_memory(core, monkeypatch, size):
    monkeypatch.setattr(core, "memory", lambda device: (size, size))


def test_a_matrix_beyond_the_memory_of_the_device_is_refused_before(cuda_core, Z, monkeypatch):
    limit_memory(cuda_core, monkeypatch, 10_000)
    wanted = naming("90 x 90", "float64", "cuda:0", "10000 bytes", "'stochastic'")
    operator = eg.DiffusionOperator(Z, sigma=1.0, device="cuda")
    for compute in (operator.eigenvalues, operator.trace, operator.diffusion_map):
        with pytest.raises(MemoryError, match=wanted):
            compute()
    with pytest.raises(MemoryError, match=wanted):
        eg.dse(Z, method="exact", device="cuda")
    limit_memory(cuda_core, monkeypatch, 5_000)
    with pytest.raises(MemoryError, match=naming("30 x 30")):
        eg.dsmi(Z, np.arange(90) % 3, device="cuda", method="exact", sigma=1.0)


def test_rows_beyond_the_memory_of_the_device_are_refused_before(cuda_core, Z, monkeypatch):
    limit_memory(cuda_core, monkeypatch, 3000)
    with pytest.raises(MemoryError, match=naming("Z", "cuda:0", "3600 bytes")):
        eg.dse(Z, device="cuda")


def test_auto_estimates_what_does_not_fit(cuda_core, rng, monkeypatch):
    Z = rng.normal(size=(400, 3))
    limit_memory(cuda_core, monkeypatch, 2e6)
    found = eg.dse(Z, device="cuda", sigma=0.6)
    assert found.method == "stochastic"
    assert abs(float(found) - eg.dse(Z, sigma=0.6)) <= 4 * found.standard_error


def test_a_basis_beyond_the_memory_is_refused(cuda_core, rng, monkeypatch):
    limit_memory(cuda_core, monkeypatch, 2e4)
    with pytest.raises(MemoryError, match=naming("Krylov", "subset")):
        eg.dse(rng.normal(size=(400, 3)), device="cuda", sigma=0.6, method="stochastic")


def refusing(core, error):
    """A solver that fails; the rest works."""

    def refuse(*arguments, **options):
        raise error

    core.spectrum = core.subset_spectra = core.eigenpairs = refuse


def test_the_core_of_the_cpu_keeps_its_own_exception(Z):
    """Two modules that know one C++ type: the plug-in's must not answer for the other."""
    eg.dse(Z, device="cuda")
    core = _core.EntropyGradient("float64")
    core.build(Z, 1.0, 0.5, 1)
    with pytest.raises(_core.SolverError, match=naming("positive definite")):
        core.solve(0.0, 0.0, np.array([-0.9]), np.array([1.0]), 0.0, 1)


@pytest.fixture
def large(rng):
    return rng.normal(size=(520, 3))


def solver_errors(core):
    text = "cusolverDnXsyevd: CUSOLVER_STATUS_INVALID_VALUE (3)"
    return [core.DeviceError(text, 3), core.SolverError("no"), MemoryError("workspace of 9 GB")]


def test_auto_estimates_what_the_solver_refuses(fake_core, large):
    expected = eg.dse(large, sigma=0.6)
    for error in solver_errors(fake_core):
        refusing(fake_core, error)
        found = eg.dse(large, sigma=0.6, device="cuda")
        assert found.method == "stochastic"
        assert abs(float(found) - float(expected)) <= 4 * found.standard_error
        labels, options = np.arange(520) % 2, {"n_null": 2, "sigma": 0.6, "tol": 1e-2}
        groups = eg.dsmi(large, labels, device="cuda", **options)
        assert groups.method == "stochastic"
        assert np.isfinite(groups.adjusted()) or groups.adjusted_note()


def test_exact_says_what_the_solver_refuses(fake_core, large):
    wanted = [
        (eg.SolverError, ["520 x 520", "CUSOLVER_STATUS_INVALID_VALUE", "method='stochastic'"]),
        (eg.SolverError, ["no"]),
        (MemoryError, ["workspace of 9 GB", "method='stochastic'"]),
    ]
    for error, (kind, named) in zip(solver_errors(fake_core), wanted, strict=True):
        refusing(fake_core, error)
        with pytest.raises(kind, match=naming(*named)):
            eg.dse(large, sigma=0.6, device="cuda", method="exact")
        with pytest.raises(kind):
            eg.DiffusionOperator(large, device="cuda").diffusion_map()


def test_too_few_rows_for_an_estimate_have_the_error_of_the_solver(fake_core, Z):
    refusing(fake_core, fake_core.SolverError("no"))
    with pytest.raises(eg.SolverError, match=naming("no")):
        eg.dse(Z, device="cuda")
    with pytest.raises(eg.SolverError, match=naming("no")):
        eg.dsmi(Z, np.arange(90) % 2, n_null=2, device="cuda")


def test_adjusted_estimates_the_whole_where_its_solver_refuses(fake_core, blobs):
    Z, labels = np.repeat(blobs[0], 4, axis=0), np.repeat(blobs[1], 4)
    Z = Z + np.random.default_rng(0).normal(size=Z.shape)
    expected = eg.dsmi(Z, labels, n_null=3, sigma=2.0).adjusted()
    found = eg.dsmi(Z, labels, n_null=3, sigma=2.0, device="cuda")
    fake_core.spectrum = lambda *arguments: refuse_size(fake_core)
    assert found.adjusted() == pytest.approx(expected, rel=0.05)


def refuse_size(core):
    raise core.SolverError("too large")


def test_an_earlier_error_of_the_device_is_passed_on(cuda_core, large):
    """As the plug-in's own error, which says that it was not ours."""
    if not hasattr(cuda_core, "emulation"):
        pytest.skip("a real device would be lost to this process")
    operator = eg.DiffusionOperator(large, sigma=1.0, device="cuda")
    cuda_core.emulation.fail_once(700)
    with pytest.raises(cuda_core.DeviceError) as caught:
        eg.dse(operator.rows, sigma=1.0)
    assert caught.value.code == 700
    assert isinstance(caught.value, RuntimeError)
    assert plugin.plugin_errors() == (cuda_core.DeviceError,)
    assert operator.entropy().method == "exact"


def test_a_destroyed_stream_is_passed_on(cuda_core, Z):
    if not hasattr(cuda_core, "emulation"):
        pytest.skip("a real device would be lost to this process")
    eg.dse(Z, device="cuda")
    stream = cuda_core.emulation.make_stream()
    array = Foreign(Z, stream=stream)
    same(eg.dse(array), eg.dse(Z))
    cuda_core.emulation.destroy_stream(stream)
    with pytest.raises(cuda_core.DeviceError):
        eg.dse(array)


def test_a_stream_that_is_captured_is_refused_and_its_capture_goes_on(cuda_core, Z):
    if not hasattr(cuda_core, "emulation"):
        pytest.skip("needs a capture of the emulated device; the next test is for a real one")
    eg.dse(Z, device="cuda")
    stream = cuda_core.emulation.make_stream()
    operator = eg.DiffusionOperator(Foreign(Z, stream=stream), sigma=1.0)
    cuda_core.emulation.begin_capture(stream)
    for compute in (operator.entropy, operator.trace, lambda: eg.dse(Foreign(Z, stream=stream))):
        with pytest.raises(cuda_core.DeviceError, match=naming("CUDA graph")) as caught:
            compute()
        assert caught.value.code == 900
    assert cuda_core.emulation.end_capture(stream)
    same(operator.entropy(), eg.dse(Z, sigma=1.0))


@pytest.mark.gpu
def test_a_graph_of_torch_can_be_captured_in_spite_of_a_call(cuda_core, Z):
    torch = pytest.importorskip("torch")
    rows, graph = torch.from_numpy(Z).cuda(), torch.cuda.CUDAGraph()
    doubled = torch.zeros_like(rows)
    operator = eg.DiffusionOperator(rows, sigma=1.0)
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        torch.mul(rows, 2.0, out=doubled)
        with pytest.raises(cuda_core.DeviceError, match=naming("CUDA graph")):
            operator.entropy()
    graph.replay()
    torch.testing.assert_close(doubled, 2.0 * rows)
    same(operator.entropy(), eg.dse(Z, sigma=1.0))


def test_progress_is_told(Z):
    seen = []
    eg.dse(Z, device="cuda", progress=seen.append)
    assert seen
    assert max(seen) <= 1.0


# ---- The rule of method="auto" -----------------------------------------------------------------


def test_auto_on_a_gpu_computes_more_rows_exactly(fake_core, Z):
    rule = SpectrumPlan().on(eg.DiffusionOperator(Z, device="cuda").samples.device)
    fake_core.state.total = 80e9
    assert not rule.estimates(10_000, 512, 0.5)
    assert rule.estimates(50_000, 512, 0.5)
    assert SpectrumPlan().on(rule.device).explicit(50_000)
    fake_core.state.total = 1e9
    assert rule.estimates(10_000, 512, 0.5)
    assert not rule.explicit(50_000)


def test_the_matrix_of_an_estimate_is_kept_where_there_is_room(fake_core, large, monkeypatch):
    made = []
    plain = fake_core.KernelOperator

    def watched(*arguments, **options):
        made.append(arguments[4])
        return plain(*arguments, **options)

    monkeypatch.setattr(fake_core, "KernelOperator", watched)
    for size in (1e9, 2e6):
        fake_core.state.total = size
        eg.dse(large, method="stochastic", tol=1e-2, sigma=0.6, device="cuda")
    assert made == [True, False]


# ---- The kernel in half precision --------------------------------------------------------------


def only_room_for_halves(n):
    """Costs by which a matrix of halves of n rows fits into its share, and one in float32 not.

    Of the matrix only: with less memory there is less of a basis, too, and other results.
    """
    free = eg.DiffusionOperator(np.eye(3), device="cuda").samples.device.available()
    return replace(GPU_COSTS, memory=3.0 * n**2 / free)


def watched_calls(core, monkeypatch):
    """Names of what was done with operators, in order."""
    made, plain = [], core.KernelOperator

    class Watched:
        def __init__(self, *arguments, **options):
            made.append("kept" if arguments[4] else "matrix-free")
            self._inner = plain(*arguments, **options)

        def __getattr__(self, name):
            if name == "keep_in_half":
                made.append("half")
            return getattr(self._inner, name)

    monkeypatch.setattr(core, "KernelOperator", Watched)
    return made


@pytest.mark.parametrize("tol", [1e-3, 1e-2])
def test_an_estimate_in_half_precision_is_that_of_the_cpu(cuda_core, rng, monkeypatch, tol):
    Z = rng.normal(size=(300, 20))
    options = {"method": "stochastic", "tol": tol, "sigma": 2.0, "seed": 3}
    expected = eg.dse(Z, **options)
    costs = only_room_for_halves(300)
    made = watched_calls(cuda_core, monkeypatch)
    found = entropy(Z, costs=costs, **options)
    assert made == ["matrix-free", "half"]
    assert float(found) == pytest.approx(float(expected), rel=0.1 * tol)
    assert float(found) != float(expected)


def test_without_room_for_halves_after_all_nothing_is_kept(cuda_core, rng, monkeypatch):
    Z = rng.normal(size=(300, 20))
    options = {"method": "stochastic", "sigma": 2.0, "seed": 3}
    expected = eg.dse(Z, **options)
    costs = only_room_for_halves(300)

    class Full(cuda_core.KernelOperator):
        def keep_in_half(self, progress=None):
            raise MemoryError("others were faster")

    monkeypatch.setattr(cuda_core, "KernelOperator", Full)
    same(entropy(Z, costs=costs, **options), expected, "float32")


def test_half_precision_is_given_up_where_it_counts(cuda_core, monkeypatch):
    """Most eigenvalues near 0: the noise of rounding is most of what they add."""
    Z = pytest.importorskip("sklearn.datasets").make_swiss_roll(500, random_state=2)[0]
    options = {"method": "stochastic", "sigma": 10.0}
    expected = eg.dse(Z, **options)
    assert eg.DiffusionOperator(Z, sigma=10.0).trace() < half_precision.SMALLEST_TRACE
    options["costs"] = only_room_for_halves(500)
    made = watched_calls(cuda_core, monkeypatch)
    same(entropy(Z, **options), expected, "float32")
    assert made == ["matrix-free"]
    monkeypatch.setattr(half_precision, "SMALLEST_TRACE", 0.0)
    same(entropy(Z, **options), expected, "float32")
    assert made == ["matrix-free", "matrix-free", "half", "matrix-free"]
    monkeypatch.setattr(half_precision, "SHARE", 1e9)
    wrong = entropy(Z, **options)
    assert abs(float(wrong) / float(expected) - 1) > 5e-4  # so it had to be given up


def test_the_information_of_groups_in_half_precision_is_that_of_the_cpu(
    cuda_core, rng, monkeypatch
):
    Z, labels = rng.normal(size=(520, 20)), np.repeat([0, 1], 260)
    options = {"method": "stochastic", "tol": 1e-2, "n_null": 2, "sigma": 2.0}
    expected = eg.dsmi(Z, labels, **options)
    plan = SpectrumPlan("stochastic", 1e-2, costs=only_room_for_halves(260))
    operator = eg.DiffusionOperator(Z, sigma=2.0, device="cuda")
    made = watched_calls(cuda_core, monkeypatch)
    (found,) = informations(
        operator, labels, [1.0], plan, estimator="matched", n_null=2, base=2.0, seed=0,
        progress=None,
    )  # fmt: skip
    assert "half" in made
    assert float(found) == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.parametrize(
    ("tol", "dtype", "total", "expected"),
    [
        (1e-3, None, 6.0, True),
        (1e-3, "float32", 6.0, True),
        (half_precision.SMALLEST_TOL / 2, None, 6.0, False),  # too much for this tolerance
        (1e-3, "float64", 6.0, False),
        (1e-3, None, 3.9, False),  # not even that fits
        (1e-3, None, 8.1, False),  # float32 fits
    ],
)
def test_half_precision_is_tried_only_where_there_is_room_for_no_more(
    fake_core, large, tol, dtype, total, expected
):
    device = eg.DiffusionOperator(large, device="cuda").samples.device
    fake_core.state.total = total * 600**2
    assert SpectrumPlan(tol=tol, dtype=dtype).on(device).in_half(600) is expected
    assert not SpectrumPlan(tol=tol, dtype=dtype).in_half(600)  # on the host


def test_the_operator_of_the_stand_in_is_the_definition(fake_core, Z):
    """Else the agreement of the two devices says nothing."""
    there = eg.DiffusionOperator(Z, sigma=1.5, device="cuda")
    expected = reference.diffusion_operator(Z, 1.5)
    np.testing.assert_allclose(np.asarray(there), expected, atol=1e-14)
    direct = _core.spectrum(Z, 1.5, 0.5, "float64")[0]
    np.testing.assert_allclose(there.eigenvalues(), direct, atol=1e-13)
