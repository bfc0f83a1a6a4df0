"""The study `layers`: parts of prompts, states without padding, layers that other parts choose."""

from __future__ import annotations

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from benchmarks.documents import study_tables
from eigentropy.baselines import tokens
from eigentropy.studies import layers
from eigentropy.studies.language import claims, networks, numbers, prompts
from eigentropy.studies.language.profiles import Profiles, View
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.study import Claim, StudyPlan
from messages import naming

torch = pytest.importorskip("torch", reason="the networks need PyTorch")
pytest.importorskip("sklearn", reason="the probes need scikit-learn")

WIDTH = 24  # instead of 384; twelve heads have two columns each


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def small():
    """Random networks of two blocks, by name."""
    pytest.importorskip("transformers", reason="transformers is not installed: group adapters")
    return {
        name: networks.made(replace(networks.NETWORKS[name], width=WIDTH), 0)
        for name in ("bert-2", "gpt-2")
    }


# Prompts


def test_parts_have_no_prompt_in_common_and_as_many_of_each_label():
    one, y = prompts.part("generated", 0)
    other, _ = prompts.part("generated", 1)
    assert np.bincount(y).tolist() == [len(one) // 2] * 2
    assert not {tuple(p) for p in one} & {tuple(p) for p in other}
    again, _ = prompts.part("generated", 0)
    assert all(map(np.array_equal, one, again))


def test_words_of_generated_prompts_tell_their_topic():
    some, y = prompts.generated(400, 0)
    words = [{int(word) for prompt in some[label::2] for word in prompt} for label in (0, 1)]
    own = [words[label] - words[1 - label] for label in (0, 1)]
    others, _ = prompts.generated(400, 1)
    told = [
        len(own[label] & set(p)) - len(own[1 - label] & set(p))
        for p, label in zip(others, y, strict=True)
    ]
    assert np.mean(np.array(told) > 0) > 3.0 * np.mean(np.array(told) < 0)


def test_texts_are_read_with_their_labels_and_too_few_are_told(no_data):
    pytest.importorskip("tokenizers", reason="tokenizers is not installed: group adapters")
    path = prompts.text_file("films")
    path.parent.mkdir()
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], ['a "film", of\ntwo lines', 1]])
    texts, labels = prompts.texts_of(path)
    assert (texts, labels.tolist()) == (['a "film", of\ntwo lines'], [1])
    with pytest.raises(ValueError, match=naming(str(path), "1600", "1", prompts.SCRIPT)):
        prompts.part("films", 0)


def test_data_that_are_missing_are_told_and_their_jobs_give_no_rows(no_data):
    job = next(job for job in layers.jobs(StudyPlan()) if job.data == "films")
    with pytest.warns(UserWarning, match=naming("minilm", "films.csv", prompts.SCRIPT)):
        assert list(layers.measure(job)) == []
    assert prompts.missing("generated") == ""


# States


@pytest.mark.parametrize("name", ["bert-2", "gpt-2"])
def test_states_of_a_prompt_are_those_that_it_has_alone(small, name):
    some, _ = prompts.generated(30, 3)
    found = networks.token_states(small[name], some)
    assert {how: len(of) for how, of in found.items()} == {"none": 3, "l2": 3}
    for number in (0, 7, 29):
        ids = torch.from_numpy(some[number])[None]
        alone = networks.run(small[name], ids, torch.ones_like(ids, dtype=torch.bool))
        for layer, states in enumerate(alone):
            own = found["none"][layer][number]
            np.testing.assert_allclose(own, states[0].numpy(), atol=2e-6)
            unit = own / np.linalg.norm(own, axis=1, keepdims=True)
            np.testing.assert_allclose(found["l2"][layer][number], unit, atol=1e-6)


def test_padding_in_the_mean_moves_short_prompts_only(small):
    some, _ = prompts.generated(networks.BATCH, 4)
    padded = networks.padded_means(small["bert-2"], some)
    states = networks.token_states(small["bert-2"], some)["none"]
    longest = int(np.argmax([len(prompt) for prompt in some]))
    for means, layer in zip(padded, states, strict=True):
        right = np.stack([one.mean(axis=0) for one in layer])
        moved = np.abs(means - right).max(axis=1)
        assert moved[longest] < 1e-5
        assert np.median(moved) > 1e-2


