# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a client bought (``keepwell_plan``). Pure.

Nothing bought means that Keepwell only looks.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

SERVICES = ("monitoring", "patching", "antivirus", "backup_verification", "disk_cleanup", "reporting")


class ServicePlan(BaseModel):
    """The service plan of a client, a group or a host."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    services: Sequence[str] = ()

    def buys(self, service: str) -> bool:
        """True when the service is part of the plan."""
        return service in self.services


def build(value: t.Any) -> tuple[ServicePlan | None, list[str]]:
    """Return the plan that ``keepwell_plan`` declares (None: observe only) and every mistake in it as a sentence."""
    if value is None:
        return None, []
    if not isinstance(value, Mapping):
        return None, [f"keepwell_plan must be a mapping with name and services, not {type(value).__name__}."]
    try:
        plan = ServicePlan.model_validate(value)
    except ValidationError as exc:
        problems = []
        for error in exc.errors():
            key = ".".join(str(part) for part in error["loc"])
            hint = nearest(key, ServicePlan.model_fields) if error["type"] == "extra_forbidden" else ""
            problems.append(f"keepwell_plan.{key}: {error['msg']}.{hint}")
        return None, problems
    return plan, [
        f"keepwell_plan.services: unknown service '{word}'.{nearest(word, SERVICES)}"
        for word in plan.services
        if word not in SERVICES
    ]
