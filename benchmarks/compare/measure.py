"""A contender in a process of its own: a specification on stdin, and then a request a line.

`workers.Worker` starts it. It waits on its stdin between two requests, so that contenders take
turns although each has started and has read its input only once.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np

from benchmarks.compare.peers import READY
from benchmarks.shared.timing import first_call, further_calls, rest


class Measured:
    """Answers requests about the contender of a specification.

    The task `machine` is to describe it.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._ready = None if spec["task"] == "machine" else READY[spec["task"]](spec)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Time and memory of the first call, or the time of the next calls.

        The answer is saved where the request wants it.
        """
        if self._ready is None:
            from benchmarks.shared.machine import describe  # peers' processes load no eigentropy

            return describe()
        if request["first"]:
            result, answer = first_call(self._ready)
        else:
            result, answer = further_calls(self._ready, request["enough_seconds"])
        if request.get("answer") is not None:
            np.save(request["answer"], np.asarray(answer))
        return result

    def close(self) -> None:
        """As a worker has it."""


def main() -> None:
    # What a library prints goes to stderr: stdout is for results.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    contender = Measured(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        result = contender.ask(json.loads(line))
        rest()
        print(json.dumps(result), file=results, flush=True)


if __name__ == "__main__":
    main()
