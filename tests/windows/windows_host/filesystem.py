"""Files of a host: paths as Windows compares them, folders that exist because something is in them or was made."""

from __future__ import annotations

import hashlib
import ntpath
import typing as t


class Files:
    """Content by path. Reading what is not there raises FileNotFoundError, as a file system does."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}
        self._folders: set[str] = set()
        self._shown: dict[str, str] = {}
        for folder in (r"C:\Windows\Temp", r"C:\Users\keepwell\AppData\Local\Temp", r"C:\ProgramData"):
            self.make_folder(folder)

    def write(self, path: str, content: bytes) -> None:
        self.make_folder(ntpath.dirname(path))
        self._content[self._key(path)] = content

    def read(self, path: str) -> bytes:
        try:
            return self._content[self._key(path)]
        except KeyError:
            raise FileNotFoundError(path) from None

    def make_folder(self, path: str) -> None:
        key = self._key(path)
        while key not in self._folders:
            self._folders.add(key)
            path = ntpath.dirname(path)
            key = self._key(path)

    def is_file(self, path: str) -> bool:
        return self._key(path) in self._content

    def is_folder(self, path: str) -> bool:
        return self._key(path) in self._folders

    def remove(self, path: str) -> bool:
        """Remove a file, or a folder with everything in it; say whether there was one."""
        key = self._key(path)
        gone = {found for found in (*self._content, *self._folders) if found == key or found.startswith(key + "\\")}
        for found in gone:
            self._content.pop(found, None)
            self._folders.discard(found)
        return bool(gone)

    def below(self, path: str) -> t.Iterator[str]:
        """Every file below a folder."""
        start = self._key(path).rstrip("\\") + "\\"
        return (self._shown[key] for key in sorted(self._content) if key.startswith(start))

    def sha1(self, path: str) -> str:
        return hashlib.sha1(self.read(path)).hexdigest()

    def _key(self, path: str) -> str:
        shown = expand(path)
        key = shown.lower()
        self._shown.setdefault(key, shown)
        return key


def expand(path: str) -> str:
    """A path with its environment variables filled in and its slashes turned."""
    for name, value in (
        ("%TEMP%", r"C:\Users\keepwell\AppData\Local\Temp"),
        ("%USERPROFILE%", r"C:\Users\keepwell"),
        ("%ProgramData%", r"C:\ProgramData"),
        ("%SystemRoot%", r"C:\Windows"),
    ):
        start = path.lower().find(name.lower())
        if start >= 0:
            path = path[:start] + value + path[start + len(name) :]
    return ntpath.normpath(path)
