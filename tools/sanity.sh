#!/bin/sh
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Usage: tools/sanity.sh [options of ansible-test sanity, as --test validate-modules]
#
# Run ansible-test sanity on a copy of the last commit: through the links of the work tree it finds no file and is
# content with that. Nothing is downloaded but what pip gets from the configured index.
#
# Left out, because they cannot tell anything here:
#   pslint      needs pwsh; ansible-test would pass it over in silence
#   shellcheck  the collection ships no shell script
#   import      of control-node plugins, which may use libraries that ansible-test's bare environment lacks: mypy and
#               the unit tests import them. What runs on hosts is imported: it must need nothing.

set -eu
cd "$(dirname "$0")/.."
project=$PWD

changed=$(git status --porcelain | wc -l)
[ "$changed" -eq 0 ] || echo "Looking at the last commit, not at $changed changed files" >&2

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
fleet=$copy/ansible_collections/keepwell/fleet
mkdir -p "$fleet"
# What is published, and the exceptions from the rules. ansible-test reads PowerShell only through pwsh, and takes the line
# ends of spreadsheets in the gallery for mistakes.
git archive HEAD -- . ':!.ci' ':!.config' ':!.github' ':!collections' ':!docs/gallery' ':!tests/unit' ':!tests/integration' ':!tests/windows' ':!tests/conftest.py' ':!tools' |
    tar -x -C "$fleet" --exclude='*.ps1' --exclude='*.psm1'

# A home of its own keeps ansible-test's downloads and environments out of the user's; pip's settings stay the user's.
home=$project/.venv/sanity
mkdir -p "$home/.ansible/test/cache"
for settings in .config .pip .cache; do
    [ ! -e "$HOME/$settings" ] || ln -sfn "$HOME/$settings" "$home/$settings"
done
# It wants to download get-pip.py from its makers' server, in the version that its source names.
source=$(.venv/bin/python -c 'import ansible_test; print(ansible_test.__path__[0])')/_internal/python_requirements.py
for version in $(sed -n "s/.*pip='\([0-9.]*\)'.*/\1/p" "$source" | tr . _); do
    cp tools/get_pip_offline.py "$home/.ansible/test/cache/get_pip_$version.py"
done
export HOME="$home" PATH="$project/.venv/bin:$PATH"
unset ANSIBLE_CONFIG

cd "$fleet"
# The control node's Python alone: what else answers to python3.x here need not be one that runs.
python=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
sanity() { ansible-test sanity --color no --python "$python" "$@"; }
if [ $# -gt 0 ]; then
    sanity "$@"
else
    failed=0
    sanity --skip-test pslint --skip-test shellcheck --skip-test import || failed=1
    sanity --test import plugins/modules/ plugins/module_utils/ || failed=1
    exit "$failed"
fi
