# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a Windows host tells of its backups, as a look of a dataset. Pure.

The host collects and judges nothing: status, detail, tool and, where it could look, ``facts`` of the tool. Here they
become what a driver's list() tells elsewhere (``module_utils/backup_verification/_driver.py``).
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import (
    restic,
    server_backup,
    veeam,
)

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

Facts = Mapping[str, t.Any]
Answer = dict[str, t.Any]
_READERS: Mapping[str, Callable[[Dataset, Facts], Answer]] = {
    "restic": restic.look,
    "windows_server_backup": server_backup.look,
    "veeam_agent": veeam.look,
}
_NOT_HERE = {
    "borg": "Borg has no build for Windows: let a Linux host that reaches the repository verify it (verifier).",
}


def of(dataset: Dataset, answer: t.Any) -> t.Any:
    """Return the look of a dataset; what makes no sense is left for the reader of looks to refuse."""
    if dataset.tool not in _READERS:
        return _driver.look("absent", _NOT_HERE.get(dataset.tool, f"{dataset.tool} is not verified on Windows hosts."))
    if not isinstance(answer, Mapping):
        return answer
    if answer.get("status") != "ok":
        return _driver.look(str(answer.get("status")), str(answer.get("detail") or ""), tool=answer.get("tool"))
    try:
        return {**_READERS[dataset.tool](dataset, answer["facts"]), "tool": answer.get("tool")}
    except (KeyError, TypeError, ValueError) as exc:
        return _driver.look("error", f"What the host tells of {dataset.tool} cannot be understood: {exc!r}.")
