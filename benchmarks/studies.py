"""The verdicts of the studies as Markdown tables, printed or put into documents.

    eigentropy study dimension -o benchmarks/results/studies
    python benchmarks/studies.py --update docs/studies.md

Of the rows in benchmarks/results/studies. A document says where: between `<!-- study: trees -->`
and `<!-- end of study -->`. A block whose rows are missing is left as it is.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from eigentropy.studies import STUDIES, Study
from eigentropy.studies.rows import read
from tables import table

RESULTS = Path(__file__).parent / "results" / "studies"
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
    findings = [[f.claim, f.measured, VERDICTS[f.holds]] for f in study.findings(rows)]
    parts = [table(["the paper, or the aim", "measured", "holds"], findings)]
    if study.listing:
        listing = study.listing(rows)
        parts += [listing.title + ":\n", table(listing.headings, listing.lines)]
    return "\n".join(parts)


def updated(document: str, directory: Path = RESULTS) -> str:
    """The document with the tables of all rows that there are."""

    def block(match: re.Match[str]) -> str:
        text = verdict(STUDIES[match["name"]], directory)
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
