"""Tables of accuracies: which columns are meant, and which row is which model."""

from __future__ import annotations

import warnings

import pytest

from eigentropy._support.warnings import recorded_warnings
from eigentropy.io import FileError
from eigentropy.ranking.accuracies import read_accuracies
from messages import naming

MODELS = ("resnet50", "vit_tiny")


def table(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_accuracies(*args, **options)


# ---- Columns ------------------------------------------------------------------------------------


def test_the_usual_columns_are_found_by_their_names(tmp_path):
    text = "family,params,model,top1,top5\nResNet,25.6,resnet50,80.1,95\nViT,5.7,vit_tiny,75.4,92\n"
    found = quietly(table(tmp_path, text), MODELS)
    assert found.accuracy == {"resnet50": 80.1, "vit_tiny": 75.4}
    assert found.family == {"resnet50": "ResNet", "vit_tiny": "ViT"}
    assert found.size == {"resnet50": 25.6, "vit_tiny": 5.7}
    assert found.column == "top1"


def test_a_table_of_timm_is_read_as_it_is(tmp_path):
    text = (
        "model,img_size,top1,top1_err,top5,top5_err,param_count\n"
        'eva.m,448,90.05,9.95,99.05,0.95,"1,014.45"\nvit_tiny,224,75.46,24.54,92.84,7.16,5.72\n'
    )
    found = quietly(table(tmp_path, text), ("eva.m", "vit_tiny"))
    assert found.accuracy == {"eva.m": 90.05, "vit_tiny": 75.46}
    assert found.size == {"eva.m": 1014.45, "vit_tiny": 5.72}


@pytest.mark.parametrize(
    "text",
    [
        "net,score\nresnet50,80\nvit_tiny,75\n",  # the words, and the only numbers
        "what;Score\nresnet50;80,0\nvit_tiny;75,0\n",
        "Model\tAcc@1\tN_Params\nresnet50\t80\t25\nvit_tiny\t75\t5\n",
        "family,network,acc\nResNet,resnet50,80\nViT,vit_tiny,75\n",
        "Name,Top-1,date\nresnet50,80,2015\nvit_tiny,75,2021\n",
    ],
)
def test_columns_are_found_however_they_are_written(tmp_path, text):
    assert quietly(table(tmp_path, text), MODELS).accuracy == {"resnet50": 80, "vit_tiny": 75}


def test_names_that_are_numbers_are_names(tmp_path):
    assert quietly(table(tmp_path, "model,acc\n7,1\n10,2\n"), ("7", "10")).accuracy == {
        "7": 1,
        "10": 2,
    }


def test_a_column_of_accuracies_can_be_asked_for(tmp_path):
    path = table(tmp_path, "model,top1,real\nresnet50,80,86\nvit_tiny,75,83\n")
    assert quietly(path, MODELS, accuracy="real").accuracy == {"resnet50": 86, "vit_tiny": 83}
    with pytest.raises(FileError, match=naming("table.csv", "reel", "real")):
        read_accuracies(path, MODELS, accuracy="reel")
    with pytest.raises(FileError, match=naming("model", "resnet50", "line 2")):
        read_accuracies(path, MODELS, accuracy="model")


def test_parquet_is_read_alike(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"model": ["resnet50", "vit_tiny"], "accuracy": [80, None], "family": ["a", None]}
    parquet.write_table(arrow.table(columns), tmp_path / "table.parquet")
    with pytest.warns(UserWarning, match=naming("vit_tiny")):
        found = read_accuracies(tmp_path / "table.parquet", MODELS)
    assert (found.accuracy, found.family) == ({"resnet50": 80}, {"resnet50": "a"})


def test_a_column_called_by_a_year_is_no_lack_of_a_header(tmp_path):
    path = table(tmp_path, "model,2019\nresnet50,80\nvit_tiny,75\n")
    assert quietly(path, MODELS).accuracy == {"resnet50": 80, "vit_tiny": 75}


# ---- Names --------------------------------------------------------------------------------------


def test_models_without_an_accuracy_are_said_with_the_nearest_name(tmp_path):
    path = table(tmp_path, "model,acc,size\nresnet5O,80,1\nvit_tiny,75,2\nbeit,nan,3\n")
    with recorded_warnings() as warned:
        found = read_accuracies(path, ("resnet50", "vit_tiny", "beit"))
    assert found.accuracy == {"vit_tiny": 75}
    assert found.size == {"vit_tiny": 2, "beit": 3}
    without, unused = warned
    assert "'resnet50' (nearest: 'resnet5O'), 'beit'" in without
    assert "'resnet5O' (nearest: 'resnet50')" in unused


def test_a_table_of_other_models_is_refused_with_the_nearest_names(tmp_path):
    path = table(tmp_path, "model,acc\nresnet5O,80\nbeit,75\n")
    with pytest.raises(FileError, match=naming("table.csv", "resnet50", "resnet5O", "vit_tiny")):
        read_accuracies(path, MODELS)


def test_a_whole_name_is_matched_before_one_without_a_tag(tmp_path):
    path = table(tmp_path, "model,acc\nresnet50,1\nresnet50.a1_in1k,2\nresnet50.tv_in1k,3\n")
    names = ("resnet50.tv_in1k", "resnet50", "timm:resnet50.a1_in1k")
    assert quietly(path, names).accuracy == {
        "resnet50.tv_in1k": 3, "resnet50": 1, "timm:resnet50.a1_in1k": 2,
    }  # fmt: skip


@pytest.mark.parametrize(("model", "row"), [("a.b", "a"), ("a", "a.b"), ("timm:a", "a.b")])
def test_a_name_without_a_tag_is_matched_with_a_warning(tmp_path, model, row):
    with pytest.warns(UserWarning, match=naming(model, row)):
        found = read_accuracies(table(tmp_path, f"model,acc\n{row},1\n"), [model])
    assert found.accuracy == {model: 1}


@pytest.mark.parametrize(
    ("models", "rows"),
    [(("a.b",), ("a.c",)), (("a.b", "a.c"), ("a",)), (("a",), ("a.b", "a.c"))],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_may_be_several_models_is_not_matched(tmp_path, models, rows):
    path = table(tmp_path, "model,acc\nother,0\n" + "".join(f"{row},1\n" for row in rows))
    assert read_accuracies(path, ("other", *models)).accuracy == {"other": 0}


def test_nothing_is_said_of_models_that_are_out(tmp_path):
    path = table(tmp_path, "model,acc\nresnet50,80\nbroken,70\n")
    with recorded_warnings() as warned:
        found = read_accuracies(path, ("resnet50", "broken", "lost", "gone"), tells=False)
        found.tell(out=("broken", "lost"))
    (line,) = warned
    assert "'gone'" in line
    assert not {"'lost'", "'broken'"} & {*line.replace(";", " ").replace(",", " ").split()}


# ---- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model,acc\nresnet50,80\nvit_tiny,75\nresnet50,81\n", ("resnet50", "line 2", "line 4")),
        ("# a\n\nmodel,acc\na,1\na,2\n", ("'a'", "line 4", "line 5")),
        ('model,acc,note\na,1,"b\nc"\na,2,d\n', ("'a'", "line 3", "line 4")),
        ("resnet50,80\nvit_tiny,75\n", ("resnet50", "header", "model,accuracy")),
        ("net,0.5\nresnet50,80\n", ("0.5", "header")),
        ("vit_tiny,75\n", ("vit_tiny", "header")),
        ("model,a,b\nresnet50,1,2\nvit_tiny,3,4\n", ("a", "b", "--accuracy")),
        ("model,family\nresnet50,ResNet\nvit_tiny,ViT\n", ("--accuracy",)),
        ("model,acc\nresnet50,high\nvit_tiny,75\n", ("acc", "high", "line 2")),
        ("model,acc,epochs\nresnet50,80%,90\nvit_tiny,75%,300\n", ("acc", "80%", "line 2")),
        ("acc,size\n80,1\n75,2\n", ("acc", "model")),
        ("model,acc\nresnet50,80,3\nvit_tiny,75\n", ("table.csv", "line 2", 3, 2)),
        ("model,acc\n", ("table.csv", "acc")),
        ("model,acc,acc\nresnet50,1,2\nvit_tiny,1,2\n", ("acc",)),
    ],
)
def test_a_table_that_cannot_be_used_says_what_is_wrong(tmp_path, text, words):
    with pytest.raises(FileError, match=naming(*words)):
        read_accuracies(table(tmp_path, text), MODELS)


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(FileError, match=naming("table.xlsx", ".csv", ".parquet")):
        read_accuracies(table(tmp_path, "x", "table.xlsx"), MODELS)
    with pytest.raises(FileError, match=naming("gone.csv")):
        read_accuracies(tmp_path / "gone.csv", MODELS)