def test_weights_are_those_of_the_seed(small):
    of = replace(networks.NETWORKS["gpt-2"], width=WIDTH)
    state = torch.random.get_rng_state()
    one, other = (networks.made(of, seed).wte.weight for seed in (0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, small["gpt-2"].wte.weight)
    assert not torch.equal(one, other)


# Rows


def test_a_job_without_data_is_measured_at_a_tiny_size(no_data, small):
    job = next(job for job in layers.jobs(StudyPlan()) if job.settings["network"] == "gpt-2")
    rows = list(layers.measure(job, width=WIDTH))
    assert [row.cell for row in rows] != []
    assert {row.cell for row in rows} == set(job.cells)
    assert all(math.isfinite(row.value) for row in rows)
    known = Profiles(rows)
    assert known.networks("generated") == ["gpt-2"]
    profile = known.of("generated", "gpt-2", View("curvature", numbers.WITHIN, "none", ""))
    assert list(profile) == [0]
    assert all(0.0 < value < math.pi for value in profile[0].values())


def test_numbers_are_those_of_the_public_functions():
    rng = np.random.default_rng(0)
    states = [rng.normal(size=(length, 8)).astype(np.float32) for length in range(5, 45)]
    Z = np.stack([one.mean(axis=0) for one in states])
    y = np.arange(40) % 2
    found = numbers.of_prompts(Z, y, Z + 1.0, 0)
    assert found["dse"][0] == float(eg.dse(Z))
    assert found[numbers.LABELS][0] == eg.kernel_information(Z, y, kind="labels").adjusted()
    assert (
        found[numbers.NEXT][0]
        > numbers.of_prompts(Z, y, rng.normal(size=(40, 8)), 0)[numbers.NEXT][0]
    )
    assert set(found) == set(numbers.NAMES[numbers.PROMPTS])
    within = numbers.within_prompts(states, 0)
    assert set(within) == {*numbers.NAMES[numbers.WITHIN], *numbers.AS_CODED}
    coded = tokens.curvature(states, variant="code")
    assert within["curvature, code"] == (coded.value, coded.standard_error)
    assert within["curvature"][0] != coded.value
    assert within["dse"][0] == pytest.approx(np.mean([float(eg.dse(one)) for one in states]))
    assert 0.0 < within["prompt_entropy"][0] <= 1.0


def test_a_layer_of_equal_rows_has_numbers_or_nan_and_no_error():
    Z, y = np.ones((20, 4), dtype=np.float32), np.arange(20) % 2
    found = numbers.of_prompts(Z, y, Z, 0)
    assert found["dse"][0] == 0.0
    assert set(found) == set(numbers.NAMES[numbers.PROMPTS])


# Claims


def parts_of(*profiles):
    return {seed: dict(enumerate(values)) for seed, values in enumerate(profiles)}


def test_no_part_chooses_its_own_middle_layer():
    parts = parts_of([0.0, 9.0, 1.0, 5.0], [0.0, 1.0, 3.0, 5.0], [0.0, 1.0, 4.0, 5.0])
    # The others choose layer 2, then layers 1 and 1, where the first part alone has a 9.
    assert claims.gains(parts) == [1.0 - 5.0, 1.0 - 5.0, 1.0 - 5.0]


@given(st.integers(2, 12), st.integers(3, 9), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_noise_has_no_better_middle_on_average(parts, layers_of, seed):
    """The best of each part itself would be above the last layer nearly always."""
    values = np.random.default_rng(seed).normal(size=(parts, layers_of))
    found = claims.gains(parts_of(*values))
    assert len(found) == parts
    assert all(gain in row[1:-1] - row[-1] for gain, row in zip(found, values, strict=True))


def test_the_best_middle_of_noise_is_not_better_than_the_last_layer():
    values = np.random.default_rng(1).normal(size=(4000, 7))
    gain = np.array(claims.gains(parts_of(*values)))
    assert abs(gain.mean()) < 4.0 * gain.std() / math.sqrt(len(gain))


def test_a_valley_is_below_both_ends():
    assert claims.depths(parts_of([2.0, 1.0, 3.0], [2.0, 1.5, 1.6])) == [1.0, pytest.approx(0.1)]
    assert claims.depths(parts_of([0.0, 1.0, 3.0], [0.0, 1.0, 3.0])) == [-1.0, -1.0]


def test_a_score_is_compared_with_the_probe_of_another_part():
    scores = parts_of([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])
    probes = parts_of([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])
    assert claims.correlations(scores, probes) == {0: -1.0, 1: -1.0}
    assert claims.correlations(parts_of([1.0, 2.0, 3.0]), probes) == {}


@pytest.mark.parametrize(
    ("values", "holds"),
    [([1.0, 1.1], True), ([-1.0, -1.1], False), ([-1.0, 1.0], None), ([1.0], None), ([], None)],
)
def test_a_claim_is_decided_by_the_whole_interval(values, holds):
    assert claims.decided(Claim("kind", "text"), values).holds is holds
    turned = claims.decided(Claim("kind", "text"), values, -1).holds
    assert turned is (None if holds is None else not holds)


def test_a_layer_that_is_missing_takes_its_part_out():
    view = View("dse")
    cells = [
        Cell("films", sorted_parameters({"network": "bert-2", "layer": layer, **view.settings}),
             "dse", seed)
        for seed in (0, 1) for layer in range(3)
    ]  # fmt: skip
    rows = [StudyRow(cell, float(number), math.nan, 0.0) for number, cell in enumerate(cells)]
    assert set(Profiles(rows).of("films", "bert-2", view)) == {0, 1}
    assert set(Profiles(rows[:-1]).of("films", "bert-2", view)) == {0}
    undefined = [*rows[:-1], replace(rows[-1], value=math.nan)]
    assert set(Profiles(undefined).of("films", "bert-2", view)) == {0}


# What is stored


def test_all_numbers_of_the_full_size_are_stored():
    rows = study_tables.stored("layers", study_tables.RESULTS)
    cells = [cell for job in layers.jobs(StudyPlan(full=True)) for cell in job.cells]
    assert {row.cell for row in rows} == set(cells)
