"""The figure of a convergence: values, errors, the law beyond the sizes, and the limit."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._support.interval import student_quantile
from messages import naming

pytest.importorskip("matplotlib")

ROWS = np.random.default_rng(0).normal(size=(400, 1))


@pytest.fixture(scope="module")
def limited():
    return eg.converge(ROWS, measure=lambda rows: rows.mean() + 2.0 - 50.0 / len(rows))


@pytest.fixture(scope="module")
def growing():
    return eg.converge(ROWS, measure=lambda rows: np.log2(len(rows)))


def test_values_stand_over_the_sizes_with_their_errors(limited, ax):
    limited.plot(ax=ax)
    assert ax.lines[0].get_xdata().tolist() == limited.sizes.tolist()
    assert ax.lines[0].get_ydata().tolist() == limited.values.tolist()
    (bars,) = (one for one in ax.collections if hasattr(one, "get_segments"))
    halves = [0.5 * np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    assert halves == pytest.approx(student_quantile(0.95, np.inf) * limited.errors)
    assert ax.get_xscale() == "log"


def test_the_law_goes_on_beyond_the_sizes(growing, ax):
    eg.plot.convergence(growing, ax=ax)
    law = ax.lines[1]
    assert law.get_xdata()[-1] == pytest.approx(4 * 400)
    assert law.get_ydata()[-1] == pytest.approx(np.log2(4 * 400), abs=1e-3)
    assert len(ax.lines) == 2


def test_a_limit_is_a_line(limited, ax):
    limited.plot(ax=ax, label="first")
    assert ax.lines[2].get_ydata()[0] == limited.limit
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first"]


def test_few_sizes_have_no_law(ax):
    eg.converge(ROWS, measure=np.mean, sizes=[50, 400]).plot(ax=ax)
    assert len(ax.lines) == 1
    assert ax.get_ylabel() == "mean"


def test_the_unit_is_on_the_axis(ax):
    eg.converge(ROWS, sizes=[20, 40]).plot(ax=ax)
    assert ax.get_ylabel() == "dse (bits)"


def test_only_a_convergence_is_drawn(ax):
    with pytest.raises(TypeError, match=naming("Convergence", "float")):
        eg.plot.convergence(1.0, ax=ax)
