# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the kinds of files a run can be made into, and the ways to write a spreadsheet."""

from __future__ import annotations

import typing as t

FORMATS = ("html", "md", "csv", "json", "prom", "pdf")
# A PDF needs more than a control node has by itself, so it is asked for.
USUAL_FORMATS = ("html", "md", "csv", "json", "prom")
Dialect = t.Literal["plain", "excel_eu"]
DIALECTS: tuple[Dialect, ...] = t.get_args(Dialect)
