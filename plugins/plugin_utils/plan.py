# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a client bought (``keepwell_plan``, ``keepwell_tiers``, ``keepwell_contract``). Pure.

Nothing bought means that Keepwell only looks. A host that is only repaired when it breaks is not even looked at: it is
shown, and never as fine.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from ansible_collections.keepwell.fleet.plugins.plugin_utils import as_written
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

SERVICES = ("monitoring", "patching", "antivirus", "backup_verification", "disk_cleanup", "reporting", "remedies")
NOT_COVERED = "No plan covers this host: it is shown, not looked at and not touched."


# Each unknown word is told by its own sentence (``build``).
Services = t.Annotated[Sequence[str], WithJsonSchema({"type": "array", "items": {"enum": list(SERVICES)}})]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _minutes(value: t.Any) -> t.Any:
    """Return a time like ``15m``, ``4h`` or ``2d`` (working days of eight hours are not meant) as minutes."""
    units = {"m": 1, "h": 60, "d": 24 * 60}
    if isinstance(value, str) and value[:-1].isdigit() and value[-1] in units:
        return int(value[:-1]) * units[value[-1]]
    raise ValueError("should be a time like 15m, 4h or 2d")


Minutes = t.Annotated[int, BeforeValidator(_minutes), Field(gt=0), as_written.text(r"^\d+[mhd]$")]
Priority = t.Literal["p1", "p2", "p3", "p4"]


class Sla(_Part):
    """What was agreed, as figures for reports: nothing acts on them."""

    availability_percent: float | None = Field(None, gt=0, le=100)
    response: dict[Priority, Minutes] = Field(default_factory=dict)
    repair: dict[Priority, Minutes] = Field(default_factory=dict)
    hours: t.Literal["business", "24x7"] = "business"


class Price(_Part):
    """How the client pays."""

    model: t.Literal["flat", "prepaid", "time_and_material"]
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    per_device: dict[str, Decimal] = Field(default_factory=dict, description="flat: a month, by class of device")
    hours: Decimal | None = Field(None, gt=0, description="prepaid")
    expires: datetime.date | None = Field(None, description="prepaid")
    rate: Decimal | None = Field(None, gt=0, description="an hour, for what the price does not cover")

    @model_validator(mode="after")
    def _has_its_figures(self) -> Price:
        needed = {"flat": "per_device", "prepaid": "hours", "time_and_material": "rate"}[self.model]
        if not getattr(self, needed):
            raise ValueError(f"model {self.model} needs {needed}")
        return self


class ServicePlan(_Part):
    """The service plan of a client, a group or a host."""

    name: str = Field(min_length=1)
    tier: str = Field("", description="a bundle of services from keepwell_tiers")
    services: Services = Field((), description="besides those of the tier")
    coverage: t.Literal["full", "break_fix"] = Field("full", description="break_fix: only repaired when it breaks")
    sla: Sla = Field(default_factory=Sla)
    price: Price | None = None

    @model_validator(mode="after")
    def _break_fix_buys_nothing(self) -> ServicePlan:
        if self.coverage == "break_fix" and (self.tier or self.services):
            raise ValueError("coverage break_fix has no services: leave out tier and services, or use coverage full")
        return self

    @property
    def covered(self) -> bool:
        """False for a host that is only repaired when it breaks."""
        return self.coverage == "full"

    def buys(self, service: str) -> bool:
        """True when the service is part of the plan."""
        return service in self.services


class Contact(_Part):
    """Somebody at the client."""

    name: str = Field(min_length=1)
    role: t.Literal["owner", "technical", "finance", "security", "emergency"]
    mail: str = Field("", pattern=r"^$|^[^@\s]+@[^@\s]+$")
    phone: str = ""


class Contract(_Part):
    """What was signed: which machines, and whom to talk to."""

    hosts: tuple[str, ...] = Field((), description="inventory names of all machines under contract; empty: not listed")
    max_hosts: int | None = Field(None, gt=0)
    since: datetime.date | None = Field(None, alias="from")
    to: datetime.date | None = None
    contacts: tuple[Contact, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Contract:
        twice = sorted({host for host in self.hosts if self.hosts.count(host) > 1})
        if twice:
            raise ValueError(f"hosts names {twice[0]} twice")
        if self.since and self.to and self.to < self.since:
            raise ValueError("to is before from")
        return self

    def against(self, day: datetime.date) -> str:
        """Return why nothing is changed under this contract on a day of the client, "" when it is in force."""
        if self.since and day < self.since:
            return f"The contract begins on {self.since} (keepwell_contract.from): until then hosts are only looked at."
        if self.to and day > self.to:
            return f"The contract ended on {self.to} (keepwell_contract.to): since then hosts are only looked at."
        return ""


def build(value: t.Any, tiers: t.Any = None) -> tuple[ServicePlan | None, list[str]]:
    """Return the plan that ``keepwell_plan`` declares (None: observe only) and every mistake in it as a sentence."""
    bundles, problems = _tiers(tiers)
    if value is None:
        return None, problems
    plan, wrong = _read("keepwell_plan", "a mapping with name and services", ServicePlan, value)
    problems += wrong
    if plan is None:
        return None, problems
    problems += _unknown("keepwell_plan.services", plan.services)
    if plan.tier and plan.tier not in bundles:
        problems.append(f"keepwell_plan.tier: no tier '{plan.tier}' in keepwell_tiers.{nearest(plan.tier, bundles)}")
    bought = [*dict.fromkeys([*bundles.get(plan.tier, ()), *plan.services])]
    return plan.model_copy(update={"services": bought}), problems


def contract(value: t.Any) -> tuple[Contract, list[str]]:
    """Return the contract that ``keepwell_contract`` declares, and every mistake in it as a sentence."""
    if value is None:
        return Contract(), []
    found, problems = _read("keepwell_contract", "a mapping", Contract, value)
    return found or Contract(), problems


PartT = t.TypeVar("PartT", bound=_Part)


def _read(name: str, what: str, model: type[PartT], value: t.Any) -> tuple[PartT | None, list[str]]:
    if not isinstance(value, Mapping):
        return None, [f"{name} must be {what}, not {type(value).__name__}."]
    try:
        return model.model_validate(value), []
    except ValidationError as exc:
        return None, [_problem(name, model, error) for error in exc.errors()]


def _problem(name: str, model: type[_Part], error: t.Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    hint = ""
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        hint = nearest(key, [field.alias or name for name, field in model.model_fields.items()])
    given = error.get("input")
    shown = (
        f" (given: {given!r})" if isinstance(given, (str, int, float)) and error["type"] != "extra_forbidden" else ""
    )
    return f"{name}{'.' + key if key else ''}: {message}{shown}.{hint}"


def _tiers(value: t.Any) -> tuple[dict[str, Sequence[str]], list[str]]:
    if value is None:
        return {}, []
    if not isinstance(value, Mapping):
        return {}, [f"keepwell_tiers must be a mapping of tiers to lists of services, not {type(value).__name__}."]
    found: dict[str, Sequence[str]] = {}
    problems: list[str] = []
    for name, services in value.items():
        where = f"keepwell_tiers.{name}"
        if not isinstance(services, Sequence) or isinstance(services, str):
            problems.append(f"{where} must be a list of services, not {type(services).__name__}.")
            continue
        found[str(name)] = [str(word) for word in services]
        problems += _unknown(where, found[str(name)])
    return found, problems


def _unknown(where: str, services: Sequence[str]) -> list[str]:
    return [f"{where}: unknown service '{word}'.{nearest(word, SERVICES)}" for word in services if word not in SERVICES]
