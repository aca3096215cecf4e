"""Write the documents that the code itself knows best: JSON Schemas, the checks, the policy.

``python tools/generate_docs.py`` writes them, ``--check`` says which of them are out of date (exit code 1).
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "tools")]

import client_files

from ansible_collections.keepwell.fleet.plugins.plugin_utils import (
    assessment,
    holds,
    lease,
    models,
    policy,
    run_document,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.notice import Notice
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Beat
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import catalogue, connection

SCHEMAS = {
    "run": run_document.Run,
    "host_evidence": models.HostEvidence,
    "manifest": run_document.Manifest,
    "change": ChangeRecord,
    "plan": Plan,
    "verification": Verification,
    "beat": Beat,
    "hold": holds.Hold,
    "release": holds.Release,
    "lease": lease.Lease,
    "notice": Notice,
    "period": Period,
}
WINDOWS_HOSTS = "docs/windows.md"
GENERATED = "<!-- Made by tools/generate_docs.py from the code; edit the code, then run `make docs`. -->\n"


def schemas() -> dict[str, str]:
    """JSON Schema (2020-12) of every document that crosses a border."""
    made = {}
    for name, model in SCHEMAS.items():
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"keepwell-{name}-{models.SCHEMA_VERSION}",
            **model.model_json_schema(mode="serialization"),
        }
        made[f"docs/schemas/{name}.schema.json"] = _json(schema)
    # The others are what Keepwell writes; this is what people do.
    made["docs/schemas/client_files.schema.json"] = _json(client_files.schema(models.SCHEMA_VERSION))
    return made


def _json(document: t.Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def cell(value: t.Any) -> str:
    """A value inside a Markdown table."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=list)
    return text.replace("|", "\\|").replace("\n", " ")


def checks() -> str:
    """Every check with what it looks at and what to do."""
    lines = [
        GENERATED,
        "# Checks",
        "",
        "A check looks at what one host's probes observed and says one of six states. Every check gives one *result* a",
        "host; a check that does not apply to a host is listed there and not counted. Where a source without which a",
        "check cannot say that all is well failed or was refused, its result is `unknown` and names the source, unless",
        "what could be read is a finding already. Limits are in the [policy](policy.md).",
        "",
    ]
    pillar = ""
    for info in assessment.check_infos():
        if info.pillar != pillar:
            pillar = info.pillar
            lines += [
                f"## {pillar.capitalize()}",
                "",
                "| check | looks at | what to do when it is not ok |",
                "|---|---|---|",
            ]
        lines.append(f"| `{info.id}` | {cell(info.title)} | {cell(info.advice)} |")
    return _sections(lines)


def limits() -> str:
    """Every policy value with its default and source."""
    lines = [
        GENERATED,
        "# Policy",
        "",
        "Limits and choices of the judge. Set single values in `keepwell_policy` (client),",
        "`keepwell_policy_group` (group) or `keepwell_policy_host` (host); the more special one wins, value by value.",
        "A misspelt name stops the run before the first connection and names the nearest match.",
        "",
        "```yaml",
        "# inventories/acme/group_vars/all.yml",
        "keepwell_policy:",
        "  time:",
        "    offset_watch_s: 0.2",
        "```",
        "",
    ]
    section = ""
    for row in policy.describe():
        if row["section"] != section:
            section = row["section"]
            lines += [f"## {section}", "", "| key | default | source |", "|---|---|---|"]
        lines.append(f"| `{row['key']}` | {cell(row['default'])} | {cell(row['source'])} |")
    return _sections(lines)


def windows_errors() -> str:
    """The page on Windows hosts with its tables of errors."""
    text = (ROOT / WINDOWS_HOSTS).read_text(encoding="utf-8")
    troubles = ["| what it means | what to do | told by |", "| --- | --- | --- |"]
    troubles += [
        f"| {cell(_upper(trouble.cause))} | {cell(trouble.step)} | `{cell(trouble.code)}` |"
        for trouble in connection.TROUBLES
    ]
    errors = ["| code | name | what it means | what to do | again? |", "| --- | --- | --- | --- | --- |"]
    errors += [
        f"| [`{entry.hexadecimal}`]({entry.source}) | {entry.name} | {cell(_upper(entry.cause))} | {cell(entry.step)} "
        f"| {entry.retry} |"
        for entry in catalogue.ENTRIES
    ]
    return _filled(_filled(text, "connection", troubles), "errors", errors)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _filled(text: str, name: str, lines: list[str]) -> str:
    """Put lines into the part of a page that is made from the code."""
    begin, end = f"<!-- generated: {name} -->\n", "<!-- end of generated part -->"
    before, _begin, rest = text.partition(begin)
    _old, _end, after = rest.partition(end)
    return before + begin + "\n".join(["", *lines, "", ""]) + end + after


def _sections(lines: list[str]) -> str:
    """Join lines with an empty one before every heading."""
    text = "\n".join(lines)
    return text.replace("|\n## ", "|\n\n## ").rstrip() + "\n"


def documents() -> dict[str, str]:
    """All generated documents: path in the project -> text."""
    return {
        **schemas(),
        "docs/checks.md": checks(),
        "docs/policy.md": limits(),
        WINDOWS_HOSTS: windows_errors(),
    }


def _current(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def main() -> int:
    """Write or compare."""
    stale = [name for name, text in documents().items() if _current(name) != text]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"{name} is out of date: run `make docs`.")
        return 1 if stale else 0
    for name in stale:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(documents()[name])
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
