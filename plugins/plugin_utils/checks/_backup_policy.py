# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the backup policy, and what the checks of datasets have in common."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    HOUR,
    SEVERITY,
    Section,
    State,
    Verdict,
    duration_text,
    threshold,
)

# A look that worked is told with all verdicts; these statuses stand against every one of them.
_SENTENCES = {
    "absent": "The tool is not installed on the host that verifies.",
    "denied": "The user that verifies may not read the repository.",
    "no_repository": "There is no repository where the dataset says: gone, moved, or not mounted.",
    "bad_password": "The password does not open the repository: with it nothing can be restored.",
    "locked": "A lock in the repository kept the look out.",
    "damaged": "The tool finds the repository itself damaged.",
    "timeout": "The repository did not answer in time.",
    "error": "The tool failed.",
    "unreached": "The host that verifies was not reached.",
}
_ADVICE = {
    "absent": "Install the tool there, or name another host as verifier.",
    "denied": "Give the verifying user the right to read it; it needs no right to write.",
    "no_repository": "Find out where it went before the next job makes a new, empty one.",
    "bad_password": "Find the right password now, while the data it protects still exists.",
    "locked": "Find out who holds it. Keepwell removes no lock.",
    "damaged": "Write nothing to it. Copy the repository, then repair the copy as the tool's manual says.",
    "timeout": "Look at the network and the store.",
    "error": "Run the tool's own listing on the verifying host and read what it says.",
    "unreached": "Mend the connection to the verifying host.",
}
# Where a status is a finding of its own; all other verdicts only say that they are unknown because of it.
_NAMED: dict[str, tuple[str, State]] = {
    "no_repository": ("freshness", "crit"),
    "bad_password": ("restorability", "act"),
    "locked": ("integrity", "act"),
    "damaged": ("integrity", "crit"),
}
# What was proven earlier holds when nobody could look today.
_PROOFS_HOLD = ("unreached", "timeout")
TRUST = (
    "Order of trust: a full restore elsewhere with the escrowed key, a database restored and queried, a sample "
    "compared by checksum, the tool reading its data, a check of structure, a job's log, a schedule. "
    "None replaces one above it."
)


class Policy(Section):
    """Thresholds for backups."""

    required: bool = threshold(True, "CIS 11.2: automated backups of every system in scope")
    not_required_reason: str = threshold("", "House: a host without backups needs a written reason (rebuilt from code)")
    rpo_hours: float = threshold(26.0, "House: daily, with two hours of slack", gt=0)
    crit_factor: float = threshold(2.0, "House: urgent at twice the agreed age", gt=1)
    databases_required: bool = threshold(True, "House: files of a running database are no backup of it")
    look_max_hours: float = threshold(26.0, "House: repositories are looked at daily, with two hours of slack", gt=0)
    anomaly_deviations: float = threshold(3.5, "Iglewicz and Hoaglin: modified z-score of an outlier", gt=0)
    anomaly_history: int = threshold(7, "House: a week of snapshots shows what is usual", ge=3)
    size_drop_watch_percent: float = threshold(30.0, "House", gt=0, lt=100)
    size_drop_crit_percent: float = threshold(60.0, "House", gt=0, le=100)
    mass_change_percent: float = threshold(50.0, "House: half of all files at once is what encryption looks like", gt=0)
    mass_change_files: int = threshold(100, "House: of fewer files many change by nature", ge=1)
    test_slack_days: float = threshold(2.0, "House: a test may come a day or two late", ge=0)
    integrity_max_days: float = threshold(30.0, "borgmatic: repository and archives are checked monthly", gt=0)
    read_watch_percent: float = threshold(
        25.0, "House: by so much the reading may lag behind its schedule", ge=0, le=100
    )
    restore_max_days: float = threshold(90.0, "CIS 11.5: a test of recovery every quarter", gt=0)
    copies: int = threshold(3, "3-2-1-1-0: three copies, the live data among them", ge=1)
    media: int = threshold(2, "3-2-1-1-0: two media or failure domains", ge=1)
    offsite: int = threshold(1, "3-2-1-1-0: one copy elsewhere", ge=0)
    immutable: int = threshold(1, "3-2-1-1-0: one copy that nobody can change, or offline", ge=0)
    encryption_required: bool = threshold(True, "CIS 11.3, NIS2: backups are protected like the data")
    key_escrow_max_days: float = threshold(365.0, "House: a key is tried once a year", gt=0)
    offline_max_days: float = threshold(35.0, "House: an offline medium is changed monthly", gt=0)
    full_watch_days: float = threshold(30.0, "House; as for disks", gt=0)
    full_crit_days: float = threshold(7.0, "House; as for disks", gt=0)


