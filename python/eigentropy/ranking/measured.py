"""The scores of one model, and how they move with its rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy._kernels.groups import Codes, check_length, label_codes
from eigentropy._measures.comparison.items import named
from eigentropy._measures.sampling.halves import MOST_ROWS, divisions
from eigentropy._support.options import random_seed
from eigentropy.ranking.kernel_scores import Found
from eigentropy.ranking.measuring import measure
from eigentropy.ranking.scores import checked_options, checked_scores

Numbers = npt.NDArray[np.int64]

# Changes where scores of the same features would: a file of another version is measured again.
VERSION = 2


@dataclass(frozen=True, kw_only=True)
class ModelScores:
    """The scores of one model. What a task of an engine writes, one file a model.

    Attributes
    ----------
    name : str
    n, d : int
        Rows and columns of its features.
    scores : tuple of str
        What was asked for.
    values : dict
        From the name of a score to its value.
    subsets : dict
        From the name of a score to its values on random subsets of the rows, in the order of
        `random_subsets`: one for each, or two where part of the value is random. NaN where a subset
        has none. The subsets are the same for all models of as many rows and one seed.
    hits : dict
        From the name of a probe to how right it was for each row, from 0 to 1.
    nulls : dict
        From the name of a matched information to what each random partition gave.
    computed : dict
        From the name of a score to the standard error of estimated entropies and the bound of
        rounding, where there are any.
    seconds : dict
        From the name of a score to what it took; of scores that share work, the first has it all.
    failures : dict
        From the name of a score that has no value to the reason.
    seed : int
        Of the subsets, and of whatever else is random.
    shared : str
        SHA-256 of what all models of a ranking share: labels, scores, settings and seed.
    digest : str
        SHA-256 of the features and of `shared`: with this digest, nothing need be measured again.
    """

    name: str
    n: int
    d: int
    scores: tuple[str, ...]
    values: dict[str, float]
    subsets: dict[str, tuple[float, ...]]
    hits: dict[str, tuple[float, ...]]
    nulls: dict[str, tuple[float, ...]]
    computed: dict[str, tuple[float, ...]]
    seconds: dict[str, float]
    failures: dict[str, str]
    seed: int
    shared: str
    digest: str

    def to_json(self) -> str:
        """As a JSON text, from which `from_json` makes an equal one."""
        known = {**asdict(self), "subsets": {name: _nulls(v) for name, v in self.subsets.items()}}
        return json.dumps(known, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelScores:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            The text is none of these.
        """
        try:
            known = json.loads(text)
            known = {field.name: known.pop(field.name) for field in fields(cls)}
            for several in ("subsets", "hits", "nulls", "computed"):
                known[several] = {name: _numbers(v) for name, v in known[several].items()}
            return cls(**{**known, "scores": tuple(known["scores"])})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"this is no JSON that ModelScores.to_json wrote ({error!r}): measure the model "
                "again"
            ) from error


def _nulls(values: Iterable[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]


def _numbers(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else float(value) for value in values)


def score_model(
    name: str,
    Z: Any,
    Y: Any,
    *,
    scores: Iterable[str] | None = None,
    sampling: bool = True,
    seed: int = 0,
    **options: Any,
) -> ModelScores:
    """Measure the scores of one model.

    Parameters
    ----------
    name : str
        Of the model; messages begin with it.
    Z : array-like of shape (n, d)
        Its features.
    Y : array-like of length n
        Labels.
    scores : iterable of str, optional
        Names of scores; by default `eigentropy.ranking.scores.DEFAULT`.
    sampling : bool
        Whether to measure sampling errors, too: the scores of 32 subsets of the rows.
    seed : int
    **options
        `sigma`, `alpha`, `t` and `n_null` of our measures, `k` of knn_accuracy and `folds` of
        linear_accuracy.

    Raises
    ------
    ValueError, TypeError
        NaN or infinite features; labels of another length or of one class; too few rows for
        sampling errors; no such score or option. A score that is not defined for these rows raises
        nothing: `failures` has the reason.
    """
    options = checked_options(options, score_model)
    names, seed = checked_scores(scores), random_seed(seed)
    with named(name):
        rows, labels = as_matrix(Z), as_numpy(Y, "labels")
        check_length(labels, len(rows), "labels")
        codes = class_codes(labels)
        sets = random_subsets(len(rows), seed) if sampling else []
    shared = shared_digest(codes, names, sampling, seed, options)
    found, seconds = measure(rows, codes, names, options, seed, sets)
    known = {one: found[one] for one in names if math.isfinite(found[one].value)}
    return ModelScores(
        name=name,
        n=len(rows),
        d=rows.shape[1],
        scores=names,
        values={one: float(known[one].value) for one in known},
        subsets=_tuples({one: known[one].subsets for one in known}),
        hits=_tuples({one: known[one].hits for one in known} if sampling else {}),
        nulls=_tuples({one: known[one].nulls for one in known} if sampling else {}),
        computed={one: known[one].computed for one in known if any(known[one].computed)},
        seconds=seconds,
        failures={one: _reason(found[one]) for one in names if one not in known},
        seed=seed,
        shared=shared,
        digest=_digest(rows, shared),
    )


def class_codes(labels: Any) -> Codes:
    """The class of each row, 0 .. classes - 1.

    Raises
    ------
    ValueError, TypeError
        Missing labels; one class; no label twice.
    """
    values = as_numpy(labels, "labels")
    codes = label_codes(values, len(values) if values.ndim else 0, "labels")
    sizes = np.bincount(codes)
    if len(sizes) == 1:
        raise ValueError(f"all {len(codes)} labels are equal: scores of labels need two classes")
    if sizes.max() == 1:
        raise ValueError(
            f"no label occurs twice in {len(codes)} rows: these look like numbers, not labels; "
            "pass the class of each row"
        )
    return codes


def random_subsets(n: int, seed: int) -> list[Numbers]:
    """The subsets on which all models of n rows are measured: halves and three quarters of them.

    Raises
    ------
    ValueError
        Too few rows.
    """
    try:
        found = divisions(n, seed, most=MOST_ROWS)
    except ValueError as error:
        raise ValueError(f"{error}; pass sampling=False to rank without sampling errors") from None
    return [rows for one in found for pair in one for rows in pair]


def shared_digest(
    codes: Codes, scores: Sequence[str], sampling: bool, seed: int, options: Mapping[str, Any]
) -> str:
    """SHA-256 of what all models of a ranking share."""
    settings = [VERSION, sorted(scores), bool(sampling), seed, sorted(options.items())]
    text = json.dumps(settings).encode()
    return hashlib.sha256(text + np.ascontiguousarray(codes, dtype="<i8").tobytes()).hexdigest()


def _digest(rows: Matrix, shared: str) -> str:
    head = f"{shared} {rows.shape} {rows.dtype}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(rows).tobytes()).hexdigest()


def _reason(found: Found) -> str:
    return found.note or f"it is {found.value:g}, which is no number to rank by"


def _tuples(several: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    return {
        name: tuple(values.ravel().tolist())
        for name, values in several.items()
        if values is not None
    }
