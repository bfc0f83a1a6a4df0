"""A reservoir that is given states: it has what the layers returned, of the tokens it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch import TokenReservoir
from messages import naming

WIDTHS = {"low": 5, "high": 3}


def prompts_of(lengths, seed=0):
    """The states of each prompt in each layer, without padding."""
    draw = torch.Generator().manual_seed(seed)
    return [{n: torch.randn(k, d, generator=draw) for n, d in WIDTHS.items()} for k in lengths]


def batch_of(prompts, left=False, extra=0):
    """Prompts as a padded batch and its mask; what is padding is NaN."""
    longest = max(len(one["low"]) for one in prompts) + extra
    mask = torch.zeros(len(prompts), longest, dtype=torch.long)
    states = {n: torch.full((len(prompts), longest, d), torch.nan) for n, d in WIDTHS.items()}
    for row, one in enumerate(prompts):
        length = len(one["low"])
        place = slice(longest - length, None) if left else slice(0, length)
        mask[row, place] = 1
        for name in WIDTHS:
            states[name][row, place] = one[name]
    return states, mask


def filled(prompts, sizes, left=False, extra=0, **options):
    """A reservoir that got prompts in batches of these sizes."""
    options = {"dtype": "float32", **options}
    reservoir, start = TokenReservoir(**options), 0
    for size in sizes:
        reservoir.add(*batch_of(prompts[start : start + size], left, extra))
        start += size
    return reservoir


def expected(reservoir, prompts, name):
    pairs = zip(reservoir.prompts, reservoir.positions, strict=True)
    return np.stack([prompts[prompt][name][position].numpy() for prompt, position in pairs])


def same(a, b):
    """Whether two reservoirs hold the same tokens and states."""
    return (
        np.array_equal(a.prompts, b.prompts)
        and np.array_equal(a.positions, b.positions)
        and all(np.array_equal(a.rows(name), b.rows(name)) for name in a.layers)
    )


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_states_are_those_of_the_tokens_however_prompts_are_batched_and_padded(data):
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    n, seed = data.draw(st.integers(1, 60)), data.draw(st.integers(0, 99))
    cuts = sorted(data.draw(st.lists(st.integers(1, len(lengths)), max_size=3)))
    sizes = np.diff([0, *cuts, len(lengths)])
    left, extra = data.draw(st.booleans()), data.draw(st.integers(0, 3))
    prompts = prompts_of(lengths)
    found = filled(prompts, [int(k) for k in sizes if k], left, extra, n=n, seed=seed)
    for name in WIDTHS:
        assert np.array_equal(found.rows(name), expected(found, prompts, name))
    assert found.seen == sum(lengths)
    assert found.prompts_seen == len(lengths)
    assert len(found) == len(found.prompts) == min(n, sum(lengths))
    assert same(found, filled(prompts, [1] * len(lengths), n=n, seed=seed))
    pairs = list(zip(found.prompts, found.positions, strict=True))
    assert pairs == sorted(set(pairs))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(64, 4000),
    st.sampled_from(["bfloat16", "float16", "float32"]),
    st.one_of(st.none(), st.integers(1, 80)),
    st.booleans(),
)
def test_no_more_bytes_are_taken_than_allowed(most, dtype, n, labelled):
    one = 32 + 8 * (4 if dtype == "float32" else 2)
    reservoir = TokenReservoir(n=n, max_bytes=most, dtype=dtype)
    for seed in range(3):
        states, mask = batch_of(prompts_of([9, 4, 7, 9], seed))
        if most < one:
            with pytest.raises(ValueError, match=naming("max_bytes", most, one)):
                reservoir.add(states, mask)
            return
        reservoir.add(states, mask, [0, 1, 2, 0] if labelled else None)
        assert reservoir.nbytes <= most
        fit = most // one if n is None else min(n, most // one)
        assert len(reservoir) == min(fit, 29 * (seed + 1))


def test_one_seed_gives_one_sample_and_another_another():
    prompts = prompts_of([8] * 30)
    a, b, c = (filled(prompts, [30], n=40, seed=seed) for seed in (1, 1, 2))
    assert same(a, b)
    assert not np.array_equal(a.positions, c.positions)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", torch.bfloat16])
def test_states_are_rounded_once(dtype):
    prompts = prompts_of([8] * 10)
    found = filled(prompts, [10], n=30, dtype=dtype)
    short = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype)
    plain = torch.from_numpy(expected(found, prompts, "low"))
    assert found.rows("low").dtype == np.float32
    assert np.array_equal(found.rows("low"), plain.to(short).float().numpy())
    assert found.nbytes == 30 * (2 * sum(WIDTHS.values()) + 24)


@pytest.mark.parametrize("left", [False, True])
def test_the_first_real_tokens_of_each_prompt_are_dropped(left):
    found = filled(prompts_of([3, 5, 4]), [3], left, 2, drop_first=2)
    pairs = list(zip(found.prompts, found.positions, strict=True))
    assert pairs == [(0, 2), (1, 2), (1, 3), (1, 4), (2, 2), (2, 3)]
    assert found.seen == 6


@pytest.mark.parametrize("how", ["l2", "layer"])
def test_tokens_are_normalized_before_they_are_stored(how):
    prompts = prompts_of([4, 6])
    found = filled(prompts, [2], normalize=how)
    Z = expected(found, prompts, "low").astype(float)
    if how == "layer":
        Z = Z - Z.mean(axis=1, keepdims=True)
    scale = Z.std(axis=1) if how == "layer" else np.linalg.norm(Z, axis=1)
    assert found.rows("low") == pytest.approx(Z / scale[:, None], abs=1e-6)


@pytest.mark.parametrize("of", ["prompts", "tokens"])
@pytest.mark.parametrize("kind", ["int", "str", "tensor"])
def test_labels_stay_with_their_tokens(of, kind):
    prompts = prompts_of([4, 6, 3, 5])
    reservoir = TokenReservoir(n=9)
    for part in (slice(0, 2), slice(2, 4)):
        states, mask = batch_of(prompts[part])
        numbers = torch.arange(4)[part]
        if of == "tokens":
            numbers = 10 * numbers[:, None] + torch.arange(mask.shape[1])
        labels = {"int": numbers.numpy(), "tensor": numbers, "str": numbers.numpy().astype(str)}
        reservoir.add(states, mask, labels[kind])
    wanted = reservoir.prompts
    if of == "tokens":
        wanted = 10 * reservoir.prompts + reservoir.positions
    assert np.array_equal(reservoir.labels.astype(int), wanted)
    assert reservoir.labels.dtype.kind == ("U" if kind == "str" else "i")


def test_a_sequence_of_states_has_the_names_of_a_profile():
    states, mask = batch_of(prompts_of([4, 6]))
    reservoir = TokenReservoir(dtype="float32")
    reservoir.add(tuple(states.values()), mask)
    assert reservoir.layers == ("embedding", "block 1")
    assert np.array_equal(reservoir.rows(-1), reservoir.rows("block 1"))
    for chosen in (["block 1"], "block *", [1], [-1]):
        last = TokenReservoir(layers=chosen, dtype="float32")
        last.add(list(states.values()), mask)
        assert last.layers == ("block 1",)
        assert np.array_equal(last.rows(0), reservoir.rows(1))
    with pytest.raises(TypeError, match=naming("layers", "Linear")):
        TokenReservoir(layers=torch.nn.Linear(1, 1)).add(states, mask)


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_states_are_those_of_padded_ones(layout):
    prompts = prompts_of([4, 1, 6])
    reservoir = TokenReservoir(dtype="float32", n=7)
    parts = {name: [one[name] for one in prompts] for name in WIDTHS}
    reservoir.add({n: torch.nested.nested_tensor(p, layout=layout) for n, p in parts.items()})
    assert same(reservoir, filled(prompts, [3], n=7))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_mask_of_padding_on_the_left_fits_nested_states():
    prompts = prompts_of([4, 1, 6])
    states, mask = batch_of(prompts, left=True)
    states["high"] = torch.nested.nested_tensor([one["high"] for one in prompts])
    reservoir = TokenReservoir(dtype="float32", n=7)
    reservoir.add(states, mask)
    assert same(reservoir, filled(prompts, [3], n=7))


def test_a_longer_mask_goes_on_with_the_prompts_before():
    """As the hidden states of each step of `generate`."""
    prompts = prompts_of([5, 7, 6])
    states, mask = batch_of(prompts, left=True)
    reservoir = TokenReservoir(dtype="float32", n=12, drop_first=1)
    for start, end in ((0, 4), (4, 5), (5, 7)):
        parts = {name: one[:, start:end] for name, one in states.items()}
        reservoir.add(parts, mask[:, :end])
    assert same(reservoir, filled(prompts, [3], n=12, drop_first=1))
    assert reservoir.prompts_seen == 3
    reservoir.add(states, mask)
    assert reservoir.prompts_seen == 6


def test_states_may_be_written_to_afterwards():
    states, mask = batch_of(prompts_of([4, 6]))
    reservoir = TokenReservoir(dtype="float32")
    reservoir.add(states, mask)
    before = reservoir.rows("low")
    states["low"].zero_()
    assert np.array_equal(reservoir.rows("low"), before)
    assert before.any()


def test_a_reservoir_that_is_discarded_begins_anew():
    prompts = prompts_of([4, 6, 5])
    found = filled(prompts, [1, 2], n=6)
    found.discard()
    assert (found.seen, found.prompts_seen, found.nbytes, len(found)) == (0, 0, 0, 0)
    with pytest.raises(ValueError, match=naming("no token", "add()")):
        found.rows("low")
    found.add(*batch_of(prompts))
    assert same(found, filled(prompts, [3], n=6))


# ---- What is refused, and leaves the reservoir as it was -----------------------------------------


def wrong(**changes):
    states, mask = batch_of(prompts_of([4, 6]))
    return {"states": states, "mask": mask, "labels": None, **changes}


def with_layer(name, states):
    return {**batch_of(prompts_of([4, 6]))[0], name: states}


REFUSED = {
    "mask of another shape": (wrong(mask=torch.ones(2, 5)), ValueError, ["mask", (2, 5), 6]),
    "mask of one dimension": (wrong(mask=torch.ones(6)), ValueError, ["mask", (6,)]),
    "mask as a list": (wrong(mask=[[1] * 6] * 2), TypeError, ["mask", "list"]),
    "empty prompt": (
        wrong(mask=torch.tensor([[1] * 6, [0] * 6])), ValueError, ["prompt", 1, "drop_first"],
    ),
    "complex": (
        wrong(states=with_layer("high", torch.ones(2, 6, 3, dtype=torch.complex64))),
        TypeError, ["'high'", "complex64"],
    ),
    "two dimensions": (
        wrong(states=with_layer("high", torch.ones(12, 3))), ValueError, ["'high'", (12, 3)],
    ),
    "other tokens": (
        wrong(states=with_layer("high", torch.ones(2, 7, 3))), ValueError, ["'high'", (2, 7, 3), 6],
    ),
    "another width": (
        wrong(states=with_layer("high", torch.ones(2, 6, 4))), ValueError, ["'high'", 4, 3],
    ),
    "a layer more": (
        wrong(states=with_layer("top", torch.ones(2, 6, 3))), ValueError, ["'top'"],
    ),
    "no tensor": (wrong(states=with_layer("high", None)), TypeError, ["'high'", "NoneType"]),
    "a tensor alone": (wrong(states=torch.ones(2, 6, 3)), TypeError, ["mapping", "Tensor"]),
    "no layer": (wrong(states={}), ValueError, ["states"]),
    "labels of another length": (wrong(labels=[1, 2, 3]), ValueError, ["labels", (3,), 2, (2, 6)]),
    "labels where there were none": (wrong(labels=[1, 2]), ValueError, ["labels", "none"]),
    "a missing label": (wrong(labels=[1.0, np.nan]), ValueError, ["labels", "NaN"]),
}  # fmt: skip


@pytest.mark.parametrize(("given", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_a_batch_that_does_not_fit_is_refused_whole(given, error, words):
    prompts = prompts_of([4, 6, 5, 3])
    reservoir = filled(prompts[:2], [2], n=9)
    with pytest.raises(error, match=naming(*words)):
        reservoir.add(**given)
    assert same(reservoir, filled(prompts[:2], [2], n=9))
    reservoir.add(*batch_of(prompts[2:]))
    assert same(reservoir, filled(prompts, [2, 2], n=9))
    assert (reservoir.seen, reservoir.prompts_seen) == (18, 4)


def test_a_first_batch_that_is_refused_settles_nothing():
    prompts = prompts_of([4, 6])
    reservoir = TokenReservoir(dtype="float32")
    with pytest.raises(ValueError, match=naming("'high'")):
        reservoir.add(with_layer("high", torch.ones(2, 7, 3)), labels=[1, 2])
    assert reservoir.layers == ()
    reservoir.add(*batch_of(prompts))
    assert same(reservoir, filled(prompts, [2]))


def test_states_beyond_float16_are_refused_and_bfloat16_holds_them():
    states = {"low": torch.full((2, 3, 4), 1e5)}
    with pytest.raises(ValueError, match=naming("'low'", "1e+05", "float16", "dtype='bfloat16'")):
        TokenReservoir(dtype="float16").add(states)
    reservoir = TokenReservoir()
    reservoir.add(states)
    assert np.isfinite(reservoir.rows("low")).all()


def test_states_that_are_not_finite_are_stored_as_they_are():
    reservoir = TokenReservoir(dtype="float16")
    reservoir.add({"low": torch.tensor([[[1.0, torch.nan], [torch.inf, 2.0]]])})
    assert np.array_equal(reservoir.rows("low"), [[1, np.nan], [np.inf, 2]], equal_nan=True)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n": 0}, ValueError, ["n", 0]),
        ({"n": 2.5}, TypeError, ["n", 2.5]),
        ({"n": None}, ValueError, ["n", "max_bytes"]),
        ({"max_bytes": -1}, ValueError, ["max_bytes", -1]),
        ({"dtype": "int8"}, ValueError, ["dtype", "'int8'", "'bfloat16'"]),
        ({"normalize": "l1"}, ValueError, ["normalize", "'l1'", "'l2'"]),
        ({"drop_first": -1}, ValueError, ["drop_first", -1]),
        ({"mask": torch.ones(2, 2)}, TypeError, ["mask", "Tensor", "add"]),
        ({"end_tokens": [1, "x"]}, TypeError, ["end_tokens", "'x'"]),
        ({"seed": -3}, ValueError, ["seed", -3]),
        ({"max_byte": 3}, TypeError, ["'max_byte'", "'max_bytes'"]),
    ],
)
def test_an_option_that_is_wrong_is_named(options, error, words):
    with pytest.raises(error, match=naming(*words)):
        TokenReservoir(**options)


def test_a_layer_that_is_not_there_is_refused_with_those_that_are():
    reservoir = filled(prompts_of([4]), [1])
    for name in ("hihg", 2, None):
        with pytest.raises(ValueError, match=naming("layer", repr(name), "'high'")):
            reservoir.rows(name)
    with pytest.raises(ValueError, match=naming("'top'", "'low'")):
        TokenReservoir(layers=["top"]).add(batch_of(prompts_of([4]))[0])


def test_without_a_model_there_is_nothing_to_watch():
    with pytest.raises(RuntimeError, match=naming("model", "add()")), TokenReservoir():
        pass


def test_it_shows_how_much_it_holds():
    assert repr(filled(prompts_of([4, 6]), [2], n=3)).startswith("TokenReservoir(3 of 10 tokens")
