"""Anisotropy, curvature and prompt entropy: closed forms, slow oracles, what may not matter."""

from __future__ import annotations

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.baselines import _prompts, spectral, tokens, with_sampling_error
from messages import naming

MEASURES = {
    "anisotropy": lambda states, mask=None: tokens.anisotropy(states, mask=mask),
    "curvature": tokens.curvature,
    "turns": lambda states, mask=None: tokens.curvature(states, mask, variant="code"),
    "prompt_entropy": tokens.prompt_entropy,
    "order 2": lambda states, mask=None: tokens.prompt_entropy(states, mask, order=2),
    "max": lambda states, mask=None: tokens.prompt_entropy(states, mask, normalization="max"),
    "code": lambda states, mask=None: tokens.prompt_entropy(states, mask, variant="code"),
}


@pytest.fixture(params=list(MEASURES))
def measure(request):
    return MEASURES[request.param]


def around(corners, size):
    """`size` tokens from corner to corner of a regular polygon."""
    angles = 2.0 * math.pi * np.arange(size) / corners
    return np.column_stack([np.cos(angles), np.sin(angles)])


def rotation(rng, d):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def units(prompt):
    return [row / math.sqrt(sum(x * x for x in row)) for row in prompt]


# The formulas one term after the other, of one prompt.


def mean_cosine(prompt):
    u = units(prompt)
    return np.mean([a @ b for i, a in enumerate(u) for j, b in enumerate(u) if i != j])


def mean_angle(vectors):
    pairs = list(pairwise(vectors))
    cosines = [a @ b / math.sqrt(a @ a) / math.sqrt(b @ b) for a, b in pairs]
    return np.mean([math.acos(min(1.0, max(-1.0, cosine))) for cosine in cosines])


def mean_bend(prompt):
    return mean_angle([after - before for before, after in pairwise(prompt)])


def mean_turn(prompt):
    return mean_angle(units(prompt - prompt.mean(axis=0)))


def shannon_bits(eigenvalues):
    shares = eigenvalues[eigenvalues > 1e-14 * eigenvalues.max()] / eigenvalues.sum()
    return -sum(share * math.log2(share) for share in shares)


def entropy_bits(prompt):
    return shannon_bits(np.linalg.svd(prompt, compute_uv=False) ** 2)


def entropy_of_the_code(prompt):
    """Centred, over their lengths; the smaller product without what is negative."""
    Z = np.array(units(prompt - prompt.mean(axis=0)))
    product = Z.T @ Z if len(Z) > Z.shape[1] else Z @ Z.T
    eigenvalues = np.linalg.eigvals(np.where(product < 0, 0.0, product)).real
    return shannon_bits(eigenvalues[eigenvalues > 0])


ORACLES = {
    "anisotropy": mean_cosine,
    "curvature": mean_bend,
    "turns": mean_turn,
    "prompt_entropy": entropy_bits,
    "order 2": lambda prompt: (
        -math.log2(((prompt @ prompt.T) ** 2).sum() / np.trace(prompt @ prompt.T) ** 2)
    ),
    "max": lambda prompt: entropy_bits(prompt) / math.log2(min(prompt.shape)),
    "code": entropy_of_the_code,
}


@pytest.mark.parametrize("name", list(ORACLES))
@pytest.mark.parametrize(("length", "d"), [(3, 2), (5, 9), (9, 5), (40, 17)])
def test_a_prompt_has_what_the_formula_says(rng, name, length, d):
    prompt = rng.normal(size=(length, d)) + rng.normal(size=d)
    found = MEASURES[name](prompt[None])
    assert float(found) == pytest.approx(ORACLES[name](prompt), rel=1e-9)
    assert found.n == 1
    assert math.isnan(found.standard_error)


