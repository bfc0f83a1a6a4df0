"""The report page on narrow and wide, light and dark screens: nothing is cut, all can be told."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest

WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait

import eigentropy as eg
from benchmarks.shared import browser
from messages import names
from opened_pages import CROWDED, CUT, STACKED, WIDE, count, opened, screen
from recorded_runs import record, rows_of, write

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLANE = {"dsmi_x": 0.3, "dsmi_y_adjusted": 0.5}


def errors(step, layer):
    """Sampling errors, and an alarm of one layer."""
    is_raised = float(step > 1 and layer.endswith("2.mlp"))
    return {"dse_sampling_se": 0.1, "dsmi_y_sampling_se": 0.05, "dsmi_x_null_se": 0.02,
            "alarm": is_raised, "alarm_evidence": 1.5 * is_raised}  # fmt: skip


LONG = "a.very_long_name_of_a_layer_without_a_place_to_break_it_" * 2


@pytest.fixture(scope="module")
def of_layers(tmp_path_factory):
    """Runs by their number of layers, recorded once. Their paths through the plane differ."""
    folder, known = tmp_path_factory.mktemp("runs"), {}

    def run(number, steps=(1, 2, 3)):
        if (number, steps) not in known:
            layers = tuple(f"encoder.{k}.mlp" for k in range(number))
            place = folder / f"{number} of {len(steps)}"
            path = record(place, steps, layers, information=PLANE, further=errors)
            known[number, steps] = spread(path)
        return known[number, steps]

    return run


def spread(path):
    """Values of the layers that differ, for the plane; as close as those of a network."""
    generator = np.random.default_rng(0)
    lines = [json.loads(line) for line in (path / "values.jsonl").read_text().splitlines()]
    for line in lines:
        for key in line:
            if key.startswith("dsmi_"):
                line[key] += 0.1 * generator.normal()
    return write(path / "values.jsonl", "".join(f"{json.dumps(x)}\n" for x in lines)).parent


# ---- Width --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 768, 1400, 1920])
def test_nothing_is_cut_at_any_width(driver, tmp_path, of_layers, width):
    long = record(tmp_path / "a", layers=(LONG,), title=LONG, settings={LONG: LONG})
    with screen(driver, width):
        for runs in ([of_layers(12)], [of_layers(3), long], [of_layers(4, (1,))]):
            ask = opened(driver, tmp_path, *runs)
            for name in ("layers", "steps"):
                ask(f"document.getElementById('spectrum-{name}')?.click()")
            assert ask("document.documentElement.scrollWidth") <= width
            assert ask("innerWidth") == width
            for wrong in (CUT, WIDE, CROWDED, STACKED):
                assert ask(wrong) == []


def test_tables_fit_a_telephone_without_being_scrolled(driver, tmp_path, of_layers):
    with screen(driver, 360):
        ask = opened(driver, tmp_path, of_layers(3), of_layers(3, (1, 2)))
        ask("document.getElementById('spectrum-layers').click()")
        assert count(ask, ".scroll table") == 3
        wide = "[...document.querySelectorAll('.scroll')].map((e) => e.scrollWidth - e.clientWidth)"
        assert ask(wide) == [0, 0, 0]
        heads = (
            "[...document.querySelectorAll('#difference-table tr:nth-child(1) td')]"
            ".map((e) => getComputedStyle(e, '::before').content)"
        )
        assert len(ask(heads)) == 5
        assert all(len(head) > 2 for head in ask(heads))


def test_drawings_follow_the_width_of_the_window(driver, tmp_path, of_layers):
    figure = "document.querySelector('#trajectories svg')"
    ask = opened(driver, tmp_path, of_layers(3))
    before = ask(f"{figure}.viewBox.baseVal.width")
    assert ask(f"{figure}.clientWidth") == pytest.approx(before, abs=1)
    ask("document.querySelector('#legend button[aria-pressed]').click()")
    hidden = count(ask, "#trajectories g.off")
    with screen(driver, 360):
        narrow = lambda _: ask(f"{figure}.viewBox.baseVal.width") != before  # noqa: E731
        WebDriverWait(driver, 20).until(narrow)
        assert ask(f"{figure}.clientWidth") == pytest.approx(
            ask(f"{figure}.viewBox.baseVal.width"), abs=1
        )
        assert count(ask, "#trajectories g.off") == hidden > 0
    assert browser.complaints(driver) == []


# ---- Colours ------------------------------------------------------------------------------------


def colours(ask, selector, name="stroke"):
    """Computed colours as red, green and blue from 0 to 1."""
    found = ask(
        "[...document.querySelectorAll(arguments[0])].map(e => getComputedStyle(e)[arguments[1]])",
        selector,
        name,
    )
    return [rgb(one) for one in found]


def rgb(text):
    return tuple(float(x) / 255 for x in re.findall(r"[\d.]+", text)[:3])


def linear(colour):
    c = np.array(colour)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """Of WCAG 2: from 1 to 21."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def oklab(colour):
    """Where distances are differences to the eye (Ottosson 2020); 0.02 is just noticeable."""
    lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return lab @ np.cbrt(lms @ linear(colour))


