# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifecycle: for how long do makers still mend what runs here?"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _support_table as table
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    Section,
    State,
    Verdict,
    View,
    check,
    count_text,
    threshold,
)


class Policy(Section):
    """Thresholds for ends of support."""

    watch_days: float = threshold(180.0, "House: time to plan a migration", ge=0)
    act_days: float = threshold(90.0, "House: time to start a migration", ge=0)
    crit_days: float = threshold(30.0, "House: least time for a migration", ge=0)
    free_extension_state: t.Literal["ok", "watch"] = threshold(
        "watch", "House: Debian LTS and the like leave packages out, so a migration belongs into the plan"
    )
    table_max_age_days: float = threshold(90.0, "House: the table of end dates is a snapshot", gt=0)
    rolling_max_age_days: float = threshold(30.0, "House: age of a rolling distribution's snapshot", gt=0)


def _epoch(date: str) -> float:
    """End of that day, UTC."""
    day = datetime.date.fromisoformat(date)
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp() + DAY


def find_row(system: Mapping[str, t.Any]) -> table.Row | None:
    """The row for what os-release says (id, version_id, pretty), or for Windows (id windows, build, edition_id)."""
    name = str(system.get("id") or "")
    release = str(system.get("version_id") or "")
    if name == "windows":
        release = str(system.get("build") or "").split(".", maxsplit=1)[0]
    if name == "centos" and "stream" in str(system.get("pretty") or "").lower():
        name = "centos-stream"
    edition = str(system.get("edition_id") or "")
    # A long-term edition has the build number of an ordinary one, but dates of its own.
    long_term = {prefix for prefix in table.LONG_TERM_EDITIONS if edition.startswith(prefix)}
    best: tuple[int, table.Row] | None = None
    for row in table.ROWS:
        if row.system != name or not (release == row.release or release.startswith(row.release + ".")):
            continue
        fits = [prefix for prefix in row.editions if edition.startswith(prefix)]
        if (row.editions and not fits) or (long_term and not long_term.intersection(row.editions)):
            continue
        # The longest prefix wins: EnterpriseS (LTSC) is also Enterprise.
        length = max(map(len, fits), default=0)
        if best is None or length > best[0]:
            best = (length, row)
    return best[1] if best else None


def gets_updates(view: View, moment: float) -> bool:
    """True where security updates were still made for this system at a time; True as well where nobody knows."""
    record = view.probes.get("system")
    system = (record.data.get("os") or {}) if record is not None and record.status == "ok" else {}
    row = find_row(system) if system.get("id") else None
    if record is None or row is None:
        return True
    return _epoch(row.extended_ends if _covered(row, record.data) else row.security_ends) >= moment


def _covered(row: table.Row, data: Mapping[str, t.Any]) -> bool:
    """True where the host shows the contract that extends its support."""
    entitlement = data.get("entitlement") or {}
    return bool(row.entitlement) and entitlement.get("kind") == row.entitlement and entitlement.get("active") is True


def _state(seconds: float, policy: Policy) -> State:
    for limit, state in ((policy.crit_days, "crit"), (policy.act_days, "act"), (policy.watch_days, "watch")):
        if seconds < limit * DAY:
            return t.cast(State, state)
    return "ok"


def _when(date: str, now: float) -> str:
    left = _epoch(date) - now
    if left < 0:
        return f"ended {date}"
    return f"until {date} ({count_text(int(left // DAY), 'day')} left)"


def _look(view: View) -> str:
    return view.command(
        "cat /etc/os-release",
        "Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion' | "
        "Select-Object EditionID, DisplayVersion, CurrentBuildNumber",
    )


