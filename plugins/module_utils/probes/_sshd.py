# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what sshd lets in, and the keys that open accounts.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import base64
import binascii
import hashlib
import re
import struct

CONFIGURATION = "/etc/ssh/sshd_config"
INCLUDE_DEPTH = 3
KEY_FILE_SIZE = 131072
KEY_CAP = 300
# Settings that are kept, by sshd's lower-case name; everything else is left on the host.
SETTINGS = (
    "port",
    "permitrootlogin",
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "pubkeyauthentication",
    "permitemptypasswords",
    "usepam",
    "x11forwarding",
    "maxauthtries",
    "authorizedkeysfile",
    "allowusers",
    "allowgroups",
)
LISTS = ("port", "authorizedkeysfile", "allowusers", "allowgroups")
# Names that older and newer versions use for the same thing.
ALIASES = {"challengeresponseauthentication": "kbdinteractiveauthentication", "without-password": "prohibit-password"}
KEY_TYPES = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")
# A quoted value, in which only \" is an escape. No text can be read in two ways: whoever writes an authorized_keys
# must not be able to keep the probe busy.
_QUOTED = r'"(?:\\"|[^"\\]|\\(?!"))*"'
_HOME_TIMEOUT_S = 1.0
# Time kept back for the rest of the probe.
_RESERVE_S = 5.0
EC_BITS = {"nistp256": 256, "nistp384": 384, "nistp521": 521}


def observe(machine):
    """Return {installed, source, settings, match_blocks}.

    ``source`` is ``sshd -T`` (what is in force, defaults included), ``sshd_config`` (only what is written there;
    missing settings are None) or None when neither could be read. ``match_blocks`` counts the sections that may
    differ for single users or addresses.
    """
    installed = machine.which("sshd") is not None
    text, matches = read_configuration(machine, CONFIGURATION, 0)
    facts = {
        "installed": installed,
        "source": None,
        "settings": None,
        "match_blocks": matches if text is not None else None,
    }
    if not installed:
        return facts
    effective = machine.run(["sshd", "-T"], source="sshd -T", accepted=(0,) if machine.privileged else None)
    if effective.ok and effective.rc != 0:
        # Without root it stops at the host keys, which it may not read, and says that there are none.
        machine.note("sshd -T", "denied", "needs root")
        effective.status = "denied"
    try:
        if effective.ok:
            facts["settings"] = parse_settings(effective.out)
            facts["source"] = "sshd -T"
        elif text is not None:
            facts["settings"] = parse_settings(text)
            facts["source"] = "sshd_config"
    except ValueError as exc:
        machine.note("sshd -T", "error", str(exc))
    return facts


def read_configuration(machine, path, depth):
    """(text up to the first Match of each file with Includes in place, number of Match blocks); (None, 0) if unread."""
    text = machine.read(path, source="sshd_config")
    if text is None:
        return None, 0
    lines, matches, inside = [], 0, False
    for line in text.splitlines():
        words = line.strip().split()
        keyword = words[0].lower() if words else ""
        if keyword == "match":
            matches, inside = matches + 1, True
        elif inside or not keyword or keyword.startswith("#"):
            continue
        elif keyword == "include" and depth < INCLUDE_DEPTH:
            for pattern in words[1:]:
                pattern = pattern.strip('"')
                full = pattern if pattern.startswith("/") else "/etc/ssh/" + pattern
                for included in machine.glob(full):
                    more, count = read_configuration(machine, included, depth + 1)
                    lines.append(more or "")
                    matches += count
        elif keyword != "include":
            lines.append(line)
    return "\n".join(lines), matches


def parse_settings(text):
    """Parse ``sshd -T`` or the lines of sshd_config: setting -> text, or list for those of LISTS; the first wins.

    Raises ValueError naming a line that has no value.
    """
    found = dict((name, None) for name in SETTINGS)
    for line in text.splitlines():
        words = line.replace("=", " ", 1).split()
        if not words or words[0].startswith("#"):
            continue
        name = ALIASES.get(words[0].lower(), words[0].lower())
        if name not in found:
            continue
        if len(words) < 2:
            raise ValueError("sshd: no value in %r" % line[:80])
        if name in LISTS:
            values = [word.strip('"') for word in words[1:]]
            if found[name] is None or name != "authorizedkeysfile":
                found[name] = (found[name] or []) + values
        elif found[name] is None:
            value = words[1].strip('"').lower()
            found[name] = ALIASES.get(value, value)
    return found


