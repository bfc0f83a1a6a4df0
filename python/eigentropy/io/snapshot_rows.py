"""One row a snapshot: what was measured, as columns and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eigentropy.io.paths import named_errors


@dataclass(frozen=True)
class SnapshotInformation:
    """What one snapshot says about the labels or the other vectors.

    `low` and `high` are the ends of its 95 % interval over random partitions, not over samples.
    """

    value: float
    standard_error: float
    adjusted: float
    p_value: float
    n_null: int
    low: float
    high: float

    def flat(self, name: str) -> dict[str, int | float]:
        """Return one value a column: `name`, `name_null_se` and so on."""
        columns = {name: self.value, f"{name}_null_se": self.standard_error}
        several = ("n_null", "adjusted", "p_value")
        return columns | {f"{name}_{one}": getattr(self, one) for one in several}


@dataclass(frozen=True)
class SnapshotKernelInformation(SnapshotInformation):
    """The same by the density matrix; `adjusted` and `bits` are for labels, otherwise NaN."""

    kind: str
    bits: float

    def flat(self, name: str) -> dict[str, int | float]:
        """Return the same, and `name_bits`; without `adjusted` for what is no label."""
        columns = super().flat(name)
        if self.kind == "labels":
            return {**columns, f"{name}_bits": self.bits}
        del columns[f"{name}_adjusted"]
        return columns


@dataclass(frozen=True)
class SnapshotKernel:
    """The entropy of the density matrix, and its information about ``labels``, ``against``."""

    entropy: float
    standard_error: float
    informations: dict[str, SnapshotKernelInformation]


@dataclass(frozen=True)
class SnapshotRow:
    """One snapshot: its name, its entropy, and its information about ``labels``, ``against``.

    `sampling_errors` has those of columns, where they were asked for.
    """

    snapshot: str
    n: int
    sigma: float
    dse: float
    informations: dict[str, SnapshotInformation]
    kernel: SnapshotKernel | None = None
    sampling_errors: dict[str, float] = field(default_factory=dict)

    def flat(self) -> dict[str, str | int | float]:
        """Return one value a column: `dsmi_labels`, `dsmi_labels_null_se` and so on.

        Sampling errors, `dse_sampling_error` and so on, are the last ones.
        """
        columns: dict[str, str | int | float] = {
            "snapshot": self.snapshot,
            "n": self.n,
            "sigma": self.sigma,
            "dse": self.dse,
        }
        for role, information in self.informations.items():
            columns |= information.flat(f"dsmi_{role}")
        if self.kernel is not None:
            columns["kernel"] = self.kernel.entropy
            columns["kernel_standard_error"] = self.kernel.standard_error
            for role, found in self.kernel.informations.items():
                columns |= found.flat(f"kernel_{role}")
        errors = {f"{name}_sampling_error": error for name, error in self.sampling_errors.items()}
        return columns | errors


# The columns of every table that `to_csv` writes.
_COLUMNS = {"snapshot", "n", "sigma", "dse"}

# Bytes of a line that is looked at as a header.
_LONGEST_HEADER = 2**12


def is_table_of_rows(path: Path) -> bool:
    """Whether a text holds rows of snapshots, by its header."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return False
    with named_errors(path), path.open("rb") as file:
        line = file.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    return set(line.strip().split(",")) >= _COLUMNS


def to_csv(rows: Sequence[SnapshotRow]) -> str:
    """Write the rows as CSV with a header; numbers in full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0].flat()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.flat() for row in rows)
    return text.getvalue()
