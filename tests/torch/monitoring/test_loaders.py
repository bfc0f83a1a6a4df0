"""A loader as a probe: the first samples of its batches, and their labels."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from torch.utils.data import DataLoader, TensorDataset

from eigentropy._support import memory
from eigentropy.torch import Monitor, Probe
from messages import naming

nn = torch.nn
X, Y = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 3


def loader(*rows, **options):
    return DataLoader(TensorDataset(*(rows or (X, Y))), **{"batch_size": 16, **options})


@pytest.mark.parametrize("most", [None, 20, 50, 1000])
def test_the_first_samples_and_their_labels_are_taken(most):
    probe = Probe(loader(), max_points=most)
    n = min(most or 50, 50)
    assert torch.equal(probe.x, X[:n])
    assert np.array_equal(probe.y, Y[:n])
    assert probe.default_measures == ("dse", "dsmi_y")


def test_a_monitor_takes_a_loader_as_it_takes_pairs():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    expected = Monitor(model, "1", probe=(X, Y)).measure()
    assert Monitor(model, "1", probe=loader()).measure() == expected
    assert Monitor(model, "1", loader()).measure() == expected


def mappings(**more):
    rows = [
        {"x": X[i], "mask": X[i] > 0, "labels": Y[i], **{k: v[i] for k, v in more.items()}}
        for i in range(50)
    ]
    return DataLoader(rows, batch_size=16)


def test_batches_of_all_kinds():
    assert Probe(loader(X)).y is None
    assert torch.equal(Probe(loader(X)).x, X)
    assert torch.equal(Probe(iter(X.split(16))).x, X)
    pairs = Probe((X[k : k + 9].numpy(), Y[k : k + 9].numpy()) for k in range(0, 50, 9))
    assert np.array_equal(pairs.x, X.numpy())
    by_name = Probe(mappings())
    assert set(by_name.x) == {"x", "mask"}
    assert torch.equal(by_name.x["x"], X)
    assert np.array_equal(by_name.y, Y)
    columns = Probe(loader(X, Y[:, None].float()))
    assert np.array_equal(columns.y, Y.numpy().astype(np.float32))
    several = Probe(((x, x), y) for x, y in loader())
    assert [torch.equal(part, X) for part in several.x] == [True, True]


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], ["loader", "sample"]),
        ([(X, Y, Y)], [3, "Probe(x, y)"]),
        ([(X, X)], ["(50, 4)", "Probe(x, y)"]),
        ([{"x": X, "labels": X}], ["(50, 4)", "Probe(x, y)"]),
        ([X, X[:, :3]], ["loader", "together"]),
        ([{"y": Y}], ["loader", "samples"]),
        ([{"x": X}, {"z": X}], ["loader", "together"]),
        ([{"x": X}, {"x": X[:, :3]}], ["loader", "together", "'attention_mask'"]),
    ],
)
def test_what_is_not_clear_is_refused(batches, words):
    with pytest.raises(ValueError, match=naming("probe", *words)):
        Probe(iter(batches))


def test_labels_beside_a_loader_are_refused():
    with pytest.raises(ValueError, match=naming("probe", "labels", "Probe(x, y)")):
        Probe(loader(X), Y)
    with pytest.raises(TypeError, match=naming("probe", "TensorDataset", "DataLoader")):
        Probe(TensorDataset(X, Y))


def test_no_more_batches_are_read_than_are_needed():
    seen = []
    Probe((seen.append(k) or X for k in range(100)), max_points=120)
    assert seen == [0, 1, 2]


def test_a_loader_beyond_memory_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 500.0)
    with pytest.raises(MemoryError, match=naming("loader", "max_points", 32)):
        Probe(loader(X))


def test_a_shuffled_loader_gives_training_the_same_batches_afterwards():
    def batches(own):
        torch.manual_seed(0), np.random.seed(0), random.seed(0)
        generator = torch.Generator().manual_seed(1) if own else None
        shuffled = loader(shuffle=True, generator=generator)
        return shuffled, lambda: [x.tolist() for x, _ in shuffled], copy.copy(torch.get_rng_state())

    for own in (True, False):
        _, train, _ = batches(own)
        expected = train()
        shuffled, train, state = batches(own)
        probe = Probe(shuffled)
        assert not torch.equal(probe.x, X)
        assert torch.equal(torch.get_rng_state(), state)
        assert train() == expected


# ---- Language models ----------------------------------------------------------------------------

IDS = torch.arange(1, 25).reshape(4, 6)


def test_labels_of_tokens_are_left_out_with_one_warning():
    for batches in ([{"input_ids": IDS, "labels": IDS}], [(IDS, IDS + 1)], [(IDS.numpy(),) * 2]):
        probe = Probe(iter(batches))
        assert probe.y is None
        with pytest.warns(UserWarning, match=naming("(4, 6)", "dsmi_y", "measures=")) as said:
            assert [probe.default_measures, probe.default_measures] == [("dse",)] * 2
        assert len(said) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("measure", ["dsmi_y", "kernel_y"])
def test_labels_of_tokens_that_are_asked_for_are_refused(measure):
    model, probe = nn.Sequential(nn.Embedding(30, 4)), Probe(iter([(IDS, IDS)]))
    with pytest.raises(ValueError, match=naming("(4, 6)", measure, "Probe(x, y)")):
        Monitor(model, "0", probe, measures=["dse", measure])
    Monitor(model, "0", probe, measures=["dse"])  # says nothing


def padded(texts, side, extra=0):
    """A batch of texts, and what models of transformers are called with."""
    width = max(map(len, texts)) + extra
    ids = torch.full((len(texts), width), 99)
    for row, text in zip(ids, texts, strict=True):
        row[slice(width - len(text), None) if side == "left" else slice(0, len(text))] = text
    mask = (ids != 99).long()
    return {"input_ids": ids, "attention_mask": mask, "states": ids[..., None] / 2, "more": X[:2]}


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=8).filter(lambda k: len(k) % 2 == 0),
    st.sampled_from(["left", "right"]), st.booleans(),
)  # fmt: skip
@settings(deadline=None)
def test_batches_of_other_widths_become_one_as_if_padded_together(lengths, side, in_numpy):
    texts = [torch.arange(1, n + 1) for n in lengths]
    batches = [padded(texts[k : k + 2], side, extra=1) for k in range(0, len(texts), 2)]
    whole = padded(texts, side, extra=1)
    if in_numpy:
        batches = [{k: v.numpy() for k, v in batch.items()} for batch in batches]
    found = Probe(iter(batches)).x
    for name in ("input_ids", "attention_mask", "states"):
        assert np.array_equal(found[name], whole[name]), name


def test_what_a_decoder_reads_is_as_wide_as_its_own_mask():
    batches = [padded([IDS[0, :k], IDS[1]], "right") for k in (2, 3)]
    for batch, k in zip(batches, (3, 4), strict=True):
        batch["decoder_input_ids"] = torch.ones(2, k, dtype=torch.long)
    with pytest.raises(ValueError, match=naming("loader", "together", "'attention_mask'")):
        Probe(iter(batches))
    for batch, k in zip(batches, (3, 4), strict=True):
        batch["decoder_attention_mask"] = torch.ones(2, k, dtype=torch.long)
    found = Probe(iter(batches)).x
    assert found["decoder_input_ids"].tolist() == [[1, 1, 1, 0]] * 2 + [[1] * 4] * 2
    assert torch.equal(found["decoder_attention_mask"], found["decoder_input_ids"])
    assert found["input_ids"].shape == (4, 6)
