"""What others say about layers of language models, judged on the rows of the study `layers`.

Of every claim there is one number a part of the prompts, and the 95 % interval of its mean over
the parts. A claim holds if the whole interval is on its side of 0, and does not hold if the whole
interval is on the other side; it is not known where the interval contains 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from eigentropy.studies.estimators import spearman
from eigentropy.studies.figures import band
from eigentropy.studies.language.networks import MINILM
from eigentropy.studies.language.numbers import (
    CODE,
    LABELS,
    LINEAR,
    PADDED,
    PROMPTS,
    TOKENS,
    WITHIN,
)
from eigentropy.studies.language.profiles import Parts, Profile, Profiles, View
from eigentropy.studies.language.prompts import FILMS, GENERATED, RANDOM, SETS, UNTRAINED
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import Claim, Finding, Listing

REAL = [name for name in SETS if name != GENERATED.name]
BOTH = [name for name in REAL if SETS[name].controls]  # read by MiniLM and by the controls
DEEPEST = ("bert-12", "gpt-12")

# As in Layer by Layer: tokens of length 1, the entropy of each prompt, divided by its largest.
ENTROPY = View("prompt_entropy", WITHIN, "l2", "")
CURVATURE = View("curvature", WITHIN, "none", "")
COSINES = View("anisotropy", WITHIN, "none", "")
PROBE = View(LINEAR)
OURS = View(LABELS)

# What sees no labels, and might yet tell which layer a probe reads best.
UNLABELLED = (
    View("dse"),
    View("kernel_entropy"),
    View("rankme"),
    View("effective_rank", TOKENS, "none", ""),
    View("kernel_entropy", TOKENS, "none", ""),
    ENTROPY,
    COSINES,
    CURVATURE,
)

# Whose order of layers is compared between raw and normalised tokens, and what "alike" means.
COMPARED = (
    OURS,
    View("dse"),
    View("kernel_entropy"),
    View("effective_rank"),
    View("prompt_entropy", WITHIN, "none", ""),
    View("curvature", WITHIN, "none", ""),
)
ALIKE = 0.9

SPEARMAN = "Spearman"


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Every claim, in the order of the page."""
    known = Profiles(rows)
    return [
        *_middle(known),
        *_valleys(known),
        *_condensation(known),
        *_learned(known),
        *_predictors(known),
        *_padding(known),
        *_normalized(known),
    ]


def decided(
    claim: Claim, values: Sequence[float], sign: int = 1, *, above: float = 0.0, said: str = "by"
) -> Finding:
    """True or false where the whole interval of the mean is on one side of `above`, else None."""
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return claim.not_measured()
    mean, half = band(known)
    low, high = mean - half, mean + half
    if said == SPEARMAN:
        low, high = max(low, -1.0), min(high, 1.0)
    measured = f"{said} {mean:+.3f} (95 %: {low:+.3f} to {high:+.3f})"
    away = mean - above
    return claim.judged(measured, sign * away > 0 if abs(away) > half else None)


# Numbers of each part


def chosen(parts: Parts, best: Callable[..., int]) -> Iterator[tuple[Profile, int]]:
    """Each part, and the middle layer that is the best by the mean of the other parts.

    So no part has a say in which of its layers is looked at.
    """
    for seed, profile in parts.items():
        others = [other for number, other in parts.items() if number != seed]
        middle = sorted(profile)[1:-1]
        if others and middle:
            means = {layer: math.fsum(other[layer] for other in others) for layer in middle}
            yield profile, best(means, key=means.__getitem__)


def gains(parts: Parts) -> list[float]:
    """How far the best middle layer is above the last one."""
    return [profile[layer] - profile[max(profile)] for profile, layer in chosen(parts, max)]


def depths(parts: Parts) -> list[float]:
    """How far the lowest middle layer is below the embedding and the last layer: below both."""
    return [
        min(profile[0], profile[max(profile)]) - profile[layer]
        for profile, layer in chosen(parts, min)
    ]


def rises(parts: Parts) -> dict[int, float]:
    """From the embedding to the last layer."""
    return {seed: profile[max(profile)] - profile[0] for seed, profile in parts.items()}


def last(parts: Parts) -> dict[int, float]:
    """The value of the last layer."""
    return {seed: profile[max(profile)] for seed, profile in parts.items()}


def less(ours: dict[int, float], theirs: dict[int, float]) -> list[float]:
    """Differences of the parts that both have."""
    return [ours[seed] - theirs[seed] for seed in ours if seed in theirs]


def correlations(scores: Parts, probes: Parts) -> dict[int, float]:
    """Spearman over layers of the score of a part with the probe of the next part."""
    seeds = [seed for seed in scores if seed in probes]
    if len(seeds) < 2:
        return {}
    following = dict(zip(seeds, seeds[1:] + seeds[:1], strict=True))
    return {seed: _spearman(scores[seed], probes[other]) for seed, other in following.items()}


def _spearman(one: Profile, other: Profile) -> float:
    layers = sorted(one)
    return spearman([one[layer] for layer in layers], [other[layer] for layer in layers])


# Claims


def _middle(known: Profiles) -> Iterator[Finding]:
    for view in (PROBE, OURS):
        for data in REAL:
            text = f"{data}: a middle layer of MiniLM has a higher {view} than the last one"
            yield decided(Claim("middle", text), gains(known.of(data, MINILM, view)))


