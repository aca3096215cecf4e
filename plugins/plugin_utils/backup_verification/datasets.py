# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what has to come back: ``backup_verification_datasets``, typed. Pure.

A dataset is declared from the side of the business (the shop's database, the files of accounting) and then mapped to
the backup that a tool makes of it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import typing as t

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Reason, Setting

Tool = t.Literal[
    "restic", "borg", "kopia", "rsnapshot", "tree", "archive", "pg_dump", "mysql_dump", "pgbackrest", "sftp",
    "windows_server_backup", "veeam_agent",
]  # fmt: skip
# How a repository begins that is on the verifying host itself.
_ON_THE_HOST = ("/", "local:", "file:", "rclone:", "\\\\")
# Tools whose repository is what they call a place or a job on their own host.
_OF_THE_HOST = ("kopia", "windows_server_backup", "veeam_agent")
_DRIVE = re.compile(r"^[A-Za-z]:\\")
_LOOPBACK = re.compile(r"(?:^|[/@:])(?:localhost|127\.[\d.]+|\[::1\])(?=[:/]|$)", re.IGNORECASE)
# On Windows a letter of a drive, or a share.
AbsolutePath = t.Annotated[str, Field(pattern=r"^(/|[A-Za-z]:\\|\\\\)")]


class Credentials(Setting):
    """Where the tool's secrets are; they travel in the environment alone and are written down nowhere."""

    environment: dict[str, str] = Field(default_factory=dict, description="from a vault: NAME -> secret")
    environment_file: AbsolutePath | None = Field(None, description="file on the verifying host, lines NAME=value")
    password_file: AbsolutePath | None = Field(None, description="file on the verifying host with the password alone")
    systemd_credential: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]+$", description="name in /etc/credstore or /etc/credstore.encrypted"
    )


class Canary(Setting):
    """A file that is written anew at intervals and must come back as it was when the snapshot began."""

    path: AbsolutePath
    max_age_hours: float = Field(192.0, gt=0, description="how old its content may be in the newest snapshot")


class Schedule(Setting):
    """How often what is proven again, in days. Sources: domain defaults; CIS 11.5 wants a restore a quarter."""

    integrity_days: float = Field(7.0, gt=0)
    read_all_days: float = Field(90.0, gt=0, description="within this time every byte has been read once")
    restore_days: float = Field(30.0, gt=0, description="canary and sample; of a database the whole of it")
    full_days: float = Field(365.0, gt=0, description="everything restored and compared")
    sample_files: int = Field(20, ge=1)
    sample_bytes: int = Field(1 << 30, ge=1)


class Retention(Setting):
    """How many snapshots have to be there, by age; 0 does not ask."""

    daily: int = Field(0, ge=0)
    weekly: int = Field(0, ge=0)
    monthly: int = Field(0, ge=0)
    yearly: int = Field(0, ge=0)
    max_days: int = Field(0, ge=0, description="nothing older may be kept (data protection); 0 does not ask")


class Copy(Setting):
    """A copy of the data besides the live one, as far as it is declared (3-2-1-1-0)."""

    location: str = Field(min_length=1)
    media: str = Field("disk", min_length=1)
    offsite: bool = False
    immutable: bool = Field(False, description="object lock, append-only on the server's side, or offline")
    immutable_days: int = Field(0, ge=0)
    last_offline: dt.date | None = Field(None, description="when an offline medium was last changed")


class KeyEscrow(Setting):
    """Where the key is that opens the backup when the host is gone."""

    place: str = Field(min_length=1)
    tested: dt.date | None = None


class ByHand(Setting):
    """A restore that a person did and compared, where the tool lets nobody do it by program."""

    date: dt.date
    by: str = Field(min_length=1)
    text: str = Field("", description="what came back and how it was compared")


class Query(Setting):
    """What a restored database is asked; without ``expect`` it only has to answer with a row."""

    sql: str = Field(min_length=1)
    expect: str | None = None


