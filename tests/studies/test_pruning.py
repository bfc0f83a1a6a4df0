"""The studies of pruning: what is removed, masks and tickets, training, and each at a tiny size."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the studies of pruning need PyTorch")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

from torch.nn.utils import prune
from typer.testing import CliRunner

import eigentropy as eg
from eigentropy import studies
from eigentropy.cli import commands
from eigentropy.studies import pruning, rows, sparsity, tickets
from eigentropy.studies.courses import Course
from eigentropy.studies.sparsity import HIDDEN, LAYERS, OUTPUT, STATISTICS, SparseSizes
from eigentropy.studies.study import StudyPlan
from eigentropy.studies.vision import learning, pictures, pruned
from messages import naming
from torch_defaults import defaults, with_other_defaults

NAMES = ("pruning", "tickets")
TINY = SparseSizes(
    courses={"digits": Course(1, 1.2e-3, 60)}, validation={"digits": 100}, digits=160
)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits():
    return pictures.load("digits", 160)


@pytest.fixture
def network(digits):
    return pruned.lenet(digits[0], seed=3)


def weights(network):
    return {name: layer.weight for name, layer in pruned.linear_layers(network).items()}


def same_shares(share):
    return dict.fromkeys(LAYERS, share)


# How many go


@given(st.integers(1, 300_000), st.floats(0.0, 1.0, exclude_max=True))
def test_a_share_is_rounded_and_one_is_always_left(count, share):
    try:
        number = sparsity.removed(count, share, "weights")
    except ValueError:
        assert round(share * count) == count
    else:
        assert abs(number - share * count) <= 0.5
        assert number < count


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5, math.nan])
def test_shares_are_from_0_to_below_1(share):
    with pytest.raises(ValueError, match=naming("share", "neurons", share)):
        sparsity.removed(10, share, "neurons")


def test_no_layer_loses_all_its_neurons(network):
    with pytest.raises(ValueError, match=naming("layer 2", 100, "neurons", 0.996, 0.99)):
        pruned.remove_neurons(network, 0.996)


def test_no_layer_loses_all_its_weights(network):
    with pytest.raises(ValueError, match=naming("output", 1000, "weights", 0.9999, 0.999)):
        pruned.remove_weights(network, same_shares(0.9999))


@pytest.mark.parametrize("empty", LAYERS)
def test_a_mask_that_leaves_nothing_is_refused(network, empty):
    masks = pruned.masks_of(network)
    masks[empty] = torch.zeros_like(masks[empty])
    with pytest.raises(ValueError, match=naming("mask", empty, masks[empty].numel())):
        pruned.masked(network, masks)


# What goes


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9, 0.98])
def test_the_smallest_weights_of_each_layer_go(network, share):
    before = {name: of.detach().clone() for name, of in weights(network).items()}
    after = weights(pruned.remove_weights(network, same_shares(share)))
    for name, of in before.items():
        left = after[name] != 0
        assert int((~left).sum()) == round(share * of.numel())
        assert torch.equal(after[name][left], of[left])
        if share > 0:
            assert of[~left].abs().max() <= of[left].abs().min()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_the_shortest_neurons_of_the_hidden_layers_go_with_their_biases(network, share):
    with torch.no_grad():
        for layer in pruned.linear_layers(network).values():
            layer.bias.fill_(1.0)
    before = {name: of.detach().clone() for name, of in weights(network).items()}
    pruned.remove_neurons(network, share)
    for name in HIDDEN:
        layer = pruned.linear_layers(network)[name]
        left = (layer.weight != 0).any(dim=1)
        assert int((~left).sum()) == round(share * len(left))
        assert torch.equal(layer.bias != 0, left)
        lengths = before[name].norm(dim=1)
        if share > 0:
            assert lengths[~left].max() <= lengths[left].min()
    assert torch.equal(weights(network)[OUTPUT], before[OUTPUT])


def test_a_copy_is_pruned_and_the_network_stays_whole(network):
    before = {name: of.detach().clone() for name, of in weights(network).items()}
    for kind in pruning.KINDS:
        pruned.pruned(network, kind, 0.5)
        assert all(torch.equal(of, before[name]) for name, of in weights(network).items())
        assert not prune.is_pruned(network)
    whole = pruned.pruned(network, pruning.WHOLE, 0.0)
    assert all(torch.equal(of, before[name]) for name, of in weights(whole).items())


# Tickets


def test_the_rounds_have_the_lecture_s_shares():
    network = pruned.lenet(pictures.Pictures(torch.zeros(2, 1, 28, 28), np.array([0, 9])), 0)
    shares = {}
    for turn in range(1, tickets.ROUNDS + 1):
        masks = pruned.masks_of(pruned.remove_weights(network, tickets.RATES))
        shares[turn] = f"{100 * pruned.weights_left(masks):.1f} %"
    assert {share: shares.get(turn, "100 %") for share, turn in tickets.ROUND.items()} == {
        **{share: share for share in tickets.ROUND},
        "1.9 %": "1.9 %",
    }


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 0.6))
def test_masks_are_nested_and_the_share_of_what_is_left_is_exact(seed, share):
    data = pictures.Pictures(torch.zeros(2, 1, 4, 4), np.array([0, 2]))
    network = pruned.lenet(data, seed)
    generator = torch.Generator().manual_seed(seed)
    before = pruned.masks_of(network)
    for _ in range(4):
        with torch.no_grad():  # as if it had been trained
            for layer in pruned.linear_layers(network).values():
                of = layer.weight_orig if prune.is_pruned(layer) else layer.weight
                of += torch.randn(of.shape, generator=generator)
        after = pruned.masks_of(pruned.remove_weights(network, same_shares(share)))
        for name, mask in after.items():
            was = int(before[name].sum())
            assert bool((mask <= before[name]).all())
            assert int(mask.sum()) == was - round(share * was)
        network = pruned.masked(pruned.lenet(data, seed), after)
        before = after


def test_what_goes_is_decided_by_the_weights_after_the_last_step(network, digits):
    pruned.remove_weights(network, same_shares(0.5))
    course = Course(1, 0.1, 60)
    for _ in learning.train(network, digits[0], course, learning.CrossEntropy(), seed=0):
        pass
    layer = pruned.linear_layers(network)["layer 1"]
    last = (layer.weight_orig * layer.weight_mask).detach().abs().clone()
    assert not torch.equal(last, layer.weight.abs())  # it is of the last pass, before the last step
    left = pruned.masks_of(pruned.remove_weights(network, same_shares(0.5)))["layer 1"].bool()
    assert last[left].min() >= last[~left].max()


def test_a_rewound_ticket_has_its_initial_weights_and_a_reinitialised_one_others(digits):
    initial = weights(pruned.lenet(digits[0], 3))
    network = pruned.lenet(digits[0], 3)
    course = Course(1, 1e-2, 60)
    pruned.train(network, digits[0], digits[1], digits[1], course, seed=0)
    assert not torch.equal(weights(network)["layer 1"], initial["layer 1"])
    masks = pruned.masks_of(pruned.remove_weights(network, tickets.RATES))
    rewound = weights(pruned.masked(pruned.lenet(digits[0], 3), masks))
    new = weights(pruned.masked(pruned.lenet(digits[0], 3 + tickets.NEW_WEIGHTS), masks))
    for name in LAYERS:
        left = masks[name].bool()
        assert 0 < int((~left).sum()) < left.numel()
        assert torch.equal(rewound[name][left], initial[name][left])
        assert bool((new[name][left] != initial[name][left]).all())
        assert not rewound[name][~left].any()
        assert not new[name][~left].any()


def test_training_leaves_what_is_removed_at_0(digits, network):
    for kind in pruning.KINDS:
        copy = pruned.pruned(network, kind, 0.5)
        before = {name: of == 0 for name, of in weights(copy).items()}
        pruned.train(copy, digits[0], digits[1], digits[1], Course(2, 1e-2, 60), seed=0)
        assert all(not weights(copy)[name][zero].any() for name, zero in before.items())


# Networks, training, measures


def test_networks_are_decided_by_the_seed(digits):
    before = torch.get_rng_state()
    first, again, other = (weights(pruned.lenet(digits[0], seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert [tuple(of.shape) for of in first.values()] == [(300, 64), (100, 300), (10, 100)]
    for name in LAYERS:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
        deviation = math.sqrt(2.0 / sum(first[name].shape))
        assert first[name].std().item() == pytest.approx(deviation, rel=0.1)


@with_other_defaults
def test_the_defaults_of_pytorch_do_not_matter(dtype_and_device, digits):
    def found():
        network = pruned.remove_neurons(pruned.lenet(digits[0], 3), 0.5)
        course = Course(1, 1e-2, 60)
        trained = pruned.train(network, digits[0], digits[1], digits[1], course, seed=0)
        return trained, pruned.measured(network, digits[1], 0)

    expected = found()
    with defaults(dtype_and_device):
        assert found() == expected


def test_the_fused_optimiser_is_of_large_networks_and_differs_by_rounding(digits, monkeypatch):
    def trained():
        network = pruned.lenet(digits[0], 3)
        pruned.train(network, digits[0], digits[1], digits[1], Course(2, 1e-2, 60), seed=0)
        return torch.cat([of.flatten() for of in weights(network).values()])

    options, plain = [], trained()
    train = learning.train

    def noted(*args, **given):
        options.append(given)
        return train(*args, **given)

    monkeypatch.setattr(learning, "train", noted)
    monkeypatch.setattr(pruned, "FUSED_ABOVE", 50_000)
    fused = trained()
    assert options == [{"fused": True}]
    assert not torch.equal(fused, plain)
    assert torch.allclose(fused, plain, rtol=0.0, atol=1e-4)
    assert torch.equal(fused, trained())


def test_pictures_are_split_by_the_seed(digits):
    rest, some = pruned.split(digits[0], 60, seed=1)
    assert (len(rest), len(some)) == (100, 60)
    both = torch.cat([rest.X, some.X]).flatten(1)
    whole = digits[0].X.flatten(1)
    assert torch.equal(both.sort(dim=0).values, whole.sort(dim=0).values)
    assert torch.equal(some.X, pruned.split(digits[0], 60, seed=1)[1].X)
    assert not torch.equal(some.X, pruned.split(digits[0], 60, seed=2)[1].X)


def test_the_least_validation_loss_says_where_to_stop(digits, network, monkeypatch):
    losses, accuracies = iter([3.0, 1.0, 2.0]), iter([0.1, 0.3, 0.8])
    monkeypatch.setattr(pruned, "_loss", lambda *_: next(losses))
    monkeypatch.setattr(learning, "accuracy", lambda *_: next(accuracies))
    found = pruned.train(network, digits[0], digits[1], digits[1], Course(3, 1e-3, 80), seed=0)
    assert (found.accuracy, found.stop, found.at_stop) == (0.8, 2, 0.3)
    assert found.mean == pytest.approx(0.4)


def test_layers_are_measured_after_their_relu(digits, network):
    found = pruned.measured(network, digits[1], seed=5)
    assert set(found) == {(layer, name) for layer in LAYERS for name in STATISTICS}
    with torch.no_grad():
        first, second = (
            pruned.linear_layers(network)["layer 1"],
            network.body.get_submodule("layer 2"),
        )
        Z = second(first(digits[1].X.flatten(1)).relu()).numpy()
        logits = network(digits[1].X).numpy()
    y = digits[1].y
    assert found["layer 2", "DSE auto"] == eg.dse(Z)
    assert found["layer 2", "kernel entropy"] == eg.kernel_entropy(Z)
    information = eg.dsmi(logits, y, n_null=5, seed=5)
    assert found["output", "DSMI(Z;Y) auto"] == information
    assert found["output", "adjusted(Z;Y) auto"] == information.adjusted()
    information = eg.kernel_information(logits, y, n_null=5, seed=5)
    assert found["output", "kernel information"] == information
    assert found["output", "adjusted kernel information"] == information.adjusted()
    assert set(pruned.measured(network, digits[1], 5, [OUTPUT])) == {
        (OUTPUT, name) for name in STATISTICS
    }


def test_a_network_through_which_nothing_passes_has_no_entropy(digits, network):
    """Masks may leave weights and no way from inputs to outputs."""
    masks = {name: torch.zeros_like(mask) for name, mask in pruned.masks_of(network).items()}
    masks["layer 1"][0], masks["layer 2"][:, 1], masks[OUTPUT][:] = 1, 1, 1
    found = pruned.measured(pruned.masked(network, masks), digits[1], 0, [OUTPUT])
    assert list(found.values()) == pytest.approx([0.0] * len(STATISTICS), abs=1e-9)


# The studies


def small(name):
    """The study of that name with one epoch, on few pictures."""
    study = studies.STUDIES[name]
    jobs = lambda plan: study.jobs(replace(plan, epochs=1))  # noqa: E731
    return replace(study, jobs=jobs, measure=partial(study.measure, sizes=TINY))


def invoke(*args):
    return CliRunner().invoke(commands.app, ["study", *map(str, args)])


@pytest.mark.parametrize("name", NAMES)
def test_a_study_runs_judges_and_draws(name, tmp_path, monkeypatch):
    tiny = small(name)
    monkeypatch.setitem(studies.STUDIES, name, tiny)
    args = (name, "-o", tmp_path, "--repetitions", 2, "--processes", 1, "--json")
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    cells = [cell for job in tiny.jobs(StudyPlan(repetitions=2)) for cell in job.cells]
    assert document["rows"] == document["measured"] == len(cells)
    assert len(document["findings"]) > 10
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert tiny.listing(rows.read(name, tmp_path / f"{name}.csv")).lines
    assert json.loads(invoke(*args).stdout)["measured"] == 0  # nothing is trained again


def values(measured):
    return {row.cell: row.value for row in measured}


def test_the_same_seed_gives_the_same_numbers_and_a_part_the_same_as_the_whole():
    plan = StudyPlan(repetitions=1)
    for name, some in (
        ("pruning", lambda at: (at["kind"], at["sparsity"]) == ("neurons", 0.9)),
        ("tickets", lambda at: at["round"] == 3 and at["layer"] == sparsity.NETWORK),
    ):
        (job,) = small(name).jobs(plan)
        if name == "tickets":
            job = replace(job, cells=tuple(c for c in job.cells if c.settings["round"] < 4))
        whole = values(small(name).measure(job))
        assert set(whole) == set(job.cells)
        part = replace(job, cells=tuple(c for c in job.cells if some(c.settings)))
        again = values(small(name).measure(part))
        assert again == {cell: whole[cell] for cell in part.cells}


def test_unknown_data_are_named():
    with pytest.raises(ValueError, match=naming("data", "digits", "mnist-5000", "'blobs'")):
        sparsity.data_of(StudyPlan(data="blobs"))
