# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: from where a dataset says that its secrets are to the environment of its tool.

Secrets are in no argument and in no text: what is returned passes a Scrubber, because errors of tools can quote them.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import os
import re
import shlex
import stat
import urllib.parse

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _env_file, _paths
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

CREDSTORE = ("/etc/credstore", "/run/credstore")
ENCRYPTED = ("/etc/credstore.encrypted", "/run/credstore.encrypted")
_CAP = 64 * 1024
# By tool: the variable that holds the password itself.
_PASSWORD = {
    "restic": "RESTIC_PASSWORD",
    "borg": "BORG_PASSPHRASE",
    "kopia": "KOPIA_PASSWORD",
    "pg_dump": "PGPASSWORD",
    "mysql_dump": "MYSQL_PWD",
    "pgbackrest": "PGBACKREST_REPO1_CIPHER_PASS",
}
# Those that would rather be told the file.
_PASSWORD_FILE = {
    "restic": lambda path: {"RESTIC_PASSWORD_FILE": path},
    "borg": lambda path: {"BORG_PASSCOMMAND": "cat " + shlex.quote(path)},
    "pg_dump": lambda path: {"PGPASSFILE": path},
}
# Variables whose command prints the password, and the variable that holds it then.
_COMMANDS = (("BORG_PASSCOMMAND", "BORG_PASSPHRASE"), ("RESTIC_PASSWORD_COMMAND", "RESTIC_PASSWORD"))
_COMMAND_S = 20.0
# Variables that name a file with the password alone; the one of password_file is known already.
_FILES = ("RESTIC_PASSWORD_FILE",)


def resolve(machine, dataset, given):
    """(environment, where its secrets come from, a Scrubber that knows them) for the tool of a dataset.

    ``dataset["credentials"]`` says where they are; ``given`` are those that came with the request. Raises AgentError
    (bad_credentials) that says what is wrong with which file, never what is in it.
    """
    reference = dataset.get("credentials") or {}
    lacking = sorted(set(reference.get("environment") or []) - set(given))
    if lacking:
        raise AgentError("bad_credentials", "The request lacks the secrets %s." % ", ".join(lacking))
    environment, sources, secrets = {}, [], []
    if reference.get("environment_file"):
        path = reference["environment_file"]
        environment.update(_opened(machine, _env_file.parse(_read(path), path)))
        sources.append("environment_file")
    if reference.get("password_file"):
        path = reference["password_file"]
        password = _one_password(_read(path), path)
        named = _PASSWORD_FILE.get(dataset["tool"])
        environment.update(named(path) if named else {_variable(dataset): password})
        secrets.append(password)
        sources.append("password_file")
    if reference.get("systemd_credential"):
        password = _one_password(*_credential(machine, reference["systemd_credential"]))
        environment[_variable(dataset)] = password
        sources.append("systemd_credential")
    if given:
        environment.update(_opened(machine, given))
        sources.append("environment")
    secrets += [(machine.read(environment[name], limit=_CAP) or "") for name in _FILES if environment.get(name)]
    return environment, ", ".join(sources), Scrubber(secrets + _secret(environment))


def printed(machine, command, what):
    """The password that a command of the host's owner prints, as Borg and restic take it from one.

    Whoever runs it knows the password, so that it can be kept out of all texts. Raises AgentError (bad_credentials)
    that never says what it printed.
    """
    try:
        argv = shlex.split(command)
    except ValueError:
        argv = []
    if not argv:
        raise AgentError("bad_credentials", "%s is no command." % what)
    output = machine.run(argv, timeout=_COMMAND_S, accepted=None, source=what, env={"HOME": os.path.expanduser("~")})
    if output.rc != 0 or not output.out.strip():
        how = "ended with %s" % output.rc if output.status == "ok" else "could not be run (%s)" % output.status
        raise AgentError("bad_credentials", "The command of %s %s and gave no password." % (what, how))
    return output.out.rstrip("\r\n")


def _opened(machine, environment):
    """The environment with passwords in the place of commands that print them."""
    found = dict(environment)
    for name, variable in _COMMANDS:
        command = found.pop(name, None)
        if command and not found.get(variable):
            found[variable] = printed(machine, command, name)
    return found


def _variable(dataset):
    """The variable by which the tool of a dataset takes a password."""
    named = _PASSWORD.get(dataset["tool"])
    if named is None:
        text = "%s takes no password. Give its variables by environment or environment_file."
        raise AgentError("bad_credentials", text % dataset["tool"])
    return named


