# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: until when operating systems are supported. Data with a date, no code.

Snapshot of endoflife.date; rows of Windows are those of learn.microsoft.com/lifecycle, which it repeats.
``support_ends`` is when the maker's general support ends, ``security_ends`` when the last security updates come that
need no contract, ``extended_ends`` when those end that need one, which counts only where the host shows it
(``entitlement`` names the kind). Dates are ISO, inclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "2026-08-22"
SOURCE = "endoflife.date"


@dataclass(frozen=True)
class Row:
    """One release of one system.

    ``release`` is matched against VERSION_ID (whole, or up to a dot), for Windows against the build number.
    ``editions`` are prefixes of the Windows EditionID; empty means all.
    """

    system: str
    release: str
    name: str
    support_ends: str
    security_ends: str
    extended_ends: str = ""
    entitlement: str = ""
    editions: tuple[str, ...] = ()
    free_extension: str = ""


def _debian(release: str, support: str, lts: str) -> Row:
    return Row("debian", release, f"Debian {release}", support, lts, free_extension="LTS")


def _plain(system: str, title: str, releases: dict[str, str]) -> tuple[Row, ...]:
    return tuple(Row(system, release, f"{title} {release}", end, end) for release, end in releases.items())


def _ubuntu(release: str, support: str, esm: str = "") -> Row:
    return Row("ubuntu", release, f"Ubuntu {release}", support, support, esm, "ubuntu_pro" if esm else "")


def _windows(
    build: str, name: str, ends: str, extended: str = "", editions: tuple[str, ...] = (), support: str = ""
) -> Row:
    return Row("windows", build, name, support or ends, ends, extended, "windows_esu" if extended else "", editions)


_HOME = ("Core", "Professional")
_ENTERPRISE = ("Enterprise", "Education", "IoTEnterprise", "ServerRdsh")
_LTSC = ("EnterpriseS", "EnterpriseSN", "EnterpriseG")
_IOT_LTSC = ("IoTEnterpriseS",)
_SERVER = ("Server",)
LONG_TERM_EDITIONS = _LTSC + _IOT_LTSC
_CLONES = {"8": "2029-05-31", "9": "2032-05-31", "10": "2035-05-31"}

