# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: errors of Windows' servicing (CBS), of the installer and of the system. Data, no code."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors.entry import (
    COMMON,
    INSTALLER,
    WIN32,
    Entry,
    server,
)

_REPAIR = "Repair the component store: DISM /Online /Cleanup-Image /RestoreHealth, then sfc /scannow, then reboot."
_CBS = "Read the end of C:\\Windows\\Logs\\CBS\\CBS.log"
ENTRIES: t.Final = (
    Entry(
        0x800F081F, "CBS_E_SOURCE_MISSING", "the component store lacks files that the update builds on", _REPAIR,
        "then", COMMON,
    ),
    Entry(
        0x800F0821, "CBS_E_ABORT", "servicing took longer than it may",
        "Give the machine more processor and memory, and look at its disk.", "then", COMMON,
    ),
    Entry(
        0x800F0823, "CBS_E_NEW_SERVICING_STACK_REQUIRED", "the servicing stack is too old for this update",
        "Install the newest servicing stack update, then this one.", "then",
        server("troubleshoot-windows-update-error-0x800f0823"),
    ),
    Entry(
        0x800F0825, "CBS_E_CANNOT_UNINSTALL", "a package is half installed and cannot be taken away", _REPAIR,
        "then", COMMON,
    ),
    Entry(
        0x800F0831, "CBS_E_STORE_CORRUPTION", "the component store is damaged; often an earlier update is missing",
        _REPAIR, "then", COMMON,
    ),
    Entry(
        0x800F0920, "CBS_E_HANG_DETECTED", "servicing stood still and was ended",
        "Give the machine more processor and memory, and look at its disk and antivirus.", "then", COMMON,
    ),
    Entry(
        0x800F0922, "CBS_E_INSTALLERS_FAILED", "a part of the update failed and Windows took all of it back",
        f"{_CBS}; a full system partition, a damaged task or missing rights are usual causes.", "no",
        server("error-0x800f0922-installing-windows-updates"),
    ),
    Entry(
        0x800F0982, "PSFX_E_MATCHING_COMPONENT_NOT_FOUND", "the update builds on files that the host does not have",
        _REPAIR, "then", server("error-0x800719e4-windows-update-fails"),
    ),
    Entry(
        0x800F0991, "PSFX_E_MISSING_PAYLOAD_FILE", "files of an earlier update are missing", _REPAIR, "then",
        server("error-0x800719e4-windows-update-fails"),
    ),
    Entry(
        0x80073701, "ERROR_SXS_ASSEMBLY_MISSING", "the component store lacks a part", _REPAIR, "then", COMMON,
    ),
    Entry(
        0x80073712, "ERROR_SXS_COMPONENT_STORE_CORRUPT", "the component store is damaged", _REPAIR, "then", WIN32,
    ),
    Entry(
        0x8007371B, "ERROR_SXS_TRANSACTION_CLOSURE_INCOMPLETE", "the component store lacks parts that belong together",
        _REPAIR, "then", COMMON,
    ),
    Entry(
        0x80070002, "ERROR_FILE_NOT_FOUND", "a file that the update needs is missing",
        f"{_CBS}; it names the file.", "then", server("troubleshoot-windows-update-error-0x80070002"),
    ),
    Entry(
        0x80070003, "ERROR_PATH_NOT_FOUND", "a folder that the update needs is missing",
        f"{_CBS}; it names the folder.", "then", COMMON,
    ),
    Entry(
        0x80070005, "E_ACCESSDENIED", "access was denied: to a file, a registry key, or to Windows Update itself",
        "Use an administrator. When it is one: somebody changed rights; CBS.log names where.", "then", COMMON,
    ),
    Entry(
        0x8007000D, "ERROR_INVALID_DATA", "what was downloaded is damaged",
        "Stop the update service, rename SoftwareDistribution\\Download and let it be downloaded again.",
        "then", COMMON,
    ),
    Entry(
        0x8007000E, "ERROR_OUTOFMEMORY", "the host ran out of memory", "Look at what uses it; give the machine more.",
        "then", WIN32,
    ),
    Entry(
        0x80070020, "ERROR_SHARING_VIOLATION", "another program holds a file, often antivirus or a backup",
        "Find it in CBS.log; keep backups and scans out of the maintenance window.", "yes", COMMON,
    ),
    Entry(
        0x80070070, "ERROR_DISK_FULL", "the disk is full", "Make room on C:, 10 GiB at least.", "then",
        server("troubleshoot-windows-update-error-0x80070070"),
    ),
    Entry(
        0x80070422, "ERROR_SERVICE_DISABLED", "the Windows Update service or one it needs is disabled",
        "Set wuauserv, BITS and TrustedInstaller to their normal start types.", "then", COMMON,
    ),
    Entry(
        0x8007045B, "ERROR_SHUTDOWN_IN_PROGRESS", "the host was shutting down; the real error came before",
        f"{_CBS} for the error before this one.", "then", server("troubleshoot-error-0x8007045b"),
    ),
    Entry(
        0x80070490, "ERROR_NOT_FOUND", "the registry lacks what a driver or component should have there",
        f"{_CBS}; it names the driver or component.", "then", COMMON,
    ),
    Entry(
        0x80070570, "ERROR_FILE_CORRUPT", "a file cannot be read", "Check the disk first (chkdsk). " + _REPAIR,
        "then", COMMON,
    ),
    Entry(
        0x800705AA, "ERROR_NO_SYSTEM_RESOURCES", "the registry may not grow, or memory is short",
        "Remove RegistrySizeLimit from the registry, reboot.", "then", server("error-0x800705aa-windows-update-fails"),
    ),
    Entry(
        0x80070641, "ERROR_INSTALL_SERVICE_FAILURE", "the Windows Installer service does not answer",
        "Look at the service msiserver.", "then", INSTALLER,
    ),
    Entry(
        0x80070643, "ERROR_INSTALL_FAILURE",
        "the update's own installer failed (.NET, Defender, SQL; for Windows RE a recovery partition too small)",
        "Look for the product's own log; the application log (MsiInstaller) names the reason.", "then", INSTALLER,
    ),
    Entry(
        0x80070652, "ERROR_INSTALL_ALREADY_RUNNING", "another installation is at work", "Wait for its end.", "yes",
        INSTALLER,
    ),
    Entry(
        0x80070663, "ERROR_PATCH_PACKAGE_UNSUPPORTED", "the installer cannot use this patch package",
        "Let it be downloaded again; look at the product it belongs to.", "then", INSTALLER,
    ),
    Entry(
        0x800706BE, "RPC_S_CALL_FAILED", "the servicing process died; the last update may be damaged",
        f"{_CBS}, and the last update in the history.", "no", COMMON,
    ),
    Entry(
        0x800719E4, "ERROR_LOG_FULL", "the log of the registry's transactions is full",
        "Do as Microsoft's page says; back up the machine before.", "no",
        server("error-0x800719e4-windows-update-fails"),
    ),
    Entry(
        0x80070BC2, "ERROR_SUCCESS_REBOOT_REQUIRED", "it worked, and takes effect at the next boot",
        "Reboot the host inside its window.", "then", WIN32,
    ),
    Entry(
        0x80070BC9, "ERROR_FAIL_REBOOT_REQUIRED", "an earlier change waits for a reboot and blocks all others",
        "Reboot. When it stays: a policy sets TrustedInstaller to manual start; set it to automatic.", "then",
        server("troubleshoot-windows-update-error-0x80070bc9"),
    ),
    Entry(
        0x80080005, "CO_E_SERVER_EXEC_FAILURE", "a service did not start in time",
        "Look at the host's load; reboot it inside its window.", "then", WIN32,
    ),
    Entry(
        0x8000FFFF, "E_UNEXPECTED", "Windows' servicing failed in a way it has no name for", _REPAIR, "then",
        server("troubleshoot-windows-update-error-0x8000ffff"),
    ),
    Entry(
        0x80004004, "E_ABORT", "the work was ended from outside",
        "Look for a shutdown or another tool at that time.", "yes",
        server("troubleshoot-windows-update-error-0x80004004"),
    ),
)  # fmt: skip
