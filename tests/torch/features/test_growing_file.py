"""A file of features is there when it is complete, and only then."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.io import FileError, read_matrix
from eigentropy.torch.features.growing_file import GrowingFile
from messages import naming

SHAPES = {"labels": ("I64", (4,)), "features": ("F32", (4, 3))}


def fill(file):
    file.write("labels", np.arange(4), np.arange(4))
    for i in (2, 0, 3, 1):
        file.write("features", np.array([i]), np.full((1, 3), i, np.float32))


def test_rows_in_any_order_are_read_by_others(tmp_path):
    safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
    path = tmp_path / "f.safetensors"
    with GrowingFile(path, SHAPES, {"a": "1"}) as file:
        fill(file)
        assert list(tmp_path.glob("*.safetensors")) == []
        file.complete({"a": "2", "b": "ü"})
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    np.testing.assert_array_equal(read_matrix(path), np.repeat(np.arange(4.0), 3).reshape(4, 3))
    with safetensors.safe_open(path, "numpy") as other:
        assert other.metadata() == {"a": "2", "b": "ü"}
        np.testing.assert_array_equal(other.get_tensor("labels"), np.arange(4))
        np.testing.assert_array_equal(other.get_tensor("features")[:, 0], np.arange(4))


@settings(deadline=None)
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
)
def test_any_metadata_are_kept_and_the_numbers_stay_aligned(tmp_path_factory, metadata):
    path = tmp_path_factory.mktemp("m") / "f.safetensors"
    with GrowingFile(path, SHAPES, metadata) as file:
        fill(file)
        file.complete({**metadata, "seconds": "1.234"})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    assert json.loads(content[8 : 8 + length])["__metadata__"] == {**metadata, "seconds": "1.234"}


def test_an_error_leaves_nothing(tmp_path):
    def interrupted():
        with GrowingFile(tmp_path / "f.safetensors", SHAPES, {}) as file:
            fill(file)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_rows_that_do_not_fit_are_said(tmp_path):
    place = tmp_path / "f.safetensors"
    said = naming("features", "(2, 4)")
    with GrowingFile(place, SHAPES, {}) as file, pytest.raises(ValueError, match=said):
        file.write("features", np.arange(2), np.zeros((2, 4), np.float32))


def test_a_full_disk_is_met_at_the_start(tmp_path, full_disk):
    with full_disk(10_000), pytest.raises(FileError, match=naming("f.safetensors")):
        GrowingFile(tmp_path / "f.safetensors", {"features": ("F32", (1000, 100))}, {})
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys, time
from pathlib import Path
from eigentropy.torch.features.growing_file import GrowingFile
with GrowingFile(Path(sys.argv[1]), {"features": ("F32", (4, 3))}, {}) as file:
    print("begun", flush=True)
    time.sleep(600)
"""


def test_one_process_writes_at_a_time_and_a_killed_one_is_followed(tmp_path):
    path = tmp_path / "f.safetensors"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "begun\n"
            with pytest.raises(FileError, match=naming("f.safetensors", "process")):
                GrowingFile(path, SHAPES, {})
        finally:
            other.kill()
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1
    end = time.monotonic() + 60
    with GrowingFile(path, SHAPES, {}) as file:
        fill(file)
        file.complete({})
    assert time.monotonic() < end
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
