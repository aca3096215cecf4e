# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the ``keepwell_*`` variables of a host, read and checked. Pure.

Ansible checks no variable of an inventory; here a typo stops the run before the first connection, with where, what
and the nearest match.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ValidationError

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry as probes
from ansible_collections.keepwell.fleet.plugins.plugin_utils import exceptions, plan, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import options as audit_options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import model as awx_model
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.model import Awx
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import brake
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.receivers import Notify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exceptions import Waiver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import addresses
from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES, language_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar, times
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import Calendar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import Contract, ServicePlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import Policy, nearest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import model as schedules
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Schedule
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service import agenda
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.agenda import Agenda

VARIABLES = (
    *policy.LAYERS,
    *calendar.VARIABLES,
    *audit_options.VARIABLES,
    *audit_options.ASKED,
    *receivers.VARIABLES,
    "keepwell_approver",
    "keepwell_as_of",
    "keepwell_awx",
    brake.VARIABLE,
    "keepwell_agenda",
    "keepwell_client",
    "keepwell_beat",
    "keepwell_contract",
    "keepwell_entry",
    "keepwell_exceptions",
    "keepwell_exposure",
    "keepwell_fail_on",
    "keepwell_from",
    "keepwell_heard",
    "keepwell_hosts",
    "keepwell_lab",
    "keepwell_metrics_file",
    "keepwell_month",
    "keepwell_next",
    "keepwell_now",
    "keepwell_ping_url",
    "keepwell_plan",
    "keepwell_probes",
    "keepwell_reason",
    "keepwell_run",
    "keepwell_run_id",
    "keepwell_schedule",
    "keepwell_seed",
    "keepwell_state_dir",
    "keepwell_subset",
    "keepwell_tiers",
    "keepwell_to",
    "keepwell_until",
)
EXPOSURES = ("internet", "internal", "isolated")
FAIL_ON = ("never", "watch", "unknown", "act", "crit")


class SettingsError(ValueError):
    """All mistakes in the variables of a host, one sentence each, in ``problems``."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class Settings:
    """What Keepwell was told about a host."""

    client: Client
    policy: Policy
    waivers: Sequence[Waiver]
    exposure: t.Literal["internet", "internal", "isolated"]
    probe_parameters: Mapping[str, Mapping[str, t.Any]]
    subset: Sequence[str]
    plan: ServicePlan | None
    contract: Contract
    calendar: Calendar
    schedule: Schedule
    notify: Notify
    agenda: Agenda
    awx: Awx | None = None
    brake: brake.Limits = field(default_factory=brake.Limits)

    @property
    def zone(self) -> ZoneInfo:
        """The client's time zone."""
        return ZoneInfo(self.client.timezone)

    @property
    def availability_target(self) -> float | None:
        """Agreed availability in percent, or None."""
        return self.plan.sla.availability_percent if self.plan else None

    def covers(self, host: str) -> bool:
        """False for a host that is only repaired when it breaks, or that is not in the contract's list."""
        listed = not self.contract.hosts or host in self.contract.hosts
        return listed and (self.plan is None or self.plan.covered)

    def unsigned(self, at: float) -> str:
        """Return why the contract lets nobody change a host at that moment, "" when it does."""
        zone = times.find_zone(self.client.timezone) or self.calendar.zone
        return self.contract.against(times.day_of(at, zone))


def client_from_inventory(sources: Sequence[str]) -> Client:
    """Return the client that an inventory's place names: ``inventories/acme`` is ``acme``, ``lab.ini`` is ``lab``."""
    path = PurePath(str(sources[0]).rstrip("/,")) if sources else PurePath("unnamed")
    name = path.parent.name if path.stem == "hosts" and path.parent.name else path.stem
    slug = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:62] or "unnamed"
    return Client(id=slug, name=name or slug)


def client(value: t.Any, sources: Sequence[str]) -> Client:
    """Return the client that ``keepwell_client`` declares, or the one the inventory's place names."""
    if value is None:
        return client_from_inventory(sources)
    if isinstance(value, str):
        value = {"id": value, "name": value}
    if not isinstance(value, Mapping):
        raise SettingsError([f"keepwell_client must be a mapping with id and name, not {type(value).__name__}."])
    try:
        return Client.model_validate({"name": value.get("id"), **value})
    except ValidationError as exc:
        problems = []
        for error in exc.errors():
            key = ".".join(str(part) for part in error["loc"])
            hint = nearest(key, Client.model_fields) if error["type"] == "extra_forbidden" else ""
            problems.append(f"keepwell_client.{key}: {error['msg']} (given: {error.get('input')!r}).{hint}")
        raise SettingsError(problems) from exc


def audit(variables: Mapping[str, t.Any], client_id: str, sources: Sequence[str]) -> AuditOptions:
    """Return how a client's evidence is signed, stamped and kept. Raises SettingsError with every mistake at once."""
    options, problems = audit_options.build(variables, client_id, sources)
    if options is None:
        raise SettingsError(problems)
    return options


