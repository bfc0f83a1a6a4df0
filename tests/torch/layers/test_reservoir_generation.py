"""A reservoir that watches `generate`: each token that a prompt has, once, and no padding."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from eigentropy.torch import TokenReservoir
from messages import naming

PAD, BEGIN, END = 0, 1, 3
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*invalid escape"
)


def decoder(**options):
    torch.manual_seed(0)
    sizes = {"vocab_size": 20, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64}
    ends = {"bos_token_id": BEGIN, "eos_token_id": END, "pad_token_id": PAD}
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**{**sizes, **ends, **options})
    ).eval()


def encoder_decoder():
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=20, d_model=16, num_layers=2, num_heads=2, d_ff=16, d_kv=8, eos_token_id=END,
        pad_token_id=PAD, decoder_start_token_id=PAD,
    )  # fmt: skip
    return transformers.T5ForConditionalGeneration(config).eval()


def prompts(lengths=(5, 3, 5, 1)):
    """Padded on the left."""
    ids = torch.full((len(lengths), max(lengths)), PAD)
    draw = torch.Generator().manual_seed(1)
    for row, length in enumerate(lengths):
        ids[row, max(lengths) - length :] = torch.randint(4, 20, (length,), generator=draw)
    return ids, (ids != PAD).long()


def ending(rows):
    """Makes each row of `generate` end after as many new tokens, and never by chance."""
    steps = iter(range(1000))

    def process(ids, scores):
        step = next(steps)
        scores[:, [PAD, BEGIN, END]] = -torch.inf
        for row, count in enumerate(rows):
            if step == count:
                scores[row] = -torch.inf
                scores[row, END] = 0.0
        return scores

    return [process]


def generated(model, ids, mask, **options):
    torch.manual_seed(2)
    options = {"max_new_tokens": 8, "do_sample": True, **options}
    return model.generate(ids, attention_mask=mask, **options)


def watching(model, layers="auto", **options):
    return TokenReservoir(model, layers, **{"n": 1000, "dtype": "float32", **options})


def counts(reservoir):
    """How many tokens of each prompt there are; their positions must be 0, 1, ..."""
    found = []
    for prompt in range(reservoir.prompts_seen):
        positions = reservoir.positions[reservoir.prompts == prompt]
        assert np.array_equal(positions, np.arange(len(positions)))
        found.append(len(positions))
    return found


def read_by_hand(model, sequences, ids, mask, kept):
    """The hidden states of each prompt by itself, without cache or padding."""
    for row, count in enumerate(kept):
        tokens = torch.cat([ids[row][mask[row] > 0], sequences[row, ids.shape[1] :]])[None, :count]
        with torch.no_grad():
            yield model(tokens, output_hidden_states=True).hidden_states


MODEL, SEEDS = decoder(), st.integers(0, 99)


@pytest.mark.parametrize("lengths", [(5, 3, 5, 1), (4, 4, 4)])
def test_the_tokens_are_those_of_each_prompt_and_what_follows_until_its_end(lengths):
    """With padding there is a mask at each step, and without there is none."""
    model, (ids, mask) = decoder(), prompts(lengths)
    ends = [2, 7, 0, 4][: len(lengths)]
    with watching(model) as reservoir:
        sequences = generated(model, ids, mask, logits_processor=ending(ends))
    kept = [length + end for length, end in zip(lengths, ends, strict=True)]
    assert counts(reservoir) == kept
    assert reservoir.seen == sum(kept)
    for row, states in enumerate(read_by_hand(model, sequences, ids, mask, kept)):
        for number, name in enumerate(("embedding", "transformer.h.0")):
            found = reservoir.rows(name)[reservoir.prompts == row]
            assert found == pytest.approx(states[number][0].numpy(), abs=1e-5)


@pytest.mark.parametrize("batches", [[4], [1, 3], [1, 1, 1, 1]])
def test_how_prompts_are_batched_changes_nothing(batches):
    """One that ends early is alone the last to be read, and in a batch it is not."""
    model, (ids, mask) = decoder(), prompts()
    found = []
    for sizes in (batches, [4]):
        with watching(model, n=17) as reservoir:
            start = 0
            for size in sizes:
                rows = slice(start, start + size)
                generated(
                    model, ids[rows], mask[rows], logits_processor=ending([2, 7, 0, 4][rows]),
                    do_sample=False,
                )  # fmt: skip
                start += size
        found.append(reservoir)
    a, b = found
    assert np.array_equal(a.prompts, b.prompts)
    assert np.array_equal(a.positions, b.positions)
    assert a.rows(2) == pytest.approx(b.rows(2), abs=1e-5)


def test_a_row_that_ends_by_its_length_or_a_rule_is_followed_by_padding_that_does_not_count():
    class Stops(transformers.StoppingCriteria):
        def __call__(self, ids, scores, **_):
            return torch.tensor([len(one) >= 5 + k for k, one in enumerate(ids, start=1)])

    model, (ids, mask) = decoder(), prompts((5, 5, 5))
    with watching(model) as reservoir:
        generated(
            model, ids, mask, stopping_criteria=[Stops()], logits_processor=ending([99] * 3)
        )  # fmt: skip
    # The last new token of a row is read if other rows go on.
    assert counts(reservoir) == [6, 7, 7]


@pytest.mark.parametrize("cache", [{}, {"use_cache": False}, {"cache_implementation": "static"}])
def test_padding_that_is_drawn_by_chance_ends_no_row(cache):
    model, (ids, mask) = decoder(), prompts((4, 4))

    def process(ids, scores):
        scores[:] = -torch.inf
        scores[:, PAD if ids.shape[1] == 5 else 7] = 0.0
        return scores

    with watching(model) as reservoir:
        generated(model, ids, mask, logits_processor=[process], max_new_tokens=5, **cache)
    positions = reservoir.positions[reservoir.prompts == 0]
    assert positions.tolist() == [0, 1, 2, 3, 4, 6, 7]


def test_end_tokens_that_generate_is_given_are_given_to_the_reservoir():
    model, (ids, mask) = decoder(), prompts((4, 4))

    def process(ids, scores):
        scores[:] = -torch.inf
        scores[:, 9] = 0.0
        scores[0, 9], scores[0, 7] = (-torch.inf, 0.0) if ids.shape[1] == 5 else (0.0, -torch.inf)
        return scores

    for ends, kept in ((7, [5, 11]), ([7, 8], [5, 11]), (None, [6, 11])):
        with watching(model, end_tokens=ends) as reservoir:
            generated(model, ids, mask, logits_processor=[process], eos_token_id=7)
        assert counts(reservoir) == kept


def test_one_token_that_ends_a_part_of_a_prompt_is_read_as_the_others():
    model, (ids, mask) = decoder(), prompts((5, 5))
    ids[:, 2] = END
    with watching(model) as reservoir:
        generated(model, ids, mask, logits_processor=ending([9, 9]), max_new_tokens=3)
    assert counts(reservoir) == [7, 7]


def test_a_prompt_that_is_read_in_chunks_is_one():
    model, (ids, mask) = decoder(), prompts((6, 4))
    whole = watching(model)
    with whole:
        generated(model, ids, mask, logits_processor=ending([3, 5]), do_sample=False)
    with watching(model) as reservoir:
        generated(
            model, ids, mask, logits_processor=ending([3, 5]), do_sample=False, prefill_chunk_size=2
        )
    assert counts(reservoir) == counts(whole) == [9, 9]
    assert reservoir.rows(2) == pytest.approx(whole.rows(2), abs=1e-5)


def test_generations_that_alternate_are_told_by_their_caches():
    """As with guidance, where a model reads two prompts at each step."""
    model, (ids, _) = decoder(), prompts((4, 4))
    with watching(model) as reservoir, torch.no_grad():
        caches = [None, None]
        for start, end in ((0, 2), (2, 3), (3, 4)):
            for row in range(2):
                output = model(
                    ids[row : row + 1, start:end], past_key_values=caches[row], use_cache=True
                )
                caches[row] = output.past_key_values
    assert reservoir.prompts_seen == 2
    assert counts(reservoir) == [4, 4]


def test_a_step_that_raises_is_read_again():
    model, (ids, _) = decoder(), prompts((4, 4))
    with watching(model) as reservoir, torch.no_grad():
        output = model(ids[:, :3], use_cache=True)
        handle = model.lm_head.register_forward_pre_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model(ids[:, 3:], past_key_values=None, use_cache=True)
        handle.remove()
        model(ids[:, 3:], past_key_values=output.past_key_values)
    assert counts(reservoir) == [4, 4]


def test_several_sequences_of_a_prompt_are_prompts_of_their_own():
    model, (ids, mask) = decoder(), prompts((5, 3))
    with watching(model) as reservoir:
        generated(
            model, ids, mask, num_return_sequences=3, logits_processor=ending([1, 2, 3, 0, 4, 5])
        )
    assert reservoir.prompts_seen == 6
    assert counts(reservoir) == [6, 7, 8, 3, 7, 8]


def test_each_token_that_beams_have_read_counts():
    model, (ids, mask) = decoder(), prompts((5, 3))
    with watching(model) as reservoir:
        generated(
            model, ids, mask, num_beams=3, do_sample=False, max_new_tokens=4,
            logits_processor=ending([]),
        )  # fmt: skip
    assert reservoir.prompts_seen == 6
    assert counts(reservoir) == [8, 8, 8, 6, 6, 6]


def test_the_first_tokens_that_are_dropped_are_those_of_the_prompt_and_not_of_each_step():
    model, (ids, mask) = decoder(), prompts((5, 1))
    with watching(model, drop_first=2) as reservoir:
        generated(model, ids, mask, logits_processor=ending([9, 9]), max_new_tokens=5)
    assert reservoir.positions[reservoir.prompts == 0].tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert reservoir.positions[reservoir.prompts == 1].tolist() == [2, 3, 4]


# Of transformers: no cache, and one of fixed size, whose masks have four dimensions.
OTHER_CACHES = [{"use_cache": False}, {"cache_implementation": "static"}]


def llama(attention):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, pad_token_id=PAD, bos_token_id=BEGIN, eos_token_id=END,
        attn_implementation=attention,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


@pytest.mark.parametrize("cache", OTHER_CACHES)
@pytest.mark.parametrize("make", [decoder, lambda: llama("eager"), lambda: llama("sdpa")])
@pytest.mark.parametrize("lengths", [(5, 3, 5, 1), (4, 4, 4, 4), (1, 1, 1, 1)])
def test_tokens_are_the_same_whatever_the_cache(make, cache, lengths):
    model, (ids, mask) = make(), prompts(lengths)
    ends = ending([2, 7, 0, 4])
    with watching(model) as usual:
        generated(model, ids, mask, logits_processor=ends, do_sample=False)
    with watching(model) as reservoir:
        generated(model, ids, mask, logits_processor=ending([2, 7, 0, 4]), do_sample=False, **cache)
    assert reservoir.seen == usual.seen
    assert (
        counts(reservoir)
        == counts(usual)
        == [n + k for n, k in zip(lengths, [2, 7, 0, 4], strict=True)]
    )
    for layer in range(3):
        assert reservoir.rows(layer) == pytest.approx(usual.rows(layer), abs=1e-5)


@pytest.mark.parametrize("cache", [{}, *OTHER_CACHES])
def test_each_generation_is_one_of_its_own_also_of_the_same_prompts(cache):
    model, (ids, mask) = decoder(), prompts((4, 2))
    with watching(model) as reservoir:
        for _ in range(2):
            generated(model, ids, mask, logits_processor=ending([9, 9]), max_new_tokens=3, **cache)
    assert counts(reservoir) == [6, 4, 6, 4]


@pytest.mark.parametrize("count", [1, 3])
def test_beams_without_a_cache_have_each_token_that_is_read(count):
    model, (ids, mask) = decoder(), prompts((5, 3))
    with watching(model) as reservoir:
        generated(
            model, ids, mask, num_beams=3, do_sample=False, max_new_tokens=4, use_cache=False,
            logits_processor=ending([]), num_return_sequences=count,
        )  # fmt: skip
    assert counts(reservoir) == [8, 8, 8, 6, 6, 6]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_only_one_token_more_of_all_rows_and_no_cache_wanted_goes_on(data):
    """Any other pass has prompts of its own, whatever tokens it shares with the one before."""
    (ids, mask), model = prompts((4, 4, 3)), MODEL
    change = data.draw(
        st.sampled_from(["nothing", "same", "two more", "a token", "padding", "rows", "a cache"])
    )
    more = torch.randint(4, 20, (3, 2), generator=torch.Generator().manual_seed(data.draw(SEEDS)))
    width = {"same": 0, "two more": 2}.get(change, 1)
    then, real = (
        torch.cat([ids, more[:, :width]], 1),
        torch.nn.functional.pad(mask, (0, width), value=1),
    )
    row = data.draw(st.integers(0, 2))
    if change == "a token":
        then[row, data.draw(st.integers(1, 3))] ^= 1
    if change == "padding":
        real[row, : data.draw(st.integers(2, 3))] = 0
    if change == "rows":
        then, real = then[:2], real[:2]
    with watching(model) as reservoir, torch.no_grad():
        model(ids, attention_mask=mask, use_cache=False)
        model(then, attention_mask=real, use_cache=None if change == "a cache" else False)
    new = 0 if change == "nothing" else len(then)
    assert reservoir.prompts_seen == 3 + new
    assert reservoir.seen == int(mask.sum()) + (int(real.sum()) if new else 3)


def test_tokens_in_a_buffer_are_known_as_they_were():
    """A loop may write the next token into the tensor that the model has read."""
    model, (ids, _) = decoder(), prompts((4, 4))
    with watching(model) as reservoir, torch.no_grad():
        model(ids[:, :3], use_cache=False)
        ids[:, 1] ^= 1
        model(ids, use_cache=False)
    assert counts(reservoir) == [3, 3, 4, 4]


def test_masks_by_which_tokens_see_others_than_those_before_them_are_named():
    model, (ids, _) = decoder(), prompts((4, 4))
    window = torch.ones(4, 4).tril().triu(-1).bool().expand(2, 1, 4, 4)
    with (
        watching(model) as reservoir,
        pytest.warns(UserWarning, match=naming("attention_mask", "mask=", "does not count")),
    ):
        model(ids, attention_mask=window)
    assert reservoir.seen == 0
    with watching(model, mask=lambda call: call["attention_mask"][:, 0].any(dim=1)) as reservoir:
        model(ids, attention_mask=window)
    assert counts(reservoir) == [4, 4]


@pytest.mark.parametrize("added", [False, True])
def test_a_mask_by_which_tokens_see_those_before_them_says_which_are_real(added):
    model, (ids, mask) = decoder(), prompts((5, 2))
    sees = (mask[:, None, None] * torch.ones(5, 5).tril()) > 0
    given_mask = torch.where(sees, 0.0, -1e9) if added else sees
    with watching(model) as reservoir, torch.no_grad():
        model(ids, attention_mask=given_mask)
    assert counts(reservoir) == [5, 2]


@pytest.mark.parametrize("layers", ["auto", "decoder.block.*"])
def test_an_encoder_and_its_decoder_have_their_own_tokens(layers):
    model, (ids, mask) = encoder_decoder(), prompts((5, 3, 4))
    ids, mask = ids.flip(1), mask.flip(1)
    with warnings.catch_warnings(), watching(model, layers) as reservoir:
        warnings.simplefilter("error", UserWarning)
        generated(model, ids, mask, logits_processor=ending([2, 0, 5]))
    if layers == "auto":
        assert reservoir.layers == ("embedding", "encoder.block.0", "encoder.block.1")
        assert counts(reservoir) == [5, 3, 4]
    else:  # with the token at which it starts
        assert counts(reservoir) == [3, 1, 6]


def test_a_decoder_that_is_taught_has_the_mask_of_the_decoder():
    model, (ids, mask) = encoder_decoder(), prompts((5, 3))
    targets = torch.tensor([[PAD, 5, 6, 7], [PAD, 8, 0, 0]])
    given = {
        "decoder_input_ids": targets,
        "decoder_attention_mask": torch.tensor([[1] * 4, [1, 1, 0, 0]]),
    }
    with watching(model, "decoder.block.*") as reservoir:
        model(input_ids=ids, attention_mask=mask, **given)
    assert counts(reservoir) == [4, 2]


def test_layers_of_the_encoder_and_of_the_decoder_are_refused_together():
    with pytest.raises(ValueError, match=naming("'encoder.block.0'", "'decoder.block.1'")):
        TokenReservoir(encoder_decoder(), ["encoder.block.0", "decoder.block.1"])


def test_hidden_states_of_generate_can_be_added_step_by_step():
    model, (ids, mask) = decoder(), prompts((5, 3))
    hooked = watching(model, n=11)
    with hooked:
        output = generated(
            model, ids, mask, logits_processor=ending([9, 9]), max_new_tokens=4,
            output_hidden_states=True, return_dict_in_generate=True,
        )  # fmt: skip
    added, end = TokenReservoir(n=11, dtype="float32"), 0
    full = torch.nn.functional.pad(mask, (0, 4), value=1)
    for states in output.hidden_states:
        end += states[0].shape[1]
        added.add(states, full[:, :end])
    assert np.array_equal(hooked.positions, added.positions)
    assert np.array_equal(hooked.rows("transformer.h.0"), added.rows(1))
