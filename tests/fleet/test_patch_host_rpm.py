"""The backends for dnf and zypper on real hosts: real dnf, zypper and rpm, and packages that go wrong."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import agent
import backend
import pytest
from fleet import Fleet
from lab.hosts import Host, Wanted

from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

TRAPS = "kw-after kw-conf kw-former kw-needs kw-replaces kw-slow kw-licensed"
ADD = {
    "dnf": """
for name in traps traps-old; do
    printf '[kw-%s]\\nname=%s\\nbaseurl=http://repository.lab.invalid/rpm/%s\\ngpgcheck=0\\n' $name $name $name
done >/etc/yum.repos.d/traps.repo
dnf -q makecache
dnf -q -y install $(for name in TRAPS; do echo $name-1.0-1.el9; done) >/dev/null
""",
    "zypper": """
for name in traps traps-old; do
    zypper --quiet addrepo --no-gpgcheck --no-refresh http://repository.lab.invalid/rpm/$name kw-$name
done
zypper --quiet --non-interactive refresh
zypper --quiet --non-interactive install $(for name in TRAPS; do echo $name=1.0-1.el9; done) >/dev/null
""",
}
# Where a look could leave something: databases, caches, logs, settings.
WATCHED = "/var/lib/rpm /var/lib/dnf /var/cache/dnf /var/lib/zypp /var/cache/zypp /var/log /etc /root /boot"
# A reader maps the database with these, and the times of folders in which a lock comes and goes.
CONTENTS = (
    f"for place in {WATCHED}; do [ ! -e $place ] || find $place -type f ! -name '*.sqlite-shm' "
    "! -path '/var/log/journal/*' ! -name wtmp ! -name lastlog ! -name btmp -exec sha256sum {} +; done | sort -k 2"
)
EXACT = {"kw-tool": "1.0-2.el9"}


@dataclass
class Patched:
    """A host of its own for these tests, and the backend that patches it."""

    host: Host
    manager: str

    def call(self, function: str, *arguments: t.Any) -> t.Any:
        return backend.call(self.host, f"_{self.manager}", function, *arguments)[0]

    def acted(self, function: str, *arguments: t.Any) -> tuple[t.Any, str]:
        return backend.call(self.host, f"_{self.manager}", function, *arguments)

    def installed(self, *names: str) -> dict[str, str]:
        """Versions by name; of a package that is in twice both, in rpm's order."""
        lines = self.host.run(f"rpm -q --qf '%{{NAME}} %{{VERSION}}-%{{RELEASE}}\\n' {' '.join(names)}", check=False)
        found: dict[str, str] = {}
        for line in lines.stdout.splitlines():
            name, _space, version = line.partition(" ")
            if name in names:
                found[name] = f"{found[name]} {version}" if name in found else version
        return found


def items(versions: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "version": version, "kind": "package", "arch": "noarch"} for name, version in versions.items()
    ]


@pytest.fixture(scope="module", params=["dnf", "zypper"])
def patched(request: pytest.FixtureRequest, fleet: Fleet) -> Patched:
    kind = {"dnf": "el9-emulation", "zypper": "suse-emulation"}[request.param]
    name = f"patched-{kind}"
    fleet.lab.start([Wanted(name, kind)])
    host = fleet[name]
    host.run(ADD[request.param].replace("TRAPS", TRAPS))
    backend.install(host)
    return Patched(host, request.param)


def test_a_look_finds_the_exact_version_and_leaves_nothing_behind(patched: Patched) -> None:
    before = patched.host.run(CONTENTS).stdout
    simulation = patched.call("simulate", items({**EXACT, "kw-needs": "1.0-2.el9"}))
    state = patched.call("state")
    assert patched.host.run(CONTENTS).stdout == before
    assert state == {"clean": True, "problems": []}
    assert simulation["errors"] == []
    assert [(move["name"], move["action"], move["before"], move["after"]) for move in simulation["moves"]] == [
        ("kw-lib", "install", None, "1:0.9-1.el9"),
        ("kw-needs", "upgrade", "1.0-1.el9", "1.0-2.el9"),
        ("kw-tool", "upgrade", "1.0-1.el9", "1.0-2.el9"),
    ]
    assert 10_000 < simulation["download_bytes"] < 100_000


def test_a_package_that_would_go_is_told_as_a_removal(patched: Patched) -> None:
    moves = patched.call("simulate", items({"kw-replaces": "1.0-2.el9"}))["moves"]
    assert [(move["name"], move["action"]) for move in moves] == [("kw-former", "remove"), ("kw-replaces", "upgrade")]


def test_the_exact_version_comes_and_goes_back_where_no_repository_offers_the_old_one(patched: Patched) -> None:
    wanted = items({**EXACT, "kw-conf": "1.0-2.el9"})
    moves = patched.call("simulate", wanted)["moves"]
    assert patched.call("offered", moves) == ["kw-conf:noarch", "kw-tool:noarch"]
    patched.host.run("mkdir -p /root/kept && echo mine >/etc/kw-conf.conf")
    kept = patched.call("keep_old", moves, "/root/kept")
    assert (sorted(kept["kept"]), kept["missing"]) == (["kw-conf:noarch", "kw-tool:noarch"], {})
    assert patched.call("download", wanted) == 0
    code, said = patched.acted("apply", wanted)
    assert (code, patched.call("half_done", moves, said)) == (0, [])
    assert patched.call("config_files", said) == ["/etc/kw-conf.conf.rpmnew"]
    assert patched.installed("kw-tool", "kw-conf") == {"kw-tool": "1.0-2.el9", "kw-conf": "1.0-2.el9"}
    hide = {
        "dnf": "sed -i 's/^enabled=.*/enabled=0/' /etc/yum.repos.d/kw-base.repo",
        "zypper": "zypper --quiet modifyrepo --disable kw-base",
    }
    patched.host.run(hide[patched.manager])
    # kw-tool from the kept package, kw-conf from the repository that still has it.
    back = patched.call("undo", moves, {"kw-tool:noarch": kept["kept"]["kw-tool:noarch"]})
    assert (back["rc"], back["text"]) == (0, "")
    assert patched.installed("kw-tool", "kw-conf") == {"kw-tool": "1.0-1.el9", "kw-conf": "1.0-1.el9"}


