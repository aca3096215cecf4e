"""Whole runs of playbooks/backup_verify.yml with a real restic repository on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import Outcome, Project, inventory, need

# Looked for wherever something is written down.
SECRET = "canary-password-7731"
KEPT = Path("/var/lib/keepwell")
ACT = ("-e", '{"backup_verification_act": true}')
EVERYDAY = {
    "always": {
        "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        "start": "00:00",
        "duration": "48h",
        "allow": ["backup_verification"],
    }
}

# One story: each test goes on where the one before ended.
pytestmark = pytest.mark.xdist_group("backup_verify")


def tree(folder: Path) -> dict[str, str]:
    """Every file and folder below a folder with its content, mode and time of change."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.exists() else []:
        info = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
        found[str(path)] = f"{content} {info.st_mode:o} {info.st_mtime_ns}"
    return found


def kept() -> dict[str, str]:
    """What the host keeps of this client's tests; other tests work on the same machine."""
    found: dict[str, str] = {}
    for folder in sorted(KEPT.glob("backup_verification/*")):
        request = folder / "request.json"
        if request.exists() and json.loads(request.read_text()).get("client") == "shop":
            found |= tree(folder)
    return found


@dataclass
class Shop:
    """A client with one host, whose files restic keeps."""

    project: Project
    live: Path
    repository: Path
    sandbox: Path
    file: Path

    def restic(self, *arguments: str) -> None:
        subprocess.run(
            ["restic", "--no-cache", "--repo", str(self.repository), *arguments],
            env={**os.environ, "RESTIC_PASSWORD": SECRET},
            check=True,
            capture_output=True,
        )

    def play(self, *arguments: str) -> Outcome:
        return self.project.play("backup_verify", self.file, "-vvv", *arguments, timeout=400)

    def newest(self) -> Path:
        return sorted((self.project.state / "shop" / "runs").iterdir())[-1]

    def document(self) -> dict[str, t.Any]:
        return json.loads((self.newest() / "backups" / "web1.files.json").read_text())

    def change(self) -> dict[str, t.Any]:
        return json.loads((self.newest() / "changes" / "web1.backup_verification.json").read_text())

    def summary(self) -> dict[str, t.Any]:
        [entry] = json.loads((self.newest() / "run.json").read_text())["backups"]
        return t.cast("dict[str, t.Any]", entry)

    def write(self, **more: t.Any) -> None:
        """Write the inventory; ``more`` changes the dataset."""
        dataset = {
            "id": "files",
            "protects": "The files of the shop",
            "tool": "restic",
            "repository": str(self.repository),
            "hosts": ["shop-web1"],
            "sources": [str(self.live)],
            "expected_paths": [str(self.live / "orders")],
            "canary": {"path": str(self.live / "canary")},
            "offsite_required": False,
            "immutable_required": False,
            "key_escrow": {"place": "a safe", "tested": "2026-11-01"},
            "credentials": {"environment": {"RESTIC_PASSWORD": SECRET}},
            **more,
        }
        inventory(
            self.file,
            {"web1": {"ansible_connection": "local"}},
            keepwell_client={"id": "shop", "name": "Shop"},
            keepwell_plan={"name": "Care", "services": ["monitoring", "backup_verification"]},
            keepwell_windows=EVERYDAY,
            keepwell_subset=["backups"],
            backup_verification_sandbox=str(self.sandbox),
            backup_verification_sandbox_reserve_percent=1,
            backup_verification_datasets=[dataset],
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Shop]:
    need(shutil.which("restic"), "restic (Debian package restic)")
    need(os.geteuid() == 0, "root, as on a host that verifies")
    root = tmp_path_factory.mktemp("shop")
    made = Shop(Project(root / "state"), root / "live", root / "repository", root / "sandbox", root / "shop.yml")
    (made.live / "orders").mkdir(parents=True)
    for number in range(40):
        (made.live / "orders" / f"order{number:02d}").write_bytes(os.urandom(30_000))
    made.write()
    made.restic("init")
    # The canary that is in the snapshot is written by Keepwell: see below.
    yield made
    for folder in KEPT.glob("backup_verification/*"):
        request = folder / "request.json"
        if request.exists() and json.loads(request.read_text()).get("client") == "shop":
            shutil.rmtree(folder)


def written_down(shop: Shop) -> list[str]:
    """Places in which the password was written down."""
    places = [shop.project.state, KEPT, Path("/run"), Path("/dev/shm")]
    found = []
    for place in places:
        for path in place.rglob("*") if place.exists() else []:
            try:
                if path.is_file() and not path.is_symlink() and SECRET.encode() in path.read_bytes():
                    found.append(str(path))
            except OSError:
                continue
    return found


def test_an_empty_repository_proves_nothing_and_the_canary_is_written(shop: Shop) -> None:
    outcome = shop.play(*ACT)
    assert outcome.rc == 0, outcome.output
    assert shop.change()["outcome"] == "nothing"
    assert shop.summary()["freshness"] == "crit"
    assert json.loads((shop.live / "canary").read_text())["keepwell_canary"] == "files"
    assert (shop.newest() / "canaries" / "web1.json").exists()
    shop.restic("backup", "--host", "shop-web1", str(shop.live))


