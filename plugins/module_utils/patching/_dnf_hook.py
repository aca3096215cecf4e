# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: dnf 4 itself, stopped where its transaction is known and before anything is done.

``dnf --assumeno`` prints the transaction as a table for eighty columns that wraps, groups and abbreviates, and says
nothing exact of what it replaces. So dnf's own program is run, with its own options, configuration and plugins, and
the one step in which it would show and run the transaction is ours: it prints it as JSON, whole, and stops. (The
library alone is no way: plugins expect the program around them and fail without.)

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _rpm_moves
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dnf

_MARK = "KEEPWELL "
HISTORY = "/var/lib/dnf/history.sqlite"
# simulate: stop; where root has never worked with dnf, its history is made in memory: it has nothing to remember.
# download: from here on dnf goes on as it would, but its metadata stays as it is, which --cacheonly until here saw to.
# fetch: get the packages into the folder that dnf was told, and stop; they must not count as dnf's own, or its next
# transaction removes them.
SCRIPT = """
import json
import os
import shutil
import sys
import tempfile

import dnf.cli
import dnf.cli.cli
import dnf.cli.main


def describe(entry, many):
    return {
        "name": entry.name,
        "arch": entry.arch,
        "evr": "%s:%s-%s" % (entry.epoch or 0, entry.version, entry.release),
        "download_bytes": entry.downloadsize,
        "installed_bytes": entry.installsize,
        "side_by_side": str(entry) in many,
    }


def do_transaction(self, display=()):
    kinds = list(self.conf.installonlypkgs)
    query = self.sack.query()
    many = set(str(entry) for entry in query.filter(provides=kinds)) | set(str(e) for e in query.filter(name=kinds))
    incoming = list(self.transaction.install_set)
    answer = {
        "install": [describe(entry, many) for entry in incoming],
        "remove": [describe(entry, many) for entry in self.transaction.remove_set],
    }
    print("\\nKEEPWELL " + json.dumps(answer, sort_keys=True))
    sys.stdout.flush()
    if mode == "simulate":
        raise dnf.cli.CliError("simulated")
    self.conf.cacheonly = False
    if mode == "download":
        return original(self, display)
    self.conf.keepcache = True
    self.download_packages(incoming, self.output.progress, self.output.download_callback_total_cb)


mode = sys.argv[1]
original = dnf.cli.cli.BaseCli.do_transaction
dnf.cli.cli.BaseCli.do_transaction = do_transaction
words = sys.argv[2:]
memory = None
if mode == "simulate" and not os.path.exists("@HISTORY@"):
    memory = tempfile.mkdtemp(prefix="keepwell-dnf-", dir="/run")
    words = ["--setopt=persistdir=" + memory] + words
try:
    code = dnf.cli.main.user_main(words)
finally:
    if memory:
        shutil.rmtree(memory, ignore_errors=True)
sys.exit(code)
""".replace("@HISTORY@", HISTORY)


def interpreter(machine):
    """The Python that the host's own dnf runs under, from its first line; None when that cannot be told."""
    path = machine.which("dnf")
    first = (machine.read(path, limit=200) or "").split("\n", 1)[0] if path else ""
    words = first[2:].split() if first.startswith("#!") else []
    known = words and "python" in words[0].rsplit("/", 1)[-1] and machine.which(words[0])
    return words[0] if known else None


def argv(python, mode, words, program=None):
    """The command that runs dnf up to its transaction; ``words`` are dnf's own: a verb and packages.

    ``program`` is a file that holds SCRIPT, for a record that has the command in it.
    """
    return [python] + ([program] if program else ["-c", SCRIPT]) + [mode] + _dnf.DNF4[1:] + words


def parse(text):
    """Parse what the script printed: {"install", "remove"}. Raises ValueError when dnf came to no transaction."""
    for line in text.splitlines():
        if line.startswith(_MARK):
            return json.loads(line[len(_MARK) :])
    raise ValueError("dnf came to no transaction")


def simulation(answer):
    """Moves and sizes of a transaction that the script printed; what is cached already counts as download, too."""
    incoming, outgoing = answer["install"], answer["remove"]
    grown = sum(entry["installed_bytes"] for entry in incoming) - sum(entry["installed_bytes"] for entry in outgoing)
    return {
        "moves": _rpm_moves.paired(incoming, outgoing),
        "download_bytes": sum(entry["download_bytes"] for entry in incoming),
        "installed_bytes": grown,
        "errors": [],
    }