def _valleys(known: Profiles) -> Iterator[Finding]:
    for view, what in (
        (ENTROPY, "prompt entropy"),
        (View(ENTROPY.estimator + CODE, WITHIN, "none", ""), "prompt entropy by the code"),
        (CURVATURE, "curvature"),
        (View(CURVATURE.estimator + CODE, WITHIN, "none", ""), "curvature by the code"),
    ):
        places = [(data, MINILM) for data in REAL] + [(FILMS.name, name) for name in DEEPEST]
        for data, network in places:
            text = f"{data}, {network}: {what} has a valley between embedding and last layer"
            yield decided(Claim("valley", text), depths(known.of(data, network, view)))


def _condensation(known: Profiles) -> Iterator[Finding]:
    of = {name: rises(known.of(FILMS.name, name, COSINES)) for name in RANDOM}
    for name, rise in of.items():
        text = f"{FILMS.name}, {name}: anisotropy within prompts rises from embedding to last layer"
        yield decided(Claim("condenses", text), list(rise.values()))
    for kind in ("bert", "gpt"):
        text = f"{FILMS.name}, {kind}: it rises more with 12 random blocks than with 2"
        yield decided(Claim("deeper", text), less(of[f"{kind}-12"], of[f"{kind}-2"]))
    for data in BOTH:
        text = f"{data}: it rises less in MiniLM than in the same network before training"
        ours, theirs = (rises(known.of(data, name, COSINES)) for name in (MINILM, UNTRAINED))
        yield decided(Claim("less", text), less(ours, theirs), -1)
    for data in BOTH:
        text = f"{data}: its last layer has a lower one in MiniLM than before training"
        ours, theirs = (last(known.of(data, name, COSINES)) for name in (MINILM, UNTRAINED))
        yield decided(Claim("alleviates", text), less(ours, theirs), -1)


def _learned(known: Profiles) -> Iterator[Finding]:
    for data in BOTH:
        text = f"{data}: MiniLM's last layer has a higher {PROBE} than before training"
        ours, theirs = (last(known.of(data, name, PROBE)) for name in (MINILM, UNTRAINED))
        yield decided(Claim("learned", text), less(ours, theirs))
    for name in DEEPEST:
        text = f"{FILMS.name}, {name}: the last random layer has a lower {PROBE} than the embedding"
        found = rises(known.of(FILMS.name, name, PROBE))
        yield decided(Claim("forgets", text), list(found.values()), -1)


def mean_correlations(known: Profiles, view: View) -> dict[int, float]:
    """For each part that all data sets have, the mean of their correlations with the probe."""
    found = [
        correlations(known.of(data, MINILM, view), known.of(data, MINILM, PROBE)) for data in REAL
    ]
    found = [each for each in found if each]
    shared = [seed for seed in found[0] if all(seed in each for each in found)] if found else []
    means = {seed: math.fsum(each[seed] for each in found) / len(found) for seed in shared}
    return {seed: mean for seed, mean in means.items() if math.isfinite(mean)}


def _predictors(known: Profiles) -> Iterator[Finding]:
    ours = mean_correlations(known, OURS)
    text = f"{OURS} orders MiniLM's layers as the probe on other prompts does: Spearman above 0"
    yield decided(Claim("predicts", text), list(ours.values()), said=SPEARMAN)
    sizes = {seed: abs(value) for seed, value in ours.items()}
    for view in UNLABELLED:
        text = f"{OURS} orders them better than {view}, without signs"
        theirs = {seed: abs(value) for seed, value in mean_correlations(known, view).items()}
        yield decided(Claim("better", text), less(sizes, theirs))


def _padding(known: Profiles) -> Iterator[Finding]:
    for view in (PROBE, View("effective_rank")):
        padded = View(view.estimator, PROMPTS, "none", PADDED)
        for data in REAL:
            text = f"{data}: padding in the mean lowers {view} of MiniLM's last layer"
            with_it, without = (last(known.of(data, MINILM, each)) for each in (padded, view))
            yield decided(Claim("padding", text), less(with_it, without), -1)


def _normalized(known: Profiles) -> Iterator[Finding]:
    for view in COMPARED:
        text = f"raw and normalised tokens order MiniLM's layers alike by {view}: over {ALIKE}"
        other = View(view.estimator, view.scope, "l2", view.pooling)
        found: dict[int, list[float]] = {}
        for data in REAL:
            raw, normalized = (known.of(data, MINILM, each) for each in (view, other))
            for seed in raw.keys() & normalized.keys():
                found.setdefault(seed, []).append(_spearman(raw[seed], normalized[seed]))
        means = [float(np.mean(each)) for each in found.values()]
        yield decided(Claim("alike", text), means, above=ALIKE, said=SPEARMAN)


# Tables


def predictors(rows: Sequence[StudyRow]) -> Listing:
    """How each score orders the layers of MiniLM beside the probe, data set by data set."""
    known = Profiles(rows)
    lines = []
    for view in (OURS, *UNLABELLED):
        cells = []
        for data in REAL:
            probe = known.of(data, MINILM, PROBE)
            scores = known.of(data, MINILM, view)
            cells.append(_shown(list(correlations(scores, probe).values())))
        lines.append([str(view), *cells, _shown(list(mean_correlations(known, view).values()))])
    title = "Spearman correlation over MiniLM's seven layers with the linear probe of other prompts"
    return Listing(title, ["score", *REAL, "all"], lines)


def _shown(values: Sequence[float]) -> str:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "-"
    mean, half = band(known)
    return f"{mean:.2f} ({max(mean - half, -1.0):.2f} to {min(mean + half, 1.0):.2f})"
