"""Whatever the names are: files can be told apart, stay in their directory, and name their task."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import given
from hypothesis import strategies as st

from eigentropy.ranking.engines.files import is_result, result_file, task_name

DIRECTORY = Path("results")

# With what means something in a path, in an address or here.
PIECES = st.sampled_from(
    ["/", "+", "+/", "@", "~", ".", "..", "%", "%2F", ".json", "\0", "x" * 199]
)
NAMES = st.lists(st.text(st.characters(exclude_categories=()), max_size=3) | PIECES, min_size=1)
NAMES = NAMES.map("".join).filter(bool)
VERSIONS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


@given(name=NAMES, version=VERSIONS)
def test_a_file_names_its_task(name, version):
    assert task_name(DIRECTORY, result_file(DIRECTORY, name, version)) == name


@given(name=NAMES, version=VERSIONS)
def test_a_file_can_be_on_any_file_system_and_stays_in_its_directory(name, version):
    parts = result_file(DIRECTORY, name, version).relative_to(DIRECTORY).parts
    assert all(part.isascii() and part.isprintable() and len(part) < 240 for part in parts)
    assert not any(part.startswith((".", "~")) for part in parts[:1])
    assert ".." not in parts


@given(one=NAMES, other=NAMES, version=VERSIONS)
def test_a_file_of_one_task_is_no_directory_of_another(one, other, version):
    file, second = result_file(DIRECTORY, one), result_file(DIRECTORY, other, version)
    assert file not in second.parents
    assert os.fspath(file) != os.fspath(second) or (one == other and version is None)


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3), st.data())
def test_no_part_of_a_result_is_a_result(result, data):
    whole = json.dumps(result).encode()
    assert is_result(whole)
    assert not is_result(whole[: data.draw(st.integers(0, len(whole) - 1))])