@pytest.mark.parametrize("name", list(ORACLES))
def test_the_value_is_the_mean_over_prompts_and_its_error_theirs(rng, name):
    prompts = [rng.normal(size=(length, 7)) + rng.normal(size=7) for length in (5, 12, 3, 30, 5)]
    each = [ORACLES[name](prompt) for prompt in prompts]
    found = MEASURES[name](prompts)
    assert found.by_prompt == pytest.approx(each, rel=1e-9)
    assert float(found) == pytest.approx(np.mean(each), rel=1e-9)
    assert found.standard_error == pytest.approx(np.std(each, ddof=1) / math.sqrt(5), rel=1e-9)
    assert found.n == 5
    assert found.settings["tokens"] == 55
    assert found.settings["left_out"] == 0


@pytest.mark.parametrize("length", [2, 3, 7])
def test_orthogonal_tokens_share_no_direction_and_fill_all(length):
    prompt = 3.0 * np.eye(length, 9)
    assert float(tokens.anisotropy([prompt])) == pytest.approx(0.0, abs=1e-12)
    assert float(tokens.prompt_entropy(prompt)) == pytest.approx(math.log2(length))
    assert float(tokens.prompt_entropy(prompt, normalization="max")) == pytest.approx(1.0)
    assert float(tokens.prompt_entropy(prompt, order=math.inf)) == pytest.approx(math.log2(length))
    assert float(tokens.prompt_entropy(prompt, base=math.e)) == pytest.approx(math.log(length))


@pytest.mark.parametrize("lengths", [[1.0, 1.0, 1.0], [1.0, 2.0, 5.0, 0.1]])
def test_tokens_of_one_direction_are_one(lengths):
    prompt = np.outer(lengths, [3.0, -1.0, 2.0])
    assert float(tokens.anisotropy([prompt])) == pytest.approx(1.0)
    assert float(tokens.prompt_entropy(prompt)) == pytest.approx(0.0, abs=1e-12)


def test_opposite_tokens_are_at_the_least_anisotropy():
    assert float(tokens.anisotropy([np.array([[1.0, 2.0], [-2.0, -4.0]])])) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("prompt", "angle"),
    [
        (np.outer(np.arange(6.0), [1.0, 2.0, 3.0]), 0.0),
        (np.outer([0.0, 1.0, 7.0, 8.5], [1.0, 2.0]), 0.0),
        (around(12, 12), 2 * math.pi / 12),
        (around(5, 20), 2 * math.pi / 5),
        (around(10**6, 5), 2 * math.pi / 10**6),
        (np.array([[0.0], [1.0], [0.0], [1.0]]), math.pi),
        (np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 5.0]]), math.pi / 2),
    ],
)
def test_known_paths_bend_by_known_angles(prompt, angle):
    assert float(tokens.curvature(prompt)) == pytest.approx(angle, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("walk", "angle"), [(False, 2 * math.pi / 3), (True, math.pi / 2)])
def test_noise_bends_by_two_thirds_and_a_walk_by_half_of_pi(rng, walk, angle):
    states = rng.normal(size=(50, 40, 500))
    found = tokens.curvature(states.cumsum(axis=1) if walk else states)
    assert float(found) == pytest.approx(angle, abs=0.01)


def test_a_step_of_length_0_has_no_angle():
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    waiting = np.insert(corner, 0, corner[0], axis=0)
    assert float(tokens.curvature(waiting)) == pytest.approx(math.pi / 2)
    found = tokens.curvature([corner, np.ones((5, 2)), corner[:2], waiting[[0, 1, 2, 2, 3]]])
    assert np.isnan(found.by_prompt).tolist() == [False, True, True, True]
    assert (found.n, found.settings["left_out"], found.settings["tokens"]) == (1, 3, 3)


def test_prompts_that_are_too_short_are_left_out(rng):
    prompts = [rng.normal(size=(length, 4)) for length in (1, 6, 1, 9)]
    for name in ("anisotropy", "curvature", "max"):
        found = MEASURES[name](prompts)
        assert np.isnan(found.by_prompt).tolist() == [True, False, True, False]
        assert float(found) == pytest.approx(float(MEASURES[name]([prompts[1], prompts[3]])))
        assert (found.n, found.settings["left_out"]) == (2, 2)
    assert tokens.prompt_entropy(prompts).by_prompt[0] == 0.0


