"""`eigentropy layers`: the numbers of Python, its table, its files, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import tiny_models
from eigentropy.cli import commands
from eigentropy.torch.features.texts import TextFile
from messages import names

N = 24
FAST = ("--measures", "kernel_entropy,prompt_entropy", "--quiet")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with prompts of letters of two kinds, as lines and as a table."""
    rng = np.random.default_rng(0)
    texts = [
        "".join(rng.choice(list("abcdefgh" if i % 2 else "stuvwxyz"), size=rng.integers(4, 10)))
        for i in range(N)
    ]
    (tmp_path / "lines.txt").write_text("\n".join(texts))
    with (tmp_path / "table.csv").open("w", newline="") as file:
        rows = [(text, "late" if i % 2 else "early", i) for i, text in enumerate(texts)]
        csv.writer(file).writerows([("text", "kind", "number"), *rows])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def invoke(*args):
    return CliRunner().invoke(commands.app, ["layers", *map(str, args)])


def succeed(*args):
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*args):
    return json.loads(succeed(*args, "--json"))


def fail(*args):
    result = invoke(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = [one for one in result.stderr.splitlines() if not one.startswith("warning:")]
    return line


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def written_states(folder, layers=3):
    """As a server writes them: one file a request."""
    save_file = pytest.importorskip("safetensors.torch").save_file
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for number in range(N):
        tokens = 4 + number % 5
        states = torch.randn(tokens, layers, 6, generator=generator)
        save_file(
            {"hidden_states": states, "token_ids": torch.arange(tokens)},
            folder / f"request-{number}.safetensors",
        )


def test_the_files_have_the_numbers_of_python(bert, here):
    from eigentropy.torch.layers.profile import profile

    shown = succeed(bert, "lines.txt", "-o", "tiny", *FAST)
    expected = profile(
        str(bert), TextFile("lines.txt"), measures=["kernel_entropy", "prompt_entropy"]
    )
    rows = rows_of(here / "tiny.csv")
    assert [row["layer"] for row in rows] == expected.names == ["embedding", "block 1", "block 2"]
    for row, known in zip(rows, expected.to_rows(), strict=True):
        assert list(row) == list(known)
        for name, value in known.items():
            if value is None:
                assert row[name] == ""
            elif isinstance(value, float):
                assert float(row[name]) == pytest.approx(value, rel=1e-9)
            else:
                assert row[name] == str(value).lower()
    for line in str(expected).splitlines():
        assert line.rstrip() in shown
    for end in ("csv", "png", "html"):
        assert f"tiny.{end}" in shown
    assert (here / "tiny.png").read_bytes().startswith(b"\x89PNG")
    page = (here / "tiny.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    assert data["layers"] == expected.names
    assert dict(data["settings"])["measures"] == "kernel_entropy,prompt_entropy"


def test_json_is_one_document(bert, here):
    found = as_json(bert, "table.csv", "--labels", "kind", "--scope", "tokens", "--quiet",
                    "--measures", "kernel_information,anisotropy")  # fmt: skip
    assert [row["layer"] for row in found["layers"]] == ["embedding", "block 1", "block 2"]
    assert (found["scope"], found["prompts"], found["command"]) == ("tokens", N, "layers")
    assert set(found["units"]) == {"kernel_information", "anisotropy"}
    assert set(found["same_prompt"]["same_prompt"]) == {"embedding", "block 1", "block 2"}
    assert found["written"] == ["layers.csv", "layers.png", "layers.html"]
    rows = rows_of(here / "layers.csv")
    assert {"same_prompt", "same_prompt_by_chance"} <= set(rows[0])


def test_labels_are_a_column_or_a_file(bert, here):
    np.save("y.npy", np.arange(N) % 2)
    options = ("--measures", "kernel_information", "--quiet", "--no-sampling-error")
    by_column = as_json(bert, "table.csv", "--labels", "kind", *options)["layers"]
    for further in (("table.csv", "--labels", "y.npy"), ("lines.txt", "--labels", "y.npy")):
        found = as_json(bert, *further, *options, "--force")["layers"]
        assert found == by_column


def test_a_directory_of_states_needs_no_texts(here):
    written_states(here / "states")
    np.save("y.npy", np.arange(N) % 2)
    found = as_json("states", "--labels", "y.npy", "--quiet", "--no-sampling-error",
                    "--measures", "kernel_information,curvature")  # fmt: skip
    assert [row["layer"] for row in found["layers"]] == ["state 1", "state 2", "state 3"]
    assert all(row["curvature"] > 0 for row in found["layers"])
    assert names(fail("states", "table.csv", "-o", "other"), "states", "TEXT")
    assert names(fail("states", "--labels", "kind", "-o", "other"), "--labels", "'kind'", "TEXT")
    for option in (["--batch-size", "4"], ["--max-length", "8"], ["--offline"]):
        assert names(fail("states", *option, "-o", "other"), option[0], "states")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--scope", "within"), {"scope": "within", "pooling": "tokens"}),
        (("--pooling", "last"), {"pooling": "last"}),
        (("--normalize", "l2"), {"normalize": "l2"}),
        (("--drop-first", "1"), {"drop_first": 1}),
        (("--max-rows", "20"), {"n": 20}),
    ],
)
def test_options_reach_the_profile(bert, here, options, expected):
    measures = ("--measures", "kernel_entropy,anisotropy", "--quiet", "--no-sampling-error")
    plain = as_json(bert, "lines.txt", *measures)
    found = as_json(bert, "lines.txt", *measures, *options, "-o", "other")
    assert {name: found[name] for name in expected} == expected
    for name in ("scope", "pooling", "normalize"):
        assert found["settings"][name] == found[name]
    assert found["layers"] != plain["layers"]


