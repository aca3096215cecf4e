# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Antivirus: what nobody looks at because it is excluded, and whether that leaves too much unseen."""

from __future__ import annotations

import re

_TOO_WIDE = "users or programs write there, so malware would lie there unseen"
_KIND = "that is every file of a kind, wherever it lies"
_INTERPRETER = "scripts run by an interpreter would go unseen"
# Where users and programs write: who excludes these need not look at all.
_WRITTEN_TO = (
    *("", "/", "/home", "/root", "/srv", "/opt", "/usr", "/usr/local", "/usr/bin", "/bin", "/etc", "/var", "/media"),
    *("/mnt", "/var/www", "/tmp", "/var/tmp", "/dev/shm"),  # noqa: S108 - names of places, nothing is written
)
_INTERPRETERS = re.compile(r"(?:^|/)(?:(?:ba|da|z|k)?sh|python[\d.]*|perl|php[\d.-]*|ruby|node|java)$")
_EVERY_OF_A_KIND = re.compile(r"^[\^.*/]*\\?\.[a-z0-9]{1,5}\$?$", re.IGNORECASE)
# The same of Windows, in lower case and without what follows. Data files of databases and machines (mdf, vhdx, edb) are
# what makers want excluded; what runs is not.
_WINDOWS_WRITTEN_TO = re.compile(
    r"^(?:[a-z]:|[a-z]:\\(?:users|programdata|windows|windows\\temp|windows\\system32|temp|tmp|inetpub|inetpub\\wwwroot"
    r"|program files|program files \(x86\)|\$recycle\.bin)"
    r"|[a-z]:\\users\\[^\\]+(?:\\(?:downloads|desktop|documents|appdata(?:\\(?:local|roaming|local\\temp))?))?"
    r"|%(?:temp|tmp|appdata|localappdata|userprofile|public|programdata|systemdrive|systemroot|windir|programfiles)%)$"
)
_WINDOWS_RUNS = re.compile(
    r"^\*?\.?(?:exe|dll|sys|com|scr|ps1|psm1|bat|cmd|vbs|vbe|js|jse|wsf|wsh|hta|lnk|jar|msi|cpl|iso|docm|xlsm|py)$"
)
_WINDOWS_INTERPRETERS = re.compile(
    r"(?:^|\\)(?:cmd|powershell|powershell_ise|pwsh|wscript|cscript|mshta|rundll32|regsvr32|msbuild|python\w*|perl|php|ruby"
    r"|node|java|javaw)\.exe$"
)


def risk(pattern: str, *, windows: bool = False) -> str:
    """Return why an exclusion leaves too much unseen; "" when it does not.

    It is a path or ClamAV's regular expression, on Windows a path, ``*.EXT`` or ``process PROGRAM``.
    """
    if windows:
        return _windows_risk(pattern)
    if _EVERY_OF_A_KIND.match(pattern):
        return _KIND
    plain = re.sub(r"(?:/?\.?\*|\$|/)+$", "", pattern.lstrip("^"))
    if plain in _WRITTEN_TO:
        return _TOO_WIDE
    if _INTERPRETERS.search(plain):
        return _INTERPRETER
    return ""


def _windows_risk(pattern: str) -> str:
    text = pattern.strip().lower().replace("/", "\\")
    if text.startswith("process "):
        program = text.removeprefix("process ").strip()
        if _WINDOWS_INTERPRETERS.search(program):
            return _INTERPRETER
        text = program.rpartition("\\")[0] if program.endswith("\\*") else ""
        return _TOO_WIDE if text and _WINDOWS_WRITTEN_TO.match(text) else ""
    if _WINDOWS_RUNS.match(text):
        return _KIND
    if _WINDOWS_INTERPRETERS.search(text):
        return _INTERPRETER
    plain = re.sub(r"(?:\\?\*+(?:\.\*)?|\\)+$", "", text)
    if plain in ("", "*", "*.*") or _WINDOWS_WRITTEN_TO.match(plain):
        return _TOO_WIDE
    return ""
