"""Files of features: which count, what they are called, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eigentropy._support.warnings import recorded_warnings
from eigentropy.io import FileError
from eigentropy.io.paths import SUFFIXES
from eigentropy.ranking.feature_files import find_features, read_features, rows_by_header
from messages import naming


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def test_every_kind_of_file_is_a_model_by_its_name(tmp_path):
    kinds = [suffix for suffix in SUFFIXES if suffix != ".zarr"]
    files = touch(tmp_path, *(f"model{number}{kind}" for number, kind in enumerate(kinds)))
    (tmp_path / "last.zarr").mkdir()
    found = find_features(tmp_path)
    assert found == {"last": tmp_path / "last.zarr"} | {one.stem: one for one in files}


def test_models_are_in_natural_order(tmp_path):
    touch(tmp_path, "vit10.npy", "vit2.csv", "vit1.npy", "beit.npy")
    assert [*find_features(tmp_path)] == ["beit", "vit1", "vit2", "vit10"]


def test_a_tag_of_timm_is_part_of_the_name(tmp_path):
    touch(tmp_path, "resnet50.a1_in1k.npy", "resnet50.tv_in1k.npy")
    assert [*find_features(tmp_path)] == ["resnet50.a1_in1k", "resnet50.tv_in1k"]


def test_arrays_of_one_file_are_models_of_their_own(tmp_path):
    np.savez(tmp_path / "layers.npz", a=np.zeros((3, 2)), b=np.ones((3, 4)))
    found = find_features([f"{tmp_path}/layers.npz:a", f"{tmp_path}/layers.npz:b"])
    assert [*found] == ["layers:a", "layers:b"]
    assert [read_features(path).shape for path in found.values()] == [(3, 2), (3, 4)]


def test_files_that_are_no_features_are_left_out_and_said(tmp_path):
    touch(tmp_path, "a.npy", "labels.npy", "README.md", ".hidden.npy")
    (tmp_path / "older").mkdir()
    with recorded_warnings() as warned:
        found = find_features(tmp_path, [tmp_path / "labels.npy"])
    assert [*found] == ["a"]
    (line,) = warned
    for name in ("labels.npy", "README.md", ".hidden.npy", "older"):
        assert repr(name) in line


def test_a_directory_of_features_alone_is_taken_without_a_word(tmp_path):
    touch(tmp_path, "a.npy", "b.npy")
    with recorded_warnings() as warned:
        find_features(tmp_path)
    assert warned == []


def test_directories_and_files_are_joined_and_a_file_that_is_given_twice_is_one(tmp_path):
    (a,) = touch(tmp_path / "one", "a.npy")
    touch(tmp_path / "two", "b.npy")
    assert [*find_features([a, tmp_path / "one", tmp_path / "two"])] == ["a", "b"]


def test_two_models_of_one_name_are_refused(tmp_path):
    one, two = touch(tmp_path, "a.npy", "a.csv")
    with pytest.raises(FileError, match=naming("a", one, two)):
        find_features(tmp_path)


def test_a_directory_without_features_is_refused(tmp_path):
    touch(tmp_path, "README.md")
    with pytest.raises(FileError, match=naming(tmp_path, "README.md", ".npy")):
        find_features(tmp_path)
    with pytest.raises(FileError, match=naming("list")):
        find_features([])


@pytest.mark.parametrize("name", ["gone.npy", "notes.txt"])
def test_a_file_that_is_given_must_be_one_of_features(tmp_path, name):
    touch(tmp_path, "notes.txt")
    with pytest.raises(FileError, match=naming(name)):
        find_features([tmp_path / name])


def test_features_are_read_as_matrices_are_and_nan_is_refused(tmp_path):
    rows = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "a.npy", rows)
    np.save(tmp_path / "b.npy", np.where(rows == 3, np.nan, rows))
    found = find_features(tmp_path)
    assert np.array_equal(read_features(found["a"]), rows)
    with pytest.raises(FileError, match=naming("b.npy")):
        read_features(found["b"])


def test_rows_are_known_by_headers_where_these_are_read_at_once(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((7, 2)))
    np.save(tmp_path / "flat.npy", np.zeros(7))
    entries = {"features": ((5, 2), 0), "labels": ((5,), 80)}
    tensors = {
        name: {
            "dtype": "F64",
            "shape": at,
            "data_offsets": [start, start + 8 * math.prod(at)],
        }
        for name, (at, start) in entries.items()
    }
    header = json.dumps({"__metadata__": {"a": "b"}, **tensors}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(120)
    (tmp_path / "b.safetensors").write_bytes(data)
    touch(tmp_path, "damaged.npy", "damaged.safetensors", "c.csv")
    known = {path.name: rows_by_header(path) for path in tmp_path.iterdir()}
    assert known == {
        "a.npy": 7, "flat.npy": None, "b.safetensors": 5, "damaged.npy": None,
        "damaged.safetensors": None, "c.csv": None,
    }  # fmt: skip
    assert rows_by_header(f"{tmp_path}/b.safetensors:features") == 5
    assert rows_by_header(tmp_path / "b.safetensors", "labels") is None
    assert rows_by_header(tmp_path / "b.safetensors", "gone") is None
    assert read_features(tmp_path / "b.safetensors").shape == (5, 2)
