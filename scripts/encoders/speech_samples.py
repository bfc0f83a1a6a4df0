"""Speech with labels, from packages."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from eigentropy.studies.pretrained_networks.speech import SOUNDS
from encoders.packages import Packages, balanced
from encoders.sounds import prepared, read_wave

SHORTEST, LONGEST = 1.0, 8.0  # seconds: what the networks can read, without long speeches


def languages(packages: Packages, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Prompts by language; each language has a voice of its own."""
    return _prompts(packages, SOUNDS, count)


def english_spanish(packages: Packages, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Prompts by language, by the voice that speaks both."""
    return _prompts(packages, ("en", "es"), count)


def _prompts(
    packages: Packages, wanted: Iterable[str], count: int
) -> tuple[list[np.ndarray], np.ndarray]:
    files = [packages.contents(SOUNDS[language], "*.wav") for language in wanted]
    found = [_sorted(each) for each in files]
    once = [set(each) for each in found]
    labels, contents = [], []
    for label, each in enumerate(found):
        others = set().union(*(once[:label] + once[label + 1 :]))
        spoken = [content for content in each if content not in others and _fits(content)]
        contents += spoken
        labels += [label] * len(spoken)
    rows = balanced(np.array(labels), count)
    return [prepared(*read_wave(contents[row])) for row in rows], np.array(labels)[rows]


def _sorted(files: dict[str, bytes]) -> list[bytes]:
    """In the order of names, without the files of silence."""
    return [files[name] for name in sorted(files) if "/silence/" not in name]


def _fits(content: bytes) -> bool:
    samples, rate = read_wave(content)
    return SHORTEST <= len(samples) / rate <= LONGEST
