"""Tables of the studies: those in the documents are of the rows that are stored."""

from __future__ import annotations

import lzma
import math
from itertools import zip_longest
from pathlib import Path

import pytest

from benchmarks.documents import study_tables as tables
from eigentropy.io import FileError
from eigentropy.studies import STUDIES
from eigentropy.studies.rows import COLUMNS, Cell, StudyRow, to_line
from messages import naming

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanations" / "studies.md"
CLAIMS = DOCUMENT.with_name("training_claims.md")


def test_the_pages_show_what_is_stored():
    shown = set()
    for page in sorted(DOCUMENT.parents[1].glob("*/*.md")):
        text = page.read_text()
        assert tables.updated(text) == text, page.name
        shown |= {match["name"] for match in tables.BLOCK.finditer(text)}
    assert set(STUDIES) <= shown <= {*tables.FURTHER, *dict(tables.entries())}


def test_the_claims_about_training_are_judged_on_each_data_set():
    text = CLAIMS.read_text()
    named = {match["name"] for match in tables.BLOCK.finditer(text)}
    studies = ("training", "initialization")
    assert named == {f"{name}-{data}" for name in studies for data in ("mnist-5000", "cifar10")}
    for name in named:
        assert "not measured" not in tables.verdict(name, tables.RESULTS)
        assert (DOCUMENT.parents[1] / "figures" / f"study_{name}.png").exists()


# Whose real data could not be had: its stand-ins say nothing of its claims.
NOT_RUN = "imagenet"


def test_of_a_study_that_was_not_run_only_stand_ins_are_stored():
    assert tables.stored(NOT_RUN, tables.RESULTS) == []
    found = tables.stored(f"{NOT_RUN}-stand-in", tables.RESULTS)
    assert {(row.cell.data, row["weights"]) for row in found} == {("stand-in", "untrained")}
    assert {finding.holds for finding in STUDIES[NOT_RUN].findings(found)} == {None}


@pytest.mark.parametrize("name", [name for name in STUDIES if name != NOT_RUN])
def test_stored_rows_are_of_the_study(name):
    assert len(tables.stored(name, tables.RESULTS)) > 50
    verdict = tables.verdict(name, tables.RESULTS)
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


def test_each_data_set_is_a_file_of_its_own(tmp_path):
    """Rows of three data sets in one file of the study."""
    study = STUDIES["forgetting"]
    written = {
        data: [StudyRow(Cell(data, (("epochs", 2),), "DSE", seed), 0.1 * seed, math.nan, 0.5)
               for seed in range(count)]
        for data, count in (("digits", 3), ("cifar10", 2), ("mnist-5000", 1))
    }  # fmt: skip
    lines = [
        to_line(study.name, row) for rows in zip_longest(*written.values()) for row in rows if row
    ]
    (tmp_path / "forgetting.csv").write_text(",".join(COLUMNS) + "\n" + "".join(lines))
    tables.store(tmp_path, tmp_path)
    names = {"digits": "forgetting", "cifar10": "forgetting-cifar10",
             "mnist-5000": "forgetting-mnist-5000"}  # fmt: skip
    assert {data: tables.entry(study, data) for data in written} == names
    for data, rows in written.items():
        found = tables.stored(names[data], tmp_path)
        assert [(row.cell, row.value) for row in found] == [(row.cell, row.value) for row in rows]
    assert tables.stored("forgetting-stl10", tmp_path) == []


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
