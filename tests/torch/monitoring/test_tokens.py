"""Rows of tokens in a monitor: padding changes nothing, whatever the model and the source."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring.collection import Place
from eigentropy.torch.monitoring.rows import UNUSABLE
from eigentropy.torch.tokens.pooling import NORMALIZATIONS, TOKEN_POOLINGS
from messages import names, naming

nn = torch.nn
# Transformers warns about its own defaults, PyTorch about nested tensors.
pytestmark = pytest.mark.filterwarnings("ignore")

LENGTHS = [3, 9, 5, 2, 7, 4, 6, 8, 2, 5, 7, 3]
LABELS = torch.arange(len(LENGTHS)) % 2
SIDES = ("none", "left", "right")
SIZES = {"vocab_size": 50, "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2}
TRIALS = [(pooling, "none") for pooling in TOKEN_POOLINGS] + [
    (pooling, normalize) for pooling in ("mean", "tokens") for normalize in NORMALIZATIONS[1:]
]


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers", reason="transformers is not installed")


def model_of(transformers, kind):
    """A small model of random weights, and the layers that are watched."""
    torch.manual_seed(0)
    if kind == "bert":
        config = transformers.BertConfig(**SIZES, intermediate_size=32)
        return transformers.BertModel(config), ["embeddings", "encoder.layer.*"]
    if kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2)
        return transformers.GPT2LMHeadModel(config), ["transformer.h.*", "transformer.ln_f"]
    config = transformers.LlamaConfig(**SIZES, intermediate_size=32, tie_word_embeddings=True)
    return transformers.LlamaForCausalLM(config), ["model.layers.*", "model.norm"]


def prompts():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, 50, (n,), generator=generator) for n in LENGTHS]


def batch_of(texts, side, width=None):
    """Texts as the arguments of a model, with padding on a side."""
    width = width or max(map(len, texts))
    ids = torch.zeros(len(texts), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        where = slice(width - len(text), width) if side == "left" else slice(0, len(text))
        ids[row, where], mask[row, where] = text, 1
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}


def batches(side):
    """The prompts in batches: one by one where there is no padding."""
    texts = prompts()
    if side == "none":
        return [batch_of([text], "right") for text in texts]
    return [batch_of(texts[:5], side), batch_of(texts[5:], side, width=12)]


def passed(model, layers, source, side, **options):
    """A monitor that has seen the prompts."""
    monitor = Monitor(model, layers, source, measures=["dse", "kernel"], **options)
    if isinstance(source, Probe):
        return monitor
    evaluated, start = isinstance(source, Evaluation), 0
    model.train(not evaluated)
    with torch.set_grad_enabled(not evaluated):
        for batch in batches(side):
            model(**batch)
            start += len(batch["input_ids"])
            monitor.collect() if evaluated else monitor.collection.commit(None, None, False)
    return monitor


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model.double()  # so that what is left of padding would be seen


@pytest.mark.parametrize(("pooling", "normalize"), TRIALS)
@pytest.mark.parametrize("drop_first", [0, 1])
@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_padding_changes_nothing(transformers, kind, pooling, normalize, drop_first):
    model, layers = model_of(transformers, kind)
    options = {"pooling": pooling, "normalize": normalize, "drop_first": drop_first}
    found = []
    for side in SIDES:
        monitor = passed(model.eval(), layers, Evaluation(30), side, **options)
        found.append(monitor.measure())
        tokens = sum(LENGTHS) - drop_first * len(LENGTHS)
        assert (monitor.counted.prompts, monitor.counted.tokens) == (len(LENGTHS), tokens)
        monitor.remove()
    plain, *padded = found
    assert {name.partition("/")[0] for name in plain} == {"dse", "kernel"}
    assert len(plain) == 6
    for values in padded:
        assert values == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize(("pooling", "normalize"), TRIALS)
@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_padding_changes_no_row(transformers, kind, pooling, normalize):
    model, layers = model_of(transformers, kind)
    without_dropout(model).eval()
    options = {"pooling": pooling, "normalize": normalize}
    plain, *padded = (rows_seen(model, layers, side, **options) for side in SIDES)
    for found in padded:
        for name, rows in plain.items():
            np.testing.assert_allclose(found[name], rows, rtol=1e-9, atol=1e-9)


def rows_seen(model, layers, side, **options):
    with passed(model, layers, Evaluation(30), side, **options) as monitor:
        return monitor.collection.take(Place()).rows


@pytest.mark.parametrize(
    ("side", "pooling"),
    [("left", "mean"), ("left", "first"), ("right", "last"), ("left", "tokens")],
)
def test_without_a_mask_padding_counts(transformers, side, pooling):
    """The tests above can fail."""
    model, layers = model_of(transformers, "bert")
    options = {"pooling": pooling, "mask": False}
    plain, padded = (rows_seen(model.eval(), layers, one, **options) for one in ("none", side))
    assert np.abs(padded["encoder.layer.1"] - plain["encoder.layer.1"]).max() > 0.1


@pytest.mark.parametrize("pooling", TOKEN_POOLINGS)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_all_sources_have_the_same_rows(transformers, kind, side, pooling):
    model, layers = model_of(transformers, kind)
    without_dropout(model)
    probe = Probe(batch_of(prompts(), side), batch_size=5)
    found = [
        passed(model, layers, source, side, pooling=pooling).measure()
        for source in (probe, Evaluation(200), Reservoir(200))
    ]
    assert len(found[0]) == 6
    for values in found[1:]:
        assert values == pytest.approx(found[0], abs=1e-6)


@pytest.mark.parametrize("source", ["probe", "evaluation", "reservoir"])
@pytest.mark.parametrize("padded", [True, False])
def test_padding_in_flattened_rows_is_said_once_a_layer(source, padded):
    reader = Reader()
    batch = {"input_ids": torch.arange(48).reshape(6, 8) % 20}
    lengths = torch.arange(3, 9) if padded else torch.full((6,), 8)
    batch["attention_mask"] = (torch.arange(8) < lengths[:, None]).long()
    sources = {"probe": (batch,), "evaluation": Evaluation(6), "reservoir": Reservoir(6)}
    options = {"measures": ["dse"]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        given = batch if source == "probe" else sources[source]
        monitor = Monitor(reader, ["words", "dense", "head"], given, **options)
        for _ in range(2):
            reader.train(source == "reservoir")
            if source != "probe":
                reader(**batch)
            if source == "evaluation":
                monitor.collect()
            monitor.step()
        monitor.remove()
    said = [str(one.message) for one in caught if "attention_mask" in str(one.message)]
    assert len(said) == (2 if padded else 0)  # the head has one row a prompt
    for layer, line in zip(["'dense'", "'words'"], said, strict=False):
        assert names(line, layer, "pooling='mean'", "'last'")


class OfBatch(nn.Module):
    """Is called with a batch as it comes."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 4)

    def forward(self, batch):
        return self.words(batch["input_ids"])


