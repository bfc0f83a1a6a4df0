"""Sampling errors of profiles: prompts are the independent units, tokens are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import eigentropy as eg
from eigentropy._kernels.partitions import Partitions
from eigentropy._measures.sampling.halves import variation_of
from eigentropy.baselines import spectral
from eigentropy.baselines import tokens as baselines
from eigentropy.torch.layers import profile
from eigentropy.torch.layers.measured import ProfiledRows, of_rows
from eigentropy.torch.layers.measuring import differences, profiled
from eigentropy.torch.layers.prompt_sample import MeasuredValue, PromptSample
from eigentropy.torch.layers.within import Within
from tiny_language_models import model_of, states_one_by_one


def corpus(generator, prompts=32, tokens=12, d=6, within=0.5):
    """Tokens (m, d) that are near the vector of their prompt, and the prompt of each."""
    centres = generator.normal(size=(prompts, d)) * [3, 2, 1, 1, 1, 1]
    rows = np.repeat(centres, tokens, axis=0)
    rows += within * generator.normal(size=rows.shape)
    return rows, np.repeat(np.arange(prompts), tokens)


def test_errors_of_vectors_are_those_of_our_functions(gpt2, tokenizer, texts):
    found = profile(gpt2, texts, tokenizer=tokenizer, measures=["rankme", "anisotropy"])
    states = states_one_by_one(gpt2, tokenizer, texts)
    for name, layer in zip(found.names, states, strict=True):
        Z = np.stack([tokens.mean(0) for tokens in layer])
        for measure, function in (
            ("rankme", spectral.rankme), ("anisotropy", baselines.anisotropy),
        ):  # fmt: skip
            error = found.values(measure)[name].sampling_error
            assert error == pytest.approx(variation_of(function, Z).standard_error, rel=1e-3)


@pytest.mark.parametrize("measure", ["kernel_entropy", "rankme"])
def test_the_error_of_tokens_is_how_they_vary_over_other_prompts(measure):
    generator = np.random.default_rng(3)
    values, errors, naive = [], [], []
    for _ in range(20):
        rows, prompts = corpus(generator, prompts=24, tokens=6)
        sample = PromptSample(prompts, None, 0, True)
        one = of_rows(ProfiledRows(rows), [measure], sample, {})[measure]
        values.append(one.value)
        errors.append(one.variation.standard_error)
        alone = PromptSample(np.arange(len(rows)), None, 0, True)
        naive.append(of_rows(ProfiledRows(rows), [measure], alone, {})[measure])
    spread = np.std(values, ddof=1)
    typical = math.sqrt(np.mean(np.square(errors)))
    assert 0.6 * spread < typical < 1.6 * spread
    as_if = math.sqrt(np.mean([one.variation.standard_error**2 for one in naive]))
    assert as_if < 0.7 * spread


def test_labels_that_say_nothing_have_no_information_though_tokens_tell_prompts_apart():
    """A permutation of tokens would find the prompts: their tokens have one label each."""
    generator = np.random.default_rng(5)
    measure, found, naive = "kernel_information", [], []
    for seed in range(8):
        rows, prompts = corpus(generator, prompts=20, within=0.05)
        codes = generator.permutation(np.arange(20) % 2)[prompts]
        sample = PromptSample(prompts, codes, seed, False)
        found.append(of_rows(ProfiledRows(rows), [measure], sample, {})[measure].value)
        naive.append(float(eg.kernel_information(rows, codes, seed=seed)))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error
    assert np.mean(naive) > 10 * error


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(0, 3), st.integers(0, 9))
def test_blocks_stay_together_in_random_partitions(lengths, n_null, seed):
    """Of a random partition, only groups that end inside of a block share one."""
    blocks = np.repeat(np.arange(len(lengths)), lengths)
    codes = np.arange(len(blocks)) % min(3, len(blocks))
    partitions = Partitions.drawn(codes, n_null, seed, blocks)
    for rows in partitions.rows[1:]:
        assert sorted(rows) == list(range(len(blocks)))
        changes = np.count_nonzero(np.diff(blocks[rows]))
        assert changes == len(lengths) - 1
    np.testing.assert_array_equal(partitions.rows[0], Partitions.drawn(codes, 0, 0).rows[0])


@given(st.lists(st.integers(1, 5), min_size=16, max_size=40), st.integers(0, 5))
def test_subsets_of_tokens_are_of_whole_prompts(lengths, seed):
    """All halves have as many rows; each is of whole prompts, but for one at either end."""
    prompts = np.repeat(np.arange(len(lengths)), lengths)
    sets = PromptSample(prompts, None, seed, True).sets
    m = len(prompts)
    assert len(sets) == 32
    for number, rows in enumerate(sets):
        assert len(rows) == (m // 2 if number % 4 < 2 else m - m // 4)
        assert (np.diff(rows) > 0).all()
        counts = np.bincount(prompts[rows], minlength=len(lengths))
        assert np.count_nonzero((counts > 0) & (counts < lengths)) <= 2
    for first, second in zip(sets[::4], sets[1::4], strict=True):
        assert not set(first) & set(second)


def test_layers_that_are_alike_are_tied_and_others_are_not(tokenizer, texts):
    model = model_of("gpt2")
    last = model.transformer.h[1]
    last.forward = lambda states, *_, **__: states
    model.transformer.ln_f = torch.nn.Identity()
    for scope in ("prompts", "tokens", "within"):
        found = profile(model, texts, tokenizer=tokenizer, scope=scope, measures=["dse", "rankme"])
        assert ("block 1", "block 2") in [pair[-2:] for pair in found.ties("dse")]
        assert found.p_values["dse", "block 1", "block 2"] == 1.0
    assert found.p_values["rankme", "embedding", "block 1"] < 1.0


@given(st.integers(1, 40), st.integers(1, 5), st.floats(0.1, 10.0))
def test_the_entropies_of_prompts_are_those_of_our_functions(tokens, prompts, scale):
    generator = np.random.default_rng(tokens)
    several = [scale * generator.normal(size=(tokens, 4)) + i for i in range(prompts)]
    found, _ = Within(("dse", "kernel_entropy")).of(several, list(range(prompts)), None)
    for function, name in ((eg.dse, "dse"), (eg.kernel_entropy, "kernel_entropy")):
        wanted = [float(function(Z)) if tokens > 1 else 0.0 for Z in several]
        np.testing.assert_allclose(found[name][1], wanted, rtol=1e-6, atol=1e-9)


def labelled(generator, prompts=40, tokens=5, d=8, groups=3):
    """Tokens of prompts whose vectors are near that of their label; prompts and labels of each."""
    codes = np.arange(prompts) % groups
    centres = np.random.default_rng(99).normal(size=(groups, d))[codes]
    rows = np.repeat(centres + generator.normal(size=(prompts, d)), tokens, axis=0)
    rows += generator.normal(size=rows.shape)
    return rows, np.repeat(np.arange(prompts), tokens), np.repeat(codes, tokens)


OF_LABELS = ("kernel_information", "kernel_information_adjusted")


def test_errors_of_information_about_labels_are_how_it_varies_over_other_prompts():
    """Also that of the difference from another layer of the same tokens."""
    generator = np.random.default_rng(11)
    values = {one: [] for one in OF_LABELS}
    errors = {one: [] for one in OF_LABELS}
    for seed in range(24):
        rows, prompts, codes = labelled(generator)
        after = rows * np.linspace(1.0, 0.5, rows.shape[1])
        sample = PromptSample(prompts, codes, seed, True)
        layers = [(str(i), of_rows(ProfiledRows(one), OF_LABELS, sample, {}))
                  for i, one in enumerate((rows, after))]  # fmt: skip
        known = profiled(layers, {"0": 8, "1": 8})[0].numbers
        paired = {one.measure: one.difference for one in differences(layers, len(rows), 0.95)}
        for name in OF_LABELS:
            values[name].append((float(known[name]), float(paired[name])))
            errors[name].append((known[name].sampling_error, paired[name].standard_error))
    for name in OF_LABELS:
        spread = np.std(values[name], axis=0, ddof=1)
        typical = np.sqrt(np.mean(np.square(errors[name]), axis=0))
        assert (typical > 0.6 * spread).all()
        assert (typical < 1.6 * spread).all()


MEASURED = ("dse", "dsmi", "dsmi_adjusted", "kernel_entropy", *OF_LABELS,
            "kernel_information_bits", "effective_rank", "rankme", "anisotropy")  # fmt: skip


@settings(max_examples=4)
@given(st.integers(0, 1000), st.sampled_from([1, 3, 6]), st.sampled_from([2, 4]))
def test_no_error_is_0_and_ties_agree_with_errors(seed, tokens, groups):
    """Layers: one, the same again, one of other directions, and one that knows no label."""
    generator = np.random.default_rng(seed)
    rows, prompts, codes = labelled(generator, 32, tokens, groups=groups)
    squeezed = rows * np.linspace(1.0, 0.1, rows.shape[1])
    random = generator.normal(size=rows.shape)
    sample = PromptSample(prompts, codes, seed, True)
    layers = [(str(i), of_rows(ProfiledRows(one), MEASURED, sample, {}))
              for i, one in enumerate((rows, rows, squeezed, random))]  # fmt: skip
    numbers = [one.numbers for one in profiled(layers, dict.fromkeys("0123", 8))]
    assert all(one.sampling_error != 0.0 for layer in numbers for one in layer.values())
    for one in differences(layers, len(rows), 0.95):
        a, b = (numbers[int(name)][one.measure] for name in (one.a, one.b))
        if one.a == "0":
            assert one.difference.p_value == 1.0
        else:
            assert 0.0 < one.difference.standard_error <= a.sampling_error + b.sampling_error


def moves(generator, noise):
    """Values of 32 subsets, twice: alike but for a noise of opposite signs."""
    random = noise * generator.normal(size=32)
    return np.stack([random, -random], axis=1)


@given(st.integers(0, 1000))
def test_an_error_that_chance_hides_is_none_and_is_noted(seed):
    sample = PromptSample(np.arange(40), None, 0, True)
    hidden = MeasuredValue(0.5, sample.moved(0.5, moves(np.random.default_rng(seed), 1.0)))
    assert hidden.variation.note
    number = profiled([("a", {"dsmi": hidden})], {"a": 1})[0].numbers["dsmi"]
    assert math.isnan(number.sampling_error)
    assert differences([(name, {"dsmi": hidden}) for name in "ab"], 40, 0.95)[0].difference == 0.0


@given(st.integers(0, 1000))
def test_far_values_differ_though_chance_hides_how_their_difference_moves(seed):
    generator = np.random.default_rng(seed)
    sample = PromptSample(np.arange(40), None, 0, True)
    # A sum over rows: what one half has more, the other one has less.
    shared = (generator.normal(size=(16, 1)) * [1.0, -1.0]).reshape(32, 1)
    own = moves(generator, 0.05)
    a = MeasuredValue(0.0, sample.moved(0.0, shared + own))
    error = a.variation.standard_error
    b = MeasuredValue(20.0 * error, sample.moved(20.0 * error, shared - own))
    assert math.isnan(b.variation.minus(a.variation).standard_error)
    (found,) = differences([("a", {"dse": a}), ("b", {"dse": b})], 40, 0.95)
    both = error + b.variation.standard_error
    assert found.difference.standard_error == pytest.approx(both)
    assert found.difference.p_value < 0.01


def test_the_ends_of_runs_are_compared_as_neighbours_are(tokenizer, texts):
    """Every block returns what it is given: all layers are one run, whose ends are equal."""
    network = model_of("gpt2")
    for block in network.transformer.h:
        block.forward = lambda states, *_, **__: states
    network.transformer.ln_f = torch.nn.Identity()
    for scope in ("prompts", "within"):
        found = profile(network, texts, tokenizer=tokenizer, measures="dse", scope=scope)
        assert found.ties() == [tuple(found.names)]
        (ends,) = found.ends
        assert ends[:3] == ("dse", found.names[0], found.names[-1])
        assert ends.difference.value == pytest.approx(0.0, abs=1e-9)
        assert found.p_of_ends(*ends[:3]) == pytest.approx(1.0)
    found = profile(model_of("gpt2"), texts, tokenizer=tokenizer, measures=["dse", "anisotropy"])
    runs = {(measure, run[0], run[-1]) for measure in found.measures
            for run in found.ties(measure) if len(run) > 2}  # fmt: skip
    assert {one[:3] for one in found.ends} == runs
    for measure, a, b, one in found.ends:
        values = found.values(measure)
        assert one.value == pytest.approx(values[b] - values[a], abs=1e-6)
