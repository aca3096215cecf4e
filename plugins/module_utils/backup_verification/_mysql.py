# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a MariaDB or MySQL server that is thrown away.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _server
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._streams import Unable

SERVERS = ("mariadbd", "mysqld")
INSTALLERS = ("mariadb-install-db", "mysql_install_db")
CLIENTS = ("mariadb", "mysql")
# Nothing that would reach out, run by itself, or read and write files because a dump says so. What one of the two does
# not know has "loose" before it.
_SETTINGS = (
    "--skip-networking",
    "--event-scheduler=OFF",
    "--local-infile=OFF",
    "--skip-symbolic-links",
    "--skip-log-bin",
    "--loose-skip-slave-start",
    "--loose-skip-replica-start",
    "--loose-mysqlx=OFF",
    "--max-allowed-packet=1G",
)
_APPARMOR = "/sys/kernel/security/apparmor/profiles"


class Mysql(_server.Server):
    """MariaDB or MySQL by itself."""

    SOCKET = "sock"

    def __init__(self, tools, options, target):
        super(Mysql, self).__init__(tools, options, target)
        self._server = self._found(SERVERS)
        self._client = self._found(CLIENTS)
        self._installer = self._found(INSTALLERS)
        if not self._server or not self._client:
            raise Unable(
                "No MariaDB or MySQL server is installed here to restore into (package mariadb-server; see options.bin"
                " for one that lies elsewhere)."
            )

    def _found(self, names):
        """Path of the first of these programs, in the folder that an option names or on the host's own path."""
        folder = self.options.get("bin")
        paths = [self.machine.which(os.path.join(folder, name) if folder else name) for name in names]
        return next((path for path in paths if path), None)

    def install(self):
        if self._installer:
            argv = [self._installer, "--no-defaults", "--datadir=" + self.data, "--skip-test-db"]
            argv += ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        else:
            argv = [self._server, "--no-defaults", "--initialize-insecure", "--datadir=" + self.data]
        self.made(self.run(argv), os.path.basename(argv[0]))

    def argv(self):
        places = {
            "datadir": self.data,
            "socket": os.path.join(self.folder, self.SOCKET),
            "pid-file": os.path.join(self.folder, "pid"),
            "tmpdir": self.folder,
            "secure-file-priv": self.folder,
        }
        return [self._server, "--no-defaults"] + ["--%s=%s" % item for item in sorted(places.items())] + list(_SETTINGS)

    def is_ready(self):
        return self.run(self.client(None, "-e", "SELECT 1"), timeout=10).rc == 0

    def client(self, database, *words):
        """A client's command; of its own commands it takes only DELIMITER from a dump."""
        socket = "--socket=" + os.path.join(self.folder, self.SOCKET)
        options = ["--no-defaults", socket, "--user=root", "--binary-mode", "--max-allowed-packet=1G", "--batch"]
        options += ["--skip-column-names", "--default-character-set=utf8mb4", "--skip-local-infile"]
        return [self._client] + options + list(words) + ([database] if database else [])

    def hint(self):
        """Whether the system lets the server write to its usual places only (Ubuntu)."""
        for line in (self.machine.read(_APPARMOR) or "").splitlines():
            if line.startswith(self._server + " ") and "(enforce)" in line:
                return " (AppArmor confines %s to its usual folders; verify on another host)" % self._server
        return ""


class Open(Mysql):
    """The same server without accounts: a dump of the accounts may have replaced them."""

    def argv(self):
        return super(Open, self).argv() + ["--skip-grant-tables"]
