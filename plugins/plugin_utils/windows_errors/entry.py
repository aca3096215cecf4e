# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what an entry of the catalogue of errors is, and where its words come from. Pure."""

from __future__ import annotations

import typing as t

_LEARN = "https://learn.microsoft.com/"
_CLIENT = _LEARN + "troubleshoot/windows-client/installing-updates-features-roles/"
_SERVER = _LEARN + "troubleshoot/windows-server/installing-updates-features-roles/"
# Where Microsoft describes a code; the cause and the next step are Keepwell's own words.
COMMON = _CLIENT + "common-windows-update-errors"
REFERENCE = _LEARN + "windows/deployment/update/windows-update-error-reference"
AGENT = _LEARN + "windows/win32/wua_sdk/wua-success-and-error-codes-"
NETWORK = _LEARN + "windows/win32/wua_sdk/wua-networking-error-codes-"
INTERNET = _LEARN + "windows/win32/wininet/wininet-errors"
WIN32 = _LEARN + "windows/win32/debug/system-error-codes"
INSTALLER = _LEARN + "windows/win32/msi/error-codes"


def server(page: str) -> str:
    """Return the address of a page on Windows Server updates."""
    return _SERVER + page


class Entry(t.NamedTuple):
    """One error: what it is called, why it happens, what to do, and whether trying again can do harm."""

    code: int
    name: str
    cause: str
    step: str
    # yes: try again as it is. then: safe once the step was done. no: a person looks first.
    retry: t.Literal["yes", "then", "no"]
    source: str

    @property
    def hexadecimal(self) -> str:
        """The code as Windows writes it."""
        return f"0x{self.code:08x}"


RETRY: t.Final = {
    "yes": "It is safe to try again.",
    "then": "After that it is safe to try again.",
    "no": "Do not try again before somebody has looked.",
}
