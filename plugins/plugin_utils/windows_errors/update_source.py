# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: errors between a host and its update source. Data, no code."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors.entry import (
    COMMON,
    INTERNET,
    NETWORK,
    REFERENCE,
    Entry,
    server,
)

_SOURCE = "Look at the update source (WSUS or Microsoft) from this host"
ENTRIES: t.Final = (
    Entry(
        0x8024001F, "WU_E_NO_CONNECTION", "the host has no connection to its update source",
        f"{_SOURCE}.", "then", REFERENCE,
    ),
    Entry(
        0x80244007, "WU_E_PT_SOAPCLIENT_SOAPFAULT", "the update server answered with an error of its own",
        "Look at WSUS: its event log, and whether the host's cookie can be renewed.", "then", COMMON,
    ),
    Entry(
        0x80244010, "WU_E_PT_EXCEEDED_MAX_SERVER_TRIPS", "the update server has too much for one search",
        "Search again some times; decline superseded updates in WSUS.", "yes", REFERENCE,
    ),
    Entry(
        0x80244016, "WU_E_PT_HTTP_STATUS_BAD_REQUEST", "the update server did not understand the host (HTTP 400)",
        "Look for a proxy in between, and at IIS on WSUS.", "then", NETWORK,
    ),
    Entry(
        0x80244017, "WU_E_PT_HTTP_STATUS_DENIED", "the update server wants a sign-in (HTTP 401)",
        "Let the WSUS folders of IIS be read anonymously, or mend the proxy.", "then", NETWORK,
    ),
    Entry(
        0x80244018, "WU_E_PT_HTTP_STATUS_FORBIDDEN", "the update server or a proxy refused (HTTP 403)",
        "Let the proxy pass Microsoft's update addresses; on WSUS look at IIS.", "then", NETWORK,
    ),
    Entry(
        0x80244019, "WU_E_PT_HTTP_STATUS_NOT_FOUND", "the update server does not have the file (HTTP 404)",
        "In WSUS, look whether the update was downloaded; check the address that the policy gives.", "then", NETWORK,
    ),
    Entry(
        0x8024401B, "WU_E_PT_HTTP_STATUS_PROXY_AUTH_REQ", "a proxy wants a sign-in (HTTP 407)",
        "Let the host pass without one: Windows Update runs as SYSTEM.", "then", COMMON,
    ),
    Entry(
        0x8024401C, "WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT", "the update server took too long (HTTP 408)",
        "On WSUS: raise the limits of the application pool, clean up the database.", "yes", NETWORK,
    ),
    Entry(
        0x8024401F, "WU_E_PT_HTTP_STATUS_SERVER_ERROR", "the update server failed (HTTP 500)",
        "Look at the event log of WSUS and at its application pool.", "then", NETWORK,
    ),
    Entry(
        0x80244021, "WU_E_PT_HTTP_STATUS_BAD_GATEWAY", "a proxy got no good answer (HTTP 502)",
        "Look at the proxy and at what is behind it.", "yes", NETWORK,
    ),
    Entry(
        0x80244022, "WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL", "the update server is overloaded or stopped (HTTP 503)",
        "On WSUS: start the application pool WsusPool and give it more memory.", "yes", COMMON,
    ),
    Entry(
        0x80244023, "WU_E_PT_HTTP_STATUS_GATEWAY_TIMEOUT", "a proxy waited in vain (HTTP 504)",
        "Look at the proxy and at what is behind it.", "yes", NETWORK,
    ),
    Entry(
        0x8024402C, "WU_E_PT_WINHTTP_NAME_NOT_RESOLVED", "the name of the update server or the proxy is not known",
        "Look at the host's DNS and at its proxy (netsh winhttp show proxy).", "then", NETWORK,
    ),
    Entry(
        0x8024402F, "WU_E_PT_ECP_SUCCEEDED_WITH_ERRORS", "a part of the answer was lost on its way",
        "Look for a web filter between the host and its update source.", "yes", COMMON,
    ),
    Entry(
        0x8024500C, "WU_E_REDIRECTOR_CONNECT_POLICY", "a policy forbids the host to ask Microsoft",
        "Approve the update in WSUS, or change the policy.", "then", REFERENCE,
    ),
    Entry(
        0x80072EE2, "WININET_E_TIMEOUT", "the update source did not answer in time",
        f"{_SOURCE}: firewall, proxy, its address in the policy.", "yes", COMMON,
    ),
    Entry(
        0x80072EE7, "WININET_E_NAME_NOT_RESOLVED", "the name of the update source is not known",
        "Look at the host's DNS.", "then", INTERNET,
    ),
    Entry(
        0x80072EFD, "WININET_E_CANNOT_CONNECT", "the update source takes no connection",
        f"{_SOURCE}: firewall, proxy, port.", "then", COMMON,
    ),
    Entry(
        0x80072EFE, "WININET_E_CONNECTION_ABORTED", "the connection broke during the transfer",
        "Look at the proxy and the firewall; search again.", "yes", COMMON,
    ),
    Entry(
        0x80072F8F, "WININET_E_DECODING_FAILED", "no secure connection: wrong clock, certificate or TLS 1.2 missing",
        "Set the clock; look at the certificate of WSUS; enable TLS 1.2.", "then",
        server("troubleshoot-windows-update-error-0x80072f8f"),
    ),
    Entry(
        0x80200053, "BG_E_VALIDATION_FAILED", "a download was changed on its way",
        "Look for a firewall or filter that looks into downloads.", "then", COMMON,
    ),
    Entry(
        0x80D02002, "DO_E_DOWNLOAD_NO_PROGRESS", "the download did not go on",
        "Look at the firewall and at Delivery Optimization.", "yes", COMMON,
    ),
)  # fmt: skip
