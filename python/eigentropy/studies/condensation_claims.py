"""What the rows of the study of condensation say of the claims of arXiv:2602.00217, and further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eigentropy.studies import courses, seeds
from eigentropy.studies.condensation_layers import (
    BEFORE,
    BLOCKS,
    CHOSEN,
    DEEP,
    DISPERSION,
    EMBEDDING,
    ENTROPY,
    LAYERS,
    LOSS,
    WHEN,
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
    OF_ENTROPY,
    PROMPT_ENTROPY,
)
from eigentropy.studies.courses import RUN
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.seeds import BySeed, Prediction, SeedDifference
from eigentropy.studies.study import Claim, Finding, distinct, select

Compared = tuple[Claim, SeedDifference | None]

COSINE = "mean cosine"

# Numbers that may tell the loss, of which the best is chosen, with its layer.
FAMILIES = {
    "DSE or kernel entropy": OF_ENTROPY,
    "prompt entropy": (PROMPT_ENTROPY,),
    COSINE: (ANISOTROPY,),
}


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether tokens condense, what reduces that, and what tells the held-out loss."""
    return [
        *_decided([_smaller(rows, at) for at in WHEN]),
        *_decided([_at_first(rows, width) for width in widths_of(rows)]),
        *_decided([_alleviated(rows, width) for width in widths_of(rows)]),
        *_decided([_rises_again(rows, width) for width in widths_of(rows)]),
        *_decided([_with_depth(rows, width, at) for at in WHEN for width in widths_of(rows)]),
        *_decided([_reduces(rows, width) for width in WITH_TERMS]),
        *_decided([_raises(rows, width) for width in WITH_TERMS]),
        *_decided([_improves(rows, term, width) for term in CHOSEN for width in WITH_TERMS]),
        *(finding for within in WITHIN_WHAT for finding in _telling(rows, within)),
    ]


def _decided(claims: Sequence[Compared]) -> list[Finding]:
    """Claims that differences are above 0, tested together."""
    found = zip(seeds.larger(claims), claims, strict=True)
    return [_or_open(finding, each) for finding, (_, each) in found]


def _or_open(finding: Finding, each: SeedDifference | None) -> Finding:
    """What is not borne out is contradicted only if the whole interval is at most 0."""
    if not finding.holds and each is not None and each.high > 0.0:
        return replace(finding, holds=None)
    return finding


def _smaller(rows: Sequence[StudyRow], at: str) -> Compared:
    claim = Claim(
        "smaller",
        f"{at}, deep layers of width {WIDTHS[0]} condense more than those of {WIDTHS[-1]}",
    )
    narrow, wide = (
        mean_over(when(plain(rows, width=width), at), ANISOTROPY, DEEP)
        for width in (WIDTHS[0], WIDTHS[-1])
    )
    return claim, seeds.difference(narrow, wide)


def _at_first(rows: Sequence[StudyRow], width: int) -> Compared:
    claim = Claim("at first", f"width {width}: before training, deep layers condense more than "
                  "the embedding")  # fmt: skip
    of = when(plain(rows, width=width), BEFORE)
    deep, start = (mean_over(of, ANISOTROPY, layers) for layers in (DEEP, (EMBEDDING,)))
    return claim, seeds.difference(deep, start)


def _alleviated(rows: Sequence[StudyRow], width: int) -> Compared:
    claim = Claim("alleviated", f"width {width}: deep layers condense less after training than "
                  "before")  # fmt: skip
    before, after = (mean_over(when(plain(rows, width=width), at), ANISOTROPY, DEEP) for at in WHEN)
    return claim, seeds.difference(before, after)


def _most(rows: Sequence[StudyRow]) -> dict[int, float]:
    """By seed, the most condensed that deep layers are at any epoch after training has begun."""
    later = [row for row in rows if row["epoch"] > 0]
    looks = [mean_over(select(later, epoch=e), ANISOTROPY, DEEP) for e in distinct(later, "epoch")]
    return {seed: max(look.get(seed, -1.0) for look in looks) for seed in looks[0]} if looks else {}


def _rises_again(rows: Sequence[StudyRow], width: int) -> Compared:
    claim = Claim("never more", f"width {width}: deep layers are never more condensed than before "
                  "training")  # fmt: skip
    of = plain(rows, width=width)
    return claim, seeds.difference(mean_over(when(of, BEFORE), ANISOTROPY, DEEP), _most(of))


def _with_depth(rows: Sequence[StudyRow], width: int, at: str) -> Compared:
    claim = Claim("depth", f"width {width}, {at}: condensation increases with depth: Spearman with "
                  "the number of the layer is above 0")  # fmt: skip
    of = select(when(plain(rows, width=width), at), estimator=ANISOTROPY)
    places = [replace(row, value=float(LAYERS.index(row["place"]))) for row in of]
    ranks = seeds.correlations(seeds.states(of, "place"), seeds.states(places, "place"))
    return claim, seeds.mean_of(list(ranks.values()))


