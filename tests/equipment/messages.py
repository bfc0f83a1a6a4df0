"""What tests ask of messages: the names and the values in them, whatever the sentence around."""

from __future__ import annotations

import re


def naming(*words):
    """A pattern for `match=`: a text that has all of these words, in any order.

    A word stands alone: "t" is not found in "the", nor "1" in "10".
    """
    return "(?s)" + "".join(f"(?=.*{_alone(str(word))})" for word in words)


def names(text, *words):
    """Whether a text has all of these words."""
    return re.match(naming(*words), text) is not None


def _alone(word):
    start = r"(?<![\w])" if re.match(r"\w", word) else ""
    end = r"(?![\w])" if re.search(r"\w$", word) else ""
    return start + re.escape(word) + end
