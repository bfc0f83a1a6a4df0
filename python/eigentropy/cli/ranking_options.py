"""The options of `eigentropy rank`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from eigentropy._support.interval import LEVEL
from eigentropy.cli import options
from eigentropy.cli.options import DATA, OUTPUT, option

SCORING, MODELS = "Scores", "Models that are run"


OutputDirectory = Annotated[
    str,
    option(
        OUTPUT,
        "--output",
        "-o",
        metavar="DIR",
        help="Write DIR/ranking.csv, .png and .html, DIR/correlations.csv, and the results of "
        "single models. A missing directory is created.",
    ),
]

Force = Annotated[
    bool,
    option(
        OUTPUT,
        "--force",
        "-f",
        help="Replace a ranking that is finished, such as to try models again that failed. Scores "
        "that were measured are kept. After an interruption it is not needed.",
    ),
]


@dataclass(frozen=True)
class RankingOptions:
    """What `rank` takes besides models; of each option its name, its value and what help says."""

    labels: Annotated[
        str | None,
        option(
            DATA,
            "--labels",
            metavar="FILE",
            help="One class a row, for all models; also FILE:COLUMN. Images and texts may have "
            "labels of their own, which files of features beside networks share.",
        ),
    ] = None
    key: options.Key = None
    columns: options.Columns = None
    without: options.Without = None
    accuracies: Annotated[
        str | None,
        option(
            DATA,
            "--accuracies",
            metavar="TABLE",
            help="Known accuracies: .csv, .tsv or .parquet with a column of names and one of "
            "accuracies; columns family and size go into the figure.",
        ),
    ] = None
    accuracy: Annotated[
        str | None,
        option(
            DATA,
            "--accuracy",
            metavar="COLUMN",
            help="Which column of TABLE.",
            show_default="accuracy, top1, or the only numbers",
        ),
    ] = None
    scores: Annotated[
        str | None,
        option(
            SCORING,
            "--scores",
            metavar="NAME,NAME",
            help="dse, dsmi, dsmi_adjusted, kernel_entropy, kernel_information, "
            "kernel_information_adjusted, knn_accuracy, linear_accuracy, logme, h_score, "
            "transrate, rankme, effective_rank, self_clustering; also kernel_information_bits, or "
            "another score of eigentropy.baselines.",
            show_default="the first 14",
        ),
    ] = None
    by: Annotated[
        str | None,
        option(
            SCORING,
            "--by",
            metavar="NAME",
            help="The score that orders the table.",
            show_default="kernel_information_adjusted, or the first",
        ),
    ] = None
    sigma: Annotated[
        str | None,
        option(
            SCORING,
            "--sigma",
            metavar="NUMBER|RULE",
            help="Width of the kernel, or a rule for each model: auto, median, narrow, knn, "
            "max-slope, sqrt-d.",
            show_default="auto",
        ),
    ] = None
    alpha: Annotated[
        float | None,
        option(SCORING, "--alpha", help="Density normalisation of dse and dsmi."),
    ] = None
    t: Annotated[
        float | None,
        option(SCORING, "-t", "--time", metavar="T", help="Diffusion time of dse and dsmi."),
    ] = None
    n_null: Annotated[
        int | None,
        option(SCORING, "--n-null", metavar="N", help="Random partitions of an information."),
    ] = None
    k: Annotated[
        int | None,
        option(SCORING, "-k", "--neighbours", metavar="K", help="Neighbours of knn_accuracy."),
    ] = None
    folds: Annotated[
        int | None,
        option(SCORING, "--folds", metavar="N", help="Folds of linear_accuracy."),
    ] = None
    no_sampling_error: Annotated[
        bool,
        option(
            SCORING,
            "--no-sampling-error",
            help="Do not find how far scores move with other samples: without intervals and ties.",
        ),
    ] = False
    level: Annotated[
        float, option(SCORING, "--level", metavar="NUMBER", help="Of intervals and ties.")
    ] = LEVEL
    seed: Annotated[
        int, option(SCORING, "--seed", metavar="N", help="Seed of the random numbers.")
    ] = 0
    images: Annotated[
        str | None,
        option(
            MODELS,
            "--images",
            metavar="DIR",
            help="Images for timm:NAME, torchvision:NAME and other models; a folder for each class "
            "gives the labels, too.",
        ),
    ] = None
    texts: Annotated[
        str | None,
        option(MODELS, "--texts", metavar="FILE", help="Texts for hf:NAME and other models."),
    ] = None
    offline: Annotated[
        bool,
        option(
            MODELS, "--offline", help="Take weights from the local cache, or say what is missing."
        ),
    ] = False
    processes: Annotated[
        int | None,
        option(
            MODELS,
            "--processes",
            metavar="N",
            min=1,
            help="How many models are measured at a time.",
            show_default="one a core",
        ),
    ] = None
    ray: Annotated[
        str | None,
        option(
            MODELS,
            "--ray",
            metavar="auto|local|ADDRESS",
            help="Measure on a Ray cluster: the one of this machine, one of this command alone, or "
            "the one at HOST:PORT. Needs the extra ray.",
        ),
    ] = None
    gpus_per_model: Annotated[
        float,
        option(
            MODELS,
            "--gpus-per-model",
            metavar="NUMBER",
            min=0.0,
            help="Of the cluster; below 1, models share a GPU.",
        ),
    ] = 0.0
    memory_per_model: Annotated[
        float | None,
        option(
            MODELS,
            "--memory-per-model",
            metavar="GIB",
            min=0.001,
            help="Only as many models are measured at a time as the memory holds.",
            show_default="not limited",
        ),
    ] = None

    def described(self) -> dict[str, str]:
        """What was asked for, for readers of the results."""
        return options.described(self, ("gpus_per_model",) if self.ray is None else ())
