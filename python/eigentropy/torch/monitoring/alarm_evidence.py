"""The evidence of all tests of a collapse alarm, by layer and together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eigentropy.torch.monitoring.alarm_tests import Rules, ValueTest
from eigentropy.torch.monitoring.watched_values import WatchedValue


class Evidence:
    """The tests of all layers. The mean of their e-values, weighted by shares, is an e-value.

    Kinds have equal shares, split equally over the layers and over the values of a layer. The
    e-value of a value without a test is 1.

    Parameters
    ----------
    rules : Rules
    layers, kinds : sequence of str
        What will be watched.

    Attributes
    ----------
    tests : dict of dict of ValueTest
        By layer and name. Those of a layer are made at its first values. If these are no numbers,
        there is one test for each kind, by the name of the kind, until values are known.
    raised : set of str
        Layers that have raised an alarm.
    """

    def __init__(self, rules: Rules, layers: Sequence[str], kinds: Sequence[str]) -> None:
        self.rules, self.layers, self.kinds = rules, tuple(layers), tuple(kinds)
        self.tests: dict[str, dict[str, ValueTest]] = {}
        self.raised: set[str] = set()

    def look(self, layer: str, values: Sequence[WatchedValue], step: int) -> dict[str, ValueTest]:
        """Take the values of a layer; returns the tests whose reference has ended with them."""
        tests = self.tests.get(layer, {})
        if all(name == test.kind for name, test in tests.items()):
            tests = self.tests[layer] = self._by_name(values, tests)
        ended = {}
        for value in values:
            test = tests.get(value.name)
            if test is not None and test.look(value, step):
                ended[value.name] = test
        return ended

    def _by_name(
        self, values: Sequence[WatchedValue], of_kinds: Mapping[str, ValueTest]
    ) -> dict[str, ValueTest]:
        """A test for each value, in the place of those of whole kinds."""
        tests = {}
        for kind in self.kinds:
            names = [value.name for value in values if value.kind == kind]
            for name in names:
                tests[name] = of_kinds.get(name) or self._new(kind, len(names), of_kinds.get(kind))
        return tests

    def _new(self, kind: str, count: int, of_kind: ValueTest | None = None) -> ValueTest:
        """One of `count` tests of a kind; each goes on where the test of the kind was."""
        share = 1.0 / (len(self.kinds) * len(self.layers) * count)
        if of_kind is None:
            return ValueTest(kind, share, self.rules)
        return ValueTest.loaded({**of_kind.state_dict(), "share": share}, self.rules)

    def count_as_collapsed(self, layer: str) -> None:
        """Take values of a layer that are no numbers for the lowest there are."""
        if layer not in self.tests:
            self.tests[layer] = {kind: self._new(kind, 1) for kind in self.kinds}
        for test in self.tests[layer].values():
            test.count_as_collapsed()

    @property
    def total(self) -> float:
        """The e-value of all tests: 1 where nothing is known."""
        return 1.0 + math.fsum(self._gain(layer) for layer in self.tests)

    def of(self, layer: str) -> float:
        """The part of the total that a layer has."""
        return 1.0 / len(self.layers) + self._gain(layer)

    def _gain(self, layer: str) -> float:
        return math.fsum(test.evidence - test.share for test in self.tests.get(layer, {}).values())

    def raise_now(self) -> list[str]:
        """Layers that raise the alarm now and have not before.

        A layer raises it if its part is enough alone. If all parts are enough only together, and
        there was no alarm before, the layer with the largest part raises it.
        """
        parts = {layer: self.of(layer) for layer in self.tests}
        threshold = self.rules.threshold
        found = [layer for layer, part in parts.items() if part >= threshold]
        if not found and not self.raised and self.total >= threshold:
            found = leading(parts, threshold)
        found = [layer for layer in found if layer not in self.raised]
        self.raised.update(found)
        return found

    def causes(self, layer: str) -> list[str]:
        """The tests of a layer that are enough alone, or the one with most evidence."""
        parts = {name: test.evidence for name, test in self.tests[layer].items()}
        return leading(parts, self.rules.threshold)

    def floors(self, layer: str) -> dict[str, float]:
        """By the names of the tests that have one."""
        tests = self.tests.get(layer, {}).items()
        return {name: one.test.floor for name, one in tests if one.test is not None}

    def waiting(self, layer: str) -> list[str]:
        """The kinds of a layer that have no floor yet, since the reference is not complete."""
        if layer not in self.tests:
            return [kind for kind in self.kinds if kind not in self.rules.floor]
        waiting = [one.kind for one in self.tests[layer].values() if one.waits]
        return [*dict.fromkeys(waiting)]

    def state_dict(self) -> dict[str, Any]:
        """All tests, as numbers, lists and mappings."""
        tests = {
            layer: {name: test.state_dict() for name, test in tests.items()}
            for layer, tests in self.tests.items()
        }
        return {"tests": tests, "raised": sorted(self.raised)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.tests = {
            layer: {name: ValueTest.loaded(one, self.rules) for name, one in tests.items()}
            for layer, tests in state["tests"].items()
        }
        self.raised = set(state["raised"])


def leading(parts: Mapping[str, float], threshold: float) -> list[str]:
    """The parts of the evidence that are enough alone, the largest first; or only the largest."""
    order = sorted(parts, key=lambda name: -parts[name])
    enough = [name for name in order if parts[name] >= threshold]
    return enough or order[:1]
