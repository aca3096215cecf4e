# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who may become root without a password.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

SUDOERS = "/etc/sudoers"
INCLUDE_DEPTH = 3
TAGS = re.compile(r"\b(NO)?(PASSWD|EXEC|SETENV|LOG_INPUT|LOG_OUTPUT|MAIL|FOLLOW|INTERCEPT)\s*:|\b(?:SET)?ENV\s*:")
_NOPASSWD = re.compile(r"\b(NOPASSWD|PASSWD)\s*:")
_INCLUDE = re.compile(r"^[#@]include(dir)?\s+(\S.*)$")


def observe(machine):
    """Return {rules, authenticate_off}, or None when sudo's rules may not be read or do not exist.

    ``rules`` are those that ask for no password: {who, commands (["ALL"] or paths without arguments), file}.
    ``authenticate_off`` are Defaults lines that switch the password off: [{scope, file}].
    """
    texts = []
    if not _collect(machine, SUDOERS, 0, texts):
        return None
    rules, defaults = [], []
    for path, text in texts:
        try:
            found, switched_off = parse_sudoers(text)
        except ValueError as exc:
            machine.note("sudoers", "error", "%s: %s" % (path, exc))
            continue
        rules += [dict(rule, file=path) for rule in found]
        defaults += [{"scope": scope, "file": path} for scope in switched_off]
    return {"rules": rules, "authenticate_off": defaults}


def _collect(machine, path, depth, texts):
    text = machine.read(path, source="sudoers")
    if text is None:
        return False
    texts.append((path, text))
    if depth >= INCLUDE_DEPTH:
        return True
    for line in text.splitlines():
        match = _INCLUDE.match(line.strip())
        if not match:
            continue
        target = match.group(2).strip().strip('"')
        target = target if target.startswith("/") else "/etc/" + target
        if match.group(1):
            # sudo passes by names with a dot and those that end in ~
            for name in machine.listdir(target, source="sudoers"):
                if "." not in name and not name.endswith("~"):
                    _collect(machine, target + "/" + name, depth + 1, texts)
        else:
            _collect(machine, target, depth + 1, texts)
    return True


def parse_sudoers(text):
    """Return (rules without password, scopes of ``Defaults !authenticate``).

    Aliases are kept by their names. Raises ValueError with the first word of a line that is neither a rule, an alias,
    a default nor an include.
    """
    rules, switched_off = [], []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.strip()
        if not line or _INCLUDE.match(line) or (line.startswith("#") and not re.match(r"^#\d+\s", line)):
            continue
        line = re.sub(r"\s#(?!\d).*$", "", line)
        first = line.split()[0]
        if first.startswith("Defaults"):
            if re.search(r"!\s*authenticate\b", line):
                switched_off.append(first[len("Defaults") :] or "everybody")
            continue
        if first in ("User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias"):
            continue
        who, equals, rest = line.partition("=")
        if not equals or len(who.split()) < 2:
            raise ValueError("sudoers: cannot read the line of %r" % first[:40])
        # The last word before "=" is the host list; user lists may hold blanks after commas.
        names = [name.strip() for name in " ".join(who.split()[:-1]).split(",") if name.strip()]
        commands = commands_without_password(rest)
        if commands:
            rules += [{"who": name, "commands": commands} for name in names]
    return rules, switched_off


def commands_without_password(text):
    """Commands after a NOPASSWD tag: paths without arguments, which may hold secrets. A tag holds until the next."""
    found = []
    free = False
    for part in re.split(r"(?<!\\),", text):
        for tag in _NOPASSWD.findall(part):
            free = tag == "NOPASSWD"
        command = TAGS.sub("", re.sub(r"^\s*\([^)]*\)", "", part)).split()
        if free and command:
            found.append(command[0])
    return found
