"""Real backups on real hosts: healthy ones are proven in all five ways, and whatever is wrong with one is found."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import backup_hosts
import pytest
from backup_agent import BORG_PASSWORD, RESTIC_PASSWORD, dataset
from backup_hosts import ACT, CLIENT, LIVE, VERDICTS, Seen, Verifying, of_files
from harness import Project
from lab.hosts import Host

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

WELL = dict.fromkeys(VERDICTS, "ok")
NOT_RESTORED = {"restorability": "act"}
NOT_CHECKED = {"integrity": "act"}
UNTESTED = NOT_RESTORED | NOT_CHECKED
BLIND = dict.fromkeys(VERDICTS, "unknown")
GONE = BLIND | {"freshness": "crit"}
# Without its password nothing comes back.
CLOSED = BLIND | {"restorability": "act"}
ASKED = [{"sql": "SELECT count(*) FROM orders", "expect": "20000"}]
FILES = {"expected_paths": [f"{LIVE}/shop/ledger"], "unwanted_paths": [f"{LIVE}/shop/cache"]}


@dataclass(frozen=True)
class Case:
    """A backup, the tests that are done of it, the verdicts that are not ``ok``, and the words of the first of them."""

    declared: dict[str, t.Any]
    tests: tuple[str, ...]
    verdicts: t.Mapping[str, str]
    words: t.Mapping[str, str]
    hosts: tuple[str, ...]


def _case(
    declared: dict[str, t.Any],
    tests: str = "",
    verdicts: t.Mapping[str, str] | None = None,
    hosts: str = "vault",
    **words: str,
) -> Case:
    return Case(declared, tuple(tests.split()), {**WELL, **(verdicts or {})}, words, tuple(hosts.split()))


BOTH = "vault vault13"
WRONG = {"restic": {"RESTIC_PASSWORD": "not-this-one"}, "borg": {"BORG_PASSPHRASE": "not-this-one"}}
CASES = [
    # Healthy.
    _case(of_files("large", "restic", "large", f"{LIVE}/large", rto_hours=1), "subset full"),
    _case(of_files("large-borg", "borg", "large-borg", f"{LIVE}/large", rto_hours=1), "structure full"),
    _case(of_files("restic", "restic", "restic", **FILES), "subset sample", hosts="vault13"),
    _case(of_files("borg", "borg", "borg", **FILES), "data sample", hosts="vault13"),
    _case(of_files("tar", "archive", "tar", **FILES), "data full"),
    _case(dataset("pg", "pg_dump", "pg", queries=ASKED), "structure database"),
    _case(dataset("maria", "mysql_dump", "maria", queries=ASKED), "structure database"),
    # Damaged.
    _case(
        of_files("restic-flipped", "restic", "restic-flipped"),
        "data",
        {"integrity": "crit", **NOT_RESTORED},
        BOTH,
        integrity="found damage",
    ),
    _case(
        of_files("restic-lacking", "restic", "restic-lacking"),
        "structure",
        {"integrity": "crit", **NOT_RESTORED},
        BOTH,
        integrity="found damage",
    ),
    _case(
        of_files("borg-flipped", "borg", "borg-flipped"),
        "data",
        {"integrity": "crit", **NOT_RESTORED},
        BOTH,
        integrity="found damage",
    ),
    _case(
        of_files("borg-lacking", "borg", "borg-lacking"),
        "structure",
        {"integrity": "crit", **NOT_RESTORED},
        BOTH,
        integrity="found damage",
    ),
    _case(
        of_files("tar-cut", "archive", "tar-cut"),
        "structure",
        {"integrity": "crit", **NOT_RESTORED},
        integrity="found damage",
    ),
    _case(
        dataset("pg-cut", "pg_dump", "pg-cut", queries=ASKED),
        "data",
        {"integrity": "crit", **NOT_RESTORED},
        integrity="found damage",
    ),
    _case(
        dataset("maria-cut", "mysql_dump", "maria-cut", queries=ASKED),
        "structure",
        {"integrity": "crit", **NOT_RESTORED},
        integrity="the dump was cut",
    ),
    # What comes back is not what was saved.
    _case(
        dataset("pg-errors", "pg_dump", "pg-errors", queries=ASKED),
        "structure database",
        {"restorability": "crit"},
        restorability="violates foreign key constraint",
    ),
    _case(
        of_files("tar-wrong", "archive", "tar-wrong"),
        "data full",
        {"restorability": "crit"},
        restorability="1 file came back wrong, first /srv/live/shop/ledger",
    ),
    _case(
        dataset("tar-stale", "archive", "tar-stale", canary={"path": f"{LIVE}/old/.canary"}),
        "structure canary",
        {"restorability": "act"},
        restorability="canary stale",
    ),
    # Locked, closed, gone.
    _case(
        of_files("restic-locked", "restic", "restic-locked"),
        "",
        {**UNTESTED},
        BOTH,
        integrity="holds a lock",
    ),
    _case(of_files("borg-locked", "borg", "borg-locked"), "", {**UNTESTED}, BOTH, integrity="holds a lock"),
    _case(
        of_files("restic-closed", "restic", "restic-old", credentials={"environment": WRONG["restic"]}),
        "",
        CLOSED,
        "vault13",
        restorability="password",
    ),
    _case(
        of_files("borg-closed", "borg", "borg-shrunk", credentials={"environment": WRONG["borg"]}),
        "",
        CLOSED,
        "vault13",
        restorability="password",
    ),
    _case(of_files("restic-gone", "restic", "nowhere"), "", GONE, BOTH, freshness="repository"),
    _case(of_files("borg-gone", "borg", "nowhere-borg"), "", GONE, BOTH, freshness="repository"),
    # Too old, too small, too little, too much.
    _case(
        of_files("restic-old", "restic", "restic-old", rpo_hours=26),
        "",
        {"freshness": "crit", **UNTESTED},
        freshness="10 days old; agreed are 26 hours",
    ),
    _case(
        of_files("restic-dead", "restic", "restic-shared", hosts=["shop"]),
        "",
        {"freshness": "crit", **UNTESTED},
        freshness="10 days old",
    ),
    _case(of_files("restic-alive", "restic", "restic-shared", hosts=["other"]), "", UNTESTED),
    _case(
        of_files("restic-partial", "restic", "restic-partial", "/srv/partial", jobs=["partial.service"]),
        "",
        {"completeness": "act", **UNTESTED},
        completeness="incomplete snapshot",
    ),
    _case(
        of_files("borg-shrunk", "borg", "borg-shrunk"),
        "",
        {"completeness": "crit", **UNTESTED},
        completeness="% smaller",
    ),
    _case(
        of_files("borg-without", "borg", "borg-without", **FILES),
        "",
        {"completeness": "act", **UNTESTED},
        completeness=f"missing: {LIVE}/shop/ledger",
    ),
    _case(
        of_files("borg-grown", "borg", "borg-grown", **FILES),
        "structure sample",
        {"completeness": "act"},
        completeness=f"unwanted: {LIVE}/shop/cache",
    ),
]
EACH = [pytest.param(host, case, id=f"{host}-{case.declared['id']}") for case in CASES for host in case.hosts]


@dataclass
class Result:
    """One run, and one hash of all repositories of each host before and after."""

    seen: Seen
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def result(vaults: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One run that looks at all of them and does the tests of each."""
    folder = tmp_path_factory.mktemp("vaults")
    verifying = Verifying(Project(folder / "state"), folder / f"{CLIENT}.yml")
    verifying.write(*((host, [case for case in CASES if name in case.hosts]) for name, host in vaults.items()))
    before = {name: backup_hosts.tree(host) for name, host in vaults.items()}
    seen = verifying.run("-vvv", *ACT, timeout=900)
    return Result(seen, before, {name: backup_hosts.tree(host) for name, host in vaults.items()})


