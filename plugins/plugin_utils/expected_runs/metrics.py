# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the dead man's metrics of a client's schedule. Pure.

An alert needs nothing but the clock: ``time() > keepwell_schedule_expected_by_timestamp_seconds``. When nothing runs
any more, nothing is written any more, and that time passes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs.ledger import Standing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.prometheus import Metric, text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Sample
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.notices import lost


def metrics_file(
    client: str,
    standings: Iterable[Standing],
    now: float,
    beat: tuple[float, Mapping[str, Sample]] | None = None,
) -> bytes:
    """Return the file. ``beat`` is when the newest beat began and what it knows of every host."""
    written = Metric("keepwell_schedule_written_timestamp_seconds", "When this file was written.")
    written.add(int(now), client=client)
    success = Metric(
        "keepwell_schedule_last_success_timestamp_seconds", "Begin of the last run of an entry that ended; 0 for none."
    )
    expected = Metric(
        "keepwell_schedule_expected_by_timestamp_seconds",
        "When the next run of an entry has to have begun.",
    )
    missed = Metric("keepwell_schedule_missed_runs", "Planned times that nothing met: of 35 days, of a watch of seven.")
    for standing in standings:
        labels = {"client": client, "entry": standing.name}
        success.add(int(standing.last_success), **labels)
        if standing.expected_by:
            expected.add(int(standing.expected_by), **labels)
        missed.add(standing.missed, **labels)
    at = Metric("keepwell_watch_last_beat_timestamp_seconds", "Begin of the newest beat of the watch.")
    hosts = Metric("keepwell_watch_hosts", "Hosts at the newest beat, by answer: ok, fail, unknown.")
    down = Metric("keepwell_watch_hosts_lost", "Hosts that did not answer twice in a row.")
    if beat is not None:
        at.add(int(beat[0]), client=client)
        answers = [sample.answer for sample in beat[1].values()]
        for answer in ("ok", "fail", "unknown"):
            hosts.add(answers.count(answer), client=client, answer=answer)
        down.add(sum(lost(sample) for sample in beat[1].values()), client=client)
    return text([written, success, expected, missed, at, hosts, down])
