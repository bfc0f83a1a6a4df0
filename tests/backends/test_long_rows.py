"""Rows longer than a block of columns, and matrices that stay in their file."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import _core, reference
from eigentropy._backends.devices import HOST
from eigentropy._kernels.matrix import require_matrix_memory
from eigentropy._support import memory
from messages import naming

BLOCK = _core.widest_block
LABELS = np.arange(60) % 3


@pytest.fixture
def mapped(tmp_path):
    """Write an array to a file and map it."""

    def map_array(Z):
        np.save(tmp_path / "z.npy", Z)
        return np.load(tmp_path / "z.npy", mmap_mode="r")

    return map_array


def clustered_rows(rng, n, d, dtype):
    """Rows about three centres, some of them twice, far from 0."""
    Z = 100 + rng.normal(size=(n, d)) + 2 * rng.normal(size=(3, d))[np.arange(n) % 3]
    Z[-5:] = Z[:5]
    return Z.astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "working", "tolerance"),
    [("float64", "float64", 1e-12), ("float32", "float64", 1e-12), ("float32", "float32", 2e-5)],
)
@pytest.mark.parametrize("d", [BLOCK - 1, BLOCK, BLOCK + 1, 40_009])
def test_entropy_and_information_of_a_mapped_file_are_those_of_the_definition(
    mapped, rng, d, dtype, working, tolerance
):
    Z = clustered_rows(rng, 60, d, dtype)
    sigma = 1.3 * d**0.5
    expected = reference.diffusion_spectral_entropy(Z, sigma)
    entropy = eg.dse(mapped(Z), sigma=sigma, dtype=working)
    assert float(entropy) == pytest.approx(expected, rel=tolerance)
    information = eg.dsmi(mapped(Z), LABELS, sigma=sigma, dtype=working, estimator="plain")
    expected = reference.plain_information(Z, LABELS, sigma)
    assert float(information) == pytest.approx(expected, rel=20 * tolerance)


@pytest.mark.parametrize("rule", ["median", "knn", "max-slope"])
def test_bandwidths_of_a_mapped_file_are_those_of_the_distances(mapped, rng, rule):
    """The same distances in 60 columns: those of Z rotated."""
    Z = rng.normal(size=(60, 3 * BLOCK))
    short = np.linalg.qr(Z.T, mode="r").T
    assert eg.bandwidth(mapped(Z), rule) == pytest.approx(eg.bandwidth(short, rule), rel=1e-9)


def test_equal_long_rows_have_the_distance_0(mapped, rng):
    Z = 1e4 * rng.normal(size=(20, 5 * BLOCK + 1))
    Z[10:] = Z[:10]
    A, *_ = _core.matrix(mapped(Z), 1e-3, None, "float64")
    np.testing.assert_array_equal(A, np.tile(np.eye(10), (2, 2)))


def test_kernels_of_long_rows_are_bitwise_the_same_for_every_number_of_threads(rng):
    Z = rng.normal(size=(600, 3 * BLOCK + 17))
    threads = _core.thread_count()
    try:
        results = []
        for count in (1, 2, 5):
            _core.set_thread_count(count)
            A, trace, frobenius2, degrees = _core.matrix(Z, 30.0, 0.5, "float64")
            results.append((A.tobytes(), trace, frobenius2, degrees.tobytes()))
        assert results[0] == results[1] == results[2]
    finally:
        _core.set_thread_count(threads)


def test_a_row_with_nan_in_a_mapped_file_is_named(mapped, rng):
    Z = rng.normal(size=(30, 20_000)).astype(np.float32)
    Z[17, -1] = np.nan
    Z[21, 5_000] = np.inf
    with pytest.raises(ValueError, match=naming("Z", "2 of its 30", "row 17")):
        eg.dse(mapped(Z))


def test_required_memory_does_not_grow_with_the_dimension(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 8.0 * 300 * (300 + BLOCK))
    Z = np.broadcast_to(np.arange(300.0)[:, None], (300, 5_000_000))
    operator = eg.DiffusionOperator(Z[:, :BLOCK], sigma=1e3)
    assert len(operator.eigenvalues()) == 300
    require_matrix_memory(300, 5_000_000, "float64", rows=300)
    with pytest.raises(MemoryError):
        require_matrix_memory(300, BLOCK, "float64", rows=300)


def test_the_reach_of_long_rows_is_that_of_the_furthest(rng):
    half = rng.normal(size=(150, 50_000)).astype(np.float32)
    half[101] *= 10  # now the furthest
    Z = np.concatenate([half, -half])  # the centre, a rounded mean, is 0
    expected = np.linalg.norm(half[101].astype(np.float64)) / 0.5
    assert HOST.reach(Z, 0.5) == pytest.approx(expected, rel=1e-9)


# The anonymous memory of a process leaves out the pages of a mapped file.
MEASURED = """
    import os, sys, threading
    import numpy as np, eigentropy as eg
    from eigentropy.cli import commands  # what it imports is not what is measured

    def anonymous():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

    def watch():
        global peak
        while not done.wait(0.001):
            peak = max(peak, anonymous())

    path = sys.argv[1]
    labels = np.arange(200) % 4
    # BLAS and the allocator keep memory for each thread that has been at work. 1500 rows keep both
    # threads at work, and after three calls nothing more is kept.
    for _ in range(3):
        eg.dse(np.random.default_rng(0).normal(size=(1500, 300)), sigma="knn", dtype="float32")
        eg.dsmi(np.random.default_rng(0).normal(size=(200, 3000)), labels)
    before = peak = anonymous()
    done = threading.Event()
    threading.Thread(target=watch).start()
    try:
        {call}
    finally:
        done.set()
    print((max(peak, anonymous()) - before) / 1024)
"""


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    """80 MB: 2 MB is what the matrix of its 200 rows and a block of columns take."""
    path = tmp_path_factory.mktemp("large") / "z.npy"
    Z = np.lib.format.open_memmap(path, "w+", np.float32, (200, 100_000))
    rng = np.random.default_rng(0)
    for row in range(200):
        Z[row] = rng.normal(size=100_000)
    Z.flush()
    return path


def run_script(script, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True, text=True, timeout=300, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "eg.dse(np.load(path, mmap_mode='r'))",
        "eg.dse(np.load(path, mmap_mode='r'), sigma='knn', dtype='float32')",
        "eg.dse(np.load(path, mmap_mode='r')[::-1, ::2], sigma='max-slope')",
        "eg.dse(np.load(path, mmap_mode='r').reshape(200, 10, 100, 100), sigma=300.0)",
        "eg.dsmi(np.load(path, mmap_mode='r'), labels, n_null=2)",
        "eg.DiffusionOperator(np.load(path, mmap_mode='r')).diffusion_map(2)",
        "eg.DiffusionOperator(np.load(path, mmap_mode='r')) @ np.ones(200)",
        "commands.app(['measure', path, '--json'], standalone_mode=False)",
    ],
)
def test_a_mapped_file_is_not_loaded(call, large_file):
    script = textwrap.dedent(MEASURED).format(call=call)
    result = run_script(script, str(large_file), EIGENTROPY_NUM_THREADS="2")
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.splitlines()[-1]) < 20  # MiB
