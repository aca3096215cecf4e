"""What Windows hosts tell, read and judged: golden documents of seven releases, and cases that differ from them.

A case below cases/windows_verdicts names the golden documents that it starts from (``windows``), what differs (``change``:
probe -> path with dots -> value; a value of null takes nothing away, it is what the host could not read), sources that
could not be read (``sources``), and what has to come of it: parts of documents (``expect``), verdicts of checks
(``verdicts``).
"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest
import replay
import windows_replay
from windows_replay import PROBES, RELEASES

from ansible_collections.keepwell.fleet.plugins.plugin_utils import judge, policy

# Checks that read nothing else than these probes.
CHECKS = tuple(
    check.id
    for check in judge.CHECKS
    if check.needs and set(check.needs) <= set(PROBES) - {"system"} and not check.from_datasets
)
# What a host that is well does not get for being well: what only its owner can declare.
NOT_WELL = {"backup.undeclared"}
# What Windows 10 and 11 do unless somebody decides otherwise: restart by themselves, and ask one time server.
CLIENTS = ("10-", "11-")
# What nobody can do or look at on Windows.
ELSEWHERE = re.compile(
    r"\b(sudo|root|systemctl|journalctl|systemd|cron|timer|unit|daemon|apt|dnf|package (lists|manager|sources)|sshd?)\b|/etc/",
    re.IGNORECASE,
)
CLIENT_DEFAULTS = {"patching.automatic_updates", "time.sources"}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", PROBES)
def test_golden_documents_say_what_they_are(release: str, name: str) -> None:
    golden = windows_replay.golden(release, name)
    assert golden["recorded"] is False or "recorded" in golden["source"]
    assert golden["source"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("check", CHECKS)
def test_a_host_that_is_well_has_no_finding(release: str, check: str) -> None:
    result = judge.run_check(check, windows_replay.well(release), policy.build([]))
    wrong = [asdict(verdict) for verdict in result.verdicts if verdict.state != "ok"]
    if release.startswith(CLIENTS) and check in CLIENT_DEFAULTS:
        assert len(wrong) == 1
    else:
        assert not wrong or check in NOT_WELL, wrong


@pytest.mark.parametrize("path", replay.cases("windows_verdicts"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_windows_verdict_case(path: Path) -> None:
    case = replay.load(path)
    seen = windows_replay.view(case)
    for name, wanted in (case.get("expect") or {}).items():
        assert seen.probes[name].status == "ok", seen.probes[name].detail
        assert not replay.differences(wanted, dict(seen.probes[name].data))
    chosen = policy.build([("case", case.get("policy") or {})])
    for check, wanted in case["verdicts"].items():
        verdicts = [asdict(verdict) for verdict in judge.run_check(check, seen, chosen).verdicts]
        assert not replay.differences(wanted, verdicts), verdicts


@pytest.mark.parametrize("path", replay.cases("windows_verdicts"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_windows_host_is_told_nothing_of_linux(path: Path) -> None:
    case = replay.load(path)
    seen, chosen = windows_replay.view(case), policy.build([("case", case.get("policy") or {})])
    for check in (check for check in judge.CHECKS if check.id in CHECKS):
        for verdict in judge.run_check(check.id, seen, chosen).verdicts:
            if verdict.state != "ok":
                advice = verdict.advice or check.advice
                told = (verdict.observed, verdict.expected, verdict.summary, advice, verdict.command)
                assert not [text for text in told if ELSEWHERE.search(text or "")], check.id
