# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what Keepwell did on a host, as evidence: before, after, reason, outcome.

One document per host, chore and run, ``changes/<host>.<chore>.json`` in the run's folder, written whole each time
the change gets further, so that a run that was killed leaves the last thing it knew. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import AntivirusChange
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import Cleanup
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostDocument, Model, Timestamp

# release: a person lets a client go on after a failed change.
Chore = t.Literal["patching", "antivirus", "backup_verification", "disk_cleanup", "release"]
# done: everything asked for is in place and verified; where ``stopped`` says so, everything that was begun. nothing:
# there was nothing to do. planned: check mode, or acting was not asked for. skipped: a gate or a window kept it back,
# nothing is wrong. refused: the host is in no state to be changed, nothing was touched. failed: touched, and not as it
# should be. rolled_back: failed, and put back. lost: the host is not reached, its transaction may go on. released: a
# person let the client go on after a failure.
Outcome = t.Literal[
    "planned", "nothing", "skipped", "refused", "running", "done", "failed", "rolled_back", "lost", "released"
]
# The outcomes after which a person has to look.
BAD: tuple[Outcome, ...] = ("failed", "rolled_back", "lost")


class Step(Model):
    """One thing that was done, in order."""

    name: str = Field(description="refresh, apply, restart_services, reboot, verify, rollback ...")
    outcome: t.Literal["done", "skipped", "failed"]
    text: str = Field("", description="one sentence for a person")
    started_at: Timestamp
    ended_at: Timestamp


class Version(Model):
    """A package whose version changed."""

    name: str
    arch: str = ""
    before: str | None = Field(None, description="null when it was not installed")
    after: str | None = Field(None, description="null when it was removed; of an update of Windows its revision")
    update_id: str = Field("", description="which update of Windows Update it is")
    title: str = Field("", description="how Windows calls it")
    cumulative: bool = Field(False, description="the monthly update of Windows itself: the build tells of it")


class Difference(Model):
    """Something that is other than before the change, by the same judge before and after."""

    kind: str = Field(description="unit, failed_unit, listener, mount, route, dns, time, antivirus, probe, package")
    name: str
    before: str = ""
    after: str = ""
    bad: bool = Field(True, description="false: a change that is no loss, as a new listener")


class Reboot(Model):
    """A reboot, with its proof."""

    required: t.Literal["yes", "no", "unknown"]
    reasons: list[str] = []
    done: bool = False
    boot_before: str = Field("", description="boot id, or in a container the start of process 1")
    boot_after: str = ""
    kernel_before: str = ""
    kernel_after: str = ""
    text: str = Field("", description="why it was not done, or what the proof says")
    times: int = Field(0, description="how often it was done")
    still: list[str] = Field([], description="what the host asked for a reboot for right after the last one")


class ChangeRecord(HostDocument):
    """Everything that was done on one host by one chore in one run."""

    chore: Chore
    outcome: Outcome
    code: str = Field("", description="stable word for the reason: window_closed, plan_changed, disk_full ...")
    text: str = Field("", description="one or two sentences: what, why, what to do")
    started_at: Timestamp
    ended_at: Timestamp | None = None
    transaction: str = Field("", description="id of the transaction on the host; empty when none was begun")
    begun_by: str = Field("", description="run that began the transaction, when it was another one")
    plan_hash: str = ""
    approver: str = ""
    ticket: str = ""
    window: str = Field("", description="name of the window it was done in")
    entered_at: Timestamp | None = Field(None, description="when work on the host began, by the control node's clock")
    expected_s: float | None = Field(None, description="seconds that the window had to be open for")
    expected_from: str = Field("", description="where that comes from: earlier changes, or the reserve")
    emergency: str = Field("", description="who answers for work outside of windows, and why; empty inside of them")
    ring: int | None = None
    lane: t.Literal["normal", "emergency"] = "normal"
    steps: list[Step] = []
    versions: list[Version] = Field([], description="all packages that changed, by the host's own account")
    advisories: list[str] = []
    cves: list[str] = Field([], description="closed by this change")
    reboot: Reboot | None = None
    services: dict[str, str] = Field({}, description="unit -> restarted, or why not")
    config_files: list[str] = Field([], description="new versions of configuration files that were kept aside")
    differences: list[Difference] = []
    stopped: str = Field("", description="why it ended before all of its updates; the rest is left for a later run")
    half_done: list[str] = Field([], description="what was left in between, named by the package manager")
    residual: list[str] = Field([], description="what the policy wanted and is still open, each with its reason")
    failures: dict[str, str] = Field({}, description="update that could not be installed -> why, in plain words")
    rollback: str = Field("", description="whether it can be taken back and how; or what was taken back")
    bounded: str = Field("", description="by what the work was limited; 'not bounded: ...' where it was not")
    log: str = Field("", description="the last lines of the package manager's own words")
    findings_new: list[str] = Field([], description="checks that found something new after the change")
    antivirus: AntivirusChange | None = Field(None, description="what only antivirus work has")
    cleanup: Cleanup | None = Field(None, description="what disk cleanup found, did and left")
