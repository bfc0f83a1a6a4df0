"""A ranking of several models: values, ranks, ties, correlations, tables, and what is refused."""

from __future__ import annotations

import csv
import io
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

import eigentropy as eg
from eigentropy.ranking import Ranking, score_model
from messages import names, naming

pytest.importorskip("scipy", reason="correlations need SciPy")

N = 120
QUICK = ["logme", "knn_accuracy", "rankme", "self_clustering"]
GAPS = {"blind": 0.0, "weak": 1.0, "good": 3.0, "best": 6.0}


def labels_of(n=N):
    return np.arange(n) % 4


def models_of(gaps=GAPS, seed=0):
    rng = np.random.default_rng(seed)
    y = labels_of()
    return {name: rng.normal(size=(N, 5)) + gap * np.eye(5)[y] for name, gap in gaps.items()}


def ranked(models=None, labels=None, **known):
    known = {"scores": QUICK, "processes": 1, **known}
    return eg.rank(
        models_of() if models is None else models, labels_of() if labels is None else labels,
        **known,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ranking():
    return ranked(
        accuracies={"weak": 0.3, "good": 0.8, "best": 0.9, "blind": 0.1},
        families={"good": "ViT", "best": "ViT", "weak": "ResNet"},
        sizes={"good": 5e6, "best": 86e6},
    )


def test_the_best_model_comes_first(ranking):
    assert ranking.models == ("best", "good", "weak", "blind")
    assert ranking.by == "logme"
    assert [one.rank for one in ranking.ranks()] == [1, 2, 3, 4]
    assert (np.diff(ranking.values["logme"]) < 0).all()


def test_the_adjusted_kernel_information_orders_where_it_is_measured():
    found = ranked(scores=["rankme", "kernel_information_adjusted"], sampling=False)
    assert found.by == "kernel_information_adjusted"
    assert ranked(sampling=False, by="rankme").by == "rankme"


def test_values_are_those_of_one_model_alone(ranking):
    for name, rows in models_of().items():
        alone = score_model(name, rows, labels_of(), scores=QUICK)
        place = ranking.models.index(name)
        assert {score: ranking.values[score][place] for score in QUICK} == alone.values


def test_processes_find_what_one_finds(ranking):
    found = ranked(processes=2)
    assert found.models == ranking.models
    for score in QUICK:
        np.testing.assert_array_equal(found.values[score], ranking.values[score])
        np.testing.assert_array_equal(found.errors[score], ranking.errors[score])


def test_files_are_ranked_by_their_names(tmp_path, ranking):
    for name, rows in models_of().items():
        np.save(tmp_path / f"{name}.npy", rows)
    for paths in (tmp_path, sorted(tmp_path.iterdir())):
        found = ranked(paths)
        assert found.models == ranking.models
        np.testing.assert_array_equal(found.values["logme"], ranking.values["logme"])


def test_models_that_differ_are_told_apart_and_equal_ones_are_not():
    models = models_of()
    found = ranked({**models, "copy": models["good"]})
    assert {"good", "copy"} <= set(found.ties()[0])
    assert not found.shown_above("good", "copy")
    assert not found.shown_above("copy", "good")
    assert found.shown_above("best", "blind")
    assert not found.shown_above("blind", "best")
    ranks = {one.model: one for one in found.ranks()}
    assert ranks["good"].rank == ranks["copy"].rank == 2
    assert found.best()[0] == "best"


def test_an_interval_counts_who_is_shown_above_and_below(ranking):
    for score in ranking.scores:
        for one in ranking.ranks(score):
            others = [name for name in ranking.models if name != one.model]
            above = sum(ranking.shown_above(name, one.model, score) for name in others)
            below = sum(ranking.shown_above(one.model, name, score) for name in others)
            assert (one.low, one.high) == (1 + above, 4 - below)
            assert one.low <= one.rank <= one.high


def test_without_sampling_nothing_is_told_apart():
    found = ranked(sampling=False)
    assert np.isnan(found.errors["logme"]).all()
    assert {(one.low, one.high) for one in found.ranks()} == {(1, 4)}
    assert found.ties() is None
    assert found.groups() == []
    assert not found.has_errors()
    assert names(" ".join(found.sentences()), "best", "logme")


def test_without_sampling_the_table_has_no_column_that_needs_it(ranking):
    found = ranked(sampling=False)
    for text in (str(found), found._repr_html_()):
        assert names(text, *found.models, "rank", "logme", "knn_accuracy")
        assert not any(names(text, word) for word in ("95 %", "group", "error"))
    assert names(str(ranking), "95 %", "group", "error")
    for row in found.to_rows():
        assert row["logme_rank"] is not None
        ends = ("error", "rank_low", "rank_high")
        assert [row[f"logme_{end}"] for end in ends] == [None, None, None]


def test_correlations_are_with_accuracies_and_probes(ranking):
    found = {(one.score, one.target): one for one in ranking.correlations()}
    assert {target for _, target in found} == {"accuracy", "knn_accuracy"}
    assert ("knn_accuracy", "knn_accuracy") not in found
    one = found["logme", "accuracy"]
    assert one.models == 4
    assert one.spearman.value == pytest.approx(1.0)
    assert one.pearson.value == pytest.approx(
        np.corrcoef(ranking.values["logme"], [0.9, 0.8, 0.3, 0.1])[0, 1]
    )
    assert found["rankme", "accuracy"].spearman.value < 0  # clusters have fewer directions
    assert one.weighted_tau.value == pytest.approx(1.0)
    assert math.isnan(one.spearman.low)  # four models have no interval


def test_few_models_say_nothing_of_correlations(ranking):
    text = " ".join(ranking.sentences())
    assert names(text, "logme", "best", 4, "accuracy", "too few")
    assert not names(text, "Spearman")


def many(gaps, accuracies):
    """Models whose accuracies go with their gaps as these two lists do."""
    models = models_of({f"net {number}": gap for number, gap in enumerate(gaps)})
    known = dict(zip(models, accuracies, strict=True))
    return ranked(models, scores=["logme", "rankme"], sampling=False, accuracies=known)


def test_sentences_say_the_strongest_score_and_the_sign_of_a_correlation():
    found = many(range(10), range(10))
    first = next(one for one in found.correlations() if one.score == "logme").spearman
    assert first.low < first.value == pytest.approx(1.0)
    *_, strongest, sign = found.sentences()
    assert names(strongest, "accuracy", "Spearman", f"{first.low:.2f}", "10", "2 scores")
    assert names(sign, "lower", "rankme", "accuracy")
    assert not names(sign, "logme")


def test_a_correlation_that_may_be_none_is_not_said_to_be_one():
    found = many(range(8), [3, 5, 1, 7, 2, 6, 4, 8])
    spearmans = [one.spearman for one in found.correlations()]
    assert all(one.low < 0.0 < one.high for one in spearmans)
    (sentence,) = [one for one in found.sentences() if names(one, "Spearman")]
    assert names(sentence, "no score", "accuracy")
    assert not any(names(one, "lower") for one in found.sentences())


def test_the_table_of_records_has_every_number(ranking):
    rows = ranking.to_rows()
    assert [row["model"] for row in rows] == list(ranking.models)
    assert rows[0]["family"] == "ViT"
    assert rows[0]["size"] == 86e6
    assert rows[0]["accuracy"] == 0.9
    assert rows[3]["family"] is None
    assert rows[3]["size"] is None
    for place, row in enumerate(rows):
        for score in QUICK:
            rank = ranking.ranks(score)[place]
            assert row[score] == ranking.values[score][place]
            assert row[f"{score}_error"] == ranking.errors[score][place]
            assert (row[f"{score}_rank"], row[f"{score}_rank_low"], row[f"{score}_rank_high"]) == (
                rank.rank, rank.low, rank.high,
            )  # fmt: skip


def test_the_csv_is_the_records(ranking):
    read = list(csv.DictReader(io.StringIO(ranking.to_csv())))
    for row, record in zip(read, ranking.to_rows(), strict=True):
        assert row.keys() == record.keys()
        assert float(row["logme"]) == record["logme"]
        assert row["family"] == (record["family"] or "")


def test_it_prints_as_a_table(ranking):
    for text in (str(ranking), ranking._repr_html_()):
        assert names(text, *ranking.models, "logme", "knn_accuracy", "accuracy", "95 %")
    lines = str(ranking).splitlines()
    assert [line.split()[0] for line in lines[2:6]] == ["1", "2", "3", "4"]


def test_a_model_alone_is_above_nobody():
    found = ranked({"alone": models_of()["weak"]})
    (sentence,) = found.sentences()
    assert names(sentence, "alone", "only")
    assert str(found).startswith("1 model of")


def test_a_name_cannot_end_a_notebook_s_table():
    models = {"<b>": models_of()["weak"], "other": models_of()["good"]}
    html = ranked(models)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


def test_a_pickle_keeps_it(ranking):
    again = pickle.loads(pickle.dumps(ranking))
    assert again.ranks() == ranking.ranks()
    assert str(again) == str(ranking)


def test_a_model_with_nan_is_out_and_said_so():
    models = {**models_of(), "broken": np.full((N, 3), math.nan)}
    found = ranked(models)
    assert "broken" not in found.models
    assert names(found.excluded["broken"], "NaN")
    assert names(str(found), "broken", "NaN")


@pytest.mark.parametrize("argument", ["accuracies", "sizes"])
@pytest.mark.parametrize("value", ["0.8", None, True])
def test_what_is_known_of_a_model_is_a_number(argument, value):
    scores = [score_model("good", models_of()["good"], labels_of(), scores=["rankme"])]
    with pytest.raises(TypeError, match=naming(argument, "good", repr(value))):
        Ranking.of(scores, **{argument: {"good": value}})
    assert getattr(Ranking.of(scores, **{argument: {"good": np.int64(3)}}), argument) == {"good": 3}


def test_reasons_stand_beside_the_name_once():
    scores = [score_model("good", models_of()["good"], labels_of(), scores=["rankme"])]
    failed = {"net": "UnavailableModelError: net: no hub", "other": "KeyError: 'x' (a.py, line 3)"}
    assert Ranking.of(scores, excluded=failed).excluded == {
        "net": "no hub", "other": "KeyError: 'x' (a.py, line 3)",
    }  # fmt: skip
    with pytest.raises(ValueError, match=naming("net", "no hub", "other")):
        Ranking.of([], excluded=failed)


def test_two_processes_say_why_a_model_is_out_as_one_does():
    models = {**models_of(), "broken": np.full((N, 3), math.nan)}
    assert ranked(models, processes=2).excluded == ranked(models).excluded


def test_a_collapsed_model_stays_with_the_scores_that_it_has():
    found = ranked({**models_of(), "point": np.ones((N, 3))})
    assert found.failures.keys() == {("point", "self_clustering"), ("point", "knn_accuracy")}
    assert names(found.failures["point", "knn_accuracy"], "rows", "equal")
    assert np.isnan(found.values["self_clustering"][found.models.index("point")])
    assert len(found.ranks("self_clustering")) == 4
    assert len(found.ranks("logme")) == 5
    assert found.to_rows()[found.models.index("point")]["self_clustering"] is None
    assert names(str(found), "point", "self_clustering")


def test_progress_ends_at_one():
    for processes in (1, 2):
        told = []
        ranked(sampling=False, processes=processes, progress=told.append)
        assert told[-1] == 1.0
        assert told == sorted(told)


def test_names_that_are_no_models_are_warned_of():
    with pytest.warns(UserWarning, match=naming("accuracies", "bets", "best")):
        found = ranked(sampling=False, accuracies={"bets": 0.9, "good": 0.8})
    assert found.accuracies == {"good": 0.8}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": {**models_of(), "short": np.ones((N - 1, 3))}}, ("short", N - 1, N)),
        ({"labels": labels_of(N - 1)}, ("blind", N, N - 1)),
        ({"labels": np.zeros(N)}, ("labels", "two")),
        ({"models": {}}, ("models",)),
        ({"models": {"a": np.full((N, 2), math.nan)}}, ("a", "NaN")),
        ({"models": {1: np.ones((N, 2)), "1": np.ones((N, 2))}}, ("1", "name")),
        ({"accuracies": {"bets": 0.9}, "sampling": False}, ("accuracies", "bets", "best")),
        ({"by": "rankne"}, ("by", "rankne", "rankme")),
        ({"scores": ["knn_acuracy"]}, ("scores", "knn_acuracy", "nearest is 'knn_accuracy'")),
        ({"scores": ["entropy"]}, ("scores", "binning.entropy")),
        ({"processes": 0}, ("processes", 0)),
        ({"level": 2.0}, ("level", "2.0")),
        ({"models": {"a": np.ones((8, 2))}, "labels": labels_of(8)}, (8, "sampling=False")),
    ],
)  # fmt: skip
def test_what_cannot_be_ranked_is_refused(change, words):
    with pytest.raises(ValueError, match=naming(*words)):
        ranked(**change)


