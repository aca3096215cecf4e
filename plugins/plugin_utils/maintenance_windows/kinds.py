# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the kinds of work that maintenance windows allow, by the words that people write. Pure."""

from __future__ import annotations

import typing as t

Kind = t.Literal["patch", "reboot", "antivirus", "backup_verification", "disk_cleanup", "config"]
KINDS: tuple[Kind, ...] = t.get_args(Kind)
