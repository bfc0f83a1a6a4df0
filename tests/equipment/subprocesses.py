"""Scripts that tests run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap


def run_script(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip
