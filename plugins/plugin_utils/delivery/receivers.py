# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who is told what, and when (``keepwell_notify``), and the mail server (``keepwell_smtp``).

Secrets (passwords, addresses of webhooks) are held in a type that shows itself as stars, and no sentence about a
mistake quotes them. Pure.
"""

from __future__ import annotations

import email.utils
import re
import typing as t
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports import webhook
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.formats import FORMATS, Dialect
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

VARIABLES = ("keepwell_deliver", "keepwell_notify", "keepwell_smtp")
CALENDAR = "ics"
WHICH = ("due", "waiting", "doubtful")
When = t.Literal["each_run", "verdict", "findings", "monthly"]
# Never shown, never quoted, and better not in a file as they are.
SECRETS = frozenset({"password", "url", "secret"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
# One address and nothing else: no list, no comment, no line end; what every mail server takes.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


def _listed(value: t.Any) -> t.Any:
    """A single word stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _one_or_more(word: Mapping[str, t.Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "array", "items": dict(word)}, dict(word)]})


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("should be one mail address like ann@bakery.example")
    return value


def _sender(value: str) -> str:
    found = email.utils.getaddresses([value])
    _address(found[0][1] if len(found) == 1 else "")
    if not value.isprintable():
        raise ValueError("should be an address, or a name and an address: Keepwell <keepwell@msp.example>")
    return value


def _url(value: SecretStr) -> SecretStr:
    try:
        parts = urllib.parse.urlsplit(value.get_secret_value())
        port = parts.port
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise ValueError("should be an address like https://hooks.example.com/x; only https and http are spoken")
    if parts.username or parts.password:
        raise ValueError("should hold no user and password: they would be sent to whoever answers there")
    if not value.get_secret_value().isascii() or re.search(r"[\x00-\x20\x7f]", value.get_secret_value()):
        raise ValueError("should hold no spaces, control characters or letters beyond ASCII")
    return value


def _signing(value: SecretStr) -> SecretStr:
    webhook.key_of(value.get_secret_value())
    return value


