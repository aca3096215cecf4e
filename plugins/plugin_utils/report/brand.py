# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: whose pages these are: the provider's name, colour, logo and how to reach it."""

from __future__ import annotations

import base64
import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import LIGHT, contrast

# WCAG 2.2, 1.4.3: text must stand out that much from its ground.
CONTRAST_LEAST = 4.5
_LOGO_LIMIT = 100_000
_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A logo: its media type and its bytes."""

    kind: str
    content: bytes


class Brand(BaseModel):
    """``accent`` is #rrggbb; ``logo`` is the path of a PNG or JPEG, which becomes part of the page.

    ``contact`` is how an owner reaches the provider: a name, a telephone number, an address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", max_length=60)
    accent: str = Field("", pattern=r"^$|^#[0-9a-fA-F]{6}$")
    logo: str = ""
    contact: str = Field("", max_length=80)

    @property
    def colour(self) -> str:
        """The colour of the name, on white."""
        return self.accent or LIGHT["link"]

    def css(self) -> str:
        """Return the colour as a CSS custom property; in the dark the page's own colour of links stands out better."""
        return (
            f":root{{--brand:{self.colour}}}\n"
            "@media screen and (prefers-color-scheme:dark){:root{--brand:var(--link)}}\n"
        )

    def logo_data(self) -> str:
        """Return the logo as a ``data:`` address, "" without one. Raises EvidenceError when it cannot be used."""
        found = self.picture()
        return f"data:{found.kind};base64,{base64.b64encode(found.content).decode('ascii')}" if found else ""

    def picture(self) -> Picture | None:
        """Return the logo, None without one. Raises EvidenceError when it cannot be used."""
        if not self.logo:
            return None
        try:
            content = Path(self.logo).read_bytes()
        except OSError as exc:
            raise EvidenceError(
                f"No report was made: the logo {self.logo} cannot be read ({exc.strerror}). Correct brand.logo."
            ) from exc
        kind = next((name for magic, name in _KINDS if content.startswith(magic)), None)
        if kind is None or len(content) > _LOGO_LIMIT:
            raise EvidenceError(
                f"No report was made: the logo {self.logo} should be a PNG or JPEG of at most "
                f"{_LOGO_LIMIT // 1000} kB. Make it smaller, or leave brand.logo out."
            )
        return Picture(kind, content)


def brand_of(value: Mapping[str, t.Any], base: str = "") -> Brand:
    """Return the brand that these values make; a relative path begins at ``base``.

    Raises EvidenceError for a mistake, and for a colour nobody can read.
    """
    try:
        brand = Brand.model_validate(value)
    except ValidationError as exc:
        error = exc.errors()[0]
        key = ".".join(str(part) for part in error["loc"])
        hint = nearest(key, Brand.model_fields) if error["type"] == "extra_forbidden" else ""
        raise EvidenceError(f"No report was made: brand.{key}: {error['msg']}.{hint}") from exc
    if brand.accent:
        least = min(contrast(brand.accent, LIGHT[ground]) for ground in ("page", "card", "well"))
        if least < CONTRAST_LEAST:
            raise EvidenceError(
                f"No report was made: brand.accent {brand.accent} has a contrast of {int(least * 10) / 10:g} to the "
                f"page, and text needs {CONTRAST_LEAST:g} to be read by everybody. Choose a darker one."
            )
    logo = os.path.join(base, os.path.expanduser(brand.logo)) if brand.logo else ""
    return brand.model_copy(update={"logo": logo})
