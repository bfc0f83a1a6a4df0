"""A headless Chromium for each module that opens pages."""

from __future__ import annotations

import pytest

from benchmarks.shared import browser


@pytest.fixture(scope="module")
def driver():
    with browser.chromium() as one:
        yield one
