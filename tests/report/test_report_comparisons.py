"""Bands, alarms, the layer profile and comparisons on the page, in headless Chromium."""

from __future__ import annotations

import itertools
import json
import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.shared import browser
from eigentropy._support.interval import LEVEL, student_quantile
from messages import names
from opened_pages import choose, count, move, opened
from recorded_runs import add_profile, record

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LAYERS = ("one", "two", "three", "four")
MINUS = "\N{MINUS SIGN}"
QUANTILE = student_quantile(LEVEL, math.inf)


# What the runs have of each layer and step: an entropy, and its sampling error.
def entropy(run, step, layer):
    generator = np.random.default_rng([ord(run), step, LAYERS.index(layer)])
    shift = {"a": 0.0, "b": 0.0, "c": 0.4}[run]
    return 3.0 + shift - 0.3 * (LAYERS.index(layer) > 1) + 0.02 * generator.normal()


def error(run, step, layer):
    return 0.02 + 0.01 * "abc".index(run) + 0.005 * step + 0.003 * LAYERS.index(layer)


def recorded(folder, run, steps=(1, 2, 3), **more):
    def further(step, layer):
        return {
            "dse": entropy(run, step, layer), "dse_sampling_se": error(run, step, layer),
            "dsmi_y_null_se": 0.05, **{key: of(step, layer) for key, of in more.items()},
        }  # fmt: skip

    return record(folder / run, steps, LAYERS, further=further)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def runs(folder):
    return [recorded(folder, "a"), recorded(folder, "b", (1, 2, 3, 4)), recorded(folder, "c")]


@pytest.fixture(scope="module")
def alarmed(folder):
    (folder / "alarmed").mkdir()
    return recorded(
        folder / "alarmed", "a",
        alarm=lambda step, layer: float(layer == "three" and step > 1),
        alarm_evidence=lambda step, layer: 0.6 * step if layer == "three" else 0.0,
        spread=lambda step, layer: 0.9 / step, scale=lambda step, layer: 2.0 / step,
    )  # fmt: skip


# ---- Reference ----------------------------------------------------------------------------------


def p_value(a, b):
    """Of two values with their errors, as of independent samples."""
    total = math.hypot(a[1], b[1])
    return 1.0 if a[0] == b[0] else math.erfc(abs(b[0] - a[0]) / total / math.sqrt(2.0))


def holm(p_values):
    """By its definition: the smallest times their number, the next times one less, rising."""
    ranks = sorted(range(len(p_values)), key=p_values.__getitem__)
    scaled = [min(1.0, (len(ranks) - k) * p_values[i]) for k, i in enumerate(ranks)]
    rising = itertools.accumulate(scaled, max)
    return [p for _, p in sorted(zip(ranks, rising, strict=True))]


@pytest.fixture(scope="module")
def any_page(driver, folder, runs):
    return opened(driver, folder, *runs)


def test_the_error_function_of_the_page_is_that_of_python(any_page):
    known = [*np.linspace(0, 26, 400), 1e-300, 1e-9, np.nextafter(2, 0), 2.0, 30.0]
    found = any_page("arguments[0].map(erfc)", known)
    np.testing.assert_allclose(found, [math.erfc(x) for x in known], rtol=1e-11, atol=0)


@given(
    st.lists(
        st.tuples(st.floats(-10, 10), st.floats(1e-3, 1)), min_size=2, max_size=7
    )
)  # fmt: skip
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_differences_of_the_page_are_those_of_python(any_page, values):
    pairs = list(itertools.combinations(values, 2))
    found = any_page(
        "compared(arguments[0].map((pair) => pair.map(([value, error]) => ({ value, error }))))"
        ".map((one) => [one.value, one.low, one.high, one.p, one.holm, one.isTie])",
        pairs,
    )
    p = [p_value(a, b) for a, b in pairs]
    for (a, b), one, raw, corrected in zip(pairs, found, p, holm(p), strict=True):
        half = QUANTILE * math.hypot(a[1], b[1])
        assert one[:3] == pytest.approx([b[0] - a[0], b[0] - a[0] - half, b[0] - a[0] + half])
        assert one[3:5] == pytest.approx([raw, corrected], rel=1e-9, abs=1e-300)
        assert one[5] == (one[4] > 1 - LEVEL)


