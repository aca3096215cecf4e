"""The commands by which ansible.windows' win_reboot and win_updates restart a host and wait for it."""

from __future__ import annotations

import json
import re
import typing as t

from windows_host.registry import command
from windows_host.shells import Reply

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_SOURCE = "ansible.windows 3.3.0, plugins/plugin_utils/_reboot.py"
# Between 1601 and 1970, in seconds.
_FILE_TIME_BEGINS = 11644473600


@command(
    r"\(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime\)\.LastBootUpTime\.ToFileTime\(\)",
    source=_SOURCE,
)
def boot_time(host: WindowsHost, matched: re.Match[str]) -> Reply:
    return Reply([str(round((host.booted_at + _FILE_TIME_BEGINS) * 10_000_000))])


@command(r".*shutdown\.exe /r /t (?P<delay>\d+) /c .*ConvertTo-Json.*", source=_SOURCE)
def shutdown(host: WindowsHost, matched: re.Match[str]) -> Reply:
    """A hundredth of the delay: tests have less patience than users who save their work."""
    host.reboot(int(matched["delay"]) / 100)
    return Reply([json.dumps({"stdout": "", "stderr": "", "rc": 0})])


@command(
    r"Get-Item -LiteralPath '[^']*AutoLogonChecked' -ErrorAction Stop; '(?P<said>success-[0-9a-f-]+)'", source=_SOURCE
)
def logged_on(host: WindowsHost, matched: re.Match[str]) -> Reply:
    return Reply([matched["said"]])
