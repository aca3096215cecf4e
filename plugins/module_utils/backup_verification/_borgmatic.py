# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what borgmatic's configuration says about a repository of Borg.

It is read by borgmatic's own Python, so that includes and old forms are understood; borgmatic itself is not run. What
it says goes from one process to the other, past every log: passphrases stand in it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import os

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _credentials
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

_READ_S = 30.0
_PROGRAM = """
import json, os, sys
from borgmatic.config import load
found = load.load_configuration(sys.argv[1])
found = found[0] if isinstance(found, tuple) else found
flat = {}
for key, value in (found or {}).items():
    if key in ("location", "storage") and isinstance(value, dict):
        flat.update(value)
    else:
        flat[key] = value
# Since 1.8 each of these is a step of its own.
try:
    from borgmatic.config import constants
    constants.apply_constants(flat, flat.get("constants") or {})
except (ImportError, AttributeError):
    pass
try:
    from borgmatic.config import environment
    environment.resolve_env_variables(flat)
except (ImportError, AttributeError, ValueError):
    pass
wanted = sys.argv[2:]
try:
    from borgmatic.hooks.credential import parse
    for key in wanted:
        if isinstance(flat.get(key), str):
            flat[key] = parse.resolve_credential(flat[key], flat)
except ImportError:
    pass
json.dump({key: flat[key] for key in wanted if key in flat}, sys.stdout, default=str)
"""
# Options of borgmatic and the variables by which Borg is told the same.
_VARIABLES = {
    "encryption_passphrase": "BORG_PASSPHRASE",
    "encryption_passcommand": "BORG_PASSCOMMAND",
    "ssh_command": "BORG_RSH",
    "remote_path": "BORG_REMOTE_PATH",
    "borg_keys_directory": "BORG_KEYS_DIR",
    "borg_key_file": "BORG_KEY_FILE",
}


def adopt(machine, dataset):
    """(the dataset with what it leaves open taken from borgmatic, environment for Borg).

    dataset["repository"] chooses among several by path or label, and "borgmatic" takes the only one. Raises AgentError.
    """
    path = dataset["options"]["borgmatic"]
    found = _read(machine, path)
    repository = _chosen(found.get("repositories") or [], dataset["repository"], path)
    sources = list(dataset.get("sources") or []) or [
        source for source in found.get("source_directories") or [] if source.startswith("/") and "*" not in source
    ]
    environment = dict((name, str(found[key])) for key, name in _VARIABLES.items() if found.get(key))
    command = environment.pop("BORG_PASSCOMMAND", None)
    if command and "BORG_PASSPHRASE" not in environment:
        environment["BORG_PASSPHRASE"] = _credentials.printed(machine, command, "encryption_passcommand of " + path)
    return dict(dataset, repository=repository, sources=sources), environment


def _chosen(repositories, wanted, path):
    entries = [entry if isinstance(entry, dict) else {"path": entry} for entry in repositories]
    for entry in entries:
        if wanted in (entry.get("path"), entry.get("label")):
            return entry["path"]
    if wanted == "borgmatic" and len(entries) == 1:
        return entries[0]["path"]
    names = ", ".join(str(entry.get("label") or entry.get("path")) for entry in entries) or "none"
    text = "%s has no repository %s. It has: %s." % (path, wanted, names)
    raise AgentError("bad_request", text)


def _read(machine, path):
    program = machine.which("borgmatic")
    if program is None:
        raise AgentError("absent", "borgmatic is not installed: %s cannot be read." % path)
    first = (machine.read(program, limit=256) or "").splitlines()[:1]
    interpreter = first[0][2:].split() if first and first[0].startswith("#!/") else []
    if not interpreter or os.path.basename(interpreter[0]) == "env":
        raise AgentError("not_supported", "%s does not name the Python that it runs under." % program)
    keys = ["repositories", "source_directories"] + sorted(_VARIABLES)
    output = machine.run(interpreter[:1] + ["-I", "-c", _PROGRAM, path] + keys, _READ_S, source="borgmatic")
    if not output.ok:
        last = (output.err.strip().splitlines() or [output.status])[-1]
        raise AgentError("bad_request", "borgmatic's configuration %s cannot be read: %s" % (path, last))
    return json.loads(output.out)
