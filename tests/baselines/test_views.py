"""DiME and InfoNCE of two views: closed forms, slow oracles, what may not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.baselines import views
from messages import naming

seeds = st.integers(0, 2**32 - 1)


def rotation(rng, d):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def entropy_nats(matrix, order=1.0):
    shares = np.linalg.eigvalsh(matrix / np.trace(matrix))
    shares = shares[shares > 1e-13]
    if order == 1.0:
        return -float(shares @ np.log(shares))
    return math.log(float((shares**order).sum())) / (1.0 - order)


def dime_by_definition(A, B, n_null, seed, order=1.0, by_columns=False):
    """With the permutations as matrices, drawn as the seed says."""
    G, H = (A.T @ A, B.T @ B) if by_columns else (A @ A.T, B @ B.T)
    rng, nulls = np.random.default_rng(seed), []
    for _ in range(n_null):
        P = np.eye(len(G))[rng.permutation(len(G))]
        nulls.append(entropy_nats(G * (P @ H @ P.T), order))
    return np.mean(nulls) - entropy_nats(G * H, order), np.std(nulls, ddof=1) / math.sqrt(n_null)


def losses_by_definition(A, B, temperature, similarity):
    """For each sample the mean of its two terms, in nats."""
    n, rows = len(A), [*A, *B]
    terms = []
    for i, row in enumerate(rows):
        others = [math.exp(similarity(row, z) / temperature) for j, z in enumerate(rows) if j != i]
        partner = math.exp(similarity(row, rows[(i + n) % (2 * n)]) / temperature)
        terms.append(-math.log(partner / sum(others)))
    return [(terms[i] + terms[i + n]) / 2 for i in range(n)]


def cosine(a, b):
    return a @ b / math.sqrt(a @ a) / math.sqrt(b @ b)


class TestDime:
    @pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.0])
    @pytest.mark.parametrize(("n", "d", "e"), [(6, 9, 4), (20, 5, 3), (2, 3, 3)])
    def test_it_is_what_the_definition_says(self, rng, order, n, d, e):
        A, B = rng.normal(size=(n, d)) + 0.5, rng.normal(size=(n, e)) - 0.5
        expected, error = dime_by_definition(A, B, 7, 3, order)
        found = views.dime(A, B, n_null=7, order=order, base=math.e, seed=3)
        assert float(found) == pytest.approx(expected, rel=1e-7, abs=1e-9)
        assert found.standard_error == pytest.approx(error, rel=1e-6, abs=1e-9)
        assert "null se" in repr(found)
        assert found.n == n

    @pytest.mark.parametrize("groups", [2, 4, 5])
    def test_views_of_groups_are_joined_by_as_many_directions(self, groups):
        """Matched, the product is that of the groups: log of their number. Without: of pairs."""
        A = np.repeat(np.eye(groups), 40, axis=0)
        found = views.dime(A, A, n_null=50)
        assert 0.8 * math.log2(groups) < float(found) < math.log2(groups) + 0.1
        other = np.tile(np.eye(groups), (40, 1))  # each pair of groups alike often
        even = views.dime(A, other, n_null=50)
        assert abs(float(even)) < 0.1

    def test_views_that_share_nothing_have_about_0(self):
        rng = np.random.default_rng(0)
        values = [
            float(views.dime(*rng.normal(size=(2, 40, 5)), n_null=30, seed=seed))
            for seed in range(20)
        ]
        deviation = np.std(values, ddof=1) / math.sqrt(len(values))
        assert abs(np.mean(values)) < 3 * deviation
        A = rng.normal(size=(40, 5))
        assert float(views.dime(A, A + 0.1 * rng.normal(size=A.shape))) > 10 * np.std(values)

    def test_samples_that_are_all_unlike_lose_nothing(self):
        found = views.dime(np.eye(6), np.eye(6))
        assert float(found) == pytest.approx(0.0, abs=1e-12)
        assert found.standard_error == pytest.approx(0.0, abs=1e-12)

    @given(seed=seeds, n=st.integers(2, 12), d=st.integers(1, 6))
    def test_neither_scales_nor_axes_matter(self, seed, n, d):
        rng = np.random.default_rng(seed)
        A, B = rng.normal(size=(2, n, d))
        for order in (1.0, 2.0):
            value = views.dime(A, B, order=order)
            moved = views.dime(1e160 * A, 1e-160 * B @ rotation(rng, d), order=order)
            assert float(moved) == pytest.approx(float(value), rel=1e-6, abs=1e-8)
            assert moved.standard_error == pytest.approx(value.standard_error, rel=1e-6, abs=1e-8)

    @given(seed=seeds, n=st.integers(2, 8))
    def test_the_order_of_samples_matters_only_to_the_permutations(self, seed, n):
        """Over all permutations there is one mean; with many of them, nearly so."""
        rng = np.random.default_rng(seed)
        A, B = rng.normal(size=(2, n, 3))
        moved = rng.permutation(n)
        a, b = (views.dime(*pair, n_null=400, order=2) for pair in ((A, B), (A[moved], B[moved])))
        assert abs(a - b) <= 6 * math.hypot(a.standard_error, b.standard_error) + 1e-12

    def test_the_code_takes_columns_where_there_are_more_samples(self, rng):
        A = rng.normal(size=(12, 4))
        B = A + 0.1 * rng.normal(size=A.shape)
        found = views.dime(A, B, n_null=5, base=math.e, variant="code")
        assert float(found) == pytest.approx(dime_by_definition(A, B, 5, 0, by_columns=True)[0])
        assert abs(found - views.dime(A, B, n_null=5, base=math.e)) > 0.05
        same = views.dime(A[:3], B[:3], n_null=5, variant="code")
        assert float(same) == float(views.dime(A[:3], B[:3], n_null=5))

    def test_one_permutation_has_no_error(self, rng):
        A = rng.normal(size=(5, 2))
        assert math.isnan(views.dime(A, A, n_null=1).standard_error)


class TestInfoNCE:
    @pytest.mark.parametrize("temperature", [0.1, 1.0])
    @pytest.mark.parametrize(("n", "d"), [(2, 1), (7, 3), (10, 20)])
    def test_it_is_what_the_definition_says(self, rng, temperature, n, d):
        A, B = rng.normal(size=(2, n, d))
        for variant, similarity in (("paper", cosine), ("code", np.dot)):
            terms = losses_by_definition(A, B, temperature, similarity)
            found = views.infonce(A, B, temperature=temperature, base=math.e, variant=variant)
            assert float(found) == pytest.approx(np.mean(terms), rel=1e-9)
            error = np.std(terms, ddof=1) / math.sqrt(n)
            assert found.standard_error == pytest.approx(error, rel=1e-6, abs=1e-12)
            assert found.n == n

    @pytest.mark.parametrize("n", [2, 5, 40])
    @pytest.mark.parametrize("temperature", [0.1, 1.0])
    def test_known_views(self, n, temperature):
        def loss(A, B):
            return float(views.infonce(A, B, temperature=temperature, base=math.e))

        ones, eye = np.ones((n, 3)), np.eye(n)
        assert loss(ones, ones) == pytest.approx(math.log(2 * n - 1))
        lift = math.exp(1 / temperature)
        assert loss(eye, 5 * eye) == pytest.approx(-math.log(lift / (lift + 2 * n - 2)))
        assert loss(ones, -ones) == pytest.approx(
            -math.log(1 / lift / (n / lift + (n - 1) * lift)), rel=1e-9
        )

    @given(seed=seeds, n=st.integers(2, 10), d=st.integers(1, 6))
    def test_neither_lengths_nor_axes_nor_orders_matter(self, seed, n, d):
        rng = np.random.default_rng(seed)
        A, B = rng.normal(size=(2, n, d))
        value = views.infonce(A, B)
        assert 0.0 <= float(value) <= 20.0 / math.log(2) + math.log2(2 * n - 1)
        turn, moved = rotation(rng, d), rng.permutation(n)
        scales = 10.0 ** rng.uniform(-150, 150, size=(2, n, 1))
        other = views.infonce((scales[0] * A @ turn)[moved], (scales[1] * B @ turn)[moved])
        assert float(other) == pytest.approx(float(value), rel=1e-8, abs=1e-12)
        assert other.standard_error == pytest.approx(value.standard_error, rel=1e-6, abs=1e-12)
        assert float(views.infonce(B, A)) == pytest.approx(float(value), rel=1e-9, abs=1e-12)

    def test_blocks_give_the_same(self, rng, monkeypatch):
        A, B = rng.normal(size=(2, 13, 4))
        expected = float(views.infonce(A, B))
        for entries in (1, 26, 60, 10**6):
            monkeypatch.setattr(views, "BLOCK_ENTRIES", entries)
            assert float(views.infonce(A, B)) == pytest.approx(expected, rel=1e-12)

    def test_low_temperatures_do_not_overflow(self, rng):
        A = rng.normal(size=(5, 3))
        assert float(views.infonce(A, A, temperature=1e-6)) == pytest.approx(0.0, abs=1e-9)
        found = views.infonce(A, -A, temperature=1e-6)
        assert 0.0 < float(found) < math.inf


VIEW = np.random.default_rng(0).normal(size=(5, 3))
HOLED, STILL = VIEW.copy(), VIEW.copy()
HOLED[1, 2], STILL[2] = np.nan, 0.0


@pytest.mark.parametrize("measure", [views.dime, views.infonce])
@pytest.mark.parametrize(
    ("A", "B", "options", "error", "words"),
    [
        (VIEW, VIEW[:4], {}, ValueError, ["A", "B", 5, 4]),
        (VIEW[:1], VIEW[:1], {}, ValueError, ["A", "B", "one"]),
        (VIEW, HOLED, {}, ValueError, ["B", "NaN"]),
        (VIEW.astype(complex), VIEW, {}, TypeError, ["A", "complex"]),
        (VIEW, VIEW, {"base": 1}, ValueError, ["base"]),
        (VIEW, VIEW, {"variant": "theirs"}, ValueError, ["variant", "'code'", "'theirs'"]),
    ],
)  # fmt: skip
def test_views_that_are_none_are_refused(measure, A, B, options, error, words):
    with pytest.raises(error, match=naming(*words)):
        measure(A, B, **options)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: views.dime(VIEW, VIEW, n_null=0), ValueError, ["n_null", 0]),
        (lambda: views.dime(VIEW, VIEW, order=-1), ValueError, ["order", -1]),
        (lambda: views.dime(VIEW, VIEW, seed=-1), ValueError, ["seed", -1]),
        (lambda: views.dime(VIEW, 0 * VIEW), ValueError, ["B", "0"]),
        (lambda: views.dime(VIEW, VIEW[:, :2], variant="code"), ValueError, ["B", 2, "'paper'"]),
        (lambda: views.dime([[1, 0], [0, 0]], [[0, 0], [0, 1]]), ValueError, ["A", "B", "0"]),
        (lambda: views.infonce(VIEW, VIEW, temperature=0), ValueError, ["temperature", 0]),
        (lambda: views.infonce(VIEW, VIEW[:, :2]), ValueError, ["A", "B", "columns", 3, 2]),
        (lambda: views.infonce(VIEW, STILL), ValueError, ["row 2", "B"]),
        (lambda: views.infonce(STILL, VIEW), ValueError, ["row 2", "A"]),
    ],
)
def test_options_and_views_without_a_value_are_refused(call, error, words):
    with pytest.raises(error, match=naming(*words)):
        call()
