"""The work on a host that apt patches: real apt, dpkg and systemd, and what goes wrong while they work."""

from __future__ import annotations

import time
import typing as t

import agent
import pytest
from fleet import Fleet
from lab import faults, podman
from lab.hosts import Host, Wanted

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

KINDS = ("debian-11", "debian-12", "debian-13")
FIX = "1.0-1+deb12u1"
# The newer kw-tool is a bug fix that nobody asked for.
EXACT = {"kw-svc": FIX, "kw-tool": FIX, "kw-conf": FIX}
ARCHIVES = "/var/cache/apt/archives"
# Where a look could leave something.
WATCHED = "/var/lib/dpkg /var/lib/apt /var/cache/apt /var/lib/keepwell /etc /root /boot"
CONTENTS = f"for place in {WATCHED}; do [ ! -e $place ] || find $place -type f -exec sha256sum {{}} +; done | sort -k 2"
SLOW = "echo 'DPkg::Pre-Invoke { \"sleep 3\"; };' >/etc/apt/apt.conf.d/99slow"
FAST = "rm /etc/apt/apt.conf.d/99slow"


@pytest.fixture(scope="module")
def hosts(fleet: Fleet) -> dict[str, Host]:
    """A host of each Debian for these tests alone; the cache of the newest is small."""
    small = ("--tmpfs", f"{ARCHIVES}:rw,size=1m,mode=755")
    fleet.lab.start(
        Wanted(f"patched-{kind}", kind, small if kind == "debian-13" else (), before=f"mkdir -p {ARCHIVES}/partial")
        for kind in KINDS
    )
    return {kind: fleet[f"patched-{kind}"] for kind in KINDS}


def versions(host: Host, *names: str) -> dict[str, str]:
    shown = host.run(f"dpkg-query -W -f '${{Package}} ${{Version}}\\n' {' '.join(names)}").stdout
    return dict(t.cast("tuple[str, str]", tuple(line.split())) for line in shown.splitlines())


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_announced_versions_come_and_go_back(hosts: dict[str, Host], kind: str) -> None:
    host = hosts[kind]
    host.run("echo mine >>/etc/kw-conf.conf")
    before = host.run(CONTENTS).stdout
    seen = agent.look(host, EXACT)
    assert host.run(CONTENTS).stdout == before
    assert (seen["simulation"]["errors"], seen["state"]) == ([], {"clean": True, "problems": []})
    assert [(move["name"], move["action"], move["after"]) for move in seen["simulation"]["moves"]] == [
        (name, "upgrade", EXACT[name]) for name in sorted(EXACT)
    ]

    done = agent.carry_out(host, f"exact{kind[-2:]}aa", EXACT)
    assert (done["outcome"], done["text"]) == ("done", "3 packages changed.")
    assert versions(host, *EXACT) == EXACT
    assert {(move["name"], move["before"], move["after"]) for move in done["moves_done"]} == {
        ("kw-svc", "1.0-1", FIX),
        ("kw-tool", "1.0-1", FIX),
        ("kw-conf", "1.0-1", FIX),
    }
    assert (sorted(done["kept"]), done["not_kept"]) == (["kw-conf:all", "kw-svc:all", "kw-tool:all"], {})
    assert done["config_files"] == ["/etc/kw-conf.conf.dpkg-dist"]
    assert done["bounded"].startswith("by systemd: at most ")
    # Nothing of the way back is left where apt's own packages are.
    assert "1.0-1_all" not in host.run(f"ls {ARCHIVES}").stdout

    left = agent.ask(host, "unfinished")["transactions"]
    assert [(entry["id"], entry["outcome"], entry["alive"]) for entry in left] == [(done["id"], "done", False)]
    assert agent.ask(host, "recorded", id=done["id"]) == {"recorded": True}
    assert agent.ask(host, "unfinished") == {"transactions": []}

    with faults.repository_unreachable(host):
        started = agent.ask(host, "rollback", id=done["id"], run_id="next", program=_program())
        back = agent.follow(host, started["id"])
    assert (back["kind"], back["outcome"], back["text"]) == ("rollback", "done", "3 packages changed back.")
    assert versions(host, *EXACT) == dict.fromkeys(EXACT, "1.0-1")


