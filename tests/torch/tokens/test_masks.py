"""Which tokens are kept, and where their mask is found."""

from __future__ import annotations

import functools
from collections import UserDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch.tokens.calls import (
    Call,
    CallMask,
    Calls,
    mask_of_calls,
    modules_around,
    named_arguments,
)
from eigentropy.torch.tokens.masks import NoTokenError, kept_tokens, mask_of_call
from messages import naming

nn = torch.nn
MASK = torch.tensor([[0, 1, 1], [1, 1, 1]])


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=8)), st.data())
@settings(deadline=None, max_examples=200)
def test_kept_are_all_real_tokens_but_the_first_ones_of_each_prompt(real, data):
    prompts, width = real.shape
    drop_first = data.draw(st.integers(0, 4))
    tokens = data.draw(st.integers(1, width))  # of a step of generation, with a cache
    expected = np.array([
        [is_real and row[:k].sum() >= drop_first for k, is_real in enumerate(row)] for row in real
    ])[:, width - tokens :]  # fmt: skip
    mask, shape = torch.from_numpy(real), (prompts, tokens)
    if expected.any(axis=1).all():
        assert np.array_equal(kept_tokens(mask, shape, drop_first, cached=True), expected)
        assert np.array_equal(kept_tokens(mask.long(), shape, drop_first, cached=True), expected)
    else:
        empty = int(np.argmin(expected.any(axis=1)))
        words = naming(f"prompt {empty}", int(real[empty].sum()), f"drop_first={drop_first}")
        with pytest.raises(NoTokenError, match=words):
            kept_tokens(mask, shape, drop_first, cached=True)
        own = range(100, 100 + prompts)
        with pytest.raises(NoTokenError, match=naming(f"prompt {100 + empty}")):
            kept_tokens(mask, shape, drop_first, cached=True, numbers=own)
    if tokens < width:
        with pytest.raises(ValueError, match=naming("mask", f"{real.shape}", f"{tokens} tokens")):
            kept_tokens(mask, shape, drop_first)


def test_without_a_mask_all_tokens_are_real():
    assert kept_tokens(None, (2, 3)).all()
    assert kept_tokens(None, (2, 3), 1).tolist() == [[False, True, True]] * 2


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (1, 3), (2, 2)])
def test_a_mask_of_other_tokens_is_refused(shape):
    words = naming("mask", "(2, 3)", f"{shape[0]} prompts", f"{shape[1]} tokens")
    with pytest.raises(ValueError, match=words):
        kept_tokens(MASK, shape)
    if shape != (2, 2):
        with pytest.raises(ValueError, match=words) as caught:
            CallMask(MASK, shape[1]).kept(torch.zeros(*shape, 1))
        assert "mask=" in str(caught.value)


def test_a_step_with_a_cache_has_the_last_columns():
    _, kept, _ = CallMask(MASK, 2).kept(torch.zeros(2, 2, 1))
    assert torch.equal(kept, MASK[:, 1:] > 0)


@pytest.mark.parametrize("mask", [torch.ones(2, 1, 3, 3), torch.ones(3)])
def test_a_mask_of_another_kind_is_refused(mask):
    with pytest.raises(ValueError, match=naming(f"{tuple(mask.shape)}")) as caught:
        kept_tokens(mask, (2, 3))
    assert "mask=" not in str(caught.value)
    with pytest.raises(ValueError, match=naming("attention_mask", f"{tuple(mask.shape)}")):
        mask_of_call((), {"attention_mask": mask})


def test_a_mask_that_is_added_to_scores_is_refused():
    """It is 0 where a token is real."""
    added = torch.where(MASK > 0, 0.0, -torch.inf)
    for call in (
        lambda: kept_tokens(added, (2, 3)),
        lambda: mask_of_call((), {"attention_mask": added}),
    ):
        with pytest.raises(ValueError, match=naming("mask", "below 0")) as caught:
            call()
        assert "lambda" not in str(caught.value)
    calls = called(Calls(), Two(), model=((IDS, added), {}))
    with pytest.raises(ValueError, match=naming("attention_mask", "below 0", "lambda call")):
        calls.mask_of("encoder")
    calls = called(Calls(lambda call: call["attention_mask"] == 0), Two(), model=((IDS, added), {}))
    assert torch.equal(calls.mask_of("encoder").mask, MASK > 0)


def test_a_mask_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match=naming("mask", "NaN")):
        kept_tokens(MASK * torch.nan, (2, 3))


