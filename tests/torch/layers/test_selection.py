"""Which tokens are stored: all are equally likely, and how they come in batches does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch.layers.selection import PlacedTokens, Selection

# Of a test that must not fail by chance.
RARE = 1e-6


def tokens_of(selection, prompts, positions):
    places = np.arange(len(prompts))
    ranks = selection.priorities(prompts, positions)
    return PlacedTokens(prompts, positions, places, places, places, ranks)


def stored(most, seed, batches):
    """The pairs (prompt, position) that stay, in order."""
    selection = Selection(most, seed)
    for prompts, positions in batches:
        selection.admit(selection.candidates(tokens_of(selection, prompts, positions)))
    order = selection.order()
    return list(zip(selection.prompts[order], selection.positions[order], strict=True))


def grid(prompts, length):
    return np.divmod(np.arange(prompts * length), length)


@pytest.mark.parametrize(("prompts", "length", "most"), [(40, 16, 64), (640, 1, 100), (5, 128, 80)])
def test_all_tokens_are_stored_equally_often(prompts, length, most):
    counts, runs = np.zeros(prompts * length), 500
    for seed in range(runs):
        for prompt, position in stored(most, seed, [grid(prompts, length)]):
            counts[prompt * length + position] += 1
    share = most / counts.size
    # Counts of draws without repetition: their variance is that of a binomial.
    squares = ((counts - runs * share) ** 2).sum() / (runs * share * (1.0 - share))
    assert RARE < stats.chi2.cdf(squares, counts.size - 1) < 1.0 - RARE


@pytest.mark.parametrize("axis", [0, 1])
def test_a_sample_has_as_much_of_each_prompt_and_position_as_chance_gives(axis):
    prompts, length, most = 200, 64, 3200
    left = 1.0 - most / (prompts * length)  # of the variance, without repetition
    values = []
    for seed in range(40):
        found = np.array(stored(most, seed, [grid(prompts, length)]))[:, axis]
        counts = np.bincount(found, minlength=(prompts, length)[axis])
        chi = stats.chisquare(counts).statistic / left
        values.append(stats.chi2.sf(chi, len(counts) - 1))
    assert stats.kstest(values, "uniform").pvalue > RARE


def test_the_check_of_uniformity_sees_a_preference():
    """Of tokens that come first, as if later ones were passed over."""
    counts = np.zeros(640)
    for seed in range(100):
        for prompt, position in stored(64, seed, [grid(36, 16)]):
            counts[prompt * 16 + position] += 1
    squares = ((counts - 10) ** 2).sum() / (10 * 0.9)
    assert stats.chi2.cdf(squares, 639) > 1.0 - RARE


def test_pairs_of_tokens_are_stored_together_as_often_as_chance_gives():
    together, runs = 0, 4000
    for seed in range(runs):
        found = set(stored(8, seed, [grid(2, 8)]))
        together += {(0, 3), (0, 4)} <= found
    share = 8 * 7 / (16 * 15)
    assert abs(together - runs * share) < 5.0 * np.sqrt(runs * share * (1.0 - share))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_batches_in_any_order_and_of_any_size_give_the_same_tokens(data):
    count = data.draw(st.integers(1, 60))
    most, seed = data.draw(st.integers(1, 70)), data.draw(st.integers(0, 2**70))
    prompts, positions = grid(count, 3)
    order = np.array(data.draw(st.permutations(range(3 * count))))
    cuts = sorted(data.draw(st.lists(st.integers(0, 3 * count), max_size=6)))
    batches = [(prompts[part], positions[part]) for part in np.split(order, cuts)]
    found = stored(most, seed, batches)
    assert found == stored(most, seed, [(prompts, positions)])
    assert len(found) == min(most, 3 * count)
    assert len(set(found)) == len(found)


def test_what_is_no_candidate_would_not_be_stored():
    selection = Selection(5, 0)
    prompts, positions = grid(30, 4)
    everything = tokens_of(selection, prompts, positions)
    assert len(selection.candidates(everything)) == 5
    selection.admit(everything)
    later = tokens_of(selection, prompts + 30, positions)
    few = selection.candidates(later)
    assert len(few) < 120
    which, slots = selection.admit(few)
    assert len(which) == len(slots) <= len(few)


def test_slots_are_written_where_others_leave():
    selection = Selection(4, 1)
    rows = np.full(4, -1)
    for start in range(0, 80, 8):
        prompts = np.arange(start, start + 8)
        which, slots = selection.admit(tokens_of(selection, prompts, np.zeros(8, np.int64)))
        rows[slots] = prompts[which]
        assert np.array_equal(rows[: selection.n], selection.prompts[: selection.n])
