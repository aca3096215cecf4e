# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: patch with dnf 4 (also where it is called yum). dnf 5 and yum 3 are refused.

Exact versions go in, nothing is erased to make room (no --allowerasing, ever), and from the simulation to the end dnf
works with the metadata it has (-C): what is installed is what was announced, or nothing.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _dnf_hook, _rpm_moves
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dnf
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import LIST_CAP

# Exactly this version, or the reason why not; without --best some distributions' dnf leaves out what it cannot install.
_UPGRADE = ["--best", "upgrade"]
# Another dnf may have come in between: rather not at all than later.
_ACT = ["dnf", "-C", "-y", "--setopt=exit_on_lock=True"]
# Not "info last": with an empty history dnf 4.14 ends with a traceback.
_HISTORY = {"argv": _dnf.DNF4 + ["history", "info"], "timeout": 10.0, "source": "dnf history", "cap": LIST_CAP}
_HISTORY_LINE = re.compile(r"^([A-Z][A-Za-z -]+?)\s*: ?(.*)$", re.MULTILINE)
_FETCH_FAILED = re.compile(r"^Error: (Failed to download metadata for repo .+)$", re.MULTILINE)
_FAILED = re.compile(r"^ \*\* +(\w+) +(\S+)", re.MULTILINE)


def refused(machine):
    """Why Keepwell does not patch this host with dnf, in one sentence; empty when it does."""
    if machine.exists("/run/ostree-booted"):
        return "This host is an image (rpm-ostree) whose updates are deployed whole: it is only looked at."
    if machine.which("dnf5"):
        return "This host has dnf 5, with which Keepwell has not been tried: patch it by hand, it is only looked at."
    if not machine.which("dnf"):
        return "This host has yum 3, with which Keepwell does not act: patch it by hand, and plan its replacement."
    if _dnf_hook.interpreter(machine) is None:
        return "The Python that dnf runs under is not named in the first line of its program: Keepwell cannot ask it."
    return ""


def simulate(machine, items):
    """What dnf would do for exactly these versions, from its cache alone.

    {"moves", "download_bytes", "installed_bytes", "errors"}; sizes are None when dnf came to nothing.
    """
    errors = [refused(machine)]
    errors += ["%s: dnf knows no patches, only packages" % item["name"] for item in items if item["kind"] != "package"]
    errors = [text for text in errors if text]
    if errors or not items:
        return {"moves": [], "download_bytes": 0, "installed_bytes": 0, "errors": errors}
    words = ["--assumeno"] + _UPGRADE + _names(items)
    argv = _dnf_hook.argv(_dnf_hook.interpreter(machine), "simulate", words)
    # Return code 1 is how dnf says that it was told not to go on.
    output = machine.run(argv, timeout=25.0, accepted=(0, 1), source="dnf", cap=LIST_CAP)
    if not output.ok:
        return _nothing("dnf: " + _rpm_moves.reason(output))
    try:
        answer = _dnf_hook.parse(output.out)
    except ValueError:
        if "No packages marked for upgrade" in output.err:
            return _nothing(*_rpm_moves.not_reached(items, []))
        return _nothing("dnf: " + _rpm_moves.reason(output))
    simulation = _dnf_hook.simulation(answer)
    simulation["errors"] = _rpm_moves.not_reached(items, simulation["moves"])
    return simulation


def _nothing(*errors):
    return {"moves": [], "download_bytes": None, "installed_bytes": None, "errors": list(errors)}


def _names(items):
    return [_rpm_moves.nevra(item["name"], item["version"], item.get("arch") or "") for item in items]


