"""Data as samples: their order, their labels, and what is said of data that are no data."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.io import FileError
from eigentropy.torch.features import ImageArray, ImageFolder, Inputs, TextFile, TextList
from eigentropy.torch.features.inputs import as_samples
from eigentropy.torch.features.sample_sets import as_labels
from messages import naming


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# Images.


def test_subfolders_are_classes_and_names_are_in_natural_order(folder, pictures):
    samples = ImageFolder(folder)
    assert samples.classes == ("cat", "dog")
    np.testing.assert_array_equal(samples.labels, [0] * 6 + [1] * 6)
    read = np.stack([np.asarray(samples[i]) for i in range(len(samples))])
    np.testing.assert_array_equal(read, pictures)


def test_a_flat_folder_has_no_labels(folder, pictures):
    (folder / "cat" / ".hidden.png").write_bytes(b"")
    (folder / "cat" / "notes.txt").write_text("no picture")
    samples = ImageFolder(folder / "cat")
    assert samples.labels is None
    assert samples.classes is None
    assert len(samples) == 6


def test_what_is_no_folder_of_images_is_named(folder, tmp_path):
    with pytest.raises(FileError, match=naming("nowhere")):
        ImageFolder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match=naming("empty", ".png", ".jpg")):
        ImageFolder(tmp_path / "empty")
    shutil.copy(folder / "cat" / "0.png", folder)
    with pytest.raises(FileError, match=naming("pictures", 1, "'cat'", "'dog'")):
        ImageFolder(folder)


def test_a_subfolder_without_images_is_no_class_and_is_named(folder):
    (folder / "bird").mkdir()
    with pytest.warns(UserWarning, match=naming("bird")):
        samples = ImageFolder(folder)
    assert samples.classes == ("cat", "dog")


@pytest.mark.parametrize("content", [b"", b"no picture", "cut"])
def test_an_image_that_cannot_be_read_is_named(folder, content):
    damaged = folder / "dog" / "2.png"
    damaged.write_bytes(damaged.read_bytes()[:-300] if content == "cut" else content)
    samples = ImageFolder(folder)
    with pytest.raises(FileError, match=naming("dog/2.png")):
        samples[8]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_every_image_becomes_rgb(folder, mode):
    from PIL import Image

    gray = Image.new("RGB", (3, 2), (255, 255, 255)).convert(mode)
    gray.save(folder / "cat" / ("0.tif" if mode == "CMYK" else "00.png"))
    found = [np.asarray(ImageFolder(folder)[i]) for i in range(2)]
    assert any(one.shape == (2, 3, 3) and (one > 190).all() for one in found)


def test_an_image_of_16_bits_is_refused_and_named(folder):
    from PIL import Image

    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(folder / "cat" / "0.png")
    with pytest.raises(FileError, match=naming("cat/0.png", 8)):
        ImageFolder(folder)[0]


def test_the_digest_follows_bytes_names_and_order(folder):
    before = ImageFolder(folder).digest()
    assert ImageFolder(folder).digest() == before
    (folder / "cat" / "0.png").rename(folder / "cat" / "00.png")
    renamed = ImageFolder(folder).digest()
    shutil.copy(folder / "dog" / "0.png", folder / "cat" / "00.png")
    assert len({before, renamed, ImageFolder(folder).digest()}) == 3


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 4, 1), (3, 5, 4, 3), (3, 5, 4, 4)])
def test_an_array_of_bytes_is_pictures(rng, shape):
    X = rng.integers(0, 256, shape, dtype=np.uint8)
    samples = as_samples(X)
    assert isinstance(samples, ImageArray)
    assert samples[2].size == (4, 5)
    assert samples[2].mode == "RGB"


@pytest.mark.parametrize("shape", [(3, 3, 5, 5), (0, 5, 4, 3), (3, 5, 4, 2)])
def test_bytes_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=naming("images", *shape)):
        as_samples(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("make", [as_samples, ImageFolder, TextFile])
@pytest.mark.parametrize("name", ["pictues", "pictues/", "reviews.txt", "t.docx", 300 * "word "])
def test_what_does_not_exist_is_taken_for_no_kind_of_data(tmp_path, make, name):
    with pytest.raises(FileError, match=naming("does not exist")) as caught:
        make(str(tmp_path / name))
    assert "kind" not in str(caught.value)


# Texts.


def test_a_text_file_has_one_text_a_line(tmp_path):
    path = written(tmp_path / "t.txt", "one\ntwo, and\u2028more\nthree\n\n")
    samples = as_samples(path)
    assert [samples[i] for i in range(len(samples))] == ["one", "two, and\u2028more", "three"]
    assert samples.labels is None


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_a_table_has_texts_and_labels(tmp_path, suffix):
    rows = [("good", 'a, "b"'), ("bad", "c"), ("good", "d")]
    if suffix == ".jsonl":
        text = "\n".join(json.dumps({"label": label, "text": text}) for label, text in rows)
    else:
        comma = "," if suffix == ".csv" else "\t"
        quoted = [(label, '"' + text.replace('"', '""') + '"') for label, text in rows]
        text = "\n".join(comma.join(row) for row in [("label", "text"), *quoted])
    samples = TextFile(written(tmp_path / f"t{suffix}", text))
    assert [samples[i] for i in range(3)] == ['a, "b"', "c", "d"]
    assert samples.classes == ("bad", "good")
    np.testing.assert_array_equal(samples.labels, [1, 0, 1])


def test_columns_are_named(tmp_path):
    path = written(tmp_path / "t.csv", "review,stars\nfine,5\npoor,1\n")
    samples = TextFile(path, text="review", label="stars")
    np.testing.assert_array_equal(samples.labels, [5, 1])
    assert samples.classes is None
    with pytest.raises(FileError, match=naming("t.csv", "'text'", "'review'", "'stars'")):
        TextFile(path)
    with pytest.raises(FileError, match=naming("'reviews'", "nearest", "'review'")):
        TextFile(path, text="reviews")
    with pytest.raises(FileError, match=naming("'star'", "nearest", "'stars'")):
        TextFile(path, text="review", label="star")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.txt", "", ["no text"]),
        ("t.txt", "\n\n", ["no text"]),
        ("t.csv", "text,label\n", ["no text"]),
        ("t.txt", "a\n \nb\n", ["line 2"]),
        ("t.txt", "a\n\n \nb\n\n\n\n\nc\n", [9, "lines 2, 3, 5, 6, 7", "1 more"]),
        ("t.csv", "text\n \na\n\t\nb\n", ["lines 2, 4"]),
        ("t.jsonl", '{"text": "a"}\n{"text":', ["line 2"]),
        ("t.jsonl", '{"text": "a"}\n["b"]', ["line 2"]),
        ("t.csv", "text,label\na,x\nb\n", ["line 3", "'label'"]),
        ("t.csv", "text,label\na,x\nb,\n", ["'label'", "sample 1"]),
        ("t.docx", "a", [".docx", ".txt", ".jsonl"]),
    ],
)
def test_a_file_of_texts_that_is_none_is_named(tmp_path, name, text, said):
    with pytest.raises((FileError, ValueError), match=naming(name, *said)):
        TextFile(written(tmp_path / name, text))


def test_texts_that_are_not_utf8_are_named(tmp_path):
    (tmp_path / "t.txt").write_bytes("süß".encode("latin-1"))
    with pytest.raises(FileError, match=naming("t.txt", "UTF-8")):
        TextFile(tmp_path / "t.txt")


def test_lists_of_texts_are_checked():
    with pytest.raises(ValueError, match="empty"):
        TextList([])
    with pytest.raises(ValueError, match=naming("entry 1")):
        TextList(["a", "  "])
    with pytest.raises(ValueError, match=naming("entries 1, 2")):
        TextList(["a", "  ", "", "b"])
    with pytest.raises(TypeError, match=naming("entry 1", "int")):
        TextList(["a", 3])


@settings(deadline=None)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1))
def test_the_longest_texts_come_first_and_each_once(texts):
    order = TextList(texts).order()
    assert sorted(order.tolist()) == list(range(len(texts)))
    lengths = [len(texts[i]) for i in order]
    assert lengths == sorted(lengths, reverse=True)


# Other arrays, and labels.


def test_other_arrays_are_given_as_they_are(rng):
    X = rng.normal(size=(4, 3))
    samples = as_samples(X)
    assert isinstance(samples, Inputs)
    np.testing.assert_array_equal(samples[1].numpy(), X[1])
    assert samples.digest() != Inputs(X.astype(np.float32)).digest()


@pytest.mark.parametrize("data", [object(), np.array(["a"]), np.array(3.0), np.zeros((0, 2)), []])
def test_what_is_no_data_is_said(data):
    with pytest.raises((TypeError, ValueError)):
        as_samples(data)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b2", "b10", "C"]), min_size=1))
def test_words_become_numbers_that_name_them(words):
    labels, classes = as_labels(words, len(words), "labels")
    assert [classes[i] for i in labels] == words
    assert set(classes) == set(words)


def test_labels_that_are_numbers_stay_so():
    assert as_labels(["3", "-1"], 2, "y")[0].tolist() == [3, -1]
    assert as_labels(["3", "1.5"], 2, "y")[0].tolist() == [3.0, 1.5]
    assert as_labels(np.array([True, False]), 2, "y")[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 2], ["y", 3, 2]),
        ([1.0, np.nan, 2], ["y", "sample 1"]),
        ([1j, 2, 3], ["y", "complex128"]),
    ],
)
def test_labels_that_do_not_fit_are_said(labels, said):
    with pytest.raises((ValueError, TypeError), match=naming(*said)):
        as_labels(labels, 3, "y")
