"""Sizes are looked at before anything is read: small files that would take gigabytes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import numcodecs
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from eigentropy._support import memory
from eigentropy.io import FileError, read_labels, read_matrix
from eigentropy.io.inflation import inflates_beyond
from messages import names, naming

BOMB = 2**29  # bytes that hostile files inflate to, more than they may have

HEADER = {"descr": "<f8", "fortran_order": False}


def npy(shape, data=b"12345678"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {**HEADER, "shape": shape})
    return file.getvalue() + data


def zeros_in(archive, name, start=b""):
    """A member of zeros after what it starts with."""
    with archive.open(name, "w", force_zip64=True) as file:
        file.write(start)
        for _ in range(64):
            file.write(bytes(BOMB // 64))


def zipped(path):
    return zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)


def inflated_npz(path):
    with zipped(path) as archive:
        zeros_in(archive, "eigvals.npy", npy((2**16, 2**10), b""))


def promised_npz(path):
    with zipped(path) as archive:
        archive.writestr("eigvals.npy", npy((2**40, 8)))


def promised_npy(path):
    path.write_bytes(npy((2**40, 8)))


def inflated_pt(path):
    torch.save(torch.zeros(4, 4), path.with_suffix(".plain"))
    with zipfile.ZipFile(path.with_suffix(".plain")) as plain, zipped(path) as archive:
        for member in plain.namelist():
            if member.endswith("data/0"):
                zeros_in(archive, member)
            else:
                archive.writestr(member, plain.read(member))


def expanded_pt(path):
    torch.save(torch.zeros(1, 1).expand(2**20, 2**20), path)


def nested_pt(path):
    nested = {"t": torch.zeros(2, 2)}
    for _ in range(40):
        nested = {"a": nested, "b": nested}
    torch.save(nested, path)


def promised_safetensors(path):
    save_file({"Z": np.ones((2, 2))}, path)
    path.write_bytes(path.read_bytes().replace(b"[2,2]", b"[2,9]"))


def long_safetensors(path):
    header = b'{"Z":' + b"[[]," * 2**22 + b"[]"  # its lists would take 64 bytes each
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def array(path, **options):
    options = {"shape": (7, 3), "chunks": (7, 3), "dtype": "f4", **options}
    return zarr.create_array(str(path), **options)


def inflated_zarr(path):
    array(path)[...] = 1
    chunk = numcodecs.Zstd().encode(np.zeros(BOMB, np.uint8))
    (path / "c" / "0" / "0").write_bytes(chunk)


def chunky_zarr(path):
    array(path, shape=(2**50, 3), chunks=(2**50, 3))


def promised_zarr(path):
    array(path, shape=(2**45, 2), chunks=(2**20, 2))


def many_chunks_zarr(path):
    array(path, shape=(2**30, 1), chunks=(1, 1))


def labels_zarr(path):
    array(path, shape=(2**40,), chunks=(2**20,))


def one_line_csv(path):
    path.write_bytes(b"1," * 2**23)


def long_row_csv(path):
    path.write_bytes(b"a,b\n" + b"1," * 2**23)


def inflated_parquet(path):
    rows = pa.table({"a": np.zeros(2**22)})
    with pyarrow.parquet.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        for _ in range(32):
            writer.write_table(rows)


# Each with the numbers that the message has to name.
HOSTILE = {
    "promised.npy": (promised_npy, [8, 2**46, 2**40]),
    "inflated.npz": (inflated_npz, [BOMB + 128]),
    "promised.npz": (promised_npz, [8, 2**46, 2**40]),
    "inflated.pt": (inflated_pt, ["GiB"]),
    "expanded.pt": (expanded_pt, [2**42, 2**20]),
    "nested.pt": (nested_pt, [10**6]),
    "promised.safetensors": (promised_safetensors, [32, "(2, 9)"]),
    "long.safetensors": (long_safetensors, ["GiB"]),
    "inflated.zarr": (inflated_zarr, [BOMB, 84]),
    "chunky.zarr": (chunky_zarr, [12 * 2**50]),
    "promised.zarr": (promised_zarr, [2**48]),
    "many_chunks.zarr": (many_chunks_zarr, [2**30]),
    "labels.zarr": (labels_zarr, [2**42]),
    "one_line.csv": (one_line_csv, ["GiB"]),
    "one_line.tsv": (one_line_csv, ["GiB"]),
    "long_row.csv": (long_row_csv, [2**20]),
    "inflated.parquet": (inflated_parquet, [2**27]),
}

READING = """
    import json, resource, sys, time
    import torch, zarr, pyarrow.parquet, pyarrow.csv
    from eigentropy.compat._eigenvalue_files import load
    from eigentropy.io import read_labels, read_matrix
    from pathlib import Path

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + 2**29 - 2**25
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for name in sys.argv[1:]:
        path = Path(name)
        read = read_labels if path.stem == "labels" else read_matrix
        for read in (read, load) if path.suffix == ".npz" else (read,):
            before, start = peak(), time.process_time()
            try:
                said = repr(read(path).shape)
            except (ValueError, MemoryError) as error:
                said = f"{type(error).__name__}: {error}"
            took = time.process_time() - start
            print(json.dumps([path.name, said, took, peak() - before]))
