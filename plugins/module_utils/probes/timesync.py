# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is the clock kept right, by whom, and how far off is it?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

TIME_LIMIT_S = 5


def collect(machine, parameters):
    """Return {"provider", "synchronised", "offset_s", "sources", "leap"} as far as the host tells."""
    tracking = machine.run(["chronyc", "-c", "tracking"], timeout=2)
    if tracking.ok:
        return parse_chrony_tracking(tracking.out)
    return {"provider": None}


def parse_chrony_tracking(text):
    """Parse one line of ``chronyc -c tracking``.

    Field 5 is the offset of the system clock in seconds (positive: slow), the last one the leap status.
    Raises ValueError with the line when it has another form.
    """
    fields = text.strip().split(",")
    if len(fields) != 14:
        raise ValueError("chronyc tracking: 14 fields expected in %r" % text.strip()[:120])
    return {"provider": "chrony", "synchronised": fields[13] != "Not synchronised", "offset_s": float(fields[4])}
