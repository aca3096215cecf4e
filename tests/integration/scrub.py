"""Take the names out of what a real Windows host answered, so that it can be kept as a case.

What meant the same before means the same after: one name becomes one other name everywhere.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Callable, Iterable

# Their values are numbers with points as well, and no addresses.
_VERSIONS = re.compile(r"version|build|release|kernel|engine|signature|driver|firmware", re.I)
_IDENTITIES = re.compile(r"serial|uuid|machine_id|boot_id|thumbprint|fingerprint|product_id", re.I)
# Accounts that every Windows has.
_EVERYWHERE = re.compile(r"^(NT AUTHORITY|NT SERVICE|BUILTIN|IIS APPPOOL|HK\w+)$", re.I)
_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_LONG_ADDRESS = re.compile(r"(?<![\w:])([0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?:%\d+)?(?![\w:])", re.I)
_HARDWARE = re.compile(r"(?<![\w])(?:[0-9a-f]{2}[-:]){5}[0-9a-f]{2}(?![\w])", re.I)
_ACCOUNT_ID = re.compile(r"S-1-5-21-\d+-\d+-\d+")
_ACCOUNT = re.compile(r"(?<![\w\\:])(NT AUTHORITY|NT SERVICE|IIS APPPOOL|[\w.-]{1,15})\\([\w.$-]+)")
_HOME = re.compile(r"(?i)(\\Users\\)([^\\\"/]+)")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SHARED_HOMES = ("public", "default", "all users", "default user")


class Scrubber:
    """Replaces names; the same one by the same other one."""

    def __init__(self, names: Iterable[str]) -> None:
        known = sorted({name for name in names if len(name) > 1}, key=len, reverse=True)
        self._names = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in known) or r"(?!)", re.I)
        self._seen: dict[tuple[str, str], str] = {}

    def scrub(self, value: t.Any, key: str = "") -> t.Any:
        """Return a document without names."""
        if isinstance(value, dict):
            return {self._text(str(name), ""): self.scrub(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.scrub(inner, key) for inner in value]
        return self._text(value, key) if isinstance(value, str) else value

    def _as(self, kind: str, text: str, make: Callable[[int], str]) -> str:
        count = sum(1 for seen in self._seen if seen[0] == kind)
        return self._seen.setdefault((kind, text.lower()), make(count + 1))

    def _text(self, text: str, key: str) -> str:
        if text and _IDENTITIES.search(key):
            return self._as("identity", text, lambda n: f"scrubbed-{n}")
        text = self._names.sub(lambda found: self._as("host", found[0].split(".")[0], lambda n: f"WIN{n:02}"), text)
        text = _MAIL.sub(lambda found: self._as("mail", found[0], lambda n: f"person{n}@example.com"), text)
        text = _ACCOUNT_ID.sub(lambda found: self._as("sid", found[0], lambda n: f"S-1-5-21-{n}-{n}-{n}"), text)
        text = _HARDWARE.sub(lambda found: self._as("mac", found[0], lambda n: f"00-00-5E-00-53-{n:02X}"), text)
        text = _LONG_ADDRESS.sub(self._long_address, text)
        text = _HOME.sub(self._home, text)
        text = _ACCOUNT.sub(self._account, text)
        if not _VERSIONS.search(key):
            text = _ADDRESS.sub(self._address, text)
        return text

    def _home(self, found: re.Match[str]) -> str:
        if found[2].lower() in _SHARED_HOMES:
            return found[0]
        return found[1] + self._as("person", found[2], lambda n: f"person{n}")

    def _account(self, found: re.Match[str]) -> str:
        if _EVERYWHERE.match(found[1]):
            return found[0]
        return "CLIENT\\" + self._as("person", found[2], lambda n: f"person{n}")

    def _long_address(self, found: re.Match[str]) -> str:
        try:
            ipaddress.IPv6Address(found[1])
        except ValueError:
            return found[0]
        return self._as("ip6", found[0], lambda n: f"2001:db8::{n:x}")

    def _address(self, found: re.Match[str]) -> str:
        if found[0].startswith(("127.", "0.", "255.", "169.254.")):
            return found[0]
        return self._as("ip", found[0], lambda n: f"192.0.2.{n % 255}")
