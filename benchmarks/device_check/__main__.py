"""One of the two calls of the check of the CUDA back end: scripts/device_check.sh runs it.

    python -m benchmarks.device_check one|two [folder for results]

CUDA=EMULATED in the environment runs it on the device that the tests emulate.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from benchmarks.device_check import calls, constants, holding, results
from benchmarks.device_check.place import FILES, ROOT, Place
from benchmarks.device_check.running import Outcome, Run
from benchmarks.shared.results import rounded, write


def report(call: str, folder: Path, outcomes: list[Outcome]) -> tuple[str, bool]:
    """Steps and table, which are printed last, and whether all is good; writes results.json."""
    files = results.load(FILES)
    rows = list(holding.ROWS[call](holding.Findings(files, outcomes)))
    found = {
        "call": call,
        "steps": [vars(one) for one in outcomes],
        "rows": [vars(row) for row in rows],
        "constants": constants.proposed(files),
        "files": files,
    }
    write(folder / "results.json", rounded(found))
    parts = (holding.steps_table(outcomes), constants.text(found["constants"]), holding.table(rows))
    text = "\n\n".join(part.rstrip() for part in parts if part)
    good = all(row.verdict in (holding.HOLDS, holding.INFORMATION) for row in rows)
    return text[-holding.MOST_CHARACTERS :], good and all(one.passed for one in outcomes)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("call", choices=calls.CALLS)
    parser.add_argument("results", type=Path, nargs="?", default=Path("build/device-check"))
    options = parser.parse_args(arguments)
    place = Place(emulated=os.environ.get("CUDA") == "EMULATED")
    folder = options.results.resolve()
    for path in (folder, FILES):
        path.mkdir(parents=True, exist_ok=True)
    for path in FILES.glob("*.json"):  # of another call
        path.unlink()
    run = Run(
        calls.CALLS[options.call](place),
        calls.CALL_SECONDS[options.call] - calls.MARGIN_SECONDS,
        folder / "log.txt",
        place.environment(),
        place.has,
        lambda outcomes: report(options.call, folder, outcomes) and None,
        ROOT,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # the table comes all the same
        signal.signal(number, lambda *_: run.end())
    run.all()
    text, good = report(options.call, folder, run.outcomes)
    run.lines.line(text)
    print(text, flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