def _program() -> str:
    return agent.payload.work_program("patching")


def test_a_service_is_restarted_on_its_new_program(hosts: dict[str, Host]) -> None:
    host = hosts["debian-12"]
    assert agent.carry_out(host, "service1", {"kw-svc": FIX})["outcome"] == "done"
    old = host.run("readlink /proc/$(systemctl show -P MainPID kw-svc)/exe").stdout
    asked = ["kw-svc.service", "dbus.service", "systemd-tmpfiles-setup.service", "nope.service"]
    answers = agent.ask(host, "restart", units=asked, timeout_s=60)["units"]
    new = host.run("readlink /proc/$(systemctl show -P MainPID kw-svc)/exe").stdout
    assert ("(deleted)" in old, "(deleted)" in new) == (True, False)
    assert {unit: answer["result"] for unit, answer in answers.items()} == {
        "kw-svc.service": "restarted",
        "dbus.service": "skipped",
        "systemd-tmpfiles-setup.service": "skipped",
        "nope.service": "skipped",
    }


def test_a_service_that_does_not_come_up_again_is_named(hosts: dict[str, Host]) -> None:
    host = hosts["debian-12"]
    host.run("printf '[Unit]\\n[Service]\\nExecStart=/bin/sleep 900\\n' >/etc/systemd/system/kw-frail.service")
    host.run("systemctl daemon-reload; systemctl start kw-frail")
    host.run("sed -i 's/sleep 900/false/' /etc/systemd/system/kw-frail.service; systemctl daemon-reload")
    answer = agent.ask(host, "restart", units=["kw-frail.service"], timeout_s=60)["units"]["kw-frail.service"]
    assert answer == {"result": "failed", "text": "it is failed (exit-code) after its restart"}
    host.run("rm /etc/systemd/system/kw-frail.service; systemctl daemon-reload; systemctl reset-failed")


def test_probes_answer_whatever_is_at_the_other_end(hosts: dict[str, Host]) -> None:
    asked: list[dict[str, t.Any]] = [
        {"name": "ssh", "tcp": "localhost:22"},
        {"name": "closed", "tcp": "localhost:23"},
        {"name": "web", "http": "http://repository.lab.invalid/apt/", "status": 200, "contains": "debian-security"},
        {"name": "no web", "http": "http://localhost:22/"},
        {"name": "other status", "http": "http://repository.lab.invalid/nope"},
        {"name": "command", "command": ["systemctl", "is-active", "kw-svc"]},
        {"name": "bad command", "command": ["/bin/false"]},
    ]
    answers = agent.ask(hosts["debian-12"], "probes", probes=asked)["probes"]
    assert [name for name, answer in answers.items() if answer["ok"]] == ["ssh", "web", "command"]
    assert answers["other status"]["text"] == "status 404"
    assert answers["closed"]["text"] == "no answer: Connection refused"


def test_who_holds_the_lock_is_named_and_left_alone(hosts: dict[str, Host]) -> None:
    host = hosts["debian-13"]
    wanted = {"kw-tool": FIX}
    with faults.apt_at_work(host) as pid:
        refused = agent.ask(host, "reboot", reason="a test")
        assert (refused["error"], "apt-get" in refused["text"]) == ("locked", True)
        started = agent.start(host, "locked01", wanted, limits={**agent.LIMITS, "lock_timeout_s": 4})
        assert started["started"], started
        second = agent.start(host, "locked02", wanted)
        again = agent.start(host, "locked01", wanted)
        state = agent.follow(host, "locked01")
        assert host.run(f"kill -0 {pid}", check=False).returncode == 0
    assert (second["started"], second["code"], "locked01" in second["text"]) == (False, "host_locked", True)
    assert (again["started"], again["attached"]) == (False, True)
    assert (state["outcome"], state["code"]) == ("refused", "locked")
    assert f"apt-get (process {pid}" in state["text"]
    assert versions(host, "kw-tool") == {"kw-tool": "1.0-1"}


