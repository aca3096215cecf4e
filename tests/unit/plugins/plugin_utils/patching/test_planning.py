# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold for every plan: nothing pending is lost, and no reboot is asked for that cannot help."""

from __future__ import annotations

import typing as t

import pytest
import replay
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _patching_policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import planning, preflight, selection
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan, RebootPlan, Rollback, Withheld
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options

NOW = 1_795_399_200.0
CLASSES = ("security", "point_release", "bugfix", "feature", "unknown")
HOLDERS = (None, None, None, "hold", "pin", "exclude", "versionlock", "phasing", "dependency", "update_stack")
UPDATES = st.lists(
    st.builds(
        lambda name, kind, fix, held, stack, published: {
            "name": name,
            "arch": None,
            "kind": "package",
            "installed": "1.0-1",
            "candidate": "1.1-1",
            "class": kind,
            "security_version": "1.0-1+deb12u1" if fix and kind == "security" else None,
            "severity": None,
            "advisories": [f"ADV-{name}"],
            "cves": [f"CVE-2026-{name}"],
            "origins": [],
            "published_at": published,
            "held_by": held,
            "needs_stack_restart": stack,
        },
        st.sampled_from("abcdefgh"),
        st.sampled_from(CLASSES),
        st.booleans(),
        st.sampled_from(HOLDERS),
        st.sampled_from((False, False, False, True)),
        st.sampled_from((None, NOW - 86400, NOW - 30 * 86400)),
    ),
    max_size=8,
    unique_by=lambda update: update["name"],
)
CHOICES = st.builds(
    lambda policy, soak, emergency, excluded: Options(
        policy=policy,
        soak_days=soak,
        emergency={"packages": ["a"], "reason": "exploited", "approver": "Ada"} if emergency else None,
        exclusions=[
            {"package": name, "reason": "vendor says so", "approver": "Ada", "expires": day} for name, day in excluded
        ],
    ),
    st.sampled_from(("security", "security_and_point_release", "all")),
    st.sampled_from((0, 7)),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("2020-01-01", "2030-01-01"))), max_size=2),
)
LOOK: dict[str, t.Any] = {"simulation": {"moves": [], "errors": []}}
REBOOT = {"required": "no", "strength": None, "reasons": []}


def select(updates: list[dict[str, t.Any]], options: Options) -> t.Any:
    view = replay.view({"now": NOW, "probes": {"packages": {"data": {"manager": "apt", "pending": updates}}}})
    return selection.select(view, _patching_policy.Policy(), options, {})


@given(UPDATES, CHOICES)
def test_every_pending_update_is_chosen_or_left_out_with_a_reason(updates, options):
    items, withheld = select(updates, options)
    assert sorted([entry.name for entry in items] + [entry.name for entry in withheld]) == sorted(
        update["name"] for update in updates
    )
    assert all(entry.code and len(entry.reason) > 10 for entry in withheld)
    held = {update["name"] for update in updates if update["held_by"]}
    assert held.isdisjoint(item.name for item in items)
    active = {rule.package for rule in options.exclusions if rule.expires.year == 2030}
    assert active.isdisjoint(item.name for item in items)


@given(UPDATES, CHOICES)
def test_the_order_in_which_a_host_tells_changes_nothing(updates, options):
    assert select(updates, options) == select(updates[::-1], options)


@given(UPDATES)
def test_a_wider_policy_never_takes_less(updates):
    names = [
        {item.name for item in select(updates, Options(policy=policy))[0]}
        for policy in ("security", "security_and_point_release", "all")
    ]
    assert names[0] <= names[1] <= names[2]


@given(st.none() | st.integers(0, 1 << 40), st.none() | st.integers(-(1 << 40), 1 << 40))
def test_room_is_never_less_than_a_gibibyte_nor_less_than_what_comes(download, growth):
    needed = preflight.needed_bytes(download, growth)
    assert needed >= max(1 << 30, download or 0, growth or 0)


def packages(default: str | None, reasons: list[dict[str, t.Any]], running: str = "6.1.0-37-amd64") -> dict[str, t.Any]:
    return {
        "manager": "apt",
        "pending": [],
        "services_restart": [],
        "kernel": {
            "running": running,
            "newest": "6.1.0-40-amd64",
            "container": None,
            "default_boot": default
            and {"pinned": True, "entry": "x", "release": default, "source": "/etc/default/grub"},
        },
        "reboot": {"required": "yes", "strength": "strong", "reasons": reasons},
    }


