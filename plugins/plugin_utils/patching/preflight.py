# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what has to be true of a host before it is changed, each as a fact of its own. Pure.

Limits are the house's own (domain 1.7) unless they say otherwise.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import View, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import Policy, doubts, names_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckResult
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Fact
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import planning as wua_planning
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import preflight as wua
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua.choosing import MANAGER

_GIB = 1 << 30
_MIB = 1 << 20
# Besides what is fetched and installed: logs, old packages that are kept, a package manager that copies its database.
_FREE_BYTES = _GIB
_BOOT_BYTES = 200 * _MIB
_FREE_INODES_PERCENT = 5.0
_GROWTH = 1.5
_MEND = "Mend it first: dpkg --configure -a, dnf check, or zypper verify say what is wrong."
_WAIT = "Wait for its end; systemctl status 'keepwell-*' shows it."
# What the packages probe asks the package managers, by the names of its sources.
_ASKED = (
    "apt-get",
    "apt-cache policy",
    "dpkg-query",
    "check-update",
    "advisories",
    "list-patches",
    "list-updates",
    "rpm",
)


def needed_bytes(download: int | None, installed: int | None) -> int:
    """Return the bytes that have to be free on / and /var: 1 GiB, or what is fetched and 1.5 times the growth."""
    return max(_FREE_BYTES, int((download or 0) + _GROWTH * max(0, installed or 0)))


def judge(
    look: Mapping[str, t.Any], view: View, policy: Policy, options: Options, backups: Sequence[CheckResult]
) -> list[Fact]:
    """Return all facts. ``look`` is the host's answer; ``backups`` what the checks say of its backups."""
    return [
        _fresh(view, policy),
        _supported(look),
        _simulated(look),
        _nothing_removed(look),
        _state(look),
        _locks(look),
        *_space(look),
        _own_lock(look),
        _offline(look),
        _updaters(look),
        _pending_reboot(look, view, options),
        *wua.roles(look, options),
        _backup(backups, options),
    ]


def judge_reboot(look: Mapping[str, t.Any], options: Options) -> list[Fact]:
    """Return what has to be true before a host is rebooted."""
    users = look.get("users")
    people = "nobody knows" if users is None else ", ".join(f"{user['user']} on {user['tty']}" for user in users)
    alone = options.reboot_with_users or users == []
    return [
        Fact(
            name="users",
            passed=alone,
            code="" if alone else "users",
            observed=people or "nobody",
            expected="nobody is logged in",
            advice="Ask them to log out, or set patching_reboot_with_users.",
        ),
        _fsck(look),
        _clear(
            "disk_passphrase",
            "luks_at_boot",
            look.get("luks_at_boot"),
            "a passphrase has to be typed at boot: " + names_text(look.get("luks_at_boot") or []),
        ),
        _clear("cluster", "pacemaker", look.get("pacemaker"), "Pacemaker runs: move its resources away first"),
        *wua.cluster(look),
        _offline(look),
        _own_lock(look),
        _locks(look, code="locked", passed=not look.get("locks")),
    ]


def _fsck(look: Mapping[str, t.Any]) -> Fact:
    """A check that lasts for hours keeps a host away for as long; Windows says only whether there will be one."""
    pending = look.get("fsck_pending")
    why = f": {names_text(pending, 3)}" if isinstance(pending, list) else ""
    return _clear("fsck", "fsck", pending, f"a long check of filesystems is due at the next boot{why}")


def _clear(name: str, code: str, wrong: t.Any, text: str) -> Fact:
    return Fact(
        name=name,
        passed=not wrong,
        code=code if wrong else "",
        observed=text if wrong else "nothing stands against it",
        advice="Reboot it by hand when that is safe." if wrong else "",
    )


def _fresh(view: View, policy: Policy) -> Fact:
    # A question that the package manager did not answer leaves out what it would have told: without its advisories
    # every update of dnf looks as if it might be a security update.
    sources = view.record("packages").sources
    unanswered = [name for name in _ASKED if sources.get(name, {}).get("status", "ok") not in ("ok", "absent")]
    reasons = [*doubts(view, policy), *(f"{name} gave no answer: {sources[name]['status']}" for name in unanswered)]
    if view.windows:
        return wua.fresh(reasons, policy.metadata_max_age_h)
    return Fact(
        name="freshness",
        passed=not reasons,
        code="stale" if reasons else "",
        observed=names_text(reasons, 3) if reasons else "the lists of packages are fresh and complete",
        expected=f"every source read within {policy.metadata_max_age_h:g} hours" if reasons else "",
        advice="Refresh them (patching_refresh), and look at the sources that do not answer." if reasons else "",
    )


def _supported(look: Mapping[str, t.Any]) -> Fact:
    refused = str(look.get("refused") or "")
    return Fact(
        name="package_manager",
        passed=not refused,
        code="not_supported" if refused else "",
        observed=refused or f"{look.get('manager')} is known",
    )


def _simulated(look: Mapping[str, t.Any]) -> Fact:
    errors = [str(error) for error in look["simulation"]["errors"]]
    return Fact(
        name="simulation",
        passed=not errors,
        code="plan_unsimulated" if errors else "",
        observed=names_text(errors, 3) if errors else "the package manager can do exactly this",
        advice="Solve this on the host, or leave the package out with patching_exclusions." if errors else "",
    )


def _nothing_removed(look: Mapping[str, t.Any]) -> Fact:
    removed = sorted(move["name"] for move in look["simulation"]["moves"] if move["action"] == "remove")
    return Fact(
        name="removals",
        passed=not removed,
        code="removal" if removed else "",
        observed=f"would remove {names_text(removed)}" if removed else "nothing would be removed",
        expected="no package is removed" if removed else "",
        advice="Find out why; remove them by hand or leave the update out." if removed else "",
    )


