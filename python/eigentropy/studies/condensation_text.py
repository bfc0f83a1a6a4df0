"""Real text as numbers of characters, cut into a part to learn and one that is held out."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy.io.paths import FileError
from eigentropy.studies.courses import missing, stored

# Sentences of film reviews and of editorials, from a package, through scripts/fetch_study_data.py;
# and Python's own help, which every Python ships.
REVIEWS, HELP = "reviews", "python-help"
DATA = (REVIEWS, HELP)

# Characters of a stretch. Every tenth stretch is held out.
STRETCH, SHARE = 4096, 10

Symbols = npt.NDArray[np.int64]


class Text(NamedTuple):
    """Numbers of characters, in their order."""

    learned: Symbols
    heldout: Symbols
    symbols: int  # different characters


def load(data: str, most: int | None = None) -> Text:
    """The text of this name, or its first `most` characters.

    Raises
    ------
    FileError
        The text is in no file.
    """
    return divided((_help() if data == HELP else _stored(data))[:most])


def divided(text: str) -> Text:
    """A text as numbers, of which every tenth stretch is held out; what is left over is dropped."""
    letters, numbers = np.unique(np.array(list(text)), return_inverse=True)
    stretch = min(STRETCH, len(text) // SHARE)
    stretches = numbers[: len(numbers) // stretch * stretch].reshape(-1, stretch)
    out = np.arange(len(stretches)) % SHARE == SHARE - 1
    return Text(stretches[~out].ravel(), stretches[out].ravel(), len(letters))


def pieces(text: Symbols, length: int, count: int) -> Symbols:
    """So many pieces at equal distances, each one symbol longer than `length`."""
    starts = np.linspace(0, len(text) - length - 1, count).astype(int)
    return np.stack([text[start : start + length + 1] for start in starts])


def _help() -> str:
    topics: Any = importlib.import_module("pydoc_data.topics")
    return "\n".join(topics.topics[name] for name in sorted(topics.topics))


def _stored(data: str) -> str:
    path = stored(data)
    if not path.exists():
        raise FileError(f"{missing(data)}. Or take --data {HELP}, which needs no file")
    with np.load(path) as file:
        return bytes(file["text"]).decode("utf-8")
