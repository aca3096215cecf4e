# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: metrics for node_exporter's textfile collector: of the run, and of delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.spool import Item, Spool
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.prometheus import METRICS_MODE, Metric, text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.run_metrics import metrics_file
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run


def write_run(folder: Path, run: Run, *, hosts: bool, act: bool) -> bool:
    """Put a run's metrics into place; return whether they differ from what was there. May raise OSError."""
    return _write(folder / f"keepwell-{run.header.client.id}.prom", metrics_file(run, hosts=hosts), act=act)


def write_delivery(folder: Path, spool: Spool, receivers: Sequence[str], items: Sequence[Item]) -> None:
    """Put into place how delivery is. May raise OSError."""
    waiting = Metric("keepwell_delivery_waiting", "Messages that wait to be sent, by receiver.")
    doubtful = Metric("keepwell_delivery_doubtful", "Messages of which it is not known whether they arrived.")
    lost = Metric("keepwell_delivery_given_up", "Messages that were given up in the last 400 days.")
    given_up = Counter(receipt.receiver for receipt in spool.ends("given_up"))
    states = Counter((item.receiver, item.state == "doubtful") for item in items)
    for name in receivers:
        waiting.add(states[(name, False)], client=spool.client, receiver=name)
        doubtful.add(states[(name, True)], client=spool.client, receiver=name)
        lost.add(given_up[name], client=spool.client, receiver=name)
    _write(folder / f"keepwell-{spool.client}-delivery.prom", text([waiting, doubtful, lost]), act=True)


def _write(path: Path, content: bytes, *, act: bool) -> bool:
    if not path.parent.is_dir():
        raise NotADirectoryError(20, "it is no folder", str(path.parent))
    if path.exists() and path.read_bytes() == content:
        return False
    if act:
        write_atomic(path, content, METRICS_MODE)
    return True
