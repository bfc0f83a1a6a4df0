"""Long rows, projections of them, and what the study `projection` measures and says of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy.studies import projection, projection_parts
from eigentropy.studies.projection_sets import (
    ACHLIOPTAS,
    DENSE,
    KINDS,
    LI,
    ONE,
    ORTHOGONAL,
    SETS,
    Arc,
    bound,
    distances,
    isometric,
    layered,
    project,
)
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.study import Job
from messages import naming

pytest.importorskip("sklearn")


def rows(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def squared(Z):
    """Squared distances of pairs, from differences."""
    i, j = np.triu_indices(len(Z), 1)
    return ((Z[i] - Z[j]) ** 2).sum(axis=1)


# The data


@pytest.mark.parametrize("name", SETS)
def test_a_sample_is_a_function_of_its_size_and_seed(name):
    if name == "photographs":
        pytest.importorskip("PIL")
    (Z, labels), (again, _), (other, _) = (SETS[name](50, 300, seed) for seed in (0, 0, 1))
    assert Z.shape == other.shape == (50, 300)
    assert len(labels) == 50
    assert np.array_equal(Z, again)
    assert not np.array_equal(Z, other)
    assert np.isfinite(Z).all()
    assert len(np.unique(labels)) > 1


def test_sparse_rows_have_few_columns_that_are_not_0():
    assert (np.count_nonzero(SETS["sparse rows"](40, 1000, 0)[0], axis=1) <= 10).all()


def test_enlarged_digits_keep_the_corners_of_the_picture():
    Z, _ = SETS["digit pixels"](5, 400, 0)
    small, _ = SETS["digit pixels"](5, 64, 0)
    assert Z.reshape(5, 20, 20)[:, [0, 0, 19, 19], [0, 19, 0, 19]] == pytest.approx(
        small.reshape(5, 8, 8)[:, [0, 0, 7, 7], [0, 7, 0, 7]]
    )


# Distances and isometries


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 60), st.integers(0, 99))
def test_an_isometry_keeps_distances_and_so_the_entropy(n, d, seed):
    Z = rows(n, d, seed) + 5.0
    near = isometric(Z)
    assert near.shape == (n, min(n, d))
    assert distances(Z) == pytest.approx(squared(Z), rel=1e-9)
    assert squared(near) == pytest.approx(squared(Z), rel=1e-7)


def test_the_measures_of_an_isometry_are_those_of_the_rows():
    Z, labels = SETS["subspace of 5"](80, 400, 0)
    for measure in (eg.dse, eg.kernel_entropy):
        assert float(measure(isometric(Z))) == pytest.approx(float(measure(Z)), abs=1e-6)
    assert float(eg.dsmi(isometric(Z), labels)) == pytest.approx(
        float(eg.dsmi(Z, labels)), abs=1e-6
    )


# Projections


@pytest.mark.parametrize(
    ("n", "eps", "k"), [(2000, 0.5, 365), (100, 0.3, 512), (2, 0.1, 595), (1, 0.5, 0)]
)
def test_the_bound(n, eps, k):
    assert bound(n, eps) == k
    # scikit-learn rounds down
    from sklearn.random_projection import johnson_lindenstrauss_min_dim

    if n > 1:
        assert k - int(johnson_lindenstrauss_min_dim(n, eps=eps)) in (0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_projection(kind):
    Z = rows(20, 100)
    first, again, other = (project(Z, 10, kind, seed) for seed in (0, 0, 1))
    assert first.shape == (20, 10)
    assert (first == again).all()
    assert not np.allclose(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_projection_is_linear_and_rows_may_be_projected_by_blocks(kind):
    Z = rows(30, 80)
    whole = project(Z, 8, kind, 3)
    parts = [project(block, 8, kind, 3) for block in (Z[:7], Z[7:])]
    assert np.vstack(parts) == pytest.approx(whole)
    assert project(2.0 * Z, 8, kind, 3) == pytest.approx(2.0 * whole)


@pytest.mark.parametrize("kind", KINDS)
def test_squared_distances_are_kept_on_average(kind):
    Z, k = rows(12, 200), 50
    before = distances(Z)
    ratios = np.array([distances(project(Z, k, kind, s)).mean() / before.mean() for s in range(60)])
    assert abs(ratios.mean() - 1.0) < 4.0 * ratios.std(ddof=1) / math.sqrt(60)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(0, 99))
def test_an_orthogonal_projection_to_all_columns_changes_nothing(d, seed):
    Z = rows(15, d, seed)
    after = project(Z, d, ORTHOGONAL, seed)
    assert distances(after) == pytest.approx(distances(Z), rel=1e-9)
    assert float(eg.dse(after)) == pytest.approx(float(eg.dse(Z)), abs=1e-9)


def test_an_orthogonal_projection_to_more_columns_than_there_are_is_refused():
    with pytest.raises(ValueError, match=naming("k", "6", "d = 5")):
        project(rows(4, 5), 6, ORTHOGONAL, 0)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.random_projection", None)
    with pytest.raises(ImportError, match=naming("scikit-learn", "eigentropy[cluster]")):
        project(rows(4, 9), 3, DENSE, 0)


def test_sparse_projections_distort_sparse_rows_more_the_sparser_they_are():
    Z, _ = SETS["sparse rows"](60, 2000, 0)
    off = {k: np.std(distances(project(Z, 200, k, 0)) / distances(Z)) for k in KINDS}
    assert off[ONE] > 1.5 * off[LI] > 2.0 * off[ACHLIOPTAS]
    assert off[ACHLIOPTAS] == pytest.approx(math.sqrt(2.0 / 200.0), rel=0.3)


# Layers


@pytest.mark.parametrize("depth", [1, 3])
def test_wide_relu_layers_do_what_their_limit_says(depth):
    X = rows(15, 10)
    arc = Arc.of(X, depth)
    wide = distances(layered(X, 8000, depth, relu=True, seed=0))
    assert wide == pytest.approx(arc.squared, rel=0.15)
    assert arc.before == pytest.approx(squared(X))
    assert (arc.squared < arc.before).all()


def test_a_row_and_its_opposite_lose_half_of_their_squared_distance():
    """Cho and Saul: the angle pi gives the product 0, and lengths are kept."""
    arc = Arc.of(np.array([[3.0, 0.0], [-3.0, 0.0]]))
    assert arc.before == pytest.approx([36.0])
    assert arc.squared == pytest.approx([18.0])


# The kernel


def _mean_kernel(x, k, which):
    """Its mean over u = x chi^2_k / k, by quantiles of the distribution."""
    from scipy.stats import chi2

    u = x * chi2.ppf((np.arange(200_000) + 0.5) / 200_000, k) / k
    return float(np.mean(projection_parts.kernel_of(u, k, which)))


@pytest.mark.parametrize("x", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("k", [16, 64, 512])
def test_the_mean_of_the_kernel_is_the_closed_form_and_can_be_made_unbiased(x, k):
    exact = math.exp(-x / 2.0)
    assert _mean_kernel(x, k, "plain") == pytest.approx((1.0 + x / k) ** (-k / 2.0), rel=1e-3)
    assert _mean_kernel(x, k, "unbiased") == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("x", [0.5, 2.0, 8.0])
def test_dividing_leaves_a_bias_of_second_order(x):
    """Doubling k halves the bias of the plain kernel and quarters that of the divided one."""
    exact = math.exp(-x / 2.0)
    for which, factor in (("plain", 2.0), ("divided", 4.0)):
        bias = [_mean_kernel(x, k, which) / exact - 1.0 for k in (200, 400)]
        assert bias[0] / bias[1] == pytest.approx(factor, rel=0.35), (which, bias)


# What is measured


def cells(part, data, seed, names, **more):
    parameters = sorted_parameters({"part": part, **more})
    return [Cell(data, parameters, name, seed) for name in names]


def measured(*groups):
    job = Job(tuple(cell for group in groups for cell in group))
    found = list(projection.measure(job))
    assert {row.cell for row in found} == set(job.cells)
    return {(row["k"], row.cell.estimator): row.value for row in found}


def test_measures_and_corrections_are_what_their_names_say():
    names = ["DSE", "DSE by halves", "DSE sigma kept", "DSE kernel divided", "DSMI"]
    same = {"part": "measures", "data": "subspace of 5", "seed": 4, "n": 60, "d": 300}
    values = measured(
        cells(**same, names=["DSE", "DSE error"], k=0, kind="none", share=0.0),
        cells(**same, names=names, k=40, kind=DENSE, share=0.6),
    )
    Z, labels = SETS["subspace of 5"](60, 300, 4)
    P = project(Z, 40, DENSE, 4)
    whole, own = eg.dse(Z), eg.dse(P)
    halves = [float(eg.dse(half)) for half in (P[:, :20], P[:, 20:])]
    close = {"abs": 1e-5}
    assert values[0, "DSE"] == pytest.approx(float(whole), **close)
    assert values[0, "DSE error"] == pytest.approx(whole.sampling_error, rel=1e-3)
    assert values[40, "DSE"] == pytest.approx(float(own), **close)
    assert values[40, "DSE by halves"] == pytest.approx(2 * float(own) - np.mean(halves), **close)
    assert values[40, "DSE sigma kept"] == pytest.approx(
        float(eg.dse(P, sigma=whole.sigma)), **close
    )
    assert values[40, "DSMI"] == pytest.approx(float(eg.dsmi(P, labels)), **close)
    assert values[40, "DSE kernel divided"] > values[40, "DSE"] - 0.5


def test_distances_are_those_of_the_projection_named():
    shape = {"n": 30, "d": 200, "kind": LI, "eps": 0.3, "k": 40}
    found = measured(cells("distances", "Gaussian", 2, ["outside", "distortion"], **shape))
    Z, _ = SETS["Gaussian"](30, 200, 2)
    off = squared(project(Z, 40, LI, 2)) / squared(Z) - 1.0
    assert found[40, "outside"] == pytest.approx(np.mean(np.abs(off) > 0.3))
    assert found[40, "distortion"] == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-6)
    assert found[40, "outside"] > 0.0


def test_layers_are_compared_with_the_rows_before_them():
    more = {"n": 40, "width": 100, "depth": 1}
    rows_ = {
        kind: {
            cell.estimator: row.value
            for row in projection.measure(
                Job(tuple(cells("layers", "digits", 1, ["DSE", "distortion", "shrinkage"],
                                kind=kind, **more)))
            )
            for cell in [row.cell]
        }
        for kind in ("linear", "ReLU")
    }  # fmt: skip
    assert rows_["linear"]["shrinkage"] == pytest.approx(1.0, abs=0.15)
    assert rows_["ReLU"]["shrinkage"] < rows_["linear"]["shrinkage"]
    assert 0.05 < rows_["linear"]["distortion"] < 0.3
    assert 3.0 < rows_["linear"]["DSE"] < math.log2(40)


def test_unit_vectors_follow_beta_s_law_and_others_would_be_seen():
    found = measured(cells("lengths", "unit vector", 7, ["z", "spread", "law"], k=20))
    assert abs(found[20, "z"]) < projection.FAR
    assert found[20, "law"] < projection.FAR_LAW
    assert found[20, "spread"] == pytest.approx(1.0, abs=0.15)


def test_the_law_of_other_vectors_is_told_apart(monkeypatch):
    """Columns that are normal, but not orthogonal, have another law: chi-squared."""
    plain = np.linalg.qr

    def scaled(matrices):
        frames = matrices / math.sqrt(projection_parts.LENGTH_COLUMNS)
        return frames, plain(matrices)[1]

    monkeypatch.setattr(projection_parts.np.linalg, "qr", scaled)
    found = measured(cells("lengths", "unit vector", 7, ["z", "spread", "law"], k=150))
    assert found[150, "law"] > projection.FAR_LAW


# What is said


def made(data, values, error, share=2.0, n=500, kind=DENSE, name="DSE", correction=""):
    """Rows of DSE: 5 on all columns, and so far off by seed."""
    found = []
    for seed, off in enumerate(values):
        whole = {"part": "measures", "n": n, "d": 9, "k": 0, "kind": "none", "share": 0.0}
        some = {**whole, "k": round(share * n), "kind": kind, "share": share}
        for settings_, estimator, value in (
            (whole, name, 5.0),
            (whole, f"{name} error", error),
            (some, f"{name} {correction}".strip(), 5.0 + off),
        ):
            cell = Cell(data, sorted_parameters(settings_), estimator, seed)
            found.append(StudyRow(cell, value, math.nan, 0.0))
    return found


def test_errors_are_in_units_of_the_sampling_error():
    assert projection.errors(made("blobs", [0.3, -0.4], 0.1), "DSE") == {
        ("blobs", 500, 2.0): pytest.approx(math.sqrt(0.125) / 0.1)
    }


def test_a_sampling_error_of_0_is_below_any_error():
    assert projection.errors(made("blobs", [0.3], 0.0), "DSE") == {("blobs", 500, 2.0): math.inf}
    assert projection.errors(made("blobs", [0.0], 0.0), "DSE") == {("blobs", 500, 2.0): 0.0}


@pytest.mark.parametrize(("off", "verdict"), [(0.05, True), (0.2, False)])
def test_a_set_is_decided_by_its_own_error(off, verdict):
    rows_ = made("photographs", [off, -off], 0.1, share=1.0, correction="by halves")
    decided = {
        f.claim.partition(",")[0]: f.holds
        for f in projection.findings(rows_)
        if f.kind == "decided"
    }
    assert decided["photographs"] is verdict
    assert set(decided.values()) == {verdict, None}


# What the page says


def test_the_page_shows_the_stored_times():
    import json

    root = Path(__file__).parents[2]
    stored = json.loads((root / "benchmarks" / "results" / "projection.json").read_text())
    assert {(one["n"], one["d"]) for one in stored["sizes"]} >= {(2000, 20_000)}
    page = (root / "docs" / "explanations" / "projection.md").read_text()
    assert "<!-- benchmark: projection -->" in page
