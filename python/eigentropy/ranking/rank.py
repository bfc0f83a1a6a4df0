"""Rank models by scores of their features."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eigentropy._kernels.groups import Codes
from eigentropy._measures.comparison.items import row_count
from eigentropy._support.interval import LEVEL, checked_level
from eigentropy._support.options import integer, random_seed
from eigentropy._support.progress import Callback, reporter
from eigentropy.ranking.engines import ProcessNotBegunError, run_tasks
from eigentropy.ranking.feature_files import find_features, read_features
from eigentropy.ranking.measured import ModelScores, class_codes, random_subsets, score_model
from eigentropy.ranking.ranked import chosen_score
from eigentropy.ranking.result import Ranking
from eigentropy.ranking.scores import checked_options, checked_scores


def rank(
    models: Any,
    labels: Any,
    *,
    accuracies: Mapping[str, float] | None = None,
    families: Mapping[str, str] | None = None,
    sizes: Mapping[str, float] | None = None,
    scores: Iterable[str] | None = None,
    by: str | None = None,
    sampling: bool = True,
    level: float = LEVEL,
    seed: int = 0,
    processes: int | None = None,
    progress: bool | Callback = False,
    **options: Any,
) -> Ranking:
    r"""Rank models by scores of their features, and say which are not told apart.

    All models are measured on the same samples. The sampling error of a score is its standard
    deviation over other samples, found from 32 random subsets of the rows, which are the same for
    all models (of the linear probe from the rows that it gets right). So a difference of two
    models has an error of its own, in which what they share cancels, and

    .. math:: t = \frac{s(a) - s(b)}{\mathrm{se}(s(a) - s(b))}

    says whether a is above b, by Student's test with Holm's correction for all ordered pairs.

    Parameters
    ----------
    models : mapping, path or list of paths
        From the name of each model to its features, array-like of shape (n, d): the same n samples
        in the same order, and any d. Or files of features, or directories of these, one model a
        file, of which one is read at a time.
    labels : array-like of length n
        The class of each sample.
    accuracies : mapping, optional
        From names of models to numbers known from elsewhere, such as the accuracy on ImageNet.
    families, sizes : mapping, optional
        From names of models to their family and their number of parameters, for the figure.
    scores : iterable of str, optional
        Names of scores: those of `compare`, and those of functions of `eigentropy.baselines` of
        rows or of rows and labels. By default "dse", "dsmi", "dsmi_adjusted", "kernel_entropy",
        "kernel_information", "kernel_information_adjusted", "knn_accuracy", "linear_accuracy",
        "logme", "h_score" (with the shrinkage of Ledoit and Wolf), "transrate" (of rows of unit
        deviation), "rankme", "effective_rank" and "self_clustering" (of centred rows).
    by : str, optional
        The score by which the table is ordered; by default "kernel_information_adjusted" if it is
        measured, otherwise the first one.
    sampling : bool
        Whether to measure sampling errors, without which there are neither intervals nor ties. They
        take most of the time.
    level : float
        Of intervals, and of the statement that two models are told apart.
    seed : int
        Of all random numbers: subsets, partitions, folds.
    processes : int, optional
        How many processes measure models, by default one a core, each with its share of the
        threads. 1 measures here. A script that starts others has to be a file, and needs
        ``if __name__ == "__main__":``.
    progress : bool or callable
        Show what is done on stderr, or call it with the fraction that is done.
    **options
        `sigma`, `alpha`, `t` and `n_null` of our measures, `k` of knn_accuracy and `folds` of
        linear_accuracy.

    Returns
    -------
    Ranking
        Prints as a table; `ranks()`, `ties()`, `correlations()`, `to_csv()`, `plot()`. A model
        whose features cannot be used, such as NaN, or a file of another number of rows than there
        are labels, is in `excluded` with the reason; a score that a model has no value of is in
        `failures`.

    Raises
    ------
    ValueError
        Labels of another length than an array of features, of one class or missing; fewer than
        16 rows for sampling errors; no such score; accuracies of none of the models; no model that
        can be ranked. The message names the model that it is about.
    TypeError
        An option that no score has; an accuracy or a size that is no number.
    FileError
        A file is missing, or two models have one name.
    RuntimeError
        A process could not import the script, which has no ``if __name__ == "__main__":`` or is no
        file.

    Warns
    -----
    UserWarning
        Names in `accuracies`, `families` or `sizes` that are no models.

    References
    ----------
    Mogstad, Romano, Shaikh, Wilhelm: Inference for ranks with applications to mobility across
    neighbourhoods and academic achievement across countries. Rev. Econ. Stud. 91 (2024).

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> rng, labels = np.random.default_rng(0), np.repeat([0, 1, 2], 40)
    >>> noise = rng.normal(size=(120, 5))
    >>> models = {"noise": noise, "classes": noise + 9 * np.eye(5)[labels]}
    >>> ranking = eg.rank(models, labels, scores=["logme", "knn_accuracy"], processes=1)
    >>> [(one.model, one.rank, one.low, one.high) for one in ranking.ranks()]
    [('classes', 1, 1, 1), ('noise', 2, 2, 2)]
    """
    options = checked_options(options, rank)
    level, seed, names = checked_level(level), random_seed(seed), checked_scores(scores)
    settings = Settings(class_codes(labels), names, bool(sampling), seed, options)
    by = chosen_score(by, names)
    features = _features(models)
    _check_rows(features, len(settings.codes))
    if sampling:
        random_subsets(len(settings.codes), seed)  # too few rows are refused before any work
    tasks = {name: ScoreTask(name, source, settings) for name, source in features.items()}
    count = None if processes is None else integer(processes, "processes", at_least=1)
    measured, failed = _measured(tasks, count, progress)
    return Ranking.of(
        measured,
        accuracies=accuracies,
        families=families,
        sizes=sizes,
        by=by,
        level=level,
        excluded=failed,
    )


@dataclass(frozen=True)
class Settings:
    """What is measured of every model; `codes` are the classes of the rows."""

    codes: Codes
    scores: tuple[str, ...]
    sampling: bool
    seed: int
    options: dict[str, Any]


@dataclass(frozen=True)
class ScoreTask:
    """A model to measure: its features, or the file that has them."""

    name: str
    source: Any
    settings: Settings

    def scores(self) -> ModelScores:
        """Read and measure it."""
        known = self.settings
        rows = read_features(self.source) if isinstance(self.source, Path) else self.source
        return score_model(
            self.name, rows, known.codes, scores=known.scores, sampling=known.sampling,
            seed=known.seed, **known.options,
        )  # fmt: skip


def write_scores(task: ScoreTask, path: Path) -> None:
    """Measure a model, and write the result: the task of an engine."""
    path.write_text(task.scores().to_json())


def _features(models: Any) -> dict[str, Any]:
    """The features of each model, or their files."""
    if isinstance(models, Mapping):
        if not models:
            raise ValueError("models is empty: there is nothing to rank")
        named = {str(name): rows for name, rows in models.items()}
        if len(named) < len(models):
            names = [str(name) for name in models]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two models are called {twice!r}: each needs a name of its own")
        return named
    paths = [models] if isinstance(models, (str, os.PathLike)) else list(models)
    if not all(isinstance(one, (str, os.PathLike)) for one in paths):
        raise TypeError(
            "models must be a mapping from names to features, as {'resnet': Z1, 'vit': Z2}, or "
            f"paths of files of features, got {type(models).__name__}"
        )
    return dict(find_features(paths))


def _check_rows(features: Mapping[str, Any], n: int) -> None:
    """Refuse features of another number of rows than there are labels; files are not read yet."""
    for name, rows in features.items():
        if not isinstance(rows, Path) and (count := row_count(name, rows)) != n:
            raise ValueError(
                f"{name} has {count} rows, and there are {n} labels: models are ranked on the same "
                "samples, in the order of the labels"
            )


def _measured(
    tasks: Mapping[str, ScoreTask], processes: int | None, progress: bool | Callback
) -> tuple[list[ModelScores], dict[str, str]]:
    """The scores of the models, and why others have none."""
    if processes == 1 or len(tasks) == 1:
        return _one_by_one(tasks, progress)
    told = (lambda status: progress(status.share)) if callable(progress) else progress
    with TemporaryDirectory(prefix="eigentropy-") as directory:
        try:
            outcome = run_tasks(write_scores, tasks, directory, workers=processes, progress=told)
        except ProcessNotBegunError as error:
            error.args = (f"{error}; or pass processes=1, which starts no process",)
            raise
        found = [ModelScores.from_json(path.read_text()) for path in outcome.done.values()]
    return found, outcome.failed


def _one_by_one(
    tasks: Mapping[str, ScoreTask], progress: bool | Callback
) -> tuple[list[ModelScores], dict[str, str]]:
    found: list[ModelScores] = []
    failed: dict[str, str] = {}
    with reporter(progress, "ranking") as report:
        for number, (name, task) in enumerate(tasks.items(), start=1):
            try:
                found.append(task.scores())
            except (ValueError, TypeError, OSError, MemoryError) as error:
                failed[name] = f"{type(error).__name__}: {error}"
            if report is not None:
                report(number / len(tasks))
    return found, failed
