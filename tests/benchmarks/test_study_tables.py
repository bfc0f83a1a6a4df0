"""Tables of the studies: those in the documents are of the rows that are stored."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from benchmarks.documents import study_tables as tables
from eigentropy.io import FileError
from eigentropy.studies import STUDIES
from messages import naming

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanations" / "studies.md"


def test_the_document_shows_what_is_stored():
    text = DOCUMENT.read_text()
    assert tables.updated(text) == text
    assert {match["name"] for match in tables.BLOCK.finditer(text)} == set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_stored_rows_are_of_the_study(name):
    assert len(tables.stored(name, tables.RESULTS)) > 50
    verdict = tables.verdict(STUDIES[name], tables.RESULTS)
    assert "not measured" not in verdict
    assert verdict.count("\n") > 3


def test_a_study_without_rows_leaves_its_block(tmp_path):
    block = "<!-- study: trees -->\nold\n<!-- end of study -->"
    assert tables.updated(block, tmp_path) == block


def test_what_is_stored_is_what_was_measured(tmp_path):
    with lzma.open(tables.RESULTS / "dimension.csv.xz", "rt", encoding="utf-8") as file:
        text = file.read()
    (tmp_path / "dimension.csv").write_text(text)
    target = tmp_path / "stored"
    target.mkdir()
    tables.store(tmp_path, target)
    assert [path.name for path in target.iterdir()] == ["dimension.csv.xz"]
    assert lzma.decompress((target / "dimension.csv.xz").read_bytes()).decode() == text
    assert len(tables.stored("dimension", target)) == text.count("\n") - 1


def test_what_is_no_table_of_the_study_is_not_stored(tmp_path):
    (tmp_path / "trees.csv").write_text("epoch,loss\n1,2\n")
    with pytest.raises(FileError, match=naming("trees.csv")):
        tables.store(tmp_path, tmp_path)
    assert not (tmp_path / "trees.csv.xz").exists()


def test_the_figures_of_a_folder_are_drawn_anew(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("trees", "models"):
        (tmp_path / f"study_{name}.png").write_bytes(b"old")
    tables.draw(tmp_path)
    drawn = sorted(tmp_path.iterdir())
    assert [path.name for path in drawn] == ["study_models.png", "study_trees.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
