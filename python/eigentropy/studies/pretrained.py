"""Pretrained encoders of pictures, texts and speech, and which score ranks them as probes do.

Packages carry some networks with their weights. `scripts/fetch_encoders.py` runs them over labelled
samples, and writes the features of their outputs and inner layers, of checkpoints that it trains,
and of controls; this study reads and ranks these files. Correlations are within data sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from eigentropy._support.warnings import warn
from eigentropy.io.files import read_labels, read_matrix
from eigentropy.studies import pretrained_scores as scores
from eigentropy.studies.courses import cache
from eigentropy.studies.models import PAPER, PROBES, TARGETS, require_sklearn
from eigentropy.studies.pretrained_networks import DOMAINS
from eigentropy.studies.pretrained_networks.network import KINDS, UNTRAINED, FeaturePoint
from eigentropy.studies.pretrained_ranking import (
    ALL,
    DOMAIN_OF,
    ENCODERS,
    TRAINED,
    PlacedPoint,
    chance,
    counted,
    interval,
    lead,
    places,
    within,
)
from eigentropy.studies.pretrained_scores import DIFFUSION, HALF, OURS, SCORES, SCORES_OF_HALF
from eigentropy.studies.rows import StudyRow
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
    make_job,
    select,
)

# What has to be reached, fixed before the first row: what the zoo of small networks has reached.
THRESHOLDS = {OURS: TARGETS["Holevo auto"], DIFFUSION: TARGETS["adjusted auto"]}

# The scores that ours is compared with.
OTHERS = tuple(name for name in SCORES if name not in (OURS, "kernel_information"))
OWN = dict(zip(PROBES, ("knn_accuracy", "linear_accuracy"), strict=True))

# |Spearman| below which a score hardly ranks, and above which one stands for another.
HARDLY, ALIKE = 0.4, 0.95

# A p-value up to which encoders alone are ranked beyond chance.
REJECTED = 0.05

# Networks that know the classes of 1.2 million pictures.
CLASSIFIERS = "ImageNet classes"

POINTS: dict[tuple[str, str], FeaturePoint] = {
    (data.name, point.name): point
    for domain in DOMAINS.values()
    for data in domain.data
    for point in domain.points
}


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each point: on the first data set of each domain, or on all of them."""
    require_sklearn()
    chosen = [
        data.name
        for domain in DOMAINS.values()
        for data in (domain.data if plan.full else domain.data[:1])
    ]
    return [
        make_job(data, _settings(point), scores.NAMES, plan.seed)
        for (data, _), point in POINTS.items()
        if data in chosen
    ]


def _settings(point: FeaturePoint) -> dict[str, int | float | str]:
    return {"network": point.network.name, "layer": point.layer, "kind": point.kind}


def measure(job: Job) -> Iterator[StudyRow]:
    """Score and probe the features of a point; none where they are missing, and why is said."""
    network, layer = job.settings["network"], job.settings["layer"]
    point = POINTS[job.data, f"{network}@{layer}" if layer else str(network)]
    path = point.path(cache(), job.data)
    if not path.exists():
        warn(f"{point.name} on {job.data} is left out: {_why(point, job.data)}")
        return
    Z, y = read_matrix(path, "features"), read_labels(path, "labels")
    yield from scores.measure(job.cells, Z, y)


