# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: from a client's files to checked definitions for AWX.

Runs on the control node; the documentation of awx.awx's modules is read where it is installed, AWX is not asked.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.loader import fragment_loader, module_loader
from ansible.utils.plugin_docs import get_plugin_docs

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import linting, rendering, steps
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.rendering import Definitions, Told
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import PLAYBOOKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import Settings, SettingsError

Documented = Mapping[str, Mapping[str, t.Any]]


def tell(told: Mapping[str, Settings], playbook_dir: str, now: float) -> Told:
    """Return what definitions are made from: what the hosts of a client were told. Raises SettingsError without it."""
    first = next(iter(told.values()))
    if first.awx is None:
        raise SettingsError(
            [
                f"{first.client.name} is not kept in AWX: keepwell_awx says nothing. Write down its project and its "
                "environment in group_vars/all (docs/awx.md)."
            ]
        )
    return Told(
        client=first.client,
        awx=first.awx,
        schedule=first.schedule,
        services={service for entry in told.values() if entry.plan for service in entry.plan.services},
        windows={name for entry in told.values() for name in entry.calendar.declared},
        playbooks={name for name in PLAYBOOKS if (Path(playbook_dir) / f"{name}.yml").is_file()},
        year=datetime.datetime.fromtimestamp(now, datetime.UTC).year,
    )


def look(told: Told, documented: Documented, now: float) -> tuple[Definitions, list[str]]:
    """Return the definitions of a client, and every mistake in them as a sentence."""
    made = rendering.definitions(told)
    paths = [f"playbooks/{name}.yml" for name in told.playbooks]
    problems = [
        f"keepwell_schedule.{name}.playbook: this project has no playbooks/{entry.playbook}.yml."
        for name, entry in told.schedule.items()
        if entry.playbook not in told.playbooks
    ]
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return made, [*problems, *linting.lint(made, paths, at), *steps.lint(made, documented)]


def documented() -> Documented:
    """Return the options of awx.awx's modules, as ``ansible-doc --json`` has them. Raises SettingsError without."""
    found: dict[str, Mapping[str, t.Any]] = {}
    for name in steps.MODULES:
        try:
            document = get_plugin_docs(name, "module", module_loader, fragment_loader, False)[0]
        except (AnsibleError, OSError) as exc:
            raise SettingsError(
                [
                    f"The collection awx.awx is not here ({' '.join(str(exc).split())}). It comes with the Python "
                    "package 'ansible' (requirements.txt), or from a Galaxy server (requirements.yml)."
                ]
            ) from exc
        found[name] = document["options"]
    return found
