"""A reservoir that watches a model: a pass counts wholly, once it has ended, or not at all."""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from torch.utils.checkpoint import checkpoint

from eigentropy.torch import Monitor, Probe, TokenReservoir
from messages import naming

nn = torch.nn


class Block(nn.Module):
    def __init__(self, d=4):
        super().__init__()
        self.dense, self.act = nn.Linear(d, d), nn.Tanh()

    def forward(self, hidden_states, mask=None):
        return (self.act(self.dense(hidden_states)), "a cache")  # a tuple, as blocks return


class Body(nn.Module):
    """Blocks, of which a part may be checkpointed, left out, or called once more."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 4)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.reentrant, self.skips, self.again, self.fails = None, None, None, False

    def forward(self, input_ids, attention_mask=None):
        states = self.words(input_ids)
        for number, block in enumerate(self.blocks):
            if number == self.skips:
                continue
            if self.reentrant is None:
                states, _ = block(states)
            else:
                states, _ = checkpoint(block, states, use_reentrant=self.reentrant)
            if number == self.again:
                states, _ = block(states)
        if self.fails:
            raise RuntimeError("in the middle of a pass")
        return states


class Model(nn.Module):
    """A body with a head: what `generate` or a loop may call alone is the body."""

    def __init__(self):
        super().__init__()
        self.body, self.head = Body(), nn.Linear(4, 2)
        self.twice = False

    def forward(self, input_ids, attention_mask=None):
        states = self.body(input_ids, attention_mask)
        if self.twice:
            self.body(input_ids.flip(0), attention_mask.flip(0))
        return self.head(states)


LAYERS = ("embedding", "body.blocks.0", "body.blocks.1", "body.blocks.2")


def model_of():
    torch.manual_seed(0)
    return Model().eval()


def batch(prompts=6, length=5, seed=0, padded=True):
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, 20, (prompts, length), generator=draw)
    mask = torch.ones(prompts, length, dtype=torch.long)
    if padded:
        mask[
            torch.arange(length)[None] >= torch.randint(1, length + 1, (prompts, 1), generator=draw)
        ] = 0
    return ids, mask


def plain_states(model, ids, mask):
    """What a loop finds without hooks."""
    body = model.body if hasattr(model, "body") else model
    states = [body.words(ids)]
    for block in body.blocks:
        states.append(block.act(block.dense(states[-1])))
    return dict(zip(LAYERS, states, strict=True)), mask


def reference(model, batches, **options):
    """A reservoir that is given the states of the same batches."""
    reservoir = TokenReservoir(dtype="float32", **options)
    with torch.no_grad():
        for ids, mask in batches:
            reservoir.add(*plain_states(model, ids, mask))
    return reservoir


def same(a, b):
    return (
        np.array_equal(a.prompts, b.prompts)
        and np.array_equal(a.positions, b.positions)
        and (a.seen, a.prompts_seen, len(a.layers)) == (b.seen, b.prompts_seen, len(b.layers))
        and all(np.array_equal(a.rows(k), b.rows(k)) for k in range(len(a.layers)))
    )


def watching(model, n=12, **options):
    return TokenReservoir(model, n=n, dtype="float32", **options)


# ---- What counts --------------------------------------------------------------------------------


@pytest.mark.parametrize("called", ["keywords", "positions", "a mapping", "the body alone"])
def test_it_holds_what_a_loop_without_hooks_finds(called):
    model, batches = model_of(), [batch(seed=k) for k in range(4)]

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = model.body

        def forward(self, samples):
            return self.body(**samples)

    outer = Wrapped() if called == "a mapping" else model
    with watching(outer) as reservoir:
        for ids, mask in batches:
            if called == "keywords":
                model(input_ids=ids, attention_mask=mask)
            elif called == "positions":
                model(ids, mask)
            elif called == "a mapping":
                outer({"input_ids": ids, "attention_mask": mask})
            else:
                model.body(ids, attention_mask=mask)
    assert reservoir.layers == LAYERS
    assert same(reservoir, reference(model, batches, n=12))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_batches_and_padding_do_not_matter(data):
    model = model_of()
    ids, mask = batch(8, 6, data.draw(st.integers(0, 50)))
    n, drop_first = data.draw(st.integers(1, 40)), data.draw(st.integers(0, 1))
    cuts = sorted(data.draw(st.lists(st.integers(1, 7), max_size=3)))
    extra = data.draw(st.integers(0, 3))
    with watching(model, n, drop_first=drop_first) as reservoir, torch.no_grad():
        for start, end in zip([0, *cuts], [*cuts, 8], strict=True):
            if start < end:
                more = (0, extra)
                model(
                    nn.functional.pad(ids[start:end], more),
                    nn.functional.pad(mask[start:end], more),
                )
    alone = watching(model, n, drop_first=drop_first)
    with alone, torch.no_grad():
        model(ids, mask)
    assert same(reservoir, alone)


def test_without_a_mask_all_tokens_are_real():
    model, (ids, mask) = model_of(), batch(padded=False)
    with watching(model, 100) as reservoir:
        model(ids)
    assert same(reservoir, reference(model, [(ids, mask)], n=100))


@pytest.mark.parametrize("mask", ["real", lambda call: ~call["padding"].bool()])
def test_a_mask_of_another_name_or_meaning(mask):
    class Other(Model):
        def forward(self, ids, real, padding):
            return self.body(ids)

    torch.manual_seed(0)
    model, (ids, real) = Other(), batch()
    with watching(model, mask=mask) as reservoir:
        model(ids, real=real, padding=1 - real)
    assert same(reservoir, reference(model, [(ids, real)], n=12))
    with (
        watching(model, mask="reel") as reservoir,
        pytest.warns(UserWarning, match=naming("mask", "'reel'", "'real'", "'padding'")),
    ):
        model(ids, real, 1 - real)
    assert reservoir.seen == 0


def test_a_reservoir_that_is_entered_again_goes_on():
    model, batches = model_of(), [batch(seed=k) for k in range(3)]
    reservoir = watching(model)
    for one in batches:
        with reservoir:
            model(*one)
        model(*batch(seed=9))  # nobody watches
    assert same(reservoir, reference(model, batches, n=12))
    with reservoir:
        model(*batch(seed=9))
        with pytest.raises(RuntimeError, match=naming("entered")):
            reservoir.__enter__()


def test_a_body_that_is_called_twice_in_a_pass_reads_two_batches():
    model, (ids, mask) = model_of(), batch()
    model.twice = True
    with watching(model) as reservoir:
        model(ids, mask)
    assert same(reservoir, reference(model, [(ids, mask), (ids.flip(0), mask.flip(0))], n=12))


def test_other_models_and_probes_do_not_count():
    model, (ids, mask) = model_of(), batch()
    other = nn.Sequential(model.body.blocks[0])
    probe = Monitor(model, "head", Probe(ids), pooling="flatten")
    with watching(model) as reservoir:
        other(torch.ones(2, 3, 4))
        model.body.blocks[1](torch.ones(2, 3, 4))
        probe.measure()
        model(ids, mask)
    assert same(reservoir, reference(model, [(ids, mask)], n=12))


def in_threads(model, order, batches, fails=None):
    """Threads call the model, and take turns at each block: `order` says whose turn it is.

    The pass of the thread `fails` raises behind the last block.
    """
    turns = [threading.Semaphore(0) for _ in batches]
    number, left = {}, [threading.Semaphore(0) for _ in batches]

    def wait(*_):
        left[number[threading.current_thread()]].release()
        assert turns[number[threading.current_thread()]].acquire(timeout=20)

    def fail(*_):
        if number.get(threading.current_thread()) == fails is not None:
            raise RuntimeError("in the middle of a pass")

    def read(own):
        number[threading.current_thread()] = own
        wait()
        with torch.no_grad(), contextlib.suppress(RuntimeError):
            model(*batches[own])
        left[own].release()

    handles = [block.register_forward_pre_hook(wait) for block in model.body.blocks]
    handles.append(model.body.blocks[2].register_forward_hook(fail))
    threads = [threading.Thread(target=read, args=(own,)) for own in range(len(batches))]
    for thread, stop in zip(threads, left, strict=True):
        thread.start()
        assert stop.acquire(timeout=20)
    for own in order:
        turns[own].release()
        assert left[own].acquire(timeout=20)
    for thread in threads:
        thread.join()
    for handle in handles:
        handle.remove()


@settings(max_examples=20, deadline=None)
@given(st.permutations([0, 1, 2] * 4), st.sampled_from([5, 1000]))
def test_threads_that_call_the_model_at_the_same_time_are_passes_of_their_own(order, n):
    """Prompts are numbered as passes begin, whichever ends first."""
    model, batches = model_of(), [batch(seed=k) for k in range(3)]
    with watching(model, n) as reservoir:
        in_threads(model, order, batches)
    # A pass is numbered when its first block begins: what goes into it is the first layer.
    begun = sorted(range(3), key=order.index)
    assert same(reservoir, reference(model, [batches[k] for k in begun], n=n))


@pytest.mark.parametrize("fails", [0, 1])
def test_a_pass_that_fails_in_one_thread_loses_nothing_of_another(fails):
    model, batches = model_of(), [batch(seed=k) for k in range(3)]
    with watching(model, 1000) as reservoir:
        in_threads(model, [0, 1, 0, 1, 0, 1, 0, 1], batches[:2], fails)
        model(*batches[2])
    kept = torch.cat([batches[1 - fails][1], batches[2][1]]).sum(dim=1)
    _, counts = np.unique(reservoir.prompts, return_counts=True)  # numbers may be left out
    assert counts.tolist() == kept.tolist()
    assert reservoir.prompts_seen == len(kept)


@pytest.mark.parametrize("layers", ["body.blocks.1", ["body.blocks.*", "body.words"]])
def test_layers_of_any_names(layers):
    model, (ids, mask) = model_of(), batch()
    with watching(model, layers=layers) as reservoir:
        model(ids, mask)
    wanted = reference(model, [(ids, mask)], n=12)
    for name in reservoir.layers:
        key = "embedding" if name == "body.words" else name
        assert np.array_equal(reservoir.rows(name), wanted.rows(key))


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("auto", LAYERS),
        ("block 2", LAYERS[2:3]),
        (["block *"], LAYERS[1:]),
        ("embedding", LAYERS[:1]),
        (["block 3", "embedding"], (LAYERS[0], LAYERS[3])),
        (["body.blocks.2", "block ?"], LAYERS[1:]),
    ],
)
def test_blocks_have_the_names_of_hidden_states(layers, found):
    model, (ids, mask) = model_of(), batch()
    with watching(model, layers=layers) as reservoir:
        model(ids, mask)
    assert reservoir.layers == found
    wanted = reference(model, [(ids, mask)], n=12)
    hidden = ["embedding", "block 1", "block 2", "block 3"]
    for name, module in zip(hidden, LAYERS, strict=True):
        if module in found:
            assert np.array_equal(reservoir.rows(name), wanted.rows(module))
            assert np.array_equal(reservoir.rows(name), reservoir.rows(module))
        else:
            with pytest.raises(ValueError, match=naming("layer")):
                reservoir.rows(name)


def test_a_module_goes_before_a_hidden_state_of_its_name():
    model, (ids, mask) = model_of(), batch()
    model.embedding = model.head
    with watching(model, layers="embedding") as reservoir:
        model(ids, mask)
    assert reservoir.rows("embedding").shape[1] == 2  # of the head
    with pytest.raises(ValueError, match=naming("'block 4'", "'block 3'")):
        TokenReservoir(model, "block 4")


# ---- What does not count ------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["the body", "the head"])
def test_a_pass_that_raises_does_not_count_and_loses_nothing(where):
    model, batches = model_of(), [batch(seed=k) for k in range(3)]
    with watching(model) as reservoir:
        model(*batches[0])
        if where == "the body":
            model.body.fails = True
        else:
            head, model.head = model.head, nn.Linear(3, 2)
        with pytest.raises(RuntimeError):
            model(*batch(seed=7))
        model.body.fails = False
        if where == "the head":
            model.head = head
        model.body(*batches[1])  # it is no part of the call that was broken off
        model(*batches[2])
    assert same(reservoir, reference(model, batches, n=12))


def test_a_pass_that_is_interrupted_does_not_count():
    model, batches = model_of(), [batch(seed=k) for k in range(2)]

    def interrupt(*_):
        raise KeyboardInterrupt

    with watching(model) as reservoir:
        model(*batches[0])
        handle = model.body.blocks[1].register_forward_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(*batch(seed=7))
        handle.remove()
        model(*batches[1])
    assert same(reservoir, reference(model, batches, n=12))


def test_a_layer_that_does_not_run_is_named_once_and_its_passes_do_not_count():
    model, batches = model_of(), [batch(seed=k) for k in range(2)]
    with watching(model) as reservoir:
        model(*batches[0])
        model.body.skips = 1
        with pytest.warns(UserWarning, match=naming("pass 2", "'body.blocks.1'", "layers")):
            model(*batch(seed=7))
        model(*batch(seed=8))  # a second warning would be an error
        model.body.skips = None
        model(*batches[1])
    assert same(reservoir, reference(model, batches, n=12))


def test_of_a_layer_that_runs_twice_the_last_output_counts():
    model, (ids, mask) = model_of(), batch()
    model.body.again = 1
    with (
        watching(model, 100) as reservoir,
        pytest.warns(UserWarning, match=naming("'body.blocks.1'", "several times")),
    ):
        model(ids, mask)
    states = plain_states(model, ids, mask)[0]["body.blocks.1"]
    block = model.body.blocks[1]
    with torch.no_grad():
        wanted = block.act(block.dense(states))[reservoir.prompts, reservoir.positions]
    assert np.array_equal(reservoir.rows("body.blocks.1"), wanted.numpy())


class Complex(nn.Module):
    def forward(self, states):
        return torch.complex(states, states)


class Flat(nn.Module):
    def forward(self, states):
        return states.flatten(0, 1)


class Shorter(nn.Module):
    def forward(self, states):
        return states[:, 1:]


class Text(nn.Module):
    def forward(self, states):
        return "no tensor"


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Complex, ["complex64"]),
        (Flat, [(30, 4)]),
        (Shorter, [(6, 4, 4), 5]),
        (Text, ["str"]),
    ],
)
def test_what_a_layer_returns_that_is_no_states_is_named(module, words):
    model, (ids, mask) = model_of(), batch()
    model.extra = module()
    handle = model.body.register_forward_hook(lambda _, __, output: void(model.extra(output)))
    with (
        watching(model, layers=["body.words", "extra"]) as reservoir,
        pytest.warns(UserWarning, match=naming("'extra'", *words)),
    ):
        model(ids, mask)
    handle.remove()
    with pytest.raises(ValueError, match=naming("no token", "'extra'", *words)):
        reservoir.rows("extra")


def void(_):
    return None


def test_a_mask_that_does_not_fit_is_named_and_the_model_goes_on():
    model, (ids, mask) = model_of(), batch()
    with watching(model) as reservoir:
        with pytest.warns(UserWarning, match=naming("pass 1", "mask", (6, 3), 6, 5)):
            assert model(ids, mask[:, :3]).shape == (6, 5, 2)
        model(ids, mask)
    assert same(reservoir, reference(model, [(ids, mask)], n=12))


def test_max_bytes_that_hold_no_token_are_named():
    model = model_of()
    with (
        TokenReservoir(model, max_bytes=10) as reservoir,
        pytest.warns(UserWarning, match=naming("max_bytes", 10, 64)),
    ):
        model(*batch())
    with pytest.raises(ValueError, match=naming("max_bytes", 10)):
        reservoir.rows(0)


def test_no_pass_at_all_is_said():
    reservoir = watching(model_of())
    reservoir.__enter__()
    with pytest.warns(UserWarning, match=naming("hooks", "torch.compiler.reset()")):
        reservoir.__exit__(None, None, None)


def test_a_model_without_blocks_is_refused_with_the_names_of_its_parts():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    with pytest.raises(
        ValueError, match=naming("layers", "Sequential", "'0'", "'2'", "hidden states")
    ):
        TokenReservoir(model)


def test_a_name_that_matches_nothing_has_the_nearest():
    with pytest.raises(ValueError, match=naming("'body.block.*'", "'body.blocks.0'")):
        TokenReservoir(model_of(), "body.block.*")


def test_add_is_for_a_reservoir_without_a_model():
    with pytest.raises(RuntimeError, match=naming("add()", "model")):
        watching(model_of()).add({"x": torch.ones(1, 2, 3)})


# ---- Modes of PyTorch ---------------------------------------------------------------------------


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_backward_computes_again_does_not_count(reentrant):
    model, batches = model_of().train(), [batch(seed=k) for k in range(3)]
    model.body.reentrant = reentrant
    with watching(model) as reservoir:
        for ids, mask in batches:
            model(ids, mask).sum().backward()
    assert same(reservoir, reference(model, batches, n=12))


def test_a_pass_of_inference_mode_and_one_without_fill_one_reservoir():
    model, batches = model_of(), [batch(seed=k) for k in range(4)]
    with watching(model) as reservoir:
        for number, one in enumerate(batches):
            mode = torch.inference_mode if number % 2 == 0 else contextlib.nullcontext
            with mode():
                model(*one)
    assert same(reservoir, reference(model, batches, n=12))


def test_under_autocast_it_holds_what_layers_return():
    model, (ids, mask) = model_of(), batch()
    with torch.autocast("cpu", dtype=torch.bfloat16), watching(model) as reservoir:
        model(ids, mask)
        layer = model.body.blocks[0]
        states = layer.act(layer.dense(model.body.words(ids)))
    assert states.dtype == torch.bfloat16
    wanted = states.detach().float()[reservoir.prompts, reservoir.positions]
    assert np.array_equal(reservoir.rows("body.blocks.0"), wanted.numpy())


def test_the_default_device_and_dtype_change_nothing():
    model, one = model_of(), batch()
    with watching(model) as reservoir, torch.device("meta"):
        model(*one)
    assert same(reservoir, reference(model, [one], n=12))


def test_states_may_stay_where_the_model_is():
    model, one = model_of(), batch()
    with watching(model, device="model") as reservoir:
        model(*one)
    assert same(reservoir, reference(model, [one], n=12))


def test_the_model_computes_what_it_computed_before():
    model, (ids, mask) = model_of().train(), batch()
    plain = model(ids, mask)
    gradients = torch.autograd.grad(plain.sum(), list(model.parameters()))
    with watching(model):
        watched = model(ids, mask)
        again = torch.autograd.grad(watched.sum(), list(model.parameters()))
    assert torch.equal(plain, watched)
    assert all(torch.equal(a, b) for a, b in zip(gradients, again, strict=True))
    assert not model._forward_hooks
    assert not model.body.blocks[0]._forward_pre_hooks


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "made",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), saved],
    ids=["deepcopy", "pickle", "torch.save"],
)
def test_copies_of_a_watched_model_write_nothing_into_the_reservoir(made):
    model, one = model_of(), batch()
    with watching(model) as reservoir:
        twin = made(model)
        twin(*batch(seed=3))
        model(*one)
        twin.body.fails = True
        with pytest.raises(RuntimeError, match="middle"):
            twin(*one)
    assert same(reservoir, reference(model, [one], n=12))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tracing_a_watched_model_is_no_pass():
    model, (ids, mask) = model_of(), batch()
    with watching(model) as reservoir:
        torch.jit.trace(model, (ids, mask), check_trace=False)
        model(ids, mask)
    assert same(reservoir, reference(model, [(ids, mask)], n=12))


def test_replicas_of_data_parallel_that_are_on_the_cpu():
    """Without devices it calls the module itself."""
    model, one = model_of(), batch()
    with watching(nn.DataParallel(model)) as reservoir:
        nn.DataParallel(model)(*one)
    assert same(reservoir, reference(model, [one], n=12))


# ---- Compiled models ----------------------------------------------------------------------------


@pytest.fixture
def compiler():
    torch._dynamo.reset()
    yield lambda module: torch.compile(module, backend="eager")
    torch._dynamo.reset()


def compile_blocks(model, compiler):
    for number, block in enumerate(model.body.blocks):
        model.body.blocks[number] = compiler(block)
    return model


@pytest.mark.parametrize("what", ["the model", "the body", "the blocks", "in place"])
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_compiled_model_is_watched(compiler, what):
    model, batches = model_of(), [batch(seed=k) for k in range(3)]
    plain = reference(model, batches, n=12)
    compiled = model
    if what == "the model":
        compiled = compiler(model)
    elif what == "the body":
        model.body = compiler(model.body)
    elif what == "the blocks":
        compile_blocks(model, compiler)
    else:
        model.compile(backend="eager")
    with watching(compiled) as reservoir, torch.no_grad():
        for one in batches:
            compiled(*one)
    assert reservoir.layers == LAYERS
    assert same(reservoir, plain)


def test_blocks_that_were_compiled_and_had_run_are_watched(compiler):
    model, one = model_of(), batch()
    plain = reference(model, [one], n=12)
    compile_blocks(model, compiler)
    with torch.no_grad():
        model(*one)
        with watching(model) as reservoir:
            model(*one)
    assert same(reservoir, plain)


def test_a_model_that_was_compiled_and_had_run_says_so_at_once(compiler):
    model, one = model_of(), batch()
    plain, compiled = reference(model, [one], n=12), compiler(model)
    with torch.no_grad():
        compiled(*one)
        with watching(compiled) as reservoir:
            with pytest.warns(UserWarning, match=naming("compiled", "torch.compiler.reset()")):
                compiled(*one)
            assert reservoir.seen == 0
            torch.compiler.reset()
            compiled(*one)
    assert same(reservoir, plain)


# ---- All of it, in any order --------------------------------------------------------------------

EVENTS = st.lists(
    st.sampled_from(["pass", "body", "fails", "skips", "misfit", "copy", "backward", "twice"]),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(EVENTS, st.sampled_from([None, True, False]), st.integers(1, 40))
def test_what_counts_is_in_the_reservoir_whatever_happens_between(events, reentrant, n):
    model, counted = model_of().train(), []
    model.body.reentrant = reentrant
    with warnings.catch_warnings(), watching(model, n) as reservoir:
        warnings.simplefilter("ignore")
        for number, event in enumerate([*events, "pass"]):
            ids, mask = batch(3 + number % 3, seed=number)
            if event in ("pass", "backward"):
                output = model(ids, mask)
                counted.append((ids, mask))
                if event == "backward":
                    output.sum().backward()
            elif event == "body":
                model.body(ids, mask)
                counted.append((ids, mask))
            elif event == "twice":
                model.twice = True
                model(ids, mask)
                model.twice = False
                counted += [(ids, mask), (ids.flip(0), mask.flip(0))]
            elif event == "fails":
                model.body.fails = True
                with pytest.raises(RuntimeError, match="middle"):
                    model(ids, mask)
                model.body.fails = False
            elif event == "skips":
                model.body.skips = number % 3
                model(ids, mask)
                model.body.skips = None
            elif event == "misfit":
                model(ids, mask[:, 1:])
            else:
                copy.deepcopy(model)(ids, mask)
    assert same(reservoir, reference(model, counted, n=n))


def test_hooks_do_not_load_the_compiler():
    """Which takes 50 MB."""
    code = (
        "import sys, torch; from eigentropy.torch import TokenReservoir\n"
        "layer = torch.nn.TransformerEncoderLayer(4, 2, 4, batch_first=True)\n"
        "model = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)\n"
        "with TokenReservoir(model) as tokens: model(torch.ones(2, 3, 4))\n"
        "print(tokens.seen, 'torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["6", "False"]
