# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: Windows Server Backup, from what its own catalogue and job list tell. Pure.

``repository`` of a dataset is the place of the backup as its schedule names it (``E:``, ``\\\\nas\\backup``), or
``catalogue`` for whatever the host knows of, which is also the way for a disk of its own, that has no letter.
A backup in a shared folder keeps one version: the next one overwrites it.
"""

from __future__ import annotations

import calendar
import ntpath
import time
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import below
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import paths

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

Facts = Mapping[str, t.Any]
CATALOGUE: t.Final = "catalogue"
_NETWORK = ("network", "share", "remotefolder")


def look(dataset: Dataset, facts: Facts) -> dict[str, t.Any]:
    """Return the look of a dataset."""
    sets = [entry for entry in facts["sets"] if _belongs(dataset, entry)]
    jobs = {job["version_id"]: job for job in facts["jobs"] if job["version_id"]}
    snapshots = sorted((_snapshot(entry, jobs) for entry in sets), key=lambda entry: entry["time"])
    found: dict[str, t.Any] = {
        "repository": _repository(dataset, facts, sets),
        "writer": "Windows Server Backup" if facts["running"] else "",
        "snapshots": snapshots[-_driver.SNAPSHOT_CAP :],
        "snapshots_cut": len(snapshots) > _driver.SNAPSHOT_CAP,
        "unwanted": [] if not dataset.unwanted_paths else None,
    }
    newest = max(sets, key=_time, default=None)
    found["missing"] = _missing(dataset, facts, newest) if newest else None
    return {**_driver.look("ok", **found), "last_run": _last_run(facts)}


def _belongs(dataset: Dataset, entry: Facts) -> bool:
    """True when a version lies at the dataset's place and has the volumes of its sources."""
    place = dataset.repository
    if place != CATALOGUE and not paths.same(str(entry["target"]["path"] or ""), place):
        return False
    volumes = {volume.rstrip("\\").upper() for volume in entry["volumes"]}
    return all(paths.volume(source) in volumes for source in dataset.sources)


def _time(entry: Facts) -> float:
    """When a version was begun: by its own time, else by its name, which is in UTC."""
    if entry["at"] is not None:
        return float(entry["at"])
    return float(calendar.timegm(time.strptime(str(entry["id"]), "%m/%d/%Y-%H:%M")))


def _snapshot(entry: Facts, jobs: Mapping[str, Facts]) -> dict[str, t.Any]:
    job = jobs.get(entry["id"])
    found = _driver.snapshot(
        str(entry["id"]),
        _time(entry),
        end=job["ended_at"] if job else None,
        paths=[f"{volume.rstrip(chr(92))}\\" for volume in entry["volumes"]],
        complete=None if job is None else _result(job["hr"], job["detailed_hr"]) == "success",
        bytes=job["bytes"] if job else None,
    )
    return dict(found)


def _result(hr: int | None, detailed: int | None) -> t.Literal["success", "warning", "failed"]:
    if hr:
        return "failed"
    return "warning" if detailed else "success"


def _last_run(facts: Facts) -> dict[str, t.Any] | None:
    summary = facts["summary"]
    if summary["last_at"] is None or summary["last_hr"] is None:
        return None
    code = summary["last_hr"] or summary["last_detailed_hr"]
    shown = f"0x{code & 0xFFFFFFFF:08x}" if code else ""
    result = _result(summary["last_hr"], summary["last_detailed_hr"])
    return {"at": summary["last_at"], "result": result, "code": shown, "text": ""}


def _repository(dataset: Dataset, facts: Facts, sets: Sequence[Facts]) -> dict[str, t.Any]:
    target = max(sets, key=_time)["target"] if sets else {"type": "", "path": ""}
    path = str(target["path"] or "")
    network = path.startswith("\\\\") or str(target["type"]).lower() in _NETWORK
    volume = paths.volume(path) if path and not network else ""
    same = bool(volume) and any(paths.volume(source) == volume for source in dataset.sources)
    return {
        "id": None,
        "location": "mount" if network else "local",
        "path": path or None,
        # Neither the tool nor the place says so; BitLocker on the disk is another thing.
        "encrypted": None,
        "free_bytes": facts["free_bytes"],
        "same_device": same if volume and dataset.sources else None,
    }


def _missing(dataset: Dataset, facts: Facts, newest: Facts) -> list[str] | None:
    """Return the expected paths that the newest version cannot have; None when that cannot be told.

    A version names its volumes. Which folders of them are in it is known by the schedule alone.
    """
    return list(_lacking(dataset, facts["policy"] or {}, newest))


def _lacking(dataset: Dataset, policy: Facts, newest: Facts) -> Iterator[str]:
    volumes = {volume.rstrip("\\").upper() for volume in newest["volumes"]}
    whole = {volume.rstrip("\\").upper() for volume in policy.get("volumes") or []}
    files = [str(path) for path in policy.get("files") or []]
    excluded = [str(path) for path in policy.get("excludes") or []]
    for path in dataset.expected_paths:
        volume = paths.volume(path)
        listed = any(below(path, name) for name in files)
        partly = bool(files) and volume not in whole
        if volume not in volumes or (partly and not listed) or any(below(path, name) for name in excluded):
            yield path


def groups(wanted: Sequence[str]) -> list[dict[str, t.Any]]:
    """Return what one call of wbadmin may restore together: files of one folder, at most as many as a line holds."""
    found: list[dict[str, t.Any]] = []
    for folder, members in paths.by_folder(wanted).items():
        for start in range(0, len(members), _ITEMS):
            some = members[start : start + _ITEMS]
            found.append({"folder": folder, "names": [ntpath.basename(path) for path in some]})
    return found


# A command line holds 32767 characters, a path 260 as a rule.
_ITEMS = 50