def test_padding_is_known_by_a_mask_inside_of_an_argument():
    ids = torch.arange(48).reshape(6, 8) % 20
    batch = {"input_ids": ids, "attention_mask": torch.arange(8) < torch.arange(3, 9)[:, None]}
    with pytest.warns(UserWarning, match=naming("'words'", "attention_mask", "pooling='mean'")):
        Monitor(OfBatch(), "words", [batch], measures="dse").measure()


def test_one_cause_is_one_notice_that_names_all_layers():
    batch = {"input_ids": torch.ones(6, 8, dtype=torch.long)}
    options = {"measures": ["dse"], "pooling": "mean", "drop_first": 8}
    monitor = Monitor(Reader(), ["words", "dense"], batch, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        monitor.step()
        monitor.step()
    said = [str(one.message) for one in caught if UNUSABLE in str(one.message)]
    assert len(said) == 1
    assert names(said[0], "words", "dense", "drop_first")


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.dense, self.head = nn.Embedding(20, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, input_ids, attention_mask=None):
        return self.head(self.dense(self.words(input_ids)).mean(dim=1))


def states_of(model, batch, layer):
    """What a layer returns for a batch: (prompts, tokens, d)."""
    found = []

    def keep(_, __, output):
        found.append(output[0] if isinstance(output, tuple) else output)

    handle = model.get_submodule(layer).register_forward_hook(keep)
    with torch.no_grad():
        model.eval()(**batch)
    handle.remove()
    return found[0]


def tokens_by_hand(model, layer, drop_first=0):
    """The kept tokens of all prompts, and the prompt of each."""
    rows, owners = [], []
    for number, text in enumerate(prompts()):
        states = states_of(model, batch_of([text], "right"), layer)[0, drop_first:]
        rows.append(states)
        owners += [number] * len(states)
    return torch.cat(rows), torch.tensor(owners)


@pytest.mark.parametrize("source", [Probe, Evaluation])
def test_each_token_has_the_label_of_its_prompt(transformers, source):
    model, _ = model_of(transformers, "gpt2")
    layer, batch = "transformer.h.1", batch_of(prompts(), "left")
    rows, owners = tokens_by_hand(model, layer, 1)
    if source is Probe:
        values = Monitor(
            model, layer, Probe(batch, LABELS), pooling="tokens", drop_first=1
        ).measure()
    else:
        with Monitor(model, layer, Evaluation(500), pooling="tokens", drop_first=1) as monitor:
            with torch.no_grad():
                model.eval()(**batch)
            monitor.collect(LABELS)
            values = monitor.step()
    expected = eg.dsmi(rows, LABELS[owners], n_null=2)
    assert values[f"dsmi_y/{layer}"] == pytest.approx(float(expected), abs=1e-5)
    assert values[f"dse/{layer}"] == pytest.approx(float(eg.dse(rows)), abs=1e-5)


def thinned(model, source, order, **options):
    """The numbers and rows of the tokens that a source keeps, when prompts come in this order."""
    texts = prompts()
    with Monitor(model, "norm", source, pooling="tokens", measures="dse", **options) as monitor:
        for part in order:
            with torch.no_grad():
                model.eval()(**batch_of([texts[k] for k in part], "left"))
            monitor.collect(index=torch.tensor(part))
        return monitor.collection.take(Place())


def test_an_evaluation_keeps_the_same_tokens_in_whatever_order_and_batches(transformers):
    model = model_of(transformers, "llama")[0].model
    one, other = (
        thinned(model, Evaluation(20), order, drop_first=1)
        for order in ([range(5), range(5, 12)], [[7, 3, 11], [0, 1, 2, 4, 5], [6, 8, 9, 10, 3]])
    )
    assert len(one.numbers) == 20
    assert np.array_equal(one.numbers, other.numbers)
    np.testing.assert_allclose(one.rows["norm"], other.rows["norm"], atol=1e-5)
    several = [thinned(model, Evaluation(20), [range(12)], seed=seed) for seed in range(400)]
    every = thinned(model, Evaluation(1000), [range(12)]).numbers
    assert len(every) == sum(LENGTHS)
    drawn = np.array([np.isin(every, found.numbers) for found in several]).mean(axis=0)
    expected = 20 / sum(LENGTHS)
    # The share of each token is within five standard errors of what it is where all are alike.
    assert np.abs(drawn - expected).max() < 5 * np.sqrt(expected * (1 - expected) / 400)


def test_a_probe_thins_its_tokens_to_the_same_each_time(transformers):
    model = model_of(transformers, "llama")[0].model
    batch = batch_of(prompts(), "left")
    rows, _ = tokens_by_hand(model, "norm")
    kept = {}
    for most, size in ((20, 64), (20, 3), (None, 3)):
        monitor = Monitor(
            model, "norm", Probe(batch, LABELS, max_points=most, batch_size=size), pooling="tokens"
        )
        first, again = (monitor.collection.take(Place()) for _ in range(2))
        assert np.array_equal(first.numbers, again.numbers)
        kept[most, size] = first
    np.testing.assert_allclose(kept[None, 3].rows["norm"], rows, atol=1e-5)
    assert np.array_equal(kept[20, 64].numbers, kept[20, 3].numbers)
    where = np.searchsorted(kept[None, 3].numbers, kept[20, 3].numbers)
    assert len(where) == 20
    np.testing.assert_allclose(kept[20, 3].rows["norm"], rows[where], atol=1e-5)
    assert np.array_equal(kept[20, 3].labels, kept[None, 3].labels[where])


def test_a_reservoir_keeps_as_many_tokens_as_it_has_places(transformers):
    model, _ = model_of(transformers, "gpt2")
    monitor = passed(model, ["transformer.h.*"], Reservoir(25), "right", pooling="tokens")
    found = monitor.collection.take(Place())
    assert {len(rows) for rows in found.rows.values()} == {25}
    assert (monitor.collection.counted.prompts, monitor.collection.counted.tokens) == (12, 61)


# ---- Calls of other kinds -----------------------------------------------------------------------


def test_a_step_of_generation_has_one_token_a_prompt(transformers):
    """The mask grows with the cache; its last column belongs to the step."""
    model, _ = model_of(transformers, "llama")
    batch = batch_of(prompts(), "left")
    options = {"pooling": "tokens", "drop_first": 2, "measures": "dse"}
    with Monitor(model, "model.norm", Evaluation(100), **options) as monitor:
        model.eval().generate(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
            max_new_tokens=3, min_new_tokens=3, do_sample=False, pad_token_id=0,
        )  # fmt: skip
        monitor.collect()
        found = monitor.collection.take(Place())
    assert found.rows["model.norm"].shape == (12, 16)
    assert monitor.collection.counted.tokens == 12


def test_the_mask_of_an_encoder_is_not_used_for_a_decoder(transformers):
    config = transformers.T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.T5Model(config).eval()
    source, target = batch_of(prompts(), "right"), batch_of(prompts()[::-1], "right")
    call = {
        "input_ids": source["input_ids"],
        "attention_mask": source["attention_mask"],
        "decoder_input_ids": target["input_ids"],
    }
    layers = ["encoder.block.1", "decoder.block.1"]
    masks = {"encoder": source["attention_mask"].bool(), "decoder": torch.ones(12, 9) > 0}
    for _ in range(2):
        values = Monitor(model, layers, Probe(call), pooling="mean").measure()
        for layer in layers:
            states, mask = states_of(model, call, layer), masks[layer.partition(".")[0]]
            rows = torch.stack([z[m].mean(dim=0) for z, m in zip(states, mask, strict=True)])
            assert values[f"dse/{layer}"] == pytest.approx(float(eg.dse(rows)), abs=1e-5)
        call["decoder_attention_mask"] = target["attention_mask"]
        masks["decoder"] = target["attention_mask"].bool()
    named = Monitor(
        model, layers[1], Probe(call), pooling="mean", mask="decoder_attention_mask"
    ).measure()
    assert named == pytest.approx({f"dse/{layers[1]}": values[f"dse/{layers[1]}"]})


class Loop(nn.Module):
    """As a LightningModule, which calls its model and not itself."""

    def __init__(self, model):
        super().__init__()
        self.net = model


def test_a_model_that_the_loop_calls_by_itself_has_its_mask(transformers):
    model, _ = model_of(transformers, "bert")
    options = {"pooling": "mean", "measures": "dse"}
    with Monitor(Loop(model).eval(), "net.encoder.layer.1", Evaluation(50), **options) as monitor:
        with torch.no_grad():
            batch = batch_of(prompts(), "left")
            model(batch["input_ids"], batch["attention_mask"])
        monitor.collect()
        (value,) = monitor.step().values()
    batch.pop("position_ids")  # as above
    expected = Monitor(model, "encoder.layer.1", Probe(batch), **options)
    assert value == pytest.approx(*expected.measure().values(), abs=1e-6)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_compiled_model_has_its_mask(transformers, wrapped):
    model, _ = model_of(transformers, "gpt2")
    compiled = torch.compile(model, backend="eager") if wrapped else model
    batch = batch_of(prompts(), "left")
    options = {"pooling": "mean", "measures": "dse"}
    expected = Monitor(model, "transformer.h.*", Probe(batch), **options).measure()
    with Monitor(compiled, "transformer.h.*", Evaluation(50), **options) as monitor:
        with torch.inference_mode():
            compiled.eval()(**batch)
        monitor.collect()
        assert monitor.step() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_reservoir_has_the_tokens_of_checkpointed_layers(transformers, reentrant):
    model, _ = model_of(transformers, "bert")
    without_dropout(model)
    expected = passed(model, ["encoder.layer.*"], Evaluation(99), "right", pooling="tokens")
    expected = expected.measure()
    model.train().gradient_checkpointing_enable({"use_reentrant": reentrant})
    model.enable_input_require_grads()
    options = {"pooling": "tokens", "measures": ["dse", "kernel"]}
    with Monitor(model, "encoder.layer.*", Reservoir(99), **options) as monitor:
        model(**batch_of(prompts(), "right")).last_hidden_state.sum().backward()
        assert monitor.step() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "last", "tokens"])