def test_the_run_ends_well_and_leaves_every_repository_as_it_was(result: Result) -> None:
    assert result.seen.outcome.rc == 0, result.seen.outcome.output
    assert result.before == result.after


@pytest.mark.parametrize(("name", "case"), EACH)
def test_a_backup_is_judged_by_the_verdict_that_it_belongs_to(result: Result, name: str, case: Case) -> None:
    identifier = case.declared["id"]
    seen = result.seen
    proofs = seen.proofs(name, identifier)
    told = {kind: (proof["outcome"], proof["text"]) for kind, proof in proofs.items()}
    assert seen.states(name, identifier) == case.verdicts, (told, seen.document(name, identifier)["look"])
    assert set(case.tests) <= set(proofs), told
    for verdict, words in case.words.items():
        assert words in seen.words(name, identifier, verdict)


def test_no_password_is_written_down_or_said(result: Result, vaults: dict[str, Host]) -> None:
    for secret in (RESTIC_PASSWORD, BORG_PASSWORD):
        assert secret not in result.seen.outcome.output
        state = result.seen.outcome.state
        assert [path for path in state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []
        for host in vaults.values():
            assert backup_hosts.found_on(host, secret) == []
            assert host.run(f"journalctl --no-pager | grep -c {secret} || true").stdout == "0\n"


def test_nothing_restored_is_left(result: Result, vaults: dict[str, Host]) -> None:
    assert result.seen.outcome.rc == 0
    for host in vaults.values():
        assert backup_hosts.found_on(host, backup_hosts.CONTENT) == []
        assert host.run("ls -A /var/lib/keepwell/sandbox").stdout == ""
        # They let the user of a throw-away server through, and nobody since.
        assert host.run("stat -c %a /var/lib/keepwell /var/lib/keepwell/sandbox").stdout.split() == ["700", "700"]
