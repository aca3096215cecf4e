# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of page in a real browser, in both themes, narrow and wide: axe-core knows of no breach of WCAG 2.2 AA."""

from __future__ import annotations

from pathlib import Path

import axe
import pytest
import report_pages
from browser import Browser

pytestmark = pytest.mark.browser
# What is folded, or not drawn before it comes into sight, is not looked at: some of each kind are opened.
OPEN = """
document.styleSheets[0].insertRule('* { content-visibility: visible !important }')
const seen = {}
document.querySelectorAll('details').forEach(one => {
  seen[one.className] = (seen[one.className] || 0) + 1
  one.open = seen[one.className] <= 2
})
"""
# Each also says that the browser had nothing to complain about and that nothing runs out of the page.
every_page = pytest.mark.parametrize("name", report_pages.NAMES)
LOOKS = [(width, dark) for width in (360, 1440) for dark in (False, True)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return report_pages.write(tmp_path_factory.mktemp("pages"))


@every_page
def test_nobody_is_kept_out(chromium: Browser, pages: dict[str, Path], name: str) -> None:
    for width, dark in LOOKS:
        chromium.open(pages[name], width, 844, dark=dark)
        seen = f"{name}, {width} px, {'dark' if dark else 'light'}"
        assert chromium.complaints == [], seen
        assert chromium.requests == [pages[name].as_uri()], seen
        chromium.evaluate(OPEN)
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width, seen
        assert axe.look(chromium) == [], seen


def test_it_really_finds_what_is_wrong(chromium: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    """The tests above prove something only if a page that is wrong is found to be."""
    wrong = pages["owner"].read_text().replace("</h1>", "</h1><img src='data:,'><a href='#main'></a>", 1)
    (tmp_path / "wrong.html").write_text(wrong.replace('<html lang="en">', "<html>"))
    chromium.open(tmp_path / "wrong.html")
    assert {rule for rule, *_rest in axe.look(chromium)} >= {"image-alt", "link-name", "html-has-lang"}