def test_the_announcement_touches_nothing_and_tells_everything(shop: Shop) -> None:
    before = tree(shop.repository), kept(), tree(shop.live), tree(shop.sandbox)
    outcome = shop.play("--check")
    assert outcome.rc == 0, outcome.output
    assert (tree(shop.repository), kept(), tree(shop.live), tree(shop.sandbox)) == before
    text = (shop.newest() / "announcement.txt").read_text()
    assert "This is an announcement: nothing has been read for a test, restored or written." in text
    assert "web1/files, sample: never done" in text
    assert "    Files: 21 of 42, " in text
    assert f"    Into: {shop.sandbox}, " in text
    assert f"      {shop.live}/" in text
    assert text.splitlines()[0] in outcome.output
    # What would be tested is not tested, and nothing is called proven.
    assert shop.document().get("proofs", []) == []
    assert not (shop.newest() / "changes").exists()
    assert written_down(shop) == []
    assert SECRET not in outcome.output


def test_acting_proves_it_and_leaves_nothing_behind(shop: Shop) -> None:
    repository = tree(shop.repository)
    outcome = shop.play(*ACT)
    assert outcome.rc == 0, outcome.output
    proofs = {proof["kind"]: proof for proof in shop.document()["proofs"]}
    assert {proof["outcome"] for proof in proofs.values()} == {"proven"}, proofs
    assert {"subset", "sample", "full"} <= set(proofs)
    assert proofs["full"]["identical"] == 42
    assert proofs["full"]["canary"]["outcome"] == "proven"
    assert proofs["sample"]["key_source"] == "environment"
    change = shop.change()
    assert change["outcome"] == "done", change
    assert len(change["steps"]) == len(proofs)
    assert (change["window"], change["text"]) == ("always", f"{len(proofs)} tests done: {len(proofs)} proven.")

    assert tree(shop.repository) == repository
    assert list(shop.sandbox.iterdir()) == []
    summary = shop.summary()
    assert (summary["proven"], summary.get("never_restored", 0)) == (True, 0)
    verdicts = ("freshness", "completeness", "integrity", "restorability")
    assert {name: summary[name] for name in verdicts} == dict.fromkeys(verdicts, "ok"), shop.newest()
    tests = json.loads((shop.newest() / "run.json").read_text())["backup_tests"]
    assert {test["kind"]: test["outcome"] for test in tests} == dict.fromkeys(proofs, "proven")
    assert "Backups   1 of 1 dataset is proven" in outcome.output
    assert written_down(shop) == []
    assert SECRET not in outcome.output


def test_a_second_run_finds_nothing_due_and_does_nothing(shop: Shop) -> None:
    before = tree(shop.repository), kept(), tree(shop.live), tree(shop.sandbox)
    outcome = shop.play(*ACT)
    assert outcome.rc == 0, outcome.output
    assert (tree(shop.repository), kept(), tree(shop.live), tree(shop.sandbox)) == before
    assert (shop.change()["outcome"], shop.change()["text"]) == ("nothing", "Nothing is due.")
    assert shop.summary()["proven"] is True


def test_a_flipped_bit_is_found_by_the_verdict_that_it_belongs_to(shop: Shop) -> None:
    pack = max(shop.repository.glob("data/*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    mode = pack.stat().st_mode
    pack.chmod(0o600)
    pack.write_bytes(content)
    pack.chmod(mode)
    outcome = shop.play(*ACT, "-e", '{"backup_verification_now": ["files/data"]}')
    # The tool worked, whatever it found.
    assert outcome.rc == 0, outcome.output
    [proof] = shop.document()["proofs"]
    assert (proof["kind"], proof["outcome"]) == ("data", "damaged"), proof
    assert shop.change()["outcome"] == "done"
    assert shop.change()["text"] == "1 test done: 1 damaged."
    summary = shop.summary()
    assert summary["integrity"] == "crit"
    assert summary["proven"] is False
    assert {summary[name] for name in ("freshness", "completeness")} == {"ok"}
    report = next((shop.project.state / "shop" / "reports").glob(f"*-{shop.newest().name}/engineer.html")).read_text()
    assert "damaged" in report
    assert written_down(shop) == []


def test_a_finding_fails_the_run_where_somebody_wants_that(shop: Shop) -> None:
    outcome = shop.play("-e", "keepwell_fail_on=crit")
    assert outcome.rc == 2
    assert "and keepwell_fail_on is 'crit'" in outcome.output
    assert shop.document().get("proofs", []) == []


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_wrong_password_is_told_and_not_written_down(shop: Shop, pipelining: bool) -> None:
    """Also where no program can be streamed, and the question goes to the host as a module."""
    shop.write(credentials={"environment": {"RESTIC_PASSWORD": SECRET + "-wrong"}})
    way = {"ansible_pipelining": pipelining, "ansible_python_interpreter": "/usr/bin/python3"}
    outcome = shop.play("--check", "-e", json.dumps(way))
    assert outcome.rc == 0, outcome.output
    assert shop.document()["look"]["status"] == "bad_password"
    assert shop.summary()["freshness"] == "unknown"
    assert written_down(shop) == []
    assert SECRET not in outcome.output
    shop.write()


def test_a_mistake_stops_the_run_before_any_connection_and_repeats_no_secret(shop: Shop) -> None:
    runs = list((shop.project.state / "shop" / "runs").iterdir())
    shop.write(verifier="vault1", credentials={"environment": {"RESTIC_PASSWORD": [SECRET]}})
    outcome = shop.play()
    assert outcome.rc == 2
    assert SECRET not in outcome.output
    shop.write(verifier="vault1")
    outcome = shop.play()
    assert outcome.rc == 2
    said = " ".join(outcome.output.split())
    assert "'vault1' is no host of this inventory" in said
    assert SECRET not in outcome.output
    shop.write()
    assert len(list((shop.project.state / "shop" / "runs").iterdir())) <= len(runs) + 2
    newest = shop.newest()
    assert not list((newest / "backups").glob("*"))