lengths = st.lists(st.integers(3, 12), min_size=1, max_size=6)


@given(seed=st.integers(0, 2**32 - 1), lengths=lengths, d=st.integers(2, 9))
@pytest.mark.parametrize("name", list(MEASURES))
def test_padding_changes_nothing_wherever_it_is(name, seed, lengths, d):
    """Left, right or between; of whatever numbers; with one more prompt or without."""
    rng = np.random.default_rng(seed)
    prompts = [rng.normal(size=(length, d)) for length in lengths]
    width = max(lengths) + int(rng.integers(0, 4))
    states, mask = rng.normal(size=(len(lengths), width, d)), np.zeros((len(lengths), width), int)
    states[rng.random(states.shape[:2]) < 0.3] = np.nan
    for prompt, row, kept in zip(prompts, states, mask, strict=True):
        at = np.sort(rng.permutation(width)[: len(prompt)])
        row[at], kept[at] = prompt, 1
    expected = MEASURES[name](prompts)
    found = MEASURES[name](states, mask)
    assert found.by_prompt == pytest.approx(expected.by_prompt, rel=1e-9)
    assert dict(found.settings) == dict(expected.settings)
    again = MEASURES[name](prompts[::-1]).by_prompt[::-1]
    assert again == pytest.approx(expected.by_prompt, rel=1e-9)


@given(
    seed=st.integers(0, 2**32 - 1), lengths=lengths, d=st.integers(2, 9),
    scale=st.sampled_from([1e-200, 1e-3, 40.0, 1e200]),
)  # fmt: skip
@pytest.mark.parametrize("name", list(MEASURES))
def test_neither_scale_nor_axes_matter_and_the_order_of_tokens_where_it_says(
    name, seed, lengths, d, scale
):
    rng = np.random.default_rng(seed)
    prompts = [rng.normal(size=(length, d)) for length in lengths]
    expected = MEASURES[name](prompts).by_prompt
    scaled = [scale * prompt for prompt in prompts]
    assert MEASURES[name](scaled).by_prompt == pytest.approx(expected, rel=1e-9)
    turned = [prompt @ rotation(rng, d) for prompt in prompts]
    # What the code sets to 0 among the products of columns depends on the axes.
    if name != "code" or all(len(prompt) <= d for prompt in prompts):
        assert MEASURES[name](turned).by_prompt == pytest.approx(expected, rel=1e-8)
    if name not in ("curvature", "turns"):
        mixed = [prompt[rng.permutation(len(prompt))] for prompt in prompts]
        assert MEASURES[name](mixed).by_prompt == pytest.approx(expected, rel=1e-8)


def test_the_order_of_tokens_matters_to_curvature():
    path = around(12, 12)
    mixed = path[[0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]]
    for variant in tokens.VARIANTS:
        straight = float(tokens.curvature(path, variant=variant))
        assert float(tokens.curvature(mixed, variant=variant)) > 2 * straight
        back = float(tokens.curvature(path[::-1], variant=variant))
        assert back == pytest.approx(straight)


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(3, 9), d=st.integers(2, 9))
def test_a_shift_leaves_curvature_and_the_variants_of_the_code(seed, length, d):
    rng = np.random.default_rng(seed)
    prompt, shift = rng.normal(size=(length, d)), 10.0 * rng.normal(size=d)
    for name in ("curvature", "turns", "code"):
        value = float(MEASURES[name](prompt))
        assert float(MEASURES[name](prompt + shift)) == pytest.approx(value, rel=1e-8)


def test_estimates_over_prompts_survive_pickling(rng, measure):
    found = measure(rng.normal(size=(4, 6, 5)))
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found
    assert (copy.by_prompt == found.by_prompt).all()
    assert f"{found.value:.6g}" in repr(found)
    assert f"+- {found.standard_error:.2g}" in repr(found)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.5, math.inf])
def test_prompt_entropy_of_unit_tokens_is_that_of_their_cosine_kernel(rng, order):
    prompt = rng.normal(size=(12, 5))
    kernel = spectral.matrix_renyi_entropy(prompt, kernel="cosine", order=order)
    unit = prompt / np.linalg.norm(prompt, axis=1, keepdims=True)
    assert float(tokens.prompt_entropy(unit, order=order)) == pytest.approx(float(kernel))


