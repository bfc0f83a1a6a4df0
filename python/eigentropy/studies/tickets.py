"""Lottery tickets (Frankle and Carbin, arXiv 1803.03635): iterative pruning with rewinding.

A network is trained, loses a fifth of the weights that each layer has left, goes back to its
initial weights, and is trained again, round by round. The control has the same masks and new
weights. Does a measure of the untrained ticket tell how well it will learn?
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eigentropy.baselines._pytorch import threads_for
from eigentropy.studies import differences, seeds, sparsity
from eigentropy.studies.figures import band
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.seeds import BySeed, SeedDifference
from eigentropy.studies.sparsity import (
    ACCURACY,
    HIDDEN,
    LAYERS,
    NETWORK,
    OUTPUT,
    STATISTICS,
    SparseSizes,
)
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    distinct,
    select,
)

REWOUND, REINITIALISED = "rewound", "reinitialised"

# Of the weights that are left, a round removes this share; of the output layer's half of it, as in
# the paper. Then the shares of the lecture's table are those after these rounds.
RATES = {**dict.fromkeys(HIDDEN, 0.2), OUTPUT: 0.1}
ROUND = {"100 %": 0, "51.3 %": 3, "21.1 %": 7, "7.0 %": 12, "3.6 %": 15, "1.9 %": 18}
ROUNDS = 18

# Where tickets are also reinitialised, and measured before they are trained.
COMPARED = (1, 3, 5, 7, 9, 12, 15, 18)

# Its own seed for the new weights of each seed.
NEW_WEIGHTS = 1_000_000

# Of a network as a whole, beside its accuracy after training: see `vision.pruned.Trained`.
STOP, AT_STOP, MEAN, LEFT = "stop", "accuracy at stop", "mean accuracy", "weights left"
OF_NETWORK = (ACCURACY, STOP, AT_STOP, MEAN, LEFT)

# Of the last hidden layer, what an untrained ticket may know of the classes.
KNOWING = (LAYERS[1], "adjusted kernel information")

# The data whose results have raised the question what an untrained ticket knows.
RAISED_BY = "digits"

# Accuracies are about the same if the interval of their difference is within one point.
MARGIN = 0.01

# The lecture's rows: test accuracy from high to low. (share, reinitialised or not) of both sides.
Ticket = tuple[str, str]
ABOVE: tuple[tuple[Ticket, Ticket], ...] = (
    (("21.1 %", REWOUND), ("51.3 %", REWOUND)),
    (("21.1 %", REWOUND), ("100 %", REWOUND)),
    (("100 %", REWOUND), ("51.3 %", REINITIALISED)),
    (("51.3 %", REINITIALISED), ("21.1 %", REINITIALISED)),
    (("21.1 %", REINITIALISED), ("1.9 %", REWOUND)),
    (("51.3 %", REWOUND), ("51.3 %", REINITIALISED)),
    (("21.1 %", REWOUND), ("21.1 %", REINITIALISED)),
)
ALIKE: tuple[tuple[Ticket, Ticket], ...] = (
    (("51.3 %", REWOUND), ("7.0 %", REWOUND)),
    (("7.0 %", REWOUND), ("3.6 %", REWOUND)),
    (("3.6 %", REWOUND), ("100 %", REWOUND)),
    (("3.6 %", REWOUND), ("1.9 %", REWOUND)),
)


def jobs(plan: StudyPlan) -> list[Job]:
    """One job a seed: a round needs the one before."""
    data = sparsity.data_of(plan)
    epochs = sparsity.epochs_of(plan, data)
    compared = tuple(range(1, ROUNDS + 1)) if plan.full else COMPARED
    tickets = [(round_, REWOUND) for round_ in range(ROUNDS + 1)]
    tickets += [(round_, REINITIALISED) for round_ in compared]
    return [
        Job(
            tuple(
                Cell(
                    data,
                    sorted_parameters(
                        {"round": round_, "weights": of, "layer": layer, "epochs": epochs}
                    ),
                    name,
                    seed,
                )
                for round_, of in tickets
                for layer, names in _names(measured=round_ in (0, *compared)).items()
                for name in names
            )
        )
        for seed in plan.seeds(quick=5, full=20)
    ]


def _names(measured: bool) -> dict[str, tuple[str, ...]]:
    """What is measured of a ticket, by layer."""
    return {NETWORK: OF_NETWORK, **(dict.fromkeys(LAYERS, STATISTICS) if measured else {})}


def measure(job: Job, sizes: SparseSizes = sparsity.SIZES) -> Iterator[StudyRow]:
    """Train and prune round by round, up to the last one that is wanted."""
    from eigentropy.studies.vision import pictures, pruned

    seed = job.seed
    course = replace(sizes.courses[job.data], epochs=int(job.settings["epochs"]))
    wanted: dict[tuple[Any, Any], list[Cell]] = {}
    for cell in job.cells:
        wanted.setdefault((cell.settings["round"], cell.settings["weights"]), []).append(cell)
    with threads_for(torch_for_networks(), 0):
        training, test = pictures.load(job.data, sizes.digits)
        fitted, validation = pruned.split(training, sizes.validation[job.data], seed)
        ticket = pruned.lenet(fitted, seed)
        for round_ in range(max(each for each, _ in wanted) + 1):
            if round_ > 0:
                masks = pruned.masks_of(pruned.remove_weights(ticket, RATES))
                ticket = pruned.masked(pruned.lenet(fitted, seed), masks)
            networks = {REWOUND: ticket}
            if (round_, REINITIALISED) in wanted:
                other = pruned.lenet(fitted, seed + NEW_WEIGHTS)
                networks[REINITIALISED] = pruned.masked(other, masks)
            for weights, network in networks.items():
                start = time.perf_counter()
                cells = wanted.get((round_, weights), [])
                layers = [
                    name for name in LAYERS if any(c.settings["layer"] == name for c in cells)
                ]
                found = pruned.measured(network, validation, seed, layers)
                found |= _trained(
                    pruned.train(network, fitted, validation, test, course, seed),
                    pruned.weights_left(pruned.masks_of(network)),
                )
                seconds = time.perf_counter() - start
                for cell in cells:
                    value = found[str(cell.settings["layer"]), cell.estimator]
                    yield StudyRow(cell, value, math.nan, seconds)


def _trained(trained: Any, left: float) -> dict[tuple[str, str], float]:
    values = (trained.accuracy, float(trained.stop), trained.at_stop, trained.mean, left)
    return {(NETWORK, name): value for name, value in zip(OF_NETWORK, values, strict=True)}


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """The rows of the lecture's table, speed, and what a measure of the untrained ticket tells."""
    found = []
    for data in distinct(rows, "data"):
        of = select(rows, data=data)
        found += seeds.larger([_above(of, data, *pair) for pair in ABOVE])
        found += [_alike(of, data, *pair) for pair in ALIKE]
        found += seeds.larger(_speed(of, data))
        if data != RAISED_BY:
            found += seeds.larger(_knows(of, data))
        found += _predictions(of, data)
        found += _choices(of, data)
    return found


