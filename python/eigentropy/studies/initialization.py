"""Initial scale, initial entropy, and how fast and well networks learn.

The paper draws convolutional weights from N(0, std^2) and finds that a low initial entropy, with
sigma = 10, goes with faster and better learning. With a fixed sigma the entropy follows the size of
the activations; sigma = "auto" does not see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eigentropy.studies import courses
from eigentropy.studies.courses import RUN, Numbers, Sizes, Training, Z
from eigentropy.studies.differences import by_seed
from eigentropy.studies.estimators import spearman
from eigentropy.studies.figures import band
from eigentropy.studies.rows import Parameter, StudyRow
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Panel,
    StudyPlan,
    distinct,
    means,
    repeated,
    select,
)

# The paper's standard deviations. The activations of digits stay smaller, so digits get two larger
# ones; the quick size has fewer.
STDS = (1e-3, 1e-2, 2e-2, 3e-2, 4e-2, 5e-2, 8e-2, 1e-1)
LARGER = (0.3, 1.0)
QUICK = (1e-3, 1e-2, 3e-2, 1e-1, *LARGER)

# The two that the paper has trained networks with.
LOW, HIGH = 1e-2, 1e-1

# Pictures and passes through them of the networks for 28 and 32 pixels: the speed is asked for.
SHORT = {
    "mnist-5000": (4000, 8),
    "fashion-mnist": (5000, 4),
    "mnist": (5000, 4),
    "cifar10": (5000, 4),
}

SIGMAS = ("sigma=10", "auto")
NORMALISED = "convnet-bn"


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network, standard deviation of its convolutions' weights, and seed."""
    data = courses.data_of(plan)
    small = data == "digits"
    stds = STDS if not small else (*STDS, *LARGER) if plan.full else QUICK
    paper = courses.of_the_paper(plan, data)
    return [
        _job(plan, network, std, small or std in (LOW, HIGH), seed)
        for network in (courses.PAPER[:1] if paper else ("convnet", NORMALISED))
        for std in stds
        for seed in plan.seeds(quick=3, full=courses.repetitions(data))
    ]


def _job(plan: StudyPlan, network: str, std: float, trained: bool, seed: int) -> Job:
    data = courses.data_of(plan)
    settings: dict[str, Parameter] = {"network": network, "std": std}
    epochs = courses.epochs(plan, data, quick=30, full=100)
    if network not in courses.PAPER and data in SHORT:
        settings["pictures"], passes = SHORT[data]
        epochs = plan.epochs or passes
    settings["epochs"] = epochs = epochs if trained else 0
    entropies = courses.job(
        data,
        settings,
        seed,
        courses.observed(epochs, plan) if epochs else [0],
        {Z: [f"DSE {sigma}" for sigma in SIGMAS]},
    )
    learned = courses.job(data, settings, seed, range(epochs + 1), {RUN: ["accuracy"]})
    return Job(entropies.cells + learned.cells)


def _prepare(job: Job, sizes: Sizes, recorder: Any) -> Training:
    import torch

    from eigentropy.studies.vision import architectures, learning, pictures
    from eigentropy.studies.vision.watching import PAPER_SIGMA, Watch
    from eigentropy.torch.initialization import normal_weights

    settings, seed = job.settings, job.seed
    training, heldout = pictures.load(job.data, sizes.digits)
    if "pictures" in settings:
        training = training.at_most(int(settings["pictures"]), seed)
        heldout = heldout.at_most(courses.HELD_OUT, 0)
    network = architectures.make(str(settings["network"]), training, seed, sizes.side)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        normal_weights(network.body, float(settings["std"]))
    points = sizes.points_of(job.data, network.name)
    watches = [
        Watch(network, heldout, points, sigma="auto", record=recorder),
        Watch(network, heldout, points, sigma=PAPER_SIGMA),
    ]
    measured = {cell.settings["epoch"] for cell in job.cells if cell.settings["place"] == Z}
    plan = sizes.course(job.data, int(settings["epochs"]), network.name)

    def measure(epoch: int, loss: float) -> Numbers:
        values = {"loss": loss, "accuracy": learning.accuracy(network, training, heldout)}
        numbers: Numbers = {(RUN, "accuracy"): values["accuracy"]}
        if epoch in measured:
            for number, watch in enumerate(watches):
                numbers |= watch(epoch, values if number == 0 else None)
        return numbers

    return learning.train(network, training, plan, learning.CrossEntropy(), seed), measure


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """How entropy follows the scale, and whether a low one makes learning better."""
    found = []
    for network in distinct(rows, "network"):
        of = select(rows, network=network)
        found += [_follows(of, network), _same(of, network)]
        found += [_low_is_better(of, network, which) for which in MEASURES]
        if len(distinct(_final(of), "std")) > 2:  # else there is no correlation
            found += [_goes_with(of, network, s, which) for s in SIGMAS for which in MEASURES]
    return found


