"""keepwell.fleet.period_report and fleet_overview on real evidence: signed, changed, deleted, and of two clients."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import sealed_client
from ansible.errors import AnsibleError
from fleet_runs import NOW, change, finding, host_evidence, record, verification
from sealed_client import ACME, DAY

from ansible_collections.keepwell.fleet.plugins.action import fleet_overview, period_report
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import pack, signing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.reading import read
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.span import UTC, Asked, days

PENDING = "patching.security_pending"
TODAY = iso(NOW)[:10]
LAST = iso(NOW + 3 * DAY)[:10]


def act(
    module: t.Any, state: Path, check: bool = False, now: float = NOW + 5 * DAY, **arguments: t.Any
) -> dict[str, t.Any]:
    """Run an action as a task would, at a time of a test fleet."""
    task = MagicMock(args=arguments, check_mode=check, diff=False, async_val=0, delegate_to=None)
    connection = MagicMock()
    connection._shell.tmpdir = None
    templar = MagicMock()
    templar.template.side_effect = lambda value: value
    action = module.ActionModule(task, connection, MagicMock(), MagicMock(), templar, MagicMock())
    told = {
        "keepwell_state_dir": str(state),
        "keepwell_client": {"id": "acme", "name": "Acme"},
        "keepwell_lab": True,
        "keepwell_now": iso(now),
        "ansible_inventory_sources": ["inventories/acme"],
    }
    result = action.run(task_vars=told)
    assert not connection.exec_command.called
    return t.cast(dict[str, t.Any], result)


def report(state: Path, **arguments: t.Any) -> dict[str, t.Any]:
    return act(period_report, state, **{"first_day": TODAY, "last_day": LAST, **arguments})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Four days of a client: something is pending, is patched on the third day, and a backup comes back."""
    told = sealed_client.prepared(tmp_path / "acme-files")
    signer = signing.signer_of(told)
    store = Store(tmp_path / "state", "acme")
    proof = {"id": "p1", "kind": "sample", "at": NOW + DAY, "outcome": "proven", "files": 20, "identical": 20}
    for day in range(4):
        at = NOW + day * DAY
        pending = [finding("web1", PENDING, "act", "security", at=NOW, deadline=iso(NOW + 10 * DAY))]
        hosts = [
            host_evidence("web1", {PENDING: pending if day < 2 else "ok"}),
            host_evidence("db1", {PENDING: "ok" if day else "unknown"}, reached=bool(day)),
        ]
        record(
            store, hosts, at=at, signer=signer,
            changes=[change("web1", "done", at=at, emergency="Ann: exploited")] if day == 2 else [],
            verifications=[verification("web1", at=at, proofs=[proof])] if day == 1 else [],
        )  # fmt: skip
    return tmp_path / "state"


def test_a_period_is_told_from_its_runs(state: Path) -> None:
    result = report(state)
    folder = Path(result["folder"])
    assert folder == state / "acme" / "reports" / f"period-{TODAY}-{LAST}"
    assert result["files"] == sorted(path.name for path in folder.iterdir())
    assert {"auditor.html", "period.html", "period.json", "restores.csv"} <= set(result["files"])
    assert result["runs"] == 4
    document = json.loads((folder / "period.json").read_text())
    [track] = document["tracks"]
    assert (track["ended"], track["change_at"][:10]) == ("gone", iso(NOW + 2 * DAY)[:10])
    assert [(host["host"], host["standing"], host["answered"], host["asked"]) for host in document["hosts"]] == [
        ("db1", "measured", 3, 4),
        ("web1", "measured", 4, 4),
    ]
    assert [test["outcome"] for test in document["restores"]] == ["proven"]
    page = (folder / "auditor.html").read_text()
    assert "Ann: exploited" in page
    assert "not reachable: no answer" in page


def test_twice_is_the_same_and_check_mode_writes_nothing(state: Path) -> None:
    assert report(state, check=True)["changed"] is True
    assert not (state / "acme" / "reports").exists()
    assert report(state)["changed"] is True
    assert report(state)["changed"] is False
    assert report(state, now=NOW + 400 * DAY)["changed"] is False


def test_a_period_that_is_not_over_ends_with_its_newest_run_and_as_of_cuts_it(state: Path) -> None:
    made = report(state, last_day=iso(NOW + 20 * DAY)[:10], now=NOW + 3 * DAY + 3600)
    first = (Path(made["folder"]) / "period.json").read_bytes()
    again = report(state, last_day=iso(NOW + 20 * DAY)[:10], now=NOW + 4 * DAY)
    assert again["changed"] is False
    assert json.loads(first)["open_end"] is True
    assert report(state, as_of=iso(NOW + DAY)[:10])["runs"] == 2


def test_what_was_open_before_the_period_is_told_as_such(state: Path) -> None:
    made = report(state, first_day=iso(NOW + DAY)[:10])
    [track] = json.loads((Path(made["folder"]) / "period.json").read_text())["tracks"]
    assert (track.get("found_run", ""), track["first_seen"]) == ("", iso(NOW))


