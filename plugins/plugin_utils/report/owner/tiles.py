# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the four tiles of the owner's page: what was measured beside what was agreed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State, worst
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import Wording
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import Agreement

SECURITY = "patching.security_pending"


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure. ``agreed`` is one sentence; ``name`` tells tests and style sheets which it is."""

    name: str
    badge: Badge
    label: str
    value: str
    unit: str
    agreed: str


def tiles(desk: Desk, say: Wording) -> list[Tile]:
    """Return the four tiles."""
    agreement = desk.run.header.agreement or Agreement()
    return [
        _available(desk, say) or _answered(desk, say, agreement),
        _backups(desk, say, agreement),
        _updates(desk, say, agreement),
        _jobs(desk, say, agreement),
    ]


def _tile(desk: Desk, name: str, state: State, label: str, value: str, unit: str, agreed: str) -> Tile:
    return Tile(name, desk.badges[state], label, value, unit, agreed)


def _available(desk: Desk, say: Wording) -> Tile | None:
    """What the watch measured of all machines together; None without a watch."""
    found, texts = desk.run.availability, desk.texts
    if found is None:
        return None
    row = found.rows[0]
    known = texts.gettext("{percent} of the time known").format(percent=say.percent((row.coverage_percent or 0) / 100))
    agreed = texts.gettext("No availability was agreed.")
    state = row.state
    targets = [host.target_percent for host in found.rows[1:] if host.target_percent is not None]
    if row.target_percent is not None:
        agreed = texts.gettext("Agreed: {percent}.").format(percent=say.percent(row.target_percent / 100, 2))
    elif targets:
        # Of all together nothing was agreed: each machine is held against its own figure.
        agreed = texts.gettext("Agreed by machine: {least} to {most}.").format(
            least=say.percent(min(targets) / 100, 2), most=say.percent(max(targets) / 100, 2)
        )
        state = worst([state, *(host.state for host in found.rows[1:] if host.target_percent is not None)])
    measured = row.state != "unknown" and row.observed_percent is not None
    value = say.percent((row.observed_percent or 0) / 100, 2) if measured else "-"
    return _tile(desk, "available", state, texts.gettext("Availability"), value, known, agreed)


def _answered(desk: Desk, say: Wording, agreement: Agreement) -> Tile:
    """How often machines answered. That is no availability: nobody looked in between, and the tile says so."""
    texts = desk.texts
    service = desk.run.service
    since = say.local(service.begin).date().isoformat() if service else ""
    days = [day for day in service.days if day.day >= since] if service else []
    asked, answered = sum(day.asked for day in days), sum(day.answered for day in days)
    targets = [plan.availability_percent for plan in agreement.plans if plan.availability_percent is not None]
    agreed = texts.gettext("No availability was agreed.")
    if targets:
        agreed = texts.gettext("Agreed: {percent} availability; it is not measured yet.").format(
            percent=say.percent(min(targets) / 100, 2)
        )
    state: State = "unknown" if targets or not asked else "ok" if answered == asked else "watch"
    return _tile(
        desk,
        "answered",
        state,
        texts.gettext("Machines answered"),
        say.percent(answered / asked) if asked else "-",
        texts.ngettext("of {n} time we looked", "of {n} times we looked", asked).format(n=say.number(asked)),
        agreed,
    )


def _backups(desk: Desk, say: Wording, agreement: Agreement) -> Tile:
    run, texts = desk.run, desk.texts
    total, proven = len(run.backups), sum(entry.proven for entry in run.backups)
    agreed = texts.gettext("Agreed: none too old, and a good test restore.")
    if agreement.restore_days is not None:
        agreed = texts.gettext("Agreed: none too old, and a good test restore every {days}.").format(
            days=say.days(int(agreement.restore_days))
        )
    if not total:
        unit = texts.gettext("no backup is in our care")
        return _tile(desk, "backups", "unknown", texts.gettext("Backups proven to work"), "-", unit, "")
    state: State = "ok" if proven == total else "act"
    unit = texts.ngettext("of {n} backup", "of {n} backups", total).format(n=say.number(total))
    return _tile(desk, "backups", state, texts.gettext("Backups proven to work"), say.number(proven), unit, agreed)


def _updates(desk: Desk, say: Wording, agreement: Agreement) -> Tile:
    """On how many machines no security update is past its date; a machine that was not seen is none of them."""
    texts = desk.texts
    on_time = late = unclear = 0
    for host in desk.run.hosts:
        for result in host.results:
            if result.check != SECURITY:
                continue
            deadlines = [finding.deadline for finding in result.findings if finding.deadline]
            if any(epoch(deadline) < desk.clock.now for deadline in deadlines):
                late += 1
            elif result.state == "unknown":
                unclear += 1
            else:
                on_time += 1
    total = on_time + late + unclear
    agreed = ""
    if agreement.security_days is not None:
        agreed = texts.gettext("Agreed: open for {days} at most.").format(days=say.days(int(agreement.security_days)))
    state: State = "act" if late else "unknown" if unclear or not total else "ok"
    return _tile(
        desk,
        "updates",
        state,
        texts.gettext("Security updates in time"),
        say.number(on_time) if total else "-",
        texts.ngettext("of {n} machine", "of {n} machines", total).format(n=say.number(total)),
        agreed,
    )


def _jobs(desk: Desk, say: Wording, agreement: Agreement) -> Tile:
    texts = desk.texts
    service = desk.run.service
    work = service.work if service else None
    models = {plan.price_model for plan in agreement.plans}
    paid = ""
    if models == {"flat"}:
        paid = texts.gettext("Agreed: all of it is in your fixed price.")
    elif agreement.plans:
        paid = texts.gettext("Your plan: {name}.").format(name=agreement.plans[0].name)
    failed = work.failed if work else 0
    state: State = "act" if failed else "ok"
    jobs = work.jobs if work else 0
    unit = texts.ngettext("job", "jobs", jobs)
    if failed:
        unit = texts.ngettext("{jobs}; {n} went wrong", "{jobs}; {n} went wrong", failed).format(
            jobs=unit, n=say.number(failed)
        )
    return _tile(desk, "jobs", state, texts.gettext("Work done for you"), say.number(jobs), unit, paid)