def test_another_plan_than_the_approved_one_is_refused_with_the_differences(hosts: dict[str, Host]) -> None:
    host = hosts["debian-13"]
    moves = agent.look(host, {"kw-tool": FIX})["simulation"]["moves"]
    other = [{**moves[0], "after": "1.1-1"}, {**moves[0], "name": "kw-gone"}]
    state = agent.carry_out(host, "changed1", {"kw-tool": FIX}, moves=other)
    assert (state["outcome"], state["code"]) == ("refused", "plan_changed")
    assert f"kw-tool would go from 1.0-1 to {FIX} instead of from 1.0-1 to 1.1-1" in state["text"]
    assert f"upgrade kw-gone {FIX} is gone" in state["text"]
    held = agent.carry_out(host, "changed2", {"kw-held": "3.0-1+deb12u1"})
    assert (held["code"], "Held packages" in held["text"]) == ("plan_changed", True)
    assert versions(host, "kw-tool", "kw-held") == {"kw-tool": "1.0-1", "kw-held": "3.0-1"}


def test_a_full_disk_is_seen_before_anything_is_touched(hosts: dict[str, Host]) -> None:
    host = hosts["debian-13"]
    host.run("apt-get clean")
    faults.fill(host, ARCHIVES)
    state = agent.carry_out(host, "diskfull1", {"kw-tool": FIX})
    host.run(f"rm {ARCHIVES}/big {ARCHIVES}/rest")
    assert (state["outcome"], state["code"]) == ("refused", "disk_full")
    assert f"{ARCHIVES} needs 0.0 MiB free and has 0.0 MiB" in state["text"]
    reserve = agent.carry_out(host, "diskfull2", {"kw-tool": FIX}, reserve_bytes=10**15)
    assert (reserve["code"], "/ needs 953674316.4 MiB free" in reserve["text"]) == ("disk_full", True)


def test_archives_that_are_away_change_nothing(hosts: dict[str, Host]) -> None:
    host = hosts["debian-13"]
    host.run("apt-get clean")
    with faults.repository_unreachable(host):
        state = agent.carry_out(host, "download1", {"kw-plain": "2.0-2"})
    assert (state["outcome"], state["code"]) == ("refused", "download_failed")
    assert list(state["not_kept"]) == ["kw-plain:all"]
    assert versions(host, "kw-plain") == {"kw-plain": "2.0-1"}


def test_the_work_outlives_its_program_and_its_end_is_found_out(hosts: dict[str, Host]) -> None:
    host = hosts["debian-13"]
    host.run(SLOW)
    agent.start(host, "killed01", {"kw-plain": "2.0-2"})
    state = agent.until(host, "killed01", "applying")
    host.run(f"kill -9 {state['process']['pid']}")
    assert agent.ask(host, "status", id="killed01")["alive"] is True
    assert agent.start(host, "killed02", {"kw-tool": FIX})["code"] == "host_locked"
    ended = agent.follow(host, "killed01")
    assert (ended["outcome"], ended["code"], ended["half_done"]) == ("failed", "interrupted", [])
    assert [(move["name"], move["after"]) for move in ended["moves_done"]] == [("kw-plain", "2.0-2")]
    assert "signal" in ended["text"]
    assert host.run("systemctl list-units --failed --no-legend 'keepwell*'").stdout == ""
    host.run(FAST)


def test_a_reboot_in_the_middle_is_told_with_what_it_left(hosts: dict[str, Host]) -> None:
    host = hosts["debian-11"]
    host.run(SLOW)
    agent.start(host, "rebooted1", {"kw-plain": "2.0-2"})
    agent.until(host, "rebooted1", "applying")
    time.sleep(0.5)
    podman.podman("restart", "--time", "0", host.container)
    host.wait()
    ended = agent.follow(host, "rebooted1")
    assert (ended["outcome"], ended["code"], ended["moves_done"]) == ("failed", "rebooted", [])
    assert versions(host, "kw-plain") == {"kw-plain": "2.0-1"}
    host.run(FAST)