def test_layers_and_views_are_chosen(bert, here):
    found = as_json(bert, "lines.txt", "--layers", "-1,embedding", "--measures", "infonce",
                    "--views", "2", "--quiet", "--no-sampling-error")  # fmt: skip
    assert {row["layer"] for row in found["layers"]} == {"embedding", "block 2"}
    assert set(found["units"]) == {"infonce"}


@pytest.mark.parametrize("output", ["made.csv", "made.png", "made.html", "made"])
def test_a_prefix_may_have_one_of_the_ends(bert, here, output):
    found = as_json(bert, "lines.txt", "-o", output, "--no-sampling-error", *FAST)
    assert found["written"] == ["made.csv", "made.png", "made.html"]


def test_an_output_that_exists_is_refused_before_anything_is_measured(here):
    for end in ("csv", "png", "html"):
        file = here / f"layers.{end}"
        file.write_text("mine")
        assert names(fail("no-such-model", "lines.txt"), f"layers.{end}", "--force")
        assert file.read_text() == "mine"
        file.unlink()
    assert names(fail("no-such-model", "lines.txt", "-o", "no/where"), "no/where.csv", "no")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("lines.txt", "--scope", "promts"), ["--scope", "'promts'", "'prompts'"]),
        (("lines.txt", "--pooling", "men"), ["--pooling", "'men'", "'mean'"]),
        (("lines.txt", "--pooling", "tokens"), ["--pooling", "--scope tokens"]),
        (("lines.txt", "--pooling", "cls"), ["--pooling", "'cls'", "first"]),
        (("lines.txt", "--pooling", "last", "--scope", "tokens"), ["--pooling", "'tokens'"]),
        (("lines.txt", "--labels", "kind"), ["--labels", "'kind'", "lines.txt", ".csv"]),
        (("lines.txt", "--labels", "no.txt"), ["--labels", "'no.txt'", "lines.txt", ".csv"]),
        (("lines.txt", "--labels", "lab.txt"), ["lab.txt", "'.txt'", ".csv"]),
        (("table.csv", "--labels", "lab.txt"), ["lab.txt", "'.txt'", ".csv"]),
        (("table.csv", "--labels", "lab"), ["lab", ".csv"]),
        (("lines.txt", "--column", "kind"), ["--column", "'kind'", "lines.txt"]),
        (("lines.txt", "--normalize", "laier"), ["--normalize", "'laier'", "'layer'"]),
        (("lines.txt", "--measures", "dse,rankm"), ["--measures", "'rankm'", "'rankme'"]),
        (("lines.txt", "--measures", "dime"), ["--views", "'dime'"]),
        (("lines.txt", "--measures", "dsmi"), ["--labels", "'dsmi'"]),
        (("lines.txt", "--measures", ","), ["--measures", "empty"]),
        (("lines.txt", "--views", "3"), ["--views", 3]),
        (("lines.txt", "--drop-first", "9"), ["9", "token"]),
        (("lines.txt", "--drop-first", "-1"), ["--drop-first", "-1"]),
        (("lines.txt", "--max-rows", "0"), ["--max-rows", "0"]),
        (("lines.txt", "--level", "2"), ["level", "2"]),
        (("lines.txt", "--sigma", "widest"), ["sigma", "'widest'"]),
        (("lines.txt", "--layers", "block 9"), ["block 9"]),
        (("table.csv", "--labels", "kid"), ["table.csv", "'kid'", "'kind'", "--labels"]),
        (("table.csv", "--column", "texts"), ["table.csv", "'texts'", "'text'", "--column"]),
        (("table.csv", "--labels", "y17.npy"), ["17", N]),
        (("table.csv", "--labels", "none.npy"), ["none.npy"]),
        (("none.txt",), ["none.txt"]),
        (("latin.txt",), ["latin.txt", "UTF-8"]),
        (("blank.txt",), ["blank.txt", "line 2"]),
        (("empty.txt",), ["empty.txt"]),
        (("lines.pdf",), ["lines.pdf", ".pdf"]),
        ((), ["TEXT", "MODEL"]),
    ],
)
def test_what_cannot_be_measured_is_named(bert, here, args, words):
    np.save("y17.npy", np.arange(17) % 2)
    (here / "latin.txt").write_bytes("naïve\n".encode("latin-1"))
    (here / "blank.txt").write_text("abc\n \nabc")
    (here / "empty.txt").write_text("\n")
    (here / "lines.pdf").write_text("abc")
    for name in ("lab.txt", "lab"):
        (here / name).write_text("a\nb\n" * (N // 2))
    line = fail(bert, *args, "--quiet")
    assert names(line, *words), line
    assert not re.search(r"\b(scope|pooling|normalize|views|text|label)=", line), line
    assert not [*here.glob("layers.*")]


def test_a_message_offers_nothing_that_the_command_line_lacks(bert, here):
    assert "texts" not in fail(bert, "lines.txt", "--views", "3", "--quiet")
    assert "tokens" not in fail(bert, "lines.txt", "--pooling", "max", "--quiet")


def test_an_empty_cell_has_its_reason(bert, here):
    shown = succeed(bert, "lines.txt", "--measures", "kernel_information_next,curvature", "--quiet",
                    "--no-sampling-error")  # fmt: skip
    (note,) = [one for one in shown.splitlines() if one.startswith("kernel_information_next:")]
    assert names(note, "last", "block 2")
    assert len([one for one in shown.splitlines() if one.startswith("* ")]) == 1
    shown = succeed(bert, "lines.txt", "--measures", "curvature", "--scope", "within", "--quiet",
                    "--no-sampling-error", "--force")  # fmt: skip
    assert "*" not in shown


def test_what_is_no_model_is_named(here):
    (here / "folder").mkdir()
    (here / "folder" / "notes.txt").write_text("nothing")
    for further in ([], ["lines.txt"]):
        assert names(fail("folder", *further), "folder", "config.json", ".safetensors")
    (here / "folder" / "adapter_config.json").write_text('{"base_model_name_or_path": "base"}')
    for weights in ("adapter_model.bin", "adapter_model.safetensors"):
        (here / "folder" / weights).touch()
        assert names(fail("folder", "lines.txt"), "folder", "PEFT", "base")


def test_another_tokenizer(bert, here):
    bare = shutil.copytree(bert, here / "bare")
    for file in bare.glob("*token*"):
        file.unlink()
    line = fail("bare", "lines.txt", "--quiet", *FAST)
    assert names(line, "bare", "tokenizer.json", "--tokenizer"), line
    assert "preprocessing" not in line
    assert "hf:" not in line
    found = as_json("bare", "lines.txt", "--tokenizer", bert, *FAST)
    assert found["layers"] == as_json(bert, "lines.txt", "--force", *FAST)["layers"]


def test_a_name_that_is_not_in_the_cache_says_where_it_would_be(here, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    line = fail("nobody/no-model-of-this-name", "lines.txt", "--offline")
    assert names(line, "nobody/no-model-of-this-name", "offline", "cache"), line


def test_without_matplotlib_there_is_no_figure_and_everything_else(bert, here, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = as_json(bert, "lines.txt", "--no-sampling-error", *FAST)
    assert found["written"] == ["layers.csv", "layers.html"]
    assert names(found["warnings"][-1], "eigentropy[plot]")
