"""Text as it can be written: what came from bytes that are no UTF-8 cannot be encoded."""

from __future__ import annotations

import re

_SURROGATES = re.compile("[\ud800-\udfff]")

# Those of a terminal, too, which would move the cursor or change colours.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def encodable(text: str) -> str:
    r"""Replace lone surrogates, in which Python keeps bytes that are no text, by ``\xff``."""
    return _SURROGATES.sub(_escaped, text)


def printable(text: str) -> str:
    r"""Replace control characters, too: a name stays on its line and leaves colours alone."""
    return _CONTROLS.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    byte = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{byte:02x}" if byte <= 0xFF else f"\\u{byte:04x}"
