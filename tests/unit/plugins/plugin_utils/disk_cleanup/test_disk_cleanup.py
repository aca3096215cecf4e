# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the control node decides: which filesystem asks, what a cleanup buys, what is told of it."""

from __future__ import annotations

import gettext
import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _capacity_growers, capacity
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, ProbeRecord, View
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import announcement, options, systems, wanting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import Cleanup
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import freed_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckResult, Client, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.cleaned import cleaned
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

GIB = 1 << 30
NOW = 1_790_000_000.0


class Known:
    """A history of series alone."""

    def __init__(self, series: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
        self._series = series

    def series(self, metric: str, name: str) -> list[tuple[float, float]]:
        return self._series.get((metric, name), [])

    def previous(self, _probe: str) -> None:
        return None


def filesystem(mount: str, used_percent: float, **more: t.Any) -> dict[str, t.Any]:
    used = int(100 * GIB * used_percent / 100)
    numbers = {
        "size_bytes": 100 * GIB,
        "used_bytes": used,
        "avail_bytes": 100 * GIB - used,
        "free_bytes": 100 * GIB - used,
    }
    return {
        "mount": mount,
        "kind": "disk",
        "read_only": False,
        "inodes_total": None,
        "inodes_free": None,
        **numbers,
        **more,
    }


def view(*filesystems: dict[str, t.Any], growers: t.Any = None, growth: float = 0.0, before: t.Any = None) -> View:
    """A host; its filesystems grew by ``growth`` GiB a day for 30 days."""
    series = {}
    for entry in filesystems:
        mount = entry["mount"]
        series["disk.used_bytes", mount] = [
            (NOW - day * DAY, entry["used_bytes"] - day * growth * GIB) for day in range(30, 0, -1)
        ]
        series["disk.size_bytes", mount] = [(NOW - day * DAY, 100.0 * GIB) for day in range(30, 0, -1)]
    for path, point in (before or {}).items():
        series[_capacity_growers.METRIC, path] = [point]
    data = {"filesystems": list(filesystems), **({"growers": growers} if growers is not None else {})}
    return View(
        host="web1", now=NOW, probes={"disks": ProbeRecord("ok", data, {})}, history=t.cast(t.Any, Known(series))
    )


def results(**found: tuple[str, str]) -> list[CheckResult]:
    """Results of checks, one finding each: check=(object, state)."""
    return [
        CheckResult(
            check="capacity." + name,
            state=t.cast(t.Any, state),
            findings=[{"key": "0" * 16, "object": place, "state": state, "first_seen": iso(NOW)}],
        )
        for name, (place, state) in found.items()
    ]


def read(**variables: t.Any) -> options.Options:
    return options.read({f"disk_cleanup_{name}": value for name, value in variables.items()})


def test_only_what_a_check_found_something_about_asks_for_room() -> None:
    seen = view(filesystem("/", 97), filesystem("/srv", 50), filesystem("/nfs", 99, kind="network"))
    found = wanting.filesystems(seen, results(space=("/", "crit"), burst=("/nfs", "crit")), read())
    assert [(want.mount, want.asked_by, want.target_percent) for want in found] == [("/", ["capacity.space"], 15.0)]


@pytest.mark.parametrize("state", ["ok", "accepted", "unknown"])
def test_what_somebody_accepted_or_nobody_knows_asks_for_nothing(state: str) -> None:
    assert wanting.filesystems(view(filesystem("/", 97)), results(space=("/", state)), read()) == []


def test_a_forecast_asks_for_all_that_may_go() -> None:
    found = wanting.filesystems(
        view(filesystem("/", 60)), results(forecast=("/", "watch"), space=("/", "watch")), read()
    )
    assert (found[0].target_percent, found[0].asked_by) == (None, ["capacity.forecast", "capacity.space"])


def test_below_the_target_is_enough_where_that_is_asked_for() -> None:
    seen = view(filesystem("/", 86), filesystem("/srv", 84))
    assert wanting.filesystems(seen, [], read()) == []
    found = wanting.filesystems(seen, [], read(when="below_target"))
    assert [(want.mount, want.asked_by) for want in found] == [("/", ["below_target"])]


def test_the_forecast_has_its_range_and_what_cleanup_buys() -> None:
    entry = filesystem("/", 90)
    text, buys = wanting.outlook(view(entry, growth=1.0), entry, 6 * GIB)
    assert text == "full in 10 days (31 days of data); safe cleanup buys 6"
    assert buys == pytest.approx(6.0)
    assert wanting.outlook(view(entry), entry, GIB) == ("", None)


FOLDER = {"files": 3, "user": "app", "package": "", "unit": ""}
GROWERS = [
    {
        "mount": "/srv",
        "partial": "seconds",
        "folders": [
            {"path": "/srv", "bytes": 50 * GIB, **FOLDER},
            {"path": "/srv/big", "bytes": 40 * GIB, **FOLDER, "package": "bigdb"},
            {"path": "/srv/logs", "bytes": 9 * GIB, **FOLDER, "unit": "shop.service"},
        ],
    }
]


def test_what_grew_most_comes_before_what_is_large() -> None:
    entry = filesystem("/srv", 97)
    before = {"/srv/logs": (NOW - DAY, 1.0 * GIB), "/srv/big": (NOW - DAY, 40.0 * GIB)}
    found, partial = wanting.growers(view(entry, growers=GROWERS, before=before), "/srv")
    assert [(grower.path, grower.delta_bytes) for grower in found] == [("/srv/logs", 8 * GIB), ("/srv/big", 0)]
    assert (found[0].unit, found[0].since, partial) == ("shop.service", iso(NOW - DAY), "seconds")
    unknown, _partial = wanting.growers(view(entry, growers=GROWERS), "/srv")
    assert [(grower.path, grower.delta_bytes) for grower in unknown] == [("/srv/big", None), ("/srv/logs", None)]


def test_the_finding_names_what_grows() -> None:
    entry = filesystem("/srv", 97.5)
    before = {"/srv/logs": (NOW - DAY, 1.0 * GIB)}
    (verdict,) = capacity.space(view(entry, growers=GROWERS, before=before), capacity.Policy())
    assert verdict.summary == (
        "/srv has only 2.5 GiB left. Grew most: /srv/logs 9.0 GiB, 8.0 GiB more (shop.service); /srv/big 40.0 GiB (bigdb) "
        "(not all of it was looked at)."
    )
    assert [folder["path"] for folder in verdict.data["growers"]] == ["/srv/logs", "/srv/big"]
    (plain,) = capacity.space(view(entry), capacity.Policy())
    assert plain.summary == "/srv has only 2.5 GiB left."
    assert "growers" not in plain.data


def test_sizes_of_folders_go_into_the_history() -> None:
    points = list(_capacity_growers.series(view(filesystem("/srv", 97), growers=GROWERS)))
    assert points[1] == (_capacity_growers.METRIC, "/srv/big", 40.0 * GIB)
    assert points[1] in list(capacity.series(view(filesystem("/srv", 97), growers=GROWERS)))


@pytest.mark.parametrize(
    ("growth", "days", "free", "gib"), [(0.0, 30, 20, 18.75), (1.0, 30, 20, 25.0), (0.0, 30, 5, 0)]
)
def test_as_much_is_added_as_is_asked_for(growth: float, days: float, free: float, gib: float) -> None:
    entry = filesystem("/srv", 95)
    size = wanting.growth_bytes(view(entry, growth=growth), entry, read(grow_days=days, grow_free_percent=free))
    assert size / GIB == pytest.approx(gib, abs=0.01)


def record(**more: t.Any) -> ChangeRecord:
    return ChangeRecord.model_validate(
        {
            "run_id": "r", "client": "acme", "host": "web1", "chore": "disk_cleanup", "outcome": "done",
            "started_at": iso(NOW - 2 * DAY), **more,
        }
    )  # fmt: skip


def test_a_runaway_and_a_filesystem_nobody_knows_are_not_made_larger() -> None:
    entry = filesystem("/srv", 95)
    grown = record(cleanup={"growth": [{"mount": "/srv", "outcome": "done"}]})
    refused = wanting.against_growth(view(entry, growth=1.0), entry, [grown], NOW)
    assert refused is not None
    assert refused[0] == "runaway"
    assert wanting.against_growth(view(entry, growth=1.0), entry, [grown], NOW + 6 * DAY) is None
    young = View(host="web1", now=NOW, probes={"disks": ProbeRecord("ok", {"filesystems": [entry]}, {})})
    assert wanting.against_growth(young, entry, [], NOW) is None
    half = filesystem("/srv", 50)
    refused = wanting.against_growth(young, half, [], NOW)
    assert refused is not None
    assert refused[0] == "no_forecast"


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"rules": ["rotated_log"]}, "there is no rule 'rotated_log'. Did you mean 'rotated_logs'?"),
        ({"rules": ["orphans"]}, "the rule 'orphans' is never carried out, only reported"),
        ({"log_days": "30"}, "disk_cleanup_log_days (30) is below disk_cleanup_log_retention_days (90)"),
        ({"log_retention_days": 365}, "disk_cleanup_log_days (90) is below disk_cleanup_log_retention_days (365)"),
        ({"grow": True}, "disk_cleanup_grow needs disk_cleanup_grow_filesystems"),
        ({"path": "/etc"}, "disk_cleanup_path: unknown variable"),
        ({"budget": {"bites": 1}}, "disk_cleanup_budget.bites: unknown key"),
    ],
)
def test_mistakes_are_named(variables: dict[str, t.Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**variables)
    assert text in str(caught.value)


def test_text_of_the_command_line_becomes_numbers() -> None:
    chosen = read(target_free_percent="25", act="true", log_days="400", log_retention_days="365")
    assert (chosen.target_free_percent, chosen.act, chosen.terms["log_days"]) == (25.0, True, 400.0)
    assert not systems.disturbs(chosen.rules, windows=False)
    assert systems.disturbs(read(rules=["old_kernels"]).rules, windows=False)


ACCOUNT = {
    "files": 3,
    "bytes": 6 << 20,
    "oldest": iso(NOW - 100 * DAY),
    "newest": iso(NOW - 91 * DAY),
    "skipped": {"age": 2},
}
PART: dict[str, t.Any] = {
    "filesystems": [
        {
            "mount": "/var/log", "asked_by": ["capacity.space"], "size_bytes": 58 << 20, "target_percent": 15,
            "avail_before_bytes": 1 << 20, "predicted_bytes": 6 << 20, "forecast": "full in 9-14 days",
            "growers": [{"path": "/var/log/app", "bytes": 40 << 20, "delta_bytes": 3 << 20, "unit": "shop.service"}],
        }
    ],
    "rules": [{"id": "rotated_logs", "predicted": {**ACCOUNT, "stopped": "target", "rest_bytes": 4 << 20}}],
    "reports": [{"id": "orphans", "count": 2, "items": ["a", "b"]}],
}  # fmt: skip


def test_the_announcement_has_the_same_numbers_as_the_record() -> None:
    owner = Client(id="acme", name="Acme\x1b[2J")
    quiet = record(host="db1", outcome="nothing", cleanup={})
    text = announcement.client(
        owner, [record(outcome="planned", cleanup=PART), quiet], ["gone1"], "r", NOW, acting=False
    )
    for words in (
        "This is an announcement: nothing has been changed.",
        "/var/log: 1.0 MiB of 58.0 MiB free; 6.0 MiB would become free (to 15 % free; asked by",
        "full in 9-14 days",
        "largest: /var/log/app 40.0 MiB, 3.0 MiB more (shop.service)",
        "rotated_logs: 3 files, 6.0 MiB; from",
        "ended by target; 4.0",
        "orphans, for a person to decide: 2 (a, b)",
        "No filesystem asks for room: db1",
        "Not looked at, because they were not reached or could not be judged: gone1",
        "To carry it out: -e disk_cleanup_act=true",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= announcement.WIDTH


def test_what_became_free_is_told_beside_what_was_predicted() -> None:
    part = Cleanup.model_validate(PART)
    assert freed_text(part) == "/var/log: 6.0 MiB would become free (rotated_logs 3 files 6.0 MiB)"
    part.filesystems[0].actual_bytes = 5 << 20
    part.rules[0].done = part.rules[0].predicted
    assert freed_text(part) == "/var/log: 5.0 MiB freed, 6.0 MiB predicted (rotated_logs 3 files 6.0 MiB)"
    facts = dict(cleaned(gettext.NullTranslations(), part))
    assert facts["Room made"] == ["/var/log: 5.0 MiB became free, 6.0 MiB were predicted"]
    assert facts["By rule"] == ["rotated_logs: 3 files, 6.0 MiB; ended by target"]
    assert facts["What is large, or grew"] == ["/var/log: /var/log/app 40.0 MiB, 3.0 MiB more (shop.service)"]
    assert cleaned(gettext.NullTranslations(), None) == []
