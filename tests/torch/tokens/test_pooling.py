"""Rows of tokens are those of the kept tokens, wherever these stand and whatever padding holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from torch.masked import masked_tensor

from eigentropy.torch.tokens.masks import kept_tokens
from eigentropy.torch.tokens.pooling import NORMALIZATIONS, TOKEN_POOLINGS, token_rows
from messages import naming

# PyTorch says of some of its kinds of tensors that they are prototypes.
pytestmark = pytest.mark.filterwarnings("ignore:.*(nested|Masked).*")


def by_hand(texts, pooling, normalize, drop_first=0):
    """The rows of texts of which each is an array (tokens, d)."""
    rows = []
    for text in texts:
        kept = np.array([normalized(token, normalize) for token in text[drop_first:]])
        rows += {
            "mean": [kept.mean(axis=0)],
            "first": [kept[0]],
            "last": [kept[-1]],
            "tokens": [*kept],
        }[pooling]
    return np.array(rows)


def normalized(token, how):
    if how == "l2":
        return token / np.linalg.norm(token)
    if how == "layer":
        return (token - token.mean()) / token.std()
    return token


@st.composite
def padded_texts(draw):
    """Texts, and the same with padding anywhere between their tokens, in a batch."""
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    width = max(lengths) + draw(st.integers(0, 4))
    d, seed = draw(st.integers(2, 6)), draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    texts = [generator.normal(size=(length, d)) for length in lengths]
    states = np.full((len(texts), width, d), draw(st.sampled_from([0.0, 1e30, np.nan, np.inf])))
    mask = np.zeros((len(texts), width), dtype=np.int64)
    for number, text in enumerate(texts):
        places = np.sort(generator.permutation(width)[: len(text)])
        states[number, places], mask[number, places] = text, 1
    return texts, torch.from_numpy(states), torch.from_numpy(mask)


@given(padded_texts(), st.sampled_from(TOKEN_POOLINGS), st.sampled_from(NORMALIZATIONS), st.data())
@settings(deadline=None, max_examples=200)
def test_padding_changes_nothing(batch, pooling, normalize, data):
    texts, states, mask = batch
    drop_first = data.draw(st.integers(0, min(map(len, texts)) - 1))
    kept = kept_tokens(mask, tuple(mask.shape), drop_first)
    found = token_rows(states, kept, pooling, normalize)
    expected = by_hand(texts, pooling, normalize, drop_first)
    np.testing.assert_allclose(found.rows, expected, rtol=1e-9, atol=1e-12)
    numbers = [len(text) - drop_first for text in texts]
    counts = numbers if pooling == "tokens" else [1] * len(texts)
    assert found.prompts.tolist() == [k for k, n in enumerate(counts) for _ in range(n)]
    if pooling == "tokens":
        assert found.positions.tolist() == [k for n in numbers for k in range(n)]
    if pooling == "last":
        assert found.positions.tolist() == [n - 1 for n in numbers]


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
@pytest.mark.parametrize("pooling", TOKEN_POOLINGS)
def test_nested_states_have_the_rows_of_their_tokens(pooling, layout):
    texts = [torch.randn(n, 4) for n in (3, 1, 5)]
    nested = torch.nested.nested_tensor(texts, layout=layout)
    found = token_rows(nested, torch.ones(3, 5, dtype=torch.bool), pooling, "l2")
    expected = by_hand([text.double().numpy() for text in texts], pooling, "l2")
    np.testing.assert_allclose(found.rows, expected, rtol=1e-5, atol=1e-6)


def test_tokens_that_are_masked_in_all_features_are_not_real():
    states = torch.randn(2, 4, 3)
    real = torch.tensor([[True, True, False, True], [False, True, True, True]])
    masked = masked_tensor(states, real[..., None].expand(2, 4, 3).contiguous())
    found = token_rows(masked, torch.ones(2, 4, dtype=torch.bool), "mean")
    expected = torch.stack([states[0, real[0]].mean(0), states[1, real[1]].mean(0)])
    torch.testing.assert_close(found.rows, expected)
    partly = torch.ones(2, 4, 3, dtype=torch.bool)
    partly[0, 0, 0] = False
    with pytest.raises(ValueError, match=naming("masked", 1)):
        token_rows(masked_tensor(states, partly), torch.ones(2, 4, dtype=torch.bool), "mean")


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_token_of_zeros_has_rows_of_zeros(normalize):
    states = torch.zeros(1, 2, 3)
    found = token_rows(states, torch.ones(1, 2, dtype=torch.bool), "tokens", normalize)
    assert torch.equal(found.rows, torch.zeros(2, 3))


@pytest.mark.parametrize("value", [0.1, -7e8, 3e-9])
@pytest.mark.parametrize("d", [1, 7, 384])
def test_equal_features_have_no_variance(value, d):
    states = torch.full((1, 1, d), value)
    found = token_rows(states, torch.ones(1, 1, dtype=torch.bool), "tokens", "layer")
    assert torch.equal(found.rows, torch.zeros(1, d))


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("normalize", ["l2", "layer"])
def test_the_scale_of_a_token_does_not_count(scale, normalize):
    states, kept = torch.randn(3, 4, 8), torch.ones(3, 4, dtype=torch.bool)
    rows, scaled = (token_rows(z, kept, "mean", normalize).rows for z in (states, scale * states))
    torch.testing.assert_close(scaled, rows, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.int64, torch.float64),
        (torch.bool, torch.float64),
    ],
)
@pytest.mark.parametrize("pooling", TOKEN_POOLINGS)
def test_rows_are_single_precision_unless_that_loses_something(kind, rows, pooling):
    states = torch.ones(2, 3, 4).to(kind)
    assert token_rows(states, torch.ones(2, 3, dtype=torch.bool), pooling).rows.dtype == rows


def test_states_of_inference_mode_are_taken():
    with torch.inference_mode():
        states = torch.randn(2, 3, 4)
    kept = torch.ones(2, 3, dtype=torch.bool)
    torch.testing.assert_close(token_rows(states, kept, "mean").rows, states.mean(dim=1))


@pytest.mark.parametrize("pooling", TOKEN_POOLINGS)
def test_complex_states_are_refused_by_name(pooling):
    states = torch.complex(torch.ones(2, 3, 4), torch.ones(2, 3, 4))
    with pytest.raises(TypeError, match=naming("complex", "torch.complex64", "view_as_real")):
        token_rows(states, torch.ones(2, 3, dtype=torch.bool), pooling)


@pytest.mark.parametrize(
    ("states", "kept"), [((2, 3), (2, 3)), ((2, 3, 4), (2, 4)), ((2, 3, 4, 5), (2, 3))]
)
def test_states_and_kept_tokens_go_together(states, kept):
    with pytest.raises(ValueError, match=naming("states", "kept", f"{states}", f"{kept}")):
        token_rows(torch.zeros(states), torch.ones(kept, dtype=torch.bool), "mean")


def test_a_nested_prompt_without_a_token_is_refused():
    nested = torch.nested.nested_tensor([torch.zeros(0, 4), torch.ones(2, 4)])
    with pytest.raises(ValueError, match=naming("prompt 0", "1 of 2")):
        token_rows(nested, torch.ones(2, 2, dtype=torch.bool), "mean")


def test_other_names_are_refused_and_a_former_one_is_translated():
    states, kept = torch.zeros(1, 1, 1), torch.ones(1, 1, dtype=torch.bool)
    with pytest.raises(ValueError, match=naming("pooling", "'median'", *map(repr, TOKEN_POOLINGS))):
        token_rows(states, kept, "median")
    with pytest.raises(ValueError, match=naming("'cls'", "'first'")):
        token_rows(states, kept, "cls")
    with pytest.raises(ValueError, match=naming("normalize", "'L2'", *map(repr, NORMALIZATIONS))):
        token_rows(states, kept, "mean", "L2")
