# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write each role's table of variables into its README: meta/argument_specs.yml is the only source.

python3 tools/generate_role_readmes.py
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import yaml

ROLES = Path(__file__).parents[1] / "roles"
BEGIN = "<!-- generated from meta/argument_specs.yml -->"
END = "<!-- end of generated part -->"


def readmes() -> dict[Path, str]:
    """Return every README that has such a part, as it should be."""
    wanted = {}
    for specs in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        readme = specs.parents[1] / "README.md"
        text = readme.read_text(encoding="utf-8") if readme.exists() else ""
        if BEGIN in text and END in text:
            options = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
            before, _, rest = text.partition(BEGIN)
            wanted[readme] = f"{before}{BEGIN}\n{table(options)}{END}{rest.partition(END)[2]}"
    return wanted


def table(options: dict[str, dict[str, t.Any]]) -> str:
    """Return the options of a role as a Markdown table."""
    lines = ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    for name, option in options.items():
        kind = f"list of {option['elements']}" if option.get("elements") else option.get("type", "str")
        default = "required" if option.get("required") else f"`{json.dumps(option.get('default'))}`"
        lines.append(f"| `{name}` | {kind} | {default} | {_meaning(option)} |")
    return "\n".join(lines) + "\n"


def _meaning(option: dict[str, t.Any]) -> str:
    description = option.get("description", "")
    text = " ".join(description) if isinstance(description, list) else description
    if option.get("choices"):
        many = "One or more of" if option.get("type") == "list" else "One of"
        text = f"{text} {many} {', '.join(f'`{choice}`' for choice in option['choices'])}."
    # Ansible's markup: C(x), V(x), O(x) are code.
    return re.sub(r"\b[CVO]\(([^()]*)\)", r"`\1`", " ".join(text.split())).replace("|", "\\|")


if __name__ == "__main__":
    for path, content in readmes().items():
        path.write_text(content, encoding="utf-8")
