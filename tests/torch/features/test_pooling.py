"""From outputs to rows: means over space and over tokens, and several outputs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("hypothesis")
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eigentropy.torch.features.pooling import chosen, pooled
from messages import naming

SIZES = st.integers(1, 5)


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, SIZES)
def test_a_map_is_averaged_over_space(b, c, h, w):
    assume(not c == h != w)
    x = torch.arange(float(b * c * h * w)).reshape(b, c, h, w)
    torch.testing.assert_close(pooled(x, "auto"), x.flatten(2).mean(2))


@settings(deadline=None)
@given(SIZES, SIZES, SIZES)
def test_a_square_map_may_have_its_channels_last(b, c, side):
    assume(c != side)
    x = torch.arange(float(b * side * side * c)).reshape(b, side, side, c)
    torch.testing.assert_close(pooled(x, "auto"), x.flatten(1, 2).mean(1))


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.sampled_from([-1e3, 1e3, float("nan")]),
    st.booleans(),
)
def test_padding_does_not_count(lengths, filling, left):
    """A text's row is that of its own tokens, whatever stands before or behind them."""
    longest = max(lengths)
    x = torch.randn(len(lengths), longest, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(len(lengths), longest, dtype=torch.long)
    texts = []
    for i, length in enumerate(lengths):
        where = slice(longest - length, longest) if left else slice(0, length)
        texts.append(x[i, where].clone())
        x[i], mask[i, where] = filling, 1
        x[i, where] = texts[-1]
    for how, row in (
        ("mean", lambda t: t.mean(0)),
        ("first", lambda t: t[0]),
        ("last", lambda t: t[-1]),
    ):
        torch.testing.assert_close(pooled(x, how, None, mask), torch.stack([*map(row, texts)]))


def test_half_precision_is_averaged_in_float32():
    x = torch.full((1, 4096, 2), 1.0).bfloat16()
    x[0, 0] = 256.0
    torch.testing.assert_close(pooled(x, "mean"), torch.full((1, 2), (4095 + 256) / 4096))


def test_named_ways():
    x = torch.arange(24.0).reshape(2, 3, 4)
    torch.testing.assert_close(pooled(x, "first"), x[:, 0])
    torch.testing.assert_close(pooled(x, "last"), x[:, 2])
    torch.testing.assert_close(pooled(x, "flatten"), x.reshape(2, 12))
    torch.testing.assert_close(pooled({"a": x}, lambda out: out["a"].amax(1)), x[:, 2])
    torch.testing.assert_close(pooled(torch.arange(3), "auto"), torch.arange(3.0)[:, None])
    output = {"last_hidden_state": x, "pooler_output": x[:, 1]}
    torch.testing.assert_close(pooled(output, "pooler"), x[:, 1])
    torch.testing.assert_close(pooled(output, "auto"), x.mean(1))


def test_of_several_outputs_one_is_chosen():
    x, y = torch.zeros(2, 3), torch.ones(2, 4)
    assert chosen((x, None)) is x
    assert chosen({"a": x, "b": y}, "b") is y
    assert chosen((x, y), 1) is y
    with pytest.raises(ValueError, match=naming(2, "output=", "'a'", "(2, 3)", "'b'", "(2, 4)")):
        chosen({"a": x, "b": y})
    with pytest.raises(ValueError, match=naming("'hiden'", "'hidden'", "nearest")):
        chosen({"hidden": x, "b": y}, "hiden")
    with pytest.raises(TypeError, match=naming("str", "pooling=")):
        chosen("text")


@pytest.mark.parametrize(
    ("output", "how"),
    [
        (torch.zeros(2, 3), "first"),
        (torch.zeros(2, 3), "pooler"),
        (torch.zeros(2, 3), lambda x: x[0]),
    ],
)
def test_what_is_no_row_a_sample_is_said(output, how):
    with pytest.raises(ValueError, match="pooling"):
        pooled(output, how)
