"""Whatever models are called, a table gives each its own accuracy."""

from __future__ import annotations

import csv
import warnings

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from eigentropy.io.dialects import MISSING
from eigentropy.ranking.accuracies import read_accuracies

# Names of timm with and without a tag, of sources, and of any other characters but white space.
words = st.text("abc12_-", min_size=1, max_size=6)
of_timm = st.builds("{}{}.{}".format, st.sampled_from(["", "timm:", "hf:a/"]), words, words)
anything = st.text(
    st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8
).filter(lambda text: text not in MISSING and not text.startswith("#"))  # fmt: skip
names = st.lists(words | of_timm | anything, min_size=1, max_size=12, unique=True)


@given(names, st.randoms())
def test_each_model_has_the_accuracy_of_the_row_with_its_name(tmp_path_factory, models, random):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    rows = [[name, place, "family"] for place, name in enumerate(models)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["model", "top1", "family"], *random.sample(rows, len(rows))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_accuracies(path, models)
    assert found.accuracy == {name: place for place, name in enumerate(models)}
    assert [*found.accuracy] == models
