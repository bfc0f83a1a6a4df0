"""Arrays on a device: every library's, every layout and dtype, read where they lie."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import eigentropy as eg
from device_arrays import Foreign, on_host, pretend_cupy, pretend_torch, torch_on_gpu
from eigentropy._backends import plugin
from eigentropy._backends.device_arrays import FLOATS, device_array, device_rows
from messages import naming

pytestmark = [
    pytest.mark.usefixtures("cuda_core"),
    pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning"),
]


@pytest.fixture
def Z(rng):
    return rng.normal(size=(40, 6))


def entropy(Z):
    return float(eg.dse(Z, sigma=2.0))


def rows_of(Z):
    """The rows as the plug-in reads them."""
    return eg.DiffusionOperator(Z, sigma=1.0).rows


# ---- __cuda_array_interface__ ------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_are_read_where_they_lie(Z, version, dtype):
    array = Foreign(Z.astype(dtype), version=version)
    rows = rows_of(array)
    assert rows.pointer == array.__cuda_array_interface__["data"][0]
    assert rows.dtype == dtype
    assert entropy(array) == pytest.approx(entropy(Z.astype(dtype)), rel=1e-10)


def test_views_are_not_copied(rng):
    whole = rng.normal(size=(80, 12))
    views = [whole[::2, ::3], whole[::-1], whole.T, np.asfortranarray(whole), whole[:, 5:6]]
    views.append(np.broadcast_to(whole[0], (30, 12)))
    for view in views:
        rows = rows_of(Foreign(view))
        assert rows.strides == view.strides
        np.testing.assert_array_equal(rows.numpy(), view)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_views_give_what_their_copies_give(rng, dtype):
    whole = rng.normal(size=(80, 12)).astype(dtype)
    for view in (whole[::2, ::3], whole[::-1], whole.T, whole[3:, 5:6]):
        expected = entropy(np.ascontiguousarray(view))
        assert entropy(Foreign(view)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.filterwarnings("ignore::eigentropy.ShapeWarning")
def test_more_dimensions_are_flattened_by_their_strides(Z):
    for shape in ((40, 2, 3), (40, 3, 1, 2)):
        assert rows_of(Foreign(Z.reshape(shape))).shape == (40, 6)
    padded = np.zeros((40, 4, 3))[:, :2]  # its last two dimensions are one, but for the rows
    padded[...] = Z.reshape(40, 2, 3)
    rows = rows_of(Foreign(padded))
    assert (rows.shape, rows.strides) == ((40, 6), (96, 8))
    np.testing.assert_array_equal(rows.numpy(), Z)
    with pytest.raises(ValueError, match=naming("Z", "(40, 3, 2)", "contiguous")):
        rows_of(Foreign(Z.reshape(40, 2, 3).transpose(0, 2, 1)))


@pytest.mark.parametrize(
    ("array", "error", "named"),
    [
        (np.empty((0, 3)), ValueError, ["(0, 3)"]),
        (np.empty((3, 0)), ValueError, ["(3, 0)"]),
        (np.empty(0), ValueError, ["1-d", 0]),
        (np.arange(5.0), ValueError, ["(n, d)", "1-d", 5, "Z[:, None]"]),
        (np.array(3.0), ValueError, ["scalar"]),
        (np.ones((2, 2)) * 1j, TypeError, ["complex"]),
        (np.ones((2, 2), dtype=np.int64), TypeError, ["int64", "GPU"]),
        (np.ones((2, 2), dtype=">f8"), TypeError, [">f8", "GPU"]),
        (
            np.array([[1.0, np.nan], [0, 0], [np.inf, 1]]),
            ValueError,
            ["NaN", "2 of its 3", "row 0"],
        ),
    ],
)
def test_bad_arrays_are_named(array, error, named):
    for measure in (eg.dse, eg.bandwidth, eg.DiffusionOperator, lambda Z: eg.dsmi(Z, [0])):
        with pytest.raises(error, match=naming("Z", *named)):
            measure(Foreign(array))


def test_masked_arrays_are_refused(Z):
    with pytest.raises(TypeError, match=naming("Z", "masked")):
        eg.dse(Foreign(Z, mask=Foreign(Z)))


@pytest.mark.parametrize(
    ("A", "error", "named"),
    [
        (np.ones((2, 3)), ValueError, ["(n, n)", "(2, 3)"]),
        (np.ones((0, 0)), ValueError, ["(0, 0)"]),
        (np.ones((2, 2)) * 1j, TypeError, ["complex"]),
        (np.ones((4, 4))[::2, ::2], ValueError, ["contiguous"]),
    ],
)
def test_bad_matrices_are_named(A, error, named):
    with pytest.raises(error, match=naming("A", *named)):
        eg.eigvalsh(Foreign(A))


@pytest.mark.parametrize(("stream", "number"), [(None, 0), (1, 0), (2, 2), (77, 77)])
def test_the_callers_stream_is_worked_in(fake_core, Z, stream, number):
    """1 is the legacy default stream, 2 the default one of each thread."""
    operator = eg.DiffusionOperator(Foreign(Z, stream=stream))
    operator.entropy()
    operator.matmul(np.ones(40))
    fake_core.state.calls.clear()
    eg.dse(Foreign(np.tile(Z, (8, 1)), stream=stream), method="stochastic")
    assert {"matmul", "combine", "inner", "upload"} <= set(fake_core.state.calls)
    streams = fake_core.state.streams - {0}  # the stand-in's own copies
    assert streams == {number} - {0}


def test_a_vector_is_multiplied_in_its_own_stream(fake_core, Z):
    """Where it may still be on its way, whatever the stream of the rows."""
    for rows in (Z, Foreign(Z, stream=77)):
        operator = eg.DiffusionOperator(rows, device="cuda")
        operator.trace()
        fake_core.state.streams.clear()
        operator @ Foreign(np.ones(40), stream=55)
        assert fake_core.state.streams == {55}


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_default_streams_are_the_legacy_one(cuda_core, Z, stream):
    """Computations run on threads of their own, whose default streams are not the caller's."""
    array = cuda_core.upload(Z, 0, stream)
    assert array.__cuda_array_interface__["stream"] == 1


