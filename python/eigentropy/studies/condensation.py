"""Small language models: whether tokens condense, what helps, and what tells the held-out loss.

Decoders of several widths learn characters of real text. The mean cosine of the tokens of a
sequence, and entropies, are measured in every layer on held-out text. Some decoders learn with a
further term of the loss. The claims are those of arXiv:2602.00217.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from eigentropy.baselines._pytorch import threads_for
from eigentropy.studies import courses
from eigentropy.studies.condensation_claims import findings
from eigentropy.studies.condensation_layers import (
    AFTER,
    BLOCKS,
    CHOSEN,
    DEEP,
    DEPTH,
    LAYERS,
    LOSS,
    NONE,
    TRIED,
    WHEN,
    WIDER,
    WIDTHS,
    WITH_TERMS,
    mean_over,
    plain,
    when,
    widths_of,
)
from eigentropy.studies.condensation_numbers import (
    ANISOTROPY,
    KERNEL,
    NUMBERS,
    PROMPT_ENTROPY,
    RANK,
    CondensationProbe,
    numbers_of,
)
from eigentropy.studies.condensation_text import DATA, load, pieces
from eigentropy.studies.courses import RUN, Numbers
from eigentropy.studies.figures import band
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.seeds import BySeed
from eigentropy.studies.study import (
    Curve,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    distinct,
    repeated,
    select,
)

# An epoch is this many steps; a step is a batch of sequences.
STEPS = 25

MEASURED: dict[str, Sequence[str]] = {RUN: (LOSS,), **dict.fromkeys(LAYERS, NUMBERS)}

# Of deep layers, in the table.
SHOWN = (ANISOTROPY, PROMPT_ENTROPY, KERNEL, "dse within", RANK)


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each decoder: width, seed, term of the loss and its weight.

    The first seed chooses the weights, all of which it tries at one width. What takes longest
    comes last.
    """
    torch_for_networks()
    data = plan.data or DATA[0]
    count = plan.epochs or (160 if plan.full else 40)
    looks = courses.observed(count, plan, 6)
    chooses, *judge = seeds = plan.seeds(quick=6, full=20)
    *narrow, wide = WIDTHS
    tried = [
        (chooses, WITH_TERMS[0], term, weight)
        for term, weights in TRIED.items()
        for weight in weights
    ]

    def job(seed: int, width: int, term: str, weight: float, at: Sequence[int]) -> Job:
        return courses.job(data, settings(width, count, term, weight), seed, at, MEASURED)

    def chosen(width: int) -> list[Job]:
        return [
            job(seed, width, term, weight, [count])
            for seed in judge
            for term, weight in CHOSEN.items()
        ]

    def alone(*widths: int) -> list[Job]:
        return [job(seed, width, NONE, 0.0, looks) for seed in seeds for width in widths]

    first, *others = WITH_TERMS
    return [
        *alone(*narrow),
        *(job(*each, [count]) for each in tried),
        *chosen(first),
        *alone(wide, *(WIDER if plan.full else ())),
        *(each for width in others for each in chosen(width)),
    ]


def settings(width: int, epochs: int, term: str, weight: float) -> dict[str, Any]:
    """The parameters of a decoder and of its training."""
    return {"width": width, "depth": DEPTH, "epochs": epochs, "term": term, "weight": weight}


class CondensationSizes(NamedTuple):
    """How much is learned and measured. Tests take less."""

    length: int = 64  # tokens of a sequence
    batch: int = 16  # sequences
    steps: int = STEPS
    characters: int | None = None  # of the text; None: all
    probe: CondensationProbe = CondensationProbe()


def measure(job: Job, sizes: CondensationSizes = CondensationSizes()) -> Iterator[StudyRow]:  # noqa: B008
    """Train the decoder of a job and measure its layers."""
    with threads_for(torch_for_networks(), 0):
        yield from courses.rows(job, _measured(job, sizes))


