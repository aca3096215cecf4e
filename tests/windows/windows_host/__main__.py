"""``python -m windows_host up 3``: simulated hosts to try things on, and an inventory of them."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import typing as t
from pathlib import Path

# Models make use of the collection, as pytest lets them.
sys.path.insert(0, str(Path(__file__).parents[3] / "collections"))

from windows_host.state import VERSIONS
from windows_host.world import TRANSPORTS, running, several


def main(arguments: t.Sequence[str] | None = None) -> None:
    """Start hosts and wait for Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m windows_host", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start hosts until Ctrl-C")
    up.add_argument("count", type=int, nargs="?", default=1)
    up.add_argument("--transport", choices=TRANSPORTS, default="psrp")
    up.add_argument("--version", choices=list(VERSIONS), action="append", help="may be given more than once")
    up.add_argument("--inventory", type=Path, default=Path("windows-hosts.yml"), help="where to write the inventory")
    told = parser.parse_args(arguments)
    with running(*several(told.count, versions=told.version or list(VERSIONS))) as world:
        hosts = world.inventory(told.transport)
        told.inventory.write_text(json.dumps({"all": {"hosts": hosts}}, indent=1) + "\n")
        print(f"{len(hosts)} hosts on port {world.http_port} (HTTP) and {world.https_port} (HTTPS).", flush=True)
        print(f"ansible all -i {told.inventory} -m ansible.windows.win_ping", flush=True)
        # Whoever starts it in the background of a shell has it ignore interrupts, and could not end it in good order.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            for problem in world.problems():
                print(problem)
        finally:
            told.inventory.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
