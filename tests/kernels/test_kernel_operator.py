"""_core.KernelOperator: products with the operator, from its matrix and without one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from checks import assert_products
from eigentropy import _core, reference
from eigentropy._backends.host_arrays import as_matrix
from messages import naming

BLOCK = _core.widest_block
ALL = float("inf")


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_products_are_those_of_the_definition(rng, alpha, dtype, explicit):
    Z = rng.normal(size=(450, 6))
    A = _core.KernelOperator(Z, 1.5, alpha, dtype, explicit)
    assert_products(A, Z, 1.5, alpha, dtype)


@pytest.mark.parametrize("d", [1, BLOCK - 1, BLOCK + 1, 5000])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_of_any_length(rng, d, dtype):
    Z = 10 + rng.normal(size=(60, d))
    sigma = 0.8 * d**0.5
    assert_products(_core.KernelOperator(Z, sigma, 0.5, dtype), Z, sigma, 0.5, dtype)


@pytest.mark.parametrize("of_input", ["float16", "float32", "float64"])
def test_rows_of_any_precision(rng, of_input):
    Z = rng.normal(size=(210, 9)).astype(of_input)
    A = _core.KernelOperator(as_matrix(Z), 2.0, 0.5, "float64")
    assert_products(A, Z.astype("float64"), 2.0, 0.5, "float64")


@pytest.mark.parametrize(
    "view", [lambda Z: Z[::2], lambda Z: Z[:, ::3], lambda Z: Z[::-1], np.asfortranarray]
)
def test_rows_of_any_layout(rng, view):
    Z = view(rng.normal(size=(210, 9)))
    assert_products(_core.KernelOperator(Z, 2.0, 0.5, "float64"), Z, 2.0, 0.5, "float64")


@pytest.mark.parametrize("explicit", [False, True])
def test_the_trivial_pair_is_an_eigenpair(rng, explicit):
    A = _core.KernelOperator(rng.normal(size=(300, 5)), 1.0, 0.7, "float64", explicit)
    v = np.sqrt(A.degrees)[:, None]
    np.testing.assert_allclose(A.matmul(v), v, rtol=1e-12)


def test_isolated_points_give_the_identity(rng):
    Z = 1e3 * np.arange(300.0)[:, None]
    V = rng.normal(size=(300, 7))
    A = _core.KernelOperator(Z, 1.0, 0.5, "float32")
    np.testing.assert_allclose(A.matmul(V), V, rtol=1e-7)
    assert A.trace == A.frobenius2 == A.kernel_sum == 300.0


def test_one_isolated_point_among_others(rng):
    Z = rng.normal(size=(300, 3))
    Z[7] = 1e3
    assert_products(_core.KernelOperator(Z, 1.0, 0.5, "float64"), Z, 1.0, 0.5, "float64")


def test_identical_rows_give_the_mean(rng):
    V = rng.normal(size=(300, 3))
    A = _core.KernelOperator(np.full((300, 4), 0.1), 1e-6, 0.5, "float64")
    np.testing.assert_allclose(A.matmul(V), np.tile(V.mean(axis=0), (300, 1)), atol=1e-14)
    assert A.trace == pytest.approx(1.0, rel=1e-14)
    assert A.frobenius2 == pytest.approx(1.0, rel=1e-14)


def test_clouds_far_apart_keep_their_distances(rng):
    """Single precision products of such rows have no correct digit: differences are summed."""
    centres = 1e3 * rng.normal(size=(3, 12))
    Z = (rng.normal(size=(300, 12)) + centres[np.arange(300) % 3]).astype("f4")
    expected = reference.diffusion_operator(Z, 2.0, 0.5)
    V = rng.uniform(-1, 1, size=(300, 20))
    product = _core.KernelOperator(Z, 2.0, 0.5, "float32").matmul(V)
    np.testing.assert_allclose(product, expected @ V, atol=2e-4)  # the rounding of centred rows


@pytest.mark.parametrize("limit", [ALL, 0.0, 4 * 2 * 384 * 20])
def test_a_mapped_file_is_read_in_stretches(tmp_path, rng, limit):
    Z = rng.normal(size=(1000, 20)).astype("f4")
    np.save(tmp_path / "z.npy", Z)
    mapped = np.load(tmp_path / "z.npy", mmap_mode="r")
    A = _core.KernelOperator(mapped, 3.0, 0.5, "float32", memory_limit=limit)
    del mapped
    assert_products(A, Z, 3.0, 0.5, "float32")


@pytest.mark.slow
def test_rows_in_stretches_take_no_more_memory_than_allowed(tmp_path):
    """The anonymous memory of a process leaves out the pages of a mapped file."""
    script = """
        import sys, numpy as np
        from eigentropy import _core

        def anonymous():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

        Z = np.lib.format.open_memmap(sys.argv[1], mode="w+", dtype="f4", shape=(3000, 8000))
        Z[:] = np.random.default_rng(0).normal(size=8000)
        before, peak = anonymous(), []
        A = _core.KernelOperator(Z, 1.0, 0.0, "float32", memory_limit=20e6,
                                 progress=lambda done: peak.append(anonymous()))
        print(max(peak) - before)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path / "z.npy"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 45e3  # kB; all rows take 96 MB


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_are_bitwise_the_same_for_every_number_of_threads(rng, dtype, explicit):
    Z, V = rng.normal(size=(1200, 10)), rng.normal(size=(1200, 33))
    threads = _core.thread_count()
    results = []
    try:
        for count in (1, 2, 5):
            _core.set_thread_count(count)
            A = _core.KernelOperator(Z, 1.5, 0.5, dtype, explicit)
            parts = A.matmul(V), A.degrees, A.trace, A.frobenius2, A.kernel_sum
            results.append([np.asarray(part).tobytes() for part in parts])
    finally:
        _core.set_thread_count(threads)
    assert results[0] == results[1] == results[2]


