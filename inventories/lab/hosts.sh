#!/bin/sh
# The hosts that `make lab-up` has started, as it wrote them down. Ansible runs this with --list.
made="$(dirname "$0")/../../.lab/up/inventory.json"
if [ ! -e "$made" ]; then
    echo "The lab is not up. Start it: make lab-up" >&2
    exit 1
fi
exec cat "$made"
