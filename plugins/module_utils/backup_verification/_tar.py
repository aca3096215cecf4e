# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read a tar archive to its real end.

A tar has no checksum over content, and programs end at a spoiled header, or where a file was cut, without a word. So
the end is looked at here: two blocks of zeros, and nothing but zeros after them.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import tarfile

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _files
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._streams import Damaged

_END_BYTES = 1024
_BUFFER = 1 << 18


def read(stream, seekable, take, left):
    """Give each member to ``take(member, open)``; ``open()`` is the stream of its content, to be read at once.

    ``seekable`` skips content that nobody asks for. Raises Damaged and TimeUp.
    """
    tracked = stream if seekable else _Tracked(stream)
    try:
        archive = tarfile.open(  # noqa: SIM115 - the stream belongs to the caller
            fileobj=tracked,
            mode="r:" if seekable else "r|",
            bufsize=_BUFFER,
            encoding="utf-8",
            errors="surrogateescape",
        )
        for member in _members(archive, left):
            take(member, lambda member=member: archive.extractfile(member))
    except (tarfile.TarError, ValueError) as exc:
        raise Damaged("no readable tar: %s" % exc) from exc
    if seekable:
        stream.seek(archive.offset)
        rest = _Tracked(stream)
        begin = 0
    else:
        rest = tracked
        begin = archive.offset
    for _chunk in _files.chunks(rest, left):
        pass
    if rest.content_end > begin or rest.size - begin < _END_BYTES:
        raise Damaged(
            "no tar from byte %d on: it was cut there, or the header of the next file is spoiled" % archive.offset
        )


def _members(archive, left):
    while True:
        if left() <= 0:
            raise _files.TimeUp
        member = archive.next()
        if member is None:
            return
        # It would keep all of them.
        archive.members = []
        yield member


class _Tracked(object):
    """A stream that knows how much was read, and where the last byte was that is no zero."""

    def __init__(self, stream):
        self._stream = stream
        self.size = 0
        self.content_end = 0

    def read(self, size=-1):
        """As of any stream."""
        chunk = self._stream.read(size)
        if chunk:
            content = chunk.rstrip(b"\0") if chunk.endswith(b"\0") else chunk
            if content:
                self.content_end = self.size + len(content)
            self.size += len(chunk)
        return chunk
