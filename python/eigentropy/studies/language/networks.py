"""Transformers and the states of their layers: MiniLM, and random ones of several depths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.studies.language.prompts import BEGIN, END, LENGTH, RANDOM, Tokens, folder

MINILM = "minilm"
WIDTH, HEADS, VOCABULARY = 384, 12, 30_522  # of MiniLM, and of all others
BATCH = 20  # prompts

NORMALIZED = ("none", "l2")

States = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LanguageNetwork:
    """A transformer: `blocks` of them after the embedding."""

    name: str
    blocks: int
    width: int = WIDTH

    @property
    def layers(self) -> range:
        """The embedding is layer 0."""
        return range(self.blocks + 1)


NETWORKS = {name: LanguageNetwork(name, blocks) for name, blocks in {MINILM: 6, **RANDOM}.items()}


def require_transformers() -> None:
    """Check for the library before prompts are read."""
    try:
        import transformers  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "the networks need transformers: pip install 'eigentropy[torch]' transformers"
        ) from error


def made(network: LanguageNetwork, seed: int) -> Any:
    """The network in evaluation mode; the weights of random ones are those of the seed."""
    import torch
    import transformers

    if network.name == MINILM:
        with _quiet(transformers.utils.logging):
            return transformers.BertModel.from_pretrained(
                folder() / MINILM, add_pooling_layer=False, local_files_only=True
            ).eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _random(network, transformers).eval()


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Without a bar, and without a report of the weights of the head, which is left out."""
    verbosity, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bar:
            logging.enable_progress_bar()


def _random(network: LanguageNetwork, transformers: Any) -> Any:
    if network.name.startswith("gpt"):
        config = transformers.GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=LENGTH,
            n_embd=network.width,
            n_layer=network.blocks,
            n_head=HEADS,
            bos_token_id=BEGIN,
            eos_token_id=END,
            use_cache=False,
        )
        return transformers.GPT2Model(config)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=LENGTH,
        hidden_size=network.width,
        intermediate_size=4 * network.width,
        num_hidden_layers=network.blocks,
        num_attention_heads=HEADS,
    )
    return transformers.BertModel(config, add_pooling_layer=False)


def batches(prompts: Sequence[Tokens], order: Sequence[int]) -> Iterator[tuple[Any, Any, Any]]:
    """Numbers of prompts, their tokens padded on the right, and the mask of the tokens."""
    import torch

    for first in range(0, len(order), BATCH):
        numbers = order[first : first + BATCH]
        some = [torch.from_numpy(prompts[number]) for number in numbers]
        ids = torch.nn.utils.rnn.pad_sequence(some, batch_first=True)
        lengths = torch.tensor([len(one) for one in some])
        yield numbers, ids, torch.arange(ids.shape[1]) < lengths[:, None]


def run(model: Any, ids: Any, mask: Any) -> list[Any]:
    """The states (prompts, tokens, d) of all layers; the first is the embedding."""
    import torch

    with torch.inference_mode():
        given = {"input_ids": ids, "attention_mask": mask.long()}
        found = model(**given, output_hidden_states=True).hidden_states
    return list(found)


def token_states(model: Any, prompts: Sequence[Tokens]) -> dict[str, list[list[States]]]:
    """For each normalisation and layer the states (tokens, d) of each prompt, without padding.

    Prompts of one length are run together, which changes no number beyond rounding.
    """
    from eigentropy.torch.tokens.pooling import token_rows

    order = np.argsort([len(prompt) for prompt in prompts], kind="stable").tolist()
    found: dict[str, list[list[Any]]] = {how: [] for how in NORMALIZED}
    for numbers, ids, mask in batches(prompts, order):
        for layer, states in enumerate(run(model, ids, mask)):
            for how, layers in found.items():
                if len(layers) == layer:
                    layers.append([None] * len(prompts))
                rows = token_rows(states, mask, "tokens", how)
                ends = np.cumsum([len(prompts[number]) for number in numbers])[:-1]
                for number, one in zip(numbers, np.split(rows.rows.numpy(), ends), strict=True):
                    layers[layer][number] = one
    return found


def padded_means(model: Any, prompts: Sequence[Tokens]) -> list[States]:
    """For each layer the means over all positions of a batch, as if padding were tokens.

    The batches are of prompts as they come; the network itself sees the mask.
    """
    parts = [
        [states.mean(dim=1).numpy() for states in run(model, ids, mask)]
        for _, ids, mask in batches(prompts, range(len(prompts)))
    ]
    return [np.concatenate(layer) for layer in zip(*parts, strict=True)]
