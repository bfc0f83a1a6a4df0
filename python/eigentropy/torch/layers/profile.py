"""A profile of the layers of a language model: what each of them has of prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eigentropy._support.interval import LEVEL, checked_level
from eigentropy._support.options import integer, one_of, positive, random_seed
from eigentropy._support.progress import Callback, part, reporter, stage
from eigentropy._support.signatures import check_options
from eigentropy.ranking.measured import class_codes
from eigentropy.ranking.scores import OPTIONS
from eigentropy.torch.features.texts import TextList
from eigentropy.torch.layers.gathering import GatheredStates, TokenRule, gathered
from eigentropy.torch.layers.language_profile import LanguageProfile, short_name
from eigentropy.torch.layers.measuring import differences, ends_of, measured_layers, profiled
from eigentropy.torch.layers.model_states import ModelStates
from eigentropy.torch.layers.names import (
    OF_PROMPTS,
    SCOPES,
    VIEWS,
    Data,
    checked_measures,
    left_out,
    unit_of,
)
from eigentropy.torch.layers.nearest_rows import share_by_chance, share_of_same
from eigentropy.torch.layers.prompt_sample import PromptSample, why_no_errors
from eigentropy.torch.layers.prompts import Prompts, views_of
from eigentropy.torch.layers.remarks import notes
from eigentropy.torch.layers.reservoir import TokenReservoir
from eigentropy.torch.layers.sources import labels_of, opened
from eigentropy.torch.layers.states import States
from eigentropy.torch.layers.within import Within
from eigentropy.torch.tokens.pooling import check_normalize, check_pooling

# Of the measures, with their checks.
_OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    **{name: OPTIONS[name] for name in ("sigma", "alpha", "t", "n_null")},
    "temperature": lambda value: positive(value, "temperature"),
}

# The share of the time that the model's passes are said to take.
_PASSES = 0.5


def profile(
    model: Any,
    texts: Any = None,
    *,
    labels: Any = None,
    layers: str | int | Sequence[str | int] | None = None,
    tokenizer: Any = None,
    scope: str = "prompts",
    pooling: str | None = None,
    drop_first: int = 0,
    normalize: str = "none",
    measures: str | Sequence[str] | None = None,
    views: Any = None,
    max_rows: int = 4096,
    batch_size: int | None = None,
    max_length: int | None = None,
    sampling: bool = True,
    level: float = LEVEL,
    seed: int = 0,
    offline: bool = False,
    progress: bool | Callback = False,
    **options: Any,
) -> LanguageProfile:
    """Measure every layer of a language model on prompts.

    States pass batch by batch. What is kept of them is bounded by `max_rows`; padding has no
    influence.

    Parameters
    ----------
    model : str, path, torch.nn.Module or StatesFolder
        A name of the hub of Hugging Face or a local folder; a module that returns hidden states; or
        states that a server wrote.
    texts : TextFile, path of a file of texts, sequence of str, or iterable of batches
        The prompts. A batch is a mapping of tensors that the model takes, such as ``{"input_ids":
        ..., "attention_mask": ...}``; padding on the left of models with absolute positions needs
        "position_ids", too. None for a StatesFolder.
    labels : array-like, optional
        A class for each prompt, such as topic, language or task; by default those of the file.
    layers : str, int or sequence of these, optional
        By default all hidden states: "embedding", what the first block is given, and "block 1",
        "block 2", ..., what each block returns. The last one of many decoders, such as GPT-2 and
        Llama, is behind their final normalisation. Names, patterns or numbers of these, or names or
        patterns of modules that return (prompts, tokens, d), such as "h.*.mlp". They are compared
        in the order in which they run. Numbers are those of the names, and 0 is the embedding. A
        model by name or from a folder has no head: "transformer.h.*.mlp" means the same there.
    tokenizer : optional
        Of a model that is given as a module: a tokenizer, its name or its folder.
    scope : {"prompts", "tokens", "within"}
        One vector a prompt; tokens of all prompts together; or tokens of each prompt by themselves,
        and their mean over prompts. "prompt_entropy" and "curvature" are within prompts in every
        scope.
    pooling : {"mean", "last", "first"}, optional
        From the tokens of a prompt to its vector, by default "mean". In the scope "prompts" alone;
        in the others each token is a row.
    drop_first : int
        Tokens at the beginning of each prompt that do not count, such as an attention sink.
    normalize : {"none", "l2", "layer"}
        Of each token, before pooling: over its length, or to mean 0 and variance 1.
    measures : str or sequence of str, optional
        By default those that scope and data allow, but for those that take long, which `notes` of
        the result name: of "dse", "dsmi"
        and "dsmi_adjusted" (about labels), "kernel_entropy", "kernel_information" and its forms
        "_adjusted" and "_bits" (about labels), "kernel_information_next" (about the next layer),
        "prompt_entropy", "effective_rank", "rankme", "anisotropy", "curvature", and "dime" and
        "infonce" (of two views).
    views : 2 or sequence of str, optional
        2: two views of each text, each of which lacks a random tenth of its words. Or other texts
        of the same meaning, one for each.
    max_rows : int
        The most rows of each layer: prompts or tokens that are drawn at random, the same in all
        layers. In the scope "tokens" all prompts are given to the model. There the spectra of
        as many rows take most of the time.
    batch_size : int, optional
        Texts that are given to the model at once, the longest first; by default as many as fit into
        memory.
    max_length : int, optional
        Tokens after which a text is cut; by default what the model takes.
    sampling : bool
        Whether there are sampling errors, and neighbours are compared. False saves their time. In
        the scope "tokens", the prompts of some 1024 rows, but at least 64, stand for all: the
        errors of dse and kernel information may then be too small, see docs/how_to/uncertainty.md.
    level : float
        Neighbours differ if the p-value is at most 1 - level.
    seed : int
        Of all that is drawn.
    offline : bool
        Ask no hub.
    progress : bool or callable
        Show a bar, or call a function with the share that is done.
    **options
        Of the measures: `sigma`, `alpha`, `t` and `n_null` as elsewhere, and `temperature` of
        "infonce".

    Returns
    -------
    LanguageProfile

    Raises
    ------
    ValueError, TypeError, FileError
        An argument of the wrong value or type. A model without hidden states, a layer that there is
        not, a prompt of which no token is kept; blank texts, or texts that are not UTF-8.
    ImportError, UnavailableModelError
        A package or the weights are missing.

    Notes
    -----
    Sampling errors are over other prompts: tokens of one prompt are not independent. Values within
    prompts have the standard deviation over prompts, over the root of their number. Others are
    measured on halves and three quarters of the prompts, of some 1024 rows at most. Random
    partitions, which information about labels is compared with, leave the tokens of a prompt
    together; of tokens there are 6 of them, unless `n_null` is given. That they are random is part
    of the error. Where chance hides how a value moves, its error is NaN, and a note says so.

    Entropies within prompts depend on the number of tokens: the most that l tokens can have is
    log(l), and short prompts have less. To compare sets of prompts, give them a `max_length`
    that all of them reach, or prompts of equal length. Prompts longer than `max_length`, or than
    what the model and its tokenizer allow, are cut there, and a note says how many.

    A rule for sigma is of the rows that are measured, and in the scope "within" of each prompt's
    own tokens, of which 512 random ones stand for more. "kernel_information_next" has kernels as
    wide as the median distance, unless `sigma` is given: the joint kernel of narrower ones has
    hardly an entry left in many dimensions. DiME and InfoNCE are of 1024 prompts at most.

    Examples
    --------
    >>> from eigentropy.torch.layers import profile
    >>> found = profile("gpt2", ["A first text.", "Another one."])  # doctest: +SKIP
    >>> found.values("dse")["block 6"]  # doctest: +SKIP
    """
    check_options("profile", options, _OPTIONS)
    options = {name: _OPTIONS[name](value) for name, value in options.items()}
    seed, level = random_seed(seed), checked_level(level)
    max_rows = integer(max_rows, "max_rows", at_least=1)
    tokens = _tokens(one_of(scope, "scope", SCOPES), pooling, normalize, drop_first)
    states = opened(model, texts, layers, tokenizer, batch_size, max_length, offline)
    classes = labels_of(labels, states)
    data = Data(scope, classes is not None, views is not None)
    wanted = checked_measures(measures, data)
    run = _Run(states, scope, tokens, wanted, max_rows, seed, options)
    with reporter(progress, short_name(states.name)) as report:
        stage(report, "hidden states")
        own = run.gathered(part(report, 0.0, _PASSES))
        pairs = run.views(views, own) if set(VIEWS) & set(wanted) else None
        _check_labels(own, classes, states.prompts)
        sample = _sample(own, classes, seed, sampling)
        last = part(report, _PASSES, 1.0)
        found = measured_layers(own, pairs, sample, wanted, options, sampling, last)
    n = len(own.numbers) if sample is None else len(sample.prompts)
    of_tokens = scope == "tokens" and sample is not None
    whole = LanguageProfile(
        layers=profiled(found, own.columns),
        neighbours=differences(found, n, level) if sampling else [],
        n=n,
        units={measure: unit_of(measure) for measure in wanted},
        level=level,
        model=states.name,
        scope=scope,
        pooling=tokens.pooling,
        normalize=normalize,
        drop_first=tokens.drop_first,
        prompts=len(own.numbers),
        tokens=own.tokens,
        same_prompt=_same_prompt(own) if of_tokens else {},
        same_prompt_by_chance=share_by_chance(own.prompts) if of_tokens else math.nan,
        notes=[
            *(left_out(wanted, data) if measures is None else []),
            *(states.losses(own.numbers) if isinstance(states, ModelStates) else []),
            *notes(found, sample, own, sampling),
        ],
    )
    return replace(whole, ends=ends_of(whole, found))


class _Run(NamedTuple):
    """How the states of a model are gathered."""

    states: States
    scope: str
    tokens: TokenRule
    wanted: Sequence[str]
    max_rows: int
    seed: int
    options: Mapping[str, Any]

    def gathered(self, report: Callback | None) -> GatheredStates:
        """The rows and values of all prompts, or of as many as there may be rows."""
        prompts, chosen = self.states.prompts, None
        if prompts is not None and prompts > self.max_rows and self.scope != "tokens":
            generator = np.random.default_rng(self.seed)
            chosen = np.sort(generator.permutation(prompts)[: self.max_rows])
        kernels = {k: self.options[k] for k in ("sigma", "alpha", "t") if k in self.options}
        names = self.wanted if self.scope == "within" else set(OF_PROMPTS) & set(self.wanted)
        within = Within(tuple(names), seed=self.seed, **kernels)
        of_rows = self.scope != "within" and set(self.wanted) > set(names)
        drawn = self._reservoir() if of_rows else None
        return gathered(self.states, chosen, self.tokens, within, drawn, report)

    def _reservoir(self) -> TokenReservoir:
        """For tokens; vectors of prompts are made of normalised ones already."""
        how = self.tokens.normalize if self.scope == "tokens" else "none"
        return TokenReservoir(n=self.max_rows, dtype="float32", normalize=how, seed=self.seed)

    def views(self, views: Any, own: GatheredStates) -> tuple[GatheredStates, GatheredStates]:
        """The rows of two views of the prompts that have rows."""
        states = self.states
        if not isinstance(states, ModelStates) or states.given.texts is None:
            raise ValueError(
                "views are of texts, and here are states or batches of tensors: leave views out, "
                "or pass the texts"
            )
        first, second = views_of(states.given.texts, views, self.seed)
        return (
            own if first is None else self._of_texts(states, first, own),
            self._of_texts(states, second, own),
        )

    def _of_texts(
        self, states: ModelStates, texts: TextList, own: GatheredStates
    ) -> GatheredStates:
        other = states.of(Prompts(texts, None))
        return gathered(other, own.prompts, self.tokens, Within(()), self._reservoir(), None)


def _check_labels(own: GatheredStates, classes: Any, prompts: int | None) -> None:
    """Batches have been counted by now; a known number of prompts had labels from the start."""
    if prompts is None and classes is not None and len(classes) != len(own.numbers):
        raise ValueError(
            f"labels has {len(classes)} entries, and the batches of texts have "
            f"{len(own.numbers)} prompts: pass one a prompt"
        )


def _sample(own: GatheredStates, classes: Any, seed: int, sampling: bool) -> PromptSample | None:
    """Which rows there are; None where all measures are of prompts by themselves."""
    if not own.rows:
        return None
    codes = None if classes is None else class_codes(classes[own.prompts])
    sample = PromptSample(own.prompts, codes, seed, sampling)
    return replace(sample, sampling=False) if why_no_errors(sample) else sample


def _same_prompt(own: GatheredStates) -> dict[str, float]:
    return {name: share_of_same(rows, own.prompts) for name, rows in own.rows.items()}


def _tokens(scope: str, pooling: str | None, normalize: str, drop_first: int) -> TokenRule:
    """What becomes of the tokens, from the arguments of these names."""
    if pooling is None:
        pooling = "mean" if scope == "prompts" else "tokens"
    check_pooling(pooling)
    check_normalize(normalize)
    if scope != "prompts" and pooling != "tokens":
        raise ValueError(
            f"pooling={pooling!r} has no effect in the scope {scope!r}, where each token is a row: "
            "leave pooling out, or take scope='prompts'"
        )
    if scope == "prompts" and pooling == "tokens":
        raise ValueError(
            "pooling='tokens' makes every token a row, which scope='tokens' is for: take that, or "
            "pooling='mean', 'last' or 'first'"
        )
    drop_first = integer(drop_first, "drop_first", at_least=0)
    return TokenRule(pooling, normalize, drop_first)