def test_a_script_that_fails_before_the_installation_leaves_the_old_version(patched: Patched) -> None:
    wanted = items({"kw-broken": "1.0-2.el9"})
    assert patched.call("download", wanted) == 0
    code, said = patched.acted("apply", wanted)
    assert code == {"dnf": 1, "zypper": 8}[patched.manager]
    assert patched.installed("kw-broken") == {"kw-broken": "1.0-1.el9"}
    assert patched.call("half_done", [], said) == [
        "kw-broken-1.0-2.el9.noarch: its script before its installation failed (exit status 1)"
    ]


def test_a_script_that_fails_after_the_installation_is_named_whatever_the_return_code(patched: Patched) -> None:
    wanted = items({"kw-after": "1.0-2.el9"})
    assert patched.call("download", wanted) == 0
    code, said = patched.acted("apply", wanted)
    # dnf takes it for a success.
    assert code == {"dnf": 0, "zypper": 107}[patched.manager]
    assert patched.installed("kw-after") == {"kw-after": "1.0-2.el9"}
    assert patched.call("half_done", [], said) == [
        "kw-after-1.0-2.el9.noarch: its script after its installation failed (exit status 1)"
    ]


def test_the_agent_carries_out_a_plan_and_takes_it_back(patched: Patched) -> None:
    seen = agent.look(patched.host, {"kw-needs": "1.0-2.el9"})
    assert (seen["offered_before"], seen["state"]["clean"]) == (["kw-needs:noarch"], True)
    done = agent.carry_out(patched.host, "RPM00001", {"kw-needs": "1.0-2.el9"})
    assert (done["outcome"], done["text"]) == ("done", "2 packages changed.")
    assert patched.installed("kw-needs", "kw-lib") == {"kw-needs": "1.0-2.el9", "kw-lib": "0.9-1.el9"}
    agent.ask(patched.host, "rollback", id="RPM00001", run_id="later", program=payload.work_program("patching"))
    back = agent.follow(patched.host, "RPM00001R")
    assert (back["outcome"], back["not_kept"]) == ("done", {"kw-lib:noarch": "came new and stays, nothing is removed"})
    assert patched.installed("kw-needs", "kw-lib") == {"kw-needs": "1.0-1.el9", "kw-lib": "0.9-1.el9"}


def test_the_agent_removes_nothing(patched: Patched) -> None:
    end = agent.carry_out(patched.host, "RPM00002", {"kw-replaces": "1.0-2.el9"})
    assert (end["outcome"], end["code"]) == ("refused", "removal")
    assert patched.installed("kw-former", "kw-replaces") == {"kw-former": "1.0-1.el9", "kw-replaces": "1.0-1.el9"}


def test_a_licence_is_not_agreed_to(patched: Patched) -> None:
    simulation = patched.call("simulate", items({"kw-licensed": "1.0-2.el9"}))
    asked = ["kw-licensed comes with a licence that a person has to agree to: zypper install kw-licensed"]
    # dnf knows no licences to be agreed to.
    assert simulation["errors"] == (asked if patched.manager == "zypper" else [])


def test_another_one_at_work_is_left_alone_and_when_it_dies_the_damage_is_named(patched: Patched) -> None:
    wanted = items({"kw-slow": "1.0-2.el9"})
    other = items({"kw-plain": "2.0-2.el9"})
    assert patched.call("download", other) == 0
    simulation = patched.call("simulate", wanted)
    command = {
        "dnf": "dnf -q -y upgrade kw-slow-1.0-2.el9",
        "zypper": "zypper --quiet --non-interactive --no-refresh install kw-slow=1.0-2.el9",
    }
    patched.host.run("touch /etc/kw-slow")
    patched.host.start_in_background(f"exec {command[patched.manager]} >/root/slow 2>&1")
    patched.host.run("until pgrep -x sleep >/dev/null; do sleep 0.1; done", timeout=20)
    beside = patched.call("simulate", other)
    assert ([move["name"] for move in beside["moves"]], beside["errors"]) == (["kw-plain"], [])
    assert patched.call("apply", other) == {"dnf": 200, "zypper": 7}[patched.manager]
    assert patched.installed("kw-plain") == {"kw-plain": "2.0-1.el9"}
    patched.host.run(f"pkill -9 -x {patched.manager}; pkill -9 -x rpm; pkill -x sleep; true")
    state = patched.call("state")
    assert state["clean"] is False
    assert "kw-slow is installed twice: 1.0-1.el9, 1.0-2.el9" in state["problems"]
    half = patched.call("half_done", simulation["moves"], patched.host.run("cat /root/slow").stdout)
    assert "kw-slow is installed twice: 1.0-1.el9, 1.0-2.el9" in half
    if patched.manager == "dnf":
        assert any(text.startswith("dnf's last transaction") for text in state["problems"])
