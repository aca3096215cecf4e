# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a run did and would do, as run.json tells it: in short, all else stays beside it.

Pure; runs on the control node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof, Verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import BackupTest, PlannedPackage, PlanSummary

# After these a person has to look, in the order in which they are told.
ASKING: tuple[Outcome, ...] = (*BAD, "running", "refused")
# A plan can hold hundreds of updates, and a run thousands of plans.
PACKAGES_SHOWN = 25


def plans(found: Iterable[Plan]) -> list[PlanSummary]:
    """Return the plans of a run in short, by host."""
    return sorted((plan(entry) for entry in found), key=lambda entry: entry.host)


def plan(whole: Plan) -> PlanSummary:
    """Return one plan in short."""
    return PlanSummary(
        host=whole.host,
        ring=whole.ring,
        lane=whole.lane,
        plan_hash=whole.plan_hash,
        items=dict(sorted(Counter(item.update_class for item in whole.items).items())),
        packages=[
            PlannedPackage(
                name=item.name,
                installed=item.installed,
                version=item.version,
                update_class=item.update_class,
                title=item.title,
                update_id=item.update_id,
            )
            for item in whole.items[:PACKAGES_SHOWN]
        ],
        moves=len(whole.transaction),
        cves=len({cve for item in whole.items for cve in item.cves}),
        withheld=dict(sorted(Counter(entry.code for entry in whole.withheld).items())),
        reboot=whole.reboot.expected,
        reboot_text=whole.reboot.text,
        reboot_left=whole.reboot.left,
        services=len(whole.services),
        download_bytes=whole.download_bytes,
        rollback=whole.rollback.possible,
        ready=whole.ready,
        obstacles=[
            f"{fact.name}: {fact.observed}" + (f" ({fact.expected})" if fact.expected else "")
            for fact in whole.preflight
            if not fact.passed
        ],
        doubts=whole.doubts,
    )


def changes(found: Iterable[ChangeRecord]) -> list[ChangeRecord]:
    """Return the changes of a run by host; the package manager's own words only where they are needed."""
    kept = [
        record if record.outcome in (*BAD, "running") else record.model_copy(update={"log": ""}) for record in found
    ]
    return sorted(kept, key=lambda record: (record.host, record.chore))


def backup_tests(found: Iterable[Verification]) -> list[BackupTest]:
    """Return the tests of backups that a run did, by host and dataset."""
    tests = [_backup_test(document, proof) for document in found for proof in document.proofs]
    return sorted(tests, key=lambda test: (test.host, test.dataset, test.at, test.kind))


def _backup_test(document: Verification, proof: Proof) -> BackupTest:
    good = sum(query.ok for query in proof.queries)
    canary = proof.canary is not None and proof.canary.outcome != "proven"
    return BackupTest(
        host=document.host,
        dataset=document.dataset,
        verifier=document.verifier,
        kind=proof.kind,
        at=iso(proof.at),
        outcome=proof.outcome,
        code=proof.code,
        text=proof.text,
        snapshot_at=None if proof.snapshot_time is None else iso(proof.snapshot_time),
        files=proof.files,
        bytes=proof.bytes,
        seconds=proof.seconds,
        compared=proof.identical + good,
        changed=proof.changed,
        wrong=len(proof.mismatches) + len(proof.missing) + len(proof.queries) - good + canary,
        left=proof.left,
    )


def outcomes(found: Iterable[ChangeRecord]) -> dict[str, int]:
    """Return how many changes ended how."""
    return dict(sorted(Counter(record.outcome for record in found).items()))


def asking(found: Iterable[ChangeRecord]) -> list[ChangeRecord]:
    """Return the changes after which a person has to look, what failed first."""
    wanted = [record for record in found if record.outcome in ASKING]
    return sorted(wanted, key=lambda record: (ASKING.index(record.outcome), record.host))
