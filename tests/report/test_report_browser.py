"""The report page in headless Chromium: it is drawn, says nothing on the console, and answers."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

import eigentropy as eg
from benchmarks.shared import browser
from eigentropy.report import read_run
from eigentropy.report.assembly import ASSETS
from messages import names
from opened_pages import count, move, opened
from recorded_runs import LAYERS, NASTY, N, record, rows_of, write

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    # Selenium's own, of sockets that it leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def run(tmp_path):
    information = {"dsmi_x": 0.3, "dsmi_y_adjusted": 0.5}
    return record(tmp_path / "a", information=information)


def test_the_page_is_drawn_without_a_complaint(driver, tmp_path, run):
    ask = opened(driver, tmp_path, run)
    assert browser.complaints(driver) == []
    assert ask("document.title") == "A page"
    captions = ask(
        "[...document.querySelectorAll('#trajectories figcaption')].map(c => c.innerText)"
    )
    assert captions == [
        "Entropy, DSE(Z)",
        "About the labels, DSMI(Z;Y)",
        "The same, adjusted, DSMI(Z;Y)",
        "About the input, DSMI(Z;X)",
        "loss",
    ]
    assert count(ask, "#trajectories path.curve") == 4 * len(LAYERS) + 1
    assert count(ask, "#plane circle") == 3 * len(LAYERS)
    assert count(ask, "#spectrum path.curve") == 3
    assert count(ask, "#views canvas") == len(LAYERS)
    assert "seed" in ask("document.getElementById('settings').innerText")
    drawn = "[...document.querySelectorAll('text')].map(t => t.textContent).join(' ')"
    for label in ("epoch", "bits", "I(Z;X), bits", "S(t), bits", "diffusion time t"):
        assert label in ask(drawn)


def test_the_slider_shows_the_entropy_at_its_t(driver, tmp_path, run):
    ask = opened(driver, tmp_path, run)
    times = read_run(run).description["times"]
    answer = "document.getElementById('spectrum-answer').innerText"
    assert ask("document.getElementById('spectrum-t').max") == str(len(times) - 1)
    seen = set()
    for step, index in ((2, 0), (2, 14), (2, 30), (0, 14)):
        move(ask, "spectrum-step", step)
        move(ask, "spectrum-t", index)
        eigenvalues = eg.DiffusionOperator(rows_of(step + 1, LAYERS[-1])).eigenvalues()
        exact = eg.spectral_entropy(eigenvalues, t=times[index])
        text = ask(answer)
        assert text.startswith(f"S({times[index]:g}) = ")
        assert float(text.split()[2]) == pytest.approx(exact, rel=2e-3, abs=6e-5)
        assert f"{np.log2(N):.2f}" in text
        seen.add(text)
    assert len(seen) == 4
    ask("((s) => { s.value = 0; s.dispatchEvent(new Event('change')); })"
        "(document.getElementById('spectrum-layer'))")  # fmt: skip
    assert ask(answer) not in seen
    assert browser.complaints(driver) == []


def painted(ask):
    """How many pixels of the first map are not empty."""
    return ask(
        "(() => { const c = document.querySelector('#views canvas'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let k = 0; "
        "for (let i = 3; i < d.length; i += 4) k += d[i] > 0; return k; })()"
    )


def test_maps_follow_their_slider_and_the_classes(driver, tmp_path, run):
    ask = opened(driver, tmp_path, run)
    picture = "document.querySelector('#views canvas').toDataURL()"
    last, all_classes = ask(picture), painted(ask)
    assert all_classes > 0
    move(ask, "views-step", 0)
    assert ask(picture) != last
    move(ask, "views-step", 2)
    assert ask(picture) == last
    for _ in range(3):
        ask("document.querySelector('#views button[aria-pressed=true]').click()")
        assert painted(ask) < all_classes
    assert painted(ask) == 0


def test_the_legend_takes_layers_out(driver, tmp_path, run):
    ask = opened(driver, tmp_path, run)
    before = count(ask, "#trajectories g[data-layer]:not(.off)")
    key = "document.querySelector('#legend button')"
    ask(f"{key}.click()")
    assert ask(f"{key}.getAttribute('aria-pressed')") == "false"
    assert count(ask, "#trajectories g[data-layer]:not(.off)") == before - 4
    ask(f"{key}.click()")
    assert count(ask, "#trajectories g[data-layer]:not(.off)") == before


def test_pointing_at_a_curve_tells_its_values_and_a_click_chooses_the_step(driver, tmp_path, run):
    from selenium.webdriver.common.action_chains import ActionChains

    ask = opened(driver, tmp_path, run)
    target = driver.find_element("css selector", "#trajectories rect.hit")
    ActionChains(driver).move_to_element(target).perform()  # its middle: the second of three
    text = ask("document.getElementById('tooltip').innerText")
    assert "epoch 2" in text
    for layer in LAYERS:
        exact = eg.DiffusionOperator(rows_of(2, layer)).entropy()
        assert layer in text
        assert f"{float(exact):.4f}" in text
    ActionChains(driver).click().perform()
    assert ask("document.getElementById('spectrum-step').value") == "1"
    assert ask("document.getElementById('views-step').value") == "1"


def test_several_runs_and_a_log_are_shown_together(driver, tmp_path, run):
    other = record(tmp_path / "b", steps=(1, 2), layers=("first",))
    log = write(tmp_path / "log.csv", "step,dse/first\n1,5.0\n2,nan\n3,5.0\n")
    ask = opened(driver, tmp_path, run, other, log)
    assert browser.complaints(driver) == []
    assert count(ask, "#legend button") == len(LAYERS) + 3
    remarks = ask("document.getElementById('remarks').innerText")
    assert names(remarks, "log", "first", 2)


def test_a_log_alone_has_no_empty_sections(driver, tmp_path):
    ask = opened(driver, tmp_path, write(tmp_path / "log.csv", "step,dse/a\n1,5.0\n2,4.0\n"))
    assert browser.complaints(driver) == []
    assert count(ask, "#trajectories path.curve") == 1
    assert ask("[...document.querySelectorAll('main > section > h2')].map(h => h.innerText)") == [
        "Before you read the curves",
        "Trajectories",
        "Settings",
    ]
    assert "spectrum" not in ask("document.getElementById('advice').innerText")


def test_a_run_without_an_information_has_no_plane(driver, tmp_path):
    ask = opened(driver, tmp_path, record(tmp_path / "a"))  # of the labels only
    assert count(ask, "#plane") == 0
    assert count(ask, "#spectrum") == count(ask, "#views") == 1


AXES = """[...document.querySelectorAll('%s figure')].map(f => [
    f.querySelector('figcaption').innerText,
    ...[...f.querySelectorAll('text.label')].map(t => t.textContent)])"""


def test_the_density_matrix_has_panels_with_its_units_and_a_plane(driver, tmp_path):
    information = {"kernel": 2.0, "kernel_y": 0.5, "kernel_y_adjusted": 0.4, "kernel_x": 0.2}
    path = record(tmp_path / "a", description={"base": math.e}, information=information)
    line = (path / "values.jsonl").read_text().replace("dsmi_y", "other")
    write(path / "values.jsonl", line)
    ask = opened(driver, tmp_path, path)
    assert browser.complaints(driver) == []
    units = {caption: unit for caption, _, unit in ask(AXES % "#trajectories")}
    titles = dict(re.findall(r'(\w+): "(.*)"', (ASSETS / "runs.js").read_text("utf-8")))
    assert {kind: units[titles[kind]] for kind in ("kernel", "kernel_y", "kernel_x")} == {
        "kernel": "nats", "kernel_y": "bits", "kernel_x": "nats",
    }  # fmt: skip
    assert titles["kernel_y_adjusted"] in units
    ((_, x, y),) = ask(AXES % "#plane")
    assert (x, y) == ("I(Z;X), nats", "I(Z;Y), bits")
    assert count(ask, "#plane circle") == 3 * len(LAYERS)


def test_a_single_measurement_of_many_layers_is_drawn(driver, tmp_path):
    layers = tuple(f"encoder.{k}" for k in range(12))
    path = record(tmp_path / "a", steps=(1,), layers=layers, information={"dsmi_x": 0.1})
    ask = opened(driver, tmp_path, path)
    assert browser.complaints(driver) == []
    assert count(ask, "#trajectories circle") == 3 * len(layers) + 1
    strokes = "[...document.querySelectorAll('#legend line')].map(l => l.getAttribute('stroke'))"
    assert len(set(ask(strokes))) == len(layers)
    drawn = ask("[...document.querySelectorAll('circle, path, text')].map(e => e.outerHTML).join()")
    assert "NaN" not in drawn
    assert "Infinity" not in drawn


@pytest.mark.parametrize(
    "name",
    [
        NASTY,
        "<svg onload=alert(1)>",
        '"><img src=x onerror=alert(1)>',
        "{{script}}${alert(1)}`",
        "javascript:alert(1)",
        "</style><style>*{display:none}",
        "]]><!--",
        "\x07\x1b[31m\r\n\u2028\u202e",
        "\udfff\ud800",
        "__proto__",
        "constructor",
        "'; --x: url(http://example.invalid)",
    ],
)
def test_names_do_no_harm_wherever_they_stand(driver, tmp_path, name):
    path = record(
        tmp_path / "a", layers=(name, "second"), title=name, settings={name: name, "a": [name]},
        step_name=name, information={"dsmi_x": 0.3},
        description={"classes": [{"name": name, "size": N}] * 3, "method": name, "seed": name},
    )  # fmt: skip
    values = (path / "values.jsonl").read_text()
    write(path / "values.jsonl", values.replace('"loss"', json.dumps(name)))
    tracked = write(tmp_path / "track.csv", f"snapshot,dse\n{as_cell(name)},5\n")
    ask = opened(driver, tmp_path, path, tracked)
    for part in ("layers", "steps", "runs"):
        ask(f"document.getElementById('spectrum-{part}')?.click()")
    assert browser.complaints(driver) == []
    assert count(ask, "script") == count(ask, "style") == 2
    assert count(ask, "img") == count(ask, "[onload], [onerror]") == 0
    known = name.encode("utf-8", "backslashreplace").decode()
    assert known in ask("JSON.parse(document.getElementById('data').textContent).runs[0].layers")
    seen = "[...document.querySelectorAll('#legend button')].map(b => b.textContent)"
    assert known.replace("\r", "").strip("\x00")[:5] in "".join(ask(seen))


def as_cell(name):
    """A name as a cell of a table, which is UTF-8."""
    quoted = name.encode("utf-8", "backslashreplace").decode().replace('"', '""')
    return f'"{quoted}"'
