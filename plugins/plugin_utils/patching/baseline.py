# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how a host was before its change, and how it is after, by the same probes.

Runs on the control node.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import Difference
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical, host_file_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import fingerprint
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job


def name(host: str) -> str:
    """Where the baseline is in the folder of a run."""
    return f"patching/{host_file_name(host)}.baseline.json"


def look(action: HostAction, job: Job) -> dict[str, t.Any]:
    """Return how the host is: an observation, and what the probes that the role's variables name say."""
    patience_s = job.options.reconnect_s
    document = action.patiently(
        lambda: action.observe(fingerprint.PROBES, job.settings.probe_parameters, job.task_vars), patience_s
    )
    asked = [probe.model_dump(exclude_none=True) for probe in job.options.probes]
    request = {"operation": "probes", "probes": asked}
    answers = action.ask_until(request, job.task_vars, patience_s)["probes"] if asked else {}
    return {"observation": document, "probes": answers}


def boot(action: HostAction, job: Job) -> str:
    """Return what differs from boot to boot: the boot id and the start of process 1, a container's only sign."""
    return identity(action.ask_until({"operation": "boot"}, job.task_vars, job.options.reconnect_s))


def identity(answer: t.Mapping[str, t.Any]) -> str:
    """Return the part of an answer on the boot that is the same until the next boot."""
    return f"{answer['boot_id']} {answer['pid1_started']}"


def rebooted(before: dict[str, t.Any], now: str, own: str) -> list[Difference]:
    """Return a difference when the host was booted since, and not by this change (``own`` is its boot)."""
    if now in (before.get("boot"), own):
        return []
    return [Difference(kind="boot", name="host", before="up", after="rebooted by someone else meanwhile", bad=False)]


def take(action: HostAction, job: Job) -> None:
    """Write down how the host is now, once a run."""
    if job.store.read_document(job.run_id, name(job.host)) is None:
        answer = action.ask_until({"operation": "boot"}, job.task_vars, job.options.reconnect_s)
        found = {**look(action, job), "boot": identity(answer), "kernel": answer["kernel"]}
        job.store.write_document(job.run_id, name(job.host), canonical(found))


def known(job: Job, begun_by: str) -> dict[str, t.Any] | None:
    """Return how the host was: as this run saw it, or the run that began the change."""
    for run_id in (begun_by, job.run_id):
        content = job.store.read_document(run_id, name(job.host)) if run_id else None
        if content is not None:
            return t.cast("dict[str, t.Any]", json.loads(content))
    return None


def compare(before: dict[str, t.Any], after: dict[str, t.Any]) -> list[Difference]:
    """Return what is other than before."""
    return fingerprint.compare(
        fingerprint.of(before["observation"]), fingerprint.of(after["observation"]), before["probes"], after["probes"]
    )
