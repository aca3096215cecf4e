# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the policy for protection against malware, and what its checks share."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    Section,
    View,
    threshold,
)

Facts = Mapping[str, t.Any]


class Policy(Section):
    """Thresholds for protection against malware."""

    required: bool = threshold(True, "CIS 10.1; PCI 5.2.1: every system unless a reason is written down")
    not_required_reason: str = threshold("", "PCI 5.2.3: why this host needs no engine")
    real_time_required: bool = threshold(True, "PCI 5.3.2: active protection, or scans by schedule instead")
    definitions_watch_days: float = threshold(3.0, "SCOM Defender management pack: warning after 3 days", gt=0)
    definitions_crit_days: float = threshold(5.0, "SCOM Defender management pack: error after 5 days", gt=0)
    definitions_fail_days: float = threshold(7.0, "Defender signature age limit and STIG: 7 days at most", gt=0)
    quick_scan_days: float = threshold(7.0, "House", gt=0)
    full_scan_days: float = threshold(30.0, "House", gt=0)
    detection_open_hours: float = threshold(24.0, "House: an open detection is urgent after a day", gt=0)
    exclusions_accepted: list[str] = threshold([], "House: exclusions, word for word, that somebody has looked at")
    licence_watch_days: float = threshold(60.0, "House: 60/30/7 days", gt=0)
    licence_act_days: float = threshold(30.0, "House: 60/30/7 days", gt=0)
    licence_crit_days: float = threshold(7.0, "House: 60/30/7 days", ge=0)


# What an engineer types on a Windows host to see what Defender says; nothing of it changes anything.
DEFENDER_LOOKS = {
    "service": "Get-Service WinDefend; Get-MpComputerStatus | Select-Object AMRunningMode, AMServiceEnabled",
    "real_time": "Get-MpComputerStatus | Select-Object AMRunningMode, RealTimeProtectionEnabled, IsTamperProtected",
    "health": "Get-MpComputerStatus | Select-Object AMRunningMode, ProductStatus, AMProductVersion",
    "definitions": "Get-MpComputerStatus | Select-Object AntivirusSignatureVersion, AntivirusSignatureLastUpdated",
    "scans": "Get-MpComputerStatus | Select-Object QuickScanEndTime, FullScanEndTime, QuickScanAge, FullScanAge",
    "detections": "Get-MpThreat; Get-MpThreatDetection | Select-Object ThreatID, InitialDetectionTime, ActionSuccess",
}


def is_defender(engine: Facts) -> bool:
    """True for Microsoft Defender Antivirus of Windows, which answers to Get-MpComputerStatus."""
    return "running_mode" in engine or "WinDefend" in (engine.get("units") or {})


def protectors(view: View) -> list[Facts]:
    """Engines that can stop malware; a host intrusion detector such as Wazuh only reports."""
    return [engine for engine in view.data("antivirus")["engines"] if engine["kind"] != "hids"]


def product_text(engine: Facts) -> str:
    return f"{engine['product']} {engine['version'] or ''}".strip()
