"""Runs of a monitor as one HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eigentropy._support.interval import LEVEL, student_quantile
from eigentropy._support.lifetime import version
from eigentropy._support.printable import encodable
from eigentropy._support.units import unit
from eigentropy.report.assembly import assembled
from eigentropy.report.embedding import SECONDS, Deadline, embedded_units
from eigentropy.report.measures import KINDS
from eigentropy.report.remarks import differences, remarks
from eigentropy.report.runs import Run
from eigentropy.report.views import ranks

SCRIPTS = (
    "colours.js", "drawing.js", "runs.js", "selection.js", "statistics.js", "alarms.js",
    "trajectories.js", "rows.js", "profile.js", "comparisons.js", "labels.js", "plane.js",
    "spectrum.js", "views.js", "phate.js", "units.js", "main.js",
)  # fmt: skip

# Coordinates of a view: in diffusion directions, and of PHATE.
MAPS = ("layers", "phate")

# What the page calls the entries of a description.
LABELS = {
    "seed": "seed",
    "n": "samples of the probe",
    "prompts": "samples or prompts that were seen",
    "tokens": "tokens of these that were kept",
    "pooling": "how activations become rows",
    "drop_first": "tokens left out at the beginning of each sample",
    "normalize": "normalisation of each token",
    "classes": "classes",
    "measures": "measures",
    "t": "diffusion time t",
    "sigma": "kernel width sigma",
    "alpha": "density normalisation alpha",
    "order": "order of the kernel entropy",
    "base": "base of the logarithm",
    "method": "method",
    "tol": "tolerance",
    "n_null": "random partitions",
    "n_clusters": "clusters of the input",
    "clusters": "how clusters are found",
    "clustering": "how clusters are found",  # the name in earlier runs
    "eigentropy": "eigentropy",
}

# A setting may be a list of all file names: no more characters of it are shown.
LONGEST_TEXT = 300


def page(runs: Sequence[Run], title: str = "Training report", *, seconds: float = SECONDS) -> str:
    """Draw runs on one page.

    Parameters
    ----------
    runs : sequence of Run
        From `read_run`; they are compared in the same panels.
    title : str
        Of the page.
    seconds : float
        Embedding the units of a layer takes a while, and the run keeps what was computed. After
        this time no further embedding is begun: the page says which layers are left out, and the
        next page goes on with them.

    Returns
    -------
    str
        A whole HTML document. It loads nothing, which its content security policy guarantees.

    Raises
    ------
    ValueError
        There are no runs.
    FileError
        A file of units is damaged.

    Warns
    -----
    UserWarning
        Units of a layer are left out: why.
    """
    if not runs:
        raise ValueError("there are no runs to report on")
    return assembled(title, "page.html", SCRIPTS, _document(runs, title, Deadline(seconds)))


def _document(runs: Sequence[Run], title: str, deadline: Deadline) -> dict[str, Any]:
    titles = _distinct([run.title for run in runs])
    return {
        "title": encodable(title),
        "eigentropy": version(),
        "level": LEVEL,
        "quantile": student_quantile(LEVEL, math.inf),
        "remarks": differences(runs),
        "runs": [_run(run, name, deadline) for run, name in zip(runs, titles, strict=True)],
    }


def _distinct(titles: Sequence[str]) -> list[str]:
    """Runs of the same title are numbered."""
    seen: dict[str, int] = {}
    named = []
    for title in titles:
        seen[title] = seen.get(title, 0) + 1
        named.append(f"{title} ({seen[title]})" if titles.count(title) > 1 else title)
    return named


def _run(run: Run, title: str, deadline: Deadline) -> dict[str, Any]:
    known = run.description
    layers = list(run.layers)
    sizes = {layer.get("n") for at in run.spectra.values() for layer in at.values()}
    units, without_units = embedded_units(run, deadline)
    return {
        "title": title,
        "source": run.source,
        "layers": layers,
        "steps": run.steps,
        "stepName": known.get("step_name", "snapshot" if run.names else "step"),
        "names": run.names,
        "base": known.get("base", 2.0),
        "unit": unit(known.get("base", 2.0)),
        "series": {kind: _series(run, kind) for kind in KINDS if run.series(kind)},
        "bands": {kind: band for kind in KINDS if (band := _bands(run, kind))},
        "profiles": {str(run.steps.index(step)): _profile(run, step) for step in run.profiles},
        "alarms": _alarms(run),
        "alarmNames": run.alarm_names(),
        "scalars": {name: _rounded(values) for name, values in run.scalars().items()},
        "times": known.get("times", []),
        "t": known.get("t", 1.0),
        "ranks": {str(n): ranks(n).tolist() for n in sizes if n},
        "spectra": _spectra(run),
        "views": [_view(view, layers) for view in run.views],
        "units": units,
        "withoutUnits": without_units,
        "classes": known.get("classes"),
        "settings": _settings(run),
        "remarks": remarks(run),
    }


def _series(run: Run, kind: str) -> list[list[float | None] | None]:
    """The values by layer: to more digits where they are compared by their sampling errors."""
    series = run.series(kind)
    decimals = 6 if run.series(f"{kind}_sampling_se") else 4
    return [_rounded(series.get(layer), decimals) for layer in run.layers]


def _bands(run: Run, kind: str) -> list[Any] | None:
    """What the standard errors are over, and the errors by layer."""
    over, errors = run.bands(kind)
    if not errors:
        return None
    digits = [
        None if (of := errors.get(layer)) is None
        else [None if v is None else _significant(v, 4) for v in of]
        for layer in run.layers
    ]  # fmt: skip
    return [over, digits]


def _profile(run: Run, step: int) -> dict[str, list[Any]]:
    """For each measure [numbers with errors, p-values from the layer before] by layer.

    The numbers are null where the values of that step come with sampling errors.
    """
    known, at = run.profiles[step], run.steps.index(step)
    numbers = {one["layer"]: one["numbers"] for one in known["layers"]}
    p_values = {(one["measure"], one["b"]): one["p_value"] for one in known["neighbours"]}
    found: dict[str, list[Any]] = {}
    for kind in KINDS:
        own = [numbers.get(layer, {}).get(kind) for layer in run.layers]
        if any(own):
            errors = run.series(f"{kind}_sampling_se").values()
            is_new = any(one and one[1] is not None for one in own) and not any(
                of[at] is not None for of in errors
            )
            found[kind] = [
                [one and _rounded(one, 6) for one in own] if is_new else None,
                [
                    None if p is None else _significant(p, 2)
                    for p in (p_values.get((kind, layer)) for layer in run.layers)
                ],
            ]
    return found


def _alarms(run: Run) -> list[list[Any]]:
    """For each step with an alarm its place; and name, place of the layer and evidence."""
    return [
        [
            run.steps.index(step),
            [
                [name, run.layers.index(layer), None if of is None else _significant(of, 4)]
                for name, layer, of in raised
            ],
        ]
        for step, raised in run.alarms().items()
    ]


def _spectra(run: Run) -> list[list[Any]]:
    """For each step and layer [n, sigma, S(t), eigenvalues], or null."""
    return [
        [_spectrum(run.spectra.get(step, {}).get(layer)) for layer in run.layers]
        for step in run.steps
    ]


def _spectrum(known: dict[str, Any] | None) -> list[Any] | None:
    if known is None or "entropy" not in known:
        return None
    eigenvalues = [None if v is None else _significant(v, 4) for v in known["eigenvalues"]]
    return [known["n"], known["sigma"], _rounded(known["entropy"]), eigenvalues]


def _view(view: dict[str, Any], layers: Sequence[str]) -> dict[str, Any]:
    known = {"step": view["step"], "groups": view.get("groups")}
    maps = {kind: [view[kind].get(layer) for layer in layers] for kind in MAPS if kind in view}
    return {**known, **maps}


def _settings(run: Run) -> list[list[str]]:
    """What to show in the table: name and value, the caller's own settings first."""
    known = {**run.description, "classes": _class_sizes(run)}
    own = [[str(name), _text(value)] for name, value in known.get("settings", {}).items()]
    ours = [[LABELS[name], _text(known[name])] for name in LABELS if known.get(name) is not None]
    return [*own, *ours, ["measurements", str(len(run.steps))], ["file", run.source]]


def _class_sizes(run: Run) -> str | None:
    classes = run.description.get("classes")
    if not classes:
        return None
    sizes = [c["size"] for c in classes]
    each = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    return f"{len(sizes)}, of {each} samples"


def _text(value: Any) -> str:
    """A setting as the table shows it."""
    if isinstance(value, (list, tuple)):
        text = ", ".join(map(_text, value))
    elif isinstance(value, float) and math.isfinite(value):
        text = f"{value:.6g}"
    else:
        text = str(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _rounded(values: Sequence[float | None] | None, decimals: int = 4) -> list[float | None] | None:
    """Some decimals, or one significant digit less of small numbers."""
    if values is None:
        return None
    return [
        None
        if v is None
        else round(v, decimals)
        if abs(v) >= 0.1
        else _significant(v, decimals - 1)
        for v in values
    ]


def _significant(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
