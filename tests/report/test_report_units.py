"""Units and PHATE views on the page in a browser: what they show, and by keyboard."""

from __future__ import annotations

import numpy as np
import pytest

Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys

import stand_ins
from benchmarks.shared import browser
from eigentropy.report import Units, read_run
from messages import names
from opened_pages import choose, count, move, opened, press, screen
from recorded_runs import N, record

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def stands_in(monkeypatch):
    stand_ins.use(monkeypatch)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        stand_ins.use(patched)
        folder = tmp_path_factory.mktemp("runs")
        return [record(folder / name, units=Units(), phate=True) for name in ("a", "b")]


def embedded(run, layer):
    """Where the stand-in puts the units: (epochs, units, 2)."""
    return stand_ins.mphate(read_run(run).units(layer)[1]).coordinates


DOTS = "[...document.querySelectorAll('#units circle.now')].map((one) => [+one.getAttribute('cx'), +one.getAttribute('cy')])"  # noqa: E501
FILLS = "[...document.querySelectorAll('#units circle.now')].map((one) => one.getAttribute('fill'))"
LIT = "[...document.querySelectorAll('#units g.unit')].findIndex((one) => one.classList.contains('lit'))"  # noqa: E501
TEXT = "document.querySelector('#units rect.hit').getAttribute('aria-valuetext')"
STEP = "Number(document.getElementById('units-step').value)"


