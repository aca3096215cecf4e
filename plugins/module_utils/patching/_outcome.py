# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what became of a transaction, by what is installed now.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _apt_moves, _rpm_moves


def collect(machine, backend, folder, moves, said):
    """Compare with what was there before: fields of the state, from the package manager's own account."""
    before = _folder.load(folder, "before.json") or {}
    after = backend.versions(machine)
    half_done = backend.half_done(machine, moves, said)
    if after is None:
        after = before
        half_done = half_done or ["the list of installed packages cannot be read"]
    changed = [key for key in sorted(set(before) | set(after)) if before.get(key) != after.get(key)]
    aside = _folder.load(folder, "aside.json") or []
    return {
        "before": dict((key, before.get(key)) for key in changed),
        "after": dict((key, after.get(key)) for key in changed),
        "moves_done": [_done(key, before.get(key), after.get(key)) for key in changed],
        "config_files": [path for path in backend.config_files(machine, said) if path not in aside],
        "half_done": half_done,
        "installed": dict((_rpm_moves.key(move), after.get(_rpm_moves.key(move))) for move in moves),
    }


def _done(key, before, after):
    name, _colon, arch = key.rpartition(":")
    return {"name": name, "arch": arch, "before": before, "after": after}


def judge(wanted, found, rc, text, stays, kind):
    """(outcome, code, sentence) for what was wanted {key: version} and what was found."""
    count = len(found["moves_done"])
    if kind == "rollback" and rc != 0 and not count:
        return "refused", "no_way_back", "Nothing went back.%s%s" % (_said(text), _stay(stays))
    changed = "%d package%s changed" % (count, "" if count == 1 else "s")
    # Several versions of a kernel are installed side by side.
    lacking = [
        key for key, version in sorted(wanted.items()) if version not in (found["installed"].get(key) or "").split(", ")
    ]
    if found["half_done"]:
        what = "; ".join(found["half_done"][:5])
        return "failed", "half_done", "%s, and some is half-done: %s.%s" % (changed, what, _said(text))
    if lacking:
        what = ", ".join(lacking[:5]) + (" and %d more" % (len(lacking) - 5) if len(lacking) > 5 else "")
        return "failed", "apply_failed", "%s, and not what was wanted: %s.%s" % (changed, what, _said(text))
    if rc != 0:
        return "failed", "apply_failed", "%s, and the package manager ended with an error.%s" % (changed, _said(text))
    if kind == "rollback" and stays:
        return "done", "", "%s back.%s" % (changed, _stay(stays))
    return "done", "", "%s%s." % (changed, " back" if kind == "rollback" else "")


def _stay(stays):
    return " What stays: %s." % "; ".join("%s: %s" % pair for pair in sorted(stays.items())[:5]) if stays else ""


def _said(text):
    return " It said: %s." % text.rstrip(".") if text else ""


def reason(manager, output):
    """One line that says why a command failed."""
    if output.status == "timeout":
        return "it took longer than it may and was ended"
    return "; ".join(_apt_moves.errors(output))[:300] if manager == "apt" else _rpm_moves.reason(output)
