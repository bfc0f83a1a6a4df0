"""Texts as samples: from a file, or from a list."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support.signatures import nearest
from eigentropy.io.paths import FileError, listed, shown
from eigentropy.torch.features import digests
from eigentropy.torch.features.sample_sets import SampleSet, as_labels, require_there

Array = npt.NDArray[Any]

# This many places of blank texts are shown.
SHOWN_PLACES = 5

SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl")


class TextList(SampleSet):
    """Texts that are in memory.

    The longest are given to a model first, so that texts of one batch are about as long as each
    other, and a batch that does not fit into memory is met at once. Rows stay in the given order.

    Parameters
    ----------
    texts : sequence of str
    labels : array-like of shape (n,), optional

    Raises
    ------
    ValueError, TypeError
        There is no text; one is blank, or no str.
    """

    kind = "texts"

    def __init__(self, texts: Sequence[str], labels: Any = None) -> None:
        self._texts = list(texts)
        if not self._texts:
            raise ValueError("texts is empty; a list of at least one text is wanted")
        for i, text in enumerate(self._texts):
            if not isinstance(text, str):
                raise TypeError(f"texts must be str, entry {i} is a {type(text).__name__}")
        blank = [i for i, text in enumerate(self._texts) if not text.strip()]
        if blank:
            raise ValueError(
                f"texts: {_counted('entry', 'entries', blank)} blank; leave blank texts out, and "
                "their labels"
            )
        if labels is not None:
            self.labels, self.classes = as_labels(labels, len(self), "labels")

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: int) -> str:
        return self._texts[index]

    def digest(self) -> str:
        """SHA-256 of the texts."""
        return digests.of_parts(text.encode("utf-8", "surrogatepass") for text in self._texts)

    def order(self) -> Array:
        """The longest first."""
        return np.argsort([-len(text) for text in self._texts], kind="stable")


class TextFile(TextList):
    """The texts of a file in UTF-8.

    ``.txt``: one text a line; blank lines at the end do not count. ``.csv`` and ``.tsv``: a table
    whose first line has the names of its columns, with commas or with tabs between them.
    ``.jsonl``: one JSON object a line.

    Parameters
    ----------
    path : str or path
    text : str, default="text"
        The column, or the key, that has the texts.
    label : str, default="label"
        That of the labels. A file without "label" has none. A ``.txt`` has no columns to name.

    Raises
    ------
    FileError
        The file cannot be read or has no text, a text is blank, or there is no such column.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, text: str = "text", label: str = "label"
    ) -> None:
        self.path = Path(path)
        require_there(self.path)
        suffix = self.path.suffix.lower()
        if suffix not in SUFFIXES:
            raise FileError(
                f"{shown(self.path)}: unknown kind of file of texts {suffix!r}; known are "
                f"{', '.join(SUFFIXES)}"
            )
        lines = _lines(self.path)
        labels = None
        if suffix == ".txt":
            for argument, column in (("text", text), ("label", label)):
                if column != argument:
                    raise FileError(
                        f"{shown(self.path)} has no columns, and {argument}={column!r} names one: "
                        f"leave {argument} out, or take a .csv, .tsv or .jsonl; labels may also be "
                        "passed by themselves"
                    )
            numbered = list(enumerate(lines, 1))
        else:
            rows = _objects(self.path, lines) if suffix == ".jsonl" else _table(self.path, lines)
            numbered = [(number, _cell(self.path, number, row, text)) for number, row in rows]
            if any(label in row for _, row in rows) or label != "label":
                labels = [_cell(self.path, number, row, label) for number, row in rows]
        if not numbered:
            raise FileError(f"{shown(self.path)} has no text; one a row is wanted")
        blank = [number for number, one in numbered if not one.strip()]
        if blank:
            raise FileError(
                f"{shown(self.path)}: of {len(numbered)} texts, {_counted('line', 'lines', blank)} "
                "blank; leave blank texts out"
            )
        super().__init__([one for _, one in numbered])
        if labels is not None:
            name = f"{shown(self.path)}: column {label!r}"
            self.labels, self.classes = as_labels(labels, len(self), name)

    def name(self, index: int) -> str:
        """The place of a text in its file."""
        return f"text {index} of {shown(self.path)}"


def _counted(one: str, several: str, places: Sequence[int]) -> str:
    """How many places there are, and the first of them, as the subject of a sentence."""
    if len(places) == 1:
        return f"{one} {places[0]} is"
    first = ", ".join(map(str, places[:SHOWN_PLACES]))
    more = f" and {len(places) - SHOWN_PLACES} more" if len(places) > SHOWN_PLACES else ""
    return f"{several} {first}{more} are"


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"{shown(path)} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{shown(path)} is not UTF-8: {error}; convert it") from error
    # Not splitlines, which breaks at characters that stand inside of a text, too.
    lines = content.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _table(path: Path, lines: list[str]) -> list[tuple[int, dict[str, Any]]]:
    """Rows by the names of their columns, with the number of the line that they end in."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader((f"{line}\n" for line in lines), delimiter=separator, strict=True)
    try:
        return [(reader.line_num, {k: v for k, v in row.items() if k}) for row in reader]
    except csv.Error as error:
        raise FileError(f"{shown(path)}: line {reader.line_num}: {error}") from error


def _objects(path: Path, lines: list[str]) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise FileError(f"{shown(path)}: line {number} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise FileError(
                f'{shown(path)}: line {number} must be an object, such as {{"text": ...}}'
            )
        rows.append((number, row))
    return rows


def _cell(path: Path, number: int, row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None:
        near = nearest(column, row)
        hint = f"; the nearest is {near!r}" if near else ""
        raise FileError(
            f"{shown(path)}: line {number} has no {column!r}, it has {listed(list(row))}{hint}; "
            "name the columns by TextFile(path, text=, label=)"
        )
    return str(value)
