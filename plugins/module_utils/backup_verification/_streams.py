# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is in a compressed file, as a stream that is never kept in memory.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import bz2
import gzip
import lzma
import zlib

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _files

# First bytes -> how it is compressed.
_MAGIC = ((b"\x1f\x8b", "gz"), (b"\xfd7zXZ", "xz"), (b"BZh", "bz2"), (b"\x28\xb5\x2f\xfd", "zst"))
_OPENERS = {"gz": gzip.GzipFile, "xz": lzma.LZMAFile, "bz2": bz2.BZ2File}
# The command that decompresses to standard output, for pipelines.
PROGRAMS = {"gz": "gzip", "xz": "xz", "bz2": "bzip2", "zst": "zstd"}


class Damaged(Exception):
    """What is stored is not what was stored, in words."""


class Unable(Exception):
    """This host cannot read it, and why; that says nothing of the backup."""


class Unprovable(Unable):
    """Nothing in it says whether it is whole; restoring it may still show what is in it."""


def head(path):
    """The first bytes of a file. Raises OSError."""
    with _files.reading(path) as stream:
        return stream.read(512)


def compression(path):
    """How a file is compressed, by its content, not its name: gz, xz, bz2, zst or "". Raises OSError."""
    begin = head(path)
    return next((kind for magic, kind in _MAGIC if begin.startswith(magic)), "")


def read(tools, path, consume):
    """Give ``consume(stream)`` the decompressed content of a file.

    Raises Damaged, Unable, TimeUp (by ``consume``), and OSError when the file is not there.
    """
    kind = compression(path)
    try:
        if kind == "zst":
            _by_program(tools, ["zstd", "-dcq", "--", path], consume)
            return
        with _files.reading(path) as stored:
            if not kind:
                consume(stored)
                return
            opener = _OPENERS[kind]
            with opener(fileobj=stored) if kind == "gz" else opener(stored) as stream:
                consume(stream)
    except (EOFError, zlib.error, lzma.LZMAError) as exc:
        raise Damaged("%s: %s" % (path, exc)) from exc
    except OSError as exc:
        # Python's decompressors say so with an error that the system did not give.
        if exc.errno is None:
            raise Damaged("%s: %s" % (path, exc)) from exc
        raise


def _by_program(tools, argv, consume):
    output = tools.pipe(argv, consume)
    if output.status == "absent":
        raise Unable("%s is not installed here; it is needed to read %s." % (argv[0], argv[-1]))
    if output.status == "timeout":
        raise _files.TimeUp
    if output.status != "ok" or output.rc != 0:
        raise Damaged("%s: %s" % (argv[-1], output.err.strip() or "%s ended with %s" % (argv[0], output.rc)))


def drain(stream, left):
    """Read a stream to its end and return how many bytes it had."""
    return sum(len(chunk) for chunk in _files.chunks(stream, left))
