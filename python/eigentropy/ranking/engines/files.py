"""The file of each task's result: its name, whether it is whole, and how it is put in its place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import quote, unquote

from eigentropy.io.writing import write_atomically

SUFFIX = ".json"

# A file system takes names of 255 bytes; a longer one goes on in a directory.
LONGEST = 200
CONTINUED = "+"


def result_file(directory: Path, name: str, version: str | None = None) -> Path:
    """The file of the result of a task, of which `task_name` finds the name again.

    What a file name cannot hold is written as in an address, ``%2F``. A version, any text that
    tells results of one name apart, adds a part of its digest.
    """
    if not name:
        raise ValueError("tasks has an empty name; give every task a name of its own")
    text = quote(name, safe="", errors="surrogatepass").replace("~", "%7E")
    if text.startswith("."):  # hidden
        text = "%2E" + text[1:]
    parts = [text[start : start + LONGEST] for start in range(0, len(text), LONGEST)]
    of_version = "" if version is None else f"@{hashlib.sha256(version.encode()).hexdigest()[:16]}"
    return directory / (f"{CONTINUED}/".join(parts) + of_version + SUFFIX)


def task_name(directory: Path, path: Path) -> str:
    """The name of the task whose result is in this file."""
    text = path.relative_to(directory).as_posix().removesuffix(SUFFIX)
    return unquote(text.partition("@")[0].replace(f"{CONTINUED}/", ""), errors="surrogatepass")


def is_whole(path: Path) -> bool:
    """Say whether there is a result, and not a damaged one or a part of one."""
    try:
        return is_result(path.read_bytes())
    except FileNotFoundError:
        return False


def is_result(content: bytes) -> bool:
    """Say whether this is JSON with an end: numbers have none, so that a part of one is one."""
    try:
        return isinstance(json.loads(content), (dict, list))
    except (ValueError, RecursionError):
        return False


def keep(path: Path, content: bytes) -> None:
    """Write a result, so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