def test_the_stride_of_a_single_entry_says_nothing(Z):
    """As torch leaves it for the transpose of a row."""
    operator = eg.DiffusionOperator(Foreign(Z), sigma=1.0)
    expected = on_host(operator @ Foreign(np.ones((40, 1))))
    found = operator @ Foreign(np.ones((40, 1)), strides=(8, 320))
    np.testing.assert_array_equal(on_host(found), expected)


def test_memory_that_is_not_aligned_is_refused(Z):
    rows = rows_of(Foreign(Z))
    with pytest.raises(ValueError, match=naming("aligned")):
        type(rows)(rows.pointer + 4, rows.shape, rows.strides, rows.dtype, 0, rows)


def test_what_is_given_back_can_be_given_again(Z):
    """Of an unknown library: arrays of the plug-in, with the interface."""
    operator = eg.DiffusionOperator(Foreign(Z), sigma=1.0)
    expected = eg.DiffusionOperator(Z, sigma=1.0)
    values = operator.eigenvalues()
    assert values.shape == (40,)
    np.testing.assert_allclose(on_host(values), expected.eigenvalues(), atol=1e-12)
    assert eg.spectral_entropy(values) == pytest.approx(float(expected.entropy()), rel=1e-10)
    product = operator @ (operator @ Foreign(np.ones(40)))
    assert product.shape == (40,)
    np.testing.assert_allclose(on_host(product), expected @ (expected @ np.ones(40)), atol=1e-12)
    coordinates = operator.diffusion_map(3)
    assert coordinates.shape == (40, 3)
    np.testing.assert_allclose(on_host(coordinates), expected.diffusion_map(3), atol=1e-10)
    result = operator.entropy()
    assert float(result.at(3.0)) == pytest.approx(float(expected.entropy(3.0)), rel=1e-10)
    single = eg.DiffusionOperator(Foreign(Z), sigma=1.0, dtype="float32").entropy().at(3.0)
    assert abs(float(single) - float(expected.entropy(3.0))) <= single.error_bound
    x = np.linspace(0, 1, 5)
    np.testing.assert_allclose(result.density(x), expected.entropy().density(x), rtol=1e-9)