def _read(path, what="The credentials file"):
    """Text of a file that root alone controls and not everybody can read."""
    try:
        descriptor = _paths.open_file(path)
    except OSError as exc:
        raise AgentError("bad_credentials", "%s %s cannot be read: %s." % (what, path, exc.strerror)) from exc
    with os.fdopen(descriptor, "rb") as stream:
        info = os.fstat(descriptor)
        if not _paths.closed(info):
            raise AgentError("bad_credentials", "%s %s can be changed by others than root. chmod 600." % (what, path))
        if info.st_mode & stat.S_IROTH:
            raise AgentError("bad_credentials", "%s %s can be read by everybody. chmod 600." % (what, path))
        data = stream.read(_CAP + 1)
    if len(data) > _CAP:
        raise AgentError("bad_credentials", "%s %s is larger than %d KiB." % (what, path, _CAP // 1024))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise AgentError("bad_credentials", "%s %s is no UTF-8 text." % (what, path)) from None


def _one_password(text, path):
    """The first line, as the tools take it; the file must have no more."""
    lines = text.split("\n")
    if not lines[0] or any(line.strip() for line in lines[1:]):
        raise AgentError("bad_credentials", "%s has to hold one line, the password." % path)
    return lines[0]


def _credential(machine, name):
    """(Text, where it was) of a credential that systemd keeps, plain or encrypted."""
    for folder in CREDSTORE:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return _read(path, "The credential"), path
    for folder in ENCRYPTED:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            # To standard output, so that it is in memory alone.
            output = machine.run(["systemd-creds", "--name=" + name, "decrypt", path, "-"], timeout=20.0)
            if output.ok:
                return output.out, path
            why = " ".join(output.err.split())[:200] or output.status
            raise AgentError("bad_credentials", "systemd-creds cannot decrypt %s: %s" % (path, why))
    text = "There is no credential %s in %s." % (name, " or ".join(CREDSTORE[:1] + ENCRYPTED[:1]))
    raise AgentError("bad_credentials", text)


# Variables that say where something is, not what it is: without them no text could be read any more.
_HARMLESS = re.compile(
    r"(?:^|_)(?:FILE|COMMAND|PASSCOMMAND|PATH|DIR|REGION|ENDPOINT|HOST|HOSTADDR|PORT|USER|USERNAME|DATABASE|REPO|"
    r"REPOSITORY|URL|PROFILE|RSH|TYPE|BUCKET|OK|YES|CODES|SSLMODE)$|^PGPASSFILE$"
)
_IN_URL = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")
_STANDS_FOR = "[secret]"
# A shorter one is replaced only where it stands alone: "a" would take every text apart.
_SHORT = 6


def _secret(environment):
    return [value for name, value in environment.items() if not _HARMLESS.search(name)]


class Scrubber(object):
    """Takes secrets that it knows out of everything that is returned or written down."""

    def __init__(self, secrets=()):
        self._forms = set()
        self._known = None
        self.learn(secrets)

    def learn(self, secrets):
        """Take these out as well from now on."""
        for secret in secrets:
            lines = [line.strip() for line in secret.split("\n")]
            self._forms.update([secret, secret.strip()] + (lines if len(lines) > 1 else []))
        known = sorted(self._written(self._forms), key=len, reverse=True)
        whole = [re.escape(form) for form in known if len(form) >= _SHORT]
        short = [r"(?<!\w)%s(?!\w)" % re.escape(form) for form in known if len(form) < _SHORT]
        self._known = re.compile("|".join(whole + short)) if known else None

    @staticmethod
    def _written(forms):
        """How tools may quote a secret: as it is, in JSON, in Python, in a shell, in a URL."""
        found = set()
        for form in forms:
            if form:
                found.update([form, _json(form), repr(form)[1:-1], shlex.quote(form), _quoted(form)])
        return found

    def text(self, text):
        """A text without secrets."""
        if self._known is not None:
            text = self._known.sub(_STANDS_FOR, text)
        return _IN_URL.sub(_STANDS_FOR, text)

    def document(self, value):
        """A document without secrets in its texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return dict((key, self.document(entry)) for key, entry in value.items())
        if isinstance(value, (list, tuple)):
            return [self.document(entry) for entry in value]
        return value


def _json(text):
    return json.dumps(text)[1:-1]


def _quoted(text):
    return urllib.parse.quote(text, safe="")
