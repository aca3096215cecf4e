# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who needs a file: the package that it came with, the process that has it open.

Both answer with a reason to leave the file where it is, or with "". What cannot be told is a reason, too.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re

_GLOB = re.compile(r"([\\*?\[\]])")
_UNIT = re.compile(r"([^/]+\.(?:service|scope))")
_TIMEOUT_S = 20.0


# Where Debian rules, its rpm has no database, and looks for one in the home that commands are given.
_NO_DATABASE = "/dev/null/.rpmdb"
# Both may be installed, and only one of them rules the host: each is asked. rpm answers 1 to "of no package" as well as
# to a database that it cannot read; then it says "error:".
_MANAGERS = (
    (
        "dpkg-query",
        lambda path: ["dpkg-query", "--search", _GLOB.sub(r"\\\1", path)],
        lambda out: out.partition(": ")[0],
    ),
    ("rpm", lambda path: ["rpm", "--query", "--queryformat", "%{NAME}\\n", "--file", path], lambda out: out.strip()),
)


def package(machine, path):
    """Why a file must stay: it belongs to a package of the system."""
    for program, argv, name in _MANAGERS:
        if not machine.which(program):
            continue
        shown = machine.run(argv(path), timeout=_TIMEOUT_S, accepted=(0, 1), source="packages")
        if _NO_DATABASE in shown.err:
            continue
        if not shown.ok or (shown.rc == 1 and "error:" in shown.err):
            return "the package manager could not say whether it belongs to a package"
        if shown.rc == 0 and name(shown.out):
            return "it belongs to the package %s" % " ".join(name(shown.out).split())[:80]
    return ""


def process(status):
    """Why a file (its os.stat_result) must stay: a process has it open, runs it or has it in memory.

    Files that this program itself has open do not count.
    """
    wanted = (status.st_dev, status.st_ino)
    mapped = "%02x:%02x %d" % (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
    for number in os.listdir("/proc"):
        if not number.isdigit() or int(number) == os.getpid():
            continue
        if _has_open(number, wanted) or mapped in _read("/proc/%s/maps" % number):
            unit = _UNIT.findall(_read("/proc/%s/cgroup" % number))
            name = _read("/proc/%s/comm" % number).strip() or "a process"
            where = " of %s" % unit[-1] if unit else ""
            return "%s (process %s%s) has it open; end that first" % (name, number, where)
    return ""


def _has_open(number, wanted):
    folder = "/proc/%s/fd" % number
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for path in ["%s/%s" % (folder, name) for name in names] + ["/proc/%s/exe" % number]:
        try:
            known = os.stat(path)
        except OSError:
            continue
        if (known.st_dev, known.st_ino) == wanted:
            return True
    return False


def _read(path):
    try:
        with open(path, "rb") as stream:
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