def _values(rows: Sequence[StudyRow], ticket: Ticket, name: str = ACCURACY) -> BySeed:
    share, weights = ticket
    return differences.by_seed(select(rows, round=ROUND[share], weights=weights, estimator=name))


def _said(ticket: Ticket) -> str:
    share, weights = ticket
    return share if weights == REWOUND else f"{share} {weights}"


def _above(
    rows: Sequence[StudyRow], data: str, of: Ticket, other: Ticket
) -> tuple[Claim, SeedDifference | None]:
    claim = Claim("above", f"{data}: test accuracy, {_said(of)} > {_said(other)}")
    return claim, seeds.difference(_values(rows, of), _values(rows, other))


def _alike(rows: Sequence[StudyRow], data: str, of: Ticket, other: Ticket) -> Finding:
    text = f"{data}: test accuracy, {_said(of)} ~ {_said(other)} (interval within {MARGIN:g})"
    each = seeds.difference(_values(rows, of), _values(rows, other))
    return seeds.alike(Claim("alike", text), each, MARGIN)


def _speed(rows: Sequence[StudyRow], data: str) -> list[tuple[Claim, SeedDifference | None]]:
    """The winning ticket learns faster than the whole network, and its control more slowly.

    By the epoch of the least validation loss, and by the mean accuracy over the epochs.
    """
    dense, ticket, control = ("100 %", REWOUND), ("21.1 %", REWOUND), ("21.1 %", REINITIALISED)
    pairs = (
        (STOP, dense, ticket, "epoch of the least validation loss"),
        (STOP, control, dense, "epoch of the least validation loss"),
        (MEAN, ticket, dense, "mean accuracy over the epochs"),
    )
    return [
        (
            Claim("speed", f"{data}: {text}, {_said(of)} > {_said(other)}"),
            seeds.difference(_values(rows, of, name), _values(rows, other, name)),
        )
        for name, of, other, text in pairs
    ]


