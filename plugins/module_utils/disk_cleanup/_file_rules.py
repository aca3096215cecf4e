# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the rules that delete files: which folders they look into, and what there may go.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _bases, _tmpfiles
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _locks
from ansible_collections.keepwell.fleet.plugins.module_utils.probes.packages import find_manager

DAY = 86400.0
CRASH_DAYS = 7
# Whatever a client's policy says: shorter is no policy for logs.
LEAST_LOG_DAYS = 1
_UID_MIN = 1000
_ROTATED = re.compile(r".\.(?:gz|xz|bz2|zst|[0-9]{1,3})$|.-(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9]([-.].*)?$")
_NEVER_A_LOG = re.compile(r"^(?:wtmp|btmp|lastlog|faillog|utmp)\b")
_NEVER_BELOW = ("/var/log/audit", "/var/log/journal")
_ARCHIVED = re.compile(r".(?:@[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{16}\.journal|@[0-9a-f]{16}-[0-9a-f]{16}\.journal~)$")
_CACHES = (
    ("/var/cache/apt/archives", re.compile(r"\.deb$"), ("apt",)),
    ("/var/cache/dnf", re.compile(r"\.rpm$"), ("dnf4", "dnf5")),
    ("/var/cache/libdnf5", re.compile(r"\.rpm$"), ("dnf4", "dnf5")),
    ("/var/cache/yum", re.compile(r"\.rpm$"), ("yum",)),
    ("/var/cache/zypp/packages", re.compile(r"\.rpm$"), ("zypper",)),
)
_CRASHES = (
    ("/var/crash", re.compile(r"\.crash$|^vmcore|^dump\.|^core(?:\.|$)")),
    ("/var/lib/systemd/coredump", re.compile(r"^core\.")),
)

_KDUMP = "/var/crash"
# 127.0.0.1-2026-11-01-10:00:00 (RHEL), 2026-11-01-10:00 (SUSE), 202611011000 (Debian and Ubuntu).
_KDUMP_FOLDER = re.compile(
    r"^(?:[\w.:-]+-)?(?:19|20)\d\d-\d\d-\d\d-\d\d:\d\d(?::\d\d)?$|^(?:19|20)\d{10}(?:\d\d)?$", re.ASCII
)
_IN_KDUMP_FOLDER = re.compile(
    r"^(?:vmcore|dump\.|dmesg\.|kexec-dmesg\.|System\.map-|vmlinu[xz]-|config-|initrd-)|"
    r"^(?:README\.txt|makedumpfile-R\.pl)$"
)


class Names(object):
    """Files by their name and age (see ``_engine.Walk``)."""

    locks = False

    def __init__(self, pattern, cutoff, owners=None, never=(), never_name=None, keep_newest=0):
        self._pattern = pattern
        self._cutoff = cutoff
        self._owners = owners
        self._never = never
        self._never_name = never_name
        self._keep_newest = keep_newest

    def judge(self, path, name, info):
        """Why a file stays; "" when it may go; None when it is none of our business."""
        if not self._pattern.search(name):
            return None
        if self._never_name and self._never_name.search(name):
            return "kept"
        if not stat.S_ISREG(info.st_mode):
            return "symlink" if stat.S_ISLNK(info.st_mode) else "not_regular"
        if self._owners is not None and not self._owners(info.st_uid):
            return "owner"
        # A file that was copied or moved here may carry an old time of its own: the later of both counts.
        return "" if max(info.st_mtime, info.st_ctime) < self._cutoff else "age"

    def choose(self, path, files, account):
        """All but the newest of a folder, where some have to stay."""
        if not self._keep_newest:
            return files
        account.skip("newest", min(self._keep_newest, len(files))) if files else None
        return files[: -self._keep_newest]

    def enters(self, path, name, depth):
        """True for folders that may be looked into."""
        return path not in self._never

    def removes(self, path, name, info):
        """Folders stay."""
        return False


