# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what provider and owner have to talk about (``keepwell_agenda``). Pure.

Decisions that only the owner can make, promises with what became of them, and dates that no machine knows. Their texts
are the provider's own, in the owner's language; they are kept in the evidence of each run.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

# One page has room for short sentences.
Sentence = t.Annotated[str, Field(min_length=1, max_length=120)]
Note = t.Annotated[str, Field(max_length=100)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Decision(_Part):
    """Something that the owner is asked."""

    ask: Sentence = Field(description="the question, to be answered with yes or no")
    by: datetime.date = Field(description="until when")
    otherwise: Note = Field("", description="what happens without an answer")
    price: t.Annotated[str, Field(max_length=60)] = Field("", description="what yes costs; empty: nothing more")
    answer: Note = Field("", description="what the owner said: an answered question is not asked again")


class Promise(_Part):
    """Something that the provider said it would do."""

    what: Sentence
    by: datetime.date = Field(description="until when")
    kept: datetime.date | None = Field(None, description="when it was done")
    note: Note = Field("", description="why not, or what came of it")


class Event(_Part):
    """A date that the owner should know of."""

    what: Sentence
    when: datetime.date


class Agenda(_Part):
    """What is to be talked about."""

    decisions: tuple[Decision, ...] = ()
    promises: tuple[Promise, ...] = ()
    dates: tuple[Event, ...] = ()


def build(value: t.Any) -> tuple[Agenda, list[str]]:
    """Return the agenda that ``keepwell_agenda`` declares, and every mistake in it as a sentence."""
    if value is None:
        return Agenda(), []
    if not isinstance(value, Mapping):
        return Agenda(), [f"keepwell_agenda must be a mapping, not {type(value).__name__}."]
    try:
        return Agenda.model_validate(value), []
    except ValidationError as exc:
        return Agenda(), [_problem(error) for error in exc.errors()]


def _problem(error: t.Any) -> str:
    place = error["loc"]
    key = ".".join(str(part) for part in place)
    hint = ""
    if error["type"] == "extra_forbidden":
        parts: dict[str, type[_Part]] = {"decisions": Decision, "promises": Promise, "dates": Event}
        model = parts.get(str(place[0]), Agenda) if len(place) > 1 else Agenda
        hint = nearest(str(place[-1]), model.model_fields)
    given = error.get("input")
    shown = f" (given: {given!r})" if isinstance(given, (str, int, float)) and not hint else ""
    return f"keepwell_agenda.{key}: {error['msg']}{shown}.{hint}"
