# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the policy of the services pillar, which two modules share."""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import HOUR, Section, threshold


class Policy(Section):
    """Thresholds for services, processes and the resources that they share."""

    flaps_watch_per_hour: float = threshold(3.0, "House", gt=0)
    flaps_crit_per_hour: float = threshold(10.0, "House", gt=0)
    start_s: float = threshold(600.0, "House; a host should have started everything after ten minutes", gt=0)
    timer_overdue_s: float = threshold(HOUR, "House; longer than any default random delay but apt's", gt=0)
    units_ignored: tuple[str, ...] = threshold((), "the client's own list of units or patterns, such as getty@*")
    memory_available_watch_percent: float = threshold(10.0, "House", gt=0, lt=100)
    memory_available_crit_percent: float = threshold(5.0, "House", gt=0, lt=100)
    memory_full_watch_percent: float = threshold(5.0, "House; systemd-oomd acts at 60 % for 30 s", gt=0, lt=100)
    memory_full_crit_percent: float = threshold(20.0, "House; systemd-oomd acts at 60 % for 30 s", gt=0, lt=100)
    io_full_watch_percent: float = threshold(20.0, "House", gt=0, lt=100)
    io_full_crit_percent: float = threshold(50.0, "House", gt=0, lt=100)
    commit_watch_percent: float = threshold(
        90.0, "House, for Windows: at 100 % of its commit limit programs get no memory", gt=0, lt=100
    )
    commit_crit_percent: float = threshold(97.0, "House, for Windows", gt=0, le=100)
    disk_latency_watch_ms: float = threshold(50.0, "House, for Windows: twice what a busy disk should take", gt=0)
    disk_latency_crit_ms: float = threshold(200.0, "House, for Windows: people notice", gt=0)
    load_per_cpu_watch: float = threshold(1.5, "House; only together with pressure or a run queue", gt=0)
    load_per_cpu_crit: float = threshold(4.0, "House; only together with pressure or a run queue", gt=0)
    cpu_some_percent: float = threshold(20.0, "House; below it nobody waits for long, whatever the load says", gt=0)
    oom_crit: int = threshold(3, "House; once is an accident, three times a pattern", ge=1)
    zombies_max: int = threshold(50, "House", ge=1)
    blocked_s: float = threshold(60.0, "House; in uninterruptible sleep", gt=0)
    sandbox_files: int = threshold(64, "House: sandboxes (sshd before login) allow themselves fewer on purpose", ge=0)
    limit_watch_percent: float = threshold(80.0, "House", gt=0, lt=100)
    limit_crit_percent: float = threshold(95.0, "House", gt=0, le=100)
