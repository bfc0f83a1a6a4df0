"""Both entropies in one go: those of the two functions, by the same passes over the kernel."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy import _core
from eigentropy._backends.cpu import Cpu
from eigentropy._measures.sampling import halves
from eigentropy._measures.sampling.halves import divisions_of_blocks

ESTIMATED = {"method": "stochastic"}


def cloud(n: int = 900, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def exact(Z: np.ndarray) -> eg.Entropies:
    """By all eigenvalues, whatever memory a test has left."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Cpu, "available", lambda self: 1e9)
        return eg.entropies(Z, method="exact")


@pytest.fixture
def operators(monkeypatch):
    """The operators of the core that are made, with the number of columns of each product."""
    made = []

    class Counted:
        def __init__(self, *arguments):
            self.real, self.columns = _core.KernelOperator(*arguments), []
            self.is_explicit = arguments[4]
            self.limit_of_16_bits = arguments[7] if len(arguments) > 7 else 0.0
            made.append(self)

        def __getattr__(self, name):
            return getattr(self.real, name)

        def matmul(self, V, progress=None):
            self.columns.append(V.shape[1])
            return self.real.matmul(V, progress)

        def kernel_matmul(self, V, progress=None):
            self.columns.append(V.shape[1])
            return self.real.kernel_matmul(V, progress)

    class Core:
        KernelOperator = Counted

        def __getattr__(self, name):
            return getattr(_core, name)

    monkeypatch.setattr("eigentropy._backends.cpu._core", Core())
    return made


@pytest.fixture
def half_precision_only(monkeypatch):
    """So little memory that no kernel of float32 is kept, and one of float16 is."""
    monkeypatch.setattr(Cpu, "available", lambda self: 4.5e6)
    monkeypatch.setattr("eigentropy._spectra.stochastic.max_steps", lambda *rest: 20)


def test_few_rows_give_what_the_two_functions_give():
    Z = cloud(200)
    both = eg.entropies(Z, t=2.0, order=2.0, sigma=1.5, alpha=1.0, base=math.e)
    assert float(both.dse) == float(eg.dse(Z, t=2.0, sigma=1.5, alpha=1.0, base=math.e))
    alone = eg.kernel_entropy(Z, order=2.0, sigma=1.5, base=math.e)
    assert float(both.kernel_entropy) == pytest.approx(float(alone), rel=1e-12)
    assert both == (both.dse, both.kernel_entropy)


def test_estimates_are_those_of_the_two_functions_but_for_rounding():
    Z = cloud()
    both = eg.entropies(Z, **ESTIMATED)
    for found, alone in zip(
        both, (eg.dse(Z, **ESTIMATED), eg.kernel_entropy(Z, **ESTIMATED)), strict=True
    ):
        assert found.method == alone.method == "stochastic"
        assert float(found) == pytest.approx(float(alone), rel=1e-5)
        assert found.standard_error == pytest.approx(alone.standard_error, rel=0.05)
        assert (found.n, found.sigma, found.base) == (alone.n, alone.sigma, alone.base)


@pytest.mark.parametrize("seed", range(4))
def test_estimates_have_the_exact_values_in_their_intervals(seed):
    Z = cloud(600, seed=seed)
    for found, value in zip(eg.entropies(Z, seed=seed, **ESTIMATED), exact(Z), strict=True):
        low, high = found.interval(level=0.999)
        assert low <= float(value) <= high


def test_one_pass_over_the_kernel_serves_both(operators):
    both = eg.entropies(cloud(), tol=1e-2, **ESTIMATED)  # the first block is enough
    (one,) = operators
    steps = [found.spectrum.steps for found in both]
    assert len(one.columns) == max(steps)
    assert one.columns[: min(steps)] == [64] * min(steps)


