"""The options that commands share: one object, shown to typer field by field."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from eigentropy._measures.measurement import MeasurementSettings
from eigentropy.cli import options

DEFAULTS = MeasurementSettings()


@dataclass(frozen=True)
class SharedOptions:
    """What `measure`, `track` and `compare` share; the defaults are those of the settings."""

    labels: options.Labels = None
    key: options.Key = None
    columns: options.Columns = None
    without: options.Without = None
    sigma: options.Sigma = str(DEFAULTS.sigma)
    alpha: options.Alpha = DEFAULTS.alpha
    base: options.Base = f"{DEFAULTS.base:g}"
    method: options.Method = DEFAULTS.method
    dtype: options.Dtype = "auto"
    device: options.Device = DEFAULTS.device
    tol: options.Tol = DEFAULTS.tol
    max_points: options.MaxPoints = DEFAULTS.max_points
    estimator: options.Estimator = DEFAULTS.estimator
    n_null: options.NNull = str(DEFAULTS.n_null)
    kind: options.Kind = DEFAULTS.kind
    n_clusters: options.NClusters = DEFAULTS.n_clusters
    clusters: options.Clusters = DEFAULTS.clusters
    seed: options.Seed = DEFAULTS.seed

    def settings(
        self, t: list[str], order: list[str] | None = None, **others: bool
    ) -> MeasurementSettings:
        """Make settings from the texts, from those of t and order, and from others as they are.

        Raises
        ------
        ValueError, TypeError, NotImplementedError
            An option cannot be used; the message names it.
        """
        texts = {"labels", "against", "key", "columns", "without"}
        texts |= {"sigma", "base", "dtype", "n_null"}
        same = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in texts}
        return MeasurementSettings(
            t=_numbers(t, "t", "1 or 1,10"),
            order=_numbers(order, "order", "1, 2 or inf") if order else DEFAULTS.order,
            sigma=number_or_name(self.sigma),
            n_null=_whole_or_name(self.n_null),
            base=_base(self.base),
            dtype=None if self.dtype == "auto" else self.dtype,
            **{**same, **others},
        )


@dataclass(frozen=True)
class MeasurementOptions(SharedOptions):
    """What `measure` and `track` share beyond that."""

    against: options.Against = None
    kernel: options.WithKernel = DEFAULTS.kernel
    sampling: options.SamplingErrors = DEFAULTS.sampling


Command = Callable[..., None]


def taken_apart(name: str, group: type[Any]) -> Callable[[Command], Command]:
    """Give a command one option for each field of a dataclass, in place of the parameter `name`."""
    hints = get_type_hints(group, include_extras=True)
    names = [f.name for f in fields(group)]

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(*args: Any, **values: Any) -> None:
            chosen = group(**{one: values.pop(one) for one in names})
            command(*args, **{name: chosen}, **values)

        parameters = dict(inspect.signature(command, eval_str=True).parameters)
        kind = parameters.pop(name).kind
        before = [p for p in parameters.values() if p.default is p.empty]
        after = [p for p in parameters.values() if p.default is not p.empty]
        own = [
            inspect.Parameter(f.name, kind, default=f.default, annotation=hints[f.name])
            for f in fields(group)
        ]
        setattr(wrapped, "__signature__", inspect.Signature([*before, *own, *after]))  # noqa: B010
        return wrapped

    return decorated


def number_or_name(text: str) -> float | str:
    """A number, or the name of a rule."""
    try:
        return float(text)
    except ValueError:
        return text


def _whole_or_name(text: str) -> int | str:
    """A whole number, or what may be a name."""
    try:
        return int(text)
    except ValueError:
        return text


def _numbers(texts: list[str], name: str, such: str) -> tuple[float, ...]:
    parts = [part.strip() for text in texts for part in text.split(",")]
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise ValueError(
            f"{name} must be numbers such as {such}, got {','.join(texts)!r}"
        ) from None


def _base(text: str) -> float:
    try:
        return math.e if text == "e" else float(text)
    except ValueError:
        raise ValueError(f"base must be a number or e, got {text!r}") from None
