"""The browser in which pages of reports are looked at: one for all tests."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import browser
import pytest


@pytest.fixture(scope="session")
def chromium() -> Iterator[browser.Browser]:
    program = browser.find_browser()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed; the browser tests may not be skipped in CI.")
        warnings.warn("Chromium is not installed: the reports were not opened in a browser.", stacklevel=1)
        pytest.skip("Chromium is not installed")
    opened = browser.Browser(program)
    yield opened
    opened.close()
