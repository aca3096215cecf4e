# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: from where a file may be taken into quarantine, and what is never touched.

Compiled in: a client's settings narrow this, or widen it within SAFE_ROOTS, and no setting goes beyond. Pure.
Used on managed hosts (standard library only, Python 3.6 syntax) and on the control node, which checks settings by it.
"""

import os

# Where people and programs put files of their own.
DEFAULT_FOLDERS = ("/home", "/tmp", "/var/tmp", "/var/www", "/srv")  # noqa: S108 - names of places, nothing is written
SAFE_ROOTS = DEFAULT_FOLDERS + ("/root", "/opt", "/mnt", "/media", "/data", "/usr/local/share", "/var/ftp")
# Not even within a safe root: (code, why, folders, names of folders anywhere in the path)
_NEVER = (
    (
        "mail",
        "it lies in a mail spool, where taking one file out damages a mailbox",
        ("/var/mail", "/var/spool", "/var/vmail", "/srv/mail", "/srv/vmail"),
        ("maildir", ".maildir", "mdbox", "sdbox", "mailboxes"),
    ),
    (
        "database",
        "it belongs to a database, which fails without it",
        (
            "/var/lib/mysql",
            "/var/lib/mariadb",
            "/var/lib/postgresql",
            "/var/lib/pgsql",
            "/var/lib/mongo",
            "/var/lib/mongodb",
            "/var/lib/redis",
            "/var/lib/ldap",
            "/var/opt/mssql",
            "/opt/oracle",
            "/srv/mysql",
            "/srv/postgresql",
        ),
        ("pgdata",),
    ),
    (
        "container",
        "it is part of a container's or a virtual machine's storage",
        ("/var/lib/docker", "/var/lib/containers", "/var/lib/containerd", "/var/lib/libvirt", "/srv/docker"),
        ("overlay2", "overlay-containers", "overlay-images"),
    ),
    ("login", "without the files in .ssh nobody may be able to log in", (), (".ssh",)),
    ("own", "it is Keepwell's own", ("/var/lib/keepwell",), (".keepwell-quarantine",)),
)
_DATABASE_ENDINGS = (
    ".ibd", ".frm", ".myd", ".myi", ".mdf", ".ldf", ".ndf", ".sqlite", ".sqlite3", ".db", ".db3", ".mdb", ".accdb",
    ".wt", ".dbf", ".rdb", ".aof", ".edb", ".fdb", ".gdb",
)  # fmt: skip
_DATABASE_BEGINNINGS = (b"SQLite format 3\0", b"REDIS0", b"\x01\x0f\xca\xfe")
_MAIL_BEGINNINGS = (b"From ", b"Return-Path:", b"Delivered-To:", b"Received: ")
_ARCHIVE_BEGINNINGS = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07",
    b"MSCF", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"xar!",
)  # fmt: skip


def within(path, folder):
    """True when a path is a folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def is_plain(path):
    """True for an absolute path without any way round: no .., no double slash, no slash at its end."""
    return path.startswith("/") and os.path.normpath(path) == path and not path.startswith("//")


def problems(asked):
    """What is wrong with the folders that a client names, one sentence each; empty when nothing is."""
    found = []
    for folder in asked:
        if not is_plain(str(folder)):
            found.append("%s is no plain absolute path" % folder)
        elif not any(within(folder, root) for root in SAFE_ROOTS):
            found.append("%s lies outside of what may ever be touched (%s)" % (folder, ", ".join(SAFE_ROOTS)))
    return found


def refusal(path, folders):
    """(code, why) when the file at this path must not be taken, by its path alone; None when it may be."""
    if not is_plain(path):
        return "path", "its path is not plain"
    if not any(within(path, root) for root in SAFE_ROOTS) or not any(within(path, folder) for folder in folders):
        return "not_allowed", "nothing is taken from there (allowed: %s)" % ", ".join(folders)
    names = [part.lower() for part in path.split("/")[1:-1]]
    for code, why, places, marks in _NEVER:
        if any(within(path, place) for place in places) or any(name in marks for name in names):
            return code, why
    if path.lower().endswith(_DATABASE_ENDINGS):
        return "database", "it is a database file by its name"
    return None


def content_refusal(head):
    """(code, why) when a file must not be taken, by how it begins; None when it may be."""
    if head.startswith(_DATABASE_BEGINNINGS):
        return "database", "it is a database file by its content"
    if head.startswith(_MAIL_BEGINNINGS):
        return "mail", "it is a mail or a mailbox by its content"
    return None


def is_archive(head):
    """True when what begins so holds other files: what was found may be one of many inside."""
    return head.startswith(_ARCHIVE_BEGINNINGS) or head[257:262] == b"ustar"
