# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: the variables of a chore's role, ``<chore>_*``, typed and checked. Pure.

argument_specs of a role check and do not convert, and inventories are checked by nobody: here the text of
``-e patching_soak_days=7`` becomes a number, and a typo one sentence with the nearest match.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError


class Setting(BaseModel):
    """A part of the variables. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def none_when_empty(value: t.Any) -> t.Any:
    """Return None for what a role's defaults say instead of nothing."""
    return None if value in ("", 0, "0") or value == {} else value


Text = t.Annotated[str, AfterValidator(str.strip)]
Reason = t.Annotated[str, Field(min_length=3)]
OptionalText = t.Annotated[str | None, BeforeValidator(none_when_empty)]


class Options(Setting):
    """What every chore's role has; meta/argument_specs.yml of each role says what its variables mean."""

    act: bool = False
    hold: Text = ""
    reconnect_s: float = Field(300.0, ge=0)


OptionsT = t.TypeVar("OptionsT", bound=Setting)


def read(
    chore: str, model: type[OptionsT], variables: Mapping[str, t.Any], registered: t.Collection[str] = ()
) -> OptionsT:
    """Return the options that a host's ``<chore>_*`` variables make. Raises SettingsError with every mistake.

    ``registered`` are names that the role's tasks register: results, no settings.
    """
    prefix = chore + "_"
    problems = []
    given = {}
    for name, value in variables.items():
        if name in registered:
            continue
        key = name.removeprefix(prefix)
        if key in model.model_fields:
            given[key] = value
        else:
            problems.append(
                f"{name}: unknown variable.{nearest(name, [prefix + field for field in model.model_fields])}"
            )
    try:
        chosen = model.model_validate(given)
    except ValidationError as exc:
        problems += [_sentence(prefix, error) for error in exc.errors()]
    if problems:
        raise SettingsError(problems)
    return chosen


def _sentence(prefix: str, error: Mapping[str, t.Any]) -> str:
    where = prefix + ".".join(str(part) for part in error["loc"]) if error["loc"] else prefix + "*"
    # pydantic puts this before the text of a validator of ours.
    text = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    # What may be a secret is not repeated; a URL that holds one is shown without it.
    hidden = isinstance(given, Mapping) or "credentials" in error["loc"]
    shown = "" if hidden else f" (given: {redact_text(repr(given))})"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key."
    return f"{where}: {text}{shown}."
