# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kind of system a host is, from what is known without asking it once more."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import kinds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.kinds import Known


def document(release: t.Any, manager: t.Any = "apt", status: str = "ok", **more: t.Any) -> dict[str, t.Any]:
    probes = {
        "system": {"status": status, "data": {"os": release}, "sources": {}},
        "packages": {"status": "ok", "data": {"manager": manager}, "sources": {}},
    }
    return {"schema_version": "1.0", "probes": probes, **more}


# ID and ID_LIKE as these systems write them into os-release.
RELEASES = {
    ("debian", ""): "debian",
    ("raspbian", "debian"): "debian",
    ("ubuntu", "debian"): "ubuntu",
    ("linuxmint", "ubuntu debian"): "ubuntu",
    ("rhel", "fedora"): "rhel",
    ("rocky", "rhel centos fedora"): "rhel",
    ("almalinux", "rhel centos fedora"): "rhel",
    ("ol", "fedora"): "rhel",
    ("centos", "rhel fedora"): "rhel",
    ("fedora", ""): "fedora",
    ("amzn", "centos rhel fedora"): "amzn",
    ("sles", "suse"): "suse",
    ("opensuse-leap", "suse opensuse"): "suse",
    ("opensuse-tumbleweed", "opensuse suse"): "opensuse-tumbleweed",
    ("opensuse-microos", "suse opensuse opensuse-tumbleweed"): "opensuse-tumbleweed",
    ("opensuse-slowroll", "suse opensuse opensuse-tumbleweed"): "opensuse-tumbleweed",
    ("arch", ""): "arch",
}


@pytest.mark.parametrize(("release", "kind"), RELEASES.items(), ids=[name for name, _like in RELEASES])
def test_a_kind_is_by_whose_updates_a_system_gets(release, kind):
    name, like = release
    assert kinds.of(kinds.seen(document({"id": name, "id_like": like.split()}))) == kind


def test_windows_is_known_by_its_powershell_even_where_its_system_was_not_seen():
    assert kinds.of(kinds.seen(document(None, "windows_update", "timeout", powershell="5.1"))) == "windows"


def test_what_was_seen_holds_over_what_is_written_down_and_that_over_what_was_seen_before():
    everything = Known(["debian"], ["sles", "suse"], "ansible.builtin.winrm")
    assert kinds.of(everything) == "debian"
    assert kinds.of(everything._replace(seen=[])) == "windows"
    assert kinds.of(everything._replace(seen=[], connection="ssh")) == "suse"
    assert kinds.of(everything._replace(seen=[], connection="ssh", earlier=[])) == kinds.UNKNOWN


@pytest.mark.parametrize(
    ("connection", "shell", "kind"),
    [
        ("psrp", "", "windows"),
        ("winrm", "", "windows"),
        ("ansible.builtin.psrp", "", "windows"),
        ("ssh", "powershell", "windows"),
        ("ssh", "cmd", "windows"),
        ("ssh", "sh", kinds.UNKNOWN),
        ("local", "", kinds.UNKNOWN),
        ("", "", kinds.UNKNOWN),
    ],
)
def test_a_host_that_nobody_has_seen_is_known_by_its_connection_if_at_all(connection, shell, kind):
    assert kinds.of(Known(connection=connection, shell=shell)) == kind


@pytest.mark.parametrize("status", ["error", "timeout", "denied", "absent"])
def test_a_probe_that_failed_tells_nothing(status):
    assert observation.system_names(document({"id": "debian"}, status=status)) == []


odd = st.none() | st.integers() | st.text(max_size=60) | st.lists(st.none() | st.text(max_size=60), max_size=3)


@given(st.none() | st.dictionaries(st.sampled_from(["id", "id_like"]), odd) | st.text(), odd)
def test_whatever_a_host_says_becomes_a_word_at_most(release, manager):
    names = observation.system_names(document(release, manager))
    assert all(len(name) <= 40 and name.isascii() and not set(name) & set(" \n\x1b") for name in names)
    known = kinds.of(kinds.seen(document(release, manager)))
    assert names or known == kinds.UNKNOWN
    assert len(known) <= 40


@pytest.mark.parametrize(
    ("kind", "one", "many"),
    [
        ("windows", "Windows host", "Windows hosts"),
        ("rhel", "RHEL-like host", "RHEL-like hosts"),
        ("arch", "arch host", "arch hosts"),
        (kinds.UNKNOWN, "host of unknown system", "hosts of unknown system"),
    ],
)
def test_kinds_in_words(kind, one, many):
    assert (kinds.host(kind), kinds.hosts(kind)) == (one, many)
