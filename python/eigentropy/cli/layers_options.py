"""The options of `eigentropy layers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from eigentropy._support.interval import LEVEL
from eigentropy.cli.options import DATA, OUTPUT, described, option

TOKENS, MEASURES, MODEL = "Tokens", "Measures", "Model"


OutputPrefix = Annotated[
    str,
    option(
        OUTPUT,
        "--output",
        "-o",
        metavar="PREFIX",
        help="Write PREFIX.csv, PREFIX.png and PREFIX.html.",
    ),
]


@dataclass(frozen=True)
class LayersOptions:
    """What `layers` takes besides a model and texts."""

    labels: Annotated[
        str | None,
        option(
            DATA,
            "--labels",
            metavar="COLUMN|FILE",
            help="Labels of the prompts: a file of their own with one a prompt, also FILE:COLUMN, "
            "or else a column (or key) of TEXT.",
            show_default="the column label of TEXT, where there is one",
        ),
    ] = None
    column: Annotated[
        str,
        option(
            DATA,
            "--column",
            metavar="NAME",
            help="The column of a .csv or .tsv, or the key of a .jsonl, that has the texts.",
        ),
    ] = "text"
    scope: Annotated[
        str,
        option(
            TOKENS,
            "--scope",
            metavar="prompts|tokens|within",
            help="One vector a prompt; tokens of all prompts together; or tokens of each prompt by "
            "themselves, averaged over prompts: entropies then depend on their number.",
        ),
    ] = "prompts"
    pooling: Annotated[
        str | None,
        option(
            TOKENS,
            "--pooling",
            metavar="mean|last|first",
            help="From the tokens of a prompt to its vector, in the scope prompts alone.",
            show_default="mean",
        ),
    ] = None
    drop_first: Annotated[
        int,
        option(
            TOKENS,
            "--drop-first",
            metavar="N",
            help="Tokens at the beginning of each prompt that do not count, such as a sink.",
        ),
    ] = 0
    normalize: Annotated[
        str,
        option(
            TOKENS,
            "--normalize",
            metavar="none|l2|layer",
            help="Of every token before pooling: its length to 1, or its mean to 0 and its "
            "variance to 1.",
        ),
    ] = "none"
    measures: Annotated[
        str | None,
        option(
            MEASURES,
            "--measures",
            metavar="NAME,NAME",
            help="dse, dsmi, dsmi_adjusted, kernel_entropy, kernel_information, "
            "kernel_information_adjusted, kernel_information_bits, kernel_information_next, "
            "prompt_entropy, curvature, effective_rank, rankme, anisotropy, dime, infonce.",
            show_default="those that the scope and the data allow",
        ),
    ] = None
    views: Annotated[
        int | None,
        option(
            MEASURES,
            "--views",
            metavar="2",
            help="Draw two views of each text, from which words are dropped, for dime and infonce.",
            show_default="none",
        ),
    ] = None
    sigma: Annotated[
        str | None,
        option(
            MEASURES,
            "--sigma",
            metavar="NUMBER|RULE",
            help="Width of the kernel, or a rule for each layer: auto, median, narrow, knn, "
            "max-slope, sqrt-d.",
            show_default="auto",
        ),
    ] = None
    max_rows: Annotated[
        int,
        option(
            MEASURES,
            "--max-rows",
            metavar="N",
            help="Of more prompts, or tokens in the scope tokens, measure N that are drawn; 1000 "
            "is faster.",
        ),
    ] = 4096
    no_sampling_error: Annotated[
        bool,
        option(
            MEASURES,
            "--no-sampling-error",
            help="Do not find how far values move with other prompts: faster, without bands and "
            "ties.",
        ),
    ] = False
    level: Annotated[
        float,
        option(MEASURES, "--level", metavar="NUMBER", help="Of intervals, and of ties."),
    ] = LEVEL
    seed: Annotated[
        int, option(MEASURES, "--seed", metavar="N", help="Seed of the random numbers.")
    ] = 0
    layers: Annotated[
        str | None,
        option(
            MODEL,
            "--layers",
            metavar="NAME,NAME",
            help="Names, patterns or numbers of hidden states (embedding, block 1, ...), or names "
            "of modules.",
            show_default="all hidden states",
        ),
    ] = None
    tokenizer: Annotated[
        str | None,
        option(
            MODEL,
            "--tokenizer",
            metavar="NAME",
            help="The folder or the name of another tokenizer.",
            show_default="that of the model",
        ),
    ] = None
    max_length: Annotated[
        int | None,
        option(
            MODEL,
            "--max-length",
            metavar="N",
            help="Tokens after which a text is cut.",
            show_default="what the model takes",
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        option(
            MODEL,
            "--batch-size",
            metavar="N",
            help="Prompts that are given to the model at once.",
            show_default="what fits into memory",
        ),
    ] = None
    offline: Annotated[
        bool,
        option(
            MODEL, "--offline", help="Take weights from the local cache, or say what is missing."
        ),
    ] = False

    def described(self) -> dict[str, str]:
        """What was asked for, for readers of the page."""
        return described(self)