def read(
    variables: Mapping[str, t.Any],
    sources: Sequence[str],
    at: float,
    groups: t.Collection[str] = (),
    known_groups: t.Collection[str] | None = None,
) -> Settings:
    """Return the settings that the variables of a host in these groups make.

    ``known_groups`` are those of the inventory, where they are known. Raises SettingsError with every mistake at once.
    """
    problems: list[str] = [
        f"{name}: unknown variable.{nearest(name, VARIABLES)}"
        for name in sorted(variables)
        if name.startswith("keepwell_") and name not in VARIABLES
    ]
    try:
        now(variables, at)
    except SettingsError as exc:
        problems += exc.problems
    owner = Client(id="unnamed", name="unnamed")
    chosen: Policy = {}
    try:
        owner = client(variables.get("keepwell_client"), sources)
    except SettingsError as exc:
        problems += exc.problems
    try:
        chosen = policy.build([(name, variables.get(name)) for name in policy.LAYERS])
    except policy.PolicyError as exc:
        problems += exc.problems
    waivers, wrong = exceptions.build(variables.get("keepwell_exceptions"), at)
    problems += wrong
    exposure = variables.get("keepwell_exposure") or "internet"
    if exposure not in EXPOSURES:
        problems.append(f"keepwell_exposure: '{exposure}' is unknown.{nearest(str(exposure), EXPOSURES)}")
    fail_on = variables.get("keepwell_fail_on") or "never"
    if fail_on not in FAIL_ON:
        problems.append(f"keepwell_fail_on: '{fail_on}' is unknown.{nearest(str(fail_on), FAIL_ON)}")
    parameters = variables.get("keepwell_probes") or {}
    if not isinstance(parameters, Mapping):
        problems.append(f"keepwell_probes must be a mapping of probes, not {type(parameters).__name__}.")
        parameters = {}
    for name, value in parameters.items():
        if name not in probes.PROBES:
            problems.append(f"keepwell_probes.{name}: unknown probe.{nearest(str(name), probes.PROBES)}")
        elif not isinstance(value, Mapping):
            problems.append(f"keepwell_probes.{name} must be a mapping, not {type(value).__name__}.")
        else:
            known = getattr(probes.PROBES[name], "PARAMETERS", ())
            problems += [
                f"keepwell_probes.{name}.{key}: unknown setting.{nearest(str(key), known)}"
                for key in value
                if key not in known
            ]
    bought, wrong = plan.build(variables.get("keepwell_plan"), variables.get("keepwell_tiers"))
    problems += wrong
    contract, wrong = plan.contract(variables.get("keepwell_contract"))
    problems += wrong
    limits, wrong = brake.build(variables.get(brake.VARIABLE))
    problems += wrong
    if times.find_zone(owner.timezone) is None:
        hint = nearest(owner.timezone, available_timezones())
        problems.append(f"keepwell_client.timezone: '{owner.timezone}' is no time zone.{hint}")
        owner = owner.model_copy(update={"timezone": "UTC"})
    problems += audit_options.build(variables, owner.id, sources)[1]
    open_times, wrong = calendar.build(variables, owner.timezone, groups, known_groups)
    problems += wrong
    year = datetime.datetime.fromtimestamp(at, datetime.UTC).year
    schedule, wrong = schedules.build(variables.get("keepwell_schedule"), ZoneInfo(owner.timezone), year)
    problems += wrong
    problems += addresses.problems(variables, schedule)
    notify, wrong = receivers.build(variables.get("keepwell_notify"), variables.get("keepwell_smtp"))
    problems += wrong
    which = variables.get("keepwell_deliver") or receivers.WHICH[0]
    if which not in receivers.WHICH:
        problems.append(f"keepwell_deliver: '{which}' is unknown.{nearest(str(which), receivers.WHICH)}")
    kept_in_awx, wrong = awx_model.build(variables.get("keepwell_awx"))
    problems += wrong
    items, wrong = agenda.build(variables.get("keepwell_agenda"))
    problems += wrong
    if language_of(owner.locale) is None:
        hint = nearest(owner.locale, LANGUAGES)
        problems.append(f"keepwell_client.locale: reports do not speak '{owner.locale}'.{hint}")
    if problems:
        raise SettingsError(problems)
    return Settings(
        client=owner,
        policy=chosen,
        waivers=waivers,
        exposure=t.cast(t.Any, exposure),
        probe_parameters=parameters,
        subset=subset(variables.get("keepwell_subset")),
        plan=bought,
        contract=contract,
        calendar=open_times,
        schedule=schedule,
        notify=notify,
        awx=kept_in_awx,
        brake=limits,
        agenda=items,
    )


def subset(value: t.Any) -> list[str]:
    """Return probe names as a list; ``a,b`` and ``[a, b]`` are the same. Raises SettingsError for an unknown one."""
    words = value.split(",") if isinstance(value, str) else list(value or ["all"])
    names = [str(word).strip() for word in words if str(word).strip()]
    try:
        probes.select(names)
    except ValueError as exc:
        raise SettingsError([f"subset: unknown probe '{exc}'.{nearest(str(exc), ['all', *probes.PROBES])}"]) from exc
    return names or ["all"]


def now(variables: Mapping[str, t.Any], clock: float) -> tuple[float, bool]:
    """Return the time to judge by and whether it is a simulated one.

    ``keepwell_now`` (ISO, UTC) counts only in an inventory that says ``keepwell_lab: true``.
    """
    given = variables.get("keepwell_now")
    if given is None:
        return clock, False
    if variables.get("keepwell_lab") is not True:
        raise SettingsError(["keepwell_now is for test fleets: it needs keepwell_lab: true in the inventory."])
    try:
        return epoch(str(given)), True
    except ValueError as exc:
        raise SettingsError([f"keepwell_now: '{given}' is no time like 2026-11-23T02:27:00Z."]) from exc
