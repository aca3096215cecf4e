# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: bring the definitions up to date, and find out whether they really are.

Whether it worked is told by the versions on disk and in the daemon's memory, before and after, never by a return
code. freshclam's own daemon is never fought: where it runs it is asked to look now, by its own signal.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re
import signal
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _engine
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav

_FETCH_S = 900.0
# How long the updater's daemon, and then clamd, may take.
_ANSWER_S = 180.0
_LOAD_S = 180.0
_PAUSE_S = 1.0
_CURRENT = re.compile(r"up[ -]to[ -]date")
# The line with which freshclam's daemon ends a look.
_ENDED = re.compile(r"update process started.*^(?:.{24} -> )?-{20,}$", re.DOTALL | re.MULTILINE)
_ERROR = re.compile(r"^(?:.{24} -> )?!?ERROR")
_REFUSED = {403: "forbidden", 429: "too many requests"}


def versions(engine):
    """What is on disk and what is loaded: {disk, disk_built_at, loaded}."""
    daily = engine["databases"].get("daily")
    return {
        "disk": str(daily["version"]) if daily else None,
        "disk_built_at": daily["built_at"] if daily else None,
        "loaded": engine["loaded"],
    }


def update(machine, commands):
    """Update ClamAV's definitions: {engine, result, text, before, after}.

    ``result``: updated (what is on disk changed, and the daemon works with it), current (the updater says that there
    is nothing newer), failed.
    """
    before = _engine.clamav(machine)
    if before["updater"]:
        words = _ask_daemon(machine, before)
    elif machine.which("freshclam") is None:
        return _told("failed", "freshclam is not installed, and nothing else fetches definitions", before, before)
    else:
        words = _fetch(commands)
    after = _engine.clamav(machine)
    changed = after["fingerprint"] != before["fingerprint"]
    loaded = _load(machine, after) if after["alive"] else ""
    after["loaded"] = _engine.loaded(machine, after["socket"])
    if loaded:
        return _told("failed", loaded, before, after)
    if changed:
        text = "what is on disk is another set than before"
        text += ", and the daemon works with it" if after["alive"] else "; no daemon runs to load it"
        text += "; yet: %s" % words if words not in ("", "current") else ""
        return _told("updated", text, before, after)
    if words == "current":
        return _told("current", "the updater says that there is nothing newer", before, after)
    return _told("failed", "definitions are as they were: %s" % (words or "no reason was given"), before, after)


def _told(result, text, before, after):
    return {
        "engine": "ClamAV",
        "result": result,
        "text": text,
        "before": versions(before),
        "after": versions(after),
    }


def _fetch(commands):
    """Let freshclam fetch once; "current" when nothing is newer, "" when something was, or why it could not."""
    output = commands.run(["freshclam", "--stdout", "--no-warnings"], timeout=_FETCH_S)
    text = output.out + output.err
    if output.status == "ok" and output.rc == 0:
        return "current" if _CURRENT.search(text) else ""
    if _reason(text):
        return _reason(text)
    return "it took too long" if output.status == "timeout" else "freshclam ended with %s" % output.rc


def _ask_daemon(machine, engine):
    """Ask freshclam's daemon to look now (freshclam(1): SIGUSR1), and wait until it has."""
    settings = _clamav.read_settings(machine, _clamav.UPDATER_CONFIGURATIONS) or {}
    log = _clamav.last_of(settings, "UpdateLogFile") or _clamav.UPDATER_LOG
    size = _length(machine, log)
    for pid in _pids(machine):
        os.kill(pid, signal.SIGUSR1)
    end = time.monotonic() + _ANSWER_S
    said = ""
    while time.monotonic() < end and not _ENDED.search(said):
        time.sleep(_PAUSE_S)
        if size is not None:
            said = machine.tail(log, max(0, (_length(machine, log) or 0) - size)) or ""
    if _reason(said):
        return "freshclam's daemon was asked to look now, and said: %s" % _reason(said)
    if _CURRENT.search(said):
        return "current"
    if _ENDED.search(said):
        return ""
    return "freshclam's daemon runs and was asked to look now; it did not say what came of it"


def _pids(machine):
    """Processes of freshclam on this host; those of its containers are theirs."""
    own = machine.readlink("/proc/self/ns/pid")
    found = []
    for number in machine.listdir("/proc"):
        if not number.isdigit() or machine.readlink("/proc/%s/ns/pid" % number) != own:
            continue
        if (machine.read("/proc/%s/comm" % number, limit=64) or "").strip() == "freshclam":
            found.append(int(number))
    return found


def _length(machine, path):
    entry = machine.stat(path)
    return entry["size"] if entry else None


def _reason(text):
    """The line by which an updater says why it has nothing; "" when it says no such thing."""
    refused = _clamav.parse_updater_log(text)["refused"]
    if refused:
        return "the server turned this host away (%d, %s)" % (refused, _REFUSED[refused])
    lines = [line.strip() for line in text.splitlines() if _ERROR.match(line.strip())]
    return lines[0][:200] if lines else ""


def _load(machine, engine):
    """See that clamd works with what is on disk; "" when it does, else why not."""
    disk = versions(engine)["disk"]
    if disk is None or _engine.loaded(machine, engine["socket"]) == disk:
        return ""
    # freshclam tells clamd by itself where it is set up to; a second word does no harm.
    _engine.reload(machine, engine["socket"])
    end = time.monotonic() + _LOAD_S
    while time.monotonic() < end:
        if _engine.loaded(machine, engine["socket"]) == disk:
            return ""
        time.sleep(_PAUSE_S)
    now = _engine.loaded(machine, engine["socket"])
    return "version %s is on disk, and clamd still works with %s" % (disk, now or "an unknown one")


def update_defender(machine, commands):
    """Update the definitions of Defender for Endpoint: like ``update``."""
    before = _defender_version(machine)
    output = commands.run([_engine.MDATP, "definitions", "update"], timeout=_FETCH_S)
    end = time.monotonic() + _ANSWER_S
    after = _defender_version(machine)
    while after == before and output.rc == 0 and _status(machine) == "updating" and time.monotonic() < end:
        time.sleep(_PAUSE_S)
        after = _defender_version(machine)
    answer = {
        "engine": "Microsoft Defender for Endpoint",
        "before": {"disk": before, "disk_built_at": None, "loaded": before},
        "after": {"disk": after, "disk_built_at": None, "loaded": after},
    }
    if after and after != before:
        return dict(answer, result="updated", text="definitions are a newer version than before")
    if after and _status(machine) == "up_to_date":
        return dict(answer, result="current", text="the product says that there is nothing newer")
    words = " ".join((output.err or output.out or output.status).split())[:200]
    return dict(answer, result="failed", text="definitions are as they were: %s" % words)


def _field(machine, name):
    shown = machine.run([_engine.MDATP, "health", "--field", name], timeout=10.0, source="mdatp")
    return shown.out.strip().strip('"') if shown.ok else None


def _defender_version(machine):
    return _field(machine, "definitions_version")


def _status(machine):
    return _field(machine, "definitions_status")
