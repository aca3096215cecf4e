"""No driver can say a word that changes a repository."""

from __future__ import annotations

import importlib
import pkgutil
import typing as t
from pathlib import Path

import pytest
import repositories

from ansible_collections.keepwell.fleet.plugins.module_utils import backup_verification
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._driver import Driver
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._tools import ANY, FORBIDDEN
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

# What is never said to any tool, in its own words; they are not taken from the code that refuses them.
NEVER = {
    "borg": ("delete", "prune", "compact", "check --repair", "break-lock", "create", "recreate", "rename"),
    "kopia": (
        "snapshot delete", "snapshot expire", "snapshot create", "snapshot migrate", "snapshot fix", "snapshot pin",
        "maintenance run", "maintenance set", "content rewrite", "blob delete", "blob gc", "index recover",
        "repository create", "repository connect", "repository disconnect", "repository repair",
        "repository change-password", "repository set-parameters", "policy set", "snapshot", "repository",
    ),
    "pgbackrest": ("backup", "check", "expire", "repo-rm", "stanza-create", "stanza-delete", "stop", "archive-push"),
    "restic": (
        "forget", "prune", "rebuild-index", "repair index", "repair snapshots", "unlock", "unlock --remove-all",
        "backup", "rewrite", "tag", "migrate", "copy", "recover", "key add", "init", "check --repair", "cache",
    ),
}  # fmt: skip


def drivers() -> list[type[t.Any]]:
    """Every driver class there is."""
    found: set[type[t.Any]] = set()
    for module in pkgutil.iter_modules(backup_verification.__path__):
        loaded = importlib.import_module(f"{backup_verification.__name__}.{module.name}")
        found |= {
            entry
            for entry in vars(loaded).values()
            if isinstance(entry, type) and issubclass(entry, Driver) and entry is not Driver and entry.ALLOWED
        }
    return sorted(found, key=lambda entry: entry.__name__)


@pytest.mark.parametrize("driver", drivers(), ids=lambda driver: driver.NAME or driver.__name__)
def test_what_a_driver_may_run_has_no_forbidden_verb(driver: type[t.Any]) -> None:
    for program, verbs in driver.ALLOWED.items():
        assert verbs, program
        assert not FORBIDDEN.intersection(word for verb in verbs for word in verb.split()), program


def test_all_tools_with_repositories_have_a_driver() -> None:
    assert {"borg", "kopia", "restic"} <= {driver.NAME for driver in drivers()}


@pytest.mark.parametrize("driver", drivers(), ids=lambda driver: driver.NAME or driver.__name__)
def test_forbidden_words_are_refused_before_a_process_exists(driver: type[t.Any], tmp_path: Path) -> None:
    tools = repositories.Tools(repositories.tools(tmp_path, driver, {}).commands, driver.ALLOWED, {}, str(tmp_path))
    for program, verbs in driver.ALLOWED.items():
        if ANY in verbs:
            continue
        for word in sorted(FORBIDDEN):
            argv = [program, *verbs[0].split(), word] if word.startswith("-") else [program, word]
            with pytest.raises(AgentError):
                tools.run(argv)
            with pytest.raises(AgentError):
                tools.lines(argv, lambda _line: None)
            with pytest.raises(AgentError):
                tools.run([f"/opt/{program}", *argv[1:]])
        for words in NEVER[program]:
            with pytest.raises(AgentError):
                tools.run([program, *words.split(), "4711"])
            with pytest.raises(AgentError):
                tools.run([program, *words.split()])
    with pytest.raises(AgentError):
        tools.run(["keepwell-has-no-such-program", "list"])
    assert not (tmp_path / "words" / "log").exists()
