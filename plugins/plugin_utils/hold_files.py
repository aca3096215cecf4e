# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the files of a client's holds: one for each hold and each release, never changed.

``<client>/holds/<id>.json`` and ``<client>/holds/<id>.release-<id>.json``. What cannot be read stops whoever asks:
nothing is changed while nobody knows whether it may be. Runs on the control node.
"""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, dump, load, write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.holds import Hold, Holds, Release
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id

_FOLDER = "holds"
_RELEASE = ".release-"


def read(store: Store) -> Holds:
    """Return all holds of a client and what was released of them. Raises EvidenceError when one cannot be read."""
    folder = store.root / _FOLDER
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and not path.name.startswith("."))
    except FileNotFoundError:
        return Holds([], [])
    except OSError as exc:
        raise EvidenceError(f"{folder} cannot be read: {exc.strerror}. Nothing is changed without knowing it.") from exc
    return Holds(
        [load(Hold, path) for path in paths if _RELEASE not in path.name],
        [load(Release, path) for path in paths if _RELEASE in path.name],
    )


def place(store: Store, hold: Hold) -> None:
    """Keep a hold. Raises EvidenceError when it cannot be written."""
    _write(store, f"{hold.hold_id}.json", dump(hold))


def release(store: Store, document: Release, now: float) -> None:
    """Keep what was released of a hold. Raises EvidenceError when it cannot be written."""
    _write(store, f"{document.hold_id}{_RELEASE}{new_run_id(now)}.json", dump(document))


def _write(store: Store, name: str, content: bytes) -> None:
    path = store.root / _FOLDER / name
    try:
        write_atomic(path, content)
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be written: {exc.strerror}. Nothing is held or released by it.") from exc