def _knows(rows: Sequence[StudyRow], data: str) -> list[tuple[Claim, SeedDifference | None]]:
    """Whether the winning ticket tells classes apart before any training.

    Not of the digits, whose results have raised the question and cannot answer it.
    """
    ticket = ("21.1 %", REWOUND)
    layer, name = KNOWING
    of = select(rows, layer=layer)
    return [
        (
            Claim("knows", f"{data}: untrained, {name} of {layer}, 21.1 % > {_said(other)}"),
            seeds.difference(_values(of, ticket, name), _values(of, other, name)),
        )
        for other in (("100 %", REWOUND), ("21.1 %", REINITIALISED))
    ]


def _untrained(rows: Sequence[StudyRow]) -> dict[tuple[str, str], list[StudyRow]]:
    """The rows of each measure of the untrained tickets, by layer and name."""
    return {
        (layer, name): select(rows, layer=layer, estimator=name)
        for layer in LAYERS
        for name in STATISTICS
    }


def _named(key: tuple[str, str]) -> str:
    return f"{key[1]} of {key[0]}"


def _predictions(rows: Sequence[StudyRow], data: str) -> list[Finding]:
    """Over all tickets of a seed that were measured, rewound and reinitialised."""

    def states(of: Sequence[StudyRow]) -> Any:
        return seeds.states(of, "round", "weights")

    accuracies = states(select(rows, estimator=ACCURACY))
    measured = _untrained(rows)
    scores = {key: seeds.correlations(states(of), accuracies) for key, of in measured.items()}
    best = seeds.chosen(scores)
    # Of the same tickets as the measures.
    tickets = {(row["round"], row["weights"]) for of in measured.values() for row in of}
    left = [r for r in select(rows, estimator=LEFT) if (r["round"], r["weights"]) in tickets]
    start = f"{data}: the measure of the untrained ticket that ranks its accuracy best"
    return [
        seeds.predicts(
            Claim("predicts", f"{start} (chosen on half of the seeds) ranks it on the others"),
            best,
            _named,
        ),
        seeds.better(
            Claim("better", f"{start} ranks it better than the share of weights left does"),
            best,
            seeds.correlations(states(left), accuracies),
        ),
    ]


def _choices(rows: Sequence[StudyRow], data: str) -> list[Finding]:
    """Which of two tickets with the same mask will be better, rewound or reinitialised."""
    accuracies = _leads(select(rows, estimator=ACCURACY))
    scores = {key: _agreement(_leads(of), accuracies) for key, of in _untrained(rows).items()}
    best = seeds.chosen(scores)
    claim = Claim(
        "tells",
        f"{data}: of two tickets with the same mask, the measure of the untrained ones that tells "
        "the better one best (chosen on half of the seeds) does so on the others",
    )
    reached = None if best is None else seeds.mean_of(list(best.scores.values()))
    always = {s: float(np.mean(np.sign(list(v.values())))) for s, v in accuracies.items() if v}
    if best is None or reached is None:
        tells = claim.not_measured()
    else:
        tells = claim.judged(f"{_named(best.name)}: right less wrong {reached}", reached.low > 0.0)
    text = f"{data}: and better than to take always the rewound one, or never"
    return [tells, seeds.better(Claim("tells better", text), best, always)]


