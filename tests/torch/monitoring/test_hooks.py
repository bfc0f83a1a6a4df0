"""Hooks see the forward passes of the watched model, and nothing else that calls its layers."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from torch.utils import checkpoint as checkpoints
from torch.utils.checkpoint import checkpoint

import eigentropy as eg
from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring.collection import Place

nn = torch.nn


class Net(nn.Module):
    """A part that may be checkpointed, with an activation that is used twice, and a head."""

    def __init__(self, reentrant=None):
        super().__init__()
        self.act = nn.Tanh()
        self.body = nn.Sequential(nn.Linear(4, 6), self.act, nn.Dropout(0.3))
        self.head = nn.Linear(6, 3)
        self.reentrant, self.fails = reentrant, False

    def forward(self, x):
        if self.reentrant is None:
            h = self.body(x)
        else:
            h = checkpoint(self.body, x, use_reentrant=self.reentrant)
        if self.fails:
            raise RuntimeError("in the middle of a pass")
        return self.head(self.act(h))


def net(reentrant=None):
    torch.manual_seed(0)
    return Net(reentrant)


def batch(n=30, seed=0):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def taken(monitor, labels=None):
    """The rows of each layer since the last measurement; of a reservoir that holds all."""
    monitor.collection.commit(labels, None, False)
    return monitor.collection.take(Place()).rows


def returned(model, layers, call):
    """What layers return in a call, by hooks of PyTorch's own."""
    rows, handles = {}, []
    for name in layers:
        module = model.get_submodule(name)
        hook = lambda _, __, output, name=name: rows.update({name: output.detach().clone()})  # noqa: E731
        handles.append(module.register_forward_hook(hook))
    output = call()
    for handle in handles:
        handle.remove()
    return output, rows


# ---- Gradient checkpointing ---------------------------------------------------------------------


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_backward_computes_again_is_no_forward_pass(reentrant):
    model, x = net(reentrant), batch()
    with Monitor(model, ["body", "body.0", "head"], Reservoir(100)) as monitor:
        output, rows = returned(model, monitor.layers, lambda: model(x))
        with torch.no_grad():
            model.body[0].weight.zero_()  # so that the second time is seen
        output.sum().backward()
        assert monitor.collection.last.repeated == set()
        values = monitor.step()
    for name in monitor.layers:
        assert values[f"dse/{name}"] == pytest.approx(float(eg.dse(rows[name])), abs=1e-5)


@pytest.mark.parametrize("whole", [True, False])
def test_what_the_loop_checkpoints_is_measured_once(whole):
    """The model as a whole, or a layer that it calls without the model."""
    model, x = net(), batch()

    def forward():
        if whole:
            return checkpoint(model, x, use_reentrant=False)
        return model.head(checkpoint(model.body, x, use_reentrant=False))

    with Monitor(model, ["body.0", "head"], Reservoir(100)) as monitor:
        output, rows = returned(model, monitor.layers, forward)
        with torch.no_grad():
            model.body[0].weight.zero_()
        output.sum().backward()
        found = taken(monitor)
    for name in monitor.layers:
        assert np.array_equal(found[name], rows[name].numpy())


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_checkpointing_of_transformers(reentrant):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.BertModel(config).train()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    model.enable_input_require_grads()
    ids = torch.randint(32, (40, 5))
    with Monitor(model, "encoder.layer.*", Reservoir(40), pooling="first") as monitor:
        output, rows = returned(model, monitor.layers, lambda: model(input_ids=ids))
        output.last_hidden_state.sum().backward()
        values = monitor.step()
    for name, Z in rows.items():
        assert values[f"dse/{name}"] == pytest.approx(float(eg.dse(Z[:, 0])), abs=1e-5)
    assert len(values) == 2


