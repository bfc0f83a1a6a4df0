"""Arrays larger than memory: Zarr arrays, and mapped files that cannot be read in place."""

from __future__ import annotations

import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from threadpoolctl import threadpool_limits
from typer.testing import CliRunner

import eigentropy as eg
from eigentropy._backends.costs import Costs
from eigentropy._backends.host_arrays import as_matrix
from eigentropy._kernels import bandwidth, matrix
from eigentropy._measures.entropy import entropies
from eigentropy._measures.information import informations
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._support import mapped_files, memory
from eigentropy.cli import commands
from eigentropy.io import FileError, files, safetensors, snapshots
from messages import naming


@pytest.fixture(autouse=True, scope="module")
def one_thread_of_numpy():
    """NumPy's threads wait for each other by spinning, which takes long on a busy machine."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Nothing fits into memory, and the directory for temporary files is this one."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    monkeypatch.setattr(mapped_files, "fits_in_memory", lambda size: False)
    monkeypatch.setattr(mapped_files, "COPIED_AT_A_TIME", 1000)
    monkeypatch.setattr("eigentropy._backends.host_arrays.fits_in_memory", lambda size: False)
    return directory


def files_mapped_in(directory):
    """How many files of the directory this process has mapped, those without a name too."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return len({line.split()[4] for line in lines if str(directory) in line})


def zarr_array(Z, path=None, chunks=None, **options):
    """Z as a Zarr array."""
    array = zarr.open_array(
        path and str(path), mode="w", shape=Z.shape, chunks=chunks or Z.shape, dtype=Z.dtype,
        **options,
    )  # fmt: skip
    array[...] = Z
    return array


@pytest.fixture
def Z(rng):
    return rng.normal(size=(60, 12))


@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    chunks=st.lists(st.integers(1, 50), min_size=3, max_size=3),
    at_most=st.integers(1, 5000),
)
def test_regions_are_whole_chunks_and_cover_an_array_once(shape, chunks, at_most):
    chunks = chunks[: len(shape)]
    steps = mapped_files._steps(shape, chunks, at_most)
    counts = np.zeros(shape, dtype=int)
    for _, region in mapped_files._regions(shape, steps):
        counts[region] += 1
        one_chunk = math.prod(min(c, n) for c, n in zip(chunks, shape, strict=True))
        assert counts[region].size <= max(at_most, one_chunk)
        for part, chunk in zip(region, chunks, strict=True):
            assert part.start % chunk == 0
    assert (counts == 1).all()


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "u1", "?"])
@pytest.mark.parametrize("chunks", [(7, 12), (60, 5), (60, 12)])
def test_a_zarr_array_has_its_rows(request, Z, dtype, chunks, fits):
    if not fits:
        request.getfixturevalue("temporary")
    Z = (3 * Z).astype(dtype)
    matrix = as_matrix(zarr_array(Z, chunks=chunks))
    assert isinstance(matrix, np.memmap) != fits
    assert matrix.dtype == (np.float32 if dtype in ("f2", "f4") else np.float64)
    np.testing.assert_array_equal(matrix, Z.astype("f8"))


def test_a_zarr_array_of_more_dimensions_is_flattened(temporary, Z):
    array = zarr_array(Z.reshape(60, 2, 3, 2), chunks=(8, 2, 2, 1))
    np.testing.assert_array_equal(as_matrix(array), Z)


def test_entropy_and_information_of_a_zarr_array_are_those_of_its_rows(temporary, Z):
    array, labels = zarr_array(Z, chunks=(9, 5)), np.arange(60) % 3
    assert eg.bandwidth(array) == eg.bandwidth(Z)
    assert float(eg.dse(array)) == float(eg.dse(Z))
    assert float(eg.dsmi(array, labels)) == float(eg.dsmi(Z, labels))


def test_a_sample_of_a_zarr_array_is_that_of_its_rows(Z, monkeypatch):
    array = zarr_array(Z, chunks=(9, 5))
    monkeypatch.setattr(zarr.Array, "__array__", None)  # which reads all of it
    sampled, expected = eg.dse(array, max_points=20, seed=3), eg.dse(Z, max_points=20, seed=3)
    assert float(sampled) == float(expected)
    assert sampled.sampled_from == 60
    labels = np.arange(60) % 3
    information = eg.dsmi(array, labels, max_points=30)
    assert float(information) == float(eg.dsmi(Z, labels, max_points=30))