def test_nested_layers_have_the_tokens_of_the_mask(pooling):
    """The fast path of PyTorch's own encoder drops padding, and its mask marks what is not real."""
    torch.manual_seed(0)

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)

        def forward(self, x, padding):
            return self.encoder(x, src_key_padding_mask=padding)

    model, x = Encoder().eval(), torch.randn(12, 9, 8)
    padding = torch.arange(9) >= torch.tensor(LENGTHS)[:, None]
    found = [
        Monitor(model, "encoder.layers.*", Probe([x, padding]), pooling=pooling, mask=mask)
        for mask in (None, lambda call: ~call["padding"])
    ]
    one, other = (monitor.measure() for monitor in found)
    assert one == pytest.approx(other, abs=1e-9)
    assert len(one) == 2
    assert {monitor.counted.tokens for monitor in found} == {sum(LENGTHS)}


# ---- What cannot be -----------------------------------------------------------------------------


class Says(nn.Module):
    """Returns what a function makes of tokens (n, tokens, d), beside an ordinary layer."""

    def __init__(self, make):
        super().__init__()
        self.make, self.plain, self.odd = make, nn.Identity(), nn.Identity()

    def forward(self, x, attention_mask=None):
        return self.odd(self.make(self.plain(x)))


X = torch.randn(12, 9, 6, generator=torch.Generator().manual_seed(0))
MASK = torch.arange(9) < torch.tensor(LENGTHS)[:, None]

