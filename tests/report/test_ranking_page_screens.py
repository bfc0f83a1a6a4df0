"""The page of a ranking in a browser: it is drawn, fits its screen, and answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait

from benchmarks.shared import browser
from eigentropy.ranking import Ranking
from eigentropy.report.ranking_page import ranking_page
from opened_pages import (
    CROWDED,
    CUT,
    STACKED,
    WIDE,
    choose,
    count,
    focus,
    opened_text,
    press,
    screen,
    texts,
)
from rankings import SCORES, ranking_of, scores_of

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LONG = "a_very_long_name_of_a_model_without_a_place_to_break_it_" * 2


def opened(driver, tmp_path, ranking, **options):
    return opened_text(driver, tmp_path, ranking_page(ranking, "A ranking", **options))


def marks(ask, inside, attribute):
    """An attribute of the mark of each model, or of something in it."""
    script = "[...document.querySelectorAll(arguments[0])].map((e) => e.getAttribute(arguments[1]))"
    return ask(script, f"#scatter .model {inside}".strip(), attribute)


def models_in_table(ask):
    return texts(ask, "#rank-table tbody tr:not(.off):not([hidden]) th")


@pytest.mark.parametrize("width", [360, 768, 1400, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_any_screen(driver, tmp_path, width, scheme):
    rankings = (
        ranking_of(12),
        ranking_of(3, names=(LONG, "b", "c"), accuracies=False, families=False, sizes=False),
        ranking_of(1),
    )
    with screen(driver, width, scheme):
        for ranking in rankings:
            ask = opened(driver, tmp_path, ranking, settings={LONG: LONG}, remarks=[LONG])
            assert browser.complaints(driver) == []
            assert ask("document.documentElement.scrollWidth") <= width
            for wrong in (CUT, WIDE, CROWDED, STACKED):
                assert ask(wrong) == []


def of_long_names(count=5):
    """A ranking by a score of a long name, with errors that need their room."""
    found = ranking_of(
        count,
        names=(
            *(
                "timm:vit_base_patch16_clip_224.openai_ft_in12k_in1k" + str(place)
                for place in range(count)
            ),
        ),
    )
    longer = {"dsmi": "kernel_information_adjusted"}
    values, errors, moves = (
        {longer.get(score, score): one for score, one in known.items()}
        for known in (found.values, found.errors, found.moves)
    )
    return replace(
        found, values=values, errors=errors, moves=moves, by=longer[found.by], kept={},
        scores=tuple(longer.get(score, score) for score in found.scores),
    )  # fmt: skip


@pytest.mark.parametrize("width", [360, 390, 800, 1010])
def test_the_ranks_fit_a_screen_without_being_scrolled(driver, tmp_path, width):
    with screen(driver, width):
        for ranking in (ranking_of(5), of_long_names()):
            ask = opened(driver, tmp_path, ranking)
            wide = "[...document.querySelectorAll('#table .scroll, #correlation-table .scroll')]"
            assert ask(f"{wide}.map((e) => e.scrollWidth - e.clientWidth)") == [0, 0]
            ends = (
                "(() => { const end = document.querySelector('#table .scroll')"
                ".getBoundingClientRect().right; return [...document.querySelectorAll("
                "'#rank-table td, #rank-table td *')].filter((e) => "
                "e.getBoundingClientRect().right > end + 0.5).length; })()"
            )
            assert ask(ends) == 0


def test_intervals_and_groups_are_shown_where_there_are_sampling_errors(driver, tmp_path):
    apart = Ranking.of([scores_of(name, place, spread=1e-6) for place, name in enumerate("abcd")])
    assert apart.ties() == []
    unknown = Ranking.of(
        [replace(scores_of(name, place), subsets={}, hits={}) for place, name in enumerate("abcd")]
    )
    shown = []
    for ranking in (apart, unknown):
        heads = texts(opened(driver, tmp_path, ranking), "#rank-table thead th")
        shown.append({"interval", "group"} & {*heads})
    assert shown == [{"interval", "group"}, set()]


def test_table_figure_and_correlations_show_the_ranking(driver, tmp_path):
    ranking = ranking_of(9)
    ask = opened(driver, tmp_path, ranking)
    assert models_in_table(ask) == [rank.model for rank in sorted(ranking.ranks(), key=by_rank)]
    assert count(ask, "#scatter g.model") == 8  # the first has no accuracy
    (title,) = texts(ask, "#scatter figcaption")
    assert title == f"accuracy over {ranking.by}"
    assert texts(ask, "#correlations figcaption") == ["Pearson", "Spearman", "weighted tau"]
    assert len(set(marks(ask, "circle", "r"))) > 3
    assert len(set(marks(ask, "", "stroke"))) == 3


def by_rank(rank):
    return rank.rank


def test_another_score_orders_the_table_and_moves_the_circles(driver, tmp_path):
    ranking = ranking_of(9)
    ask = opened(driver, tmp_path, ranking)
    before = marks(ask, "circle", "cx")
    for score in SCORES:
        choose(ask, "choose-score", score)
        order = [rank.model for rank in sorted(ranking.ranks(score), key=by_rank)]
        assert models_in_table(ask)[: len(order)] == order
    choose(ask, "choose-target", "knn_accuracy")
    assert texts(ask, "#scatter figcaption") == [f"knn_accuracy over {SCORES[-1]}"]
    assert marks(ask, "circle", "cx") != before
    assert browser.complaints(driver) == []


def test_a_family_can_be_taken_out_and_models_be_found(driver, tmp_path):
    ranking = ranking_of(9)
    ask = opened(driver, tmp_path, ranking)
    family = ranking.families[ranking.models[0]]
    named = "[...document.querySelectorAll('#legend button')].find((e) => e.textContent === "
    ask(f"{named}arguments[0]).click()", family)
    left = [name for name in ranking.models if ranking.families.get(name) != family]
    assert models_in_table(ask) == left
    assert count(ask, "#scatter g.model:not(.off)") == len(
        [n for n in left if n in ranking.accuracies]
    )
    choose(ask, "choose-score", "dse")
    assert set(models_in_table(ask)) == set(left)
    box = "document.getElementById('find')"
    ask(f"{box}.value = arguments[0]", left[1].upper())
    ask(f"{box}.dispatchEvent(new Event('input'))")
    assert models_in_table(ask) == [left[1]]


def test_arrow_keys_walk_from_model_to_model(driver, tmp_path):
    from selenium.webdriver.common.keys import Keys

    ranking = ranking_of(6)
    ask = opened(driver, tmp_path, ranking)
    focus(driver, ask, "#scatter .hit")
    seen = []
    for _ in range(5):
        seen.append(ask("document.querySelector('#tooltip b').textContent"))
        press(driver, Keys.ARROW_RIGHT)
    assert len(set(seen)) == 5
    assert set(seen) == set(ranking.accuracies)


def test_many_models_are_shown_some_at_a_time(driver, tmp_path):
    ask = opened(driver, tmp_path, ranking_of(130))
    assert len(models_in_table(ask)) == 100
    ask("[...document.querySelectorAll('#table button')].at(-1).click()")
    assert len(models_in_table(ask)) == 130
