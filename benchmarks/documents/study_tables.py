"""The verdicts of the studies as Markdown tables, printed or put into documents.

    eigentropy study dimension -o studies
    python -m benchmarks.documents.study_tables --store studies
    python -m benchmarks.documents.study_tables --update docs/explanations/*.md docs/how_to/*.md
    python -m benchmarks.documents.study_tables --draw docs/figures
    python -m benchmarks.documents.pictures docs/figures/study_*.png

`--store` compresses the rows into benchmarks/results/studies, of which the tables are made. Those
of another data set than a study's first are a file and a table of their own, as if of a study
`training-cifar10`. To go on with a study that is stored:
`xz -dk benchmarks/results/studies/dimension.csv.xz`, and move the .csv to `studies`. A document
says where a table goes: between `<!-- study: trees -->` and `<!-- end of study -->`. A block whose
rows are missing is left as it is. `rules` is no study: it is what `bandwidth` and `models` say
together; `pretrained-encoders` lists the networks of `pretrained`, and `layers-predictors` says how
measures order the layers of `layers`. `--draw` replaces the figures of studies in a folder.
"""

from __future__ import annotations

import argparse
import functools
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.shared import results
from benchmarks.shared.markdown_tables import table
from eigentropy.studies import STUDIES, Study, StudyPlan, criteria, figures, pretrained
from eigentropy.studies.criteria import Scores
from eigentropy.studies.language import claims
from eigentropy.studies.rows import COLUMNS, StudyRow, read, to_line
from eigentropy.studies.study import Finding, Listing

RESULTS = results.RESULTS / "studies"
BLOCK = re.compile(
    r"(<!-- study: (?P<name>[\w-]+) -->\n)(?P<table>.*?)(<!-- end of study -->)", re.DOTALL
)
# Studies that are stored at their full size, or at as much of it as there was time for.
FULL = ("calibration", "layers", "pretrained", "projection", "sampling")
VERDICTS = {True: "yes", False: "**no**", None: "-"}


def entries() -> Iterator[tuple[str, Study]]:
    """What may be stored: each study by its name, and by that of each further data set."""
    for name, study in STUDIES.items():
        yield name, study
        for data in study.data[1:]:
            yield entry(study, data), study


def entry(study: Study, data: str) -> str:
    """The name under which rows of this data set are stored."""
    further = data in study.data[1:]
    return f"{study.name}-{data}" if further else study.name


def stored(name: str, directory: Path) -> list[StudyRow]:
    """The rows of an entry; none where it is not stored."""
    path = directory / f"{name}.csv.xz"
    return read(dict(entries())[name].name, path) if path.exists() else []


def store(source: Path, directory: Path) -> None:
    """Compress the rows of every study in a folder, each line in the order of measurement."""
    for name, study in STUDIES.items():
        path = source / f"{name}.csv"
        texts: dict[str, str] = {}
        for row in read(name, path) if path.exists() else []:
            of = entry(study, row.cell.data)
            texts.setdefault(of, ",".join(COLUMNS) + "\n")
            texts[of] += to_line(name, row)
        for of, text in texts.items():
            packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
            (directory / f"{of}.csv.xz").write_bytes(packed)


@functools.cache
def verdict(name: str, directory: Path) -> str:
    """The findings and, where a study has one, its listing; empty where there are no rows."""
    study, rows = dict(entries())[name], stored(name, directory)
    if not rows:
        return ""
    parts = [_judged(study.findings(rows))]
    if study.listing:
        parts.append(_listed(study.listing(rows)))
    return "\n".join(parts)


def _judged(findings: list[Finding]) -> str:
    lines = [[f.claim, f.measured, VERDICTS[f.holds]] for f in findings]
    return table(["the paper, or the aim", "measured", "holds"], lines)


def _listed(listing: Listing) -> str:
    return listing.title + ":\n\n" + table(listing.headings, listing.lines)


def rules(directory: Path) -> str:
    """Which rule for sigma is best by the rows of two studies; empty where some are missing."""
    found = rule_scores(directory)
    if not found:
        return ""
    listings = (criteria.compared(found), criteria.valued(found))
    return "\n".join([_judged(criteria.judged(found)[-2:]), *map(_listed, listings)])


def encoders(directory: Path) -> str:
    """The networks of `pretrained` with their licences and numbers; empty without rows."""
    rows = stored("pretrained", directory)
    return _listed(pretrained.encoders(rows)) if rows else ""


def predictors(directory: Path) -> str:
    """How measures order the layers of a transformer beside a probe; empty without rows."""
    rows = stored("layers", directory)
    return _listed(claims.predictors(rows)) if rows else ""


# What is no study's verdict, by its name in a document.
FURTHER = {
    "rules": rules,
    "pretrained-encoders": encoders,
    "layers-predictors": predictors,
}


@functools.cache
def rule_scores(directory: Path) -> Scores:
    """Every criterion of the studies `bandwidth` and `models`; none where one is not stored."""
    rows = {name: stored(name, directory) for name in ("bandwidth", "models")}
    if not all(rows.values()):
        return {}
    return {
        criterion: values
        for name, of in rows.items()
        for criterion, values in criteria.scores(of, name).items()
    }


def updated(document: str, directory: Path = RESULTS) -> str:
    """The document with the tables of all rows that there are."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        text = FURTHER.get(name, functools.partial(verdict, name))(directory)
        return f"{match[1]}{text or match['table']}{match[4]}"

    return BLOCK.sub(block, document)


def draw(folder: Path, directory: Path = RESULTS) -> None:
    """Draw the figures that the folder has, anew, from the stored rows."""
    for name, study in entries():
        path = folder / f"study_{name}.png"
        rows = stored(name, directory)
        if path.exists() and rows:
            below = figures.caption(study, StudyPlan(full=study.name in FULL))
            path.write_bytes(figures.figure_png(study.panels(rows), below))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, metavar="FOLDER", help="of `eigentropy study -o`")
    parser.add_argument("--update", nargs="+", type=Path, metavar="DOCUMENT")
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="with study_*.png")
    arguments = parser.parse_args()
    if arguments.store:
        store(arguments.store, RESULTS)
    for document in arguments.update or []:
        document.write_text(updated(document.read_text()))
    if arguments.draw:
        draw(arguments.draw)
    if not (arguments.update or arguments.store or arguments.draw):
        for name, _ in entries():
            if text := verdict(name, RESULTS):
                print(f"\n## {name}\n\n{text}")


if __name__ == "__main__":
    main()
