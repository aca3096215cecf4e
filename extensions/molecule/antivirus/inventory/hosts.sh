#!/bin/sh
# The hosts of this scenario, as the lab wrote them down; none before they are created. Ansible runs this with --list.
folder=$(cd "$(dirname "$0")/.." && pwd)
made="$folder/../../../.lab/molecule-$(basename "$folder")/inventory.json"
if [ -e "$made" ]; then
    exec cat "$made"
fi
echo '{"_meta": {"hostvars": {}}}'
