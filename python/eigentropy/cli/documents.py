"""What programs read: results and settings as JSON documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable
from eigentropy._measures.results import DiffusionEntropy, DiffusionInformation
from eigentropy._support.lifetime import version
from eigentropy._support.printable import encodable
from eigentropy.io.paths import shown

if TYPE_CHECKING:  # not needed by the other commands
    from eigentropy.report import Run
    from eigentropy.studies.study import Outcome, StudyPlan


def plain(value: Any) -> Any:
    """Convert a value to the types that JSON has."""
    if isinstance(value, dict):
        return {plain(name): plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def of_measurement(measured: Measurement, variables: dict[str, Variable]) -> dict[str, Any]:
    """List the results of `eigentropy measure`, one entry for each t."""
    dsmi = {
        role: {"source": variables[role].source, "results": [*map(_information, results)]}
        for role, results in measured.informations.items()
    }
    return {"dse": [*map(_entropy, measured.entropies)], "dsmi": dsmi}


def _entropy(result: DiffusionEntropy) -> dict[str, Any]:
    """List all fields but the eigenvalues, and the largest value that n rows can have."""
    how = ("method", "rank", "dtype", "n", "sampled_from")
    settings = ("sigma", "alpha", "t", "base", "seed")
    names = ("value", "standard_error", "error_bound", *how, *settings)
    fields = {name: getattr(result, name) for name in names}
    fields["interval"] = _interval(result)
    return {**fields, "maximum": largest_entropy(result)}


def _information(result: DiffusionInformation) -> dict[str, Any]:
    """List all fields but the group of each row."""
    values = ("value", "standard_error", "error_bound", "p_value")
    parts = ("conditional_entropy", "label_entropy", "null", "group_sizes")
    settings = ("method", "dtype", "estimator", "n", "sigma", "alpha", "t", "base", "seed")
    fields = {name: getattr(result, name) for name in (*values, *parts, *settings)}
    fields |= {"n_null": result.n_null, "interval": _interval(result)}
    return {**fields, "adjusted": result.adjusted(), "adjusted_note": result.adjusted_note()}


def _interval(result: DiffusionEntropy | DiffusionInformation) -> dict[str, Any]:
    """List the ends of the 95 % interval, and what it is over: never other samples."""
    found = result.interval()
    return {"low": found.low, "high": found.high, "level": found.level, "over": found.over}


def of_command(command: str, settings: MeasurementSettings, **entries: Any) -> dict[str, Any]:
    """Head a document by its command; sigma in the settings may be the name of a rule."""
    head = {"eigentropy": version(), "command": command}
    return {**head, **entries, "settings": asdict(settings)}


def of_study(
    name: str, plan: StudyPlan, outcome: Outcome, written: Sequence[Path], warned: Sequence[str]
) -> dict[str, Any]:
    """List what a study has found and written."""
    return {
        "eigentropy": version(),
        "command": "study",
        "study": name,
        "settings": asdict(plan),
        "rows": len(outcome.rows),
        "measured": outcome.measured,
        "findings": [asdict(finding) for finding in outcome.findings],
        "listing": asdict(outcome.listing) if outcome.listing else None,
        "written": [shown(path) for path in written],
        "warnings": [*warned, *outcome.notes],
    }


def of_report(
    title: str, runs: Sequence[Run], path: Path, size: int, said: Sequence[str]
) -> dict[str, Any]:
    """List the runs of a page, and what is wrong with them."""
    return {
        "eigentropy": version(),
        "command": "report",
        "title": title,
        "runs": [{"title": run.title, "file": run.source, "steps": run.steps} for run in runs],
        "written": shown(path),
        "bytes": size,
        "warnings": list(said),
    }


def largest_entropy(result: DiffusionEntropy) -> float:
    """Compute log n, the largest entropy that n rows can have."""
    return math.log(result.n) / math.log(result.base)
