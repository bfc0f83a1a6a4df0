"""How a table is written as text: its separator, its header, its comments, its encoding."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import TextIO

from eigentropy._support import memory

_SEPARATORS = (",", ";", "\t", "|", " ")

# Looked at to find out: that many rows, or fewer where that many characters have been seen.
_ROWS, _CHARACTERS = 50, 2**20

# Memory for one character of a line that is split into fields.
_BYTES_PER_CHARACTER = 64

# Cells that pandas reads as missing, and so may have been written for what is missing.
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)

Row = Sequence[str]


@dataclass(frozen=True)
class Dialect:
    """What there is to know before a table can be read from its text."""

    separator: str  # " " stands for any white space
    names: list[str]
    has_header: bool
    skipped: int  # lines before the first row
    encoding: str
    first: Row
    line: float  # mean length of a row

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma may stand in a number."""
        return self.separator != ","


def recognise(path: Path, usual: str, header: bool | None = None) -> Dialect:
    """Find out by the first rows how a file is written.

    Of the separators the one is taken that gives every row as many fields as the header, and most
    numbers; `usual` where these are equal.
    """
    encoding = _encoding(path)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        comments, said = _before(file)
        start = file.tell()
        length = _length_of_line(file)
        memory.require(
            _BYTES_PER_CHARACTER * length,
            f"a line of {length} characters",
            "save the table as .npy",
        )
        known = [said] if said else [usual, *(one for one in _SEPARATORS if one != usual)]
        samples = {}
        for separator in known:
            file.seek(start)
            samples[separator] = _Sample(_lines(file, most=4 * length + _CHARACTERS), separator)
    likely = [one for one in samples.values() if one.separator == known[0] or one.width() > 1]
    return max(likely, key=_Sample.rank).dialect(comments, encoding, header)


def is_number(text: str, decimal_comma: bool = False) -> bool:
    """Say whether a field is a number."""
    try:
        float(text.replace(",", ".") if decimal_comma and text.count(",") == 1 else text)
    except ValueError:
        return False
    return True


def _encoding(path: Path) -> str:
    """By the mark at the beginning; else UTF-8 if it is that, and what Windows writes if not."""
    with path.open("rb") as file:
        start = file.read(_CHARACTERS)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _before(file: TextIO) -> tuple[list[str], str]:
    """Read the lines before the table: comments, empty ones, and Excel's ``sep=;``."""
    comments, said = [], ""
    place = file.tell()
    while line := file.readline(_CHARACTERS):
        text = line.strip()
        if text.startswith("sep=") and len(text) == 5:
            said = text[4]
        elif text and not text.startswith("#"):
            break
        comments.append(text)
        place = file.tell()
    file.seek(place)
    return comments, said


def _length_of_line(file: TextIO) -> int:
    length = 0
    while piece := file.readline(_CHARACTERS):
        length += len(piece)
        if piece.endswith(("\n", "\r")):
            break
    return length


def _lines(file: TextIO, most: int) -> Iterator[str]:
    """Some lines, two at least; none that is longer than any table has beside its first."""
    seen = 0
    for number in count():
        line = file.readline(most)
        if not line or len(line) == most or (number >= 2 and seen > _CHARACTERS):
            return
        seen += len(line)
        yield line


class _Sample:
    """The first rows of a table as one separator gives them."""

    def __init__(self, lines: Iterator[str], separator: str) -> None:
        self.separator = separator
        if separator == " ":
            lines = (line.strip().replace("\t", " ") + "\n" for line in lines)
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator == " ")
        self.rows: list[Row] = []
        self.header_lines = 0
        try:
            for row in islice((row for row in reader if row), _ROWS):
                self.header_lines = self.header_lines or reader.line_num
                self.rows.append(row)
        except csv.Error:  # a field that is longer than any: another separator is meant
            pass

    def width(self) -> int:
        return len(self.rows[-1]) if self.rows else 0

    def _has_row_names(self) -> bool:
        """Whether the header lacks a name for the first column, as R writes it."""
        return len(self.rows) > 1 and self.width() > 2 and len(self.rows[0]) == self.width() - 1

    def rank(self) -> tuple[bool, float, bool]:
        """Order the separators: the highest is the one."""
        body = self.rows[1:] or self.rows
        regular = bool(body) and all(len(row) == self.width() for row in body)
        fits = regular and len(self.rows[0]) == self.width()
        cells = [cell for row in body for cell in row]
        comma = self.separator != ","
        numbers = sum(not cell.strip() or is_number(cell, comma) for cell in cells)
        share = numbers / len(cells) if cells else 0.0
        if self.separator == " " and share <= 0.5:  # words, as of names
            return False, 0.0, False
        return fits or (regular and self._has_row_names()), share, fits

    def dialect(self, comments: list[str], encoding: str, header: bool | None) -> Dialect:
        has_header = self._has_header() if header is None else header
        names = [f"f{i}" for i in range(len(self.rows[0]) if self.rows else 0)]
        if has_header and self.rows:
            names = [*([""] if self._has_row_names() else []), *self.rows[0]]
        elif not has_header and comments:
            names = self._names_in(comments[-1]) or names
        body = self.rows[1:] if has_header else self.rows
        lengths = [sum(map(len, row)) + len(row) for row in body or self.rows or [[]]]
        return Dialect(
            separator=self.separator,
            names=[name.strip() for name in names],
            has_header=has_header or names[:1] != ["f0"],
            skipped=len(comments) + (self.header_lines if has_header else 0),
            encoding=encoding,
            first=body[0] if body else [],
            line=max(1.0, sum(lengths) / len(lengths)),
        )

    def _names_in(self, comment: str) -> list[str]:
        """The header, where it is a comment, as NumPy writes it."""
        text = comment.removeprefix("#").strip()
        names = text.split() if self.separator == " " else text.split(self.separator)
        fit = len(names) == self.width() > 1 and not any(map(is_number, names))
        return names if comment.startswith("#") and fit else []

    def _has_header(self) -> bool:
        """Whether the first line holds names: it is not all numbers, or counts 0, 1, 2, ...

        The second is how pandas names columns; it counts as a header where a line of other than
        whole numbers follows.
        """
        comma = self.separator != ","
        if not self.rows or not all(is_number(field, comma) for field in self.rows[0]):
            return True
        first = self.rows[0]
        counts = list(first) == [str(i) for i in range(len(first))] and len(first) > 1
        return counts and len(self.rows) > 1 and not all(map(_is_whole, self.rows[1]))


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit()