def _measured(job: Job, sizes: CondensationSizes) -> Iterator[tuple[int, Numbers, float]]:
    from eigentropy.studies import condensation_decoder as decoders
    from eigentropy.studies.condensation_terms import term_of

    own, at = job.settings, courses.wanted(job)
    text = load(job.data, sizes.characters)
    heldout = pieces(text.heldout, sizes.length, sizes.probe.sequences)
    shape = decoders.Shape(text.symbols, sizes.length, int(own["width"]), int(own["depth"]))
    network = decoders.decoder(shape, job.seed)
    lesson = decoders.Lesson(sizes.steps * int(own["epochs"]), sizes.batch)
    term = term_of(str(own["term"]), float(own["weight"]))
    for step in decoders.train(network, text.learned, lesson, job.seed, term):
        epoch, between = divmod(step, sizes.steps)
        if between == 0 and epoch in at:
            start = time.perf_counter()
            loss, states = decoders.observed(network, heldout)
            found: Numbers = {(RUN, LOSS): loss}
            for layer, of in zip(LAYERS, states, strict=True):
                values = numbers_of(of, sizes.probe)
                found |= {(layer, name): value for name, value in values.items()}
            yield epoch, found, time.perf_counter() - start


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Loss, condensation and entropies, before and after training and with each term."""
    names = (((RUN,), LOSS), *((DEEP, name) for name in SHOWN))
    kinds = [(NONE, 0.0), *((term, w) for term, weights in TRIED.items() for w in weights)]
    lines = []
    for width in widths_of(rows):
        for term, weight in kinds:
            of = select(rows, width=width, term=term, weight=weight)
            for at in WHEN:
                there = when(of, at)
                if there:
                    cells = [_shown(mean_over(there, name, layers)) for layers, name in names]
                    words = "-" if term == NONE else f"{term}, {weight:g}"
                    lines.append([str(width), words, at.split()[0], *cells])
    return Listing(
        "Held-out loss in bits a character, and numbers of deep layers (the second half of the "
        "blocks): mean and half the 95 % interval over seeds",
        ["width", "term, weight", "training", LOSS, *SHOWN],
        lines,
    )


def _shown(values: BySeed) -> str:
    """The mean with half its interval, of which one seed says nothing."""
    mean, half = band(list(values.values()))
    return f"{mean:.3f} +- {half:.3f}" if len(values) > 1 else f"{mean:.3f}"


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Condensation over layers and epochs, entropies and the loss, and what the terms do."""
    alone = plain(rows)
    cosine = "mean cosine within a sequence"

    def over(x: str, of: Sequence[StudyRow], by: str) -> list[Curve]:
        return [Curve(f"{by} {v}", repeated(select(of, **{by: v}), x)) for v in distinct(of, by)]

    numbered = [
        row if row["place"] not in LAYERS
        else replace(row, cell=row.cell.with_parameters(layer=LAYERS.index(row["place"])))
        for row in rows
    ]  # fmt: skip
    across = select(numbered, estimator=ANISOTROPY)
    last = BLOCKS[-1]
    return [
        *(
            Panel(at, "layer", cosine, over("layer", when(plain(across), at), "width"),
                  possible=(-1.0, 1.0))
            for at in WHEN
        ),
        Panel(f"{last}", "epoch", cosine,
              over("epoch", select(alone, estimator=ANISOTROPY, place=last), "width"),
              possible=(-1.0, 1.0)),
        Panel(f"{last}", "epoch", f"{KERNEL} (bits)",
              over("epoch", select(alone, estimator=KERNEL, place=last), "width")),
        Panel("held-out text", "epoch", "loss (bits a character)",
              over("epoch", select(alone, estimator=LOSS), "width")),
        Panel(f"width {WITH_TERMS[0]}, after training", "layer", cosine,
              [Curve(term if term == NONE else f"{term}, {weight:g}",
                     repeated(select(of, term=term, weight=weight), "layer"))
               for of in [select(when(across, AFTER), width=WITH_TERMS[0])]
               for term in distinct(of, "term")
               for weight in distinct(select(of, term=term), "weight")],
              possible=(-1.0, 1.0)),
    ]  # fmt: skip


STUDY = Study(
    "condensation",
    "whether tokens condense in small language models, and what that says of their loss",
    jobs,
    measure,
    findings,
    panels,
    listing,
    parallel=True,
    data=DATA,
)
