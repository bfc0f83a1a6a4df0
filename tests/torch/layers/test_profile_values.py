"""Every measure of a profile beside its definition, text by text and without padding."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import eigentropy as eg
from eigentropy import reference
from eigentropy.torch.layers import profile
from tiny_language_models import model_of, states_one_by_one

LAYERS = ["embedding", "block 1", "block 2"]


def means(layer):
    return np.stack([tokens.mean(0) for tokens in layer])


def shannon(p):
    p = p[p > 1e-15]
    return -float(p @ np.log(p))


def effective_rank(Z):
    s = np.linalg.svd(Z, compute_uv=False)
    return math.exp(shannon(s / s.sum()))


def rankme(Z):
    s = np.linalg.svd(Z, compute_uv=False)
    p = s / s.sum() + 1e-7
    return math.exp(-float(p @ np.log(p)))


def prompt_entropy(Z):
    squares = np.linalg.svd(Z, compute_uv=False) ** 2
    return shannon(squares / squares.sum()) / math.log(2)


def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def anisotropy(Z):
    return np.mean([cosine(a, b) for a, b in itertools.permutations(Z, 2)])


def curvature(Z):
    steps = np.diff(Z, axis=0)
    return np.mean([math.acos(cosine(a, b)) for a, b in itertools.pairwise(steps)])


def gram(Z, sigma):
    squared = ((Z[:, None] - Z[None]) ** 2).sum(axis=2)
    return np.exp(-squared / (2 * sigma**2))


def entropy(G):
    return shannon(np.linalg.eigvalsh(G / len(G))) / math.log(2)


def kernel_entropy(Z):
    return entropy(gram(Z, eg.bandwidth(Z)))


def dse(Z):
    return reference.diffusion_spectral_entropy(Z, sigma=eg.bandwidth(Z))


OF_ROWS = {
    "dse": dse, "kernel_entropy": kernel_entropy, "effective_rank": effective_rank,
    "rankme": rankme, "anisotropy": anisotropy,
}  # fmt: skip
OF_PROMPTS = {"prompt_entropy": prompt_entropy, "curvature": curvature}


def check(found, measure, expected, rtol=1e-5):
    values = [float(one) for one in found.values(measure).values()]
    np.testing.assert_allclose(values, expected, rtol=rtol, atol=1e-6)


@pytest.fixture
def states(bert, tokenizer, texts):
    return states_one_by_one(bert, tokenizer, texts)


def test_vectors_of_prompts(bert, tokenizer, texts, states):
    names = [*OF_ROWS, *OF_PROMPTS]
    found = profile(bert, texts, tokenizer=tokenizer, measures=names, sampling=False)
    assert found.names == LAYERS
    assert (found.n, found.prompts, found.tokens) == (40, 40, sum(map(len, states[0])))
    for name, function in OF_ROWS.items():
        check(found, name, [function(means(layer)) for layer in states])
    for name, function in OF_PROMPTS.items():
        check(found, name, [np.mean([function(one) for one in layer]) for layer in states])


@pytest.mark.parametrize("pooling", ["last", "first"])
def test_other_poolings(gpt2, tokenizer, texts, pooling):
    found = profile(
        gpt2, texts, tokenizer=tokenizer, pooling=pooling, measures="rankme", sampling=False
    )
    place = {"last": -1, "first": 0}[pooling]
    states = states_one_by_one(gpt2, tokenizer, texts)
    check(found, "rankme", [rankme(np.stack([one[place] for one in layer])) for layer in states])


def test_tokens_of_all_prompts(bert, tokenizer, texts, states):
    names = [*OF_ROWS, *OF_PROMPTS]
    found = profile(
        bert, texts, tokenizer=tokenizer, scope="tokens", measures=names, sampling=False
    )
    rows = [np.concatenate(layer) for layer in states]
    assert found.n == found.tokens == len(rows[0])
    for name, function in OF_ROWS.items():
        check(found, name, [function(Z) for Z in rows])
    for name, function in OF_PROMPTS.items():
        check(found, name, [np.mean([function(one) for one in layer]) for layer in states])


def test_tokens_of_each_prompt(bert, tokenizer, texts, states):
    found = profile(bert, texts, tokenizer=tokenizer, scope="within")
    assert set(found.measures) == {*OF_ROWS, *OF_PROMPTS}
    for name, function in {**OF_ROWS, **OF_PROMPTS}.items():
        values = np.array([[function(one) for one in layer] for layer in states])
        check(found, name, values.mean(axis=1))
        errors = [float(one.sampling_error) for one in found.values(name).values()]
        wanted = values.std(axis=1, ddof=1) / math.sqrt(len(texts))
        np.testing.assert_allclose(errors, wanted, rtol=1e-4)


@pytest.mark.parametrize("normalize", ["l2", "layer"])
def test_tokens_are_normalised_before_they_are_pooled(bert, tokenizer, texts, states, normalize):
    found = profile(
        bert, texts, tokenizer=tokenizer, normalize=normalize, drop_first=1, measures="rankme",
        sampling=False,
    )  # fmt: skip

    def normalised(Z):
        if normalize == "l2":
            return Z / np.linalg.norm(Z, axis=1, keepdims=True)
        return (Z - Z.mean(1, keepdims=True)) / Z.std(1, keepdims=True)

    rows = [np.stack([normalised(one)[1:].mean(0) for one in layer]) for layer in states]
    check(found, "rankme", [rankme(Z) for Z in rows])
    assert found.tokens == sum(len(one) - 1 for one in states[0])


def test_labels_are_as_our_functions_have_them(bert, tokenizer, texts, labels, states):
    found = profile(bert, texts, tokenizer=tokenizer, labels=labels, sampling=False)
    diffusion = [eg.dsmi(means(layer), labels) for layer in states]
    kernel = [eg.kernel_information(means(layer), labels) for layer in states]
    check(found, "dsmi", [float(one) for one in diffusion], 1e-4)
    check(found, "dsmi_adjusted", [one.adjusted() for one in diffusion], 1e-4)
    check(found, "kernel_information", [float(one) for one in kernel], 1e-4)
    check(found, "kernel_information_adjusted", [one.adjusted() for one in kernel], 1e-4)
    check(found, "kernel_information_bits", [one.bits() for one in kernel], 1e-4)


def joint(a, b):
    """The joint kernel of rows, each of the width of their median distance."""
    return entropy(gram(a, eg.bandwidth(a) / 0.35) * gram(b, eg.bandwidth(b) / 0.35))


def test_the_next_layer_by_the_joint_kernel(bert, tokenizer, texts, states):
    measure = "kernel_information_next"
    found = profile(bert, texts, tokenizer=tokenizer, measures=measure, n_null=40, sampling=False)
    generator = np.random.default_rng(0)
    expected = []
    for layer, after in itertools.pairwise(states):
        a, b = means(layer), means(after)
        orders = [joint(a, b[generator.permutation(len(b))]) for _ in range(40)]
        expected.append(np.mean(orders) - joint(a, b))
    check(found, measure, expected, 0.02)
    assert list(found.values(measure)) == LAYERS[:2]
    within = profile(bert, texts, tokenizer=tokenizer, scope="within", measures=measure)
    expected = []
    for layer, after in itertools.pairwise(states):
        several = []
        for a, b in zip(layer, after, strict=True):
            orders = [joint(a, b[generator.permutation(len(b))]) for _ in range(20)]
            several.append(np.mean(orders) - joint(a, b))
        expected.append(np.mean(several))
    check(within, measure, expected, 0.05)


def test_two_views(gpt2, tokenizer, texts):
    others = [text[::-1] for text in texts]
    found = profile(
        gpt2, texts, tokenizer=tokenizer, views=others, measures=["dime", "infonce"], n_null=40,
        temperature=0.2, sampling=False,
    )  # fmt: skip
    generator = np.random.default_rng(0)
    expected = {"dime": [], "infonce": []}
    pairs = zip(
        states_one_by_one(gpt2, tokenizer, texts), states_one_by_one(gpt2, tokenizer, others),
        strict=True,
    )  # fmt: skip
    for first, second in pairs:
        a, b = means(first), means(second)

        def product(b, A=a @ a.T):
            G = A * (b @ b.T)
            return entropy(G / np.trace(G) * len(G))

        orders = [product(b[generator.permutation(len(b))]) for _ in range(40)]
        expected["dime"].append(np.mean(orders) - product(b))
        both = np.concatenate([a, b])
        n = len(a)
        terms = []
        for i in range(2 * n):
            weights = np.array([math.exp(cosine(both[i], one) / 0.2) for one in both])
            partner = weights[(i + n) % (2 * n)]
            terms.append(-math.log2(partner / (weights.sum() - weights[i])))
        expected["infonce"].append(np.mean(terms))
    check(found, "infonce", expected["infonce"])
    check(found, "dime", expected["dime"], 0.1)


def test_drawn_views_lack_words_and_share_the_rest(gpt2, tokenizer, texts):
    sentences = [" ".join(text[i : i + 3] for i in range(0, len(text), 3)) for text in texts]
    options = {"tokenizer": tokenizer, "measures": ["dime", "infonce"], "sampling": False}
    drawn = profile(gpt2, sentences, views=2, **options)
    unlike = profile(gpt2, sentences, views=sentences[::-1], **options)
    for mine, other in zip(
        drawn.values("infonce").values(), unlike.values("infonce").values(), strict=True
    ):
        assert mine < other
    again = profile(gpt2, sentences, views=2, **options)
    assert again.to_rows() == drawn.to_rows()


@pytest.mark.parametrize("scope", ["prompts", "tokens"])
def test_the_nearest_rows_of_the_same_prompt(bert, tokenizer, texts, states, scope):
    found = profile(
        bert, texts, tokenizer=tokenizer, scope=scope, measures="rankme", sampling=False
    )
    if scope == "prompts":
        assert found.same_prompt == {}
        assert math.isnan(found.same_prompt_by_chance)
        return
    prompts = np.repeat(np.arange(len(texts)), [len(one) for one in states[0]])
    for name, layer in zip(LAYERS, states, strict=True):
        Z = np.concatenate(layer)
        squared = ((Z[:, None] - Z[None]) ** 2).sum(axis=2)
        np.fill_diagonal(squared, np.inf)
        # The same letters at the same places are as near as each other.
        nearest = squared < squared.min(axis=1, keepdims=True) + 1e-12
        same = nearest & (prompts[:, None] == prompts)
        share = float((same.sum(axis=1) / nearest.sum(axis=1)).mean())
        assert found.same_prompt[name] == pytest.approx(share, abs=1e-12)
    pairs = [a == b for a, b in itertools.permutations(prompts.tolist(), 2)]
    assert found.same_prompt_by_chance == pytest.approx(np.mean(pairs))


def test_a_drawn_part_of_the_tokens_is_the_same_in_all_layers(tokenizer, texts):
    options = {"tokenizer": tokenizer, "scope": "tokens", "sampling": False}
    model = model_of("gpt2")
    for block in model.transformer.h:  # every block returns what it is given
        block.forward = lambda states, *_, **__: states
    model.transformer.ln_f = torch.nn.Identity()
    found = profile(model, texts, max_rows=50, measures=["dse", "rankme"], **options)
    assert found.n == 50
    for measure in ("dse", "rankme"):
        values = [float(one) for one in found.values(measure).values()]
        assert values[0] == values[1] == values[2]
