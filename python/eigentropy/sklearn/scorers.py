"""Scorers of what an estimator makes of rows, for cross-validation and for searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._measures.information import diffusion_spectral_mutual_information
from eigentropy._measures.kernel_entropy import kernel_entropy
from eigentropy._measures.kernel_information import kernel_information
from eigentropy._support.options import one_of
from eigentropy._support.signatures import arguments_called, check_options, option_names


class _Measure(NamedTuple):
    """A measure, and the forms of its result: the first one is the default."""

    function: Callable[..., Any]
    forms: tuple[str, ...]
    needs_y: bool


MEASURES = {
    "dse": _Measure(diffusion_spectral_entropy, ("value",), False),
    "dsmi": _Measure(diffusion_spectral_mutual_information, ("adjusted", "value"), True),
    "kernel_entropy": _Measure(kernel_entropy, ("value",), False),
    "kernel_information": _Measure(kernel_information, ("adjusted", "value", "bits"), True),
}

METHODS = ("transform", "predict_proba", "decision_function", "predict")


class RepresentationScorer:
    """A scorer ``(estimator, X, y=None) -> float`` by a measure of what the estimator makes of X.

    For `scoring=` of `cross_val_score`, `cross_validate`, `GridSearchCV` and their like. The rows
    that are measured are those that no step was fitted on.

    Where it is weak: entropies, and the errors of all measures, depend on the number of rows.
    Compare scores of as many rows, as the folds of one search have, and not those of two searches.
    A few hundred rows a fold are few: `eigentropy.compare` says whether a difference is real.

    Parameters
    ----------
    measure : {"dse", "dsmi", "kernel_entropy", "kernel_information"}
        Entropies need no y; the two informations are about y.
    form : str, optional
        Of an information: "adjusted" (default), from 0 for independence to about 1; "value"; or of
        "kernel_information" about labels "bits". "adjusted" compares representations of different
        spread. It is NaN where the baseline leaves no room; and always for "kernel_information"
        about numbers, which takes "value".
    response_method : {"transform", "predict_proba", "decision_function", "predict"}
        What makes the rows, as in `sklearn.metrics.make_scorer`. Of a pipeline whose last step has
        no `transform`, the steps before it make them.
    greater_is_better : bool
        False: the sign is changed, so that a search looks for the least.
    **options
        Of the measure, such as `sigma` and `n_null`.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value; an option that the measure does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import cross_val_score
    >>> from eigentropy.sklearn import RepresentationScorer
    >>> y = np.arange(300) % 2
    >>> X = np.random.default_rng(0).normal(size=(300, 5)) + 8 * np.eye(5)[y]
    >>> scores = cross_val_score(PCA(2), X, y, scoring=RepresentationScorer("dsmi"), cv=3)
    >>> bool((scores > 0.8).all())
    True
    """

    def __init__(
        self,
        measure: str = "kernel_information",
        *,
        form: str | None = None,
        response_method: str = "transform",
        greater_is_better: bool = True,
        **options: Any,
    ) -> None:
        self.measure = one_of(measure, "measure", tuple(MEASURES))
        known = MEASURES[measure]
        self.form = known.forms[0] if form is None else one_of(form, "form", known.forms)
        self.response_method = one_of(response_method, "response_method", METHODS)
        self.greater_is_better = bool(greater_is_better)
        of_scorer = option_names(type(self).__init__)
        of_measure = option_names(known.function) - {"Z", "Y"}
        check_options(f"RepresentationScorer({measure!r})", options, of_scorer | of_measure)
        self.options = options

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """The score of a fitted estimator on the rows of X.

        Raises
        ------
        TypeError
            An estimator without the method that makes the rows.
        ValueError
            An information without y; rows that cannot be measured.
        """
        known = MEASURES[self.measure]
        if known.needs_y and y is None:
            raise ValueError(
                f"{self.measure} is information about y: pass y, or take measure='dse' or "
                "'kernel_entropy'"
            )
        Z = _responses(estimator, X, self.response_method)
        if getattr(Z, "ndim", 2) == 1:
            Z = Z.reshape(-1, 1)
        with arguments_called(Z=f"{type(estimator).__name__}.{self.response_method}(X)", Y="y"):
            result = known.function(Z, *([y] if known.needs_y else []), **self.options)
        value = float(result) if self.form == "value" else float(getattr(result, self.form)())
        return value if self.greater_is_better else -value

    def __repr__(self) -> str:
        shown = {"response_method": self.response_method, "form": self.form, **self.options}
        if not self.greater_is_better:
            shown["greater_is_better"] = False
        listed = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"RepresentationScorer({self.measure!r}, {listed})"


def _responses(estimator: Any, X: Any, method: str) -> Any:
    """The rows that the estimator makes of X."""
    has_steps_before = len(getattr(estimator, "steps", ())) > 1
    if method == "transform" and not hasattr(estimator, method) and has_steps_before:
        estimator = estimator[:-1]  # without the classifier
    if not hasattr(estimator, method):
        others = [name for name in METHODS if hasattr(estimator, name)]
        instead = f"; it has {', '.join(others)}: pass response_method=" if others else ""
        raise TypeError(f"{type(estimator).__name__} has no {method}{instead}")
    return getattr(estimator, method)(X)
