"""The layers of a real transformer over labelled texts, and random ones: what of claims holds.

MiniLM, an encoder of six blocks that a package ships, reads film reviews, tweets, mails and
quotations; random networks like BERT and GPT-2, of 2 to 12 blocks, are the controls. A repetition
has prompts of its own, and random networks weights of their own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from eigentropy._support.warnings import warn
from eigentropy.baselines._pytorch import threads_for
from eigentropy.studies.data import Labels
from eigentropy.studies.figures import band
from eigentropy.studies.language import networks, numbers, prompts
from eigentropy.studies.language.claims import COSINES, CURVATURE, ENTROPY, findings
from eigentropy.studies.language.networks import MINILM, NETWORKS, NORMALIZED
from eigentropy.studies.language.numbers import (
    AS_CODED,
    KNN,
    LABELS,
    LINEAR,
    MEAN,
    NAMES,
    NEXT,
    PADDED,
    PROMPTS,
    TOKENS,
    WITHIN,
    Value,
)
from eigentropy.studies.language.profiles import Profiles, View
from eigentropy.studies.language.prompts import FILMS, GENERATED, SETS, UNTRAINED
from eigentropy.studies.models import require_sklearn
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.rows import Cell, Parameter, StudyRow, sorted_parameters
from eigentropy.studies.study import Curve, Job, Listing, Panel, Study, StudyPlan

# A number that is stored, and its error: their digits.
DIGITS, ERROR_DIGITS = 6, 2


# Parts that random networks read: they differ little between prompts.
CONTROL_PARTS = 4


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network, data set and part of its prompts.

    Without --full: generated prompts through small networks, and films through two of six blocks.
    """
    require_sklearn()
    return [
        Job(tuple(_cells(data, network, seed)))
        for seed in plan.seeds(quick=2, full=8)  # so that a run cut short has some of everything
        for data, network in _pairs(full=plan.full)
        if seed - plan.seed < (SETS[data].parts if network == MINILM else CONTROL_PARTS)
    ]


def _pairs(*, full: bool) -> list[tuple[str, str]]:
    """Which network reads which data."""
    if not full:
        small = [(GENERATED.name, name) for name in ("bert-2", "gpt-2")]
        return [*small, (FILMS.name, MINILM), (FILMS.name, UNTRAINED)]
    return [
        (data.name, name)
        for data in SETS.values()
        for name in ([] if data is GENERATED else [MINILM]) + list(data.controls)
    ]


def _cells(data: str, network: str, seed: int) -> Iterator[Cell]:
    layers = NETWORKS[network].layers
    for layer in layers:
        of: dict[str, Parameter] = {"network": network, "layer": layer}
        for view in _views(network):
            if view.estimator != NEXT or layer != layers[-1]:
                settings = sorted_parameters({**of, **view.settings})
                yield Cell(data, settings, view.estimator, seed)


def _views(network: str) -> Iterator[View]:
    """What is measured of each layer: of random networks not everything."""
    trained = network == MINILM
    for how in NORMALIZED:
        if trained or how == "none":
            yield from (View(name, PROMPTS, how) for name in NAMES[PROMPTS])
        if trained:
            yield from (View(name, TOKENS, how, "") for name in NAMES[TOKENS])
        coded = AS_CODED if how == "none" else ()
        yield from (View(name, WITHIN, how, "") for name in (*NAMES[WITHIN], *coded))
    if trained:
        names = (name for name in NAMES[PROMPTS] if name != NEXT)
        yield from (View(name, PROMPTS, "none", PADDED) for name in names)


def measure(job: Job, width: int = networks.WIDTH) -> Iterator[StudyRow]:
    """The rows of a network over a part of the prompts; none where the data are missing."""
    torch, network = torch_for_networks(), NETWORKS[str(job.settings["network"])]
    if why := prompts.missing(job.data):
        warn(f"{network.name} on {job.data} is left out: {why}")
        return
    networks.require_transformers()
    wanted = {(int(cell.settings["layer"]), _view(cell)): cell for cell in job.cells}
    kinds = {(view.scope, view.normalize, view.pooling) for _, view in wanted}
    poolings = {pooling for _, _, pooling in kinds}
    some, y = prompts.part(job.data, job.seed % SETS[job.data].parts)
    with threads_for(torch, 0):
        model = networks.made(replace(network, width=width), job.seed)
        states = networks.token_states(model, some)
        padded = networks.padded_means(model, some) if PADDED in poolings else []
    for layer, kind, of in _measurements(states, padded, y, job.seed):
        if kind not in kinds:
            continue
        start = time.perf_counter()
        values = of()
        seconds = time.perf_counter() - start
        for name, (value, error) in values.items():
            cell = wanted.get((layer, View(name, *kind)))
            if cell is not None:
                rounded = _rounded(value, DIGITS), _rounded(error, ERROR_DIGITS)
                yield StudyRow(cell, *rounded, seconds)