KERNEL = {"kind": "kernel", "strength": "strong", "detail": "6.1.0-40-amd64 is installed", "since": None}
CORE = {"kind": "core_packages", "strength": "strong", "detail": "updated since boot: dbus", "since": None}


@pytest.mark.parametrize(
    ("default", "reasons", "due"),
    [
        (None, [KERNEL], "yes"),
        ("6.1.0-40-amd64", [KERNEL], "yes"),
        # Acceptance case 11: the boot loader would start the running kernel again.
        ("6.1.0-37-amd64", [KERNEL], "unknown"),
        ("6.1.0-37-amd64", [KERNEL, CORE], "yes"),
        ("6.1.0-38-amd64", [KERNEL], "yes"),
    ],
)
def test_a_reboot_that_brings_the_same_kernel_again_is_not_due(default, reasons, due):
    found, why = planning.reboot_due({"probes": {"packages": {"status": "ok", "data": packages(default, reasons)}}})
    assert found == due
    assert why[0] == KERNEL["detail"]
    assert ("a reboot will not help: /etc/default/grub starts" in why[-1]) is (due == "unknown")


def test_a_packages_probe_without_an_answer_is_no_reason_to_reboot():
    record = {"status": "timeout", "detail": "15 s", "data": None}
    assert planning.reboot_due({"probes": {"packages": record}})[0] == "unknown"


def build(items: t.Any, moves: list[dict[str, t.Any]], errors: list[str], data: dict[str, t.Any]) -> t.Any:
    return planning.build(
        view=replay.view({"now": NOW, "probes": {"packages": {"data": data}}}),
        client="acme",
        run_id="01K00000000000000000000000",
        items=items,
        withheld=[],
        look={"simulation": {"moves": moves, "errors": errors}},
        preflight=[],
        doubts=[],
        options=Options(),
        ring=1,
        ring_reason="",
    )


def test_the_plan_says_that_a_new_kernel_would_not_be_started():
    move = {"name": "linux-image-6.1.0-41-amd64", "arch": "amd64", "action": "install", "before": None, "after": "1"}
    told = build([], [move], [], packages("6.1.0-37-amd64", [KERNEL])).reboot.text
    assert "a reboot will not help: /etc/default/grub" in told


def test_what_the_package_manager_leaves_standing_is_never_lost_in_silence():
    update = {"name": "a", "arch": None, "kind": "package", "installed": "1", "candidate": "2", "class": "security"}
    update |= {"advisories": [], "cves": [], "held_by": None, "origins": []}
    items, _withheld = select([update], Options())
    data = packages(None, [])
    assert build(items, [], [], data).doubts == ["a 2 is wanted, and the package manager would leave it as it is"]
    # An error is a fact of the preflight already.
    assert build(items, [], ["E: broken"], data).doubts == []
    moved = {"name": "a", "arch": "amd64", "action": "upgrade", "before": "1", "after": "2"}
    assert build(items, [moved], [], data).doubts == []


@pytest.mark.parametrize(
    ("kernel", "told"),
    [
        (
            {"running": "6.1.0-40", "newest": "6.1.0-41", "container": None},
            "it runs 6.1.0-40, and 6.1.0-41 is installed",
        ),
        ({"running": "6.1.0-41", "newest": "6.1.0-41", "container": None}, ""),
        ({"running": "6.1.0-40", "newest": "6.1.0-41", "container": "podman"}, ""),
        ({"running": "6.1.0-40", "newest": None, "container": None}, ""),
    ],
)
def test_a_host_that_booted_its_old_kernel_is_told_of(kernel, told):
    document = {"probes": {"packages": {"status": "ok", "data": {"kernel": kernel}}}}
    assert planning.old_kernel(document) == told


def test_an_empty_plan_says_what_was_left_out():
    view_of_nothing = {"client": "acme", "host": "web1", "run_id": "R", "made_at": "2026-11-23T00:00:00Z"}
    empty = Plan(
        **view_of_nothing,
        manager="apt",
        policy="security",
        plan_hash="0",
        reboot=RebootPlan(expected="no"),
        rollback=Rollback(possible="yes", text=""),
    )
    assert planning.idle(empty) == "Nothing is pending."
    left = Withheld(name="kw-tool", version="2", update_class="bugfix", code="policy", reason="It is a bug fix.")
    assert planning.idle(empty.model_copy(update={"withheld": [left]})) == "Nothing to do: 1 pending update left out."
