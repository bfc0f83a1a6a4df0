"""The sequential tests of a collapse alarm: one for each value, and what they say together."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eigentropy._support.sequential import FloorTest, lower_limit
from eigentropy.torch.monitoring.watched_values import WatchedValue

# A reference is itself collapsed if its mean is below this share of the largest possible value. (A
# scale has no largest value, and is collapsed at 0.)
COLLAPSED = 0.05

# The fewest values of a reference.
LEAST = 5

# A floor is warned about if it is below this share of `keep` times the last values: whatever falls
# to between the two is not seen. A guess.
WEAK = 0.5

# The share of alpha that pays for a reference that is too high by chance.
OF_REFERENCE = 0.2


@dataclass(frozen=True)
class Rules:
    """What counts as a collapse.

    Attributes
    ----------
    alpha : float
        The largest probability of a false alarm, over the whole run.
    reference : int, (int, int) or None
        The first measurements, or those of the steps from one to another, both included.
    keep : mapping of str to float
        The share of the reference that values of a kind must keep.
    floor : mapping of str to float
        By kind, instead of a reference.
    """

    alpha: float
    reference: int | tuple[int, int] | None
    keep: Mapping[str, float]
    floor: Mapping[str, float]

    @property
    def threshold(self) -> float:
        """The evidence that is an alarm."""
        return 1.0 / (self.alpha - self.error_of_references)

    @property
    def error_of_references(self) -> float:
        """The probability that is left for references which are too high."""
        return 0.0 if self.reference is None else OF_REFERENCE * self.alpha

    def tests(self, kind: str) -> bool:
        """Whether values of this kind have something to be compared with."""
        return kind in self.floor or self.reference is not None

    def is_of_reference(self, step: int, known: int) -> bool:
        """Whether a value joins the reference, which has `known` values."""
        if isinstance(self.reference, tuple):
            return self.reference[0] <= step <= self.reference[1]
        return self.reference is not None and known < self.reference

    def is_complete(self, step: int, known: int) -> bool:
        """Whether the reference has all its values."""
        if isinstance(self.reference, tuple):
            return step >= self.reference[1]
        return self.reference is not None and known >= self.reference


class ValueTest:
    """The test of one value of one layer: first its reference, and then its evidence.

    Attributes
    ----------
    kind : str
    share : float
        Of the evidence of the alarm.
    test : FloorTest or None
        Once there is a floor.
    refused : str
        Why the reference cannot be trusted, so that nothing is tested; empty if it can.
    """

    def __init__(self, kind: str, share: float, rules: Rules) -> None:
        self.kind, self.share, self.rules = kind, share, rules
        self.reference: list[float] = []
        self.test = FloorTest(rules.floor[kind]) if kind in rules.floor else None
        self.refused = ""

    @property
    def evidence(self) -> float:
        """The share of the alarm's evidence that this test has."""
        return self.share * (1.0 if self.test is None else self.test.evidence)

    @property
    def doubt(self) -> str:
        """Why a reference may be a bad one, though it is used; empty if it is not in doubt."""
        if self.test is None or not self.reference:
            return ""
        return _doubt(self.reference, self.rules.keep[self.kind], self.test.floor)

    @property
    def waits(self) -> bool:
        """Whether the reference is still to be completed."""
        return self.test is None and not self.refused

    def look(self, value: WatchedValue, step: int) -> bool:
        """Take a further value: for the reference, which may end here, or as evidence."""
        if self.test is not None:
            self.test.look(value.value)
            return False
        if self.rules.is_of_reference(step, len(self.reference)):
            self.reference.append(value.value)
        if self.refused or not self.rules.is_complete(step, len(self.reference)):
            return False
        self._begin(value, step)
        return True

    def count_as_collapsed(self) -> None:
        """Take a value that is no number for the lowest there is."""
        if self.test is not None:
            self.test.look(0.0)

    def _begin(self, value: WatchedValue, step: int) -> None:
        keep, error = self.rules.keep[self.kind], self.rules.error_of_references * self.share
        self.refused = _fault(self.reference, value.most)
        if self.refused:
            return
        level = lower_limit(map(math.log, self.reference), error)  # what they vary by is a factor
        floor = keep * math.exp(level)
        if floor < sys.float_info.min:
            low, high = min(self.reference), max(self.reference)
            self.refused = f"varies so much ({low:.3g} to {high:.3g}) that its floor is 0"
            return
        self.test = FloorTest(floor)
        if not self.rules.is_of_reference(step, 0):  # the first step after those of the reference
            self.test.look(value.value)

    def state_dict(self) -> dict[str, Any]:
        """The reference and the evidence, as numbers and lists."""
        return {
            "kind": self.kind,
            "share": self.share,
            "reference": list(self.reference),
            "test": None if self.test is None else self.test.state_dict(),
            "refused": self.refused,
        }

    @classmethod
    def loaded(cls, state: Mapping[str, Any], rules: Rules) -> ValueTest:
        """The test of which `state_dict` was taken."""
        one = cls(state["kind"], state["share"], rules)
        one.reference, one.refused = list(state["reference"]), state["refused"]
        if state["test"] is not None:
            one.test = FloorTest(state["test"]["floor"])
            one.test.load_state_dict(state["test"])
        return one


def _fault(reference: list[float], most: float) -> str:
    """Why a reference cannot be trusted; empty if it can."""
    if len(reference) < LEAST:
        return f"has {len(reference)} values, and at least {LEAST} are needed"
    mean, low = math.fsum(reference) / len(reference), min(reference)
    if low <= 0.0 or (math.isfinite(most) and mean < COLLAPSED * most):
        of = f", of {most:.3g} at most" if math.isfinite(most) else ""
        return f"is itself collapsed ({low:.3g} to {max(reference):.3g}{of})"
    return ""


def _doubt(reference: list[float], keep: float, floor: float) -> str:
    """Why the level of a reference says little, though it is tested against; or empty."""
    third = max(1, len(reference) // 3)
    first, last = math.fsum(reference[:third]) / third, math.fsum(reference[-third:]) / third
    if last < keep * first:
        return f"falls from {first:.3g} to {last:.3g}: collapse, or the first steps of training"
    if floor < WEAK * keep * last:
        return (
            f"has a floor of {floor:.3g} only, where its last values are at {last:.3g} and "
            f"keep={keep:g} is to leave {keep * last:.3g} (it goes from {min(reference):.3g} to "
            f"{max(reference):.3g}); a collapse to a value above the floor is not seen"
        )
    return ""
