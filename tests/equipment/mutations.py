"""Recordings that were damaged or written by something else: seeded changes to good ones."""

from __future__ import annotations

import contextlib
import copy
import json

# What other programs write where a number, a name or a list is wanted.
STRANGE = (
    None, True, False, "", "x", "NaN", "12", [], {}, [[]], [1, "2", None], {"a": {"b": 1}}, 0, -1,
    2, 1.5, 1e308, -1e308, 5e-324, 1e-9, 2**53 + 1, 2**64, 10**400, float("nan"), float("inf"),
    float("-inf"), "\ud800", "</script><script>alert(1)</script>", "\x1b[31m\x00\u202e",
    "n" * 5000,
)  # fmt: skip

# Texts that json.dumps does not write.
RAW = (
    b"", b"[" * 100_000, b'{"a":' * 5000, b"9" * 5000, b"\x00\xff\xfe\x80", b"\xef\xbb\xbf{}",
    b"null", b"[]", b'{"step": 1', b'{"step": 1}' * 2, b"<html>", b"NaN",
    b'"\\ud800"', b"PK\x03\x04" * 50,
)  # fmt: skip


def mutated(content, generator):
    """The bytes of a file of JSON lines or CSV, changed in one to three ways."""
    for _ in range(1 + generator.randrange(3)):
        change = generator.choice(CHANGES)
        content = change(content, generator)
    return content


def truncate(content, generator):
    return content[: generator.randrange(len(content) + 1)]


def flip(content, generator):
    changed = bytearray(content)
    for _ in range(1 + generator.randrange(8)):
        if changed:
            changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def insert(content, generator):
    at = generator.randrange(len(content) + 1)
    return content[:at] + generator.choice(RAW) + content[at:]


def reorder(content, generator):
    lines = content.splitlines(keepends=True)
    generator.shuffle(lines)
    return b"".join(lines)


def repeat(content, generator):
    lines = content.splitlines(keepends=True)
    return b"".join([*lines, *(generator.choice(lines) for _ in lines[:3])])


def replace_line(content, generator):
    lines = content.splitlines(keepends=True) or [b""]
    lines[generator.randrange(len(lines))] = generator.choice(RAW) + b"\n"
    return b"".join(lines)


def restructure(content, generator):
    """Another value, name or number of one key, in one line; of CSV: of one cell."""
    lines = content.splitlines(keepends=True) or [b""]
    at = generator.randrange(len(lines))
    try:
        document = json.loads(lines[at])
    except (ValueError, RecursionError):
        return b"".join([*lines[:at], recelled(lines[at], generator), *lines[at + 1 :]])
    holders = list(containers(document))
    if holders:
        holder = generator.choice(holders)
        key = generator.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        generator.choice((replace, replace, drop, rename, move))(holder, key, generator)
    else:
        document = generator.choice(STRANGE)
    with contextlib.suppress(ValueError):  # of the digits of a number
        lines[at] = json.dumps(document).encode() + b"\n"
    return b"".join(lines)


def containers(document):
    """Everything in a document that has something inside, the document first."""
    if isinstance(document, (dict, list)) and document:
        yield document
        for inside in document.values() if isinstance(document, dict) else document:
            yield from containers(inside)


def replace(holder, key, generator):
    holder[key] = copy.deepcopy(generator.choice(STRANGE))


def drop(holder, key, _):
    del holder[key]


def rename(holder, key, generator):
    if isinstance(holder, dict):
        holder[f"{key}{generator.choice(('', 's', chr(0xD800), '/'))}x"] = holder.pop(key)


def move(holder, key, generator):
    """One value in the place of another."""
    other = generator.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


def recelled(line, generator):
    cells = line.rstrip(b"\r\n").split(b",")
    cells[generator.randrange(len(cells))] = generator.choice(CELLS).encode()
    return b",".join(cells) + b"\n"


# What other programs write into the cells of a table.
CELLS = (
    "",
    "x",
    "nan",
    "-inf",
    "1e999",
    "-1",
    "1.5",
    '"',
    '"a,b"',
    "step",
    "9" * 5000,
    "\x00",
    "é",
)

CHANGES = (truncate, flip, insert, reorder, repeat, replace_line) + (restructure,) * 6