ODD = {
    "every second token": (lambda x: x[:, ::2], ("5 tokens", 9, "mask=")),
    "other prompts": (lambda x: x[:6], ("(6, 9, 6)", 12)),
    "complex": (lambda x: torch.complex(x, x), ("complex", "torch.complex64")),
    "no features": (lambda x: x[..., :0], ("(12, 9, 0)", 12)),
}


@pytest.mark.parametrize("source", [Probe, Evaluation, Reservoir])
@pytest.mark.parametrize("pooling", TOKEN_POOLINGS)
@pytest.mark.parametrize(("make", "words"), ODD.values(), ids=ODD)
def test_what_has_other_tokens_is_left_out_with_a_notice(make, words, pooling, source):
    model = Says(make)
    of = source([X, MASK]) if source is Probe else source(200)
    model.train(source is Reservoir)
    with Monitor(model, "*", of, pooling=pooling, measures="dse") as monitor:
        if source is not Probe:
            with torch.set_grad_enabled(source is Reservoir):
                model(X, MASK)
        if source is Evaluation:
            monitor.collect()
        with pytest.warns(UserWarning, match=naming("'odd'", UNUSABLE, *words)):
            assert set(monitor.step()) == {"dse/plain"}


@pytest.mark.parametrize("pooling", ["first", "last", "tokens"])
def test_what_has_no_tokens_is_left_out_with_a_notice(pooling):
    model = Says(lambda x: x.mean(dim=1))
    with pytest.warns(UserWarning, match=naming("'odd'", UNUSABLE, f"'{pooling}'", "(12, 6)")):
        assert set(Monitor(model, "*", Probe([X, MASK]), pooling=pooling).measure()) == {
            "dse/plain"
        }