def test_a_numpy_array_gets_numpy_arrays_back(Z):
    operator = eg.DiffusionOperator(Z, device="cuda")
    assert all(
        isinstance(array, np.ndarray)
        for array in (
            operator.eigenvalues(),
            operator @ np.ones(40),
            operator @ Foreign(np.ones(40)),
            operator.diffusion_map(2),
            operator.entropy().eigenvalues,
        )
    )


def test_vectors_of_another_precision_are_converted(Z):
    operator = eg.DiffusionOperator(Z, sigma=1.0, device="cuda")
    expected = eg.DiffusionOperator(Z, sigma=1.0) @ np.ones(40)
    for V in (np.ones(40, dtype=np.float32), np.ones(40, dtype=int), [1.0] * 40):
        np.testing.assert_allclose(operator @ V, expected, atol=1e-12)
    with pytest.raises(TypeError, match=naming("V", "float32", "float64")):
        operator @ Foreign(np.ones(40, dtype=np.float32))
    with pytest.raises(ValueError, match=naming("V", 40, "(39,)")):
        operator @ Foreign(np.ones(39))


def test_some_rows_are_chosen_on_the_device(Z):
    found = eg.dse(Foreign(Z), max_points=20, seed=3, sigma=1.0)
    expected = eg.dse(Z, max_points=20, seed=3, sigma=1.0)
    assert (found.n, found.sampled_from) == (20, 40)
    assert float(found) == pytest.approx(float(expected), rel=1e-10)


# ---- torch -------------------------------------------------------------------------------------
# Tensors of the host that say they are on a GPU. Those of a real one are in the tests marked gpu.


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def torch_gpu(monkeypatch):
    pretend_torch(monkeypatch)
    return lambda tensor: tensor.as_subclass(torch_on_gpu())


@pytest.mark.parametrize("dtype", FLOATS)
def test_tensors_are_read_where_they_lie(fake_core, torch, torch_gpu, Z, dtype):
    tensor = torch.from_numpy(Z).to(getattr(torch, dtype))
    for view in (tensor, tensor[::2, 1:], tensor.T, tensor.requires_grad_()[::3]):
        rows = rows_of(torch_gpu(view))
        assert rows.pointer == view.data_ptr()
        assert entropy(torch_gpu(view)) == pytest.approx(entropy(view), rel=1e-10)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_tensors_of_integers_are_converted_by_torch(fake_core, torch, torch_gpu, dtype):
    tensor = (torch.arange(60).reshape(20, 3) % 7 % 3).to(getattr(torch, dtype))
    assert rows_of(torch_gpu(tensor)).dtype == "float64"
    assert entropy(torch_gpu(tensor)) == pytest.approx(entropy(tensor), rel=1e-10)


def test_tensors_that_strides_cannot_flatten_are_copied_by_torch(fake_core, torch, torch_gpu, Z):
    tensor = torch.from_numpy(Z.reshape(40, 2, 3, 1)).transpose(1, 2)
    np.testing.assert_array_equal(rows_of(torch_gpu(tensor)).numpy(), tensor.reshape(40, 6).numpy())