# What can be asked for: report/catalogues.py has the texts.
Reader = t.Literal["en", "nl", "de", "it", "client"]
Address = t.Annotated[str, AfterValidator(_address)]
Url = t.Annotated[SecretStr, AfterValidator(_url)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Smtp(_Part):
    """The server that takes mail from us."""

    host: str = Field(pattern=r"^[A-Za-z0-9.:-]+$")
    port: int | None = Field(None, gt=0, lt=65536)
    security: t.Literal["starttls", "tls", "none"] = "starttls"
    user: str = Field("", pattern=r"^[^\x00-\x1f]*$")
    password: SecretStr = SecretStr("")
    sender: t.Annotated[str, AfterValidator(_sender)] = Field(alias="from")
    ca_file: str = Field("", description="certificates of an authority of your own")
    timeout_s: float = Field(20, gt=0, le=120, description="for one mail")

    @model_validator(mode="after")
    def _is_careful(self) -> Smtp:
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("user and password belong together")
        if self.user and self.security == "none":
            raise ValueError("security none would send the password in clear: use starttls or tls, or leave user out")
        return self

    @property
    def at(self) -> int:
        """The port, or the usual one."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.security]


class Receiver(_Part):
    """Whom to tell, and when. ``channel`` says which kind it is."""

    when: t.Annotated[
        tuple[When, ...], BeforeValidator(_listed), Field(min_length=1), _one_or_more({"enum": list(t.get_args(When))})
    ] = ("each_run",)
    at_or_above: t.Literal["watch", "unknown", "act", "crit"] = Field(
        "act", description="findings: from which state on"
    )
    partial: bool = Field(False, description="also runs that do not speak for the whole client")
    give_up_days: float = Field(7, gt=0, le=60)


class Mail(Receiver):
    """People. Each gets a mail of their own."""

    channel: t.Literal["mail"]
    to: t.Annotated[
        tuple[Address, ...], BeforeValidator(_listed), Field(min_length=1), _one_or_more({"type": "string"})
    ]
    attach: t.Annotated[tuple[str, ...], BeforeValidator(_listed), _one_or_more({"enum": [*FORMATS, CALENDAR]})] = ()
    attach_limit_mb: float = Field(10, gt=0, le=50)
    csv: Dialect = "plain"
    language: Reader = Field("client", description="of the mail; client: that of keepwell_client.locale")

    @model_validator(mode="after")
    def _attaches_what_there_is(self) -> Mail:
        for word in self.attach:
            if word not in (*FORMATS, CALENDAR):
                raise ValueError(f"attach: unknown kind '{word}'.{nearest(word, (*FORMATS, CALENDAR))}")
        return self


class _Posted(Receiver):
    """Something that takes an HTTP request."""

    url: Url
    ca_file: str = Field("", description="certificates of an authority of your own")
    timeout_s: float = Field(15, gt=0, le=120)

    @property
    def clear(self) -> bool:
        """True when it goes over a network unencrypted."""
        parts = urllib.parse.urlsplit(self.url.get_secret_value())
        return parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost")


class Webhook(_Posted):
    """A program of yours; it can check that a message is from us."""

    channel: t.Literal["webhook"]
    secret: t.Annotated[SecretStr, AfterValidator(_signing)]


class _Chat(_Posted):
    """A channel in which people read."""

    language: Reader | None = Field(None, description="of the message; without it that of the engineer's report")


class Slack(_Chat):
    """A channel of Slack, by its incoming webhook."""

    channel: t.Literal["slack"]


class Teams(_Chat):
    """A channel of Microsoft Teams, by a workflow ("when a webhook request is received")."""

    channel: t.Literal["teams"]


class Textfile(Receiver):
    """The folder of node_exporter's textfile collector on this control node: metrics of the newest whole run."""

    channel: t.Literal["textfile"]
    directory: str = Field(pattern=r"^/")
    hosts: bool = Field(False, description="also the results of every host by its name")

    @model_validator(mode="after")
    def _is_always_current(self) -> Textfile:
        if self.when != ("each_run",) or self.partial:
            raise ValueError("metrics are written after each whole run: leave out when and partial")
        return self


AnyReceiver = Mail | Webhook | Slack | Teams | Textfile
CHANNELS: Mapping[str, type[AnyReceiver]] = {
    "mail": Mail,
    "webhook": Webhook,
    "slack": Slack,
    "teams": Teams,
    "textfile": Textfile,
}


@dataclass(frozen=True)
class Notify:
    """Everything that was said about delivery, by the receivers' names."""

    receivers: Mapping[str, AnyReceiver] = field(default_factory=dict)
    smtp: Smtp | None = None

    def secrets(self) -> list[str]:
        """Return every secret in clear, to take them out of what servers answer."""
        found = [self.smtp.password] if self.smtp else []
        for receiver in self.receivers.values():
            found += [receiver.url] if isinstance(receiver, _Posted) else []
            found += [receiver.secret] if isinstance(receiver, Webhook) else []
        return [secret.get_secret_value() for secret in found if secret.get_secret_value()]

    def warnings(self) -> list[str]:
        """Return what works and should not be so."""
        return [
            f"keepwell_notify.{name}: the address begins with http: what it says about machines is sent unencrypted."
            for name, receiver in self.receivers.items()
            if isinstance(receiver, _Posted) and receiver.clear
        ]


def build(receivers: t.Any, smtp: t.Any) -> tuple[Notify, list[str]]:
    """Return what ``keepwell_notify`` and ``keepwell_smtp`` declare, and every mistake in them as a sentence."""
    problems: list[str] = []
    server = None
    if smtp is not None:
        server, problems = _read("keepwell_smtp", "a mapping with host and from", Smtp, smtp)
    if receivers is None:
        return Notify({}, server), problems
    if not isinstance(receivers, Mapping):
        kind = type(receivers).__name__
        return Notify({}, server), [*problems, f"keepwell_notify must be a mapping of named receivers, not {kind}."]
    found: dict[str, AnyReceiver] = {}
    for name, value in receivers.items():
        receiver, wrong = _receiver(str(name), value)
        problems += wrong
        if receiver is not None:
            found[str(name)] = receiver
            if isinstance(receiver, Mail) and smtp is None:
                problems.append(f"keepwell_notify.{name}: mail needs keepwell_smtp, the server that takes it.")
    return Notify(found, server), problems


def _receiver(name: str, value: t.Any) -> tuple[AnyReceiver | None, list[str]]:
    where = f"keepwell_notify.{name}"
    if not _NAME.fullmatch(name):
        return None, [f"{where}: a receiver's name has small letters, digits, - and _ only."]
    if not isinstance(value, Mapping):
        return None, [f"{where} must be a mapping with a channel, not {type(value).__name__}."]
    channel = str(value.get("channel") or "")
    if channel not in CHANNELS:
        told = f"unknown channel '{channel}'" if channel else "it needs a channel"
        return None, [f"{where}: {told}.{nearest(channel, CHANNELS)}"]
    return _read(where, "a mapping", CHANNELS[channel], value)


ModelT = t.TypeVar("ModelT", bound=_Part)


def _read(name: str, what: str, model: type[ModelT], value: t.Any) -> tuple[ModelT | None, list[str]]:
    if not isinstance(value, Mapping):
        return None, [f"{name} must be {what}, not {type(value).__name__}."]
    try:
        return model.model_validate(value), []
    except ValidationError as exc:
        return None, [_problem(name, model, error) for error in exc.errors(include_url=False)]


def _problem(name: str, model: type[_Part], error: t.Any) -> str:
    """Return a mistake in one sentence. A secret is never quoted, and neither is a mapping that may hold one."""
    steps = [str(step) for step in error["loc"]]
    key = ".".join(steps)
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    hint, shown = "", ""
    if error["type"] == "extra_forbidden":
        hint = nearest(key, [entry.alias or field_name for field_name, entry in model.model_fields.items()])
    elif isinstance(given, (str, int, float)) and not SECRETS & set(steps):
        shown = f" (given: {given!r})"
    return f"{name}{'.' + key if key else ''}: {message.rstrip('.')}{shown}{'' if message.endswith('?') else '.'}{hint}"
