# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what only updates of Windows have that is for or against choosing them. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

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
    accepted = update.get("eula_accepted")
    if accepted is True or options.accept_licences:
        return None
    doubt = "Nobody has" if accepted is False else "The host does not say whether anybody has"
    return "licence", f"{doubt} accepted the licence terms of {name}: patching_accept_licences lets Keepwell do it."


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


def alone(update: Mapping[str, t.Any]) -> bool:
    """True for an update that Windows installs with nothing else beside it."""
    return update.get("impact") == _EXCLUSIVE