def test_the_nearest_name_is_answer_enough():
    with pytest.raises(ValueError, match="knn_acuracy") as caught:
        ranked(scores=["knn_acuracy"])
    assert not names(str(caught.value), "rankme")


@pytest.mark.parametrize("measured", [ranked, lambda **o: score_model("a", [[1]], [0], **o)])
def test_an_option_that_is_no_option_may_be_an_argument(measured):
    with pytest.raises(TypeError, match=naming("sampling_error", "sampling")):
        measured(sampling_error=False)
    with pytest.raises(TypeError, match=naming("xyz", "sampling", "seed", "n_null", "folds")):
        measured(xyz=1)


def test_one_is_no_plural():
    with pytest.raises(ValueError, match=naming("NaN")) as caught:
        ranked({"a": np.full((N, 2), math.nan)})
    assert not names(str(caught.value), "models")


def test_features_need_names():
    with pytest.raises(TypeError, match=naming("models", "list")):
        ranked([np.ones((N, 2))])
    with pytest.raises(TypeError, match=naming("Labels", "labels")):
        ranked(Labels=3)


def test_a_file_of_another_number_of_rows_is_out_and_said_so(tmp_path):
    for name, rows in models_of().items():
        np.save(tmp_path / f"{name}.npy", rows)
    np.save(tmp_path / "short.npy", np.ones((N - 1, 3)))
    found = ranked(tmp_path, sampling=False)
    assert set(found.models) == set(GAPS)
    assert names(found.excluded["short"], N, N - 1)


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "net.npy", np.ones((N, 2)))
    with pytest.raises(ValueError, match=naming("net")):
        ranked([tmp_path / "a", tmp_path / "b"])


