"""One HTML page with all it needs inside: what it shows, style, drawing and data."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eigentropy._support.printable import encodable

ASSETS = Path(__file__).parent / "assets"


def assembled(title: str, body: str, scripts: Sequence[str], data: Mapping[str, Any]) -> str:
    """Put a page together.

    Parameters
    ----------
    title : str
        Any text.
    body, scripts : str, sequence of str
        Names of assets. The scripts share one scope, in this order.
    data : mapping
        What the scripts draw; finite numbers only.

    Returns
    -------
    str
        A whole HTML document. It loads nothing, which its content security policy guarantees.
    """
    parts = {
        "title": html.escape(encodable(title)),
        "style": _asset("page.css"),
        "body": _asset(body).rstrip(),
        "script": "\n".join(map(_asset, scripts)),
        # "</script>" in a name would end the element: no "<" is left in the data.
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("frame.html"))


@functools.cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