def test_the_norm_is_the_same_before_and_after_a_product(rng):
    Z = rng.normal(size=(700, 10))
    before, after = (_core.KernelOperator(Z, 1.5, 0.5, "float32") for _ in range(2))
    after.matmul(rng.normal(size=(700, 40)))
    assert before.frobenius2 == after.frobenius2


@pytest.mark.parametrize("explicit", [False, True])
def test_python_threads_agree_with_one(rng, explicit):
    A = _core.KernelOperator(rng.normal(size=(900, 10)), 1.5, 0.5, "float32", explicit)
    blocks = [rng.normal(size=(900, m)) for m in (3, 20, 40, 64)]
    expected = [A.matmul(V) for V in blocks]
    with ThreadPoolExecutor(4) as pool:
        for product, alone in zip(pool.map(A.matmul, blocks * 3), expected * 3, strict=True):
            np.testing.assert_array_equal(product, alone)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_multiplies_as_its_parent_does(rng):
    A = _core.KernelOperator(rng.normal(size=(500, 10)), 1.5, 0.5, "float32")
    V = rng.normal(size=(500, 20))
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=lambda: send.send(A.matmul(V)))
    child.start()
    assert receive.poll(30)
    np.testing.assert_array_equal(receive.recv(), A.matmul(V))
    child.join(30)


def test_progress_rises_to_1(rng):
    Z, V = rng.normal(size=(6000, 100)), rng.normal(size=(6000, 64))
    A = _core.KernelOperator(Z[:, :1], 2.0, 0.5, "float32")
    for call in (
        lambda report: _core.KernelOperator(Z, 2.0, 0.5, "float32", progress=report),
        lambda report: A.matmul(V, progress=report),
    ):
        seen = []
        call(seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == 1.0
        assert all(0.0 <= done <= 1.0 for done in seen)


def test_ctrl_c_stops_a_product_and_leaves_the_operator_usable(rng):
    Z, V = rng.normal(size=(12_000, 300)), rng.normal(size=(12_000, 64))
    few = rng.normal(size=(12_000, 1))

    def interrupt(done):
        os.kill(os.getpid(), signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _core.KernelOperator(Z, 20.0, 0.5, "float32", progress=interrupt)
        A = _core.KernelOperator(Z[:, :3], 1.0, 0.0, "float32")
        before = A.matmul(few)
        with pytest.raises(KeyboardInterrupt):
            A.matmul(np.tile(V, 10), progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, handler)
    np.testing.assert_array_equal(A.matmul(few), before)


def test_rows_that_are_not_finite_are_named(rng):
    Z = rng.normal(size=(300, 5))
    Z[211, 2] = np.nan
    for limit in (ALL, 0.0):
        with pytest.raises(ValueError, match=naming("row 211", 300)):
            _core.KernelOperator(Z, 1.0, 0.5, "float64", memory_limit=limit)


@pytest.mark.parametrize("shape", [(299, 2), (300,), (300, 2, 2)])
def test_vectors_of_another_shape_are_refused(rng, shape):
    A = _core.KernelOperator(rng.normal(size=(300, 5)), 1.0, 0.5, "float64")
    with pytest.raises(ValueError, match=naming("V", "Z")):
        A.matmul(np.ones(shape))