def test_maps_of_a_picture_have_their_mean_as_before():
    x = torch.randn(40, 3, 5, 5)
    model = nn.Sequential(nn.Conv2d(3, 4, 2))
    value = Monitor(model, "0", x, pooling="mean").measure()["dse/0"]
    with torch.no_grad():
        assert value == pytest.approx(float(eg.dse(model(x).mean(dim=(2, 3)))), abs=1e-5)
    with pytest.warns(UserWarning, match=naming("'0'", "'l2'", "(40, 4, 4, 4)")):
        assert Monitor(model, "0", x, pooling="mean", normalize="l2").measure() == {}


def test_a_prompt_without_a_kept_token_is_named():
    for empty, drop_first in ((MASK & (torch.arange(12) != 4)[:, None], 0), (MASK, 2)):
        short = 4 if drop_first == 0 else LENGTHS.index(2)
        real = 0 if drop_first == 0 else 2
        words = ("'plain'", f"prompt {short}", f"{real} real", f"drop_first={drop_first}")
        options = {"pooling": "mean", "drop_first": drop_first}
        monitor = Monitor(Says(lambda x: x), "plain", Probe([X, empty]), **options)
        with pytest.warns(UserWarning, match=naming(*words)):
            assert monitor.measure() == {}


def test_masks_that_are_no_masks_of_tokens_are_named():
    model = Says(lambda x: x)
    for mask, option, words in (
        (torch.ones(12, 1, 9, 9), None, ("attention_mask", "(12, 1, 9, 9)", "mask=")),
        (torch.ones(12, 8), None, ("9 tokens", 8, "mask=")),
        (MASK, "mask", ("mask='mask'", "'attention_mask'")),
        (MASK, lambda call: call["attention_mask"][0], ("mask", "(9,)")),
    ):
        given = option if option is not None else "attention_mask"
        with pytest.warns(UserWarning, match=naming("'plain'", UNUSABLE, *words)):
            assert (
                Monitor(model, "plain", Probe([X, mask]), pooling="mean", mask=given).measure()
                == {}
            )


