"""What is not there to be asked is absent and no failed source; what is there and fails is one, as before."""

from __future__ import annotations

import typing as t

import pytest
import replay
import unread

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _package_locks
from ansible_collections.keepwell.fleet.plugins.plugin_utils import judge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import NoHistory, ProbeRecord, View

UNITS = (
    "chrony.service chronyd.service ntp.service ntpd.service ntpsec.service openntpd.service"
    " phc2sys.service ptp4l.service systemd-timesyncd.service"
)
ACTIVE = f"systemctl show -p Id,ActiveState {UNITS}"
CHRONY = "chronyc -c tracking"
DNF4 = "dnf -q -C --setopt=logfilelevel=0 --setopt=logdir=/run --disableplugin=generate_completion_cache"
NO_DAEMON = {"rc": 1, "out": "506 Cannot talk to daemon\n"}
NO_DNF4 = {"rc": 1, "err": "No such command: needs-restarting. Please use /usr/bin/dnf --help\n"}
NO_DNF5 = {
    "rc": 2,
    "out": "It could be a command provided by a plugin, try: dnf5 install 'dnf5-command(needs-restarting)'\n",
    "err": 'Unknown argument "needs-restarting" for command "dnf5". Add "--help" for more information.\n',
}
ZPOOL = "zpool list -Hp -o name,size,alloc,free,cap,frag,health"
NO_ZFS = {
    "rc": 1,
    "err": "The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root to load them.\n",
}
OLD_IP = {"rc": 255, "err": 'Option "-j" is unknown, try "ip -help".\n'}
NEIGHBOUR = "ip -j neigh show 10.88.0.1"
NO_ROUTES = {f"ip -j -{family} route show default": {"rc": 255, "err": "no routes"} for family in (4, 6)}
PLAIN = {"out": "10.88.0.1 dev eth0 lladdr 2a:f5:76:c7:32:26 REACHABLE\n"}
HEAT = "/sys/class/hwmon/hwmon2/temp1_input"


def _ntpd(chronyc: dict[str, t.Any]) -> dict[str, t.Any]:
    """An ntpd that is synchronised, on a host with systemd where chrony is installed and switched off."""
    case = _changed("timesync/ntpd_synchronised", {CHRONY: chronyc})
    states = "Id=chrony.service\nActiveState=inactive\n\nId=ntpd.service\nActiveState=active\n"
    bus = {"out": "LocalRTC=no\nNTPSynchronized=yes\n"}
    shown = {ACTIVE: {"out": states}, "timedatectl show -p NTPSynchronized -p LocalRTC": bus}
    return {**case, "commands": {**case["commands"], **shown}, "stats": {"/run/systemd/system": {}}}


def _changed(
    name: str, commands: dict[str, t.Any] | None = None, files: dict[str, t.Any] | None = None
) -> dict[str, t.Any]:
    case = replay.load(replay.CASES / "probes" / f"{name}.yml")
    return {
        **case,
        "commands": {**(case.get("commands") or {}), **(commands or {})},
        "files": {**(case.get("files") or {}), **(files or {})},
    }


def _judged(case: dict[str, t.Any], check: str) -> tuple[ProbeRecord, judge.Result]:
    record = unread.record_of(case)
    assert record.status == "ok"
    view = View("web1", float(case.get("now", 1795399200.0)), {case["probe"]: record}, NoHistory(), privileged=True)
    return record, judge.run_check(check, view, unread.POLICY)


GONE = {
    "chrony switched off": (_ntpd(NO_DAEMON), "chrony", "time.synchronised"),
    "dnf 4 without the plugin": (
        _changed("packages/el9_advisories", {f"{DNF4} needs-restarting -r": NO_DNF4}),
        "needs-restarting",
        "patching.reboot_required",
    ),
    "dnf 5 without the plugin": (
        _changed("packages/dnf5_advisories", {"dnf5 -q -C needs-restarting --json": NO_DNF5}),
        "needs-restarting",
        "patching.reboot_required",
    ),
    "no ZFS in this kernel": (_changed("disks/container_trixie", {ZPOOL: NO_ZFS}), "zpool", "capacity.pools"),
    "an ip without JSON": (
        _changed("network/debian_12", {NEIGHBOUR: OLD_IP}),
        "neighbours",
        "network.default_route",
    ),
    "an ip with JSON for others": (
        _changed("network/debian_12", {NEIGHBOUR: PLAIN}),
        "neighbours",
        "network.default_route",
    ),
    "addresses from /proc": (
        _changed(
            "network/without_iproute2",
            {"ip -j addr": {"rc": 1, "err": "Cannot send dump request"}, **NO_ROUTES, NEIGHBOUR: OLD_IP},
        ),
        "addresses",
        "network.links",
    ),
    "listeners from /proc": (
        _changed("network/without_iproute2", {"ss -H -tulnp": {"status": "timeout"}}),
        "listeners",
        "network.listeners",
    ),
}


@pytest.mark.parametrize("name", GONE)
def test_what_is_not_there_is_absent(name: str) -> None:
    case, source, check = GONE[name]
    record, result = _judged(case, check)
    assert record.status_of(source) == "absent"
    assert result.state != "unknown", result.verdicts


FAILED = {
    "chrony does not answer": (_ntpd({"status": "timeout"}), "chrony", "time.synchronised"),
    "zpool fails": (
        _changed("disks/container_trixie", {ZPOOL: {"rc": 1, "err": "internal error: out of memory"}}),
        "zpool",
        "capacity.pools",
    ),
    "neighbours not told": (
        _changed("network/debian_12", {NEIGHBOUR: {"rc": 1, "err": "Cannot send dump request"}}),
        "neighbours",
        "network.default_route",
    ),
    "addresses without links": (
        _changed(
            "network/without_iproute2",
            {"ip -j addr": {"rc": 1, "err": "Cannot send dump request"}, **NO_ROUTES},
            {"/proc/net/route": "Iface\tDestination\n"},
        ),
        "addresses",
        "network.links",
    ),
    "listeners without UDP": (
        _changed(
            "network/without_iproute2", {"ss -H -tulnp": {"status": "timeout"}}, {"/proc/net/udp": {"denied": True}}
        ),
        "listeners",
        "network.listeners",
    ),
}


@pytest.mark.parametrize("name", FAILED)
def test_what_is_there_and_fails_stays_unknown(name: str) -> None:
    case, source, check = FAILED[name]
    record, result = _judged(case, check)
    assert record.unread(source)
    assert result.state == "unknown", result.verdicts


@pytest.mark.parametrize(
    ("number", "state"),
    [("ENODATA", "ok"), ("EAGAIN", "ok"), ("EPERM", "ok"), ("EIO", "unknown"), ("EACCES", "unknown")],
)
def test_a_sleeping_sensor_hides_no_other(number: str, state: str) -> None:
    sensor = {HEAT: {"errno": number}, HEAT.replace("_input", "_crit"): "90000\n"}
    case = _changed("hardware/physical_with_failing_disk", files=sensor)
    record, result = _judged(case, "hardware.thermal")
    assert [entry["celsius"] for entry in record.data["temperatures"]] == [61.0]
    assert result.state == state


def test_the_locks_that_are_judged_are_those_that_are_looked_at() -> None:
    assert set(judge.REGISTRY["patching.locks"].sources) == set(_package_locks.FILES)
    assert not any("*" in path for path in _package_locks.FILES)