def best_weight(rows: Sequence[StudyRow], term: str) -> float:
    """Of those that the first seed has tried, the one with the lowest held-out loss."""
    of = select(rows, estimator=LOSS, term=term, width=WITH_TERMS[0])
    tried = [row for row in courses.last(of) if row.cell.seed == min(distinct(of, "seed"))]
    return float(min(tried, key=lambda row: row.value)["weight"])


def _less(
    rows: Sequence[StudyRow], term: str, width: int, name: str, layers: Sequence[str]
) -> SeedDifference | None:
    """Without the term minus with it, on the seeds that have not chosen its weight."""
    first = min(distinct(rows, "seed"), default=0)
    of = [row for row in courses.last(select(rows, width=width)) if row.cell.seed != first]
    without, own = plain(of), select(of, term=term, weight=CHOSEN[term])
    return seeds.difference(mean_over(without, name, layers), mean_over(own, name, layers))


def _with(term: str, width: int) -> str:
    """A term in words."""
    words = {DISPERSION: "the dispersion loss", ENTROPY: "the entropy as a term of the loss"}
    return f"width {width}: {words[term]} (weight {CHOSEN[term]:g})"


def _reduces(rows: Sequence[StudyRow], width: int) -> Compared:
    claim = Claim(
        "reduces",
        f"{_with(DISPERSION, width)} reduces the condensation of deep layers",
    )
    return claim, _less(rows, DISPERSION, width, ANISOTROPY, DEEP)


def _raises(rows: Sequence[StudyRow], width: int) -> Compared:
    claim = Claim(
        "raises",
        f"{_with(ENTROPY, width)} raises the kernel entropy within sequences of all blocks",
    )
    less = _less(rows, ENTROPY, width, KERNEL, BLOCKS)
    return claim, less and replace(less, mean=-less.mean)


def _improves(rows: Sequence[StudyRow], term: str, width: int) -> Compared:
    claim = Claim("improves", f"{_with(term, width)} lowers the held-out loss (bits)")
    return claim, _less(rows, term, width, LOSS, (RUN,))


# Where ranks are compared: all states of a seed's decoders, or those of one width, or of one epoch;
# and what differs between the states there, which may say as much as a measure of them.
WITHIN_WHAT = {
    "": "over widths and epochs",
    "width": "over epochs, at the same width",
    "epoch": "over widths, at the same epoch",
}
DIFFERS = {"width": "epoch", "epoch": "width"}
SAME = ("width", "epoch")


def telling(rows: Sequence[StudyRow], within: str, name: str, layer: str) -> BySeed:
    """The rank correlation of a number of a layer with the held-out loss, after training began.

    Within each width or epoch if one of these is given, mean over them.
    """
    begun = _begun(rows)
    known = select(begun, estimator=name, place=layer)
    return _ranks(known, select(begun, estimator=LOSS), within)


def _begun(rows: Sequence[StudyRow]) -> list[StudyRow]:
    return [row for row in plain(rows) if row["epoch"] > 0]


def _ranks(known: Sequence[StudyRow], losses: Sequence[StudyRow], within: str) -> BySeed:
    groups: dict[int, list[float]] = {}
    for value in distinct(losses, within) if within else [None]:
        wanted = {within: value} if within else {}
        x, y = (seeds.states(select(of, **wanted), *SAME) for of in (known, losses))
        for seed, rho in seeds.correlations(x, y).items():
            groups.setdefault(seed, []).append(rho)
    return {seed: sum(values) / len(values) for seed, values in groups.items()}


def _telling(rows: Sequence[StudyRow], within: str) -> list[Finding]:
    """Whether numbers of a layer rank the loss, and the entropies better than what is simpler."""
    found = {
        family: seeds.chosen(
            {(name, at): telling(rows, within, name, at) for name in names for at in BLOCKS}
        )
        for family, names in FAMILIES.items()
    }
    start = f"{WITHIN_WHAT[within]}: the"
    cosine = found[COSINE]
    simpler = {COSINE: {} if cosine is None else cosine.scores}
    if within:
        name, losses = DIFFERS[within], select(_begun(rows), estimator=LOSS)
        numbers = [replace(row, value=float(row[name])) for row in losses]
        simpler[f"{name} alone"] = _ranks(numbers, losses, within)
    return [
        *(_tells(f"{start} {family} of a layer", own) for family, own in found.items()),
        *(
            _tells_better(f"{start} {family} tells it better than the {other}", own, theirs)
            for other, theirs in simpler.items()
            for family, own in found.items()
            if family != COSINE
        ),
    ]


def _tells(what: str, own: Prediction | None) -> Finding:
    finding = seeds.predicts(
        Claim("tells", f"{what} tells the held-out loss"), own, lambda key: f"{key[0]} of {key[1]}"
    )
    return _or_open(finding, None if own is None else seeds.mean_of(list(own.scores.values())))


def _tells_better(text: str, own: Prediction | None, theirs: BySeed) -> Finding:
    sizes = {seed: abs(value) for seed, value in theirs.items()}
    ahead = None if own is None else seeds.difference(own.scores, sizes)
    return _or_open(seeds.better(Claim("tells better", text), own, theirs), ahead)