def test_the_code_differs_from_the_paper():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(4, 20, 8)) + 3.0
    assert float(tokens.prompt_entropy(states)) < 0.8 * float(
        tokens.prompt_entropy(states, variant="code")
    )
    assert float(tokens.curvature(states, variant="code")) < 0.9 * float(tokens.curvature(states))


def test_blocks_of_any_size_give_the_same(rng, measure, monkeypatch):
    states = rng.normal(size=(7, 6, 4))
    expected = measure(states).by_prompt
    for entries in (1, 24, 50, 10**6):
        monkeypatch.setattr(_prompts.blocks, "__defaults__", (None, entries))
        monkeypatch.setattr(tokens, "BLOCK_ENTRIES", entries)
        assert measure(states).by_prompt == pytest.approx(expected, rel=1e-12)
        assert len(list(_prompts.blocks(states))) == -(-7 // max(1, -(-entries // 24)))


def test_arrays_of_every_library_are_states(rng, measure, tmp_path):
    torch = pytest.importorskip("torch")
    zarr = pytest.importorskip("zarr")
    states = rng.normal(size=(3, 5, 4)).astype(np.float32)
    stored = zarr.open_array(str(tmp_path / "z"), mode="w", shape=states.shape, dtype="float32")
    stored[...] = states
    np.save(tmp_path / "z.npy", states)
    mapped = np.load(tmp_path / "z.npy", mmap_mode="r")
    expected = float(measure(states))
    for same in (torch.tensor(states), stored, mapped, states.tolist(), list(states)):
        assert float(measure(same)) == pytest.approx(expected, rel=1e-6)
    ragged = [torch.tensor(one) for one in (states[0], states[1, :4])]
    nested = torch.nested.nested_tensor(ragged, layout=torch.jagged)
    padded, mask = states[:2], torch.tensor([[1, 1, 1, 1, 1], [True, True, True, True, False]])
    expected = float(measure(padded, mask))
    assert float(measure(ragged)) == pytest.approx(expected)
    assert float(measure(nested)) == pytest.approx(expected)
    half = torch.tensor(states).to(torch.bfloat16)
    assert float(measure(half)) == pytest.approx(float(measure(half.float().numpy())))


class TestAnisotropyOfRows:
    """Without prompts: of all rows together."""

    @pytest.mark.parametrize(("n", "d"), [(2, 1), (3, 5), (40, 3), (30, 100)])
    def test_it_is_the_mean_over_pairs(self, rng, n, d):
        Z = rng.normal(size=(n, d)) + 1.0
        found = tokens.anisotropy(Z)
        assert float(found) == pytest.approx(mean_cosine(Z), rel=1e-9)
        assert found.n == n
        assert float(tokens.anisotropy(Z[None])) == pytest.approx(float(found), rel=1e-9)

    def test_its_error_is_the_deviation_over_other_rows(self):
        rng = np.random.default_rng(0)
        shift = np.array([1.0, 0.5, 0.0, 0.0])
        several = [tokens.anisotropy(rng.normal(size=(100, 4)) + shift) for _ in range(400)]
        deviation = np.std([float(one) for one in several], ddof=1)
        assert np.mean([one.standard_error for one in several]) == pytest.approx(deviation, rel=0.1)

    def test_halves_agree_with_its_error(self, rng):
        Z = rng.normal(size=(400, 6)) + 0.7
        found = with_sampling_error(tokens.anisotropy, Z)
        assert found.sampling_error == pytest.approx(found.standard_error, rel=0.5)

    def test_blocks_give_the_same(self, rng):
        Z = rng.normal(size=(50, 6)) + 1.0
        expected = tokens.anisotropy(Z)
        for entries in (1, 6, 45, 300):
            found = tokens._anisotropy_of_rows(Z, entries)
            assert float(found) == pytest.approx(float(expected), rel=1e-12)
            assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-9)

    def test_rows_without_a_direction_are_refused(self):
        with pytest.raises(ValueError, match=naming("row 2", "Z")):
            tokens.anisotropy([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
        with pytest.raises(ValueError, match=naming("Z", "one row")):
            tokens.anisotropy([[1.0, 0.0]])
        with pytest.raises(ValueError, match=naming("mask", "prompts")):
            tokens.anisotropy([[1.0, 0.0], [0.0, 1.0]], mask=[1, 1])


STATES = np.random.default_rng(0).normal(size=(3, 5, 4))
HOLED = STATES.copy()
HOLED[1, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("states", "mask", "error", "words"),
    [
        (STATES[:, :, :0], None, ValueError, ["states", "empty", "(3, 5, 0)"]),
        (STATES[None], None, ValueError, ["(prompts, tokens, d)", "(1, 3, 5, 4)"]),
        (HOLED, None, ValueError, ["states", "NaN"]),
        (STATES.astype(complex), None, TypeError, ["states", "complex"]),
        (STATES, np.ones((3, 4)), ValueError, ["mask", "(3, 5)", "(3, 4)"]),
        (STATES, np.ones((3, 1, 5)), ValueError, ["mask", "(3, 5)", "(3, 1, 5)"]),
        (STATES, np.full((3, 5), -np.inf), ValueError, ["mask", "0", "-inf"]),
        (STATES, np.full((3, 5), np.nan), ValueError, ["mask", "0", "nan"]),
        (STATES, np.diag([1, 1, 0])[:, [0, 0, 0, 1, 1]], ValueError, ["prompt 2", "mask"]),
        (list(STATES), np.ones((3, 5)), ValueError, ["mask", "list"]),
        ([STATES[0], STATES[1, :, :3]], None, ValueError, ["columns", "[3, 4]"]),
        ([STATES[0], STATES[1, :0]], None, ValueError, ["prompt 1", "no token"]),
        (["a", "b"], None, (TypeError, ValueError), ["states"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("measure", [tokens.curvature, tokens.prompt_entropy])
def test_states_and_masks_that_are_none_are_refused(measure, states, mask, error, words):
    with pytest.raises(error, match=naming(*words)):
        measure(states, mask)


def test_what_has_no_value_is_refused_by_name():
    still = STATES.copy()
    still[1, 3] = 0.0
    with pytest.raises(ValueError, match=naming("prompt 1", "mask")):
        tokens.anisotropy(still)
    still[2] = 0.0
    with pytest.raises(ValueError, match=naming("prompt 2", "0")):
        tokens.prompt_entropy(still)
    with pytest.raises(ValueError, match=naming("none of the 3 prompts", "curvature", "three")):
        tokens.curvature(STATES[:, :2])
    with pytest.raises(ValueError, match=naming("none of the 3 prompts", "anisotropy", "two")):
        tokens.anisotropy(STATES[:, :1])
    for option in ({"order": 0}, {"base": 1}):
        with pytest.raises(ValueError, match=naming(*option)):
            tokens.prompt_entropy(STATES, **option)
    with pytest.raises(ValueError, match=naming("normalization", "'max'", "'logN'")):
        tokens.prompt_entropy(STATES, normalization="logN")
    for measure in (tokens.prompt_entropy, tokens.curvature):
        with pytest.raises(ValueError, match=naming("variant", "'paper'", "'theirs'")):
            measure(STATES, variant="theirs")


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_mask_is_read_as_that_of_a_model_is(measure):
    """Bool or numbers, of which those that are not 0 count."""
    masks = pytest.importorskip("eigentropy.torch.tokens.masks")
    torch = pytest.importorskip("torch")
    mask = np.array([[0, 0, 2, 2, 1], [1, 1, 1, 1, 0], [1, 1, 3, 1, 1]])
    kept = masks.kept_tokens(torch.from_numpy(mask), mask.shape).numpy()
    expected = float(measure(STATES, kept))
    for same in (mask, mask.astype(float), torch.from_numpy(mask), (mask != 0).tolist()):
        assert float(measure(STATES, same)) == expected
