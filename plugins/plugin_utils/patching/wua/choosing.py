# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what only updates of Windows have that is for or against choosing them. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options

# As the packages probe of a Windows host calls what installs its updates.
MANAGER: t.Final = "wua"
# InstallationBehavior.Impact: it has to be installed alone.
_EXCLUSIVE = 2


def against(update: Mapping[str, t.Any], options: Options) -> tuple[str, str] | None:
    """Return (code, sentence) of the first thing in the update itself that keeps it out, None when nothing does."""
    name = update["name"]
    if update.get("user_input"):
        return "interactive", f"{name} may ask a person something: install it by hand."
    if update.get("eula_accepted") is False and not options.accept_licences:
        return (
            "licence",
            f"Nobody has accepted the licence terms of {name}: patching_accept_licences lets Keepwell do it.",
        )
    return None


def never(update: Mapping[str, t.Any]) -> tuple[str, str] | None:
    """Return (code, sentence) for what no policy takes; an emergency may name it all the same."""
    if update["class"] == "driver":
        return "policy", "It is a driver: a person decides on drivers, machine by machine."
    if update["class"] == "feature":
        return "policy", "It is another version of Windows or a new part of it: a person decides when it comes."
    if update["class"] == "definition":
        return "policy", "It is a malware definition: the antivirus brings it by itself, and playbooks/antivirus.yml."
    if update.get("optional") and update["class"] != "security":
        return "policy", "It is optional: Windows offers it as a preview, to whoever asks for it."
    return None


def kept_away(data: Mapping[str, t.Any], now: float) -> list[str]:
    """Return why Windows Update offers less than there is: nothing offered is not nothing to do."""
    told = data.get("not_offered") or {}
    found = []
    if (told.get("paused_until") or 0.0) > now:
        found.append(f"updates are paused on the host until {iso(told['paused_until'])}")
    if told.get("deferred_days"):
        found.append(f"updates are deferred by {count_text(int(told['deferred_days']), 'day')}")
    if told.get("internet_blocked") and not (told.get("wsus") or {}).get("used"):
        found.append("a policy forbids the host to ask Microsoft, and names no server of its own")
    if told.get("access_disabled"):
        found.append("a policy forbids access to Windows Update")
    return found


def alone(update: Mapping[str, t.Any]) -> bool:
    """True for an update that Windows installs with nothing else beside it."""
    return update.get("impact") == _EXCLUSIVE
