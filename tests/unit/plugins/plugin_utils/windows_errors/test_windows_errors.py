# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of Windows in plain words: whole, without doubles, and what is unknown is never made up."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import catalogue, connection

ASK_ANSIBLE = """
import json, sys
from ansible_collections.ansible.windows.plugins.action import win_updates
print(json.dumps([win_updates._get_hresult_error(code) for code in json.load(sys.stdin)]))
"""


def test_the_catalogue_is_whole() -> None:
    assert len(catalogue.ENTRIES) >= 60
    codes = [entry.code for entry in catalogue.ENTRIES]
    assert len(set(codes)) == len(codes)
    for entry in catalogue.ENTRIES:
        assert entry.code >> 31 == 1, f"{entry.name} is no error"
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", entry.name)
        assert entry.cause[0].islower() or entry.cause.startswith(("Windows", "WSUS"))
        assert not entry.cause.endswith(".")
        assert entry.step[0].isupper() and entry.step.endswith((".", "?"))
        assert entry.source.startswith("https://learn.microsoft.com/")


def test_names_of_the_agent_agree_with_those_that_ansible_knows() -> None:
    """ansible.windows carries the names of wuerror.h; a code that is typed wrongly shows up here."""
    # Apart, because a collection that Python imports by itself is one that Ansible's loader refuses from then on.
    asked = subprocess.run(
        [sys.executable, "-c", ASK_ANSIBLE],
        input=json.dumps([entry.code for entry in catalogue.ENTRIES]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    unknown = []
    for entry, told in zip(catalogue.ENTRIES, json.loads(asked.stdout), strict=True):
        if "Unknown" in told:
            unknown.append(entry.name)
        else:
            assert entry.name in told, f"{entry.hexadecimal}: {entry.name} is not in {told!r}"
    # Those of other headers: servicing, the system, the installer, downloads.
    assert not [name for name in unknown if name.startswith("WU_E_")]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            0x80070070,
            "0x80070070 (ERROR_DISK_FULL): the disk is full. Make room on C:, 10 GiB at least. "
            "After that it is safe to try again.",
        ),
        # As PowerShell hands it on.
        (-2147024784, "0x80070070 (ERROR_DISK_FULL): the disk is full."),
        (0x800F0922, "Do not try again before somebody has looked."),
        (0x80240FFE, "0x80240ffe: an error of the Windows Update Agent. Keepwell's catalogue does not have it"),
        (0x800F0999, "an error of Windows' servicing (CBS)"),
        (0x12345678, "0x12345678: an error of an installer"),
    ],
)
def test_a_code_in_plain_words(code: int, told: str) -> None:
    assert told in catalogue.words(code)


def test_what_a_host_told_is_put_into_words_where_it_is_a_code() -> None:
    assert catalogue.told("0x8024402c").startswith("0x8024402c (WU_E_PT_WINHTTP_NAME_NOT_RESOLVED): ")
    assert catalogue.told("the disk is full 0x80070070") == "the disk is full 0x80070070"


# As pywinrm, pypsrp, requests and krb5 say it.
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("ntlm: the specified credentials were rejected by the server", "credentials"),
        ("failed to authenticate with the server: Failed to authenticate the user kw with negotiate", "credentials"),
        ("basic: Bad HTTP response returned from server. Code 401", "credentials"),
        (
            "ssl: HTTPSConnectionPool(host='10.0.0.1', port=5986): Max retries exceeded with url: /wsman (Caused by "
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
            "self-signed certificate (_ssl.c:1006)')))",
            "certificate_untrusted",
        ),
        (
            "certificate verify failed: certificate has expired (_ssl.c:1006)",
            "certificate_expired",
        ),
        (
            "certificate verify failed: IP address mismatch, certificate is not valid for '10.0.0.1'",
            "certificate_name",
        ),
        ("SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)'))", "not_tls"),
        (
            "ntlm: HTTPConnectionPool(host='10.0.0.1', port=5985): Max retries exceeded with url: /wsman (Caused by "
            "NewConnectionError(': Failed to establish a new connection: [Errno 111] Connection refused'))",
            "no_listener",
        ),
        (
            "HTTPSConnectionPool(host='10.0.0.1', port=5986): Max retries exceeded with url: /wsman (Caused by "
            "ConnectTimeoutError(, 'Connection to 10.0.0.1 timed out. (connect timeout=30)'))",
            "silence",
        ),
        ("[Errno 113] No route to host", "no_route"),
        ("[Errno -2] Name or service not known", "no_name"),
        ("kerberos: authGSSClientStep() failed: Clock skew too great", "clock"),
        ("Kerberos auth failure: kinit: Cannot contact any KDC for realm 'ACME.EXAMPLE'", "no_kdc"),
        ("Server not found in Kerberos database", "service_name"),
        ("Kerberos auth failure: kinit: Client's credentials have been revoked", "locked_out"),
        ("requested auth method is kerberos, but pykerberos is not installed", "no_library"),
        ("The maximum number of concurrent shells for this user has been exceeded", "quota"),
        ("Received a WSManFault message. (Code: 5, Reason: Access is denied.)", "access"),
        ("Bad HTTP response returned from server. Code 500", "overloaded"),
        ("('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))", "hung_up"),
    ],
)
def test_a_connection_that_fails(message: str, code: str) -> None:
    found = connection.find(message)
    assert found is not None and found.code == code
    assert connection.words(message) == f"{found.cause}. {found.step} ({message})"


def test_an_unknown_message_is_told_as_it_is() -> None:
    assert connection.words("something new") == "something new"


def test_every_trouble_has_an_example() -> None:
    codes = [trouble.code for trouble in connection.TROUBLES]
    assert len(set(codes)) == len(codes)
    for trouble in connection.TROUBLES:
        re.compile(trouble.pattern)
        assert trouble.cause and trouble.step.endswith((".", "?"))
