# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a test on a Windows host would do, and what the host is told to do. Pure.

Neither Windows Server Backup nor Keepwell lists all files of a backup there: a sample is drawn from the files that lie
on the host now and were not touched since the backup began, so that each of them has to come back as it is. What was
deleted since is not among them.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _selection
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._sample import Sample
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import (
    looks,
    paths,
    restic,
    server_backup,
)

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

Facts = Mapping[str, t.Any]
Answer = dict[str, t.Any]
# As on other hosts: what is restored, and something beside it.
_ROOM = 1.2
_READ = {
    "structure": "Read the metadata of the repository {place}.",
    "subset": "Read part {part} of {parts} of the data in the repository {place}.",
    "data": "Read all data in the repository {place}.",
}


def request(asked: Facts) -> Answer:
    """Return a question or order for a Windows host: a sandbox that is no path there is the host's own."""
    sandbox = dict(asked["sandbox"])
    sandbox["base"] = sandbox["base"] if paths.is_windows(str(sandbox["base"])) else ""
    return {**asked, "sandbox": sandbox}


def told(dataset: Dataset, asked: Facts, answer: Facts) -> Answer:
    """Return what a test would do (see ``plans.Told``), from what the host says."""
    found: Answer = {"files": [], "notes": [], "code": "", "refused": "", "steps": [], "target": "", "free_bytes": None}
    kind = str(asked["kind"])
    try:
        seen = looks.of(dataset, answer["look"])
        if seen["status"] != "ok":
            raise AgentError(seen["status"], seen["detail"] or "The repository cannot be read.")
        snapshot = _selection.snapshot_of(seen, asked.get("snapshot"))
        found.update(snapshot=snapshot["id"], snapshot_time=snapshot["time"])
        if seen["writer"]:
            raise AgentError("writer", f"A backup is being written: {seen['writer']}. The test would wait for it.")
        if kind in _selection.READING:
            found["steps"] = [
                _READ[kind].format(place=dataset.repository, part=asked.get("part"), parts=asked.get("parts"))
            ]
        else:
            _restoring(dataset, asked, answer, snapshot, found)
    except AgentError as exc:
        found.update(code=exc.code, refused=exc.text)
    return found


def _restoring(dataset: Dataset, asked: Facts, answer: Facts, snapshot: Facts, found: Answer) -> None:
    sandbox = answer["sandbox"]
    found.update(target=sandbox["base"], free_bytes=sandbox["free_bytes"])
    whole = asked["kind"] == "full"
    size = int(snapshot["bytes"] or 0)
    what = "everything"
    found["bytes"] = size or None
    if not whole:
        chosen = _chosen(dataset, asked, answer["files"], float(snapshot["time"]))
        size = sum(entry[1] or 0 for entry in chosen)
        found.update(files=[entry[0] for entry in chosen], files_count=len(chosen), bytes=size)
        what = f"{len(chosen)} files ({size / 1048576:.1f} MiB)"
        if not chosen:
            text = (
                "No file of the dataset lies on this host as it was when the backup began: nothing could be compared. "
                "Are its sources right?"
            )
            raise AgentError("nothing_fits", text)
        if answer["files_cut"]:
            found["notes"] = ["drawn from a part of the files: there are very many"]
    if sandbox["code"]:
        raise AgentError(sandbox["code"], sandbox["refused"])
    need(sandbox, size, float(asked["sandbox"]["free_percent"]))
    found["steps"] = [
        f"Restore {what} of the snapshot {snapshot['id']} into a new folder below {sandbox['base']}.",
        "Compare them with the live files that have not changed since.",
        "Remove all of it again.",
    ]


def need(sandbox: Facts, size: int, free_percent: float) -> None:
    """Raise AgentError where a restore of so many bytes would leave too little room."""
    free, total = sandbox["free_bytes"], sandbox["total_bytes"]
    if free is None or total is None:
        raise AgentError("no_space", f"How much room is left below {sandbox['base']} cannot be told.")
    left = free - size * _ROOM
    if left < total * free_percent / 100:
        text = (
            f"Restoring {size / 1048576:.1f} MiB below {sandbox['base']} would leave less than {free_percent:g} % free."
        )
        raise AgentError("no_space", f"{text} Make room, choose another folder or a smaller sample.")


def _chosen(
    dataset: Dataset, asked: Facts, files: Sequence[Facts], begun: float
) -> list[tuple[str, int | None, float | None]]:
    """Return the files of a sample, or the canary alone: those that have not changed since the backup began."""
    canary = dataset.canary.path if dataset.canary else None
    wanted = asked.get("sample") or {}
    sample = Sample(
        wanted.get("files", 20) if asked["kind"] == "sample" else 0,
        wanted.get("bytes", 1 << 30),
        str(asked.get("seed") or ""),
        asked.get("known") or (),
        is_canary=(lambda path: paths.same(path, canary)) if canary else None,
    )
    if canary:
        # It is known by its content: a newer one lies there by now, or none.
        sample.take(canary, 0, None)
    for entry in files:
        is_canary = canary is not None and paths.same(str(entry["path"]), canary)
        if not is_canary and float(entry["changed_at"]) < begun:
            sample.take(str(entry["path"]), int(entry["size"]), float(entry["changed_at"]))
    chosen: list[tuple[str, int | None, float | None]] = sample.chosen()
    return chosen


def order(dataset: Dataset, asked: Facts, planned: t.Any) -> Answer:
    """Return the order to do a test: what the plan chose, as the tool on the host is told it.

    ``planned`` is what ``told`` made; None where nobody could plan.
    """
    files = list(planned.files) if planned is not None else []
    canary = dataset.canary.path if dataset.canary and asked["kind"] in ("canary", "sample", "full") else None
    if canary and "canary" not in asked["dataset"]:
        # It was first written after the backup began: it cannot be in there.
        files, canary = [path for path in files if not paths.same(path, canary)], None
    wanted: Answer = {"paths": files, "groups": [], "includes": []}
    if dataset.tool == "windows_server_backup":
        wanted["groups"] = server_backup.groups(files)
    elif dataset.tool == "restic":
        wanted["includes"] = restic.includes(files)
    return {
        **request(asked),
        "wanted": wanted,
        "canary_path": canary,
        "snapshot_time": planned.snapshot_time if planned is not None else None,
        "need_bytes": int((planned.bytes or 0) * _ROOM) if planned is not None else 0,
    }