def _view(cell: Cell) -> View:
    of = cell.settings
    return View(cell.estimator, *(str(of[name]) for name in ("scope", "normalize", "pooling")))


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


# A layer, the scope, normalisation and pooling, and what measures it.
Measurement = tuple[int, tuple[str, str, str], Callable[[], dict[str, Value]]]


def _measurements(
    states: dict[str, list[Any]], padded: list[Any], y: Labels, seed: int
) -> Iterator[Measurement]:
    for how, layers in states.items():
        means = [np.stack([one.mean(axis=0) for one in layer]) for layer in layers]
        for number, layer in enumerate(layers):
            following = means[number + 1] if number + 1 < len(means) else None
            of = partial(numbers.of_prompts, means[number], y, following, seed)
            yield number, (PROMPTS, how, MEAN), of
            yield number, (TOKENS, how, ""), partial(numbers.of_tokens, layer, seed)
            yield number, (WITHIN, how, ""), partial(numbers.within_prompts, layer, seed)
    for number, Z in enumerate(padded):
        yield number, (PROMPTS, "none", PADDED), partial(numbers.of_prompts, Z, y, None, seed)


# What the table of MiniLM's layers has.
SHOWN = (
    View(LINEAR),
    View(KNN),
    View(LABELS),
    View("dse"),
    View("kernel_entropy", TOKENS, "none", ""),
    View("rankme"),
    ENTROPY,
    COSINES,
    CURVATURE,
    View(NEXT),
)


def listing(rows: Sequence[StudyRow]) -> Listing:
    """The layers of MiniLM on each data set, as means over the parts with their intervals."""
    known, lines = Profiles(rows), []
    for data in SETS:
        values = [known.values(data, MINILM, view) for view in SHOWN]
        lines += [
            [data, _named(layer), *(_interval(of.get(layer, [])) for of in values)]
            for layer in NETWORKS[MINILM].layers
            if any(of.get(layer) for of in values)
        ]
    title = "MiniLM, means over parts of the prompts and half the width of their 95 % intervals"
    return Listing(title, ["data", "layer", *map(str, SHOWN)], lines)


def _named(layer: int) -> str:
    return f"block {layer}" if layer else "embedding"


def _interval(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean, half = band(values)
    return f"{mean:.3g} ± {half:.1g}"


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """MiniLM on every data set, and all networks on the films, by the share of their depth."""
    known = Profiles(rows)
    found = [
        Panel(
            f"MiniLM: {view}",
            "layer, 0 is the embedding",
            view.estimator,
            [
                Curve(data, {float(x): v for x, v in known.values(data, MINILM, view).items()})
                for data in SETS
            ],
            possible=possible,
        )
        for view, possible in (
            (View(LINEAR), (0.0, 1.0)),
            (View(LABELS), (-math.inf, 1.0)),
            (View("dse"), (0.0, math.log2(FILMS.prompts))),
        )
    ]
    for view in (ENTROPY, COSINES, CURVATURE):
        data = FILMS.name
        curves = [_over_depth(known, data, network, view) for network in known.networks(data)]
        title = f"{data}: {view}"
        found.append(Panel(title, "share of the depth", view.estimator, curves))
    return found


def _over_depth(known: Profiles, data: str, network: str, view: View) -> Curve:
    values = known.values(data, network, view)
    return Curve(network, {x / NETWORKS[network].blocks: of for x, of in values.items()})


STUDY = Study(
    name="layers",
    title="the layers of a transformer over labelled texts, and of random ones",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
    below="shaded: 95 % confidence of the mean over parts of the prompts, which share none",
)
