# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how a client is kept in AWX (``keepwell_awx``), typed. Pure.

Nothing in here is a secret: credentials of AWX are named, never given.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

# Branches move: what ran last night could not be told from what runs tonight.
_MOVING = ("main", "master", "devel", "develop", "head", "trunk")


class Part(BaseModel):
    """A part of ``keepwell_awx``. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _without_secret(value: str) -> str:
    if re.match(r"^[a-z+]+://[^/@]*:[^/@]*@", value):
        raise ValueError("holds a password; keep it in a credential of AWX and name that")
    return value


def _pinned_branch(value: str) -> str:
    if value.lower() in _MOVING:
        raise ValueError("moves; pin a tag or a commit, so that every job runs the same code")
    return value


def _pinned_image(value: str) -> str:
    tag = value.rpartition("/")[2].partition(":")[2]
    if "@sha256:" not in value and tag in ("", "latest"):
        raise ValueError("should end in a version or a digest, like registry.example/keepwell-ee:0.1.0")
    return value


def _no_secret_headers(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if name.lower() in ("authorization", "cookie", "x-api-key", "x-auth-token"):
            raise ValueError(f"{name} is a secret; make the notification in AWX by hand and name it in notify")
    return value


Url = t.Annotated[str, Field(min_length=1), AfterValidator(_without_secret)]
Name = t.Annotated[str, Field(min_length=1, max_length=512)]


class Project(Part):
    """Where AWX gets the playbooks and the client's files from."""

    url: Url
    branch: t.Annotated[str, Field(min_length=1), AfterValidator(_pinned_branch)] = Field(
        description="a tag or a commit"
    )
    credential: str = Field("", description="name of a source control credential of AWX")


class Environment(Part):
    """The execution environment that jobs run in."""

    image: t.Annotated[str, Field(pattern=r"^[\w][\w./:@-]*$"), AfterValidator(_pinned_image)]
    pull: t.Literal["always", "missing", "never"] = "missing"
    credential: str = Field("", description="name of a registry credential of AWX")


class Webhook(Part):
    """Where AWX tells that a job failed."""

    url: t.Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_without_secret)]
    headers: t.Annotated[dict[str, str], AfterValidator(_no_secret_headers)] = Field(default_factory=dict)


class Awx(Part):
    """How a client is kept in AWX."""

    project: Project
    environment: Environment
    organization: str = Field("", description="name of an organization that is there; without it one is made")
    inventory: str = Field(
        "", pattern=r"^$|^[^/].*$", description="the client's inventory within the project; inventories/<client>"
    )
    credentials: tuple[Name, ...] = Field((), description="names of the credentials of AWX that reach the hosts")
    instance_groups: tuple[Name, ...] = Field((), description="names of the instance or container groups to run in")
    state_dir: str = Field(
        "/var/lib/keepwell", pattern=r"^/.+", description="where jobs find the state directory, as it is mounted"
    )
    notify: tuple[Name, ...] = Field((), description="names of notification templates of AWX, told of failed jobs")
    webhook: Webhook | None = Field(None, description="told of failed jobs")


def build(value: t.Any) -> tuple[Awx | None, list[str]]:
    """Return what ``keepwell_awx`` declares (None: not kept in AWX), and every mistake in it as a sentence."""
    if value is None:
        return None, []
    if not isinstance(value, Mapping):
        return None, [f"keepwell_awx must be a mapping with project and environment, not {type(value).__name__}."]
    try:
        return Awx.model_validate(value), []
    except ValidationError as exc:
        return None, [_problem(error) for error in exc.errors()]


def _problem(error: t.Any) -> str:
    loc = [str(part) for part in error["loc"]]
    where = ".".join(["keepwell_awx", *loc])
    if error["type"] == "extra_forbidden":
        parts: dict[str, type[Part]] = {"project": Project, "environment": Environment, "webhook": Webhook}
        model = parts.get(loc[0], Awx) if len(loc) > 1 else Awx
        return f"{where}: unknown key.{nearest(loc[-1], model.model_fields)}"
    if error["type"] == "missing":
        return f"{where}: it has to be said."
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    secret = "password" in message or "secret" in message
    shown = f" (given: {given!r})" if isinstance(given, (str, int, float)) and not secret else ""
    return f"{where}: {message}{shown}."
