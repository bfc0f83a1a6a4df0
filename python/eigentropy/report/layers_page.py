"""The layers of a language model as one HTML page: curves with bands, ties, all values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from eigentropy._measures.layer_profile import LayerNumber, LayerProfile
from eigentropy._support.interval import student_quantile
from eigentropy._support.printable import encodable
from eigentropy.report.result_page import DIGITS, OF_ERRORS, number, result_page, texts

SCRIPTS = (
    "colours.js", "drawing.js", "selection.js", "statistics.js", "texts.js", "layer_curves.js",
    "layers.js",
)  # fmt: skip

# What a measure is, for readers of the page.
ABOUT = {
    "dse": "Diffusion spectral entropy: over how many directions and clusters rows spread. In the "
    "scope within, prompts of more tokens have more.",
    "dsmi": "How much lower the entropy is within a label than in random groups.",
    "dsmi_adjusted": "DSMI from 0 for independent labels to 1 for separate ones.",
    "kernel_entropy": "Entropy of a Gaussian kernel, in which clusters count by their mass. In the "
    "scope within, prompts of more tokens have more.",
    "kernel_information": "Holevo information about the labels, less that of random groups.",
    "kernel_information_adjusted": "Kernel information from 0, independent labels, to 1, separate.",
    "kernel_information_bits": "Kernel information in bits of the entropy of the labels.",
    "kernel_information_next": "Information of the joint kernel with the next layer.",
    "prompt_entropy": "Entropy of the linear kernel of the tokens of a prompt (Layer by Layer); "
    "more tokens have more.",
    "effective_rank": "exp of the entropy of the singular values.",
    "rankme": "The effective rank with a constant (RankMe).",
    "anisotropy": "Mean cosine of two rows, or of two tokens of a prompt in the scope within.",
    "curvature": "Mean angle by which a prompt turns from token to token.",
    "dime": "By how much it lowers the joint entropy that two views are of the same prompt.",
    "infonce": "Loss of finding the other view of a prompt among all views.",
}

SAME_PROMPT = "nearest of the same prompt"


def layers_page(
    profile: LayerProfile,
    title: str = "Layers",
    *,
    settings: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """Draw the profile of a model on one page.

    Parameters
    ----------
    profile : LayerProfile
        Such as `eigentropy.torch.layers.profile` returns.
    title : str
        Of the page.
    settings : mapping, optional
        Names and values for the table at the end of the page.
    remarks : sequence of str
        What a reader should know before the numbers are believed, such as warnings.

    Returns
    -------
    str
        A whole HTML document. It loads nothing, which its content security policy guarantees.
    """
    return result_page(
        title, "layers.html", SCRIPTS, profile.level, _entries(profile),
        settings=settings, remarks=remarks,
    )  # fmt: skip


def _entries(profile: LayerProfile) -> dict[str, Any]:
    return {
        "summary": encodable(_summary(profile)),
        "layers": texts(profile.names),
        "measures": [
            *(_measure(profile, measure) for measure in profile.measures),
            *_same_prompt(profile),
        ],
        "sentences": texts(profile.sentences()),
        "footnotes": texts(getattr(profile, "footnotes", ())),
    }


def _summary(profile: LayerProfile) -> str:
    counts = [f"{len(profile.layers)} layers"]
    for what in ("prompts", "tokens"):
        if hasattr(profile, what):
            counts.append(f"{getattr(profile, what)} {what}")
    model, rows = (getattr(profile, name, "") for name in ("short_model", "about_rows"))
    summary = f"{model}: {', '.join(counts)}" if model else ", ".join(counts)
    return f"{summary}; {rows}" if rows else summary


def _measure(profile: LayerProfile, measure: str) -> dict[str, Any]:
    """By layer: value, standard error, half of the interval over the page's quantile, and p."""
    numbers = [layer.numbers.get(measure, LayerNumber(math.nan)) for layer in profile.layers]
    quantile = student_quantile(profile.level, math.inf)
    pairs = pairwise(["", *profile.names])
    return {
        "name": measure,
        "unit": profile.units.get(measure, ""),
        "about": ABOUT.get(measure, ""),
        "values": [number(one.value, DIGITS) for one in numbers],
        "standardErrors": [number(one.sampling_error, OF_ERRORS) for one in numbers],
        "errors": [number(_half(one, profile.level) / quantile, OF_ERRORS) for one in numbers],
        "pValues": [number(profile.p_values.get((measure, *pair)), OF_ERRORS) for pair in pairs],
        "chance": None,
        "isWithin": measure in getattr(profile, "within_prompts", ()),
    }


def _same_prompt(profile: LayerProfile) -> list[dict[str, Any]]:
    """How often the nearest token is of the same prompt, as a panel of its own."""
    shares = getattr(profile, "same_prompt", None)
    if not shares:
        return []
    unknown = [None] * len(profile.layers)
    return [
        {
            "name": SAME_PROMPT,
            "unit": "share of tokens",
            "about": "The share of tokens whose nearest other token is of the same prompt.",
            "values": [number(shares.get(name), DIGITS) for name in profile.names],
            "standardErrors": unknown,
            "errors": unknown,
            "pValues": unknown,
            "chance": number(getattr(profile, "same_prompt_by_chance", None), DIGITS),
            "isWithin": False,
        }
    ]


def _half(one: LayerNumber, level: float) -> float:
    low, high = one.interval(level)
    return (high - low) / 2.0
