# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make believable runs of any size through the real models: the same arguments give the same run, always.

``make_run(14)`` is a small client on an ordinary Monday; ``make_run(14, hostile=True)`` has names and texts that try
to break out of every output.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, grade, models, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State, worst

NOW = models.epoch("2026-11-23T03:12:40Z")
DAY = 86400.0

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "web\u202e10gpj.exe",
    "x" * 255,
    "büro-🖨️-drucker",
    'it\'s "quoted" & `ticked`',
    "two\nlines",
    "--become",
    "../../etc/passwd",
    "| pipe | **bold** [link](javascript:alert(1))",
)
HOSTILE_TEXT = "\"><img src=x onerror=alert(1)> {{ 7 * 7 }} =cmd|' /C calc'!A0 </style></details>\u202e |"


@dataclass(frozen=True)
class Trouble:
    """One way in which a check can be not ok. ``weight`` is how often, per mille of the hosts."""

    weight: int
    state: State
    observed: str
    expected: str
    summary: str = ""
    command: str = ""
    object: str = ""
    since_days: float = 3
    due_days: float | None = None
    reason: str = ""


STORY = yaml.safe_load(Path(__file__).with_name("fleet_story.yml").read_text(encoding="utf-8"))
CHECKS = [(entry["id"], entry["title"], entry["advice"], entry["fine"]) for entry in STORY]
TROUBLES = {entry["id"]: [Trouble(**trouble) for trouble in entry.get("troubles", [])] for entry in STORY}
NOT_APPLICABLE = {entry["id"]: entry.get("not_applicable", 0) for entry in STORY}
SYSTEMS = (
    ("Debian GNU/Linux 12 (bookworm)", "debian", "12", "6.1.0-37-amd64"),
    ("Debian GNU/Linux 13 (trixie)", "debian", "13", "6.12.41-amd64"),
    ("Ubuntu 24.04.3 LTS", "ubuntu", "24.04", "6.8.0-86-generic"),
    ("AlmaLinux 9.6 (Sage Margay)", "almalinux", "9.6", "5.14.0-570.58.1.el9_6.x86_64"),
    ("SUSE Linux Enterprise Server 15 SP7", "sles", "15.7", "6.4.0-150700.53.16-default"),
)
SITES = (
    ("web", "kw_web"),
    ("db", "kw_db"),
    ("mail", "kw_mail"),
    ("erp", "kw_erp"),
    ("shop", "kw_web"),
    ("file", "kw_file"),
    ("dns", "kw_infra"),
)
SILENCE = (
    "no answer on port 22 within 10 s",
    "ssh: host key has changed",
    "permission denied (publickey)",
)