def test_nothing_recorded_is_said_in_a_sentence(state: Path, tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="no run of client 'acme' ended from 2020-01-01 to 2020-01-31"):
        report(state, first_day="2020-01-01", last_day="2020-01-31")
    with pytest.raises(AnsibleError, match="client 'acme' has no recorded run below"):
        report(tmp_path / "empty")
    with pytest.raises(AnsibleError, match="keepwell_seed must be"):
        report(state, seed="a b; rm -rf /")


def test_changed_evidence_is_named_and_its_numbers_are_not_used(state: Path) -> None:
    store = Store(state, "acme")
    second = store.sealed_ids()[1]
    path = store.host_path(second, "web1")
    path.write_bytes(path.read_bytes().replace(b'"seen"', b'"Seen"', 1))
    made = report(state)
    document = json.loads((Path(made["folder"]) / "period.json").read_text())
    entry = document["runs"][1]
    assert entry["altered"]
    assert "counts" not in entry
    assert "restores" not in document
    for name in ("auditor.html", "period.html"):
        assert "CHANGED EVIDENCE" in (Path(made["folder"]) / name).read_text()


def test_verify_this_yourself_works_as_it_stands(state: Path, tmp_path: Path) -> None:
    made = report(state)
    page = (Path(made["folder"]) / "auditor.html").read_text()
    lines = [
        html.unescape(line) for line in re.findall(r'<pre tabindex="0" id="command-\d+">(.*?)</pre>', page, re.DOTALL)
    ]
    assert lines[0] == (
        f"ansible-playbook playbooks/evidence_pack.yml -e keepwell_pack_from={TODAY} -e keepwell_pack_to={LAST}"
    )
    store = Store(state, "acme")
    choice = pack.choose(store.sealed(), TODAY, LAST)
    pack.make(
        store,
        ACME,
        sealed_client.options(tmp_path / "acme-files"),
        choice,
        tmp_path / f"acme-evidence-{TODAY}-{LAST}.zip",
    )
    place = tmp_path
    for line in lines[1:]:
        done = subprocess.run(
            ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", line],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        place = tmp_path / "acme-evidence"
    sampled = re.search(r'<section id="sample">.*?</section>', page, re.DOTALL)
    assert sampled
    assert done.stdout.split() == re.findall(
        r'<th scope="row"><bdi>(\w+)</bdi></th><td><code>runs/\w+/hosts', sampled[0]
    )
    for path, digest in re.findall(r"<code>(runs/[^<]+/hosts/[^<]+)</code></td><td><code>(\w{64})</code>", sampled[0]):
        told = subprocess.run(["sha256sum", path], cwd=place, capture_output=True, text=True, check=True)
        assert told.stdout.split()[0] == digest
    for path in re.findall(r"<code>(runs/[^<]+/changes/[^<]+)</code>", sampled[0]):
        assert (place / path).is_file()
    # A byte of it is changed: the same lines say so.
    victim = next((place / "runs").glob("*/hosts/web1.json"))
    victim.write_bytes(victim.read_bytes()[:-2] + b" \n")
    failed = [
        subprocess.run(["sh", "-c", line], cwd=place, capture_output=True, check=False).returncode
        for line in lines[2:4]
    ]
    assert 0 not in failed


def test_deleted_evidence_is_told_and_the_report_of_its_period_goes_with_it(state: Path, tmp_path: Path) -> None:
    folder = Path(report(state)["folder"])
    store = Store(state, "acme")
    told = sealed_client.options(tmp_path / "acme-files", retention_months=1)
    sealed_client.carry_out(store, told, NOW + 60 * DAY)
    assert not folder.exists()
    made = read(store, days(Asked(first=TODAY, last=LAST), UTC, NOW + 61 * DAY), NOW + 61 * DAY)
    assert [entry.deleted for entry in made.period.runs] == [True, True, True, False]


def test_no_report_of_a_client_holds_another(state: Path) -> None:
    other = Store(state, "zenith")
    record(other, [host_evidence("zenith-host", {PENDING: "act"})], at=NOW)
    folder = Path(report(state)["folder"])
    for path in folder.iterdir():
        assert b"zenith" not in path.read_bytes(), path
    shutil.rmtree(state / "zenith")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert report(state)["changed"] is False
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_overview_shows_every_client_and_lies_in_no_clients_folder(state: Path) -> None:
    other = Store(state, "zenith")
    run_id = record(other, [host_evidence("z1", {PENDING: "act"})], at=NOW)
    run = other.run_dir(run_id) / "run.json"
    (state / "notes").mkdir()
    result = act(fleet_overview, state)
    assert result["clients"] == ["acme", "zenith"]
    page = Path(result["page"])
    assert page.parent == state / "_fleet"
    text = page.read_text()
    assert 'id="client-acme"' in text
    # The run in that folder says that it is of another client: somebody mixed them up.
    assert "is a run of another client, acme" in text
    assert act(fleet_overview, state)["changed"] is False
    run.write_bytes(run.read_bytes().replace(b"act", b"ACT", 1))
    assert "was changed" in Path(act(fleet_overview, state)["page"]).read_text()


def test_an_overview_of_nothing_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match=f"{tmp_path}/none cannot be read"):
        act(fleet_overview, tmp_path / "none")
    with pytest.raises(AnsibleError, match="There is no client below"):
        act(fleet_overview, tmp_path)
