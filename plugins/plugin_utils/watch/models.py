# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a beat of the watch, as one line of evidence. Pure.

A line names only the hosts whose sample differs from the line before; the first line of a day names all. So a day of a
quiet client is small, and every day can be read without the others.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp

# A host is lost when it did not answer this many times in a row; more are not counted.
LOST_AFTER = 2
Answer = t.Literal["ok", "fail", "unknown"]


class Open(Model):
    """A finding that was open at a beat."""

    check: str
    object: str = ""
    state: State
    since: Timestamp = Field(description="the first beat that had it")


class DeclaredWindow(Model):
    """A maintenance window that was declared at a beat: open then, or about to open."""

    name: str
    begin: Timestamp
    end: Timestamp


class Sample(Model):
    """What one beat saw of one host."""

    answer: Answer = Field(description="fail: it does not answer; unknown: that cannot be told")
    reason: str = Field("", description="why there is no observation")
    misses: int = Field(0, ge=0, le=LOST_AFTER, description="beats without an answer in a row")
    silent_since: Timestamp | None = Field(None, description="the first of them")
    known: bool = Field(False, description="it has ever answered a beat")
    boot: str = Field("", description="another text is another start of the host")
    watched: list[str] = Field([], description="units that were looked at")
    findings: list[Open] = Field([], description="what was open")
    room: dict[str, list[int]] = Field({}, description="mount point -> bytes used, available, in all")
    windows: list[DeclaredWindow] = Field([], description="open, or about to open")


class Beat(Model):
    """One line of watch/<day>.jsonl."""

    schema_version: str = SCHEMA_VERSION
    at: Timestamp = Field(description="when it began")
    seconds: float = Field(0.0, ge=0, description="how long it took")
    entry: str = Field("", description="of keepwell_schedule; empty when a person started it")
    controller: str = ""
    interval_s: int = Field(gt=0, description="when the next one is to be expected")
    asked: list[str] | None = Field(None, description="hosts that were asked, where not all were")
    whole: bool = Field(False, description="names every host, whatever the lines before say")
    hosts: dict[str, Sample] = Field({}, description="samples that differ from those of the beat before")
    gone: list[str] = Field([], description="hosts that belong to the client no more")
    previous: str = Field("", description="SHA-256 of the line before, in this file or the one before")
