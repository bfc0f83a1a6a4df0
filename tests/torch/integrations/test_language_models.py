"""The evaluation of a Trainer of a language model is measured on its real tokens."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.torch import Evaluation, Monitor
from eigentropy.torch.integrations.batches import Batches
from messages import names, naming

LENGTHS = [3, 9, 5, 2, 7, 4, 6, 8, 2, 5]


@pytest.fixture(scope="module")
def transformers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("accelerate", reason="accelerate is not installed: group adapters")
        return pytest.importorskip("transformers", reason="transformers is not installed")


def prompts():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, 50, (n,), generator=generator) for n in LENGTHS]


def padded(side):
    """A collator, as one of language models: the labels are the tokens themselves."""

    def collate(rows):
        width = max(len(row["input_ids"]) for row in rows)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for k, row in enumerate(rows):
            text = row["input_ids"]
            where = slice(width - len(text), width) if side == "left" else slice(0, len(text))
            ids[k, where], mask[k, where] = text, 1
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0),
            "labels": ids.masked_fill(mask == 0, -100),
        }

    return collate


def model_of(transformers, kind):
    torch.manual_seed(0)
    if kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2)
        return transformers.GPT2LMHeadModel(config), "transformer.h.1"
    config = transformers.LlamaConfig(
        vocab_size=50, num_hidden_layers=2, hidden_size=16, num_attention_heads=2,
        intermediate_size=32, tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config), "model.layers.1"


def trained(transformers, folder, model, side, callback):
    """A Trainer after an epoch and its evaluation."""
    rows = [{"input_ids": text} for text in prompts()]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), eval_strategy="epoch", report_to=[], use_cpu=True,
        per_device_train_batch_size=5, per_device_eval_batch_size=4, disable_tqdm=True,
        num_train_epochs=1, save_strategy="no", remove_unused_columns=False,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, arguments, train_dataset=rows, eval_dataset=rows, data_collator=padded(side),
        callbacks=[callback],
    )  # fmt: skip
    trainer.train()
    return trainer


def rows_by_hand(model, layer, pooling, drop_first):
    """Of each prompt by itself, without padding."""
    rows = []

    def keep(_, __, output):
        states = (output[0] if isinstance(output, tuple) else output)[0, drop_first:]
        rows.append({"mean": states.mean(0, True), "last": states[-1:], "tokens": states}[pooling])

    handle = model.get_submodule(layer).register_forward_hook(keep)
    with torch.no_grad():
        for text in prompts():
            model.eval()(input_ids=text[None])
    handle.remove()
    return torch.cat(rows)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("side", "pooling", "drop_first"),
    [("left", "mean", 0), ("right", "last", 0), ("left", "tokens", 1)],
)
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_evaluation_is_measured_on_its_real_tokens(
    transformers, tmp_path, kind, side, pooling, drop_first
):
    from eigentropy.torch.integrations.transformers import MonitorCallback

    model, layer = model_of(transformers, kind)
    callback = MonitorCallback(layer, Evaluation(200), pooling=pooling, drop_first=drop_first)
    trainer = trained(transformers, tmp_path, model, side, callback)
    (row,) = callback.monitor.history
    expected = rows_by_hand(trainer.model, layer, pooling, drop_first)
    assert row[f"dse/{layer}"] == pytest.approx(float(eg.dse(expected)), abs=1e-5)
    assert not any(name.startswith("dsmi") for name in row)
    counted = callback.monitor.counted
    assert counted.prompts == len(LENGTHS)
    assert counted.tokens == sum(LENGTHS) - drop_first * len(LENGTHS)
    assert not model._forward_pre_hooks


@pytest.mark.filterwarnings("ignore")
def test_labels_of_tokens_are_left_out_with_one_warning(transformers, tmp_path):
    from eigentropy.torch.integrations.transformers import MonitorCallback

    model, layer = model_of(transformers, "llama")
    callback = MonitorCallback(layer, Evaluation(200), pooling="mean")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained(transformers, tmp_path, model, "left", callback)
    said = [str(one.message) for one in caught if "labels=" in str(one.message)]
    assert len(said) == 1
    assert names(said[0], "(4, 9)", "dsmi_y", "labels=")


@pytest.mark.filterwarnings("ignore")
def test_labels_of_tokens_that_are_asked_for_are_refused(transformers, tmp_path):
    from eigentropy.torch.integrations.transformers import MonitorCallback

    model, layer = model_of(transformers, "llama")
    asked = MonitorCallback(layer, Evaluation(9), pooling="mean", measures=["dse", "dsmi_y"])
    with pytest.raises(ValueError, match=naming("(4, 9)", "labels=", "'dsmi_y'")):
        trained(transformers, tmp_path, model, "left", asked)
    parity = MonitorCallback(
        layer, Evaluation(99), pooling="tokens", labels=lambda batch: batch["input_ids"][:, -1] % 2
    )
    trained(transformers, tmp_path, model, "left", parity)
    assert f"dsmi_y/{layer}" in parity.monitor.history[0]


def test_labels_that_a_function_does_not_find_are_missed():
    net = torch.nn.Sequential(torch.nn.Linear(4, 3)).eval()
    for batches in (Batches(optional=True), Batches(labels=lambda batch: None, optional=True)):
        with Monitor(net, "0", Evaluation(100)) as monitor:
            net(torch.randn(6, 4))
            with pytest.raises(ValueError, match=naming("labels=")):
                batches.collect(monitor, {"x": torch.randn(6, 4)})


@pytest.mark.filterwarnings("ignore")
def test_lightning_s_validation_has_the_mask_of_the_model_that_it_calls(transformers, tmp_path):
    pl = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")
    from eigentropy.torch.integrations.lightning import MonitorCallback

    class Module(pl.LightningModule):
        def __init__(self, model):
            super().__init__()
            self.net = model

        def training_step(self, batch, _):
            return self.net(**batch).loss

        def validation_step(self, batch, _):
            self.log("val_loss", self.net(**batch).loss)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    model, layer = model_of(transformers, "gpt2")
    rows = [{"input_ids": text} for text in prompts()]
    loader = torch.utils.data.DataLoader(rows, batch_size=4, collate_fn=padded("left"))
    callback = MonitorCallback(f"net.{layer}", Evaluation(200), pooling="mean")
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        callbacks=[callback],
    )  # fmt: skip
    trainer.fit(Module(model), loader, loader)
    (row,) = callback.monitor.history
    expected = rows_by_hand(model, layer, "mean", 0)
    assert row[f"dse/net.{layer}"] == pytest.approx(float(eg.dse(expected)), abs=1e-5)
    assert "val_loss" in row


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", ["mean", "tokens"])
def test_a_loader_with_a_collator_is_a_probe(transformers, kind, side, pooling):
    """The widths of its batches differ; the measurement is that of the texts without padding."""
    model, layer = model_of(transformers, kind)
    rows = [{"input_ids": text} for text in prompts()]
    loader = torch.utils.data.DataLoader(rows, batch_size=4, collate_fn=padded(side))
    monitor = Monitor(model, layer, loader, measures=["dse"], pooling=pooling)
    expected = rows_by_hand(model, layer, pooling, 0)
    assert monitor.measure()[f"dse/{layer}"] == pytest.approx(float(eg.dse(expected)), abs=1e-5)
    assert monitor.counted.tokens == sum(LENGTHS)
