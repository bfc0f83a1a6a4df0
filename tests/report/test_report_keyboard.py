"""The report page by keyboard, on paper, and in the reader's own choice of light or dark."""

from __future__ import annotations

import base64
import re

import pytest

Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys

import eigentropy as eg
from benchmarks.shared import browser
from messages import names
from opened_pages import choose, count, focus, opened, press, screen
from recorded_runs import LAYERS, record, rows_of

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def further(step, layer):
    is_raised = layer == "second" and step > 1
    return {
        "dse_sampling_se": 0.05, "dsmi_x": 0.2 * step, "dsmi_x_sampling_se": 0.03,
        "alarm": float(is_raised), "alarm_evidence": 0.6 * step,
    }  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs with everything that a page can show, and so many remarks that some are folded."""
    folder = tmp_path_factory.mktemp("runs")
    classes = [{"name": str(k), "size": 4 + k} for k in range(3)]
    options = {"t": 2.0, "sigma": 1.0, "alpha": 0.5, "seed": 1, "n_null": 7, "order": 2}
    one = record(folder / "a", further=further, description={"classes": classes, **options})
    other = {key: value + 1 for key, value in options.items()}
    return [one, record(folder / "b", further=further, description=other)]


# ---- Keyboard -----------------------------------------------------------------------------------

# All that can be used, in the order of the document; a hidden one cannot.
CONTROLS = """[...document.querySelectorAll(
  "a[href], button, select, input, summary, [tabindex='0']"
)].filter((e) => !e.disabled && e.checkVisibility())"""

# Of what has the focus: its place among the controls, and what is seen of it.
FOCUSED = f"""(() => {{
  const one = document.activeElement;
  const [seen, box] = [getComputedStyle(one), one.getBoundingClientRect()];
  return [{CONTROLS}.indexOf(one), parseFloat(seen.outlineWidth), seen.outlineStyle,
    box.width * box.height, box.bottom > 0 && box.top < innerHeight];
}})()"""


def test_every_control_is_reached_by_tab_in_order_and_seen(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    number = ask(f"{CONTROLS}.length")
    reached = []
    for _ in range(number):
        press(driver, Keys.TAB)
        place, width, style, area, is_inside = ask(FOCUSED)
        reached.append(place)
        assert (width >= 2, style, area > 0, is_inside) == (True, "solid", True, True), place
    assert reached == list(range(number))
    for selector in ("#scheme", "#alarms button", "#trajectories rect.hit", "#profile-step",
                     "#profile rect.hit", "#comparison-measure", "#comparison-step",
                     "#plane rect", "#spectrum-t", "#views-step"):  # fmt: skip
        assert ask(f"{CONTROLS}.some((one) => one.matches(arguments[0]))", selector), selector


def test_the_first_tab_leads_past_the_legend(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    press(driver, Keys.TAB)
    box = (
        "(({ left, top }) => left >= 0 && top >= 0)(document.activeElement.getBoundingClientRect())"
    )
    assert ask(box)
    press(driver, Keys.ENTER)
    assert ask("document.activeElement.id") == "main"
    press(driver, Keys.TAB)
    assert ask("document.activeElement.closest('main') !== null")


def test_arrow_keys_walk_through_a_panel(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    panel = "#trajectories rect.hit"
    text = f"document.querySelector('{panel}').getAttribute('aria-valuetext')"
    focus(driver, ask, panel)
    assert names(ask(text), "epoch 3")
    for keys, step in ((Keys.ARROW_LEFT, 2), (Keys.HOME, 1), (Keys.ARROW_LEFT, 1), (Keys.END, 3)):
        press(driver, keys)
        assert ask(text).startswith(f"epoch {step}:")
        for layer in LAYERS:
            exact = float(eg.DiffusionOperator(rows_of(step, layer)).entropy())
            assert names(ask(text), layer, f"{exact:.4f}")
            assert f"{exact:.4f}" in ask("document.getElementById('tooltip').innerText")
        x = ask("[panels[0].cross.x1.baseVal.value, panels[0].X(arguments[0])]", step)
        assert x[0] == pytest.approx(x[1], abs=0.01)
    press(driver, Keys.ARROW_LEFT, Keys.ENTER)
    for slider in ("profile-step", "spectrum-step", "views-step"):
        assert ask(f"document.getElementById('{slider}').value") == "1"
    press(driver, Keys.ESCAPE)
    assert ask("document.getElementById('tooltip').hidden")


def test_arrow_keys_walk_through_the_plane(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    text = "document.querySelector('#plane rect').getAttribute('aria-valuetext')"
    focus(driver, ask, "#plane rect")
    seen = [ask(text)]
    for key in (Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_UP):
        press(driver, key)
        seen.append(ask(text))
    wanted = [(3, "first"), (2, "first"), (2, "second"), (3, "second"), (3, "first")]
    for found, (step, layer) in zip(seen, wanted, strict=True):
        assert names(found, f"epoch {step}", layer, "I(Z;X)", "I(Z;Y)")
    centres = (
        "[...document.querySelectorAll(arguments[0])].map((one) => one.getBoundingClientRect())"
        ".map(({ x, y, width }) => [x + width / 2, y + width / 2])"
    )
    (ring,), dots = ask(centres, "#plane .ring"), ask(centres, "#plane .moment")
    assert min(abs(ring[0] - x) + abs(ring[1] - y) for x, y in dots) < 0.5


def test_arrow_keys_walk_through_the_profile(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    text = "document.querySelector('#profile rect.hit').getAttribute('aria-valuetext')"
    focus(driver, ask, "#profile rect.hit")
    assert names(ask(text), "first", "a", "b")
    press(driver, Keys.ARROW_DOWN)
    exact = float(eg.DiffusionOperator(rows_of(3, "second")).entropy())
    assert names(ask(text), "second", f"{exact:.4f}")


def test_every_drawing_has_a_name(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    unnamed = (
        "[...document.querySelectorAll('figure > svg, canvas, [role=slider], [role=region], "
        "select, input')].filter((one) => !(one.ariaLabel || (one.labels || [])[0]))"
        ".map((one) => one.outerHTML.slice(0, 80))"
    )
    assert ask(unnamed) == []
    inside = "[...document.querySelectorAll('[role=img] [tabindex]')].length"
    assert ask(inside) == 0  # a reader of screens finds nothing within an image


# ---- Light and dark -----------------------------------------------------------------------------

COLOURS = """[
  "body", "h1", "#legend line", "#remarks", "button", "#trajectories g[data-layer]", "svg text"
].map((one) => getComputedStyle(document.querySelector(one)))
  .map(({ color, backgroundColor, stroke, fill }) => [color, backgroundColor, stroke, fill])"""
MAP = "document.querySelector('#views canvas').toDataURL()"


def test_the_switch_is_stronger_than_the_system(driver, tmp_path, runs):
    seen = {}
    for system in ("light", "dark"):
        with screen(driver, 1000, system):
            ask = opened(driver, tmp_path, *runs)
            seen[system] = ask(COLOURS), ask(MAP)
            for choice in ("light", "dark"):
                choose(ask, "scheme", choice)
                seen[system, choice] = ask(COLOURS), ask(MAP)
            choose(ask, "scheme", "as the system")
            assert (ask(COLOURS), ask(MAP)) == seen[system]
    assert seen["light"] == seen["light", "light"] == seen["dark", "light"]
    assert seen["dark"] == seen["light", "dark"] == seen["dark", "dark"]
    assert all(a != b for a, b in zip(seen["light"][0], seen["dark"][0], strict=True))
    assert seen["light"][1] != seen["dark"][1]


# ---- Paper --------------------------------------------------------------------------------------

ON_PAPER = (
    """[...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).length"""
)


def test_paper_has_all_sections_and_no_controls(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    sections = count(ask, "main > section")
    controls = "input, .controls button, button.plain, #scheme, .skip, #tooltip"
    assert ask(ON_PAPER, controls) > 10
    assert count(ask, "details") == 1
    assert ask("document.querySelector('details').open") is False
    with screen(driver, 700, "dark", "print"):
        ask("dispatchEvent(new Event('beforeprint'))")
        assert ask(ON_PAPER, controls) == 0
        assert ask(ON_PAPER, "main > section") == sections
        assert ask(ON_PAPER, "details li") == count(ask, "details li") > 0
        assert ask("document.documentElement.scrollWidth") <= 700
        for element in ("figure", "tr"):
            broken = "[...new Set([...document.querySelectorAll(arguments[0])].map((one) => getComputedStyle(one).breakInside))]"  # noqa: E501
            assert ask(broken, element) == ["avoid"]
        hidden = "[...document.querySelectorAll('main *')].filter((one) => one.checkVisibility() && /auto|scroll|hidden/.test(getComputedStyle(one).overflowX) && one.scrollWidth > one.clientWidth + 1).length"  # noqa: E501
        assert ask(hidden) == 0
    ask("dispatchEvent(new Event('afterprint'))")
    assert ask("document.querySelector('details').open") is False


def test_maps_are_printed_in_the_colours_of_paper(driver, tmp_path, runs):
    with screen(driver, 1000, "light"):
        light = opened(driver, tmp_path, *runs)(MAP)
    with screen(driver, 1000, "dark"):
        ask = opened(driver, tmp_path, *runs)
        dark = ask(MAP)
        ask("dispatchEvent(new Event('beforeprint'))")
        assert ask(MAP) == light != dark
        ask("dispatchEvent(new Event('afterprint'))")
        assert ask(MAP) == dark


def test_printing_calls_what_unfolds_the_page(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    ask("void (window.printed = [])")
    is_open = "document.querySelector('details').open"
    ask(f"addEventListener('beforeprint', () => printed.push({is_open}))")
    document = driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert ask("printed") == [True]
    pages = len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(document["data"])))
    assert 3 <= pages <= 9
    assert browser.complaints(driver) == []
