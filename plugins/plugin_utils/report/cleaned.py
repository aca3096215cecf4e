# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: what a cleanup found, did and left, as labels and lines. Pure."""

from __future__ import annotations

import gettext

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import (
    Cleanup,
    FilesystemPart,
    Grower,
    RulePart,
)


def cleaned(texts: gettext.NullTranslations, part: Cleanup | None) -> list[tuple[str, list[str]]]:
    """Return the facts of a cleanup; labels without lines are left out by the reader of it."""
    if part is None:
        return []
    gettext_ = texts.gettext
    growers = [f"{entry.mount}: {_grower(grower)}" for entry in part.filesystems for grower in entry.growers]
    return [
        (gettext_("Room made"), [_filesystem(entry) for entry in part.filesystems]),
        (gettext_("By rule"), [line for rule in part.rules if (line := _rule(rule))]),
        (
            gettext_("When it is full"),
            [f"{entry.mount}: {entry.forecast}" for entry in part.filesystems if entry.forecast],
        ),
        (gettext_("What is large, or grew"), growers),
        (gettext_("Made larger"), [f"{entry.outcome}: {entry.text}" for entry in part.growth]),
        (gettext_("For a person to decide"), [f"{entry.id}: {entry.count}" for entry in part.reports if entry.count]),
    ]


def _filesystem(entry: FilesystemPart) -> str:
    if entry.actual_bytes is None:
        return f"{entry.mount}: {size_text(entry.predicted_bytes)} could become free"
    reasons = "; ".join(f"{size_text(reason.bytes)} {reason.text}" for reason in entry.reasons)
    return (
        f"{entry.mount}: {size_text(entry.actual_bytes)} became free, {size_text(entry.predicted_bytes)} were predicted"
    ) + (f" ({reasons})" if reasons else "")


def _rule(rule: RulePart) -> str:
    told = rule.done or rule.predicted
    if told is None or not (told.files or told.folders or told.stopped):
        return ""
    words = [f"{count_text(told.files, 'file')}, {size_text(told.bytes)}"]
    if rule.done and rule.predicted and rule.done.bytes != rule.predicted.bytes:
        words.append(f"{size_text(rule.predicted.bytes)} were predicted")
    if told.stopped:
        words.append(f"ended by {told.stopped.replace('_', ' ')}")
    return f"{rule.id}: {'; '.join(words)}"


def _grower(grower: Grower) -> str:
    owner = grower.unit or grower.package or grower.user
    more = f", {size_text(grower.delta_bytes)} more" if grower.delta_bytes and grower.delta_bytes > 0 else ""
    since = f" since {grower.since[:10]}" if more and grower.since else ""
    return f"{grower.path} {size_text(grower.bytes)}{more}{since}" + (f" ({owner})" if owner else "")