def _key(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def check_infos() -> list[models.CheckInfo]:
    """The 24 checks with two thresholds as examples."""
    limits = {
        "patching.security": [
            ("patching.high_or_unrated_days", 14, "Cyber Essentials v3.3"),
            ("patching.other_days", 30, "CIS 7.3"),
        ],
        "backup.age": [("backup.rpo_hours", 26, "House")],
        "backup.restore_test": [("backup.restore_test_days", 90, "CIS 11.5")],
        "capacity.filesystems": [
            ("capacity.free_watch_percent", 5, "node-mixin"),
            ("capacity.free_crit_percent", 3, "node-mixin"),
        ],
        "time.offset": [
            ("time.offset_watch_s", 0.5, "House; node-mixin warns at 0.05 s"),
            ("time.offset_crit_s", 5.0, "House; Kerberos breaks at 300 s"),
        ],
    }
    controls = {
        "patching.security": ["CIS 7.3", "ISO A.8.8", "NIS2 6.6.1", "CE A6.4", "E8 OS", "PCI 6.3.3", "SOC 2 CC7.1"],
        "backup.restore_test": ["CIS 11.5", "ISO A.8.13", "NIS2 4.2.6", "SOC 2 A1.3"],
        "time.offset": ["CIS 8.4", "PCI 10.6"],
    }
    return [
        models.CheckInfo(
            id=check,
            pillar=check.split(".")[0],  # type: ignore[arg-type]
            title=title,
            advice=advice,
            controls=controls.get(check, []),
            thresholds=[models.Threshold(key=k, default=d, source=s) for k, d, s in limits.get(check, [])],
        )
        for check, title, advice, _fine in CHECKS
    ]


def _finding(host: str, check: str, trouble: Trouble, hostile: bool) -> models.Finding:
    accepted = None
    if trouble.state == "accepted":
        accepted = models.Acceptance(
            reason=trouble.reason, approver="M. Jansen (client)", expires="2027-03-31", underlying="watch"
        )
    began = models.iso(NOW - trouble.since_days * DAY)
    text = HOSTILE_TEXT if hostile else ""
    return models.Finding(
        key=_key("demolen", host, check, trouble.object),
        object=trouble.object + text,
        state=trouble.state,
        observed=trouble.observed + text,
        expected=trouble.expected + text,
        summary=trouble.summary + text,
        advice=text,
        command=trouble.command and trouble.command + ("'\n</code><script>alert(2)</script>" if hostile else ""),
        first_seen=began,
        since=began,
        age_basis="ledger_first_seen",
        deadline=None if trouble.due_days is None else models.iso(NOW + trouble.due_days * DAY),
        accepted=accepted,
    )


def _silent(name: str, group: str, reason: str) -> models.HostResult:
    results = [
        models.CheckResult(
            check=check,
            state="unknown",
            observed=reason,
            findings=[
                models.Finding(
                    key=_key("demolen", name, check, ""),
                    state="unknown",
                    observed=reason,
                    expected="an answer",
                    first_seen=models.iso(NOW - DAY),
                )
            ],
        )
        for check, *_rest in CHECKS
    ]
    return models.HostResult(
        host=name,
        groups=[group],
        state="unknown",
        contact=models.Contact(reached=False, reason=reason, seconds=10.0),
        results=results,
    )


def _host(name: str, group: str, dice: random.Random, hostile: bool) -> models.HostResult:
    results, not_applicable = [], []
    denied = False
    for check, _title, _advice, fine in CHECKS:
        if dice.randrange(1000) < NOT_APPLICABLE[check]:
            not_applicable.append(check)
            continue
        roll, met = dice.randrange(1000), None
        for trouble in TROUBLES[check]:
            if roll < trouble.weight:
                met = trouble
                break
            roll -= trouble.weight
        if met is None:
            results.append(models.CheckResult(check=check, state="ok", observed=fine))
            continue
        denied = denied or (check == "hardware.smart" and met.state == "unknown")
        finding = _finding(name, check, met, hostile)
        results.append(models.CheckResult(check=check, state=met.state, observed=finding.observed, findings=[finding]))
    os, os_id, version, kernel = dice.choice(SYSTEMS)
    probes = {
        probe: models.ProbeSummary(status="ok", duration_s=round(dice.random() / 3, 3))
        for probe in ("system", "packages", "disks", "services", "timesync", "network")
    }
    if denied:
        probes["disks"].sources = {"smartctl": "denied: needs root"}
    return models.HostResult(
        host=name,
        groups=[group, "kw_prod"],
        state=worst(result.state for result in results),
        contact=models.Contact(
            reached=True,
            transport="stream",
            privileged=not denied,
            become_refused="sudo: a password is required" if denied else "",
            seconds=round(0.4 + dice.random(), 2),
            clock_offset_s=round(dice.random() / 50, 3),
        ),
        collected_at=models.iso(NOW - 30 - dice.randrange(120)),
        facts=models.HostFacts(
            os=os,
            os_id=os_id,
            os_version=version,
            kernel=kernel,
            architecture="x86_64",
            virtualization=dice.choice(("kvm", "vmware", None)),
            uptime_s=float(dice.randrange(1, 400)) * DAY,
            cpus=dice.choice((2, 4, 8, 16)),
            memory_bytes=dice.choice((4, 8, 16, 64)) * 1024**3,
            python="3.11.2",
        ),
        probes=probes,
        results=results,
        not_applicable=not_applicable,
    )


def _changes(hosts: list[models.HostResult], infos: dict[str, models.CheckInfo]) -> models.Delta:
    open_findings = [
        (host.host, result.check, finding)
        for host in hosts
        for result in host.results
        for finding in result.findings
        if finding.state in counting.OPEN_STATES
    ]
    recent = [entry for entry in open_findings if entry[2].first_seen > models.iso(NOW - 1.5 * DAY)]

    def change(entry: tuple[str, str, models.Finding], **more: object) -> models.FindingChange:
        host, check, finding = entry
        return models.FindingChange(
            host=host,
            check=check,
            title=infos[check].title,
            object=finding.object,
            state=finding.state,
            observed=finding.observed,
            **more,
        )  # type: ignore[arg-type]

    worse = [change(entry, previous_state="watch") for entry in open_findings if entry[2].state == "crit"][:3]
    resolved = [
        models.FindingChange(
            host=host.host,
            check="services.failed",
            title="Failed services",
            object="nginx.service",
            state="ok",
            previous_state="act",
            observed="104 units, none failed",
        )
        for host in hosts
        if host.state == "ok"
    ][:4]
    return models.Delta(
        previous_run_id="01KAPZ6W8N3R0D2Y4T5M7Q9V1B",
        previous_at=models.iso(NOW - DAY),
        new=[change(entry) for entry in recent],
        worse=worse,
        better=[],
        resolved=resolved,
        still_open=len(open_findings) - len(recent) - len(worse),
    )


def make_run(
    count: int, *, seed: int = 84, hostile: bool = False, partial: tuple[str, ...] = (), first: bool = False
) -> run_document.Run:
    """Return a whole run over ``count`` hosts."""
    dice = random.Random(seed)
    hosts = []
    for number in range(1, count + 1):
        site, group = SITES[number % len(SITES)]
        name = f"{site}{number:02d}.demolen.example"
        if hostile and number <= len(HOSTILE_NAMES):
            name = HOSTILE_NAMES[number - 1]
        if (count > 3 and dice.randrange(1000) < 25) or (count == 14 and number == 9):
            hosts.append(_silent(name, group, SILENCE[number % len(SILENCE)]))
        else:
            hosts.append(_host(name, group, dice, hostile))
    infos = check_infos()
    problems = counting.problems(hosts, infos)
    urgent = sum(problem.state in ("crit", "act") for problem in problems)
    measured = [host.collected_at for host in hosts if host.collected_at]
    return run_document.Run(
        status="complete",
        header=run_document.RunHeader(
            run_id="01KARN3T5V7X9Z1B3D5F7H9K2M",
            client=models.Client(
                id="demolen",
                name="Bakkerij De Molen B.V." if not hostile else HOSTILE_TEXT,
                timezone="Europe/Amsterdam",
            ),
            started_at=models.iso(NOW - 160),
            population=sorted(host.host for host in hosts),
            partial=list(partial),
            trigger=run_document.Trigger(
                user="keepwell", controller="control01", origin="timer", reference="keepwell-report@demolen.service"
            ),
            inventory=["inventories/demolen"],
            versions={"keepwell.fleet": "0.1.0", "ansible-core": "2.19.14", "python": "3.11.7"},
            git_commit="cbab1470c9f1a2b3c4d5e6f708192a3b4c5d6e7f",
        ),
        ended_at=models.iso(NOW),
        data_as_of=min(measured) if measured else None,
        verdict=(
            f"{urgent} problems need a person today; the oldest is 84 days past its date."
            if urgent
            else "Nothing needs a person today."
        ),
        counts=counting.count_run(hosts),
        grade=grade.grade(hosts, infos, problems),
        checks=infos,
        hosts=hosts,
        problems=problems,
        delta=models.Delta() if first else _changes(hosts, {info.id: info for info in infos}),
        interrupted_runs=["01KAPX0000TM3V5X7Z9B1D3F5H"] if count > 3 else [],
    )
