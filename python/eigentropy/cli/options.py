"""The options of the commands. Measure and track share an object of them."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_type_hints

import typer

from eigentropy._measures.measurement import MeasurementSettings

DATA, KERNEL, INFORMATION, OUTPUT = "Data", "Entropy", "Mutual information", "Output"

Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        help="Array of a .npz, .pt, .safetensors or .zarr, or column of a table. Also FILE:KEY.",
        rich_help_panel=DATA,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="FILE|COLUMN",
        help="Labels of the rows: a file of their own, or a column (or key) of FILE, which is "
        "then not a feature. Real numbers that are not whole are cut into bins.",
        rich_help_panel=DATA,
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="FILE",
        help="Other vectors of the same rows, such as the network's input; they are clustered.",
        rich_help_panel=DATA,
    ),
]
Sigma = Annotated[
    str,
    typer.Option(
        "--sigma",
        metavar="NUMBER|RULE",
        help="Width of the kernel exp(-r^2 / (2 sigma^2)), or a rule: auto, median, knn, "
        "max-slope, sqrt-d.",
        rich_help_panel=KERNEL,
    ),
]
Alpha = Annotated[
    float, typer.Option("--alpha", help="Density normalisation.", rich_help_panel=KERNEL)
]
Times = Annotated[
    list[str] | None,
    typer.Option(
        "-t",
        "--time",
        metavar="T",
        help="Diffusion time; several as -t 1 -t 10 or -t 1,10.",
        show_default="1",
        rich_help_panel=KERNEL,
    ),
]
Time = Annotated[
    str, typer.Option("-t", "--time", metavar="T", help="Diffusion time.", rich_help_panel=KERNEL)
]
Base = Annotated[
    str,
    typer.Option(
        "--base",
        metavar="NUMBER|e",
        help="Base of the logarithm: 2 for bits, e for nats.",
        rich_help_panel=KERNEL,
    ),
]
Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="auto|exact|stochastic|lowrank",
        help="All eigenvalues, an estimate with a standard error, or a guaranteed bound. auto: "
        "the first while it takes a second or two, else the fastest.",
        rich_help_panel=KERNEL,
    ),
]
MaxPoints = Annotated[
    int | None,
    typer.Option(
        "--max-points",
        metavar="N",
        help="Measure so many rows, chosen at random, of a matrix that has more.",
        show_default="all",
        rich_help_panel=KERNEL,
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="auto|float64|float32",
        help="Working precision. auto: float32 where its error is bounded by --tol, from "
        "1000 rows on.",
        rich_help_panel=KERNEL,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="cpu|cuda|cuda:1",
        help="Where to compute; cuda needs the extra cuda13.",
        show_default="cpu",
        rich_help_panel=KERNEL,
    ),
]
Tol = Annotated[
    float,
    typer.Option(
        "--tol",
        metavar="NUMBER",
        help="Relative error of the entropy that every method but exact may make.",
        rich_help_panel=KERNEL,
    ),
]
Estimator = Annotated[
    str,
    typer.Option(
        "--estimator",
        metavar="matched|plain",
        help="Baseline: random groups of the same sizes, or the entropy of all rows.",
        rich_help_panel=INFORMATION,
    ),
]
NNull = Annotated[
    int,
    typer.Option(
        "--n-null",
        metavar="N",
        help="Random partitions, for the baseline and the p-value.",
        rich_help_panel=INFORMATION,
    ),
]
Kind = Annotated[
    str,
    typer.Option(
        "--kind",
        metavar="auto|labels|scalars",
        help="What --labels holds: classes, or numbers to be cut into bins.",
        rich_help_panel=INFORMATION,
    ),
]
NClusters = Annotated[
    int,
    typer.Option(
        "--n-clusters",
        metavar="N",
        help="Clusters of the vectors, bins of numbers.",
        rich_help_panel=INFORMATION,
    ),
]
Clusters = Annotated[
    str,
    typer.Option(
        "--clusters",
        metavar="spectral|kmeans",
        help="How the clusters of the vectors are found.",
        rich_help_panel=INFORMATION,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="PREFIX",
        help="Write PREFIX.csv and PREFIX.png.",
        rich_help_panel=OUTPUT,
    ),
]
OutputDirectory = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Write DIR/NAME.csv and DIR/NAME.png; the directory is made where it is missing.",
        rich_help_panel=OUTPUT,
    ),
]
PageFile = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="The page, one HTML file; one that is there is replaced.",
        rich_help_panel=OUTPUT,
    ),
]
Title = Annotated[
    str,
    typer.Option("--title", metavar="TEXT", help="Of the page.", rich_help_panel=OUTPUT),
]
Full = Annotated[
    bool,
    typer.Option("--full", help="The paper's size, hours instead of minutes."),
]
StudyData = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Data set of the studies of networks: digits; those of training also take mnist, "
        "cifar10 and stl10.",
        show_default="digits",
    ),
]
Repetitions = Annotated[
    int | None,
    typer.Option(
        "--repetitions",
        metavar="N",
        min=1,
        help="Seeds, counted from --seed; for the model zoo the number of networks.",
        show_default="the study's own",
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        metavar="N",
        min=1,
        help="Networks that are trained, or data sets of bandwidth, at the same time.",
        show_default="one a core",
    ),
]
Seed = Annotated[
    int,
    typer.Option("--seed", metavar="N", help="Of everything random.", rich_help_panel=INFORMATION),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document and nothing else.", rich_help_panel=OUTPUT
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="No progress and no warnings on stderr.", rich_help_panel=OUTPUT
    ),
]


DEFAULTS = MeasurementSettings()


@dataclass(frozen=True)
class MeasurementOptions:
    """What `measure` and `track` share, as texts; the defaults are those of the settings."""

    labels: Labels = None
    against: Against = None
    key: Key = None
    sigma: Sigma = str(DEFAULTS.sigma)
    alpha: Alpha = DEFAULTS.alpha
    base: Base = f"{DEFAULTS.base:g}"
    method: Method = DEFAULTS.method
    dtype: Dtype = "auto"
    device: Device = DEFAULTS.device
    tol: Tol = DEFAULTS.tol
    max_points: MaxPoints = DEFAULTS.max_points
    estimator: Estimator = DEFAULTS.estimator
    n_null: NNull = DEFAULTS.n_null
    kind: Kind = DEFAULTS.kind
    n_clusters: NClusters = DEFAULTS.n_clusters
    clusters: Clusters = DEFAULTS.clusters
    seed: Seed = DEFAULTS.seed

    def settings(self, t: list[str]) -> MeasurementSettings:
        """Make settings from the texts, and from those of t.

        Raises
        ------
        ValueError, TypeError, NotImplementedError
            An option cannot be used; the message names it.
        """
        texts = {"labels", "against", "key", "sigma", "base", "dtype"}
        same = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in texts}
        return MeasurementSettings(
            t=_times(t),
            sigma=_number_or_name(self.sigma),
            base=_base(self.base),
            dtype=None if self.dtype == "auto" else self.dtype,
            **same,
        )


Command = Callable[..., None]


def taken_apart(name: str, options: type[Any]) -> Callable[[Command], Command]:
    """Give a command one option for each field of a dataclass, in place of the parameter `name`."""
    hints = get_type_hints(options, include_extras=True)
    names = [f.name for f in fields(options)]

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(*args: Any, **values: Any) -> None:
            chosen = options(**{one: values.pop(one) for one in names})
            command(*args, **{name: chosen}, **values)

        parameters = dict(inspect.signature(command, eval_str=True).parameters)
        kind = parameters.pop(name).kind
        before = [p for p in parameters.values() if p.default is p.empty]
        after = [p for p in parameters.values() if p.default is not p.empty]
        own = [
            inspect.Parameter(f.name, kind, default=f.default, annotation=hints[f.name])
            for f in fields(options)
        ]
        setattr(wrapped, "__signature__", inspect.Signature([*before, *own, *after]))  # noqa: B010
        return wrapped

    return decorated


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _times(texts: list[str]) -> tuple[float, ...]:
    parts = [part.strip() for text in texts for part in text.split(",")]
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise ValueError(f"t must be numbers such as 1 or 1,10, got {','.join(texts)!r}") from None


def _base(text: str) -> float:
    try:
        return math.e if text == "e" else float(text)
    except ValueError:
        raise ValueError(f"base must be a number or e, got {text!r}") from None