def authorized_keys(machine, accounts, patterns):
    """Return (keys, accounts whose keys could not be read).

    A key is {account, type, bits, fingerprint ("SHA256:..."), options (their names), file}. Comments are left on the
    host: they name people and machines. ``accounts`` have ``name``, ``home``, ``uid``.
    """
    keys, unread = [], []
    for account in accounts:
        if not _answers(machine, account):
            unread.append(account["name"])
            continue
        for pattern in patterns:
            path = pattern.replace("%h", account["home"]).replace("%u", account["name"]).replace("%%", "%")
            if not path.startswith("/"):
                path = account["home"].rstrip("/") + "/" + path
            source = "authorized keys of " + account["name"]
            known = machine.sources.get(source)
            text = machine.read(path, limit=KEY_FILE_SIZE, source=source)
            if text is None:
                if machine.sources.get(source) != known and account["name"] not in unread:
                    unread.append(account["name"])
                continue
            for number, line in enumerate(text.splitlines(), 1):
                try:
                    key = parse_key(line)
                except ValueError as exc:
                    machine.note(source, "error", "%s, line %d: %s" % (path, number, exc))
                    continue
                if key and len(keys) < KEY_CAP:
                    keys.append(dict(key, account=account["name"], file=path))
    return keys, unread


def _answers(machine, account):
    """Whether the account's home folder can be looked into without waiting for it.

    It may lie on a dead network share or on a filesystem of the user's own making; either must not cost the others.
    """
    if account["home"] in ("/", "/root", "/nonexistent"):
        return True
    source = "authorized keys of " + account["name"]
    status = "timeout"
    if machine.remaining() > _RESERVE_S:
        status, _known = machine.in_child(lambda: machine.stat(account["home"]) is not None, _HOME_TIMEOUT_S)
    if status != "ok":
        machine.note(source, "timeout", "the home folder does not answer")
    return status == "ok"


def parse_key(line):
    """Parse a line of authorized_keys: {type, bits, fingerprint, options}; None for comments and empty lines.

    Raises ValueError (without the line: a comment may name a person) when there is no key in it.
    """
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    match = re.match(
        r"^(?:((?:[^\s\"]|%s)+)\s+)?((?:%s)\S+)\s+([A-Za-z0-9+/=]+)(?:\s|$)" % (_QUOTED, "|".join(KEY_TYPES)), line
    )
    if not match:
        raise ValueError("there is no key in it")
    options, kind, body = match.groups()
    try:
        blob = base64.b64decode(body, validate=True)
    except binascii.Error:
        raise ValueError("the key is not base64") from None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
    names = re.findall(r"(?:^|,)([A-Za-z0-9-]+)(?:=%s)?" % _QUOTED, options or "")
    return {
        "type": kind,
        "bits": key_bits(kind, blob),
        "fingerprint": "SHA256:" + digest,
        "options": sorted(set(names)),
    }


def key_bits(kind, blob):
    """Size of a public key in bits; None for types that have no such number. Raises ValueError for a broken one."""
    fields = []
    offset = 0
    while offset + 4 <= len(blob) and len(fields) < 4:
        size = struct.unpack(">I", blob[offset : offset + 4])[0]
        if offset + 4 + size > len(blob):
            raise ValueError("the key ends too early")
        fields.append(blob[offset + 4 : offset + 4 + size])
        offset += 4 + size
    if not fields or fields[0].decode("latin-1") != kind:
        raise ValueError("the key is of another type than it says")
    if kind == "ssh-rsa" and len(fields) == 3:
        return int.from_bytes(fields[2], "big").bit_length()
    if kind == "ssh-dss" and len(fields) > 1:
        return int.from_bytes(fields[1], "big").bit_length()
    if "ed25519" in kind:
        return 256
    return next((EC_BITS[curve] for curve in EC_BITS if curve in kind), None)
