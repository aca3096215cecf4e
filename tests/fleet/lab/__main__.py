"""`make lab-up` and `make lab-down`: the lab for people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import hosts, images, needs, podman

PROJECT = Path(__file__).parents[3]
NAME = "up"
DEFAULT = ("debian-11", "debian-12", "debian-13", "el9-emulation", "suse-emulation")


def main(arguments: Sequence[str]) -> int:
    """Start or remove the lab; return the exit code."""
    parser = argparse.ArgumentParser(prog="make lab-up, make lab-down")
    parser.add_argument("--name", default=NAME, help="of the lab, where there are to be several beside each other")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start hosts, replacing those of a former lab-up")
    up.add_argument(
        "kinds",
        nargs="*",
        default=DEFAULT,
        metavar="KIND[=COUNT]",
        help="for example debian-12=5 el9-emulation; kinds: " + ", ".join(images.KINDS),
    )
    down = verbs.add_parser("down", help="remove the hosts")
    down.add_argument("--images", action="store_true", help="remove the images as well: the next lab-up builds them")
    chosen = parser.parse_args(arguments)
    lacking = needs.missing()
    if lacking:
        print(f"This machine cannot run it: {lacking}.", file=sys.stderr)
        return 2
    try:
        return _up(chosen.name, chosen.kinds) if chosen.verb == "up" else _down(chosen.name, chosen.images)
    except (podman.LabError, ValueError) as exc:
        print(exc, file=sys.stderr)
        return 2


def wanted(words: Sequence[str]) -> list[hosts.Wanted]:
    """Return the hosts that words like ``debian-12=3`` ask for. Raise ValueError naming the word otherwise."""
    found = []
    for word in words:
        kind, _equals, count = word.partition("=")
        if kind not in images.KINDS:
            raise ValueError(f"{word}: there is no kind {kind!r}; there are {', '.join(images.KINDS)}.")
        if count and not count.isdecimal():
            raise ValueError(f"{word}: {count!r} is not a number of hosts.")
        for number in range(1, int(count or 1) + 1):
            found.append(hosts.Wanted(f"{kind}-{number}" if count else kind, kind))
    return found


def _up(name: str, words: Sequence[str]) -> int:
    asked = wanted(words)
    changed = needs.prepare()
    if changed:
        print(changed)
    lab = hosts.prepare(PROJECT / ".lab", name, {entry.kind for entry in asked})
    lab.start(asked)
    lab.write_inventory()
    print(f"{len(asked)} hosts are up: {', '.join(lab.hosts)}")
    where = "inventories/lab" if name == NAME else f"<an inventory script that prints .lab/{name}/inventory.json>"
    print(f"Use them:    ansible-playbook playbooks/assess.yml -i {where}")
    print("Look inside: podman exec -it " + next(iter(lab.hosts.values())).container + " bash")
    print("Remove them: make lab-down" if name == NAME else f"Remove them: python -m lab --name {name} down")
    return 0


def _down(name: str, with_images: bool) -> int:
    removed = podman.containers(f"{hosts.PREFIX}{name}-")
    podman.remove(removed)
    for file in ("known_hosts", "inventory.json"):
        (PROJECT / ".lab" / name / file).unlink(missing_ok=True)
    print(f"Removed: {', '.join(removed) or 'nothing, no host was up'}")
    if with_images:
        tags = podman.podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        mine = [tag for tag in tags if tag.startswith(images.PREFIX + "/")]
        if mine:
            podman.podman("image", "rm", "--force", *mine)
        print(f"Images removed: {len(mine)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
