"""The profile of a language model: the measures of its layers, and what they were measured on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from eigentropy._measures.layer_profile import LayerProfile
from eigentropy.torch.layers.names import NEXT, OF_PROMPTS

# Of the notes, as many are printed with the table.
SHOWN_NOTES = 5

# What stands after the name of a measure that is within prompts while others are not.
WITHIN = "*"

# How a scope is said in a heading.
_SAID = {
    "prompts": "one vector a prompt",
    "tokens": "tokens of all prompts together",
    "within": "tokens of each prompt by themselves, mean over prompts",
}


def short_name(model: str) -> str:
    """The last part of the path of a folder; names of a hub are short."""
    path = Path(model)
    return path.name or model if path.is_absolute() or path.is_dir() else model


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LanguageProfile(LayerProfile):
    """The measures of every layer of a language model. Prints as a table.

    What a `LayerProfile` has, and on what it was measured. Sampling errors are over other prompts.

    Attributes
    ----------
    model : str
        Its name, as it was given.
    scope : {"prompts", "tokens", "within"}
    pooling : str
        From the tokens of a prompt to its vector; "tokens" where every token is a row.
    normalize : {"none", "l2", "layer"}
        Of every token, before pooling.
    drop_first : int
        How many tokens at the beginning of each prompt do not count.
    prompts, tokens : int
        How many prompts, and how many tokens of these, the model was given that count.
    same_prompt : dict of str to float
        In the scope "tokens", by layer: the share of rows whose nearest other row is a token of the
        same prompt. Empty in the other scopes.
    same_prompt_by_chance : float
        What a random other row would give; NaN in the other scopes.
    notes : list of str
        What there is to say, such as which measures are left out, and why there is no sampling
        error.
    """

    step: int = 0
    model: str
    scope: str
    pooling: str
    normalize: str
    drop_first: int
    prompts: int
    tokens: int
    same_prompt: dict[str, float] = field(default_factory=dict)
    same_prompt_by_chance: float = float("nan")
    notes: list[str] = field(default_factory=list)

    @property
    def short_model(self) -> str:
        """The model's name; of a folder, the last part of its path."""
        return short_name(self.model)

    @property
    def about_rows(self) -> str:
        """What was made of the tokens: scope, pooling and normalisation."""
        said = [_SAID[self.scope], f"normalize {self.normalize}", f"drop_first {self.drop_first}"]
        if self.scope == "prompts":
            said.insert(1, f"pooling {self.pooling}")
        return ", ".join(said)

    @property
    def within_prompts(self) -> list[str]:
        """The measures that are within prompts, while the scope is another one."""
        return [] if self.scope == "within" else [m for m in self.measures if m in OF_PROMPTS]

    def _title(self, measure: str) -> str:
        return super()._title(measure) + (WITHIN if measure in self.within_prompts else "")

    @property
    def footnotes(self) -> list[str]:
        """Why cells of the table are empty."""
        if NEXT not in self.measures or NEXT in self.layers[-1].numbers:
            return []
        return [f"{NEXT}: the last layer, {self.names[-1]}, has no next one"]

    def _sentences(self) -> Iterable[str]:
        if self.within_prompts:
            yield f"{WITHIN} of the tokens of each prompt by themselves, mean over prompts"
        yield from self.footnotes
        yield from super()._sentences()
        if self.same_prompt:
            shares = ", ".join(f"{name} {share:.3g}" for name, share in self.same_prompt.items())
            yield (
                f"rows whose nearest other row is of the same prompt: {shares}; by chance "
                f"{self.same_prompt_by_chance:.2g}"
            )
        yield from self.notes[:SHOWN_NOTES]
        if len(self.notes) > SHOWN_NOTES:
            yield f"and {len(self.notes) - SHOWN_NOTES} more notes, see .notes"

    def _heading(self) -> str:
        signs = self._signs("standard errors over prompts")
        return (
            f"{self.model}: {len(self.layers)} layers, {self.prompts} prompts, {self.tokens} "
            f"tokens, {self.n} rows; {self.about_rows}: {signs}"
        )
