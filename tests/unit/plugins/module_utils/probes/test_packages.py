"""Properties of the parsers and rules behind the packages probe."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import replay
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import (
    _apt,
    _apt_lists,
    _apt_text,
    _deleted_libraries,
    _dnf_text,
    _dpkg,
    _kernels,
    _package_versions,
    _reboot,
    _rpm,
    _updaters,
    _zypper,
)

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,30}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,12}(-[0-9a-z.+~]{1,8})?", fullmatch=True)
PARSERS = (
    _apt_text.parse_plan,
    _apt_text.parse_policy,
    _apt_text.parse_versions,
    _apt_lists.parse_release,
    _apt_lists.parse_date,
    _dnf_text.parse_check_update,
    _dnf_text.parse_updateinfo_list,
    _dnf_text.parse_advisory_json,
    _dnf_text.parse_updateinfo_dates,
    _dnf_text.parse_reboot_json,
    _dpkg.parse_packages,
    _rpm.parse_packages,
    _rpm.parse_repomd,
    _rpm.parse_ini,
    _updaters.parse_apt_config,
    _zypper.parse_updates,
    _reboot.parse_needrestart,
)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: f"{parse.__module__.rsplit('.', 1)[1]}.{parse.__name__}")
@settings(max_examples=60)
@given(text=st.text(max_size=200))
def test_parsers_answer_or_name_the_line(parse, text):
    try:
        parse(text)
    except ValueError as exc:
        assert str(exc)


@settings(max_examples=100)
@given(names=st.lists(NAMES, max_size=40, unique=True), width=st.integers(20, 80))
def test_wrapped_package_lists_come_back_whole(names, width):
    lines = ["  " + name for name in names]
    text = "The following packages will be upgraded:\n" + "\n".join(lines) + "\n" if names else ""
    text += f"{len(names)} upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"
    assert _apt_text.parse_plan(text)["upgraded"] == names


def test_a_plan_that_names_another_number_is_refused():
    text = "The following packages will be upgraded:\n  curl\n2 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"
    with pytest.raises(ValueError, match="1 upgrades named, 2 counted"):
        _apt_text.parse_plan(text)


@settings(max_examples=150)
@given(one=VERSIONS, other=VERSIONS)
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed here")
def test_versions_are_ordered_as_dpkg_orders_them(one, other):
    process = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False)
    first, second = _package_versions.debian_key(one), _package_versions.debian_key(other)
    assert (first < second) == (process.returncode == 0)


@pytest.mark.parametrize(
    "ordered",
    [
        # The vectors of rpm's own test suite (tests/rpmvercmp.at), and kernels as they are released.
        ("1.0~rc1", "1.0", "1.0^git1", "1.0.1"),
        ("1.0", "2.0", "2.0.1", "2.0.1a"),
        ("5.5p1", "5.5p2", "5.5p10"),
        ("xyz10", "xyz10.1"),
        ("6.0", "6.0.rc1"),
        ("5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64", "5.14.0-503.el9.x86_64"),
        ("6.1.0-0.deb11.7-amd64", "6.1.0-0.deb11.17-amd64"),
        ("6.12.9+deb13-amd64", "6.12.41+deb13-amd64"),
        ("6.4.0-150600.23.7-default", "6.4.0-150600.23.60-default"),
    ],
)
def test_releases_are_ordered_as_rpm_orders_them(ordered):
    keys = [_package_versions.segments_key(text) for text in ordered]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(NAMES, VERSIONS), max_size=10), wrap=st.booleans())
def test_check_update_reads_wrapped_and_plain_lines_alike(rows, wrap):
    text = "".join(f"{name}.noarch{chr(10) if wrap else ''}    {version}   repo\n" for name, version in rows)
    entries = _dnf_text.parse_check_update(text)
    assert [(entry["name"], entry["evr"]) for entry in entries] == [(n, _rpm.full_evr(v)) for n, v in rows]


@pytest.mark.parametrize(
    ("release", "flavour"),
    [
        ("6.1.0-37-amd64", "amd64"),
        ("6.1.0-37-cloud-amd64", "cloud-amd64"),
        ("6.12.41+deb13-rt-amd64", "rt-amd64"),
        ("6.1.0-0.deb11.7-amd64", "amd64"),
        ("5.15.0-91-generic", "generic"),
        ("5.14.0-427.13.1.el9_4.x86_64", "x86_64"),
        ("5.14.0-427.13.1.el9_4.x86_64+rt", "x86_64+rt"),
        ("5.15.0-205.149.5.1.el9uek.x86_64", "uek.x86_64"),
        ("6.4.0-150600.23.60-default", "default"),
    ],
)
def test_kernels_of_one_flavour_are_told_from_others(release, flavour):
    assert _kernels.flavour(release) == flavour


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("3.6-4+deb12u1", False),
        ("3.6-4+deb12u2", True),
        ("3.6-4+deb12u3", True),
        ("3.5-4+deb11u3", False),
        ("3.5-4+deb11u4", True),
        ("3.5-5ubuntu2.1", False),
        ("3.5-5ubuntu2.2", True),
        ("3.6-7ubuntu4.1", False),
        ("3.7-3", False),
        ("3.8-1", True),
        ("3.11-1", True),
    ],
)
def test_needrestart_runs_only_in_builds_without_the_root_hole(version, safe):
    assert _reboot.needrestart_is_safe(version) is safe


@pytest.mark.parametrize(
    ("entry", "release"),
    [
        (
            "gnulinux-advanced-ab>gnulinux-6.1.0-37-amd64-advanced-0b6f6a4c-8f43-4d1e-9a55-3a1c5a2b7f10",
            "6.1.0-37-amd64",
        ),
        ("Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-37-amd64", "6.1.0-37-amd64"),
        ("f1a2-5.14.0-427.13.1.el9_4.x86_64", "5.14.0-427.13.1.el9_4.x86_64"),
        ("2", None),
        (None, None),
    ],
)
def test_the_kernel_in_a_boot_entry_is_found(entry, release):
    assert _kernels.release_in(entry) == release


@pytest.mark.parametrize(
    ("path", "root", "unit"),
    [
        ("/system.slice/nginx.service", "", ("nginx.service", "service")),
        ("/system.slice/docker-abc.scope/init.scope", "", (None, "container")),
        ("/machine.slice/libpod-abc.scope/container", "", (None, "container")),
        ("/libpod_parent/libpod-1/system.slice/cron.service", "/libpod_parent/libpod-1", ("cron.service", "service")),
        ("/libpod_parent/libpod-2/system.slice/cron.service", "/libpod_parent/libpod-1", (None, "container")),
        ("/user.slice/user-0.slice/session-3.scope", "", ("session-3.scope", "session")),
        ("/user.slice/user-1.slice/user@1.service/app.slice/x.service", "", ("x.service", "user")),
        ("/", "", (None, "other")),
    ],
)
def test_a_process_is_traced_to_its_unit(path, root, unit):
    assert _deleted_libraries.unit_of(path, root) == unit


def test_only_deleted_code_from_program_folders_counts():
    row = "7f-80 {} 0000 fe:00 {} {} (deleted)"
    lines = [
        row.format("r-xp", 11, "/usr/lib/libssl.so.3"),
        row.format("r--p", 12, "/usr/lib/locale-archive"),
        row.format("r-xp", 13, "/memfd:code"),
        row.format("rwxp", 14, "/dev/zero"),
        row.format("rwxs", 15, "/SYSV00000000"),
        row.format("r-xp", 16, "/tmp/built"),
        "7f-80 r-xp 0000 fe:00 17 /usr/lib/libz.so",
    ]
    assert _deleted_libraries.deleted_code("\n".join(lines)) == {"/usr/lib/libssl.so.3"}


def test_credentials_never_leave_the_host():
    assert _apt_lists.redact("https://user:secret@repo.example.invalid/apt x") == "https://repo.example.invalid/apt x"


@pytest.mark.parametrize(
    ("uri", "suite", "name"),
    [
        ("http://deb.example.invalid/debian", "bookworm", "deb.example.invalid_debian_dists_bookworm"),
        ("file:/srv/kwrepo/base", "./", "_srv_kwrepo_base_."),
        ("https://u:p@h.example.invalid/a_b/", "x/y", "h.example.invalid_a%5fb_dists_x_y"),
    ],
)
def test_list_files_are_found_by_the_name_apt_gives_them(uri, suite, name):
    assert _apt_lists.list_name(uri, suite) == name


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ({"origin": "Debian", "label": "Debian-Security", "suite": "oldstable-security"}, "security"),
        ({"origin": "Ubuntu", "label": "Ubuntu", "suite": "noble-security"}, "security"),
        ({"origin": "UbuntuESMApps", "label": "UbuntuESMApps", "suite": "jammy-apps-updates"}, "security"),
        ({"origin": "Debian", "label": "Debian", "suite": "stable-updates"}, "bugfix"),
        ({"origin": "Debian", "label": "Debian", "suite": "oldstable", "codename": "bookworm"}, "point_release"),
        ({"origin": "Debian Backports", "label": "Debian Backports", "suite": "stable-backports"}, "feature"),
        ({"origin": "Debian", "label": "Debian", "suite": "testing", "codename": "forky"}, "unknown"),
        ({"origin": "Docker", "label": "Docker CE", "suite": "bookworm"}, "unknown"),
    ],
)
def test_a_release_is_classed_by_label_and_suite(origin, kind):
    assert _apt.source_class(origin) == kind


def test_old_libraries_are_looked_for_as_long_as_there_is_time() -> None:
    files = {f"/proc/{pid}/{name}": "" for pid in range(1, 6) for name in ("maps", "cgroup", "comm")}
    machine = replay.ReplayMachine({"files": files})
    left = iter([10.0, 9.0, 1.0, 1.0, 1.0])
    machine.remaining = lambda: next(left)
    assert _deleted_libraries.collect(machine) == {"groups": [], "read": 2, "unread": 3}
