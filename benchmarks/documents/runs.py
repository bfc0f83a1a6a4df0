"""Results of several runs as one, and the lines that say where and when each row was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare.plan import key

Result = dict[str, Any]
# The default form's run, and that with larger sizes, of --full.
ENDINGS = ("", ".full")
# What a line calls the rows of a case.
PARAMETERS = ("call", "of", "n", "d", "classes", "count", "dtype")
INSTRUCTION_SETS = {"avx512": "AVX-512", "avx2": "AVX2", "baseline": "SSE2"}
# These are no failures: who was slow at a smaller size is left out of a larger one.
INTENDED = ("dropped",)


def load(folder: Path, suite: str, ending: str = "") -> Result | None:
    """What is stored of a suite, as one result; None if nothing is."""
    files = [folder / f"{suite}{kind}{ending}.json" for kind in ENDINGS]
    found = [json.loads(file.read_text()) for file in files if file.exists()]
    return joined(found) if found else None


def joined(results: Sequence[Result]) -> Result:
    """Each case from the newest run that has it, in order of n; which run it is, is in the case."""
    newest = sorted(results, key=_date, reverse=True)
    first = dict(newest[0])
    if len(newest) == 1 or "cases" not in first:
        return first
    cases, known = [], set()
    for run, result in enumerate(newest):
        for case in result["cases"]:
            if key(case) not in known or case.get("task") == "product":
                cases.append({**case, "run": run} if run else case)
        known |= {key(case) for case in result["cases"]}
    first["cases"] = sorted(cases, key=lambda case: case["n"])
    shown = {case.get("run", 0) for case in cases if case.get("task") != "product"}
    first["earlier"] = {run: newest[run]["machine"] for run in sorted(shown - {0})}
    first["skipped"] = [one for one in first.get("skipped", []) if key(one) not in known]
    first["solver"] = _parts(newest)
    return first


def _parts(newest: Sequence[Result]) -> list[dict[str, Any]]:
    """Of the stages of the solver: each n from the newest run that has it."""
    found: list[dict[str, Any]] = []
    for result in newest:
        known = {part["n"] for part in found}
        parts = result.get("solver", [])
        found += [part for part in parts if isinstance(part, dict) and part["n"] not in known]
    return found


def _date(result: Result) -> str:
    return str(result.get("machine", result.get("context", {})).get("date", ""))


def below(results: Mapping[str, Result]) -> str:
    """The lines below a table: machine, date and commit of its rows, and what is missing."""
    lines = {suite: [*_measured(result), *_missing(result)] for suite, result in results.items()}
    several = len({tuple(of) for of in lines.values()}) > 1
    found = [
        f"`{suite}`: {line[0].lower()}{line[1:]}" if several else line
        for suite, of in lines.items()
        for line in of
    ]
    return "".join(f"\n{line}\n" for line in dict.fromkeys(found))


def _measured(result: Result) -> list[str]:
    if "machine" not in result:
        return []
    lines = [f"Measured {_where(result['machine'])}."]
    cases = [case for case in result.get("cases", []) if case.get("task") != "product"]
    for run, machine in result.get("earlier", {}).items():
        own = [case for case in cases if case.get("run") == run]
        lines.append(f"Of another run, {_where(machine)}: {_rows(own, cases)}.")
    return lines


def _where(machine: dict[str, Any]) -> str:
    threads = machine.get("threads")
    parts = [
        f"on {machine.get('date', 'an unknown date')[:10]}",
        f"commit {machine['commit'][:8]}" if machine.get("commit") else "",
        "with changes that are not committed" if machine.get("uncommitted_changes") else "",
        machine.get("processor", ""),
        INSTRUCTION_SETS.get(machine.get("instruction_set", ""), ""),
        f"{threads} thread{'s' * (threads != 1)}" if threads else "",
    ]
    return ", ".join(filter(None, parts))


def _missing(result: Result) -> list[str]:
    """Who does not take part in which rows and why, and rows that there are not."""
    cases = [case for case in result.get("cases", []) if case.get("task") != "product"]
    of: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for case in cases:
        for name, reason in {**case.get("absent", {}), **case.get("failed", {})}.items():
            if not reason.startswith(INTENDED):
                of.setdefault((name, reason), []).append(case)
    names: dict[tuple[str, str], list[str]] = {}
    for (name, reason), own in of.items():
        rows = "" if len(own) == len(cases) else f" in rows {_rows(own, cases)}"
        names.setdefault((reason, rows), []).append(name)
    lines = [
        f"Without {', '.join(who)}{rows}: {_plain(reason)}."
        for (reason, rows), who in names.items()
    ]
    for skipped in result.get("skipped", []):
        reason = skipped.get("reason", "no time was left")
        lines.append(f"Not measured, {_named(skipped, [*cases, skipped])}: {_plain(reason)}.")
    return lines


def _plain(reason: str) -> str:
    """Text in which Markdown sees no table and no markup."""
    return "".join(c for c in reason if c not in "|<>`*").rstrip(".")


def _rows(own: Sequence[dict[str, Any]], cases: Sequence[dict[str, Any]]) -> str:
    """Some of the cases: by n alone where all of that n are among them."""
    found = []
    for case in own:
        same = [one for one in cases if one["n"] == case["n"]]
        whole = all(any(one is mine for mine in own) for one in same)
        found.append(f"n = {case['n']}" if whole else _named(case, cases))
    return "; ".join(dict.fromkeys(found))


def _named(case: dict[str, Any], cases: Sequence[dict[str, Any]]) -> str:
    """A case by its n and those of its parameters that differ between the cases."""
    parts = []
    for name in PARAMETERS:
        if name in case and (name == "n" or len({str(one.get(name)) for one in cases}) > 1):
            text = str(case[name])
            parts.append(text if isinstance(case[name], str) else f"{name} = {text}")
    return ", ".join(parts)