def waived(policy: Policy) -> bool:
    """True when the policy says with a reason that the host needs no backup."""
    return not policy.required and bool(policy.not_required_reason)


def rpo_s(known: KnownDataset, policy: Policy) -> float:
    """How old the data may be, in seconds: what the dataset says, else the policy."""
    return (known.dataset.rpo_hours or policy.rpo_hours) * HOUR


@dataclass
class Notes:
    """What stands against a dataset in one of its verdicts; in the end it is one verdict."""

    known: KnownDataset
    expected: str
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, state: State, observed: str, summary: str, **more: t.Any) -> None:
        """Note one thing; the summary becomes a sentence."""
        summary = _sentence(summary)
        self.verdicts.append(Verdict(state, self.known.dataset.id, observed, self.expected, summary, **more))

    def verdict(self, fine: str, **numbers: t.Any) -> Verdict:
        """Return the worst of what was noted, with the sentences of the rest; or that all is well."""
        if not self.verdicts:
            return Verdict("ok", self.known.dataset.id, fine, self.expected, data=numbers)
        ordered = sorted(self.verdicts, key=lambda entry: -SEVERITY.index(entry.state))
        lead, rest = ordered[0], len(ordered) - 1
        return Verdict(
            lead.state,
            lead.object,
            lead.observed + (f" (and {rest} more)" if rest else ""),
            lead.expected,
            " ".join(entry.summary for entry in ordered[:4]),
            lead.advice,
            lead.command,
            lead.since,
            lead.age_basis,
            lead.deadline,
            {**numbers, **{name: value for entry in reversed(ordered) for name, value in entry.data.items()}},
        )


def trouble(known: KnownDataset, now: float, policy: Policy, name: str) -> Verdict | None:
    """Return the verdict ``name`` of a dataset at which nobody could look, or None when it can be judged.

    A cause is a finding where it belongs; the other verdicts are unknown, and say why.
    """
    dataset = known.dataset
    expected = "a look at the repository"
    if known.look is None or known.looked_at is None:
        return Verdict(
            "unknown",
            dataset.id,
            "not looked at yet",
            expected,
            f"Nobody has looked at {dataset.protects} yet.",
            "Run playbooks/backup_verify.yml.",
        )
    status = known.look.status
    if status == "ok":
        age = now - known.looked_at
        if age <= policy.look_max_hours * HOUR or name not in ("freshness", "completeness"):
            return None
        text = f"last looked at {duration_text(age)} ago"
        return Verdict(
            "unknown", dataset.id, text, expected, f"The repository was {text}.", "Run playbooks/backup_verify.yml."
        )
    if status in _PROOFS_HOLD and name in ("integrity", "restorability"):
        return None
    place, state = _NAMED.get(status, ("", "unknown"))
    detail = f" {known.look.detail}" if known.look.detail else ""
    return Verdict(
        state if place == name else "unknown",
        dataset.id,
        status.replace("_", " "),
        expected,
        f"{_sentence(dataset.protects)}: {_SENTENCES[status]}{detail}",
        _ADVICE[status],
        data={"cause": status},
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def gate(backups: Sequence[KnownDataset], policy: Policy, now: float, max_days: float | None = None) -> proof.Decision:
    """Return whether a host's backups are proven by the policy; ``max_days`` may ask for a younger (or older) proof."""
    days = policy.restore_max_days if max_days is None else max_days
    return proof.decide(backups, lambda known: rpo_s(known, policy), days, policy.look_max_hours * HOUR, now)
