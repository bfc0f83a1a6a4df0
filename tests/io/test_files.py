"""Matrices and labels from files: what is read, and what is said of files that cannot be."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
import zarr
from safetensors.torch import save_file

from eigentropy.io import FileError, read_labels, read_matrix, read_sample, read_variable
from eigentropy.io.archives import OPENERS
from eigentropy.io.paths import SUFFIXES, TABLES, named_errors
from messages import naming


@pytest.fixture
def Z(rng):
    return rng.normal(size=(30, 4)).astype(np.float32)


def table_of(Z):
    return pd.DataFrame(Z, columns=list("abcd"))


def save_npy(path, Z):
    np.save(path, Z)


def save_npz(path, Z):
    np.savez(path, Z=Z)


def save_pt(path, Z):
    torch.save(torch.from_numpy(Z), path)


def save_pth(path, Z):  # the format before zip files
    torch.save({"Z": torch.from_numpy(Z)}, path, _use_new_zipfile_serialization=False)


def save_safetensors(path, Z):
    save_file({"Z": torch.from_numpy(Z)}, path, metadata={"made": "here"})


def save_csv(path, Z):
    table_of(Z).to_csv(path, index=False)


def save_tsv(path, Z):
    table_of(Z).to_csv(path, index=False, sep="\t")


def save_parquet(path, Z):
    table_of(Z).to_parquet(path)


def save_zarr(path, Z):
    zarr.open_array(str(path), mode="w", shape=Z.shape, chunks=(7, 3), dtype=Z.dtype)[...] = Z


SAVERS = {
    ".npy": save_npy,
    ".npz": save_npz,
    ".pt": save_pt,
    ".pth": save_pth,
    ".safetensors": save_safetensors,
    ".csv": save_csv,
    ".tsv": save_tsv,
    ".parquet": save_parquet,
    ".zarr": save_zarr,
}


def test_every_suffix_has_a_test():
    assert set(SAVERS) == set(SUFFIXES) == {*OPENERS, *TABLES}


@pytest.mark.parametrize("suffix", SAVERS)
def test_a_matrix_comes_back_as_it_was_saved(tmp_path, Z, suffix):
    path = tmp_path / f"z{suffix}"
    SAVERS[suffix](path, Z)
    read = read_matrix(path)
    assert read.shape == Z.shape
    np.testing.assert_array_equal(read.astype(np.float32), Z)


@pytest.mark.parametrize("suffix", SAVERS)
def test_reading_leaves_the_file_as_it_is(tmp_path, Z, suffix):
    path = tmp_path / f"z{suffix}"
    SAVERS[suffix](path, Z)
    before = state_of(tmp_path)
    read_matrix(path)
    assert state_of(tmp_path) == before


def state_of(directory):
    """All that is in it, which may not be written any more."""
    state = {}
    for path in directory.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
        content = None if path.is_dir() else path.read_bytes()
        state[path] = content, path.stat().st_mtime_ns
    return state


def test_upper_case_suffixes_are_known(tmp_path, Z):
    with (tmp_path / "Z.NPY").open("wb") as file:
        np.save(file, Z)
    np.testing.assert_array_equal(read_matrix(tmp_path / "Z.NPY"), Z)


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_large_formats_are_mapped_not_copied(tmp_path, Z, suffix):
    SAVERS[suffix](tmp_path / f"z{suffix}", Z)
    assert isinstance(read_matrix(tmp_path / f"z{suffix}"), np.memmap)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8", "bool", ">f8"])
def test_other_dtypes_in_npy_and_npz(tmp_path, dtype):
    Z = (np.arange(24).reshape(6, 2, 2, 1) % 3).astype(dtype)
    np.save(tmp_path / "z.npy", Z)
    np.savez_compressed(tmp_path / "z.npz", Z)
    for name in ("z.npy", "z.npz"):
        np.testing.assert_array_equal(read_matrix(tmp_path / name), Z.reshape(6, 4).astype(float))


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool]
)
def test_torch_dtypes_in_pt_and_safetensors(tmp_path, dtype):
    tensor = (torch.arange(24).reshape(6, 4) % 5 / 2 - 0.5).to(dtype)
    torch.save(tensor, tmp_path / "z.pt")
    save_file({"Z": tensor}, tmp_path / "z.safetensors")
    for name in ("z.pt", "z.safetensors"):
        np.testing.assert_array_equal(read_matrix(tmp_path / name), tensor.double().numpy())


def test_safetensors_are_read_without_torch(tmp_path, Z, monkeypatch):
    save_file({"Z": torch.from_numpy(Z).bfloat16()}, tmp_path / "z.safetensors")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    np.testing.assert_allclose(read_matrix(tmp_path / "z.safetensors"), Z, rtol=2**-8)


def test_a_tensor_with_gradient_is_read(tmp_path, Z):
    torch.save(torch.from_numpy(Z).requires_grad_(), tmp_path / "z.pt")
    np.testing.assert_array_equal(read_matrix(tmp_path / "z.pt"), Z)


def test_one_column_may_be_1d_where_scalars_are_allowed(tmp_path):
    np.save(tmp_path / "y.npy", np.arange(5.0))
    assert read_variable(tmp_path / "y.npy").shape == (5, 1)


# Keys.


@pytest.fixture
def several(tmp_path, Z):
    """The same two arrays in each kind of file that has keys."""
    arrays = {"hidden": Z, "logits": 2 * Z}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    np.savez(tmp_path / "m.npz", **arrays)
    torch.save({"epoch": 3, **tensors}, tmp_path / "m.pt")
    save_file(tensors, tmp_path / "m.safetensors")
    return tmp_path


@pytest.mark.parametrize("name", ["m.npz", "m.pt", "m.safetensors"])
def test_a_key_chooses_among_arrays(several, Z, name):
    np.testing.assert_array_equal(read_matrix(several / name, "logits"), 2 * Z)
    np.testing.assert_array_equal(read_matrix(f"{several / name}:logits"), 2 * Z)
    with pytest.raises(FileError, match=naming(name, 2, "'hidden'", "'logits'")):
        read_matrix(several / name)
    with pytest.raises(FileError, match=naming(name, "'x'", "'hidden'", "'logits'")):
        read_matrix(several / name, "x")
    with pytest.raises(FileError, match=naming("'logits'", "'hidden'")):
        read_matrix(f"{several / name}:logits", "hidden")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_features_and_labels_are_found_among_arrays_by_these_names(tmp_path, Z, suffix):
    arrays = {"features": Z, "labels": np.arange(len(Z)), "layers.fc": 2 * Z}
    path = tmp_path / f"m{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    np.testing.assert_array_equal(read_matrix(path), Z)
    np.testing.assert_array_equal(read_labels(path), arrays["labels"])
    np.testing.assert_array_equal(read_sample(path, column="labels")[0], Z)
    np.testing.assert_array_equal(read_matrix(path, "layers.fc"), 2 * Z)


def test_nested_dicts_have_dotted_keys(tmp_path, Z):
    nested = {"step": 1, "layers": {"conv": torch.zeros(2, 2), "fc": torch.from_numpy(Z)}}
    torch.save(nested, tmp_path / "m.pt")
    np.testing.assert_array_equal(read_matrix(tmp_path / "m.pt", "layers.fc"), Z)


def test_many_keys_are_listed_in_part(tmp_path):
    np.savez(tmp_path / "m.npz", **{f"k{i}": np.ones((2, 2)) for i in range(25)})
    with pytest.raises(FileError, match=naming("'k19'", 5)):
        read_matrix(tmp_path / "m.npz")


def test_a_file_with_a_colon_in_its_name_is_read(tmp_path, Z):
    with (tmp_path / "run.npy:2.npy").open("wb") as file:
        np.save(file, Z)
    np.testing.assert_array_equal(read_matrix(tmp_path / "run.npy:2.npy"), Z)


def test_a_single_array_has_no_key(tmp_path, Z):
    np.save(tmp_path / "z.npy", Z)
    with pytest.raises(FileError, match=naming("z.npy", "'k'")):
        read_matrix(tmp_path / "z.npy", "k")


# Tables.


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a,b\n1,2\n3,4\n", (2, 2)),
        ("1,2\n3,4\n5,6\n", (3, 2)),  # no header
        ("1e3,-2.5\nnan_is_not_here,4\n", None),  # not numbers further down
        ("0,1,2\n0.5,1,2\n3,4,5\n", (2, 3)),  # pandas' names of columns
        ("0,1,2\n3,4,5\n", (2, 3)),  # whole numbers: may as well be data
        ("\n1,2\n\n3,4\n", (2, 2)),
        ('"first, name",b\n1,2\n', (1, 2)),
        ("\ufeffa,b\n1,2\n", (1, 2)),  # as spreadsheets write it
        ("1,2\r\n3,4\r\n", (2, 2)),
        ("true,1\nfalse,2\n", (1, 2)),
        ("7\n8\n", (2, 1)),
    ],
)
def test_headers_are_recognised(tmp_path, text, shape):
    (tmp_path / "z.csv").write_text(text, encoding="utf-8", newline="")
    if shape is None:
        with pytest.raises(FileError, match=naming("'f0'")):
            read_matrix(tmp_path / "z.csv")
    else:
        assert read_matrix(tmp_path / "z.csv").shape == shape


def test_the_index_of_pandas_is_left_out_with_a_warning(tmp_path, Z):
    table = table_of(Z)
    table.to_csv(tmp_path / "z.csv")
    table.set_index(np.arange(30) ** 2).to_parquet(tmp_path / "z.parquet")
    for name in ("z.csv", "z.parquet"):
        with pytest.warns(UserWarning, match=naming(name)):
            assert read_matrix(tmp_path / name).shape == Z.shape


def test_an_index_can_still_be_the_labels(tmp_path, Z):
    names = pd.Index(["cat", "dog"] * 15, name="kind")
    table_of(Z).set_index(names).to_parquet(tmp_path / "z.parquet")
    matrix, labels = read_sample(tmp_path / "z.parquet", column="kind")
    assert matrix.shape == Z.shape
    assert list(labels[:2]) == ["cat", "dog"]


def test_a_series_that_pandas_wrote_holds_labels(tmp_path):
    pd.Series([3, 1, 3]).to_csv(tmp_path / "y.csv")
    assert list(read_labels(tmp_path / "y.csv")) == [3, 1, 3]


def test_a_first_column_that_does_not_count_rows_stays(tmp_path):
    (tmp_path / "z.csv").write_text(",b\n5,2\n5,4\n")
    np.testing.assert_array_equal(read_matrix(tmp_path / "z.csv"), [[5, 2], [5, 4]])


def test_the_column_of_labels_is_no_feature(tmp_path, Z):
    table = table_of(Z).assign(kind=["cat", "dog", "owl"] * 10)
    table.to_csv(tmp_path / "z.csv", index=False)
    table.astype({"kind": "category"}).to_parquet(tmp_path / "z.parquet")
    for name in ("z.csv", "z.parquet"):
        matrix, labels = read_sample(tmp_path / name, column="kind")
        np.testing.assert_array_equal(matrix.astype(np.float32), Z)
        assert list(labels[:3]) == ["cat", "dog", "owl"]


def test_labels_may_lie_beside_the_matrix_under_a_key(tmp_path, Z):
    y = np.arange(30) % 3
    np.savez(tmp_path / "m.npz", Z=Z, y=y)
    matrix, labels = read_sample(tmp_path / "m.npz", column="y")
    np.testing.assert_array_equal(matrix, Z)
    np.testing.assert_array_equal(labels, y)


def test_lists_of_one_length_are_columns(tmp_path, Z):
    table = pa.table({"id": pa.array([str(i) for i in range(30)]), "embedding": list(Z)})
    pyarrow.parquet.write_table(table, tmp_path / "z.parquet", row_group_size=7)
    np.testing.assert_array_equal(read_matrix(tmp_path / "z.parquet", "embedding"), Z)
    fixed = pa.FixedSizeListArray.from_arrays(Z.ravel(), 4)
    pyarrow.parquet.write_table(pa.table({"e": fixed, "x": Z[:, 0]}), tmp_path / "f.parquet")
    assert read_matrix(tmp_path / "f.parquet").shape == (30, 5)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": [1.0, 2.0], "name": ["x", "y"]}, ["'name'"]),
        ({f"s{i}": ["x"] for i in range(12)}, ["'s9'", 2]),
        ({"a": [1.0, None, 2.0]}, ["'a'", "1 of 3", "row 1"]),
        ({"a": [1, None, None]}, ["'a'", "2 of 3", "row 1"]),
        ({"a": [None, None]}, ["'a'", "2 of 2"]),
        ({"a": [[1.0], [1.0, 2.0]]}, ["'a'", "1 to 2"]),
        ({"a": [[1.0, None]]}, ["'a'", 1]),
        ({"a": [1.0, np.inf]}, ["NaN", "row 1"]),
    ],
)
def test_columns_that_are_no_features_are_named(tmp_path, columns, words):
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "z.parquet")
    with pytest.raises(FileError, match=naming("z.parquet", *words)):
        read_matrix(tmp_path / "z.parquet")


# Labels.


@pytest.mark.parametrize(
    ("labels", "read"),
    [
        (np.array([2, 0, 1]), [2, 0, 1]),
        (np.array([[2], [0], [1]]), [2, 0, 1]),
        (np.array(["b", "a", "c"]), ["b", "a", "c"]),
        (np.array([True, False, True]), [True, False, True]),
        (np.array([2.0, 0.0, 1.0]), [2.0, 0.0, 1.0]),
        (np.array([2.5, 0.0, 1.0]), [2.5, 0.0, 1.0]),
    ],
)
def test_labels_from_npy(tmp_path, labels, read):
    np.save(tmp_path / "y.npy", labels)
    result = read_labels(tmp_path / "y.npy")
    assert list(result) == read
    assert result.dtype.kind == labels.dtype.kind  # the rule for floats is that of the measures


@pytest.mark.parametrize("text", ["kind\ncat\ndog\ncat\n", "cat\ndog\ncat\n"])
def test_a_column_of_names_is_read_with_and_without_header(tmp_path, text):
    (tmp_path / "y.csv").write_text(text)
    assert list(read_labels(tmp_path / "y.csv")) == ["cat", "dog", "cat"]


def test_a_column_of_another_table(tmp_path, Z):
    table_of(Z).assign(y=1).to_csv(tmp_path / "t.csv", index=False)
    assert list(read_labels(f"{tmp_path / 't.csv'}:y")) == [1] * 30
    with pytest.raises(FileError, match=naming("t.csv", 5, "'a'", "'y'")):
        read_labels(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((3, 2)), ["(3, 2)", "(n,)"]),
        (np.array(1), ["()", "(n,)"]),
        (np.array([]), []),
        (np.array([1.0, np.nan, 2.0, np.nan]), ["NaN", "2 of 4", "row 1"]),
        (np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), ["dtype"]),
    ],
)
def test_labels_that_are_none(tmp_path, labels, words):
    np.save(tmp_path / "y.npy", labels)
    with pytest.raises(FileError, match=naming("y.npy", *words)):
        read_labels(tmp_path / "y.npy")


def test_missing_labels_in_a_table_are_counted(tmp_path):
    pd.DataFrame({"y": ["cat", None]}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(FileError, match=naming("'y'", "1 of 2")):
        read_labels(tmp_path / "y.parquet")


# Bad files.


def write(path, content):
    path.write_bytes(content)
    return path


def bad_safetensors(header, data=b""):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return len(text).to_bytes(8, "little") + text + data


F32 = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}

CUT = bad_safetensors({"Z": F32}, b"1234")

BAD_FILES = {
    "missing.npy": (None, []),
    "empty.npy": (b"", [0]),
    "z.mat": (b"x", ["'.mat'", *SUFFIXES]),
    "z": (b"x", SUFFIXES),
    "not.npy": (b"hello", [".npy"]),
    "not.npz": (b"hello", [".npz", "zip"]),
    "not.pt": (b"hello", []),
    "not.parquet": (b"hello", [".parquet"]),
    "short.safetensors": (b"abc", [".safetensors"]),
    "long.safetensors": (b"\xff" * 20, [2**64 - 1, 20]),
    "json.safetensors": (bad_safetensors(b"{"), ["JSONDecodeError"]),
    "list.safetensors": (bad_safetensors([1]), []),
    "entry.safetensors": (bad_safetensors({"Z": {}}), ["KeyError"]),
    "cut.safetensors": (
        bad_safetensors({"Z": F32}, b"1234"),
        [len(bad_safetensors({"Z": F32}, b"1234"))],
    ),
    "shape.safetensors": (
        bad_safetensors({"Z": {**F32, "shape": [3, 2]}}, b"12345678"),
        ["'Z'", 8, "(3, 2)", "F32"],
    ),
    "minus.safetensors": (
        bad_safetensors({"Z": {**F32, "shape": [-1, -2]}}, b"12345678"),
        ["'Z'", "(-1, -2)"],
    ),
    "f8.safetensors": (
        bad_safetensors(
            {"Z": {"dtype": "F8_E4M3", "shape": [1, 2], "data_offsets": [0, 2]}}, b"12"
        ),
        ["F8_E4M3"],
    ),
    "none.safetensors": (bad_safetensors({}), []),
    "ragged.csv": (b"a,b\n1,2\n3\n", [".csv"]),
    "header.csv": (b"a,b\n", ["'a'", "'b'"]),
    "binary.csv": (b"\x00\xff\xfe,\x01\n\xff\x00,\x02\n", []),
    "twice.csv": (b"a,a,b\n1,2,3\n", [2, "'a'"]),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named_with_what_is_wrong(tmp_path, name):
    content, words = BAD_FILES[name]
    if content is not None:
        write(tmp_path / name, content)
    with pytest.raises(FileError, match=naming(*words)) as caught:
        read_matrix(tmp_path / name, "a" if name == "twice.csv" else None)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(FileError, match=naming(tmp_path.name)):
        read_matrix(tmp_path)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.arange(3.0), [3, "(n, d)"]),
        (np.array(3.0), ["(n, d)"]),
        (np.empty((0, 4)), ["(0, 4)"]),
        (np.ones((2, 2), complex), ["complex128"]),
        (np.array([["a", "b"]]), ["<U1"]),
        (np.array([[1, np.nan], [2, 3]]), ["NaN", 1, 2]),
        (np.array([["2020-01-01"]], "M8[D]"), ["datetime64[D]"]),
    ],
)
def test_arrays_that_are_no_matrix(tmp_path, array, words):
    np.save(tmp_path / "z.npy", array)
    with pytest.raises(FileError, match=naming("z.npy", *words)):
        read_matrix(tmp_path / "z.npy")


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_refused_and_not_run(tmp_path):
    trap = np.array([[Trap()]], dtype=object)
    np.save(tmp_path / "z.npy", trap)
    np.savez(tmp_path / "z.npz", Z=trap)
    torch.save({"Z": Trap()}, tmp_path / "z.pt")
    write(tmp_path / "p.pt", pickle.dumps(Trap()))
    torch.save(np.ones((2, 2)), tmp_path / "numpy.pt")
    for name in ("z.npy", "z.npz", "z.pt", "p.pt", "numpy.pt"):
        with pytest.raises(FileError, match=naming(name, "pickled")):
            read_matrix(tmp_path / name)


def test_a_zip_file_with_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(FileError, match=naming("z.npz", "'notes.txt'")):
        read_matrix(tmp_path / "z.npz")


def test_a_checkpoint_without_tensors(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "z.pt")
    with pytest.raises(FileError, match=naming("z.pt", "tensor", "dict")):
        read_matrix(tmp_path / "z.pt")


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError, ValueError])
def test_files_that_the_system_refuses_are_named(tmp_path, error):
    """Raised here, for root may read every file."""
    with pytest.raises(FileError, match=naming("z.npy")), named_errors(tmp_path / "z.npy"):
        raise error(13, "refused")


def test_the_size_of_what_does_not_fit_is_kept_and_the_file_named(tmp_path):
    wanted = pytest.raises(MemoryError, match=naming("z.npy", "9 GiB"))
    with wanted, named_errors(tmp_path / "z.npy"):
        raise MemoryError("needs 9 GiB")


def test_missing_libraries_are_named(tmp_path, Z, monkeypatch):
    save_pt(tmp_path / "z.pt", Z)
    save_csv(tmp_path / "z.csv", Z)
    for library in ("torch", "pyarrow"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(FileError, match=naming("z.pt", "pip install torch")):
        read_matrix(tmp_path / "z.pt")
    with pytest.raises(FileError, match=naming("z.csv", "eigentropy[tables]")):
        read_matrix(tmp_path / "z.csv")


def test_columns_that_are_not_there_are_named(tmp_path, Z):
    save_csv(tmp_path / "z.csv", Z)
    save_npy(tmp_path / "z.npy", Z)
    with pytest.raises(FileError, match=naming("z.csv", "'x'", "'a', 'b', 'c', 'd'")):
        read_sample(tmp_path / "z.csv", column="x")
    with pytest.raises(FileError, match=naming("'y.txt'", *SUFFIXES)):
        read_sample(tmp_path / "z.csv", column="y.txt")
    (tmp_path / "y.csv").write_text("y\n1\n2\n")
    with pytest.raises(FileError, match=naming("y.csv", "'y'")):
        read_sample(tmp_path / "y.csv", column="y")


def test_labels_in_the_file_must_match_its_rows(tmp_path, Z):
    np.savez(tmp_path / "m.npz", Z=Z, y=np.arange(29))
    with pytest.raises(FileError, match=naming("m.npz:y", 29, "m.npz", 30)):
        read_sample(tmp_path / "m.npz", column="y")


def damageable_copy(whole, copy, trial):
    """A file to be damaged, of a directory one in turn, and what is in it now."""
    if whole.is_file():
        return copy, whole.read_bytes()
    shutil.copytree(whole, copy)
    parts = sorted(path for path in copy.rglob("*") if path.is_file())
    part = parts[trial % len(parts)]
    return part, part.read_bytes()


@pytest.mark.parametrize("suffix", SAVERS)
def test_damage_is_a_file_error_or_another_matrix(tmp_path, Z, suffix):
    """Cut short, overwritten or with bytes put in at random places: never another exception."""
    whole = tmp_path / f"z{suffix}"
    SAVERS[suffix](whole, Z)
    errors, random = 0, np.random.default_rng(1)
    for trial in range(60):
        path, content = damageable_copy(whole, tmp_path / f"d{trial}{suffix}", trial)
        place = int(random.integers(len(content)))
        noise = random.bytes(5)
        damaged = [
            content[:place],
            content[:place] + noise + content[place + 5 :],
            content[:place] + noise + content[place:],
        ][trial % 3]
        write(path, damaged)
        copy = tmp_path / f"d{trial}{suffix}"
        try:
            assert read_matrix(copy).ndim == 2
        except FileError as error:
            errors += 1
            assert re.match(re.escape(str(copy)), str(error))  # noqa: PT017
    assert errors > 10
