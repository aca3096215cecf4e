# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""axe-core, the rules of accessibility as a program: from the npm registry, fetched once, known by its hash.

It is never part of the project; it runs inside the browser that looks at a page.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import typing as t
import warnings
from pathlib import Path

import pytest
from browser import Browser

VERSION = "4.14.1"
# As `npm pack axe-core@<version> --json` tells it; another file is not run.
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
CACHE = Path(__file__).parents[2] / "build"
# WCAG 2.2 AA: its own criteria, and those of all versions before that it holds.
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
# What it leaves to people: the contrast of a lone glyph or digit and of words in a chart (test_look.py reckons both), of
# what is scrolled out of sight (seen at another width), and whether a heading over rows of a table has cells below it.
LEFT_TO_PEOPLE = (
    "only non-text characters",
    "too short to determine",
    "contains an image node",
    "partially obscured by another element",
    "th-has-data-cells",
)
_RUN = """
axe.run(document, {{runOnly: {{type: "tag", values: {tags}}}, resultTypes: ["violations", "incomplete"]}}).then(
  ({{violations, incomplete, passes}}) => ({{
    passes: passes.length,
    wrong: violations.map(one => [one.id, one.help, one.nodes.map(node => node.html.slice(0, 300))]),
    unclear: incomplete.flatMap(one => one.nodes.flatMap(
      node => (node.any.length ? node.any : [{{message: one.id}}]).map(said => [one.id, said.message, node.html.slice(0, 300)])
    )),
  }})
)
"""


def look(chromium: Browser) -> list[t.Any]:
    """Return what axe-core finds wrong with the page that is open, and what it cannot tell: rule, words, elements."""
    chromium.evaluate(program())
    found = chromium.evaluate(_RUN.format(tags=json.dumps(TAGS)))
    assert found["passes"] > 5, "axe-core has looked at next to nothing"
    unclear = [one for one in found["unclear"] if not any(known in one[1] for known in LEFT_TO_PEOPLE)]
    return [[rule, words, nodes[:5], len(nodes)] for rule, words, nodes in found["wrong"]] + unclear[:5]


@functools.cache
def program() -> str:
    """Return axe-core as JavaScript. A machine without npm, or without the registry, skips the test; in CI it fails."""
    archive = CACHE / f"axe-core-{VERSION}.tgz"
    if not archive.exists():
        _fetch(archive)
    content = archive.read_bytes()
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    assert f"sha512-{digest}" == INTEGRITY, f"{archive} is not the axe-core that is known here"
    with tarfile.open(archive) as packed:
        member = packed.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode("utf-8")


def _fetch(archive: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        _without("npm is not installed")
        return
    CACHE.mkdir(exist_ok=True)
    command = [npm, "pack", f"axe-core@{VERSION}", "--pack-destination", str(CACHE)]
    done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or not archive.exists():
        _without(f"npm could not fetch axe-core {VERSION}: {done.stderr.strip()[-300:]}")


def _without(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{why}; the check of accessibility may not be skipped in CI.")
    warnings.warn(f"{why}: accessibility was not checked.", stacklevel=2)
    pytest.skip(why)
