"""The figure of an information shows the null distribution and the value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import eigentropy as eg

pytest.importorskip("matplotlib")


def marked(ax):
    """Where the high lines stand."""
    return [
        float(segment[0, 0])
        for lines in ax.collections
        for segment in lines.get_segments()
        if segment[1, 1] > 0.5
    ]


def ticks(ax):
    return sorted(
        float(segment[0, 0])
        for lines in ax.collections
        for segment in lines.get_segments()
        if segment[1, 1] < 0.5
    )


def test_each_partition_counts_and_the_value_is_marked(information, ax):
    information.plot(ax=ax)
    assert ticks(ax) == sorted(information.null)
    assert marked(ax) == [information.value]
    assert ax.get_xlim()[0] < information.null.min() < information.value < ax.get_xlim()[1]
    assert ax.get_xlabel() == "mutual information (bits)"


def test_the_bars_count_the_partitions(information, ax):
    eg.plot.null(information, bins=5, ax=ax)
    heights = ax.patches[0].get_path().vertices[:, 1]
    counts, _ = np.histogram(information.null, bins=5)
    assert heights.max() == counts.max()
    assert set(counts) <= set(heights)


def test_the_legend_has_p_and_z(information, ax):
    null = information.null
    z = (information.value - null.mean()) / null.std(ddof=1)
    text = " ".join(one.get_text() for one in information.plot(ax=ax).get_legend().get_texts())
    assert f"p ~ {information.p_value:.3g}" in text
    assert f"z = {z:.3g}" in text
    assert f"{information.value:.4g} bits" in text


def test_the_legend_stands_above_bars_and_mark(information, ax):
    information.plot(ax=ax)
    ax.figure.draw_without_rendering()
    legend = ax.get_legend().get_window_extent()
    (mark,) = (lines for lines in ax.collections if lines.get_segments()[0][1, 1] > 0.5)
    highest = max(ax.patches[0].get_window_extent().y1, mark.get_window_extent().y1)
    assert legend.y0 > highest


def test_one_partition_has_no_z(information, ax):
    one = replace(information, null=information.null[:1], base=math.e)
    text = eg.plot.null(one, ax=ax).get_legend().get_texts()
    assert not any("z =" in line.get_text() for line in text)
    assert ax.get_xlabel() == "mutual information (nats)"


def test_no_partition_is_an_error(blobs, ax):
    plain = eg.dsmi(*blobs, estimator="plain", n_null=0)
    with pytest.raises(ValueError, match="n_null is 0"):
        plain.plot(ax=ax)


def test_only_an_information_has_one(exact, ax):
    for other in (exact, 1.0, None):
        with pytest.raises(TypeError, match="a MutualInformation is needed"):
            eg.plot.null(other, ax=ax)