# ---- Comparisons of runs ------------------------------------------------------------------------


def table(ask):
    return ask(
        "[...document.querySelectorAll('#difference-table tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def number(text):
    return 0.0 if text.startswith("<") else float(text)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("layer", ["one", "four"])
def test_the_table_has_the_differences_of_runs(driver, tmp_path, runs, layer, step):
    ask = opened(driver, tmp_path, *runs)
    choose(ask, "comparison-layer", layer)
    move(ask, "comparison-step", step - 1)
    rows = table(ask)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    assert [row[0] for row in rows] == [f"{b} {MINUS} {a}" for a, b in pairs]
    known = {run: (entropy(run, step, layer), error(run, step, layer)) for run in "abc"}
    p = [p_value(known[a], known[b]) for a, b in pairs]
    for (a, b), row, raw, corrected in zip(pairs, rows, p, holm(p), strict=True):
        value = known[b][0] - known[a][0]
        half = QUANTILE * math.hypot(known[a][1], known[b][1])
        ends = [float(end) for end in row[2].split(" to ")]
        assert [float(row[1]), *ends] == pytest.approx(
            [value, value - half, value + half], abs=1e-4
        )
        assert [number(row[3]), number(row[4])] == pytest.approx([raw, corrected], abs=6e-4)
        assert (row[5] == "tie") == (corrected > 1 - LEVEL)
    assert browser.complaints(driver) == []


def test_ties_are_declared(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    text = ask("document.getElementById('ties').innerText")
    assert names(text, "a and b")
    assert not names(text, "c")


def test_the_last_common_step_comes_first(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    assert ask("document.getElementById('comparison-step').value") == "2"  # b has a fourth
    assert ask("document.getElementById('comparison-step').max") == "2"
    assert ask("document.getElementById('profile-step').value") == "2"
    assert ask("document.getElementById('profile-step').max") == "3"


def test_holm_counts_the_pairs_that_are_shown(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    before = {row[0]: row for row in table(ask)}
    keys = "[...document.querySelectorAll('#legend button')]"
    ask(f"{keys}.find((one) => one.textContent === 'c').click()")
    (row,) = table(ask)
    assert row[:4] == before[f"b {MINUS} a"][:4]
    assert row[4] == row[3]  # of one pair there is nothing to correct
    ask(f"{keys}.find((one) => one.textContent === 'b').click()")
    assert table(ask) == []


def test_without_sampling_errors_there_are_no_comparisons(driver, tmp_path, runs):
    plain = record(tmp_path / "plain", layers=LAYERS)
    ask = opened(driver, tmp_path, plain, runs[0])
    assert count(ask, "#comparisons") == 0
    assert count(ask, "#profile") == 1
    assert browser.complaints(driver) == []


def test_a_run_without_sampling_error_is_named(driver, tmp_path, runs):
    plain = record(tmp_path / "plain", layers=LAYERS)
    ask = opened(driver, tmp_path, *runs, plain)
    assert names(ask("document.getElementById('differences').innerText"), "plain")
    assert len(table(ask)) == 3


# ---- Bands --------------------------------------------------------------------------------------

# Of the first panel: where its numbers stand on the axis, and the corners of each band.
BANDS = """(() => {
  const root = document.querySelector("#trajectories figure > svg");
  const lines = [...root.querySelectorAll("line.grid")];
  const ticks = lines.map((line) => [Number(line.nextSibling.textContent), line.y1.baseVal.value]);
  return [ticks, [...root.querySelectorAll("path.band")].map((path) => [
    path.parentNode.dataset.layer, path.getAttribute("class"), path.getAttribute("d")])];
})()"""


def corners(path):
    return np.array([[*map(float, pair)] for pair in re.findall(r"([\d.]+) ([\d.]+)", path)])


def test_bands_are_drawn_where_the_interval_ends(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    ticks, bands = ask(BANDS)
    (v0, y0), (v1, y1) = ticks[0], ticks[-1]
    assert [layer for layer, *_ in bands] == list(LAYERS)
    for layer, kind, path in bands:
        assert kind == "band samples"
        pixels = corners(path)
        found = v0 + (pixels[:, 1] - y0) * (v1 - v0) / (y1 - y0)
        centre = np.array([entropy("a", step, layer) for step in (1, 2, 3)])
        half = QUANTILE * np.array([error("a", step, layer) for step in (1, 2, 3)])
        wanted = [*(centre - half), *(centre + half)[::-1]]
        assert abs((v1 - v0) / (y1 - y0)) * 0.06 > np.abs(found - wanted).max()
        assert (pixels[:3, 0] == pixels[:2:-1, 0]).all()


def test_a_band_is_interrupted_where_there_is_no_error(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    points = [[1, 5, 0.1], [2, 5, None], [3, 5, 0.1], [4, 5, 0.1], [5, None, 0.1]]
    drawn = ask(
        "band({ X: (x) => x, Y: (y) => y }, arguments[0], { over: 'samples' }).getAttribute('d')",
        points,
    )
    assert drawn.count("M") == 2
    assert {x for x, _ in corners(drawn)} == {1, 3, 4}


def test_the_legend_says_which_band_is_which(driver, tmp_path, runs):
    legend = "[...document.querySelectorAll('#bands [data-over]')].map((one) => one.dataset.over)"
    classes = "[...new Set([...document.querySelectorAll('#trajectories .band')].map((one) => one.getAttribute('class')))]"  # noqa: E501
    assert opened(driver, tmp_path, runs[0])(legend) == ["samples", "partitions"]
    plain = record(tmp_path / "b", further=lambda step, layer: {"dsmi_y_null_se": 0.05})
    ask = opened(driver, tmp_path, plain)
    assert ask(legend) == ["partitions"]
    assert ask(classes) == ["band partitions"]
    seen = "getComputedStyle(document.querySelector('#trajectories .band')).%s"
    assert ask(seen % "fillOpacity") == "0"
    assert ask(seen % "strokeDasharray") != "none"
    assert ask("getComputedStyle(document.querySelector('#bands .band')).stroke") != "none"
    ask = opened(driver, tmp_path, record(tmp_path / "c"))
    assert ask(legend) == ask(classes) == []


def test_of_many_curves_the_one_that_stands_out_has_its_band(driver, tmp_path):
    layers = tuple(f"encoder.{k}" for k in range(12))
    further = lambda step, layer: {"dse_sampling_se": 0.1}  # noqa: E731
    ask = opened(driver, tmp_path, record(tmp_path / "a", layers=layers, further=further))
    seen = (
        "[...document.querySelectorAll('#trajectories .band')].filter((one) => "
        "one.checkVisibility()).map((one) => one.parentNode.dataset.layer)"
    )
    assert ask(seen) == []
    ask("highlight('layer', 'encoder.3')")
    assert ask(seen) == ["encoder.3"]


# ---- Alarms -------------------------------------------------------------------------------------


def test_an_alarm_has_a_mark_at_its_step_in_every_panel(driver, tmp_path, alarmed):
    ask = opened(driver, tmp_path, alarmed)
    marks = ask(
        "panels.map((one) => [...one.root.querySelectorAll('g.alarm line')]"
        ".map((line) => [line.x1.baseVal.value, one.X(2)]))"
    )
    assert len(marks) > 3
    for ((x, wanted),) in marks:
        assert x == pytest.approx(wanted, abs=0.01)
    assert names(ask("document.getElementById('remarks').innerText"), "three", 2)


def test_pointing_at_an_alarm_tells_what_raised_it(driver, tmp_path, alarmed):
    from selenium.webdriver.common.action_chains import ActionChains

    ask = opened(driver, tmp_path, alarmed)
    tip = "document.getElementById('tooltip').innerText"
    ActionChains(driver).move_to_element(
        driver.find_element("css selector", "g.alarm path")
    ).perform()
    assert names(ask(tip), "epoch 2", "three", "1.20")
    ActionChains(driver).move_to_element(driver.find_element("tag name", "h1")).perform()
    assert ask("document.getElementById('tooltip').hidden")
    ask("document.querySelector('#alarms button').focus()")
    assert names(ask(tip), "epoch 2", "three", "1.20")
    label = ask("document.querySelector('#alarms button').getAttribute('aria-label')")
    assert names(label, "epoch 2", "three", "1.20")
    ask("document.querySelector('#alarms button').click()")
    assert ask("document.getElementById('profile-step').value") == "1"


TITLES = "[...document.querySelectorAll('#trajectories figcaption')].map((c) => c.innerText)"
WRITTEN_BY_ALARMS = ("alarm_evidence", "spread", "scale")


def test_what_an_alarm_writes_is_no_raw_key_and_what_the_caller_writes_is(
    driver, tmp_path, folder, alarmed
):
    (folder / "callers").mkdir()
    own = recorded(folder / "callers", "b", spread=lambda *_: 0.5, scale=lambda *_: 2.0)
    titles = opened(driver, tmp_path, alarmed)(TITLES)
    assert not {*WRITTEN_BY_ALARMS} & {*titles}
    assert len(titles) == len({*titles}) == len(opened(driver, tmp_path, own)(TITLES)) + 1
    assert {"spread", "scale"} <= {*opened(driver, tmp_path, own)(TITLES)}


def test_evidence_is_drawn_in_the_colours_of_the_layers(driver, tmp_path, alarmed):
    ask = opened(driver, tmp_path, alarmed)
    titles = ask(TITLES)
    (number,) = (i for i, title in enumerate(titles, start=1) if names(title, "alarm"))
    drawn = f"#trajectories figure:nth-child({number}) g[data-layer]"
    strokes = (
        "[...document.querySelectorAll(arguments[0])].map((one) => getComputedStyle(one).stroke)"
    )
    assert ask(strokes, drawn) == ask(strokes, "#legend line")


def test_a_run_without_alarms_has_no_marks(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, *runs)
    assert count(ask, "g.alarm") == count(ask, "#alarms button") == 0


# ---- The layer profile --------------------------------------------------------------------------

PROFILE = """(() => {
  const figure = document.querySelector("#profile figure");
  const lines = [...figure.querySelectorAll("line[data-pair]")];
  return lines.map((one) => [JSON.parse(one.dataset.pair), one.getAttribute("class")]);
})()"""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_neighbours_that_do_not_differ_are_joined(driver, tmp_path, runs, step):
    ask = opened(driver, tmp_path, runs[0])
    move(ask, "profile-step", step - 1)
    known = {layer: (entropy("a", step, layer), error("a", step, layer)) for layer in LAYERS}
    pairs = list(itertools.pairwise(LAYERS))
    corrected = holm([p_value(known[a], known[b]) for a, b in pairs])
    wanted = ["tie" if p > 1 - LEVEL else "link" for p in corrected]
    assert ask(PROFILE) == [[list(pair), kind] for pair, kind in zip(pairs, wanted, strict=True)]
    assert wanted == ["tie", "link", "tie"]


def test_paired_tests_of_a_profile_come_first(driver, tmp_path):
    """By its values alone the run would have the joins tie, link, tie."""
    path = recorded(tmp_path, "a")
    p_values = {"dse": {"two": 0.01, "three": 0.051, "four": 0.04}}
    add_profile(path, 2, {layer: {"dse": [9.0, 1.0]} for layer in LAYERS}, p_values)
    ask = opened(driver, tmp_path, path)
    kinds = lambda: [kind for _, kind in ask(PROFILE)]  # noqa: E731
    assert kinds() == ["tie", "link", "tie"]  # at the third step
    move(ask, "profile-step", 1)
    assert kinds() == ["link", "tie", "link"]
    circles = "[...document.querySelectorAll('#profile figure:first-child circle')].map((e) => e.cx.baseVal.value)"  # noqa: E501
    assert len({round(x) for x in ask(circles)}) > 1  # the values are those of the step, not 9.0
    assert browser.complaints(driver) == []


def test_a_profile_gives_a_run_without_sampling_errors_its_bars(driver, tmp_path):
    path = record(tmp_path / "a", layers=LAYERS)
    numbers = {layer: {"dse": [4.0 + k, 0.1 * k]} for k, layer in enumerate(LAYERS, 1)}
    add_profile(path, 3, numbers, {"dse": {"two": 0.2, "three": 0.01, "four": None}})
    ask = opened(driver, tmp_path, path)
    assert [kind for _, kind in ask(PROFILE)] == ["tie", "link", "link"]
    first = "#profile figure:first-child"
    assert count(ask, f"{first} path.bar.samples") == 4
    circles = np.array(ask(f"[...document.querySelectorAll('{first} circle')]"
                           ".map((e) => e.cx.baseVal.value)"))  # fmt: skip
    assert np.ptp(np.diff(circles)) < 0.1 < np.diff(circles).min()  # 5, 6, 7, 8
    move(ask, "profile-step", 0)
    assert count(ask, f"{first} path.bar") == 0
    assert [kind for _, kind in ask(PROFILE)] == ["link"] * 3


def test_dots_and_bars_stand_at_values_and_ends(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    move(ask, "profile-step", 0)
    found = ask(
        "[...document.querySelectorAll('#profile figure:first-child g[data-layer]')].map((one) => "
        "[one.dataset.layer, one.querySelector('circle').cx.baseVal.value, "
        "one.querySelector('path').getAttribute('d')])"
    )
    values = [entropy("a", 1, layer) for layer in LAYERS]
    slope, offset = np.polyfit(values, [x for _, x, _ in found], 1)
    assert [layer for layer, *_ in found] == list(LAYERS)
    for (layer, x, path), value in zip(found, values, strict=True):
        assert x == pytest.approx(offset + slope * value, abs=0.05)
        low, high = map(float, re.match(r"M([\d.]+) [\d.]+H([\d.]+)", path).groups())
        half = QUANTILE * error("a", 1, layer)
        assert [low, high] == pytest.approx(
            [offset + slope * (value + sign * half) for sign in (-1, 1)], abs=0.1
        )


def test_without_errors_nothing_is_joined(driver, tmp_path):
    ask = opened(driver, tmp_path, record(tmp_path / "a", layers=LAYERS))
    assert [kind for _, kind in ask(PROFILE)] == ["link"] * 3


def test_a_layer_that_is_taken_out_stays_out_when_the_step_changes(driver, tmp_path, runs):
    ask = opened(driver, tmp_path, runs[0])
    ask("document.querySelector('#legend button[aria-pressed]').click()")
    move(ask, "profile-step", 0)
    out = "[...new Set([...document.querySelectorAll('#profile .off')].map((one) => one.dataset.layer))]"  # noqa: E501
    assert ask(out) == ["one"]


def test_a_single_step_has_bars_and_joins_without_a_profile(driver, tmp_path, folder):
    (folder / "single").mkdir(exist_ok=True)
    ask = opened(driver, tmp_path, recorded(folder / "single", "a", (1,)))
    assert count(ask, "#profile") == 0
    assert count(ask, "#trajectories figure:first-child path.bar.samples") == len(LAYERS)
    assert count(ask, "#trajectories figure:first-child line.tie") == 2
    assert browser.complaints(driver) == []


def test_errors_of_any_size_are_drawn(driver, tmp_path):
    sizes = iter(itertools.cycle([1e300, 0.0, 1e-300, 5.0, None]))
    path = record(
        tmp_path / "a", layers=LAYERS, further=lambda *_: {"dse_sampling_se": next(sizes)}
    )
    lines = [json.loads(line) for line in (path / "values.jsonl").read_text().splitlines()]
    assert lines[0]["dse_sampling_se/one"] == 1e300
    ask = opened(driver, tmp_path, path, path)
    assert browser.complaints(driver) == []
    drawn = ask("[...document.querySelectorAll('figure > svg')].map(e => e.outerHTML).join()")
    assert not re.search("NaN|Infinity|undefined", drawn)
