# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: all rules, one after the other: seen beforehand, or carried out. It is one function.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _jobs
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account,
    _bases,
    _command_rules,
    _engine,
    _file_rules,
    _open_files,
    _rules,
    _space,
    _units,
)

TERMS = {
    "log_days": 90,
    "log_retention_days": 90,
    "package_keep_days": 14,
    "crash_keep": 2,
    "gap_percent": 20,
}


def request_of(request):
    """The request with everything in it, checked. Raises AgentError for what cannot be done, whoever asks."""
    _jobs.require(request, ("rules", "filesystems"))
    terms = dict(TERMS, **request.get("terms") or {})
    for name in request["rules"]:
        rule = _rules.by_id(name)
        if rule is None:
            raise AgentError("unknown_rule", "There is no cleanup rule %r." % (name,))
        if rule.default == "off":
            raise AgentError("rule_off", "The rule %s is never carried out: %s" % (name, rule.guard))
    if set(request["rules"]) & {"journal", "rotated_logs"}:
        _file_rules.check_terms(terms)
    return dict(request, terms=terms, budget=dict(request.get("budget") or {}))


def sweep(machine, request, act, now, commands=None, tell=None):
    """Go through the rules of a request; return {"filesystems", "rules", "reports"}.

    ``act`` false sees what would be done. ``tell(documents)`` hears of each rule, before a crash dump goes and when a
    rule is through; ``commands`` run programs and are needed for acting alone.
    """
    tell = tell or (lambda documents: None)
    request = request_of(request)
    targets = _space.targets(request["filesystems"])
    budget = _budget(request["budget"])
    opened = _open_files.OpenFiles()
    mounts = sorted(set(target.mount for target in targets.values()))
    before = dict((mount, _space.measure(mount)) for mount in mounts)
    paces = dict((mount, [_space.pace(mount)] if act else []) for mount in mounts)
    accounts = []
    for rule in _rules.RULES:
        if rule.id not in request["rules"]:
            continue
        if act:
            _space.renew(targets)
        if act and rule.id == "crash_data":
            # Evidence first: what is about to go is written down before it goes.
            seen = _files(machine, rule, request, False, now, opened, _copy(budget), _copies(targets))
            tell([entry.document() for entry in accounts + [seen]])
        if rule.how == "files":
            account = _files(machine, rule, request, act, now, opened, budget, targets)
        else:
            account = _command_rules.run(machine, rule, act, targets, budget, commands)
        accounts.append(account)
        tell([entry.document() for entry in accounts])
    documents = [entry.document() for entry in accounts]
    filesystems = [
        _filesystem(machine, mount, before[mount], paces[mount], accounts, request, act, opened) for mount in mounts
    ]
    reports = [] if act else _command_rules.reports(machine)
    return {"filesystems": filesystems, "rules": documents, "reports": reports}


def _files(machine, rule, request, act, now, opened, budget, targets):
    account = _account.Account(rule.id)
    walks, notes = _file_rules.plan(machine, rule.id, request["terms"], now)
    account.notes += notes
    for path, selector in walks:
        _bases.check(path)
        kind = _units.UnitWalk if isinstance(selector, _file_rules.Crashes) else _engine.Walk
        kind(act, opened, budget, account, selector, targets).run(path)
    if account.files and not opened.complete:
        account.notes.append("not every process could be asked for its open files")
    return account


def _budget(asked):
    return _account.Budget(asked.get("files"), asked.get("bytes"), asked.get("seconds"))


def _copy(budget):
    twin = _account.Budget(budget.files, budget.size)
    twin.end = budget.end
    return twin


def _copies(targets):
    twins = {}
    for target in set(targets.values()):
        twins[target.mount] = _account.Target(
            target.mount, target.dev, target.avail_bytes, target.wanted_bytes, target.inodes_free, target.wanted_inodes
        )
    return dict((device, twins[target.mount]) for device, target in targets.items())


def _filesystem(machine, mount, before, paces, accounts, request, act, opened):
    """What was expected of a filesystem, and what came of it."""
    predicted = sum(account.by_mount.get(mount, 0) for account in accounts)
    asked = next(entry for entry in request["filesystems"] if entry["mount"] == mount)
    document = {
        "mount": mount,
        "size_bytes": before["size_bytes"],
        "target_percent": asked.get("target_percent"),
        "avail_before_bytes": before["avail_bytes"],
        "inodes_free_before": before["inodes_free"],
        "predicted_bytes": predicted,
        "avail_after_bytes": None,
        "inodes_free_after": None,
        "actual_bytes": None,
        "gap_bytes": None,
        "explained": True,
        "reasons": [],
    }
    if not act:
        return document
    after = _space.settled(mount, before, predicted)
    paces = paces + [_space.pace(mount)]
    still_open = _still_open(mount, accounts, opened)
    snapshot_count = _space.snapshots(machine, mount)
    document.update(
        _space.explain(predicted, before, after, paces, still_open, snapshot_count, request["terms"]["gap_percent"]),
        avail_after_bytes=after["avail_bytes"],
        inodes_free_after=after["inodes_free"],
    )
    return document


def _still_open(mount, accounts, opened):
    """Bytes of deleted files that somebody opened between the last look and their end."""
    device = os.stat(mount).st_dev
    opened.look()
    return sum(
        size
        for account in accounts
        for (dev, ino), size in account.inodes.items()
        if dev == device and opened.holds_deleted(dev, ino)
    )
