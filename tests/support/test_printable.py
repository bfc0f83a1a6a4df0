"""Names that cannot be encoded are escaped."""

from __future__ import annotations

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from eigentropy._support.printable import encodable, printable


def test_bytes_that_are_no_text_are_escaped_as_python_escapes_them():
    assert printable(os.fsdecode(b"a\xff.npy")) == r"a\xff.npy"
    assert printable("\ud800") == r"\ud800"
    assert printable("\x1b[31m\n") == r"\x1b[31m\x0a"
    assert encodable("\udcff\n") == "\\xff\n"
    assert printable("Größe 😀 [red]") == "Größe 😀 [red]"


@given(st.binary())
def test_what_came_from_bytes_is_decoded_as_with_backslashreplace(content):
    text = content.decode("utf-8", "surrogateescape")
    assert encodable(text) == content.decode("utf-8", "backslashreplace")


@given(st.text(st.characters()) | st.text(st.sampled_from("\ud800\udcff\udfff\x00\x1ba")))
def test_any_text_can_be_encoded_afterwards(text):
    for escaped in (encodable(text), printable(text)):
        escaped.encode()
        json.dumps(escaped, ensure_ascii=False).encode()
    assert printable(text).isprintable() or not text.isprintable()