def test_a_tensor_gets_tensors_back(fake_core, torch, torch_gpu, Z):
    operator = eg.DiffusionOperator(torch_gpu(torch.from_numpy(Z)), sigma=1.0)
    expected = eg.DiffusionOperator(Z, sigma=1.0)
    pairs = [
        (operator.eigenvalues(), expected.eigenvalues()),
        (operator.entropy().eigenvalues, expected.eigenvalues()),
        (operator @ torch_gpu(torch.ones(40)), expected @ np.ones(40)),
        (operator @ np.ones((40, 2)), expected @ np.ones((40, 2))),
        (operator.diffusion_map(2), expected.diffusion_map(2)),
        (eg.eigvalsh(torch_gpu(torch.eye(3))), np.ones(3)),
    ]
    for found, wanted in pairs:
        assert isinstance(found, torch_on_gpu())
        np.testing.assert_allclose(on_host(found), wanted, atol=1e-10)


def test_tensors_that_are_negated_lazily_are_negated(fake_core, torch, torch_gpu, Z):
    """The imaginary part of a conjugate has the memory of the other one's."""
    whole = torch.complex(torch.zeros(40, 6, dtype=torch.float64), torch.from_numpy(Z))
    tensor = whole.conj().imag
    assert tensor.is_neg()
    np.testing.assert_array_equal(rows_of(torch_gpu(tensor)).numpy(), -Z)
    operator = eg.DiffusionOperator(Z, sigma=1.0)
    for V in (tensor, tensor[:, 0]):
        np.testing.assert_allclose(operator @ V, operator @ V.resolve_neg().numpy(), rtol=1e-14)
    there = eg.DiffusionOperator(torch_gpu(tensor), sigma=1.0)
    found = on_host(there @ torch_gpu(tensor))
    np.testing.assert_allclose(found, operator @ -Z, atol=1e-12)


def test_labels_in_tensors_are_brought_to_the_host(fake_core, torch, torch_gpu, Z):
    labels = torch.arange(40) % 2
    expected = float(eg.dsmi(Z, labels, n_null=3, sigma=2.0))
    for rows in (Z, torch_gpu(torch.from_numpy(Z))):
        found = eg.dsmi(rows, torch_gpu(labels), n_null=3, sigma=2.0)
        assert float(found) == pytest.approx(expected, rel=1e-9)
    assert eg.spectral_entropy(torch_gpu(torch.ones(4, dtype=torch.bfloat16))) == 2.0
    assert eg.dse(torch_gpu(torch.from_numpy(Z)), max_points=10).sampled_from == 40


def test_the_current_stream_of_torch_is_asked_for_each_time(fake_core, torch, monkeypatch, Z):
    pretend_torch(monkeypatch, stream=11)
    operator = eg.DiffusionOperator(torch.from_numpy(Z).as_subclass(torch_on_gpu()))
    pretend_torch(monkeypatch, stream=12)
    operator.entropy()
    assert fake_core.state.streams >= {11, 12}


def test_a_tensor_that_is_read_later_is_kept_for_the_stream(fake_core, torch, monkeypatch, Z):
    """torch would hand its memory out again in the order of the stream that it was made in."""
    pretend_torch(monkeypatch, stream=12)
    kind = torch_on_gpu()
    operator = eg.DiffusionOperator(torch.from_numpy(Z).as_subclass(kind), sigma=1.0)
    kind.in_use.clear()
    V = torch.ones(40, 2, dtype=torch.float64, requires_grad=True).as_subclass(kind)
    product = operator @ V
    assert kind.in_use == [(V.data_ptr(), 12)]
    assert not product.requires_grad
    kind.in_use.clear()
    operator @ np.ones(40)
    operator.eigenvalues()  # which has been waited for
    assert kind.in_use == []


def test_what_torch_gets_lies_in_its_own_memory(fake_core, torch, torch_gpu, monkeypatch, Z):
    """Else `record_stream` would do nothing, and another stream might read what has gone back."""
    operator = eg.DiffusionOperator(torch_gpu(torch.from_numpy(Z)), sigma=1.0)
    ours = []

    def as_tensor(array, device):
        ours.append(torch_gpu(torch.from_numpy(array.numpy())))
        return ours[-1]

    monkeypatch.setattr(torch, "as_tensor", as_tensor)
    product = operator @ torch_gpu(torch.ones(40))
    assert product.data_ptr() != ours[0].data_ptr()
    np.testing.assert_array_equal(on_host(product), on_host(ours[0]))


def test_a_product_in_another_stream_is_waited_for(fake_core, torch, monkeypatch, Z):
    pretend_torch(monkeypatch, stream=12)
    operator = eg.DiffusionOperator(torch.from_numpy(Z).as_subclass(torch_on_gpu()), sigma=1.0)
    operator @ Foreign(np.ones(40), stream=12)
    assert "synchronize" not in fake_core.state.calls
    operator @ Foreign(np.ones(40), stream=55)
    assert "synchronize" in fake_core.state.calls


def test_tensors_on_two_devices_are_refused(fake_core, torch, torch_gpu, Z):
    operator = eg.DiffusionOperator(torch_gpu(torch.from_numpy(Z)), sigma=1.0)
    other = torch.ones(40).as_subclass(torch_on_gpu(1))
    with pytest.raises(ValueError, match=naming("V", "cuda:1", "Z", "cuda:0")):
        operator @ other
    with pytest.raises(ValueError, match=naming("Z", "cuda:0", "device", "'cuda:1'")):
        eg.dse(torch_gpu(torch.from_numpy(Z)), device=torch.device("cuda:1"))


def test_tensors_that_are_no_matrices_of_numbers_are_refused(fake_core, torch, torch_gpu):
    class SparseOnGpu(torch.Tensor):
        device, layout = torch.device("cuda", 0), torch.sparse_coo

    with pytest.raises(TypeError, match=naming("sparse", "Z.to_dense")):
        eg.dse(SparseOnGpu())
    with pytest.raises(TypeError, match=naming("Z", "complex")):
        eg.dse(torch_gpu(torch.eye(3, dtype=torch.complex64)))
    with pytest.raises(TypeError, match=naming("Z", "float8_e4m3fn")):
        eg.dse(torch_gpu(torch.eye(3).to(torch.float8_e4m3fn)))
    with pytest.raises(ValueError, match=naming("Z", "(0, 3)")):
        eg.dse(torch_gpu(torch.empty(0, 3)))


# ---- CuPy, and DLPack --------------------------------------------------------------------------


def test_cupy_arrays_are_read_where_they_lie_and_given_back(fake_core, monkeypatch, Z):
    cupy = pretend_cupy(monkeypatch, stream=21)
    for array in (Z, Z[::2].astype(np.float16), Z.T, (Z > 0), Z.reshape(40, 2, 3, 1)):
        expected = float(eg.dse(array, sigma=2.0))
        assert entropy(cupy.asarray(array)) == pytest.approx(expected, rel=1e-10)
    assert rows_of(cupy.asarray(Z)).pointer == Z.__array_interface__["data"][0]
    operator = eg.DiffusionOperator(cupy.asarray(Z), sigma=1.0)
    expected = eg.DiffusionOperator(Z, sigma=1.0)
    assert isinstance(operator.eigenvalues(), cupy.ndarray)
    np.testing.assert_allclose(operator.eigenvalues().get(), expected.eigenvalues(), atol=1e-12)
    product = operator @ cupy.asarray(np.ones((40, 2), dtype=np.float32)[:, ::-1])
    assert isinstance(product, cupy.ndarray)
    np.testing.assert_allclose(product.get(), expected @ np.ones((40, 2)), atol=1e-12)
    assert fake_core.state.streams >= {21}
    labels = np.arange(40) % 2
    found = eg.dsmi(cupy.asarray(Z), cupy.asarray(labels), n_null=2, max_points=30)
    assert float(found) == pytest.approx(float(eg.dsmi(Z, labels, n_null=2, max_points=30)))


