# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who can get into a host and with what: sshd, accounts, keys, sudo, administrators, failed logins.

Hashes, private keys and key comments stay on the host. Runs on managed hosts: standard library only, Python 3.6
syntax.
"""

import calendar
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _accounts, _sshd, _sudoers
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable

TIME_LIMIT_S = 12
HOUR = 3600
JOURNAL_LINES = 3000
LOG_SIZE = 256 * 1024
LOGS = ("/var/log/auth.log", "/var/log/secure")
DEFAULT_KEY_FILES = [".ssh/authorized_keys", ".ssh/authorized_keys2"]
FAILED = re.compile(
    r"\bFailed (?:password|publickey|keyboard-interactive\S*|none) for (?:invalid user )?.* from (\S+) port (\d+)"
)
# Attempts with keys that are not accepted leave only these.
TURNED_AWAY = re.compile(
    r"\b(?:Invalid user .*? from|Connection (?:closed|reset) by (?:invalid|authenticating) user .*?) (\S+) port (\d+)"
)
_ISO_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?([+-]\d\d:\d\d|Z)\s")


def collect(machine, parameters):
    """Return the facts of ``access``.

    Keys: ``sshd`` (see ``_sshd.observe``), ``accounts`` (those that can log in, have uid 0, a password or a key: name,
    uid, shell, can_log_in, password {state, algorithm, changed_at, max_age_days, expires_at} or None when hidden,
    last_login epoch or None, keys), ``last_logins_known`` (False: nothing on this host records logins),
    ``uid0``, ``keys`` (account, type, bits, fingerprint, options, file), ``keys_unread`` (accounts), ``admins`` (group
    -> members), ``sudo`` (see ``_sudoers.observe``; None: not readable or not installed), ``failed_logins`` ({count,
    sources, at_least, source} of the last hour; None: not readable).
    """
    try:
        accounts = _accounts.parse_passwd(machine.read("/etc/passwd") or "")
        groups = _accounts.parse_group(machine.read("/etc/group") or "")
    except ValueError as exc:
        raise Unreadable("error", str(exc)) from None
    if not accounts:
        raise Unreadable("error", "/etc/passwd has no accounts")
    sshd = _sshd.observe(machine)
    shadow = _shadow(machine)
    logins = _accounts.last_logins(machine)
    patterns = ((sshd["settings"] or {}).get("authorizedkeysfile")) or DEFAULT_KEY_FILES
    holders = [one for one in accounts if one["can_log_in"] or one["uid"] == 0]
    keys, unread = _sshd.authorized_keys(machine, holders, [path for path in patterns if path != "none"])
    listed = []
    for account in accounts:
        password = None if shadow is None else shadow.get(account["name"])
        own = [key["fingerprint"] for key in keys if key["account"] == account["name"]]
        interesting = account["can_log_in"] or account["uid"] == 0 or own
        if interesting or (password or {}).get("state") in ("set", "empty"):
            listed.append(
                {
                    "name": account["name"],
                    "uid": account["uid"],
                    "shell": account["shell"],
                    "can_log_in": account["can_log_in"],
                    "password": password,
                    "last_login": (logins or {}).get(account["name"]),
                    "keys": len(own),
                }
            )
    return {
        "sshd": sshd,
        "accounts": listed,
        "last_logins_known": logins is not None,
        "uid0": sorted(account["name"] for account in accounts if account["uid"] == 0),
        "keys": keys,
        "keys_unread": unread,
        "admins": _accounts.admin_groups(groups, accounts),
        "sudo": _sudoers.observe(machine),
        "failed_logins": _failed_logins(machine),
    }


def _shadow(machine):
    text = machine.read("/etc/shadow", source="shadow")
    if text is None:
        return None
    try:
        return _accounts.parse_shadow(text)
    except ValueError as exc:
        machine.note("shadow", "error", str(exc))
        return None


def _failed_logins(machine):
    if machine.which("journalctl"):
        command = ["journalctl", "-q", "-o", "cat", "--no-pager", "-n", str(JOURNAL_LINES), "--since=-1h"]
        journal = machine.run(command + ["-t", "sshd", "-t", "sshd-session"], source="journal", timeout=4.0)
        # Without the right to read it, journalctl shows an empty journal and ends with 0.
        if journal.ok and not machine.privileged and not journal.out:
            machine.note("journal", "denied", "the system journal may not be readable by this user")
        elif journal.ok and (journal.out or machine.glob("/var/log/journal/*") or machine.glob("/run/log/journal/*")):
            facts = count_failed(journal.lines())
            facts["at_least"] = journal.truncated or len(journal.lines()) >= JOURNAL_LINES
            facts["source"] = "journal"
            return facts
    for path in LOGS:
        text = machine.tail(path, LOG_SIZE, source="login log")
        if text is None:
            continue
        try:
            lines, complete = recent_lines(text, machine.now() - HOUR)
        except ValueError as exc:
            machine.note("login log", "error", "%s: %s" % (path, exc))
            return None
        facts = count_failed(lines)
        facts["at_least"] = not complete and len(text) >= LOG_SIZE - 4
        facts["source"] = path
        return facts
    return None


def count_failed(lines):
    """{count, sources}: refused logins and the number of different addresses; neither names nor addresses are kept.

    One connection that was turned away without a single "Failed" line counts once.
    """
    failed, turned_away = [], set()
    for line in lines:
        match = FAILED.search(line)
        if match:
            failed.append(match.groups())
            continue
        match = TURNED_AWAY.search(line)
        if match:
            turned_away.add(match.groups())
    silent = turned_away - set(failed)
    return {
        "count": len(failed) + len(silent),
        "sources": len(set(pair[0] for pair in failed) | set(p[0] for p in silent)),
    }


def recent_lines(text, since):
    """(sshd's lines written after ``since``, whether an older line was seen) of a log with ISO times.

    Raises ValueError when its lines carry the old form of time, which names neither year nor zone.
    """
    found, older = [], False
    for line in text.splitlines()[1 if len(text) >= LOG_SIZE else 0 :]:
        match = _ISO_TIME.match(line)
        if not match:
            raise ValueError("no ISO time at the start of a line")
        moment = calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S"))
        zone = match.group(2)
        if zone != "Z":
            moment -= (int(zone[1:3]) * 3600 + int(zone[4:]) * 60) * (-1 if zone[0] == "-" else 1)
        if moment < since:
            older = True
        elif " sshd" in line:
            found.append(line)
    return found, older
