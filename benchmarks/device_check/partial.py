"""What Google Benchmark has written so far, as JSON that can be read.

It writes its header at once and each benchmark when it has run, and closes the brackets at its end.
"""

from __future__ import annotations

import json

LIST = '"benchmarks": ['


def completed(text: str) -> str | None:
    """The JSON with all benchmarks that are whole; None where not even the header is."""
    try:
        json.loads(text)
    except ValueError:
        head, found, rest = text.partition(LIST)
        if not found:
            return None
        items = rest[: rest.rfind("}") + 1]
        while True:
            closed = f"{head}{LIST}{items}]}}"
            try:
                json.loads(closed)
            except ValueError:
                end = items.rstrip("}").rfind("}")
                items = items[: end + 1]
            else:
                return closed
    return text