def test_a_measurement_of_both_takes_one_pass_for_both(operators):
    from eigentropy._measures.measurement import MeasurementSettings, measure

    found = measure(cloud(), {}, MeasurementSettings(method="stochastic", kernel=True))
    assert len(operators) == 1
    assert found.entropies[0].method == found.kernel_entropies[0].method == "stochastic"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"method": "exact"}, "all eigenvalues"),
        ({"method": "auto"}, "so few rows are solved"),
        ({"order": 2.0, **ESTIMATED}, "order 2 takes no estimate"),
        ({"order": 0.5, **ESTIMATED}, "a power below 1 takes float64"),
    ],
)
def test_where_one_of_them_takes_another_way_each_goes_its_own(options, why):
    Z = cloud()
    both = eg.entropies(Z, **options)
    order = options.pop("order", 1.0)
    assert float(both.dse) == float(eg.dse(Z, **options)), why
    alone = eg.kernel_entropy(Z, order=order, **options)
    assert float(both.kernel_entropy) == pytest.approx(float(alone), rel=1e-9), why


def test_progress_grows_to_one():
    told: list[float] = []
    eg.entropies(cloud(), progress=told.append, **ESTIMATED)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_a_kernel_that_fits_in_half_precision_only_is_kept_so(operators, half_precision_only):
    Z = cloud(1200)
    both = eg.entropies(Z, **ESTIMATED)
    assert [one.real.share_in_16_bits for one in operators] == [1.0]
    # Half as many columns.
    assert operators[0].columns[0] == 2 * (8 + 8)
    for found, known in zip(both, exact(Z), strict=True):
        low, high = found.interval(level=0.999)
        assert low <= float(known) <= high
        assert high - low < 4e-3 * float(known)


def test_in_half_precision_each_function_gives_what_both_give(half_precision_only):
    Z = cloud(1200)
    both = eg.entropies(Z, **ESTIMATED)
    alone = eg.dse(Z, **ESTIMATED), eg.kernel_entropy(Z, **ESTIMATED)
    for found, one in zip(both, alone, strict=True):
        assert float(found) == pytest.approx(float(one), rel=1e-4)


def test_as_many_tiles_are_kept_as_fit(operators, monkeypatch, half_precision_only):
    monkeypatch.setattr(Cpu, "available", lambda self: 1e6)
    Z = cloud(1200)
    both = eg.entropies(Z, **ESTIMATED)
    assert 0.0 < operators[0].real.share_in_16_bits < 0.5
    for found, known in zip(both, exact(Z), strict=True):
        assert float(found) == pytest.approx(float(known), rel=2e-3)


def test_what_half_precision_would_change_is_computed_without_it(operators, half_precision_only):
    both = eg.entropies(cloud(1200), tol=2e-4, **ESTIMATED)
    assert {one.limit_of_16_bits for one in operators} == {0.0}
    assert all(found.spectrum.meets(found.which) for found in both)


@pytest.fixture
def halves_from_1000(monkeypatch):
    monkeypatch.setattr("eigentropy._spectra.plan.HALF_FROM", 1000)


@pytest.mark.parametrize(("n", "is_in_half"), [(999, False), (1000, True)])
def test_many_rows_are_kept_in_half_precision_though_more_would_fit(
    operators, halves_from_1000, n, is_in_half
):
    found = eg.dse(cloud(n), **ESTIMATED)
    (A,) = operators
    assert A.is_explicit != is_in_half
    assert A.real.share_in_16_bits == is_in_half
    # Half as many columns.
    assert A.columns[0] == (8 + 8 if is_in_half else 16 + 16)
    assert found.spectrum.meets(found.which)


def test_what_half_precision_would_spoil_is_kept_whole_where_there_is_room(
    operators, halves_from_1000, monkeypatch
):
    Z = cloud(1200)
    monkeypatch.setattr("eigentropy._spectra.half_precision.is_good_enough", lambda *_: False)
    found = eg.dse(Z, **ESTIMATED)
    assert [one.is_explicit for one in operators] == [False, True]
    monkeypatch.setattr("eigentropy._spectra.plan.HALF_FROM", 2000)
    assert float(found) == float(eg.dse(Z, **ESTIMATED))


def test_rows_that_are_read_anew_leave_no_halves_and_a_whole_kernel_is_kept(
    operators, halves_from_1000, monkeypatch
):
    monkeypatch.setattr("eigentropy._kernels.matrix.ROWS_SHARE", 1e-9)
    Z = cloud(1200)
    found = eg.dse(Z, **ESTIMATED)
    both = eg.entropies(Z, **ESTIMATED)
    assert [one.is_explicit for one in operators] == [True, True]
    assert {one.real.share_in_16_bits for one in operators} == {0.0}
    assert float(both.dse) == pytest.approx(float(found), rel=1e-4)


@pytest.mark.parametrize("options", [{"tol": 2e-4}, {"dtype": "float64"}])
def test_a_precise_estimate_of_many_rows_is_kept_whole(operators, halves_from_1000, options):
    eg.dse(cloud(1200), **{**ESTIMATED, **options})
    assert [(one.is_explicit, one.limit_of_16_bits) for one in operators] == [(True, 0.0)]


# Blocks of rows that belong together


def blocked(
    n_blocks: int, size: int, spread: float, seed: int = 0, d: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Rows around a centre of each block, and the block of each row."""
    generator = np.random.default_rng(seed)
    centres = np.repeat(generator.normal(size=(n_blocks, d)), size, axis=0)
    rows = centres + spread * generator.normal(size=centres.shape)
    return rows, np.repeat(np.arange(n_blocks), size)


def test_blocks_change_sampling_errors_alone():
    Z, blocks = blocked(40, 10, 0.1)
    plain, found = eg.entropies(Z), eg.entropies(Z, blocks=blocks)
    for one, other in zip(plain, found, strict=True):
        assert float(one) == float(other)
        assert one.interval() == other.interval()
        # Ten nearly equal rows are one row: the error is that of 40 rows, not of 400.
        assert other.sampling_error > 1.5 * one.sampling_error


def test_the_sampling_error_of_blocks_is_that_of_new_blocks():
    values = [
        [float(one) for one in eg.entropies(blocked(60, 5, 0.2, seed)[0], sigma=1.0)]
        for seed in range(40)
    ]
    truth = np.std(values, axis=0, ddof=1)
    errors = []
    for seed in range(6):
        Z, blocks = blocked(60, 5, 0.2, seed)
        errors.append([one.sampling_error for one in eg.entropies(Z, sigma=1.0, blocks=blocks)])
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / truth
    assert np.all((ratio > 0.6) & (ratio < 1.6))


def test_few_of_the_blocks_do_not_stand_for_all(monkeypatch):
    """They have too small an error in many dimensions, where it hardly falls with their number."""
    monkeypatch.setattr(halves, "MOST_ROWS", 128)
    samples = [blocked(160, 4, 1.5, seed, d=24) for seed in range(24)]
    truth = np.std([float(eg.entropies(Z).dse) for Z, _ in samples], ddof=1)
    found = [eg.entropies(Z, blocks=blocks).dse.sampling_error for Z, blocks in samples[:4]]
    assert 0.6 * truth < np.sqrt(np.mean(np.square(found))) < 1.6 * truth


def test_names_of_blocks_may_be_of_any_kind():
    Z, blocks = blocked(20, 6, 0.3)
    names = np.array([f"prompt {number}" for number in blocks])
    by_name, by_number = (eg.entropies(Z, blocks=one).dse.sampling_error for one in (names, blocks))
    assert by_name > 0.0
    assert by_number > 0.0


@pytest.mark.parametrize("blocks", [np.arange(5), np.zeros(120), np.arange(120) % 15])
def test_blocks_of_another_length_or_too_few_are_refused(blocks):
    with pytest.raises(ValueError, match="blocks"):
        eg.entropies(cloud(120), blocks=blocks)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=16, max_size=60),
    st.integers(0, 2**31),
    st.one_of(st.none(), st.integers(1, 600)),
)
def test_divisions_cut_at_most_two_blocks_of_each_subset(sizes, seed, most):
    blocks = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    for one in divisions_of_blocks(blocks, seed, count=3, most=most):
        first, second = one.halves
        assert len(first) == len(second)
        assert not set(first) & set(second)
        used = np.union1d(*one.rests)
        assert set(first) | set(second) <= set(used)
        assert len(np.intersect1d(blocks[first], blocks[second])) <= 1
        of_all = dict(zip(*np.unique(blocks, return_counts=True), strict=True))
        for subset in (first, second, *one.rests):
            assert np.array_equal(subset, np.unique(subset))
            parts = dict(zip(*np.unique(blocks[subset], return_counts=True), strict=True))
            assert sum(parts[block] < of_all[block] for block in parts) <= 2
