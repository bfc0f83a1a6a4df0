"""What `eigentropy rank` calls what Python's messages name: options in place of arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

_REPLACED = (
    (r" \(in Python [^)]*\)", ""),
    (r"give preprocessing=(\{[^}]*\})", r"let python:MODULE:FUNCTION return (model, \1)"),
    (r"\bpass sampling=False\b", "pass --no-sampling-error"),
    (r"^(there is no )?(scores|by)=(?=')", r"\1--\2 "),
    (r"^(scores|level|seed|sigma|alpha|k|folds|n_null)(?= (?:has|is|must)\b)", r"--\1"),
    (r"^t(?= must\b)", "--time"),
    (r"^--n_null", "--n-null"),
)


def in_options(message: str) -> str:
    """A message of the library, as it reads on a command line."""
    for pattern, words in _REPLACED:
        message = re.sub(pattern, words, message)
    return message


@contextmanager
def words_of_options() -> Iterator[None]:
    """Let errors about arguments name options."""
    try:
        yield
    except (ValueError, TypeError) as error:
        said = in_options(str(error))
        if said == str(error):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(said) from error