def _why(point: FeaturePoint, data: str) -> str:
    """What the script wrote when it failed, or how to run it."""
    path = point.path(cache(), data)
    reason = path.with_suffix(".missing")
    if reason.exists():
        return reason.read_text()
    command = f"python scripts/fetch_encoders.py {DOMAIN_OF[data]} {point.network.name}"
    return f"{path} does not exist; it is written by `{command} --data {data}`"


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether our scores reach what they reached of small networks, and what encoders alone say."""
    found = []
    for score, targets in THRESHOLDS.items():
        for probe, target in targets.items():
            text = f"{score} ranks points as the {probe} does: Spearman {target} or more"
            found.append(_reaches(rows, score, probe, target, Claim("ranks", text)))
    found += [_first(rows, probe) for probe in PROBES]
    found += [_as_well(rows, probe) for probe in PROBES]
    found += [_alone(rows, domain, probe) for domain in DOMAINS for probe in PROBES]
    found.append(_above(rows))
    text = f"unadjusted DSMI, auto, hardly ranks points by the linear probe (the paper: {PAPER})"
    found.append(_small(rows, "dsmi", "linear probe", HARDLY, Claim("hardly ranks", text)))
    text = f"dse is not self_clustering: Spearman within {ALIKE} of 0"
    found.append(_small(rows, "dse", "self_clustering", ALIKE, Claim("differs", text)))
    return found


def _measured(of: Sequence[PlacedPoint]) -> str:
    low, high = interval(of)
    return f"Spearman {within(of)[0]:.3f} (95 %: {low:.3f} to {high:.3f}), {counted(of)}"


def _reaches(
    rows: Sequence[StudyRow], score: str, probe: str, target: float, claim: Claim
) -> Finding:
    of = places(rows, score, probe)
    rho = within(of)[0]
    return claim.judged(_measured(of), rho >= target) if of else claim.not_measured()


def _first(rows: Sequence[StudyRow], probe: str) -> Finding:
    text = f"by the {probe} no other score ranks points better than {OURS}"
    known = {name: abs(within(places(rows, name, probe))[0]) for name in OTHERS}
    known = {name: rho for name, rho in known.items() if math.isfinite(rho)}
    if not known:
        return Claim("first", text).not_measured()
    best = max(known, key=known.__getitem__)
    return _ahead(rows, Claim("first", text), OURS, best, probe)


def _as_well(rows: Sequence[StudyRow], probe: str) -> Finding:
    own = OWN[probe]
    text = f"by the {probe} of other rows, {own} itself ranks no better than {OURS}"
    return _ahead(rows, Claim("as well", text), OURS + HALF, own + HALF, probe + HALF)


def _ahead(rows: Sequence[StudyRow], claim: Claim, own: str, other: str, probe: str) -> Finding:
    of = places(rows, own, other, probe)
    if not of:
        return claim.not_measured()
    low, high = interval(of, leading=True)
    rhos = [abs(rho) for rho in within(of)]
    measured = (
        f"{rhos[0]:.3f}, and {other.removesuffix(HALF)} {rhos[1]:.3f}: {lead(of):+.3f} "
        f"(95 %: {low:+.3f} to {high:+.3f})"
    )
    return claim.judged(measured, lead(of) >= 0.0)


def _alone(rows: Sequence[StudyRow], domain: str, probe: str) -> Finding:
    """Of outputs of networks that were trained elsewhere, which are few: a test, not an interval.

    Among four networks, an order that is right has an interval without width.
    """
    text = f"{domain}: {OURS} ranks the encoders' outputs alone as the {probe} does, beyond chance"
    of = places(rows, OURS, probe, group=ENCODERS, domain=domain)
    p = chance(of)
    claim = Claim("encoders alone", text)
    if not math.isfinite(p):
        return claim.not_measured()
    return claim.judged(f"{_measured(of)}; {_p_value(p)}", p <= REJECTED)


def _p_value(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def _above(rows: Sequence[StudyRow]) -> Finding:
    """Pairs of a classifier and a control on the same pictures, of which the score orders some."""
    text = f"{OURS} of each classifier of ImageNet is above that of each control"
    claim = Claim("above", text)
    known = select(rows, estimator=OURS, layer="")
    pairs = [
        row.value > control.value
        for row in known
        if CLASSIFIERS in POINTS[row.cell.data, str(row["network"])].network.what
        for control in select(known, data=row.cell.data, kind=UNTRAINED)
    ]
    if not pairs:
        return claim.not_measured()
    return claim.judged(f"in {sum(pairs)} of {len(pairs)} pairs", all(pairs))


def _small(rows: Sequence[StudyRow], score: str, other: str, limit: float, claim: Claim) -> Finding:
    of = places(rows, score, other)
    rho = within(of)[0]
    if not math.isfinite(rho):
        return claim.not_measured()
    return claim.judged(_measured(of), abs(rho) <= limit)


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Correlations of every score with both probes, over all points, and over encoders alone."""
    headings = ["score"]
    for group in (ALL, TRAINED, ENCODERS):
        headings += [f"{group}: {probe}" for probe in PROBES]
    names = [*SCORES, *(name + HALF for name in SCORES_OF_HALF)]
    sizes = {name: abs(within(places(rows, name, _probe(name, PROBES[1])))[0]) for name in names}
    ordered = sorted(names, key=lambda name: (name.endswith(HALF), -_known(sizes[name])))
    lines = [[name, *_correlations(rows, name), _defined(rows, name)] for name in ordered]
    rest = "; ".join(f"{group}: {counted(places(rows, OURS, PROBES[1], group=group))}"
                     for group in (ALL, TRAINED, ENCODERS))  # fmt: skip
    return Listing(
        "Spearman correlation with the accuracy of probes within data sets, and 95 % intervals "
        f"over networks (half: score and probe of other rows). {rest}",
        [*headings, "defined"],
        lines,
    )