def distance(a, b):
    return float(np.linalg.norm(oklab(a) - oklab(b)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("number", [3, 8, 9, 20])
def test_the_colours_of_layers_are_told_apart(driver, tmp_path, of_layers, scheme, number):
    with screen(driver, 1400, scheme):
        ask = opened(driver, tmp_path, of_layers(number))
        found = colours(ask, "#legend line")
        (paper,) = colours(ask, "main > section:has(#trajectories)", "backgroundColor")
    assert len(found) == number
    assert min(distance(a, b) for a, b in itertools.combinations(found, 2)) > 0.04
    assert min(distance(a, b) for a, b in itertools.pairwise(found)) > 0.1
    assert min(contrast(one, paper) for one in found) > 3


def test_even_of_40_layers_neighbours_are_told_apart(driver, tmp_path, of_layers):
    found = colours(opened(driver, tmp_path, of_layers(40)), "#legend line")
    assert min(distance(a, b) for a, b in itertools.combinations(found, 2)) > 0.02
    assert min(distance(a, b) for a, b in itertools.pairwise(found)) > 0.1


# Colour and ground of each text on the page, whatever element it stands in.
TEXTS = """[...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).map((e) => {
  let ground = e;
  const clear = (n) => getComputedStyle(n).backgroundColor === "rgba(0, 0, 0, 0)";
  while (clear(ground) && ground !== document.body) ground = ground.parentElement;
  const own = getComputedStyle(e);
  return [e instanceof SVGElement ? own.fill : own.color, getComputedStyle(ground).backgroundColor,
    e.textContent];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_texts_can_be_read(driver, tmp_path, of_layers, scheme):
    log = write(tmp_path / "log.csv", "step,dse/first\n1,5.0\n2,nan\n3,5.0\n")  # with a warning
    with screen(driver, 1400, scheme):
        ask = opened(driver, tmp_path, of_layers(4), log)
        ask("document.getElementById('spectrum-layers').click()")
        ask("document.querySelector('#legend button[aria-pressed]').click()")
        assert count(ask, "#alarms button") == 1
        texts = ask(TEXTS)
        (paper,) = colours(ask, "body", "backgroundColor")
    assert len(texts) > 100
    low = [(text, contrast(rgb(a), rgb(b))) for a, b, text in texts]
    assert [one for one in low if one[1] < 4.5] == []
    assert (contrast(paper, (0, 0, 0)) < 2) == (scheme == "dark")


def test_maps_change_with_the_scheme(driver, tmp_path, of_layers):
    ask = opened(driver, tmp_path, of_layers(3))
    picture = "document.querySelector('#views canvas').toDataURL()"
    light = ask(picture)
    with screen(driver, 1400, "dark"):
        WebDriverWait(driver, 20).until(lambda _: ask(picture) != light)
    WebDriverWait(driver, 20).until(lambda _: ask(picture) == light)


def test_print_is_light(driver, tmp_path, of_layers):
    ask = opened(driver, tmp_path, of_layers(3))
    seen = [("body", "backgroundColor"), ("h1", "color"), ("#legend line", "stroke")]
    light = [colours(ask, *one) for one in seen]
    with screen(driver, 1400, "dark"):
        assert [colours(ask, *one) for one in seen] != light
    with screen(driver, 1400, "dark", "print"):
        assert [colours(ask, *one) for one in seen] == light


# ---- Names in the plane -------------------------------------------------------------------------

BOXES = """[...document.querySelectorAll("#plane .name text")]
  .map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, box]) => box.width)
  .map(([text, box]) => [text, box.left, box.top, box.right, box.bottom])"""


# Names and dots that lie on each other; the dots are round.
COVERED = """(() => {
  const boxOf = (e) => e.getBoundingClientRect();
  const dots = [...document.querySelectorAll("#plane .moment")].map(boxOf);
  return [...document.querySelectorAll("#plane .name text")].filter((e) => {
    const box = boxOf(e);
    return box.width && dots.some((dot) => {
      const [x, y, r] = [dot.left + dot.width / 2, dot.top + dot.height / 2, dot.width / 2];
      const [dx, dy] = [Math.max(box.left - x, x - box.right, 0),
        Math.max(box.top + 2 - y, y - box.bottom + 2, 0)];
      return r && Math.hypot(dx, dy) < r;
    });
  }).map((e) => e.textContent);
})()"""

# How far the line of each name ends from the text, and begins from the last dot of its path.
LEADERS = """[...document.querySelectorAll("#plane .name")].filter((e) => e.checkVisibility())
  .map((e) => {
    const [line, box] = [e.querySelector("line"), e.querySelector("text").getBBox()];
    const { layer, run } = e.dataset;
    const path = [...document.querySelectorAll("#plane .path")]
      .find((one) => one.dataset.layer === layer && one.dataset.run === run);
    const dot = [...path.querySelectorAll(".moment")].pop();
    const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((end) => line[end].baseVal.value);
    return [Math.max(box.x - x2, x2 - box.x - box.width, box.y - y2, y2 - box.y - box.height),
      Math.hypot(x1 - dot.cx.baseVal.value, y1 - dot.cy.baseVal.value)];
  })"""


def overlapping(boxes):
    return [
        (a[0], b[0])
        for a, b in itertools.combinations(boxes, 2)
        if a[1] < b[3] - 1 and b[1] < a[3] - 1 and a[2] < b[4] - 1 and b[2] < a[4] - 1
    ]


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("number", [4, 12, 40])
def test_names_in_the_plane_do_not_overlap(driver, tmp_path, of_layers, width, number):
    with screen(driver, width):
        ask = opened(driver, tmp_path, of_layers(number))
        boxes = ask(BOXES)
        assert len(boxes) >= 4
        assert overlapping(boxes) == []
        assert ask(COVERED) == []
        assert {text for text, *_ in boxes} <= {str(k) for k in range(number)}  # what differs
        if (number, width) != (40, 360):
            assert len(boxes) == number  # there is room for all


def test_two_runs_in_the_plane_have_names_that_do_not_overlap(driver, tmp_path, of_layers):
    ask = opened(driver, tmp_path, of_layers(4), of_layers(4, (1, 2)))
    boxes = ask(BOXES)
    assert len(boxes) == 8
    assert overlapping(boxes) == ask(COVERED) == []


def test_lines_lead_from_the_last_dot_to_the_name(driver, tmp_path, of_layers):
    ask = opened(driver, tmp_path, of_layers(12))
    found = ask(LEADERS)
    assert len(found) == 12
    assert max(map(max, found)) < 3


def test_names_of_layers_at_one_place_stand_around_it(driver, tmp_path):
    layers = tuple(f"layer.{k}" for k in range(7))
    path = record(tmp_path / "a", layers=layers, information=PLANE)  # all have the same values
    ask = opened(driver, tmp_path, path)
    assert len(ask(BOXES)) == 7
    assert overlapping(ask(BOXES)) == ask(COVERED) == []


@pytest.fixture
def crowded(driver, tmp_path, of_layers):
    """The plane of two runs of 40 layers on a telephone, which has no room for 80 names."""
    with screen(driver, 360):
        ask = opened(driver, tmp_path, of_layers(40), of_layers(40, (1, 2)))
        assert overlapping(ask(BOXES)) == ask(COVERED) == []
        assert 4 < len(ask(BOXES)) < 70
        yield ask


def test_a_name_without_room_is_shown_when_its_layer_is_pointed_at(driver, crowded):
    from selenium.webdriver.common.action_chains import ActionChains

    before = {text for text, *_ in crowded(BOXES)}
    hidden = next(k for k in range(40) if f"{k}, 40 of 3" not in before)
    key = driver.find_elements("css selector", "#legend button[aria-pressed]")[hidden]
    ActionChains(driver).move_to_element(key).perform()
    shown = {text for text, *_ in crowded(BOXES)}
    assert shown == {*before, f"{hidden}, 40 of 3", f"{hidden}, 40 of 2"}
    assert count(crowded, "#plane .dim") > 0


def test_names_get_the_room_of_layers_that_are_taken_out(driver, crowded):
    all_, none, *_ = driver.find_elements("css selector", "#legend button.plain")
    none.click()
    assert crowded(BOXES) == []
    keys = driver.find_elements("css selector", "#legend button[aria-pressed]")
    for k in (7, 20):
        keys[k].click()
    assert {text for text, *_ in crowded(BOXES)} == {
        f"{k}, 40 of {n}" for k in (7, 20) for n in (2, 3)
    }
    all_.click()
    assert len(crowded(BOXES)) > 4


def test_pointing_at_the_legend_lets_a_layer_stand_out_until_it_is_taken_out(
    driver, tmp_path, of_layers
):
    from selenium.webdriver.common.action_chains import ActionChains

    ask = opened(driver, tmp_path, of_layers(3))
    key = driver.find_elements("css selector", "#legend button[aria-pressed]")[1]
    ActionChains(driver).move_to_element(key).perform()
    without = "[...document.querySelectorAll('svg [data-layer]')].filter(m => !m.matches('{}'))"
    names_of = f"[...new Set({without}.map(m => m.dataset.layer))]"
    assert ask(names_of.format(".dim")) == ["encoder.1.mlp"]
    key.click()
    assert count(ask, ".dim") == 0
    assert ask(names_of.format(".off")) == ["encoder.0.mlp", "encoder.2.mlp"]


# ---- Spectra beside each other ------------------------------------------------------------------


def spectra(ask):
    """Names and S(t) of the table of curves, and the strokes in the figure of S(t)."""
    rows = ask(
        "[...document.querySelectorAll('#spectrum-curves tbody tr')]"
        ".map(r => [r.cells[0].innerText.trim(), Number(r.cells[1].innerText)])"
    )
    return rows, colours(ask, "#spectra figure:last-child path.curve")


def press(ask, name):
    ask(f"document.getElementById('spectrum-{name}').click()")


def test_spectra_of_layers_and_steps_are_laid_over_each_other(driver, tmp_path):
    layers = ("first", "second")
    ask = opened(driver, tmp_path, record(tmp_path / "a", layers=layers))
    press(ask, "layers")
    rows, strokes = spectra(ask)
    assert [name for name, _ in rows] == ["first, epoch 3", "second, epoch 3"]
    assert strokes == colours(ask, "#legend line")  # a layer has its colour
    press(ask, "steps")
    rows, strokes = spectra(ask)
    assert len(rows) == len(strokes) == 4
    for name, value in rows:
        layer, step = name.split(", epoch ")
        eigenvalues = eg.DiffusionOperator(rows_of(int(step), layer)).eigenvalues()
        assert value == pytest.approx(eg.spectral_entropy(eigenvalues), rel=1e-4)
    assert len(set(strokes)) == 4
    ask("document.querySelector('#spectrum-curves button').click()")
    assert [name for name, _ in spectra(ask)[0]] == [name for name, _ in rows[1:]]
    press(ask, "clear")
    assert spectra(ask)[0] == []
    assert len(spectra(ask)[1]) == 1
    assert browser.complaints(driver) == []


def test_a_kept_curve_stays_while_another_is_chosen(driver, tmp_path):
    ask = opened(driver, tmp_path, record(tmp_path / "a"))
    press(ask, "keep")
    ask("(s => { s.value = 0; s.dispatchEvent(new Event('input')); })"
        "(document.getElementById('spectrum-step'))")  # fmt: skip
    assert [name for name, _ in spectra(ask)[0]] == ["second, epoch 1", "second, epoch 3"]


def test_spectra_of_runs_are_laid_over_each_other(driver, tmp_path):
    runs = [record(tmp_path / "a"), record(tmp_path / "b", steps=(1, 2))]
    ask = opened(driver, tmp_path, *runs)
    press(ask, "runs")
    rows, strokes = spectra(ask)
    assert [name for name, _ in rows] == ["second, epoch 3, a", "second, epoch 2, b"]
    assert len(set(strokes)) == 2


# ---- Strange values -----------------------------------------------------------------------------


def test_values_of_any_size_are_drawn(driver, tmp_path):
    run = record(tmp_path / "a", information=PLANE)
    lines = [json.loads(line) for line in (run / "spectra.jsonl").read_text().splitlines()]
    for layer in lines[2]["layers"].values():
        layer["sigma"] = None
        layer["entropy"] = [None, 1e300, -1e300, *layer["entropy"][3:]]
        layer["eigenvalues"] = [1e200, None, -0.5, *layer["eigenvalues"][3:]]
    write(run / "spectra.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    big = [1e300, -1e300, 1e-300, 2**53, 2**53 + 2, 0.1, 0.1 + 1e-16]
    text = "step,dse/first,dsmi_x/first,dsmi_y/first,loss,tiny,same\n"
    text += "".join(f"{2**53 - k},{v},{v},{v},{v},1e-{290 + k},9007199254740993\n"
                    for k, v in enumerate(big))  # fmt: skip
    log = write(tmp_path / "log.csv", text)
    for runs in ([run], [log], [run, log]):
        ask = opened(driver, tmp_path, *runs)
        assert browser.complaints(driver) == []
        drawn = ask("[...document.querySelectorAll('figure > svg')].map(e => e.outerHTML).join()")
        assert not re.search("NaN|Infinity|undefined|null", drawn)
        assert ask(CUT) == []


def test_a_single_step_has_a_row_for_each_layer(driver, tmp_path, of_layers):
    ask = opened(driver, tmp_path, of_layers(12, (1,)))
    assert ask("document.getElementById('h-trajectories').innerText") == "Values"
    panel = "#trajectories figure:first-child"
    assert count(ask, f"{panel} circle.dot") == 12
    drawn = ask(
        "[...document.querySelectorAll(arguments[0])].map(t => t.textContent)", f"{panel} text"
    )
    assert set(drawn) >= {f"encoder.{k}.mlp" for k in range(12)}
    assert not names(ask("document.getElementById('advice').innerText"), "curve")
