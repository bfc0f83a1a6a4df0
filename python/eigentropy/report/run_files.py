"""The files of a run: their names, and how their lines are written.

A run is a directory. `run.json` says what was measured; `values.jsonl` has one line a measurement,
and `spectra.jsonl` another; `views/NUMBER.json` are the maps of some of them. The line of values is
written last: a measurement without it was interrupted, and is not read. `profiles.jsonl`, where
there is one, has the layers with their sampling errors and the differences of neighbours: a line
for each measurement with sampling errors, and for each profile that was asked for.
`units/NUMBER.npz`, where units were asked for, are the activations of some of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eigentropy.io.writing import append_whole, write_atomically

RUN, VALUES, SPECTRA, VIEWS = "run.json", "values.jsonl", "spectra.jsonl", "views"
PROFILES, UNITS = "profiles.jsonl", "units"


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a file as a whole, or not at all."""
    write_atomically(path, (json.dumps(document, allow_nan=False) + "\n").encode())


def append_line(path: Path, document: Mapping[str, Any]) -> None:
    """Add a line; NaN and infinity, which JSON lacks, become null."""
    known = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in document.items()
    }
    append_whole(path, (json.dumps(known, allow_nan=False) + "\n").encode())
