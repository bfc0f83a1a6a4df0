"""The options of the commands: their names, what they take, and what the help says of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

DATA, KERNEL, INFORMATION, OUTPUT = "Data", "Entropy", "Mutual information", "Output"


def option(panel: str, *names: str, **shown: Any) -> Any:
    """An option that the help shows in this panel."""
    return typer.Option(*names, rich_help_panel=panel, **shown)


def described(options: Any, without: tuple[str, ...] = ()) -> dict[str, str]:
    """What a dataclass of options asks for, for readers of the results; but for some of them."""
    known = {one.name: getattr(options, one.name) for one in fields(options)}
    return {
        name.replace("_", " "): "yes" if value is True else str(value)
        for name, value in known.items()
        if value is not None and value is not False and name not in without
    }


Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        help="Array of a .npz, .pt, .safetensors or .zarr, or column of a table. Also FILE:KEY.",
        rich_help_panel=DATA,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,NAME",
        help="Columns of a table that are features; * stands for any characters.",
        show_default="all but numbers of the rows",
        rich_help_panel=DATA,
    ),
]
Without = Annotated[
    str | None,
    typer.Option(
        "--without",
        metavar="NAME,NAME",
        help="Columns of a table that are no features.",
        rich_help_panel=DATA,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="FILE|COLUMN",
        help="Labels of the rows: a file of their own, or a column (or key) of FILE, which is "
        "then not a feature. Whole numbers and words are classes; numbers with a decimal point "
        "are cut into bins, see --kind.",
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
        help="Width of the kernel exp(-r^2 / (2 sigma^2)), or a rule: auto, median, "
        "narrow, knn, max-slope, sqrt-d.",
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
WithKernel = Annotated[
    bool,
    typer.Option(
        "--kernel",
        help="Also measure the kernel entropy, in which clusters count by their mass, and the "
        "kernel information.",
        rich_help_panel=KERNEL,
    ),
]
SamplingErrors = Annotated[
    bool,
    typer.Option(
        "--sampling-error",
        help="Also find how far each value moves with other samples of as many rows, and show it "
        "as VALUE +- ERROR. Takes a few times as long.",
        rich_help_panel=OUTPUT,
    ),
]
Orders = Annotated[
    list[str] | None,
    typer.Option(
        "--order",
        metavar="A",
        help="Order of the kernel entropy, > 0, or inf; several as --order 1 --order 2 or "
        "--order 1,2.",
        show_default="1",
        rich_help_panel=KERNEL,
    ),
]
Order = Annotated[
    str | None,
    typer.Option(
        "--order",
        metavar="A",
        help="Order of the kernel entropy, > 0, or inf.",
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
        help="Of a matrix with more rows than N, measure N rows that are drawn at random.",
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
        help="Where to compute; cuda needs the plug-in eigentropy-cuda13.",
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
    str,
    typer.Option(
        "--n-null",
        metavar="N|auto",
        help="Random partitions, for the baseline and the p-value. auto: 4 to 20, as many as --tol "
        "takes, and p by Student's t; a number: p of the permutation test.",
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
        help="Write DIR/NAME.csv and DIR/NAME.png. A missing directory is created.",
        rich_help_panel=OUTPUT,
    ),
]
PageFile = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="The page: one HTML file.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        "-f",
        help="Replace an output that exists, which is refused otherwise.",
        rich_help_panel=OUTPUT,
    ),
]
Title = Annotated[
    str,
    typer.Option("--title", metavar="TEXT", help="Title of the page.", rich_help_panel=OUTPUT),
]
Full = Annotated[
    bool,
    typer.Option("--full", help="The paper's size: hours instead of minutes."),
]
StudyData = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Data set of the studies of networks: digits; those of training also take "
        "mnist-5000, fashion-mnist, mnist, cifar10 and stl10. Of the study imagenet: imagenet, or "
        "stand-in for untrained networks over other pictures, which show that all works.",
        show_default="the study's first",
    ),
]
StudyModels = Annotated[
    Path | None,
    typer.Option(
        "--models",
        metavar="FILE",
        help="List of pretrained models with their accuracy, of the study imagenet: CSV with the "
        "columns of timm's results-imagenet.csv.",
        show_default="$EIGENTROPY_DATA/results-imagenet.csv",
    ),
]
StudyRay = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Run the models of the study imagenet on a Ray cluster: auto, local or HOST:PORT.",
        show_default="processes of this machine",
    ),
]
StudyGpus = Annotated[
    float,
    typer.Option(
        "--gpus-per-model",
        metavar="SHARE",
        min=0.0,
        help="GPUs that a model of the study imagenet takes; below 1, models share one.",
        show_default="none",
    ),
]
Repetitions = Annotated[
    int | None,
    typer.Option(
        "--repetitions",
        metavar="N",
        min=1,
        help="How many seeds, counted up from --seed; of the studies models and imagenet, how many "
        "networks.",
        show_default="the study's own",
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        metavar="N",
        min=1,
        help="How many networks are trained (study bandwidth: data sets measured; study imagenet: "
        "models run) at a time.",
        show_default="one a core",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", metavar="N", help="Seed of the random numbers.", rich_help_panel=INFORMATION
    ),
]
Distributed = Annotated[
    bool,
    typer.Option(
        "--distributed",
        help="Measure the rows over the ranks that torchrun has started: each reads its share of "
        "FILE, and rank 0 prints. Entropies only.",
        rich_help_panel=KERNEL,
    ),
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
