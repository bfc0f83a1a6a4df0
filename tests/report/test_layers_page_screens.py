"""The page of the layers of a model in a browser: it is drawn, fits its screen, and answers."""

from __future__ import annotations

import pytest

pytest.importorskip("selenium.webdriver.support.ui")
pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from benchmarks.shared import browser
from eigentropy.report.layers_page import layers_page
from layer_profiles import UNITS, language_profile
from opened_pages import (
    CROWDED,
    CUT,
    STACKED,
    WIDE,
    count,
    focus,
    opened_text,
    press,
    screen,
    texts,
)

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LONG = "a_very_long_name_of_a_layer_without_a_place_to_break_it_" * 2


def opened(driver, tmp_path, profile, **options):
    return opened_text(driver, tmp_path, layers_page(profile, "Some layers", **options))


@pytest.mark.parametrize("width", [360, 768, 1400, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_any_screen(driver, tmp_path, width, scheme):
    profiles = (
        language_profile(37),
        language_profile(3, names=[LONG, "b", "c"], shares=True, model=LONG),
        language_profile(1, sampling=False),
    )
    with screen(driver, width, scheme):
        for profile in profiles:
            ask = opened(driver, tmp_path, profile, settings={LONG: LONG}, remarks=[LONG])
            assert browser.complaints(driver) == []
            assert ask("document.documentElement.scrollWidth") <= width
            for wrong in (CUT, WIDE, CROWDED, STACKED):
                assert ask(wrong) == []


def test_every_measure_has_a_panel_with_its_bands_dots_and_ties(driver, tmp_path):
    profile = language_profile(6, shares=True)
    ask = opened(driver, tmp_path, profile)
    titles = texts(ask, "#measures figcaption")[:-1]
    assert [title.split(",")[0] for title in titles] == [*UNITS]
    assert texts(ask, "#measures figure:first-child svg > text")[-2:] == ["layer", "bits"]
    ticks = texts(ask, "#measures figure:first-child svg > text")
    assert {"embedding"} < set(ticks)
    number = profile.values("dse")["embedding"]
    (cell, *_) = texts(ask, "#layer-table tbody td")
    assert cell == f"{number.value:.4f} ± {number.sampling_error:.4f}"
    assert count(ask, "#measures figure") == len(UNITS) + 1
    assert count(ask, "#measures .tie") == len(UNITS)
    assert count(ask, "#measures .limit") == 1
    values = 6 * (len(UNITS) + 1) - 1  # one measure has no last layer
    assert count(ask, "#measures svg > g > circle") == values
    bands = ask("[...document.querySelectorAll('#measures .band')].map((e) => e.getAttribute('d'))")
    assert [bool(path) for path in bands] == [True] * len(UNITS) + [False]
    assert texts(ask, "#layer-table tbody th") == profile.names
    assert count(ask, "#layer-table tbody td") == 6 * (len(UNITS) + 1)
    assert len(texts(ask, "#sentences li")) == len(UNITS)


def test_what_has_nothing_to_show_is_left_out(driver, tmp_path):
    ask = opened(driver, tmp_path, language_profile(3, sampling=False))
    assert count(ask, "#sentences, #settings") == 0
    assert count(ask, "#measures .tie") == 0
    assert "thick line" not in texts(ask, "#measures-help")[0]


def test_arrow_keys_walk_from_layer_to_layer_and_mark_it_in_all_panels(driver, tmp_path):
    from selenium.webdriver.common.keys import Keys

    profile = language_profile(4)
    ask = opened(driver, tmp_path, profile)
    focus(driver, ask, "#measures .hit")
    seen = []
    for _ in profile.names:
        seen.append(ask("document.querySelector('#tooltip b').textContent"))
        assert count(ask, "#measures .cross:not(.off)") == len(UNITS)
        press(driver, Keys.ARROW_RIGHT)
    assert seen == profile.names
    press(driver, Keys.ESCAPE)
    assert count(ask, "#measures .cross:not(.off)") == 0
    assert browser.complaints(driver) == []