def test_finished_tasks_make_the_same_ranking(ranking):
    parts = [score_model(name, Z, labels_of(), scores=QUICK) for name, Z in models_of().items()]
    found = Ranking.of(parts[::-1])
    assert found.ranks() == ranking.ranks()
    assert found.ties() == ranking.ties()


def test_models_of_other_labels_settings_or_rows_are_not_ranked_together():
    Z, y = models_of()["good"], labels_of()
    first = score_model("a", Z, y, scores=["logme"])
    others = {
        "b": score_model("b", Z, (y + 1) // 2, scores=["logme"]),
        "c": score_model("c", Z, y, scores=["rankme"]),
        "d": score_model("d", Z[:60], y[:60], scores=["logme"]),
        "e": score_model("e", Z, y, scores=["logme"], seed=1),
    }
    for name, other in others.items():
        with pytest.raises(ValueError, match=naming("a", name)):
            Ranking.of([first, other])
    with pytest.raises(ValueError, match=naming("a", "name")):
        Ranking.of([first, first])
    with pytest.raises(ValueError, match=naming("model")):
        Ranking.of([])


def test_an_unknown_score_or_model_is_answered(ranking):
    with pytest.raises(ValueError, match=naming("score", "logne", "logme")):
        ranking.ranks("logne")
    with pytest.raises(ValueError, match=naming("bets", "logme")):
        ranking.shown_above("bets", "good")


UNGUARDED = """
import numpy as np, eigentropy as eg
y = np.arange(40) % 2
Z = np.random.default_rng(0).normal(size=(40, 2))
ranking = eg.rank({"a": Z, "b": Z + y[:, None]}, y, scores=["rankme"], sampling=False, **OPTIONS)
"""


@pytest.mark.parametrize("is_file", [True, False])
def test_a_script_without_a_guard_is_told_of_the_way_without_one(tmp_path, is_file):
    script = tmp_path / "script.py"

    def last_line(options):
        code = f"OPTIONS = {options}\n{UNGUARDED}"
        script.write_text(code)
        given = [str(script)] if is_file else ["-"]
        done = subprocess.run(
            [sys.executable, *given], input=code, capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stderr.splitlines() or [""])[-1]

    code, line = last_line({"processes": 2})
    assert code == 1
    assert names(line, "ProcessNotBegunError", "__main__", "processes=1")
    assert not names(line, "run_tasks")
    assert last_line({"processes": 1}) == (0, "")
