# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a host: everything a driver looks at, and secrets in one place alone."""

from __future__ import annotations

import json

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import asking
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest, Look
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Assigned, Options

SECRET = "hunter2-canary"
DATASET = Dataset(
    id="files",
    protects="x",
    tool="restic",
    repository="/srv/restic",
    credentials={"environment": {"RESTIC_PASSWORD": SECRET}},
)
ENTRY = Assigned("web1", DATASET)
TEST = DueTest(kind="subset", reason="never done", part=2, parts=9, snapshot="abc")


def test_datasets_of_one_name_are_told_apart_and_their_secrets_go_with_them() -> None:
    request = asking.look([ENTRY, Assigned("web2", DATASET)])
    assert [entry["id"] for entry in request["datasets"]] == ["web1/files", "web2/files"]
    assert request["secrets"] == {name: {"RESTIC_PASSWORD": SECRET} for name in ("web1/files", "web2/files")}
    assert request["datasets"][0]["credentials"] == {"environment": ["RESTIC_PASSWORD"]}
    # Drivers look at these without asking whether they are there.
    assert {"hosts", "sources", "tags", "expected_paths", "unwanted_paths", "canary", "options"} <= set(
        request["datasets"][0]
    )


def test_secrets_are_nowhere_but_under_secrets() -> None:
    options = Options()
    for request in (
        asking.look([ENTRY]),
        asking.plan(ENTRY, TEST, options, "vault", ()),
        asking.start(ENTRY, TEST, options, "vault", (), None),
    ):
        assert SECRET in json.dumps(request)
        assert SECRET not in json.dumps({name: value for name, value in request.items() if name != "secrets"})


def test_the_announcement_and_the_test_draw_the_same_files() -> None:
    options = Options()
    plan = asking.plan(ENTRY, TEST, options, "vault", ("0a",))
    start = asking.start(ENTRY, TEST, options, "vault", ("0a",), None)
    for name in ("dataset", "kind", "part", "parts", "snapshot", "sandbox", "sample", "seed", "known", "local"):
        assert plan[name] == start[name]
    assert plan["local"] is False
    assert asking.plan(ENTRY, TEST, options, "web1", ())["local"] is True


def test_reading_is_slowed_down_where_the_disk_is_known() -> None:
    slow = Options(limits={"read_bytes_per_s": 1000, "cpu_percent": None, "memory_mb": 64})
    local = Look(status="ok", repository={"location": "local", "path": "/srv/restic"})
    assert asking.start(ENTRY, TEST, slow, "vault", (), local)["limits"] == {
        "runtime_s": 7200,
        "lock_timeout_s": asking.LOCK_TIMEOUT_S,
        "nice": 19,
        "idle": True,
        "memory_bytes": 64 << 20,
        "read_limit": "/srv/restic 1000",
    }
    assert "read_limit" not in asking.start(ENTRY, TEST, slow, "vault", (), Look(status="ok"))["limits"]


def test_many_datasets_get_more_time_and_not_without_end() -> None:
    assert asking.look([ENTRY])["budget_s"] == 60
    assert asking.look([ENTRY] * 4)["budget_s"] == 150
    assert asking.look([ENTRY] * 400)["budget_s"] == 900