def test_a_dot_for_each_unit_where_the_embedding_has_it(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    assert browser.complaints(driver) == []
    assert count(ask, "#units g.unit") == 8
    for layer in ("second", "first"):
        choose(ask, "units-layer", layer)
        exact = embedded(runs[0], layer)
        spans = {}
        for index in (0, 2):
            move(ask, "units-step", index)
            seen = np.array(ask(DOTS))
            assert seen.shape == (8, 2)
            spans[index] = seen
        # One scale for all steps and both directions: distances are those of the embedding.
        points = np.concatenate([spans[0], spans[2]])
        wanted = np.concatenate([exact[0], exact[2]])
        far, exactly = (
            np.linalg.norm(one[:, None] - one[None], axis=-1) for one in (points, wanted)
        )
        ratio = far[exactly > 0] / exactly[exactly > 0]
        assert ratio.std() < 0.02 * ratio.mean()


def test_a_dot_has_the_colour_of_the_class_that_the_unit_answers_most(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    units = read_run(runs[0]).units("second")[1][2]
    means = [units[:, np.arange(N) % 3 == k].mean(axis=1) for k in range(3)]
    answers = np.argmax(means, axis=0).tolist()
    colours = dict(zip(ask(FILLS), answers, strict=True))
    assert len(set(colours)) == len(set(answers)) == 3
    assert [colours[fill] for fill in ask(FILLS)] == answers
    key = "document.querySelectorAll('#units .keys button')[arguments[0]].click()"
    ask(f"void ({key})", answers[0])
    off = "[...document.querySelectorAll('#units circle.now')].map((one) => one.classList.contains('off'))"  # noqa: E501
    assert ask(off) == [answer == answers[0] for answer in answers]


def focus(driver, ask, selector):
    from selenium.webdriver.common.action_chains import ActionChains

    ask("document.querySelector(arguments[0]).focus()", selector)
    press(driver, Keys.TAB)
    ActionChains(driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    assert ask("document.activeElement.matches(arguments[0])", selector)


def test_arrow_keys_walk_through_units_and_steps(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    focus(driver, ask, "#units rect.hit")
    assert (ask(LIT), ask(STEP)) == (0, 2)
    assert names(ask(TEXT), "unit 0", "epoch 3")
    wanted = {
        Keys.ARROW_DOWN: (1, 2), Keys.ARROW_LEFT: (1, 1), Keys.HOME: (1, 0),
        Keys.PAGE_DOWN: (7, 0), Keys.ARROW_RIGHT: (7, 1), Keys.ARROW_UP: (6, 1), Keys.END: (6, 2),
    }  # fmt: skip
    for key, place in wanted.items():
        press(driver, key)
        assert (ask(LIT), ask(STEP)) == place, key
        assert names(ask(TEXT), f"unit {place[0]}", f"epoch {place[1] + 1}")
    press(driver, Keys.HOME, Keys.ENTER)
    assert ask("document.getElementById('views-step').value") == "0"
    press(driver, Keys.ESCAPE)
    assert ask(LIT) == -1
    assert ask("document.getElementById('tooltip').hidden")


def test_play_is_a_button_for_keys_and_ends_at_the_last_step(driver, tmp_path, runs):
    from selenium.webdriver.support.ui import WebDriverWait

    ask = opened(driver, tmp_path, runs[0])
    ask(
        "void (window.seen = [], document.getElementById('units-step')"
        ".addEventListener('input', (event) => seen.push(event.target.value)))"
    )
    ask("document.getElementById('units-play').focus()")
    press(driver, Keys.ENTER)
    WebDriverWait(driver, 20).until(lambda _: ask("seen.length") >= 3)
    assert ask("seen") == ["0", "1", "2"]


def test_the_pointer_finds_the_nearest_unit(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    script = """((k) => {
      const dot = document.querySelectorAll('#units circle.now')[k].getBoundingClientRect();
      document.querySelector('#units rect.hit').dispatchEvent(new PointerEvent('pointermove',
        { clientX: dot.x + dot.width / 2, clientY: dot.y + dot.height / 2 + 1 }));
    })(arguments[0])"""
    ask("document.getElementById('h-units').scrollIntoView()")
    for k in (3, 5):
        ask(script, k)
        assert ask(LIT) == k
        assert names(ask("document.getElementById('tooltip').innerText"), f"unit {k}")


def test_the_numbers_over_units_are_those_of_embed(driver, tmp_path, runs):
    from eigentropy import embed

    ask = opened(driver, tmp_path, *runs)
    cells = "[...document.querySelectorAll('#unit-table tbody tr')].map((row) => [...row.cells].map((one) => one.textContent))"  # noqa: E501
    rows = ask(cells)
    assert [row[0] for row in rows] == ["first, a", "second, a", "first, b", "second, b"]
    exact = embed.unit_entropies(read_run(runs[0]).units("second")[1])
    found = [float(cell) for cell in rows[1][1:]]
    wanted = [exact.dse[0], exact.dse[-1], exact.multislice, exact.step.between_share]
    assert found == pytest.approx(wanted, abs=2e-3)
    assert count(ask, "#units svg g[data-layer] > .curve") == 4
    ask("document.querySelectorAll('#legend button')[0].click()")
    hidden = "[...document.querySelectorAll('#unit-table tr')].filter((one) => one.checkVisibility()).length"  # noqa: E501
    assert ask(hidden) == 1 + 2


def test_another_run_is_chosen_and_the_layer_kept(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    choose(ask, "units-layer", "first")
    choose(ask, "units-run", "b")
    selected = "document.getElementById(arguments[0]).selectedOptions[0].text"
    assert (ask(selected, "units-run"), ask(selected, "units-layer")) == ("b", "first")
    assert browser.complaints(driver) == []


@pytest.mark.parametrize("width", [320, 1400])
def test_units_fit_the_window_and_are_drawn_anew(driver, tmp_path, runs, width):
    with screen(driver, width):
        ask = opened(driver, tmp_path, *runs)
        assert ask("document.documentElement.scrollWidth") <= width
        assert count(ask, "#units figure > svg") == 2  # the traces, and the entropy
        ask("afterResize.tell()")
        assert count(ask, "#units figure > svg") == 2
        assert count(ask, "#units circle.now") == 8


def test_every_control_has_a_name_and_is_reached_by_tab(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    unnamed = (
        "[...document.querySelectorAll('figure > svg, canvas, [role=slider], [role=region], "
        "select, input')].filter((one) => !(one.ariaLabel || (one.labels || [])[0])).length"
    )
    assert ask(unnamed) == 0
    for selector in ("#phate-layer", "#units-layer", "#units-step", "#units-play", "#units rect"):
        assert ask("document.querySelector(arguments[0]).tabIndex", selector) == 0
    assert ask("[...document.querySelectorAll('[role=img] [tabindex]')].length") == 0


# ---- PHATE views --------------------------------------------------------------------------------


def test_phate_views_are_a_row_a_run_and_a_map_a_step(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    maps = "[...document.querySelectorAll('#phate [data-run]')].map((row) => [...row.querySelectorAll('figcaption')].map((one) => one.textContent))"  # noqa: E501
    assert ask(maps) == [["epoch 1", "epoch 2", "epoch 3"]] * 2
    picture = "document.querySelector('#phate canvas').toDataURL()"
    last = ask(picture)
    choose(ask, "phate-layer", "first")
    assert ask(picture) != last
    ask("document.querySelector('#phate .keys button').click()")
    without = ask(picture)
    ask("document.querySelector('#phate .keys button').click()")
    assert without != ask(picture)
    assert browser.complaints(driver) == []


def test_phate_views_say_how_accurate_the_network_was(driver, tmp_path):
    run = record(tmp_path / "a", steps=(1, 2), phate=True, accuracy=lambda step: step / 4)
    ask = opened(driver, tmp_path, run)
    captions = "[...document.querySelectorAll('#phate figcaption')].map((one) => one.textContent)"
    assert ask(captions) == ["epoch 1, accuracy 0.250", "epoch 2, accuracy 0.500"]


# ---- What is missing ----------------------------------------------------------------------------


def test_a_run_without_units_has_neither_section(driver, tmp_path):
    ask = opened(driver, tmp_path, record(tmp_path / "a"))
    assert count(ask, "#units, #phate") == 0
    assert browser.complaints(driver) == []


def test_where_phate_is_missing_the_page_names_the_extra_and_has_the_numbers(
    driver, tmp_path, monkeypatch
):
    run = record(tmp_path / "a", units=Units())
    stand_ins.use(monkeypatch, is_installed=False)
    ask = opened(driver, tmp_path, run)
    assert count(ask, "#units g.unit") == 0
    assert names(ask("document.querySelector('#units .missing').textContent"), "eigentropy[embed]")
    assert count(ask, "#unit-table tbody tr") == 2
    move(ask, "units-step", 0)
    assert browser.complaints(driver) == []


def test_a_run_without_labels_has_dots_of_one_colour(driver, tmp_path):
    run = record(tmp_path / "a", units=Units())
    for file in (run / "units").iterdir():
        with np.load(file) as known:
            arrays = {name: known[name] for name in known if name != "groups"}
        np.savez(file, **arrays)
    ask = opened(driver, tmp_path, run)
    assert len(set(ask(FILLS))) == 1
    assert count(ask, "#units .keys button") == 0
    assert ask("document.getElementById('units-colours').hidden")


def test_one_step_has_dots_and_no_slider_to_move(driver, tmp_path):
    ask = opened(driver, tmp_path, record(tmp_path / "a", steps=(1,), units=Units()))
    assert count(ask, "#units circle.now") == 8
    assert count(ask, "#units-play") == 0
    assert ask("document.getElementById('units-step').disabled")
    assert browser.complaints(driver) == []