def _state(look: Mapping[str, t.Any]) -> Fact:
    problems = [str(problem) for problem in look["state"]["problems"]]
    clean = bool(look["state"]["clean"])
    return Fact(
        name="package_state",
        passed=clean,
        code="" if clean else "broken_state",
        observed="clean" if clean else names_text(problems, 3) or "not clean",
        expected="" if clean else "no package is half installed",
        advice="" if clean else wua.MEND if look.get("manager") == MANAGER else _MEND,
    )


def _locks(look: Mapping[str, t.Any], code: str = "", passed: bool = True) -> Fact:
    holders = [f"{lock.get('process') or 'a process'} ({lock.get('pid') or '?'})" for lock in look.get("locks") or []]
    text = f"held now by {names_text(sorted(set(holders)))}" if holders else "free"
    # A lock may be free again when the work begins: that waits for it, and refuses by itself.
    return Fact(
        name="locks",
        passed=passed,
        code="" if passed else code,
        observed=text + ("; the work waits for it" if holders and passed else ""),
    )


def _space(look: Mapping[str, t.Any]) -> Iterator[Fact]:
    simulation = look["simulation"]
    # Nothing to install needs no room.
    moving = bool(simulation["moves"])
    needed = needed_bytes(simulation.get("download_bytes"), simulation.get("installed_bytes")) if moving else 0
    # Where nobody could say how big a kernel is, the least that a separate /boot must have still holds.
    kernel = max(_BOOT_BYTES, 2 * int(look.get("newest_boot_bytes") or 0))
    for entry in look["space"]:
        roles, free = set(entry["roles"]), entry["free_bytes"]
        if "system" in roles:
            least = max(wua.FREE_BYTES, 2 * int(simulation.get("download_bytes") or 0)) if moving else 0
        elif {"/", "/var", "/usr"} & roles:
            least = needed
        elif "cache" in roles:
            least = int(simulation.get("download_bytes") or 0)
        else:
            least = kernel if moving else 0
        if "/boot" in roles:
            least = max(least, kernel if moving else 0)
        enough = free is not None and free >= least
        code = "boot_full" if roles == {"/boot"} else "disk_full"
        yield Fact(
            name=f"space:{entry['mount']}",
            passed=enough,
            code="" if enough else code,
            observed="does not answer" if free is None else f"{size_text(free)} free",
            expected=f"{size_text(least)} free",
            advice="" if enough else f"Make room on {entry['mount']}.",
        )
        inodes = entry.get("free_inodes_percent")
        if moving and inodes is not None and inodes < _FREE_INODES_PERCENT:
            yield Fact(
                name=f"inodes:{entry['mount']}",
                passed=False,
                code="inodes_low",
                observed=f"{inodes:g} % of the inodes are free",
                expected=f"{_FREE_INODES_PERCENT:g} % free",
                advice=f"Find the folder with very many files on {entry['mount']}.",
            )


def _own_lock(look: Mapping[str, t.Any]) -> Fact:
    lock = look["keepwell_lock"]
    return Fact(
        name="keepwell",
        passed=not lock["held"],
        code="host_locked" if lock["held"] else "",
        observed=f"at work on this host: {lock['holder']}" if lock["held"] else "nothing of Keepwell is at work",
        advice=(wua.WAIT if look.get("manager") == MANAGER else _WAIT) if lock["held"] else "",
    )


def _offline(look: Mapping[str, t.Any]) -> Fact:
    return _clear("offline_update", "offline_update", look.get("offline_update"), "an update is prepared for the boot")


def _updaters(look: Mapping[str, t.Any]) -> Fact:
    """Other updaters are told, not refused: what they did is no longer in the plan, and their locks are waited for."""
    busy = names_text(sorted(look.get("apt_timers_running") or []))
    return Fact(name="other_updaters", passed=True, observed=f"at work now: {busy}" if busy else "none is at work")


def _pending_reboot(look: Mapping[str, t.Any], view: View, options: Options) -> Fact:
    """A reboot that is due already is told, not refused: on Linux packages can be installed before it.

    Windows installs nothing before it: the host is rebooted first, where the role may do that.
    """
    data = view.data("packages")
    reboot = data["reboot"]
    first = wua_planning.due_first(data) if look.get("manager") == MANAGER else []
    if first and look["simulation"]["moves"] and options.reboot == "never":
        return Fact(
            name="pending_reboot",
            passed=False,
            code="reboot_first",
            observed=names_text(first, 3),
            expected="no reboot is due: Windows installs nothing before it",
            advice="Reboot the host, or let Keepwell do it (patching_reboot: when_required).",
        )
    reasons = names_text([str(reason["detail"]) for reason in reboot["reasons"]], 3)
    return Fact(name="pending_reboot", passed=True, observed=reasons or f"pending already: {reboot['required']}")


def _backup(results: Sequence[CheckResult], options: Options) -> Fact:
    """Whether a fresh backup with a proven restore stands behind the host; one that needs none says so itself."""
    judged = {result.check: result for result in results}
    lead = judged.get("backup.proof") or judged.get("backup.present")
    state = lead.state if lead else "unknown"
    required = options.backup == "required"
    passed = not required or state in ("ok", "accepted")
    return Fact(
        name="backup",
        passed=passed,
        code="" if passed else "backup",
        observed=f"{state}: {lead.observed}" if lead else "nothing is known of backups",
        expected="fresh, with a proven restore" if required else "told, not required (patching_backup)",
        advice="" if passed else "Look at the finding backup.proof: playbooks/backup_verify.yml proves what it misses.",
    )
