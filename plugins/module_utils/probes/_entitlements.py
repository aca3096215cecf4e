# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: extended support that a host can be seen to have (part of the system probe).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import re


def collect(machine):
    """Extended support that this host can be seen to have: {"kind", "active", "expires", "source"}.

    ``active`` is None when nothing on the host tells; kinds are ``ubuntu_pro debian_elts sles_ltss rhel_els``.
    """
    checks = (_ubuntu_pro, _debian_elts, _sles_ltss, _rhel_els)
    seen = [found for found in (check(machine) for check in checks) if found]
    active = [found for found in seen if found["active"]]
    nothing = {"kind": None, "active": None, "expires": None, "source": None}
    return (active or seen or [nothing])[0]


def _ubuntu_pro(machine):
    # The client keeps its answer in a file that everybody may read. The client itself is not asked: it goes to its
    # maker's servers and writes a log. What it switches on is a package source.
    source = "/var/lib/ubuntu-advantage/status.json"
    text = machine.read(source)
    if not text:
        enabled = machine.glob("/etc/apt/sources.list.d/ubuntu-esm-infra.*")
        if not enabled:
            return None
        return {"kind": "ubuntu_pro", "active": True, "expires": None, "source": enabled[0]}
    try:
        status = parse_pro_status(text)
    except ValueError as exc:
        machine.note(source, "error", str(exc))
        return {"kind": "ubuntu_pro", "active": None, "expires": None, "source": source}
    return {"kind": "ubuntu_pro", "active": status["esm_infra"], "expires": status["expires"], "source": source}


def parse_pro_status(text):
    """Parse ``pro status --format json``: {"attached", "esm_infra", "expires"}; raises ValueError."""
    try:
        document = json.loads(text)
        services = dict((service["name"], service.get("status")) for service in document.get("services") or [])
        attached = bool(document["attached"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ValueError("pro status: not the expected JSON: %r" % text[:120]) from exc
    return {
        "attached": attached,
        "esm_infra": attached and services.get("esm-infra") == "enabled",
        "expires": document.get("expires") if attached else None,
    }


def _debian_elts(machine):
    paths = ["/etc/apt/sources.list"]
    paths += machine.glob("/etc/apt/sources.list.d/*.list") + machine.glob("/etc/apt/sources.list.d/*.sources")
    for path in paths:
        for line in (machine.read(path) or "").splitlines():
            if not line.lstrip().startswith("#") and "freexian.com/extended-lts" in line:
                return {"kind": "debian_elts", "active": True, "expires": None, "source": path}
    return None


def _sles_ltss(machine):
    # Every registered product leaves a file there, named after the product.
    for path in machine.glob("/etc/products.d/*LTSS*.prod"):
        return {"kind": "sles_ltss", "active": True, "expires": None, "source": path}
    return None


def _rhel_els(machine):
    path = "/etc/yum.repos.d/redhat.repo"
    text = machine.read(path)
    if text is None:
        return None
    enabled = [name for name, on in parse_repositories(text) if on]
    active = any(re.search(r"-els-|-els$", name) for name in enabled)
    return {"kind": "rhel_els", "active": active, "expires": None, "source": path}


def parse_repositories(text):
    """(name, enabled) of every repository in a yum repository file; a repository is on unless ``enabled`` says 0."""
    found = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            found.append([line[1:-1], True])
        elif found and re.match(r"enabled\s*=", line):
            found[-1][1] = line.split("=", 1)[1].strip() not in ("0", "false", "no")
    return [tuple(entry) for entry in found]
