"""The page of the layers of a model: all that is in it, and nothing that a browser could run."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.report.layers_page import ABOUT, layers_page
from layer_profiles import UNITS, language_profile
from written_pages import NASTY, data_of


def test_the_data_are_those_of_the_profile():
    profile = language_profile(6)
    data = data_of(layers_page(profile, "Layers", settings={"scope": "prompts"}))
    assert data["layers"] == profile.names
    assert [(one["name"], one["unit"]) for one in data["measures"]] == [*UNITS.items()]
    for one in data["measures"]:
        known = profile.values(one["name"])
        for i, name in enumerate(profile.names):
            if name not in known:
                errors = one["errors"][i], one["standardErrors"][i]
                assert (one["values"][i], *errors) == (None, None, None)
                continue
            assert one["values"][i] == pytest.approx(known[name].value, rel=1e-5)
            low, high = known[name].interval(profile.level)
            reach = 2 * data["quantile"] * one["errors"][i]
            assert reach == pytest.approx(high - low, rel=1e-2)
            assert one["standardErrors"][i] == known[name].sampling_error
    assert data["settings"] == [["scope", "prompts"]]
    for what in ("a/model", "6 layers", "80 prompts", "720 tokens", "mean", "normalize none"):
        assert what in data["summary"]


def test_intervals_of_few_degrees_keep_their_width():
    """The page has one quantile, that of many degrees."""
    profile = language_profile(3)
    few = [
        layer._replace(
            numbers={m: type(n)(n.value, n.sampling_error, 2.0) for m, n in layer.numbers.items()}
        )
        for layer in profile.layers
    ]
    one = language_profile(3, units={"dse": "bits"})
    object.__setattr__(one, "layers", few)
    data = data_of(layers_page(one))
    low, high = few[0].numbers["dse"].interval(0.95)
    reach = 2 * data["quantile"] * data["measures"][0]["errors"][0]
    assert reach == pytest.approx(high - low, rel=1e-2)
    assert data["measures"][0]["standardErrors"][0] == few[0].numbers["dse"].sampling_error


def test_a_folder_is_called_by_its_name(tmp_path):
    folder = str(tmp_path / "some-model")
    summary = data_of(layers_page(language_profile(3, model=folder)))["summary"]
    assert summary.startswith("some-model")
    assert str(tmp_path) not in summary


def test_measures_within_prompts_are_marked_where_others_are_not():
    def marked(**changes):
        data = data_of(layers_page(language_profile(3, **changes)))
        return [one["name"] for one in data["measures"] if one["isWithin"]]

    assert marked() == ["curvature"]
    assert marked(scope="within") == []


def test_p_values_stand_at_the_later_layer():
    profile = language_profile(4)
    for one in data_of(layers_page(profile))["measures"]:
        pairs = pairwise(profile.names)
        known = [profile.p_values.get((one["name"], *pair)) for pair in pairs]
        expected = [p if p is None else float(f"{p:.3g}") for p in [None, *known]]
        assert one["pValues"] == expected
        assert one["pValues"][1] == 1.0


def test_ties_are_said():
    said = data_of(layers_page(language_profile(4)))["sentences"]
    assert [text.split(":")[0] for text in said] == [*UNITS]
    assert all("embedding" in text and "block 1" in text for text in said)


def test_tokens_have_their_neighbours_of_the_same_prompt():
    profile = language_profile(4, shares=True)
    last = data_of(layers_page(profile))["measures"][-1]
    assert last["values"] == pytest.approx([*profile.same_prompt.values()], rel=1e-5)
    assert last["chance"] == profile.same_prompt_by_chance


def test_what_is_not_known_is_null():
    data = data_of(layers_page(language_profile(3, sampling=False), remarks=["too few prompts"]))
    for one in data["measures"]:
        assert one["errors"] == one["pValues"] == [None] * 3
        assert one["chance"] is None
    assert data["sentences"] == []
    assert data["remarks"] == ["too few prompts"]


def test_every_measure_of_a_profile_is_explained():
    from eigentropy.torch.layers.names import MEASURES

    assert set(ABOUT) == set(MEASURES)


def test_a_name_of_any_characters_is_text_and_nothing_else():
    profile = language_profile(3, names=[NASTY, "b", "<img src=x onerror=alert(1)>"], model=NASTY)
    page = layers_page(profile, NASTY, remarks=[NASTY], settings={NASTY: NASTY})
    page.encode()
    assert page.count("<script") == 2
    assert "<img" not in page
    assert data_of(page)["layers"][0] == NASTY.replace("\ud800", "\\ud800")


def test_the_page_loads_nothing():
    page = layers_page(language_profile(3))
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