def _initial(rows: Sequence[StudyRow], sigma: str) -> dict[float, float]:
    """Entropy before training, for each standard deviation."""
    return means(select(rows, estimator=f"DSE {sigma}", place=Z, epoch=0), "std")


def _speed(rows: Sequence[StudyRow]) -> list[StudyRow]:
    """Held-out accuracies after every epoch: on average higher where learning is faster."""
    return [r for r in select(rows, estimator="accuracy") if r["epochs"] and r["epoch"]]


def _final(rows: Sequence[StudyRow]) -> list[StudyRow]:
    return courses.last([r for r in select(rows, estimator="accuracy") if r["epochs"]])


MEASURES = {
    "learns faster (mean accuracy over the epochs)": _speed,
    "ends better (accuracy after the last)": _final,
}


def _follows(rows: Sequence[StudyRow], network: str) -> Finding:
    claim = Claim("follows", f"{network}: initial DSE with sigma = 10 rises with std (the paper)")
    values = _initial(rows, "sigma=10")
    rho = spearman(list(values), list(values.values()))
    if not math.isfinite(rho):
        return claim.judged("the same for all" if values else "not measured", None)
    low, high = min(values), max(values)
    measured = f"{values[low]:.3f} at {low:g} to {values[high]:.3f} at {high:g}, Spearman {rho:.3f}"
    return claim.judged(measured, rho >= 0.9)


def _same(rows: Sequence[StudyRow], network: str) -> Finding:
    claim = Claim("same", f"{network}: with sigma auto it is the same at every std (within 5 %)")
    values = list(_initial(rows, "auto").values())
    if len(values) < 3:
        return claim.not_measured()
    low, high = min(values), max(values)
    return claim.judged(f"from {low:.3f} to {high:.3f}", high - low <= 0.05 * abs(high))


def _low_is_better(rows: Sequence[StudyRow], network: str, which: str) -> Finding:
    """The paper's comparison of two scales. They differ in more than entropy.

    It holds where the 95 % confidence interval of the difference over the seeds is above 0.
    """
    claim = Claim("low std", f"{network}: std = {LOW:g} {which} than {HIGH:g} (the paper)")
    of = MEASURES[which](rows)
    low, high = (by_seed(select(of, std=std)) for std in (LOW, HIGH))
    seeds = low.keys() & high.keys()
    if len(seeds) < 2:
        return claim.not_measured()
    values = " and ".join(f"{band(list(v.values()))[0]:.3f}" for v in (low, high))
    ahead, half = band([low[seed] - high[seed] for seed in seeds])
    return claim.judged(f"{values} ({ahead:+.3f} ± {half:.3f})", ahead - half > 0.0)


def _goes_with(rows: Sequence[StudyRow], network: str, sigma: str, which: str) -> Finding:
    said = "sigma = 10" if sigma == "sigma=10" else "sigma auto"
    text = f"{network}: the lower the initial DSE, {said}, the {which} (Spearman <= -0.5)"
    text = text.replace("learns faster", "faster it learns")
    claim = Claim("low entropy", text.replace("ends better", "better it ends"))
    entropies, values = _initial(rows, sigma), means(MEASURES[which](rows), "std")
    stds = [std for std in entropies if std in values]
    rho = spearman([entropies[std] for std in stds], [values[std] for std in stds])
    if not math.isfinite(rho):
        return claim.judged(f"not known from {len(stds)} scales", None)
    return claim.judged(f"Spearman {rho:.3f} over {len(stds)} scales", rho <= -0.5)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Initial entropy over the scale, accuracy over epochs, and both against each other."""
    networks, log_n = distinct(rows, "network"), courses.largest_entropy(rows)
    drawn = []
    for sigma in SIGMAS:
        curves = [
            Curve(str(network), repeated(chosen, "std"))
            for network in networks
            for chosen in [
                select(rows, network=network, estimator=f"DSE {sigma}", place=Z, epoch=0)
            ]
        ]
        title, y, possible = f"before training, {sigma}", "DSE(Z), bits", (0.0, log_n)
        drawn.append(Panel(title, "std of weights", y, curves, log_x=True, possible=possible))
    for network in networks:
        of = select(rows, network=network, estimator="accuracy")
        of = [row for row in of if row["epochs"]]
        curves = [
            Curve(f"std {std:g}", repeated(select(of, std=std), "epoch"))
            for std in sorted(distinct(of, "std"))
        ]
        y, possible = "held-out accuracy", (0.0, 1.0)
        drawn.append(Panel(str(network), "epoch", y, curves, possible=possible))
    return drawn


STUDY = courses.study(
    "initialization",
    "initial scale and entropy of a network, and how fast and well it learns",
    _prepare,
    jobs=jobs,
    findings=findings,
    panels=panels,
)
