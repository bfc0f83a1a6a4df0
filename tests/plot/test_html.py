"""What notebooks show is well formed, safe, in the colours of the page, and needs no matplotlib."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

import eigentropy as eg
from eigentropy.plot import sketches


def table(result):
    """The lines of the table; the drawing or None."""
    root = ET.fromstring(result._repr_html_())
    rows = [tuple(cell.text for cell in row) for row in root.find("table")]
    return dict(row for row in rows if len(row) == 2), root.find("{*}svg")


@pytest.fixture
def results(exact, estimated, low_rank, information, blobs):
    solved = eg.DiffusionOperator(blobs[0])
    solved.eigenvalues()
    plain = eg.dsmi(*blobs, estimator="plain", n_null=0)
    single = eg.dse(blobs[0], method="exact", dtype="float32")
    with pytest.warns(eg.SaturationWarning):
        one_row = eg.dse(np.ones((1, 3)))
    return [exact, estimated, low_rank, single, one_row, information, plain, solved]


def test_everything_is_well_formed_and_needs_nothing_from_outside(results):
    for result in results:
        html = result._repr_html_()
        ET.fromstring(html)
        for word in ("<script", "href", "src=", "url(", "<style", "#"):
            assert word not in html
        assert "currentColor" in html or "<svg" not in html


def test_an_exact_entropy(exact):
    rows, drawing = table(exact)
    assert rows["S(1)"] == f"{exact.value:.6g} bits"
    assert "float64" in rows["error"]
    assert rows["rows"] == "90"
    assert f"sigma = {exact.sigma:.4g}" in rows["settings"]
    assert drawing.find("{*}polyline") is not None


def test_an_estimate_has_its_standard_error_and_interval(estimated):
    rows, drawing = table(estimated)
    low, high = estimated.interval()
    assert rows["standard error"] == f"{estimated.standard_error:.2g} bits"
    assert rows["95 % interval"] == f"{low:.6g} to {high:.6g} bits"
    assert drawing.find("{*}polyline") is not None


def test_a_bound_is_called_one(low_rank):
    rows, drawing = table(low_rank)
    assert rows["error"].startswith(f"at most {low_rank.error_bound:.2g} bits")
    assert f"rank {low_rank.rank}" in rows["method"]
    assert drawing is None  # neither eigenvalues nor their density are known


def test_rows_that_were_left_out_are_counted(exact):
    assert table(replace(exact, sampled_from=1234))[0]["rows"] == "90 of 1234"


def test_an_information(information):
    rows, drawing = table(information)
    assert rows["I(Z; Y)"] == f"{information.value:.6g} bits"
    assert rows["null se"] == f"{information.standard_error:.2g} bits"
    low, high = information.interval()
    assert rows["95 % interval"].startswith(f"{low:.6g} to {high:.6g} bits")
    assert f"{information.n_null} random partitions" in rows["95 % interval"]
    assert "other samples" in rows
    assert f"{information.p_value:.3g}" in rows["p-value"]
    assert rows["groups"] == "3, of 30, 30, 30 rows"
    bars = drawing.findall("{*}rect")
    assert sum(float(bar.get("height")) for bar in bars) > 0.0
    assert float(drawing.find("{*}line").get("x1")) == pytest.approx(sketches.RIGHT)


def test_adjusted_is_shown_only_if_it_is_known(blobs):
    information = eg.dsmi(*blobs)
    assert "adjusted" not in table(information)[0]
    assert information._source._spectrum_of_all == []  # nothing was computed for it
    known = information.adjusted()
    assert table(information)[0]["adjusted"] == f"{known:.4g}"


@pytest.mark.parametrize("measure", [eg.dse, eg.kernel_entropy, eg.dsmi])
def test_the_sampling_error_is_shown_only_if_it_is_known(blobs, measure, monkeypatch):
    Z, labels = blobs
    result = measure(Z, labels) if measure is eg.dsmi else measure(Z)
    text = repr(result)
    with monkeypatch.context() as patched:
        patched.setattr(type(result), "_variation", None)  # nothing is computed
        rows, _ = table(result)
    assert "sampling error" not in rows
    assert "other samples" in rows
    known = result.sampling_error
    rows, _ = table(result)
    assert rows["sampling error"].startswith(f"{known:.2g} bits")
    assert "other samples" not in rows
    assert repr(result) == text


def test_many_groups_are_cut(rng):
    labels = np.repeat(np.arange(12), 5)
    rows, _ = table(eg.dsmi(rng.normal(size=(60, 2)), labels, n_null=2))
    assert rows["groups"] == f"12, of {', '.join(['5'] * 10)}, ... rows"


def test_an_operator_computes_nothing_for_it(blobs):
    operator = eg.DiffusionOperator(blobs[0])
    rows, drawing = table(operator)
    assert not operator.is_solved
    assert drawing is None
    assert rows["Z"] == "90 rows of 4 columns"
    operator.eigenvalues()
    assert table(operator)[1] is not None


def test_texts_are_escaped(exact, information):
    nasty = "<b>&\"'"
    for result in (replace(exact, method=nasty), replace(information, estimator=nasty)):
        rows, _ = table(result)
        assert any(nasty in text for text in rows.values())
        assert "<b>" not in result._repr_html_()


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1e-300, 0.0]])
def test_every_spectrum_is_drawn_inside_of_the_frame_or_not_at_all(values):
    drawing = sketches.of_eigenvalues(values)
    if drawing:
        points = ET.fromstring(drawing).find("{*}polyline").get("points")
        at = np.array([[float(x) for x in point.split(",")] for point in points.split()])
        assert np.isfinite(at).all()
        assert (at.min(axis=0) >= [sketches.LEFT, sketches.TOP]).all()
        assert (at.max(axis=0) <= [sketches.RIGHT, sketches.BOTTOM]).all()


def test_neither_import_nor_notebooks_need_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import numpy as np, eigentropy as eg, eigentropy.plot\n"
        "result = eg.dse(np.eye(20))\n"
        "assert '<svg' in result._repr_html_()\n"
        "try: result.plot()\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install 'eigentropy[plot]'" in done.stdout


def test_import_of_the_figures_is_cheap():
    code = (
        "import sys, eigentropy.plot\n"
        "print([name for name in ('matplotlib', 'scipy', 'torch', 'pandas') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
