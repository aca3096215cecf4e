#!/bin/sh
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Print the path of the newest Python that the project's environment can be made with; say on stderr what was tried.
# A name on PATH proves nothing (a version manager's shim may lead nowhere, a distribution may have split venv off),
# so every candidate is run before it is believed.  PYTHON=<path> tries that one alone.

try='
import sys
if sys.version_info < (3, 11):
    sys.exit("is Python %d.%d, and 3.11 is needed" % sys.version_info[:2])
try:
    import ensurepip, venv
except ImportError as exc:
    sys.exit("lacks %s (Debian and Ubuntu: package python3-venv)" % exc.name)
print("%d.%d.%d" % sys.version_info[:3])
print(getattr(sys, "_base_executable", None) or sys.executable)
'

usable() {
    command -v "$1" >/dev/null 2>&1 || return 1
    if answer=$("$1" -c "$try" 2>&1 </dev/null); then
        path=$(printf '%s\n' "$answer" | sed -n 2p)
        [ -x "$path" ] || return 1
        echo "Taking Python $(printf '%s\n' "$answer" | sed -n 1p): $path" >&2
        printf '%s\n' "$path"
    else
        echo "Passing over $1: $(printf '%s\n' "$answer" | sed -n 1p)" >&2
        return 1
    fi
}

if [ -n "$PYTHON" ]; then
    usable "$PYTHON" && exit 0
    echo "PYTHON=$PYTHON cannot be used. Give the path of a Python 3.11 or newer with venv, or leave PYTHON out." >&2
    exit 1
fi
for candidate in python3.14 python3.13 python3.12 python3.11 python3 \
    /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3; do
    usable "$candidate" && exit 0
done
echo "No usable Python was found: Keepwell needs 3.11 or newer with venv on the control node." >&2
echo "On Debian 12, Ubuntu 24.04 and newer: apt-get install python3 python3-venv" >&2
exit 1
