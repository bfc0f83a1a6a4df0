"""What programs read: results and settings as JSON documents."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eigentropy._measures.kernel_results import KernelEntropy, KernelInformation
from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable
from eigentropy._measures.results import Entropy, MutualInformation
from eigentropy._measures.sampling.errors import sampling_errors
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


def of_measurement(
    measured: Measurement, variables: dict[str, Variable], settings: MeasurementSettings
) -> dict[str, Any]:
    """List the results of `eigentropy measure`, one entry for each t and each order."""

    def listed(fields: Callable[[Any], dict[str, Any]], results: Sequence[Any]) -> list[Any]:
        sampling = _sampling if settings.sampling else (lambda result: {})
        return [fields(result) | sampling(result) for result in results]

    def about(results: Mapping[str, Sequence[MutualInformation]]) -> dict[str, Any]:
        return {
            role: {"source": variables[role].source, "results": listed(_information, found)}
            for role, found in results.items()
        }

    document = {
        "dse": listed(_entropy, measured.entropies),
        "dsmi": about(measured.informations),
    }
    if measured.kernel_entropies:
        document["kernel_entropy"] = listed(_kernel_entropy, measured.kernel_entropies)
        document["kernel_information"] = about(measured.kernel_informations)
    return document


def _entropy(result: Entropy) -> dict[str, Any]:
    """List all fields but the eigenvalues, and the largest value that n rows can have."""
    names = ("value", "standard_error", "error_bound", "method", "rank", "dtype", "n")
    fields = {name: getattr(result, name) for name in (*names, "sampled_from")}
    return {**fields, **_settings(result), "maximum": largest_entropy(result)}


def _kernel_entropy(result: KernelEntropy) -> dict[str, Any]:
    """The same, and the Vendi score."""
    return {**_entropy(result), "vendi": result.vendi}


def _information(result: MutualInformation) -> dict[str, Any]:
    """List all fields but the group of each row."""
    values = ("value", "standard_error", "error_bound", "p_value")
    parts = ("conditional_entropy", "label_entropy", "null", "group_sizes")
    names = (*values, *parts, "method", "dtype", "estimator", "n", "n_null", "p_value_from")
    fields = {name: getattr(result, name) for name in names} | _settings(result)
    fields |= {"adjusted": result.adjusted(), "adjusted_note": result.adjusted_note()}
    if isinstance(result, KernelInformation):
        fields |= {"kind": result.kind, "bits": result.bits()}
    return fields


def _sampling(result: Entropy | MutualInformation) -> dict[str, Any]:
    """List the sampling error of each form of a result, and why there is none."""
    fields: dict[str, Any] = {}
    for form, (error, note) in sampling_errors(result).items():
        prefix = "" if form == "value" else f"{form}_"
        fields |= {f"{prefix}sampling_error": error, f"{prefix}sampling_note": note}
    is_known = math.isfinite(fields["sampling_error"])
    return {**fields, "sampling_interval": _interval(result, "sample") if is_known else None}


def _settings(result: Entropy | MutualInformation) -> dict[str, Any]:
    """List what the kernel and the entropy are, and where the result is."""
    named = {name: number(value) for name, value in result.settings.items()}
    own = {"sigma": result.sigma, **named, "base": result.base, "seed": result.seed}
    return {**own, "interval": _interval(result)}


def number(value: float) -> float | str:
    """A setting that may be infinite, for which JSON has no number."""
    return "inf" if value == math.inf else value


def _interval(result: Entropy | MutualInformation, of: str = "computation") -> dict[str, Any]:
    """List the ends of the 95 % interval, and what it is over."""
    found = result.interval(of=of)
    return {"low": found.low, "high": found.high, "level": found.level, "over": found.over}


def of_command(command: str, settings: MeasurementSettings, **entries: Any) -> dict[str, Any]:
    """Head a document by its command; sigma in the settings may be the name of a rule."""
    head = {"eigentropy": version(), "command": command}
    orders = [number(order) for order in settings.order]
    return {**head, **entries, "settings": {**asdict(settings), "order": orders}}


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


def largest_entropy(result: Entropy) -> float:
    """Compute log n, the largest entropy that n rows can have."""
    return math.log(result.n) / math.log(result.base)
