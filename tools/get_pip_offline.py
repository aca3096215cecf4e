# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand in for the get-pip.py that ansible-test downloads: Python's own pip, then the versions that were asked for."""

import subprocess
import sys

if __name__ == "__main__":
    packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    for module in (["ensurepip", "--default-pip"], ["pip", "install", "--disable-pip-version-check", *packages]):
        subprocess.run([sys.executable, "-m", *module], stdout=subprocess.DEVNULL, check=True)
