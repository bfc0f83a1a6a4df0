"""What a reader of a run should know before its curves are believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eigentropy._kernels.saturation import AT_AN_END
from eigentropy.report.runs import Run

# A class with fewer samples has a small S, at most log2 of their number, in every layer.
SMALL_CLASS = 10

# Settings that must be equal for values to be comparable, and what the page calls them.
COMPARED = {
    "n": "number of samples of the probe",
    "t": "diffusion time t",
    "sigma": "kernel width sigma",
    "alpha": "density normalisation alpha",
    "base": "base of the logarithm",
    "n_null": "number of random partitions",
    "eigentropy": "version of eigentropy",
}


def remarks(run: Run) -> list[str]:
    """One sentence for each thing that is wrong or missing in a run."""
    return [*run.notes, *_missing_values(run), *_saturated(run), *_small_classes(run), *_sizes(run)]


def differences(runs: Sequence[Run]) -> list[str]:
    """What keeps the values of several runs from being compared."""
    said = []
    for name, meaning in COMPARED.items():
        known = {run.title: run.description[name] for run in runs if name in run.description}
        if len(set(map(str, known.values()))) > 1:
            each = ", ".join(f"{value} in {title}" for title, value in known.items())
            said.append(f"The runs differ in the {meaning} ({each}): do not compare their values.")
    return said


def entropy_limit(run: Run, step: int, layer: str) -> float | None:
    """Log n, in the unit of the run: the largest S that n samples can have."""
    n = run.spectra.get(step, {}).get(layer, {}).get("n") or run.description.get("n")
    base = run.description.get("base", 2.0)
    return math.log(n) / math.log(base) if n and n > 1 else None


def _missing_values(run: Run) -> list[str]:
    said = []
    for layer, values in run.series("dse").items():
        at = [step for step, value in zip(run.steps, values, strict=True) if value is None]
        if at:
            said.append(
                f"Layer {layer} has no entropy at {_steps(at, run)}: its activations had NaN or "
                "infinity, or it did not run."
            )
    return said


def _saturated(run: Run) -> list[str]:
    said = []
    for layer, values in run.series("dse").items():
        low, high = [], []
        for step, value in zip(run.steps, values, strict=True):
            limit = entropy_limit(run, step, layer)
            if value is None or limit is None:
                continue
            if value < AT_AN_END * limit:
                low.append(step)
            elif value > (1 - AT_AN_END) * limit:
                high.append(step)
        if low:
            said.append(
                f"Layer {layer}: S is near 0 at {_steps(low, run)}: all samples look alike (a dead "
                "layer, or a sigma that is too wide)."
            )
        if high:
            said.append(
                f"Layer {layer}: S is near its largest value, log n, at {_steps(high, run)}: no "
                "two samples look alike (a sigma that is too small)."
            )
    return said


def _small_classes(run: Run) -> list[str]:
    classes = run.description.get("classes") or []
    small = [f"{c['name']} ({c['size']})" for c in classes if c["size"] < SMALL_CLASS]
    if not small:
        return []
    shown = ", ".join(small[:8]) + (f" and {len(small) - 8} more" if len(small) > 8 else "")
    return [
        f"Classes of fewer than {SMALL_CLASS} samples: {shown}. DSMI with the labels is noisy: "
        "take a larger probe."
    ]


def _sizes(run: Run) -> list[str]:
    sizes = {layer["n"] for layers in run.spectra.values() for layer in layers.values()}
    if len(sizes) < 2:
        return []
    return [
        f"Measurements are of {min(sizes)} to {max(sizes)} samples: S depends on their number, so "
        "the curve moves for that reason, too."
    ]


def _steps(at: Sequence[int], run: Run) -> str:
    """Few steps by their numbers, more by where they begin and end."""
    name = run.description.get("step_name", "step")
    if len(at) == 1:
        return f"{name} {at[0]}"
    if len(at) == len(run.steps):
        return f"every {name}"
    return f"{len(at)} of {len(run.steps)} {name}s, from {at[0]} to {at[-1]}"
