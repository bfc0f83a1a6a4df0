"""The page of a ranking: all that is in it, and nothing that a browser could run."""

from __future__ import annotations

import re

import numpy as np
import pytest

from eigentropy.report.ranking_page import ranking_page
from rankings import SCORES, ranking_of
from written_pages import NASTY, data_of


def test_the_data_are_those_of_the_ranking():
    ranking = ranking_of(7)
    data = data_of(ranking_page(ranking, "A ranking", settings={"labels": "y.npy"}))
    assert [model["name"] for model in data["models"]] == [*ranking.models]
    assert [score["name"] for score in data["scores"]] == [*ranking.scores] == [*SCORES]
    assert data["scores"][data["by"]]["name"] == ranking.by
    for score in data["scores"]:
        values = [np.nan if value is None else value for value in score["values"]]
        assert values == pytest.approx(ranking.values[score["name"]], rel=1e-5, nan_ok=True)
        ranks = {
            rank.model: [rank.rank, rank.low, rank.high] for rank in ranking.ranks(score["name"])
        }
        assert score["ranks"] == [ranks.get(name) for name in ranking.models]
        groups = [tuple(ranking.models[place] for place in group) for group in score["groups"]]
        assert groups == ranking.groups(score["name"])
        shared = {(a, b) for group in groups for a in group for b in group}
        known = dict(zip(ranking.models, score["letters"], strict=True))
        assert shared == {(a, b) for a in known for b in known if {*known[a]} & {*known[b]}}
    assert len(data["correlations"]) == len(ranking.correlations())
    assert data["sentences"] == ranking.sentences()
    assert data["settings"] == [["labels", "y.npy"]]


def test_what_is_not_known_is_null_and_said():
    ranking = ranking_of(4, excluded=(("broken", "it has NaN in row 3"),))
    data = data_of(ranking_page(ranking, remarks=["a warning"]))
    first = next(model for model in data["models"] if model["name"].startswith("model0"))
    assert first == {"name": "model0.a1_in1k", "family": "", "size": None, "accuracy": None}
    said = " ".join(data["sentences"])
    for words in ("broken", "NaN in row 3", "logme", "too few rows"):
        assert words in said
    assert data["remarks"] == ["a warning"]


def test_a_name_of_any_characters_is_text_and_nothing_else():
    ranking = ranking_of(3, names=(NASTY, "b", "<img src=x onerror=alert(1)>"))
    page = ranking_page(ranking, NASTY, remarks=[NASTY], settings={NASTY: NASTY})
    page.encode()
    assert page.count("<script") == 2
    assert "<img" not in page
    assert NASTY.replace("\ud800", "\\ud800") in {m["name"] for m in data_of(page)["models"]}


def test_the_page_loads_nothing():
    page = ranking_page(ranking_of(3))
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
