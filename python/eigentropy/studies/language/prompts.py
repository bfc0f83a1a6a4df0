"""Prompts with labels: texts out of packages, as a script writes them, and generated ones.

A data set is cut into parts without a common prompt. Each repetition of a study has one of them, so
that a mean over repetitions has an honest interval: prompts are the independent units.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.studies.courses import cache
from eigentropy.studies.data import Labels

SCRIPT = "python scripts/fetch_language_model.py"

# Tokens of a prompt, with the two that a tokenizer of BERT puts around it; what follows is cut off.
LENGTH = 64

# The words of generated prompts: numbers of tokens that BERT's tokenizer has, too.
WORDS = range(2000, 3000)
BEGIN, END = 101, 102  # BERT's tokens around a text
SHARE = 0.15  # of the words of a generated prompt, those of its topic alone

Tokens = npt.NDArray[np.int64]


# Random networks, like BERT and GPT-2 before training, by the number of their blocks. "bert-6" is
# MiniLM before training.
UNTRAINED = "bert-6"
RANDOM = {"bert-2": 2, "bert-6": 6, "bert-12": 12, "gpt-2": 2, "gpt-6": 6, "gpt-12": 12}


@dataclass(frozen=True)
class PromptSet:
    """Labelled prompts, in `parts` parts of `prompts` each, and the random networks that read them.

    MiniLM reads all but the generated ones.
    """

    name: str
    what: str
    prompts: int
    parts: int
    controls: tuple[str, ...] = ()


GENERATED = PromptSet("generated", "random words, of two topics", 60, 4, tuple(RANDOM))
FILMS = PromptSet("films", "sentences of film reviews, positive or not", 200, 8, tuple(RANDOM))
FORTUNES = PromptSet("fortunes", "quotations on eight topics", 192, 5, (UNTRAINED,))
SETS = {
    each.name: each
    for each in (
        GENERATED,
        FILMS,
        PromptSet("tweets", "tweets, positive or not", 200, 8),
        PromptSet("mails", "beginnings of mails, unsolicited or not", 200, 6),
        FORTUNES,
    )
}


def folder() -> Path:
    """Where the script writes texts and the network."""
    return cache() / "language"


def text_file(data: str) -> Path:
    """A table of texts and labels."""
    return folder() / f"{data}.csv"


def missing(data: str) -> str:
    """Why there are no prompts of this data set, and how to get them; empty where there are."""
    needed = [] if data == GENERATED.name else [text_file(data), folder() / "minilm"]
    gone = [str(path) for path in needed if not path.exists()]
    return f"{gone[0]} does not exist; it is written by `{SCRIPT}`" if gone else ""


def part(data: str, number: int) -> tuple[list[Tokens], Labels]:
    """The prompts of one part, each as numbers of tokens, and their labels.

    Raises
    ------
    ValueError
        The file has fewer texts than the parts need.
    """
    of = SETS[data]
    if data == GENERATED.name:
        return generated(of.prompts, number)
    texts, labels = texts_of(text_file(data))
    if len(texts) < of.prompts * of.parts:
        raise ValueError(
            f"{text_file(data)} must have {of.prompts * of.parts} texts, got {len(texts)}: write "
            f"it anew with `{SCRIPT}`"
        )
    own = slice(number * of.prompts, (number + 1) * of.prompts)
    encoded = tokenizer().encode_batch(texts[own])
    return [np.array(one.ids, dtype=np.int64) for one in encoded], labels[own]


def texts_of(path: Path) -> tuple[list[str], Labels]:
    """The columns `text` and `label` of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], np.array([int(row["label"]) for row in rows])


def tokenizer() -> Any:
    """That of MiniLM, which cuts texts after LENGTH tokens and pads none."""
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(folder() / "minilm" / "tokenizer.json"))
    found.no_padding()
    found.enable_truncation(LENGTH)
    return found


def generated(count: int, number: int) -> tuple[list[Tokens], Labels]:
    """Prompts of 6 to 30 words: most by Zipf's law, and some of their topic, a tenth of all."""
    rng = np.random.default_rng([number, 61])
    labels = np.arange(count) % 2
    law = 1.0 / np.arange(1.0, len(WORDS) + 1.0)
    common = np.random.default_rng(60).permutation(np.array(WORDS))  # the same in all parts
    topics = common.reshape(10, -1)[-2:]
    prompts = [_prompt(rng, common, law / law.sum(), topics[label]) for label in labels]
    return prompts, labels


def _prompt(
    rng: np.random.Generator, common: Tokens, law: Sequence[float], topic: Tokens
) -> Tokens:
    length = rng.integers(6, 31)
    words = rng.choice(common, length, p=law)
    special = rng.random(length) < SHARE
    words[special] = rng.choice(topic, int(special.sum()))
    return np.concatenate([[BEGIN], words, [END]]).astype(np.int64)