def test_training_with_checkpoints_is_bitwise_the_same_with_a_monitor():
    alone, watched = net(False), net(False)
    for model in (alone, watched):
        monitor = Monitor(model, ["body", "head"], Reservoir(20)) if model is watched else None
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        torch.manual_seed(1)
        for seed in range(3):
            optimizer.zero_grad()
            model(batch(seed=seed)).square().mean().backward()
            optimizer.step()
            if monitor is not None:
                monitor.step()
    for a, b in zip(alone.parameters(), watched.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_pooling_with_weights_is_no_part_of_what_is_checkpointed():
    model, projection = net(False), nn.Linear(6, 2)
    with Monitor(model, "body", Reservoir(100), pooling=projection) as monitor:
        model(batch()).sum().backward()
        assert set(monitor.step()) == {"dse/body"}
    assert projection.weight.grad is None


class Means(nn.Module):
    """Has the same operations as a pooling, of the same shapes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 6)

    def forward(self, x):
        h = self.first(x)
        return self.second((h * h).mean(dim=1))


@pytest.mark.parametrize("pooling", ["mean", lambda z: (z @ torch.eye(6)).mean(dim=1)])
def test_selective_checkpointing_keeps_nothing_of_a_hook(pooling):
    def contexts():
        save = checkpoints.CheckpointPolicy.MUST_SAVE
        return checkpoints.create_selective_checkpoint_contexts(lambda *_, **__: save)

    gradients = []
    for watched in (False, True):
        torch.manual_seed(0)
        model, x = Means(), torch.randn(30, 3, 4)
        monitor = Monitor(model, "first", Reservoir(100), pooling=pooling) if watched else None
        output = checkpoint(model, x, use_reentrant=False, context_fn=contexts)
        output.square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert set(monitor.step()) == {"dse/first"}


# ---- Copies and pickles -------------------------------------------------------------------------


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "torch.save": saved,
    "AveragedModel": lambda model: torch.optim.swa_utils.AveragedModel(model).module,
    "replica": lambda model: model._replicate_for_data_parallel(),
}


@pytest.mark.parametrize("source", [Reservoir(100), Evaluation(100)])
@pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
def test_copies_of_a_watched_model_write_nothing_into_its_monitor(made, source):
    evaluated = isinstance(source, Evaluation)
    model, x, other = net().train(not evaluated), batch(), batch(50, seed=1)
    with Monitor(model, ["body", "head"], source, measures="dse") as monitor:
        twin = made(model)
        twin(other)
        _, rows = returned(model, monitor.layers, lambda: model(x))
        twin(other)
        if evaluated:
            monitor.collect()
        values = monitor.step()
    twin(other)
    for name in monitor.layers:
        assert values[f"dse/{name}"] == pytest.approx(float(eg.dse(rows[name])), abs=1e-5)


def test_a_copy_keeps_no_monitor_alive():
    model = net()
    monitor = Monitor(model, "head", Reservoir(10))
    twin, alive = copy.deepcopy(model), weakref.ref(monitor.collection)
    monitor.remove()
    del monitor
    gc.collect()
    assert alive() is None
    assert twin(batch()).shape == (30, 3)


def test_a_copy_can_be_watched_and_compiled():
    model = net()
    first = Monitor(model, "head", Reservoir(100))
    twin = copy.deepcopy(model)
    with Monitor(twin, "head", Reservoir(100)) as second:
        twin(batch())
        assert set(second.step()) == {"dse/head"}
    assert first.collection.size == 0
    torch._dynamo.reset()
    compiled = torch.compile(twin.eval(), backend="eager", fullgraph=True)
    assert torch.equal(compiled(batch()), twin(batch()))
    torch._dynamo.reset()


def test_a_watched_model_is_loaded_where_the_package_is_not(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    x = torch.ones(2, 4)
    with Monitor(model, "1", Reservoir(100)):
        torch.save((model, x, model(x)), tmp_path / "model.pt")
    code = (
        "import sys, torch; sys.modules['eigentropy'] = None\n"
        "model, x, y = torch.load(sys.argv[1], weights_only=False)\n"
        "assert torch.equal(model(x), y)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model.pt")], check=True)


def test_another_process_is_given_a_watched_model():
    """As spawn hands it over."""
    from multiprocessing.reduction import ForkingPickler

    model = net().eval()
    with Monitor(model, ["body", "head"], Evaluation(100)):
        twin = pickle.loads(ForkingPickler.dumps(model))
        assert torch.equal(twin(batch()), model(batch()))


# ---- Which pass counts --------------------------------------------------------------------------


def test_of_several_passes_the_last_that_ended_counts():
    model = net()
    with Monitor(model, ["body", "head"], Reservoir(100)) as monitor:
        model(batch(20, seed=1))
        _, rows = returned(model, monitor.layers, lambda: model(batch(25, seed=2)))
        model.fails = True
        with pytest.raises(RuntimeError, match="middle"):
            model(batch(9, seed=3))
        model.fails = False
        found = taken(monitor)
    for name in monitor.layers:
        assert np.array_equal(found[name], rows[name].numpy())


def test_a_pass_that_fails_leaves_nothing_to_the_next():
    model = net()
    with Monitor(model, ["body", "head"], Reservoir(100)) as monitor:
        model.fails = True
        with pytest.raises(RuntimeError, match="middle"):
            model(batch(9))
        model.fails = False
        model(batch(20))
        assert {name: len(rows) for name, rows in taken(monitor).items()} == {
            "body": 20,
            "head": 20,
        }


@pytest.mark.parametrize("grad", [True, False])
def test_evaluations_between_pass_and_step_do_not_reach_the_reservoir(grad):
    model = net()
    with Monitor(model, ["body", "head"], Reservoir(100)) as monitor:
        _, rows = returned(model, monitor.layers, lambda: model(batch()))
        model.eval()
        with torch.set_grad_enabled(grad):  # with gradients, as for adversarial examples
            model(batch(50, seed=1))
        model.train()
        found = taken(monitor)
    assert np.array_equal(found["head"], rows["head"].numpy())


def test_a_frozen_part_is_measured_with_the_rest():
    """Without gradients, and in evaluation mode."""

    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x):
            with torch.no_grad():
                h = self.backbone(x)
            return self.head(h)

    model = Frozen()
    model.backbone.eval()
    with Monitor(model, "*", Reservoir(100)) as monitor:
        model(batch())
        assert set(monitor.step()) == {"dse/backbone", "dse/head"}


def test_a_layer_that_another_model_calls_does_not_count():
    model = net()
    other = nn.Sequential(model.body, nn.Linear(6, 2))
    with Monitor(model, ["body", "head"], Reservoir(100)) as monitor:
        other(batch(7))
        _, rows = returned(model, monitor.layers, lambda: model(batch()))
        other(batch(30, seed=5))
        found = taken(monitor)
    assert np.array_equal(found["body"], rows["body"].numpy())


@pytest.mark.parametrize("source", [Reservoir(100), Evaluation(100)])
def test_layers_that_the_loop_calls_without_the_model_count(source):
    """As in the training_step of a LightningModule; the latest batch counts, whatever its size."""
    evaluated = isinstance(source, Evaluation)
    model = net().train(not evaluated)
    with Monitor(model, ["body", "head"], source, measures="dse") as monitor:
        for n in (20, 30):
            _, rows = returned(
                model, monitor.layers, lambda n=n: model.head(model.body(batch(n, seed=n)))
            )
        if evaluated:
            monitor.collect()
        values = monitor.step()
    for name in monitor.layers:
        assert values[f"dse/{name}"] == pytest.approx(float(eg.dse(rows[name])), abs=1e-5)


@pytest.mark.parametrize("source", [Reservoir(100), Evaluation(100)])
def test_the_pass_of_a_probe_is_no_pass_of_the_loop(source):
    evaluated = isinstance(source, Evaluation)
    model = net().train(not evaluated)
    probe = Monitor(model, "head", Probe(batch(50, seed=1)))
    with Monitor(model, "head", source, measures="dse") as monitor:
        _, rows = returned(model, ["head"], lambda: model(batch()))
        expected = probe.measure()
        if evaluated:
            monitor.collect()
        values = monitor.step()
    assert values["dse/head"] == pytest.approx(float(eg.dse(rows["head"])), abs=1e-5)
    assert probe.measure() == expected


def test_a_functional_call_is_a_pass_and_a_transform_is_none():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    weights = {name: 2 * value.detach() for name, value in model.named_parameters()}
    x = batch()
    with Monitor(model, "1", Reservoir(100)) as monitor:
        Z = torch.func.functional_call(model, weights, (x,))
        assert monitor.step()["dse/1"] == pytest.approx(float(eg.dse(Z.detach())), abs=1e-5)

        def loss(weights, row):
            return torch.func.functional_call(model, weights, (row[None],)).sum()

        torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, x)
        with pytest.warns(UserWarning, match="layer '1'"):
            assert monitor.step() == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tracing_and_exporting_a_watched_model_is_no_pass():
    model, x = nn.Sequential(nn.Linear(4, 6), nn.Tanh()).eval(), batch().detach()
    with Monitor(model, "1", Evaluation(100), measures="dse") as monitor:
        traced = torch.jit.trace(model, x, check_trace=False)
        assert monitor.collection.size == 0
        exported = torch.export.export(model, (x,)).module()
        assert monitor.collection.size == 0
        assert torch.equal(traced(x), exported(x))


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which the compiler looks at
@pytest.mark.parametrize("sizes", [(30, 30, 30), (30, 20, 25)])
def test_a_compiled_model_is_watched_for_several_steps(sizes):
    torch._dynamo.reset()
    model = net(False)
    with Monitor(model, ["body", "head"], Reservoir(100)) as monitor:
        compiled = torch.compile(model, backend="eager")
        for n in sizes:
            compiled(batch(n)).sum().backward()
            assert set(monitor.step()) == {"dse/body", "dse/head"}
    torch._dynamo.reset()


def test_each_token_that_is_generated_is_a_pass():
    model = net().eval()
    with Monitor(model, "head", Evaluation(100), measures="dse") as monitor, torch.no_grad():
        for seed in range(4):
            Z = model(batch(seed=seed))
        monitor.collect()
        assert monitor.step()["dse/head"] == pytest.approx(float(eg.dse(Z)), abs=1e-5)


# ---- All of it, in any order ---------------------------------------------------------------------

EVENTS = st.lists(
    st.sampled_from(
        [
            "pass", "backward", "fails", "evaluate", "no_grad", "copy", "use copies", "pickle",
            "shared", "probe", "commit",
        ]
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.sampled_from([None, True, False]))
def test_a_reservoir_holds_what_the_model_s_own_passes_gave(events, reentrant):
    """The reference takes what PyTorch's own hooks see in the calls that are training passes."""
    model, copies, output, last, expected, drawn = net(reentrant), [], None, None, [], 0
    layers = ["body", "body.0", "head"]
    other = nn.Sequential(model.body, nn.Linear(6, 2))
    probe = Monitor(model, "head", Probe(batch(12)))
    with Monitor(model, layers, Reservoir(10_000)) as monitor:
        for event in [*events, "commit"]:
            drawn += 1
            x = batch(5 + drawn % 3, seed=drawn)
            if event == "pass":
                output, last = returned(model, layers, lambda x=x: model(x))
            elif event == "backward" and output is not None:
                output.sum().backward()
                output = None
            elif event == "fails":
                model.fails = True
                with pytest.raises(RuntimeError, match="middle"):
                    model(x)
                model.fails = False
            elif event == "evaluate":
                model.eval()(x)
                model.train()
            elif event == "no_grad":
                with torch.no_grad():
                    model(x)
            elif event in ("copy", "pickle"):
                made = copy.deepcopy if event == "copy" else COPIES["pickle"]
                copies.append(made(model))
            elif event == "use copies":
                for twin in copies:
                    twin(x).sum().backward()
            elif event == "shared" and last is not None:
                other(x)
            elif event == "probe":
                probe.measure()
            elif event == "commit":
                monitor.collection.commit(None, None, False)
                expected += [] if last is None else [last]
                last = None
        found = monitor.collection.take(Place()).rows
    assert set(found) == (set(layers) if expected else set())
    for name, rows in found.items():
        assert np.array_equal(rows, np.concatenate([one[name] for one in expected]))
