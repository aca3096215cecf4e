# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: look at the backups that a host verifies, and keep what was seen as evidence.

Runs on the control node.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from pydantic import ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import asking, sftp
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look, LookStatus
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Assigned
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import looks
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.work import Job, VerifyAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact


def look(action: VerifyAction, job: Job, entries: Sequence[Assigned]) -> dict[str, str]:
    """Look at all datasets and write down what was seen; return the status of each by its name.

    Raises AnsibleConnectionFailure and HostError when the host cannot look.
    """
    asked = [entry for entry in entries if entry.dataset.tool != "sftp"]
    answers = action.ask(asking.look(asked), job.task_vars)["datasets"] if asked else {}
    found: dict[str, str] = {}
    for entry in entries:
        name = f"{entry.host}/{entry.dataset.id}"
        told = answers.get(name)
        if action.on_windows():
            told = looks.of(entry.dataset, told)
        seen = _from_here(job, entry) if entry.dataset.tool == "sftp" else _read(told)
        _keep(job, entry, seen)
        found[name] = seen.status
    return found


def give_up(job: Job, entries: Sequence[Assigned], status: LookStatus, why: str) -> None:
    """Write down that nobody could look; what was seen already in this run stays."""
    for entry in entries:
        if job.document(entry).look is None:
            _keep(job, entry, Look(status=status, detail=why))


def _keep(job: Job, entry: Assigned, seen: Look) -> None:
    document = job.document(entry)
    document.look, document.looked_at = seen, iso(job.now())
    job.store.write_verification(document)


def _from_here(job: Job, entry: Assigned) -> Look:
    """Look at a copy elsewhere from the control node: whether it exists is not asked of the host that makes it."""
    credentials = entry.dataset.credentials
    if credentials.environment_file or credentials.password_file or credentials.systemd_credential:
        return Look(
            status="error",
            detail="A copy that SFTP reaches is looked at from the control node: give credentials.environment "
            "(SFTP_PASSWORD or SFTP_KEY_PASSPHRASE), or options.key_file.",
        )
    try:
        return _read(sftp.look(entry.dataset.repository, entry.dataset.options, credentials.environment, job.now()))
    except ValueError as exc:
        return Look(status="error", detail=str(exc))


def _read(answer: t.Any) -> Look:
    """Return what a host says of a repository; what makes no sense is an error of its own and costs no other."""
    try:
        return Look.model_validate(redact(answer))
    except ValidationError as exc:
        wrong = exc.errors()[0]
        place = ".".join(str(part) for part in wrong["loc"])
        return Look(status="error", detail=f"The host's answer cannot be read: {place}: {wrong['msg']}")
