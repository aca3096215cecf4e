# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a client's files say about signing, time stamps and how long evidence is kept. Pure.

Whether a key or a file is there is found out when it is needed: a run is recorded without a signature rather than not.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping, Sequence

from pydantic import Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact_text

VARIABLES = (
    "keepwell_signing_key",
    "keepwell_signing_identity",
    "keepwell_allowed_signers",
    "keepwell_timestamp_url",
    "keepwell_timestamp_ca",
    "keepwell_retention_months",
    "keepwell_legal_hold",
)
# What a playbook is told with -e, and no file of a client says.
ASKED = (
    "keepwell_head",
    "keepwell_pack_destination",
    "keepwell_pack_from",
    "keepwell_pack_to",
    "keepwell_retention_act",
    "keepwell_verify_from",
    "keepwell_verify_since",
)
_MEANING = {
    "signing_key": "a path of a key of ssh-keygen",
    "signing_identity": "a name like keepwell@acme: letters, digits and . _ @ + -",
    "allowed_signers": "a path",
    "timestamp_url": "an address that begins with https:// or http://, without user and password: it is shown",
    "timestamp_ca": "a path of a file with certificates (PEM)",
    "retention_months": "a whole number of months, 1 to 600",
    "legal_hold": "a sentence: why nothing may be deleted, and who said so",
}


class AuditOptions(Model):
    """Paths are absolute; null where nothing was said."""

    signing_key: str | None = None
    signing_identity: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,119}$")
    allowed_signers: str
    timestamp_url: str | None = Field(None, pattern=r"^https?://[^\s/@]+(/\S*)?$")
    timestamp_ca: str | None = None
    retention_months: int = Field(36, ge=1, le=600)
    legal_hold: str = ""


def build(
    variables: Mapping[str, t.Any], client_id: str, sources: Sequence[str]
) -> tuple[AuditOptions | None, list[str]]:
    """Return the options, or what is wrong with them, a sentence each.

    Relative paths begin at the client's folder, where its inventory is: the first of ``sources``.
    """
    given = {
        name.removeprefix("keepwell_"): variables[name] for name in VARIABLES if variables.get(name) not in (None, "")
    }
    base = client_folder(sources)
    for name in ("signing_key", "allowed_signers", "timestamp_ca"):
        if isinstance(given.get(name), str):
            given[name] = os.path.normpath(os.path.join(base, os.path.expanduser(given[name])))
    given.setdefault("signing_identity", f"keepwell@{client_id}")
    given.setdefault("allowed_signers", os.path.join(base, "allowed_signers"))
    try:
        options = AuditOptions.model_validate(given)
    except ValidationError as exc:
        names = dict.fromkeys(str(error["loc"][0]) for error in exc.errors())
        return None, [
            f"keepwell_{name} must be {_MEANING[name]} (given: {redact_text(repr(variables.get(f'keepwell_{name}')))})."
            for name in names
        ]
    if options.timestamp_url and not options.timestamp_ca:
        return None, [
            "keepwell_timestamp_url needs keepwell_timestamp_ca, the certificates of that authority: "
            "nobody could check its time stamps otherwise."
        ]
    return options, []


def client_folder(sources: Sequence[str]) -> str:
    """Return the client's folder: where its inventory is, the first of ``sources``."""
    first = os.path.abspath(sources[0]) if sources else os.getcwd()
    return first if os.path.isdir(first) else os.path.dirname(first)