def _correlations(rows: Sequence[StudyRow], name: str) -> list[str]:
    cells = []
    for group in (ALL, TRAINED, ENCODERS):
        for probe in PROBES:
            of = places(rows, name, _probe(name, probe), group=group)
            low, high = interval(of)
            cells.append(f"{within(of)[0]:.3f} ({low:.2f} to {high:.2f})")
    return cells


def _probe(name: str, probe: str) -> str:
    """The probe of the same rows, or of the other half."""
    return probe + HALF if name.endswith(HALF) else probe


def _known(value: float) -> float:
    return value if math.isfinite(value) else -1.0


def _defined(rows: Sequence[StudyRow], name: str) -> str:
    values = [row.value for row in select(rows, estimator=name)]
    return f"{sum(not math.isnan(value) for value in values)} of {len(values)}"


def encoders(rows: Sequence[StudyRow]) -> Listing:
    """Every network with its licence, and its numbers on each data set, or why there are none."""
    known = distinct_data(rows)
    lines = []
    for domain in DOMAINS.values():
        data = [each.name for each in domain.data if each.name in known]
        for network in domain.networks:
            own = select(rows, network=network.name, layer="")
            cells = [f"{name}: {_cell(select(own, data=name))}" for name in data]
            packages = ", ".join(network.packages) or "-"
            about = [f"{network.name}: {network.what}", network.kind, packages, network.licence]
            lines.append([*about, "; ".join(cells) or NO_FEATURES])
        lines += [[name, "left out", "-", "-", why] for name, why in domain.left_out.items()]
    return Listing(
        f"Of the output of each network, {OURS} / kNN probe / linear probe",
        ["network", "kind", "packages", "licence", "numbers"],
        lines,
    )


NO_FEATURES = "none, since its features were not there"


def distinct_data(rows: Sequence[StudyRow]) -> list[str]:
    """The data sets of the rows."""
    return [str(name) for name in distinct(rows, "data")]


def _cell(rows: Sequence[StudyRow]) -> str:
    values = {row.cell.estimator: row.value for row in rows}
    if not values:
        return NO_FEATURES
    return " / ".join(f"{values.get(name, math.nan):.2f}" for name in (OURS, *PROBES))


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """The linear probe over our score, one panel a data set, the kinds of points apart."""
    return [
        Panel(
            name, OURS, "accuracy of the linear probe", _over(select(rows, data=name)), scatter=True
        )
        for name in DOMAIN_OF
        if name in distinct_data(rows)
    ]


def _over(rows: Sequence[StudyRow]) -> list[Curve]:
    curves = []
    for kind in KINDS:
        points: dict[float, list[float]] = {}
        for place in places(select(rows, kind=kind), OURS, PROBES[1]):
            points.setdefault(place.values[0], []).append(place.values[1])
        curves.append(Curve(kind, points))
    return [curve for curve in curves if curve.points]


STUDY = Study(
    name="pretrained",
    title="which score ranks pretrained encoders of pictures, texts and speech as probes do",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
    below="each point is the output or an inner layer of a network; few are independent",
)
