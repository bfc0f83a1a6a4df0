"""A reservoir of models of transformers, as accelerate dispatches and PEFT wraps them."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from eigentropy.torch import TokenReservoir

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore:.*is_gradient_checkpointing",
    "ignore:fan_in_fan_out",
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    return transformers.BertModel(config).eval()


@pytest.fixture(scope="module")
def batch():
    ids = torch.randint(5, 50, (6, 9), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(9) < torch.tensor([9, 5, 9, 2, 1, 7])[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture  # with as many threads as the test
def expected(model, batch):
    """What the model itself returns, of the tokens of a reservoir that is given it."""
    reservoir = TokenReservoir(n=20, dtype="float32")
    with torch.no_grad():
        states = model(**batch, output_hidden_states=True).hidden_states
    reservoir.add(states, batch["attention_mask"])
    return reservoir


def watched(model, batch, call=None, **options):
    with TokenReservoir(model, n=20, dtype="float32", **options) as reservoir, torch.no_grad():
        (call or model)(**batch)
    return reservoir


def same(a, b):
    return (
        np.array_equal(a.prompts, b.prompts)
        and np.array_equal(a.positions, b.positions)
        and len(a.layers) == len(b.layers)
        and all(np.array_equal(a.rows(k), b.rows(k)) for k in range(len(a.layers)))
    )


def test_hooks_find_the_hidden_states_that_the_model_returns(model, batch, expected):
    reservoir = watched(model, batch)
    assert reservoir.layers == ("embedding", *(f"encoder.layer.{k}" for k in range(3)))
    assert same(reservoir, expected)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_blocks_count_once(model, batch, expected, reentrant):
    twin = copy.deepcopy(model).eval()
    twin.gradient_checkpointing_enable({"use_reentrant": reentrant})
    twin.enable_input_require_grads()
    for module in twin.modules():  # the mode that checkpoints, and no dropout
        module.training = not isinstance(module, torch.nn.Dropout)
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    with TokenReservoir(twin, n=20, dtype="float32") as reservoir:
        twin(**batch).last_hidden_state.sum().backward()
    assert reservoir.seen == expected.seen
    assert np.array_equal(reservoir.positions, expected.positions)


@pytest.mark.parametrize("where", ["cpu_offload", "disk_offload", "dispatch_model"])
def test_a_model_that_accelerate_dispatches(model, batch, expected, where, tmp_path):
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")
    twin = copy.deepcopy(model)
    if where == "cpu_offload":
        accelerate.cpu_offload(twin, execution_device=torch.device("cpu"))
    elif where == "disk_offload":
        accelerate.disk_offload(twin, tmp_path, execution_device=torch.device("cpu"))
    else:
        places = {name: "cpu" for name, _ in twin.named_children() if name != "encoder"}
        places |= {f"encoder.layer.{k}": "disk" if k == 1 else "cpu" for k in range(3)}
        twin = accelerate.dispatch_model(
            twin, places, main_device="cpu", offload_dir=tmp_path, force_hooks=True
        )
    assert any(parameter.is_meta for parameter in twin.parameters())
    assert same(watched(twin, batch), expected)


@pytest.mark.parametrize("called", ["the wrapper", "the model inside"])
def test_a_model_that_peft_wraps(model, batch, expected, called):
    peft = pytest.importorskip("peft", reason="peft is not installed")
    settings = peft.LoraConfig(target_modules=["query", "value"], r=2)
    wrapped = peft.get_peft_model(copy.deepcopy(model), settings).eval()
    call = wrapped.get_base_model() if called == "the model inside" else None
    reservoir = watched(wrapped, batch, call)
    assert reservoir.layers[1].endswith("encoder.layer.0")
    assert same(reservoir, expected)  # new adapters add zero


def test_a_wrapped_model_generates():
    peft = pytest.importorskip("peft", reason="peft is not installed")
    config = transformers.GPT2Config(
        vocab_size=20, n_embd=16, n_layer=2, n_head=2, n_positions=64, eos_token_id=3,
        pad_token_id=0, bos_token_id=1,
    )  # fmt: skip
    settings = peft.LoraConfig(target_modules=["c_attn"], r=2, task_type="CAUSAL_LM")
    wrapped = peft.get_peft_model(transformers.GPT2LMHeadModel(config), settings).eval()
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    ids = torch.full((2, 4), 5) * mask
    with TokenReservoir(wrapped, n=100) as reservoir:
        wrapped.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=5, do_sample=False,
            suppress_tokens=[0, 3],
        )  # fmt: skip
    assert reservoir.prompts_seen == 2
    assert np.bincount(reservoir.prompts).tolist() == [6, 8]
