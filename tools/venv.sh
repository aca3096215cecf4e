#!/bin/sh
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Usage: tools/venv.sh <requirements file>
#
# Make the project's .venv and install what the file asks for. Does nothing, in a blink, when that was done before.

set -eu
cd "$(dirname "$0")/.."
wanted=$1

# Two makes at once must not install into one environment; the lock ends with this process.
if command -v flock >/dev/null 2>&1; then
    exec 9<Makefile
    flock 9
fi

# Its programs name its path, so an environment that was copied or moved is as good as none.
works() {
    place=$(cd .venv 2>/dev/null && pwd -P) || return 1
    grep -qF "$place/bin/python" .venv/bin/pip 2>/dev/null && .venv/bin/python -c 'import pip' 2>/dev/null
}
fingerprint() { cat requirements.txt "$1" | cksum; }
stamp() { echo ".venv/.installed-$1"; }

if works; then
    [ "$(cat "$(stamp "$wanted")" 2>/dev/null)" = "$(fingerprint "$wanted")" ] && exit 0
else
    if [ -e .venv ] && [ ! -e .venv/pyvenv.cfg ]; then
        echo ".venv is there and is no Python environment. Move it away, then try again." >&2
        exit 1
    fi
    python=$(tools/find_python.sh)
    echo "Making .venv" >&2
    rm -rf .venv
    "$python" -m venv .venv
fi

echo "Installing $wanted into .venv (about a minute the first time)" >&2
# Not compiled ahead: of the thousands of files of the Ansible collections few are ever read.
if ! .venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -r "$wanted"; then
    echo "pip could not install $wanted; what it said stands above. Is the package index reachable (proxy, pip.conf)?" >&2
    exit 1
fi
fingerprint "$wanted" >"$(stamp "$wanted")"
# The development packages include the others.
fingerprint requirements.txt >"$(stamp requirements.txt)"
