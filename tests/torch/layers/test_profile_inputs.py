"""What a profile is asked for: layers, models, texts; and what it refuses, by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from eigentropy.io import FileError
from eigentropy.torch.features import TextFile
from eigentropy.torch.layers import LanguageProfile, profile
from messages import names, naming
from tiny_language_models import letters, model_of

ALL = ["embedding", "block 1", "block 2"]


@pytest.fixture
def quick(tokenizer):
    """A profile of one cheap measure."""

    def call(model, texts, **options):
        own = {"tokenizer": tokenizer, "measures": "rankme", "sampling": False}
        return profile(model, texts, **{**own, **options})

    return call


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (None, ALL),
        ("block *", ALL[1:]),
        (-1, ALL[2:]),
        ([0, "block 2"], ["embedding", "block 2"]),
        ("h.*.mlp", ["h.0.mlp", "h.1.mlp"]),
        (["block 1", "h.1"], ["block 1", "h.1"]),
        (["h.1", "block 1"], ["block 1", "h.1"]),
        (["h.*.mlp", "block *"], ["h.0.mlp", "block 1", "h.1.mlp", "block 2"]),
        (
            ["ln_f", "h.*.ln_1", "wte", 0, "block 1"],
            ["wte", "embedding", "h.0.ln_1", "block 1", "h.1.ln_1", "ln_f"],
        ),
        (["h.0", "h.0.ln_*", "h.0.mlp"], ["h.0.ln_1", "h.0.ln_2", "h.0.mlp", "h.0"]),
    ],
)
def test_layers_by_name_number_or_module(quick, texts, layers, names):
    model = model_of("gpt2").transformer
    assert quick(model, texts, layers=layers).names == names


class Backwards(torch.nn.Module):
    """Its modules run from the last to the first, and its states are made outside of them."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(29, 4)
        self.blocks = torch.nn.ModuleList([torch.nn.Linear(4, 4) for _ in range(3)])

    def forward(self, input_ids, attention_mask=None, output_hidden_states=False):
        states = [self.table(input_ids) * 2.0]
        for block in reversed(self.blocks):
            states.append(states[-1] + block(states[-1]))
        return {"hidden_states": states}


@given(
    st.lists(
        st.sampled_from([0, 1, 2, 3, "table", "blocks.0", "blocks.1", "blocks.2"]),
        min_size=1,
        unique=True,
    )
)
@settings(max_examples=25, deadline=None)
def test_layers_are_in_the_order_in_which_they_run(layers):
    made = ["table", 0, "blocks.2", 1, "blocks.1", 2, "blocks.0", 3]
    names = [one if isinstance(one, str) else f"block {one}" for one in made if one in layers]
    batch = {"input_ids": torch.arange(24).reshape(6, 4)}
    model = Backwards()
    found = profile(model, [batch], layers=layers, measures="rankme", sampling=False)
    assert [name.replace("embedding", "block 0") for name in found.names] == names
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())


def test_a_block_and_its_module_are_the_same(quick, gpt2, texts):
    found = quick(gpt2, texts, layers=["block 1", "transformer.h.0"])
    assert len({float(one) for one in found.values().values()}) == 1


def test_a_pattern_of_the_model_with_a_head_is_one_of_the_model_without(quick, gpt2, texts):
    found = quick(gpt2.transformer, texts, layers="transformer.h.*.mlp")
    wanted = quick(gpt2, texts, layers="transformer.h.*.mlp")
    assert found.names == ["h.0.mlp", "h.1.mlp"]
    assert wanted.names == ["transformer.h.0.mlp", "transformer.h.1.mlp"]
    assert list(map(float, found.values().values())) == [
        float(one) for one in wanted.values().values()
    ]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("block 7", ("layers", "'block 7'", "'block 2'")),
        (3, ("layers", "3", "'embedding'")),
        ("transformer.h.7", ("layers", "'transformer.h.7'", "'transformer.h.1'")),
        ("lm_hed", ("layers", "'lm_hed'", "'lm_head'")),  # whose weights are the embedding's
        ([], ("layers", "empty")),
    ],
)
def test_layers_that_there_are_not(quick, gpt2, texts, layers, words):
    with pytest.raises(ValueError, match=naming(*words)):
        quick(gpt2, texts, layers=layers)


