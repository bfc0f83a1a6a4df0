"""What a reader of a run should know before its curves are believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from eigentropy._kernels.saturation import AT_AN_END
from eigentropy.report.embedding import undrawn
from eigentropy.report.measures import ENTROPIES, WATCHED
from eigentropy.report.runs import Run

# A class with fewer samples has a small S, at most log2 of their number, in every layer.
SMALL_CLASS = 10

# So many layers or classes are named in one sentence.
MOST_NAMED = 8

# Settings that must be equal for values to be comparable, and what the page calls them.
COMPARED = {
    "n": "number of samples of the probe",
    "t": "diffusion time t",
    "sigma": "kernel width sigma",
    "alpha": "density normalisation alpha",
    "order": "order of the kernel entropy",
    "base": "base of the logarithm",
    "n_null": "number of random partitions",
    "eigentropy": "version of eigentropy",
}


def remarks(run: Run) -> list[str]:
    """One sentence for each thing that is wrong or missing in a run."""
    return [
        *run.notes, *_alarms(run), *_missing_values(run), *_saturated(run), *_small_classes(run),
        *_sizes(run), *undrawn(run),
    ]  # fmt: skip


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


def _entropies(run: Run) -> dict[str, list[float | None]]:
    """The entropy that a run has of each layer; where it has both, they say the same here."""
    return next(filter(None, map(run.series, ENTROPIES)), {})


def _alarms(run: Run) -> list[str]:
    at: dict[str, list[int]] = {}
    for step, raised in run.alarms().items():
        for layer in dict.fromkeys(layer for _, layer, _ in raised):
            at.setdefault(layer, []).append(step)
    said = [
        f"{_named([layer])} an alarm at {_steps(steps, run)}: the layer, or one of its classes, is "
        f"below what the alarm allows. {_watched(run, layer, steps[0])}".rstrip()
        for layer, steps in [*at.items()][:MOST_NAMED]
    ]
    more = len(at) - MOST_NAMED
    return [*said, f"{more} more layers have an alarm."] if more > 0 else said


def _watched(run: Run, layer: str, step: int) -> str:
    """The values that an alarm watches in a layer, when it was raised and at first."""
    found = []
    for kind in WATCHED:
        values = run.values.get(f"{kind}/{layer}", [])
        first = next((value for value in values if value is not None), None)
        now = values[run.steps.index(step)] if values else None
        if first is not None and now is not None:
            found.append(f"{kind} is {now:.4g} (at first {first:.4g})")
    name = run.description.get("step_name", "step")
    return f"At {name} {step} {', '.join(found)}." if found else ""


def _missing_values(run: Run) -> list[str]:
    return _of_layers(
        run,
        {
            layer: [step for step, v in zip(run.steps, values, strict=True) if v is None]
            for layer, values in _entropies(run).items()
        },
        "no entropy",
        "activations had NaN or infinity, or the layer did not run",
    )


def _saturated(run: Run) -> list[str]:
    low: dict[str, list[int]] = {}
    high: dict[str, list[int]] = {}
    for layer, values in _entropies(run).items():
        for step, value in zip(run.steps, values, strict=True):
            limit = entropy_limit(run, step, layer)
            if value is None or limit is None:
                continue
            if value < AT_AN_END * limit:
                low.setdefault(layer, []).append(step)
            elif value > (1 - AT_AN_END) * limit:
                high.setdefault(layer, []).append(step)
    return [
        *_of_layers(
            run,
            low,
            "S near 0",
            "all samples look alike (a dead layer, or a sigma that is too wide)",
        ),
        *_of_layers(
            run,
            high,
            "S near its largest value, log n",
            "no two samples look alike (a sigma that is too small)",
        ),
    ]


def _of_layers(run: Run, at: Mapping[str, Sequence[int]], what: str, why: str) -> list[str]:
    """A sentence for the layers that have this at the same steps, not one for each of them."""
    alike: dict[str, list[str]] = {}
    for layer, steps in at.items():
        if steps:
            alike.setdefault(_steps(steps, run), []).append(layer)
    return [f"{_named(layers)} {what} at {steps}: {why}." for steps, layers in alike.items()]


def _named(layers: Sequence[str]) -> str:
    if len(layers) == 1:
        return f"Layer {layers[0]} has"
    more = f" and {len(layers) - MOST_NAMED} more" if len(layers) > MOST_NAMED else ""
    return f"Layers {', '.join(layers[:MOST_NAMED])}{more} have"


def _small_classes(run: Run) -> list[str]:
    classes = run.description.get("classes") or []
    small = [f"{c['name']} ({c['size']})" for c in classes if c["size"] < SMALL_CLASS]
    if not small:
        return []
    more = f" and {len(small) - MOST_NAMED} more" if len(small) > MOST_NAMED else ""
    shown = ", ".join(small[:MOST_NAMED]) + more
    return [
        f"Classes of fewer than {SMALL_CLASS} samples: {shown}. What is said about the labels is "
        "noisy: take a larger probe."
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
