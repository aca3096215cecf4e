# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: where a host keeps the certificates it shows to others.

Places named in the configuration of servers, and folders made for certificates. Bundles of authorities and private
keys are passed by. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

CONFIGURATION_CAP = 300
# (user of the certificate, shell patterns of its configuration, folder that relative paths start from)
CONFIGURATIONS = (
    ("nginx", ("/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*",
               "/etc/nginx/snippets/*.conf"), "/etc/nginx"),
    ("apache", ("/etc/apache2/apache2.conf", "/etc/apache2/conf-enabled/*.conf", "/etc/apache2/sites-enabled/*",
                "/etc/apache2/vhosts.d/*.conf"), "/etc/apache2"),
    ("apache", ("/etc/httpd/conf/httpd.conf", "/etc/httpd/conf.d/*.conf"), "/etc/httpd"),
    ("postfix", ("/etc/postfix/main.cf",), "/etc/postfix"),
    ("dovecot", ("/etc/dovecot/dovecot.conf", "/etc/dovecot/local.conf", "/etc/dovecot/conf.d/*.conf"), "/etc/dovecot"),
    ("haproxy", ("/etc/haproxy/haproxy.cfg", "/etc/haproxy/conf.d/*.cfg"), "/etc/haproxy"),
    ("mysql", ("/etc/my.cnf", "/etc/mysql/my.cnf", "/etc/my.cnf.d/*.cnf", "/etc/mysql/*.d/*.cnf"), "/var/lib/mysql"),
    ("postgresql", ("/etc/postgresql/*/*/postgresql.conf", "/var/lib/pgsql/data/postgresql.conf",
                    "/var/lib/pgsql/*/data/postgresql.conf"), None),
)  # fmt: skip
PATTERNS = {
    "nginx": r"^\s*ssl_certificate\s+([^;]+);",
    "apache": r"^\s*SSLCertificate(?:Chain)?File\s+(\S.*)$",
    "postfix": r"^(?:smtpd_tls_cert_file|smtpd_tls_chain_files)\s*=\s*(.+)$",
    "dovecot": r"^\s*(?:ssl_cert\s*=\s*<|ssl_server_cert_file\s*=\s*)(\S.*)$",
    "haproxy": r"^[^#\n]*\bcrt\s+(\S+)",
    "mysql": r"^\s*ssl[-_]cert\s*=\s*(\S.*)$",
    "postgresql": r"^\s*ssl_cert_file\s*=\s*(\S.*)$",
}
# Folders whose certificate files are looked at whether or not a configuration names them.
FOLDERS = (
    ("letsencrypt", "/etc/letsencrypt/live/*/fullchain.pem"),
    ("letsencrypt", "/etc/letsencrypt/live/*/cert.pem"),
    ("", "/var/lib/dehydrated/certs/*/fullchain.pem"),
    ("", "/etc/nginx/*.*"),
    ("", "/etc/nginx/ssl/*"),
    ("", "/etc/nginx/certs/*"),
    ("", "/etc/apache2/ssl/*"),
    ("", "/etc/httpd/ssl/*"),
    ("", "/etc/postfix/*.*"),
    ("", "/etc/postfix/ssl/*"),
    ("", "/etc/dovecot/private/*"),
    ("", "/etc/dovecot/ssl/*"),
    ("", "/etc/haproxy/certs/*"),
    ("", "/etc/haproxy/ssl/*"),
    ("", "/etc/ssl/*.*"),
    ("", "/etc/pki/tls/certs/*"),
    ("", "/etc/mysql/ssl/*"),
    ("", "/var/lib/mysql/server-cert.pem"),
    ("", "/var/lib/pgsql/data/server.crt"),
)
DENIABLE = (
    "/etc/letsencrypt/live",
    "/etc/haproxy/certs",
    "/etc/dovecot/private",
    "/var/lib/mysql",
    "/var/lib/dehydrated",
)
ENDINGS = (".pem", ".crt", ".cer", ".cert", ".chain", ".fullchain")
_KEY_NAME = re.compile(
    r"(^|[-_./])(privkey\d*|key|keys|dhparams?|dh\d*)\.[a-z]+$|\.key$|/private/ssl-cert", re.IGNORECASE
)
_BUNDLE_NAME = re.compile(r"ca-bundle|ca-certificates|\.trust\.crt$|ca-certs|/ca(?:cert)?\.pem$")


def parse_configuration(text, user, folder):
    """Return the absolute certificate paths that a server's configuration names; variables are left out."""
    found = []
    for match in re.finditer(PATTERNS[user], text, re.MULTILINE):
        # smtpd_tls_chain_files is a list of files
        words = match.group(1).split(",") if user == "postfix" else [match.group(1).split(" #")[0]]
        for word in words:
            path = word.strip().strip("\"'")
            if not path or "$" in path or path.startswith(("data:", "#")):
                continue
            if not path.startswith("/"):
                if folder is None:
                    continue
                path = folder + "/" + path
            found.append(path)
    return found


def is_key_name(path):
    """True for names that private keys and parameters go by; such files are not opened."""
    return bool(_KEY_NAME.search(path))


def candidates(machine, extra):
    """Return (path -> set of users, patterns that could not be listed).

    ``extra`` are paths or shell patterns that the plan names; their user is ``plan``.
    """
    found = {}
    configured = set()
    for user, patterns, folder in CONFIGURATIONS:
        for pattern in patterns:
            for path in machine.glob(pattern)[:CONFIGURATION_CAP]:
                if path.endswith("/snippets/snakeoil.conf"):
                    continue  # Debian ships it for whoever wants it; being there does not mean being included
                text = machine.read(path, source="configuration of " + user)
                for named in parse_configuration(text or "", user, folder or path.rsplit("/", 1)[0]):
                    configured.add(named)
                    for entry in _expand(machine, named):
                        found.setdefault(entry, set()).add(user)
    for user, pattern in FOLDERS:
        for path in machine.glob(pattern):
            if path.endswith(ENDINGS) and not _BUNDLE_NAME.search(path) and not is_key_name(path):
                found.setdefault(path, set()).update([user] if user else [])
    for pattern in extra:
        for path in machine.glob(pattern) or [pattern]:
            for entry in _expand(machine, path):
                found.setdefault(entry, set()).add("plan")
    for folder in DENIABLE:
        if machine.exists(folder):
            machine.listdir(folder, source="certificates in " + folder)
    return found, configured


def _expand(machine, path):
    """A folder (HAProxy takes one) means the files in it; a private key is left alone."""
    info = machine.stat(path)
    if info and info["kind"] == "dir":
        return [path + "/" + name for name in machine.listdir(path) if not is_key_name(name)]
    return [] if is_key_name(path) else [path]
