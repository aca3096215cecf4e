# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a run in short as lines of text, and as messages for Slack and Microsoft Teams. Pure.

What hosts say goes only into fields that know no markup, so it can neither mention people nor make links or pictures.
Limits: https://docs.slack.dev/reference/block-kit/blocks/ (header 150, section 3,000 characters, 50 blocks); Teams cuts
off at 28 KB by its documentation and at 21 KB in practice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.notice import (
    TEXT_LIMIT,
    Notice,
    NoticeProblem,
    cut,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Counts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER

SLACK_HEADER_LIMIT = 150
SLACK_SECTION_LIMIT = 3000
SLACK_BLOCKS_LIMIT = 50
TEAMS_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Lines:
    """What a message says, in the order in which it is read."""

    subject: str
    partial: str
    verdict: str
    hosts: str
    results: str
    facts: list[str]
    problems: list[str]
    more: str
    foot: str


def lines_of(desk: Desk, notice: Notice) -> Lines:
    """Return the lines of a message."""
    say = desk.texts.gettext
    return Lines(
        subject=subject_of(desk, notice),
        partial=say("PARTIAL: it does not speak for the whole client.") if notice.partial else "",
        verdict=cut(desk.verdict, TEXT_LIMIT) or say("This run has no verdict."),
        hosts=say("Hosts: %s") % counts_text(desk, notice.counts.hosts),
        results=say("Results: %s") % counts_text(desk, notice.counts.results),
        facts=_facts(desk, notice),
        problems=[problem_text(desk, problem) for problem in notice.problems],
        more=_more(desk, notice.more_problems),
        foot=say("Run %s") % notice.run_id
        + (say(", data as of %s") % _moment(desk, notice.data_as_of) if notice.data_as_of else ""),
    )


def _moment(desk: Desk, timestamp: str) -> str:
    return f"{desk.clock.moment(timestamp)} ({desk.clock.zone_name})"


def subject_of(desk: Desk, notice: Notice) -> str:
    """Return ``[Keepwell] De Molen, 23 Nov 2026: grade B, 2 problems need a person``."""
    say = desk.texts.gettext
    grade = say("grade %s") % notice.grade_text if notice.grade else say("no grade")
    many = desk.texts.ngettext("%s problem needs a person", "%s problems need a person", notice.urgent)
    told = many % notice.urgent if notice.urgent else say("nothing needs a person")
    if not notice.urgent and notice.counts.hosts.unknown:
        told = say("not everything is known")
    part = say(" (partial)") if notice.partial else ""
    day = desk.clock.day(notice.ended_at or notice.started_at)
    return cut(f"[Keepwell] {notice.client.name}, {day}{part}: {grade}, {told}", SLACK_HEADER_LIMIT)


def counts_text(desk: Desk, counts: Counts) -> str:
    """Return ``14: ✖ 1 critical, ▲ 3 act, ✓ 10 ok``: the parts add up to the total, and empty ones are left out."""
    parts = [
        f"{desk.badges[state].glyph} {number} {desk.badges[state].word}"
        for state in ORDER
        if (number := getattr(counts, state))
    ]
    return f"{counts.total}: {', '.join(parts)}" if parts else str(counts.total)


def problem_text(desk: Desk, problem: NoticeProblem) -> str:
    """Return a problem in one line: what, where, what was seen, until when."""
    say = desk.texts.gettext
    badge = desk.badges[problem.state]
    more = problem.hosts - len(problem.named)
    names = ", ".join(problem.named) + (say(" and %s more") % more if more else "")
    deadline = desk.deadline(problem.deadline)
    due = ""
    if deadline:
        due = " " + (say("%s overdue.") if deadline.overdue else say("Due in %s.")) % deadline.distance
    return f"{badge.glyph} {badge.word}: {problem.title} ({names}): {problem.observed}.{due}"


def _facts(desk: Desk, notice: Notice) -> list[str]:
    say = desk.texts.gettext
    found = []
    if notice.altered_evidence:
        found.append(say("Evidence of the run before was changed."))
    if notice.unreached:
        many = desk.texts.ngettext("%s host gave no answer: %s", "%s hosts gave no answer: %s", notice.unreached)
        more = notice.unreached - len(notice.unreached_named)
        names = ", ".join(notice.unreached_named) + (say(" and %s more") % more if more else "")
        found.append(many % (notice.unreached, names) + ".")
    found += filter(None, (desk.doubt, desk.accepted))
    if notice.delta:
        delta = notice.delta
        found.append(
            say(
                "Since the last run: %(new)s new, %(worse)s worse, %(better)s better, %(resolved)s resolved, "
                "%(still_open)s still open."
            )
            % delta.model_dump()
        )
    if notice.backups:
        found.append(
            desk.texts.ngettext(
                "Backups: %(proven)s of %(total)s dataset is proven.",
                "Backups: %(proven)s of %(total)s datasets are proven.",
                notice.backups.total,
            )
            % {"proven": notice.backups.proven, "total": notice.backups.total}
        )
    if notice.changes:
        done = ", ".join(f"{number} {desk.word('change', outcome)}" for outcome, number in notice.changes.items())
        found.append(say("Changes: %s.") % done)
    return found


def _more(desk: Desk, number: int) -> str:
    if not number:
        return ""
    return desk.texts.ngettext("And %s more problem.", "And %s more problems.", number) % number


def slack(lines: Lines) -> bytes:
    """Return the body for a Slack incoming webhook."""
    blocks: list[dict[str, t.Any]] = [
        {"type": "header", "text": _plain(lines.subject, SLACK_HEADER_LIMIT)},
        _section(" ".join(filter(None, (lines.partial, lines.verdict)))),
        _section("\n".join((lines.hosts, lines.results, *lines.facts))),
        *(_section(problem) for problem in lines.problems),
        *([_section(lines.more)] if lines.more else []),
        {"type": "context", "elements": [_plain(lines.foot, SLACK_SECTION_LIMIT)]},
    ]
    # Read out by notifications, and the only field in which Slack looks for markup.
    fallback = lines.subject.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return canonical({"text": fallback, "blocks": blocks, "unfurl_links": False, "unfurl_media": False})


def _plain(text: str, limit: int) -> dict[str, t.Any]:
    return {"type": "plain_text", "text": cut(text, limit), "emoji": False}


def _section(text: str) -> dict[str, t.Any]:
    return {"type": "section", "text": _plain(text, SLACK_SECTION_LIMIT)}


def teams(lines: Lines) -> bytes:
    """Return the body for a Teams workflow ("when a webhook request is received"): a message with an Adaptive Card.

    Problems are left out from the end, and said to be, until the message is small enough.
    """
    shown = len(lines.problems)
    while len(body := _card(lines, shown)) > TEAMS_LIMIT and shown:
        shown -= 1
    return body


def _card(lines: Lines, shown: int) -> bytes:
    left_out = len(lines.problems) - shown
    body = [
        _run(lines.subject, size="large", weight="bolder"),
        *([_run(lines.partial, weight="bolder")] if lines.partial else []),
        _run(lines.verdict),
        *(_run(text) for text in (lines.hosts, lines.results, *lines.facts)),
        *(_run(problem, separator=True) for problem in lines.problems[:shown]),
        *([_run(f"… {left_out}")] if left_out else []),
        *([_run(lines.more)] if lines.more else []),
        _run(lines.foot, size="small"),
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return canonical({"type": "message", "attachments": [attachment]})


def _run(text: str, *, separator: bool = False, **look: str) -> dict[str, t.Any]:
    """A paragraph. Text runs know no Markdown; a TextBlock would make links of what a host said."""
    block: dict[str, t.Any] = {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}
    return {**block, "separator": True} if separator else block