@check(
    "lifecycle.os_support",
    title="Operating system support",
    advice="Plan the upgrade to a supported release; without security updates every other patch figure means nothing.",
    needs=("system",),
    controls=("CIS 2.2", "ISO A.8.8", "E8 OS", "PCI 12.3.4"),
    thresholds=("watch_days", "act_days", "crit_days", "free_extension_state", "rolling_max_age_days"),
)
def os_support(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge by the last security update the host can get; general support is told beside it."""
    system = view.data("system").get("os") or {}
    name = system.get("pretty") or system.get("id") or "unknown system"
    if not system.get("id"):
        yield Verdict("unknown", observed="the system did not say what it is", expected="a supported release")
        return
    if system["id"] in table.ROLLING:
        yield _rolling(system, name, view.now, policy)
        return
    row = find_row(system)
    if row is None and system.get("support_end"):
        row = _own_statement(system, name)
    if row is None:
        like = ", ".join(system.get("id_like") or ())
        yield Verdict(
            "unknown",
            observed=f"{name}: not in the table of {table.AS_OF}",
            expected="a known, supported release",
            summary=f"Nobody has written down until when {name} gets security updates.",
            advice="Look up its end of support and add the release to the table."
            + (f" It derives from {like}, but has dates of its own." if like else ""),
            command=_look(view),
            data={"id": system["id"], "version_id": system.get("version_id")},
        )
        return
    yield _judge_row(view, policy, row)


def _own_statement(system: Mapping[str, t.Any], name: str) -> table.Row | None:
    end = str(system["support_end"])
    try:
        datetime.date.fromisoformat(end)
    except ValueError:
        return None
    return table.Row(str(system["id"]), str(system.get("version_id") or ""), name, end, end)


def _judge_row(view: View, policy: Policy, row: table.Row) -> Verdict:
    covered = _covered(row, view.data("system"))
    end = row.extended_ends if covered else row.security_ends
    deadline = _epoch(end)
    state = _state(deadline - view.now, policy)
    # Standard support is over, but its maker or volunteers still mend security holes for everybody.
    extended_free = bool(row.free_extension) and _epoch(row.support_ends) < view.now <= deadline
    if state == "ok" and extended_free:
        state = policy.free_extension_state
    texts = [f"{row.name}: security updates {_when(end, view.now)}"]
    if covered:
        texts.append(f"through {row.entitlement}")
    if row.support_ends != end:
        texts.append(f"standard support {_when(row.support_ends, view.now)}")
    if extended_free:
        texts.append(f"in {row.free_extension} now")
    if row.extended_ends and not covered:
        texts.append(f"extended support until {row.extended_ends} not seen on this host")
    over = deadline < view.now
    return Verdict(
        state,
        observed=", ".join(texts),
        expected=f"security updates for at least {policy.watch_days:g} days",
        summary=""
        if state == "ok"
        else f"{row.name} no longer gets security updates."
        if over
        else f"{row.name} gets security updates until {end} only."
        if state != policy.free_extension_state or not extended_free
        else f"{row.name} has left standard support; {row.free_extension} covers most, but not all packages.",
        advice="" if state == "ok" else _advice(row, over, covered),
        command="" if state == "ok" else _look(view),
        since=deadline if over else None,
        age_basis="end of security support" if over else "",
        deadline=deadline,
        data={
            "support_ends": row.support_ends,
            "security_ends": end,
            "extended_ends": row.extended_ends,
            "entitlement_seen": covered,
            "table_as_of": table.AS_OF,
        },
    )


def _advice(row: table.Row, over: bool, covered: bool) -> str:
    if row.extended_ends and not covered:
        return f"Upgrade, or buy extended support until {row.extended_ends} and register this host for it."
    if over:
        return "Upgrade to a supported release now, or take the host off every network it does not need."
    return "Plan the upgrade to the next release with the client before that day."


def _rolling(system: Mapping[str, t.Any], name: str, now: float, policy: Policy) -> Verdict:
    """A rolling distribution is as old as its snapshot; VERSION_ID or BUILD_ID are its date where it has one."""
    expected = f"a snapshot of the last {policy.rolling_max_age_days:g} days"
    for value in (system.get("version_id"), system.get("build_id")):
        digits = str(value or "")[:8]
        if len(digits) == 8 and digits.isdigit():
            try:
                age = now - _epoch(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
            except ValueError:
                continue
            old = age > policy.rolling_max_age_days * DAY
            return Verdict(
                "watch" if old else "ok",
                observed=f"{name}: snapshot {count_text(max(0, int(age // DAY)), 'day')} old",
                expected=expected,
                summary=f"{name} gets security updates only by newer snapshots." if old else "",
                advice="Update the whole system." if old else "",
            )
    return Verdict("unknown", observed=f"{name}: a rolling system that does not tell its age", expected=expected)


@check(
    "lifecycle.table_age",
    title="Age of the support table",
    advice="Update Keepwell, or the table of end dates in it: makers do move dates.",
    needs=("system",),
    thresholds=("table_max_age_days",),
)
def table_age(view: View, policy: Policy) -> Iterator[Verdict]:
    """The dates are a snapshot; an old one may be wrong on either side."""
    age = view.now - (_epoch(table.AS_OF) - DAY)
    old = age > policy.table_max_age_days * DAY
    yield Verdict(
        "watch" if old else "ok",
        observed=f"{count_text(int(age // DAY), 'day')} old (as of {table.AS_OF}, {table.SOURCE})",
        expected=f"at most {policy.table_max_age_days:g} days",
        summary="The dates that supports are judged by may be out of date." if old else "",
    )
