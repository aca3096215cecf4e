# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: Veeam Agent for Microsoft Windows, from the log of its own sessions. Pure.

``repository`` of a dataset is the name of the job as Veeam shows it. A session that ended well, or with a warning, made
a restore point; that the point is still there, and comes back, no log tells.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

Facts = Mapping[str, t.Any]
_MADE_A_POINT = ("success", "warning")


def look(dataset: Dataset, facts: Facts) -> dict[str, t.Any]:
    """Return the look of a dataset."""
    jobs = sorted({str(session["job"]) for session in facts["sessions"]})
    mine = [session for session in facts["sessions"] if str(session["job"]).casefold() == dataset.repository.casefold()]
    mine.sort(key=lambda session: session["ended_at"])
    if not mine:
        known = f" Its jobs are: {', '.join(jobs)}." if jobs else ""
        text = f"Veeam Agent has no session of a job '{dataset.repository}' on record.{known}"
        return dict(_driver.look("no_repository", text))
    points = [session for session in mine if session["result"] in _MADE_A_POINT]
    snapshots = [
        _driver.snapshot(
            str(session["id"]),
            float(session["started_at"] if session["started_at"] is not None else session["ended_at"]),
            end=session["ended_at"],
        )
        for session in points
    ]
    newest = mine[-1]
    last = {"at": newest["ended_at"], "result": newest["result"], "code": "", "text": str(newest["text"] or "")}
    found = {
        "repository": {"location": "other"},
        "writer": "Veeam Agent" if facts["running"] else "",
        "snapshots": snapshots[-_driver.SNAPSHOT_CAP :],
        "snapshots_cut": len(snapshots) > _driver.SNAPSHOT_CAP,
        "missing": None if dataset.expected_paths else [],
        "unwanted": None if dataset.unwanted_paths else [],
    }
    return {**_driver.look("ok", **found), "last_run": last}