def state(machine):
    """{"clean", "problems": [text]}: whether dnf and rpm are in a state to be built on."""
    text = refused(machine)
    if text:
        return {"clean": False, "problems": [text]}
    # Not what is obsoleted: that is no damage, and some distributions ship it.
    check = {"argv": _dnf.DNF4 + ["check", "--dependencies"], "timeout": 25.0, "accepted": (0, 1)}
    check["source"] = "dnf check"
    requests = [dict(request) for request in _rpm_moves.DATABASE] + [check]
    listed, verified, output = machine.run_all(requests)
    problems = _rpm_moves.database_problems(machine, listed, verified)
    lines = [line.strip() for line in output.out.splitlines() if line.strip()]
    if not output.ok or (output.rc == 1 and not lines):
        problems.append("dnf check: " + _rpm_moves.reason(output))
    problems += lines[:10] + (["and %d more" % (len(lines) - 10)] if len(lines) > 10 else [])
    last = history(machine)
    if last and last["unfinished"]:
        problems.append(
            "dnf's last transaction (%s, %s) never ended. Look at it with: dnf history info %s; reinstall its packages"
            % (last["id"], last["command"], last["id"])
        )
    return {"clean": not problems, "problems": problems}


def history(machine):
    """The newest transaction of dnf's own history, as parse_history has it; None when there is none."""
    # Who asks for a history that is not there makes it.
    if not machine.exists(_dnf_hook.HISTORY):
        return None
    output = machine.run(**_HISTORY)
    return machine.parsed_output("dnf history", output, parse_history) if output.ok else None


def parse_history(text):
    """Parse ``history info``: {"id", "command", "unfinished", "succeeded", "failed": [package]}.

    One that was killed has no end, which dnf writes as 1970. Raises ValueError when it is no such text.
    """
    # "Scriptlet output" at the end is free text.
    head = text.split("Packages Altered:", 1)[0]
    fields = dict((key, value.strip()) for key, value in _HISTORY_LINE.findall(head))
    if not fields.get("Transaction ID", "").isdigit() or "Return-Code" not in fields:
        raise ValueError("dnf history info: unexpected text %r" % text[:120])
    ended = fields.get("End time", "")
    return {
        "id": int(fields["Transaction ID"]),
        "command": fields.get("Command Line", ""),
        "unfinished": " 1970 " in ended or not ended or fields["Return-Code"] == "Aborted",
        "succeeded": fields["Return-Code"] == "Success",
        "failed": sorted(set(package for _action, package in _FAILED.findall(text))),
    }


def refresh(commands, timeout=None):
    """Fetch the metadata of all repositories: {"rc", "errors": [text]}.

    Not quietly: where skip_if_unavailable is set, dnf tells of a repository that it cannot reach by its words alone.
    """
    output = commands.run(["dnf", "makecache", "--refresh"], timeout=timeout)
    errors = sorted(set(_FETCH_FAILED.findall(output.out + "\n" + output.err)))
    if output.rc != 0 and not errors:
        errors = [_rpm_moves.reason(output)]
    return {"rc": output.rc, "errors": errors}


def offered(machine, moves):
    """Keys of the moves whose former version can still be had, so that there is a way back; None when unknown.

    To be asked before anything is done: dnf answers for what is installed.
    """
    wanted = [entry for entry in moves if entry["before"] and entry["after"]]
    if not wanted or refused(machine):
        return [] if not wanted else None
    names = [_rpm_moves.nevra(entry["name"], entry["before"], entry["arch"]) for entry in wanted]
    argv = _dnf_hook.argv(_dnf_hook.interpreter(machine), "simulate", ["--assumeno", "reinstall"] + names)
    output = machine.run(argv, timeout=25.0, accepted=(0, 1), source="dnf reinstall", cap=LIST_CAP)
    if "No packages marked for reinstall" in output.err:
        return []
    answer = machine.parsed_output("dnf reinstall", output, _dnf_hook.parse)
    if answer is None:
        return None
    found = set((entry["name"], entry["arch"], entry["after"]) for entry in _dnf_hook.simulation(answer)["moves"])
    return [_rpm_moves.key(entry) for entry in wanted if (entry["name"], entry["arch"], entry["before"]) in found]


def versions(machine):
    """{"name:arch": version} of what is installed, as _rpm_moves.versions has it."""
    return _rpm_moves.versions(machine)


def marker(machine):
    """Number of the newest transaction in dnf's history, to tell which ones are ours; None without any."""
    last = history(machine)
    return last["id"] if last else None


