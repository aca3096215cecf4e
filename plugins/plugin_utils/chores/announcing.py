# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the text that tells people what a run does or would do, kept in the run's folder.

A run of several chores has one text: each adds its own. Runs on the control node.
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store

FILE = "announcement.txt"


def keep(store: Store, run_id: str, text: str) -> Path:
    """Add the announcement of a chore to that of its run and return where it is."""
    before = store.read_document(run_id, FILE)
    parts = [part for part in ((before or b"").decode("utf-8"), text) if part]
    return store.write_document(run_id, FILE, "\n".join(parts).encode("utf-8"))
