"""The tables of the studies in the documents are those of the rows that are stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.documents import study_tables as tables
from eigentropy.studies import STUDIES
from eigentropy.studies.rows import read

DOCUMENT = Path(__file__).parent.parent / "docs" / "studies.md"


def test_the_document_shows_what_is_stored():
    text = DOCUMENT.read_text()
    assert tables.updated(text) == text
    assert {match["name"] for match in tables.BLOCK.finditer(text)} == set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_stored_rows_are_of_the_study(name):
    stored = tables.RESULTS / f"{name}.csv"
    assert len(read(name, stored)) > 50
    verdict = tables.verdict(STUDIES[name])
    assert "not measured" not in verdict
    assert verdict.count("\n") > 3


def test_a_study_without_rows_leaves_its_block(tmp_path):
    block = "<!-- study: trees -->\nold\n<!-- end of study -->"
    assert tables.updated(block, tmp_path) == block
