# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the only way a driver runs a backup tool: nothing that writes can be said through it.

A driver declares what it may run: program -> verbs, each with its second word where the tool has such ("snapshot
list"). Anything else is refused before a process exists, and so is every word that changes, unlocks or forgets,
whichever verb it comes with. Secrets travel in the environment alone,
and caches and configuration of the tools go to a scratch folder of our own.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

# Verbs and options that change a repository or take somebody's lock away, of any tool.
_WORDS = (
    "forget prune compact delete expire gc repair rebuild-index recover rewrite tag migrate key unlock break-lock "
    "maintenance create backup init copy import config change-passphrase upgrade rename recreate stanza-create "
    "stanza-upgrade stanza-delete archive-push archive-get start stop "
    "--repair --remove-all --delete --force --force-all --unsafe-recover-no-free-space --prune --save-space "
    "--init-from-backup --set --append"
)
FORBIDDEN = frozenset(_WORDS.split())
# Programs whose words are files and SQL, not verbs: their drivers name them with this.
ANY = "*"


class Tools(object):
    """Runs the programs of one driver for one dataset."""

    def __init__(self, commands, allowed, secrets, scratch):
        """``commands`` is a chores._commands.Commands, ``allowed`` program -> verbs (see Driver.ALLOWED),
        ``secrets`` the environment that holds the dataset's credentials, ``scratch`` an empty folder of our own."""
        self.commands = commands
        self.machine = commands.machine
        self.scratch = scratch
        self._allowed = allowed
        self._secrets = dict(secrets)
        self._environment = dict(
            secrets,
            HOME=scratch,
            TMPDIR=scratch,
            XDG_CACHE_HOME=os.path.join(scratch, "cache"),
            XDG_CONFIG_HOME=os.path.join(scratch, "config"),
        )

    def which(self, program):
        """Path of a program, or None."""
        return self.machine.which(program)

    def learn(self, secrets):
        """Hear of secrets that the dataset's credentials do not name: no text may hold them."""
        self.commands.learn(secrets)

    def given(self, *names):
        """Those of the dataset's own variables that have one of these names."""
        return dict((name, self._secrets[name]) for name in names if name in self._secrets)

    def without_secrets(self):
        """What to add to an environment so that the dataset's own variables are empty in it."""
        return dict.fromkeys(self._secrets, "")

    def run(self, argv, env=None, timeout=None, cwd="/", before=()):
        """Run a reading command to its end and return its Output (see chores._commands.Commands.run).

        ``before`` are the words of a program that runs it as another user (setpriv).
        """
        return self.commands.run(list(before) + self._checked(argv), self._env(env), timeout, cwd)

    def lines(self, argv, take, env=None, timeout=None, cwd="/", before=()):
        """Run a reading command and give each line (bytes) that it prints to ``take``; return its Output."""
        return self.commands.stream(list(before) + self._checked(argv), take, self._env(env), timeout, cwd)

    def pipe(self, argv, consume, env=None, timeout=None, cwd="/"):
        """Run a reading command; ``consume(stream)`` reads what it prints (bytes); return its Output."""
        return self.commands.pipe(self._checked(argv), consume, self._env(env), timeout, cwd)

    def left(self):
        """Seconds until all work must be over; for reading that no command does."""
        return self.commands.left()

    def _env(self, more):
        return dict(self._environment, **(more or {}))

    def _checked(self, argv):
        """The command, when it is one that only reads. Raises AgentError otherwise: that is a defect of a driver."""
        allowed = self._allowed.get(os.path.basename(argv[0]))
        if allowed is None:
            raise AgentError("forbidden", "%s is not among the programs of this driver." % argv[0])
        if ANY not in allowed:
            words = [word for word in argv[1:] if not word.startswith("-")]
            verb = next((verb for verb in allowed if verb.split() == words[: len(verb.split())]), None)
            if verb is None:
                raise AgentError("forbidden", "%s %s is not among the reading verbs." % (argv[0], " ".join(words[:2])))
            bad = FORBIDDEN.intersection(verb.split() + [word.split("=")[0] for word in argv[1:] if word[:1] == "-"])
            if bad:
                raise AgentError("forbidden", "%s would change a repository: %s." % (argv[0], ", ".join(sorted(bad))))
        return argv
