# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: what a cleanup found, did and left, as labels and lines. Pure."""

from __future__ import annotations

import gettext

from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import (
    Cleanup,
    FilesystemPart,
    Grower,
    RulePart,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import binary_size


def cleaned(texts: gettext.NullTranslations, part: Cleanup | None) -> list[tuple[str, list[str]]]:
    """Return the facts of a cleanup; labels without lines are left out by the reader of it."""
    if part is None:
        return []
    gettext_ = texts.gettext
    growers = [f"{entry.mount}: {_grower(texts, grower)}" for entry in part.filesystems for grower in entry.growers]
    return [
        (gettext_("Room made"), [_filesystem(texts, entry) for entry in part.filesystems]),
        (gettext_("By rule"), [line for rule in part.rules if (line := _rule(texts, rule))]),
        (
            gettext_("When it is full"),
            [f"{entry.mount}: {entry.forecast}" for entry in part.filesystems if entry.forecast],
        ),
        (gettext_("What is large, or grew"), growers),
        (gettext_("Made larger"), [f"{entry.outcome}: {entry.text}" for entry in part.growth]),
        (gettext_("For a person to decide"), [f"{entry.id}: {entry.count}" for entry in part.reports if entry.count]),
    ]


def _filesystem(texts: gettext.NullTranslations, entry: FilesystemPart) -> str:
    predicted = binary_size(texts, entry.predicted_bytes)
    if entry.actual_bytes is None:
        return texts.gettext("{mount}: {size} could become free").format(mount=entry.mount, size=predicted)
    told = texts.gettext("{mount}: {size} became free, {predicted} were predicted").format(
        mount=entry.mount, size=binary_size(texts, entry.actual_bytes), predicted=predicted
    )
    reasons = "; ".join(f"{binary_size(texts, reason.bytes)} {reason.text}" for reason in entry.reasons)
    return told + (f" ({reasons})" if reasons else "")


def _rule(texts: gettext.NullTranslations, rule: RulePart) -> str:
    told = rule.done or rule.predicted
    if told is None or not (told.files or told.folders or told.stopped):
        return ""
    files = texts.ngettext("{n} file", "{n} files", told.files).format(n=told.files)
    words = [f"{files}, {binary_size(texts, told.bytes)}"]
    if rule.done and rule.predicted and rule.done.bytes != rule.predicted.bytes:
        words.append(texts.gettext("{size} were predicted").format(size=binary_size(texts, rule.predicted.bytes)))
    if told.stopped:
        words.append(texts.gettext("ended by {what}").format(what=told.stopped.replace("_", " ")))
    return f"{rule.id}: {'; '.join(words)}"


def _grower(texts: gettext.NullTranslations, grower: Grower) -> str:
    owner = grower.unit or grower.package or grower.user
    told = f"{grower.path} {binary_size(texts, grower.bytes)}"
    if grower.delta_bytes and grower.delta_bytes > 0:
        more = binary_size(texts, grower.delta_bytes)
        if grower.since:
            told += texts.gettext(", {size} more since {day}").format(size=more, day=grower.since[:10])
        else:
            told += texts.gettext(", {size} more").format(size=more)
    return told + (f" ({owner})" if owner else "")
