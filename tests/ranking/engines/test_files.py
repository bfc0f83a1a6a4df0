"""Results have files whose names say which task they are of, and damaged ones are told apart."""

from __future__ import annotations

import pytest

from eigentropy.ranking.engines.files import LONGEST, is_whole, keep, result_file, task_name
from messages import naming


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet50.a1_in1k", "resnet50.a1_in1k.json"),
        ("timm/vit-b", "timm%2Fvit-b.json"),
        ("timm%2Fvit-b", "timm%252Fvit-b.json"),
        ("..", "%2E..json"),
        (".claims", "%2Eclaims.json"),
        ("x" * (LONGEST + 1), "x" * LONGEST + "+/x.json"),
    ],
)
def test_a_name_becomes_one_of_a_file(tmp_path, name, file):
    assert result_file(tmp_path, name) == tmp_path / file


def test_a_version_gives_another_file_of_the_same_name(tmp_path):
    files = [result_file(tmp_path, "a@b", version) for version in (None, "1", "2")]
    assert len(set(files)) == 3
    assert {task_name(tmp_path, file) for file in files} == {"a@b"}


def test_an_empty_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match=naming("tasks", "empty")):
        result_file(tmp_path, "")


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"12", b"\x00" * 20, b"[" * 10**5])
def test_a_part_of_a_result_is_none(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert not is_whole(tmp_path / "a.json")


def test_a_result_in_a_directory_of_its_own_is_kept(tmp_path):
    file = result_file(tmp_path, "x/" * LONGEST)
    keep(file, b"{}")
    assert is_whole(file)
    assert not is_whole(tmp_path / "other.json")
