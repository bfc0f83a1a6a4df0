"""Runs of a monitor on disk, and one page in HTML that shows them. PyTorch is not needed."""

from eigentropy.report.page import page
from eigentropy.report.recording import Recorder
from eigentropy.report.remarks import differences, remarks
from eigentropy.report.runs import Run, read_run
from eigentropy.report.unit_files import Units

__all__ = ["Recorder", "Run", "Units", "differences", "page", "read_run", "remarks"]