def test_zarr_arrays_are_checked_as_others_are(temporary, Z):
    with pytest.raises(ValueError, match=naming("Z", "1-d", 60)):
        as_matrix(zarr_array(Z[:, 0]))
    with pytest.raises(ValueError, match=naming("Z", "(0, 12)")):
        as_matrix(zarr_array(Z[:0], chunks=(1, 12)))
    with pytest.raises(TypeError, match=naming("Z", "complex")):
        as_matrix(zarr_array(Z.astype(complex)))
    Z[41, 3] = np.nan
    with pytest.raises(ValueError, match=naming("Z", "1 of its 60", "row 41")):
        as_matrix(zarr_array(Z, chunks=(7, 7)))


# Mapped files that are not float32 or float64, or not as this machine writes them.


@pytest.mark.parametrize("dtype", ["f2", "i8", "?", ">f4", ">f8", ">i2"])
def test_a_mapped_file_of_another_dtype_is_copied_to_one_of_floats(temporary, tmp_path, Z, dtype):
    Z = (3 * Z).astype(dtype)
    np.save(tmp_path / "z.npy", Z)
    matrix = as_matrix(np.load(tmp_path / "z.npy", mmap_mode="r"))
    assert isinstance(matrix, np.memmap)
    assert matrix.dtype.isnative
    np.testing.assert_array_equal(matrix, Z.astype("f8"))


def test_bfloat16_in_a_file_is_copied_to_one_of_float32(temporary, tmp_path, Z):
    tensor = torch.from_numpy(Z).bfloat16()
    save_file({"Z": tensor}, tmp_path / "z.safetensors")
    matrix = safetensors.opened(tmp_path / "z.safetensors", fits=lambda size: False)["Z"]()
    assert isinstance(matrix, np.memmap)
    assert matrix.filename is None
    np.testing.assert_array_equal(matrix, tensor.float().numpy())


def test_rows_that_cannot_be_flattened_in_place_are_copied(temporary, Z):
    view = Z.reshape(60, 4, 3, 1)[:, ::2]
    matrix = as_matrix(view)
    assert isinstance(matrix, np.memmap)
    np.testing.assert_array_equal(matrix, view.reshape(60, 6))


def test_rows_that_can_be_read_in_place_are_not_copied(temporary, Z):
    for view in (Z, Z[::2, ::3], Z.T, Z.reshape(60, 4, 3, 1), Z[::-1].reshape(60, 1, 4, 3)):
        assert np.shares_memory(as_matrix(view), Z)


# The temporary file.


def test_the_temporary_file_has_no_name_and_ends_with_the_array(temporary, Z):
    matrix = as_matrix(zarr_array(Z, chunks=(7, 12)))
    view = matrix[3:, ::2]
    del matrix
    assert files_mapped_in(temporary) == 1
    np.testing.assert_array_equal(view, Z[3:, ::2])
    del view
    gc.collect()
    assert files_mapped_in(temporary) == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_copy_leaves_nothing(temporary, Z, error):
    class Failing:
        shape = Z.shape
        blocks = 0

        def __getitem__(self, region):
            self.blocks += 1
            assert files_mapped_in(temporary) == 1
            if self.blocks == 3:
                raise error
            return Z[region]

    source = Failing()
    with pytest.raises(error):
        mapped_files.mapped_copy(source, "f8", (7, 12), "Z")
    assert source.blocks == 3
    gc.collect()
    assert files_mapped_in(temporary) == 0
    assert list(temporary.iterdir()) == []


