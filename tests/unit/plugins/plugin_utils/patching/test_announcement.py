# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read before anything is done."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import announcement, planning
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import (
    Fact,
    Item,
    Move,
    Plan,
    RebootPlan,
    Rollback,
    Withheld,
)

NOW = 1_795_399_200.0
RUN = "01K00000000000000000000000"
ACME = Client(id="acme", name="Acme")


def plan(host: str = "web1", **more: t.Any) -> Plan:
    moves = [Move(name="openssl", arch="amd64", action="upgrade", before="1", after="2")]
    given = {
        "items": [
            Item(
                name="openssl",
                arch="amd64",
                version="2",
                update_class="security",
                advisories=["DSA-1"],
                cves=["CVE-2026-1"],
            )
        ],
        "transaction": moves,
        "reboot": RebootPlan(expected="yes", reasons=["dbus takes effect at boot"], text="left to a person"),
        "services": ["nginx.service"],
        "services_kept": {"postgresql.service": "its owner restarts it"},
        "download_bytes": 2048,
        "installed_bytes": -4096,
        "rollback": Rollback(possible="partly", text="Some packages can go back.", not_possible=["dbus: no way"]),
        "withheld": [
            Withheld(
                name="bash", version="3", update_class="bugfix", code="hold", reason="bash is on hold on the host."
            )
        ],
        "preflight": [
            Fact(name="space:/", passed=False, code="disk_full", observed="1.0 MiB free", expected="1.0 GiB")
        ],
        "ring": 2,
        "ring_reason": "step 2 of 3 for 4 Debian hosts",
        "plan_hash": planning.plan_hash("acme", host, "apt", moves),
        **more,
    }
    return Plan(
        run_id=RUN, client="acme", host=host, made_at="2026-11-23T06:00:00Z", manager="apt", policy="security", **given
    )


def test_everything_a_person_has_to_know_is_in_it():
    text = announcement.host(plan())
    for words in (
        "web1, ring 2: 1 package (1 security)\n  Ring: step 2 of 3 for 4 Debian hosts\n",
        "openssl:amd64 1 -> 2: security; DSA-1, CVE-2026-1",
        "Reboot: yes: dbus takes effect at boot; left to a person",
        "Services to restart: nginx.service",
        "postgresql.service stays as it is: its owner restarts it",
        "2.0 KiB to fetch, 4.0 KiB less on disk",
        "Some packages can go back.",
        "no way back: dbus: no way",
        "bash 3: bash is on hold on the host.",
        "NOT READY, space:/: 1.0 MiB free (wanted: 1.0 GiB)",
        f"Plan {plan().plan_hash[:16]}",
    ):
        assert words in text, text


def test_an_update_of_windows_is_named_alike_whether_it_is_offered_or_left_out():
    fields = {"title": "2026-11 Cumulative Update (KB5031364)", "update_id": "bbbb", "update_class": "security"}
    moves = [Move(name="KB5031364", action="install", after="200", update_id="bbbb")]
    offered = Item(name="KB5031364", kind="update", version="200", **fields)
    kept = Withheld(name="KB5031364", version="200", code="licence", reason="Nobody has read it.", **fields)
    called = "KB5031364 2026-11 Cumulative Update (KB5031364), revision 200: "
    assert f"  {called}security" in announcement.host(plan(items=[offered], transaction=moves, withheld=[]))
    assert f"    {called}Nobody has read it." in announcement.host(plan(items=[], transaction=[], withheld=[kept]))
    # What has no number is called by its title alone.
    driver = kept.model_copy(update={"name": "A driver", "title": "A driver"})
    assert "    A driver, revision 200: " in announcement.host(plan(items=[], transaction=[], withheld=[driver]))


def test_a_client_reads_of_every_host_and_how_to_go_on():
    quiet = plan("db1", items=[], transaction=[], preflight=[], withheld=[])
    text = announcement.client(ACME, [quiet, plan(ring=2), plan("canary")], ["gone1"], RUN, NOW, acting=False)
    assert text.index("canary") < text.index("web1"), "in the order of rings and names"
    assert "Nothing to do: db1" in text
    assert "not reached or could not be judged: gone1" in text
    assert f"patching_approved_run={RUN}" in text
    assert "nothing has been changed" in text


def test_who_acts_is_not_told_that_nothing_was_changed():
    text = announcement.client(ACME, [plan()], [], RUN, NOW, acting=True)
    assert "nothing has been changed" not in text
    assert "patching_approved_run" not in text


WORD = st.text(min_size=1, max_size=40)


@given(WORD, WORD, WORD, st.lists(WORD, max_size=5))
def test_lines_fit_a_terminal_and_cannot_command_it(host, package, reason, missing):
    moves = [Move(name=package, action="upgrade", before="1", after=reason)]
    kept = Withheld(name=package, version=reason, update_class="security", code="pin", reason=f"{reason} {package}")
    text = announcement.client(
        ACME, [plan(host, transaction=moves, withheld=[kept], doubts=[reason])], missing, RUN, NOW, acting=False
    )
    assert all(character == "\n" or character.isprintable() or ord(character) > 0x9F for character in text)
    assert all(len(line) <= announcement.WIDTH or " " not in line.strip() for line in text.split("\n")), text


def test_the_order_of_what_is_given_changes_nothing():
    plans = [plan("a"), plan("b", ring=1), plan("c")]
    first = announcement.client(ACME, plans, [], RUN, NOW, acting=False)
    assert first == announcement.client(ACME, plans[::-1], [], RUN, NOW, acting=False)


MOVES = st.lists(
    st.builds(
        Move,
        name=st.sampled_from(["a", "b", "c"]),
        arch=st.sampled_from(["", "amd64"]),
        action=st.sampled_from(["upgrade", "install"]),
        before=st.sampled_from([None, "1"]),
        after=st.sampled_from(["2", "3"]),
    ),
    max_size=4,
)


@given(MOVES, MOVES)
def test_the_hash_is_that_of_the_moves_and_of_nothing_less(one, two):
    def lines(moves):
        return sorted((m.name, m.arch, m.action, m.before or "", m.after or "") for m in moves)

    same = planning.plan_hash("acme", "web1", "apt", one) == planning.plan_hash("acme", "web1", "apt", two)
    assert same == (lines(one) == lines(two))
    assert planning.plan_hash("acme", "web1", "apt", one) != planning.plan_hash("acme", "web2", "apt", one)
    assert planning.plan_hash("acme", "web1", "apt", one) != planning.plan_hash("other", "web1", "apt", one)


def test_a_host_that_wants_something_and_gets_nothing_is_not_called_quiet():
    stuck = plan(transaction=[], preflight=[], withheld=[], doubts=["openssl 2 is wanted, and would stay"])
    told = announcement.client(ACME, [stuck], [], RUN, NOW, acting=False)
    assert "web1, ring 2: nothing can be done" in told
    assert "Not certain: openssl 2 is wanted" in told
    assert "Nothing to do" not in told


def test_an_update_that_is_its_own_advisory_is_named_once():
    item = Item(
        name="KB5068787",
        kind="update",
        title="2026-11 Cumulative Update",
        version="1",
        update_class="security",
        advisories=["KB5068787"],
        cves=["CVE-2026-1"],
        update_id="bbbb",
    )
    move = Move(name="KB5068787", action="install", after="1", update_id="bbbb")
    text = announcement.host(plan(items=[item], transaction=[move]))
    assert "KB5068787 2026-11 Cumulative Update, revision 1: security; CVE-2026-1" in text