def test_a_mask_is_found_by_its_name():
    assert mask_of_call((), {"attention_mask": MASK}) is MASK
    assert mask_of_call(({"attention_mask": MASK},), {}) is MASK
    assert mask_of_call((UserDict(attention_mask=MASK),), {"attention_mask": None}) is MASK
    assert mask_of_call((MASK,), {"mask": MASK}) is None
    with pytest.raises(TypeError, match=naming("attention_mask", "dict")):
        mask_of_call((), {"attention_mask": {"full": MASK}})


# ---- The mask of a layer ------------------------------------------------------------------------


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Identity()

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, **others):
        return self.layer(input_ids)


class Two(nn.Module):
    """As an encoder and a decoder."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Tower(), Tower()

    def forward(self, input_ids, attention_mask=None, target=None, target_mask=None):
        return self.encoder(input_ids, attention_mask), self.decoder(target, target_mask)


def called(calls, of, /, **around):
    """The calls that are under way, by the names of their modules."""
    modules = {"": of, **dict(of.named_modules())}
    for name, (arguments, keywords) in around.items():
        path = name.removeprefix("model")
        calls.begin(path, modules[path], arguments, keywords)
    return calls


IDS = torch.zeros(2, 3, dtype=torch.long)


def test_the_mask_is_that_of_the_nearest_call_with_tokens():
    other = torch.ones(2, 3)
    calls = called(
        Calls(), Two(), model=((IDS, MASK), {}), decoder=((), {"inputs_embeds": other}),
        encoder=((IDS,), {"attention_mask": other}),
    )  # fmt: skip
    assert calls.mask_of("encoder.layer").mask is other
    assert calls.mask_of("encoder").mask is other
    assert calls.mask_of("decoder.layer").mask is None  # not the encoder's
    calls.end("encoder")
    assert calls.mask_of("encoder.layer").mask is MASK
    calls.clear()
    assert calls.mask_of("encoder.layer").mask is None


def test_masks_inside_of_a_model_are_passed_over():
    inner = torch.ones(2, 1, 3, 3)
    calls = called(
        Calls(), Two(), model=((IDS, MASK), {}),
        encoder=((), {"inputs_embeds": IDS, "attention_mask": inner}),
    )  # fmt: skip
    assert calls.mask_of("encoder.layer").mask is MASK
    calls.end("")
    with pytest.raises(ValueError, match=naming("attention_mask", "(2, 1, 3, 3)")):
        calls.mask_of("encoder.layer")


def test_a_mask_may_be_named_or_computed():
    target = torch.ones(2, 5)
    call = {"model": ((IDS, MASK, None, target), {})}
    assert called(Calls("target_mask"), Two(), **call).mask_of("decoder").mask is target
    assert called(Calls("attention_mask"), Two(), **call).mask_of("decoder").mask is MASK
    assert called(Calls(False), Two(), **call).mask_of("encoder").mask is None
    inverted = called(Calls(lambda call: call["target_mask"] == 0), Two(), **call)
    assert not inverted.mask_of("encoder").mask.any()
    assert called(Calls(lambda call: None), Two(), **call).mask_of("encoder").mask is None
    with pytest.raises(ValueError, match=naming("mask='mask'", "'target_mask'")):
        called(Calls("mask"), Two(), **call).mask_of("encoder")
    with pytest.raises(ValueError, match=naming("mask", "(2,)")):
        called(Calls(lambda call: torch.ones(2)), Two(), **call).mask_of("encoder")
    with pytest.raises(TypeError, match=naming("mask", "Tensor")):
        Calls(MASK)


@given(
    st.lists(st.sampled_from(["none", "tokens", "mask", "both", "scores"]), min_size=1, max_size=4),
    st.sampled_from([None, "attention_mask"]),
)
def test_the_rule_for_calls_inside_of_each_other(kinds, option):
    """By hand: the nearest that says something, of what is (prompts, tokens)."""
    masks = [torch.ones(2, 3) for _ in kinds]
    calls = []
    for kind, mask in zip(kinds, masks, strict=True):
        call = {"attention_mask": None}
        if kind in ("tokens", "both"):
            call["input_ids"] = IDS
        if kind in ("mask", "both"):
            call["attention_mask"] = mask
        if kind == "scores":
            call["attention_mask"] = torch.ones(2, 1, 3, 3)
        calls.append(Call(call))
    says = ("mask", "both") if option else ("mask", "both", "tokens")
    nearest = next((k for k, kind in enumerate(kinds) if kind in says), None)
    if nearest is None and option and "scores" in kinds:
        with pytest.raises(ValueError, match=naming("attention_mask", "(2, 1, 3, 3)")):
            mask_of_calls(calls, option)
        return
    found = mask_of_calls(calls, option).mask
    assert found is (None if nearest is None or kinds[nearest] == "tokens" else masks[nearest])


def test_a_mask_with_a_name_is_that_of_the_nearest_call_that_has_it():
    other = torch.ones(2, 3)
    calls = called(
        Calls("attention_mask"), Two(), model=((IDS, MASK), {}), decoder=((IDS, other), {})
    )
    assert calls.mask_of("decoder.layer").mask is other
    assert calls.mask_of("encoder.layer").mask is MASK


def test_a_block_that_has_the_mask_of_a_cache_has_as_many_tokens_as_states():
    states, longer = torch.zeros(2, 1, 4), torch.ones(2, 5)
    found = mask_of_calls([Call({"hidden_states": states, "attention_mask": longer})])
    assert found.kept(states)[1].tolist() == [[True], [True]]


def test_a_function_that_has_no_hash_gives_the_mask():
    class Inverted:
        __hash__ = None

        def __call__(self, call):
            return call["padding"]

    assert mask_of_calls([Call({}), Call({"padding": MASK})], Inverted()).mask is MASK


def test_arguments_have_the_names_that_a_module_gives_them():
    model = Tower()
    expected = {"input_ids": IDS, "attention_mask": MASK, "cache": 3}
    assert named_arguments(model, (IDS, MASK), {"cache": 3}) == expected
    forward = model.forward

    @functools.wraps(forward)  # as accelerate does where it sends parts of a model to devices
    def sent(*arguments, **keywords):
        return forward(*arguments, **keywords)

    model.forward = sent
    assert named_arguments(model, (IDS, MASK), {"cache": 3}) == expected
    assert named_arguments(model, (IDS,), {}) == {"input_ids": IDS, "attention_mask": None}
    assert named_arguments(nn.Linear(2, 2), (IDS,), {}) == {"input": IDS}

    class Rest(nn.Module):
        def forward(self, *arguments, **keywords):
            return arguments

    batch = named_arguments(Rest(), (MASK, {"input_ids": IDS}), {"cache": 3})
    assert batch == {"arguments": {"input_ids": IDS}, "cache": 3}
    assert Call(batch).argument("input_ids") is IDS
    too_many = named_arguments(nn.Linear(2, 2), (IDS, MASK), {"attention_mask": MASK})
    assert too_many == {"attention_mask": MASK}


def test_the_modules_around_layers_are_watched():
    model = Two()
    modules = dict(model.named_modules())
    found = modules_around(model, modules, ["encoder.layer"])
    assert list(found) == ["", "encoder", "encoder.layer"]
    assert found[""] is model


def test_a_layer_with_other_tokens_than_the_call_has_no_kept_tokens():
    mask = CallMask(MASK)
    assert mask.kept(torch.zeros(2, 3, 4))[2] == 5
    for tokens in (2, 4):
        words = naming(f"{tokens} tokens", 3, "mask=")
        with pytest.raises(ValueError, match=words):
            mask.kept(torch.zeros(2, tokens, 4))
    cached = CallMask(MASK, tokens=1)
    assert cached.kept(torch.zeros(2, 1, 4), 1)[1].tolist() == [[True], [True]]


@pytest.mark.filterwarnings("ignore:.*nested.*")
def test_nested_states_have_the_tokens_of_the_mask_or_none():
    mask, texts = CallMask(MASK), [torch.zeros(2, 4), torch.ones(3, 4)]
    states, kept, tokens = mask.kept(torch.nested.nested_tensor(texts), 1)
    assert states.shape == (2, 3, 4)
    assert kept.tolist() == [[False, True, False], [False, True, True]]
    assert tokens == 3
    with pytest.raises(ValueError, match=naming("3, 2", "2, 3", "mask=False")):
        mask.kept(torch.nested.nested_tensor(texts[::-1]))


def test_an_embedding_of_tokens_has_the_mask_of_its_model():
    class Embeddings(nn.Module):
        def forward(self, input_ids):
            return input_ids

    model = Tower()
    model.layer = Embeddings()
    around = {"model": ((IDS, MASK), {}), "layer": ((), {"input_ids": IDS})}
    assert called(Calls(), model, **around).mask_of("layer").mask is MASK


def test_pictures_beside_texts_have_no_mask():
    class Pictures(nn.Module):
        def forward(self, pixel_values):
            return pixel_values

    model = Tower()
    model.layer = Pictures()
    around = {"model": ((IDS, MASK), {}), "layer": ((torch.ones(2, 3, 4, 4),), {})}
    assert called(Calls(), model, **around).mask_of("layer").mask is None