def test_a_failed_script_is_named_and_nothing_is_built_on_it(hosts: dict[str, Host]) -> None:
    host = hosts["debian-11"]
    broken = agent.carry_out(host, "broken01", {"kw-broken": FIX, "kw-tool": FIX})
    assert (broken["outcome"], broken["code"]) == ("failed", "half_done")
    assert broken["half_done"] == ["kw-broken: configuration failed"]
    assert [move["name"] for move in broken["moves_done"]] == ["kw-broken", "kw-tool"]
    assert "kw-broken: migration failed" in broken["log_tail"]
    next_one = agent.carry_out(host, "broken02", {"kw-conf": FIX}, moves=[])
    assert (next_one["outcome"], next_one["code"]) == ("refused", "broken_state")
    assert "kw-broken: configuration failed" in next_one["text"]
    back = agent.ask(host, "rollback", id="broken01", run_id="next", program=_program())
    assert agent.follow(host, back["id"])["text"] == "2 packages changed back."
    assert agent.look(host, {})["state"] == {"clean": True, "problems": []}


def test_nobody_but_root_gets_an_answer(hosts: dict[str, Host]) -> None:
    assert agent.ask(hosts["debian-12"], "look", user="ops")["error"] == "needs_root"


def test_what_is_recorded_and_old_is_cleaned_away(hosts: dict[str, Host]) -> None:
    host = hosts["debian-12"]
    for identifier in ("cleaned1", "cleaned2"):
        assert agent.carry_out(host, identifier, {"kw-plain": "2.0-2"}, moves=[])["code"] == "plan_changed"
    agent.ask(host, "recorded", id="cleaned1")
    soon = agent.ask(host, "clean", keep_days=14)
    assert soon["removed"] == []
    later = agent.ask(host, "clean", keep_days=14, now=time.time() + 20 * 86400)
    assert ("cleaned1" in later["removed"], "cleaned2" in later["kept"]) == (True, True)
    assert host.run("ls /var/lib/keepwell/patching").stdout.split() == sorted(later["kept"])


@pytest.fixture(scope="module", params=["el9-emulation", "suse-emulation"])
def rpm_host(request: pytest.FixtureRequest, fleet: Fleet) -> Host:
    name = f"agent-{request.param}"
    fleet.lab.start([Wanted(name, request.param)])
    return fleet[name]


def test_dnf_and_zypper_go_the_same_way(rpm_host: Host) -> None:
    wanted = {"kw-tool": "1.0-2.el9"}
    seen = agent.look(rpm_host, wanted)
    assert (seen["simulation"]["errors"], seen["state"]["problems"], seen["locks"]) == ([], [], [])
    done = agent.carry_out(rpm_host, "rpm00001", wanted)
    assert (done["outcome"], done["text"], done["code"]) == ("done", "1 package changed.", "")
    assert done["moves_done"] == [{"name": "kw-tool", "arch": "noarch", "before": "1.0-1.el9", "after": "1.0-2.el9"}]
    assert list(done["kept"]) == ["kw-tool:noarch"]
    back = agent.ask(rpm_host, "rollback", id="rpm00001", run_id="next", program=_program())
    ended = agent.follow(rpm_host, back["id"])
    assert (ended["outcome"], ended["text"]) == ("done", "1 package changed back.")
    assert rpm_host.run("rpm -q kw-tool").stdout.strip() == "kw-tool-1.0-1.el9.noarch"


def test_a_failed_rpm_script_is_no_success(rpm_host: Host) -> None:
    broken = agent.carry_out(rpm_host, "rpmbroken1", {"kw-broken": "1.0-2.el9"})
    assert (broken["outcome"], broken["code"], broken["moves_done"]) == ("failed", "half_done", [])
    assert broken["half_done"] == [
        "kw-broken-1.0-2.el9.noarch: its script before its installation failed (exit status 1)"
    ]
    assert agent.ask(rpm_host, "refresh", timeout_s=60) == {"rc": 0, "errors": []}
