# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: time stamps (RFC 3161) of manifests, by somebody who is not the MSP.

A run that is to be stamped gets its request first; a request without a reply is the queue. An authority that is down
costs a run a few seconds, once, and is asked again by the next run. Runs on the control node.
"""

from __future__ import annotations

import http.client
import subprocess
import tempfile
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible.module_utils.urls import open_url

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

# One stamp a day covers all runs before it through the chain; a daily run that is early still gets its own.
BETWEEN_S = 20 * 3600.0
# All requests of one run together.
_PATIENCE_S = 20.0
_TIMEOUT_S = 8.0
_LIMIT = 100_000

Ask = Callable[[str, bytes], bytes]


def stamp(store: Store, options: AuditOptions, run_id: str, ask: Ask | None = None) -> list[str]:
    """Have a sealed run stamped, and those that wait for it; return what went wrong, a sentence each.

    Call outside of ``sealing``: the network may be slow.
    """
    if options.timestamp_url is None or options.timestamp_ca is None:
        return []
    wrong = []
    try:
        if not Path(options.timestamp_ca).is_file():
            raise EvidenceError(f"keepwell_timestamp_ca: {options.timestamp_ca} does not exist.")
        _request(store, run_id)
        end = time.monotonic() + _PATIENCE_S
        for waiting in pending(store):
            if time.monotonic() < end:
                wrong += _stamp(
                    store.run_dir(waiting), options.timestamp_url, options.timestamp_ca, ask or ask_authority
                )
    except EvidenceError as exc:
        wrong.append(str(exc))
    number = len(pending(store))
    if wrong and number:
        runs = "1 run waits" if number == 1 else f"{number} runs wait"
        wrong.append(f"{runs} for a time stamp; the next run asks again.")
    return wrong


def pending(store: Store) -> list[str]:
    """Sealed runs that have a request and no time stamp yet, oldest first."""
    return [
        run_id
        for run_id in store.sealed_ids()
        if (store.run_dir(run_id) / verify.QUERY).exists() and not (store.run_dir(run_id) / verify.TOKEN).exists()
    ]


def _request(store: Store, run_id: str) -> None:
    """Write the request for a run, unless one of the last hours has one."""
    manifest = store.read_manifest(run_id)
    if manifest is None:
        return
    for earlier in reversed(store.sealed_ids()):
        if (store.run_dir(earlier) / verify.QUERY).exists():
            last = store.read_manifest(earlier)
            if last and 0 <= epoch(manifest.ended_at) - epoch(last.ended_at) < BETWEEN_S:
                return
            break
    folder = store.run_dir(run_id)
    command = ["openssl", "ts", "-query", "-data", str(folder / verify.MANIFEST), "-sha256", "-cert"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)  # noqa: S603 - no shell
    except (OSError, subprocess.SubprocessError) as exc:
        raise EvidenceError(f"No time stamp can be asked for: openssl cannot be used ({exc}).") from exc
    write_atomic(folder / verify.QUERY, done.stdout)


def _stamp(folder: Path, url: str, authority: str, ask: Ask) -> list[str]:
    """Get the stamp of one run and keep it, if it counts; return why not. Raises EvidenceError without an answer."""
    reply = ask(url, (folder / verify.QUERY).read_bytes())
    with tempfile.NamedTemporaryFile() as draft:
        draft.write(reply)
        draft.flush()
        problem = verify.stamp_problem(str(folder / verify.MANIFEST), str(folder / verify.QUERY), draft.name, authority)
    if problem:
        return [f"What {url} answered for run {folder.name} is not kept: {problem}."]
    write_atomic(folder / verify.TOKEN, reply)
    return []


def ask_authority(url: str, query: bytes) -> bytes:
    """Return what an authority answers to a request (DER). Raises EvidenceError with one sentence."""
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    end = time.monotonic() + _PATIENCE_S
    reply = b""
    try:
        with open_url(
            url, data=query, headers=headers, method="POST", timeout=_TIMEOUT_S, follow_redirects="none"
        ) as answer:
            while block := answer.read1(_LIMIT):
                reply += block
                if len(reply) > _LIMIT or time.monotonic() > end:
                    raise EvidenceError(f"The time stamp authority {url} sends too much, or too slowly.")
    except urllib.error.HTTPError as exc:
        raise EvidenceError(f"The time stamp authority {url} refused: HTTP status {exc.code}.") from exc
    except (OSError, ValueError, UrlError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise EvidenceError(f"The time stamp authority {url} does not answer: {reason}.") from exc
    return reply