class Crashes(Names):
    """Crash dumps: single files, and folders that kdump makes for one crash each (see ``_units.UnitWalk``)."""

    def __init__(self, pattern, cutoff, kdump_owners, keep_newest):
        super(Crashes, self).__init__(pattern, cutoff, keep_newest=keep_newest)
        self._kdump_owners = kdump_owners

    def is_unit(self, path, name):
        """True for a folder that kdump made, by its name: a date and a time, after an address or a host's name."""
        return path == _KDUMP and bool(_KDUMP_FOLDER.search(name))

    def judge_unit(self, info, files):
        """Why such a folder stays as it is; "" when all of it may go."""
        for name, found in files:
            if not stat.S_ISREG(found.st_mode):
                return "symlink" if stat.S_ISLNK(found.st_mode) else "not_regular"
            # Somebody put something of his own there.
            if not _IN_KDUMP_FOLDER.search(name):
                return "kept"
        if not all(self._kdump_owners(found.st_uid) for found in [info] + [found for _name, found in files]):
            return "owner"
        return "" if all(max(found.st_mtime, found.st_ctime) < self._cutoff for _name, found in files) else "age"


def plan(machine, rule_id, terms, now):
    """What a rule walks through: ([(folder, selector)], notes). Raises AgentError when the terms are refused."""
    return _PLANS[rule_id](machine, terms, now)


def check_terms(terms):
    """Raise AgentError when logs would go that the client's policy keeps."""
    wanted, retention = terms["log_days"], terms["log_retention_days"]
    if wanted < max(retention, LEAST_LOG_DAYS):
        raise AgentError(
            "retention",
            "Logs of the last %g days have to be kept (disk_cleanup_log_retention_days), so none that are only %g days "
            "old may go (disk_cleanup_log_days)." % (max(retention, LEAST_LOG_DAYS), wanted),
        )


def _package_cache(machine, terms, now):
    manager = find_manager(machine)
    walks = []
    for folder, pattern, managers in _CACHES:
        if manager in managers:
            walks.append(
                (folder, Names(pattern, now - terms["package_keep_days"] * DAY, owners=_system_owned(machine)))
            )
    held = _locks.held(machine, manager) if walks else []
    if held:
        return [], ["nothing was done: " + _locks.words(held, 0)]
    return walks, []


def _journal(machine, terms, now):
    check_terms(terms)
    # The last entry of a file is as old as its last change. journalctl --vacuum-time goes by the first one, and so
    # takes entries that have to be kept.
    selector = Names(_ARCHIVED, now - terms["log_days"] * DAY, owners=_system_owned(machine))
    return [("/var/log/journal", selector)], []


def _rotated_logs(machine, terms, now):
    check_terms(terms)
    cutoff = now - terms["log_days"] * DAY
    selector = Names(_ROTATED, cutoff, owners=_system_owned(machine), never=_NEVER_BELOW, never_name=_NEVER_A_LOG)
    return [("/var/log", selector)], []


def _temporary_files(machine, _terms, now):
    items, problems = _tmpfiles.parse(_tmpfiles.files(machine), _tmpfiles.specifiers(machine))
    folders = [folder for folder in _bases.ALLOWED if folder in ("/tmp", "/var/tmp")]  # noqa: S108
    walks = [
        (path, _tmpfiles.Selector(item, items, now)) for path, item in _tmpfiles.roots(items, machine.glob, folders)
    ]
    notes = ["tmpfiles.d, what it names stays: " + problem for problem in problems[:5]]
    for folder in folders:
        # Never in a file called tmp.conf: it would switch off the system's own, which protects the private folders of
        # services.
        if folder not in [path for path, _selector in walks]:
            notes.append(
                "tmpfiles.d gives %s no age, so nothing goes there; a line like 'q %s 1777 root root 30d' in "
                "/etc/tmpfiles.d/10-ages.conf does." % (folder, folder)
            )
    return walks, notes


def _crash_data(machine, terms, now):
    cutoff = now - CRASH_DAYS * DAY
    owners = _system_owned(machine)
    kept = max(1, terms["crash_keep"])
    return [(folder, Crashes(pattern, cutoff, owners, kept)) for folder, pattern in _CRASHES], []


def _system_owned(machine):
    """A function that is true for root and the accounts of services."""
    match = re.search(r"^UID_MIN\s+(\d+)", machine.read("/etc/login.defs") or "", re.MULTILINE)
    least = int(match.group(1)) if match else _UID_MIN
    return lambda uid: uid < least or uid == 65534


_PLANS = {
    "package_cache": _package_cache,
    "journal": _journal,
    "rotated_logs": _rotated_logs,
    "temporary_files": _temporary_files,
    "crash_data": _crash_data,
}
