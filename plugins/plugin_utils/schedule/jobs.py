# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a scheduled run is told, whatever starts it, and how its files are known. Pure."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.choosing import ACT
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import PLAYBOOKS, Entry

FLOCK = "/usr/bin/flock"
# What flock says when another run of the same kind goes on: the work is being done, nothing has failed.
LOCKED = 75
# In the state directory; no client can be called so: their ids begin with a letter or a digit.
OVERVIEW = "_fleet"
_MARK = re.compile(r"# Keepwell, client ([a-z0-9][a-z0-9_-]{0,62}): ")


@dataclass(frozen=True)
class Site:
    """Where scheduled runs of one client begin: paths of the control node, all from the root.

    ``metrics`` are the folders of node_exporter that they write into.
    """

    client: str
    project: str
    playbooks: str
    program: str
    helpers: str
    inventory: Sequence[str]
    state_dir: str
    user: str
    config: str = ""
    vault_file: str = ""
    local_sudo: bool = False
    alert_command: Sequence[str] = ()
    alert_mail: str = ""
    metrics: Sequence[str] = ()

    @property
    def folder(self) -> str:
        """The client's folder in the state directory: what a run writes, besides its metrics."""
        return f"{self.state_dir}/{self.client}"

    @property
    def overview(self) -> str:
        """Where the overview of all clients lies: in no client's folder."""
        return f"{self.state_dir}/{OVERVIEW}"


def mark(client: str) -> str:
    """Return the first line of every file that is made for a client."""
    return f"# Keepwell, client {client}: made from keepwell_schedule by playbooks/schedule.yml, which undoes changes."


def owner(text: str) -> str | None:
    """Return the client for which a file was made, or None when Keepwell did not make it."""
    found = _MARK.match(text)
    return found[1] if found else None


def job_name(client: str, entry: str) -> str:
    """Return what an entry is called on the control node."""
    return f"keepwell-{client}-{entry}"


def lock(site: Site, name: str, entry: Entry) -> str:
    """Return the file that a run locks: runs that act exclude each other, one that only looks just itself."""
    return f"{site.folder}/schedule.lock" if entry.disruptive else f"{site.folder}/schedule.{name}.lock"


def command(site: Site, name: str, entry: Entry) -> list[str]:
    """Return what is run, as arguments. Secrets are never among them."""
    told = {
        "keepwell_entry": name,
        "keepwell_state_dir": site.state_dir,
        **asked(entry.playbook, entry.act),
    }
    arguments = [FLOCK, "--nonblock", f"--conflict-exit-code={LOCKED}", lock(site, name, entry), site.program]
    arguments.append(f"{site.playbooks}/{entry.playbook}.yml")
    for source in site.inventory:
        arguments += ["--inventory", source]
    arguments += ["--extra-vars", json.dumps(told, separators=(",", ":"))]
    if entry.limit:
        arguments += ["--limit", entry.limit]
    if site.vault_file:
        arguments += ["--vault-id", f"{site.client}@{site.helpers}/vault.sh"]
    return arguments


def asked(playbook: str, act: Collection[str]) -> dict[str, t.Any]:
    """Return by which variables a run is told what it may carry out: these chores and no other, whatever files say.

    Of all chores together it is the most that hosts do: ``<chore>_act`` by -e would overrule a host whose files say
    that it is not to be changed.
    """
    chores = PLAYBOOKS[playbook]
    return {ACT: list(act)} if len(chores) > 1 else {f"{chore}_act": chore in act for chore in chores}


def environment(site: Site) -> dict[str, str]:
    """Return the environment that both systemd and cron give a run."""
    # Ansible refuses a locale that is not UTF-8, and neither systemd nor cron promises one.
    told = {"LANG": "C.UTF-8", "NO_COLOR": "1"}
    return {**told, "ANSIBLE_CONFIG": site.config} if site.config else told
