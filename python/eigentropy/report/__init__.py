"""Runs of a monitor on disk, and one page in HTML that shows them. PyTorch is not needed."""

from eigentropy.report.recording import Recorder

__all__ = ["Recorder"]