def test_a_temporary_directory_without_room_is_named_with_the_bytes(temporary, monkeypatch, Z):
    array = zarr_array(Z.astype("f4"))
    usage = shutil_usage(free=2000)
    monkeypatch.setattr(mapped_files.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(MemoryError) as caught:
        as_matrix(array)
    for part in (str(temporary), "(2880 bytes)", "(2000 bytes)", "TMPDIR"):
        assert part in str(caught.value)


def shutil_usage(free):
    return type("Usage", (), {"free": free})()


def test_a_disk_that_fills_up_is_an_error_before_anything_is_copied(temporary, monkeypatch, Z):
    def full(descriptor, offset, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped_files.os, "posix_fallocate", full)
    with pytest.raises(MemoryError, match=naming("5760 bytes", "TMPDIR")):
        as_matrix(zarr_array(Z))
    assert list(temporary.iterdir()) == []


def test_a_temporary_directory_in_memory_counts_as_memory(temporary, monkeypatch, Z):
    monkeypatch.setattr(mapped_files, "_is_in_memory", lambda directory: True)
    monkeypatch.setattr(memory, "available", lambda: 8000.0)
    with pytest.raises(MemoryError, match=naming("tmpfs", "2000 bytes")):
        as_matrix(zarr_array(Z))


def test_progress_of_a_copy_rises_to_1(temporary, Z):
    seen = []
    as_matrix(zarr_array(Z, chunks=(7, 12)), progress=seen.append)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


# The estimate, with rows that are read again for each product.


def test_estimates_do_not_depend_on_how_many_rows_are_in_memory(monkeypatch, rng):
    Z = rng.normal(size=(900, 6)) + 4 * rng.normal(size=(2, 6))[np.arange(900) % 2]
    options = {"method": "stochastic", "tol": 1e-2}
    plan = SpectrumPlan(**options, costs=Costs(memory=0.0))  # no matrix is kept
    labels = np.arange(900) % 2
    results = []
    for share in (1.0, 0.0):  # of one tile at least
        monkeypatch.setattr(matrix, "ROWS_SHARE", share)
        operator = eg.DiffusionOperator(Z)
        (entropy,) = entropies(operator, [1.0], 2.0, plan)
        (information,) = informations(
            operator, labels, [1.0], plan, estimator="plain", n_null=0, base=2.0, seed=0,
            progress=None,
        )  # fmt: skip
        results.append((entropy, information))
    for all_rows, streamed in zip(*results, strict=True):
        assert all_rows.method == streamed.method == "stochastic"
        assert float(streamed) == pytest.approx(float(all_rows), rel=1e-6)
        assert streamed.standard_error == pytest.approx(all_rows.standard_error, rel=1e-3)


# The anonymous memory of a process leaves out the pages of a mapped file. What an estimate takes
# beside the rows is measured with few columns.
MEASURED = """
    import sys, threading
    import numpy as np, eigentropy as eg, zarr
    from eigentropy._kernels import bandwidth
    from eigentropy._support import memory, mapped_files

    def anonymous():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

    def peak_of(call):
        peak, done = [anonymous()], threading.Event()

        def watch():
            while not done.wait(0.001):
                peak.append(anonymous())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            result = call()
        finally:
            done.set()
            thread.join()
        return result, max(peak) / 1024

    path = sys.argv[1]
    is_zarr = path.endswith(".zarr")
    Z = zarr.open_array(path, mode="r") if is_zarr else np.load(path, mmap_mode="r")
    few = np.asarray(Z[:, :10])
    memory.available = lambda: 2e7
    mapped_files.COPIED_AT_A_TIME = 2**20
    bandwidth.SAMPLE_ROWS = 300
    _, beside = peak_of(lambda: eg.dse(few, method="stochastic", tol=1e-2))
    entropy, peak = peak_of(lambda: eg.dse(Z, method="stochastic", tol=1e-2))
    print(peak - beside, float(entropy), entropy.method)
"""


@pytest.fixture(scope="module")
def large_rows():
    """Take 51 MB in float32."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(1600, 8000)).astype("f2")
    Z += (3 * rng.normal(size=(3, 8000))).astype("f2")[np.arange(1600) % 3]
    return Z


@pytest.fixture(scope="module")
def large_entropy(large_rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bandwidth, "SAMPLE_ROWS", 300)
        sigma = eg.bandwidth(large_rows)
    return float(eg.dse(large_rows, method="stochastic", sigma=sigma, tol=1e-2))


@pytest.mark.parametrize("kind", ["z.npy", "z.zarr"])
def test_the_rows_of_an_estimate_are_not_loaded(tmp_path, large_rows, large_entropy, kind):
    if kind == "z.npy":
        np.save(tmp_path / kind, large_rows.astype("f4"))
    else:
        zarr_array(large_rows, tmp_path / kind, chunks=(100, 2000))
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURED), str(tmp_path / kind)],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    growth, entropy, method = result.stdout.split()
    assert method == "stochastic"
    assert float(entropy) == pytest.approx(large_entropy, rel=1e-6)
    assert float(growth) < 30  # MiB; two blocks of rows take 12 MB


# Zarr directories as files.


def test_the_command_line_reads_a_zarr_directory(tmp_path, Z):
    zarr_array(Z, tmp_path / "z.zarr", chunks=(7, 12))
    arguments = ["measure", str(tmp_path / "z.zarr"), "--json"]
    result = CliRunner().invoke(commands.app, arguments)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["dse"][0]["value"] == float(eg.dse(Z))


def test_arrays_of_a_group_have_names(tmp_path, Z):
    path = tmp_path / "run.zarr"
    zarr_array(Z, path / "layers" / "first", chunks=(7, 12))
    zarr_array(np.arange(60), path / "y")
    for group in (path, path / "layers"):
        zarr.open_group(str(group), mode="a")
    np.testing.assert_array_equal(files.read_matrix(f"{path}:layers/first"), Z)
    np.testing.assert_array_equal(files.read_labels(path, "y"), np.arange(60))
    matrix, labels = files.read_sample(path, column="y")
    np.testing.assert_array_equal(matrix, Z)
    assert len(labels) == 60
    assert files.read_variable(path, "y").shape == (60, 1)
    with pytest.raises(FileError, match=naming(2, "'layers/first'", "'y'")):
        files.read_matrix(path)


def test_zarr_directories_are_snapshots(tmp_path, Z):
    for epoch in (10, 2):
        zarr_array(Z, tmp_path / f"epoch{epoch}.zarr", chunks=(7, 12))
    found = snapshots.find_snapshots(tmp_path)
    assert [path.name for path in found] == ["epoch2.zarr", "epoch10.zarr"]
    assert snapshots.find_snapshots(tmp_path / "epoch2.zarr") == [tmp_path / "epoch2.zarr"]


def test_what_is_no_zarr_store_is_named(tmp_path, Z):
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(FileError, match=naming("empty.zarr")):
        files.read_matrix(tmp_path / "empty.zarr")
    (tmp_path / "file.zarr").write_bytes(b"zarr")
    with pytest.raises(FileError, match=naming("file.zarr", "directory")):
        files.read_matrix(tmp_path / "file.zarr")


def test_a_damaged_chunk_is_an_error_that_names_the_directory(tmp_path, Z):
    zarr_array(Z, tmp_path / "z.zarr", chunks=(7, 12))
    chunks = [path for path in (tmp_path / "z.zarr").rglob("*") if path.name[0] not in ".cz"]
    for path in chunks:
        if path.is_file():
            path.write_bytes(b"damaged")
    with pytest.raises(FileError, match=naming("z.zarr")):
        files.read_matrix(tmp_path / "z.zarr")


@pytest.mark.parametrize("place", ["filters", "compressor"])
def test_chunks_that_are_pickles_are_refused(tmp_path, place):
    path = tmp_path / "z.zarr"
    path.mkdir()
    pickled = {"id": "pickle", "protocol": 5}
    description = {
        "zarr_format": 2, "shape": [4, 2], "chunks": [4, 2], "dtype": "<f8", "order": "C",
        "fill_value": 0, "compressor": None, "filters": None,
    }  # fmt: skip
    description[place] = [pickled] if place == "filters" else pickled
    (path / ".zarray").write_text(json.dumps(description))
    (path / "0.0").write_bytes(b"cos\nmkdir\n(V" + str(tmp_path / "ran").encode() + b"\ntR.")
    with pytest.raises(FileError, match=naming("pickle")):
        files.read_matrix(path)
    assert not (tmp_path / "ran").exists()


def test_zarr_that_is_not_installed_is_asked_for(tmp_path, Z, monkeypatch):
    zarr_array(Z, tmp_path / "z.zarr")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(FileError, match=naming("pip install 'eigentropy[zarr]'")):
        files.read_matrix(tmp_path / "z.zarr")
