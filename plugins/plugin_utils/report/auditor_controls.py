# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the controls that Keepwell's evidence supports, framework by framework. Pure.

A check names the controls that it supports (``Check.controls``); here they are put into words, and it is said which
registers of the auditor's report support them besides. Evidence supports a control; whether it is met, people judge.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# Parts of the auditor's report, by the id of their section.
Register = t.Literal[
    "population", "runs", "exceptions", "restores", "emergencies", "changes", "timelines", "holds", "availability"
]


@dataclass(frozen=True, slots=True)
class Control:
    """``id`` is what checks say, with the framework's short name in front."""

    id: str
    words: str
    registers: tuple[Register, ...] = ()


@dataclass(frozen=True, slots=True)
class Framework:
    """``note`` is what a reader has to know of the edition."""

    short: str
    name: str
    controls: tuple[Control, ...]
    note: str = ""


FRAMEWORKS = (
    Framework(
        "CIS",
        "CIS Controls v8",
        (
            Control("CIS 2.2", "Authorized software is supported"),
            Control("CIS 4.4", "A firewall on servers"),
            Control("CIS 4.5", "A firewall on end-user devices"),
            Control("CIS 4.6", "Assets are managed securely"),
            Control("CIS 4.7", "Default accounts are managed"),
            Control("CIS 4.8", "Unnecessary services are uninstalled or disabled"),
            Control("CIS 5.2", "Unique passwords"),
            Control("CIS 5.3", "Disable dormant accounts"),
            Control("CIS 7.2", "Remediation process, by risk", ("exceptions", "timelines")),
            Control("CIS 7.3", "Automated patches of operating systems", ("timelines", "changes")),
            Control("CIS 7.4", "Automated patches of applications", ("timelines", "changes")),
            Control("CIS 7.7", "Remediate detected vulnerabilities", ("timelines", "changes")),
            Control("CIS 8.3", "Adequate storage for logs"),
            Control("CIS 8.4", "Time synchronization"),
            Control("CIS 10.1", "Anti-malware software is deployed"),
            Control("CIS 10.2", "Anti-malware signatures are updated automatically"),
            Control("CIS 10.7", "Behaviour-based anti-malware software"),
            Control("CIS 11.1", "Data recovery process", ("restores",)),
            Control("CIS 11.2", "Automated backups", ("runs",)),
            Control("CIS 11.3", "Recovery data is protected"),
            Control("CIS 11.4", "An isolated instance of recovery data"),
            Control("CIS 11.5", "Data recovery is tested", ("restores",)),
        ),
    ),
    Framework(
        "ISO",
        "ISO/IEC 27001:2022, Annex A",
        (
            Control("ISO A.5.9", "Inventory of assets", ("population",)),
            Control("ISO A.8.6", "Capacity management"),
            Control("ISO A.8.7", "Protection against malware"),
            Control("ISO A.8.8", "Management of technical vulnerabilities", ("timelines", "exceptions")),
            Control("ISO A.8.9", "Configuration management"),
            Control("ISO A.8.13", "Information backup", ("restores",)),
            Control("ISO A.8.14", "Redundancy of processing facilities"),
            Control("ISO A.8.16", "Monitoring activities", ("runs", "availability")),
            Control("ISO A.8.17", "Clock synchronization"),
            Control("ISO A.8.19", "Installation of software on operational systems", ("changes",)),
            Control("ISO A.8.24", "Use of cryptography: certificates"),
            Control("ISO A.8.32", "Change management", ("changes", "emergencies", "holds")),
        ),
    ),
    Framework(
        "NIST",
        "NIST SP 800-53 Rev. 5",
        (Control("NIST SI-2", "Flaw remediation", ("timelines", "changes")),),
    ),
    Framework(
        "NIS2",
        "NIS2, Implementing Regulation (EU) 2024/2690",
        (
            Control("NIS2 3.2", "Monitoring and logging", ("runs", "availability")),
            Control("NIS2 4.2.2", "Backup: complete, off the network, kept"),
            Control("NIS2 4.2.3", "Backup: integrity is checked", ("restores",)),
            Control("NIS2 4.2.6", "Backup: recovery is tested and documented", ("restores",)),
            Control("NIS2 6.4", "Change management, emergency changes recorded", ("changes", "emergencies", "holds")),
            Control("NIS2 6.6.1", "Patches in reasonable time, from trusted sources", ("timelines", "changes")),
            Control("NIS2 6.6.2", "Reasons are documented where patches are not applied", ("exceptions",)),
            Control("NIS2 6.9", "Protection against malicious software"),
            Control("NIS2 6.10", "Vulnerability handling", ("timelines", "exceptions")),
        ),
        "Numbers of the draft of the annex: compare them with the Official Journal before you cite them.",
    ),
    Framework(
        "CE",
        "Cyber Essentials v3.3",
        (
            Control("CE A6.4", "Operating systems: updates within 14 days of their release", ("timelines",)),
            Control("CE A6.5", "Applications: updates within 14 days of their release", ("timelines",)),
        ),
    ),
    Framework(
        "E8",
        "Essential Eight",
        (
            Control("E8 OS", "Patch operating systems", ("timelines",)),
            Control("E8 Apps", "Patch applications", ("timelines",)),
            Control("E8 Backups", "Regular backups", ("restores",)),
        ),
    ),
    Framework(
        "PCI",
        "PCI DSS v4.0.1",
        (
            Control("PCI 5.2.1", "Anti-malware is deployed"),
            Control("PCI 5.3.1", "Anti-malware is kept current by automatic updates"),
            Control("PCI 5.3.2", "Anti-malware scans, or watches in real time"),
            Control("PCI 6.3.3", "Critical patches within one month", ("timelines",)),
            Control("PCI 6.5.1", "Changes follow a procedure", ("changes", "emergencies")),
            Control("PCI 10.6", "Clocks are synchronised"),
            Control("PCI 12.3.4", "Technologies are reviewed"),
        ),
        "Only systems in scope count: keep them in an inventory or a group of their own.",
    ),
    Framework(
        "SOC 2",
        "SOC 2, Trust Services Criteria",
        (
            Control("SOC 2 CC6.8", "Unauthorized or malicious software"),
            Control("SOC 2 CC7.1", "New vulnerabilities, changes of configuration", ("population", "timelines")),
            Control("SOC 2 CC7.2", "Monitoring for anomalies", ("runs",)),
            Control("SOC 2 CC8.1", "Change management", ("changes", "emergencies", "holds")),
            Control("SOC 2 A1.1", "Capacity", ("availability",)),
            Control("SOC 2 A1.2", "Backup and environment"),
            Control("SOC 2 A1.3", "Recovery is tested", ("restores",)),
        ),
    ),
)
