# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what makes Windows wait for a restart, and how sure that is. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# Facts that are true or false: name -> (strength, what it means).
_FLAGS = {
    "cbs_pending": ("strong", "the component store waits for a restart"),
    "cbs_in_progress": ("strong", "a restart of the component store was not completed"),
    "cbs_packages": ("strong", "the component store has packages to install with the next start"),
    "windows_update": ("strong", "Windows Update waits for a restart"),
    "wua": ("strong", "the Windows Update agent says so"),
    "configuration_manager": ("strong", "Configuration Manager waits for a restart"),
    "domain_join": ("strong", "the host was joined to a domain or renamed in it"),
    "run_once": ("weak", "a program left a mark to run once after a restart"),
}


# Without these two nobody can say that nothing waits.
_TELLING = {"cbs_pending", "windows_update"}


def read(raw: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the ``reboot`` part of the packages document.

    Files that wait to be renamed are weak evidence: browsers and antivirus programs leave some for ever.
    """
    asked = [name for name in _FLAGS if raw.get(name) is not None]
    reasons = [_reason(name, strength, detail) for name, (strength, detail) in _FLAGS.items() if raw.get(name) is True]
    if raw.get("services_pending"):
        reasons.append(_reason("service_pending", "strong", "an update service waits for a restart"))
    names = raw.get("computer_name") or {}
    if names.get("active") and names.get("next") and names["active"].casefold() != names["next"].casefold():
        reasons.append(_reason("computer_name", "strong", "the host gets another name with the next start"))
    if raw.get("server_manager"):
        reasons.append(_reason("server_manager", "strong", "a role or feature waits for a restart"))
    if raw.get("file_renames"):
        reasons.append(_reason("file_rename", "weak", f"files to rename with the next start: {raw['file_renames']}"))
    if raw.get("update_exe"):
        reasons.append(_reason("update_exe", "weak", "an installer of updates left a mark"))
    strengths = {reason["strength"] for reason in reasons}
    return {
        "required": "yes" if reasons else "no" if set(asked) >= _TELLING else "unknown",
        "strength": "strong" if "strong" in strengths else "weak" if strengths else None,
        "reasons": reasons,
        "asked": asked,
        "needrestart": {"asked": False, "why_not": None, "kernel": None, "microcode": None},
        "container": None,
    }


def _reason(kind: str, strength: str, detail: str) -> dict[str, t.Any]:
    return {"kind": kind, "strength": strength, "detail": detail, "since": None}
