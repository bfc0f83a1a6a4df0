"""Processes that wait for their turn: one contender each."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from typing import Any, Protocol

# How long a process may take to end by itself once it has no more to do.
PATIENCE_AT_THE_END = 5.0


class ContenderError(Exception):
    """A contender has failed; the message is its last line."""


class Contending(Protocol):
    """What `Settings.start` returns: a contender that is asked, one request after the other."""

    def ask(self, request: dict[str, Any]) -> dict[str, Any]: ...

    def close(self) -> None: ...


class Worker:
    """A process of `benchmarks.compare.measure` with a specification.

    Parameters
    ----------
    spec : dict
    environment : dict
    patience : float
        Seconds after which a request has failed.
    """

    def __init__(
        self, spec: dict[str, Any], environment: dict[str, str], patience: float = 600.0
    ) -> None:
        self._patience = patience
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - until `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.compare.measure"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            # Ctrl-C is for the program that measures: it ends the others. A session of its own
            # would have the priority of a new one.
            preexec_fn=os.setpgrp,
        )
        try:
            self._send(spec)
        except ContenderError:
            self.close()
            raise

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the process answers."""
        self._send(request)
        line = self._line()
        if not line.endswith(b"\n"):
            raise ContenderError(self._last_words())
        result: dict[str, Any] = json.loads(line)
        return result

    def close(self) -> None:
        """End the process, which may be in the middle of something."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was left to send to a process that has ended
                continue

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise ContenderError(self._last_words()) from None

    def _line(self) -> bytes:
        """A line, or what there is of it when the process ends."""
        pipe = self._process.stdout
        assert pipe is not None
        end = time.monotonic() + self._patience
        found = b""
        while not found.endswith(b"\n"):
            if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                self._process.kill()
                raise ContenderError(f"no answer within {self._patience:.0f} s")
            part = pipe.read1()  # type: ignore[attr-defined]
            if not part:
                break
            found += part
        return found

    def _last_words(self) -> str:
        try:
            status = self._process.wait(PATIENCE_AT_THE_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if status < 0:
            return f"ended by signal {-status}"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {status}"
