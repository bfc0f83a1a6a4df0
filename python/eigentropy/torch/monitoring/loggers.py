"""Where a monitor's values go: CSV, JSON lines, TensorBoard, Weights & Biases, any function."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from eigentropy._support.printable import encodable
from eigentropy._support.signatures import named_options
from eigentropy.io.paths import FileError, shown
from eigentropy.io.writing import append_whole, write_atomically
from eigentropy.report.lines import measurements

Values = Mapping[str, float]
Log = Callable[[dict[str, float], int], object]
StrPath = str | os.PathLike[str]


class FileLogger:
    """A log in a file of its own, which holds one run; `CSVLogger` describes the parameters."""

    @named_options()
    def __init__(self, path: StrPath, *, resume: bool = False) -> None:
        self.path = Path(path)
        self._resume, self._is_ours = resume, False
        self._lacks_state = False

    def open(self) -> None:
        """Make the file, or refuse one of another run; at the start of each monitor."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                holds_run = file.tell() > 0
        except OSError as error:
            raise FileError(
                f"log: {shown(self.path)} cannot be written: {error.strerror or error}; give a "
                "path in a directory that can"
            ) from error
        if holds_run and not (self._resume or self._is_ours):
            raise FileExistsError(
                f"log: {shown(self.path)} holds a run: give another path, or continue it by "
                f"log={type(self).__name__}(path, resume=True) and the monitor's load_state_dict"
            )
        self._is_ours, self._lacks_state = True, holds_run

    def check(self) -> None:
        """Refuse, before the first measurement, to add a monitor's first steps to another run.

        Raises
        ------
        FileExistsError
            The monitor has loaded no state.
        """
        if self._lacks_state:
            raise FileExistsError(
                f"log: {shown(self.path)} holds a run, and the monitor has no state to continue it "
                "from: call load_state_dict first, or give another path"
            )

    def loaded(self, step: int) -> None:
        """Take note that the monitor continues after this step; what is later is dropped."""
        self._lacks_state = False
        try:
            self._drop_after(step)
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(f"log: {shown(self.path)} is no log of a monitor: {error!r}") from error

    def _drop_after(self, step: int) -> None:
        raise NotImplementedError


class CSVLogger(FileLogger):
    """A table with one row for each measurement: the column `step`, then one for each value.

    For a value without a column yet, the file is written anew.

    Parameters
    ----------
    path : path
        Its directory is made where it is missing. A file that holds a run is refused.
    resume : bool
        Continue the file, if there is one. A monitor continues it from its loaded state, and what
        was logged after that step is dropped; a loop that calls the logger itself adds to it.

    Raises
    ------
    FileExistsError
        When the monitor is made, or at the first call: the file holds a run, and `resume` is false.
        Before the first measurement: the monitor has no state to continue the run from.
    FileError
        When the monitor is made, or at the first call: the file cannot be written.
    """

    @named_options()
    def __init__(self, path: StrPath, *, resume: bool = False) -> None:
        super().__init__(path, resume=resume)
        self._columns: list[str] = []

    def __call__(self, values: Values, step: int) -> None:
        """Add a row."""
        if not self._is_ours:
            self.open()
        known = {encodable(key): repr(float(value)) for key, value in values.items()}
        row = {"step": str(step), **known}
        if not self._columns or not self.path.exists() or row.keys() - set(self._columns):
            columns, rows = self._read()
            self._columns = list(dict.fromkeys([*columns, *row]))
            self._write(self._columns, [*rows, row])
        else:
            append_whole(self.path, _csv(self._columns, [row]))

    def _drop_after(self, step: int) -> None:
        columns, rows = self._read()
        kept = [row for row in rows if int(row["step"]) <= step]
        if len(kept) < len(rows):
            self._write(columns, kept)

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        if not self.path.exists():
            return [], []
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            return list(reader.fieldnames or []), rows

    def _write(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        header = dict(zip(columns, columns, strict=True))
        write_atomically(self.path, _csv(columns, [header, *rows]))


def _csv(columns: list[str], rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    csv.DictWriter(text, columns, restval="", lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


class JSONLinesLogger(FileLogger):
    """One JSON document on a line for each measurement. NaN, which JSON does not have, is null.

    Parameters
    ----------
    path, resume
        As in `CSVLogger`.
    """

    def __call__(self, values: Values, step: int) -> None:
        """Add a line."""
        if not self._is_ours:
            self.open()
        known = {key: value if math.isfinite(value) else None for key, value in values.items()}
        line = json.dumps({"step": step, **known}, allow_nan=False) + "\n"
        append_whole(self.path, line.encode())

    def _drop_after(self, step: int) -> None:
        lines = [line for line in measurements(self.path) if line["step"] <= step]
        write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode())


class TensorBoardLogger:
    """Scalars of a SummaryWriter, or of anything else with `add_scalar(name, value, step)`.

    From a directory it makes a writer, which needs the package tensorboard.
    """

    def __init__(self, writer: Any) -> None:
        if isinstance(writer, (str, os.PathLike)):
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise ImportError(
                    "TensorBoardLogger needs TensorBoard: pip install tensorboard"
                ) from error
            writer = SummaryWriter(os.fspath(writer))
        self.writer = writer

    def __call__(self, values: Values, step: int) -> None:
        """Add a scalar for each value."""
        for key, value in values.items():
            self.writer.add_scalar(key, value, step)


class WandbLogger:
    """Values in a run of Weights & Biases, or, given the module `wandb`, in the run that is active.

    They are drawn over a step of their own, `STEP`. The step of the run belongs to the loop, and
    values for a step that has passed would be dropped.
    """

    STEP = "monitor_step"

    def __init__(self, run: Any) -> None:
        self.run = run
        self._kinds: set[str] = set()

    def __call__(self, values: Values, step: int) -> None:
        """Add the values to what the run has."""
        for kind in {key.partition("/")[0] for key in values if "/" in key} - self._kinds:
            self.run.define_metric(f"{kind}/*", step_metric=self.STEP)
            self._kinds.add(kind)
        self.run.log({self.STEP: step, **values})


class CallersLog:
    """A function that is called on the thread of the training alone, such as a trainer's logger."""

    def __init__(self, function: Log) -> None:
        self.function = function

    def __call__(self, values: Values, step: int) -> None:
        """Hand the values on."""
        self.function(dict(values), step)

    def __repr__(self) -> str:
        return repr(self.function)


def as_log(log: Any) -> Log:
    """The function behind the argument `log`: a callable, a writer, or the path of a file."""
    if hasattr(log, "define_metric"):
        return WandbLogger(log)
    if callable(log):
        function: Log = log
        return function
    if hasattr(log, "add_scalar"):
        return TensorBoardLogger(log)
    if isinstance(log, (str, os.PathLike)):
        suffix = Path(log).suffix.lower()
        if suffix == ".csv":
            return CSVLogger(log)
        if suffix in (".jsonl", ".ndjson"):
            return JSONLinesLogger(log)
        raise ValueError(f"log as a path must end in .csv or .jsonl, got {os.fspath(log)!r}")
    raise TypeError(
        "log must be a callable log(values, step), a SummaryWriter, a wandb run or a path, got "
        f"{type(log).__name__}"
    )


def as_list(log: Any) -> list[Any]:
    """The loggers behind the argument `log`: none, one, or a list of them."""
    if log is None:
        return []
    return list(log) if isinstance(log, (list, tuple)) else [log]


def files_of(logs: Iterable[object]) -> list[FileLogger]:
    """Those of some loggers that write files of their own."""
    return [log for log in logs if isinstance(log, FileLogger)]