def test_what_is_given_back_keeps_its_stream_of_cupy(cuda_core, monkeypatch, Z):
    """Its memory goes back in that stream's order, whose number may else be another's by then."""
    if not hasattr(cuda_core, "emulation"):
        pytest.skip("what stands in for CuPy has its memory on the host")

    class Stream:
        ptr = cuda_core.emulation.make_stream()

    cupy = pretend_cupy(monkeypatch)
    rows = cupy.asarray(Z)
    cupy.asarray = lambda array: array  # those of the plug-in, as they are
    current = [Stream()]
    cupy.cuda.get_current_stream = lambda: current[0]
    stream = weakref.ref(current[0])
    operator = eg.DiffusionOperator(rows, sigma=1.0)
    product = operator @ np.ones(40)
    current[0] = None
    gc.collect()
    assert stream() is not None
    del product, operator
    gc.collect()
    assert stream() is None


class DLPackOnly:
    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **options):
        raise AssertionError("this stands in for a capsule")


def test_dlpack_is_read_through_torch_or_cupy(fake_core, torch, monkeypatch, Z):
    capsule = DLPackOnly()
    cupy = pretend_cupy(monkeypatch)
    read = []
    cupy.from_dlpack = lambda value: read.append(value) or cupy.asarray(Z)
    assert entropy(capsule) == pytest.approx(entropy(Z), rel=1e-10)
    assert set(read) == {capsule}
    pretend_torch(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    tensor = torch.from_numpy(2 * Z).as_subclass(torch_on_gpu())
    monkeypatch.setattr(torch, "from_dlpack", lambda value: tensor)
    assert entropy(capsule) == pytest.approx(entropy(2 * Z), rel=1e-10)


def test_dlpack_alone_needs_torch_or_cupy():
    with pytest.raises(NotImplementedError, match=naming("PyTorch", "CuPy")):
        eg.dse(DLPackOnly())


# ---- Without any plug-in -----------------------------------------------------------------------


def test_recognising_an_array_asks_for_nothing(monkeypatch, Z):
    monkeypatch.setattr(plugin, "core", None)  # which would fail
    array = device_array(Foreign(Z), "Z")
    assert array is not None
    assert device_rows(array, "Z").shape == (40, 6)
    for host in (Z, Z.tolist(), 3.0, None):
        assert device_array(host, "Z") is None


# ---- On a GPU ----------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", FLOATS)
def test_tensors_of_a_gpu_are_those_of_the_host(torch, Z, dtype):
    host = torch.from_numpy(Z).to(getattr(torch, dtype))
    tensor = host.cuda()
    for view in (slice(None), slice(None, None, 2)):
        assert entropy(tensor[view]) == pytest.approx(entropy(host[view]), rel=1e-6)
    operator = eg.DiffusionOperator(tensor, sigma=1.0)
    assert operator.rows.pointer == tensor.data_ptr()
    found = operator @ tensor.double()
    assert found.device == tensor.device
    wanted = eg.DiffusionOperator(host, sigma=1.0) @ host.double().numpy()
    np.testing.assert_allclose(found.cpu().numpy(), wanted, atol=1e-9)
    assert operator.eigenvalues().device == tensor.device


@pytest.mark.gpu
def test_work_is_done_in_the_current_stream_of_torch(torch):
    """The rows are written behind a long queue of another stream than the default one."""
    stream = torch.cuda.Stream()
    expected = entropy(torch.linspace(0, 5, 600, dtype=torch.float64).reshape(200, 3))
    with torch.cuda.stream(stream):
        rows = torch.zeros(200, 3, dtype=torch.float64, device="cuda")
        busy = torch.randn(4000, 4000, device="cuda")
        for _ in range(50):
            busy = busy @ busy / 100
        rows += torch.linspace(0, 5, 600, dtype=torch.float64, device="cuda").reshape(200, 3)
        assert entropy(rows) == pytest.approx(expected, rel=1e-9)


@pytest.mark.gpu
def test_cupy_arrays_of_a_gpu_are_those_of_the_host(Z):
    cupy = pytest.importorskip("cupy")
    operator = eg.DiffusionOperator(cupy.asarray(Z), sigma=1.0)
    assert isinstance(operator.eigenvalues(), cupy.ndarray)
    assert entropy(cupy.asarray(Z)) == pytest.approx(entropy(Z), rel=1e-9)
