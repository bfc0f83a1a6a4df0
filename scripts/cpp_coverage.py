"""Print which share of the lines of csrc/ the C++ tests have run, from a build with --coverage.

usage: scripts/cpp_coverage.py build/coverage

The bindings are left out: the Python tests run them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [ROOT / "csrc" / part for part in ("base", "cpu", "cuda")]


def counts_by_file(build: Path) -> dict[Path, dict[int, int]]:
    """How often each line ran. A header's line counts wherever it was compiled."""
    counts: dict[Path, dict[int, int]] = defaultdict(dict)
    for data in sorted(build.rglob("*.gcda")):
        report = subprocess.run(
            ["gcov", "--json-format", "--stdout", str(data)],
            check=True,
            capture_output=True,
            text=True,
            cwd=build,
        ).stdout
        for document in map(json.loads, report.splitlines()):
            for file in document["files"]:
                path = Path(document["current_working_directory"], file["file"]).resolve()
                if not any(path.is_relative_to(source) for source in SOURCES):
                    continue
                lines = counts[path]
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[number] = lines.get(number, 0) + line["count"]
    return counts


def ranges(numbers: list[int]) -> str:
    """Line numbers as 3-5, 9."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def main() -> None:
    """Print a row for each file and the total; end with an error if nothing has run."""
    counts = counts_by_file(Path(sys.argv[1]).resolve())
    if not counts:
        sys.exit(f"error: {sys.argv[1]} has no .gcda files of csrc/: run its tests first")
    print(f"{'file':<44} {'lines':>6} {'run':>6} {'share':>7}  not run")
    total = run = 0
    for path in sorted(path for path in counts if counts[path]):
        missed = sorted(number for number, count in counts[path].items() if count == 0)
        lines = len(counts[path])
        total += lines
        run += lines - len(missed)
        share = f"{(lines - len(missed)) / lines:7.1%}"
        name = str(path.relative_to(ROOT / "csrc"))
        print(f"{name:<44} {lines:>6} {lines - len(missed):>6} {share}  {ranges(missed)}".rstrip())
    print(f"{'all':<44} {total:>6} {run:>6} {run / total:7.1%}")


if __name__ == "__main__":
    main()
