# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the policy, one section a pillar, built from defaults and up to three layers.

Pure: no Ansible, no files. Runs on the control node.
"""

from __future__ import annotations

import difflib
import typing as t
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Section
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import SECTIONS

# Variable names of the layers, from general to special; each overrides single values of the one before.
LAYERS = ("keepwell_policy", "keepwell_policy_group", "keepwell_policy_host")
Policy = Mapping[str, Section]


class PolicyError(ValueError):
    """All mistakes of a policy, one sentence each, in ``problems``."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


# More allowed words than this are no help.
_TELLABLE = 60


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest allowed word, and what is allowed when that is short or unclear."""
    names = sorted(allowed)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    some = len(names) <= _TELLABLE and (not close or len(names) <= 3)
    everything = f" Allowed: {', '.join(names) or 'none'}." if some else ""
    return hint + everything


def build(layers: Iterable[tuple[str, t.Any]]) -> Policy:
    """Return the policy that these layers make over the defaults.

    ``layers`` are (name of the variable, its value) from general to special. Raises PolicyError with every mistake:
    an unknown section or key (with the nearest match), a value of the wrong kind or outside its limits.
    """
    problems: list[str] = []
    merged: dict[str, dict[str, t.Any]] = {}
    origin: dict[tuple[str, str], str] = {}
    for variable, layer in layers:
        if layer is None:
            continue
        if not isinstance(layer, Mapping):
            problems.append(f"{variable} must be a mapping of sections, not {type(layer).__name__}.")
            continue
        for section, values in layer.items():
            where = f"{variable}.{_one_line(section)}"
            if section not in SECTIONS:
                problems.append(f"{where}: unknown section.{nearest(str(section), SECTIONS)}")
            elif not isinstance(values, Mapping):
                problems.append(f"{where} must be a mapping of settings, not {type(values).__name__}.")
            else:
                for key, value in values.items():
                    if key not in SECTIONS[section].model_fields:
                        problems.append(
                            f"{where}.{_one_line(key)}: unknown key.{nearest(str(key), SECTIONS[section].model_fields)}"
                        )
                        continue
                    merged.setdefault(section, {})[key] = value
                    origin[section, key] = f"{where}.{key}"
    policy: dict[str, Section] = {}
    for section, model in SECTIONS.items():
        try:
            policy[section] = model.model_validate(merged.get(section, {}))
        except ValidationError as exc:
            problems += [_sentence(section, error, origin) for error in exc.errors()]
    if problems:
        raise PolicyError(problems)
    return policy


def _one_line(word: t.Any) -> str:
    return " ".join(str(word).split())


def _sentence(section: str, error: t.Mapping[str, t.Any], origin: Mapping[tuple[str, str], str]) -> str:
    path = [str(part) for part in error["loc"]]
    where = origin.get((section, path[0]), f"{section}.{path[0]}") if path else section
    rest = "".join(f".{part}" for part in path[1:])
    given = f" (given: {error['input']!r})" if not isinstance(error.get("input"), Mapping) else ""
    return f"{where}{rest}: {error['msg']}{given}."


def describe() -> list[dict[str, t.Any]]:
    """Return every policy value with section, key, default and source, for documentation and reports."""
    rows = []
    for section, model in SECTIONS.items():
        for key, info in model.model_fields.items():
            default = info.get_default(call_default_factory=True)
            if isinstance(default, BaseModel):
                default = default.model_dump()
            rows.append({"section": section, "key": key, "default": default, "source": info.description or ""})
    return rows
