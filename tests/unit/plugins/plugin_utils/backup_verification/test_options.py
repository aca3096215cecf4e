# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables, and who verifies what: every mistake is one sentence, and none repeats a secret."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

SECRET = "correct-horse-battery"


def dataset(name: str = "files", **more: t.Any) -> dict[str, t.Any]:
    return {"id": name, "protects": "the files", "tool": "restic", "repository": "/srv/r", **more}


def problems(**variables: t.Any) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        options.read({f"backup_verification_{name}": value for name, value in variables.items()})
    return refused.value.problems


def of(*datasets: dict[str, t.Any]) -> options.Declared:
    return options.declared({"backup_verification_datasets": list(datasets)})


def test_text_from_the_command_line_becomes_what_it_means() -> None:
    chosen = options.read({"backup_verification_act": "true", "backup_verification_budget": {"tests": "2"}})
    assert (chosen.act, chosen.budget.tests, chosen.budget.minutes) == (True, 2, 60.0)
    named = options.read({"backup_verification_now": ["files/full", "mail/sample"]})
    assert named.now == ["files/full", "mail/sample"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"sandbx": "/srv"}, "Did you mean 'backup_verification_sandbox'?"),
        ({"datasets": [dataset(), dataset()]}, "the id files is there more than once"),
        ({"datasets": [dataset(tool="rustic")]}, "backup_verification_datasets.0.tool"),
        ({"datasets": [dataset(rpo=24)]}, "backup_verification_datasets.0.rpo: unknown key"),
        ({"now": ["files"]}, "'files' is no <dataset>/<kind>"),
        ({"now": ["files/everything"]}, "kinds are structure, subset"),
        ({"sandbox": "relative"}, "backup_verification_sandbox"),
        ({"slot": "never"}, "'window' or 'any'"),
    ],
)
def test_a_mistake_says_where_it_is(variables: dict[str, t.Any], words: str) -> None:
    assert any(words in line for line in problems(**variables)), problems(**variables)


@pytest.mark.parametrize(
    "wrong",
    [
        dataset(repository=f"rest:https://backup:{SECRET}@store.example/r"),
        dataset(credentials={"environment": {"RESTIC_PASSWORD": [SECRET]}}),
        dataset(credentials={"environment": f"RESTIC_PASSWORD={SECRET}"}),
        dataset(credentials=SECRET),
        dataset(credentials={"pasword": SECRET}),
    ],
)
def test_no_mistake_repeats_a_secret(wrong: dict[str, t.Any]) -> None:
    told = problems(datasets=[wrong])
    assert told
    assert SECRET not in " ".join(told)


def test_what_is_declared_is_read_alone() -> None:
    assert options.declared({"backup_verification_act": "perhaps"}) == options.Declared()
    assert [entry.id for entry in of(dataset()).datasets] == ["files"]


def test_a_repository_is_verified_side_by_side_by_whom_its_datasets_name() -> None:
    lanes = options.assigned(
        {
            "db1": of(
                dataset("dump", repository="/srv/other", verifier="vault"), dataset("own", repository="/srv/own")
            ),
            "web1": of(dataset(verifier="vault")),
            "web2": of(dataset(verifier="vault")),
            "vault": of(),
        }
    )
    named = {host: [(entry.host, entry.dataset.id) for entry in entries] for host, entries in lanes.items()}
    assert set(named) == {"db1", "vault"}
    assert named["db1"] == [("db1", "own")]
    assert sorted(named["vault"]) == [("db1", "dump"), ("web1", "files"), ("web2", "files")]
    keys = [entry.dataset.repository_key for entry in lanes["vault"]]
    assert keys == sorted(keys), "one repository is one lane"


def test_a_verifier_that_is_no_host_is_refused_with_the_nearest_match() -> None:
    with pytest.raises(
        SettingsError, match=r"files\.verifier: 'valt' is no host of this inventory\. Did you mean 'vault'"
    ):
        options.assigned({"web1": of(dataset(verifier="valt")), "vault": of()})


def test_one_repository_is_opened_in_one_way() -> None:
    one = dataset(verifier="vault", credentials={"environment": {"RESTIC_PASSWORD": SECRET}})
    other = dataset(verifier="vault", credentials={"environment": {"RESTIC_PASSWORD": "other"}})
    with pytest.raises(SettingsError) as refused:
        options.assigned({"web1": of(one), "web2": of(other), "vault": of()})
    [told] = refused.value.problems
    assert "web2: files: opens the same repository as files of web1 with other credentials" in told
    assert SECRET not in told
    assert options.assigned({"web1": of(one), "web2": of(one), "vault": of()})
