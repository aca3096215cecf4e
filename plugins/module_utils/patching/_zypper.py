# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: patch with zypper: patches as SUSE publishes them, or single packages.

zypper decides as it does for an administrator, recommended packages included. What it would ask a person, it is not
told: licences are not agreed to, vendors and architectures not changed, locks not removed; all that is an error.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _rpm_moves, _zypper_text
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _rpm, _zypper
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import LIST_CAP, Output

_RAW = "/var/cache/zypp/raw/%s"
_BASE = ["zypper", "--non-interactive", "--no-refresh"]
# Reads beside a running zypper instead of refusing, takes no lock itself, and leaves zypper's log alone.
_LOOKING = {"ZYPP_READONLY_HACK": "1", "ZYPP_LOGFILE": "/dev/null"}
# The locks were free a moment ago: whoever came in between is waited for a little, then zypper says 7.
_ACTING = {"ZYPP_LOCK_TIMEOUT": "5"}


def refused(machine):
    """Why Keepwell does not patch this host with zypper, in one sentence; empty when it does."""
    if machine.which("transactional-update"):
        return (
            "This host is updated by transactional-update, into a snapshot that the next boot uses: "
            "it is only looked at."
        )
    return ""


def simulate(machine, items):
    """What zypper would do for exactly these patches and versions, without a refresh or a lock.

    {"moves", "download_bytes", "installed_bytes", "errors"}; sizes are None when zypper came to nothing.
    """
    text = refused(machine)
    if text or not items:
        return {"moves": [], "download_bytes": 0, "installed_bytes": 0, "errors": [text] if text else []}
    found, output = _asked(machine, ["install", "--dry-run"] + _names(items), "zypper")
    simulation = dict((key, found[key]) for key in ("moves", "download_bytes", "installed_bytes"))
    errors = list(found["problems"])
    if output.rc not in _zypper_text.GOOD and not errors:
        errors.append(_failure(output))
    if not errors:
        errors = _rpm_moves.not_reached(items, found["moves"])
        errors += [
            "%s: this patch is not needed, or not offered" % item["name"]
            for item in items
            if item["kind"] == "patch" and item["name"] not in found["patches"]
        ]
    simulation["errors"] = errors
    return simulation


def _never_fetched(machine):
    """Repositories whose metadata is not on the host: zypper would fetch it now, --no-refresh or not."""
    enabled = _rpm.repositories(machine, _zypper.REPOSITORIES)
    return [entry["id"] for entry in enabled if not machine.exists(_RAW % entry["id"])]


def _asked(machine, words, source):
    """What a dry run of zypper came to, and its Output."""
    names = _never_fetched(machine)
    if names:
        problem = "The metadata of %s was never fetched: zypper refresh" % ", ".join(names)
        found = {"moves": [], "patches": [], "download_bytes": None, "installed_bytes": None, "problems": [problem]}
        return found, Output("absent")
    output = machine.run(
        _BASE + ["--xmlout"] + words, timeout=25.0, accepted=None, source=source, env=_LOOKING, cap=LIST_CAP
    )
    found = machine.parsed_output(source, output, _zypper_text.parse_install)
    if found is None:
        problem = _rpm_moves.reason(output) if not output.ok else machine.sources[source].get("detail", "")
        found = {"moves": [], "patches": [], "download_bytes": None, "installed_bytes": None, "problems": [problem]}
    return found, output


def _failure(output):
    words = _rpm_moves.reason(output)
    return _meaning(output.rc) if words.startswith(("return code", "<")) else "%s: %s" % (_meaning(output.rc), words)


def _names(items):
    names = []
    for item in items:
        if item["kind"] == "patch":
            names.append("patch:%s=%s" % (item["name"], item["version"]))
        else:
            names.append(_exact(item["name"], item.get("arch"), item["version"]))
    return names


def _exact(name, arch, version):
    return "%s%s=%s" % (name, "." + arch if arch else "", version)


def state(machine):
    """{"clean", "problems": [text]}: whether zypper and rpm are in a state to be built on."""
    text = refused(machine)
    if text:
        return {"clean": False, "problems": [text]}
    problems = _rpm_moves.database_problems(machine)
    found, output = _asked(machine, ["verify", "--dry-run"], "zypper verify")
    problems += found["problems"]
    if output.rc not in _zypper_text.GOOD and not found["problems"]:
        problems.append(_failure(output))
    for entry in found["moves"]:
        version = entry["after"] or entry["before"]
        problems.append("zypper verify would %s %s %s" % (entry["action"], entry["name"], version))
    return {"clean": not problems, "problems": problems}


def refresh(commands, timeout=None):
    """Fetch the metadata of all repositories: {"rc", "errors": [text]}; unknown keys are not trusted."""
    output = commands.run(["zypper", "--non-interactive", "--xmlout", "refresh"], env=_ACTING, timeout=timeout)
    try:
        errors = _zypper_text.parse_errors(output.out)
    except ValueError as exc:
        errors = [str(exc)]
    return {"rc": output.rc, "errors": errors or ([] if output.rc == 0 else [_failure(output)])}


