"""Directories of hidden states, one file a request, as a server writes them."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
save_file = pytest.importorskip("safetensors.torch").save_file

from eigentropy.io import FileError
from eigentropy.torch.layers import StatesFolder, profile
from messages import naming
from tiny_language_models import states_one_by_one

MEASURES = ["dse", "rankme", "curvature"]


@pytest.fixture
def folder(tmp_path, gpt2, tokenizer, texts):
    """The states of forty requests, whose files are not in the order of the alphabet."""
    layers = states_one_by_one(gpt2, tokenizer, texts)
    for number in range(len(texts)):
        states = torch.stack([torch.from_numpy(layer[number]) for layer in layers], dim=1)
        write(tmp_path / f"request-{number}.safetensors", states)
    return tmp_path


def write(path, states, **others):
    known = {"hidden_states": states.contiguous(), "token_ids": torch.arange(len(states))}
    save_file({**known, **others}, path)


@pytest.mark.parametrize("scope", ["prompts", "tokens", "within"])
def test_states_from_files_are_as_those_of_the_model(folder, gpt2, tokenizer, texts, scope):
    options = {"scope": scope, "measures": MEASURES}
    found = profile(StatesFolder(folder), **options)
    wanted = profile(gpt2, texts, tokenizer=tokenizer, **options)
    assert found.names == ["state 1", "state 2", "state 3"]
    assert (found.prompts, found.tokens, found.n) == (40, wanted.tokens, wanted.n)
    for row, other in zip(found.to_rows(), wanted.to_rows(), strict=True):
        for key in MEASURES:
            assert row[key] == pytest.approx(other[key], rel=1e-6)


def test_labels_are_in_the_natural_order_of_the_files(folder, gpt2, tokenizer, texts, labels):
    options = {"labels": labels, "measures": "kernel_information_bits", "sampling": False}
    found = profile(str(folder), **options)
    wanted = profile(gpt2, texts, tokenizer=tokenizer, **options)
    for row, other in zip(found.to_rows(), wanted.to_rows(), strict=True):
        key = "kernel_information_bits"
        assert row[key] == pytest.approx(other[key], rel=1e-5)


def test_the_caller_says_which_layers_they_are(folder):
    found = profile(StatesFolder(folder, [0, 2, 4]), measures="rankme", layers=["block *"])
    assert found.names == ["block 2", "block 4"]
    found = profile(StatesFolder(folder, [0, 2, 4]), measures="rankme", layers=[4, 0])
    assert found.names == ["embedding", "block 4"]
    with pytest.raises(ValueError, match=naming("'block 3'", "'block 4'")):
        profile(StatesFolder(folder, [0, 2, 4]), measures="rankme", layers=3)
    with pytest.raises(FileError, match=naming("numbers", "3", "2")):
        profile(StatesFolder(folder, [1, 2]), measures="rankme")


def test_numbers_of_layers_are_those_of_their_names(folder):
    assert profile(StatesFolder(folder), measures="rankme", layers=2).names == ["state 2"]
    assert profile(StatesFolder(folder), measures="rankme", layers=-1).names == ["state 3"]
    with pytest.raises(ValueError, match=naming("layers", "'state 0'", "'state 1'")):
        profile(StatesFolder(folder), measures="rankme", layers=0)


def test_half_precision_of_the_server(tmp_path, folder):
    wanted = profile(StatesFolder(folder), measures="rankme", sampling=False)
    from safetensors.torch import load_file

    narrow = tmp_path / "narrow"
    narrow.mkdir()
    for file in folder.glob("*.safetensors"):
        write(narrow / file.name, load_file(file)["hidden_states"].bfloat16())
    found = profile(StatesFolder(narrow), measures="rankme", sampling=False)
    for name, value in found.values().items():
        assert float(value) == pytest.approx(float(wanted.values()[name]), rel=0.01)


def test_a_file_that_is_truncated(folder):
    file = folder / "request-3.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(FileError, match=naming("request-3.safetensors", "truncated")):
        profile(StatesFolder(folder), measures="rankme")
    file.write_bytes(b"")
    with pytest.raises(FileError, match=naming("request-3.safetensors")):
        profile(StatesFolder(folder), measures="rankme")


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"hidden": torch.zeros(4, 3, 16)}, ("'hidden_states'", "'hidden'")),
        ({"hidden_states": torch.zeros(4, 3, 16)}, ("'token_ids'",)),
        ({"hidden_states": torch.zeros(4, 48), "token_ids": torch.arange(4)}, ("(4, 48)",)),
        ({"hidden_states": torch.zeros(0, 3, 16), "token_ids": torch.arange(0)}, ("(0, 3, 16)",)),
        ({"hidden_states": torch.zeros(4, 3, 16).int(), "token_ids": torch.arange(4)}, ("int32",)),
        ({"hidden_states": torch.zeros(4, 3, 16), "token_ids": torch.arange(5)}, ("(5,)", "4")),
        ({"hidden_states": torch.zeros(4, 2, 16), "token_ids": torch.arange(4)}, ("(2, 16)",)),
    ],
)  # fmt: skip
def test_a_file_of_another_kind(folder, tensors, words):
    save_file(tensors, folder / "request-5.safetensors")
    with pytest.raises(FileError, match=naming("request-5.safetensors", *words)):
        profile(StatesFolder(folder), measures="rankme")


def test_directories_without_states(tmp_path):
    with pytest.raises(FileError, match=naming("missing")):
        StatesFolder(tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(FileError, match=naming(".safetensors", "hidden_states")):
        StatesFolder(tmp_path)


def test_texts_beside_states(folder):
    with pytest.raises(ValueError, match=naming("texts", folder.name)):
        profile(StatesFolder(folder), ["ab"], measures="rankme")
    with pytest.raises(ValueError, match="views"):
        profile(StatesFolder(folder), measures="dime", views=2)


def test_files_are_read_one_by_one(folder, monkeypatch):
    from eigentropy.torch.layers import states_files

    read = []
    monkeypatch.setattr(
        states_files,
        "opened",
        lambda file, real=states_files.opened: read.append(file) or real(file),
    )
    batches = states_files.FolderStates(StatesFolder(folder), None).batches(None)
    first = next(batches)
    assert len(read) == 1
    assert first.states["state 1"].shape[0] == 1
    assert not math.isnan(float(first.states["state 1"].sum()))
