"""The verdicts of the studies as Markdown tables, printed or put into documents.

    eigentropy study dimension -o benchmarks/results/studies
    python -m benchmarks.documents.study_tables --update docs/studies.md docs/bandwidth.md

Of the rows in benchmarks/results/studies. A document says where: between `<!-- study: trees -->`
and `<!-- end of study -->`. A block whose rows are missing is left as it is. `rules` is no study:
it is what `bandwidth` and `models` say together.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmarks.documents.markdown_tables import table
from benchmarks.shared import results
from eigentropy.studies import STUDIES, Study, criteria
from eigentropy.studies.criteria import Scores
from eigentropy.studies.rows import read
from eigentropy.studies.study import Finding, Listing

RESULTS = results.RESULTS / "studies"
BLOCK = re.compile(
    r"(<!-- study: (?P<name>[\w-]+) -->\n)(?P<table>.*?)(<!-- end of study -->)", re.DOTALL
)
VERDICTS = {True: "yes", False: "**no**", None: "-"}


def verdict(study: Study, directory: Path = RESULTS) -> str:
    """The findings and, where a study has one, its listing; empty where there are no rows."""
    path = directory / f"{study.name}.csv"
    if not path.exists():
        return ""
    rows = read(study.name, path)
    parts = [_judged(study.findings(rows))]
    if study.listing:
        parts.append(_listed(study.listing(rows)))
    return "\n".join(parts)


def _judged(findings: list[Finding]) -> str:
    lines = [[f.claim, f.measured, VERDICTS[f.holds]] for f in findings]
    return table(["the paper, or the aim", "measured", "holds"], lines)


def _listed(listing: Listing) -> str:
    return listing.title + ":\n\n" + table(listing.headings, listing.lines)


def rules(directory: Path = RESULTS) -> str:
    """Which rule for sigma is best by the rows of two studies; empty where some are missing."""
    found = rule_scores(directory)
    if not found:
        return ""
    listings = (criteria.compared(found), criteria.valued(found))
    return "\n".join([_judged(criteria.judged(found)[-2:]), *map(_listed, listings)])


def rule_scores(directory: Path = RESULTS) -> Scores:
    """Every criterion of the studies `bandwidth` and `models`."""
    found: Scores = {}
    for name in ("bandwidth", "models"):
        path = directory / f"{name}.csv"
        if not path.exists():
            return {}
        found |= criteria.scores(read(name, path), name)
    return found


def updated(document: str, directory: Path = RESULTS) -> str:
    """The document with the tables of all rows that there are."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        text = rules(directory) if name == "rules" else verdict(STUDIES[name], directory)
        return f"{match[1]}{text or match['table']}{match[4]}"

    return BLOCK.sub(block, document)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", nargs="+", type=Path, metavar="DOCUMENT")
    arguments = parser.parse_args()
    for document in arguments.update or []:
        document.write_text(updated(document.read_text()))
    if not arguments.update:
        for name, study in STUDIES.items():
            print(f"\n## {name}\n\n{verdict(study)}")


if __name__ == "__main__":
    main()
