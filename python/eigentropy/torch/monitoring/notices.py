"""What a monitor warns about, each once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from eigentropy._support.warnings import warn


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
        key = (name, topic or (text if category is UserWarning else category.__name__))
        if key not in self._said:
            self._said.add(key)
            warn(f"layer {name!r}, step {self.step}: {text}", category)

    @contextmanager
    def caught(self, name: str) -> Iterator[None]:
        """Warn about a layer of what is warned about inside."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            self.about_layer(name, str(warning.message), warning.category)

    def forget(self, name: str, text: str) -> None:
        """What was said of a layer is over: said again, it is news."""
        self._said.discard((name, text))

    def about_logger(self, log: object, error: Exception) -> None:
        """Warn that a logger or the recorder failed, the first time."""
        key = (f"log {id(log)}", "")
        if key not in self._said:
            self._said.add(key)
            warn(
                f"step {self.step}: the logger {log!r} failed and is not warned about again: "
                f"{type(error).__name__}: {error}"
            )
