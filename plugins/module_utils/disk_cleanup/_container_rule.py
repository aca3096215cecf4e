# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: container images and build caches that nothing uses, by docker and podman themselves.

Only ``image prune`` and ``builder prune`` are ever called: volumes and containers are nobody's leftovers.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import os
import re

AGE_HOURS = 168
# Older ones do not know the filter, or take more than they are told to.
_LEAST = {"docker": (20, 10), "podman": (4, 0)}
_KUBERNETES = ("/etc/kubernetes/kubelet.conf", "/var/lib/kubelet", "/run/k3s", "/run/flannel")
_UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"^\s*([\d.]+)\s*([kKMGT]?B)")
_KINDS = {"container_images": "Images", "container_build_cache": "Build Cache"}
_IMAGES = ("image", "prune", "--all", "--force", "--filter", "until=%dh" % AGE_HOURS)
_CACHE = ("builder", "prune", "--force", "--filter", "until=%dh" % AGE_HOURS)


def look(machine, rule):
    """[{"program", "argv", "root", "bytes", "count", "note"}]; ``argv`` is empty where nothing may be done."""
    node = next((path for path in _KUBERNETES if machine.exists(path)), None)
    found = []
    for program in ("docker", "podman"):
        if machine.which(program) is None or (rule == "container_build_cache" and program == "podman"):
            continue
        entry = {"program": program, "argv": [], "root": "", "bytes": 0, "count": 0, "note": ""}
        if node:
            found.append(dict(entry, note="%s: left to the kubelet, this is a Kubernetes node (%s)" % (program, node)))
            continue
        found.append(_judged(machine, program, rule, entry))
    return found


def _judged(machine, program, rule, entry):
    version = _version(machine, program)
    if version is None:
        return dict(entry, note="%s does not answer" % program)
    if version[:2] < _LEAST[program]:
        least = ".".join(str(part) for part in _LEAST[program])
        return dict(entry, note="%s %d.%d is older than %s" % (program, version[0], version[1], least))
    root = _root(machine, program)
    if not root:
        return dict(entry, note="%s does not say where its images are" % program)
    size, count = _reclaimable(machine, program, _KINDS[rule])
    argv = [program] + list(_IMAGES if rule == "container_images" else _CACHE)
    note = "%s: %d bytes is the most, by %s itself; images younger than %d hours stay" % (
        program, size, program, AGE_HOURS,
    )  # fmt: skip
    return dict(entry, argv=argv if size else [], root=root, bytes=size, count=count, note=note if size else "")


def prune(commands, entry):
    """Let the program clean up; return "" or what went wrong."""
    done = commands.run(entry["argv"])
    if done.rc == 0:
        return ""
    return "%s ended with %s: %s" % (" ".join(entry["argv"][:3]), done.rc, " ".join(done.err.split())[-200:])


def unused(machine, entry, rule):
    """How many images or caches nothing uses now."""
    return _reclaimable(machine, entry["program"], _KINDS[rule])[1]


def _version(machine, program):
    field = "{{.Server.Version}}" if program == "docker" else "{{.Client.Version}}"
    output = machine.run([program, "version", "--format", field], timeout=10)
    match = re.match(r"\s*(\d+)\.(\d+)", output.out) if output.ok else None
    return (int(match.group(1)), int(match.group(2))) if match else None


def _root(machine, program):
    field = "{{.DockerRootDir}}" if program == "docker" else "{{.Store.GraphRoot}}"
    output = machine.run([program, "info", "--format", field], timeout=10)
    path = output.out.strip() if output.ok else ""
    return path if path.startswith("/") and os.path.isdir(path) else ""


def _reclaimable(machine, program, kind):
    """(bytes, number) that ``system df`` calls reclaimable; (0, 0) when it does not say."""
    output = machine.run([program, "system", "df", "--format", "{{json .}}"], timeout=60)
    if not output.ok:
        return 0, 0
    for line in output.lines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and row.get("Type") == kind:
            unused = max(0, _number(row.get("TotalCount", row.get("Total"))) - _number(row.get("Active")))
            return parse_size(row.get("Reclaimable")), unused
    return 0, 0


def _number(value):
    return int(value) if str(value).isdigit() else 0


def parse_size(text):
    """Bytes of docker's and podman's ``1.2GB (45%)``; numbers are bytes."""
    if isinstance(text, (int, float)):
        return int(text)
    match = _SIZE.match(text or "")
    return int(float(match.group(1)) * _UNITS[match.group(2)]) if match else 0
