# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: tell the outside that a run ended: a file of metrics, and a call of an address.

Neither can make a run fail: what goes wrong is a sentence for a warning. Runs on the control node.
"""

from __future__ import annotations

import typing as t
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.urls import open_url

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import metrics
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs.account import Account
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.prometheus import METRICS_MODE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Sample

PING_TIMEOUT_S = 10


def tell(
    variables: Mapping[str, t.Any],
    client: str,
    entry: str,
    ledger: Account,
    now: float,
    beat: tuple[float, Mapping[str, Sample]] | None,
) -> list[str]:
    """Write the metrics and call the address, where there are; return what went wrong.

    ``beat`` is when the newest beat of the watch began and what it knows of every host.
    """
    path = variables.get("keepwell_metrics_file")
    written = ""
    if path:
        written = write_metrics(path, metrics.metrics_file(client, ledger.standings(now), now, beat))
    return [sentence for sentence in (written, ping(variables.get("keepwell_ping_url"), entry)) if sentence]


def write_metrics(path: str, content: bytes) -> str:
    """Put a file of metrics into place; return what went wrong, or ""."""
    try:
        write_atomic(Path(path), content, METRICS_MODE)
    except OSError as exc:
        return f"keepwell_metrics_file: {path} cannot be written: {exc.strerror}."
    return ""


def ping(given: t.Any, entry: str) -> str:
    """Call the address that is for this entry, if there is one; return what went wrong, or "".

    The address is a secret: only its host is told.
    """
    address = given.get(entry) if isinstance(given, Mapping) else given
    if not address:
        return ""
    host = urllib.parse.urlsplit(address).hostname
    try:
        open_url(address, method="GET", timeout=PING_TIMEOUT_S, follow_redirects="none", use_netrc=False).close()
    except Exception as exc:  # noqa: BLE001 - whatever the network does, the run has ended well
        code = getattr(exc, "code", None)
        told = f"status {code}" if isinstance(code, int) else type(getattr(exc, "reason", exc)).__name__
        return f"keepwell_ping_url: {host} did not take the call ({told}). Whoever waits for it may raise an alarm."
    return ""