ROWS: tuple[Row, ...] = (
    _debian("11", "2024-08-14", "2026-08-31"),
    _debian("12", "2026-07-11", "2028-06-30"),
    _debian("13", "2028-08-09", "2030-06-30"),
    _ubuntu("20.04", "2025-05-31", "2030-04-30"),
    _ubuntu("22.04", "2027-04-01", "2032-04-30"),
    _ubuntu("24.04", "2029-05-31", "2036-05-31"),
    _ubuntu("25.10", "2026-07-01"),
    _ubuntu("26.04", "2031-04-30", "2036-04-30"),
    Row("rhel", "7", "Red Hat Enterprise Linux 7", "2024-06-30", "2024-06-30", "2029-05-31", "rhel_els"),
    *_plain("rhel", "Red Hat Enterprise Linux", _CLONES),
    *_plain("almalinux", "AlmaLinux", _CLONES),
    *_plain("rocky", "Rocky Linux", _CLONES),
    *_plain("centos", "CentOS Linux", {"7": "2024-06-30"}),
    *_plain("centos-stream", "CentOS Stream", {"8": "2024-05-31", "9": "2027-05-31", "10": "2030-05-31"}),
    Row("ol", "7", "Oracle Linux 7", "2024-12-31", "2024-12-31", "2028-06-30", "oracle_extended"),
    *_plain("ol", "Oracle Linux", {"8": "2029-07-31", "9": "2032-06-30"}),
    Row("sles", "12.5", "SLES 12 SP5", "2024-10-31", "2024-10-31", "2027-10-31", "sles_ltss"),
    *_plain("sles", "SLES", {"15.5": "2024-12-31"}),
    Row("sles", "15.6", "SLES 15 SP6", "2025-12-31", "2025-12-31", "2028-12-31", "sles_ltss"),
    *_plain("sles", "SLES", {"15.7": "2031-07-31", "16.0": "2027-11-30"}),
    *_plain("opensuse-leap", "openSUSE Leap", {"15.6": "2026-04-30", "16.0": "2027-10-31"}),
    *_plain("fedora", "Fedora Linux", {"42": "2026-05-27", "43": "2026-12-09", "44": "2027-06-02"}),
    *_plain("amzn", "Amazon Linux", {"2": "2026-06-30"}),
    Row("amzn", "2023", "Amazon Linux 2023", "2027-06-30", "2029-06-30", free_extension="maintenance phase"),
    *_plain(
        "alpine",
        "Alpine Linux",
        {"3.20": "2026-04-01", "3.21": "2026-11-01", "3.22": "2027-05-01", "3.23": "2027-11-01"},
    ),
    # ESU for Server 2012 R2 has ended, too: no row of it can be extended any more.
    _windows("9600", "Windows Server 2012 R2", "2026-10-13", editions=_SERVER, support="2023-10-10"),
    _windows("14393", "Windows Server 2016", "2027-01-12", "2030-01-08", _SERVER, support="2022-01-11"),
    _windows("17763", "Windows Server 2019", "2029-01-09", editions=_SERVER, support="2024-01-09"),
    _windows("20348", "Windows Server 2022", "2031-10-14", editions=_SERVER, support="2026-10-13"),
    _windows("25398", "Windows Server, version 23H2", "2026-05-12", editions=_SERVER),
    _windows("26100", "Windows Server 2025", "2034-11-14", editions=_SERVER, support="2029-11-13"),
    _windows("14393", "Windows 10 LTSB 2016", "2026-10-13", editions=_LTSC),
    _windows("17763", "Windows 10 LTSC 2019", "2029-01-09", editions=_LTSC + _IOT_LTSC),
    _windows("19044", "Windows 10 IoT Enterprise LTSC 2021", "2032-01-13", editions=_IOT_LTSC),
    _windows("19044", "Windows 10 LTSC 2021", "2027-01-12", editions=_LTSC),
    _windows("19044", "Windows 10 21H2", "2023-06-13", editions=_HOME),
    _windows("19044", "Windows 10 21H2 Enterprise", "2024-06-11", editions=_ENTERPRISE),
    _windows("19045", "Windows 10 22H2", "2025-10-14", "2028-10-10"),
    _windows("22000", "Windows 11 21H2", "2023-10-10", editions=_HOME),
    _windows("22000", "Windows 11 21H2 Enterprise", "2024-10-08", editions=_ENTERPRISE),
    _windows("22621", "Windows 11 22H2", "2024-10-08", editions=_HOME),
    _windows("22621", "Windows 11 22H2 Enterprise", "2025-10-14", editions=_ENTERPRISE),
    _windows("22631", "Windows 11 23H2", "2025-11-11", editions=_HOME),
    _windows("22631", "Windows 11 23H2 Enterprise", "2026-11-10", editions=_ENTERPRISE),
    _windows("26100", "Windows 11 IoT Enterprise LTSC 2024", "2034-10-10", editions=_IOT_LTSC),
    _windows("26100", "Windows 11 LTSC 2024", "2029-10-09", editions=_LTSC),
    _windows("26100", "Windows 11 24H2", "2026-10-13", editions=_HOME),
    _windows("26100", "Windows 11 24H2 Enterprise", "2027-10-12", editions=_ENTERPRISE),
    _windows("26200", "Windows 11 25H2", "2027-10-12", editions=_HOME),
    _windows("26200", "Windows 11 25H2 Enterprise", "2028-10-10", editions=_ENTERPRISE),
)
# Systems without releases: judged by the age of what is installed, not by a date.
ROLLING = frozenset({"arch", "opensuse-tumbleweed", "gentoo", "void", "nixos-unstable", "kali", "endeavouros"})
