# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: errors of the Windows Update Agent itself. Data, no code."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors.entry import (
    AGENT,
    COMMON,
    REFERENCE,
    Entry,
    server,
)

ENTRIES: t.Final = (
    Entry(
        0x80240003, "WU_E_UNKNOWN_ID", "the update is not known to the agent any more", "Announce a new plan.",
        "yes", AGENT,
    ),
    Entry(
        0x80240008, "WU_E_ITEMNOTFOUND", "what was asked for is not in the agent's own database",
        "Let the host search again; when it stays, the database in SoftwareDistribution is damaged.", "yes", AGENT,
    ),
    Entry(
        0x80240009, "WU_E_OPERATIONINPROGRESS", "another search or installation is at work on the host",
        "Wait for its end: Windows' own automatic updates are the usual reason.", "yes", AGENT,
    ),
    Entry(
        0x8024000B, "WU_E_CALL_CANCELLED", "the work was cancelled by a user or a service",
        "Find out what stopped it: another update tool, or a restart of the Windows Update service.", "yes", COMMON,
    ),
    Entry(
        0x8024000E, "WU_E_XML_INVALID", "the description of an update cannot be read",
        "Have the update source synchronised again; often it is one driver, which can be declined in WSUS.",
        "then", COMMON,
    ),
    Entry(
        0x80240016, "WU_E_INSTALL_NOT_ALLOWED",
        "another installation is at work, or the host has to be rebooted before anything is installed",
        "Reboot the host inside its window.", "then", AGENT,
    ),
    Entry(
        0x80240017, "WU_E_NOT_APPLICABLE", "the update does not apply to this host (any more)",
        "Nothing is broken: announce a new plan.", "yes", AGENT,
    ),
    Entry(
        0x80240019, "WU_E_EXCLUSIVE_INSTALL_CONFLICT", "an update that has to be installed alone was not alone",
        "The next round installs it by itself.", "yes", AGENT,
    ),
    Entry(
        0x8024001B, "WU_E_SELFUPDATE_IN_PROGRESS", "the Windows Update Agent is updating itself",
        "Wait some minutes.", "yes", AGENT,
    ),
    Entry(
        0x8024001E, "WU_E_SERVICE_STOP", "the Windows Update service or the host was being shut down",
        "Find out who stopped it; a reboot in the middle is told by the host's event log (User32 1074).",
        "yes", AGENT,
    ),
    Entry(
        0x80240020, "WU_E_NO_INTERACTIVE_USER", "the update installs only while somebody is signed in",
        "Sign in at the host and install it from Settings.", "no", COMMON,
    ),
    Entry(
        0x80240021, "WU_E_TIME_OUT", "the agent gave up waiting", "Look at the host's load and its update source.",
        "yes", AGENT,
    ),
    Entry(
        0x80240022, "WU_E_ALL_UPDATES_FAILED", "no update could be installed; each has its own reason",
        "Read the error of each update. Antivirus that guards SoftwareDistribution is a usual cause.", "then", COMMON,
    ),
    Entry(
        0x80240023, "WU_E_EULAS_DECLINED", "the licence terms of all updates were declined",
        "Read them, then set patching_accept_licences or accept them at the host.", "then", AGENT,
    ),
    Entry(
        0x80240025, "WU_E_USER_ACCESS_DISABLED", "a group policy forbids access to Windows Update",
        "Have the policy changed for the account that Keepwell uses.", "then", AGENT,
    ),
    Entry(
        0x8024002E, "WU_E_WU_DISABLED", "the host may not ask a server outside of the organisation",
        "Approve the update in WSUS, or allow the host to ask Microsoft.", "then", AGENT,
    ),
    Entry(
        0x80240032, "WU_E_INVALID_CRITERIA", "the agent does not understand the search",
        "This is an error in Keepwell or of a very old agent: report it.", "no", AGENT,
    ),
    Entry(
        0x80240034, "WU_E_DOWNLOAD_FAILED", "the update could not be downloaded",
        "Look at the connection of the host to its update source, and at its free space.", "then", REFERENCE,
    ),
    Entry(
        0x80240044, "WU_E_PER_MACHINE_UPDATE_ACCESS_DENIED", "the account is no administrator of the host",
        "Use an account of the local group Administrators.", "then", REFERENCE,
    ),
    Entry(
        0x80240055, "WU_E_AU_CALL_CANCELLED", "Windows cancelled it: the update is not applicable any more",
        "Nothing is broken: announce a new plan.", "yes", REFERENCE,
    ),
    Entry(
        0x80240FFF, "WU_E_UNEXPECTED", "an error of the agent for which it has no name",
        "Read the host's Windows Update log (Get-WindowsUpdateLog).", "then", AGENT,
    ),
    Entry(
        0x80242006, "WU_E_UH_INVALIDMETADATA", "the update was described wrongly, or its description is damaged",
        "Stop the update service, rename SoftwareDistribution\\Download and let it be downloaded again.",
        "then", COMMON,
    ),
    Entry(
        0x8024200A, "WU_E_UH_CANREQUIREINPUT", "the update may ask a person something",
        "Install it by hand at the host.", "no", REFERENCE,
    ),
    Entry(
        0x8024200B, "WU_E_UH_INSTALLERFAILURE", "the update's own installer failed",
        "Look for the installer's own error, in the application log and below C:\\Windows\\Logs.", "then", REFERENCE,
    ),
    Entry(
        0x8024200D, "WU_E_UH_NEEDANOTHERDOWNLOAD", "what was downloaded is not enough or not whole",
        "It is downloaded again by the next run.", "yes", REFERENCE,
    ),
    Entry(
        0x80242014, "WU_E_UH_POSTREBOOTSTILLPENDING", "the last update is still being finished after its reboot",
        "Wait, then reboot once more.", "then", COMMON,
    ),
    Entry(
        0x80242017, "WU_E_UH_NEW_SERVICING_STACK_REQUIRED", "the servicing stack has to be updated first",
        "Install the newest servicing stack update, then this one.", "then", REFERENCE,
    ),
    Entry(
        0x8024201D, "WU_E_UH_HANDLER_DISABLEDUNTILREBOOT", "nothing of this kind installs until the host is rebooted",
        "Reboot the host inside its window.", "then", REFERENCE,
    ),
    Entry(
        0x80243003, "WU_E_INSTALLATION_RESULTS_NOT_FOUND", "what came of the installation was not written down",
        "Compare the host's build and history with the plan; the next run does.", "yes", REFERENCE,
    ),
    Entry(
        0x80246002, "WU_E_DM_INCORRECTFILEHASH", "what was downloaded is not what was published",
        "Look for a proxy or filter that changes downloads; on WSUS, verify its content.", "then", REFERENCE,
    ),
    Entry(
        0x80246005, "WU_E_DM_NONETWORK", "the host had no network for the download",
        "Look at the host's connection.", "then", REFERENCE,
    ),
    Entry(
        0x80246007, "WU_E_DM_NOTDOWNLOADED", "the update was not downloaded", "It is downloaded by the next run.",
        "yes", REFERENCE,
    ),
    Entry(
        0x80246008, "WU_E_DM_FAILTOCONNECTTOBITS", "the download service BITS does not answer",
        "Start the service BITS, and look at why it stands still.", "then", REFERENCE,
    ),
    Entry(
        0x80246017, "WU_E_DM_UNAUTHORIZED_LOCAL_USER", "the account may not download updates",
        "Use an account of the local group Administrators.", "then", COMMON,
    ),
    Entry(
        0x80248007, "WU_E_DS_NODATA", "the agent's database lacks what is needed, often licence terms",
        "Restart the Windows Update service and search again.", "then", REFERENCE,
    ),
    Entry(
        0x80248014, "WU_E_DS_UNKNOWNSERVICE", "the update service that was asked is not registered on the host",
        "Register Microsoft Update, or point the host at a source it has.", "then", REFERENCE,
    ),
    Entry(
        0x8024A000, "WU_E_AU_NOSERVICE", "Windows' automatic updates do not answer",
        "Look at the services wuauserv and BITS.", "then",
        server("troubleshoot-windows-update-download-error-codes-associated-with-error-8024a000"),
    ),
    Entry(
        0x8024A004, "WU_E_AU_PAUSED", "updates are paused on this host", "End the pause, or wait for its end.",
        "then", REFERENCE,
    ),
    Entry(
        0x8024A10A, "USO_E_SERVICE_SHUTTING_DOWN", "the update service went to sleep in the middle",
        "Look at the host's power settings and load.", "yes", COMMON,
    ),
    Entry(
        0x8024D009, "WU_E_SETUP_SKIP_UPDATE", "the update server does not hand out the agent's own update",
        "Mend the self-update of WSUS.", "then", COMMON,
    ),
    Entry(
        0x8024D011, "WU_E_SELFUPDATE_REQUIRED", "the Windows Update Agent has to update itself first",
        "Let the host search once by itself.", "then", REFERENCE,
    ),
)  # fmt: skip
