"""What studies say about rows made up to hold or not, and each study at a tiny size."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from eigentropy import studies
from eigentropy.studies import calibration, figures, memorization, sets, training
from eigentropy.studies.detectors import AGGREGATE, ALARM, DETECTORS
from eigentropy.studies.faults import CLASS, HEALTHY
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import Job, StudyPlan, select
from messages import names


@cache
def cells_of(name, plan):
    """Made once: some studies have many thousand."""
    return [cell for job in studies.STUDIES[name].jobs(plan) for cell in job.cells]


def made_up(name, value, plan):
    """The rows of a study if every cell had the value of a function of it."""
    return [StudyRow(cell, value(cell), math.nan, 0.0) for cell in cells_of(name, plan)]


def verdicts(name, value, **plan):
    rows = made_up(name, value, StudyPlan(**{"repetitions": 2, **plan}))
    return {(f.kind, f.claim): f.holds for f in studies.STUDIES[name].findings(rows)}


def _intuition(cell):
    return math.log2(3) + 3 / cell.settings["t"]


def _rising(cell):
    if cell.estimator.startswith("CSE"):
        return 8.0
    return math.log(1 + cell.settings["k"]) / cell.settings["t"]


def _falling(cell):
    if cell.estimator.startswith(("CSMI", "plug-in", "KSG")) and not _bins_see(cell.settings):
        return 0.0
    return 1.0 - cell.settings["share"]


def _bins_see(settings):
    return settings["d"] == 20 and "branches" not in settings


def _dimension(cell):
    d, n = cell.settings["d"], cell.settings["n"]
    if cell.estimator == "DSMI sqrt-d" and n == 5000:
        return {20: 1.31, 20_000: 0.58}.get(d, 1.0)
    fixed = {"DSMI auto": 1.4, "adjusted auto": 0.99, "p auto": 1 / 21, "MINE": 0.05}
    return fixed.get(cell.estimator, 0.0)


def _subsampling(cell):
    return 5.0 + cell.settings["d"] + 0.1 * cell.settings["share"]


def _sigma_t(cell):
    if "scale" in cell.settings:
        scale = cell.settings["scale"]
        return 4.0 if cell.estimator == "DSE auto" else 5.0 - math.log10(scale)
    return 10.0 / cell.settings["t"] / cell.settings["width"]


def _bandwidth(cell, auto_is_right=True):
    """One rule is right at everything and the others are all as wrong, or the other way round."""
    kind, _, rule = cell.estimator.partition(" ")
    right, settings = (rule == "auto") == auto_is_right, cell.settings
    if kind == "H(Y)":
        return 2.0
    if kind == "plateau":
        return math.log2(sets.SETS[cell.data].clusters) + (not right)
    if "k" in settings:
        return float(settings["k"] if right else settings["k"] % 3)
    if "spread" in settings:
        return settings["spread"] * (6.0 if right else 4.0)
    if "scale" in settings:
        return 4.0 if right else math.log10(settings["scale"])
    if "share" in settings:
        noise = settings["draw"] * (0.001 if right else list(sets.SETS).index(cell.data) % 2)
        return list(sets.SETS).index(cell.data) / 20 + noise
    share = settings["corrupted"]
    return 1.0 - share if right else 0.5 * abs(0.75 - share)


def _calibration(cell):
    """Everything reads as what is known."""
    return 0.2 if cell.estimator == "sigma in medians" else 1.0 - cell.settings["share"]


def _half_of_it(cell):
    return _calibration(cell) * (1.0 if cell.estimator in calibration.KNOWN else 0.5)


def _sampling(cell):
    """One sample of twenty is far off, and its intervals do not reach that far."""
    kind = cell.estimator.rpartition(" ")[2]
    if kind in ("reach", "halves", "error"):
        return 3.0
    return 0.0 if kind == "computation" else 10.0 * (cell.seed % 20 == 0)


def _never_covered(cell):
    """But by the computation."""
    if cell.estimator.endswith(("reach", "halves")):
        return 0.0
    return 100.0 if cell.estimator.endswith("computation") else 1.0 + cell.seed


def _collapse(cell):
    """Steps to what a detector says; the alarm needs the classes where one of them collapses."""
    settings = cell.settings
    if cell.estimator not in DETECTORS:
        return 1.0
    if settings["fault"] == HEALTHY or (settings["fault"] == CLASS and cell.estimator != ALARM):
        return math.nan
    return 10.0 if cell.estimator in (ALARM, AGGREGATE) else 50.0


def _models(cell):
    # Ranks by one part of the network's number, and by another that knows nothing of it.
    known, other = cell.settings["network"], (37 * cell.settings["network"]) % 101
    name = cell.estimator.removesuffix(" half")
    ours = ("adjusted auto", "Holevo auto", "kNN", "linear")
    agrees = "probe" in name or name in ours or name.startswith("self-clustering")
    return float(known if agrees else other)


def _ours_knows_nothing(cell):
    known = cell.settings["network"]
    return float((37 * known) % 101 if cell.estimator.startswith("Holevo") else known)


def _training(cell):
    of, kind, done = cell.settings["place"], cell.settings["training"], _done(cell)
    block = int(of.split()[1]) if of.startswith("block") else 0
    if cell.estimator.startswith("DSMI(Z;X)"):
        return 2.0 - 0.1 * block + done
    if "(Z;Y)" not in cell.estimator:
        return 1.0 + done
    if of == training.TRUE:
        return 0.5 - 0.3 * done
    return 0.01 if kind == training.PERMUTED else 0.2 + 0.1 * block + done


def _done(cell):
    return cell.settings["epoch"] / cell.settings["epochs"]


def _memorization(cell):
    of, share = cell.settings["place"], cell.settings["share"]
    return 0.95 if of == memorization.TRAINING or "training" in cell.estimator else 1.0 - share


def _forgetting(cell):
    return 1.0 if _done(cell) <= 0.5 else 0.1


def _initialization(cell):
    size = math.log10(cell.settings["std"])
    if cell.estimator == "accuracy":
        return 0.4 - 0.1 * size
    return 5.0 + size if cell.estimator == "DSE sigma=10" else 8.0 + 0.05 * size


def _regularization(cell):
    if cell.settings["term"] == "none":
        return 0.5
    return 0.0 if cell.settings["term"] == "lower DSE" and "DSE" in cell.estimator else 1.0


def _known_information(cell):
    if cell.settings["number"] == "value":
        return cell.settings["bits"]
    return 1 / 21 if cell.settings["pairs"] == "true" else 0.5


HOLDS = {
    "known-information": _known_information,
    "training": _training,
    "memorization": _memorization,
    "forgetting": _forgetting,
    "initialization": _initialization,
    "regularization": _regularization,
    "intuition": _intuition,
    "intrinsic-dimension": _rising,
    "trees": _falling,
    "corruption": _falling,
    "dimension": _dimension,
    "subsampling": _subsampling,
    "sigma-t": _sigma_t,
    "bandwidth": _bandwidth,
    "calibration": _calibration,
    "sampling": _sampling,
    "models": _models,
    "collapse": _collapse,
}


def _only(study):
    return {"repetitions": count} if (count := {"models": 101, "sampling": 20}.get(study)) else {}


@pytest.mark.parametrize("name", studies.STUDIES)
def test_rows_that_bear_the_claims_out(name):
    found = verdicts(name, HOLDS[name], **_only(name))
    assert len(found) >= 2
    assert found == dict.fromkeys(found, True)


@pytest.mark.parametrize("name", studies.STUDIES)
def test_rows_that_contradict_the_claims(name):
    """Values turned around: falls become rises, what was near a value is far from it."""
    found = verdicts(name, lambda cell: 100.0 - 3.0 * HOLDS[name](cell), **_only(name))
    contradicted = {claim for claim, verdict in found.items() if verdict is False}
    left = {kind for kind, _ in set(found) - contradicted}
    assert left <= set(SPARED.get(name, ()))
    assert contradicted or name in CONTRADICTIONS


# Kinds of claims that values turned around need not contradict: constants stay constant, what
# hardly ranks does not rank upside down either, and signs do not matter to spreads and to an order
# that is compared with itself. In the rows of calibration, what is known turns around, too. All of
# twenty samples covered may be chance. A detector that finds nothing finds nothing later, either.
SPARED = {
    "collapse": ["false alarms", "class"],
    "intrinsic-dimension": ["stays"],
    "trees": ["stays"],
    "dimension": ["at least"],
    "subsampling": ["stays"],
    "sigma-t": ["moves", "stays"],
    "bandwidth": [
        "range, range used", "scale, moved by scale", "subsets, noise of halves",
        "subsets, ranks of quarters", "labels, DSMI / H(Y)", "labels, adjusted off 1",
        "on the whole",
    ],
    "calibration": ["blobs", "kept out", "classifier", "all sets"],
    "sampling": ["entropies", "informations"],
    "models": ["ranks", "hardly ranks", "first", "as well", "differs"],
    "known-information": ["false alarms"],
    "training": ["does not rise"],
    "memorization": ["by heart"],
    "initialization": ["same", "low entropy"],
}  # fmt: skip


# The kind that needs a contradiction of its own, or all, and the values.
CONTRADICTIONS = {
    "intrinsic-dimension": ("stays", lambda c: float(c.settings["k"])),
    "trees": ("stays", lambda c: 1.0 - c.settings["share"]),
    "corruption": ("zero", lambda c: 0.5),
    "dimension": ("at least", lambda c: 0.9),
    "subsampling": ("stays", lambda c: 5.0 * c.settings["share"]),
    "bandwidth": (None, lambda c: _bandwidth(c, auto_is_right=False)),
    "calibration": (None, _half_of_it),
    "sampling": (None, _never_covered),
    "memorization": ("by heart", lambda c: 0.5),
    "initialization": ("low entropy", lambda c: c.settings["std"]),
    "known-information": ("false alarms", lambda c: 0.01),
    "models": ("ranks", lambda c: float(len(c.estimator) * c.settings["network"] % 5)),
    "models, others": ("first", lambda c: _ours_knows_nothing(c)),
    "models, probes": ("as well", lambda c: _ours_knows_nothing(c)),
    "models, DSE": ("differs", lambda c: -float(c.settings["network"])),
}


def of_kind(found, kind):
    """The verdicts on claims of this kind."""
    return [verdict for (own, _), verdict in found.items() if kind in (own, None)]


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_claims_that_need_a_contradiction_of_their_own(name):
    kind, value = CONTRADICTIONS[name]
    study = name.partition(",")[0]
    found = of_kind(verdicts(study, value, **_only(study)), kind)
    assert set(found) == {False}


def test_a_step_up_that_a_rank_correlation_forgives_is_told():
    rows = made_up(
        "corruption", lambda c: 0.5 if c.settings["share"] == 0 else 0.7 - c.settings["share"] / 2,
        StudyPlan(),
    )  # fmt: skip
    first = studies.STUDIES["corruption"].findings(rows)[0]
    assert first.holds is False  # 0.5 is only fifth of eleven
    gentle = [replace(r, value=0.62) if r.cell.settings["share"] == 0 else r for r in rows]
    first = studies.STUDIES["corruption"].findings(gentle)[0]
    assert first.holds is True
    assert names(first.measured, "-0.991", "0.620", "0.200", 0.03)


def test_a_fixed_sigma_that_does_not_measure_the_scale_is_found():
    found = verdicts("sigma-t", lambda c: 1.0)
    assert of_kind(found, "moves") == [False]
    moving = verdicts("sigma-t", lambda c: float(c.settings.get("scale", 1.0)))
    assert of_kind(moving, "stays") == [False]


def test_an_entropy_that_follows_the_scale_is_found():
    found = verdicts("initialization", lambda c: c.settings["std"])
    assert of_kind(found, "same") == [False, False]


def test_random_labels_that_are_told_apart_on_held_out_pictures_are_found():
    """A third of what real labels reach is more than a fifth."""
    leaky = lambda c: _training(c) if _training(c) != 0.01 else 0.4  # noqa: E731
    found = verdicts("training", leaky)
    assert of_kind(found, "below") == [False] * 3


def test_one_run_of_many_that_does_not_rise_is_told():
    rows = made_up("training", _training, StudyPlan())
    where = next(
        i for i, r in enumerate(rows)
        if r.cell.estimator == "DSE auto" and r["place"] == "Z" and r["epoch"] == 60
    )  # fmt: skip
    rows[where] = replace(rows[where], value=0.5)
    changed = studies.STUDIES["training"].findings(rows)[1]  # supervised, DSE(Z), sigma auto
    assert (changed.kind, changed.holds) == ("rises", False)
    assert names(changed.measured, "5 of 6")


def test_a_difference_within_the_noise_is_none():
    def noisy(cell):
        return 0.5 + 0.1 * (-1) ** cell.seed * (cell.settings["term"] != "none")

    found = verdicts("regularization", noisy, repetitions=4)
    assert set(found.values()) == {False}


def test_the_paper_s_settings_may_rank_well():
    found = verdicts("models", lambda c: float(c.settings["network"]), repetitions=20)
    assert of_kind(found, "hardly ranks") == [False, False]


@pytest.mark.parametrize("name", studies.STUDIES)
def test_no_rows_say_nothing(name):
    assert {finding.holds for finding in studies.STUDIES[name].findings([])} <= {None}


@pytest.mark.parametrize("name", studies.STUDIES)
def test_panels_are_drawn_of_made_up_rows(name):
    panels = studies.STUDIES[name].panels(made_up(name, HOLDS[name], StudyPlan(repetitions=2)))
    assert panels
    assert figures.figure_png(panels[:1], name).startswith(b"\x89PNG")
    assert all(any(c.points for c in p.curves) or p.cells for p in panels)


@pytest.mark.parametrize("name", studies.STUDIES)
def test_the_full_size_is_larger_and_cells_are_distinct(name):
    study = studies.STUDIES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of data sets whose packages are missing
        quick, full = (
            [c for j in study.jobs(StudyPlan(full=f)) for c in j.cells] for f in (False, True)
        )
    assert len(set(quick)) == len(quick) < len(full) == len(set(full))


# Smaller than quick: what each study's settings become.
TINY = {
    "intuition": {"n": 60},
    "intrinsic-dimension": {"n": 40, "D": 20, "k": 3},
    "trees": {"branches": 2},
    "corruption": {"n": 90, "d": 5},
    "dimension": {"n": 90, "d": 5},
    "subsampling": {"points": 40, "d": 3},
    "sigma-t": {"n": 45},
    "bandwidth": {"n": 60},
    "sampling": {"n": 40},
}


@pytest.mark.parametrize("name", TINY)
def test_every_cell_of_the_first_job_is_measured(name):
    study = studies.STUDIES[name]
    tiny = [_shrunk(job, TINY[name]) for job in study.jobs(StudyPlan(repetitions=1))]
    for job in (tiny[0], tiny[-1]):
        cells = tuple(cell for cell in job.cells if cell.estimator != "MINE")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            rows = list(study.measure(replace(job, cells=cells)))
        assert {row.cell for row in rows} == set(cells)
        assert all(math.isfinite(r.value) for r in rows if not r.cell.estimator.startswith("adj"))
        assert all(row.seconds >= 0 for row in rows)


def _shrunk(job, settings):
    known = {k: v for k, v in settings.items() if k in job.settings}
    return Job(tuple(cell.with_parameters(**known) for cell in job.cells))


def test_the_same_seed_gives_the_same_rows():
    study = studies.STUDIES["trees"]
    job = study.jobs(StudyPlan(repetitions=1))[0]
    values = [[row.value for row in study.measure(job)] for _ in range(2)]
    assert np.array_equal(*values, equal_nan=True)


def test_undefined_values_are_left_out_of_a_correlation_and_counted():
    from eigentropy.studies import models, ranking

    rows = made_up("models", _models, StudyPlan(repetitions=10))
    gone = select(rows, estimator="adjusted auto")[0]
    rows[rows.index(gone)] = replace(gone, value=math.nan)
    assert len(ranking.paired(rows, "adjusted auto", "kNN probe")[0]) == 9
    assert len(ranking.paired(rows, "Holevo auto", "adjusted auto", "kNN probe")[2]) == 9
    lines = models.listing(rows).lines
    assert len({tuple(line[:2]) for line in lines}) == len(lines)
    line = next(x for x in lines if x[:2] == ["adjusted", "auto"])
    assert line[-1] == "9 of 10"
    assert line[2] == "1.000 (1.000 to 1.000)"
    assert line[4].startswith("1.000")


def test_neither_correlations_nor_intervals_depend_on_the_order_of_rows():
    from eigentropy.studies import models

    rows = made_up(
        "models", lambda c: float((37 * c.seed + len(c.estimator)) ** 2 % 1009), StudyPlan()
    )
    some = [row for row in rows if row.cell.estimator in ("Holevo auto", *models.PROBES)]
    found = [models.STUDY.findings(part) for part in (some, some[::-1])]
    assert found[0] == found[1]
    assert any(finding.holds is not None for finding in found[0])


def test_an_infinite_score_is_the_best_of_all_and_no_gap():
    from eigentropy.studies import models, ranking

    rows = made_up("models", _models, StudyPlan(repetitions=10))
    last = select(rows, estimator="LogME")[9]
    rows[rows.index(last)] = replace(last, value=math.inf)
    values, _ = ranking.paired(rows, "LogME", "kNN probe")
    assert values[9] == math.inf
    assert figures.figure_png(models.panels(rows), "models").startswith(b"\x89PNG")


def test_bootstrap_intervals_contain_the_correlation():
    from eigentropy.studies import ranking
    from eigentropy.studies.estimators import spearman

    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    for of in (spearman, ranking.weighted_tau):
        low, high = ranking.interval(x, y, of)
        assert low < of(x, y) < high
        assert 0.1 < high - low < 0.6
    assert all(map(math.isnan, ranking.interval([1, 2], [1, 2])))
    assert all(map(math.isnan, ranking.interval([1, 1, 1], [1, 2, 3])))


def test_the_lead_of_a_statistic_is_over_the_same_networks():
    from eigentropy.studies import ranking
    from eigentropy.studies.estimators import spearman

    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    near, far = (-(y + noise * rng.normal(size=80)) for noise in (0.3, 1.0))
    ahead, (low, high) = ranking.lead(near, far, y)
    assert ahead == pytest.approx(abs(spearman(near, y)) - abs(spearman(far, y)))
    assert 0.0 < low < ahead < high
    assert ranking.lead(far, near, y)[0] == -ahead
    assert ranking.lead(near, near, y) == (0.0, (0.0, 0.0))


def test_a_weighted_tau_counts_the_best_networks_most():
    from eigentropy.studies import ranking

    x = np.arange(20.0)
    swapped_high, swapped_low = x.copy(), x.copy()
    swapped_high[[18, 19]], swapped_low[[0, 1]] = x[[19, 18]], x[[1, 0]]
    found = [ranking.weighted_tau(x, y) for y in (x, swapped_low, swapped_high, -x)]
    assert found[0] == pytest.approx(1.0)
    assert found[0] > found[1] > found[2] > found[3]
    assert math.isnan(ranking.weighted_tau([1, 1, 1], [1, 2, 3]))
    assert math.isnan(ranking.weighted_tau([1, 2], [1, 2]))
