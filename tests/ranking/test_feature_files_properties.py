"""Whatever files are called, each is one model, in one order, or two of one name are refused."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.io import FileError
from eigentropy.io.paths import ARCHIVES, TABLES
from eigentropy.ranking.feature_files import find_features

stems = st.text("aB19._- :", min_size=1, max_size=8).filter(lambda text: text[0] != ".")
files = st.lists(st.tuples(stems, st.sampled_from(ARCHIVES + TABLES)), min_size=1, unique=True)


@settings(max_examples=50, deadline=None)
@given(files)
def test_a_directory_gives_each_file_its_own_name(tmp_path_factory, given_files):
    folder = tmp_path_factory.getbasetemp() / "features"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for stem, suffix in given_files:
        (folder / f"{stem}{suffix}").write_bytes(b"x")
    names = [stem for stem, _ in given_files]
    if len(set(names)) < len(names):
        with pytest.raises(FileError):
            find_features(folder)
        return
    found = find_features(folder)
    assert set(found) == set(names)
    assert all(path.name == f"{name}{path.suffix}" for name, path in found.items())
    assert [*find_features([*found.values()][::-1])] == [*found]
