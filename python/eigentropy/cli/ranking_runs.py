"""A ranking as `eigentropy rank` makes it: which models, the task of each, and the result."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from eigentropy._support.interval import checked_level
from eigentropy._support.options import random_seed
from eigentropy._support.signatures import nearest
from eigentropy.cli.measurement_options import number_or_name
from eigentropy.cli.ranking_options import RankingOptions
from eigentropy.cli.ranking_tasks import (
    RankingTask,
    fingerprint,
    measure_task,
    network_state,
    samples,
    state,
)
from eigentropy.cli.ranking_words import in_options
from eigentropy.io.files import read_labels
from eigentropy.io.paths import SUFFIXES, FileError, listed, shown, split_key
from eigentropy.plot.style import require_matplotlib
from eigentropy.ranking.accuracies import AccuracyTable, read_accuracies
from eigentropy.ranking.correlations import weighted_tau
from eigentropy.ranking.engines import TaskOutcome, run_tasks
from eigentropy.ranking.feature_files import find_features, rows_by_header
from eigentropy.ranking.measured import ModelScores, class_codes, random_subsets
from eigentropy.ranking.ranked import chosen_score
from eigentropy.ranking.result import Ranking
from eigentropy.ranking.scores import OPTIONS, checked_options, checked_scores

GIB = 2**30

# What a model begins with that is run, in place of a file of features.
SOURCES = ("timm", "torchvision", "hf", "onnx", "python")

# The directory of the results of single models.
RESULTS = "models"


def ranked(
    several: Sequence[str],
    chosen: RankingOptions,
    folder: Path,
    outputs: Sequence[Path],
    *,
    progress: bool,
) -> tuple[Ranking, dict[str, str]]:
    """Rank models, and say of what; the results of single ones are kept in `folder`, which is made.

    Raises
    ------
    ValueError, TypeError, ImportError
        Something that was asked for cannot be used, or none of the models can be ranked.
    """
    besides = [one for one in (chosen.labels, chosen.accuracies) if one is not None]
    models = find_models(several, [*besides, *outputs, folder])
    known = AccuracyTable({})
    if chosen.accuracies is not None:
        column = chosen.accuracy
        known = read_accuracies(chosen.accuracies, models, accuracy=column, tells=False)
    tasks = _tasks(models, chosen, str(folder / "features"))
    folder.mkdir(parents=True, exist_ok=True)
    memory = chosen.memory_per_model
    outcome = run_tasks(
        measure_task,
        tasks,
        folder / RESULTS,
        engine="processes" if chosen.ray is None else "ray",
        workers=chosen.processes,
        address=chosen.ray,
        gpus_per_task=chosen.gpus_per_model,
        memory_per_task=None if memory is None else math.ceil(memory * GIB),
        progress=progress,
        fingerprint=fingerprint,
    )
    known.tell(out=outcome.failed)
    codes = class_codes(next(iter(tasks.values())).labels)
    facts = {
        "date": datetime.now(tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "models": _some(several),
        "rows": str(len(codes)),
        "classes": str(codes.max() + 1),
    }
    if any(is_network(source) for source in models.values()):
        facts["features of models that were run"] = shown(folder / "features")
    return _ranking(outcome, known, chosen), facts


def _some(texts: Sequence[str], most: int = 8) -> str:
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def find_models(several: Sequence[str], besides: Sequence[str | Path]) -> dict[str, str]:
    """The models by their names: networks as they are written, and files of features.

    Raises
    ------
    FileError
        Two models have one name, or a file is none of features.
    """
    networks = [one for one in several if is_network(one)]
    twice = [one for one in networks if networks.count(one) > 1]
    if twice:
        raise FileError(f"two models are called {twice[0]!r}; name each model once")
    files = [one for one in several if one not in networks]
    for one in files:
        _refuse_misspelt_network(one)
    features = find_features(files, besides) if files else {}
    return {name: name for name in networks} | {name: str(one) for name, one in features.items()}


def _refuse_misspelt_network(text: str) -> None:
    """A name that is no file, and has no source of networks before it, or a misspelt one."""
    file, _ = split_key(text, None)
    if file.exists() or file.suffix.lower() in SUFFIXES:
        return
    source, colon, name = text.partition(":")
    meant = nearest(source, SOURCES) if colon else None
    if meant is not None:
        advice = f"the nearest model is {meant}:{name}"
    elif colon or os.sep in text:
        return
    else:
        several = [f"{one}:{text}" for one in SOURCES[:3]]
        advice = f"a model that is run has its source before its name: {', '.join(several)}"
    raise FileError(f"{shown(Path(text))} does not exist, and is no model either; {advice}")


def is_network(text: str) -> bool:
    """Whether this is a model that is run, rather than a file: by what is before the colon."""
    source, colon, _ = text.partition(":")
    return bool(colon) and source in SOURCES and not Path(text).exists()


def _tasks(models: dict[str, str], chosen: RankingOptions, features: str) -> dict[str, RankingTask]:
    """The task of each model. What all have in common is checked once, before anything is run."""
    networks = [name for name, source in models.items() if is_network(source)]
    scoring = _scoring(chosen)
    files = {name: source for name, source in models.items() if name not in networks}
    labels = _labels(chosen, networks, [*files])
    count = len(class_codes(labels))
    if scoring["sampling"]:
        random_subsets(count, scoring["seed"])
    if not networks:
        _require_rows({name: rows_by_header(one, chosen.key) for name, one in files.items()}, count)
    of_data = state(chosen.images or chosen.texts or "") if networks else []
    return {
        name: RankingTask(
            name=name,
            source=source,
            labels=labels,
            images=chosen.images if name in networks else None,
            texts=chosen.texts if name in networks else None,
            features=features,
            offline=chosen.offline,
            reading={"key": chosen.key, "columns": chosen.columns, "without": chosen.without or ()},
            scoring=scoring,
            state=of_data + network_state(source) if name in networks else state(source),
        )
        for name, source in models.items()
    }


def _scoring(chosen: RankingOptions) -> dict[str, Any]:
    """The options of `score_model`."""
    given = {name: getattr(chosen, name) for name in OPTIONS}
    if chosen.sigma is not None:
        given["sigma"] = number_or_name(chosen.sigma)
    options = checked_options({name: one for name, one in given.items() if one is not None})
    measured = {"sampling": not chosen.no_sampling_error, "seed": random_seed(chosen.seed)}
    return {"scores": _checked(chosen), **measured, **options}


def _checked(chosen: RankingOptions) -> tuple[str, ...]:
    """The scores; what is done with them at the end is checked, too."""
    given = None if chosen.scores is None else [one.strip() for one in chosen.scores.split(",")]
    scores = checked_scores(given)
    chosen_score(chosen.by, scores)
    checked_level(chosen.level)
    weighted_tau((0.0, 1.0, 2.0), (0.0, 1.0, 2.0))  # whether SciPy is there
    return scores


def _labels(chosen: RankingOptions, networks: list[str], files: list[str]) -> Any:
    """The labels of the file, or those that the images or texts have: one a row of all models."""
    if networks and not (chosen.images or chosen.texts):
        raise ValueError(
            f"{networks[0]} is run on images or texts: name them by --images DIR or --texts FILE"
        )
    if chosen.images and chosen.texts:
        raise ValueError("--images and --texts are both given; a ranking is of one of them")
    labels = None if chosen.labels is None else read_labels(chosen.labels)
    if not networks:
        if labels is None:
            raise ValueError(
                f"the features of {files[0]} have no labels of their own: name a file of labels by "
                "--labels"
            )
        return labels
    what, where = "images" if chosen.images else "texts", chosen.images or str(chosen.texts)
    if not Path(where).exists():
        raise FileError(f"--{what} {shown(Path(where))} does not exist")
    if labels is None and not _may_have_labels(chosen):
        raise ValueError(_without_labels(what, where))
    data = samples(chosen.images, chosen.texts)
    if labels is None and data.labels is None:
        raise ValueError(_without_labels(what, where))
    if labels is not None and len(labels) != len(data):
        raise ValueError(
            f"--labels {chosen.labels} has {_count(len(labels), 'label')}, and --{what} "
            f"{where} has {len(data)} {what}: one label of each is wanted, "
            "in their order"
        )
    return data.labels if labels is None else labels


def _may_have_labels(chosen: RankingOptions) -> bool:
    """Whether it is worth to load PyTorch, which opens images and texts, for their labels."""
    if chosen.images:
        folder = Path(chosen.images)
        return not folder.is_dir() or any(one.is_dir() for one in folder.iterdir())
    return not chosen.texts or Path(chosen.texts).suffix.lower() != ".txt"


def _without_labels(what: str, where: str) -> str:
    own = (
        "folders, one a class" if what == "images" else "a .csv or .tsv with a column called label"
    )
    return f"--{what} {where} has no labels of its own ({own}): name a file of labels by --labels"


def _require_rows(counts: Mapping[str, int | None], n: int) -> None:
    """Refuse labels that fit none of the files; files of which only some do not fit are out."""
    rows: dict[int, list[str]] = {}
    for name, count in counts.items():
        if count is None or count == n:
            return
        rows.setdefault(count, []).append(name)
    if rows:
        said = "; ".join(f"{count} in {listed(names, 8)}" for count, names in rows.items())
        raise FileError(
            f"there are {n} labels, and no file has as many rows: {said}. One label a row is "
            "wanted, in the order of the rows"
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _ranking(outcome: TaskOutcome, known: AccuracyTable, chosen: RankingOptions) -> Ranking:
    return Ranking.of(
        [_kept(path) for path in outcome.done.values()],
        accuracies=known.accuracy,
        families=known.family,
        sizes=known.size,
        by=chosen.by,
        level=chosen.level,
        excluded={name: in_options(reason) for name, reason in outcome.failed.items()},
    )


def _kept(path: Path) -> ModelScores:
    """The scores in a file, which the engine has seen to be JSON."""
    try:
        return ModelScores.from_json(path.read_text())
    except ValueError as error:
        raise FileError(f"{shown(path)}: {error}; delete the file for that") from error


def figure_png(ranking: Ranking) -> bytes:
    """The figure of a ranking, as a PNG: over its score the accuracies, a probe, or another score.

    Raises
    ------
    ImportError
        matplotlib is missing.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)  # Agg draws without a display
    others = [score for score in ranking.scores if score != ranking.by]
    is_usual = any(target != ranking.by for target in ranking.targets())
    against = None if is_usual else (others or [ranking.by])[0]
    ranking.plot(against=against, ax=figure.subplots())
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