class Plain(torch.nn.Module):
    """A model that knows nothing of hidden states."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(29, 8)
        self.block = torch.nn.Linear(8, 8)

    def forward(self, input_ids, attention_mask=None):
        return self.block(self.table(input_ids))


class Careless(Plain):
    """It takes any option, and answers none."""

    def forward(self, input_ids, **_):
        return super().forward(input_ids)


@pytest.mark.parametrize("kind", [Plain, Careless])
def test_a_model_without_hidden_states(quick, texts, kind):
    tokenizer = letters()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    with pytest.raises(ValueError, match=naming(kind.__name__, "layers=")):
        quick(kind(), texts, tokenizer=tokenizer)
    found = quick(kind(), texts, tokenizer=tokenizer, layers=["table", "block"])
    assert found.names == ["table", "block"]


class Pooled(Plain):
    """A module inside returns one row a prompt."""

    def forward(self, input_ids, attention_mask=None):
        return self.block(self.table(input_ids).mean(dim=1))


@pytest.mark.parametrize(("layers", "words"), [("block", "(40, 8)"), ("unused", "run")])
def test_modules_that_return_no_states(quick, texts, layers, words):
    tokenizer, model = letters(), Pooled()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    model.unused = torch.nn.Identity()
    with pytest.raises(ValueError, match=naming("layers", f"'{layers}'", words)):
        quick(model, texts, tokenizer=tokenizer, layers=layers, batch_size=40)


def test_a_prompt_with_no_kept_token(quick, gpt2, texts):
    short = [*texts, "ab"]
    for size in (1, 41):
        with pytest.raises(ValueError, match=naming("texts", "prompt 40", "drop_first=2")) as found:
            quick(gpt2, short, drop_first=2, batch_size=size)
        assert "prompts 0" not in str(found.value)


def test_a_mask_of_another_shape(quick, gpt2):
    tokens = torch.zeros(3, 5, dtype=torch.long)
    mask = torch.ones(3, 1, 5, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match=naming("attention_mask", "(3, 1, 5, 5)")):
        quick(gpt2, [{"input_ids": tokens, "attention_mask": mask}])
    for shape in ((3, 4), (3, 7), (1, 5)):
        batch = {"input_ids": tokens, "attention_mask": torch.ones(shape)}
        with pytest.raises(ValueError, match=naming("mask", f"{shape}", "5 tokens")) as found:
            quick(Plain(), [batch], layers="block")
        assert "argument of the model" not in str(found.value)


@pytest.mark.parametrize("count", [2, 5, 7])
def test_labels_are_one_a_prompt_of_the_batches(quick, gpt2, count):
    batches = [{"input_ids": torch.arange(9).reshape(3, 3)}] * 2
    labels, options = [0, 1, 1, 0, 1, 0, 0][:count], {"measures": "kernel_information"}
    with pytest.raises(ValueError, match=naming("labels", count, "6")):
        quick(gpt2, iter(batches), labels=labels, **options)
    assert quick(gpt2, iter(batches), labels=[0, 1, 1, 0, 1, 0], **options).prompts == 6


class Complex(Plain):
    """A module inside returns complex states."""

    def __init__(self):
        super().__init__()
        self.last = torch.nn.Identity()

    def forward(self, input_ids, attention_mask=None):
        return self.last(torch.complex(*[super().forward(input_ids)] * 2))


def test_complex_states_are_refused_in_every_scope_by_the_same_words(quick):
    batch, said = {"input_ids": torch.arange(9).reshape(3, 3)}, set()
    for scope in ("prompts", "tokens", "within"):
        with pytest.raises(TypeError, match=naming("layers", "'last'", "complex64")) as found:
            quick(Complex(), [batch], layers=["block", "last"], scope=scope)
        said.add(str(found.value))
    assert len(said) == 1


def test_the_folder_of_an_adapter_is_no_model(quick, texts, tmp_path):
    (tmp_path / "adapter_model.safetensors").touch()
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}')
    words = naming(tmp_path.name, "PEFT", "some/base", "AutoPeftModelForCausalLM.from_pretrained")
    for given_texts in (texts, None):
        with pytest.raises(FileError, match=words):
            quick(tmp_path, given_texts)


@pytest.mark.filterwarnings("ignore")  # of PEFT's own
def test_an_adapter_is_measured_as_its_message_says(quick, tokenizer, texts, tmp_path):
    peft = pytest.importorskip("peft")
    base, adapter, merged = (tmp_path / name for name in ("base", "adapter", "merged"))
    model_of("gpt2").float().save_pretrained(base)
    own = type(model_of("gpt2")).from_pretrained(base)
    options = {"target_modules": ["c_fc"], "fan_in_fan_out": True, "init_lora_weights": False}
    config = peft.LoraConfig(r=2, task_type="CAUSAL_LM", **options)
    peft.get_peft_model(own, config).save_pretrained(adapter)
    with pytest.raises(FileError, match=naming("PEFT", base, "CAUSAL_LM")):
        quick(adapter, texts)
    adapted = peft.AutoPeftModelForCausalLM.from_pretrained(adapter)
    found = quick(adapted, texts)
    adapted.merge_and_unload().save_pretrained(merged)
    tokenizer.save_pretrained(merged)
    plain = quick(model_of("gpt2").float(), texts).values()["block 1"]
    for name, value in quick(merged, texts, tokenizer=None).values().items():
        assert float(value) == pytest.approx(float(found.values()[name]), rel=1e-4)
    assert abs(float(found.values()["block 1"]) - float(plain)) > 1e-3


def test_texts_that_are_not_utf8(quick, gpt2, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("größe".encode("latin-1"))
    with pytest.raises(FileError, match=naming("texts.txt", "UTF-8")):
        quick(gpt2, path)


@pytest.mark.parametrize(
    ("texts", "error", "words"),
    [
        (["ab", "  "], ValueError, ("texts", "1", "blank")),
        ([], ValueError, ("texts", "empty")),
        (None, ValueError, ("texts", "missing")),
        (7, TypeError, ("texts", "int")),
        ({"input_ids": 1}, TypeError, ("texts", "dict")),
        ([[1, 2]], TypeError, ("texts", "list")),
        ([{"input_ids": [[1, 2]]}], TypeError, ("input_ids", "tensor")),
        (["ab", 3], TypeError, ("texts", "int")),
    ],
)
def test_texts_that_are_none(quick, gpt2, texts, error, words):
    with pytest.raises(error, match=naming(*words)):
        quick(gpt2, texts)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scope": "token"}, ("scope", "'token'", "'tokens'")),
        ({"pooling": "cls"}, ("pooling", "'cls'", "'first'")),
        ({"pooling": "tokens"}, ("pooling", "scope='tokens'")),
        ({"pooling": "last", "scope": "tokens"}, ("pooling", "'last'", "'tokens'")),
        ({"pooling": "mean", "scope": "within"}, ("pooling", "'mean'", "'within'")),
        ({"normalize": "L2"}, ("normalize", "'L2'", "'l2'")),
        ({"measures": "rank_me"}, ("measures", "'rank_me'", "'rankme'")),
        ({"measures": []}, ("measures", "empty")),
        ({"measures": "dsmi"}, ("measures", "'dsmi'", "labels")),
        ({"measures": "dime"}, ("measures", "'dime'", "views")),
        ({"measures": "dime", "views": 3}, ("views", "3")),
        ({"measures": "dime", "views": ["ab"]}, ("views", "1", "40")),
        ({"measures": "dime", "views": 2, "scope": "tokens"}, ("'dime'", "scope")),
        ({"measures": "dsmi", "labels": range(40), "scope": "within"}, ("'dsmi'", "scope")),
        ({"labels": range(3)}, ("labels", "3", "40")),
        ({"labels": ["a"] * 40}, ("labels", "40")),
        ({"drop_first": -1}, ("drop_first", "-1")),
        ({"max_rows": 0}, ("max_rows", "0")),
        ({"batch_size": 0}, ("batch_size", "0")),
        ({"level": 2}, ("level", "2")),
        ({"tokenizer": None}, ("tokenizer",)),
    ],
)
def test_options_that_cannot_be(quick, gpt2, texts, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        quick(gpt2, texts, **options)


def test_a_misspelt_option(quick, gpt2, texts):
    with pytest.raises(TypeError, match=naming("'sigmas'", "'sigma'")):
        quick(gpt2, texts, sigmas=1.0)


def test_a_model_that_is_none(quick, texts):
    with pytest.raises(TypeError, match=naming("model", "int")):
        quick(3, texts)


def test_nothing_of_the_callers_model_changes(quick, gpt2, texts):
    gpt2.train()
    gpt2(torch.zeros(1, 2, dtype=torch.long), output_hidden_states=True)  # which sets up hooks

    def hooks():
        return [len(module._forward_hooks) for module in gpt2.modules()]

    own = hooks()
    before = {name: value.clone() for name, value in gpt2.state_dict().items()}
    torch.manual_seed(0)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    quick(gpt2, texts, layers="transformer.h.*")
    assert torch.equal(torch.rand(3), drawn)
    assert gpt2.training
    assert all(torch.equal(value, before[name]) for name, value in gpt2.state_dict().items())
    assert hooks() == own
    with pytest.raises(ValueError, match="drop_first"):
        quick(gpt2, texts, drop_first=99)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    assert gpt2.training


def test_a_folder_with_labels_of_its_texts(tmp_path, texts, labels):
    folder = tmp_path / "tiny"
    model_of("bert").float().save_pretrained(folder)
    letters().save_pretrained(folder)
    lines = ["text,label", *(f"{text},{label}" for text, label in zip(texts, labels, strict=True))]
    (tmp_path / "texts.csv").write_text("\n".join(lines), encoding="utf-8")
    options = {"measures": ["rankme", "dsmi"], "offline": True, "sampling": False}
    found = profile(folder, TextFile(tmp_path / "texts.csv"), **options)
    assert found.names == ALL
    assert found.measures == ["dsmi", "rankme"]
    given = profile(str(folder), texts, labels=np.array(labels), **options)
    assert given.to_rows() == found.to_rows()
    alike = profile(
        model_of("bert").float(), texts, labels=labels, tokenizer=str(folder), **options
    )
    for row, other in zip(alike.to_rows(), found.to_rows(), strict=True):
        assert row["rankme"] == pytest.approx(other["rankme"], rel=1e-4)


def test_few_prompts_have_values_and_no_errors(gpt2, tokenizer, texts):
    found = profile(gpt2, texts[:10], tokenizer=tokenizer, measures=["dse", "rankme"])
    numbers = found.values("dse").values()
    assert all(math.isfinite(float(one)) and math.isnan(one.sampling_error) for one in numbers)
    assert found.neighbours == []
    assert any("10 prompts" in note for note in found.notes)
    alone = profile(gpt2, texts[:1], tokenizer=tokenizer, scope="within")
    assert alone.prompts == 1
    assert any("one prompt" in note for note in alone.notes)


def test_prompts_that_are_cut_are_counted(gpt2, tokenizer):
    texts = ["abcd", "abcde", "abcdef", "bcdefgh"]
    options = {"tokenizer": tokenizer, "measures": "rankme", "sampling": False}
    found = profile(gpt2, texts, max_length=5, **options)
    assert found.tokens == 4 + 3 * 5
    assert [names(note, 2, 4, 5) for note in found.notes] == [True]
    assert profile(gpt2, texts, max_length=7, **options).notes == []
    long = profile(gpt2, ["a" * 64, "a" * 65, "ab"], **options)
    assert [names(note, 1, 3, 64) for note in long.notes] == [True]
    some = profile(gpt2, texts, max_length=3, max_rows=2, **options)  # of those that are measured
    assert [names(note, 2, 3) for note in some.notes] == [True]


def test_prompts_without_a_value_are_left_out_and_counted(gpt2, tokenizer, texts):
    """One and two tokens have no curvature, and one token no anisotropy."""
    several = [*texts, "a", "bc"]
    measures = ["curvature", "anisotropy", "rankme"]
    options = {"tokenizer": tokenizer, "scope": "within", "measures": measures}
    with_short = profile(gpt2, several, **options)
    without = profile(gpt2, texts, **options)
    for name in without.names:
        assert with_short.values("curvature")[name] == pytest.approx(
            float(without.values("curvature")[name])
        )
    assert any("2 of 42 prompts have no curvature" in note for note in with_short.notes)
    assert any("1 of 42 prompts have no anisotropy" in note for note in with_short.notes)


@pytest.mark.parametrize(
    ("scope", "measures", "remedy"),
    [
        ("within", ("dsmi", "kernel_information_bits"), "scope='prompts'"),
        ("tokens", ("dsmi", "dsmi_adjusted", "kernel_information_next"), "measures"),
    ],
)
def test_measures_that_a_scope_leaves_out_are_noted(
    gpt2, tokenizer, texts, labels, scope, measures, remedy
):
    options = {"tokenizer": tokenizer, "labels": labels, "scope": scope, "sampling": False}
    found = profile(gpt2, texts, **options)
    for measure in measures:
        assert measure not in found.measures
        assert any(measure in note and remedy in note for note in found.notes)
    assert not any("dime" in note for note in found.notes)
    assert profile(gpt2, texts, measures="rankme", **options).notes == []


def test_layers_that_are_not_finite(tokenizer, texts):
    model = model_of("gpt2")
    with torch.no_grad():
        model.transformer.h[0].mlp.c_proj.weight[0, 0] = math.nan
    for scope in ("prompts", "tokens", "within"):
        found = profile(model, texts, tokenizer=tokenizer, scope=scope, measures=["dse", "rankme"])
        for measure in ("dse", "rankme"):
            first, *others = (float(one) for one in found.values(measure).values())
            assert math.isfinite(first)
            assert all(map(math.isnan, others))
        assert found.notes


def test_more_prompts_than_rows(gpt2, tokenizer, texts):
    options = {"tokenizer": tokenizer, "measures": ["rankme", "curvature"], "max_rows": 20}
    found = profile(gpt2, texts, **options)
    assert (found.n, found.prompts) == (20, 20)
    again = profile(gpt2, texts, batch_size=3, **options)
    for name, value in again.values("rankme").items():
        assert float(value) == pytest.approx(float(found.values("rankme")[name]), rel=1e-6)
    assert found.to_rows() != profile(gpt2, texts, seed=1, **options).to_rows()
    batches = [dict(tokenizer(one, return_tensors="pt")) for one in texts]
    streamed = profile(gpt2, iter(batches), **options)
    assert (streamed.n, streamed.prompts) == (20, 40)


def test_the_result_is_a_table_that_says_what_it_is_of(gpt2, tokenizer, texts):
    found = profile(gpt2, texts, tokenizer=tokenizer, scope="within", drop_first=1, normalize="l2")
    assert isinstance(found, LanguageProfile)
    about = (found.scope, found.pooling, found.normalize, found.drop_first, found.model)
    assert about == ("within", "tokens", "l2", 1, "GPT2LMHeadModel")
    rows = found.to_rows()
    assert [row["layer"] for row in rows] == ALL
    assert {"dse", "dse_sampling_se", "dse_differs", "dse_p_value", "curvature"} <= rows[0].keys()
    assert found.units["curvature"] == "radians"
    for text in (str(found), found._repr_html_()):
        for word in ("within", "block 2", "curvature", "l2"):
            assert word in text or word == "within"
    pytest.importorskip("matplotlib")
    assert found.plot("dse") is not None


def test_progress_ends_at_1(gpt2, tokenizer, texts):
    shares = []
    profile(gpt2, texts, tokenizer=tokenizer, measures="rankme", progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
