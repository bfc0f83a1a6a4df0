"""The figure of a profile: a panel a measure, over the same layers, with bands and ties."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")
matplotlib = pytest.importorskip("matplotlib")

from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from eigentropy.plot.layer_panels import FOOT, FOOT_WIDTH, MOST_NAMES, layer_panels
from layer_profiles import UNITS, language_profile
from messages import naming


def bands(axes):
    return [one for one in axes.collections if isinstance(one, PolyCollection)]


def broad_lines(axes):
    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    return [segment for one in lines if one.get_linewidth()[0] == FOOT_WIDTH
            for segment in one.get_segments()]  # fmt: skip


def test_every_measure_has_a_panel_over_the_same_layers():
    profile, figure = language_profile(6), Figure()
    panels = layer_panels(profile, figure=figure)
    assert figure.axes == panels
    titles = [axes.get_title(loc="left").split(",")[0] for axes in panels]
    assert titles == list(UNITS)
    assert [axes.get_ylabel() for axes in panels] == list(UNITS.values())
    for axes, measure in zip(panels, UNITS, strict=True):
        (curve,) = axes.lines
        values = profile.values(measure)
        drawn = dict(zip(profile.names, curve.get_ydata(), strict=True))
        assert {name: drawn[name] for name in values} == {n: v.value for n, v in values.items()}
        assert np.isnan([drawn[name] for name in profile.names if name not in values]).all()
        assert [text.get_text() for text in axes.get_xticklabels()] == profile.names


def test_bands_are_the_intervals_and_broad_lines_the_ties():
    profile = language_profile(6)
    for axes, measure in zip(layer_panels(profile, figure=Figure()), UNITS, strict=True):
        (band,) = bands(axes)
        heights = band.get_paths()[0].vertices[:, 1]
        ends = np.array([one.interval() for one in profile.values(measure).values()])
        assert (heights.min(), heights.max()) == pytest.approx((ends.min(), ends.max()))
        assert [line[:, 0].tolist() for line in broad_lines(axes)] == [[0.0, 1.0]]
        assert profile.ties(measure) == [("embedding", "block 1")]


def test_broad_lines_are_below_the_bands():
    figure = Figure()
    for axes in layer_panels(language_profile(6), figure=figure):
        (line,) = broad_lines(axes)
        to_axes = axes.transData + axes.transAxes.inverted()
        band = to_axes.transform(bands(axes)[0].get_paths()[0].vertices)
        assert (line[:, 1] < FOOT).all()
        assert band[:, 1].min() > FOOT


def test_a_legend_has_what_is_drawn_and_nothing_else():
    def legend_of(profile):
        figure = Figure(layout="constrained")
        layer_panels(profile, figure=figure)
        return [text.get_text() for one in figure.legends for text in one.get_texts()]

    whole = legend_of(language_profile(6))
    assert len(whole) == 2
    assert any("95 %" in text for text in whole)
    assert len(legend_of(language_profile(1))) == 1
    assert legend_of(language_profile(sampling=False)) == []


def test_what_is_within_prompts_in_another_scope_is_marked():
    def marked(**changes):
        panels = layer_panels(language_profile(**changes), figure=Figure())
        return [
            axes.get_title(loc="left") != name for axes, name in zip(panels, UNITS, strict=True)
        ]

    assert marked() == [name == "curvature" for name in UNITS]
    assert not any(marked(scope="within"))


def test_what_may_be_negative_is_not_cut_at_0():
    profile = language_profile(6)
    axes = layer_panels(profile, ["anisotropy"], figure=Figure())[0]
    lowest = min(one.interval()[0] for one in profile.values("anisotropy").values())
    assert lowest < 0
    assert bands(axes)[0].get_paths()[0].vertices[:, 1].min() == pytest.approx(lowest)


def test_without_sampling_errors_there_are_neither_bands_nor_ties():
    for axes in layer_panels(language_profile(sampling=False), figure=Figure()):
        assert bands(axes) == broad_lines(axes) == []


def test_tokens_have_a_panel_of_their_neighbours():
    profile, figure = language_profile(shares=True), Figure()
    last = layer_panels(profile, figure=figure)[-1]
    assert len(figure.axes) == len(UNITS) + 1
    assert last.lines[0].get_ydata().tolist() == [*profile.same_prompt.values()]
    (chance,) = [one for one in last.collections if isinstance(one, LineCollection)]
    assert chance.get_segments()[0][:, 1].tolist() == [profile.same_prompt_by_chance] * 2
    assert last.get_ylim()[0] < profile.same_prompt_by_chance


def test_of_many_layers_some_are_named():
    panels = layer_panels(language_profile(40), figure=Figure())
    assert all(len(axes.get_xticklabels()) <= MOST_NAMES for axes in panels)


@pytest.mark.parametrize(("columns", "across"), [(1, 1), (3, 3), (9, 4)])
def test_columns_are_as_many_as_wanted(columns, across):
    figure = Figure()
    panels = layer_panels(language_profile(), columns=columns, figure=figure)
    assert len({axes.get_position().x0 for axes in panels}) == across


def test_no_text_lies_on_another():
    """Names of measures and layers have room, however long they are."""
    names = ["embedding", *(f"model.layers.{k}.mlp" for k in range(1, 9))]
    measures = dict.fromkeys(
        ["kernel_information_adjusted", "kernel_information_bits", "dse"], "bits"
    )
    figure = Figure(layout="constrained")
    panels = layer_panels(language_profile(9, names=names, units=measures), figure=figure)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in panels]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_what_is_not_there_is_not_drawn():
    with pytest.raises(ValueError, match=naming("measure", "'dsi'", "'dse'")):
        layer_panels(language_profile(), ["dsi"], figure=Figure())
    with pytest.raises(ValueError, match=naming("measures", "empty")):
        layer_panels(language_profile(), [], figure=Figure())
    with pytest.raises(ValueError, match=naming("columns", 0)):
        layer_panels(language_profile(), columns=0, figure=Figure())
