# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who verifies what: a repository is never read twice at the same time, and nobody is forgotten."""

from __future__ import annotations

import typing as t
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Declared, assigned
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.schedule import Schedule, schedule

SERVER = "rest:https://backup.example.com/office"


def dataset(name: str, repository: str = "/srv/a", verifier: str = "") -> Dataset:
    return Dataset(id=name, protects="x", tool="restic", repository=repository, verifier=verifier)


def made(hosts: dict[str, list[Dataset]], here: t.Collection[str] | None = None) -> Schedule:
    declared = {host: Declared(datasets=datasets) for host, datasets in hosts.items()}
    return schedule(assigned(declared), set(hosts) if here is None else here)


def test_a_repository_is_in_a_batch_once_whoever_verifies_it() -> None:
    found = made(
        {
            "web1": [dataset("files", SERVER, "vault"), dataset("logs", "/srv/b")],
            "web2": [dataset("files", SERVER, "vault2"), dataset("more", f"{SERVER}/")],
            "vault": [],
            "vault2": [],
        }
    )
    assert [(batch.hosts, batch.datasets) for batch in found.batches] == [
        (["vault", "web1"], ["web1/files", "web1/logs"]),
        (["vault2"], ["web2/files"]),
        (["web2"], ["web2/more"]),
    ]
    assert {host: [place.name for place in places] for host, places in found.verifiers.items()} == {
        "vault": ["web1/files"],
        "vault2": ["web2/files"],
        "web1": ["web1/logs"],
        "web2": ["web2/more"],
    }


def test_a_folder_is_another_repository_on_every_host() -> None:
    own = {host: [dataset("files"), dataset("logs", "/srv/a/")] for host in ("web1", "web2", "web3")}
    assert [batch.datasets for batch in made(own).batches] == [
        ["web1/files", "web2/files", "web3/files"],
        ["web1/logs", "web2/logs", "web3/logs"],
    ]
    # One host that verifies for all sees one folder.
    vault = {"web1": [dataset("files", verifier="vault")], "web2": [dataset("files", verifier="vault")], "vault": []}
    assert [batch.datasets for batch in made(vault).batches] == [["web1/files"], ["web2/files"]]


def test_what_is_no_part_of_the_run_is_not_looked_at_and_an_absent_verifier_is_named() -> None:
    hosts = {"web1": [dataset("files", verifier="vault")], "web2": [dataset("files")], "vault": []}
    found = made(hosts, {"web1"})
    assert found.batches == []
    assert found.without_verifier == {"web1/files": "vault"}
    assert made(hosts, {"vault", "web1"}).batches[0].datasets == ["web1/files"]


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]),
        st.lists(st.tuples(st.sampled_from(["/srv/1", "/srv/2", SERVER]), st.sampled_from(["", "a", "b"])), max_size=4),
        min_size=1,
    )
)
def test_whatever_is_declared_is_in_exactly_one_batch(hosts: dict[str, list[tuple[str, str]]]) -> None:
    hosts = {"a": [], "b": [], **hosts}
    declared = {
        host: [dataset(f"d{n}", repository, verifier) for n, (repository, verifier) in enumerate(entries)]
        for host, entries in hosts.items()
    }
    found = made(declared)
    names = Counter(name for batch in found.batches for name in batch.datasets)
    assert names == {f"{host}/{entry.id}": 1 for host, entries in declared.items() for entry in entries}
    of = {f"{host}/{entry.id}": entry for host, entries in declared.items() for entry in entries}
    for batch in found.batches:
        repositories = [of[name].shared_key(name.partition("/")[0]) for name in batch.datasets]
        assert len(repositories) == len(set(repositories))
        assert batch.hosts == sorted({of[name].verifier or name.partition("/")[0] for name in batch.datasets})
