"""Tiny language models of random weights, a tokenizer of letters, and their states one by one."""

from __future__ import annotations

import string

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

WORDS = ["[PAD]", "[UNK]", *string.ascii_lowercase, " "]
SIZE = {"vocab_size": len(WORDS), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}


def letters(side="right"):
    """A tokenizer that makes a token of every letter and adds nothing."""
    model = tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]")
    own = tokenizers.Tokenizer(model)
    own.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64,
        padding_side=side,
    )  # fmt: skip


def model_of(kind):
    """A model of two blocks in float64, so that padding changes nothing but the last bits."""
    torch.manual_seed(4)
    if kind == "bert":
        config = transformers.BertConfig(
            **SIZE, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=24, max_position_embeddings=64,
        )  # fmt: skip
        return transformers.BertModel(config).double().eval()
    if kind == "gpt2":
        config = transformers.GPT2Config(**SIZE, n_embd=16, n_layer=2, n_head=2, n_positions=64)
        return transformers.GPT2LMHeadModel(config).double().eval()
    config = transformers.LlamaConfig(
        **SIZE, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).double().eval()


def states_one_by_one(model, tokenizer, texts):
    """By layer, the states (tokens, d) of each text, which is given to the model alone."""
    found = []
    for text in texts:
        with torch.no_grad():
            output = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        found.append([states[0].numpy() for states in output.hidden_states])
    return [list(layer) for layer in zip(*found, strict=True)]
