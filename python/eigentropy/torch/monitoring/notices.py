"""What a monitor warns about, each once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from eigentropy._support.warnings import CollectedWarnings, Said, are_collected, warn


class Notice(NamedTuple):
    """Something to warn about in a layer, or, `over`, something that was so before."""

    layer: str
    text: str
    category: type[Warning] = UserWarning
    topic: str | None = None
    over: bool = False


# Whose notices are kept for `Notices.say`, and the list that has them; each thread has its own.
_withheld: ContextVar[tuple[Notices, list[Notice]] | None] = ContextVar("withheld", default=None)


class Notices:
    """Warnings that name the step and the layer, or the logger, that they are about.

    Attributes
    ----------
    step : int
        Of the monitor, now.
    """

    def __init__(self) -> None:
        self.step = 0
        self._said: set[tuple[str, str]] = set()

    def about_layer(
        self,
        name: str,
        text: str,
        category: type[Warning] = UserWarning,
        topic: str | None = None,
    ) -> None:
        """Warn about a layer, once for each text: again only after `forget`.

        Texts of a topic, or of a category of their own, may have figures in them: one each.
        """
        kept = self._withheld()
        if kept is not None:
            kept.append(Notice(name, text, category, topic))
            return
        key = (name, topic or (text if category is UserWarning else category.__name__))
        if key not in self._said:
            self._said.add(key)
            warn(f"layer {name!r}, step {self.step}: {text}", category)

    @contextmanager
    def caught(self, name: str) -> Iterator[None]:
        """Warn about a layer of what is warned about inside."""
        if are_collected():  # on a thread beside the caller's
            with CollectedWarnings() as said:
                yield
        else:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
            said = [Said(str(warning.message), warning.category) for warning in caught]
        for message, category in said:
            self.about_layer(name, message, category)

    def forget(self, name: str, text: str) -> None:
        """What was said of a layer is over: said again, it is news."""
        kept = self._withheld()
        if kept is None:
            self._said.discard((name, text))
        else:
            kept.append(Notice(name, text, over=True))

    @contextmanager
    def withheld(self) -> Iterator[list[Notice]]:
        """Keep what is said of layers inside, for `say` on another thread or in another process."""
        kept: list[Notice] = []
        token = _withheld.set((self, kept))
        try:
            yield kept
        finally:
            _withheld.reset(token)

    def _withheld(self) -> list[Notice] | None:
        """The list of what is said later; None where it is said now."""
        held = _withheld.get()
        return None if held is None or held[0] is not self else held[1]

    def say(self, notices: Iterable[Notice]) -> None:
        """Say what was withheld."""
        for layer, text, category, topic, over in notices:
            if over:
                self.forget(layer, text)
            else:
                self.about_layer(layer, text, category, topic)

    def about_logger(self, log: object, error: Exception) -> None:
        """Warn that a logger or the recorder failed, the first time."""
        key = (f"log {id(log)}", "")
        if key not in self._said:
            self._said.add(key)
            warn(
                f"step {self.step}: the logger {log!r} failed and is not warned about again: "
                f"{type(error).__name__}: {error}"
            )
