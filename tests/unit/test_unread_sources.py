"""No check says ok, or nothing at all, over a source that could not be read: every source of every recording.

What may stay is in ``STANDS``, with the reason. Where it is the other way round, and something that is not there means
"does not apply" (no RAID, no multipath, a kernel without pressure figures), ``NOT_THERE`` says so.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import replay
import unread
import windows_replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils import document_keys, judge, observation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import UNREAD, ProbeRecord, View

PROBES = Path(__file__).parents[2] / "plugins" / "module_utils" / "probes"
# A host with something to judge in every probe.
HOST = {
    "access": "debian_12_as_root",
    "antivirus": "detections_with_a_life",
    "backups": "timers_cron_and_postgres",
    "certificates": "nginx_serves_what_lies_on_disk",
    "disks": "raid_lvm_thin_and_zfs",
    "hardware": "physical_with_failing_disk",
    "network": "debian_12",
    "packages": "debian12_lab_repository",
    "pressure": "cgroup_v2_kills",
    "services": "debian_12",
    "system": "physical_without_detect_virt",
    "timesync": "chrony_debian_12",
}

# (check, source or part of the document) -> why the result does not depend on it as a whole. Patterns.
STANDS = {
    ("access.guest", "computer"): "the account itself tells whether it is on",
    ("access.idle_accounts", "computer"): "the role tells domain controllers alone, which have no such accounts",
    ("access.root_login", "sshd*"): "what the file or sshd says in so many words is in force, and told as such",
    ("antivirus.conflict", "*"): "one engine alone is in nobody's way; with several it is unknown",
    ("antivirus.definitions", "units"): "units are names in the text",
    ("antivirus.present", "*"): "an engine is there, whatever else it does not tell",
    ("antivirus.running", "*"): "a process that runs, runs: version and start at boot are words beside it",
    ("backup.present", "*"): "a tool is there, whatever starts it",
    ("backup.scheduled", "*"): "one job that is started is a schedule; backup.last_run tells of the others",
    ("capacity.space", "partitions"): "what may be read-only is judged like the rest",
    ("certificates.chain", "listeners"): "chains are judged in files; ports show more authorities, not more files",
    ("hardware.disk_health", "computer"): "a machine of unknown kind is taken for a physical one",
    ("hardware.kernel_errors", "computer"): "a machine of unknown kind is taken for a physical one",
    ("network.links", "boot*"): "only flapping is not judged without it, which Windows does not count at all",
    ("network.listeners", "ephemeral_ports"): "the kernel's default range is taken",
    ("network.listeners", "/proc/sys/net/ipv4/ip_local_port_range"): "the kernel's default range is taken",
    ("patching.metadata_fresh", "check-update without excludes"): "it tells what is held back, not how old lists are",
    ("patching.*", "build"): "a second opinion on the list of updates; patching.monthly_update is unknown without",
    ("patching.other_pending", "advisories"): "updates without an advisory are judged as unclassified, never ok",
    ("patching.other_pending", "check-update without excludes"): "what it adds is held back: patching.withheld",
    ("patching.package_state", "dpkg-query"): "the number of packages is a word beside it",
    ("patching.*", "installed_count"): "the number of packages is a word beside it",
    ("patching.unclassified", "rpm"): "the number of packages is a word beside it",
    ("patching.services_restart", "/proc/[*]/maps"): "processes end meanwhile; more than a few make it unknown",
    ("services.cpu_pressure", "/proc/pressure/memory"): "the run queue takes the place of pressure",
    ("services.failed_units", "tasks"): "a unit of a task that failed is then named here instead",
    ("services.limits", "process*"): "the kernel's own tables are judged; what is missing of processes is told",
    ("services.limits", "open files"): "the kernel's own tables are judged; what is missing of processes is told",
    ("services.oom_kills", "/proc/sys/kernel/random/boot_id"): "all since boot are counted then",
    ("services.restarting", "booted_at"): "the last hour is counted by itself",
    ("services.system_state", "*"): "systemd's word counts all units; services.failed_units names them",
    ("services.timers", "booted_at"): "it only tells whether a timer of the boot has done its work",
    ("time.offset", "provider"): "the offset itself is there",
    ("time.sources", "provider"): "time.synchronised tells that no service answers",
    ("time.synchronised", "reference"): "a word beside it",
    ("time.synchronised", "stratum"): "a word beside it",
}
# Checks with nothing to judge where nothing of a backup is left to be seen: this one is unknown then.
TOLD_BY = {"backup.last_run": "backup.present", "backup.undeclared": "backup.present"}
# (check, key) -> what a null without a word from its source means.
NOT_THERE = {
    ("capacity.thin_pool", "lvm"): "no LVM",
    ("hardware.multipath", "multipath"): "no multipath",
    ("hardware.thermal", "temperatures"): "no sensor; the processor's own count is judged",
    ("hardware.thermal", "throttle_counts"): "no such count; sensors are judged",
    ("services.cpu_pressure", "psi"): "a kernel without pressure figures; the run queue takes their place",
    ("services.oom_kills", "cgroup_oom"): "no cgroup v2; the kernel's own count is judged",
    ("services.oom_kills", "vmstat"): "a kernel that does not count; cgroups do",
}
# Parts of what Windows sends that are never null: the probe ends without adapters, and asks the ports by itself.
NEVER_NULL = {("network", "adapters"), ("certificates", "served")}
# What parts of what Windows sends are read from, where the source has another name.
SOURCES = {
    ("antivirus", "services"): "engine services",
    ("backups", "veeam"): "veeam logs",
    ("backups", "wsb"): "windows server backup",
    ("certificates", "stored"): "store My",
    ("network", "statistics"): "adapter statistics",
    ("system", "os"): "system information",
    ("timesync", "samples"): "w32time",
    ("timesync", "services"): "time services",
    ("timesync", "type"): "w32time",
}


def _told(check: str, names: t.Iterable[str], table: t.Mapping[tuple[str, str], str]) -> bool:
    return any(fnmatchcase(check, pattern) and fnmatchcase(name, source) for pattern, source in table for name in names)


@functools.cache
def _records() -> dict[str, ProbeRecord]:
    return {
        probe: unread.record_of(replay.load(replay.CASES / "probes" / probe / f"{name}.yml"))
        for probe, name in HOST.items()
    }


def _view(probe: str, record: ProbeRecord, now: float) -> View:
    """The host with one probe of another recording, looked at a day after it was looked at with the same result."""
    probes = {**_records(), probe: record}
    return View(
        host="web1",
        now=now + 60,
        probes=probes,
        history=replay.RecordedHistory(
            {
                "previous": {name: known.data for name, known in probes.items()},
                "previous_at": now - 86400,
                "boots": [["an earlier one", now - 864000]],
            }
        ),
        privileged=True,
        clock_offset_s=0.1,
        contact={"seconds": 1.0},
    )


def _worsened(before: ProbeRecord, after: ProbeRecord) -> list[str]:
    """Sources that could not be read this time."""
    return [
        name
        for name, entry in after.sources.items()
        if entry["status"] in UNREAD and before.sources.get(name, {}).get("status") not in UNREAD
    ]


@pytest.mark.parametrize("path", replay.cases("probes"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_source_of_a_recording_can_fail_unnoticed(path: Path) -> None:
    case = replay.load(path)
    probe = case["probe"]
    record = unread.record_of(case)
    if record.status != "ok":
        return
    view = _view(probe, record, float(case.get("now", 1795399200.0)))
    before = unread.all_judged(view, probe)
    wrong = []
    for what, changed in unread.broken(case):
        after = unread.record_of(changed)
        # What failed in the recording already has nothing more to lose.
        sources = _worsened(record, after)
        broken = replace(view, probes={**view.probes, probe: after})
        for check in unread.not_noticed(before, view, broken, probe):
            elsewhere = check in TOLD_BY and judge.run_check(TOLD_BY[check], broken, unread.POLICY).state == "unknown"
            if sources and not elsewhere and not _told(check, sources, STANDS):
                wrong.append(f"{check}: {what}: {', '.join(sources)}")
    assert not wrong


@pytest.mark.parametrize("probe", sorted(HOST))
def test_no_part_of_a_document_can_be_null_or_missing_unnoticed(probe: str) -> None:
    case = replay.load(replay.CASES / "probes" / probe / f"{HOST[probe]}.yml")
    record = _records()[probe]
    view = _view(probe, record, float(case.get("now", 1795399200.0)))
    before = unread.all_judged(view, probe)
    wrong = []
    for key, value in record.data.items():
        rest = {name: kept for name, kept in record.data.items() if name != key}
        for data in ([{**rest, key: None}] if value is not None else []) + [rest]:
            after = _completed(view, probe, data)
            wrong += [
                f"{check}: {key} {'is null' if key in data else 'is missing'}"
                for check in unread.not_noticed(before, view, after, probe)
                if key not in data or not (_told(check, [key], STANDS) or _told(check, [key], NOT_THERE))
            ]
    assert not wrong


def _completed(view: View, probe: str, data: dict[str, t.Any]) -> View:
    """The view with other data of a probe, as an observation that arrived with it has it."""
    sent = {"status": "ok", "data": data, "sources": dict(view.probes[probe].sources)}
    read = observation.complete({"probes": {probe: sent}}, ())["probes"][probe]
    return unread.with_probe(view, probe, status=read["status"], data=read["data"], detail=read.get("detail", ""))


@pytest.mark.parametrize("status", [*UNREAD, "absent"])
@pytest.mark.parametrize("probe", sorted(HOST))
def test_no_probe_can_fail_unnoticed(probe: str, status: str) -> None:
    case = replay.load(replay.CASES / "probes" / probe / f"{HOST[probe]}.yml")
    view = _view(probe, _records()[probe], float(case.get("now", 1795399200.0)))
    before = unread.all_judged(view, probe)
    after = unread.with_probe(view, probe, status=status, data={})
    assert not unread.not_noticed(before, view, after, probe)
    for check in judge.CHECKS:
        if probe in check.needs and not check.from_datasets:
            assert judge.run_check(check.id, after, unread.POLICY).state == "unknown", check.id


@pytest.mark.parametrize("release", windows_replay.RELEASES)
@pytest.mark.parametrize("probe", windows_replay.PROBES)
def test_no_part_of_what_windows_sends_can_be_null_or_missing_unnoticed(release: str, probe: str) -> None:
    document = windows_replay.documents(release, {}, {})
    view = _windows_view(document)
    before = unread.all_judged(view, probe)
    sent = document["probes"][probe]
    wrong = []
    for key, value in sent["data"].items():
        if value is None or (probe, key) in NEVER_NULL:
            continue
        source = SOURCES.get((probe, key), key.replace("_", " "))
        rest = {name: kept for name, kept in sent["data"].items() if name != key}
        for data, status in (({**rest, key: None}, "error"), ({**rest, key: None}, "denied"), (rest, "error")):
            record = {**sent, "data": data, "sources": {source: {"status": status}}}
            after = _windows_view({**document, "probes": {**document["probes"], probe: record}}, view)
            wrong += [
                f"{check}: {key} {f'could not be read ({status})' if key in data else 'is missing'}"
                for check in unread.not_noticed(before, view, after, probe)
                if not _told(check, [key, source], STANDS)
            ]
    assert not wrong


def _windows_view(document: dict[str, t.Any], previous: View | None = None) -> View:
    at = document["collected_at"]
    known = {name: record.data for name, record in (previous or _windows_well(document)).probes.items()}
    history = {"previous": known, "previous_at": at - 86400, "boots": [["an earlier one", at - 864000]]}
    return observation.view(
        observation.complete(document, ()), "srv01", at + 60, replay.RecordedHistory(history), clock_offset_s=0.1
    )


def _windows_well(document: dict[str, t.Any]) -> View:
    return observation.view(observation.complete(document, ()), "srv01", document["collected_at"])


def test_the_sources_that_checks_name_are_sources_of_probes() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PROBES.iterdir()) if path.is_file())
    for check in judge.CHECKS:
        for source in check.sources:
            name = source.rstrip("*")
            known = source.startswith("/") or any(f"{quote}{name}" in text for quote in "\"'")
            assert known, f"{check.id}: no probe has a source {source!r}"


def test_an_unread_source_is_named_with_its_reason_beside_what_was_seen() -> None:
    view = _view("pressure", _records()["pressure"], 1795399200.0)
    seen = judge.run_check("services.oom_kills", view, unread.POLICY)
    assert seen.state == "ok"
    broken = unread.with_probe(view, "pressure", sources={"/proc/vmstat": {"status": "denied"}})
    result = judge.run_check("services.oom_kills", broken, unread.POLICY)
    assert result.state == "unknown"
    (verdict,) = result.verdicts
    assert verdict.observed == f"{seen.verdicts[0].observed}; not read: /proc/vmstat (needs more rights)"
    assert verdict.expected == seen.verdicts[0].expected


def test_a_finding_is_not_hidden_by_a_source_that_could_not_be_read() -> None:
    view = _view("network", _records()["network"], 1795399200.0)
    link = {**view.data("network")["links"][0], "name": "bond0", "kind": "bond", "up": False, "master": "bond1"}
    data = {**view.data("network"), "links": [link]}
    broken = unread.with_probe(view, "network", data=data, sources={"addresses": {"status": "error"}})
    assert judge.run_check("network.links", broken, unread.POLICY).state == "watch"


def test_every_probe_has_its_keys_written_down() -> None:
    assert set(document_keys.KEYS) == set(HOST)
    for probe, (held, nullable) in document_keys.KEYS.items():
        record = _records()[probe]
        unknown = set(record.data) - set(held) - set(nullable)
        # What Linux alone has is not asked of Windows.
        assert unknown <= {"uid0"}, probe
        assert not document_keys.lost(probe, record.data)
