"""What `eigentropy.io` offers, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import eigentropy.io
from messages import naming


def test_the_names_are_those_that_are_promised():
    assert dir(eigentropy.io) == sorted(eigentropy.io.__all__)
    assert set(eigentropy.io.__all__) == {
        "FileError", "MeasurementSettings", "SnapshotRow", "read_labels", "read_matrix",
        "read_sample", "read_variable", "track",
    }  # fmt: skip
    assert all(getattr(eigentropy.io, name).__doc__ for name in eigentropy.io.__all__)


def test_a_name_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match=naming("'eigentropy.io'", "'read_matrices'")):
        eigentropy.io.read_matrices  # noqa: B018


def test_readers_are_imported_when_they_are_used():
    code = (
        "import sys, eigentropy.io;"
        "assert 'eigentropy.io.files' not in sys.modules;"
        "eigentropy.io.read_matrix;"
        "assert 'eigentropy.io.files' in sys.modules;"
        "assert not {'pyarrow', 'torch', 'zarr'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_run_is_tracked_by_the_public_name(tmp_path):
    np.save(tmp_path / "epoch1.npy", np.random.default_rng(0).normal(size=(20, 3)))
    (row,) = eigentropy.io.track(tmp_path)
    assert (row.snapshot, row.n) == ("epoch1", 20)