def download(commands, items):
    """Get the packages of the transaction, and check their signatures; return the Output of dnf."""
    return _hooked(commands, "download", ["-y", "--downloadonly"] + _UPGRADE + _names(items))


def keep_old(commands, moves, folder):
    """Get the packages that the moves replace into ``folder``: {"kept": {key: path}, "missing": {key: reason}}.

    From dnf's cache where it keeps them, otherwise from the repositories as long as they offer them.
    """
    wanted = [entry for entry in moves if entry["before"] and entry["after"]]
    if wanted:
        names = [_rpm_moves.nevra(entry["name"], entry["before"], entry["arch"]) for entry in wanted]
        # What is installed and offered can be installed again: the one question that lets dnf fetch just these.
        _hooked(commands, "fetch", ["-y", "--downloadonly", "--destdir=" + folder, "reinstall"] + names)
    return _rpm_moves.kept_and_missing(wanted, [os.path.join(folder, name) for name in os.listdir(folder)])


def apply(commands, items):
    """Upgrade to exactly these versions; return the Output of dnf. What a 0 is worth, only half_done tells."""
    return commands.run(_ACT + _UPGRADE + _names(items))


def undo(commands, moves, kept):
    """Go back to the versions before ``moves``: {"rc", "text", "stays": {key: reason}}.

    From kept packages, or where the repositories still offer them (what ``dnf history undo`` would do, but for just
    these packages, whatever else was installed since, and without removing anything).
    """
    possible, stays = _rpm_moves.way_back(moves)
    if not possible:
        return {"rc": 1, "text": "No package of this change can go back.", "stays": stays}
    targets = [
        kept.get(_rpm_moves.key(entry)) or _rpm_moves.nevra(entry["name"], entry["before"], entry["arch"])
        for entry in possible
    ]
    python = _dnf_hook.interpreter(commands.machine)
    argv = _dnf_hook.argv(python, "simulate", ["--assumeno", "downgrade"] + targets)
    output = commands.machine.run(argv, timeout=60.0, accepted=(0, 1), source="dnf", cap=LIST_CAP)
    try:
        planned = _dnf_hook.simulation(_dnf_hook.parse(output.out))["moves"]
    except ValueError:
        return {"rc": 1, "text": "dnf finds no way back: " + _rpm_moves.reason(output), "stays": stays}
    lacking = _rpm_moves.not_undone(possible, planned)
    if lacking:
        return {"rc": 1, "text": "dnf finds no way back: " + "; ".join(lacking), "stays": stays}
    got = _hooked(commands, "download", ["-y", "--downloadonly", "downgrade"] + targets)
    if got.rc != 0:
        return {"rc": got.rc, "text": "The old packages cannot be had: " + _rpm_moves.reason(got), "stays": stays}
    done = commands.run(_ACT + ["downgrade"] + targets)
    return {"rc": done.rc, "text": "" if done.rc == 0 else _rpm_moves.reason(done), "stays": stays}


def config_files(_machine, text):
    """Configuration files that rpm put beside a changed one, by its own words: paths in .rpmnew, .rpmsave, .rpmorig."""
    return _rpm_moves.kept_aside(text)


def half_done(machine, moves, text):
    """What was left in between, in words; ``text`` is what dnf and rpm said meanwhile.

    rpm knows no half states: a package is in or it is not. What can be wrong are scripts that failed, packages that
    are in twice and files that differ from their package because the work was cut off.
    """
    found = _rpm_moves.scripts_failed(text) + _rpm_moves.database_problems(machine)
    last = history(machine)
    if last and last["unfinished"]:
        found.append("dnf's transaction %d never ended" % last["id"])
        found += _rpm_moves.broken_files(machine, moves)
    return found


def _hooked(commands, mode, words):
    program = os.path.join(commands.folder, "dnf_hook.py")
    with open(program, "w") as stream:
        stream.write(_dnf_hook.SCRIPT)
    return commands.run(_dnf_hook.argv(_dnf_hook.interpreter(commands.machine), mode, words, program))
