"""One measurement, in a process of its own: a specification on stdin, a result on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from benchmarks.compare.peers import READY
from benchmarks.shared.timing import timed


def measured(spec: dict[str, Any]) -> dict[str, Any]:
    """Times and memory; the answer is saved where the specification wants it.

    The task `machine` is to describe it.
    """
    if spec["task"] == "machine":
        from benchmarks.shared.machine import describe  # a peer's process does not load eigentropy

        return describe()
    result, answer = timed(READY[spec["task"]](spec), spec["enough_seconds"])
    if spec["answer"] is not None:
        np.save(spec["answer"], np.asarray(answer))
    return result


def main() -> None:
    print(json.dumps(measured(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