def offered(machine, moves):
    """Keys of the moves whose former version can still be had, so that there is a way back; None when unknown."""
    wanted = [entry for entry in moves if entry["before"] and entry["after"]]
    if not wanted or refused(machine) or _never_fetched(machine):
        return [] if not wanted else None
    argv = _BASE + ["--xmlout", "search", "--details", "--match-exact", "--type", "package"]
    output = machine.run(
        argv + sorted(set(entry["name"] for entry in wanted)),
        timeout=25.0,
        # 104: none of them is known at all.
        accepted=(0, 104),
        source="zypper search",
        env=_LOOKING,
        cap=LIST_CAP,
    )
    found = machine.parsed_output("zypper search", output, _zypper_text.parse_search)
    if found is None:
        return None
    return [_rpm_moves.key(entry) for entry in wanted if (entry["name"], entry["arch"], entry["before"]) in found]


def versions(machine):
    """{"name:arch": version} of what is installed, as _rpm_moves.versions has it."""
    return _rpm_moves.versions(machine)


def marker(machine):
    """Number of the newest snapper snapshot, ``snapper:12``; None where there is none.

    With snapper's plugin zypper makes a pair of them around every change. They are written down for a person:
    ``snapper undochange`` takes back everything that changed meanwhile, by whomever, so undo() does not use them.
    """
    if not machine.which("snapper"):
        return None
    output = machine.run(["snapper", "--csvout", "list", "--columns", "number"], timeout=10.0)
    numbers = [int(line) for line in output.out.splitlines() if line.strip().isdigit()] if output.ok else []
    # 0 is the running system.
    return "snapper:%d" % max(numbers) if any(numbers) else None


def download(commands, items):
    """Get the packages of the transaction into zypper's cache; return the Output of zypper."""
    return _acted(commands, ["install", "--download-only"] + _names(items))


def _acted(commands, words):
    """Output of zypper with return code 0 whenever it did what it should, and its meaning as last line otherwise."""
    output = commands.run(_BASE + words, env=_ACTING)
    if output.rc in _zypper_text.GOOD:
        output.rc = 0
    elif output.rc is not None:
        output.err = "%s\n%s" % (output.err.rstrip(), _meaning(output.rc))
    return output


def _meaning(code):
    return _zypper_text.MEANINGS.get(code, "zypper ended with return code %s" % code)


def keep_old(commands, moves, folder):
    """Get the packages that the moves replace into ``folder``: {"kept": {key: path}, "missing": {key: reason}}.

    They come from the repositories, which mostly offer old versions, too; what is not offered is left out.
    """
    wanted = [entry for entry in moves if entry["before"] and entry["after"]]
    paths = []
    if wanted:
        names = [_exact(entry["name"], entry["arch"], entry["before"]) for entry in wanted]
        done = commands.run(_BASE + ["--xmlout", "--pkg-cache-dir", folder, "download"] + names, env=_ACTING)
        try:
            paths = [path for path in _zypper_text.parse_download(done.out) if os.path.isfile(path)]
        except ValueError:
            paths = []
    return _rpm_moves.kept_and_missing(wanted, paths)


def apply(commands, items):
    """Install exactly these patches and versions; return the Output of zypper."""
    return _acted(commands, ["install"] + _names(items))


def undo(commands, moves, kept):
    """Go back to the versions before ``moves``: {"rc", "text", "stays": {key: reason}}.

    From kept packages, or where the repositories still offer them. Kept ones were checked when they were fetched and
    lie where only root can write, so zypper may take them without a signature of their own.
    """
    possible, stays = _rpm_moves.way_back(moves)
    if not possible:
        return {"rc": 1, "text": "No package of this change can go back.", "stays": stays}
    targets = [
        kept.get(_rpm_moves.key(entry)) or _exact(entry["name"], entry["arch"], entry["before"]) for entry in possible
    ]
    words = ["install", "--oldpackage", "--allow-unsigned-rpm"]
    found, output = _asked(commands.machine, words + ["--dry-run"] + targets, "zypper")
    lacking = list(found["problems"])
    if output.rc not in _zypper_text.GOOD and not lacking:
        lacking.append(_failure(output))
    lacking = lacking or _rpm_moves.not_undone(possible, found["moves"])
    if lacking:
        return {"rc": 1, "text": "zypper finds no way back: " + "; ".join(lacking), "stays": stays}
    done = _acted(commands, words + targets)
    return {"rc": done.rc, "text": "" if done.rc == 0 else _rpm_moves.reason(done), "stays": stays}


def config_files(_machine, text):
    """Configuration files that rpm put beside a changed one, by its own words: paths in .rpmnew, .rpmsave, .rpmorig."""
    return _rpm_moves.kept_aside(text)


def half_done(machine, moves, text):
    """What was left in between, in words; ``text`` is what zypper and rpm said meanwhile.

    rpm knows no half states: a package is in or it is not. What can be wrong are scripts that failed, packages that
    are in twice and files that differ from their package because the work was cut off.
    """
    found = _rpm_moves.scripts_failed(text)
    broken = _rpm_moves.database_problems(machine)
    if broken:
        broken += _rpm_moves.broken_files(machine, moves)
    return found + broken