def test_layers_of_different_tokens_do_not_go_together():
    model = Says(lambda x: x[:, ::2])
    with pytest.warns(UserWarning, match=naming("'odd'", UNUSABLE, "tokens")):
        found = Monitor(model, "*", Probe([X]), pooling="tokens").measure()
    assert set(found) == {"dse/plain"}
    assert set(Monitor(model, "*", Probe([X]), pooling="mean").measure()) == {
        "dse/plain",
        "dse/odd",
    }


REFUSED = [
    ({"pooling": "cls"}, ("'cls'", "'first'")),
    ({"pooling": "median"}, ("pooling", "'median'", "'tokens'")),
    ({"pooling": "flatten", "drop_first": 1}, ("drop_first=1", "'flatten'", "'mean'")),
    ({"pooling": lambda z: z, "normalize": "l2"}, ("normalize='l2'", "lambda")),
    ({"pooling": "flatten", "mask": "mask"}, ("mask='mask'", "'flatten'")),
    ({"pooling": "mean", "drop_first": -1}, ("drop_first", -1)),
    ({"pooling": "mean", "normalize": "L1"}, ("normalize", "'L1'", "'layer'")),
    ({"pooling": "tokens", "sampling": True}, ("'tokens'", "sampling")),
    ({"pooling": "tokens", "units": True, "record": "run"}, ("'tokens'", "units")),
    ({"pooling": "tokens", "measures": "dsmi_x"}, ("'tokens'", "dsmi_x")),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_do_not_go_together_are_refused(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=naming(*words)):
        Monitor(Says(lambda x: x), "plain", Probe([X, MASK]), **options)


def test_a_profile_of_tokens_is_refused():
    monitor = Monitor(Says(lambda x: x), "plain", Probe([X, MASK]), pooling="tokens")
    with pytest.raises(ValueError, match=naming("'tokens'", "sampling", "'mean'")):
        monitor.profile()


def test_samples_have_at_most_a_million_tokens():
    from eigentropy.torch.monitoring.samples import sample_numbers, token_numbers

    samples, positions = np.array([0, 2**40, -3]), np.array([2**20 - 1, 0, 7])
    numbers = token_numbers(samples, positions)
    assert len(set(numbers)) == 3
    assert np.array_equal(sample_numbers(numbers), samples)
    for sample, position in ((2**43, 0), (0, 2**20)):
        with pytest.raises(ValueError, match=naming("index", sample or position + 1)):
            token_numbers(np.array([sample]), np.array([position]))


# ---- What is recorded ---------------------------------------------------------------------------


def test_a_recording_says_how_rows_were_made(tmp_path):
    from eigentropy.report import Recorder, read_run

    def monitor(recorder):
        return Monitor(
            Says(lambda x: x), "plain", Probe([X, MASK]), record=recorder, pooling="last",
            drop_first=1, normalize="layer",
        )  # fmt: skip

    first = monitor(tmp_path / "run")
    first.step()
    known = read_run(tmp_path / "run").description
    kept = sum(LENGTHS) - len(LENGTHS)
    expected = {
        "pooling": "last", "drop_first": 1, "normalize": "layer", "prompts": 12, "tokens": kept,
    }  # fmt: skip
    assert {name: known[name] for name in expected} == expected
    again = monitor(Recorder(tmp_path / "run", resume=True))
    again.load_state_dict(first.state_dict())
    again.step()
    assert read_run(tmp_path / "run").steps == [1, 2]


def test_a_run_that_says_nothing_of_its_rows_goes_on(tmp_path):
    """As one of an earlier version."""
    import json

    from eigentropy.report import Recorder, read_run

    first = Monitor(Says(lambda x: x), "plain", Probe([X]), record=tmp_path / "run")
    first.step()
    file = tmp_path / "run" / "run.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in known.items() if k != "pooling"}))
    again = Monitor(
        Says(lambda x: x), "plain", Probe([X]), record=Recorder(tmp_path / "run", resume=True)
    )
    again.load_state_dict(first.state_dict())
    again.step()
    assert read_run(tmp_path / "run").steps == [1, 2]


def test_a_copy_of_a_watched_model_runs_and_is_not_watched():
    model = Says(lambda x: x)
    model.make = nn.Identity()
    with Monitor(model, "plain", Evaluation(500), pooling="mean", measures="dse") as monitor:
        copied = pickle.loads(pickle.dumps(copy.deepcopy(model.eval())))
        with torch.no_grad():
            model(X, attention_mask=MASK)
            copied(-X[:3], attention_mask=~MASK[:3])
        monitor.collect()
        assert monitor.measure()["dse/plain"] == pytest.approx(
            Monitor(model, "plain", Probe([X, MASK]), pooling="mean").measure()["dse/plain"],
            abs=1e-6,
        )
    assert not model._forward_pre_hooks
    assert not model.plain._forward_hooks
