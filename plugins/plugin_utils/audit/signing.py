# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: sign manifests with ssh-keygen, and be sure that others can check it.

Runs on the control node.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError

_LIMIT_S = 30.0


@dataclass(frozen=True)
class KeySigner:
    """Signs with one key, for one identity of an allowed_signers file."""

    key: str
    identity: str
    allowed_signers: str

    def sign(self, content: bytes, at: str) -> bytes:
        """Return the signature. Raises EvidenceError: why there is none, and what to do.

        A signature that allowed_signers would not let count at that time is none.
        """
        if not os.path.isfile(self.key):
            raise EvidenceError(f"The signing key {self.key} does not exist. Correct keepwell_signing_key.")
        if not os.path.isfile(self.allowed_signers):
            raise EvidenceError(
                f"Nobody could check a signature: {self.allowed_signers} does not exist. Make it, with the line: "
                f"{self._line()}"
            )
        signature = self._signature(content)
        problem = verify.signature_problem(content, signature, self.identity, self.allowed_signers, at)
        if problem:
            raise EvidenceError(f"{problem[:1].upper()}{problem[1:]}. It needs the line: {self._line()}")
        return signature

    def _signature(self, content: bytes) -> bytes:
        command = ["ssh-keygen", "-Y", "sign", "-n", verify.NAMESPACE, "-f", self.key]
        try:
            done = subprocess.run(  # noqa: S603 - fixed program, no shell
                command,
                input=content,
                capture_output=True,
                timeout=_LIMIT_S,
                check=False,
                # Without a terminal it asks for no passphrase, which nobody would type at night.
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"},
            )
        except FileNotFoundError as exc:
            raise EvidenceError("ssh-keygen is not installed: install OpenSSH's client.") from exc
        except subprocess.TimeoutExpired as exc:
            raise EvidenceError(
                f"ssh-keygen did not sign with {self.key} within {_LIMIT_S:.0f} s: a key that waits for a person "
                "cannot sign at night."
            ) from exc
        if done.returncode != 0:
            raise EvidenceError(f"The signing key {self.key} {_reason(done.stderr.decode('utf-8', 'replace'))}")
        return done.stdout

    def _line(self) -> str:
        """Return what allowed_signers has to say for this key."""
        public = self.key if self.key.endswith(".pub") else f"{self.key}.pub"
        try:
            with open(public, encoding="utf-8") as stream:
                words = stream.read(10_000).split()
        except (OSError, UnicodeDecodeError):
            words = []
        key = " ".join(words[:2]) if len(words) > 1 else f"(content of {os.path.basename(public)})"
        return f'{self.identity} namespaces="{verify.NAMESPACE}" {key}'


def _reason(text: str) -> str:
    """Turn what ssh-keygen says into the rest of a sentence."""
    for pattern, words in (
        ("UNPROTECTED|too open", "can be read by other users: ssh-keygen refuses it. Run chmod 600 on it."),
        (
            "incorrect passphrase|passphrase",
            "has a passphrase, which nobody can type in a scheduled run. Use one without, or ssh-agent: give the "
            "path of its .pub file.",
        ),
        ("[Pp]ermission denied", "cannot be read by the user who runs Ansible."),
        ("invalid format|error in libcrypto|unsupported|No private key found", "is no private key of ssh-keygen."),
    ):
        if re.search(pattern, text):
            return words
    return f"cannot sign: {' '.join(text.split())[:200] or 'no reason was given'}"


def signer_of(options: AuditOptions) -> KeySigner | None:
    """Return who signs for a client, None where no key is set."""
    if options.signing_key is None:
        return None
    return KeySigner(options.signing_key, options.signing_identity, options.allowed_signers)


def obstacles(options: AuditOptions, at: str) -> list[str]:
    """Return why runs would not be signed or stamped, a sentence each: found by day, not by the run at night."""
    found = []
    signer = signer_of(options)
    if signer:
        try:
            signer.sign(b"trial\n", at)
        except EvidenceError as exc:
            found.append(f"Runs would not be signed: {exc}")
    if options.timestamp_ca and not os.path.isfile(options.timestamp_ca):
        found.append(f"Runs would not be stamped: {options.timestamp_ca} does not exist (keepwell_timestamp_ca).")
    return found
