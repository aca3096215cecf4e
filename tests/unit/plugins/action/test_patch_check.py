# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person lets a client go on: after the change that is meant, by a run that acts, and told in any case."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.keepwell.fleet.plugins.action import patch_check
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

NOW = 1_800_000_000.0
RUN = "01KRUN" + "0" * 20


def failed(host: str) -> ChangeRecord:
    moment = iso(NOW - 86400)
    more = {"chore": "patching", "outcome": "failed", "started_at": moment, "ended_at": moment, "text": "no"}
    return ChangeRecord.model_validate({"run_id": RUN, "client": "acme", "host": host, **more})


class Check:
    """The action over a client of which these hosts are in the run, and these have failed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *broken: str, check_mode: bool = False) -> None:
        self.written: list[str] = []
        self.told: list[str] = []
        self.action = patch_check.ActionModule.__new__(patch_check.ActionModule)
        self.action._task = SimpleNamespace(check_mode=check_mode)
        self.action._display = SimpleNamespace(display=self.told.append)
        records = {"patching": [failed(host) for host in broken], "release": []}
        monkeypatch.setattr(patch_check, "History", lambda store: SimpleNamespace(changes=records.__getitem__))
        self.store: t.Any = SimpleNamespace(
            client_id="acme", write_change=lambda record: self.written.append(record.host)
        )

    def release(self, *here: str, known: str = "a b c", limited: bool = False, act: bool = True) -> list[str]:
        chosen = Options(release="The disk was full", approver="J. Smit", act=act)
        released, written = self.action._release(
            self.store, RUN, dict.fromkeys(here, chosen), known.split(), limited, NOW
        )
        assert self.written == (released if written else [])
        return released


def test_the_change_that_failed_is_released_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(monkeypatch, "a")
    assert check.release("a", "b", "c") == ["a"]
    assert check.written == ["a"]
    assert check.told == ["Released: a (The disk was full; J. Smit)"]


def test_one_reason_is_not_taken_for_that_of_several_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(monkeypatch, "a", "b")
    with pytest.raises(SettingsError, match="--limit a, or --limit a,b for all"):
        check.release("a", "b", "c")
    assert check.written == []
    assert check.release("b", limited=True) == ["b"]
    assert check.written == ["b"]


@pytest.mark.parametrize(("check_mode", "act"), [(True, True), (False, False)])
def test_what_does_not_act_only_tells(monkeypatch: pytest.MonkeyPatch, check_mode: bool, act: bool) -> None:
    check = Check(monkeypatch, "a", check_mode=check_mode)
    assert check.release("a", "b", act=act) == ["a"]
    assert check.written == []
    assert check.told == ["Would be released: a (The disk was full; J. Smit)"]


def test_a_host_that_left_the_inventory_is_released_along(monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(monkeypatch, "a", "gone")
    assert check.release("a", "b", "c") == ["a", "gone"]


def test_a_release_that_nothing_waits_for_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(monkeypatch)
    assert check.release("a") == []
    assert check.told == ["patching_release: no change waits for it, so nothing was released."]
