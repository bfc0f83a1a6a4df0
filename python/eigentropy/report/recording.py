"""The writer of a run: values, spectra, views and units of layers, as they are measured."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._measures.results import DiffusionEntropy
from eigentropy._spectra.eigenvalues import spectral_entropy
from eigentropy._support.lifetime import version
from eigentropy._support.options import integer
from eigentropy.io.paths import shown
from eigentropy.io.writing import write_atomically
from eigentropy.report import run_files, views
from eigentropy.report.lines import json_object, measurements, shaped
from eigentropy.report.run_files import PROFILES, RUN, SPECTRA, UNITS, VALUES, VIEWS
from eigentropy.report.schema import FORMAT
from eigentropy.report.shapes import anything, mapping
from eigentropy.report.unit_files import UnitPlan, Units, write_units
from eigentropy.report.views import require_phate

Array = npt.NDArray[Any]
StrPath = str | os.PathLike[str]


# What a run says of how activations become rows.
OF_ROWS = ("pooling", "drop_first", "normalize")

# S(t) is computed at these, ten a decade from 0.1 to 100, besides the monitor's own.
TIMES = tuple(float(f"{10 ** (k / 10):.4g}") for k in range(-10, 21))


class Recorder:
    """Writes a run, for `eigentropy report` to show.

    Parameters
    ----------
    path : path
        The directory, made where it is missing. One with a run in it is refused.
    title : str, optional
        Of the run; the directory's name by default.
    settings : mapping, optional
        What distinguishes this run from others, such as the learning rate; shown as it is.
    step_name : str
        What the monitor's steps are, for the axes: "epoch", "batch".
    resume : bool
        Continue the run in this directory from the step of the monitor's loaded state. What was
        recorded after that step is dropped.
    points : int
        Rows of a view, drawn once. Each view takes all eigenvectors of a matrix of that size.
    views : int
        How many views are kept at most. When there are more, every second one is removed, so that
        the rest stays evenly spread over the run.
    phate : bool
        Whether a view has the PHATE coordinates of its rows beside their diffusion coordinates; the
        page draws them by class, step beside step. Needs the extra `embed`.

    Raises
    ------
    FileExistsError
        There is a run, and `resume` is false.
    ImportError
        `phate` is true, and the extra `embed` is not installed.
    TypeError
        `settings` has what JSON cannot hold.

    Examples
    --------
    >>> from eigentropy.report import Recorder
    >>> recorder = Recorder("runs/a", title="lr 0.1", settings={"lr": 0.1})   # doctest: +SKIP
    >>> monitor = Monitor(model, "**", probe=(x, y), record=recorder)         # doctest: +SKIP
    """

    def __init__(
        self,
        path: StrPath,
        *,
        title: str | None = None,
        settings: Mapping[str, Any] | None = None,
        step_name: str = "epoch",
        resume: bool = False,
        points: int = 500,
        views: int = 20,
        phate: bool = False,
    ) -> None:
        self.path = Path(path)
        self.title = self.path.absolute().name if title is None else str(title)
        self.settings = dict(settings or {})
        self.step_name = str(step_name)
        self.points = integer(points, "points", at_least=3)
        self.views = integer(views, "views", at_least=2)
        self.phate = bool(phate)
        if self.phate:
            require_phate("phate=True")
        self._resume = resume
        self._description: dict[str, Any] = {}
        self._seen: dict[str, int | None] = {}
        self._measured = 0  # how often
        self._is_open = False
        self._loaded: int | None = None
        self._spectra: dict[str, Any] = {}
        self._view: dict[str, Any] | None = None
        self._plan: UnitPlan | None = None
        self._units: dict[str, Array] | None = None
        self._groups: Array | None = None
        self._columns: dict[str, int] = {}
        try:
            mapping(anything)(json.loads(json.dumps(self.settings, allow_nan=False)))
        except (TypeError, ValueError) as error:
            raise TypeError(f"settings must be what JSON can hold: {error}") from error
        if not resume and measurements(self.path / VALUES):
            raise FileExistsError(
                f"{shown(self.path)} holds a run: record into another directory, or continue it "
                "by record=Recorder(path, resume=True) and the monitor's load_state_dict"
            )

    def __repr__(self) -> str:
        return f"Recorder({shown(self.path)!r})"

    def describe(self, *, units: Units | None = None, **description: Any) -> None:
        """Say what will be measured: layers, seed, settings of the kernel, sizes of classes.

        With `units` the activations of units are kept, of layers and samples that are named here.
        """
        times = sorted({*TIMES, *map(float, description.get("times", ()))})
        self._description = {**description, "times": times}
        self._plan = None
        if units is not None:
            self._plan = units.plan(len(description["layers"]), description["n"])
            self._description["units"] = asdict(self._plan)
        self._is_open, self._loaded = False, None  # a monitor after another has a state to load
        for folder in (VIEWS, *((UNITS,) if self._plan else ())):
            (self.path / folder).mkdir(parents=True, exist_ok=True)  # later, training would stop

    def loaded(self, step: int) -> None:
        """Take note that the monitor continues after this step."""
        self._loaded, self._is_open = step, False

    def check(self) -> None:
        """Refuse, before the first measurement, to continue a run that cannot be continued.

        Raises
        ------
        FileExistsError
            The monitor has loaded no state.
        ValueError
            It measures something else.
        """
        if self._is_open or not (self.path / RUN).exists():
            return
        if self._loaded is not None:
            self._check_same()
        elif measurements(self.path / VALUES):
            raise FileExistsError(
                f"{shown(self.path)} holds a run, and the monitor has no state to continue it "
                "from: call load_state_dict first, or record into another directory"
            )

    def begin(self, step: int, *, prompts: int | None = None, tokens: int | None = None) -> None:
        """Start a measurement. The first one creates the run, or cuts off an old run's end.

        How many prompts, or other samples, it has seen, and how many of their tokens are kept, goes
        into run.json with what is measured.
        """
        self._seen = {"prompts": prompts, "tokens": tokens}
        if not self._is_open:
            self._open()
        self._spectra = {}
        wants_view = self._measured % self._stride(self.views) == 0
        self._view = {"step": step, "layers": {}} if wants_view else None
        plan, self._groups = self._plan, None
        wants_units = plan is not None and self._measured % self._stride(plan.measurements) == 0
        self._units = {} if wants_units else None

    def layer(
        self, name: str, rows: Array, entropy: DiffusionEntropy, groups: Array | None
    ) -> None:
        """What is kept of a layer's rows (n, d), beside its values: spectrum and view."""
        self._spectra[name] = self._spectrum(entropy)
        if self._view is not None and len(rows) >= 3:
            chosen = views.view_rows(len(rows), self.points)
            coordinates = views.diffusion_coordinates(rows[chosen], entropy.sigma, entropy.alpha)
            if coordinates is not None:
                self._view["layers"][name] = coordinates
                self._view["groups"] = None if groups is None else groups[chosen].tolist()
                if self.phate:
                    of_layer = views.phate_coordinates(rows[chosen])
                    if of_layer is not None:
                        self._view.setdefault("phate", {})[name] = of_layer

    def units(
        self, name: str, rows: Array, groups: Array | None, shape: Sequence[int] | None = None
    ) -> None:
        """Keep the activations of units of a layer's rows (n, d), at the steps that are kept.

        Each column is a unit; of rows that flatten channels or tokens of a `shape`, the mean of a
        channel or feature is.
        """
        if self._units is None or self._plan is None:
            return
        if len(rows) != self._plan.n:
            raise ValueError(
                f"units of {name}: there are {len(rows)} rows, and the probe has {self._plan.n} "
                "samples: units are comparable on the same samples only"
            )
        self._units[name], self._columns[name] = self._plan.chosen(rows, shape)
        self._groups = None if groups is None else self._plan.chosen_samples(groups)

    def write(self, values: Mapping[str, float], step: int) -> None:
        """End the measurement; called as a logger is."""
        run_files.append_line(self.path / SPECTRA, {"step": step, "layers": self._spectra})
        if self._view is not None:
            run_files.write_json(self._numbered(VIEWS, self._measured, "json"), self._view)
        if self._units:
            self._write_units(step, self._units)
        run_files.append_line(self.path / VALUES, {"step": step, **values})
        self._measured += 1
        self._thin()

    def profile(self, profile: Mapping[str, Any], step: int) -> None:
        """Add a profile of the layers, as `LayerProfile.to_record` gives it."""
        if not self._is_open:
            self._open()
        run_files.append_line(self.path / PROFILES, {"step": step, **profile})

    def _spectrum(self, entropy: DiffusionEntropy) -> dict[str, Any]:
        """S(t) from all eigenvalues, and some of these. An estimate has none of them."""
        known: dict[str, Any] = {"n": entropy.n, "sigma": _short(entropy.sigma)}
        if entropy.eigenvalues is None:
            return known
        eigenvalues = as_numpy(entropy.eigenvalues, "eigenvalues")
        times = self._description["times"]
        known["entropy"] = [
            _short(spectral_entropy(eigenvalues, t=t, base=entropy.base)) for t in times
        ]
        known["eigenvalues"] = [_short(x) for x in eigenvalues[views.ranks(len(eigenvalues)) - 1]]
        return known

    def _write_units(self, step: int, units: Mapping[str, Array]) -> None:
        """The file of this step; and in run.json how many units each layer has in all."""
        known = json_object(self.path / RUN)
        if known.get("columns") != {**known.get("columns", {}), **self._columns}:
            columns = {**known.get("columns", {}), **self._columns}
            run_files.write_json(self.path / RUN, {**known, "columns": columns})
        numbers = {name: number for number, name in enumerate(self._description["layers"])}
        kept = {numbers[name]: activations for name, activations in units.items()}
        write_units(self._numbered(UNITS, self._measured, "npz"), step, kept, self._groups)

    def _open(self) -> None:
        self.check()
        if self._loaded is None or not (self.path / RUN).exists():
            run_files.write_json(self.path / RUN, self._document())
        self._drop_after(math.inf if self._loaded is None else self._loaded)
        self._is_open = True

    def _document(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "eigentropy": version(),
            "title": self.title,
            "step_name": self.step_name,
            **self._description,
            **{name: number for name, number in self._seen.items() if number is not None},
            "settings": self.settings,
        }

    def _check_same(self) -> None:
        """Refuse to continue a run in which something else was measured."""
        known = shaped(json_object(self.path / RUN), mapping(anything), shown(self.path / RUN))
        for name, here in {"format": FORMAT, **self._description}.items():
            if name in OF_ROWS and name not in known:
                continue  # a run of an earlier version
            if known.get(name) != json.loads(json.dumps(here)):
                raise ValueError(
                    f"{shown(self.path)} cannot be continued: its {name} is "
                    f"{known.get(name)!r}, here it is {here!r}"
                )

    def _drop_after(self, step: float) -> None:
        """Keep what was measured until `step`; what comes later is measured again."""
        kept = {
            file: [line for line in measurements(self.path / file) if line["step"] <= step]
            for file in (VALUES, SPECTRA, PROFILES)
            if file != PROFILES or (self.path / file).exists()
        }
        for file, lines in kept.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            write_atomically(self.path / file, text.encode())
        self._measured = len(kept[VALUES])
        self._thin()

    def _stride(self, most: int) -> int:
        """The number of measurements from one that is kept to the next: a power of two."""
        stride = 1
        while self._measured > stride * most:
            stride *= 2
        return stride

    def _thin(self) -> None:
        """Remove surplus views and units, and those of measurements that were dropped."""
        kept_units = self._stride(self._plan.measurements) if self._plan else 1
        strides = {f"{VIEWS}/*.json": self._stride(self.views), f"{UNITS}/*.npz": kept_units}
        for pattern, stride in strides.items():
            for path in self.path.glob(pattern):
                number = int(path.stem)
                if number % stride or number >= self._measured:
                    path.unlink()

    def _numbered(self, folder: str, number: int, suffix: str) -> Path:
        return self.path / folder / f"{number:06d}.{suffix}"


def as_recorder(record: Recorder | StrPath | None) -> Recorder | None:
    """The recorder that the argument `record` of a monitor stands for."""
    if record is None or isinstance(record, Recorder):
        return record
    if isinstance(record, (str, os.PathLike)):
        return Recorder(record)
    raise TypeError(f"record must be a directory or a Recorder, got {type(record).__name__}")


def _short(value: float) -> float | None:
    """Six digits; null where JSON has no number."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
