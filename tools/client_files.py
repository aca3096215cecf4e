"""What people may write into a client's files, as one JSON Schema for editors: every variable, and nothing misspelt.

The values are those that the code itself reads; what only a run can know (that a group exists, that a time zone does)
is told by ``playbooks/validate.yml``.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, create_model

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry as probes
from ansible_collections.keepwell.fleet.plugins.plugin_utils import policy, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import VARIABLES as AUDIT
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.model import Awx
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import SECTIONS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.brake import Limits
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exceptions import Waiver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.terms import (
    BlackoutTerms,
    Emergency,
    Terms,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import Contract, ServicePlan, Services
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import NAME, Entry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.agenda import Agenda

# What a person or a scheduler says to one run (-e), or a playbook registers. In a file it would hold for every run:
# Keepwell does not refuse it there, and editors underline it.
ASKED = frozenset(
    {
        "keepwell_approver", "keepwell_as_of", "keepwell_beat", "keepwell_deliver", "keepwell_emergency_approver",
        "keepwell_emergency_reason", "keepwell_entry", "keepwell_from", "keepwell_head", "keepwell_heard",
        "keepwell_hosts", "keepwell_month", "keepwell_pack_destination", "keepwell_pack_from", "keepwell_pack_to",
        "keepwell_reason", "keepwell_retention_act", "keepwell_run", "keepwell_run_id", "keepwell_seed", "keepwell_to",
        "keepwell_until", "keepwell_verify_from", "keepwell_verify_since", "keepwell_window",
    }
)  # fmt: skip
# Where people read what variables mean; editors show the same.
PAGE = Path(__file__).parents[1] / "docs/variables.md"
_NAMED = t.Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
_RECEIVER = t.Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
_FORBID = ConfigDict(extra="forbid")
Receiver = t.Annotated[receivers.AnyReceiver, Field(discriminator="channel")]


def _policy() -> type[BaseModel]:
    sections: dict[str, t.Any] = {name: (model, None) for name, model in SECTIONS.items()}
    return create_model("Policy", __config__=_FORBID, **sections)


def _probes() -> type[BaseModel]:
    names: dict[str, t.Any] = {}
    for name, probe in probes.PROBES.items():
        keys: dict[str, t.Any] = {str(key): (t.Any, None) for key in getattr(probe, "PARAMETERS", ())}
        names[name] = (create_model(f"Probe_{name}", __config__=_FORBID, **keys), None)
    return create_model("Probes", __config__=_FORBID, **names)


def variables() -> dict[str, t.Any]:
    """Return variable -> what it may be."""
    layer = _policy()
    return {
        "keepwell_client": Client | str,
        "keepwell_exposure": t.Literal[settings.EXPOSURES],  # type: ignore[valid-type]
        **dict.fromkeys(policy.LAYERS, layer),
        "keepwell_tiers": dict[str, Services],
        "keepwell_plan": ServicePlan,
        "keepwell_contract": Contract,
        "keepwell_windows": dict[str, Terms],
        "keepwell_blackouts": list[BlackoutTerms],
        "keepwell_emergency": Emergency,
        "keepwell_exceptions": list[Waiver],
        "keepwell_schedule": dict[_NAMED, Entry],
        "keepwell_awx": Awx,
        "keepwell_notify": dict[_RECEIVER, Receiver],
        "keepwell_smtp": receivers.Smtp,
        "keepwell_agenda": Agenda,
        "keepwell_brake": Limits,
        "keepwell_probes": _probes(),
        "keepwell_metrics_file": t.Annotated[str, Field(pattern=r"^/.*\.prom$")],
        "keepwell_ping_url": str | dict[str, str],
        "keepwell_subset": str | list[str],
        "keepwell_fail_on": t.Literal[settings.FAIL_ON],  # type: ignore[valid-type]
        "keepwell_next": t.Annotated[int, Field(ge=1)],
        "keepwell_lab": bool,
        "keepwell_now": str,
        "keepwell_state_dir": str,
        **{name: AuditOptions.model_fields[name.removeprefix("keepwell_")].annotation for name in AUDIT},
    }


def meanings() -> dict[str, str]:
    """Return variable -> what the page on variables says of it; links have their page behind them."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if len(cells) == 5 and cells[1].startswith("`"):
            text = re.sub(r"\[([^]]+)]\(([^)#]+)[^)]*\)", r"\1 (docs/\2)", cells[3]).replace("\\|", "|")
            for name in re.findall(r"`(\w+)`", cells[1]):
                # Two rows where playbooks ask for it with two reasons.
                found[name] = f"{found[name]} {text}" if name in found else text
    return found


def schema(version: str) -> dict[str, t.Any]:
    """Return the JSON Schema (2020-12) of a file in ``group_vars`` or ``host_vars`` of a client."""
    given: dict[str, t.Any] = {name: (kind, None) for name, kind in variables().items()}
    made = create_model("ClientFiles", **given).model_json_schema(mode="validation")
    # A name that nobody gives is the id.
    made["$defs"]["Client"]["required"] = ["id"]
    told = meanings()
    properties = {}
    for name, entry in made["properties"].items():
        shown = {key: value for key, value in entry.items() if key not in ("default", "title")}
        properties[name] = {"description": told[name], **shown}
        if "patternProperties" in entry:
            # By itself a name of another form would be left unlooked at.
            properties[name]["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"keepwell-client-files-{version}",
        "title": "Files of a client",
        "description": "Variables of Keepwell in group_vars and host_vars; those of Ansible and roles are left alone.",
        "type": "object",
        "properties": properties,
        "propertyNames": {
            "anyOf": [{"not": {"pattern": "^keepwell_"}}, {"enum": sorted(properties)}],
            "description": "a misspelt variable is refused by every playbook; one that is said to a single run (-e) "
            "does not belong in a file",
        },
        "$defs": json.loads(json.dumps(made["$defs"], default=str)),
    }
