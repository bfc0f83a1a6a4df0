"""Any JSON value at any key of a recording: a page, or an error that helps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorded_runs import outcome, small_recordings


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return small_recordings(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def places(good):
    """Every place of a value in the files of the run: the file, its line, and the keys."""
    found = []
    for file in sorted(f for f in (good / "run").rglob("*") if f.is_file()):
        for number, line in enumerate(file.read_text().splitlines()):
            found += [(file, number, keys) for keys in paths(json.loads(line))]
    return found


def paths(document, keys=()):
    yield keys
    if isinstance(document, (dict, list)):
        inside = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in inside:
            yield from paths(value, (*keys, key))


def test_any_value_at_any_key_is_drawn_or_refused(good, places):
    text = st.text(st.characters(), max_size=5)  # lone surrogates, too
    simple = st.none() | st.booleans() | st.integers() | st.floats() | text
    values = st.recursive(
        simple, lambda v: st.lists(v, max_size=3) | st.dictionaries(text, v, max_size=3)
    )

    @settings(max_examples=400, deadline=None)
    @given(st.sampled_from(places), values, st.booleans())
    def holds(place, value, is_new):
        file, number, keys = place
        before = file.read_bytes()
        lines = before.splitlines()
        lines[number] = json.dumps(at(json.loads(lines[number]), keys, value, is_new)).encode()
        file.write_bytes(b"\n".join(lines) + b"\n")
        try:
            outcome(good / "run")
        finally:
            file.write_bytes(before)

    holds()


def at(document, keys, value, is_new):
    """The document with a value in the place of another; or beside it, if it is in an object."""
    if not keys:
        return value
    key, *inner = keys
    if is_new and not inner and isinstance(document, dict):
        return {**document, f"{key} too": value}
    changed = at(document[key], inner, value, is_new)
    if isinstance(document, dict):
        return {**document, key: changed}
    return [*document[:key], changed, *document[key + 1 :]]