"""


def read_in_a_process(paths):
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(READING), *map(str, paths)],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What was said of each file, by a process with 480 MiB more than its libraries take."""
    directory = tmp_path_factory.mktemp("hostile")
    for name, (save, _) in HOSTILE.items():
        save(directory / name)
    # First what is refused last: it takes most, and pools of memory keep some of earlier files.
    order = sorted(HOSTILE, key=lambda name: name != "long_row.csv")
    return read_in_a_process(directory / name for name in order)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_before_they_take_time_or_memory(outcomes, name):
    told = [outcome[1:] for outcome in outcomes if outcome[0] == name]
    assert told
    for said, took, grown in told:
        assert names(said, name, *HOSTILE[name][1]), said
        assert took < 10
        assert grown < 2**28


def test_very_many_columns_take_little_memory(tmp_path):
    cells = ",".join(["0.5"] * 200_000)
    (tmp_path / "wide.csv").write_text(f"{','.join(map(str, range(200_000)))}\n{cells}\n{cells}\n")
    ((_, said, took, grown),) = read_in_a_process([tmp_path / "wide.csv"])
    assert said == "(2, 200000)"
    assert took < 20
    assert grown < 2**28


def test_a_storage_that_is_cut_short_is_no_tensor(tmp_path):
    """The description promises more than is stored."""
    torch.save(torch.zeros(100, 100), tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipped(tmp_path / "cut.pt") as archive:
        for member in whole.namelist():
            content = whole.read(member)
            archive.writestr(member, content[:16] if member.endswith("data/0") else content)
    with pytest.raises(FileError, match=naming("cut.pt")):
        read_matrix(tmp_path / "cut.pt")


def test_a_table_larger_than_memory_is_refused_with_its_size(tmp_path, monkeypatch):
    (tmp_path / "z.csv").write_text("1.5,2.5\n" * 1000)
    monkeypatch.setattr(memory, "available", lambda: 20_000.0)
    with pytest.raises(MemoryError, match=naming("z.csv", 2, 1000, 32000, 20000)):
        read_matrix(tmp_path / "z.csv")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
@given(rows=st.integers(20, 300), columns=st.integers(1, 8), share=st.floats(0.01, 0.9))
@settings(max_examples=20, deadline=5000)
def test_a_table_is_read_only_if_its_numbers_fit(suffix, rows, columns, share):
    """Against any memory that has no room for them."""
    values = np.arange(1.5, rows * columns + 1).reshape(rows, columns)
    table = pandas.DataFrame(values, columns=[f"c{i}" for i in range(columns)])
    room = int(share * values.nbytes)
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        path = Path(directory, f"z{suffix}")
        if suffix == ".parquet":
            path.write_bytes(table.to_parquet())
        else:
            path.write_text(table.to_csv(index=False, sep="," if suffix == ".csv" else "\t"))
        np.testing.assert_array_equal(read_matrix(path), values)
        patch.setattr(memory, "available", lambda: float(room))
        with pytest.raises(MemoryError, match=naming(path.name, room)):
            read_matrix(path)


def declare_npy(directory, rows, columns):
    (directory / "z.npy").write_bytes(npy((rows, columns)))
    return directory / "z.npy"


def declare_npz(directory, rows, columns):
    with zipped(directory / "z.npz") as archive:
        archive.writestr("Z.npy", npy((rows, columns)))
    return directory / "z.npz"


def declare_safetensors(directory, rows, columns):
    entry = {"dtype": "F64", "shape": [rows, columns], "data_offsets": [0, 8 * rows * columns]}
    header = json.dumps({"Z": entry}).encode()
    (directory / "z.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    return directory / "z.safetensors"


def declare_zarr(directory, rows, columns):
    array(directory / "z.zarr", shape=(1, columns), chunks=(1, columns))
    text = (directory / "z.zarr" / "zarr.json").read_text()
    described = json.loads(text)
    described["shape"][0] = rows
    described["chunk_grid"]["configuration"]["chunk_shape"][0] = rows
    (directory / "z.zarr" / "zarr.json").write_text(json.dumps(described))
    return directory / "z.zarr"


def declare_pt(directory, rows, columns):
    torch.save(torch.zeros(1, 1).expand(rows, columns), directory / "z.pt")
    return directory / "z.pt"


@pytest.mark.parametrize(
    "declare", [declare_npy, declare_npz, declare_safetensors, declare_zarr, declare_pt]
)
@given(rows=st.integers(2**40, 2**55), columns=st.integers(1, 2**5))
@settings(max_examples=30, deadline=5000)
def test_declared_sizes_of_any_magnitude_are_refused_with_numbers(declare, rows, columns):
    with tempfile.TemporaryDirectory() as directory:
        path = declare(Path(directory), rows, columns)
        with pytest.raises((FileError, MemoryError)) as caught:
            read_matrix(path)
        assert path.name in str(caught.value)
        assert re.search(r"\d{4}", str(caught.value).replace(directory, ""))


CODECS = {
    "blosc": numcodecs.Blosc(),
    "zstd": numcodecs.Zstd(),
    "lz4": numcodecs.LZ4(),
    "zlib": numcodecs.Zlib(),
    "gzip": numcodecs.GZip(),
    "bz2": numcodecs.BZ2(),
    "lzma": numcodecs.LZMA(),
}


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(
    content=st.binary(max_size=300),
    repeats=st.integers(1, 300),
    most=st.integers(0, 60_000),
)
def test_inflation_is_measured_without_inflating(codec, content, repeats, most):
    """Never said of data that gives no more than `most`, always of data that gives a MiB more."""
    data = np.frombuffer(content * repeats or b"1", np.uint8)
    found = inflates_beyond(codec, bytes(codec.encode(data)), most)
    assert (found > 0) == (len(data) > most)


def test_zstandard_without_a_size_is_bounded_by_its_blocks():
    magic, no_size, window = b"\x28\xb5\x2f\xfd", b"\x00", b"\x58"
    block = ((2**17) << 3 | 1 << 1).to_bytes(3, "little") + b"0"  # 128 KiB of one byte
    assert inflates_beyond(CODECS["zstd"], magic + no_size + window + 100 * block, 2**20) >= (
        100 * 2**17
    )
    assert inflates_beyond(CODECS["zstd"], magic + no_size + window + block, 2**17) == 0


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_chunks_are_looked_at_whatever_compresses_them(tmp_path, codec):
    path = tmp_path / "z.zarr"
    array(path, zarr_format=2, compressors=codec)[...] = 1
    assert read_matrix(path).shape == (7, 3)
    (path / "0.0").write_bytes(codec.encode(np.zeros(2**27, np.uint8)))
    with pytest.raises(FileError, match=naming("z.zarr", "0.0", 84)):
        read_matrix(path)


def test_chunks_in_shards_and_groups_are_looked_at(tmp_path):
    root = zarr.open_group(str(tmp_path / "g.zarr"), mode="w")
    options = {"chunks": (4, 2), "shards": (8, 4), "dtype": "f4"}
    root.create_array("a/b", shape=(16, 4), **options)[...] = np.arange(64).reshape(16, 4)
    read = read_matrix(tmp_path / "g.zarr", "a/b")
    np.testing.assert_array_equal(read, np.arange(64).reshape(16, 4))
    bomb = numcodecs.Zstd().encode(np.zeros(2**27, np.uint8))
    index = np.full((4, 2), 2**64 - 1, "<u8")
    index[0] = 0, len(bomb)
    shard = bomb + index.tobytes()
    check = numcodecs.CRC32C().encode(index.view(np.uint8).ravel())[-4:]
    (tmp_path / "g.zarr" / "a" / "b" / "c" / "0" / "0").write_bytes(shard + bytes(check))
    with pytest.raises(FileError, match=naming("g.zarr:a/b", 32)):
        read_matrix(tmp_path / "g.zarr", "a/b")


@pytest.mark.parametrize("place", ["start", "end"])
def test_shards_are_read_wherever_their_index_lies(tmp_path, place):
    sharding = {"shape": (8, 4), "index_location": place}
    Z = np.arange(64, dtype="f4").reshape(16, 4)
    options = {"shape": Z.shape, "chunks": (4, 2), "shards": sharding}
    array(tmp_path / "z.zarr", **options)[:8] = Z[:8]
    expected = np.where(np.arange(16)[:, None] < 8, Z, 0)
    np.testing.assert_array_equal(read_matrix(tmp_path / "z.zarr"), expected)


def test_a_chunk_that_is_compressed_twice_is_refused(tmp_path):
    twice = {"filters": numcodecs.Zlib(), "compressors": numcodecs.GZip()}
    array(tmp_path / "z.zarr", zarr_format=2, **twice)[...] = 1
    with pytest.raises(FileError, match=naming("z.zarr", "zlib", "gzip")):
        read_matrix(tmp_path / "z.zarr")


def test_labels_fit_into_memory_like_everything_else(tmp_path):
    array(tmp_path / "y.zarr", shape=(5,), chunks=(2,), dtype="i4")[...] = np.arange(5)
    assert list(read_labels(tmp_path / "y.zarr")) == [0, 1, 2, 3, 4]