def _words(value: t.Any) -> t.Any:
    return [value] if isinstance(value, str) else value


Paths = t.Annotated[list[AbsolutePath], BeforeValidator(_words)]


class Dataset(Setting):
    """One thing that has to come back. meta/argument_specs.yml of the role says what each key means."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    protects: str = Field(min_length=1, description="what the business loses without it, in plain words")
    tool: Tool
    repository: str = Field(
        min_length=1, description="as the tool itself is told; a folder, file or URL without secrets"
    )
    verifier: str = Field("", description="inventory host that verifies it; empty: the host itself")
    hosts: list[str] = Field(default_factory=list, description="names of the host in the repository")
    sources: Paths = Field(default_factory=list, description="paths of the snapshots that belong to it; empty: any")
    tags: list[str] = Field(default_factory=list)
    rpo_hours: float | None = Field(None, gt=0, description="default: rpo_hours of the policy")
    rto_hours: float | None = Field(None, gt=0)
    expected_paths: Paths = Field(default_factory=list)
    unwanted_paths: Paths = Field(default_factory=list, description="must not be in it (caches, other clients' data)")
    canary: Canary | None = None
    schedule: Schedule = Field(default_factory=Schedule)
    retention: Retention = Field(default_factory=Retention)
    copies: list[Copy] = Field(default_factory=list)
    offsite_required: bool = True
    immutable_required: bool = True
    key_escrow: KeyEscrow | None = None
    restored_by_hand: ByHand | None = None
    credentials: Credentials = Field(default_factory=Credentials, repr=False)
    queries: list[Query] = Field(default_factory=list)
    jobs: list[str] = Field(default_factory=list, description="timers or cron files on the host that make it")
    options: dict[str, t.Any] = Field(
        default_factory=dict, description="of the driver; see docs/backup-verification.md"
    )

    @field_validator("repository")
    @classmethod
    def _has_no_secret(cls, value: str) -> str:
        if "@" in value and ":" in value.partition("@")[0].rpartition("//")[2] and "//" in value:
            raise ValueError("holds a password; give it through credentials")
        return value

    @model_validator(mode="after")
    def _full_is_rarer(self) -> Dataset:
        if self.schedule.full_days < self.schedule.restore_days:
            raise ValueError("schedule.full_days must not be below restore_days")
        return self

    @property
    def repository_key(self) -> str:
        """Stable name of the repository for locks and lanes: the same text is the same repository."""
        return hashlib.sha256(f"{self.tool}\0{self.repository.rstrip('/')}".encode()).hexdigest()[:16]

    def shared_key(self, host: str) -> str:
        """Stable name of the repository for what is proven of it as a whole, for a dataset of ``host``."""
        return shared_key(self.repository_key, self.tool, self.repository, self.verifier or host)

    def public(self) -> dict[str, t.Any]:
        """The declaration for evidence: without the credentials' values."""
        document = self.model_dump(mode="json", exclude={"credentials"}, exclude_defaults=True)
        names = sorted(self.credentials.environment)
        given = self.credentials.model_dump(mode="json", exclude={"environment"}, exclude_defaults=True)
        return {**document, "credentials": {**given, **({"environment": names} if names else {})}}


def shared_key(repository_key: str, tool: str, repository: str, verifier: str) -> str:
    """Return the name under which proofs of a whole repository are shared.

    A folder, a name in a configuration of the host (borgmatic, kopia) and a server on the loopback are another
    repository on every host that verifies them, however alike they are declared.
    """
    here = repository.startswith(_ON_THE_HOST) or _DRIVE.match(repository) or _LOOPBACK.search(repository)
    remote = ":" in repository and not here
    return repository_key if remote and tool not in _OF_THE_HOST else f"{repository_key}@{verifier}"


class Unverified(Setting):
    """A backup that Keepwell finds and that no dataset is to name, with the reason."""

    job: str = Field(min_length=1)
    reason: Reason