def _leads(rows: Sequence[StudyRow]) -> dict[int, dict[int, float]]:
    """By seed and round, the value of the rewound ticket less that of the reinitialised one."""
    of = seeds.states(rows, "round", "weights")
    return {
        seed: {
            round_: values[round_, REWOUND] - values[round_, REINITIALISED]
            for round_ in range(1, ROUNDS + 1)
            if (round_, REINITIALISED) in values and (round_, REWOUND) in values
        }
        for seed, values in of.items()
    }


def _agreement(
    of: Mapping[int, Mapping[int, float]], other: Mapping[int, Mapping[int, float]]
) -> BySeed:
    """For each seed, the share of rounds where both have the same sign less that of others."""
    return {
        seed: float(np.mean([np.sign(lead) * np.sign(other[seed][r]) for r, lead in leads.items()]))
        for seed, leads in of.items()
        if leads
    }


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Accuracies of the tickets by round."""
    lines = []
    for data in distinct(rows, "data"):
        of = select(rows, data=data)
        for round_ in sorted([0, *distinct(select(of, weights=REINITIALISED), "round")]):
            at = select(of, round=round_)
            kinds = [select(at, weights=weights) for weights in (REWOUND, REINITIALISED)]
            accuracies = [differences.by_seed(select(each, estimator=ACCURACY)) for each in kinds]
            lead = seeds.difference(*accuracies)
            lines.append(
                [seeds.counted(of, data), str(round_), f"{_mean(kinds[0], LEFT):.1%}",
                 *map(_shown, accuracies), "" if lead is None else str(lead), *map(_stopped, kinds)]
            )  # fmt: skip
    stopped = "epoch of the least validation loss (accuracy then)"
    return Listing(
        "Test accuracy after training, mean and 95 % interval over the seeds",
        ["data", "round", "weights left", REWOUND, REINITIALISED, "paired difference",
         f"{REWOUND}: {stopped}", f"{REINITIALISED}: {stopped}"],
        lines,
    )  # fmt: skip


def _shown(values: BySeed) -> str:
    mean, half = band(list(values.values()))
    return f"{mean:.4f} +- {half:.4f}" if values else ""


def _mean(rows: Sequence[StudyRow], name: str) -> float:
    return band(list(differences.by_seed(select(rows, estimator=name)).values()))[0]


def _stopped(rows: Sequence[StudyRow]) -> str:
    return f"{_mean(rows, STOP):.1f} ({_mean(rows, AT_STOP):.4f})" if rows else ""


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Accuracy, speed, and a measure of the untrained tickets, over the share of weights left."""
    drawn = []
    for data in distinct(rows, "data"):
        own = select(rows, data=data)
        for layer, name, most in (
            (NETWORK, ACCURACY, 1.0),
            (NETWORK, STOP, float(max(row["epochs"] for row in own))),
            (*KNOWING, 1.0),
        ):
            of = select(own, layer=layer, estimator=name)
            curves = [
                Curve(weights, _over_shares(select(of, weights=weights)))
                for weights in (REWOUND, REINITIALISED)
            ]
            y = "epoch of the least validation loss" if name == STOP else name
            title = data if layer == NETWORK else f"{data}, {layer}, untrained"
            drawn.append(Panel(title, "weights left", y, curves, log_x=True, possible=(0.0, most)))
    return drawn


def _over_shares(rows: Sequence[StudyRow]) -> dict[float, list[float]]:
    """By the share of hidden weights that is left after the round."""
    points: dict[float, list[float]] = {}
    for row in rows:
        points.setdefault((1.0 - RATES[HIDDEN[0]]) ** row["round"], []).append(row.value)
    return dict(sorted(points.items()))


STUDY = Study(
    "tickets",
    "lottery tickets: rewound and reinitialised, and what the untrained ones tell",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
    data=sparsity.DATA,
)
