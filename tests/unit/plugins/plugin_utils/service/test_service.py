"""What was agreed and what the client got become evidence: from settings, from history, each thing once."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_runs import NOW, change, finding, host_evidence, record, verification

from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import Reboot, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service import agenda
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.agreement import agreed
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.record import days, last_words, work

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    return evidence.Store(tmp_path, "acme")


def patched(host: str, at: float, number: int, **more):
    versions = [Version(name=f"p{place}", before="1", after="2") for place in range(number)]
    return change(host, "done", at=at, versions=versions, cves=["CVE-2026-1"], **more)


def test_a_run_tells_what_was_done_in_the_thirty_days_before(store: evidence.Store) -> None:
    looked = [host_evidence("web1", {}), host_evidence("web2", {})]
    record(store, looked, at=NOW - 40 * DAY, changes=[patched("web1", NOW - 40 * DAY, 9)])
    record(
        store,
        looked,
        at=NOW - 10 * DAY,
        changes=[
            patched("web1", NOW - 10 * DAY, 3, reboot=Reboot(required="yes", done=True)),
            change("web2", "failed", at=NOW - 10 * DAY),
        ],
        verifications=[verification("web1")],
    )
    run_id = record(store, looked, at=NOW, changes=[patched("web2", NOW, 2)])
    service = store.read_run(run_id).service
    assert service is not None
    work = service.work
    assert (work.looks, work.jobs, work.updates, work.updated_hosts) == (2, 2, 5, 2)
    assert (work.reboots, work.cves, work.failed) == (1, 1, 1)
    assert [(entry.host, entry.amount, entry.rebooted) for entry in work.examples] == [
        ("web1", 3, True),
        ("web2", 2, False),
    ]
    assert [(day.asked, day.answered, day.worked) for day in service.days] == [(2, 2, 0), (2, 2, 2), (2, 2, 1)]


def test_a_restore_that_could_not_be_done_is_none_that_brought_wrong_data() -> None:
    ends = ("proven", "damaged", "failed", "inconclusive", "locked", "refused", "error", "timeout")
    tests = [("sample", outcome, NOW, "web1", 1) for outcome in ends]
    told = work([], [*tests, ("structure", "locked", NOW, "web1", 0)], 1)
    assert (told.restores, told.restored, told.undone) == (8, 1, 5)


def test_a_change_that_a_later_run_ended_is_told_once() -> None:
    begun = change("web1", "running", run_id="a", transaction="t1")
    ended = change("web1", "done", run_id="b", transaction="t1")
    other = change("web1", "done", run_id="c")
    assert last_words([begun, ended, other]) == [ended, other]


def test_what_needed_work_is_told_with_what_became_of_it(store: evidence.Store) -> None:
    check = "services.failed_units"
    bad = [host_evidence(host, {check: [finding(host, check, "act", "x")]}) for host in ("web1", "web2")]
    record(store, bad, at=NOW - 35 * DAY)
    record(store, bad, at=NOW - 20 * DAY)
    run_id = record(store, [host_evidence("web1", {check: "ok"}), bad[1]], at=NOW)
    [problem] = store.read_run(run_id).service.earlier
    assert (problem.check, problem.hosts, problem.left) == (check, 2, 1)


def test_the_first_run_has_no_past(store: evidence.Store) -> None:
    service = store.read_run(record(store, [host_evidence("web1", {}, reached=False)])).service
    assert service is not None
    assert (service.earlier, service.disk, service.work.jobs) == ([], None, 0)
    assert [(day.asked, day.answered) for day in service.days] == [(1, 0)]


def test_the_disk_that_is_full_first_comes_with_its_past(store: evidence.Store) -> None:
    def full(at: float, used: float, **data: float):
        entry = finding("web1", "capacity.forecast", "watch", "/srv")
        entry.data = data
        mount = {
            "mount": "/srv", "fstype": "ext4", "kind": "local", "size_bytes": 1000, "used_bytes": used,
            "avail_bytes": 1000 - used, "inodes": 10, "inodes_free": 5, "read_only": False,
        }  # fmt: skip
        return host_evidence("web1", {"capacity.forecast": [entry]}, at=at, probes={"disks": {"filesystems": [mount]}})

    for ago in (3, 2, 1):
        at = NOW - ago * DAY
        record(store, [full(at, 900 - ago * 10, median_days=8, low_days=6, high_days=20)], at=at)
    run_id = record(store, [full(NOW, 900, median_days=7, low_days=5, high_days=19)], at=NOW)
    disk = store.read_run(run_id).service.disk
    assert (disk.host, disk.mount) == ("web1", "/srv")
    assert disk.full_at == evidence_day(7)
    assert disk.early_at == evidence_day(5)


def evidence_day(ahead: float) -> str:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

    return iso(NOW + 10 + ahead * DAY)


def test_days_are_those_of_the_clients_calendar() -> None:
    # 23:30 in London is the next day in Amsterdam.
    late = 1_795_390_200.0
    assert [day.day for day in days([(late, 1, 1)], [], "UTC")] == ["2026-11-22"]
    assert [day.day for day in days([(late, 1, 1)], [], "Europe/Amsterdam")] == ["2026-11-23"]
    assert [day.day for day in days([(late, 1, 1)], [], "Mars/Olympus")] == ["2026-11-22"]


def read(**variables):
    return settings.read({f"keepwell_{name}": value for name, value in variables.items()}, ["acme/hosts.yml"], NOW)


def test_an_agreement_is_what_the_hosts_have_in_common() -> None:
    plan = {"name": "Care", "services": ["patching"], "sla": {"availability_percent": 99.5}}
    window = {"sun": {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "4h", "allow": ["patch"]}}
    told = {
        "web1": read(plan=plan, windows=window),
        "web2": read(plan=plan, windows=window, policy={"patching": {"sla_high_or_unrated_d": 20}}),
        "db1": read(plan={**plan, "name": "Basic"}),
    }
    found = agreed(told, NOW)
    assert [(entry.name, entry.hosts, entry.availability_percent) for entry in found.plans] == [
        ("Care", 2, 99.5), ("Basic", 1, 99.5),
    ]  # fmt: skip
    assert (found.security_days, found.restore_days) == (20, 90)
    assert len(found.windows) == 6
    assert {window.hosts for window in found.windows} == {2}
    assert agreed({}, NOW).plans == []


def test_a_mistake_in_the_agenda_or_the_language_stops_before_the_first_connection() -> None:
    with pytest.raises(settings.SettingsError) as caught:
        read(
            client={"id": "acme", "name": "Acme", "locale": "fr_FR"},
            agenda={"decisions": [{"ask": "x" * 121, "by": "soon"}], "promises": [{"what": "x", "bye": 1}]},
        )
    told = "\n".join(caught.value.problems)
    assert "keepwell_client.locale: reports do not speak 'fr_FR'. Allowed: de, en, it, nl." in told
    assert "keepwell_agenda.decisions.0.ask: String should have at most 120 characters" in told
    assert "keepwell_agenda.decisions.0.by: Input should be a valid date" in told
    assert "keepwell_agenda.promises.0.bye: Extra inputs are not permitted. Did you mean 'by'?" in told
    assert agenda.build([])[1] == ["keepwell_agenda must be a mapping, not list."]
    assert agenda.build(None) == (agenda.Agenda(), [])
