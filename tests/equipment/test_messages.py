"""The checker of messages rejects what it should."""

from __future__ import annotations

import pytest

from messages import names, naming


def test_all_words_are_found_in_any_order_and_over_lines():
    assert names("error: y.npy has\n(3, 2) rows", "(3, 2)", "y.npy")
    assert names("anything")


@pytest.mark.parametrize("words", [["z.npy"], ["y.npy", 4], ["npy.y"], ["Y.npy"]])
def test_a_word_that_is_missing_is_missed(words):
    assert not names("y.npy has 5 rows", *words)


@pytest.mark.parametrize(("text", "word"), [("the rows", "t"), ("10 rows", 1), ("a1", 1)])
def test_a_word_stands_alone(text, word):
    assert not names(text, word)
    assert names(f"{text} {word}", word)


def test_a_pattern_fails_where_a_word_is_missing():
    with pytest.raises(AssertionError), pytest.raises(ValueError, match=naming("sigma", 0.0)):
        raise ValueError("sigma must be > 0, got 1.0")
